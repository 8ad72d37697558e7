"""Many small fits: `gd fit --by` against a Python loop over scipy's curve_fit.

    python benchmarks/groups.py [groups] [rounds]

10 000 groups of 20 rows of ``a*exp(-b*x) + c`` with noise, all from the start (1, 1, 0). In process both get arrays
that are in memory; the whole command reads a CSV file and writes a line per group, and so does a script with the loop
(polars reads its file). Times are those of the processor, so that they mean the same on a crowded machine. Bar: 10
times faster than the loop.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from measure import GD, sizes, spent, table

MODEL, START = "y ~ a*exp(-b*x) + c", "a=1,b=1,c=0"
ROWS = 20
SCRIPT = """
import sys
import numpy as np, polars as pl
from scipy.optimize import curve_fit

def model(x, a, b, c):
    return a*np.exp(-b*x) + c

for (name,), rows in pl.read_csv(sys.argv[1]).group_by(["g"], maintain_order=True):
    x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
    found, covariance = curve_fit(model, x, y, (1.0, 1.0, 0.0))
    print(name, *found, *np.sqrt(np.diag(covariance)), sep=",")
"""


def rows_of(groups: int) -> tuple[Any, Any]:
    """Return x and y, shape (groups, rows)."""
    draw = np.random.default_rng(0)
    x = np.tile(np.linspace(0.0, 4.0, ROWS), (groups, 1))
    a, b, c = (draw.uniform(*ends, (groups, 1)) for ends in ((1, 3), (0.5, 2), (-1, 1)))
    return x, a * np.exp(-b * x) + c + 0.05 * draw.standard_normal((groups, ROWS))


def write(file: Path, x: Any, y: Any) -> None:
    """Write them as a table with text groups; repr gives the same doubles back."""
    with file.open("w") as out:
        out.write("g,x,y\n")
        for k, rows in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            out.writelines(f"site {k},{a!r},{b!r}\n" for a, b in zip(*rows, strict=True))


def loop(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the parameters and their errors by curve_fit, group by group."""
    from scipy.optimize import curve_fit

    def model(x: Any, a: float, b: float, c: float) -> Any:
        return a * np.exp(-b * x) + c

    found, errors = [], []
    for xs, ys in zip(x, y, strict=True):
        point, covariance = curve_fit(model, xs, ys, (1.0, 1.0, 0.0))
        found.append(point)
        errors.append(np.sqrt(np.diag(covariance)))
    return np.array(found), np.array(errors)


def whole(rounds: int, *words: str) -> float:
    """Return the processor's seconds of a command."""
    best = float("inf")
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def stages(file: Path, rounds: int) -> list[list[str]]:
    """Return how long `gd` reads, fits and writes, in process."""
    from gdcli.record.fit_records import FIT
    from gdcli.record.groups import GroupRecorder
    from gdcli.record.serialization import CSV
    from gdcli.render import group_table
    from gdcli.tasks.fit.fit_groups import fit_groups
    from gdcli.tasks.fit.prepare_groups import grouped
    from gdcli.tasks.fit.request import request_from

    recorder = GroupRecorder()
    request, settings = request_from(MODEL, str(file), START, {"by": "g"})
    parts: dict[str, float] = {}

    def note(name: str, since: float) -> float:
        now = time.process_time()
        parts[name] = min(parts.get(name, float("inf")), now - since)
        return time.process_time()

    for _ in range(rounds):
        began = time.process_time()
        with grouped(request) as found:
            began = note("reading and grouping", began)
            fits = [fit for some in fit_groups(found, settings) for fit in some]
            began = note("fitting, certificates, errors", began)
        groups = list(map(recorder.group, fits))
        group_table.GroupLines(io.StringIO(), recorder)(groups)
        began = note("writing JSON lines", began)
        group_table.GroupRows(io.StringIO(), recorder, ["g"], ["a", "b", "c"], FIT, False, CSV)(groups)
        note("writing csv", began)
    return [[name, f"{seconds:.3f}"] for name, seconds in parts.items()]


def main() -> None:
    """Measure and print the tables."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    groups, rounds = sizes(10_000, 3)
    from gdcli import api

    x, y = rows_of(groups)
    data = {"g": np.repeat(np.arange(groups), ROWS), "x": x.ravel(), "y": y.ravel()}
    theirs, (point, errors) = spent(lambda: loop(x, y), rounds)
    ours, fits = spent(lambda: list(api.fit_groups(MODEL, data, "g", START)), rounds)
    rows = [["fits in process", f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}"]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "groups.csv"
        write(file, x, y)
        script = whole(rounds, sys.executable, "-c", SCRIPT, str(file))
        gd = [*GD, "fit", MODEL, str(file), "--by", "g"]
        for form in ("csv", "jsonl", "table"):
            own = whole(rounds, *gd, "--start", START, "--format", form)
            rows.append([f"whole command, {form}", f"{script:.2f}", f"{own:.2f}", f"{script / own:.1f}"])
        parts = stages(file, rounds)
    print(f"{groups} groups of {ROWS} rows, seconds of the processor.\n")
    print(table(["", "curve_fit", "gd", "times faster"], rows))
    print()
    print(table(["stage of gd", "s"], parts))
    print()
    print(accuracy(fits, point, errors, x, y))


def accuracy(fits: Any, point: Any, errors: Any, x: Any, y: Any) -> str:
    """Return how the answers differ, in standard errors, and whose sums of squares are lower."""
    outcomes = [fit.outcome for fit in fits]
    ours = np.array([[outcome.point[name] for name in "abc"] for outcome in outcomes])
    own_errors = np.array([outcome.statistics.errors.standard_errors for outcome in outcomes])
    off = np.abs(ours - point).max(axis=1) / errors.min(axis=1)

    def squares(p: Any) -> Any:
        return ((p[:, :1] * np.exp(-p[:, 1:2] * x) + p[:, 2:] - y) ** 2).sum(axis=1)

    mine, other = squares(ours), squares(point)
    rows = [
        [
            "groups converged, of all",
            f"{sum(o.status.value == 'converged' for o in outcomes)} of {len(fits)}",
        ],
        ["solved together", str(sum(fit.solved is not None for fit in fits))],
        ["parameters differ, median and most (standard errors)", f"{np.median(off):.1e}, {off.max():.1e}"],
        ["errors differ, most (relative)", f"{np.abs(own_errors / errors - 1.0).max():.1e}"],
        ["gd has the larger sum of squares by 1e-12 or more", str(int((mine > other * (1 + 1e-12)).sum()))],
        ["curve_fit has", str(int((other > mine * (1 + 1e-12)).sum()))],
    ]
    return table(["accuracy", ""], rows)


if __name__ == "__main__":
    main()
