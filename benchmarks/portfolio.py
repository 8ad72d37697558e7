"""Quadratic programs of many variables: `gd` as a whole command beside dedicated solvers as whole Python scripts.

Each solver reads the same csv files and solves as exactly (tolerances of 1e-10 or less, OSQP with its polish).
The first problem is a portfolio, ``w @ C @ w - 0.5*dot(mu, w)`` with weights that sum to 1, none negative; then come a
projection and a program with a dense Hessian within half as many rows as there are variables, and a linear program. The
last column is by how much a value is above that of gd, as a part of max(1, |value|). OSQP, Clarabel and HiGHS (of
scipy) are compared where they are installed. Every process has one thread for its matrices.

Numbers on the command line: the assets, the variables of the programs, and the rounds.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from measure import GD, sizes, table

_READ = """
import sys, numpy as np
read = lambda name: np.loadtxt(name, delimiter=",", ndmin=1)
H, g, A, lower, upper, box = (read(name + ".csv") for name in ("H", "g", "A", "lower", "upper", "box"))
A = A.reshape(-1, len(g)); H = np.diag(H) if H.ndim == 1 else H; n = len(g)
value = lambda x: print(repr(float(0.5 * x @ H @ x + g @ x)))
"""
_OSQP = """
import osqp, scipy.sparse as sp
found = osqp.OSQP()
rows = sp.vstack([sp.csc_matrix(A), sp.eye(n)]).tocsc()
found.setup(sp.csc_matrix(np.triu(H)), g, rows, np.r_[lower, np.full(n, box[0])], np.r_[upper, np.full(n, box[1])],
            eps_abs=1e-10, eps_rel=1e-10, max_iter=10**6, polishing=True, verbose=False)
value(found.solve().x)
"""
_CLARABEL = """
import clarabel, scipy.sparse as sp
equal = lower == upper
parts, ends = [A[equal]], [upper[equal]]
axes = np.eye(n)
boxes = (axes, np.full(n, box[1])), (-axes, np.full(n, -box[0]))
sides = (A[~equal], upper[~equal]), (-A[~equal], -lower[~equal]), *boxes
for rows, end in sides:
    kept = np.isfinite(end); parts.append(rows[kept]); ends.append(end[kept])
