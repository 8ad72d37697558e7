"""Measuring each variable in a unit of its own, so that no answer depends on the unit in which it was typed.

A trust radius, the length of a probe, "far away" and "close by" are lengths, and a length means something only beside
another one. That is not 1: written in metres or in nanometres a problem is the same, and its variables are not. So
`auto` and the certificate look at every problem through `Scaled`, where each variable is of the order 1, and may take
1 for the natural length of them all (Dennis and Schnabel, Numerical Methods for Unconstrained Optimization and
Nonlinear Equations, 1983, section 7.1).

The unit of a variable is the size that it has at the start. Where it starts at 0, it is the length over which the value
changes as much, by slope and curvature, as it does over the units of the other variables; where these are not known
either, the length of Newton's step along its axis. Only a variable about which nothing is known is measured by 1. The
units are powers of two: nothing is rounded, and the points evaluated are those of the function as typed, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, hypot, inf, ldexp, sqrt
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import Reader, Writer, dataclass, stored
from gdcli.kernel.dense import diagonal
from gdcli.kernel.numerics import EPS, FLOOR
from gdcli.kernel.status import CurvatureSource, StopReason
from gdcli.kernel.vectors import as_like, distance, max_abs, norm, times, unit_like
from gdcli.objective.protocol import Evaluation, Matrix, Objective, Vector, Wrapper, of_the_free
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian
from gdcli.solve.iteration import Method, Step

if TYPE_CHECKING:
    from gdcli.objective.protocol import Box

# One for all variables, or one for each.
Units = Any
# The squares of a unit and of its inverse are to be numbers: curvatures are multiplied by them.
_MOST = 500
# The one unit of many variables is a rough measure, in steps of 2**8: at usual sizes it is 1, and long vectors need not
# be copied.
_COARSE = 8


class Scaled(Wrapper):
    """``inner`` as a function of the variables divided by their ``units``, powers of two.

    ``axes`` (None: all 1) is what is left of the natural lengths, between 1 and 2: the shape of a trust region.
    """

    def __init__(self, inner: Objective, units: Units, axes: Vector | None = None) -> None:
        super().__init__(inner)
        self.units = units
        self.axes = axes
        self.inverse = _inverse(units)

    def around(self, inner: Objective) -> Scaled:
        return Scaled(inner, self.units, self.axes)

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at ``x``, with derivatives up to ``order`` for these variables."""
        return converted(self.inner.evaluate(_by(x, self.units), order), x, self.units)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        typed = converted(at, _by(at.x, self.units), self.inverse)
        return converted(self.inner.complete(typed, order), at.x, self.units)

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        """Return the Hessian at ``at.x`` times ``direction``, or None where it is not finite."""
        typed = Evaluation(_by(at.x, self.units), at.value)
        found = self.inner.product(typed, _by(direction, self.units))
        return None if found is None else _by(found, self.units)

    def pole_between(self, x: Vector, y: Vector) -> Vector | None:
        found = self.inner.pole_between(_by(x, self.units), _by(y, self.units))
        return None if found is None else _by(found, self.inverse)


def rescaled(objective: Objective, units: Units, axes: Vector | None = None) -> Objective:
    """Return ``objective`` in ``units``, a bounded one with its bounds; itself where they are 1."""
    if _is_one(units) and axes is None:
        return objective
    return objective.rewritten(lambda f: Scaled(f, units, axes), lambda x: _by(x, _inverse(units)))


def axes_of(objective: Objective, like: Vector) -> Vector:
    """Return the half axes of a trust region of the size 1."""
    return as_like(like, [1.0] * len(like)) if objective.axes is None else objective.axes


def length_typed(objective: Objective, step: Vector) -> float:
    """Return how long a step of ``objective`` is in the units that were typed."""
    return norm(step if objective.units is None else _by(step, objective.units))


def inward(at: Evaluation, units: Units) -> Evaluation:
    return converted(at, _by(at.x, _inverse(units)), units)


def outward(at: Evaluation, units: Units) -> Evaluation:
    return converted(at, _by(at.x, units), _inverse(units))


