"""Which constraints cannot hold together, and whether that is proved.

The set is made smaller by leaving out one constraint after the other (the deletion filter of Chinneck and Dravnieks,
ORSA J. Comput. 3, 1991): one without which the others can hold is needed, any other is not. It begins with those that
are broken, or hold with equality, where the violation is least: their gradients cancel there.

For linear constraints it is proved by Farkas' lemma: multipliers, not negative for inequalities, with which the sum of
the constraints is ``0 <= -1``. They are found in rational numbers, so that no rounding is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from fractions import Fraction

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.scaled_problem import NO_BREACH, Scaled, feasible_elsewhere, units_at

# More constraints at once are not left out one by one.
_MOST = 60
# A bound is reached where the point is this near, as a part of max(1, its size).
_REACHED = 1e-6


class Conflict(NamedTuple):
    """Constraints that cannot hold together, as they are told, and whether that is proved."""

    texts: tuple[str, ...] = ()
    proved: bool = False


class _Item(NamedTuple):
    """A constraint or a bound: its text, its sides, and the bounds (variable, 0 lower or 1 upper) that it is."""

    text: str
    sides: Array
    bounds: tuple[tuple[int, int], ...] = ()


def conflict(
    objective: Constrained, x: Vector, start: object, texts: Sequence[str], labels: Sequence[str]
) -> Conflict:
    """Return constraints that cannot hold together, where the violation is least at ``x`` (shape (n,)).

    ``start`` is another place to look for feasible points from, ``texts`` and ``labels`` name the constraints and the
    variables.
    """
    items = _candidates(objective, x, texts, labels)
    if not items or len(items) > _MOST or _can_hold(objective, items, x, start):
        return Conflict()
    for item in list(items):
        fewer = [other for other in items if other is not item]
        if fewer and not _can_hold(objective, fewer, x, start):
            items = fewer
    return Conflict(tuple(item.text for item in items), _is_proved(objective, items, x))


def _candidates(
    objective: Constrained, x: Vector, texts: Sequence[str], labels: Sequence[str]
) -> list[_Item]:
    _, h = objective.values(x)
    near = objective.broken(h) > 0.0
    near |= objective.equal | (h >= -_REACHED * np.maximum(objective.side_sizes, objective.terms(x)))
    ends = [*objective.constraints.firsts[1:], objective.constraints.count]
    items = []
    for text, first, end in zip(texts, objective.constraints.firsts, ends, strict=True):
        sides = (objective.row >= first) & (objective.row < end)
        if (near & sides).any():
            items.append(_Item(text, sides))
    unit = objective.units(x)
    nothing = np.zeros(objective.sides, bool)
    reached = (x - objective.lower <= _REACHED * unit) | (objective.upper - x <= _REACHED * unit)
    for i in map(int, np.flatnonzero(reached)):
        for side, (sign, bounds) in enumerate(((">=", objective.lower), ("<=", objective.upper))):
            if abs(x[i] - bounds[i]) <= _REACHED * unit[i]:
                items.append(_Item(f"{labels[i]} {sign} {bounds[i]:.12g}", nothing, ((i, side),)))
    return items


def _reduced(objective: Constrained, items: Sequence[_Item], x: Vector) -> Scaled:
    """Return the problem of these constraints and bounds alone, in units as they are at ``x``."""
    kept = np.zeros(objective.sides, bool)
    alone = copy(objective)
    alone.lower, alone.upper = np.full(objective.size, -np.inf), np.full(objective.size, np.inf)
    for item in items:
        kept |= item.sides
        for i, side in item.bounds:
            ends = (alone.lower, alone.upper)[side]
            ends[i] = (objective.lower, objective.upper)[side][i]
    found = alone.slopes(x)
    g, J = (
        found
        if found is not None
        else (np.zeros(objective.size), np.zeros((objective.sides, objective.size)))
    )
    return Scaled(alone, units_at(alone, x, g, J), kept)


def _can_hold(objective: Constrained, items: Sequence[_Item], x: Vector, start: object) -> bool:
    problem = _reduced(objective, items, x)
    found = problem.least_violation(x / problem.units.x)
    if found[1] > NO_BREACH and not _is_linear(objective, items):
        found = feasible_elsewhere(problem, found, start / problem.units.x)
    return found[1] <= NO_BREACH


def _is_linear(objective: Constrained, items: Sequence[_Item]) -> bool:
    return all(
        objective.constraints.linear[objective.row[i]] for item in items for i in item.sides.nonzero()[0]
    )


def _is_proved(objective: Constrained, items: Sequence[_Item], x: Vector) -> bool:
    """Look for Farkas' multipliers of linear constraints, in rational numbers."""
    if not _is_linear(objective, items):
        return False
    problem = _reduced(objective, items, x)
    y, _ = problem.least_violation(x / problem.units.x)
    t = problem.pushed(problem.at(y).h)
    sides = np.flatnonzero(abs(t) > 1e-6 * abs(t).max(initial=0.0))
    zero = np.zeros(objective.size)
    slopes, (_, rest) = objective.slopes(x), objective.values(zero)
    if slopes is None or not len(sides) or not np.isfinite(rest[sides]).all():
        return False
    A = [[Fraction(float(a)) for a in slopes[1][i]] for i in sides]
    lower, upper = problem.problem.lower, problem.problem.upper
    free = [j for j in range(objective.size) if np.isinf(lower[j]) and np.isinf(upper[j])]
    weights = _null_vector([[row[j] for row in A] for j in free], len(sides))
    if weights is None:
        return False
    return any(
        _is_farkas([sign * w for w in weights], A, rest[sides], objective.equal[sides], lower, upper)
        for sign in (1, -1)
    )


def _null_vector(rows: list[list[Fraction]], n: int) -> list[Fraction] | None:
    """Return a vector of n numbers that all rows are orthogonal to, where there is one but for its size; else None."""
    pivots: list[int] = []
    done = 0
    for j in range(n):
        k = next((k for k in range(done, len(rows)) if rows[k][j]), None)
        if k is None:
            continue
        rows[done], rows[k] = rows[k], rows[done]
        rows[done] = [a / rows[done][j] for a in rows[done]]
        for other in range(len(rows)):
            if other != done and rows[other][j]:
                factor = rows[other][j]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[done], strict=True)]
        pivots.append(j)
        done += 1
    open_columns = [j for j in range(n) if j not in pivots]
    if len(open_columns) != 1:
        return None
    (last,) = open_columns
    found = [Fraction(0)] * n
    found[last] = Fraction(1)
    for k, j in enumerate(pivots):
        found[j] = -rows[k][last]
    return found


def _is_farkas(
    weights: list[Fraction], A: list[list[Fraction]], rest: Array, equal: Array, lower: Vector, upper: Vector
) -> bool:
    """Tell whether ``weights @ (A x + rest)`` is positive for all x within the bounds, and the weights may be so."""
    if any(w < 0 and not e for w, e in zip(weights, equal, strict=True)):
        return False
    least = sum((w * Fraction(float(r)) for w, r in zip(weights, rest, strict=True)), Fraction(0))
    for j in range(len(lower)):
        slope = sum((w * row[j] for w, row in zip(weights, A, strict=True)), Fraction(0))
        end = float(lower[j] if slope > 0 else upper[j])
        if slope and abs(end) == float("inf"):
            return False
        if slope:
            least += slope * Fraction(end)
    return least > 0
