"""What every kind of source gives: parts of a table, row after row, with the line that each row stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.vectors import Array, np

# What a cell of a column that names groups says: a number, or a text.
Label = str | float


class BadRow(NamedTuple):
    """A row that cannot be used: its line, what is wanted of it as far as it is known, and what is wrong.

    A number that is none is nan, a missing label None; of a row that has not as many cells as the header all are.
    """

    line: int
    values: Sequence[float]
    labels: Sequence[Label | None]
    fault: Callable[[], DataError]


# Called for each row that is left out.
Skip = Callable[[BadRow], None]


class Labels(NamedTuple):
    """A column of labels: the distinct ``values``, in order of first appearance, and each used row's index among them.

    ``codes`` is an int64 array (used rows,). A missing label is None; no used row has it.
    """

    values: list[Label | None]
    codes: Array


# What columns without names are called, with their numbers behind it.
UNNAMED = "col"
# Up to so many rows a column may be a list: numpy need not be imported for them.
LISTED = 2000


def listed(arrays: list[Array]) -> list[Array] | list[list[float]]:
    """Return short columns as lists: what is computed of few rows does not depend on where they are from."""
    return [array.tolist() for array in arrays] if len(arrays[0]) <= LISTED else arrays


class RowBlock(NamedTuple):
    """Rows in a piece. ``columns`` has a float64 array (used rows,) per wanted column, in the order wanted.

    A part of few rows (`LISTED`) may have lists of floats in their place.

    ``lines`` is the line of the first used row where the others follow line by line, else an int64 array with
    the line of each. Where the text was asked for, ``text`` has that of every row, used or not, and ``used`` a
    truth value for each; None says that all are used. ``labels`` has a `Labels` for each column of labels; ``groups``
    the number of each row's group (int64) where a table groups rows.
    """

    columns: list[Array] | list[list[float]]
    lines: int | Array
    text: list[str] | None = None
    used: list[bool] | None = None
    labels: Sequence[Labels] = ()
    groups: Array | None = None

    @property
    def rows(self) -> int:
        return len(self.columns[0]) if self.columns else len(self.labels[0].codes)

    def line(self, index: int) -> int:
        return self.lines + index if isinstance(self.lines, int) else int(self.lines[index])


# What makes of a decimal comma a decimal point, and of a point something that is in no number; and back.
SWAPPED = str.maketrans(",.", ".,")
SWAPPED_BYTES = bytes.maketrans(b",.", b".,")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is told of how files are laid out.

    ``names`` are those of the columns, where they are not to be those in the file. ``header`` is False where the first
    line is a row, None where that is to be found out. ``decimal`` is the mark in numbers, ``sheet`` that of a workbook.
    """

    names: tuple[str, ...] = ()
    header: bool | None = None
    decimal: str = "."
    sheet: str | None = None

    def check(self) -> None:
        if self.decimal not in (".", ","):
            raise UsageError(
                f"--decimal is . or , and not {self.decimal}", "--decimal , reads 1,5 as one and a half"
            )
        for name in self.names:
            if not name.isidentifier():
                raise UsageError(
                    f"--columns: {name or 'nothing'} is no name", "for example --columns x,y,sigma"
                )
            if self.names.count(name) > 1:
                raise UsageError(f"--columns names {name} twice", "each column has a name of its own")


PLAIN = Layout()


class Marks(NamedTuple):
    """What parts the cells of a file, and what stands before the decimals of its numbers."""

    delimiter: str
    decimal: str = "."


class TextRow(NamedTuple):
    """A row as it stands: the number of its first line, its text without the line end, its cells."""

    line: int
    text: str
    cells: Sequence[str]


class Kept(NamedTuple):
    """A row that is used: its numbers and its labels, in the order wanted."""

    values: list[float]
    labels: list[Label]


class Wanted(NamedTuple):
    """What is read of a source: columns of numbers and of labels, by index, and with ``text`` the rows as they stand.

    ``skip`` is called for each row that is left out; without it such a row is an error.
    """

    numbers: Sequence[int]
    skip: Skip | None
    text: bool = False
    labels: Sequence[int] = ()

    def kept(
        self, values: list[float], keys: list[Label | None], line: int, fault: Callable[[int], DataError]
    ) -> Kept | None:
        """Return a row that is used, None for one that is left out: a value is nan, or a key missing.

        ``fault`` tells what is wrong in the first such column, by index.
        """
        known = [key for key in keys if key is not None]
        whole = len(known) == len(keys)
        if whole and all(value == value for value in values):
            return Kept(values, known)

        def first() -> DataError:
            bad = [i for i, value in zip(self.numbers, values, strict=True) if value != value]
            return fault(min(bad + [i for i, key in zip(self.labels, keys, strict=True) if key is None]))

        if self.skip is None:
            raise first()
        self.skip(BadRow(line, values, keys, first))
        return None


class Cells(NamedTuple):
    """Some rows: float64 arrays (rows,) of the columns of numbers, nan where missing, and `Labels` of the others."""

    numbers: Mapping[str, Array]
    texts: Mapping[str, Labels]
    rows: int

    def where(self, kept: Array) -> Cells:
        """Return those of the rows that are ``kept``, a truth value for each."""
        if kept.all():
            return self
        texts = {name: each._replace(codes=each.codes[kept]) for name, each in self.texts.items()}
        return Cells({name: each[kept] for name, each in self.numbers.items()}, texts, int(kept.sum()))


