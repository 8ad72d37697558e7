"""Global minima over boxes: gd --global beside dual_annealing, differential_evolution, shgo and direct of scipy, and
SCIP.

Each function has a known global minimum (tests/data/global.json, from scipy's benchmark functions). *found*: the value
is that within 1e-6 of max(1, |it|). *false*: success is claimed, and it was not found. *enclosed* is where bounds met
within 1e-6, *missed* where they leave out the known value by more. gd proves in real numbers; the bounds of SCIP hold
but for its tolerance, 1e-7 here in each operation. gd is a whole command, the others run in this process, on compiled
functions; SCIP (``pip install pyscipopt``; left out where it is missing) on those that it can state. Seconds are those
of the processor.

``python benchmarks/global_search.py [COUNT] [SECONDS]`` takes the first functions; gd and SCIP get so many seconds for
each.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import GD, table

from gdcli import api

FILE = Path(__file__).parent.parent / "tests" / "data" / "global.json"
ACCURACY = 1e-6
Problem = Mapping[str, Any]


class Answer(NamedTuple):
    """The value that was found, whether success is claimed, the seconds; bounds of the minimum, if there are any."""

    value: float
    claims: bool
    seconds: float
    bounds: tuple[float, float] | None = None


def by_gd(problem: Problem, limit: float) -> Answer:
    bounds = ",".join(f"{name}={low!r}:{high!r}" for name, (low, high) in problem["bounds"].items())
    words = ["--global", "--bounds", bounds, "--max-time", f"{limit}s", "--format", "json"]
    began = os.times()
    done = subprocess.run([*GD, "minimize", problem["expr"], *words], capture_output=True, check=False)
    ended = os.times()
    seconds = sum(b - a for a, b in zip(began[2:4], ended[2:4], strict=True))
    found = json.loads(done.stdout)
    if "global" not in found:
        return Answer(np.inf, False, seconds)
    ends = tuple(
        np.inf * sign if end is None else end
        for end, sign in ((found["global"]["lower"], -1), (found["global"]["upper"], 1))
    )
    return Answer(found["value"], done.returncode == 0, seconds, (ends[0], ends[1]))


def by_scipy(name: str) -> Callable[[Problem, float], Answer]:
    def solve(problem: Problem, limit: float) -> Answer:
        from scipy import optimize

        start = {key: 0.55 * high + 0.45 * low for key, (low, high) in problem["bounds"].items()}
        exact = api.make_problem(problem["expr"], start=start).objective(1)
        box = [tuple(problem["bounds"][key]) for key in exact.space.names]
        more = {"rng": 0} if name in ("dual_annealing", "differential_evolution") else {}

        def value(x: Any) -> float:
            found = exact.evaluate(exact.vector(x.tolist())).value
            return found if found == found else np.inf

        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(optimize, name)(value, box, **more)
        best = np.inf if found.x is None else float(found.fun)
        return Answer(best, bool(found.success), time.process_time() - began)

    return solve


def by_scip(problem: Problem, limit: float) -> Answer:
    """Minimise z >= f(x); a function that SCIP cannot state is one that it has not solved."""
    import pyscipopt

    model = pyscipopt.Model()
    model.hideOutput()
    for name, value in (("limits/time", limit), ("numerics/feastol", 1e-7), ("limits/absgap", 1e-6)):
        model.setParam(name, value)
    known = {name: getattr(pyscipopt, name) for name in ("exp", "log", "sqrt", "sin", "cos")}
    known |= {"pi": math.pi, "e": math.e, "abs": abs}
    known |= {name: model.addVar(name, lb=low, ub=high) for name, (low, high) in problem["bounds"].items()}
    began = time.process_time()
    z = model.addVar("z", lb=None)
    try:
        model.addCons(z >= eval(problem["expr"], {"__builtins__": {}}, known))
    except (NameError, TypeError, NotImplementedError):
        return Answer(np.inf, False, 0.0)
    model.setObjective(z)
    model.optimize()
    seconds = time.process_time() - began
    best = model.getPrimalbound()
    claims = model.getStatus() in ("optimal", "gaplimit")
    return Answer(best, claims, seconds, (model.getDualbound(), best))


SOLVERS: dict[str, Callable[[Problem, float], Answer]] = {
    "gd --global": by_gd,
    **{
        f"scipy {name}": by_scipy(name)
        for name in ("dual_annealing", "differential_evolution", "shgo", "direct")
    },
}
if importlib.util.find_spec("pyscipopt"):
    SOLVERS["SCIP"] = by_scip


def row_of(name: str, problems: list[Problem], answers: list[Answer]) -> list[str]:
    found = [
        abs(a.value - p["fglob"]) <= ACCURACY * max(1.0, abs(p["fglob"]))
        for p, a in zip(problems, answers, strict=True)
    ]
    false = sum(a.claims and not hit for a, hit in zip(answers, found, strict=True))
    times = sorted(a.seconds for a in answers)
    enclosed = missed = ""
    if any(a.bounds for a in answers):
        room = [ACCURACY * max(1.0, abs(p["fglob"])) for p in problems]
        held = [
            a.bounds is None or a.bounds[0] - r <= p["fglob"] <= a.bounds[1] + r
            for a, p, r in zip(answers, problems, room, strict=True)
        ]
        enclosed, missed = str(sum(a.claims for a in answers)), str(held.count(False))
    numbers = (f"{statistics.median(times):.2f}", f"{times[-1]:.2f}", f"{sum(times):.1f}")
    return [name, f"{sum(found)} of {len(problems)}", str(false), enclosed, missed, *numbers]


def main() -> None:
    words = [float(word) for word in sys.argv[1:]]
    problems: list[Problem] = json.loads(FILE.read_text(encoding="utf-8"))[: int(words[0]) if words else None]
    limit = words[1] if len(words) > 1 else 10.0
    rows = [row_of(name, problems, [solve(p, limit) for p in problems]) for name, solve in SOLVERS.items()]
    head = ["global minima", "found", "false", "enclosed", "missed", "median s", "worst s", "all s"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
