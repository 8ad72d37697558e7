"""Profile likelihood intervals: how far a parameter can go, the others re-optimised, before the data speak against it.

The root of the fall of the likelihood, ``sqrt((D - D_least) / s**2)``, tau, grows with the distance of a parameter from
its estimate, in proportion where Wald's interval is right. The interval ends where tau is the quantile of Student's t
(of the normal distribution where the variance is known, or of a likelihood): Bates and Watts, Nonlinear Regression
Analysis and Its Applications, 1988, section 6.1; Venables and Ripley, Modern Applied Statistics with S, 4th ed., 2002,
section 8.4. R's ``confint`` means the same ends, and finds them by a spline through some points of the curve.

The end is found by continuation: from point to point of the curve of least values (:mod:`gdcli.judge.level_curve`),
each foretold from the one before, by Newton's method on tau, kept in a bracket once there is one. Before that the
distance is at most doubled. A curve that ends before tau has come so far has an end of its own: a bound, or the edge of
what has a value. Where tau levels off the parameter is unbounded there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, inf, isfinite, sqrt

from gdcli.judge.level_curve import ACCURACY, Curve, CurvePoint, settle, start_of
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vec

# After so many looks at an end, where others run away, this accuracy of tau does.
_SOON, _SLOW = 30, 1e-7
# What has levelled off rises no more, but where numbers break off: many times as steeply as on the average.
_STEEP = 10.0
# The distance may be doubled so often: from a standard error to a million million of them.
_DOUBLINGS = 40
# Tau is level where it stays the same for this times the distance.
_DOUBLED = 1.9
# A way is long after so many doublings; tau levels off where its last gains fall so fast that all to come does not
# suffice, with this much to spare.
_LONG, _FALLING, _SPARE = 6, 0.8, 1e-3
# What is still to come of tau where it levels off, as a part of it: so well its limit is told.
_SETTLED = 1e-4
# The edge of what has a value is found to this part of the distance.
_EDGE = 1e-10
_MOST = 200
# A bracket is torn where tau rises over it by more than so many times what its steeper end says.
_TORN = 2.0
# The fit was no minimum where the curve falls below it by more than this part of tau's unit.
_BELOW = 1e-6
# A picture of tau has so many pieces up to its quantile, and goes so many times as far as Wald's interval.
_PIECES, _FAR = 8, 4.0


class ProfileEnd(NamedTuple):
    """An end of an interval; ``why`` it is one although ``tau`` is less than its quantile (empty: it is not).

    ``x`` are all parameters there, ``value`` is that of the objective (both of an ``OPEN`` end in the limit, ``x`` far
    out); ``bottom`` is the least point seen below that of
    the fit.
    """

    place: float
    why: str
    tau: float
    x: Vec
    value: float
    bottom: tuple[float, Vec] | None = None


BOUND, EDGE, OPEN, LOST, JUMP = "bound", "edge", "open", "lost", "jump"


class _Seen(NamedTuple):
    place: float
    tau: float
    point: CurvePoint


def profile_end(
    curve: Curve, x: Sequence[float], least: float, way: Vec, reach: float, quantile: float
) -> ProfileEnd:
    """Return the end of the interval of the variable that ``curve`` holds, on the side of ``way``.

    The objective has the unit of tau squared, ``least`` is its value at the minimum ``x``. ``way`` is where x is
    expected to go for a step of 1 of the variable, ``reach`` how far this is expected to go, with its sign.
    """
    return _Walk(curve, x, least, way, reach, quantile).end()


def root_curve(
    curve: Curve, x: Sequence[float], least: float, way: Vec, reach: float, quantile: float
) -> list[tuple[float, float]]:
    """Return pairs of the held variable and tau, with the sign of ``reach``, up to the quantile; as `profile_end`.

    They end earlier at a bound, where there is no value, and `_FAR` times as far as by Wald.
    """
    sign, origin = copysign(1.0, reach), float(x[curve.held])
    limit = min(_FAR * abs(reach), abs((curve.upper if sign > 0.0 else curve.lower)[curve.held] - origin))
    point, found, step = CurvePoint(Vec(map(float, x)), least, 0.0, way), [(0.0, 0.0)], abs(reach) / _PIECES
    while found[-1][0] < limit and len(found) < _MOST:
        before, tau_before = found[-1]
        place = min(before + step, limit)
        settled = settle(curve, start_of(curve, point, origin + sign * place))
        if settled is None or not isfinite(settled.value):
            break
        point, tau = settled, sqrt(max(0.0, settled.value - least))
        if tau >= quantile:
            found.append((before + (place - before) * (quantile - tau_before) / (tau - tau_before), quantile))
            break
        found.append((place, tau))
        slope = sign * point.slope / (2.0 * tau) if tau > 0.0 else 0.0
        step = min(2.0 * step, quantile / _PIECES / slope) if slope > 0.0 else 2.0 * step
    return [(origin + sign * place, sign * tau) for place, tau in found]


class _Walk:
    def __init__(
        self, curve: Curve, x: Sequence[float], least: float, way: Vec, reach: float, quantile: float
    ) -> None:
        self.curve, self.quantile, self.least = curve, quantile, least
        k = curve.held
        self.origin, self.sign = float(x[k]), 1.0 if reach > 0.0 else -1.0
        self.first = abs(reach)
        self.limit = abs((curve.upper[k] if reach > 0.0 else curve.lower[k]) - self.origin)
        self.start = _Seen(0.0, 0.0, CurvePoint(Vec(map(float, x)), least, 0.0, way))
        self.low = self.flat = self.start  # where tau began to be what it is at the lower end
        self.highs: list[_Seen] = []  # the points above the quantile, the nearest last
        self.mended = inf  # the last upper end that was looked at again
        self.edge = inf  # the nearest place without a value
        self.bottom: tuple[float, Vec] | None = None
        self.limit_of_tau = 0.0
        self.level: _Seen | None = None  # where tau was last seen to level off
        self.gains: list[float] = []  # of tau, where the distance was doubled

    @property
    def high(self) -> _Seen | None:
        return self.highs[-1] if self.highs else None

    def end(self) -> ProfileEnd:
        distance = min(self.first, self.limit)
        for k in range(_MOST):
            seen = self._look(distance)
            if seen is None:
                self.edge = distance
                if self.edge - self.low.place <= _EDGE * self.edge:
                    return self._ended(self.low, EDGE)
                distance = self._between(self.low.place, self.edge)
                continue
            accuracy = ACCURACY if k < _SOON else _SLOW
            if abs(seen.tau - self.quantile) <= accuracy * self.quantile:
                return self._met(seen)
            if seen.tau > self.quantile:
                self.highs.append(seen)
            else:
                why = self._ends_below(seen)
                self._is_lower(seen)
                if why:
                    return self._ended(seen, why)
            if self.high is not None and self.high.place - self.low.place <= 4e-16 * self.high.place:
                return self._closed(self.high)
            if self._is_torn():
                self._mend()
            distance = self._next(self.low if self.high is None else seen)
        return self._ended(self.low, LOST)

    def _met(self, seen: _Seen) -> ProfileEnd:
        """The end where tau is its quantile; what has levelled off comes there only as numbers break off."""
        if self.level is None or self._slope(seen) * seen.place <= _STEEP * seen.tau:
            return self._ended(seen, "")
        return self._ended(self.level, OPEN)

    def _closed(self, high: _Seen) -> ProfileEnd:
        """The end in a bracket that is closed; what has levelled off does not jump, but for rounding."""
        if high.tau <= self.low.tau + _SETTLED * self.quantile:
            return self._ended(high, "")
        return self._ended(high, JUMP) if self.level is None else self._ended(self.level, OPEN)

    def _is_lower(self, seen: _Seen) -> None:
        """Go on from a point below the quantile; tau has levelled off where a doubling of the distance gave nothing."""
        self.low = seen
        if seen.tau - self.flat.tau > _SETTLED * seen.tau:
            self.flat = seen
        elif seen.place >= _DOUBLED * self.flat.place:
            self.level = seen

    def _is_torn(self) -> bool:
        """Tell whether the ends of the bracket lie farther apart than their slopes say: on two curves of minima."""
        if self.high is None or self.high.place == self.mended or not self.low.tau:
            return False
        steepest = max(self._slope(self.low), self._slope(self.high))
        return self.high.tau - self.low.tau > _TORN * steepest * (self.high.place - self.low.place)

    def _mend(self) -> None:
        """Go from the lower end of the bracket to the place of the upper one: what is least there may be less."""
        high = self.high
        assert high is not None
        self.mended = high.place
        seen = self._look(high.place, self.low)
        if seen is not None and seen.tau < high.tau:
            self.highs.pop()
            if seen.tau < self.quantile:
                self._is_lower(seen)
            else:
                self.highs.append(seen)

    def _slope(self, seen: _Seen) -> float:
        return self.sign * seen.point.slope / (2.0 * seen.tau) if seen.tau > 0.0 else 0.0

    def _look(self, distance: float, near: _Seen | None = None) -> _Seen | None:
        """Settle at a distance, from the point ``near``, or from the nearest end of the bracket."""
        if near is None:
            near = self.low
            if self.high is not None and self.high.place - distance < distance - near.place:
                near = self.high
        place, point = self.origin + self.sign * distance, None
        for begun in (
            near.point,
            self.start.point,
        ):  # where the others have run far away there may be no way on
            point = settle(self.curve, start_of(self.curve, begun, place))
            if point is not None and isfinite(point.value):
                break
        else:
            return None
        risen = point.value - self.least
        if risen < -_BELOW and (self.bottom is None or point.value < self.bottom[0]):
            self.bottom = point.value, point.x
        return _Seen(distance, sqrt(max(0.0, risen)), point)

    def _ends_below(self, seen: _Seen) -> str:
        """Tell why the curve ends at a point below the quantile, empty where it goes on."""
        if seen.place >= self.limit:
            return BOUND
        if self.high is not None or self.edge < inf:
            return ""
        if seen.place < 1.99 * self.low.place:
            return ""
        gain, before = seen.tau - self.low.tau, self.gains[-1] if self.gains else 0.0
        self.gains.append(gain)
        if len(self.gains) > _DOUBLINGS:
            return OPEN
        if gain > _FALLING * before:
            return ""
        ratio = max(0.0, gain) / before if before > 0.0 else 0.0
        all_to_come = max(0.0, gain) * ratio / (1.0 - ratio)
        limit = seen.tau + all_to_come
        if limit >= (1.0 - _SPARE) * self.quantile or all_to_come > _SETTLED * seen.tau:
            return ""
        self.level, self.limit_of_tau = seen, limit
        return OPEN if len(self.gains) >= _LONG else ""

    def _next(self, seen: _Seen) -> float:
        """Newton's step on tau, within the bracket; without one the distance is at most doubled."""
        slope = self._slope(seen)
        newton = seen.place + (self.quantile - seen.tau) / slope if slope > 0.0 else inf
        if self.high is None and self.edge == inf:
            return min(newton, 2.0 * seen.place, self.limit)
        low, high = self.low.place, self.edge if self.high is None else self.high.place
        return newton if low < newton < high else self._between(low, high)

    def _between(self, low: float, high: float) -> float:
        """The middle; of places of different size the one in the middle of their sizes."""
        return sqrt(low * high) if low > 0.0 and high > 4.0 * low else 0.5 * (low + high)

    def _ended(self, seen: _Seen, why: str) -> ProfileEnd:
        place = self.sign * inf if why in (OPEN, LOST) else self.origin + self.sign * seen.place
        tau = max(seen.tau, self.limit_of_tau) if why == OPEN else seen.tau
        return ProfileEnd(place, why, tau, seen.point.x, self.least + tau * tau, self.bottom)
