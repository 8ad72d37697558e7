"""What an option is: the types of its value, its row, and what a command is given.

A type is a function of the text and of the name of an option that returns the value, or raises a `UsageError` with a
span into the text. Nothing here knows what a solver does with the value, and nothing heavy is imported, so that a
mistyped option is answered at once.

An option, or an argument, is one row: its type, what happens without it, what it means. A group of options is a class
with rows for attributes, and what a command takes is a class whose bases are its groups. An object of it has the values
of one command line, under the names of the rows; it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from gdcli.kernel.errors import Span, UsageError, did_you_mean

if TYPE_CHECKING:
    from gdcli.record.checkpoint_file import Content


Value = TypeVar("Value")
Read = Callable[[str, str], Value]


def text(value: str, name: str) -> str:
    return value


def beginning(text: str) -> str:
    """Return a text as it stands in a message: of a long one its beginning."""
    return text if len(text) <= 40 else text[:37] + "..."


def wrong(value: str, name: str, expected: str, hint: str = "") -> UsageError:
    """Return the error for an option whose value is not what is expected."""
    if "number" in expected and value.count(",") == 1 and _float(value.replace(",", ".")) is not None:
        hint = f"numbers have a decimal point: {name} {value.replace(',', '.')}"
    return UsageError(
        f"{name} takes {expected}, not '{beginning(value)}'", hint, Span(value, 0, len(value), name)
    )


def _float(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number - number == 0.0 else None  # nan and the infinities are no numbers here


def _whole(value: str, least: int) -> int | None:
    try:
        read = int(value)
    except ValueError:
        real = _float(value)  # 1e6 is a whole number too
        if real is None or real != int(real):
            return None
        read = int(real)
    return read if read >= least else None


def _reader(expected: str, hint: str, read: Callable[[str], Value | None]) -> Read[Value]:
    """Return the reader of what ``read`` makes of a text, None of one that is not what is expected."""

    def reader(value: str, name: str) -> Value:
        found = read(value)
        if found is None:
            raise wrong(value, name, expected, hint)
        return found

    return reader


def _real(expected: str, hint: str, fits: Callable[[float], bool]) -> Read[float]:
    return _reader(expected, hint, lambda v: None if (read := _float(v)) is None or not fits(read) else read)


number = _real("a number", "for example 0.5 or 1e-8", lambda x: True)
positive = _real("a number above 0", "for example 0.1 or 1e-5", lambda x: x > 0)
tolerance = _real("a number of at least 0", "for example 1e-8; 0 switches this rule off", lambda x: x >= 0)
part, part_of_rows = (
    _real("a part above 0 and below 1", f"for example {example}", lambda x: 0.0 < x < 1.0)
    for example in ("0.2: every fifth row", "0.9: 90 % lie below")
)
penalty = _real("a number of at least 0", "for example 0.1", lambda x: x >= 0.0)
count = _reader("a whole number of at least 0", "for example 1000", lambda v: _whole(v, 0))
stride = _reader("a whole number of at least 1", "for example 10", lambda v: _whole(v, 1))


def or_auto(read: Read[float]) -> Read[float | str]:
    return lambda value, name: value if value == "auto" else read(value, name)


def cap(value: str, name: str) -> int | None:
    """Read a cap that 0 takes away."""
    return count(value, name) or None


def _with_unit(value: str, units: Mapping[str, float]) -> float | None:
    """Return a number times its unit; None where one of them is none, or the number is below 0."""
    plain = value.strip()
    digits = plain.rstrip("abcdefghijklmnopqrstuvwxyz ")
    number, factor = _float(digits), units.get(plain[len(digits) :].strip())
    return None if number is None or factor is None or number < 0 else number * factor


_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration(value: str, name: str) -> float | None:
    """Read a time in seconds, or with a unit (``500ms``, ``30s``, ``2m``, ``1h``); 0 takes the cap away."""
    seconds = _with_unit(value, _UNITS)
    if seconds is None:
        raise wrong(value, name, "a time", "for example 30s, 2m, 1h, or seconds alone: 0.5")
    return seconds or None


def period(value: str, name: str) -> float:
    read = duration(value, name)
    if read is None:
        raise wrong(value, name, "a time above 0", "for example 30s or 5m")
    return read


_SIZES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


def memory(value: str, name: str) -> int | None:
    """Read an amount of memory, in bytes or with a unit (``500MB``, ``2GiB``; ``2G`` is 2GiB); 0 takes the cap away."""
    amount = _with_unit(value.lower(), _SIZES)
    if amount is None or amount > 2**62:
        raise wrong(value, name, "an amount of memory", "for example 500MB, 2GiB, or bytes alone: 1e9")
    return int(amount) or None


def step_sizes(value: str, name: str) -> tuple[float, ...]:
    sizes = tuple(_float(part) for part in value.strip("[] ").split(","))
    if any(size is None or size <= 0 for size in sizes):
        raise wrong(value, name, "positive numbers with commas between them", "for example 100,10,1,0.1")
    return tuple(size for size in sizes if size is not None)


def names(value: str, name: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in value.split(","))
    if not all(parts):
        raise wrong(value, name, "names with commas between them", "for example x,y,value")
    return parts


def _parts(value: str) -> list[tuple[str, int]]:
    """Return the pieces of a comma-separated list without spaces around them, each with its place."""
    parts, place = [], 0
    for piece in value.split(","):
        parts.append((piece.strip(), place + len(piece) - len(piece.lstrip())))
        place += len(piece) + 1
    return parts


def rates(value: str, name: str) -> tuple[float, ...]:
    """Read a comma-separated list of learning rates; the error points at the one that is none."""
    read = []
    for part, place in _parts(value):
        rate = _float(part)
        if rate is None or rate <= 0:
            span = Span(value, place, place + max(1, len(part)), name)
            told = f"{name} takes learning rates above 0, not '{beginning(part)}'"
            raise UsageError(told, "for example 10,1.1,1,0.1,0.01", span)
        read.append(rate)
    return tuple(read)


def method(value: str, name: str) -> str:
    """Read the name of a method, in whatever case; whether there is one is asked when it is sought."""
    return value.strip().lower()


def method_by_epochs(value: str, name: str) -> str:
    from gdcli.solve.registry import BY_EPOCHS, meant

    if method(value, name) in BY_EPOCHS:
        return method(value, name)
    raise wrong(value, name, "one of " + ", ".join(BY_EPOCHS), meant(value, BY_EPOCHS, ""))


def methods(value: str, name: str) -> tuple[str, ...]:
    """Read a comma-separated list of methods; the error points at the one that there is not."""
    from gdcli.solve.registry import METHODS, meant

    parts = [(part.lower(), place) for part, place in _parts(value)]
    for part, place in parts:
        if part not in METHODS:
            hint = meant(part, METHODS, "'gd methods' lists the names")
            span = Span(value, place, place + max(1, len(part)), name)
            raise UsageError(f"{name} takes methods, and there is no '{beginning(part)}'", hint, span)
    return tuple(part for part, _ in parts)


def one_of(*words: str, elsewhere: Callable[[str], str] | None = None) -> Read[str]:
    """Return the reader of one word out of several; ``elsewhere`` tells what a name that is none is here."""

    def read(value: str, name: str) -> str:
        if value in words:
            return value
        known = "" if elsewhere is None else elsewhere(value)
        raise wrong(value, name, "one of " + ", ".join(words), known or did_you_mean(value, words))

    read.__dict__["words"] = words  # for completion
    return read


def copy_of_rows(value: str, name: str) -> str:
    """Read the name of a file that gets the rows; a place at which somebody wants to know the fit is none."""
    if "=" in value or _float(value) is not None:
        hint = "it gets the rows and what the fit says of them; of other places --emit python tells, as a program"
        raise wrong(value, name, "the name of a file to be written", hint)
    return value


def page_file(value: str, name: str) -> str:
    if not value.lower().endswith((".html", ".htm")):
        raise wrong(value, name, "a file that ends in .html", "for example report.html")
    return value


PICTURES = ("png", "svg", "pdf")


def picture(value: str, name: str) -> str:
    """Read the name of a picture's file, which tells its kind; ``-`` is the terminal."""
    stem, dot, suffix = value.rpartition(".")
    if value == "-" or (suffix.lower() in PICTURES and stem):
        return value
    typed = suffix if dot and "/" not in suffix else ""
    close = did_you_mean(typed.lower(), PICTURES) if typed else ""
    hint = close or "for example path.png; - draws in the terminal"
    shown = value if len(value) <= 40 else "..." + value[-37:]
    at = len(value) - len(typed) if typed else 0
    raise UsageError(
        f"{name} takes a file that ends in .png, .svg or .pdf, not '{shown}'",
        hint,
        Span(value, at, len(value), name),
    )


