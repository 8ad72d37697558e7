"""Parquet and Arrow files, through polars, a slice of rows at a time.

Numbers of any width become float64, true and false 1 and 0. A null or nan is missing. Other kinds of column
(text, dates) can be in the file but not in a model. Places are row numbers, from 1. Of a Parquet file only
the row groups and columns that are wanted are in memory; an Arrow file is mapped. Parts of files,
and files at URLs, are read by their groups (of a Parquet file row groups, of an Arrow file record batches), by pyarrow.
"""

from __future__ import annotations

import io
import math
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import np
from gdcli.table.blocks import Label, Labels, RowBlock, Source, Wanted
from gdcli.table.cells import SKIP
from gdcli.table.delimited_text import missing, relabelled, runs
from gdcli.table.streams import Cut, is_url, opened, size_of
from gdcli.table.typed_rows import as_label
from gdcli.table.urls import told

_ROWS = 1 << 18  # rows in a slice


class Columnar(Source):
    kind = "columnar"
    header_line = 1
    delimiter = ","

    def __init__(self, path: str, start: bytes, cut: Cut | None = None) -> None:
        self.name, self._cut = path, cut
        self._parquet = start.startswith(b"PAR1")
        if start.startswith(b"FEA1"):
            raise DataError(
                f"{path} is a file of the old Feather format", "write it as Feather 2 (Arrow) or Parquet"
            )
        with told(path, DataError):
            import polars  # noqa: F401
        self.groups = ColumnarGroups(path, self._parquet)
        self._schema: dict[str, Any] = self._asked(
            lambda: dict((self._lazy(self.groups.empty()) if is_url(path) else self._scan()).collect_schema())
        )
        self._columns = list(self._schema)
        self.titles = tuple(unicodedata.normalize("NFKC", name.strip()) for name in self._columns)

    @cached_property  # of the first file alone it is asked
    def first(self) -> tuple[str, ...]:  # type: ignore[override]
        """The cells of the first row that are texts or dates."""
        import polars as pl

        kinds = (pl.Date, pl.Datetime, pl.Time, pl.String)
        texts = [name for name, kind in self._schema.items() if kind in kinds]
        if not texts:
            return ("",) * len(self._columns)
        picked = [pl.col(name).cast(pl.String) for name in texts]
        columns = [self._columns.index(name) for name in texts]
        _, frame = next(self._slices(picked, columns, None, 1), (0, None))
        found = {} if frame is None else frame.row(0, named=True)
        return tuple(found.get(name) or "" for name in self._columns)

    def _scan(self) -> Any:
        import polars as pl

        path = os.path.abspath(self.name)  # not an address of anything else
        return (pl.scan_parquet if self._parquet else pl.scan_ipc)(path, glob=False)

    def _lazy(self, found: Any) -> Any:
        import polars as pl

        return self._asked(lambda: pl.from_arrow(found).lazy())

    def _asked(self, ask: Callable[[], Any]) -> Any:
        import polars as pl

        try:
            with _without_panics():
                return ask()
        except (pl.exceptions.PolarsError, OSError) as fault:
            raise DataError(f"cannot read {self.name}: {str(fault).partition(chr(10))[0]}") from None
        except pl.exceptions.PanicException:  # no Exception: some files that are broken end the reader
            raise DataError(
                f"cannot read {self.name}: it is broken, or has what polars cannot read",
                "write it anew, or as csv",
            ) from None

    def _check_numbers(self, wanted: Sequence[int]) -> None:
        import polars as pl

        for i in wanted:
            kind = self._schema[self._columns[i]]
            if not (kind.is_numeric() or kind == pl.Boolean):
                told = f"{self.name}: column {self.titles[i]} has {kind}, not numbers"
                raise DataError(
                    told, "write it as numbers where the file is made, or leave it out of the model"
                )

    def parts(self, wanted: Wanted) -> Iterator[RowBlock]:
        """Yield the rows in slices. The text of a row is its wanted cells with commas between them."""
        import polars as pl

        labels, text = wanted.labels, wanted.text
        self._check_numbers(wanted.numbers)
        names = [self._columns[i] for i in wanted.numbers]
        unique = list(dict.fromkeys(names))
        picked = [pl.col(name).cast(pl.Float64) for name in unique]
        picked += [self._label(i).alias(f"label {k}") for k, i in enumerate(labels)]
        for start, frame in self._slices(picked, sorted({*wanted.numbers, *labels}), self._cut):
            found = {name: frame[name].to_numpy() for name in unique}
            keys = [relabelled(runs(frame[f"label {k}"]), as_label) for k in range(len(labels))]
            sound = np.ones(frame.height, dtype=bool)
            for part in (*map(np.isfinite, found.values()), ~missing(keys, frame.height)):
                sound &= part
            for row in np.flatnonzero(~sound).tolist():
                cells = [float(found[name][row]) for name in names]
                here = [key.values[int(key.codes[row])] for key in keys]
                self._bad(wanted, cells, here, start + row + 1)
            rows = np.flatnonzero(sound)
            yield RowBlock(
                [found[name][sound] if len(rows) < frame.height else found[name] for name in names],
                start + 1 if len(rows) == frame.height else start + 1 + rows,
                _texts([found[name] for name in names]) if text else None,
                sound.tolist() if text else None,
                [Labels(key.values, key.codes[sound]) for key in keys],
            )

    def _slices(
        self, picked: Sequence[Any], columns: Sequence[int], cut: Cut | None, rows: int = _ROWS
    ) -> Iterator[tuple[int, Any]]:
        """Yield expressions of these columns for at most so many rows at a time, and how many rows precede these."""
        import polars as pl

        start, frames = 0, iter([self._scan()])
        if cut is not None or is_url(self.name):
            first, last, is_numbered = cut or (0, self.groups.count(), False)
            start = self.groups.rows_before(first) if is_numbered else 0
            frames = map(self._lazy, self.groups.batches(columns, first, last, rows))
        for frame in frames:
            count = self._asked(frame.select(pl.len()).collect).item()
            for at in range(0, count, rows):
                yield start + at, self._asked(frame.select(picked).slice(at, rows).collect)
            start += count

    def _label(self, index: int) -> Any:
        """The column of labels as text, or as numbers where it has numbers."""
        import polars as pl

        name = self._columns[index]
        kind = self._schema[name]
        if kind.is_nested() or kind == pl.Binary:
            raise DataError(f"{self.name}: column {self.titles[index]} has {kind}, which names no group")
        return (
            pl.col(name)
            if kind.is_integer()
            else pl.col(name).cast(pl.Float64 if kind.is_numeric() else pl.String)
        )

    def _bad(self, wanted: Wanted, cells: Sequence[float], keys: list[Label | None], row: int) -> None:
        def fault(at: int) -> DataError:
            cell = cells[wanted.numbers.index(at)] if at in wanted.numbers else math.nan
            why = "the value is missing" if cell != cell else f"{cell} is not finite"
            return DataError(f"{self.name}: row {row}: column {self.titles[at]}: {why}", SKIP)

        values = [cell if math.isfinite(cell) else math.nan for cell in cells]
        wanted.kept(values, keys, row, fault)


