"""What the rows of a data set say about steps: how large they may be, and how much gradients differ from row to row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from gdcli.objective.rows import RowObjective

# Steps of power iteration for the largest curvature of many parameters.
POWER_STEPS = 100


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
    return Curvatures(_row_curvature(objective, x), _mean_curvature(objective, objective.vector(x)))


def _row_curvature(objective: RowObjective, x: Sequence[float]) -> float | None:
    np = objective.np
    largest = 0.0
    for _, (bend, square) in objective.pieces("own_step", x):
        with np.errstate(all="ignore"):
            ratio = np.abs(bend / square)[square > 0.0]
        if len(ratio):
            here = float(ratio.max())
            if not math.isfinite(here):
                return None
            largest = max(largest, here)
    return largest


def _mean_curvature(objective: RowObjective, x: Any) -> float | None:
    np = objective.np
    at = objective.evaluate(x, 2)
    if at.hessian is not None:
        return max(0.0, float(np.abs(np.linalg.eigvalsh(np.array(at.hessian))).max()))
    if objective.has_hessian or at.gradient is None:
        return None
    return _by_powers(objective, at)


def _by_powers(objective: RowObjective, at: Any) -> float | None:
    """The largest absolute eigenvalue of the Hessian by power iteration, from below."""
    np = objective.np
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
    """The mean gradient, shape (p,), and the covariance of row gradients, shape (p, p); numpy arrays.

    ``blocks`` is the covariance that the means of blocks of rows have, times the rows in a block (None: too few
    blocks to tell). It is the same where rows are in no order, and larger where neighbours are alike.
    """

    mean: Any
    rows: Any
    blocks: Any | None


def gradient_spread(objective: RowObjective, x: Sequence[float], block: int | None) -> Spread | None:
    """Return how the gradients of rows are spread at ``x``; None where a gradient is not finite.

    ``block`` is the number of neighbouring rows that a shuffle leaves together, None for single rows.
    """
    np, size, rows = objective.np, objective.size, objective.data.rows
    total, squares = np.zeros(size), np.zeros((size, size))
    sums: list[Any] = []
    for _, values in objective.pieces("gradient", x):
        gradients = np.stack(values)
        total += gradients.sum(axis=1)
        squares += gradients @ gradients.T
        if block is not None:
            sums.append(np.add.reduceat(gradients, np.arange(0, gradients.shape[1], block), axis=1))
    if not (np.isfinite(total).all() and np.isfinite(squares).all()):
        return None
    mean = total / rows
    covariance = squares / rows - np.outer(mean, mean)
    of_blocks = None
    if block is not None and rows // block > 10 * size:
        means = np.concatenate(sums, axis=1)[:, : rows // block] / block
        centred = means - mean[:, None]
        of_blocks = block * (centred @ centred.T) / (means.shape[1] - 1)
    return Spread(mean, covariance, of_blocks)
