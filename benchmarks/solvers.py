"""How many of the problems with known answers each method solves, what it claims, and what that costs.

    python benchmarks/solvers.py [perturbed starts per problem] [problems]

Solved: within 1e-8 * max(1, |f|) of a known minimum. False: claimed (status `converged`, scipy's `success`), not
solved. Shy: solved, not claimed. Evaluations count values, gradients and Hessian products (f+g) and Hessians (+H),
each as one, over the solved problems; those of gd's certificates are included. From perturbed starts a claim is
refuted when one of 100 points near the answer is lower by more than 1e-6.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from bench_runs import Score, compiled, is_refuted, solve, starts
from measure import is_solved, problems, sizes, table
from scipy.optimize import minimize

from gdcli.kernel.vectors import Vec
from gdcli.solve.registry import METHODS

SCIPY = {
    "BFGS": ("BFGS", {}),
    "BFGS tight": ("BFGS", {"gtol": 1e-9}),
    "L-BFGS-B": ("L-BFGS-B", {}),
    "L-BFGS-B tight": ("L-BFGS-B", {"ftol": 1e-15, "gtol": 1e-9}),
    "trust-exact": ("trust-exact", {}),
    "trust-exact tight": ("trust-exact", {"gtol": 1e-9}),
    "CG": ("CG", {}),
    "CG tight": ("CG", {"gtol": 1e-9}),
}
Solver = Callable[[dict[str, Any], Any], Score]


def by_gd(method: str) -> Solver:
    """Return a solver by one of gd's methods."""
    return lambda problem, x0: solve(problem, method, x0)


def by_scipy(name: str) -> Solver:
    """Return a solver by one of scipy's methods on the same compiled functions."""
    method, options = SCIPY[name]

    def call(problem: dict[str, Any], x0: Any) -> Score:
        objective, _ = compiled(problem["name"])
        spent = {"f": 0, "g": 0, "H": 0}

        def f(x: Any) -> float:
            spent["f"] += 1
            return objective.value(Vec(x.tolist()))

        def g(x: Any) -> Any:
            spent["g"] += 1
            found = objective.evaluate(Vec(x.tolist()), 1).gradient
            return np.full(len(x), np.nan) if found is None else np.array(found)

        def hessian(x: Any) -> Any:
            spent["H"] += 1
            found = objective.evaluate(Vec(x.tolist()), 2).hessian
            return np.full((len(x), len(x)), np.nan) if found is None else np.array(found)

        more = {"hess": hessian} if method == "trust-exact" else {}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                r = minimize(f, np.array(x0), jac=g, method=method, options=options, **more)
            except (ValueError, np.linalg.LinAlgError):
                return Score(False, False, x0, float("inf"), 0, 0)
        value = float(r.fun)
        first = spent["f"] + spent["g"]
        return Score(
            is_solved(problem, value), bool(r.success), Vec(r.x.tolist()), value, first, first + spent["H"]
        )

    return call


def from_the_starts(solver: Solver, most: int) -> list[str]:
    """Return the row of a solver on the problems as they stand."""
    scores = [solver(p, compiled(p["name"])[1]) for p in problems(most)]
    solved = [s for s in scores if s.solved]
    return [
        str(len(solved)),
        str(sum(s.claimed for s in scores)),
        str(sum(s.claimed and not s.solved for s in scores)),
        str(sum(s.solved and not s.claimed for s in scores)),
        *(
            f"{median(numbers):.0f}" if solved else ""
            for numbers in ([s.first for s in solved], [s.all for s in solved])
        ),
        str(max((s.all for s in solved), default="")),
    ]


def from_perturbed_starts(solver: Solver, most: int, copies: int) -> list[str]:
    """Return the row of a solver from starts nearby."""
    scores = [(p, solver(p, x0)) for p in problems(most) for x0 in starts(p, copies)]
    refuted = sum(s.claimed and not s.solved and is_refuted(p, s.x, s.value) for p, s in scores)
    return [
        str(len(scores)),
        str(sum(s.solved for _, s in scores)),
        str(sum(s.claimed for _, s in scores)),
        str(refuted),
        str(sum(s.solved and not s.claimed for _, s in scores)),
        f"{median(s.all for _, s in scores):.0f}",
    ]


def main() -> None:
    """Run everything and print both tables."""
    copies, most = sizes(4, len(problems()))
    solvers = {f"gd {m}": by_gd(m) for m in METHODS if METHODS[m].is_general} | {
        f"scipy {m}": by_scipy(m) for m in SCIPY
    }
    head = [f"{most} problems", "solved", "claimed", "false", "shy", "median f+g", "median f+g+H", "max"]
    print(table(head, [[name, *from_the_starts(solver, most)] for name, solver in solvers.items()]))
    print()
    head = ["perturbed starts", "runs", "solved", "claimed", "refuted", "shy", "median f+g+H"]
    some = {name: s for name, s in solvers.items() if name.startswith("scipy") or name[3:] in QUICK}
    print(table(head, [[name, *from_perturbed_starts(s, most, copies)] for name, s in some.items()]))


QUICK = ("auto", "newton-cg", "lbfgs", "bfgs", "cg", "bb")

if __name__ == "__main__":
    main()
