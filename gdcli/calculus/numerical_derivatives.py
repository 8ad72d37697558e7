"""Derivatives from values alone: difference quotients, and the complex step.

A difference quotient is the derivative as the limit it is, stopped early. The forward quotient (f(x+h) - f(x)) / h errs
by about h*f''/2 from stopping early and by eps*|f|/h from rounding; the central quotient (f(x+h) - f(x-h)) / (2h) errs
by h**2*f'''/6 and half as much rounding. (Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, section 8.1.) All
perturbed points of a gradient are evaluated together where the caller can do that.

The complex step subtracts no two values that are nearly equal. For f analytic at x, f(x + ih) = f(x) + ih f'(x) -
h**2 f''(x)/2 - ..., so the imaginary part divided by h is f'(x) with an error of h**2 f'''/6 and no cancellation: h
may be as small as one likes (Squire & Trapp, SIAM Review 40, 1998, 110-112). With `COMPLEX_STEP` its square underflows
to 0, so that the real parts are those of the real program. It needs f analytic along the way. Choices (``where``, max,
min) go by the real parts and are fine unless the point is on the crossing; abs, sign, floor and ceil are not analytic,
and of erf, gamma and lgamma there is no complex version here. Each of these is an obstacle only where its argument
depends on the component in question.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterator, Sequence
from math import isfinite, nan

from gdcli.calculus.elements import ARITHMETIC, by_formula
from gdcli.kernel.numerics import CENTRAL_STEP, SECOND_STEP, SMALLEST
from gdcli.kernel.vectors import Vec, Vector
from gdcli.language import ieee
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import RELATIONS

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


# -- the complex step --------------------------------------------------------------------------------------------------

# A power of two, so that dividing by it is exact.
COMPLEX_STEP = 2.0**-565

Complex = Callable[..., complex]


class NotAnalyticError(Exception):
    """The complex step does not exist here; the message says why."""


def step_at(x: float) -> float:
    """Return a step that vanishes beside x, and whose square does beside x**2; a power of two."""
    exponent = math.frexp(x)[1]
    if abs(x) > 1.0:
        return math.ldexp(COMPLEX_STEP, exponent)
    return COMPLEX_STEP if x == 0.0 or exponent > -490 else max(2.0 ** (exponent - 70), SMALLEST)


def complex_quotient(
    program: Callable[[list[complex]], complex], x: list[float], index: int, h: float
) -> float:
    """Return Im f(x + ih e_index) / h. Raises NotAnalyticError where that is no derivative."""
    moved: list[complex] = list(x)
    moved[index] = complex(x[index], h)
    try:
        found = complex(program(moved))
    except (OverflowError, ZeroDivisionError, ValueError):
        raise NotAnalyticError("complex arithmetic overflows") from None
    if not cmath.isfinite(found):
        raise NotAnalyticError("complex arithmetic overflows or leaves the domain")
    slope = found.imag / h
    if not math.isfinite(slope):
        raise NotAnalyticError("the derivative is too large to be a number")
    return slope


def complex_function(name: str) -> Complex:
    """Return one function; where no argument has an imaginary part it is the real one."""
    if name in _CHOICES:
        return _CHOICES[name]
    version, real = _version(name), ieee.function(name)

    def either(*args: complex) -> complex:
        if any(complex(a).imag != 0.0 for a in args):
            return version(*map(complex, args))
        return complex(real(*(complex(a).real for a in args)))

    return either


def _version(name: str) -> Complex:
    if name in UNSUPPORTED:
        what = "is not analytic" if FUNCTIONS[name].kink else "has no complex version"

        def refuse(*args: complex) -> complex:
            raise NotAnalyticError(f"{name} {what}")

        return refuse
    own = _OWN.get(name) or getattr(cmath, name, None)
    if own is None:
        return lambda *args: complex(by_formula(name, args, complex, _applied))
    edges = FUNCTIONS[name].edges if name in FUNCTIONS else ()
    return _inside(name, own, edges) if edges and name not in _OWN_EDGES else own


def _applied(op: str) -> Complex:
    return _OPERATIONS.get(op) or complex_function(op)


def _branch_point(name: str) -> NotAnalyticError:
    return NotAnalyticError(f"{name} is not analytic at the edge of its domain")


def _inside(name: str, compute: Complex, edges: tuple[float, ...]) -> Complex:
    """A function with an edge: nan outside as in the reals, not analytic on it."""
    real = ieee.function(name)

    def guarded(z: complex) -> complex:
        if z.real in edges:
            raise _branch_point(name)
        return complex(math.nan, math.nan) if math.isnan(real(z.real)) else compute(z)

    return guarded


def _log1p(z: complex) -> complex:
    a, b = z.real, z.imag
    one = 1.0 + a
    return complex(math.log1p(a) + 0.5 * math.log1p((b / one) ** 2), math.atan2(b, one))


def _expm1(z: complex) -> complex:
    a, b = z.real, z.imag
    return complex(math.expm1(a) * math.cos(b) - 2.0 * math.sin(0.5 * b) ** 2, math.exp(a) * math.sin(b))


def _sigmoid(z: complex) -> complex:
    if z.real >= 0.0:
        return 1.0 / (1.0 + cmath.exp(-z))
    grown = cmath.exp(z)
    return grown / (1.0 + grown)


def _softplus(z: complex) -> complex:
    return z + _log1p(cmath.exp(-z)) if z.real > 0.0 else _log1p(cmath.exp(z))


def _cbrt(z: complex) -> complex:
    if z.real == 0.0:
        raise _branch_point("cbrt")
    third = complex(1.0 / 3.0)
    return _power_positive(z, third) if z.real > 0.0 else -_power_positive(-z, third)


def _hypot(u: complex, v: complex) -> complex:
    size = max(abs(u.real), abs(v.real))
    if size == 0.0:
        raise NotAnalyticError("hypot is not analytic at 0")
    u, v = u / size, v / size
    return size * cmath.sqrt(u * u + v * v)


def _atan2(up: complex, right: complex) -> complex:
    if up.real == 0.0 and right.real <= 0.0:
        raise NotAnalyticError("atan2 is not analytic on its cut")
    if abs(right.real) >= abs(up.real):
        turn = 0.0 if right.real > 0.0 else math.copysign(math.pi, up.real)
        return cmath.atan(up / right) + turn
    return math.copysign(0.5 * math.pi, up.real) - cmath.atan(right / up)


def _power(base: complex, exponent: complex) -> complex:
    if base.real > 0.0:
        return _power_positive(base, exponent)
    whole = exponent.imag == 0.0 and exponent.real == math.floor(exponent.real)
    if not whole:
        if base.real == 0.0:
            raise _branch_point("a power that is no integer")
        return complex(math.nan, math.nan)
    if base.real == 0.0:
        if exponent.real < 0.0:
            return complex(math.inf, math.nan)
        return base if exponent.real == 1.0 else complex(float(exponent.real == 0.0))
    result = _power_positive(-base, exponent)
    return result if exponent.real % 2.0 == 0.0 else -result


def _power_positive(base: complex, exponent: complex) -> complex:
    """base**exponent for Re base > 0 as a**c, which `math` has to the last bit, times exp of what is small."""
    a, c = base.real, exponent.real
    t = base.imag / a
    turn = complex(0.5 * math.log1p(t * t), math.atan(t))
    return math.pow(a, c) * cmath.exp(exponent * turn + complex(0.0, exponent.imag * math.log(a)))


# Versions that cmath does not have, or has with more rounding; the last three know their edges.
_OWN: dict[str, Complex] = {
    "div": lambda a, b: a / b,
    "power": _power,
    "log1p": _log1p,
    "expm1": _expm1,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "cbrt": _cbrt,
    "hypot": _hypot,
    "atan2": _atan2,
}
_OWN_EDGES = ("cbrt", "hypot", "atan2")
_OPERATIONS: dict[str, Complex] = {**ARITHMETIC, "pow": _power}


def _real(a: complex, b: complex) -> tuple[float, float]:
    """Return what a choice compares: the real parts, unless the step moves the point across the border."""
    a, b = complex(a), complex(b)
    if a.real == b.real and a.imag != b.imag:
        raise NotAnalyticError("the point is on the border of a choice")
    return a.real, b.real


def _compare(relation: Callable[[float, float], bool]) -> Callable[[complex, complex], bool]:
    return lambda a, b: relation(*_real(a, b))


def _extreme(pick: Callable[[float, float], float]) -> Complex:
    def choose(a: complex, b: complex) -> complex:
        left, right = _real(a, b)
        return a if pick(left, right) == left or left != left else b

    return choose


# A comparison has a name, since complex numbers have no order.
COMPARISONS = {"<": "below", "<=": "at_most", ">": "above", ">=": "at_least", "==": "equal", "!=": "unequal"}
_CHOICES: dict[str, Callable[..., complex]] = {
    "max": _extreme(ieee.maximum),
    "min": _extreme(ieee.minimum),
    **{name: _compare(RELATIONS[sign]) for sign, name in COMPARISONS.items()},
}

# Functions of the language that have no complex version here.
UNSUPPORTED = tuple(
    row.name
    for row in FUNCTIONS.values()
    if not (row.formula or row.name in _OWN or row.name in _CHOICES or hasattr(cmath, row.name))
)
