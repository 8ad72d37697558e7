"""A Python function of an array of numbers as an objective, with the derivatives that came with it.

A derivative that did not come is a difference quotient of what did: gradients and second derivatives of values, with
steps that are a part of each variable's size. One that came is compared with such quotients (`doubts`), which enclose
the derivative from both sides up to what the step and rounding change; outside of that it is of another function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from random import Random
from typing import TYPE_CHECKING, Any, SupportsFloat

from gdcli.calculus.numerical_derivatives import central_hessian, perturbed, quotients_within, steps_of
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.numerics import CENTRAL_STEP, CLEARLY, FLOOR, PRODUCT_STEP, SECOND_STEP
from gdcli.kernel.vectors import Space, Vec, Vector, along, as_like, dot, is_finite, np, same, unit_like
from gdcli.objective.expression import EXPAND_SIZE, HESSIAN_SIZE, NOTE_GRADIENT, NOTE_NONE
from gdcli.objective.protocol import Evaluation, Objective, new_counts

if TYPE_CHECKING:
    import numpy
    from numpy.typing import ArrayLike, NDArray

    ValueFunction = Callable[[NDArray[numpy.float64]], SupportsFloat]
    ArrayFunction = Callable[[NDArray[numpy.float64]], ArrayLike]

# Up to so many variables it is looked which of the derivatives is wrong, where one is.
_EACH = 50


class Function(NamedTuple):
    """A function as it came: its value, what it is called, and the derivatives that came with it."""

    value: ValueFunction
    name: str
    gradient: ArrayFunction | None = None
    hessian: ArrayFunction | None = None


class FunctionObjective(Objective):
    """``function`` of the variables of ``space``; -1 for the ``sign`` minimises its negative.

    A value that is nan is +inf, as outside of a domain. What the function raises goes through. Raises UsageError for a
    result that is no number, or a derivative of the wrong shape.
    """

    engine = "python"
    has_jumps = True  # nothing tells that it has none

    def __init__(self, function: Function, space: Space, sign: int = 1) -> None:
        self.function = function
        self.space = space
        self.sign = sign
        self.size = space.size
        self.counts = new_counts()
        self.sizes: Sequence[float] = [1.0] * space.size
        self.lower: Sequence[float] = [-inf] * space.size
        self.upper: Sequence[float] = [inf] * space.size
        self.is_bounded = False
        self.has_hessian = function.hessian is not None and space.size <= HESSIAN_SIZE

    def within(self, sizes: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> None:
        """Take the sizes of the variables, for the steps of quotients, and bounds beyond which nothing is evaluated."""
        self.sizes, self.lower, self.upper = sizes, lower, upper
        self.is_bounded = max(lower) > -inf or min(upper) < inf

    def is_constant(self) -> bool:
        return False

    @property
    def unused(self) -> list[str]:
        return []

    @property
    def is_estimated(self) -> bool:
        return self.function.gradient is None

    def by_values(self) -> FunctionObjective:
        bare = FunctionObjective(Function(self.function.value, self.function.name), self.space, self.sign)
        bare.counts = self.counts
        bare.within(self.sizes, self.lower, self.upper)
        return bare

    # -- what the function returns ---------------------------------------------------------------------------

    def value(self, x: Sequence[float]) -> float:
        self.counts.value += 1
        found = self._called(self.function.value, self.function.name, x, ())
        value = self.sign * float(found)
        return value if value == value else inf

    def _called(self, function: Callable[[Any], Any], name: str, x: Sequence[float], shape: Any) -> Any:
        """Return what ``function`` returns at a copy of x, as an array of this shape that nobody else has."""
        with np.errstate(all="ignore"):
            at = np.array(x, dtype=float)
            found = function(np.clip(at, self.lower, self.upper) if self.is_bounded else at)
        try:
            if np.iscomplexobj(found) or found is None:
                raise TypeError
            made = np.array(found, dtype=float)
        except (TypeError, ValueError):
            kind = type(found).__name__
            what = "a number" if shape == () else "an array of numbers"
            raise UsageError(f"{name} returned {_a(kind)}, not {what}") from None
        if made.size == 1 and all(n == 1 for n in shape):
            return made.reshape(shape)
        if made.shape != shape:
            wanted = "one number" if shape == () else f"an array of shape {shape}"
            raise UsageError(f"{name} returned an array of shape {made.shape}, not {wanted}")
        return made

    def _gradient(self, x: Vector, here: float) -> Any:
        """Return the gradient that came with the function, or quotients; None where it is not finite."""
        if self.function.gradient is None:
            found = quotients_within(
                self.value, x, here, steps_of(CENTRAL_STEP, x, self.sizes), self.lower, self.upper
            )
            return None if found is None else as_like(x, found)
        found = as_like(x, self._called(self.function.gradient, "the gradient", x, (self.size,)))
        return self.sign * found if is_finite(found) else None

    def _hessian(self, at: Evaluation) -> Any:
        """Return the Hessian that came, or the quotients of what came; None where it is not finite."""
        if self.function.hessian is None:
            return self._quotients_of_slopes(at) if self.function.gradient else self._quotients_of_values(at)
        found = self._called(self.function.hessian, "the Hessian", at.x, (self.size, self.size))
        return self._matrix(at.x, self.sign * found)

    def _quotients_of_values(self, at: Evaluation) -> Any:
        """Return second central differences; beside a bound those a step away from it."""
        steps = steps_of(SECOND_STEP, at.x, self.sizes)
        rows = zip(at.x, steps, self.lower, self.upper, strict=True)
        center = as_like(
            at.x, [min(max(a, low + h), high - h) if low + h < high - h else a for a, h, low, high in rows]
        )
        here = at.value if same(center, at.x) else self.value(center)
        return self._matrix(at.x, central_hessian(self.value, center, here, self.sizes))

    def _quotients_of_slopes(self, at: Evaluation) -> Any:
        columns = []
        for i, step in enumerate(steps_of(PRODUCT_STEP, at.x, self.sizes)):
            moved = perturbed(at.x, i, step if at.x[i] + step <= self.upper[i] else -step)
            beside = self._gradient(moved, inf)
            if beside is None:
                return None
            columns.append([float(a) for a in (beside - at.gradient) / (moved[i] - at.x[i])])
        return self._matrix(at.x, columns)

    def _matrix(self, x: Vector, rows: object) -> Any:
        """Return the symmetric part of a matrix of the kind that goes with x, None where it is not finite."""
        if rows is None:
            return None
        found = np.array(rows)
        found = 0.5 * (found + found.T)
        if not is_finite(found.ravel()):
            return None
        return [Vec(row) for row in found.tolist()] if isinstance(x, list) else found

    def curvature_error(self, at: Evaluation) -> float:
        """Return by how much second differences of values err at a point: what twice the step changes in those that
        have room for it between the bounds.
        """
        errors = [0.0]
        for i, h in enumerate(steps_of(SECOND_STEP, at.x, self.sizes)):
            if self.lower[i] <= at.x[i] - 2.0 * h and at.x[i] + 2.0 * h <= self.upper[i]:
                around = [
                    [self.value(perturbed(at.x, i, s * step)) for s in (1.0, -1.0)] for step in (h, 2.0 * h)
                ]
                near, far = (up - 2.0 * at.value + down for up, down in around)
                errors.append(abs(near / (h * h) - far / (4.0 * h * h)))
        return max(errors)

    # -- the solvers' protocol -------------------------------------------------------------------------------

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        at = Evaluation(x, self.value(x))
        return self.complete(at, order) if order else at

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with the gradient (order 1) and, where there is one, the Hessian (order 2) added."""
        x, value, gradient, hessian = at[:4]
        if not -inf < value < inf:
            return at
        if gradient is None:
            self.counts.gradient += 1
            gradient = self._gradient(x, value)
        if gradient is None:
            return self._stand_in(at, order)
        if order > 1 and hessian is None:
            self.counts.hessian += 1
            hessian = self._hessian(Evaluation(x, value, gradient))
        return Evaluation(x, value, gradient, hessian)

    def _stand_in(self, at: Evaluation, order: int) -> Evaluation:
        """Quotients of values where the value is finite and the gradient is not, such as at a kink."""
        if self.function.gradient is None:
            return Evaluation(at.x, at.value, None, None, NOTE_NONE)
        found = self.by_values().complete(Evaluation(at.x, at.value), order)
        return found if found.gradient is None else found._replace(note=NOTE_GRADIENT, estimated=True)

    def product(self, at: Evaluation, direction: Vector) -> Any:
        """Return the Hessian at ``at.x`` times ``direction`` by quotients of values, 4n of them.

        None where it is not finite, and where there are gradients, whose differences tell more.
        """
        if self.function.gradient is not None:
            return None
        self.counts.product += 1
        longest = max(abs(float(d)) / s for d, s in zip(direction, self.sizes, strict=True))
        h = SECOND_STEP / longest
        ahead, behind = (along(at.x, s, direction) for s in (h, -h))
        found = []
        for i, size in enumerate(self.sizes):
            k = SECOND_STEP * max(size, abs(float(at.x[i])))
            rises = [
                self.value(perturbed(x, i, k)) - self.value(perturbed(x, i, -k)) for x in (ahead, behind)
            ]
            found.append((rises[0] - rises[1]) / (4.0 * h * k))
        return as_like(at.x, found) if all(map(isfinite, found)) else None

    def vector(self, flat: Sequence[float]) -> Any:
        if self.size <= EXPAND_SIZE:
            return Vec(map(float, flat))
        return np.array(flat, dtype=float)

    # -- are they derivatives of this function? --------------------------------------------------------------

    def doubts(self, x: Vector) -> list[str]:
        """Return in words where the derivatives that came with the function are not its own at ``x``."""
        at = self.complete(Evaluation(x, self.value(x)), 2 if self.has_hessian else 1)
        if self.function.gradient is None or at.gradient is None or at.estimated:
            return []
        checks = [_Derivative("gradient", lambda y: [self.value(y)], lambda d: [dot(at.gradient, d)])]
        rows = at.hessian
        if rows is not None:
            checks.append(_Derivative("Hessian", self._slopes, lambda d: [dot(row, d) for row in rows]))
        return [text for check in checks if (text := self._disputed(at, check))]

    def _slopes(self, x: Vector) -> Sequence[float]:
        found = self._gradient(x, inf)
        return [inf] * self.size if found is None else [float(a) for a in found]

    def _disputed(self, at: Evaluation, check: _Derivative) -> str:
        """Return what is told of a derivative that is not that of the values: one way shows it, others show where."""
        sizes = [max(s, abs(float(a))) for s, a in zip(self.sizes, at.x, strict=True)]
        random = Random(0)
        mixed = as_like(at.x, [random.choice((-s, s)) * random.uniform(0.5, 1.0) for s in sizes])
        found = check.compare(at.x, mixed, 1.0)
        if found is None:
            return ""
        place = "along some way"
        for i, size in enumerate(sizes if self.size <= _EACH else []):
            single = check.compare(at.x, unit_like(at.x, i), size)
            if single is not None:
                found, place = single, f"along {self.space.label(i)}"
                break
        claimed, seen = (self.sign * slope for slope in found)
        told = f"the {check.what} is not that of {self.function.name}: {place}"
        return f"{told} it has {claimed:.6g}, and difference quotients {seen:.6g}"


