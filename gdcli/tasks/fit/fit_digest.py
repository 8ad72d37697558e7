"""The digest of a fit: the numbers that its answer follows from, as they were read."""

from __future__ import annotations

import hashlib
from operator import concat
from typing import TYPE_CHECKING, Protocol

from gdcli.kernel.vectors import np
from gdcli.objective.row_model import Rows
from gdcli.objective.row_objective import PIECE, RowObjective

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def digest(ready: Prepared) -> str:
    """Return the SHA-256 of the columns and of the start, as ``sha256:...``; it takes one pass over the data.

    Of partitions it is the SHA-256 of theirs.
    """
    found = hashlib.sha256(repr((ready.data.names, ready.data.rows)).encode())
    found.update(np.array(ready.row.space.flatten(ready.problem.start), dtype=float).tobytes())
    if ready.data.parts is None:
        _put(found, ready.data)
    else:
        for part in RowObjective(ready.row, ready.data).over(_digest_here, concat):
            found.update(part)
    return f"sha256:{found.hexdigest()}"


def _put(found: _Hash, data: Rows) -> None:
    for _, arrays in data.chunks(PIECE):
        for array in arrays:
            found.update(np.ascontiguousarray(array).tobytes())


def _digest_here(objective: RowObjective) -> list[bytes]:
    found = hashlib.sha256()
    _put(found, objective.data)
    return [found.digest()]
