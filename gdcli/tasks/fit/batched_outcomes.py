"""Fits that were solved together and whose ends are beyond doubt: arrays, and the outcome of each when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.judge.batched_statistics import Evidence, Statistics, examine, statistics
from gdcli.kernel.dataclass import dataclass, fields
from gdcli.tasks.fit.fit_outcome import FitOutcome, RowCount
from gdcli.tasks.fit.prepare import Plan
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.outcome import Judged

if TYPE_CHECKING:
    from gdcli.judge.evidence import Certificate
    from gdcli.judge.statistics import Uncertainty
    from gdcli.objective.grouped_residuals import GroupedResiduals
    from gdcli.solve.iteration import RunResult
    from gdcli.solve.methods.batched_steps import BatchedFits


@dataclass(frozen=True, slots=True)
class SolvedFits:
    """The ends of some fits of a block, one at each place of the last axes; ``certain`` has their places in the block.

    ``sizes`` are their rows, ``counted`` those of positive weight, ``seconds`` the time that each took on the average.
    """

    plan: Plan
    settings: FitSettings
    certain: Any
    ends: BatchedFits
    evidence: Evidence
    statistics: Statistics
    sizes: Any
    counted: Any
    seconds: float

    @classmethod
    def of(
        cls,
        plan: Plan,
        settings: FitSettings,
        residuals: GroupedResiduals,
        start: Any,
        ends: BatchedFits,
        sizes: Any,
        seconds: float,
    ) -> SolvedFits:
        """Return what is beyond doubt of a block that started at ``start`` (p, g) and took so many ``seconds``."""
        import numpy as np

        with np.errstate(all="ignore"):
            measured, weight = residuals.values("weighing", ends.x)
            square = residuals.total(weight * measured * measured)
            weights = residuals.total(weight)
            mean = residuals.total(weight * measured) / weights
            about = residuals.total(weight * (measured - mean) ** 2)
            counted = residuals.total((weight > 0.0) * 1.0).astype(np.int64)
            logs = residuals.total(np.log(np.where(weight > 0.0, weight, 1.0)))
            known = plan.problem.sigma is not None and not plan.problem.scale_sigma
            found = statistics(ends, counted, about, logs, known)
            evidence = examine(ends, start, square, lambda which, x: residuals.take(which).hessians(x))
            certain = evidence.certain & found.sound & (found.r_squared >= 0.0) & ~residuals.has_pole(ends.x)
            if plan.problem.sigma is not None:
                at = plan.row.columns.index(plan.problem.sigma)
                certain &= (residuals.columns[at] > 0.0).all(axis=0)
        places = np.flatnonzero(certain)
        return cls(
            plan,
            settings,
            places,
            ends.take(places),
            _taken(evidence, places),
            _taken(found, places),
            sizes[places],
            counted[places],
            seconds / len(sizes),
        )

    def outcome(self, at: int, rows: RowCount) -> FitOutcome:
        from gdcli.judge.verdict import judge
        from gdcli.kernel.status import Status
        from gdcli.solve.registry import METHODS
        from gdcli.tasks.fit.loss_scale import scaled_certificate, scaled_run
        from gdcli.tasks.fit.solve_fit import BY_SQUARES

        problem = self.plan.problem
        run, certificate = self._run(at), self._certificate(at)
        entry, auto = METHODS["lm"], self.settings.method == "auto"
        used, why = BY_SQUARES if auto else (entry.name, "")
        scale = 1.0 / run.best.at.value
        verdict = judge(scaled_run(run, scale), scaled_certificate(certificate, scale), strict=entry.strict)
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
            statistics=self._statistics(at),
        )

    def _run(self, at: int) -> RunResult:
        from gdcli.kernel.status import StopReason
        from gdcli.kernel.vectors import Vec
        from gdcli.objective.protocol import Counts, Evaluation
        from gdcli.solve.iteration import Iterate, RunResult

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
            reason=StopReason.STATIONARY if stationary else StopReason.GAIN,
            iterations=steps,
            counts=counts,
            seconds=self.seconds,
        )

    def _certificate(self, at: int) -> Certificate:
        from gdcli.judge.evidence import Certificate
        from gdcli.kernel.status import CurvatureSource, PointKind

        found = self.evidence
        low, high = float(found.low[at]), float(found.high[at])
        return Certificate(
            kind=PointKind.MINIMUM,
            gradient_norm=float(found.gradient_norm[at]),
            eigenvalue_min=low,
            eigenvalue_max=high,
            condition=high / low,
            gain=float(found.gain[at]),
            distance=float(found.distance[at]),
            how=CurvatureSource.EXACT,
        )

    def _statistics(self, at: int) -> Any:
        from gdcli.judge.statistics import FitStatistics

        found, problem = self.statistics, self.plan.problem
        rows, rss = int(self.counted[at]), float(self.ends.value[at])
        r_squared, dof = float(found.r_squared[at]), rows - len(self.ends.x)
        aic = float(found.aic[at])
        p = None if found.chi_square_p is None else float(found.chi_square_p[at])
        k = len(self.ends.x) + (p is None)
        return FitStatistics(
            rows=rows,
            rss=rss,
            errors=self._uncertainty(at, dof),
            residual_sd=float(found.residual_sd[at]),
            r_squared=r_squared,
            adjusted_r_squared=1.0 - (1.0 - r_squared) * (rows - 1) / dof,
            log_likelihood=k - 0.5 * aic,
            aic=aic,
            bic=float(found.bic[at]),
            chi_square=rss if problem.sigma else None,
            chi_square_p=p,
        )

    def _uncertainty(self, at: int, dof: int) -> Uncertainty:
        from gdcli.judge.distributions import student_t_two_sided
        from gdcli.judge.statistics import LEVEL, Uncertainty, ties

        found = self.statistics
        freedom = float(dof) if found.chi_square_p is None else float("inf")
        correlation = found.correlation[:, :, at].tolist()
        for i in range(len(correlation)):
            correlation[i][i] = 1.0
        t = found.t[:, at].tolist()
        intervals = zip(found.low[:, at].tolist(), found.high[:, at].tolist(), strict=True)
        return Uncertainty(
            level=LEVEL,
            dof=freedom,
            rank=len(t),
            standard_errors=tuple(found.errors[:, at].tolist()),
            t_values=tuple(t),
            p_values=tuple(student_t_two_sided(v, freedom) for v in t),
            intervals=tuple(intervals),
            correlation=tuple(map(tuple, correlation)),
            tied=ties(correlation),
        )


def _taken(arrays: Any, places: Any) -> Any:
    """Return a dataclass of arrays with some places of their last axes."""
    found = {field.name: getattr(arrays, field.name) for field in fields(arrays)}
    return type(arrays)(**{name: None if a is None else a[..., places] for name, a in found.items()})
