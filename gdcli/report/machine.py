"""The machine formats: one JSON result, JSON lines and CSV as the run goes, or only the values asked for.

A writer is an observer of the run (or ignores it) and ends with the outcome. Lines are flushed one by one,
so that a pipe sees them as they come. Numbers have the shortest digits that give the same double back; what
is not finite is null in JSON and ``inf``, ``-inf`` or ``nan`` in CSV.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.dataclass import NamedTuple
from gdcli.errors import UsageError, did_you_mean
from gdcli.record.runs import PATH_HEAD, path_cells, path_point
from gdcli.record.schema import Json as Told
from gdcli.record.schema import plain, told
from gdcli.report.faults import shorten

if TYPE_CHECKING:
    from gdcli.api import Problem
    from gdcli.objective.space import Space
    from gdcli.record.runs import RunRecord
    from gdcli.solvers.types import Iterate


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def json_text(value: Any) -> str:
    """Return ``value`` as JSON on one line, with null for what is not finite."""
    try:
        return _encoder()(value)
    except ValueError:  # rare, so the walk through all numbers is made only then
        return _encoder()(_finite(value))


@cache
def _encoder() -> Callable[[Any], str]:
    from json import JSONEncoder  # tables need none

    return JSONEncoder(allow_nan=False).encode


def json_block(record: Told) -> str:
    """Return a record as JSON with one line per key: readable, and quick for long vectors."""
    lines = (f"  {json_text(key)}: {json_text(value)}" for key, value in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


class Thinned:
    """Passes on the first iterate, then each Nth, and at the end the last one, whatever its number."""

    def __init__(self, every: int, show: Callable[[Iterate], None]) -> None:
        self._every = every
        self._show = show
        self._held: Iterate | None = None

    def __call__(self, iterate: Iterate) -> None:
        if iterate.iteration % self._every == 0:
            self._held = None
            self._show(iterate)
        else:
            self._held = iterate

    def finish(self) -> None:
        """Pass on the last iterate if it was held back."""
        if self._held is not None:
            self._show(self._held)


_Get = Callable[[Told], Any]

_FACTS: dict[str, _Get] = {
    "value": lambda r: r["value"],
    "gradient_norm": lambda r: r["gradient_norm"],
    "status": lambda r: r["status"],
    "reason": lambda r: r["reason"],
    "method": lambda r: r["method"],
    "kind": lambda r: r["certificate"]["kind"],
    "estimated_gap": lambda r: r["certificate"]["estimated_gap"],
    "iterations": lambda r: r["iterations"],
    "evaluations": lambda r: sum(r["evaluations"].values()),
    "seed": lambda r: r["seed"],
}


class Words(NamedTuple):
    """What the machine formats say of one kind of run.

    ``point`` makes the record of a point of the path; in a table the columns of ``head`` have its ``cells``. ``facts``
    are what --print knows of an answer, and after ``x.`` the ``parts`` are what it knows of a variable x: functions of
    the record in JSON to values by name.
    """

    point: Callable[[Any, int, Space], Any] = path_point
    head: Sequence[str] = PATH_HEAD
    cells: Callable[[Any], list[Any]] = path_cells
    facts: Mapping[str, _Get] = _FACTS
    parts: Mapping[str, _Get] = {}


WORDS = Words()


class Json:
    """One JSON object at the end."""

    thinning = (0, 0)

    def __init__(self, stream: TextIO, timing: bool) -> None:
        self._stream, self._timing = stream, timing

    def __call__(self, iterate: Iterate) -> None:
        """The result says all that this format tells."""

    def finish(self, found: RunRecord) -> None:
        """Write the result."""
        self._stream.write(json_block(told(found, self._timing)))


class Path:
    """An observer that writes a row for each iterate, every Nth and the last one."""

    def __init__(
        self, stream: TextIO, sign: int, space: Space, every: int, timing: bool, words: Words = WORDS
    ) -> None:
        self._stream, self._sign, self._space, self._timing = stream, sign, space, timing
        self._words = words
        self._thinned = Thinned(every, self._row)
        self.thinning = every, 1

    def _row(self, it: Iterate) -> None:
        raise NotImplementedError

    def _write(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()

    def __call__(self, iterate: Iterate) -> None:
        self._thinned(iterate)

    def end(self) -> None:
        """Write the last iterate, if it was held back."""
        self._thinned.finish()

    def finish(self, found: RunRecord) -> None:
        """Write what is left."""
        self.end()


class PathLines(Path):
    """One JSON line per iterate."""

    def _row(self, it: Iterate) -> None:
        self._line(told(self._words.point(it, self._sign, self._space), self._timing))

    def _line(self, record: Told) -> None:
        self._write(json_text(record) + "\n")


class JsonLines(PathLines):
    """One line per iterate, then one for the result."""

    def finish(self, found: RunRecord) -> None:
        """Write the last iterate and the result."""
        self.end()
        self._line(told(found, self._timing))


_QUOTED = '[,"\\r\\n]'


def csv_cell(value: Any) -> str:
    """Return one cell as RFC 4180 wants it."""
    if isinstance(value, float):
        return repr(value)
    text = _cell(value)
    if re.search(_QUOTED, text):
        text = '"' + text.replace('"', '""') + '"'
    return text


def csv_line(cells: Sequence[Any]) -> str:
    """Return one row with its line end."""
    return ",".join(map(csv_cell, cells)) + "\r\n"


class Csv(Path):
    """A header, then one row per iterate; vectors take a column per number."""

    _begun = False

    def _row(self, it: Iterate) -> None:
        seconds = ["seconds"] if self._timing else []
        if not self._begun:
            self._begun = True
            self._stream.write(csv_line([*self._words.head, *seconds, *labels(self._space)]))
        cells = self._words.cells(self._words.point(it, self._sign, self._space))
        if self._timing:
            cells.append(it.seconds)
        self._write(csv_line(cells + list(plain(it.at.x))))


def labels(space: Space) -> Iterator[str]:
    """Return the names of all components: ``x``, ``v[0]``, ``v[1]``."""
    for name, length in space.lengths.items():
        if length is None:
            yield name
        else:
            for index in range(length):
                yield f"{name}[{index}]"


def check_names(names: Sequence[str], problem: Problem, words: Words) -> None:
    """Raise UsageError for a name that --print does not know."""
    known = [*problem.start, *problem.constants, *words.facts]
    for name in names:
        base = _split(name, words)[0]
        if (
            name not in known
            and not _is_component(base, problem)
            and not (base != name and base in problem.start)
        ):
            more = "".join(f", x.{part}" for part in words.parts)
            raise UsageError(
                f"--print knows no '{shorten(name, 40)}'",
                did_you_mean(name, known, "it knows the variables" + more + " and " + ", ".join(words.facts)),
            )


class Selected:
    """One line with the values asked for by name, tab separated.

    A name is a variable, a constant, a component such as ``v[3]``, a part of one such as ``a.se``, or a fact of the
    result (``value``, ``status``, ...); a variable wins over a fact of the same name. A vector is its numbers with
    commas between them, which is what ``--start`` takes inside brackets.
    """

    thinning = (0, 0)

    def __init__(self, stream: TextIO, names: Sequence[str], problem: Problem, words: Words = WORDS) -> None:
        self._stream, self._names, self._words = stream, names, words
        check_names(names, problem, words)

    def __call__(self, iterate: Iterate) -> None:
        """Only the end is printed."""

    def finish(self, found: RunRecord) -> None:
        """Write the line."""
        record = found.to_json()
        self._stream.write("\t".join(selected(name, record, self._words) for name in self._names) + "\n")


def _split(name: str, words: Words) -> tuple[str, str]:
    """Return the variable and the part of it that a name asks for, empty where it is none."""
    base, _, part = name.rpartition(".")
    return (base, part) if base and part in words.parts else (name, "")


def _component(name: str) -> tuple[str, int] | None:
    head, bracket, index = name.partition("[")
    return (head, int(index[:-1])) if bracket and index.endswith("]") and index[:-1].isdecimal() else None


def _is_component(name: str, problem: Problem) -> bool:
    part = _component(name)
    if part is None:
        return False
    vector = problem.start.get(part[0])
    return vector is not None and hasattr(vector, "__len__") and part[1] < len(vector)


def selected(name: str, record: Told, words: Words) -> str:
    """Return the text of what --print calls ``name`` in a record; empty where there is nothing."""
    base, part = _split(name, words)
    point = record["problem"]["constants"] | record["point"]
    values = words.parts[part](record) or {} if part else point
    component = _component(base)
    if base in point:
        value = values.get(base)
    elif component is not None:
        vector = values.get(component[0])
        value = None if vector is None else vector[component[1]]
    else:
        value = words.facts[name](record)
    return ",".join(map(_cell, value)) if isinstance(value, list) else _cell(value)


def _cell(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