def converted(at: Evaluation, x: Vector, factors: Units) -> Evaluation:
    """Return ``at`` as the evaluation at ``x``, with its derivatives multiplied by ``factors``."""
    if _is_one(factors):
        return at
    _, value, gradient, hessian, note, estimated, held, violation = at
    if gradient is not None:
        gradient = _by(gradient, factors)
    if hessian is not None:
        hessian = congruent_to(hessian, factors)
        if held is not None and any(held):
            hessian = of_the_free(hessian, held)
    return Evaluation(x, value, gradient, hessian, note, estimated, held, violation)


def _is_one(units: Units) -> bool:
    return isinstance(units, float) and units == 1.0


def _by(v: Vector, factors: Units) -> Vector:
    if _is_one(factors):
        return v
    return v * factors if isinstance(factors, float) else times(v, factors)


def _inverse(units: Units) -> Units:
    return 1.0 / units if isinstance(units, float) else as_like(units, [1.0 / u for u in units])


def congruent_to(H: Matrix, factors: Units) -> Matrix:
    """Return the Hessian H for variables multiplied by ``factors``."""
    if isinstance(factors, float):
        return [row * factors * factors for row in H] if isinstance(H, list) else H * factors * factors
    if isinstance(H, list):
        return [times(row, factors) * f for row, f in zip(H, factors, strict=True)]
    return H * factors * factors[:, None]


def power_of_two(size: float) -> float:
    """Return the largest power of two that is not above ``size``, or the nearest whose inverse is a number, too."""
    return ldexp(1.0, min(max(frexp(size)[1] - 1, -_MOST), _MOST))


def _of_many(size: float) -> float:
    """Return the one unit of many variables, the largest of which has this size."""
    exponent = _COARSE * round(frexp(size)[1] / _COARSE)
    return ldexp(1.0, min(max(exponent, -_MOST), _MOST))


def value_scale(value: float, fall: float) -> float:
    """Return the size that changes of the value are to be compared with: its own, or that of its ``fall`` from the
    start, whichever is more. A value that has not fallen is compared with 1, for want of anything else.
    """
    return max(abs(value), fall if fall > 0.0 else 1.0)


def first_units(objective: Objective, at: Evaluation) -> Units:
    """Return the units for a run that starts at ``at``: one for each variable where that has a Hessian, else one."""
    return _units(at.x, _sizes(objective, at))


def _units(x: Vector, sizes: list[float] | float) -> Units:
    return _of_many(sizes) if isinstance(sizes, float) else as_like(x, [power_of_two(s) for s in sizes])


def _sizes(objective: Objective, at: Evaluation) -> list[float] | float:
    """Return the natural lengths of the variables at the start of a run, as the module text tells.

    Only a variable that starts at 0 costs a Hessian, if there is none yet. Many variables have one length.
    """
    source = hessian_source(objective)
    if source is CurvatureSource.NONE:
        largest = max_abs(at.x)
        return largest if 0.0 < largest < inf else 1.0
    sizes = [abs(float(a)) for a in at.x]
    if 0.0 in sizes:
        sizes = _filled(sizes, with_hessian(objective, at, source))
    if objective.box is not None:
        widths = zip(sizes, objective.box.lower, objective.box.upper, strict=True)
        sizes = [min(s, hi - lo) if hi > lo else s for s, lo, hi in widths]
    return sizes


def _filled(sizes: list[float], at: Evaluation) -> list[float]:
    if at.gradient is None or at.hessian is None:
        return [s or 1.0 for s in sizes]
    slopes, bends = [abs(float(a)) for a in at.gradient], [abs(float(a)) for a in diagonal(at.hessian)]
    rows = list(zip(sizes, slopes, bends, strict=True))
    changes = [c for c in (s * (g + 0.5 * h * s) for s, g, h in rows) if 0.0 < c < inf]
    return [s or _length(g, h, min(changes, default=0.0)) for s, g, h in rows]


def _length(slope: float, bend: float, change: float) -> float:
    """Return the length over which the value changes by ``change`` (0: not known); 1 where nothing tells."""
    if 0.0 < change < inf:
        length = (
            2.0 * change / (slope + hypot(slope, sqrt(2.0 * bend) * sqrt(change))) if slope or bend else 0.0
        )
    else:
        length = slope / bend if slope and bend else 0.0
    return length if 0.0 < length < inf else 1.0


