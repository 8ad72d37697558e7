"""Is one model within another? Not by their texts, but by what they can say of the rows.

A model is within another one where that can say what it says: the larger one is fitted to what the smaller one says at
its own answer, and must meet it, and there every direction in which the smaller one can move must be one of its own:
the columns of the one Jacobian lie in the space of the columns of the other. Where the larger one has lost parameters
there (the rate of a part whose amount is zero), the distribution of the test is not the usual one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import numpy
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import Array
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.solve_fit import solve
from gdcli.tasks.fit.some_rows import aimed_at, directions, says, slopes

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared

# What is left of numbers that are met is rounding, or the end of a slow approach to a singular point.
_MET = 1e-6
# Numbers that differ by less than this part of themselves are equal.
_ALIKE = 1e-9
# A model that can say it is there soon; one that comes near only without end, as a line is the limit of exponentials,
# is not within another.
_STEPS = 100


class Nesting(NamedTuple):
    """Where the larger model says what the smaller one does; ``regular`` tells that all its parameters count there."""

    point: Mapping[str, Any]
    regular: bool


def nesting(smaller: Prepared, small: FitOutcome, larger: Prepared, large: FitOutcome) -> Nesting | None:
    """Return where the ``larger`` model is the ``smaller`` one at its answer, None where that is found nowhere."""
    np = numpy()
    x = smaller.row.space.flatten(small.point)
    target = says(smaller, x)
    size = _size(target)
    moves = slopes(*_row_and_data(aimed_at(smaller, target)), x)
    for start in _starts(larger, small, large):
        aimed = aimed_at(replace(larger, problem=replace(larger.problem, start=start)), target)
        try:
            found = solve(aimed, FitSettings(max_iter=_STEPS))
        except GdError:
            continue
        there = aimed.row.space.flatten(found.point)
        if not found.value <= (_MET * size) ** 2:
            continue
        J = slopes(*_row_and_data(aimed), there)
        basis, full = directions(J)
        lengths = np.sqrt((moves * moves).sum(axis=0))
        left = moves - basis @ (basis.T @ moves)
        if (np.sqrt((left * left).sum(axis=0)) <= _MET * np.where(lengths > 0.0, lengths, 1.0)).all():
            effects = np.sqrt((J * J).sum(axis=0)) * np.maximum(1.0, abs(np.array(there)))
            return Nesting(found.point, full and bool((effects > _MET * size).all()))
    return None


def _size(target: Array) -> float:
    """The length of numbers about their mean; of equal ones about zero."""
    about, whole = target - target.mean(), float(numpy().sqrt(target @ target))
    spread = float(numpy().sqrt(about @ about))
    return (spread if spread > _ALIKE * whole else whole) or 1.0


def _row_and_data(prepared: Prepared) -> tuple[Any, Any]:
    return prepared.row, prepared.data


def _starts(larger: Prepared, small: FitOutcome, large: FitOutcome) -> Iterator[dict[str, Any]]:
    """Yield points of the larger model that may lie near: with the numbers of shared names."""
    shared = {name: value for name, value in small.point.items() if _same_shape(value, large.point.get(name))}
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
