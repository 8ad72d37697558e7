"""Groups of rows in a Parquet file (row groups) or an Arrow file (record batches), here or at a URL, by pyarrow.

Only the groups and columns that are wanted are read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gdcli.kernel import installing
from gdcli.kernel.errors import DataError, GdError
from gdcli.table.streams import opened, size_of


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
            if self._is_parquet:
                return sum(reader.metadata.row_group(k).num_rows for k in range(group))
            return sum(reader.get_batch(k).num_rows for k in range(group))

    def tables(self, columns: Sequence[int], first: int, last: int, rows: int) -> Iterator[Any]:
        """Yield pyarrow tables of these columns, by number, of the groups from ``first`` on and before ``last``.

        Groups that are small are joined until they have ``rows`` rows.
        """
        import pyarrow as pa

        with self._reading(columns) as reader:
            held: list[Any] = []
            for k in range(first, last):
                if self._is_parquet:
                    names = [reader.schema_arrow.names[i] for i in columns]
                    held.append(reader.read_row_group(k, columns=names))
                else:
                    held.append(pa.Table.from_batches([reader.get_batch(k)]))
                if k == last - 1 or sum(table.num_rows for table in held) >= rows:
                    yield pa.concat_tables(held)
                    held = []

    @contextmanager
    def _reading(self, columns: Sequence[int] = ()) -> Iterator[Any]:
        """Open the file; of an Arrow file the batches will have these columns."""
        try:
            import pyarrow.ipc
            import pyarrow.parquet
        except ImportError:
            raise DataError(
                f"{self._path} is a Parquet or Arrow file: pyarrow is needed to read parts of it, or a URL",
                f"install it: {installing.command('cluster')}",
            ) from None
        try:
            with opened(self._path) as raw:
                file = io.BufferedReader(raw) if size_of(raw) else io.BytesIO(raw.read())  # type: ignore[type-var]
                if self._is_parquet:
                    yield pyarrow.parquet.ParquetFile(file)
                else:
                    options = pyarrow.ipc.IpcReadOptions(included_fields=sorted(columns))
                    yield pyarrow.ipc.open_file(file, options=options)
        except GdError:
            raise
        except Exception as fault:  # pyarrow has many kinds for a broken file
            why = getattr(fault, "strerror", None) or str(fault).partition("\n")[0]
            raise DataError(f"cannot read {self._path}: {why}") from None
