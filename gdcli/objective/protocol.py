"""What an objective is to those who use it: a function that can be evaluated, and counts how often it was.

`Objective` says all that may be asked, with the answer of a function about which nothing special is known; what stands
around a function (bounds, units) is a `Wrapper`. A `Box` has the bounds of the variables.

Everything here is about a minimisation; a maximisation is the minimisation of the negative, and only the report turns
the signs back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any

from gdcli.kernel.budget import Budget, current
from gdcli.kernel.dataclass import NamedTuple, dataclass, stored
from gdcli.kernel.vectors import Vec, clipped, dot, np, same

# A point or gradient: a `Vec` (a list with arithmetic) for few variables, a numpy array for many. Both have
# + - on each other, * and / with a float, @ for the dot product, len() and indexing; see kernel/vectors.py.
Vector = Any


# A symmetric matrix: a list of `Vec` rows for few variables, a numpy array for many.
Matrix = Any


class HeldVariable(NamedTuple):
    """A variable at its bound: its number, the side, and its multiplier, the slope that the bound holds back."""

    variable: int
    side: str
    multiplier: float


@dataclass(frozen=True, slots=True)
class Box:
    """``lower <= x <= upper``, vectors of the kind of x; infinite entries mean no bound, equal ones fix."""

    lower: Vector
    upper: Vector

    def clip(self, x: Vector) -> Vector:
        """Return the point of the box nearest to ``x``; ``x`` itself, not a copy, where it is inside."""
        inside = clipped(x, self.lower, self.upper)
        return x if same(inside, x) else inside

    def held(self, x: Vector, g: Vector) -> Any:
        """Return for each variable whether its bound holds it at ``x`` against the gradient ``g``."""
        if isinstance(x, list):
            rows = zip(x, g, self.lower, self.upper, strict=True)
            return [
                lo == hi or (a <= lo and slope > 0.0) or (a >= hi and slope < 0.0)
                for a, slope, lo, hi in rows
            ]
        low, high = (x <= self.lower) & (g > 0.0), (x >= self.upper) & (g < 0.0)
        return low | high | (self.lower == self.upper)


def free_part(v: Vector, held: Vector) -> Vector:
    if isinstance(v, list):
        return Vec([0.0 if h else a for a, h in zip(v, held, strict=True)])
    return np.where(held, 0.0, v)


def of_the_free(H: Matrix, held: Vector) -> Matrix:
    """Return H with held rows and columns made zero, and on their diagonal a curvature that free ones have.

    The largest diagonal entry of the free block lies between its extreme eigenvalues, so that these stay what they
    are. It is not taken where negative: the way down must not lead along a held variable.
    """
    n = len(held)
    free = [float(H[i][i]) for i in range(n) if not held[i]]
    filler = max(0.0, *free) if free else 1.0
    if isinstance(H, list):
        return [
            Vec([filler if i == j and held[i] else 0.0 if held[i] or held[j] else H[i][j] for j in range(n)])
            for i in range(n)
        ]
    reduced = H.copy()
    reduced[held, :] = 0.0
    reduced[:, held] = 0.0
    reduced[held, held] = filler
    return reduced


@stored()
class Evaluation(NamedTuple):
    """What is known about the objective at ``x`` (a tuple: a run makes thousands, and they never change).

    ``value`` is +inf where the function is undefined or not a number, -inf where it is unbounded.
    ``gradient`` (shape n) and ``hessian`` (shape n x n) are None where they were not asked for, or where they
    are not finite; then ``note`` says why. ``estimated`` tells that the derivatives are difference quotients
    standing in for exact ones which do not exist at this point. ``held`` (shape n, bool) tells, where there are
    bounds and a gradient, which variables a bound holds: in the projected gradient a slope of 0 looks the same.
    ``violation`` is by how much constraints are broken, as a part of what they compare; 0 where all hold.
    """

    x: Vector
    value: float
    gradient: Vector | None = None
    hessian: Matrix | None = None
    note: str = ""
    estimated: bool = False
    held: Vector = None
    violation: float = 0.0


@stored()
@dataclass(slots=True)
class Counts:
    """How often the objective was evaluated, by kind; each gradient, Hessian or product counts as one."""

    value: int = 0
    gradient: int = 0
    hessian: int = 0
    product: int = 0

    def copy(self) -> Counts:
        return Counts(self.value, self.gradient, self.hessian, self.product)

    @property
    def total(self) -> int:
        """All of them together, as a cap on evaluations counts them."""
        return self.value + self.gradient + self.hessian + self.product

    def add(self, more: Counts) -> None:
        """Take notice of evaluations that were made and are not counted yet."""
        self.value += more.value
        self.gradient += more.gradient
        self.hessian += more.hessian
        self.product += more.product

    def take_over(self, more: Counts) -> None:
        """Take notice of evaluations that another objective of the same run has counted."""
        self.add(more)

    def since(self, before: Counts) -> Counts:
        return Counts(
            self.value - before.value,
            self.gradient - before.gradient,
            self.hessian - before.hessian,
            self.product - before.product,
        )


class CappedCounts(Counts):
    """Counts that ask a budget before each evaluation, which counts itself before it is made."""

    __slots__ = ("_budget",)
    _budget: Budget | None

    def __init__(self, budget: Budget) -> None:
        object.__setattr__(self, "_budget", None)
        super().__init__()
        object.__setattr__(self, "_budget", budget)

    def __setattr__(self, name: str, number: int) -> None:
        budget = self._budget
        if budget is not None:
            more = number - getattr(self, name)
            if more > 0:
                budget.spend(more)
        object.__setattr__(self, name, number)

    def add(self, more: Counts) -> None:
        """Take notice of evaluations that were made: nobody can be asked any more."""
        self.take_over(more)
        if self._budget is not None:
            self._budget.used += more.total

    def take_over(self, more: Counts) -> None:
        """Take notice of evaluations that the budget knows of."""
        budget = self._budget
        object.__setattr__(self, "_budget", None)
        super().add(more)
        object.__setattr__(self, "_budget", budget)


def new_counts() -> Counts:
    """Return the counts of a new objective; those of an open budget where there is one."""
    budget = current()
    return Counts() if budget is None else CappedCounts(budget)


@stored("Triangle", rest="residual_norm")
class QRSystem(NamedTuple):
    """A linear model of residuals, r(x + d) = r + J d, reduced by a QR factorisation.

    |r + J d|**2 = |factor d + target|**2 + rest**2 for every d. ``factor`` is upper triangular, a list of its p rows,
    ``target`` has shape (p,); all are `Vec`, however many rows the data have. ``measured`` is the length of what was
    measured, in the unit of the residuals: these are differences of such numbers, and have their rounding. ``slope``
    is ``J'r``, shape (p,), where it is known with more digits than ``factor' target`` has.
    """

    factor: Sequence[Vec]
    target: Vector
    residual_norm: float
    measured: float = 0.0
    slope: Vector = None

    @property
    def total(self) -> float:
        return dot(self.target, self.target) + self.residual_norm * self.residual_norm


class Objective:
    """A function of n variables to be minimised, as solvers and the judge see it.

    A subclass has `evaluate` and `complete`, and sets what is declared here without a value. All else has an answer:
    that of a smooth function without bounds, of which only values and gradients are known.
    """

    size: int
    counts: Counts
    # Whether `complete` gives the Hessian, and `product` its products with vectors.
    has_hessian: bool = False
    has_product: bool = False
    # The bounds of the variables, and the units in which they are measured, one number or one for each (None: those
    # that were typed), with the half axes of a trust region of the size 1 (None: all 1).
    box: Box | None = None
    units: Vector | float | None = None
    axes: Vector | None = None
    # Whether there are constraints beside bounds.
    is_constrained: bool = False

    @property
    def is_quadratic(self) -> bool:
        """Whether products of the Hessian are known to be the same everywhere."""
        return False

    # The number of residuals of a sum of squares.
    rows: int = 0

    @property
    def work(self) -> int:
        """How many operations a value takes, 0 where that is not known."""
        return 0

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value (order 0), with the gradient (order 1), with the Hessian (order 2) at ``x``."""
        raise NotImplementedError

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with the derivatives up to ``order`` added; its value is not computed again."""
        raise NotImplementedError

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        """Return the Hessian at ``at.x`` times ``direction``, None where it is not finite or not to be had."""
        return None

    def whole_hessian(self, at: Evaluation) -> Any:
        """Return the Hessian at ``at.x``, a matrix however many variables there are; None where there is none."""
        return self.complete(at, 2).hessian

    def vector(self, flat: Sequence[float]) -> Vector:
        """Return flat numbers as the kind of vector that this objective works on."""
        return Vec(map(float, flat))

    # -- poles, kinks and jumps -----------------------------------------------------------------------------------

    def pole_between(self, x: Vector, y: Vector) -> Vector | None:
        """Return a point on the way from x to y where the value is infinite, on a pole; None where none is known."""
        return None

    @property
    def has_jumps(self) -> bool:
        return False

    @property
    def is_smooth(self) -> bool:
        """Whether nothing in the function is level somewhere and not elsewhere: a kink or a jump makes plateaus, but
        for that of a norm.
        """
        return not self.has_jumps

    def smoothed(self, mu: float) -> Objective | None:
        """Return the objective with every kink rounded off to about ``mu``; None where it has none or does not know."""
        return None

    # -- bounds --------------------------------------------------------------------------------------------

    @property
    def unbounded(self) -> Objective:
        """The function itself, which may be evaluated beyond the bounds."""
        return self

    def restricted(self, at: Evaluation, v: Vector) -> Vector:
        """Return ``v`` with the components of the variables that bounds hold at ``at`` made zero."""
        return v

    def all_held(self, at: Evaluation) -> bool:
        """Tell whether every variable is held by a bound at ``at``."""
        return False

    def multipliers(self, at: Evaluation) -> list[HeldVariable]:
        """Return the variables held at ``at``, with their multipliers; costs a gradient."""
        return []

    def far_end(self, start: Vector, at: Evaluation, order: int) -> Evaluation | None:
        """Return the point where the way from ``start`` to ``at``, which seems to have no end, meets the far bounds.

        None where a bound is missing that way, or the value there is no number or no lower.
        """
        return None

    def derived(self, at: Evaluation, derive: Callable[[Objective, Evaluation], Evaluation]) -> Evaluation:
        """Return ``at`` with the derivatives that ``derive`` adds to an evaluation of the function itself; within
        bounds these are projected, and may be taken beyond them.
        """
        return derive(self, at)

    def rewritten(
        self, make: Callable[[Objective], Objective], there: Callable[[Vector], Vector]
    ) -> Objective:
        """Return what ``make`` makes of the function itself by a change of variables, within bounds that go ``there``,
        as points do.
        """
        return make(self)

    # -- sums of squares of residuals ----------------------------------------------------------------------

    @property
    def has_residuals(self) -> bool:
        """Whether the value is a sum of squares over ``rows``, so that `linearise` and `second` have an answer."""
        return False

    @property
    def has_wide(self) -> bool:
        """Whether `linearise` can be asked for wide residuals."""
        return False

    @property
    def spares_wide(self) -> bool:
        """Whether it should be only where the rounding of others would be seen."""
        return False

    def linearise(self, at: Evaluation, wide: bool = False) -> QRSystem | None:
        """Return the linear model of the residuals at ``at.x``, None where it is not finite.

        ``wide`` computes with more digits than doubles have, where the machine has longer floats: a residual is a
        difference of numbers that may be far larger, and their rounding is all that is left of it then.
        """
        return None

    def second(self, at: Evaluation, direction: Vector) -> Any:
        """Return J' r_vv, shape (p,), with r_vv the second derivative of the residuals along ``direction``.

        None where it is not finite.
        """
        return None


def tried(objective: Objective, at: Evaluation, x: Vector, order: int = 0) -> Evaluation:
    """Return the evaluation at ``x``, a trial from ``at``; +inf beyond a pole, which no descent leads across."""
    there = objective.evaluate(x, order)
    if isfinite(there.value) and objective.pole_between(at.x, there.x) is not None:
        return Evaluation(there.x, inf)
    return there


class Wrapper(Objective):
    """An objective around another: what a subclass does not say anew is said by the ``inner`` one."""

    def __init__(self, inner: Objective) -> None:
        self.inner = inner
        self.size = inner.size
        self.counts = inner.counts
        self.has_hessian = inner.has_hessian
        self.has_product = inner.has_product
        self.box = inner.box
        self.units = inner.units
        self.axes = inner.axes

    def around(self, inner: Objective) -> Objective:
        """Return the same around another function of the same variables."""
        raise NotImplementedError

    def smoothed(self, mu: float) -> Objective | None:
        made = self.inner.smoothed(mu)
        return None if made is None else self.around(made)

    def vector(self, flat: Sequence[float]) -> Vector:
        return self.inner.vector(flat)

    def pole_between(self, x: Vector, y: Vector) -> Vector | None:
        return self.inner.pole_between(x, y)

    @property
    def has_jumps(self) -> bool:
        return self.inner.has_jumps

    @property
    def is_smooth(self) -> bool:
        return self.inner.is_smooth

    @property
    def has_residuals(self) -> bool:
        return self.inner.has_residuals
