"""Problem files: problems with their starts, options and known answers, a TOML table or a line of JSON each.

    [rosenbrock]
    command = "minimize"                    # the default; or "maximize", "fit" (with data = "file.csv")
    expression = "100*(y-x**2)**2 + (1-x)**2"
    sense = "minimize"                      # another way to say so
    start = {x = -1.2, y = 1}               # numbers, lists, or text as after --start: "zeros(10)"
    set = {}                                # constants, in the same forms
    let = {s = "x*y"}                       # named parts, in order
    subject_to = ["x + y <= 1"]             # constraints
    method = "auto"                         # this and every other option of the solver by its long name
    expect = {value = 0, tolerance = 1e-8, point = {x = 1, y = 1}}

``expect`` says what is known: a ``value``, right within ``tolerance*max(1, |value|)`` (default 1e-8); a
``point``, right within ``sqrt(tolerance)*max(1, |x|)`` in each component, since near a minimum the value is
off by the square of the distance; a ``status`` where the honest end is not ``converged``. ``about`` is a
note. The data of a fit are files or columns at hand: ``data = {x = [0, 1], y = [1, 3]}``. A line of JSON has the same
keys, and may have a ``name``.

This module reads the file and says what is wrong with it: the file, the table, the key. The mathematics is
read by `gdcli.api.read_problem`, the options by whoever knows them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import GdError, Span, UsageError, did_you_mean
from gdcli.kernel.status import Status
from gdcli.tasks.option_names import keyword
from gdcli.tasks.problem import Problem, TypedTexts, read_problem

if TYPE_CHECKING:
    from re import Pattern

KEYS = ("about", "command", "expression", "sense", "start", "set", "let", "bounds", "subject_to", "expect")
SENSES = ("minimize", "maximize")
COMMANDS = (*SENSES, "fit")
_EXPECTED = ("value", "tolerance", "point", "status")
TOLERANCE = 1e-8


class KnownOption(Protocol):
    """An option of the command line: a flag has no ``metavar``, one that can be repeated is ``many``."""

    @property
    def metavar(self) -> str: ...
    @property
    def many(self) -> bool: ...


# The options known, by command and name.
Options = Mapping[str, Mapping[str, KnownOption]]


class Expectation(NamedTuple):
    """What is known about the answer; None (or empty) where nothing is."""

    value: float | None
    tolerance: float
    point: Mapping[str, Any]
    status: str | None

    def misses(self, status: str, exit_code: int, value: float, point: Mapping[str, Any]) -> str:
        """Return what is not as expected, in words; empty when all is."""
        if self.status is not None and status != self.status:
            return f"status {status} instead of {self.status}"
        if self.status is None and exit_code:
            return f"status {status}"
        if self.value is not None and not self.error(value) <= self.tolerance * max(1.0, abs(self.value)):
            return f"value off by {self.error(value):.2g}"
        for name, wanted in self.point.items():
            off = _distance(point.get(name), wanted)
            if not off <= sqrt(self.tolerance):
                return f"{name} off by {off:.2g}"
        return ""

    def error(self, value: float) -> float:
        """Return the distance of ``value`` from the expected one, nan where none is expected."""
        return float("nan") if self.value is None else abs(value - self.value)


def _distance(found: object, wanted: object) -> float:
    """Return the largest distance of the components, each relative to max(1, |wanted|)."""
    ours = found if isinstance(found, list) else [found]
    theirs = wanted if isinstance(wanted, list) else [wanted]
    if len(ours) != len(theirs) or None in ours:
        return float("inf")
    return max((float(abs(a - b) / max(1.0, abs(b))) for a, b in zip(ours, theirs, strict=True)), default=0.0)


class FileProblem(NamedTuple):
    """One problem of a file, at ``place``. ``options`` has the texts of the options given, as after ``--name``,
    all of one that can be repeated.

    ``data`` are the files of a fit, or its columns by name.
    """

    place: str
    name: str
    expression: str
    sense: str
    start: tuple[str, ...]
    constants: tuple[str, ...]
    bounds: tuple[str, ...]
    options: Mapping[str, str | tuple[str, ...]]
    expect: Expectation | None
    command: str = "minimize"
    data: tuple[str, ...] | Mapping[str, list[float]] = ()
    subject_to: tuple[str, ...] = ()
    let: tuple[str, ...] = ()

    def problem(self, seed: int = 0) -> Problem:
        """Return the problem with its text read; errors name the file, the table and the key."""
        typed = TypedTexts(self.bounds, self.subject_to, self.let)
        try:
            return read_problem(self.expression, self.sense, self.start, self.constants, seed, typed=typed)
        except GdError as error:
            raise self.located(error) from None

    def located(self, error: GdError) -> GdError:
        """Return ``error`` with the place and, where it is known, the key in its message."""
        if error.message.startswith(self.place):
            return error
        span, key = error.span, ""
        if span is not None:
            key = span.source.removeprefix("--") or "expression"
            span = span._replace(source="")
        where = f"{self.place} {key}" if key else self.place.removesuffix(":")
        return type(error)(f"{where}: {error.message}", error.hint, span)


def read(path: str, options: Options) -> list[FileProblem]:
    """Return the problems of a TOML file; ``options`` are the options known, by command.

    Raises UsageError naming the file and the line and column, or the table and the key, at fault.
    """
    try:
        with open(path, "rb") as stream:
            return read_tables(stream.read(), path, options)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}", "", None) from None


def read_tables(content: bytes, file: str, options: Options) -> list[FileProblem]:
    import tomllib

    text = ""
    try:
        text = content.decode("utf-8-sig")
        if _many_dots().search(text):  # the time that the parser takes grows with the square of their number
            raise UsageError(f"{file}: nested too deeply")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as fault:
        raise UsageError(f"{file}: not UTF-8 text (byte {fault.start})") from None
    except tomllib.TOMLDecodeError as fault:
        raise _syntax(file, text, str(fault)) from None
    except (RecursionError, ValueError):
        raise UsageError(f"{file}: nested too deeply, or a number with too many digits") from None
    return [_named_entry(file, name, table, options) for name, table in tables.items()]


def read_line(line: bytes, file: str, number: int, options: Options) -> FileProblem:
    """Return the problem of one line of JSON. Raises UsageError naming the file, the line and what is at fault."""
    import json

    place = f"{file}:{number}"
    try:
        content = json.loads(line.decode("utf-8"), object_pairs_hook=_without_twins)
    except UnicodeDecodeError as fault:
        raise UsageError(f"{place}: not UTF-8 text (byte {fault.start})") from None
    except json.JSONDecodeError as fault:
        text = fault.doc.rstrip("\r\n")
        at = min(fault.colno - 1, len(text))
        hint = 'a problem is one line: {"expression": "(x-3)**2", "start": {"x": 0}}'
        raise UsageError(f"{place}:{at + 1}: {fault.msg}", hint, Span(text, at, at + 1)) from None
    except _TwiceError as fault:
        raise UsageError(f"{place}: {fault} is given twice") from None
    except (RecursionError, ValueError):
        raise UsageError(f"{place}: nested too deeply, or a number with too many digits") from None
    if not isinstance(content, dict):
        raise UsageError(f"{place}: a problem is a JSON object", 'for example {"expression": "x**2"}')
    name = content.pop("name", "")
    if not isinstance(name, str):
        raise UsageError(f"{place} name: must be text")
    return _entry(f"{place}:", name, content, options)


def name_of_line(line: bytes) -> str:
    """Return the name of a problem of which something else is wrong; empty where it cannot be read."""
    import json

    with suppress(ValueError, RecursionError, _TwiceError):
        content = json.loads(line.decode("utf-8"), object_pairs_hook=_without_twins)
        if isinstance(content, dict) and isinstance(content.get("name"), str):
            return str(content["name"])
    return ""


@cache
def _many_dots() -> Pattern[str]:
    """A key of TOML with a hundred parts and more."""
    import re

    part = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
    return re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{part}){{100}}", re.MULTILINE)


class _TwiceError(Exception):
    """A key stands in an object twice."""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def select(entries: Sequence[FileProblem], names: Sequence[str], file: str) -> list[FileProblem]:
    """Return the entries of these names in this order, all where there are no names."""
    by_name = {entry.name: entry for entry in entries}
    for name in names:
        if name not in by_name:
            hint = did_you_mean(
                name, by_name, "the file has " + ", ".join(list(by_name)[:10]) if by_name else ""
            )
            raise UsageError(f"{file} has no problem '{name}'", hint)
    return [by_name[name] for name in names] if names else list(entries)


def _syntax(file: str, text: str, message: str) -> UsageError:
    """Return the error for text that is no TOML: tomllib puts the place at the end of its message."""
    what, _, place = message.rpartition(" (at ")
    words = place.rstrip(")").replace(",", "").split()
    lines = text.split("\n")
    line, column = len(lines), len(lines[-1]) + 1  # "end of document"
    if words[:1] == ["line"]:  # "line 3 column 5"
        line, column = int(words[1]), int(words[3])
    typed = [*lines, ""][line - 1].rstrip("\r")
    span = Span(typed, min(column - 1, len(typed)), min(column, len(typed)))
    hint = 'values are numbers, "text", [lists] or {name = value}'
    if "=" not in text:  # no file of problems, but of expressions, say, or data
        hint = "a problem has two lines: [p] with its name, and expression='(x-1)**2'"
    return UsageError(f"{file}:{line}:{column}: {what}", hint, span)


class _Table:
    """One table while it is read: knows how to say where something is wrong."""

    def __init__(self, place: str, content: Mapping[str, Any]) -> None:
        self.place, self.content = place, content

    def wrong(self, key: str, message: str, hint: str = "") -> UsageError:
        return UsageError(f"{self.place} {key}: {message}", hint)

    def check_keys(self, key: str, table: Mapping[str, Any], known: Collection[str]) -> None:
        for name in table:
            if name not in known:
                hint = keyword(name, known, "known keys: " + ", ".join(list(known)[:12]))
                raise self.wrong(f"{key}.{name}" if key else name, "unknown key", hint)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing", 'for example expression = "x**2 + y**2"')
        if not isinstance(value, str):
            raise self.wrong(key, "must be text in quotes")
        return value

    def word(self, key: str, words: Sequence[str]) -> str:
        value = self.text(key, words[0])
        if value not in words:
            hint = did_you_mean(value, words)
            raise self.wrong(key, f"'{value}' is not one of {', '.join(words)}", hint)
        return value

    def option(self, key: str, value: object, known: KnownOption) -> str | tuple[str, ...]:
        flag = not known.metavar
        if known.many:
            return self.repeated(key, value)
        if flag or isinstance(value, bool):
            if not (flag and isinstance(value, bool)):
                raise self.wrong(key, "must be true or false" if flag else "must be a number or text")
            return str(value).lower()
        if isinstance(value, list):
            return ",".join(str(v) for v in value)
        if isinstance(value, dict):
            return ",".join(f"{name}={self.value(key, v)}" for name, v in value.items())
        if not isinstance(value, (str, int, float)):
            raise self.wrong(key, "must be a number or text")
        return str(value)

    def repeated(self, key: str, value: object) -> tuple[str, ...]:
        """Return the texts of an option that can be repeated: a text, a list of them, or a table name = text."""
        if isinstance(value, dict):
            return tuple(f"{name}={self.value(f'{key}.{name}', v)}" for name, v in value.items())
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise self.wrong(key, "must be text, a list of texts, or a table of them")
        return tuple(texts)

    def data(self) -> tuple[str, ...] | dict[str, list[float]]:
        value = self.content.get("data")
        if isinstance(value, dict):
            columns = {name: self.numbers(f"data.{name}", column) for name, column in value.items()}
            return {name: v if isinstance(v, list) else [v] for name, v in columns.items()}
        files = value if isinstance(value, list) else [value]
        if not files or not all(isinstance(file, str) for file in files):
            raise self.wrong("data", "must be a file, a list of files, or columns {x = [1, 2], y = [3, 4]}")
        if "-" in files:
            raise self.wrong("data", "standard input is not for the data of a problem", "name a file")
        return tuple(files)

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table, such as {x = 1, y = 2}")
        return value

    def assignments(self, key: str) -> tuple[str, ...]:
        """Return a table of starts or constants as texts after ``--start``; plain text is one already."""
        value = self.content.get(key, {})
        if isinstance(value, str):
            if value.strip() == "@-":
                raise self.wrong(key, "standard input is not for the values of a problem", "name a file")
            return (value,) if value else ()
        return tuple(f"{name}={self.value(f'{key}.{name}', v)}" for name, v in self.table(key).items())

    def bounds(self) -> tuple[str, ...]:
        """Return the bounds as texts after ``--bounds``: from ``{x = [0, 5], y = ":2"}`` or plain text."""
        value = self.content.get("bounds", {})
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(f"{name}={self.ends(f'bounds.{name}', v)}" for name, v in self.table("bounds").items())

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a text, or a list of texts."""
        value = self.content.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self.wrong(key, "must be text or a list of texts", 'for example ["x + y <= 1", "x*y >= 0"]')
        if any(text.strip() == "@-" for text in texts):
            raise self.wrong(key, "standard input is not for the constraints of a problem", "name a file")
        return tuple(texts)

    def parts(self) -> tuple[str, ...]:
        """Return named parts as texts after ``--let``: from a table of texts, or such texts."""
        value = self.content.get("let", {})
        if not isinstance(value, dict):
            return self.texts("let")
        if not all(isinstance(text, str) for text in value.values()):
            raise self.wrong("let", "must be a table of texts", 'for example {s = "exp(a*x)"}')
        return tuple(f"{name}={text}" for name, text in value.items())

    def ends(self, key: str, value: object) -> str:
        if isinstance(value, list) and len(value) == 2:
            return ":".join(repr(self.number(key, end)) for end in value)
        if not isinstance(value, str):
            raise self.wrong(key, "must be [lower, upper] or text such as '0:5', ':2'")
        return value

    def value(self, key: str, value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "[" + ",".join(self.item(key, item) for item in value) + "]"
        return repr(self.number(key, value))

    def item(self, key: str, value: object) -> str:
        """An element of a vector, or a row of a matrix."""
        if not isinstance(value, list):
            return repr(self.number(key, value))
        return "[" + ",".join(repr(self.number(key, item)) for item in value) + "]"

    def number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            raise self.wrong(key, "must be a number")
        return float(value)

    def numbers(self, key: str, value: object) -> float | list[float]:
        return [self.number(key, v) for v in value] if isinstance(value, list) else self.number(key, value)


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond the floating-point numbers
        return False


def _named_entry(file: str, name: str, content: object, options: Options) -> FileProblem:
    if not isinstance(content, dict):
        raise UsageError(
            f"{file}: '{name}' stands outside a table",
            "each problem begins with a name of its own: [first], and below it the lines of the problem",
        )
    return _entry(f"{file}: [{name}]", name, content, options)


def _entry(place: str, name: str, content: Mapping[str, Any], options: Options) -> FileProblem:
    table = _Table(place, content)
    command = table.word("command", COMMANDS)
    known = options[command]
    keys = KEYS if command != "fit" else (*(key for key in KEYS if key != "sense"), "data")
    # max_iter is as good as max-iter: TOML allows both, and nobody should have to remember which.
    given = {key.replace("_", "-"): value for key, value in content.items() if key not in keys}
    for key in given:
        if f"--{key}" not in known:
            names = [*keys, *(option.removeprefix("--") for option in known)]
            hint = keyword(key, names, "known keys: " + ", ".join(names[:12]))
            raise table.wrong(key, "unknown key", hint)
    sense = table.word("sense", SENSES) if "sense" in content else ""
    if sense and command != sense and "command" in content:
        raise table.wrong("sense", f"'{sense}' contradicts the command {command}")
    table.text("about", "")
    return FileProblem(
        place,
        name,
        table.text("expression"),
        "maximize" if "maximize" in (command, sense) else "minimize",
        table.assignments("start"),
        table.assignments("set"),
        table.bounds(),
        {f"--{key}": table.option(key, value, known[f"--{key}"]) for key, value in given.items()},
        _expectation(table) if "expect" in content else None,
        command,
        table.data() if command == "fit" else (),
        table.texts("subject_to"),
        table.parts(),
    )


def _expectation(table: _Table) -> Expectation:
    expect = table.table("expect")
    if stray := [name for name in expect if name in table.content.get("start", {}) and name not in _EXPECTED]:
        told = f"write expect = {{point = {{{stray[0]} = ...}}}}"
        raise table.wrong(f"expect.{stray[0]}", "is a variable, and stands in the point", told)
    table.check_keys("expect", expect, _EXPECTED)
    value = expect.get("value")
    tolerance = table.number("expect.tolerance", expect.get("tolerance", TOLERANCE))
    point = expect.get("point", {})
    status = expect.get("status")
    if tolerance < 0:
        raise table.wrong("expect.tolerance", "must not be negative")
    if not isinstance(point, dict):
        raise table.wrong("expect.point", "must be a table, such as {x = 1, y = 1}")
    if status is not None:
        words = [s.value for s in Status]
        if status not in words:
            raise table.wrong(
                "expect.status", f"no status '{status}'", did_you_mean(str(status), words, ", ".join(words))
            )
    return Expectation(
        None if value is None else table.number("expect.value", value),
        tolerance,
        {name: table.numbers(f"expect.point.{name}", v) for name, v in point.items()},
        status,
    )
