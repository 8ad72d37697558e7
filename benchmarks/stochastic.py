"""One epoch of stochastic and mini-batch descent against C: 10 features and an intercept, linear and logistic.

python benchmarks/stochastic.py [ROWS] [ROUNDS]

The C is written out below, as a person would write it, over rows in memory one after the other, and compiled with
gcc -O3 -march=native -ffast-math. It goes through the rows in order; `gd` goes through columns in blocks of 256 rows
in random order: by the engine that it takes for a long run (machine code where llvmlite is installed), by the same in
order, and by the engine that runs without llvmlite. Only the steps are timed, not the loading of machine code (a fifth
of a second, once) and not the loss over all rows after the epoch.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import ctypes
import sys
from pathlib import Path

import numpy as np
from measure import alternate, c_library, sizes, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from visits import regression, row_model

from gdcli.objective.row_passes import By, RowPasses
from gdcli.table.blocks import Columns
from gdcli.table.shuffle import Visited, all_rows

FEATURES = 10
RATE = 0.01
# CPython does fewer rows one by one, and its time is scaled.
FEW = 100_000

C = """
#include <math.h>
#define P %(p)d
static double eta(const double *r, const double *w) {
    double s = w[P];
    for (int j = 0; j < P; j++) s += w[j] * r[j];
    return s;
}
static double slope_linear(double e, double y) { return 2.0 * (e - y); }
static double slope_logistic(double e, double y) { return 1.0 / (1.0 + exp(-e)) - y; }
#define EPOCH(NAME, SLOPE) \\
void NAME(const double *rows, double *w, long n, long b, double rate) { \\
    if (b == 1) { \\
        for (long i = 0; i < n; i++) { \\
            const double *r = rows + i * (P + 1); \\
            double d = rate * SLOPE(eta(r, w), r[P]); \\
            for (int j = 0; j < P; j++) w[j] -= d * r[j]; \\
            w[P] -= d; \\
        } \\
        return; \\
    } \\
    for (long lo = 0; lo < n; lo += b) { \\
        long hi = lo + b < n ? lo + b : n; \\
        double g[P + 1] = {0}; \\
        for (long i = lo; i < hi; i++) { \\
            const double *r = rows + i * (P + 1); \\
            double d = SLOPE(eta(r, w), r[P]); \\
            for (int j = 0; j < P; j++) g[j] += d * r[j]; \\
            g[P] += d; \\
        } \\
        for (int j = 0; j <= P; j++) w[j] -= rate * g[j] / (hi - lo); \\
    } \\
}
EPOCH(linear, slope_linear)
EPOCH(logistic, slope_logistic)
"""


def c_epoch(function, rows, batch):
    """Return a call of one epoch in C, and where it leaves its weights."""
    weights = np.zeros(FEATURES + 1)
    pointer = ctypes.c_void_p
    arguments = (
        rows.ctypes.data_as(pointer),
        weights.ctypes.data_as(pointer),
        ctypes.c_long(len(rows)),
        ctypes.c_long(batch),
        ctypes.c_double(RATE),
    )

    def run() -> None:
        weights[:] = 0.0
        function(*arguments)

    return run, weights


def gd_epoch(columns, loss, batch, shuffle="blocks", engine="auto"):
    """Return a call of one epoch of many by gd, and the passes."""
    names = tuple(f"x{i}" for i in range(FEATURES))
    data = Visited(Columns(tuple(columns), list(columns.values())), all_rows(len(columns["y"])), shuffle, 0)
    row = row_model("y ~ X @ w + b", data.names, names, loss=loss)
    passes = RowPasses(row, data, batch, by=By(1000, engine))
    passes.start([0.0] * (FEATURES + 1))

    def run() -> None:
        passes.epoch(0, RATE, lambda done: None)

    return run, passes


def main() -> None:
    """Measure and print the table."""
    size, rounds = sizes(1_000_000, 9)
    rows = []
    library = c_library(C % {"p": FEATURES}, "-ffast-math")
    for name, loss in (("linear", "squared"), ("logistic", "logistic")):
        columns = regression(size, FEATURES, logistic=loss == "logistic")
        in_rows = np.ascontiguousarray(np.stack(list(columns.values()), axis=1))
        for batch in (1, 32, 256):
            c, _ = c_epoch(getattr(library, name), in_rows, batch)
            few = {k: v[:FEW] for k, v in columns.items()} if batch == 1 else columns
            call, passes = gd_epoch(columns, loss, batch)
            straight, _ = gd_epoch(columns, loss, batch, "none")
            without, slow = gd_epoch(few, loss, batch, engine="python" if batch == 1 else "numpy")
            check, same = gd_epoch({k: v[:20_000] for k, v in columns.items()}, loss, batch, "none")
            short, known = c_epoch(getattr(library, name), in_rows[:20_000], batch)
            check(), short()
            assert np.allclose(same.x, known, rtol=1e-9, atol=1e-12), "gd and C go different ways"
            variants = {"c": c, "gd": call, "in order": straight, "without": without}
            medians = alternate(variants, rounds)
            medians["without"] *= size / len(few["y"])
            rows.append(
                [
                    f"{name}, {batch}",
                    passes.engine,
                    f"{medians['c'] * 1e3:.1f}",
                    f"{medians['gd'] * 1e3:.1f}",
                    *(f"{medians[key] / medians['c']:.2f}" for key in ("gd", "in order")),
                    slow.engine,
                    f"{medians['without'] / medians['c']:.1f}",
                ]
            )
    head = [
        f"{size:.0e} rows, rows in a batch",
        "engine",
        "C ms",
        "gd ms",
        "gd / C",
        "in order / C",
        "else",
        "else / C",
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
