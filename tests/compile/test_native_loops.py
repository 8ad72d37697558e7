"""Loops of machine code: iterates, counts, best point and end are those of CPython, bit for bit."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gdcli.api import make_problem
from gdcli.compile import machine_code
from gdcli.compile.descent_loops import HISTORY, ROOM, LoopLayout, loop_text
from gdcli.compile.scalar_text import compile_function
from gdcli.kernel.budget import limited
from gdcli.kernel.status import StopReason
from gdcli.objective.build import build_objective
from gdcli.objective.expression import ScalarObjective
from gdcli.record.path_rows import Trail
from gdcli.solve.iteration import Iterate, Method, RunResult
from gdcli.solve.methods.descent import Descent, Direction, Steepest
from gdcli.solve.methods.directions import AdaGrad, Adam, Momentum, Nesterov, RMSProp
from gdcli.solve.methods.elementwise import DecayRule, Fixed
from gdcli.solve.native_steps import limits_of
from gdcli.solve.registry import choose
from gdcli.solve.run import RunOptions, run
from gdcli.solve.settings import Limits, Settings, rules_from
from gdcli.solve.step_rules import StepRule
from gdcli.tasks.problem import parsed

pytest.importorskip("llvmlite")

from gdcli.objective.build import ScalarTier

ROSENBROCK = ("(1-x)**2 + 100*(y-x**2)**2", {"x": -1.2, "y": 1.0})
EXPRESSIONS: dict[str, tuple[str, dict[str, Any], float]] = {
    "rosenbrock": (*ROSENBROCK, 1e-3),
    "functions": ("exp(-x)*sin(y)**2 + log(1+x**2) + sigmoid(x*y) + hypot(x, y) + y**2", {"x": 1.3, "y": -0.7}, 0.01),
    "special": ("lgamma(2+x**2) + erf(y) + cbrt(1+x*y)**2 + softplus(x) + y**4", {"x": 0.6, "y": 0.9}, 0.01),
    "choices": ("abs(x-0.3) + max(x, y)**2 + where(y < 0, y**2, 3*y) + min(x, 1)**2", {"x": 2.0, "y": 1.0}, 0.003),
    "powers": ("(x**2+y**2)**1.3 + 2**x + tanh(y)", {"x": 1.0, "y": 2.0}, 0.02),
    "vector": ("sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)", {"v": [-1.2, 1.0, 0.7, -0.3, 0.2]}, 5e-4),
}  # fmt: skip
DIRECTIONS: dict[str, Callable[[], Direction]] = {
    "steepest": Steepest, "momentum": Momentum, "nesterov": Nesterov, "adagrad": AdaGrad, "rmsprop": RMSProp,
    "adam": Adam,
}  # fmt: skip


def objective_of(expression: str, start: dict[str, Any]) -> tuple[ScalarObjective, Any]:
    problem = make_problem(expression, "minimize", start)
    objective = build_objective(parsed(expression, ""), problem.lengths, {}, 1)
    assert isinstance(objective, ScalarObjective)
    return objective, objective.vector(objective.space.flatten(problem.start))


def bits(values: Sequence[float]) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def told(iterate: Iterate) -> tuple[Any, ...]:
    """Everything about an iterate but its time."""
    at, counts = iterate.at, iterate.counts
    assert at.gradient is not None
    return (
        iterate.iteration, bits(at.x), bits([at.value]), bits(at.gradient), iterate.step, iterate.moved,
        counts.value, counts.gradient, counts.hessian, iterate.kind,
    )  # fmt: skip


def ended(result: RunResult) -> tuple[Any, ...]:
    marks = [told(i) for i in (result.start, result.best, result.last) if i.at.gradient is not None]
    return (*marks, result.reason, result.iterations, result.counts)


def pair(
    expression: str,
    start: dict[str, Any],
    method: Callable[[], Method],
    watch: Callable[[], Any] | None = None,
    **rules: Any,
) -> list[tuple[RunResult, Any]]:
    """One run in CPython and one in machine code, each with what watched it."""
    found = []
    for native in (False, True):
        objective, x0 = objective_of(expression, start)
        tier = ScalarTier(objective, at_once=True, use_cache=False) if native else None
        observer = watch() if watch is not None else None
        observers = [] if observer is None else [observer]
        asked = Settings(**rules)
        with limited(asked):
            made = run(objective, method(), x0, rules_from(asked), observers, RunOptions(tier=tier))
        found.append((made, observer))
        assert tier is None or tier.engine == "native"
    return found


class Path:
    """Keeps what is told of every iterate."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def __call__(self, iterate: Iterate) -> None:
        self.seen.append(told(iterate))


