"""Is a model within another one? Seen not by their texts, but by what they can say of the rows.

The larger one is fitted to what the smaller one says at its own answer, and must meet it, and there every direction in
which the smaller one can move must be one of its own: the columns of the one Jacobian lie in the space of the columns
of the other. Where the larger one has lost parameters there (the rate of a part whose amount is zero), the
distribution of a test is not the usual one (Davies, Biometrika 74, 1987).

So a model as a whole is tested: against a constant where that is within it, else against zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gdcli.judge.fit_tests import GainTest, gain_test
from gdcli.judge.statistics import FitStatistics
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import Array, np
from gdcli.language.losses import LOGITS
from gdcli.objective.row_model import constant_row, has_constant
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.fit_outcome import FitOutcome
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.some_rows import Solve, aimed_at, directions, slopes

Point = Mapping[str, Any]

# What is left of numbers that are met is rounding, or the end of a slow approach to a singular point.
_MET = 1e-6
# Numbers that differ by less than this part of themselves are equal.
_ALIKE = 1e-9
# A model that can say it is there soon; one that comes near only without end, as a line is the limit of exponentials,
# is not within another.
_STEPS = 100


class Nesting(NamedTuple):
    """Where the larger model says what the smaller one does; ``regular`` tells that all its parameters count there."""

    point: Point
    regular: bool


def nesting(
    smaller: Prepared, point: Point, larger: Prepared, large: FitOutcome, solve: Solve
) -> Nesting | None:
    """Return where the ``larger`` model is the ``smaller`` one at a ``point``, None where that is found nowhere."""
    x = smaller.row.space.flatten(point)
    target = RowObjective(smaller.row, smaller.data).all_rows("fitted", x)[0]
    said = _Said(target, slopes(aimed_at(smaller, target), x), _size(target))
    return _meeting(said, larger, _starts(larger, point, large), solve)


class _Said(NamedTuple):
    """What a model says of the rows (rows,), how it can move there (rows, k), and what size that has."""

    target: Array
    moves: Array
    size: float


def _meeting(said: _Said, larger: Prepared, starts: Iterable[Point], solve: Solve) -> Nesting | None:
    target, moves, size = said
    for start in starts:
        aimed = aimed_at(replace(larger, problem=replace(larger.problem, start=dict(start))), target)
        try:
            found = solve(aimed, FitSettings(max_iter=_STEPS))
        except GdError:
            continue
        there = aimed.row.space.flatten(found.point)
        if not found.value <= (_MET * size) ** 2:
            continue
        J = slopes(aimed, there)
        basis, full = directions(J)
        lengths = np.sqrt((moves * moves).sum(axis=0))
        left = moves - basis @ (basis.T @ moves)
        if (np.sqrt((left * left).sum(axis=0)) <= _MET * np.where(lengths > 0.0, lengths, 1.0)).all():
            effects = np.sqrt((J * J).sum(axis=0)) * np.maximum(1.0, abs(np.array(there)))
            return Nesting(found.point, full and bool((effects > _MET * size).all()))
    return None


def _size(target: Array) -> float:
    """The length of numbers about their mean; of equal ones about zero."""
    about, whole = target - target.mean(), float(np.sqrt(target @ target))
    spread = float(np.sqrt(about @ about))
    return (spread if spread > _ALIKE * whole else whole) or 1.0


def _starts(larger: Prepared, point: Point, large: FitOutcome) -> Iterator[Point]:
    """Yield points of the larger model that may lie near: with the numbers of shared names."""
    shared = {name: value for name, value in point.items() if _same_shape(value, large.point.get(name))}
    yield dict(large.point) | shared
    if larger.problem.linear:
        return
    for other in (0.0, 1.0):
        yield {n: [other] * len(v) if isinstance(v, list) else other for n, v in large.point.items()} | shared
    yield dict(large.point)


def _same_shape(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other)
    return isinstance(one, float) and isinstance(other, float)


class WholeTest(NamedTuple):
    """The test of a model as a whole, ``against`` a constant or zero; ``regular`` as of `Nesting`."""

    test: GainTest
    against: str
    regular: bool


def whole_test(prepared: Prepared, outcome: FitOutcome, solve: Solve) -> WholeTest | None:
    """Return the test of all parameters of a fit at once: by F of its sum of squares, by chi-square where the variance
    of a row is known, else by the ratio of the likelihoods; None where there is none.
    """
    found, row = outcome.statistics, prepared.row
    if found is None or found.exact or row.response is None or prepared.plain or row.errors is not None:
        return None
    constant = _constant(prepared)
    nested, against = _least(prepared, outcome, constant, solve)
    smaller = None if nested is None else _without(prepared, found, constant, against, solve)
    test = None if smaller is None else gain_test(smaller, found)
    return None if nested is None or test is None else WholeTest(test, against, nested.regular)


def _least(
    prepared: Prepared, outcome: FitOutcome, constant: Prepared, solve: Solve
) -> tuple[Nesting | None, str]:
    """Where the model is a constant, or else nothing, and which; None where it is neither."""
    if prepared.problem.linear:
        return Nesting(outcome.point, True), "constant" if has_constant(prepared.row) else "zero"
    found = nesting(constant, constant.problem.start, prepared, outcome, solve)
    if found is not None or prepared.row.residual is None:
        return found, "constant"
    nothing = np.zeros(prepared.data.rows)
    said = _Said(nothing, np.zeros((len(nothing), 0)), _size(_measured(prepared)[0]))
    return _meeting(said, prepared, [outcome.point], solve), "zero"


def _measured(prepared: Prepared) -> tuple[Array, Array]:
    """What was measured of each row, and its weight."""
    whole = RowObjective(prepared.row, prepared.data).all_rows("weighing", [0.0] * prepared.row.space.size)
    return whole[0], whole[1]


def _constant(prepared: Prepared) -> Prepared:
    """The fit of one number to the same rows, begun at the mean, of logits at 0."""
    problem, (measured, weights) = prepared.problem, _measured(prepared)
    row = constant_row(prepared.row, problem.loss, problem.numbers, problem.trials)
    mean = 0.0 if problem.loss in LOGITS else float(weights @ measured / weights.sum())
    start = dict.fromkeys(row.space.lengths, mean)
    alone = replace(
        problem, start=start, found=None, bounds={}, subject_to=(), searched=None, diagnostics=False
    )
    return replace(prepared, problem=alone, row=row)


def _without(
    prepared: Prepared, found: FitStatistics, constant: Prepared, against: str, solve: Solve
) -> FitStatistics | None:
    """The statistics of the fit of a constant, or of nothing, to the same rows; None where there are none."""
    if prepared.row.residual is not None:
        measured, weights = _measured(prepared)
        rss, rank = (found.tss, 1) if against == "constant" else (float(weights @ measured**2), 0)
        return replace(found, rss=rss, errors=replace(found.errors, rank=rank))
    try:
        return solve(constant, FitSettings()).statistics if against == "constant" else None
    except GdError:
        return None