cones = [clarabel.ZeroConeT(int(equal.sum())), clarabel.NonnegativeConeT(sum(map(len, ends[1:])))]
options = clarabel.DefaultSettings(); options.verbose = False
options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
G, h = sp.csc_matrix(np.vstack(parts)), np.concatenate(ends)
value(np.array(clarabel.DefaultSolver(sp.csc_matrix(np.triu(H)), g, G, h, cones, options).solve().x))
"""
_HIGHS = """
from scipy.optimize import LinearConstraint, milp, Bounds
value(milp(g, constraints=LinearConstraint(A, lower, upper), bounds=Bounds(*box)).x)
"""


def by_gd(expression: str, constraint: str, n: int, bounds: str | None, *constants: str) -> list[str]:
    words = [*GD, "minimize", expression, "--start", f"x=full({n},1/{n})", "--subject-to", constraint]
    words += [word for name in constants for word in ("--set", f"{name}=@{name}.csv")]
    return [*words, *(["--bounds", f"x={bounds}"] if bounds else []), "--print", "value"]


def write(folder: Path, arrays: Mapping[str, Any]) -> None:
    for name, array in arrays.items():
        np.savetxt(folder / f"{name}.csv", array, delimiter=",", fmt="%.17g")


def portfolio(n: int) -> tuple[dict[str, Any], list[str], str]:
    draws = np.random.default_rng(0)
    F = draws.standard_normal((n, 40))
    C, mu = F @ F.T / 1000 + np.diag(draws.uniform(0.01, 0.05, n)), draws.normal(0.05, 0.1, n)
    arrays = {
        "C": C,
        "mu": mu,
        "H": 2.0 * C,
        "g": -0.5 * mu,
        "A": np.ones((1, n)),
        "lower": [1.0],
        "upper": [1.0],
    }
    command = by_gd("x @ C @ x - 0.5*dot(mu, x)", "sum(x) == 1", n, "0:", "C", "mu")
    return arrays | {"box": [0.0, np.inf]}, command, "quadratic"


def rows(n: int) -> tuple[Any, dict[str, Any]]:
    draws, m = np.random.default_rng(1), n // 2
    A = draws.standard_normal((m, n))
    b = A @ draws.standard_normal(n) + draws.random(m) * (draws.random(m) < 0.7)
    return draws, {"A": A, "b": b, "lower": np.full(m, -np.inf), "upper": b, "box": [-np.inf, np.inf]}


def projection(n: int) -> tuple[dict[str, Any], list[str], str]:
    draws, arrays = rows(n)
    p = 2.0 * draws.standard_normal(n)
    command = by_gd("sum(x**2) - 2*dot(p, x)", "A @ x <= b", n, None, "p", "A", "b")
    return arrays | {"p": p, "H": np.full(n, 2.0), "g": -2.0 * p}, command, "quadratic"


def dense(n: int) -> tuple[dict[str, Any], list[str], str]:
    draws, arrays = rows(n)
    F, g = draws.standard_normal((n, n // 2)), 3.0 * draws.standard_normal(n)
    H = F @ F.T / n + 0.1 * np.eye(n)
    return (
        arrays | {"H": H, "g": g},
        by_gd("0.5*x@H@x + dot(g, x)", "A @ x <= b", n, None, "H", "g", "A", "b"),
        "quadratic",
    )


def linear(n: int) -> tuple[dict[str, Any], list[str], str]:
    draws, m = np.random.default_rng(2), n // 2
    A, b, g = draws.random((m, n)), draws.uniform(5.0, 10.0, m), -draws.uniform(0.5, 2.0, n)
    arrays = {
        "A": A,
        "b": b,
        "g": g,
        "H": np.zeros(n),
        "lower": np.full(m, -np.inf),
        "upper": b,
        "box": [0.0, np.inf],
    }
    return arrays, by_gd("dot(g, x)", "A @ x <= b", n, "0:", "g", "A", "b"), "linear"


def commands(gd: list[str], kind: str) -> dict[str, list[str]]:
    """Return what is run, by its name; the solvers that are installed."""
    peers = {"osqp": _OSQP, "clarabel": _CLARABEL} if kind == "quadratic" else {"scipy": _HIGHS}
    known = {name: text for name, text in peers.items() if importlib.util.find_spec(name) is not None}
    scripts = {name: [sys.executable, "-c", _READ + text] for name, text in known.items()}
    return {"gd": gd} | {{"scipy": "HiGHS"}.get(name, name): words for name, words in scripts.items()}


def timed(words: list[str], folder: Path) -> tuple[float, float, float]:
    """Return the wall time and the processor time of a command, and the value that it prints."""
    before, began = os.times(), time.perf_counter()
    found = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    )
    wall, after = time.perf_counter() - began, os.times()
    if found.returncode:
        raise RuntimeError(found.stderr)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used, float(found.stdout.split()[-1])


def main() -> None:
    """Print a row for each problem and solver."""
    assets, n, rounds = sizes(500, 2000, 3)
    problems: dict[str, tuple[Callable[[int], Any], int]] = {
        f"portfolio of {assets}": (portfolio, assets),
        f"projection, {n} variables, {n // 2} rows": (projection, n),
        f"dense Hessian, {n} variables, {n // 2} rows": (dense, n),
        f"linear, {n // 4} variables, {n // 8} rows": (linear, n // 4),
    }
    found = []
    for name, (make, size) in problems.items():
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            arrays, gd, kind = make(size)
            write(folder, arrays)
            runs = commands(gd, kind)
            answers: dict[str, list[tuple[float, float, float]]] = {solver: [] for solver in runs}
            for _ in range(rounds):  # they take turns
                for solver, words in runs.items():
                    answers[solver].append(timed(words, folder))
        best = answers["gd"][0][2]
        for solver, times in answers.items():
            wall, used = (statistics.median(t[k] for t in times) for k in (0, 1))
            differs = (times[0][2] - best) / max(1.0, abs(best))
            found.append([name, solver, f"{wall:.2f}", f"{used:.2f}", f"{differs:.1e}"])
    print(table(["", "solver", "s", "processor s", "above gd"], found))


if __name__ == "__main__":
    main()