def start_sizes(x0: Sequence[float], box: Box | None = None) -> list[float]:
    """Return the sizes of the variables (shape n) as the start alone tells them, where no value is to be computed.

    One that starts at 0 is measured by its bounds, else by the smallest of the others: a length that is too short costs
    digits, one that is too long all of them.
    """
    n = len(x0)
    widths = (
        [inf] * n if box is None else [float(hi - lo) for lo, hi in zip(box.lower, box.upper, strict=True)]
    )
    sizes = [min(abs(float(a)) or inf, w or inf) for a, w in zip(x0, widths, strict=True)]
    otherwise = min(sizes, default=inf)
    return [s if s < inf else otherwise if otherwise < inf else 1.0 for s in sizes]


# Units are renewed where a variable has outgrown its own, or become small beside it, by so much: curvatures, which are
# their squares, differ by a million then.
_OUTGROWN, _MOST_RENEWALS = 1e3, 9
# What is gained since is a good part of the value, and the next renewal may gain as much.
_HELPED = 1e-8
_JAMMED = (StopReason.NO_DESCENT, StopReason.FLOOR)


@stored()
@dataclass(slots=True)
class UnitsState:
    """The units of a run, what is left of the lengths, the state of the method in these units, the value at the start,
    how often the units were renewed, and the value then.
    """

    units: Units
    axes: Vector | None
    inner: Any
    first: float = inf
    renewals: int = 0
    value: float = inf

    def to_store(self, write: Writer) -> Any:
        return {name: write(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> UnitsState:
        """Return the state; that of the method is one on the function in those units."""
        units, axes = read(content["units"]), read(content["axes"])
        inner = read.on(rescaled(read.objective, units, axes))(content["inner"])
        first, value = (read(content.get(name, inf)) for name in ("first", "value"))
        return cls(units, axes, inner, first, content.get("renewals", 0), value)


@dataclass(frozen=True, slots=True)
class OwnUnits:
    method: Method

    @property
    def order(self) -> int:
        return self.method.order

    def start(self, objective: Objective, at: Evaluation) -> UnitsState:
        sizes = _sizes(objective, at)
        units, axes = _units(at.x, sizes), None
        if not isinstance(sizes, float):
            axes = as_like(at.x, [s / u for s, u in zip(sizes, units, strict=True)])
        seen = rescaled(objective, units, axes)
        return UnitsState(units, axes, self.method.start(seen, inward(at, units)), at.value)

    def step(self, objective: Objective, at: Evaluation, state: UnitsState) -> Step:
        """Return the step of the method, told in the units of the user."""
        units = state.units
        step = self.method.step(rescaled(objective, units, state.axes), inward(at, units), state.inner)
        state.inner = step.state
        there = outward(step.at, units) if step.moved else at
        size = distance(there.x, at.x) if step.moved else step.size
        reason = step.reason
        if reason in _JAMMED and self._renew(objective, there, state, reason):
            reason = None
        return step._replace(at=there, state=state, size=size, reason=reason)

    def _renew(self, objective: Objective, at: Evaluation, state: UnitsState, reason: StopReason) -> bool:
        """Begin anew in units of where the run is jammed at a kink, if these are others by far, or it helped before."""
        if objective.is_smooth or state.renewals >= _MOST_RENEWALS:
            return False
        if hessian_source(objective) is CurvatureSource.NONE:
            return False
        sizes = [abs(float(a)) or float(u) for a, u in zip(at.x, state.units, strict=True)]
        rounding = FLOOR * max(abs(at.value), abs(state.first))
        if state.renewals:
            helped = state.value - at.value > max(_HELPED * abs(at.value), rounding)
        else:
            helped = reason is StopReason.NO_DESCENT and any(
                max(s / u, u / s) > _OUTGROWN and _is_seen(objective, at, i, s, rounding)
                for i, (s, u) in enumerate(zip(sizes, state.units, strict=True))
            )
        if not helped:
            return False
        state.units, state.axes = _units(at.x, sizes), None
        state.renewals, state.value = state.renewals + 1, at.value
        state.inner = self.method.start(rescaled(objective, state.units), inward(at, state.units))
        return True


def _is_seen(objective: Objective, at: Evaluation, i: int, size: float, rounding: float) -> bool:
    """Tell whether a variable of this size is to be seen in the value: one that is 0 but for rounding is not, and would
    ask for ever other units.
    """
    there = objective.evaluate(at.x + unit_like(at.x, i, size), 0).value
    return not abs(there - at.value) <= rounding


@dataclass(frozen=True, slots=True)
class OneUnit:
    """``method`` on the function in one unit for all variables: the way of a textbook method in any unit.

    The slopes of the variables keep their proportions, which are the method's direction. A size of a step in the units
    of the user is that of the method times the unit to the ``power``: 2 for a multiple of the gradient, 1 for a length,
    0 for a multiple of a Newton step.
    """

    method: Method
    power: int

    @property
    def order(self) -> int:
        return self.method.order

    def start(self, objective: Objective, at: Evaluation) -> UnitsState:
        unit = _one_unit(objective, at)
        return UnitsState(unit, None, self.method.start(rescaled(objective, unit), inward(at, unit)))

    def step(self, objective: Objective, at: Evaluation, state: object) -> Step:
        """Return the step of the method, told in the units of the user."""
        if not isinstance(state, UnitsState):  # one of a run that was kept when its unit was 1
            state = UnitsState(1.0, None, state)
        unit = state.units
        step = self.method.step(rescaled(objective, unit), inward(at, unit), state.inner)
        state.inner = step.state
        there = outward(step.at, unit) if step.moved else at
        return step._replace(at=there, state=state, size=step.size * unit**self.power)


def _one_unit(objective: Objective, at: Evaluation) -> float:
    """Return the size of the largest variable at the start as a unit; where all are 0 the largest that is known."""
    largest = max_abs(at.x)
    if not 0.0 < largest < inf or objective.box is not None:
        sizes = _sizes(objective, at)
        largest = sizes if isinstance(sizes, float) else max(sizes)
    return _of_many(largest) if hessian_source(objective) is CurvatureSource.NONE else power_of_two(largest)


def units_at(objective: Objective, at: Evaluation, start: Evaluation | None) -> Units:
    """Return the units to look around ``at`` in, where a run from ``start`` ended: the sizes at the start, or the one
    that a variable has now, where that is more.
    """
    if start is None:
        return first_units(objective, at)
    sizes = _sizes_at_start(objective, at, start)
    if isinstance(sizes, float):
        return _of_many(max(sizes, max_abs(at.x)))
    return _units(at.x, [max(s, abs(float(a))) for s, a in zip(sizes, at.x, strict=True)])


def in_own_units(
    objective: Objective, at: Evaluation, start: Evaluation
) -> tuple[Objective, Evaluation, Evaluation]:
    """Return the objective, the point and the start in the units of `units_at`."""
    units = units_at(objective, at, start)
    return rescaled(objective, units), inward(at, units), inward(start, units)


def units_away(objective: Objective, at: Evaluation, start: Evaluation) -> float:
    """Return how far ``at`` is from ``start``, in the sizes of the variables there."""
    return norm(_by(at.x - start.x, _inverse(_units(at.x, _sizes_at_start(objective, at, start)))))


def _sizes_at_start(objective: Objective, at: Evaluation, start: Evaluation) -> list[float] | float:
    """Return the sizes of the variables at ``start``. One that was 0 there has the length over which its curvature at
    the end, ``at``, makes a change as large as the fall of the value was; without any it has the size 1.
    So has one that was 0 but for the rounding of the others, and over whose size that curvature makes no change.
    """
    if hessian_source(objective) is CurvatureSource.NONE:
        return _sizes(objective, start)
    sizes = [abs(float(a)) for a in start.x]
    if at.hessian is None:
        return [s or 1.0 for s in sizes]
    fall = max(0.0, start.value - at.value)
    rows = [(s, abs(float(h))) for s, h in zip(sizes, diagonal(at.hessian), strict=True)]
    least, lost = EPS * max(sizes), EPS * EPS * fall
    is_zero = [s == 0.0 or (s < least and 0.0 < h * s * s < lost) for s, h in rows]
    return [_length(0.0, h, fall) if zero else s for zero, (s, h) in zip(is_zero, rows, strict=True)]
