"""Difference quotients: the derivative as the limit it is, stopped early.

The forward quotient (f(x+h) - f(x)) / h errs by about h*f''/2 from stopping early and by eps*|f|/h from
rounding; the central quotient (f(x+h) - f(x-h)) / (2h) errs by h**2*f'''/6 and half as much rounding.
(Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, section 8.1.) All perturbed points of a gradient are
evaluated together where the caller can do that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, nan

from gdcli.kernel.numerics import CENTRAL_STEP, SECOND_STEP
from gdcli.kernel.vectors import Vec, Vector

FORWARD_STEP = 1e-5  # the step of the book's difference quotient
# So many components are perturbed at a time.
BLOCK = 512

Value = Callable[[Vector], float]
Values = Callable[[Sequence[Vector]], Sequence[float]]


def perturbed(x: Vector, index: int, step: float) -> Vector:
    moved = x.copy()
    moved[index] += step
    return moved


def forward_gradient(
    values: Values, x: Vector, value: float, h: float | Sequence[float] = FORWARD_STEP
) -> Vec | None:
    """Return the n forward quotients at x with step h (one for all, or shape n), None where one is not finite.

    ``values`` evaluates many points at once; n new points are evaluated.
    """
    hs = [h] * len(x) if isinstance(h, float) else h
    quotients = []
    for block in _blocks(len(x)):
        moved = values([perturbed(x, i, hs[i]) for i in block])
        quotients += [
            (there - value) / hs[i] if x[i] + hs[i] != x[i] else nan
            for i, there in zip(block, moved, strict=True)
        ]
    return _finite(quotients)


def steps_of(part: float, x: Vector, sizes: Sequence[float]) -> list[float]:
    """Return the steps (shape n) that are this part of each variable's size, which is ``sizes`` or that at x."""
    return [part * max(s, abs(float(a))) for a, s in zip(x, sizes, strict=True)]


def central_quotients(
    values: Values, x: Vector, h: float | None = None, sizes: Sequence[float] | None = None
) -> Vec | None:
    """Return the n central quotients at x, None where one is not finite; 2n points are evaluated.

    Without ``h`` each step is ``CENTRAL_STEP * max(size, |x_i|)`` with the ``sizes`` of the variables, 1 where they are
    not known: a point alone does not tell whether it is near 0.
    """
    quotients = []
    for block in _blocks(len(x)):
        steps = [
            h if h is not None else CENTRAL_STEP * max(1.0 if sizes is None else sizes[i], abs(x[i]))
            for i in block
        ]
        points = [perturbed(x, i, s) for i, step in zip(block, steps, strict=True) for s in (step, -step)]
        moved = values(points)
        # The distance really moved: x+h and x-h are rounded, and h itself is not what lies between them.
        spans = [points[2 * k][i] - points[2 * k + 1][i] for k, i in enumerate(block)]
        quotients += [_quotient(moved[2 * k] - moved[2 * k + 1], span) for k, span in enumerate(spans)]
    return _finite(quotients)


def quotients_within(
    value: Value,
    x: Vector,
    here: float,
    steps: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
) -> Vec | None:
    """Return the n central quotients at x, where the value is ``here``, None where one is not finite.

    ``steps``, ``lower`` and ``upper`` have shape n. Where a step would lead out of the bounds the quotient is that of a
    parabola through x and two points on its inner side, and across a narrow box that of its ends.
    """
    return _finite(
        [
            _quotient_within(value, x, here, i, *of)
            for i, of in enumerate(zip(steps, lower, upper, strict=True))
        ]
    )


def _quotient_within(
    value: Value, x: Vector, here: float, i: int, step: float, low: float, high: float
) -> float:
    def moved(by: float) -> tuple[float, float]:
        there = perturbed(x, i, by)
        return there[i] - x[i], value(there)

    if low <= x[i] - step and x[i] + step <= high:
        (ahead, up), (behind, down) = moved(step), moved(-step)
        return _quotient(up - down, ahead - behind)
    for h in (step, -step):
        if low <= x[i] + 2.0 * h <= high:
            (a, near), (b, far) = moved(h), moved(2.0 * h)
            return _quotient((near - here) / a * b - (far - here) / b * a, b - a) if a and b else nan
    (ahead, up), (behind, down) = moved(high - x[i]), moved(low - x[i])
    return _quotient(up - down, ahead - behind) if low < high else 0.0


def _quotient(difference: float, span: float) -> float:
    """Return the quotient, nan where the step is lost in the rounding of x."""
    return difference / span if span else nan


def _blocks(n: int) -> Iterator[range]:
    """Yield the indices 0 to n-1 in blocks: n points of n numbers would not fit in memory."""
    for start in range(0, n, BLOCK):
        yield range(start, min(start + BLOCK, n))


def central_gradient(value: Value, x: Vector, h: float | None = None) -> Vec | None:
    return central_quotients(lambda points: [value(p) for p in points], x, h)


def central_hessian(
    value: Value, x: Vector, here: float, sizes: Sequence[float] | None = None
) -> list[Vec] | None:
    """Return second central differences at x as rows, None where one is not finite; about 2n**2 points.

    ``sizes`` are those of the variables, as in `central_quotients`.
    """
    n = len(x)
    steps = steps_of(SECOND_STEP, x, [1.0] * n if sizes is None else sizes)
    rows = [Vec([0.0] * n) for _ in range(n)]
    for i in range(n):
        up, down = value(perturbed(x, i, steps[i])), value(perturbed(x, i, -steps[i]))
        rows[i][i] = (up - 2.0 * here + down) / (steps[i] * steps[i])
        for j in range(i):
            corners = [
                value(perturbed(perturbed(x, i, a * steps[i]), j, b * steps[j]))
                for a, b in ((1, 1), (-1, -1), (1, -1), (-1, 1))
            ]
            rows[i][j] = rows[j][i] = (corners[0] + corners[1] - corners[2] - corners[3]) / (
                4.0 * steps[i] * steps[j]
            )
    return rows if all(isfinite(a) for row in rows for a in row) else None


def _finite(quotients: list[float]) -> Vec | None:
    return Vec(quotients) if all(map(isfinite, quotients)) else None
