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

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Array, np
from gdcli.objective.batched_residuals import GroupedResiduals
from gdcli.objective.row_model import RowModel, each_here, is_smooth
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_programs import programs_of
from gdcli.solve.methods.batched_fits import solve_many
from gdcli.solve.methods.levenberg_marquardt import OFFSET_TOL
from gdcli.tasks.fit.profile_intervals import has_likelihood, minimized

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
    searches = bool(prepared.problem.folds)  # for the strength of a penalty
    if row.residual is None or row.errors is not None or not is_smooth(row) or searches:
        what = "errors in columns" if row.errors is not None else minimized(prepared.problem)
        hint = "--intervals profile does" if has_likelihood(prepared) else "leave it out"
        raise UsageError(f"--intervals bootstrap is for smooth sums of squares, and not for {what}", hint)
    if prepared.problem.bounds:
        raise UsageError("--intervals bootstrap does not go with --bounds", "--intervals profile does")
    if row.space.size > MOST_PARAMETERS:
        raise UsageError(
            f"--intervals bootstrap is for up to {MOST_PARAMETERS} parameters, and these are {row.space.size}",
            "--intervals profile does not repeat the fit so often",
        )


def draw(prepared: Prepared, x: Sequence[float], found: FitStatistics, kind: str, samples: int) -> Samples:
    """Return the estimates of so many samples, drawn with the seed of the fit from the rows of positive weight."""
    row, data = prepared.row, prepared.data
    objective = RowObjective(row, data, float(data.rows))
    counted = np.flatnonzero(objective.all_rows("weighing", x)[1])
    places = [tuple(data.names).index(name) for name in row.columns]
    pieces = [[arrays[k].copy() for k in places] for _, arrays in data.chunks(BLOCK)]
    columns = [np.concatenate(parts)[counted] for parts in zip(*pieces, strict=True)]
    random = np.random.default_rng(prepared.problem.seed)
    whole = objective.all_rows("jacobian", x)[:, counted]
    slopes, residuals = whole[:-1], whole[-1]
    if kind == "case":
        draws, model = _Draws(columns), row
    else:
        own = _modified(slopes, residuals) if kind == "residual" else None
        scale = 1.0 if found.errors.dof == float("inf") else found.residual_sd or 0.0
        draws, model = _Draws(columns, residuals, own, scale), _shifted(row)
    each = each_here if data.parts is None else data.parts.each
    solved = list(each(_solved, draws.states(random, samples), model, draws, x))
    estimates = np.concatenate([ends for ends, _ in solved], axis=1)
    failed = sum(lost for _, lost in solved)
    at = objective.evaluate(objective.vector(x), 2)
    hessian = np.array([list(line) for line in at.hessian])  # type: ignore[union-attr]
    influence = -np.linalg.solve(hessian, objective.all_rows("gradient", x))
    return Samples(estimates, failed, influence)


def _modified(slopes: Array, residuals: Array) -> Array:
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


class _Draws(NamedTuple):
    """How samples are drawn of the columns (n,) of a fit: rows, or with ``residuals`` (n,) new ones in their place.

    These are drawn of its ``own``, or are normal ones of a standard deviation ``scale``.
    """

    columns: Sequence[Array]
    residuals: Array | None = None
    own: Array | None = None
    scale: float = 0.0

    def states(self, random: Generator, samples: int) -> Iterator[tuple[Mapping[str, Any], int]]:
        """Yield for each block of samples the state of the generator before it, and their number."""
        size = max(1, min(samples, BLOCK // len(self.columns[0])))
        for first in range(0, samples, size):
            budget.check()
            state, count = random.bit_generator.state, min(size, samples - first)
            yield state, count
            random.bit_generator.state = state
            self.drawn(random, count)

    def drawn(self, random: Generator, size: int) -> Array:
        rows = len(self.columns[0])
        if self.residuals is not None and self.own is None:
            return self.scale * random.standard_normal((rows, size))
        numbers: Array = random.integers(rows, size=(rows, size))
        return numbers if self.own is None else self.own[numbers]

    def columns_of(self, drawn: Array) -> list[Array]:
        if self.residuals is None:
            return [column[drawn] for column in self.columns]
        repeated = [column[:, None].repeat(drawn.shape[1], axis=1) for column in self.columns]
        return [*repeated, drawn - self.residuals[:, None]]


def _solved(
    block: tuple[Mapping[str, Any], int], row: RowModel, draws: _Draws, x: Sequence[float]
) -> tuple[Array, int]:
    """Return the estimates (p, b) of a block of samples, and how many were not solved."""
    random = np.random.default_rng()
    random.bit_generator.state, size = block
    columns = draws.columns_of(draws.drawn(random, size))
    start = np.repeat(np.array([x], dtype=float).T, size, axis=1)
    residuals = GroupedResiduals(programs_of(row), columns)
    ends = solve_many(residuals, start, _MOST_ITERATIONS, _OFFSET / OFFSET_TOL)
    sound = ~ends.given_up & np.isfinite(ends.x).all(axis=0)
    return ends.x[:, sound], int((~sound).sum())


def interval(estimate: float, estimates: Array, influence: Array, level: float) -> BootstrapInterval:
    """Return the intervals of a quantity: its ``estimate``, those of b samples, the ``influence`` of n rows on it."""
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
