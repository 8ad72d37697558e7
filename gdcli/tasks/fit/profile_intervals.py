"""Intervals by the profile likelihood of a fit, and how lopsided Wald's are.

The profile is that of what is minimized: of a sum of squares in units of the residual variance (of the given one where
it is known), of twice a negative log-likelihood. Where other losses are minimized there is no likelihood, and none of
it. A number of the loss that was found (theta, a scale) is held, as the standard errors take it for known.

Along a line through the minimum, x + u v with v the way on which a parameter reaches the end of Wald's interval at u =
1, the fall of the likelihood is ``q**2 u**2 + T u**3/6``, with T its third derivative along v; the curve of the profile
has the same third derivative, as the others are at their minimum. To first order both ends are moved by -T/(12 q**2)
half widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING

from gdcli.kernel.vectors import Vec, np
from gdcli.language.losses import LOSSES
from gdcli.objective.row_objective import HESSIAN_SIZE, PIECE, RowObjective
from gdcli.tasks.fit.fit_outcome import FitOutcome, Interval
from gdcli.tasks.fit.parameter_errors import error_kind
from gdcli.tasks.pipeline import bounds_of

if TYPE_CHECKING:
    from gdcli.judge.level_curve import Curve
    from gdcli.judge.profile import ProfileEnd
    from gdcli.judge.statistics import Uncertainty
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitProblem

# An interval is called lopsided where its ends are moved by more than this part of half its width.
LOPSIDED = 0.1


def is_lopsided(found: Interval, estimate: float) -> bool:
    """Tell whether the middle is away from the estimate by more than a part of half the width."""
    if not (isfinite(found.low) and isfinite(found.high)):
        return True
    return abs(0.5 * (found.low + found.high) - estimate) > LOPSIDED * 0.5 * (found.high - found.low)


def has_likelihood(prepared: Prepared) -> bool:
    """Tell whether what is minimized is a sum of squares, or another likelihood."""
    problem = prepared.problem
    if problem.l2 or problem.folds or problem.priors:
        return False
    if not problem.loss:
        return problem.sense == "maximize"
    return prepared.row.residual is not None or LOSSES[problem.loss].likelihood


def minimized(problem: FitProblem) -> str:
    """Return in words what is minimized, as it was asked for."""
    if problem.l2 is not None or problem.folds or problem.priors:
        return "a sum with penalties"
    if not problem.loss:
        return f"a typed {'log-likelihood' if problem.sense == 'maximize' else 'loss that is minimized'}"
    return f"--loss {problem.loss}"


def is_symmetric(prepared: Prepared) -> bool:
    """Tell whether the profile is Wald's: of sums of squares of linear models."""
    return prepared.problem.linear and prepared.row.residual is not None and not prepared.problem.bounds


def _unit(prepared: Prepared, x: Vec, sd: float | None) -> float | None:
    """What a unit of the sum of the losses is in the fall of twice the log-likelihood, None where it is nothing."""
    if error_kind(prepared.problem) == "sigma":
        return 1.0
    if prepared.row.residual is not None:
        return 1.0 / (sd * sd) if sd else None
    if prepared.problem.loss != "gamma":
        return 2.0
    from gdcli.tasks.fit.loss_statistics import dispersion

    found = dispersion(prepared, x)
    return 2.0 / found if found else None


def profile_of(prepared: Prepared, outcome: FitOutcome) -> Profile | None:
    """Return the profile of an answer, None where it has no errors, or they are zero."""
    found = outcome.statistics
    if found is None or found.exact or found.errors.factor is None or not has_likelihood(prepared):
        return None
    x = Vec(map(float, outcome.run.best.at.x))
    unit = _unit(prepared, x, found.residual_sd)
    if unit is None or prepared.row.space.size > HESSIAN_SIZE:
        return None
    return Profile(prepared, x, found.errors, unit)


def may_be_lopsided(prepared: Prepared, outcome: FitOutcome) -> bool:
    """Tell whether there is a derived quantity, or a parameter whose interval the third derivatives say is lopsided."""
    if prepared.problem.derive:
        return True
    profile = None if is_symmetric(prepared) else profile_of(prepared, outcome)
    return profile is not None and any(abs(part) > LOPSIDED for part in profile.asymmetries())