class KeptRows:
    """Rows that are read one by one, and become a block."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._kept: list[Kept] = []
        self._lines: list[int] = []
        self._text: list[str] = []
        self._used: list[bool] = []

    def add(self, kept: Kept | None, line: int, text: str) -> None:
        if kept is not None:
            self._kept.append(kept)
            self._lines.append(line)
        if self._wanted.text:
            self._text.append(text)
            self._used.append(kept is not None)

    def block(self) -> RowBlock:
        numbers, labels, text = range(len(self._wanted.numbers)), self._wanted.labels, self._wanted.text
        table = np.array([row.values for row in self._kept], dtype=np.float64).reshape(
            len(self._kept), len(numbers)
        )
        return RowBlock(
            [np.ascontiguousarray(table[:, i]) for i in numbers],
            np.array(self._lines, dtype=np.int64),
            self._text if text else None,
            self._used if text else None,
            [coded(row.labels[i] for row in self._kept) for i in range(len(labels))],
        )


class Source:
    """One file or pipe of a table: `text`, `objects` and `columnar` have one each."""

    name: str
    kind: str  # csv, jsonl, columnar, or columns at hand
    titles: tuple[str, ...]
    header: str = ""  # the text that names the columns, empty where none does
    header_line: int = 0
    delimiter: str = ""  # of the cells in a row's text, empty where there are none
    units: str = ""  # the text of a row of units below it
    first: tuple[str, ...]  # the cells of the first row, texts alone
    decimal: str = "."  # the mark in numbers
    progress: tuple[int, int] = (0, 0)  # bytes read so far, of how many; zeros where nobody knows
    comments: Sequence[int] = ()  # lines that are such

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out of it, in sentences."""
        return ()

    def parts(self, wanted: Wanted) -> Iterator[RowBlock]:
        """Read what is wanted from the first row on."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open between rows."""


def coded(keys: Iterable[Label | None]) -> Labels:
    index: dict[Label | None, int] = {}
    codes = [index.setdefault(key, len(index)) for key in keys]
    return Labels(list(index), np.array(codes, dtype=np.int64))


CHUNK = 1 << 14  # rows


class Columns:
    """Columns of numbers of one length: ``names``, ``rows``, ``in_memory``. Use it in a ``with``, or close it.

    What its methods give is valid until the next call; copy what must last.
    """

    in_memory = True
    lists: Sequence[list[float]] | None = None
    parts: None = None  # see `objective.row_model.Rows`

    def __init__(self, names: Sequence[str], columns: Sequence[Array] | Sequence[list[float]]) -> None:
        """``columns`` are arrays, float64, or lists of floats, which are made arrays when somebody asks for these."""
        self.names = tuple(names)
        self.rows = len(columns[0])
        self._columns: Sequence[Any] = list(columns)
        if isinstance(columns[0], list):
            self.lists = self._columns

    def __enter__(self) -> Columns:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        self._columns, self.lists = [], None

    @property
    def _arrays(self) -> list[Array]:
        if self.lists is not None and self._columns is self.lists:
            self._columns = [np.array(column, dtype=np.float64) for column in self.lists]
        return list(self._columns)

    def take(self, start: int, stop: int) -> list[Array]:
        return [array[start:stop] for array in self._arrays]

    def pick(self, rows: Array) -> list[Array]:
        """Return the rows with these numbers (int64), in this order, of every column."""
        return [array[rows] for array in self._arrays]

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[int, list[Array]]]:
        """Go through all rows as they stand, in pieces of ``size`` rows; see `shuffle.Order` for other orders.

        Yields (how many rows came before, one array per column); the last piece may be shorter.
        """
        for start in range(0, self.rows, size):
            budget.check()
            yield start, self.take(start, min(start + size, self.rows))

    def ahead(self, size: int) -> int:
        """Return how many rows to pick at a time, a multiple of ``size``, where they lie far apart."""
        return size


def columns_of(given: Mapping[str, Any]) -> Columns:
    """Return columns at hand as such. Raises DataError for what is no table of finite numbers."""
    if not given:
        raise DataError("there are no columns", 'data are columns by name: {"x": [1, 2], "y": [3, 4]}')
    arrays = []
    for name, column in given.items():
        try:
            arrays.append(np.ascontiguousarray(column, dtype=float))
        except (TypeError, ValueError) as fault:
            raise DataError(f"the column {name} is no list of numbers: {fault}") from None
    lengths = {array.shape for array in arrays}
    if len(lengths) != 1 or arrays[0].ndim != 1 or not len(arrays[0]):
        shapes = [f"{name} has shape {array.shape}" for name, array in zip(given, arrays, strict=True)]
        raise DataError("the columns are not arrays of one length", ", ".join(shapes[:8]))
    for name, array in zip(given, arrays, strict=True):
        finite = np.isfinite(array)
        if not finite.all():
            at = int(np.argmin(finite))
            raise DataError(f"row {at + 1} has {name} = {array[at]:g}", "data are finite numbers")
    return Columns(tuple(given), listed(arrays))
