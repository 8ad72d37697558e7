"""Runs of gd on the problems with known answers, without the text front end: compile once, solve often."""

from __future__ import annotations

from functools import cache
from math import isfinite
from random import Random
from typing import Any, NamedTuple

from measure import is_solved, problems

from gdcli.api import make_problem
from gdcli.judge.certificate import certify
from gdcli.judge.verdict import Terms, judge
from gdcli.kernel.errors import DomainError
from gdcli.kernel.status import Status
from gdcli.language.syntax import parse
from gdcli.objective.build import build_objective
from gdcli.objective.protocol import Counts
from gdcli.solve.registry import choose
from gdcli.solve.run import RunOptions, run
from gdcli.solve.settings import Settings, rules_from


class Score(NamedTuple):
    """One run: was it solved, was that claimed, at which point and value, and for how many evaluations."""

    solved: bool
    claimed: bool
    x: Any
    value: float
    first: int
    all: int


@cache
def compiled(name: str) -> tuple[Any, Any]:
    """Return the objective of a problem and its start."""
    problem = next(p for p in problems() if p["name"] == name)
    start = make_problem(problem["expr"], "minimize", problem["start"]).start
    objective: Any = build_objective(parse(problem["expr"]), dict.fromkeys(start), {}, 1)
    return objective, objective.vector(objective.space.flatten(start))


def perturbed(x0: Any, random: Random) -> Any:
    """Return a start near ``x0``: half of max(1, |x|) away in each variable, normally."""
    return type(x0)([a + 0.5 * max(1.0, abs(a)) * random.gauss(0.0, 1.0) for a in x0])


def starts(problem: dict[str, Any], copies: int) -> list[Any]:
    """Return perturbed starts at which the function has a value; always the same."""
    objective, x0 = compiled(problem["name"])
    random = Random(problem["name"])
    drawn = [perturbed(x0, random) for _ in range(copies)]
    return [x for x in drawn if isfinite(objective.value(x))]


def solve(problem: dict[str, Any], method: str, x0: Any, max_iter: int = 10_000) -> Score:
    """Run ``method`` from ``x0``; the evaluations of the certificate are counted."""
    objective, _ = compiled(problem["name"])
    objective.counts = Counts()
    chosen = choose(method, objective)
    entry = chosen.entry
    try:
        rules = rules_from(Settings(max_iter=max_iter), own_rule=entry.own_rule)
        result = run(objective, chosen.method, x0, rules, options=RunOptions(polishes=entry.polishes))
    except DomainError:
        return Score(False, False, x0, float("inf"), 0, 0)
    tol = entry.default_tol
    certificate = certify(objective, result.best.at, result.start.at, tol, result.reason)
    verdict = judge(result, certificate, Terms(strict=entry.strict, tol=tol))
    c, at = objective.counts, result.best.at
    first = c.value + c.gradient + c.product
    claimed = verdict.status is Status.CONVERGED
    return Score(is_solved(problem, at.value), claimed, at.x, at.value, first, first + c.hessian)


def is_refuted(problem: dict[str, Any], x: Any, value: float, points: int = 100) -> bool:
    """Tell whether a point close to ``x`` is clearly lower than a claimed minimum."""
    objective, _ = compiled(problem["name"])
    random = Random(0)
    for _ in range(points):
        radius = 10.0 ** random.uniform(-6.0, -2.5)
        near = [a + radius * max(1.0, abs(a)) * random.gauss(0.0, 1.0) for a in x]
        if objective.value(near) < value - 1e-6 * max(1.0, abs(value)):
            return True
    return False