@contextmanager
def _without_panics() -> Iterator[None]:
    """Keep from standard error what the threads of polars write there when a broken file ends them."""
    try:
        kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # standard error is closed
        yield
        return
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _texts(columns: Sequence[Any]) -> list[str]:
    """Return the rows as delimited text, a missing cell empty."""
    shown = [["" if value != value else repr(value) for value in column.tolist()] for column in columns]
    return [",".join(row) for row in zip(*shown, strict=True)]


class ColumnarGroups:
    """The groups of the file at a path or URL. The methods raise DataError for one that cannot be read."""

    def __init__(self, path: str, is_parquet: bool) -> None:
        self._path, self._is_parquet = path, is_parquet

    def empty(self) -> Any:
        """Return a pyarrow table with all columns and no row."""
        with self._reading() as reader:
            return (reader.schema_arrow if self._is_parquet else reader.schema).empty_table()

    def count(self) -> int:
        with self._reading() as reader:
            return int(reader.num_row_groups if self._is_parquet else reader.num_record_batches)

    def rows_before(self, group: int) -> int:
        """Return how many rows stand before a group (from 0)."""
        with self._reading([0]) as reader:
            of = reader.metadata.row_group if self._is_parquet else reader.get_batch
            return sum(of(k).num_rows for k in range(group))

    def batches(self, columns: Sequence[int], first: int, last: int, rows: int) -> Iterator[Any]:
        """Yield these columns, by number, of the groups from ``first`` on and before ``last`` as pyarrow batches.

        Those of a Parquet file have at most so many ``rows``, those of an Arrow file are as they are.
        """
        with self._reading(columns) as reader:
            if self._is_parquet:
                names = [reader.schema_arrow.names[i] for i in columns]
                yield from reader.iter_batches(rows, range(first, last), names)
            else:
                yield from map(reader.get_batch, range(first, last))

    @contextmanager
    def _reading(self, columns: Sequence[int] = ()) -> Iterator[Any]:
        """Open the file; of an Arrow file the batches will have these columns."""
        with opened(self._path) as raw, told(self._path, DataError):
            import pyarrow.ipc
            import pyarrow.parquet

            file = io.BufferedReader(raw) if size_of(raw) else io.BytesIO(raw.read())  # type: ignore[type-var]
            if self._is_parquet:
                yield pyarrow.parquet.ParquetFile(file)
            else:
                options = pyarrow.ipc.IpcReadOptions(included_fields=list(columns))
                yield pyarrow.ipc.open_file(file, options=options)
