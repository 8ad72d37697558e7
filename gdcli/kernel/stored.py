"""Which classes may stand in a checkpoint: those that are marked with `stored`, each under its tag.

A class is written as its fields. One that refers to what a run is on, or is cheaper made again than written, says how
with two methods: ``to_store(self, write)``, and the class method ``from_store(cls, content, read)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Class = TypeVar("Class", bound=type)
# By tag, and the tag of each class. A file makes no object of any other class.
CLASSES: dict[str, type] = {}
TAGS: dict[type, str] = {}
# By class: what fields were called in files of earlier versions, and are called now.
RENAMED: dict[type, dict[str, str]] = {}


class Writer(Protocol):
    """Turns values into JSON values; ``objective`` is what a run is on."""

    objective: Any

    def __call__(self, value: object) -> Any:
        """Return ``value`` as a JSON value. Raises TypeError where it cannot be stored."""


class Reader(Protocol):
    """Turns JSON values into values again; ``objective`` is what a run is on."""

    objective: Any

    def __call__(self, value: object) -> Any: ...

    def on(self, objective: object) -> Reader:
        """Return a reader of states of runs on another objective."""


def stored(tag: str = "", **renamed: str) -> Callable[[Class], Class]:
    """Mark a class as one that may stand in a checkpoint, under ``tag`` or its own name; no tag ever changes.

    ``renamed`` are the present names of fields by those that they had in files of earlier versions; "" is that of one
    that there is no more.
    """

    def mark(kind: Class) -> Class:
        name = tag or kind.__name__
        if CLASSES.setdefault(name, kind).__module__ != kind.__module__:
            raise TypeError(f"{CLASSES[name].__module__} stores a {name} already")
        CLASSES[name], TAGS[kind], RENAMED[kind] = kind, name, renamed
        return kind

    return mark
