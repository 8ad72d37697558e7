"""Few variables, in process: `auto` with its certificate against scipy's BFGS with the same compiled functions.

    python benchmarks/speed_small.py [rounds] [problems] [many]

The second table is for many variables: an L-BFGS iteration without the objective against 40 `y += a*x`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from measure import alternate, problems, sizes, table
from scipy.optimize import minimize

from gdcli.api import make_problem
from gdcli.judge.certificate import certify
from gdcli.judge.verdict import judge
from gdcli.language.syntax import parse
from gdcli.objective.build import build_objective
from gdcli.solve.methods.quasi_newton import Memory
from gdcli.solve.registry import choose
from gdcli.solve.run import run
from gdcli.solve.settings import Settings, rules_from

PAIRS = 10


def runs(problem: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return a run of gd and one of scipy on the same compiled value and gradient."""
    start = make_problem(problem["expr"], "minimize", problem["start"]).start
    objective: Any = build_objective(parse(problem["expr"]), dict.fromkeys(start), {}, 1)
    x0 = objective.vector(objective.space.flatten(start))
    value, gradient = objective.value_program, objective._program("gradient", objective._write_gradient)

    def both(x: Any) -> tuple[float, Any]:
        x = x.tolist()
        return value(x), np.array(gradient(x))

    def gd() -> None:
        chosen = choose("auto", objective)
        result = run(objective, chosen.method, x0, rules_from(Settings(), own_rule=True))
        judge(result, certify(objective, result.best.at, result.start.at))

    def scipy() -> None:
        minimize(both, np.array(x0), jac=True, method="BFGS")

    return {"gd": gd, "scipy": scipy}


def small(rounds: int, most: int) -> str:
    """Return the table of few variables: medians of the ratios over the problems of each size."""
    ratios: dict[int, list[float]] = {}
    rows = []
    for problem in problems(most):
        with np.errstate(all="ignore"):
            times = alternate(runs(problem), rounds)
        ratios.setdefault(problem["n"], []).append(times["scipy"] / times["gd"])
        if problem["name"] == "mgh01_rosenbrock":
            rows.append(
                ["Rosenbrock", "1", f"{times['scipy'] / times['gd']:.1f}", f"{times['gd'] * 1e6:.0f}"]
            )
    for n in sorted(ratios):
        rows.append([f"n = {n}", str(len(ratios[n])), f"{median(ratios[n]):.1f}", ""])
    upto = [r for n, found in ratios.items() if n <= 5 for r in found]
    rows.append(["n <= 5", str(len(upto)), f"{median(upto):.1f}", ""])
    return table(["problems", "how many", "times faster (median)", "us"], rows)


def many(rounds: int, size: int) -> str:
    """Return the table of many variables: the vector work of an L-BFGS iteration."""
    random = np.random.default_rng(0)
    memory = Memory()
    points = [random.standard_normal(size) for _ in range(PAIRS + 1)]
    for a, b in pairwise(points):
        memory.learn(b - a, 2.0 * (b - a), PAIRS)
    x, g, y, old = (random.standard_normal(size) for _ in range(4))

    def iteration() -> None:
        step = memory.direction(g)
        new = x + 1.0 * step
        memory.learn(new - x, g - old, PAIRS)

    def axpy() -> None:
        nonlocal y
        for _ in range(40):
            y += 0.5 * x

    times = alternate({"L-BFGS iteration": iteration, "40 y += a*x": axpy}, rounds)
    base = times["40 y += a*x"]
    rows = [[name, f"{t * 1e3:.0f}", f"{t / base:.2f}"] for name, t in times.items()]
    return table([f"n = {size:.0e}, m = {PAIRS}", "ms", "of 40 y += a*x"], rows)


def main() -> None:
    """Measure and print both tables."""
    rounds, most, size = sizes(15, len(problems()), 1_000_000)
    print(small(rounds, most))
    print()
    print(many(min(rounds, 9), size))


if __name__ == "__main__":
    main()
