"""Do the data fit the loss? Labels, counts, weights and standard deviations are looked at before anything is solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, DomainError
from gdcli.kernel.vectors import Array, Vector, extremes
from gdcli.language.interpreter import find_culprit
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.request import FitProblem
from gdcli.tasks.problem import listed

# Where a row stands, in words: its number counts from 0.
Place = Callable[[int], str]


def check_count(row: RowModel, data: Rows) -> None:
    """Raise DataError where there are fewer rows than parameters, which no fit can tell."""
    if data.rows < row.space.size:
        rows = "1 row" if data.rows == 1 else f"{data.rows} rows"
        raise DataError(
            f"{rows} cannot tell {row.space.size} parameters ({listed(list(row.space.lengths))})",
            "give more rows, or fix parameters with --set",
        )


def check_rows(problem: FitProblem, row: RowModel, data: Rows, place: Place) -> None:
    """Raise DataError, naming the first row at fault, for weights and measured values that make no sense."""
    for column, least in ((problem.weights, "weight"), (problem.sigma, "standard deviation")):
        if column is None:
            continue
        bad, below = (_negative, "0 or more") if least == "weight" else (_not_positive, "above 0")
        for first, values in _cells_of(data, column):
            at = _first(values, bad)
            if at is not None:
                raise DataError(
                    f"{place(first + at)}: {column} = {values[at]:g}", f"a {least} is a number {below}"
                )
    if problem.loss in ("logistic", "poisson"):
        first, x = 0, [0.0] * row.space.size  # what is measured depends on no parameter
        seen: set[float] = set()
        for (response,) in RowObjective(replace(row, engine="auto"), data).vectors("response", x):
            if problem.loss == "poisson":
                _check_counts(response, first, place)
            else:
                _check_labels(response, first, place, seen)
            first += len(response)


def _cells_of(data: Rows, column: str) -> Iterator[tuple[int, Vector]]:
    """Yield the cells of a column piece by piece, with the number of the first: lists where they are at hand."""
    k = tuple(data.names).index(column)
    if data.lists is not None:
        yield 0, data.lists[k]
        return
    for first, arrays in data.chunks(PIECE):
        yield first, arrays[k]


def ranges_of(row: RowModel, data: Rows) -> dict[str, tuple[float, float]]:
    """Return from where to where the columns go that the formula of a model with ~ reads."""
    ends: dict[str, tuple[float, float]] = {}
    for name in read_by_formula(row):
        pieces = [extremes(values) for _, values in _cells_of(data, name)]
        ends[name] = min(low for low, _ in pieces), max(high for _, high in pieces)
    return ends


def read_by_formula(row: RowModel) -> list[str]:
    """Return the columns that the formula reads, none where there is no ~."""
    row = row.plain
    if row.response is None:
        return []
    reached = {row.graph.keys[i] for i in row.graph.reach([row.predictor])}
    return [name for name in row.columns if ("scalar", name) in reached]


def _first(values: Vector, bad: Callable[[Any], Any]) -> int | None:
    """Return the place of the first of the values that is ``bad``, a test of a number and of an array alike."""
    if isinstance(values, list):
        return next((i for i, value in enumerate(values) if bad(value)), None)
    found = bad(values)
    return int(found.argmax()) if found.any() else None


def _negative(values: Array) -> Array:
    return values < 0.0


def _not_positive(values: Array) -> Array:
    return values <= 0.0


def _no_count(values: Array) -> Any:
    return (values < 0.0) | (values % 1.0 != 0.0)


def _is_zero(values: Array) -> Any:
    return values == 0.0


def _is_minus_one(values: Array) -> Any:
    return values == -1.0


def _no_label(values: Array) -> Any:
    return (values != 0.0) & (abs(values) != 1.0)


def _check_counts(response: Vector, first: int, place: Place) -> None:
    """Counts are whole numbers from 0 on; ``response`` are those of the rows from number ``first`` on."""
    at = _first(response, _no_count)
    if at is not None:
        raise DataError(
            f"{place(first + at)}: {response[at]:g} is no count, and --loss poisson is for counts",
            "counts are the whole numbers 0, 1, 2, ...",
        )


def _check_labels(response: Vector, first: int, place: Place, seen: set[float]) -> None:
    """Labels are 0 and 1, or -1 and 1; ``seen`` are those of 0 and -1 that came before, and then here."""
    at = _first(response, _no_label)
    what = "both 0 and -1" if at is None else f"{response[at]:g}"
    new = {0.0: _first(response, _is_zero), -1.0: _first(response, _is_minus_one)}
    seen |= {label for label, there in new.items() if there is not None}
    if at is None and len(seen) > 1:
        at = max((there for there in new.values() if there is not None), default=None)
    if at is not None:
        raise DataError(
            f"{place(first + at)}: the labels of --loss logistic have {what} among them",
            "labels are 0 and 1, or -1 and 1",
        )


def check_start(problem: FitProblem, row: RowModel, data: Rows, x: Vector, place: Place) -> None:
    """Raise DomainError, naming the first row and the sub-expression at fault, where the start has no finite loss."""
    made = RowObjective(replace(row, engine="auto"), data)
    if isfinite(made.evaluate(made.vector(x)).value):
        return
    np = _numpy()
    for first, values in made.pieces("value", x):
        bad = ~np.isfinite(values[0])
        if bad.any():
            at = int(np.argmax(bad))
            raise _outside(problem, row, data, x, first + at, place)
    raise DomainError(
        "the sum of the losses at the start is too large to be a number", "start nearer with --start"
    )


def _outside(
    problem: FitProblem, row: RowModel, data: Rows, x: Vector, index: int, place: Place
) -> DomainError:
    """The error for one row: the first sub-expression of the model that is not finite there."""
    point: dict[str, Any] = {**problem.constants, **row.space.unflatten(x)}
    cells = _cells(data, index)
    point.update(cells)
    point.update({name: [cells[c] for c in columns] for name, columns in row.names.matrices.items()})
    told = ", ".join(f"{name} = {value:g}" for name, value in list(cells.items())[:4])
    for tree in row.model.trees:
        culprit = find_culprit(tree, point, problem.constants)
        if culprit is not None:
            return DomainError(
                f"the model has no finite value at the start for {place(index)} ({culprit.told or told})",
                "start inside the domain, for example with another --start",
                culprit.tree.span(culprit.node),
            )
    return DomainError(
        f"the loss of {place(index)} is not finite at the start ({told})",
        "start inside the domain, for example with another --start",
    )


def _cells(data: Rows, index: int) -> dict[str, float]:
    for first, arrays in data.chunks(PIECE):
        if index < first + len(arrays[0]):
            return {name: float(a[index - first]) for name, a in zip(data.names, arrays, strict=True)}
    raise IndexError(index)


def _numpy() -> Any:
    from gdcli.compile.runners import numpy

    return numpy()
