"""Intervals by the bootstrap: the fit repeated on rows that might have been, thousands of them solved together.

``residual`` puts residuals, drawn with replacement, on what is fitted: each divided by the root of one less its
leverage, and centred (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 6.2.3), in the units
in which the rows have one variance. ``case`` draws whole rows, ``parametric`` normal residuals of the residual standard
deviation (of the given one, where it is known).

The percentile interval has its ends at the quantiles of the estimates. BCa moves these by the bias of the median, z0,
and by the acceleration a, how fast the standard error changes with the parameter: a sixth of the skewness of the
empirical influence of the rows, -H^-1 g_i with H the Hessian of the sum and g_i the gradient of a row (Efron, Better
bootstrap confidence intervals, J. Am. Stat. Assoc. 82, 1987).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Array
from gdcli.objective.row_model import RowModel, is_smooth
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_programs import programs_of

if TYPE_CHECKING:
    from numpy.random import Generator

    from gdcli.judge.statistics import FitStatistics
    from gdcli.tasks.fit.prepare import Prepared

# Numbers of a column in a block of samples that is solved at once: the block should stay in the cache.
BLOCK = 80_000
# More parameters make the loops over them long.
MOST_PARAMETERS = 20
_MOST_ITERATIONS = 200
# What is left to gain by a sample is this part of its standard errors: far below what differs between samples.
_OFFSET = 1e-6
# A column that no data have: what is added to the residuals.
_SHIFT = "added residual"


class Samples(NamedTuple):
    """The estimates (p, b) of the samples that were solved, how many were not, and the influence of rows (p, n)."""

    estimates: Array
    failed: int
    influence: Array


class BootstrapInterval(NamedTuple):
    """The standard deviation of the estimates of a quantity, and its intervals, pairs of lower and upper ends."""

    error: float
    percentile: tuple[float, float]
    bca: tuple[float, float]


def check(prepared: Prepared) -> None:
    """Raise UsageError for a fit that is not solved together with others."""
    row = prepared.row
    if row.residual is None or row.errors is not None or not is_smooth(row):
        what = "errors in columns" if row.errors is not None else f"--loss {prepared.problem.loss}"
        hint = (
            "--intervals profile is for likelihoods"
            if prepared.problem.loss in ("logistic", "poisson")
            else ""
        )
        raise UsageError(f"--intervals bootstrap is for smooth sums of squares, and not for {what}", hint)
    if prepared.problem.bounds:
        raise UsageError("--intervals bootstrap does not go with --bounds", "--intervals profile does")
    if row.space.size > MOST_PARAMETERS:
        raise UsageError(
            f"--intervals bootstrap is for up to {MOST_PARAMETERS} parameters, and these are {row.space.size}"
        )


def draw(prepared: Prepared, x: Sequence[float], found: FitStatistics, kind: str, samples: int) -> Samples:
    """Return the estimates of so many samples, drawn with the seed of the fit."""
    import numpy as np

    row, data = prepared.row, prepared.data
    places = [tuple(data.names).index(name) for name in row.columns]
    pieces = [[arrays[k].copy() for k in places] for _, arrays in data.chunks(BLOCK)]
    columns = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
    random = np.random.default_rng(prepared.problem.seed)
    objective = RowObjective(row, data, float(data.rows))
    whole = objective.all_rows("jacobian", x)
    slopes, residuals = whole[:-1], whole[-1]
    if kind == "case":
        draws = _cases(random, columns, samples)
        model = row
    else:
        own = _modified(slopes, residuals) if kind == "residual" else None
        scale = 1.0 if found.errors.dof == float("inf") else found.residual_sd or 0.0
        draws = _errors(random, columns, residuals, own, scale, samples)
        model = _shifted(row)
    estimates, failed = _solved(model, draws, x)
    at = objective.evaluate(objective.vector(x), 2)
    hessian = np.array([list(line) for line in at.hessian])  # type: ignore[union-attr]
    influence = -np.linalg.solve(hessian, objective.all_rows("gradient", x))
    return Samples(estimates, failed, influence)


def _modified(slopes: Array, residuals: Array) -> Array:
    import numpy as np

    Q = np.linalg.qr(slopes.T)[0]
    leverage = np.minimum((Q * Q).sum(axis=1), 1.0 - 1e-6)
    found = residuals / np.sqrt(1.0 - leverage)
    centred: Array = found - found.mean()
    return centred


def _shifted(row: RowModel) -> RowModel:
    graph = row.graph
    residual = graph.node("add", row.residual, graph.scalar(_SHIFT))
    return replace(
        row, residual=residual, loss=graph.node("mul", residual, residual), columns=(*row.columns, _SHIFT)
    )


def _blocks(samples: int, rows: int) -> Iterator[int]:
    size = max(1, min(samples, BLOCK // rows))
    for first in range(0, samples, size):
        budget.check()
        yield min(size, samples - first)


def _cases(random: Generator, columns: Sequence[Array], samples: int) -> Iterator[list[Array]]:
    rows = len(columns[0])
    for size in _blocks(samples, rows):
        drawn = random.integers(rows, size=(rows, size))
        yield [column[drawn] for column in columns]


def _errors(
    random: Generator,
    columns: Sequence[Array],
    residuals: Array,
    own: Array | None,
    scale: float,
    samples: int,
) -> Iterator[list[Array]]:
    """New residuals in place of the old ones: drawn of ``own``, or normal ones of a standard deviation ``scale``."""
    import numpy as np

    rows = len(residuals)
    for size in _blocks(samples, rows):
        shape = rows, size
        new = scale * random.standard_normal(shape) if own is None else own[random.integers(rows, size=shape)]
        yield [*(np.repeat(column[:, None], size, axis=1) for column in columns), new - residuals[:, None]]


def _solved(row: RowModel, draws: Iterator[list[Array]], x: Sequence[float]) -> tuple[Array, int]:
    import numpy as np

    from gdcli.objective.grouped_residuals import GroupedResiduals
    from gdcli.solve.methods.batched_fits import solve_many
    from gdcli.solve.methods.levenberg_marquardt import OFFSET_TOL

    programs, found, failed = programs_of(row), [], 0
    for columns in draws:
        start = np.repeat(np.array([x], dtype=float).T, columns[0].shape[1], axis=1)
        ends = solve_many(GroupedResiduals(programs, columns), start, _MOST_ITERATIONS, _OFFSET / OFFSET_TOL)
        sound = ~ends.given_up & np.isfinite(ends.x).all(axis=0)
        found.append(ends.x[:, sound])
        failed += int((~sound).sum())
    return np.concatenate(found, axis=1), failed


def interval(estimate: float, estimates: Array, influence: Array, level: float) -> BootstrapInterval:
    """Return the intervals of a quantity: its ``estimate``, those of b samples, the ``influence`` of n rows on it."""
    from statistics import NormalDist

    import numpy as np

    normal, b = NormalDist(), len(estimates)
    tails = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
    below = (np.sum(estimates < estimate) + 0.5 * np.sum(estimates == estimate)) / b
    z0 = normal.inv_cdf(min(max(below, 0.5 / b), 1.0 - 0.5 / b))
    square = float((influence**2).sum())
    a = float((influence**3).sum()) / (6.0 * square**1.5) if square > 0.0 else 0.0
    places = []
    for tail in tails:
        z = z0 + normal.inv_cdf(tail)
        places.append(normal.cdf(z0 + z / (1.0 - a * z)) if a * z < 1.0 else tail)
    plain, moved = (np.quantile(estimates, part).tolist() for part in (tails, places))
    error = float(estimates.std(ddof=1)) if b > 1 else 0.0
    return BootstrapInterval(error, (plain[0], plain[1]), (moved[0], moved[1]))
