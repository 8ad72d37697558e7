"""Problems with constraints and known minima: gd beside SLSQP, trust-constr and COBYQA of scipy, and IPOPT by casadi.

All get the same values and exact first derivatives (trust-constr and IPOPT second ones too) and the same start, in this
process. An answer is *solved* when its value is that of a known minimum, to about 1e-8, and no constraint is broken by
more than 1e-9 (for the others also 1e-8, their own tolerance); it is *false* when success is claimed and it is not
solved. An evaluation is that of the value with all constraints, or of all their slopes. Times are those of the
processor, of this process and its threads.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import constraint_problems  # the problems stand with the tests

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.objective.constrained import Constrained

# Iterations of the methods of scipy; those that need more have lost their way.
MOST = 300


class Answer(NamedTuple):
    """What a solver says: the point, whether it claims success, and what that took."""

    x: Any
    claims: bool
    evaluations: int
    hessians: int


def by_gd(problem: Mapping[str, Any], objective: Constrained, x0: Any) -> Answer:
    ends = {name: tuple(pair) for name, pair in problem["bounds"].items()}
    solve = getattr(api, problem["sense"])
    outcome = solve(problem["expr"], problem["start"], subject_to=problem["constraints"], bounds=ends)
    counts, space = outcome.run.counts, outcome.space
    x = np.array(space.flatten({name: outcome.point[name] for name in space.names}))
    # The objective of the comparison has the variables in the order of the start.
    flat = [v for name in problem["start"] for v in np.ravel(space.by_name(x)[name])]
    return Answer(
        np.array(flat), outcome.status is Status.CONVERGED, counts.value + counts.gradient, counts.hessian
    )


class Counted:
    """The functions of a problem as scipy takes them, counted: constraints are ``h == 0`` or ``-h >= 0``."""

    def __init__(self, objective: Constrained) -> None:
        self.objective = objective
        self.evaluations = self.hessians = 0
        self._last: dict[str, bytes] = {}

    def _count(self, kind: str, x: Any) -> Any:
        x = np.clip(np.array(x, dtype=float), self.objective.lower, self.objective.upper)
        if (
            self._last.get(kind) != x.tobytes()
        ):  # the value and the constraints at one point are one evaluation
            self._last[kind] = x.tobytes()
            self.evaluations += 1
        return x

    def value(self, x: Any) -> float:
        found = self.objective.values(self._count("value", x))[0]
        return found if np.isfinite(found) else 1e100

    def sides(self, x: Any) -> Any:
        return np.nan_to_num(self.objective.values(self._count("value", x))[1], nan=1e100, posinf=1e100)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        n = self.objective.size
        return self.objective.slopes(self._count("slopes", x)) or (
            np.zeros(n),
            np.zeros((self.objective.sides, n)),
        )

    def curvature(self, x: Any, weights: Any, of_value: float) -> Any:
        self.hessians += of_value != 0.0
        found = self.objective.curvature(np.array(x, dtype=float), np.asarray(weights), of_value)
        return np.eye(self.objective.size) if found is None else found


def by_scipy(method: str) -> Callable[..., Answer]:
    from scipy.optimize import NonlinearConstraint, minimize

    def solve(problem: Mapping[str, Any], objective: Constrained, x0: Any) -> Answer:
        counted, equal = Counted(objective), objective.equal
        box = list(zip(objective.lower, objective.upper, strict=True))
        options: dict[str, Any] = {"maxiter": MOST}
        more: dict[str, Any] = {}
        if method == "SLSQP":
            options["ftol"] = 1e-12
            sets = [
                {
                    "type": "eq" if kind else "ineq",
                    "fun": lambda x, m=mask: -counted.sides(x)[m],
                    "jac": lambda x, m=mask: -counted.slopes(x)[1][m],
                }
                for kind, mask in ((True, equal), (False, ~equal))
                if mask.any()
            ]
        else:
            low = np.where(equal, 0.0, -np.inf)
            exact: dict[str, Any] = {}
            if method == "trust-constr":
                options |= {"gtol": 1e-10, "xtol": 1e-12}
                exact["jac"] = lambda x: counted.slopes(x)[1]
                exact["hess"] = lambda x, v: counted.curvature(x, v, 0.0)
                more["hess"] = lambda x: counted.curvature(x, np.zeros(len(equal)), 1.0)
            sets = [NonlinearConstraint(counted.sides, low, 0.0, **exact)] if len(equal) else []
        if method != "COBYQA":
            more["jac"] = lambda x: counted.slopes(x)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = minimize(
                counted.value, x0, method=method, bounds=box, constraints=sets, options=options, **more
            )
        return Answer(np.array(found.x), bool(found.success), counted.evaluations, counted.hessians)

    return solve


def by_ipopt() -> Callable[..., Answer] | None:
    """Return IPOPT by casadi, with its default tolerances; None where that is not installed."""
    try:
        import casadi  # type: ignore[import-not-found]
    except ImportError:
        return None
    names = {name: getattr(casadi, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "fabs")}

    def solve(problem: Mapping[str, Any], objective: Constrained, x0: Any) -> Answer:
        x = casadi.SX.sym("x", objective.size)
        space, known = {}, 0
        for name, start in problem["start"].items():
            size = len(start) if isinstance(start, list) else 1
            space[name] = x[known] if size == 1 else x[known : known + size]
            known += size
        tree = lambda text: eval(text.replace("^", "**"), {"pi": np.pi, **names}, space)  # noqa: E731
        sides, low = [], []
        for text in problem["constraints"]:
            relation = next(r for r in ("<=", ">=", "==") if r in text)
            left, right = text.split(relation)
            sides.append(tree(f"({left})-({right})") * (-1 if relation == ">=" else 1))
            low.append(0.0 if relation == "==" else -np.inf)
        made = casadi.nlpsol(
            "made", "ipopt", {"x": x, "f": tree(problem["expr"]), "g": casadi.vertcat(*sides)},
            {"ipopt.print_level": 0, "print_time": False},
        )  # fmt: skip
        found = made(x0=x0, lbx=objective.lower, ubx=objective.upper, lbg=low, ubg=[0.0] * len(low))
        told = made.stats()
        counts = [told.get(f"n_call_nlp_{part}", 0) for part in ("f", "grad_f", "hess_l")]
        return Answer(np.array(found["x"]).ravel(), bool(told["success"]), counts[0] + counts[1], counts[2])

    return solve


def main() -> None:
    """Solve the problems that have a minimum by each solver, and print how they fared.

    A number on the command line: only so many of them.
    """
    most = int(sys.argv[1]) if len(sys.argv) > 1 else None
    problems = [p for p in constraint_problems.shown() if p["kind"] == "minimum"][:most]
    ipopt = by_ipopt()
    solvers: dict[str, Callable[..., Answer]] = {"gd": by_gd}
    solvers |= {method: by_scipy(method) for method in ("SLSQP", "trust-constr", "COBYQA")}
    if ipopt is not None:
        solvers["IPOPT"] = ipopt
    rows = [["", f"solved of {len(problems)}", "to 1e-8", "false", "evaluations", "Hessians", "ms"]]
    for name, solve in solvers.items():
        solved = loosely = false = 0
        evaluations, hessians, times = list[int](), list[int](), list[float]()
        for problem in problems:
            objective, start = constraint_problems.constrained(problem)
            x0 = np.array(start)
            began = time.process_time()
            try:
                answer = solve(problem, objective, x0)
            except Exception:  # a solver that breaks down has claimed nothing
                answer = Answer(x0, False, 0, 0)
            times.append(1e3 * (time.process_time() - began))
            x = np.clip(answer.x, objective.lower, objective.upper)
            value, h = objective.values(x)
            known = [problem["fmin"], *problem["accept"]]
            value = -value if problem["sense"] == "maximize" else value
            is_value = any(abs(value - v) <= problem["ftol"] * max(1.0, abs(v)) for v in known)
            broken = objective.violation(x, h)
            good = is_value and broken <= 1e-9
            solved += good
            loosely += is_value and broken <= 1e-8
            false += answer.claims and not (is_value and broken <= 1e-8)
            evaluations.append(answer.evaluations)
            hessians.append(answer.hessians)
        medians = [statistics.median(evaluations), statistics.median(hessians), statistics.median(times)]
        rows.append([name, str(solved), str(loosely), str(false), *(f"{m:.4g}" for m in medians)])
    print(table(rows[0], rows[1:]))


if __name__ == "__main__":
    main()
