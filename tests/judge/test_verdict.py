"""The truth table of statuses, on real runs wherever one can be had."""

from __future__ import annotations

import math
from typing import Any

import pytest
from toy import Toy, rosenbrock, scalar, sum_of_squares

from gdcli.api import minimize
from gdcli.judge.certificate import certify
from gdcli.judge.evidence import Certificate
from gdcli.judge.verdict import Terms, Verdict, judge
from gdcli.kernel.budget import limited
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Vec
from gdcli.solve.registry import choose
from gdcli.solve.run import run
from gdcli.solve.settings import Settings, rules_from


def verdict(
    toy: Toy, start: list[float], name: str = "auto", sign: int = 1, lr: float | None = None, **rules: Any
) -> tuple[Verdict, Certificate, Any]:
    chosen = choose(name, toy, lr=lr, tol=rules.get("tol"))
    asked = Settings(**rules)
    with limited(asked):
        result = run(toy, chosen.method, Vec(start), rules_from(asked, own_rule=chosen.entry.own_rule))
    tol = rules.get("tol") or chosen.entry.default_tol
    found = certify(toy, result.best.at, result.start.at, tol, result.reason)
    given = {"step_sizes": lr is not None, "fixed": chosen.fixed}
    return (
        judge(result, found, Terms(chosen.entry.strict, tol, sign, **given)),
        found,
        result,
    )


SADDLE = Toy(2, lambda v: v[0] ** 2 - v[1] ** 2 + v[1] ** 4, lambda v: [2 * v[0], -2 * v[1] + 4 * v[1] ** 3],
             lambda v: [[2.0, 0.0], [0.0, -2 + 12 * v[1] ** 2]])  # fmt: skip
HYPERBOLA = Toy(2, lambda v: v[0] ** 2 - v[1] ** 2, lambda v: [2 * v[0], -2 * v[1]],
                lambda v: [[2.0, 0.0], [0.0, -2.0]])  # fmt: skip
RIDGE = Toy(2, lambda v: v[0] ** 2 - v[1] ** 4, lambda v: [2 * v[0], -4 * v[1] ** 3],
            lambda v: [[2.0, 0.0], [0.0, -12 * v[1] ** 2]])  # fmt: skip
LINE = Toy(
    2, lambda v: (v[0] + v[1] - 1) ** 2, lambda v: [2 * (v[0] + v[1] - 1)] * 2, lambda v: [[2.0, 2.0]] * 2
)
QUARTIC = scalar(lambda x: x**4 - x**2, lambda x: 4 * x**3 - 2 * x, lambda x: 12 * x * x - 2)
SINE = scalar(math.sin, math.cos, lambda x: -math.sin(x))
CUBE = scalar(lambda x: x**3, lambda x: 3 * x * x, lambda x: 6 * x)
PARABOLA_DOWN = scalar(lambda x: -x * x, lambda x: -2 * x, lambda x: -2.0)
DECAY = scalar(lambda x: math.exp(-x), lambda x: -math.exp(-x), lambda x: math.exp(-x))
RECIPROCAL = scalar(lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3)
ARCTAN = scalar(math.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2)
TANGENT = scalar(math.tan, lambda x: 1 + math.tan(x) ** 2, lambda x: 2 * math.tan(x) * (1 + math.tan(x) ** 2))
LOG = scalar(math.log, lambda x: 1 / x, lambda x: -1 / x**2)
ROOT = scalar(math.sqrt, lambda x: 0.5 / math.sqrt(x), lambda x: -0.25 / x**1.5)
ENTROPY = scalar(lambda x: x * math.log(x), lambda x: math.log(x) + 1, lambda x: 1 / x)
BARRIER = scalar(lambda x: x - math.log(x), lambda x: 1 - 1 / x, lambda x: 1 / x**2)
MINUS_LOG = scalar(lambda x: -math.log(x), lambda x: -1 / x, lambda x: 1 / x**2)
MINUS_LOG_LOG = scalar(
    lambda x: -math.log(math.log(x)),
    lambda x: -1 / (x * math.log(x)),
    lambda x: (math.log(x) + 1) / (x * math.log(x)) ** 2,
)
MINUS_ROOT = scalar(lambda x: -math.sqrt(x), lambda x: -0.5 / math.sqrt(x), lambda x: 0.25 / x**1.5)
INVERSE_LOG = scalar(
    lambda x: 1 / math.log(x),
    lambda x: -1 / (x * math.log(x) ** 2),
    lambda x: (math.log(x) + 2) / (x * x * math.log(x) ** 3),
)
SLIDE = Toy(2, lambda v: (v[0] - 1) ** 2 - math.log(v[1]), lambda v: [2 * (v[0] - 1), -1 / v[1]],
            lambda v: [[2.0, 0.0], [0.0, 1 / v[1] ** 2]])  # fmt: skip
