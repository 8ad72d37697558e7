"""What is typed to limit variables: bounds, and constraints; those that are lines in one variable are bounds too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
