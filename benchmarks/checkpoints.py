"""What a checkpoint every second costs: the same runs with and without, by turns.

    python benchmarks/checkpoints.py [rounds] [runs shorter by this factor]

Seconds are those of the processor, of the whole command with its start-up, so that a crowded machine changes them
little; the wait for the disk is told beside them, by the clock of the writes themselves.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from measure import GD, sizes, table

ROWS = 500_000
COUNTS = ("--max-iter", "--epochs")
RUNS = {
    "two variables, adam, CPython": [
        *("minimize", "(x-3)**4 + (y+1)**2 + sin(x*y)/9", "--start", "x=0,y=0", "--method", "adam"),
        *("--lr", "1e-5", "--engine", "python", "--max-iter", "1000000", "--tol", "1e-14"),
    ],
    "200 000 variables, L-BFGS": [
        *("minimize", "sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)", "--start", "v=zeros(200000)"),
        *("--method", "lbfgs", "--max-iter", "800"),
    ],
    "500 000 rows, single rows a step": [
        *("fit", "y ~ a*x + b*z + c", "rows.csv", "--batch-size", "1", "--lr", "1e-4", "--epochs", "1500"),
    ],
}


def shorter(words: Sequence[str], parts: int) -> list[str]:
    """Return a command whose run is shorter by a factor."""
    return [
        str(max(1, int(word) // parts)) if before in COUNTS else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def write_rows(file: Path, rows: int) -> None:
    """Write a table with three columns."""
    draw = random.Random(0).gauss
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["x", "z", "y"])
        for _ in range(rows):
            x, z = draw(0.0, 1.0), draw(0.0, 1.0)
            writer.writerow([f"{x:.6f}", f"{z:.6f}", f"{2 * x - z + 0.5 + draw(0.0, 0.1):.6f}"])


def spent(words: Sequence[str], folder: str) -> float:
    """Return the seconds of the processor that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*GD, *words], capture_output=True, stdin=subprocess.DEVNULL, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds, parts = sizes(5, 1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / "rows.csv", ROWS // parts)
        for name, whole in RUNS.items():
            words = shorter(whole, parts)
            path = Path(folder) / "run.ck"
            kept = [*words, "--checkpoint", str(path), "--checkpoint-every", "1s"]
            spent(words, folder)
            without, with_it = [], []
            for _ in range(rounds):
                without.append(spent(words, folder))
                path.unlink(missing_ok=True)
                with_it.append(spent(kept, folder))
            with zipfile.ZipFile(path) as archive:
                lasted = json.loads(archive.read("checkpoint.json"))["progress"]["seconds"]
            ratio = statistics.median(b / a for a, b in zip(without, with_it, strict=True))
            size = path.stat().st_size / 1e6
            took = [f"{statistics.median(seconds):.2f}" for seconds in (without, with_it)]
            rows.append([name, *took, f"{ratio:.3f}", f"{lasted:.1f}", f"{size:.2f}"])
    print(table(["run", "s", "s with", "ratio", "s of the run", "MB of the file"], rows))


if __name__ == "__main__":
    main()