DEEP_EDGE = scalar(lambda x: x * math.log(x) + 30 * x, lambda x: math.log(x) + 31, lambda x: 1 / x)
FAR_OFF = scalar(lambda x: (1e-20 * x - 1) ** 2, lambda x: 2e-20 * (1e-20 * x - 1), lambda x: 2e-40)
FOURTH = scalar(lambda x: (x - 1) ** 4, lambda x: 4 * (x - 1) ** 3, lambda x: 12 * (x - 1) ** 2)
STEEP = scalar(lambda x: 1e8 * x * x, lambda x: 2e8 * x, lambda x: 2e8)
FAINT = scalar(lambda x: 1e-20 * (x - 1) ** 2, lambda x: 2e-20 * (x - 1), lambda x: 2e-20)
LIFTED = scalar(lambda x: 1e10 + (x - 1) ** 2, lambda x: 2 * (x - 1), lambda x: 2.0)
DEEP = scalar(lambda x: x**4 - 1e6 * x**2, lambda x: 4 * x**3 - 2e6 * x, lambda x: 12 * x * x - 2e6)
FAR = scalar(lambda x: (x - 1e7) ** 2, lambda x: 2 * (x - 1e7), lambda x: 2.0)
BELL = scalar(
    lambda x: -math.exp(-x * x),
    lambda x: 2 * x * math.exp(-x * x),
    lambda x: (2 - 4 * x * x) * math.exp(-x * x),
)


@pytest.mark.parametrize(
    ("toy", "start", "status", "kind", "value"),
    [
        (rosenbrock(), [-1.2, 1.0], Status.CONVERGED, "minimum", 0.0),
        (rosenbrock(), [1.0, 1.0], Status.CONVERGED, "minimum", 0.0),
        (SADDLE, [1.0, 0.0], Status.CONVERGED, "minimum", -0.25),
        (SADDLE, [0.0, 0.0], Status.CONVERGED, "minimum", -0.25),
        (QUARTIC, [0.0], Status.CONVERGED, "minimum", -0.25),
        (SINE, [math.pi / 2], Status.CONVERGED, "minimum", -1.0),
        (ENTROPY, [2.0], Status.CONVERGED, "minimum", -1 / math.e),
        (BARRIER, [5.0], Status.CONVERGED, "minimum", 1.0),
        (FOURTH, [3.0], Status.CONVERGED, "degenerate", 0.0),
        (LINE, [3.0, 4.0], Status.CONVERGED, "degenerate", 0.0),
        (STEEP, [1.0], Status.CONVERGED, "minimum", 0.0),
        (FAINT, [0.0], Status.CONVERGED, "minimum", 0.0),
        (LIFTED, [0.0], Status.CONVERGED, "minimum", 1e10),
        (DEEP, [1.0], Status.CONVERGED, "minimum", -2.5e11),
        (FAR, [0.0], Status.CONVERGED, "minimum", 0.0),
        (HYPERBOLA, [0.0, 0.0], Status.DIVERGED, None, None),
        (RIDGE, [1.0, 0.0], Status.DIVERGED, None, None),
        (PARABOLA_DOWN, [1.0], Status.DIVERGED, None, None),
        (PARABOLA_DOWN, [0.0], Status.DIVERGED, None, None),
        (CUBE, [1.0], Status.DIVERGED, None, None),
        (CUBE, [0.0], Status.DIVERGED, None, None),
        (TANGENT, [1.0], Status.DIVERGED, None, None),
        (RECIPROCAL, [-1.0], Status.DIVERGED, None, None),
        (DECAY, [0.0], Status.DIVERGED, "at-infinity", None),
        (RECIPROCAL, [1.0], Status.DIVERGED, "at-infinity", None),
        (ARCTAN, [0.0], Status.DIVERGED, "at-infinity", None),
        (LOG, [2.0], Status.STALLED, "not-stationary", None),
        (ROOT, [2.0], Status.STALLED, "not-stationary", None),
        (DEEP_EDGE, [2.0], Status.CONVERGED, "minimum", -math.exp(-31)),
        (FAR_OFF, [0.0], Status.CONVERGED, "minimum", 0.0),
        (MINUS_LOG, [2.0], Status.DIVERGED, None, None),
        (MINUS_LOG_LOG, [3.0], Status.DIVERGED, None, None),
        (MINUS_ROOT, [2.0], Status.DIVERGED, None, None),
        (INVERSE_LOG, [2.0], Status.DIVERGED, None, None),
        (SLIDE, [2.0, 1.0], Status.DIVERGED, None, None),
        # The slope underflows at both starts; a walk of the order of x finds the well from one of them.
        (BELL, [100.0], Status.CONVERGED, "minimum", -1.0),
        (BELL, [1e5], Status.STALLED, "flat", None),
    ],
)
def test_auto_on_special_functions(
    toy: Toy, start: list[float], status: Status, kind: str | None, value: float | None
) -> None:
    found, certificate, result = verdict(toy, start)
    assert found.status is status
    if kind:
        assert certificate.kind == kind
    if value is not None:
        assert result.best.at.value == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert bool(found.advice) == (status is not Status.CONVERGED)


