"""Groups of rows: those that have the same labels in some columns, whether they stand together or not.

    groups = Groups(["site", "year"])
    with gather(table, ["y", "x"], by=groups) as data: ...

While a table is read each row gets the number of its group; a row with a bad cell is a matter of its group, which is
remembered as faulty, and the others are read on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import maxsize
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.vectors import Array, np
from gdcli.language.model_text import no_column
from gdcli.table.blocks import Label, Labels, coded
from gdcli.table.cells import EXACT

_PLACES_TOLD = 10
_NOT_MET = (maxsize, 0)


class LeftOut(NamedTuple):
    """What is not used of a group: how many rows were skipped, where the first stand, or what was wrong with a row."""

    skipped: int = 0
    places: tuple[str, ...] = ()
    fault: DataError | None = None


class Groups:
    """The groups found so far: ``keys`` are their labels, one for each of ``columns``, by number.

    The numbers are in the order in which rows that are used were met; `ranked` tells the order of all rows. Groups that
    are ``known`` before come first.
    """

    def __init__(self, columns: Sequence[str], known: Iterable[tuple[Label, ...]] = ()) -> None:
        self.columns = tuple(columns)
        self.keys: list[tuple[Label, ...]] = []
        self.left_out: dict[int, LeftOut] = {}
        self._numbers: dict[tuple[Label, ...], int] = {}
        self._met: list[tuple[int, int]] = []  # the source and line where each was met first
        for key in known:
            self.number(key, _NOT_MET)

    def number(self, key: tuple[Label, ...], met: tuple[int, int]) -> int:
        """Return the number of the group with these labels, a row of which stands at ``met`` (source, line)."""
        found = self._numbers.setdefault(key, len(self.keys))
        if found == len(self.keys):
            self.keys.append(key)
            self._met.append(met)
        elif met < self._met[found]:
            self._met[found] = met
        return found

    def of(self, labels: Sequence[Labels], source: int, line: Callable[[int], int]) -> Array:
        """Return the group number (int64) of each row of a part; ``line`` gives that of a row's index."""
        codes, count = labels[0].codes, len(labels[0].values)
        if len(labels) > 1:
            for column in labels[1:]:
                codes = codes * len(column.values) + column.codes
            distinct, codes = np.unique(codes, return_inverse=True)
            codes, count = codes.reshape(-1), len(distinct)
        first = np.full(count, -1)
        first[codes[::-1]] = np.arange(len(codes))[::-1]  # of what is put in one place the last stays
        used = np.flatnonzero(first >= 0)
        used = used[np.argsort(first[used])]
        places = first[used].tolist()
        columns = [[column.values[c] for c in column.codes[places].tolist()] for column in labels]
        keys: Any = zip(*columns, strict=True)
        numbers = np.empty(count, dtype=np.int64)
        numbers[used] = [self.number(key, (source, line(at))) for key, at in zip(keys, places, strict=True)]
        found: Array = numbers[codes]
        return found

    def skip(self, key: tuple[Label, ...], met: tuple[int, int], place: str) -> None:
        number = self.number(key, met)
        before = self.left_out.get(number, LeftOut())
        places = (*before.places, place)[:_PLACES_TOLD]
        self.left_out[number] = before._replace(skipped=before.skipped + 1, places=places)

    def spoil(self, key: tuple[Label, ...], met: tuple[int, int], fault: Callable[[], DataError]) -> None:
        """Take notice of a row that is wrong; the first of a group is remembered."""
        number = self.number(key, met)
        if number not in self.left_out:
            self.left_out[number] = LeftOut(fault=fault())

    def first(self, number: int) -> tuple[int, int]:
        return self._met[number]

    @property
    def met(self) -> bool:
        return any(place != _NOT_MET for place in self._met)

    def check(self) -> None:
        if fault := next((left.fault for left in self.left_out.values() if left.fault), None):
            raise fault

    def ranked(self) -> list[int]:
        """Return the numbers of the groups in the order in which they appear in the data."""
        return sorted(range(len(self.keys)), key=self._met.__getitem__)

    def check_columns(self, names: Sequence[str], titles: Sequence[str] = ()) -> None:
        """Raise UsageError for columns that are none of these, or twice among those that group rows."""
        for k, column in enumerate(self.columns):
            if column not in names and column not in titles:
                raise no_column(column, names, "--by: ")
            if column in self.columns[:k]:
                raise UsageError(f"--by names {column} twice", "once is enough")

    def of_columns(self, given: Mapping[str, Any]) -> Array:
        """Return the group number (int64) of each row of columns at hand. Raises DataError for a row without one."""
        self.check_columns(list(given))
        labels = []
        for name in self.columns:
            labels.append(_labels(given[name]))
            if None in labels[-1].values:
                at = labels[-1].codes.tolist().index(labels[-1].values.index(None))
                raise DataError(f"row {at + 1} has no {name}", "each row must say to which group it belongs")
        if len({len(column.codes) for column in labels}) > 1:
            raise DataError("the columns are not arrays of one length")
        return self.of(labels, 0, lambda row: row)


def _labels(column: Any) -> Labels:
    from gdcli.table.typed_rows import as_label

    if not isinstance(column, np.ndarray):
        return coded(map(as_label, column))
    distinct, inverse = np.unique(column, return_inverse=True)
    if distinct.dtype.kind in "iuf" and (abs(distinct) < EXACT).all():
        return Labels((distinct + 0.0).tolist(), inverse.reshape(-1))
    found = coded(map(as_label, distinct.tolist()))
    return Labels(found.values, found.codes[inverse.reshape(-1)])
