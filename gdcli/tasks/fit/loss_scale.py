"""Values turned from one scale into another: solvers see a scaled mean loss, people the sum over rows."""

from __future__ import annotations

from gdcli.judge.evidence import Certificate
from gdcli.kernel.dataclass import replace
from gdcli.objective.protocol import Evaluation
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.iteration import Iterate, Observer, RunResult


def scaled(at: Evaluation, k: float) -> Evaluation:
    """Return an evaluation of ``k`` times the function."""
    gradient = None if at.gradient is None else at.gradient * k
    return at._replace(value=at.value * k, gradient=gradient, hessian=None)


def scaled_iterate(iterate: Iterate, k: float) -> Iterate:
    return iterate._replace(at=scaled(iterate.at, k))


def scaled_run(run: RunResult, k: float) -> RunResult:
    start, best, last = (scaled_iterate(it, k) for it in (run.start, run.best, run.last))
    return replace(run, start=start, best=best, last=last)


def scaled_certificate(found: Certificate, k: float) -> Certificate:
    def times(value: float | None) -> float | None:
        return None if value is None else k * value

    return replace(
        found,
        gradient_norm=times(found.gradient_norm),
        eigenvalue_min=times(found.eigenvalue_min),
        eigenvalue_max=times(found.eigenvalue_max),
        gain=times(found.gain),
        errors=None,  # a fit has its statistics for that
    )


def in_sums(observer: Observer, objective: RowObjective) -> Observer:
    """Return an observer of runs on ``objective`` that shows ``observer`` the sums over rows."""
    k = 1.0 / objective.factor
    return lambda iterate: observer(scaled_iterate(iterate, k))