@pytest.mark.parametrize("toy", [MINUS_LOG, MINUS_LOG_LOG, MINUS_ROOT, SLIDE])
def test_a_fall_without_end_is_seen_from_afar(toy: Toy) -> None:
    start = [3.0] * toy.size
    found, certificate, result = verdict(toy, start)
    assert result.iterations < 50
    assert "ever more slowly" in found.message
    assert certificate.estimated_gap is None


@pytest.mark.parametrize("n", [1, 2])
def test_a_linear_fall_is_not_called_slow(n: int) -> None:
    line = Toy(n, lambda v: sum(v), lambda v: [1.0] * n, lambda v: [[0.0] * n for _ in range(n)])
    found = verdict(line, [3.0] * n)[0]
    assert "falls without end." in found.message


@pytest.mark.parametrize("expression", ["x+y", "2*x+3*y", "x**3+y"])
def test_with_constraints_a_linear_fall_is_not_called_slow(expression: str) -> None:
    result = minimize(expression, start={"x": 1.0, "y": 1.0}, subject_to=["x + 2*y <= 3"])
    assert "falls without end;" in result.message


def test_a_slow_fall_to_a_limit_is_no_fall_without_end() -> None:
    assert "infimum at infinity" in verdict(INVERSE_LOG, [2.0])[0].message


@pytest.mark.parametrize(
    ("expression", "start", "elsewhere"), [("x**2*exp(-x)", 3.0, 0.5), ("x/(1+x**2)", 3.0, -2.0)]
)
def test_a_fall_to_infinity_is_told_of_this_way_alone(
    expression: str, start: float, elsewhere: float
) -> None:
    """Elsewhere there is the global minimum."""
    away = minimize(expression, start={"x": start})
    assert away.status is Status.DIVERGED
    assert away.message.startswith("There is no minimum this way: ")
    assert "start elsewhere" in away.advice
    there = minimize(expression, start={"x": elsewhere})
    assert there.status is Status.CONVERGED
    assert there.value < away.value


@pytest.mark.parametrize("expression", ["exp(1/x)", "tanh(x)", "atan(x)"])
def test_no_bound_is_told_that_the_value_never_falls_below(expression: str) -> None:
    """Rounded to some digits the last value may be beyond the infimum."""
    assert "below" not in minimize(expression, start={"x": 1.0}).message


def test_the_edge_is_noticed_in_time() -> None:
    for toy in (LOG, ROOT):
        assert verdict(toy, [2.0])[2].iterations < 80


