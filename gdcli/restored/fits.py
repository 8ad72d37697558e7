"""Fits as they were, from their records: the parameters with their errors, the epochs, the rows counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gdcli.analysis.statistics import LEVEL, TIED, FitStatistics, Tie, Uncertainty
from gdcli.dataclass import dataclass, fields
from gdcli.fitting.outcome import AnswerNoise, FitOutcome, RowCount
from gdcli.fitting.request import FitProblem, FitSettings, Searched
from gdcli.objective.space import Space
from gdcli.problem import Problem, sign_of
from gdcli.restored import runs
from gdcli.restored.runs import Record
from gdcli.solvers.stochastic import Epoch
from gdcli.solvers.types import Counts, Evaluation, Iterate


@dataclass(frozen=True, slots=True)
class StoredFit(FitOutcome):
    """The outcome of a fit whose mean loss is known without its rows."""

    stored_mean: float = 0.0

    @property
    def mean_loss(self) -> float:
        """The mean loss of a row."""
        return self.stored_mean


def problem(record: Record) -> FitProblem:
    """Return the problem of a fit. Raises KeyError, TypeError or ValueError for what is no such record."""
    common = runs.problem(record)
    asked = record["problem"]
    return FitProblem(
        **{field.name: getattr(common, field.name) for field in fields(Problem)},
        files=tuple(map(str, asked.get("files", []))),
        loss=str(asked.get("loss") or ""),
        weights=asked.get("weights"),
        sigma=asked.get("sigma"),
        scale_sigma=bool(asked.get("scale_sigma")),
        huber_delta=asked.get("huber_delta"),
        matrices={name: tuple(map(str, columns)) for name, columns in asked.get("columns", {}).items()},
        linear=bool(asked.get("linear")),
        searched=Searched(**asked["search"]) if "search" in asked else None,
    )


def path(records: Sequence[Record], asked: FitProblem) -> Iterator[Iterate | Epoch]:
    """Yield the points of a trace as its run showed them: epochs, iterates, or (with --polish) both."""
    batch = iter(list(runs.path((r for r in records if "epoch" not in r), asked)))
    for record in records:
        yield _epoch(record, asked) if "epoch" in record else next(batch)


def _epoch(record: Record, asked: FitProblem) -> Epoch:
    """The point after an epoch; its value is the sum over the rows."""
    sign = sign_of(asked.sense)
    x = runs.flat(record["point"], Space(asked.lengths))
    total, mean = runs.value_of(record), record.get("mean_loss")
    held_out, number = record.get("validation"), int(record["epoch"])
    return Epoch(
        number,
        Evaluation(x, sign * total),
        record.get("rate"),
        None,
        Counts(),
        float(record.get("seconds", 0.0)),
        str(record.get("kind", "step" if number else "start")),
        round(total / mean) if mean and abs(total) < float("inf") else 1,
        int(record["rows"]),
        None if held_out is None else sign * float(held_out),
    )


def outcome(
    record: Record, asked: FitProblem, settings: FitSettings, records: Sequence[Record] = ()
) -> FitOutcome:
    """Return the outcome of a fit; ``records`` are those of the path. Raises as `problem`."""
    common = runs.fields(record, asked)
    rows = record["rows"]
    return StoredFit(
        **common
        | {
            "settings": settings,
            "rows": RowCount(
                int(rows["used"]), int(rows.get("skipped", 0)), (), int(rows.get("held_back", 0))
            ),
            "validation": record.get("validation"),
            "statistics": _statistics(record, common["space"]),
            "unknown_errors": str(record.get("unknown_errors") or ""),
            "epochs": record.get("epochs"),
            "noise": _noise(record.get("noise")),
            "history": _history(record, asked, records),
            "stored_mean": _mean(record),
        }
    )


def _mean(record: Record) -> float:
    """The mean loss of a row; one that is not finite is what the sum is."""
    mean = record["mean_loss"]
    return runs.value_of(record) if mean is None else float(mean)


def _history(record: Record, asked: FitProblem, records: Sequence[Record]) -> tuple[Epoch, ...]:
    """The epochs of a trace with the mean loss as their value; of a result alone what is known of the last."""
    if record.get("epochs") is None:
        return ()
    sign, epochs = sign_of(asked.sense), [(r, _epoch(r, asked)) for r in records if "epoch" in r]
    if epochs:
        return tuple(e._replace(at=e.at._replace(value=sign * _mean(r))) for r, e in epochs)
    at, visits = runs.run(record, asked).best.at, int(record["rows"].get("visited", 0))
    return (Epoch(int(record["epochs"]), at, None, None, Counts(), 0.0, "step", 1, visits, None),)


def _noise(record: Mapping[str, Any] | None) -> AnswerNoise | None:
    return None if record is None else AnswerNoise(*(record.get(name) for name in AnswerNoise._fields))


def _statistics(record: Record, space: Space) -> FitStatistics | None:
    """What the data tell of the parameters; None of a fit that found nothing."""
    if record.get("rank") is None:
        return None
    intervals = flattened(record["confidence"], space)
    errors = Uncertainty(
        level=LEVEL,
        dof=0.0,
        rank=int(record["rank"]),
        standard_errors=tuple(flattened(record["standard_errors"], space)),
        t_values=tuple(flattened(record["t"], space)),
        p_values=(None,) * space.size,
        intervals=tuple(None if pair is None else (pair[0], pair[1]) for pair in intervals),
        correlation=_correlation(record["correlation"], space),
        tied=_ties(record["correlation"], space),
    )
    return FitStatistics(
        rows=int(record["rows"]["used"]) - int(record["rows"].get("held_back", 0)),
        rss=None,
        errors=errors,
        residual_sd=record.get("residual_sd"),
        r_squared=record.get("r_squared"),
        adjusted_r_squared=None,
        log_likelihood=None,
        aic=record.get("aic"),
        bic=record.get("bic"),
        chi_square=record.get("chi_square"),
        chi_square_p=record.get("p_value"),
        exact=bool(record.get("exact")),
    )


def _correlation(told: Record, space: Space) -> tuple[tuple[float | None, ...], ...]:
    """The correlations of few parameters; of many only tied pairs were stored, and they are no table."""
    labels = [space.label(i) for i in range(space.size)]
    if any(len(told.get(a, {})) < space.size for a in labels):
        return ()
    return tuple(tuple(told[a][b] for b in labels) for a in labels)


def _ties(correlation: Record, space: Space) -> tuple[Tie, ...]:
    """The pairs that the page of a fit names, in its order."""
    place = {space.label(i): i for i in range(space.size)}
    found = [
        Tie(place[b], place[a], float(c))
        for a, row in correlation.items()
        for b, c in row.items()
        if place[b] < place[a] and c is not None and abs(c) > TIED
    ]
    return tuple(sorted(found, key=lambda tie: (-abs(tie.correlation), tie.second, tie.first)))


def flattened(values: Record, space: Space) -> list[Any]:
    """Return what belongs to the variables by name as one list, in the order of the flat vector."""
    return [v for name, n in space.lengths.items() for v in ([values[name]] if n is None else values[name])]
