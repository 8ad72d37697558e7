"""Every method on a dozen problems with known answers: solved and said to be, but for the exceptions listed here.

The list is strict: a pair that starts to work has to leave it. Whatever a method does, what it claims is true.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.judge.evidence import allowed_gap
from gdcli.solve.registry import METHODS

GENERAL = [name for name, entry in METHODS.items() if entry.is_general]
CHOSEN = (
    "mgh01_rosenbrock", "mgh07_helical_valley", "mgh13_powell_singular", "engval1_n10", "himmelbg", "denschnb",
    "hilbert_n5", "entropy_n4", "brown_n4", "branin01", "hartmann3", "six_hump_camel", "uni13",
)  # fmt: skip
PROBLEMS = {
    p["name"]: p
    for p in json.loads((Path(__file__).parent.parent / "data" / "problems.json").read_text())["problems"]
    if p["name"] in CHOSEN
}
MAX_ITER = 2000

VALLEY = "creeps along a curved valley"
FLAT = "the gradient dies out long before the value: the curvature vanishes at the minimum"
ILL = "the condition number is in the thousands or more, and so are the iterations"
SHORT = "the default step is too short here: it would need some thousand iterations more"
SWINGS = "steps of a fixed length swing about the minimum without settling"
COARSE = "its own stop rule, a change of the value by 1e-6, comes too early"

EXCEPTIONS: dict[str, dict[str, str]] = {
    "gd": {"mgh01_rosenbrock": VALLEY, "mgh07_helical_valley": VALLEY, "mgh13_powell_singular": FLAT,
           "hilbert_n5": ILL},
    "batch": {"mgh01_rosenbrock": COARSE, "mgh07_helical_valley": COARSE, "mgh13_powell_singular": COARSE,
              "himmelbg": COARSE},
    "momentum": {"mgh01_rosenbrock": VALLEY, "mgh13_powell_singular": FLAT, "hilbert_n5": ILL,
                 "entropy_n4": SHORT},
    "nesterov": {"mgh01_rosenbrock": VALLEY, "mgh13_powell_singular": FLAT, "hilbert_n5": ILL,
                 "entropy_n4": SHORT},
    "adagrad": {"mgh01_rosenbrock": VALLEY, "mgh07_helical_valley": VALLEY, "mgh13_powell_singular": FLAT,
                "uni13": SHORT},
    "rmsprop": {"mgh01_rosenbrock": VALLEY, "mgh07_helical_valley": VALLEY, "mgh13_powell_singular": FLAT,
                "engval1_n10": SWINGS, "branin01": SWINGS, "brown_n4": SWINGS, "hartmann3": SWINGS},
    "adam": {"mgh01_rosenbrock": VALLEY, "mgh07_helical_valley": VALLEY, "mgh13_powell_singular": FLAT,
             "engval1_n10": SHORT},
}  # fmt: skip


@pytest.mark.parametrize("method", GENERAL)
def test_every_method_on_every_problem(method: str) -> None:
    wrong = []
    for name, problem in PROBLEMS.items():
        worked, false = outcome_of(method, problem)
        assert not false, f"{method} claims on {name} what is not so"
        if worked is (name in EXCEPTIONS.get(method, {})):
            wrong.append(f"{name} {'works now' if worked else 'does not work'}")
    assert not wrong, f"{method}: {', '.join(wrong)}"


def outcome_of(method: str, problem: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether the problem was solved and said to be, and whether that was said without being so."""
    start = {k: float(v) for k, v in problem["start"].items()}
    settings = api.Settings(method=method, max_iter=MAX_ITER)
    found = api.solve(api.Problem(problem["expr"], "minimize", start), settings)
    known = [problem["fmin"], *problem.get("accept", [])]
    allowed = allowed_gap(found.value, METHODS[method].default_tol)
    near = any(abs(found.value - f) <= allowed for f in known)
    claimed = found.status.value == "converged"
    return near and claimed, claimed and not near


def test_the_list_of_exceptions_names_what_there_is() -> None:
    assert len(PROBLEMS) == len(CHOSEN)
    for method, names in EXCEPTIONS.items():
        assert method in METHODS
        assert set(names) <= set(CHOSEN)