def test_a_fixed_step_is_told_its_stable_range() -> None:
    squares = sum_of_squares(2)
    assert "stable below 2/L = 1." in verdict(squares, [1.0, 1.0], "gd", lr=0.1)[0].message
    for lr in (1.0, 1.1, 5.0):
        found = verdict(squares, [1.0, 1.0], "gd", lr=lr)[0]
        assert found.status in (Status.STALLED, Status.LIMIT, Status.DIVERGED)
        assert 0.0 < float(found.advice.split("--lr ")[1].split()[0].rstrip(",")) < 1.0
    slow = verdict(squares, [1.0, 1.0], "gd", lr=1e-6, max_iter=100)[0]
    assert "larger step size, --lr 0.5" in slow.advice
    # Momentum widens the range, and a step beyond it diverges indeed.
    assert "stable below 3.8/L = 1.9." in verdict(squares, [1.0, 1.0], "momentum", lr=0.1)[0].message
    assert verdict(squares, [1.0, 1.0], "momentum", lr=1.85)[0].status is Status.CONVERGED
    assert verdict(squares, [1.0, 1.0], "momentum", lr=1.95)[0].status is Status.DIVERGED
    assert "stable below 1.36/L = 0.6786." in verdict(squares, [1.0, 1.0], "nesterov", lr=0.1)[0].message
    assert verdict(squares, [1.0, 1.0], "nesterov", lr=0.66)[0].status is Status.CONVERGED
    assert verdict(squares, [1.0, 1.0], "nesterov", lr=0.69)[0].status is Status.DIVERGED
    assert "stable" not in verdict(squares, [1.0, 1.0], "gd")[0].message


def test_reasons_are_named() -> None:
    assert "without end" in verdict(CUBE, [1.0])[0].message
    assert "infimum at infinity" in verdict(DECAY, [0.0])[0].message
    assert "edge of the domain" in verdict(LOG, [2.0])[0].message
    assert "does not change" in verdict(BELL, [1e5])[0].message


def test_the_start_is_called_a_minimum_only_with_proof_and_then_says_so() -> None:
    found, _, result = verdict(rosenbrock(), [1.0, 1.0])
    assert result.iterations == 0
    assert "start is" in found.message
    found, _, _ = verdict(rosenbrock(), [1.0, 1.0], max_iter=0)
    assert found.status is Status.CONVERGED
    found, _, _ = verdict(rosenbrock(), [-1.2, 1.0], max_iter=0)
    assert found.status is Status.LIMIT
    found, _, _ = verdict(SADDLE, [0.0, 0.0], max_iter=0)
    assert found.status is Status.WRONG_KIND


def test_gradient_descent_is_told_what_it_found() -> None:
    assert verdict(SADDLE, [1.0, 0.0], "gd", lr=0.1)[0].status is Status.WRONG_KIND
    assert verdict(QUARTIC, [0.0], "gd", lr=0.1)[0].status is Status.WRONG_KIND
    assert verdict(sum_of_squares(2), [1.0, 1.0], "gd", lr=0.1)[0].status is Status.CONVERGED
    blown_up = verdict(sum_of_squares(2), [1.0, 1.0], "gd", lr=5.0)[0]
    assert blown_up.status is Status.DIVERGED
    assert "--lr" in blown_up.advice
    assert verdict(CUBE, [0.0], "gd", lr=0.1)[0].status is Status.DIVERGED
    assert verdict(DECAY, [0.0], "gd", lr=1.0, tol=1e-3)[0].status is Status.DIVERGED
    # A small gradient on a faint slope is no minimum of the function as far as its own scale goes.
    stopped = verdict(rosenbrock(), [-1.2, 1.0], "gd", lr=1e-3, step_tol=1e-4)
    assert stopped[0].status is Status.STALLED
    assert "auto" in stopped[0].advice


