"""From text to running derivative programs (value, gradient, Hessian), for each problem with a known answer.

python benchmarks/derivatives.py [PROBLEMS]
"""

from __future__ import annotations

import statistics
import time

from measure import problems, sizes, table

from gdcli.api import make_problem
from gdcli.language.syntax import parse
from gdcli.objective.build import build_objective


def seconds_to_derivatives(problem: dict) -> float:
    """Return the time from the text to a value, gradient and Hessian at the start."""
    start = make_problem(problem["expr"], "minimize", problem["start"]).start
    begin = time.perf_counter()
    objective = build_objective(parse(problem["expr"]), dict.fromkeys(start), {}, 1)
    objective.evaluate(objective.vector(objective.space.flatten(start)), 2)
    return time.perf_counter() - begin


def main() -> None:
    """Measure (the best of three, for each problem) and print the slowest and the median."""
    (most,) = sizes(len(problems()))
    times = {p["name"]: min(seconds_to_derivatives(p) for _ in range(3)) for p in problems(most)}
    slowest = sorted(times.items(), key=lambda item: -item[1])[:4]
    rows = [[name, f"{t * 1e3:.1f}"] for name, t in slowest]
    rows.append(["median of all", f"{statistics.median(times.values()) * 1e3:.2f}"])
    print(table(["derivative programs of", "ms"], rows))


if __name__ == "__main__":
    main()
