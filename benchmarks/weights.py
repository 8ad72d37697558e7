"""From a CSV file to weights: one epoch of logistic regression by single rows, as whole processes.

python benchmarks/weights.py [ROWS] [ROUNDS]

Against Vowpal Wabbit, which reads its own text format, and a script with pandas and scikit-learn, as far as these are
installed for the Python that runs this (vowpalwabbit, pandas, scikit-learn: no dependencies of the project). The time
of processors tells more where others use them too. Then the epoch alone against scikit-learn's, which goes in order or
shuffles every row, where gd shuffles blocks.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from measure import GD, alternate, command, sizes, table

FEATURES = 10
RATE = 0.01
NAMES = [f"x{j}" for j in range(1, FEATURES + 1)]
SCRIPT = """
import sys
import pandas as pd
from sklearn.linear_model import SGDClassifier
frame = pd.read_csv(sys.argv[1])
model = SGDClassifier(loss="log_loss", penalty=None, learning_rate="constant", eta0={rate}, max_iter=1, tol=None,
                      shuffle=False)
model.fit(frame[{names}].to_numpy(), frame["t"].to_numpy())
print(model.coef_)
"""


def write(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Write the data as CSV and in Vowpal Wabbit's format; return them."""
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, FEATURES))
    t = (random.uniform(size=rows) < 1.0 / (1.0 + np.exp(-X @ np.linspace(-1, 1, FEATURES)))).astype(int)
    with open(folder / "data.csv", "w") as csv, open(folder / "data.vw", "w") as vw:
        csv.write(",".join(["t", *NAMES]) + "\n")
        for label, row in zip(t.tolist(), X.tolist(), strict=True):
            csv.write(f"{label}," + ",".join(f"{v:.8g}" for v in row) + "\n")
            vw.write(
                f"{2 * label - 1} | "
                + " ".join(f"{n}:{v:.8g}" for n, v in zip(NAMES, row, strict=True))
                + "\n"
            )
    return X, t


def whole_processes(folder: Path, rounds: int) -> None:
    """Print the table of whole processes."""
    data = str(folder / "data.csv")
    words = [
        *GD,
        "fit",
        "t ~ X @ w + b",
        data,
        "--columns",
        "X=x*",
        "--loss",
        "logistic",
        "--batch-size",
        "1",
    ]
    words += ["--epochs", "1", "--lr", str(RATE), "--shuffle", "none", "--print", "value"]
    runs: dict[str, Callable[[], None]] = {"gd fit": command(words)}
    if find_spec("vowpalwabbit"):
        vw = [sys.executable, "-m", "vowpalwabbit", "--quiet", "--sgd", "--loss_function", "logistic", "-d"]
        runs["Vowpal Wabbit, its own text format"] = command(
            [*vw, str(folder / "data.vw"), "-f", str(folder / "m")]
        )
    if find_spec("sklearn") and find_spec("pandas"):
        script = SCRIPT.format(rate=RATE, names=NAMES)
        runs["pandas + scikit-learn"] = command([sys.executable, "-c", script, data])
    spent: dict[str, list[float]] = {name: [] for name in runs}
    medians = alternate({name: _watched(run, spent[name]) for name, run in runs.items()}, rounds)
    cpu = {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}
    rows = [
        [
            name,
            f"{s:.2f}",
            f"{s / medians['gd fit']:.2f}",
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu['gd fit']:.2f}",
        ]
        for name, s in medians.items()
    ]
    print(table(["whole process, CSV to weights", "s", "of gd's", "processor s", "of gd's"], rows))


def _watched(run: Callable[[], None], spent: list[float]) -> Callable[[], None]:
    """A call that also writes down what time of processors its process took, in user and system mode."""

    def call() -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    return call


def epochs_alone(X: np.ndarray, t: np.ndarray) -> None:
    """Print the table of one epoch in process, data in memory."""
    from sklearn.linear_model import SGDClassifier

    from gdcli.language.model_text import parse_model, sort_names
    from gdcli.objective.row_model import build_row_model
    from gdcli.objective.row_passes import RowPasses
    from gdcli.table.blocks import Columns
    from gdcli.table.shuffle import Visited, all_rows

    model = parse_model("t ~ X @ w + b")
    names = sort_names(model, ["t", *NAMES], {"X": NAMES}, {}, {})
    row = build_row_model(model, names, {}, "logistic")
    columns = Columns(["t", *NAMES], [t.astype(float), *(np.ascontiguousarray(c) for c in X.T)])
    runs: dict[str, Callable[[], object]] = {}
    for shuffle in ("none", "blocks"):
        passes = RowPasses(row, Visited(columns, all_rows(len(t)), shuffle, 0), 1, epochs=100)
        passes.start([0.0] * (FEATURES + 1))
        runs[f"gd, {shuffle}"] = lambda p=passes: p.epoch(0, RATE, lambda done: None)
    for shuffle in (False, True):
        fitter = SGDClassifier(
            loss="log_loss",
            penalty=None,
            learning_rate="constant",
            eta0=RATE,
            max_iter=1,
            tol=None,
            shuffle=shuffle,
        )
        runs[f"scikit-learn, shuffle={shuffle}"] = lambda f=fitter: f.fit(X, t)
    medians = alternate(runs, 5)
    rows = []
    for ours, theirs in (
        ("gd, none", "scikit-learn, shuffle=False"),
        ("gd, blocks", "scikit-learn, shuffle=True"),
    ):
        a, b = medians[ours], medians[theirs]
        rows.append([f"{ours} / {theirs}", f"{a * 1e3:.0f}", f"{b * 1e3:.0f}", f"{b / a:.1f}"])
    print()
    print(table(["one epoch in process, logistic", "gd ms", "other ms", "times faster"], rows))


def main() -> None:
    """Measure and print."""
    count, rounds = sizes(1_000_000, 7)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        X, t = write(Path(folder), count)
        print(f"{count} rows written in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        whole_processes(Path(folder), rounds)
    if find_spec("sklearn"):
        epochs_alone(X, t)


if __name__ == "__main__":
    main()
