"""What a problem has beside its expression: what is typed to limit variables, and a start where none is typed.

Bounds and constraints are read; those that are lines in one variable are bounds too. A start is drawn as standard
normal numbers, brought within the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import DomainError
from gdcli.language.syntax import Tree

if TYPE_CHECKING:
    from gdcli.language.constraints import BoundRow, ConstraintRow
    from gdcli.language.relation import Relation


def as_typed(subject_to: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return constraints as typed, those of files a line each, with where each stands. Raises UsageError."""
    from gdcli.language.relation import OPTION, typed_lines

    return tuple(typed_lines(subject_to, OPTION))


def ends_of(
    bounds: Sequence[str],
    option: str,
    relations: Sequence[Relation],
    lengths: Mapping[str, int | None],
    known: Mapping[str, Any],
    what: str = "variable of the expression",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what equal bounds make constants, and the bounds of the others: those typed and those by constraints."""
    from gdcli.language.limits import boxes, read_limits, split_fixed

    ends = boxes(read_limits(bounds, option), lengths, what)
    if relations:
        from gdcli.language import constraints

        rows, lines = split_rows(relations, lengths, known, ends)
        constraints.build(rows, lengths, known)  # what is wrong with them is told before anything is begun
        ends = constraints.merged(ends, lines, lengths)
    return split_fixed(ends, list(lengths))


def relations_of(subject_to: Sequence[tuple[str, str]], let: tuple[str, ...] = ()) -> list[Relation]:
    """Return constraints as typed, with where each stands, as checked sides. Raises UsageError."""
    from gdcli.language.relation import read_parts, relation

    found = [relation(text, source) for text, source in subject_to]
    return [each.using(read_parts(let)) for each in found] if let else found


def split_rows(
    relations: Sequence[Relation],
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Any],
    ends: Mapping[str, Any],
) -> tuple[list[ConstraintRow], list[BoundRow]]:
    """Return the rows of constraints, and those that are bounds of one variable, beside the bounds ``ends`` that there
    are. Raises as `Problem.constraints`.
    """
    from gdcli.language import constraints

    return constraints.split_bounds(list(constraints.rows_of(relations, constants)), lengths, constants, ends)


# -- a start drawn ----------------------------------------------------------------------------------------------------


# A random start is redrawn until the value there is finite, at most so often.
MAX_DRAWS = 1000


def random_start(
    tree: Tree,
    names: Sequence[str],
    constants: Mapping[str, Any],
    bounds: Mapping[str, tuple[Any, Any]],
    seed: int,
    hint: str,
) -> dict[str, float]:
    """Return a random number for every name, redrawn until the value of ``tree`` is finite.

    Raises DomainError with the ``hint`` where none is found.
    """
    from gdcli.language.values import normals
    from gdcli.objective.build import build_objective

    exact = build_objective(tree, dict.fromkeys(names), constants, 1)
    draws = normals(seed)
    for _ in range(MAX_DRAWS):
        x = [_inside(next(draws), bounds.get(name)) for name in names]
        if abs(exact.evaluate(exact.vector(x)).value) < float("inf"):
            return dict(zip(names, x, strict=True))
    raise DomainError(f"no random start of {MAX_DRAWS} has a finite value", hint)


def _inside(draw: float, bounds: tuple[Any, Any] | None) -> float:
    """A standard normal draw brought within bounds, with few digits so that it can be typed again.

    Between two finite ends it is spread over the interval (by the normal distribution's own function, so evenly);
    next to one end it lies on the inner side at the same distance.
    """
    if bounds is None:
        return round(draw, 4)
    lower, upper = float(bounds[0]), float(bounds[1])
    if math.isfinite(lower) and math.isfinite(upper):
        part = 0.5 * (1.0 + math.erf(draw / math.sqrt(2.0)))
        return min(max(float(f"{lower + part * (upper - lower):.4g}"), lower), upper)
    return lower + round(abs(draw), 4) if math.isfinite(lower) else upper - round(abs(draw), 4)