class Path0:
    """Keeps the points and values alone: there may be no gradient at the end."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def __call__(self, iterate: Iterate) -> None:
        self.seen.append((iterate.iteration, bits(iterate.at.x), bits([iterate.at.value]), iterate.counts))


@pytest.mark.every(2)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_400_successive_iterates_have_the_same_bits(expression: str, direction: str) -> None:
    text, start, lr = EXPRESSIONS[expression]
    lr = lr * 10 if direction == "adagrad" else lr / 10 if direction in ("momentum", "nesterov") else lr
    (_, python), (_, native) = pair(
        text, start, lambda: Descent(DIRECTIONS[direction](), Fixed(lr)), Path, max_iter=400, tol=0.0
    )
    assert len(python.seen) == 401
    assert native.seen == python.seen


@pytest.mark.parametrize("rule", [Fixed(1e-3), DecayRule(2e-3, 50.0)])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_long_runs_end_alike(direction: str, rule: StepRule) -> None:
    (python, _), (native, _) = pair(
        *ROSENBROCK, lambda: Descent(DIRECTIONS[direction](), rule), max_iter=5000
    )
    assert ended(native) == ended(python)


STOPS: dict[str, tuple[dict[str, Any], StopReason]] = {
    "gradient": ({"gradient_tol": 1e-3}, StopReason.GRADIENT),
    "scaled": ({"tol": 1e-5}, StopReason.GRADIENT),
    "step": ({"step_tol": 1e-5, "tol": 0.0}, StopReason.STEP),
    "value": ({"value_tol": 1e-7, "tol": 0.0}, StopReason.VALUE),
    "target": ({"target": 0.25}, StopReason.TARGET),
    "iterations": ({"max_iter": 1237}, StopReason.MAX_ITERATIONS),
    "evaluations": ({"max_evaluations": 2345}, StopReason.MAX_EVALUATIONS),
    "odd evaluations": ({"max_evaluations": 2346}, StopReason.MAX_EVALUATIONS),
}


@pytest.mark.parametrize("name", STOPS)
def test_machine_code_keeps_to_each_stop_rule(name: str) -> None:
    """Else the method would be left to CPython, with the same answer."""
    asked = Settings(max_time=9.0, **STOPS[name][0])
    with limited(asked):
        assert limits_of(rules_from(asked), -1e60) is not None


@pytest.mark.parametrize("name", STOPS)
def test_each_stop_rule_ends_the_run_at_the_same_step(name: str) -> None:
    rules, reason = STOPS[name]
    (python, _), (native, _) = pair(
        *ROSENBROCK, lambda: Descent(Steepest(), Fixed(1e-3)), **{"max_iter": 30_000, **rules}
    )
    assert python.reason is reason
    assert ended(native) == ended(python)


@pytest.mark.parametrize(
    ("expression", "start", "lr", "tol", "reason"),
    [
        ("x**4 - y", {"x": 0.5, "y": 0.0}, 0.1, 1e-8, StopReason.MAX_ITERATIONS),
        ("x**3", {"x": -1.0}, 0.1, 1e-8, StopReason.UNBOUNDED),
        ("x**2", {"x": 1.0}, 1.5, 1e-8, StopReason.NON_FINITE),
        ("log(x)", {"x": 1.0}, 0.3, 1e-8, StopReason.NON_FINITE),
        ("sqrt(x)*x + y**2", {"x": 1.0, "y": 1.0}, 0.3, 0.0, StopReason.NON_FINITE),
        ("x**2", {"x": 1.0}, 0.25, 1e-8, StopReason.GRADIENT),
        ("(x-3)**2", {"x": 1.0}, 0.25, 0.0, StopReason.FLOOR),
        # At a kink central differences stand in, in CPython.
        ("abs(x) + abs(y-1) + z**2", {"x": 1.0, "y": 0.0, "z": 1.0}, 0.125, 0.0, StopReason.FLOOR),
        # Squares of the moves vanish or overflow, which says nothing about a stop.
        ("1e-200*x + 1e-200*y", {"x": 0.0, "y": 0.0}, 1.0, 0.0, StopReason.MAX_ITERATIONS),
        ("1e200*x**2", {"x": 1.0}, 1e-201, 0.0, StopReason.MAX_ITERATIONS),
    ],
)
def test_runs_that_end_in_trouble_end_alike(
    expression: str, start: dict[str, Any], lr: float, tol: float, reason: StopReason
) -> None:
    (python, seen), (native, seen_by_native) = pair(
        expression, start, lambda: Descent(Steepest(), Fixed(lr)), Path0, max_iter=3000, tol=tol
    )
    assert ended(native) == ended(python)
    assert python.reason is reason
    assert seen.seen == seen_by_native.seen


@pytest.mark.parametrize("every", [None, 1, 7, 600, 1000])
def test_a_table_has_the_same_rows(every: int | None) -> None:
    (_, python), (_, native) = pair(
        *ROSENBROCK,
        lambda: Descent(Momentum(), Fixed(1e-4)),
        lambda: Trail(1, 2, every),
        max_iter=6543,
        tol=0.0,
    )
    assert native.rows() == python.rows()


@pytest.mark.parametrize("name", ["auto", "newton", "newton-cg", "bfgs", "lbfgs", "cg", "bb", "gd", "batch"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_other_methods_take_the_same_way(expression: str, name: str) -> None:
    """Their loop stays in CPython; the value, gradient, Hessian and products are machine code."""
    text, start, _ = EXPRESSIONS[expression]

    paths = []
    for native in (False, True):
        objective, x0 = objective_of(text, start)
        objective.evaluate(x0, 1 if name != "newton" else 2)
        if native:
            tier = ScalarTier(objective, at_once=True, use_cache=False)
            assert tier.worth_after(None) == 0.0
            assert tier.load(None) is None
            assert not objective.programs_in_use()
        path = Path0()
        result = run(objective, choose(name, objective).method, x0, rules_from(Settings(max_iter=60)), [path])
        paths.append((path.seen, result.reason, result.counts))
    assert paths[0] == paths[1]


def test_only_a_long_run_loads_machine_code() -> None:
    """On a clock of its own a run switches when its time has come, and not before."""
    for ticks, expected in ((1e-6, "python"), (1e-3, "native")):
        objective, x0 = objective_of(*ROSENBROCK)
        tier = ScalarTier(objective, use_cache=False)
        clock = iter(range(10**9))
        result = run(
            objective, Descent(Steepest(), Fixed(1e-3)), x0, rules_from(Settings(max_iter=3000, tol=0.0)),
            options=RunOptions(lambda clock=clock, ticks=ticks: next(clock) * ticks, tier),
        )  # fmt: skip
        assert tier.engine == expected
        assert result.iterations == 3000


def test_learning_rates_compare_alike() -> None:
    from gdcli.judge.learning_rates import compare

    for expression, start, rates in (
        (*ROSENBROCK, (1e-2, 2e-3, 1e-3, 1e-4, 1e-6)),
        ("x**2 + 10*y**2 + sin(z)", {"x": -9.0, "y": 1.5, "z": 0.3}, (0.11, 0.1, 0.05, 0.001)),
        ("log(x) + y**4", {"x": 1.0, "y": 1.0}, (0.3, 1e-3)),
        ("(x+0.5)**3 - y", {"x": 1.0, "y": 0.0}, (0.01, 0.3)),
    ):
        found = []
        for native in (False, True):
            objective, x0 = objective_of(expression, dict(start))
            tier = ScalarTier(objective, at_once=True, use_cache=False) if native else None
            found.append(compare(objective, x0, rates, 4000, tier=tier))
            assert tier is None or tier.engine == "native"
        assert found[0] == found[1]


def test_an_interrupt_between_chunks_keeps_the_best_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are short, so that Ctrl-C is heard; what was reached until then stays."""
    from gdcli.solve import native_steps

    objective, x0 = objective_of(*ROSENBROCK)
    taken: list[int] = []
    pace = native_steps.ChunkedSteps.pace

    def interrupted(self: native_steps.ChunkedSteps, steps: int, wanted: int, spent: float) -> None:
        pace(self, steps, wanted, spent)
        taken.append(steps)
        assert spent < 1.0
        if len(taken) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(native_steps.ChunkedSteps, "pace", interrupted)
    tier = ScalarTier(objective, at_once=True, use_cache=False)
    result = run(
        objective,
        Descent(Steepest(), Fixed(1e-7)),
        x0,
        rules_from(Settings(max_iter=10**12, tol=0.0)),
        options=RunOptions(tier=tier),
    )
    assert result.reason is StopReason.INTERRUPTED
    assert result.iterations == sum(taken[:3])
    assert result.best.at.value < result.start.at.value


