"""Value and gradient of functions of a million variables with the numpy runner, against scipy's written by hand.

python benchmarks/vectors.py [VARIABLES]
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from measure import alternate, sizes, table
from scipy.optimize import rosen, rosen_der

from gdcli.api import make_problem
from gdcli.language.syntax import parse
from gdcli.objective.build import build_objective

CHAIN = "sum(100*(x[1:]-x[:-1]**2)**2+(1-x[:-1])**2)"
OTHERS = (
    "norm(v)",
    "sum((v-mean(v))**2)",
    "log(sum(exp(v-max(v))))+max(v)",
    "dot(v[1:],v[:-1])**2",
    "sum(v[::2]*v[1::2])",
    "a*sum(v**2)+b*v[0]+v[-1]**2",
    "mean(u*v)/norm(u)",
    "prod(v)",
)


def evaluator(expression: str, values: dict):
    """Return a call of value and gradient at a random point."""
    tree = parse(expression)
    start = make_problem(expression, "minimize", {name: values[name] for name in tree.names}).start
    lengths = {name: len(v) if hasattr(v, "__len__") else None for name, v in start.items()}
    objective = build_objective(tree, lengths, {}, 1)
    x = np.concatenate([np.atleast_1d(start[name]) for name in objective.space.names])
    return lambda: objective.evaluate(x, 1)


def main() -> None:
    """Measure and print both tables."""
    (n,) = sizes(1_000_000)
    random = np.random.default_rng(0)
    values = {
        "x": random.normal(size=n),
        "v": random.normal(size=n),
        "u": random.normal(size=n),
        "a": 0.7,
        "b": -0.3,
    }
    x = values["x"]
    scipy = "scipy rosen + rosen_der"
    medians = alternate({scipy: lambda: (rosen(x), rosen_der(x)), "gd": evaluator(CHAIN, values)}, 21)
    rows = [[name, f"{t * 1e3:.2f}", f"{medians[scipy] / t:.1f}"] for name, t in medians.items()]
    print(table([f"chain Rosenbrock, n = {n:.0e}", "ms", "times faster"], rows))
    print()
    medians = alternate({e: evaluator(e, values) for e in OTHERS}, 5)
    print(
        table([f"value and gradient, n = {n:.0e}", "ms"], [[e, f"{t * 1e3:.2f}"] for e, t in medians.items()])
    )


if __name__ == "__main__":
    main()
