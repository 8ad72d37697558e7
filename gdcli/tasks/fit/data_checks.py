"""Do the data fit the loss? Labels, counts, weights and standard deviations are looked at before anything is solved."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, DomainError
from gdcli.language.interpreter import find_culprit
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.request import FitProblem
from gdcli.tasks.problem import listed

_LABELS = ({0.0, 1.0}, {-1.0, 1.0})


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
        k = tuple(data.names).index(column)
        for first, arrays in data.chunks(PIECE):
            values = arrays[k]
            bad = values < 0 if least == "weight" else values <= 0
            if bad.any():
                at = int(bad.argmax())
                below = "0 or more" if least == "weight" else "above 0"
                raise DataError(
                    f"{place(first + at)}: {column} = {values[at]:g}", f"a {least} is a number {below}"
                )
    if problem.loss in ("logistic", "poisson"):
        _check_response(problem, row, data, place)


def _check_response(problem: FitProblem, row: RowModel, data: Rows, place: Place) -> None:
    """Labels are 0 and 1 or -1 and 1, counts are whole numbers from 0 on."""
    np = _numpy()
    x = [0.0] * row.space.size  # what is measured depends on no parameter
    seen: set[float] = set()
    for first, values in RowObjective(row, data).pieces("response", x):
        response = values[0]
        if problem.loss == "poisson":
            bad = ~((response >= 0) & (response == np.floor(response)))
            if bad.any():
                at = int(np.argmax(bad))
                raise DataError(
                    f"{place(first + at)}: {response[at]:g} is no count, and --loss poisson is for counts",
                    "counts are the whole numbers 0, 1, 2, ...",
                )
            continue
        if any(seen <= labels and _only(response, labels) for labels in _LABELS):
            seen |= {float(v) for v in (response.min(), response.max())}
            continue
        new = {float(v) for v in np.unique(response)[:4]}
        if not any(seen | new <= labels for labels in _LABELS):
            wrong = next((v for v in new if v not in (-1.0, 0.0, 1.0)), None)
            what = "both 0 and -1" if wrong is None else f"{wrong:g}"
            at = first + (0 if wrong is None else int(np.argmax(response == wrong)))
            raise DataError(
                f"{place(at)}: the labels of --loss logistic have {what} among them",
                "labels are 0 and 1, or -1 and 1",
            )
        seen |= new


def _only(values: Any, labels: set[float]) -> bool:
    one, other = labels
    return bool(((values == one) | (values == other)).all())


def check_start(problem: FitProblem, row: RowModel, data: Rows, x: Any, place: Place) -> None:
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


def _outside(problem: FitProblem, row: RowModel, data: Rows, x: Any, index: int, place: Place) -> DomainError:
    """The error for one row: the first sub-expression of the model that is not finite there."""
    point: dict[str, Any] = {**problem.constants, **row.space.unflatten(x)}
    cells = _cells(data, index)
    point.update(cells)
    point.update({name: [cells[c] for c in columns] for name, columns in row.names.matrices.items()})
    told = ", ".join(f"{name} = {value:g}" for name, value in list(cells.items())[:4])
    for tree in row.model.trees:
        culprit = find_culprit(tree, point, problem.constants)
        if culprit is not None:
            parts = ", ".join(f"{text} = {number:.6g}" for text, number in culprit.parts)
            return DomainError(
                f"the model has no finite value at the start for {place(index)} ({parts or told})",
                "start inside the domain, for example with another --start",
                tree.span(culprit.node),
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
