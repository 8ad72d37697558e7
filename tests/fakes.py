"""Answers without language and compiler: real runs of a small method on toy objectives, in the shape of the
api.

`outcome` gives what `gdcli.api.solve` would, so that reports and commands can be tested by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from toy import Toy, rosenbrock

from gdcli.api import Outcome, Problem, Settings
from gdcli.judge.evidence import Certificate
from gdcli.kernel.status import CurvatureSource, PointKind, Status, StopReason
from gdcli.kernel.vectors import Space, Vec, norm
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.iteration import Observer, Step
from gdcli.solve.run import run

ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"


class Backtracking:
    """Steepest descent that halves its step until the value falls."""

    order = 1

    def start(self, objective: Objective, at: Evaluation) -> float:
        return 1.0

    def step(self, objective: Objective, at: Evaluation, size: float) -> Step:
        while True:
            there = objective.evaluate(at.x - at.gradient * size, 1)
            if there.value < at.value:
                return Step(there, 2 * size, size)
            size /= 2


class Until:
    """The stop rule of these runs: a gradient norm, or a number of iterations."""

    def __init__(self, tolerance: float, most: int) -> None:
        self.tolerance, self.most = tolerance, most
        self.reason = StopReason.GRADIENT

    def __call__(self, progress: Any) -> bool:
        small = norm(progress.at.gradient) <= self.tolerance
        self.reason = StopReason.GRADIENT if small else StopReason.MAX_ITERATIONS
        return bool(small or progress.iteration >= self.most)


def problem(sense: str = "minimize", **changes: Any) -> Problem:
    return replace(Problem(ROSENBROCK, sense, {"x": -1.2, "y": 1.0}), **changes)


def outcome(
    asked: Problem | None = None,
    observers: Sequence[Observer] = (),
    most: int = 10,
    toy: Toy | None = None,
    **changes: Any,
) -> Outcome:
    """Return the outcome of ``most`` iterations at most, with the fields in ``changes`` put in place."""
    asked = asked or problem()
    space = Space({n: len(v) if hasattr(v, "__len__") else None for n, v in asked.start.items()})
    objective = toy or rosenbrock()
    result = run(objective, Backtracking(), Vec(space.flatten(asked.start)), [Until(1e-6, most)], observers)
    done = result.reason.value == "gradient-tolerance"
    certificate = Certificate(
        PointKind.MINIMUM if done else PointKind.NOT_STATIONARY,
        result.best.gradient_norm,
        0.3993607674876216,
        1001.6006392325123,
        2508.009601277298,
        1.25e-13,
        5e-07,
        CurvatureSource.EXACT,
    )
    made = Outcome(
        asked,
        Settings(max_iter=most),
        space,
        result,
        certificate,
        Status.CONVERGED if done else Status.LIMIT,
        result.reason.sentence,
        "" if done else "raise --max-iter, or leave --method to auto",
        "descent",
        "descent",
        "chosen for this test",
        "python",
    )
    return replace(made, **changes)


def no_time(made: Outcome) -> Outcome:
    """Return the outcome with all its times set to 2 ms."""
    return replace(made, run=replace(made.run, seconds=0.002))
