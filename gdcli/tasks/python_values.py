"""Values at hand in Python, checked as typed ones are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import Span, UsageError
from gdcli.tasks.problem import Number, Problem, TypedTexts, parsed, problem_with, sign_of


def make_problem(
    expression: str,
    sense: str = "minimize",
    start: Mapping[str, Number] | None = None,
    constants: Mapping[str, Number] | None = None,
    seed: int = 0,
    source: str = "",
    typed: TypedTexts | None = None,
) -> Problem:
    """Return a problem from values at hand, checked as a typed one; without ``start`` a random one is drawn.

    Raises UsageError and DomainError as :func:`read_problem`.
    """
    from gdcli.language.values import TypedValue

    sign_of(sense)
    parsed(expression, source)  # what is wrong with it comes first
    known = {name: checked_value(name, value) for name, value in (constants or {}).items()}
    entries = [
        TypedValue(name, checked_value(name, v), Span(name, 0, len(name), "start"))
        for name, v in (start or {}).items()
    ]
    asked = Problem(expression, sense, constants=known, seed=seed, drawn=not entries, source=source)
    return problem_with(asked, entries, (typed or TypedTexts())._replace(option="bounds"))


def constrained(problem: Problem, subject_to: Sequence[str]) -> Problem:
    """Return a problem whose variables are known with constraints on them, texts as after --subject-to."""
    if not subject_to:
        return problem
    from gdcli.language.constraints import merged
    from gdcli.tasks.typed_limits import as_typed

    found = replace(problem, subject_to=as_typed(subject_to))
    found.constraints()  # what is wrong with them is told before anything is begun
    return replace(found, bounds=merged(problem.bounds, found.rows()[1], problem.lengths))


def typed_bounds(bounds: Mapping[str, tuple[float | None, float | None]] | Sequence[str]) -> Sequence[str]:
    """Return bounds at hand as texts as after --bounds; texts stay what they are. Raises UsageError for others."""
    if isinstance(bounds, Mapping):
        return [_typed(*item) for item in bounds.items()]
    if not all(isinstance(text, str) for text in bounds):
        raise UsageError("bounds are pairs by name", 'for example {"x": (0, 5)}, with None for no bound')
    return bounds


def _typed(name: str, ends: tuple[float | None, float | None]) -> str:
    """A pair of bounds as typed; an infinite end is none. Raises UsageError for what is no pair of numbers."""
    try:
        lower, upper = ("" if end is None or math.isinf(end) else repr(float(end)) for end in ends)
    except (TypeError, ValueError):
        raise UsageError(
            f"the bounds of {name} are no pair of numbers: {ends!r}",
            f'for example {{"{name}": (0, 5)}}, with None for no bound',
        ) from None
    return f"{name}={lower}:{upper}"


def checked_value(name: str, value: Any) -> Any:
    """A start or constant as floats, checked to be finite; a long vector stays an array."""
    try:
        if hasattr(value, "__len__") and not isinstance(value, str):
            if len(value) and hasattr(value[0], "__len__") and not isinstance(value[0], str):
                return checked_matrix(name, value)
            numbers = value if hasattr(value, "dtype") else [float(v) for v in value]
            bad = len(numbers) == 0 or not all(map(math.isfinite, numbers))
        else:
            numbers = float(value)
            bad = not math.isfinite(numbers)
    except (TypeError, ValueError):
        bad = True
    if bad:
        raise UsageError(f"{name} must be a finite number or a list of them")
    return numbers


def checked_matrix(name: str, value: Any) -> Any:
    """Return the rows of a matrix as floats, checked to be finite and of one length; a large one becomes an array."""
    from gdcli.language.value_file import compact

    try:
        rows = [[float(v) for v in row] for row in value]
        bad = not rows[0] or any(len(row) != len(rows[0]) for row in rows)
        bad = bad or not all(math.isfinite(v) for row in rows for v in row)
    except (TypeError, ValueError):
        bad = True
    if bad:
        raise UsageError(f"{name} must be a finite number, a list of them, or rows of one length")
    return compact(rows)
