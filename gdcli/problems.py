"""Problem files: named problems with their starts, options and known answers, in TOML.

    [rosenbrock]
    expression = "100*(y-x**2)**2 + (1-x)**2"
    sense = "minimize"                      # the default; or "maximize"
    start = {x = -1.2, y = 1}               # numbers, lists, or text as after --start: "zeros(10)"
    set = {}                                # constants, in the same forms
    method = "auto"                         # this and every other option of the solver by its long name
    expect = {value = 0, tolerance = 1e-8, point = {x = 1, y = 1}}

``expect`` says what is known: a ``value``, right within ``tolerance*max(1, |value|)`` (default 1e-8); a
``point``, right within ``sqrt(tolerance)*max(1, |x|)`` in each component, since near a minimum the value is
off by the square of the distance; a ``status`` where the honest end is not ``converged``. ``about`` is a
note.

This module reads the file and says what is wrong with it: the file, the table, the key. The mathematics is
read by `gdcli.api.read_problem`, the options by whoever knows them.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from gdcli.errors import GdError, Span, UsageError, did_you_mean

if TYPE_CHECKING:
    from gdcli.api import Problem

KEYS = ("about", "expression", "sense", "start", "set", "bounds", "expect")
SENSES = ("minimize", "maximize")
_EXPECTED = ("value", "tolerance", "point", "status")
TOLERANCE = 1e-8


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


def _distance(found: Any, wanted: Any) -> float:
    """Return the largest distance of the components, each relative to max(1, |wanted|)."""
    ours = found if isinstance(found, list) else [found]
    theirs = wanted if isinstance(wanted, list) else [wanted]
    if len(ours) != len(theirs) or None in ours:
        return float("inf")
    return max((float(abs(a - b) / max(1.0, abs(b))) for a, b in zip(ours, theirs, strict=True)), default=0.0)


class Entry(NamedTuple):
    """One problem of a file. ``options`` has the texts of the options given, as after ``--name``."""

    file: str
    name: str
    expression: str
    sense: str
    start: tuple[str, ...]
    constants: tuple[str, ...]
    bounds: tuple[str, ...]
    options: Mapping[str, str]
    expect: Expectation | None

    def problem(self, seed: int = 0) -> Problem:
        """Return the problem with its text read; errors name the file, the table and the key."""
        from gdcli import api

        try:
            return api.read_problem(
                self.expression, self.sense, self.start, self.constants, seed, bounds=self.bounds
            )
        except GdError as error:
            raise self.located(error) from None

    def located(self, error: GdError) -> GdError:
        """Return ``error`` with the file, the table and, where it is known, the key in its message."""
        span, key = error.span, ""
        if span is not None:
            key = span.source.removeprefix("--") or "expression"
            span = span._replace(source="")
        where = f"{self.file}: [{self.name}]" + (f" {key}" if key else "")
        return type(error)(f"{where}: {error.message}", error.hint, span)


def read(path: str, options: Collection[str]) -> list[Entry]:
    """Return the problems of a file, ``-`` for standard input; ``options`` are the option names known.

    Raises UsageError naming the file and the line and column, or the table and the key, at fault.
    """
    import tomllib

    file = "standard input" if path == "-" else path
    if path == "-" and sys.stdin is None:
        raise UsageError("standard input is closed")
    try:
        if path == "-":
            text = sys.stdin.buffer.read().decode("utf-8")
        else:
            with open(path, "rb") as stream:
                text = stream.read().decode("utf-8")
        content = tomllib.loads(text)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}", "", None) from None
    except UnicodeDecodeError as fault:
        raise UsageError(f"{file}: not UTF-8 text (byte {fault.start})") from None
    except tomllib.TOMLDecodeError as fault:
        raise _syntax(file, text, str(fault)) from None
    except RecursionError:
        raise UsageError(f"{file}: nested too deeply") from None
    return [_entry(file, name, table, options) for name, table in content.items()]


def select(entries: Sequence[Entry], names: Sequence[str], file: str) -> list[Entry]:
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
    return UsageError(
        f"{file}:{line}:{column}: {what}", 'values are numbers, "text", [lists] or {name = value}', span
    )


class _Table:
    """One table while it is read: knows how to say where something is wrong."""

    def __init__(self, file: str, name: str, content: Mapping[str, Any]) -> None:
        self.file, self.name, self.content = file, name, content

    def wrong(self, key: str, message: str, hint: str = "") -> UsageError:
        return UsageError(f"{self.file}: [{self.name}] {key}: {message}", hint)

    def check_keys(self, key: str, table: Mapping[str, Any], known: Collection[str]) -> None:
        for name in table:
            if name not in known:
                hint = did_you_mean(name, known, "known keys: " + ", ".join(list(known)[:12]))
                raise self.wrong(f"{key}.{name}" if key else name, "unknown key", hint)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing", 'for example expression = "x**2 + y**2"')
        if not isinstance(value, str):
            raise self.wrong(key, "must be text in quotes")
        return value

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table, such as {x = 1, y = 2}")
        return value

    def assignments(self, key: str) -> tuple[str, ...]:
        """Return a table of starts or constants as texts after ``--start``; plain text is one already."""
        value = self.content.get(key, {})
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(f"{name}={self.value(f'{key}.{name}', v)}" for name, v in self.table(key).items())

    def bounds(self) -> tuple[str, ...]:
        """Return the bounds as texts after ``--bounds``: from ``{x = [0, 5], y = ":2"}`` or plain text."""
        value = self.content.get("bounds", {})
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(f"{name}={self.ends(f'bounds.{name}', v)}" for name, v in self.table("bounds").items())

    def ends(self, key: str, value: Any) -> str:
        if isinstance(value, list) and len(value) == 2:
            return ":".join(repr(self.number(key, end)) for end in value)
        if not isinstance(value, str):
            raise self.wrong(key, "must be [lower, upper] or text such as '0:5', ':2'")
        return value

    def value(self, key: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "[" + ",".join(repr(self.number(key, item)) for item in value) + "]"
        return repr(self.number(key, value))

    def number(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            raise self.wrong(key, "must be a number")
        return float(value)

    def numbers(self, key: str, value: Any) -> float | list[float]:
        return [self.number(key, v) for v in value] if isinstance(value, list) else self.number(key, value)


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond the floating-point numbers
        return False


def _entry(file: str, name: str, content: Any, options: Collection[str]) -> Entry:
    if not isinstance(content, dict):
        raise UsageError(
            f"{file}: '{name}' stands outside a table", f"a problem begins with its name: [{name}]"
        )
    table = _Table(file, name, content)
    names = [option.removeprefix("--") for option in options]
    # max_iter is as good as max-iter: TOML allows both, and nobody should have to remember which.
    known = [*KEYS, *names]
    table.check_keys("", {key if key in KEYS else key.replace("_", "-"): None for key in content}, known)
    sense = table.text("sense", "minimize")
    if sense not in SENSES:
        raise table.wrong("sense", f"'{sense}' is neither minimize nor maximize", did_you_mean(sense, SENSES))
    table.text("about", "")
    given = {key.replace("_", "-"): value for key, value in content.items() if key not in KEYS}
    return Entry(
        file,
        name,
        table.text("expression"),
        sense,
        table.assignments("start"),
        table.assignments("set"),
        table.bounds(),
        {f"--{key}": _option(table, key, value) for key, value in given.items()},
        _expectation(table) if "expect" in content else None,
    )


def _option(table: _Table, key: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(v) for v in value)
    if isinstance(value, (bool, dict)) or not isinstance(value, (str, int, float)):
        raise table.wrong(key, "must be a number or text")
    return str(value)


def _expectation(table: _Table) -> Expectation:
    expect = table.table("expect")
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
        from gdcli.solvers.types import Status

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
