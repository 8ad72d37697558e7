"""Write a large CSV file to read: y,x,z with y = 2*exp(-1.5*x) + 0.5 + 0.1*z + noise of standard deviation 0.1.

    python benchmarks/make_csv.py FILE|- [rows] [seed]

Ten million rows (the default) are about 430 MB. A name that ends in .gz is compressed. Rows are written in pieces,
so that memory does not grow with their number.
"""

from __future__ import annotations

import gzip
import sys
from typing import BinaryIO

import numpy as np

PIECE = 100_000  # rows


def write(file: BinaryIO, rows: int, seed: int = 0) -> None:
    """Write the header and the rows."""
    rng = np.random.default_rng(seed)
    file.write(b"y,x,z\n")
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        x, z = rng.uniform(0, 3, n), rng.normal(size=n)
        y = 2 * np.exp(-1.5 * x) + 0.5 + 0.1 * z + 0.1 * rng.normal(size=n)
        lines = ["%.12g,%.12g,%.12g\n" % row for row in zip(y.tolist(), x.tolist(), z.tolist(), strict=True)]  # noqa: UP031
        file.write("".join(lines).encode())


def make(path: str, rows: int, seed: int = 0) -> None:
    """Write a file, compressed where its name ends in .gz, or standard output for ``-``."""
    if path == "-":
        write(sys.stdout.buffer, rows, seed)
    elif path.endswith(".gz"):
        with gzip.open(path, "wb", compresslevel=1) as file:
            write(file, rows, seed)  # type: ignore[arg-type]
    else:
        with open(path, "wb") as file:
            write(file, rows, seed)


if __name__ == "__main__":
    make(
        sys.argv[1],
        int(float(sys.argv[2])) if len(sys.argv) > 2 else 10_000_000,
        int(sys.argv[3]) if len(sys.argv) > 3 else 0,
    )
