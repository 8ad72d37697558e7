"""Fits as plain ordered records: what every run has, and what the data tell of the parameters.

What belongs to a parameter is given by name, a list for a vector, null where it is unknown. docs/json.md describes
the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.dataclass import fields, is_dataclass
from gdcli.report import records
from gdcli.report.machine import WORDS, Words, csv_line
from gdcli.report.records import Record

if TYPE_CHECKING:
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.fitting.request import FitProblem
    from gdcli.objective.space import Space

# Of more parameters only the strongly tied pairs are told: the whole table would be their square.
MOST_CORRELATED = 50

PARAMETER_HEAD = ("parameter", "value", "standard_error", "t", "low", "high")
EPOCH_HEAD = ("epoch", "value", "mean_loss", "validation", "rate", "rows")


def named(values: Sequence[Any], space: Space) -> Record:
    """Return flat values by name: a list for a vector."""
    found: Record = {}
    for name, length in space.lengths.items():
        at = space.offsets[name]
        found[name] = values[at] if length is None else list(values[at : at + length])
    return found


def problem_record(problem: FitProblem) -> Record:
    """Return what was asked."""
    record = records.problem_record(problem)
    record |= {"files": list(problem.files), "loss": problem.loss or None, "linear": problem.linear}
    if problem.searched is not None:
        record["search"] = problem.searched._asdict()
    if problem.huber_delta is not None:
        record["huber_delta"] = problem.huber_delta
    if problem.weights:
        record["weights"] = problem.weights
    if problem.sigma:
        record |= {"sigma": problem.sigma, "scale_sigma": problem.scale_sigma}
    if problem.matrices:
        record["columns"] = {name: list(columns) for name, columns in problem.matrices.items()}
    return record


def result(outcome: FitOutcome, timing: bool = False) -> Record:
    """Return the whole answer of a fit."""
    common = records.result(outcome, timing) | {"problem": problem_record(outcome.problem)}
    record: Record = {}
    for key, value in common.items():
        record[key] = value
        if key == "value":
            record["mean_loss"] = records.signed(1, outcome.mean_loss)
        if key == "certificate":
            record |= statistics(outcome)
    return record


def statistics(outcome: FitOutcome) -> Record:
    """Return what the data tell of the parameters, and how good the fit is."""
    found, space, rows = outcome.statistics, outcome.space, outcome.rows
    nothing = [None] * space.size
    errors = None if found is None else found.errors
    intervals = [None if pair is None else list(pair) for pair in (errors.intervals if errors else nothing)]
    record: Record = {
        "standard_errors": named(errors.standard_errors if errors else nothing, space),
        "t": named(errors.t_values if errors else nothing, space),
        "confidence": named(intervals, space),
        "correlation": correlations(outcome),
        "rank": found and found.errors.rank,
        "residual_sd": found and found.residual_sd,
        "r_squared": found and found.r_squared,
        "aic": found and found.aic,
        "bic": found and found.bic,
    }
    if found is not None and found.exact:
        record["exact"] = True
    if outcome.minimizers is not None:
        record["minimizers"] = named([list(ends) for ends in outcome.minimizers], space)
    if outcome.problem.sigma:
        record |= {"chi_square": found and found.chi_square, "p_value": found and found.chi_square_p}
    return record | {
        "rows": {"used": rows.used, "skipped": rows.skipped} | _visited(outcome),
        "epochs": outcome.epochs,
        **({} if outcome.validation is None else {"validation": outcome.validation}),
        "noise": None if outcome.noise is None else dict(_plain(outcome.noise)),
        "unknown_errors": outcome.unknown_errors or None,
    }


class Parameters:
    """The writer of ``csv``: a row per parameter at the end, empty cells where nothing is known."""

    thinning = (0, 0)

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, iterate: Any) -> None:
        """The path is told by other formats."""

    def finish(self, outcome: Any) -> None:
        """Write the rows of a `FitOutcome`."""
        found, space, x = outcome.statistics, outcome.space, outcome.run.best.at.x
        self._stream.write(csv_line(PARAMETER_HEAD))
        for i in range(space.size):
            told: list[float | None] = [None] * 4
            if found is not None:
                errors = found.errors
                ends = errors.intervals[i] or (None, None)
                told = [errors.standard_errors[i], errors.t_values[i], *ends]
            self._stream.write(csv_line([space.label(i), float(x[i]), *told]))


def _visited(outcome: FitOutcome) -> Record:
    """How many rows a run by epochs has visited, and how many it has held back."""
    visited = {"visited": outcome.history[-1].visits} if outcome.history else {}
    return visited | ({"held_back": outcome.rows.held_back} if outcome.rows.held_back else {})


def _plain(found: Any) -> Record:
    """Return a named tuple or dataclass of numbers as a record."""
    known = (
        {f.name: getattr(found, f.name) for f in fields(found)} if is_dataclass(found) else found._asdict()
    )
    return {
        k: records.plain(v) if hasattr(v, "__len__") and not isinstance(v, str) else v
        for k, v in known.items()
    }


def correlations(outcome: FitOutcome) -> Record:
    """Return the correlations of the parameters, by the names of both; of many parameters those of tied pairs."""
    if outcome.statistics is None:
        return {}
    errors, label = outcome.statistics.errors, outcome.space.label
    size = outcome.space.size
    if size <= MOST_CORRELATED:
        return {label(i): {label(j): errors.correlation[i][j] for j in range(size)} for i in range(size)}
    record: Record = {}
    for tie in errors.tied:
        for a, b in ((tie.first, tie.second), (tie.second, tie.first)):
            record.setdefault(label(a), {})[label(b)] = tie.correlation
    return record


def is_epoch(it: Any) -> bool:
    """Tell the point after an epoch from an iterate of a batch solve, as --polish adds them."""
    return hasattr(it, "visits")


def epoch(it: Any, sign: int, space: Space, timing: bool = False) -> Record:
    """Return the point after an epoch; its ``value`` is the sum over the rows, ``rows`` the visits so far."""
    if not is_epoch(it):
        return records.iterate(it, sign, space, timing)
    record: Record = {"type": "iterate"} | dict(zip(EPOCH_HEAD, epoch_cells(it, sign), strict=True))
    record |= records.valued(record["value"])
    record["point"] = records.point(space.unflatten(it.at.x))
    if it.kind not in ("start", "step"):
        record["kind"] = it.kind
    if timing:
        record["seconds"] = it.seconds
    return record


def epoch_cells(it: Any, sign: int) -> list[Any]:
    """Return what stands under `EPOCH_HEAD`."""
    signed = records.signed
    if not is_epoch(it):
        return [it.iteration, signed(sign, it.at.value), None, None, None, None]
    losses = [signed(sign, loss) for loss in (it.at.value, it.at.value / it.rows, it.held_out)]
    return [it.iteration, *losses, it.step, it.visits]


def _interval(end: int) -> Any:
    def ends(record: Record) -> Record:
        return {
            name: [None if pair is None else pair[end] for pair in pairs]
            if _is_vector(pairs)
            else pairs and pairs[end]
            for name, pairs in record["confidence"].items()
        }

    return ends


def _is_vector(pairs: Any) -> bool:
    """Tell a list of intervals from one interval."""
    return isinstance(pairs, list) and (not pairs or not isinstance(pairs[0], float))


_FACTS = WORDS.facts | {  # type: ignore[operator]
    "mean_loss": lambda r: r["mean_loss"],
    "residual_sd": lambda r: r["residual_sd"],
    "r_squared": lambda r: r["r_squared"],
    "aic": lambda r: r["aic"],
    "bic": lambda r: r["bic"],
    "chi_square": lambda r: r.get("chi_square"),
    "p_value": lambda r: r.get("p_value"),
    "rows": lambda r: r["rows"]["used"],
    "skipped": lambda r: r["rows"]["skipped"],
    "epochs": lambda r: r["epochs"],
}
_PARTS = {
    "se": lambda r: r["standard_errors"],
    "t": lambda r: r["t"],
    "low": _interval(0),
    "high": _interval(1),
}

FIT = Words(result=result, facts=_FACTS, parts=_PARTS)
EPOCHS = FIT._replace(iterate=epoch, head=EPOCH_HEAD, cells=epoch_cells)
