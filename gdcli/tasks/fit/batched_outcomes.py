"""Fits that were solved together and whose ends are beyond doubt: arrays, and the outcome of each when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from gdcli.judge.batched_statistics import are_told, examine, statistics
from gdcli.judge.evidence import Certificate
from gdcli.judge.statistics import FitStatistics, spread_of
from gdcli.judge.verdict import Terms, judge
from gdcli.kernel.batched_linear import inverse_upper
from gdcli.kernel.dataclass import dataclass, fields, is_dataclass
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import Array, Vec, np
from gdcli.objective.protocol import Counts, Evaluation
from gdcli.solve.iteration import Iterate, RunResult
from gdcli.solve.methods.batched_fits import BatchedFits
from gdcli.solve.registry import METHODS
from gdcli.tasks.fit.data_checks import group_ranges
from gdcli.tasks.fit.fit_outcome import FitOutcome, RowCount
from gdcli.tasks.fit.parameter_errors import error_kind, told_of
from gdcli.tasks.fit.prepare import Plan
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.solve_fit import BY_SQUARES
from gdcli.tasks.pipeline import Judged

if TYPE_CHECKING:
    from gdcli.objective.batched_residuals import GroupedResiduals


@dataclass(frozen=True, slots=True)
class SolvedFits:
    """The ends of some fits of a block, one at each place of the last axes; ``certain`` has their places in the block.

    ``sizes`` are their rows, ``seconds`` the time that each took on the average, ``ranges`` the least and the largest
    values of the columns that the formula reads.
    """

    plan: Plan
    settings: FitSettings
    certain: Array
    ends: BatchedFits
    evidence: Certificate
    statistics: FitStatistics
    sizes: Array
    seconds: float
    ranges: Mapping[str, tuple[Array, Array]]

    @classmethod
    def of(
        cls,
        plan: Plan,
        settings: FitSettings,
        residuals: GroupedResiduals,
        start: Array,
        ends: BatchedFits,
        sizes: Array,
        seconds: float,
    ) -> SolvedFits:
        """Return what is beyond doubt of a block that started at ``start`` (p, g) and took so many ``seconds``."""
        with np.errstate(all="ignore"):
            measured, weight = residuals.values("weighing", ends.x)
            counted = residuals.total((weight > 0.0) * 1.0).astype(np.int64)
            spread = spread_of(counted, measured, weight, residuals.total)
            evidence, certain = examine(
                ends, start, spread.about_zero, lambda which, x: residuals.take(which).hessians(x)
            )
            inverse = inverse_upper(ends.R / ends.columns)
            certain &= are_told(ends, inverse, spread) & (ends.value <= spread.about_mean)
            certain &= ~residuals.has_pole(ends.x)
            if plan.problem.sigma is not None:
                at = plan.row.columns.index(plan.problem.sigma)
                certain &= (residuals.columns[at] > 0.0).all(axis=0)
        places = np.flatnonzero(certain)
        kept, told = ends.take(places, type(ends)), _picked(told_of(plan, spread), places)
        return cls(
            plan,
            settings,
            places,
            kept,
            _picked(evidence, places),
            statistics(kept, inverse[..., places], told, error_kind(plan.problem), plan.problem.told_level),
            sizes[places],
            seconds / len(sizes),
            {
                name: (low[places], high[places])
                for name, (low, high) in group_ranges(plan.row, residuals).items()
            },
        )

    def outcome(self, at: int, rows: RowCount) -> FitOutcome:
        problem = self.plan.problem
        run, certificate = self._run(at), _picked(self.evidence, at)
        entry, auto = METHODS["lm"], self.settings.method == "auto"
        used, why = BY_SQUARES if auto else (entry.name, "")
        scale = 1.0 / run.best.at.value
        verdict = judge(run.times(scale), certificate.times(scale), Terms(entry.strict))
        assert verdict.status is Status.CONVERGED
        return FitOutcome.of(
            problem,
            self.settings,
            self.plan.row.space,
            Judged(run, certificate, verdict),
            method=self.settings.method,
            used=used,
            why=why,
            engine="numpy",
            warnings=(rows.told,) if rows.skipped else (),
            rows=rows,
            statistics=_picked(self.statistics, at),
            ranges={name: (float(low[at]), float(high[at])) for name, (low, high) in self.ranges.items()},
        )

    def _run(self, at: int) -> RunResult:
        ends, x0 = self.ends, self.plan.row.space.flatten(self.plan.problem.start)
        counts = Counts(*(int(c[at]) for c in (ends.trials, ends.trials, ends.hessians, ends.products)))
        gradient = 2.0 * (ends.R[:, :, at].T @ ends.target[:, at])
        begun = Evaluation(Vec(map(float, x0)), float(ends.start_value[at]))
        best = Evaluation(Vec(ends.x[:, at].tolist()), float(ends.value[at]), Vec(gradient.tolist()))
        steps = int(ends.iterations[at])
        stationary = not ends.misfit[at] > 0.0
        return RunResult(
            start=Iterate(0, begun, None, None, Counts(), 0.0, "start"),
            best=Iterate(steps, best, None, None, counts, self.seconds),
            last=Iterate(steps, best, None, None, counts, self.seconds),
            reason=StopReason.STATIONARY if stationary else StopReason.GAP,
            iterations=steps,
            counts=counts,
            seconds=self.seconds,
        )


_Found = TypeVar("_Found")


def _picked(found: _Found, which: Array | int) -> _Found:
    """Return what a dataclass of arrays, whose last axes count fits, says of some; of one the numbers themselves."""

    def part(value: object) -> object:
        if is_dataclass(value):
            return _picked(value, which)
        if not hasattr(value, "tolist"):
            return value
        some: Array = value[..., which]  # type: ignore[index]
        return _plain(some.tolist()) if isinstance(which, int) else some

    names = [field.name for field in fields(found)]  # type: ignore[arg-type]
    return type(found)(**{name: part(getattr(found, name)) for name in names})


def _plain(value: object) -> object:
    return tuple(map(_plain, value)) if isinstance(value, list) else value