_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}
_SIDES = (2.0, 50.0)  # inches: below that no words fit beside the axes


def plot_size(value: str, name: str) -> tuple[float, float]:
    """Read a width and a height, ``6.4x4.8`` in inches or ``16x12cm``; in inches."""
    plain = value.strip().lower().replace("\N{MULTIPLICATION SIGN}", "x")
    digits = plain.rstrip("incm")
    width, _, height = digits.partition("x")
    factor = _INCHES.get(plain[len(digits) :])
    sides = _float(width), _float(height)
    example = "for example 6.4x4.8 in inches, 16x12cm or 85x60mm"
    if factor is None or sides[0] is None or sides[1] is None:
        raise wrong(value, name, "a width and a height", example)
    size = sides[0] * factor, sides[1] * factor
    if not all(_SIDES[0] <= side <= _SIDES[1] for side in size):
        raise wrong(value, name, "sides from {:g} to {:g} inches (5 to 127 cm)".format(*_SIDES), example)
    return size


def dpi(value: str, name: str) -> int:
    read = _whole(value, 20)
    if read is None or read > 2400:
        raise wrong(value, name, "a whole number from 20 to 2400", "for example 300 for print")
    return read


def plane(value: str, name: str) -> tuple[str, ...]:
    parts = names(value, name)
    if len(parts) != 2:
        raise wrong(value, name, "two variables", "for example x,y or v[0],v[3]")
    return parts


def interval(value: str, name: str) -> tuple[float, float]:
    """Read two numbers, the lower one first: ``-10:10``."""
    low, colon, high = value.partition(":")
    ends = _float(low), _float(high)
    if not colon or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
        raise wrong(value, name, "two numbers, the lower one first", "for example -10:10")
    return ends[0], ends[1]


ALL_ROWS = 0


def batch_size(value: str, name: str) -> int:
    """Read how many rows make a step; 0 stands for all of them."""
    if value.strip() == "all":
        return ALL_ROWS
    read = _whole(value, 1)
    if read is None:
        raise wrong(value, name, "a whole number of rows or all", "for example 1, 32 or all")
    return read


def batch_sizes(value: str, name: str) -> tuple[int, ...]:
    """Read a comma-separated list of batch sizes; 0 stands for all rows."""
    return tuple(batch_size(part, name) for part, _ in _parts(value))


# -- rows -------------------------------------------------------------------------------------------------------------


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
