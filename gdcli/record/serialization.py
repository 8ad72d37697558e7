"""Records as text: JSON on one line or one line per key, cells and rows of CSV, and what --print knows by name.

Numbers have the shortest digits that give the same double back; what is not finite is null in JSON and ``inf``,
``-inf`` or ``nan`` in CSV. Results of ``gd.result/1`` as earlier versions wrote them are brought to the fields of
today: what the page of an answer says beside its numbers stood in an annex of the receipt, under names of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, did_you_mean, shorten
from gdcli.record.runs import PATH_HEAD, path_cells, path_point
from gdcli.record.schema import Json
from gdcli.record.schema import Json as Told

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.tasks.problem import Problem


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def json_text(value: object) -> str:
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


_QUOTED = '[,"\\r\\n]'


def csv_cell(value: object) -> str:
    if isinstance(value, float):
        return repr(value)
    text = plain_cell(value)
    if re.search(_QUOTED, text):
        text = '"' + text.replace('"', '""') + '"'
    return text


def csv_line(cells: Sequence[Any]) -> str:
    return ",".join(map(csv_cell, cells)) + "\r\n"


class RowText(NamedTuple):
    """A format of rows: the text of the head, and that of a row, of their cells."""

    head: Callable[[Sequence[Any]], str]
    row: Callable[[Sequence[Any]], str]

    def table(self, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
        return self.head(head) + "".join(map(self.row, rows))


CSV = RowText(csv_line, csv_line)


def plain_cell(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


# -- by name ----------------------------------------------------------------------------------------------------------


_Get = Callable[[Told], Any]


def _of_constraints(record: Told, key: str) -> list[Any]:
    """Return a number of each constraint in order, those of the elements of a vector one by one."""
    found = [one[key] for one in record.get("constraints", ())]
    return [each for one in found for each in (one if isinstance(one, list) else [one])]


_FACTS: dict[str, _Get] = {
    "value": lambda r: r["value"],
    "gradient_norm": lambda r: r["gradient_norm"],
    "status": lambda r: r["status"],
    "reason": lambda r: r["reason"],
    "method": lambda r: r["method"],
    "kind": lambda r: r["certificate"]["kind"],
    "claim": lambda r: r["certificate"].get("claim"),
    "estimated_gap": lambda r: r["certificate"]["estimated_gap"],
    "iterations": lambda r: r["iterations"],
    "evaluations": lambda r: sum(r["evaluations"].values()),
    "seed": lambda r: r["seed"],
    "violation": lambda r: r.get("violation"),
    "multipliers": lambda r: _of_constraints(r, "multiplier"),
    "slacks": lambda r: _of_constraints(r, "slack"),
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


def words_for(problem: Problem, words: Words = WORDS) -> Words:
    """Return ``words``, where there are constraints with a column more: by how much they are broken on the path."""
    if not problem.subject_to:
        return words
    return words._replace(
        head=(*words.head, "violation"), cells=lambda point: [*words.cells(point), point.violation]
    )


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
    return ",".join(map(plain_cell, value)) if isinstance(value, list) else plain_cell(value)


# -- of earlier versions ----------------------------------------------------------------------------------------------


_OF_ANSWER = {"method": "used", "why": "why", "advice": "advice", "best": "best_iteration"}
_OF_CERTIFICATE = ("evidence", "distance", "rounded", "errors")


def upgraded(record: Mapping[str, Any]) -> Json:
    """Return the record of a result with the fields of today. Raises TypeError for what is no record."""
    receipt = record.get("receipt")
    if not isinstance(receipt, Mapping) or "page" not in receipt:
        return dict(record)
    page, options = receipt["page"], receipt["options"]
    found = dict(record) | {"receipt": {k: v for k, v in receipt.items() if k != "page"}}
    found |= {new: page[old] for old, new in _OF_ANSWER.items() if old in page}
    if "certificate" in record:
        of_certificate = {key: page[key] for key in _OF_CERTIFICATE if key in page}
        found["certificate"] = dict(record["certificate"]) | of_certificate
    found["problem"] = dict(record["problem"]) | ({"drawn": True} if page.get("drawn") else {})
    if record.get("epochs") is not None:
        size = options.get("batch-size")
        found["batch_size"] = None if size is None else 0 if size == "all" else int(size)
        found["polish"] = bool(options.get("polish"))
    return found


def upgraded_gradient(record: Mapping[str, Any]) -> Json:
    """Return the record of a gradient with the fields of today: the least error seen came later."""
    found = dict(record)
    if record.get("best"):
        seen = {name: {"least_h": b["h"], "least_error": b["error"]} for name, b in record["best"].items()}
        found["best"] = {name: seen[name] | b for name, b in record["best"].items()}
    return found
