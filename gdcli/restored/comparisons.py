"""Comparisons as they were, from their records: learning rates, methods, batch sizes.

Of a run a comparison keeps some values on its way, and what its row says.
"""

from __future__ import annotations

from typing import Any

from gdcli.analysis.learning_rates import Rate, Rates
from gdcli.analysis.noise import Noise
from gdcli.analysis.path_curvature import Curvature
from gdcli.analysis.verdict import Verdict
from gdcli.api import MethodRun
from gdcli.batch_sizes import BatchComparison, BatchRun
from gdcli.comparisons import RateComparison
from gdcli.dataclass import NamedTuple
from gdcli.fitting.compare import Compared
from gdcli.fitting.request import FitProblem
from gdcli.objective.space import Space
from gdcli.outcome import Outcome, Settings
from gdcli.problem import Problem, sign_of
from gdcli.restored import fits, runs
from gdcli.restored.problems import StoredError
from gdcli.restored.runs import Record, numbers
from gdcli.solvers.stochastic import Epoch
from gdcli.solvers.types import Certificate, Counts, Evaluation, Iterate, RunResult, Status, StopReason
from gdcli.stochastic import StochasticRun, StochasticSettings

# -- learning rates ------------------------------------------------------------------------------------------------


def rates(record: Record) -> RateComparison:
    """Return learning rates compared. Raises KeyError, TypeError or ValueError for what is no such record."""
    problem = runs.problem(record)
    sign = sign_of(problem.sense)
    found = Rates(
        _curvature(record["curvature"]),
        _best(record),
        tuple(_rate(rate, sign) for rate in record["rates"]),
        int(record["max_steps"]),
        StopReason(record["ended"]) if "ended" in record else None,
    )
    return RateComparison(problem, found, sign, "", tuple(map(str, record["warnings"])))


def _curvature(record: Record) -> Curvature | None:
    if record["largest"] is None:
        return None
    largest, smallest, at_end = (float(record[key]) for key in ("largest", "smallest", "at_end"))
    return Curvature(largest, smallest, at_end, str(record["how"]), int(record["points"]))


def _best(record: Record) -> Rate | None:
    """The run at the best rate: what is told of it."""
    verdict, lr = record["best_verdict"], record["best_lr"]
    if verdict is None or lr is None:
        return None
    return Rate(float(lr), verdict, record["best_steps"], bool(record["best_predicted"]), 0.0, None, None, ())


def _rate(record: Record, sign: int) -> Rate:
    return Rate(
        float(record["lr"]),
        str(record["verdict"]),
        record["steps"],
        bool(record["predicted"]),
        sign * runs.value_of(record),
        record["gradient_norm"],
        record["lr_times_curvature"],
        tuple(sign * numbers(value) for _, value in record["course"]),
        str(record["note"]),
    )


# -- methods -------------------------------------------------------------------------------------------------------


def methods(record: Record) -> tuple[Problem, list[MethodRun]]:
    """Return methods compared on a problem. Raises as `rates`."""
    problem = runs.problem(record)
    warnings = tuple(map(str, record["warnings"]))
    return problem, [_method(run, problem, warnings) for run in record["methods"]]


def _method(record: Record, problem: Problem, warnings: tuple[str, ...]) -> MethodRun:
    name, values = str(record["method"]), tuple(numbers(value) for _, value in record["course"])
    if record["reason"] is None:
        return MethodRun(name, None, StoredError(str(record["status"]), str(record["message"])), values)
    outcome = Outcome(
        problem=problem,
        settings=Settings(),
        space=Space(problem.lengths),
        run=runs.run(record, problem),
        certificate=Certificate("unknown", record["gradient_norm"]),
        status=Status(record["status"]),
        message=str(record["message"]),
        advice="",
        method=name,
        used=name,
        why="",
        sign=sign_of(problem.sense),
        engine="",
        warnings=warnings,
    )
    return MethodRun(name, outcome, None, values)


# -- batch sizes ---------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """What a comparison of batch sizes was asked."""

    problem: FitProblem


def batches(record: Record) -> tuple[Asked, Compared]:
    """Return batch sizes compared on data. Raises as `rates`."""
    problem = fits.problem(record)
    found = tuple(_batch(run, problem) for run in record["batches"])
    rows = int(record["rows"])
    warnings = tuple(map(str, record["warnings"]))
    return Asked(problem), Compared(BatchComparison(rows, found), rows + int(record["held_back"]), warnings)


def _batch(record: Record, problem: FitProblem) -> BatchRun:
    size = None if record["batch_size"] == "all" else int(record["batch_size"])
    status, message = str(record["status"]), str(record["message"])
    if record["reason"] is None:
        return BatchRun(size, None, None, StoredError(status, message))
    return BatchRun(size, _made(record, problem, size), Verdict(Status(status), message, ""))


def _made(record: Record, problem: FitProblem, size: int | None) -> StochasticRun:
    sign, x = sign_of(problem.sense), runs.flat(record["point"], Space(problem.lengths))
    counts, seconds = Counts(gradient=int(record["steps"])), float(record.get("seconds", 0.0))
    best = Iterate(
        int(record["epochs"]),
        Evaluation(x, sign * numbers(record["mean_loss"])),
        None,
        None,
        counts,
        seconds,
    )
    start = best._replace(iteration=0)
    run = RunResult(start, best, best, StopReason(record["reason"]), best.iteration, counts, seconds)
    noise: Any = record["noise"]
    return StochasticRun(
        run,
        tuple(_epoch(number, pair, sign, x) for number, pair in enumerate(record["course"])),
        StochasticSettings(batch_size=size),
        size or 0,
        float(record["lr"]),
        "",
        str(record.get("engine", "")),
        None,
        record["gap"],
        None if noise is None else Noise(numbers(noise["excess"]), numbers(noise["deviation"])),
    )


def _epoch(number: int, pair: Any, sign: int, x: Any) -> Epoch:
    at = Evaluation(x, sign * numbers(pair[1]))
    return Epoch(number, at, None, None, Counts(), 0.0, "step", 1, int(pair[0]), None)
