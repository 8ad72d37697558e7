"""An objective that is a sum over the rows of a data set.

The value, the gradient and the Hessian are sums over rows of what the row's graph says, so one pass over the data
gives any of them; the data are seen block by block and need not fit into memory. Where the loss is a sum of squares
the residuals and their Jacobian are seen the same way, and their QR factor is kept up to date block by block
(Golub & Van Loan, Matrix Computations, 4th ed., 2013, section 12.5.3 on adding rows), which never squares the
condition number as the normal equations do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gdcli.calculus.autodiff import can_smooth, smooth
from gdcli.compile.scalar_text import total
from gdcli.kernel.dataclass import replace
from gdcli.kernel.factors import triangle
from gdcli.kernel.vectors import Array, Vec, Vector, dot, is_finite, norm, np
from gdcli.objective.divisors import DivisorSigns
from gdcli.objective.protocol import Evaluation, Objective, QRSystem, new_counts
from gdcli.objective.row_model import Ask, Merge, RowModel, Rows
from gdcli.objective.row_programs import few_rows, programs_of

if TYPE_CHECKING:
    from gdcli.compile.array_kernels import RowsKernel

_Added = TypeVar("_Added", float, Vec)
INF = float("inf")

# Rows in a pass of the summing programs, which work through them in chunks of their own.
BLOCK = 262_144
# Rows in a call of machine code, enough for several threads.
NATIVE_BLOCK = 1 << 20
# From so many rows on machine code repays the time in which it is loaded or compiled.
NATIVE_ROWS = 500_000
# Rows whose Jacobian is written out at a time.
PIECE = 16_384
# Up to so many rows residuals are worth more digits than a double has. These take some five times as long, and the
# roundings of many rows make up for each other.
FEW_ROWS = PIECE
# Up to this many parameters the Hessian is a matrix.
HESSIAN_SIZE = 200

NOTE_NONE = "the derivative is not finite here"


class RowObjective(Objective):
    """The mean over rows of a row's loss, times ``scale``; what solvers minimise in a fit.

    Dividing by the number of rows keeps the meaning of a learning rate whatever the number of rows.
    """

    def __init__(self, row: RowModel, data: Rows, scale: float = 1.0) -> None:
        self.row = row
        self.data = data
        self.space = row.space
        self.size = row.space.size
        self.counts = new_counts()
        self.scale = scale
        self.rows = data.rows
        self.factor = scale / data.rows
        self.has_hessian = self.size <= HESSIAN_SIZE
        self.has_product = row.errors is None
        self.few = few_rows(row, data)
        self.order = [tuple(data.names).index(name) for name in row.columns]
        self.engine = _engine(row, data.rows) if self.few is None else "python"
        self.programs = programs_of(row)
        self._last: tuple[Any, list[float]] = None, []  # what was asked for last, and the answer
        self.of_some_rows: RowObjective | None = None  # see `row_curvature`
        self.sides: DivisorSigns | None = None

    def between_poles(self, x: Vector) -> RowObjective:
        """Return this objective, from now on infinite beyond the poles around x, which no descent crosses."""
        self.sides = DivisorSigns.at(self, x)
        return self

    @property
    def is_smooth(self) -> bool:
        return not can_smooth(self.row.graph, self.row.loss, self._columns())

    def smoothed(self, mu: float) -> RowObjective | None:
        """Kinks of losses are in the unit of a loss, and so is ``mu`` times the mean loss of scale 1."""
        if self.is_smooth or self.row.errors is not None:
            return None
        rounded = smooth(self.row.graph, self.row.loss, mu / self.scale, self._columns())
        found = RowObjective(replace(self.row, loss=rounded, residual=None), self.data, self.scale)
        found.sides = self.sides
        return found

    def _columns(self) -> set[int]:
        return {self.row.graph.leaf(key) for key in self.row.column_leaves}

    def nodes(self, name: str) -> list[int]:
        """The nodes of the row's graph whose sums (or values) are asked for under a name."""
        return self.programs.nodes(name)

    # -- passes over the data ------------------------------------------------------------------------------

    def sums(self, names: Sequence[str], x: Sequence[float]) -> list[float]:
        """Return the sums over all rows of the nodes under ``names``, in order; ``x`` is flat.

        The sums of blocks are added up exactly rounded, so that they do not depend on the order of the blocks.
        """
        asked = tuple(names), tuple(x)
        if self._last[0] != asked:
            self._last = asked, self.over(RowObjective.sums_here, added, *asked)
        return [*self._last[1]]

    def _settled(self, x: Sequence[float]) -> None:
        """Have columns with errors corrected for the parameters that ``x`` begins with."""
        if self.row.errors is not None:
            self.data.settle(list(x[: self.size]))  # type: ignore[attr-defined]

    def over(self, ask: Ask, merge: Merge, *args: object) -> Any:
        """Return ``ask(self, *args)``; of rows in partitions what it says of each, merged (see `row_model.Parts`)."""
        parts = self.data.parts
        if parts is None:
            return ask(self, *args)
        row = self.row if self.row.engine == self.engine else replace(self.row, engine=self.engine)
        return parts.over(row, ask, merge, args)

    def sums_here(self, names: tuple[str, ...], x: Sequence[float]) -> list[float]:
        self._settled(x)
        if self.few is not None:
            return self.few.sums(names, x)
        kernel = self._kernel(names) if self.engine == "native" else None
        if kernel is not None:
            return self._summed(kernel, x)
        parts: list[tuple[float, ...]] = []
        with np.errstate(all="ignore"):
            for _, arrays in self.data.chunks(BLOCK):
                program = self.programs.summing(names, len(arrays[0]))
                parts.append(program(x, [arrays[k] for k in self.order]))
        if len(parts) == 1:
            return list(parts[0])
        return [total(column) for column in zip(*parts, strict=True)]

    def _kernel(self, names: tuple[str, ...]) -> RowsKernel | None:
        """The machine code of some sums, None for a graph that is too large for it."""
        return self.programs.kernel(names, self.row.use_cache)

    def _summed(self, kernel: RowsKernel, x: Sequence[float]) -> list[float]:
        from gdcli.compile.machine_code import processors

        given = self._with_direction(x)
        parts = [
            kernel.sums(given, [arrays[k] for k in self.order], processors())
            for _, arrays in self.data.chunks(NATIVE_BLOCK)
        ]
        return parts[0] if len(parts) == 1 else [total(column) for column in zip(*parts, strict=True)]

    def _with_direction(self, x: Sequence[float]) -> list[float]:
        """The numbers that machine code wants: the point and a direction, which may not be given."""
        return [*x, *([0.0] * (2 * self.size - len(x)))]

    def pieces(self, name: str, x: Sequence[float], wide: bool = False) -> Iterator[tuple[int, list[Any]]]:
        """Yield for each piece of rows the number of the first and the values, shape (rows,), of the nodes.

        ``wide`` computes them with the longest floats there are, of 64 bits of precision or more on most machines.
        """
        kind = np.longdouble if wide else float
        self._settled(x)
        with np.errstate(all="ignore"):
            program = self.programs.by_row(name)
            given = [kind(a) for a in x]
            for first, arrays in self.data.chunks(PIECE):
                length = len(arrays[0])
                values = program([*given, *(np.asarray(arrays[k], dtype=kind) for k in self.order)])
                yield first, [np.broadcast_to(v, length) for v in values]

    def vectors(self, name: str, x: Sequence[float], quick: bool = False) -> Iterator[list[Vector]]:
        """Yield the values of `pieces`, or `quick_pieces`, for `kernel.vectors` to work on: lists for few rows."""
        if self.few is not None:
            yield self.few.vectors(name, x)
            return
        for _, values in self.quick_pieces(name, x) if quick else self.pieces(name, x):
            yield values

    def all_rows(self, name: str, x: Sequence[float]) -> Array:
        """Return the values of `pieces` of all rows, (nodes, rows), which have room in memory."""
        pieces = [np.array(values) for _, values in self.pieces(name, x)]
        found: Array = np.concatenate(pieces, axis=1)
        return found

    def quick_pieces(self, name: str, x: Sequence[float]) -> Iterator[tuple[int, list[Any]]]:
        """The same as `pieces`, up to the last digits, by machine code where that makes the sums."""
        kernel = self._kernel((name,)) if self.engine == "native" else None
        if kernel is None:
            yield from self.pieces(name, x)
            return
        self._settled(x)
        given = self._with_direction(x)
        for first, arrays in self.data.chunks(PIECE):
            yield first, kernel.values(given, [arrays[k] for k in self.order])

    # -- the solvers' protocol -----------------------------------------------------------------------------

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        self.counts.value += 1
        if self.sides is not None and not self.sides.has(x):
            return Evaluation(x, INF)
        if order == 0:
            return Evaluation(x, self._mean(self.sums(("value",), x)[0]))
        return self._derive(Evaluation(x, INF), order, True)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with the gradient (order 1) and the Hessian (order 2) added."""
        if not -INF < at.value < INF or (order < 2 and at.gradient is not None):
            return at
        return self._derive(at, order, False)

    def _mean(self, total: float) -> float:
        value = total * self.factor
        return value if value == value else INF

    def _derive(self, at: Evaluation, order: int, new: bool) -> Evaluation:
        order = order if self.has_hessian else 1
        names = ["value"] * new + ["gradient"] + ["hessian"] * (order > 1)
        found = self.sums(names, at.x)
        value = self._mean(found.pop(0)) if new else at.value
        if not -INF < value < INF:
            return Evaluation(at.x, value)
        self.counts.gradient += 1
        self.counts.hessian += order > 1
        gradient = self.vector([self.factor * g for g in found[: self.size]])
        if not is_finite(gradient):
            return Evaluation(at.x, value, None, None, NOTE_NONE)
        if order < 2:
            return Evaluation(at.x, value, gradient)
        hessian = _symmetric([self.factor * h for h in found[self.size :]], self.size)
        if not all(map(is_finite, hessian)):
            return Evaluation(at.x, value, gradient, None, NOTE_NONE)
        return Evaluation(at.x, value, gradient, hessian)

    def product(self, at: Evaluation, direction: Vector) -> Any:
        """Return the Hessian at ``at.x`` times ``direction``, None where it is not finite."""
        self.counts.product += 1
        found = self.sums(("product",), [*at.x, *direction])
        result = self.vector([self.factor * v for v in found])
        return result if is_finite(result) else None

    def vector(self, flat: Sequence[float]) -> Any:
        return Vec(map(float, flat)) if self.has_hessian else np.array(flat, dtype=float)

    # -- sums of squares -----------------------------------------------------------------------------------

    @property
    def has_residuals(self) -> bool:
        """Whether the loss is the square of a residual, so that `linearise` and `second` have an answer."""
        return self.row.residual is not None

    @property
    def has_wide(self) -> bool:
        """Whether residuals are worth more digits than a double has: not where there are very many."""
        return self.data.rows <= FEW_ROWS

    @property
    def spares_wide(self) -> bool:
        """Whether wide residuals are to be had from numpy alone, which few rows do without."""
        return self.few is not None

    def linearise(self, at: Evaluation, wide: bool = False) -> QRSystem | None:
        """Return the residuals' linear model at ``at.x``, reduced to a triangle; see `objective.protocol.QRSystem`."""
        self.counts.gradient += 1
        size, root, sharp = self.size, math.sqrt(self.factor), None
        if self.few is not None and not wide:
            *columns, measured = self.few.vectors("linear", at.x)
            if not all(map(is_finite, columns)):
                return None
            factor, length = triangle(columns), norm(measured)
        else:
            if self.few is not None:
                self.engine = "numpy"  # it takes part from here on
            found = self._reduced(at.x, wide)
            if found is None:
                return None
            factor, length, slope = found
            sharp = slope * self.factor if wide else None
        *rows, last = [row * root for row in factor]
        target = Vec([row[size] for row in rows])
        return QRSystem([Vec(row[:size]) for row in rows], target, abs(last[size]), length * root, sharp)

    def _reduced(self, x: Vector, wide: bool) -> tuple[list[Vec], float, Vec] | None:
        """The triangle of [J r], the length of what was measured, and J'r; None where they are not finite."""
        size = self.size
        factor, length, slope = self.over(_triangle, _stacked, tuple(x), wide)
        if not np.isfinite(factor).all():
            return None
        if len(factor) < size + 1:
            factor = np.vstack((factor, np.zeros((size + 1 - len(factor), size + 1))))
        return [Vec(row) for row in factor.tolist()], length, Vec(slope.astype(float).tolist())

    def deviations(self) -> tuple[Any, Any]:
        """Return the slopes (p, rows) and, at the origin, the values (rows,) of what has the loss as absolute value."""
        whole = self.all_rows("deviation", [0.0] * self.size)
        return whole[:-1], whole[-1]

    def second(self, at: Evaluation, direction: Vector) -> Any:
        """Return J' r_vv, the residuals' second derivative along a direction seen by the Jacobian, shape (p,)."""
        if self.row.errors is not None:
            return None
        self.counts.product += 1
        found = self.factor * Vec(self.over(_bent, added, (*at.x, *direction)))
        return found if is_finite(found) else None


