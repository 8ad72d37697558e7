"""What the rows of a data set say about steps: how large they may be, and how much gradients differ from row to row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.dense import Matrix
from gdcli.kernel.vectors import Vector, np
from gdcli.objective.row_model import Rows
from gdcli.objective.row_objective import RowObjective

# Steps of power iteration for the largest curvature of many parameters.
POWER_STEPS = 100
# Of many more rows than this, only about so many are asked how they differ; they are taken in runs of RUN rows.
SAMPLE = 200_000
RUN = 4096
# Blocks tell the covariance of p numbers from so many times p; it is theirs when it is so many times larger.
ENOUGH_BLOCKS, ALIKE = 10, 1.5


class Curvatures(NamedTuple):
    """The largest curvature of a row's loss along its own gradient, and the largest of the mean loss (None: unknown).

    For a loss that is a function of one linear combination of the parameters the first is exactly the largest
    eigenvalue of the row's Hessian.
    """

    row: float | None
    mean: float | None

    def of_batches(self, size: int, rows: int) -> float | None:
        """Return the curvature that limits steps by the mean gradient of ``size`` of ``rows`` rows.

        It goes from that of a row to that of the mean (Gower et al., SGD: general analysis and improved rates, ICML
        2019, proposition 3.8 on batches drawn without replacement).
        """
        if self.mean is None or self.row is None or size == 1 or rows == 1:
            return self.mean if size == rows else self.row
        if size == rows:
            return self.mean
        share = (rows - size) / (size * (rows - 1))
        return share * max(self.row, self.mean) + (1.0 - share) * self.mean


def curvatures(objective: RowObjective, x: Sequence[float]) -> Curvatures:
    """Return the largest curvatures at ``x`` (flat)."""
    of_row: float = objective.over(_row_curvature_here, max, tuple(x))
    of_mean = _mean_curvature(objective, objective.vector(x))
    return Curvatures(of_row if math.isfinite(of_row) else None, of_mean)


def _row_curvature_here(objective: RowObjective, x: Sequence[float]) -> float:
    largest = 0.0
    for _, (bend, square) in objective.quick_pieces("own_step", x):
        with np.errstate(all="ignore"):
            ratio = np.abs(bend / square)[square > 0.0]
        if len(ratio):
            here = float(ratio.max())
            if not math.isfinite(here):
                return math.inf
            largest = max(largest, here)
    return largest


def _mean_curvature(objective: RowObjective, x: Vector) -> float | None:
    objective = _thinned(objective)
    at = objective.evaluate(x, 2)
    if at.hessian is not None:
        return max(0.0, float(np.abs(np.linalg.eigvalsh(np.array(at.hessian))).max()))
    if objective.has_hessian or at.gradient is None:
        return None
    return _by_powers(objective, at)


def _by_powers(objective: RowObjective, at: Any) -> float | None:
    """The largest absolute eigenvalue of the Hessian by power iteration, from below."""
    direction = np.random.default_rng(0).normal(size=objective.size)
    found = 0.0
    for _ in range(POWER_STEPS):
        direction /= np.linalg.norm(direction)
        image = objective.product(at, direction)
        if image is None:
            return None
        before, found = found, float(np.linalg.norm(image))
        if found == 0.0 or abs(found - before) <= 1e-3 * found:
            break
        direction = np.array(image)
    return found


class Spread(NamedTuple):
    """The covariance of the gradients of rows, shape (p, p), and the mean Hessian, shape (p, p); numpy arrays."""

    covariance: Matrix
    hessian: Matrix


def spread_of_rows(objective: RowObjective, x: Sequence[float], together: int) -> Spread | None:
    """Return how the gradients of rows are spread at ``x``; None where something is not finite.

    ``together`` is the number of neighbouring rows that a shuffle leaves together. Where neighbours are alike, the
    means of such blocks vary more than those of as many single rows, and so do the ends of runs: then the covariance
    is that of the means of blocks, times their length. Of many rows a part is looked at, evenly taken.
    """
    size = objective.size
    part = _thinned(objective)
    rows = part.data.rows
    hessian = part.evaluate(part.vector(x), 2).hessian
    if hessian is None:
        return None
    total, squares, sums = part.over(_gradients, _joined, tuple(x), together)
    mean = total / rows
    covariance = squares / rows - np.outer(mean, mean)
    if not np.isfinite(covariance).all():
        return None
    blocks = np.concatenate(sums, axis=1) / together if together > 1 else np.zeros((size, 0))
    if blocks.shape[1] > ENOUGH_BLOCKS * size:
        of_blocks = together * np.atleast_2d(np.cov(blocks))
        if np.trace(of_blocks) > ALIKE * np.trace(covariance):
            covariance = of_blocks
    return Spread(covariance, np.array(hessian))


_Gradients = tuple[
    Any, Any, list[Any]
]  # sums (p,), sums of products (p, p), and the sums (p, blocks) of blocks


def _gradients(part: RowObjective, x: Sequence[float], together: int) -> _Gradients:
    size = part.size
    total, squares = np.zeros(size), np.zeros((size, size))
    sums: list[Any] = []
    for _, values in part.quick_pieces("gradient", x):
        gradients = np.stack(values)
        total += gradients.sum(axis=1)
        squares += gradients @ gradients.T
        whole = gradients.shape[1] // together * together
        sums.append(gradients[:, :whole].reshape(size, -1, together).sum(axis=2) if together > 1 else ())
    return total, squares, sums


def _joined(one: _Gradients, other: _Gradients) -> _Gradients:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _thinned(objective: RowObjective) -> RowObjective:
    """The objective over a part of its rows, computed by the same engine, whose programs are there already.

    All workers have something to do: of rows in partitions all are taken.
    """
    if objective.data.parts is not None:
        return objective
    found = objective.of_some_rows
    if found is None:
        row = replace(objective.row, engine=objective.engine)
        found = objective.of_some_rows = RowObjective(row, ThinnedRows(objective.data))
    return found


class ThinnedRows:
    """About ``SAMPLE`` rows of a large data set: runs of neighbouring rows, evenly taken; all rows of a small one."""

    lists = parts = None

    def __init__(self, data: Rows) -> None:
        self.data = data
        self.names = data.names
        self.every = max(1, data.rows // SAMPLE)
        runs = -(-data.rows // RUN)
        taken = range(0, runs, self.every)
        short = RUN * runs - data.rows if taken[-1] == runs - 1 else 0
        self.rows = RUN * len(taken) - short if self.every > 1 else data.rows

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rows taken, in runs of neighbours, whatever the ``size``."""
        if self.every == 1:
            yield from self.data.chunks(size)
            return
        done = 0
        for first, arrays in self.data.chunks(RUN):
            if first // RUN % self.every == 0:
                yield done, arrays
                done += len(arrays[0])
