"""The states of runs as JSON values and arrays, and back, bit for bit.

Numbers, texts, lists and dicts of texts stand for themselves. Everything else is an object with one key that names its
kind: ``{"Vec": [1.0, 2.0]}``, ``{"array": 3}`` (the fourth of the arrays), ``{"Pair": {...}}``. Only the kinds of the
table below and the classes that are marked in `gdcli.kernel.dataclass` are written, and only they are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from enum import Enum
from math import isfinite
from typing import Any

from gdcli.kernel.dataclass import CLASSES, MISSING, RENAMED, TAGS, fields, is_dataclass
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Vec

_NOT_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


class Encoder:
    """Turns values into JSON values; ``arrays`` are those that these refer to. ``objective`` is what a run is on."""

    def __init__(self, objective: object = None, arrays: list[Any] | None = None) -> None:
        self.objective = objective
        self.arrays: list[Any] = [] if arrays is None else arrays
        self._places = {id(array): place for place, array in enumerate(self.arrays)}

    def __call__(self, value: object) -> Any:
        """Return ``value`` as a JSON value. Raises TypeError for a class that is not stored."""
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            number = float(value)
            return number if isfinite(number) else {"number": repr(number)}
        plain = _PLAIN.get(type(value))
        if plain is not None:
            return plain(self, value)
        if hasattr(value, "dtype"):
            return self._array(value)
        return self._object(value)

    def _array(self, value: Any) -> Any:
        if not value.shape:
            return self(value.item())
        base = value.base
        if value.ndim == 1 and getattr(base, "ndim", 0) == 2 and value.shape == base.shape[1:]:
            # A row of a matrix is one again when it is read: what is written to the one is seen in the other.
            offset = value.ctypes.data - base.ctypes.data
            return {"row": [self._array(base)["array"], offset // base.strides[0]]}
        # The same array in two places is written once, and is one array again when it is read.
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self.arrays)
            self.arrays.append(value)
        return {"array": place}

    def _object(self, value: Any) -> Any:
        kind = type(value)
        name = TAGS.get(kind)
        if name is None:
            raise TypeError(f"a {kind.__name__} cannot be kept")
        if hasattr(kind, "to_store"):
            return {name: value.to_store(self)}
        if isinstance(value, Enum):
            return {name: value.value}
        return {
            name: {field: self(getattr(value, field)) for field in _fields(kind) if hasattr(value, field)}
        }


class Decoder:
    """Turns what an `Encoder` made into values again. Raises DataError for what no encoder makes."""

    def __init__(self, arrays: Sequence[Any], objective: object = None) -> None:
        self.arrays = arrays
        self.objective = objective

    def on(self, objective: object) -> Decoder:
        return Decoder(self.arrays, objective)

    def __call__(self, value: object) -> Any:
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise DataError("a value of the checkpoint has no kind")
        ((kind, content),) = value.items()
        made = _MAKE.get(kind)
        try:
            if made is not None:
                return made(self, content)
            return self._object(kind, content)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as fault:
            raise DataError(f"the checkpoint has a {kind[:40]} that is none: {fault}") from None

    def entries(self, value: Any, names: Container[str]) -> Iterator[tuple[str, Any]]:
        """Yield those entries of a dict that have one of ``names``; of the others nobody here may know the kind."""
        try:
            found = [(name, item) for name, item in value["dict"] if name in names]
        except (TypeError, ValueError, KeyError) as fault:
            raise DataError(f"the checkpoint has a dict that is none: {fault}") from None
        yield from ((name, self(item)) for name, item in found)

    def _object(self, kind: str, content: Any) -> Any:
        of: Any = CLASSES.get(kind)
        if of is None:
            raise DataError(f"the checkpoint has a value of an unknown kind, {kind[:40]}")
        if hasattr(of, "from_store"):
            return of.from_store(content, self)
        if issubclass(of, Enum):
            return of(content)
        renamed = RENAMED[of]
        content = {now: part for name, part in content.items() if (now := renamed.get(name, name))}
        strange = set(content) - set(_fields(of))
        if strange:
            raise DataError(f"the checkpoint has a {kind} with {sorted(strange)[0]}")
        parts = {name: self(part) for name, part in content.items()}
        if issubclass(of, tuple):
            return of(**parts)
        made = of.__new__(of)
        if is_dataclass(of):  # fields that came later are at their default
            missing = (field for field in fields(of) if field.name not in parts)
            parts |= {field.name: field.default for field in missing if field.default is not MISSING}
        for name, part in parts.items():
            object.__setattr__(made, name, part)  # some are frozen
        return made


def _fields(kind: type) -> list[str]:
    """Return the names of all that an object of a class is made of."""
    if issubclass(kind, tuple):
        return list(kind._fields)  # type: ignore[attr-defined]
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    return [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]


_PLAIN: dict[type, Callable[[Encoder, Any], Any]] = {
    list: lambda to, v: [to(item) for item in v],
    Vec: lambda to, v: {"Vec": [to(item) for item in v]},
    tuple: lambda to, v: {"tuple": [to(item) for item in v]},
    deque: lambda to, v: {"deque": [v.maxlen, [to(item) for item in v]]},
    dict: lambda to, v: {"dict": [[to(key), to(item)] for key, item in v.items()]},
}
_MAKE: dict[str, Callable[[Decoder, Any], Any]] = {
    "number": lambda of, v: _NOT_FINITE[v],
    "Vec": lambda of, v: Vec([of(item) for item in v]),
    "tuple": lambda of, v: tuple([of(item) for item in v]),
    "deque": lambda of, v: deque([of(item) for item in v[1]], maxlen=v[0]),
    "dict": lambda of, v: {of(key): of(item) for key, item in v},
    "array": lambda of, v: of.arrays[v],
    "row": lambda of, v: of.arrays[v[0]][v[1]],
}
