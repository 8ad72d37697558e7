"""Reading data: rows per second of each reader, epochs after the first, and memory for twice the rows.

    python benchmarks/reading.py [rows]

Writes CSV files of `rows` (ten million by default, 430 MB) and twice as many rows to the folder for temporary files,
one after the other, and removes them; needs 2 GB there. Every case runs in a process of its own. Bars: the later
epochs at least 5 times faster than the first, the peak memory of the two sizes less than 20 MB apart.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from make_csv import make
from measure import sizes, table

ONE = """
import json, resource, sys, time
from gdcli.table.shuffle import Order, all_rows
from gdcli.table.source import open_table
from gdcli.table.spool import gather

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, reader, memory, orders = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].split()
begin = time.perf_counter()
total = 0.0
with open_table([path], stdin=sys.stdin.buffer, reader=reader) as rows:
    with gather(rows, ["y", "x", "z"], memory=memory) as columns:
        seen = {"rows": columns.rows, "first": time.perf_counter() - begin, "in_memory": columns.in_memory}
        for epoch, name in enumerate(orders):
            begin = time.perf_counter()
            for _, (y, x, z) in Order(all_rows(columns.rows), name, 0, epoch).chunks(columns, 1 << 14):
                total += float(y.sum() + x.sum() + z.sum())
            seen[name] = time.perf_counter() - begin
            seen["peak " + name] = peak()
print(json.dumps(seen))
"""
LOADTXT = """
import json, sys, time
import numpy as np
begin = time.perf_counter()
rows = len(np.loadtxt(sys.argv[1], delimiter=",", skiprows=1))
print(json.dumps({"rows": rows, "first": time.perf_counter() - begin}))
"""


def measured(code: str, path: Path, *words: str, through: str = "file") -> dict[str, Any]:
    """Run a case and return what it printed; ``through`` a pipe the process sees standard input only."""
    if through == "file":
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), *words], check=True, capture_output=True
        )
        return dict(json.loads(done.stdout))
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [sys.executable, "-c", code, "-", *words], check=True, stdin=source.stdout, stdout=subprocess.PIPE
        )
    return dict(json.loads(done.stdout))


def readers(folder: Path, rows: int) -> str:
    """Return the table of the readers, on a tenth of the rows."""
    path = folder / "some.csv"
    make(str(path), rows // 10)
    megabytes = path.stat().st_size / 1e6
    found = {"numpy.loadtxt": min(measured(LOADTXT, path)["first"] for _ in range(2))}
    for reader in ("native", "polars", "split", "csv"):
        found[f"gd, {reader}"] = min(
            measured(ONE, path, reader, "1000000000", "none")["first"] for _ in range(2)
        )
    path.unlink()
    base = found["numpy.loadtxt"]
    lines = [
        [name, f"{rows / 10 / s / 1e6:.2f}", f"{megabytes / s:.0f}", f"{base / s:.1f}"]
        for name, s in found.items()
    ]
    return table(["reader", "million rows/s", "MB/s", "times loadtxt"], lines)


def spooled(folder: Path, rows: int) -> str:
    """Return the table of epochs and memory of both sizes: file, pipe and gzip."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for size in (rows, 2 * rows):
        path = folder / "rows.csv"
        make(str(path), size)
        for through in ("file", "pipe"):
            found[through, size] = measured(ONE, path, "auto", "100663296", "none blocks", through=through)
        packed = folder / "rows.csv.gz"
        with open(path, "rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        path.unlink()
        found["gz", size] = measured(ONE, packed, "auto", "100663296", "none blocks")
        packed.unlink()
    lines = []
    for (through, size), seen in found.items():
        apart = found[through, 2 * rows]["peak blocks"] - found[through, rows]["peak blocks"]
        lines.append(
            [
                f"{through}, {size:.0e} rows",
                f"{seen['first']:.2f}",
                f"{seen['none']:.2f}",
                f"{seen['blocks']:.2f}",
                f"{seen['first'] / seen['none']:.0f}",
                f"{seen['first'] / seen['blocks']:.1f}",
                f"{seen['peak blocks']:.0f}",
                f"{apart:+.1f}" if size > rows else "",
            ]
        )
    header = [
        "from",
        "first s",
        "in order s",
        "blocks s",
        "times faster",
        "blocks, times",
        "peak MB",
        "for twice the rows",
    ]
    return table(header, lines)


def main() -> None:
    """Measure and print the tables."""
    (rows,) = sizes(10_000_000)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gd-reading-") as name:
        print(readers(Path(name), rows), flush=True)
        print()
        print(spooled(Path(name), rows))
    print(f"\n{time.perf_counter() - begin:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
