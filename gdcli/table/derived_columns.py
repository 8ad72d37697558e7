"""Columns that are computed from those of a table, and tests of its rows, block by block.

A recipe tells which columns of numbers and of labels it reads, and makes a column of them. All ways to read a table
give the same numbers and labels, so that what is derived of them has the same bits as a column of the file would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.compile.runners import batch_function
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import np
from gdcli.language import form
from gdcli.language.functions import CONSTANTS
from gdcli.language.graph import RELATIONS, Graph
from gdcli.language.model_text import no_column
from gdcli.language.row_condition import Compared, Joined, Said, Test, parts_of
from gdcli.language.syntax import parse
from gdcli.language.tree_names import check_calls, place_of_name
from gdcli.table.number_cells import label

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.language.syntax import Tree
    from gdcli.table.blocks import Labels


class Cells(NamedTuple):
    """Some rows: float64 arrays (rows,) of the columns of numbers, nan where missing, and `Labels` of the others."""

    numbers: Mapping[str, ndarray]
    texts: Mapping[str, Labels]
    rows: int

    def where(self, kept: ndarray) -> Cells:
        """Return those of the rows that are ``kept``, a truth value for each."""
        if kept.all():
            return self
        texts = {name: each._replace(codes=each.codes[kept]) for name, each in self.texts.items()}
        return Cells({name: each[kept] for name, each in self.numbers.items()}, texts, int(kept.sum()))


class Recipe(Protocol):
    """How a column is made: ``numbers`` and ``texts`` are the names of the columns that are read for it."""

    @property
    def numbers(self) -> tuple[str, ...]: ...
    @property
    def texts(self) -> tuple[str, ...]: ...
    def of(self, cells: Cells) -> ndarray:
        """Return the column, float64 (rows,); what is not finite is a fault of its row."""

    def fault(self, cells: Mapping[str, Any]) -> str:
        """Return what is wrong in a row whose number is not finite, by the names of the columns that were read."""


class Moments(Recipe, Protocol):
    def number(self, cell: str | float) -> float:
        """Return the number that a cell is, nan where it is no such date."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of columns and ``constants``. ``program`` is of arrays in the order of ``numbers``."""

    text: str
    numbers: tuple[str, ...]
    constants: Mapping[str, Any]
    program: Callable[[Sequence[Any]], Sequence[Any]]
    texts: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _expression_of, (self.text, self.numbers, self.constants)

    def of(self, cells: Cells) -> ndarray:
        with np.errstate(all="ignore"):
            (found,) = self.program([cells.numbers[name] for name in self.numbers])
        whole: ndarray = np.broadcast_to(np.asarray(found, dtype=np.float64), cells.rows).copy()
        return whole

    def fault(self, cells: Mapping[str, Any]) -> str:
        given = ", ".join(f"{used} = {cells[used]:g}" for used in self.numbers[:4])
        return f"{self.text} is not finite{f', with {given}' if given else ''}"


def expression(tree: Tree, columns: Sequence[str], constants: Mapping[str, Any] | None = None) -> Expression:
    """Return how an expression of ``columns`` is computed. Raises UsageError, with the place, for other names."""
    given = {name: value for name, value in (constants or {}).items() if name in tree.names}
    check_calls(tree, (*columns, *given))
    for name in tree.names:
        if name not in columns and name not in given and name not in CONSTANTS:
            raise no_column(name, columns, "", place_of_name([tree], name))
    used = tuple(name for name in tree.names if name in columns)
    graph = Graph()
    root = form.build_row(tree, graph, dict.fromkeys(used), given, {})
    return Expression(
        tree.piece(tree.root),
        used,
        given,
        batch_function(graph, [root], {("scalar", name): i for i, name in enumerate(used)}),
    )


def _expression_of(text: str, columns: Sequence[str], constants: Mapping[str, Any]) -> Expression:
    return expression(parse(text), columns, constants)


# What a test says of each row, (rows,) each: it holds, it does not. Neither, where a cell is missing that decides.
Verdict = tuple["ndarray", "ndarray"]


class Condition:
    """A test of rows in the logic of three values (Kleene): what is missing need not be known where it does not matter.

    Its ``columns`` are the names of those that there are. Raises UsageError, with the place, for others.
    """

    def __init__(
        self, test: Test, columns: Sequence[str], dates: Mapping[str, Moments] | None = None
    ) -> None:
        self._test, self._dates = test, dates or {}
        self._sides: dict[int, tuple[Expression, Expression]] = {}
        numbers, texts = dict[str, None](), dict[str, None]()
        for part in parts_of(test):
            if isinstance(part, Compared):
                sides = expression(part.left, columns), expression(part.right, columns)
                self._sides[id(part)] = sides
                numbers.update(dict.fromkeys((*sides[0].numbers, *sides[1].numbers)))
            else:
                date = self._dates.get(part.column)
                _check_said(part, columns, date)
                (texts if date is None else numbers)[part.column] = None
        self.numbers, self.texts = tuple(numbers), tuple(texts)

    def __reduce__(self) -> tuple[Any, ...]:
        return Condition, (self._test, (*self.numbers, *self.texts), self._dates)

    def of(self, cells: Cells) -> Verdict:
        return self._of(self._test, cells)

    def _of(self, test: Test, cells: Cells) -> Verdict:
        if isinstance(test, Joined):
            found = [self._of(part, cells) for part in test.tests]
            if test.how == "not":
                return found[0][1], found[0][0]
            both = test.how == "and"
            holds, fails = found[0]
            for more, less in found[1:]:
                holds, fails = (holds & more, fails | less) if both else (holds | more, fails & less)
            return holds, fails
        if isinstance(test, Compared):
            left, right = (side.of(cells) for side in self._sides[id(test)])
            return _compared(test.symbol, left, right)
        date = self._dates.get(test.column)
        return (
            _said(test, cells)
            if date is None
            else _compared(test.symbol, cells.numbers[test.column], date.number(test.text))
        )


def _compared(symbol: str, left: ndarray, right: ndarray | float) -> Verdict:
    known = ~(np.isnan(left) | np.isnan(right))
    holds: ndarray = RELATIONS[symbol](left, right)
    return holds & known, ~holds & known


def _check_said(test: Said, columns: Sequence[str], date: Moments | None) -> None:
    if test.column not in columns:
        raise no_column(test.column, columns, "", test.span)
    if date is not None:
        if not math.isfinite(date.number(test.text)):
            raise UsageError(
                f'"{test.text}" is no date as {test.column} has them', "for example 2024-01-31", test.span
            )
        return
    if test.symbol not in ("==", "!="):
        hint = f'texts are alike or not: {test.column} == "{test.text}"; numbers stand without quotes'
        raise UsageError(f"{test.symbol} compares numbers, and here is a text", hint, test.span)


def _said(test: Said, cells: Cells) -> Verdict:
    labels, wanted = cells.texts[test.column], label(test.text)
    alike = np.array([value == wanted for value in labels.values], dtype=bool)
    # Whether a cell is missing can be told of every cell: group != "NA".
    known = np.array([value is not None or wanted is None for value in labels.values], dtype=bool)
    if test.symbol == "!=":
        alike = ~alike
    if not len(alike):
        nothing = np.zeros(cells.rows, dtype=bool)
        return nothing, nothing
    return (alike & known)[labels.codes], (~alike & known)[labels.codes]
