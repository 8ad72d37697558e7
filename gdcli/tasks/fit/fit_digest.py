"""The digest of a fit: the numbers that its answer follows from, as they were read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gdcli.compile.runners import numpy
from gdcli.objective.row_objective import PIECE

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared


def digest(ready: Prepared) -> str:
    """Return the SHA-256 of the columns and of the start, as ``sha256:...``; it takes one pass over the data."""
    np = numpy()
    found = hashlib.sha256(repr((ready.data.names, ready.data.rows)).encode())
    found.update(np.array(ready.row.space.flatten(ready.problem.start), dtype=float))
    for _, arrays in ready.data.chunks(PIECE):
        for array in arrays:
            found.update(np.ascontiguousarray(array))
    return f"sha256:{found.hexdigest()}"