# -- what is asked of partitions ---------------------------------------------------------------------------------------


def added(one: Sequence[_Added], other: Sequence[_Added]) -> list[_Added]:
    return [a + b for a, b in zip(one, other, strict=True)]


_Triangle = tuple[Any, float, Any]  # see `RowObjective._reduced`; the factor may have fewer rows, or be nan


def _triangle(objective: RowObjective, x: Sequence[float], wide: bool) -> _Triangle:
    size = objective.size
    factor, length, slope = np.zeros((0, size + 1)), 0.0, np.zeros(size)
    for _, values in objective.pieces("linear", x, wide):
        block = np.stack(values[:-1], axis=1).astype(float)
        if not np.isfinite(block).all():
            return np.full((1, size + 1), np.nan), length, slope
        factor = np.array(np.linalg.qr(np.vstack((factor, block)), mode="r"))
        length = math.hypot(length, norm(values[-1].astype(float)))
        if wide:
            slope = slope + [(column * values[-2]).sum() for column in values[:-2]]
    return factor, length, slope


def _stacked(one: _Triangle, other: _Triangle) -> _Triangle:
    for found in (one, other):
        if not np.isfinite(found[0]).all():
            return found
    factor = np.linalg.qr(np.vstack((one[0], other[0])), mode="r")
    return factor, math.hypot(one[1], other[1]), one[2] + other[2]


def _bent(objective: RowObjective, x: Sequence[float]) -> list[float]:
    found = Vec([0.0] * objective.size)
    for *columns, bend in objective.vectors("second", x):
        found += Vec([dot(column, bend) for column in columns])
    return list(found)


def _engine(row: RowModel, rows: int) -> str:
    """Tell what computes the sums; it follows from the rows and what is installed, so that the bits do too."""
    if row.engine == "auto" and rows >= NATIVE_ROWS:
        from gdcli.compile.machine_code import is_installed

        return "native" if is_installed() else "numpy"
    return "native" if row.engine == "native" else "numpy"


def _symmetric(lower: Sequence[float], size: int) -> list[Vec]:
    """The matrix whose lower triangle is given column by column."""
    rows = [Vec([0.0] * size) for _ in range(size)]
    numbers = iter(lower)
    for j in range(size):
        for i in range(j, size):
            rows[i][j] = rows[j][i] = next(numbers)
    return rows
