"""What an option is, and what a command is given.

An option, or an argument, is one row: how its text becomes a value, what happens without it, what it means. A group of
options is a class with rows for attributes, and what a command takes is a class whose bases are its groups. An object
of it has the values of one command line, under the names of the rows; it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from gdcli.cli.option_values import text

if TYPE_CHECKING:
    from gdcli.record.checkpoint_file import Content

Value = TypeVar("Value")
# What was typed, by the names of the rows: the text of an option or argument, all texts of one that can be repeated,
# and whether a flag was there.
TypedOptions = Mapping[str, Any]


class Parameter(Generic[Value]):
    """An attribute of `Options`: of the class the row itself, of an object what was given, ``absent`` without it."""

    field = ""

    def __init__(self, metavar: str, help: str, absent: Value) -> None:
        self.metavar, self.help, self.absent = metavar, help, absent

    @property
    def many(self) -> bool:
        return self.absent == ()

    def __set_name__(self, owner: type[Options], name: str) -> None:
        self.field = name

    if TYPE_CHECKING:

        @overload
        def __get__(self, item: None, owner: type[Options]) -> Option[Value]: ...
        @overload
        def __get__(self, item: Options, owner: type[Options]) -> Value: ...
        def __get__(self, item: Options | None, owner: type[Options]) -> Option[Value] | Value: ...

    else:

        def __get__(self, item, owner):  # asked only where the object has no value of its own by this name
            return self if item is None else vars(item).get(self.field, self.absent)


class Option(Parameter[Value]):
    """``--name METAVAR``, without a metavar a flag; it stands in the help in its ``group``, ``after`` another."""

    name = ""

    def __init__(
        self, metavar: str, read: Callable[[str, str], Any], default: str, help: str, absent: Value
    ) -> None:
        super().__init__(metavar, help, absent)
        self.read, self.default = read, default
        self.group = self.after = ""

    def __set_name__(self, owner: type[Options], name: str) -> None:
        self.field = name.rstrip(
            "_"
        )  # one behind a word of Python, which an attribute cannot have for a name
        self.name = "--" + self.field.replace("_", "-")
        self.group = self.group or owner.group

    def but(self, help: str = "", default: str = "") -> Option[Value]:
        """Return the row with another help or default, for a command in which it has another meaning."""
        made = Option(self.metavar, self.read, default or self.default, help or self.help, self.absent)
        made.group, made.after = self.group, self.after
        return made

    def within(self, group: str) -> Option[Value]:
        """Return the row in another group of the help than that of its class."""
        self.group = group
        return self

    def behind(self, name: str) -> Option[Value]:
        """Return the row with its place in the help after the one of this name."""
        self.after = name
        return self


class Argument(Parameter[Value]):
    """A positional argument; one that takes all that are left is ``many``."""

    def __init__(self, metavar: str, help: str, absent: Value, required: bool) -> None:
        super().__init__(metavar, help, absent)
        self.required = required


def option(
    metavar: str, read: Callable[[str, str], Value | None], default: str, help: str
) -> Option[Value | None]:
    """Return the row of an option whose text becomes a value by ``read(text, name)``."""
    return Option(metavar, read, default, help, None)


def flag(help: str, default: str = "off") -> Option[bool]:
    return Option("", text, default, help, False)


def repeated(metavar: str, default: str, help: str) -> Option[Sequence[str]]:
    """Return the row of an option that can be repeated; its value has all texts."""
    return Option(metavar, text, default, help, ())


def argument(metavar: str, help: str) -> Argument[str]:
    return Argument(metavar, help, "", required=True)


def optional_argument(metavar: str, help: str) -> Argument[str | None]:
    return Argument(metavar, help, None, required=False)


def arguments(metavar: str, help: str) -> Argument[Sequence[str]]:
    """Return the row of the arguments that are left, of which there may be none."""
    return Argument(metavar, help, (), required=False)


class Options:
    """What a command was given: its ``values``, and the ``typed`` texts of ``command`` that they were made of.

    ``resumed`` is the run that it is to go on with. A class is made ``without`` some rows of its bases: they cannot be
    given.
    """

    group: ClassVar[str] = ""
    left_out: ClassVar[frozenset[str]] = frozenset()
    command: str
    typed: TypedOptions
    resumed: Content | None

    def __init_subclass__(cls, without: str = "") -> None:
        cls.left_out = frozenset(without.split())

    def __init__(
        self,
        values: TypedOptions,
        command: str = "",
        typed: TypedOptions | None = None,
        resumed: Content | None = None,
    ) -> None:
        self.__dict__.update(values, command=command, typed=typed or {}, resumed=resumed)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: options do not change")

    @property
    def writes(self) -> bool:
        return any(row.metavar == "FILE" for row in options_of(type(self)))

    def given(self, *groups: type[Options]) -> dict[str, Any]:
        """Return what was given of the options of these groups, by the names of the rows."""
        names = [row.field for group in groups for row in options_of(group)]
        return {name: value for name in names if (value := getattr(self, name, None)) is not None}


def _rows(group: type[Options]) -> dict[str, Parameter[Any]]:
    """The rows of the bases in order, then a group's own; one that is defined anew keeps its place."""
    names: dict[str, None] = {}
    for base in group.__bases__:
        if issubclass(base, Options):
            names.update(dict.fromkeys(_rows(base)))
    for name, own in vars(group).items():
        after = getattr(own, "after", "")
        if after and name not in names:
            behind = list(names)
            behind.insert(behind.index(after) + 1, name)
            names = dict.fromkeys(behind)
        elif isinstance(own, Parameter):
            names[name] = None
    return {name: getattr(group, name) for name in names if name not in group.left_out}


def options_of(group: type[Options]) -> tuple[Option[Any], ...]:
    """Return the options of a group, or of what a command takes, in the order of the help."""
    return tuple(row for row in _known(group) if isinstance(row, Option))


def arguments_of(group: type[Options]) -> tuple[Argument[Any], ...]:
    return tuple(row for row in _known(group) if isinstance(row, Argument))


_KNOWN: dict[type[Options], tuple[Parameter[Any], ...]] = {}


def _known(group: type[Options]) -> tuple[Parameter[Any], ...]:
    if group not in _KNOWN:
        _KNOWN[group] = tuple(_rows(group).values())
    return _KNOWN[group]