class _Derivative(NamedTuple):
    """A derivative that is ``claimed`` along a direction, and the ``values`` that it should be the derivative of."""

    what: str
    values: Callable[[Any], Sequence[float]]
    claimed: Callable[[Any], Sequence[float]]

    def compare(self, x: Vector, direction: Vector, size: float) -> tuple[float, float] | None:
        """Return what is claimed and what quotients say, where it is not between those of both sides.

        ``size`` is how far it is along the direction to where the values are others. Quotients with a step four times
        as long tell how much the quotients err by leaving out, and where values are noisy also by that.
        """
        h = CENTRAL_STEP * size
        here = self.values(x)
        near, far = (
            [self.values(along(x, s * step, direction)) for s in (1.0, -1.0)] for step in (h, 4.0 * h)
        )
        for value, up, down, high, low, slope in zip(here, *near, *far, self.claimed(direction), strict=True):
            found, other = (up - down) / (2.0 * h), (high - low) / (8.0 * h)
            error = CLEARLY * (abs(found - other) + FLOOR * max(map(abs, (value, up, down))) / h)
            ends = sorted(((up - value) / h, (value - down) / h))
            if isfinite(error) and not ends[0] - error <= slope <= ends[1] + error:
                return slope, found
        return None


def _a(kind: str) -> str:
    return "nothing (None)" if kind == "NoneType" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
