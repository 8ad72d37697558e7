"""What the machine formats say of each kind of run, and what --print knows of a record by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, did_you_mean, shorten
from gdcli.record.runs import PATH_HEAD, path_cells, path_point
from gdcli.record.schema import Json as Told
from gdcli.record.serialization import plain_cell

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.tasks.problem import Problem


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
