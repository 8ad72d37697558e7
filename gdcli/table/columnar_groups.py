"""Groups of rows in a Parquet file (row groups) or an Arrow file (record batches), here or at a URL, by pyarrow.

Only the groups and columns that are wanted are read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gdcli.kernel.errors import DataError
from gdcli.table.streams import opened, size_of
from gdcli.table.urls import told


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
