"""Do the data fit the loss? Labels, counts, weights and standard deviations are looked at before anything is solved.

The digest of a fit are the numbers that its answer follows from, as they were read: by it a later run knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from operator import concat
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import DataError, DomainError
from gdcli.kernel.number_format import amount
from gdcli.kernel.vectors import Array, Vector, extremes, np
from gdcli.language.tree_names import all_nodes, name_of
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.request import FitProblem
from gdcli.tasks.problem import listed

if TYPE_CHECKING:
    from gdcli.language.interpreter import Culprit
    from gdcli.objective.batched_residuals import GroupedResiduals

# Where a row stands, in words: its number counts from 0.
Place = Callable[[int], str]


def check_count(row: RowModel, data: Rows) -> None:
    """Raise DataError where there are fewer rows than parameters, which no fit can tell."""
    if data.rows < row.space.size:
        raise DataError(
            f"{amount(data.rows, 'row')} cannot tell {row.space.size} parameters ({listed(list(row.space.lengths))})",
            "give more rows, or fix parameters with --set",
        )


def check_rows(problem: FitProblem, row: RowModel, data: Rows, place: Place) -> None:
    """Raise DataError, naming the first row at fault, for weights and measured values that make no sense."""
    objective = RowObjective(replace(row, engine="auto"), data)
    for column, least in ((problem.weights, "weight"), (problem.sigma, "standard deviation")):
        if column is None:
            continue
        kind, allowed = ("negative", "0 or more") if least == "weight" else ("not positive", "above 0")
        for row_number, value in objective.over(_first_cells, _together, column, kind).found.values():
            told = f"{place(row_number)}: {column} = {value:g}"
            raise DataError(told, f"a {least} is a number {allowed}")
        if least == "weight" and not objective.over(_first_cells, _together, column, "positive").found:
            raise DataError(f"the weights ({column}) are 0 in all rows", "rows count by weights above 0")
    if problem.trials is not None:
        _check_trials(objective, problem.trials, place)
    if problem.loss in ("poisson", "negative-binomial"):
        _check_responses(objective, place, "no count", problem.loss)
    elif problem.loss == "gamma":
        _check_responses(objective, place, "not positive", problem.loss)
    elif problem.loss == "logistic":
        _check_labels(objective, place)


class _Firsts(NamedTuple):
    """What was looked for among so many ``rows``: by kind the first row that is one, and its value."""

    rows: int
    found: dict[str, tuple[int, float]]


def _together(one: _Firsts, other: _Firsts) -> _Firsts:
    """Return what was found in rows that follow each other."""
    behind = {kind: (one.rows + row, value) for kind, (row, value) in other.found.items()}
    return _Firsts(one.rows + other.rows, behind | one.found)


def _first_cells(objective: RowObjective, column: str, kind: str) -> _Firsts:
    return _firsts(objective, cells_of(objective.data, column), (kind,))


def _first_responses(objective: RowObjective, kinds: Sequence[str]) -> _Firsts:
    """Look for measured values of some kinds; they depend on no parameter."""
    first, responses = 0, list[tuple[int, Vector]]()
    for (response,) in objective.vectors("response", [0.0] * objective.size):
        responses.append((first, response))
        first += len(response)
    return _firsts(objective, responses, kinds)


def _firsts(objective: RowObjective, pieces: Iterable[tuple[int, Vector]], kinds: Sequence[str]) -> _Firsts:
    found: dict[str, tuple[int, float]] = {}
    for first, values in pieces:
        for kind in kinds:
            at = None if kind in found else _first(values, _KINDS[kind])
            if at is not None:
                found[kind] = first + at, float(values[at])
        if len(found) == len(kinds):
            break
    return _Firsts(objective.data.rows, found)


def cells_of(data: Rows, column: str) -> Iterator[tuple[int, Vector]]:
    """Yield the cells of a column piece by piece, with the number of the first: lists where they are at hand."""
    k = tuple(data.names).index(column)
    if data.lists is not None:
        yield 0, data.lists[k]
        return
    for first, arrays in data.chunks(PIECE):
        yield first, arrays[k]


def ranges_of(row: RowModel, data: Rows) -> dict[str, tuple[float, float]]:
    """Return from where to where the columns go that the formula of a model with ~ reads."""
    names = read_by_formula(row)
    ends: list[_Ends] = RowObjective(row, data).over(_ends_of, _widened, names)
    return dict(zip(names, ends, strict=True))


_Ends = tuple[float, float]


def _ends_of(objective: RowObjective, names: Sequence[str]) -> list[_Ends]:
    found: list[_Ends] = []
    for name in names:
        lows, highs = zip(*(extremes(values) for _, values in cells_of(objective.data, name)), strict=True)
        found.append((min(lows), max(highs)))
    return found


def _widened(one: Sequence[_Ends], other: Sequence[_Ends]) -> list[_Ends]:
    return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True)]


def group_ranges(row: RowModel, residuals: GroupedResiduals) -> dict[str, tuple[Array, Array]]:
    columns = {name: residuals.columns[row.columns.index(name)] for name in read_by_formula(row)}
    return {name: (column.min(axis=0), column.max(axis=0)) for name, column in columns.items()}


def read_by_formula(row: RowModel) -> list[str]:
    """Return the columns that the formula reads, none where there is no ~."""
    row = row.plain
    return [] if row.response is None else row.read_by(row.predictor)


def over_of(row: RowModel, but: Sequence[str] = ()) -> str | None:
    """Return the one column on which what the model says depends, None for several or none; not those in ``but``."""
    assert row.plain.fitted is not None
    found = [name for name in row.plain.read_by(row.plain.fitted) if name not in but]
    return found[0] if len(found) == 1 else None


def _first(values: Vector, bad: Callable[[Any], Any]) -> int | None:
    """Return the place of the first of the values that is ``bad``, a test of a number and of an array alike."""
    if isinstance(values, list):
        return next((i for i, value in enumerate(values) if bad(value)), None)
    found = bad(values)
    return int(found.argmax()) if found.any() else None


# What cells may be: tests of numbers and of arrays alike.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "negative": lambda values: values < 0.0,
    "positive": lambda values: values > 0.0,
    "not positive": lambda values: values <= 0.0,
    "no count": lambda values: (values < 0.0) | (values % 1.0 != 0.0),
    "no label": lambda values: (values != 0.0) & (abs(values) != 1.0),
    "zero": lambda values: values == 0.0,
    "minus one": lambda values: values == -1.0,
}


# What cells are that are not of their kind, what the loss is for, and what to do.
_WRONG = {
    "no count": ("is no count", "counts", "counts are the whole numbers 0, 1, 2, ..."),
    "not positive": ("is not positive", "positive numbers", "leave the row out, or take another loss"),
}


def _check_responses(objective: RowObjective, place: Place, kind: str, loss: str) -> None:
    what, wanted, hint = _WRONG[kind]
    for row, value in objective.over(_first_responses, _together, (kind,)).found.values():
        raise DataError(f"{place(row)}: {value:g} {what}, and --loss {loss} is for {wanted}", hint)


def _check_trials(objective: RowObjective, name: str, place: Place) -> None:
    """Raise DataError for trials and successes that are no whole numbers, and for more successes than trials."""
    trials = objective.over(_first_cells, _together, name, "no count")
    successes = objective.over(_first_responses, _together, ("no count",))
    for what, told, seen in (("trials", f"{name} = ", trials), ("successes", "", successes)):
        for row, value in seen.found.values():
            text = f"{place(row)}: {told}{value:g} is no number of {what}"
            raise DataError(text, f"{what} are whole numbers from 0 on")
    for row, value in objective.over(_first_excess, _together, name).found.values():
        raise DataError(
            f"{place(row)}: there are {-value:g} more successes than trials ({name})",
            "the left side of the model counts successes, --trials names the column of all trials",
        )


def _first_excess(objective: RowObjective, trials: str) -> _Firsts:
    most = [float(n) for _, cells in cells_of(objective.data, trials) for n in cells]
    measured = [float(y) for (r,) in objective.vectors("response", [0.0] * objective.size) for y in r]
    more = [y - n for y, n in zip(measured, most, strict=True)]
    return _firsts(objective, [(0, [-m for m in more])], ("negative",))


def _check_labels(objective: RowObjective, place: Place) -> None:
    """Labels are 0 and 1, or -1 and 1."""
    firsts = objective.over(_first_responses, _together, ("no label", "zero", "minus one"))
    found = dict[str, tuple[int, float]](firsts.found)
    if "no label" in found:
        row, value = found["no label"]
        what = f"{value:g}"
    elif len(found) == 2:
        row, what = max(row for row, _ in found.values()), "both 0 and -1"
    else:
        return
    raise DataError(
        f"{place(row)}: the labels of --loss logistic have {what} among them",
        "labels are 0 and 1, or -1 and 1",
    )


def check_start(problem: FitProblem, row: RowModel, data: Rows, x: Vector, place: Place) -> None:
    """Raise DomainError, naming the first row and the sub-expression at fault, where the start has no finite loss."""
    made = RowObjective(replace(row, engine="auto"), data)
    if isfinite(made.evaluate(made.vector(x)).value):
        return
    bad: _Bad | None = made.over(_bad_row, _first_bad, tuple(x)).bad
    if bad is not None:
        raise _outside(problem, row, bad, x, place)
    raise DomainError(
        "the sum of the losses at the start is too large to be a number", "start nearer with --start"
    )


_INSIDE = "start inside the domain, for example with another --start"


class _Bad(NamedTuple):
    """A row whose loss is not finite: its number and its cells."""

    row: int
    cells: dict[str, float]


class _Seen(NamedTuple):
    rows: int
    bad: _Bad | None


def _bad_row(objective: RowObjective, x: Sequence[float]) -> _Seen:
    data = objective.data
    for first, values in objective.pieces("value", x):
        bad = ~np.isfinite(values[0])
        if bad.any():
            at = first + int(np.argmax(bad))
            return _Seen(data.rows, _Bad(at, _cells(data, at)))
    return _Seen(data.rows, None)


def _first_bad(one: _Seen, other: _Seen) -> _Seen:
    behind = None if other.bad is None else other.bad._replace(row=one.rows + other.bad.row)
    return _Seen(one.rows + other.rows, one.bad or behind)


def _outside(problem: FitProblem, row: RowModel, bad: _Bad, x: Vector, place: Place) -> DomainError:
    """The error for one row: the first sub-expression of the model that is not finite there."""
    point: dict[str, Any] = {**problem.constants, **row.space.unflatten(x)}
    index, cells = bad
    point.update(cells)
    point.update({name: [cells[c] for c in columns] for name, columns in row.names.matrices.items()})
    told = ", ".join(f"{name} = {value:g}" for name, value in list(cells.items())[:4])
    from gdcli.language.interpreter import find_culprit  # only an error needs it

    for tree in row.model.trees:
        culprit = find_culprit(tree, point, problem.constants)
        if culprit is not None:
            return DomainError(
                f"the model has no finite value at the start for {place(index)} ({culprit.told or told})",
                _way_out(culprit, cells, problem.constants),
                culprit.tree.span(culprit.node),
            )
    return DomainError(f"the loss of {place(index)} is not finite at the start ({told})", _INSIDE)


def _way_out(culprit: Culprit, cells: Mapping[str, float], constants: Mapping[str, Any]) -> str:
    names = [name for node in all_nodes(culprit.node) if (name := name_of(node)) and name not in constants]
    if not names or any(name not in cells for name in names):
        return _INSIDE
    return f"no parameter changes that: leave such rows out, as in --rows '{names[0]} > {cells[names[0]]:g}'"


def _cells(data: Rows, index: int) -> dict[str, float]:
    for first, arrays in data.chunks(PIECE):
        if index < first + len(arrays[0]):
            return {name: float(a[index - first]) for name, a in zip(data.names, arrays, strict=True)}
    raise IndexError(index)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def digest(problem: FitProblem, row: RowModel, data: Rows) -> str:
    """Return the SHA-256 of the columns and of the start, as ``sha256:...``; it takes one pass over the data.

    Of partitions it is the SHA-256 of theirs.
    """
    import hashlib

    found = hashlib.sha256(repr((data.names, data.rows)).encode())
    found.update(np.array(row.space.flatten(problem.start), dtype=float).tobytes())
    if data.parts is None:
        _put(found, data)
    else:
        for part in RowObjective(row, data).over(_digest_here, concat):
            found.update(part)
    return f"sha256:{found.hexdigest()}"


def _put(found: _Hash, data: Rows) -> None:
    for _, arrays in data.chunks(PIECE):
        for array in arrays:
            found.update(np.ascontiguousarray(array).tobytes())


def _digest_here(objective: RowObjective) -> list[bytes]:
    import hashlib

    found = hashlib.sha256()
    _put(found, objective.data)
    return [found.digest()]