class Profile:
    """The profile of a fit at its answer ``x``; ``errors`` has the level and the quantile, ``unit`` is as above."""

    def __init__(self, prepared: Prepared, x: Vec, errors: Uncertainty, unit: float) -> None:
        self.prepared, self.x, self.errors, self.unit = prepared, x, errors, unit
        self.objective = RowObjective(prepared.row, prepared.data, unit * prepared.data.rows)
        self.quantile = errors.reach
        self.bottom: tuple[float, Vec] | None = None
        self.lower, self.upper = _ends(prepared)

    @property
    def covariance(self) -> list[Vec]:
        assert self.errors.factor is not None
        return covariance_of(self.errors.factor)

    @cached_property
    def _some(self) -> RowObjective | None:
        """What has third derivatives; of many rows some speak for all."""
        without = self.prepared.row.errors is not None or is_symmetric(self.prepared)
        return None if without else _of_some(self.prepared, self.unit)

    def asymmetries(self) -> list[float]:
        """Return by how many half widths the third derivatives move the middle of each interval."""
        columns = zip(self.covariance, self.errors.standard_errors, strict=True)
        return [self.asymmetry(column, error) for column, error in columns]

    def asymmetry(self, column: Vec, error: float | None) -> float:
        """Return the same of what has the covariance ``column`` with the parameters; 0 where there is none."""
        objective, q = self._some, self.quantile
        if objective is None or not error:
            return 0.0
        (third,) = objective.sums(("third",), [*self.x, *(column * (q / error))])
        moved = -third * objective.factor / (12.0 * q * q)
        return moved if isfinite(moved) else 0.0

    def interval(self, k: int, ahead: float = 0.0) -> Interval:
        """Return the interval of a parameter, expected to be moved by the part ``ahead`` of Wald's half width."""
        return self.told(self.prepared.row.space.label(k), self.ends(k, ahead))

    def ends(self, k: int, ahead: float = 0.0) -> tuple[ProfileEnd, ProfileEnd]:
        """Return the ends of the interval of a parameter; ``ahead`` as of `interval`."""
        return self.along(*self._along(k), ahead)

    def _along(self, k: int) -> tuple[Curve, Vec, Vec, float]:
        from gdcli.judge.level_curve import Curve

        column = self.covariance[k]
        self.objective.between_poles(self.x)
        curve = Curve(self.objective, k, self.lower, self.upper)
        return curve, self.x, column / column[k], sqrt(column[k])

    def roots(self, k: int) -> list[tuple[float, float]]:
        """Return values of a parameter and the signed root of the fall of the likelihood there, for a picture."""
        from gdcli.judge.profile import root_curve

        curve, x, way, error = self._along(k)
        least, reach = curve.objective.evaluate(x).value, self.quantile * error
        below, above = (root_curve(curve, x, least, way, end, self.quantile) for end in (-reach, reach))
        return [*below[:0:-1], *above]

    def along(
        self, curve: Curve, x: Vec, way: Vec, error: float, ahead: float = 0.0
    ) -> tuple[ProfileEnd, ProfileEnd]:
        """Return the ends of what ``curve`` holds, at ``x`` where the least value is, with a standard ``error``.

        ``way`` is where x goes for a step of 1 of it; ``ahead`` as of `interval`.
        """
        from gdcli.judge.profile import profile_end

        least = curve.objective.evaluate(x).value
        found = []
        for side in (-1.0, 1.0):
            reach = side * self.quantile * error * min(2.0, max(0.5, 1.0 + side * ahead))
            found.append(profile_end(curve, x, least, way, reach, self.quantile))
        for end in found:
            if end.bottom is not None and (self.bottom is None or end.bottom[0] < self.bottom[0]):
                self.bottom = end.bottom
        return found[0], found[1]

    def told(self, name: str, ends: tuple[ProfileEnd, ProfileEnd], valued: str = "the model") -> Interval:
        """Return the interval with these ends, and in words why they are where they are.

        ``valued`` names what has no value beyond some of them.
        """
        low, high = ends
        whys = self._why(name, low, "low", valued), self._why(name, high, "high", valued)
        return Interval(low.place, high.place, *whys)

    def better(self) -> tuple[float, dict[str, float | list[float]]] | None:
        """Return value and point of a better fit that the profile came to, None where the fit is the best."""
        if self.bottom is None:
            return None
        value, x = self.bottom
        return self.prepared.problem.sign * value / self.unit, self.prepared.row.space.unflatten(x)

    def _why(self, name: str, end: ProfileEnd, side: str, valued: str) -> str:
        from gdcli.judge.profile import BOUND, EDGE, JUMP, LOST

        if not end.why:
            return ""
        if end.why == BOUND:
            return f"{name} ends at its bound"
        if end.why == EDGE:
            return f"beyond it {valued} has no value"
        if end.why == LOST:
            return "no end was found"
        what = "sum of squares" if self.prepared.row.residual is not None else "negative log-likelihood"
        where = "small" if side == "low" else "large"
        least = end.value - end.tau * end.tau
        reached, wanted = end.value / self.unit, (least + self.quantile**2) / self.unit
        if end.why == JUMP:
            return f"there the {what} jumps over {wanted:.4g}, which would be the end"
        told = f"however {where} {name} is, the {what} comes to {reached:.4g} at most"
        return f"{told}, and {wanted:.4g} would be the end"


def covariance_of(factor: Sequence[Sequence[float]]) -> list[Vec]:
    """Return the covariance ``U U'`` of its upper triangle U, shape (p, p)."""
    rows = [Vec(row) for row in factor]
    return [Vec([a @ b for b in rows]) for a in rows]


def _ends(prepared: Prepared) -> tuple[Sequence[float], Sequence[float]]:
    size = prepared.row.space.size
    if not prepared.problem.bounds:
        return [-inf] * size, [inf] * size
    box = bounds_of(prepared.problem, RowObjective(prepared.row, prepared.data))
    return list(box.lower), list(box.upper)


def _of_some(prepared: Prepared, unit: float) -> RowObjective | None:
    """The sum over all rows, up to so many; of more the sum over some of them, as large."""
    data, row = prepared.data, prepared.row
    if data.rows <= PIECE:
        return RowObjective(row, data, unit * data.rows)
    pick = getattr(data, "pick", None)
    if pick is None:
        return None
    from gdcli.tasks.fit.some_rows import RowsInPlace

    held = RowsInPlace(data.names)
    held.put(pick(np.linspace(0, data.rows - 1, PIECE).astype(np.int64)))
    return RowObjective(row, held, unit * data.rows)