def test_a_tiny_gain_is_no_proof_where_everything_is_tiny() -> None:
    shallow = scalar(lambda x: 1e-8 * (x - 5) ** 2, lambda x: 2e-8 * (x - 5), lambda x: 2e-8)
    assert verdict(shallow, [0.0], "batch")[0].status is Status.STALLED
    assert verdict(FAINT, [0.0], "gd", lr=0.1)[0].status is Status.STALLED
    assert verdict(shallow, [0.0])[0].status is Status.CONVERGED
    # At the minimum itself nothing at all is left, and that is proof.
    assert verdict(shallow, [5.0], "batch")[0].status is Status.CONVERGED


def test_a_tail_is_no_minimum_for_any_method() -> None:
    tail = Toy(
        2,
        lambda v: (2 * v[0] ** 2 + 3 * v[1] ** 2 + 1) * math.exp(-v[0] - v[1]),
        lambda v: [
            math.exp(-v[0] - v[1]) * (4 * v[0] - (2 * v[0] ** 2 + 3 * v[1] ** 2 + 1)),
            math.exp(-v[0] - v[1]) * (6 * v[1] - (2 * v[0] ** 2 + 3 * v[1] ** 2 + 1)),
        ],
    )
    exact = Toy(2, tail._value, tail._gradient, lambda v: _hessian_of_tail(v[0], v[1]))
    for name in ("auto", "bfgs", "lbfgs"):
        assert verdict(exact, [8.0, 9.0], name)[0].status is Status.DIVERGED


def _hessian_of_tail(x: float, y: float) -> list[list[float]]:
    e, q = math.exp(-x - y), 2 * x * x + 3 * y * y + 1
    return [[e * (4 - 8 * x + q), e * (q - 4 * x - 6 * y)], [e * (q - 4 * x - 6 * y), e * (6 - 12 * y + q)]]


def test_batch_on_rosenbrock_is_not_converged() -> None:
    found, certificate, _ = verdict(rosenbrock(), [-1.2, 1.0], "batch")
    assert found.status is Status.STALLED
    assert certificate.kind == "not-stationary"
    assert "auto" in found.advice
    assert verdict(sum_of_squares(4), [10.0, 20.0, 4.0, 5.0], "batch")[0].status is Status.CONVERGED


@pytest.mark.parametrize(
    ("rules", "status", "word"),
    [
        ({"max_iter": 3}, Status.LIMIT, "--max-iter"),
        ({"max_evaluations": 7}, Status.LIMIT, "--max-evaluations"),
        ({"target": 5.0}, Status.COMPLETED, "target"),
    ],
)
def test_caps_and_targets(rules: dict[str, float], status: Status, word: str) -> None:
    found, _, _ = verdict(rosenbrock(), [-1.2, 1.0], "gd", **rules)
    assert found.status is status
    assert word in found.message


def test_an_interrupt_is_neither_success_nor_failure() -> None:
    toy = rosenbrock()
    chosen = choose("auto", toy)

    def stop(iterate: Any) -> None:
        if iterate.iteration == 3:
            raise KeyboardInterrupt

    result = run(toy, chosen.method, Vec([-1.2, 1.0]), rules_from(Settings(), own_rule=True), [stop])
    found = judge(result, certify(toy, result.best.at, result.start.at))
    assert found.status is Status.INTERRUPTED
    assert found.status.exit_code == 130


def test_a_constant_is_converged() -> None:
    toy = scalar(lambda x: 7.0, lambda x: 0.0, lambda x: 0.0)
    result = run(toy, choose("auto", toy).method, Vec([1.0]), rules_from(Settings(), own_rule=True))
    certificate = certify(toy, result.best.at, result.start.at)
    assert judge(result, certificate, Terms(constant=True)).status is Status.CONVERGED
    assert judge(result, certificate).status is Status.STALLED


def test_words_are_turned_for_a_maximisation() -> None:
    found, _, _ = verdict(rosenbrock(), [-1.2, 1.0], sign=-1)
    assert "maximum" in found.message
    assert "minimum" not in found.message
    found, _, _ = verdict(CUBE, [1.0], sign=-1)
    assert "rises without end" in found.message
    found, _, _ = verdict(QUARTIC, [0.0], "gd", lr=0.1, sign=-1)
    assert "a minimum" in found.message
    assert "higher" in found.message
    found, _, _ = verdict(ARCTAN, [0.0], sign=-1)
    assert "supremum" in found.message
    assert "keeps rising" in found.message