def test_a_run_goes_on_without_machine_code_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> str:
        raise RuntimeError("LLVM is out of order")

    monkeypatch.setattr(machine_code, "to_llvm", broken)
    objective, x0 = objective_of(*ROSENBROCK)
    clock = iter(range(10**9))
    tier = ScalarTier(objective, use_cache=False)
    method, rules = Descent(Steepest(), Fixed(1e-3)), rules_from(Settings(max_iter=2000, tol=0.0))
    result = run(objective, method, x0, rules, options=RunOptions(lambda: next(clock) * 1e-3, tier))
    assert (result.iterations, tier.engine) == (2000, "python")
    with pytest.raises(RuntimeError, match="out of order"):
        run(
            objective,
            method,
            x0,
            rules,
            options=RunOptions(tier=ScalarTier(objective, at_once=True, use_cache=False)),
        )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_text_of_a_loop_runs_in_cpython_too(direction: str) -> None:
    """One text, two runners: the rows that it writes are the same."""
    objective, x0 = objective_of(*ROSENBROCK)
    method = Descent(DIRECTIONS[direction](), Fixed(1e-4))
    found = method.elementwise()
    assert found is not None
    tier = ScalarTier(objective, at_once=True, use_cache=False)
    tier.worth_after(found.update)
    loop = tier.load(found.update)
    assert loop is not None
    at = objective.evaluate(x0, 1)
    states = found.states(method.start(objective, at))
    steps = ROOM + 100
    chunk = loop(at, states, found.constants, Limits(-1e60, 1e-12, True), at.value, steps)

    roots = objective.root, objective.gradient_nodes
    text = loop_text(objective.form.graph, *roots, objective.leaves, found.update, False)
    space = {"fabs": math.fabs, "sqrt": math.sqrt, "power": math.pow, "inf": math.inf}
    layout = LoopLayout(2)
    rows = [0.0] * (layout.row * (HISTORY + ROOM))
    begin = layout.row * (HISTORY - 1)
    rows[begin : begin + layout.row] = [*at.x, *at.gradient, at.value, 0.0]  # type: ignore[misc]
    best = [*[0.0] * (layout.best - 1), at.value]
    flat = [*states.scalars, *(a for vector in states.vectors for a in vector)]
    marks = [0, 0]
    limits = [-1e60, 1e-24, 0.0, 0.0, 0.0, *found.constants]
    assert (
        compile_function(text, "advance", space)(rows, best, flat, limits, marks, steps)
        == chunk.steps
        == steps
    )
    (last,) = chunk.last(1)
    newest = rows[marks[0] : marks[0] + layout.row]
    assert bits(newest[:2]) == bits(last.at.x)
    assert bits(newest[2:4]) == bits(last.at.gradient or ())
    assert newest[4:] == [last.at.value, last.size]
    assert bits(flat) == bits([*chunk.scalars, *(a for vector in chunk.vectors for a in vector)])
    assert chunk.best is not None
    assert marks[1] == chunk.best.number
    assert bits(best[:2]) == bits(chunk.best.at.x)
    assert bits(best[layout.row : layout.row + 2]) == bits(chunk.best.before.x)
