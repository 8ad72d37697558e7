"""All digits of an answer are right: the end is polished, and what is not known of a point is not printed."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.number_format import known
from gdcli.record.path_rows import Trail
from gdcli.record.runs import run_record
from gdcli.render.page import PLAIN, plain_text
from gdcli.render.summary import page
from gdcli.solve.iteration import Iterate
from gdcli.solve.registry import METHODS
from gdcli.solve.settings import Settings

ROUNDED = "no more than rounding is left to gain"
CASES = [
    ("-x*exp(-x)", {"x": (-0.5, 1.8)}, {"x": 1.0}),
    ("-sin(x)", {"x": (0.5, 2.5)}, {"x": math.pi / 2}),
    ("cosh(x-1)", {"x": (-3.0, 5.0)}, {"x": 1.0}),
    ("x**4 - 2*x**2", {"x": (0.6, 3.0)}, {"x": 1.0}),
    ("x**2 - 2*x + 1", {"x": (-5.0, 5.0)}, {"x": 1.0}),
    ("x - log(x)", {"x": (0.2, 4.0)}, {"x": 1.0}),
    ("1e6*(cosh(a-2) + 1e-3*cosh(b+1e-4) + 7)", {"a": (0.0, 4.0), "b": (-1.0, 1.0)}, {"a": 2.0, "b": -1e-4}),
    ("100*(y-x**2)**2 + (1-x)**2", {"x": (-2.0, 2.0), "y": (-1.0, 3.0)}, {"x": 1.0, "y": 1.0}),
    ("exp(x+y-2) - x - y + (x-y)**2", {"x": (0.0, 2.0), "y": (0.0, 2.0)}, {"x": 1.0, "y": 1.0}),
]


def shown(outcome: api.Outcome) -> dict[str, str]:
    """Return the facts on the page of an outcome by their labels."""
    lines = plain_text(
        page(run_record(outcome), Trail(outcome.sign, outcome.space.size), 200, PLAIN)
    ).splitlines()
    return {line.split("  ")[0]: line.partition("  ")[2].strip() for line in lines if line[:1].strip()}


@pytest.mark.parametrize(("expression", "box", "answer"), CASES, ids=[c[0] for c in CASES])
def test_digits_from_random_starts(expression: str, box: dict, answer: dict[str, float]) -> None:
    random = Random(expression)
    for _ in range(15):
        start = {name: random.uniform(*ends) for name, ends in box.items()}
        for sense in ("minimize", "maximize"):
            text = expression if sense == "minimize" else f"-({expression})"
            outcome = api.solve(api.make_problem(text, sense, start))
            assert outcome.status.value == "converged"
            for name, value in answer.items():
                assert outcome.point[name] == pytest.approx(value, rel=2e-14, abs=1e-15), start
            facts = shown(outcome)
            assert facts["stopped"] == f"because {ROUNDED}"


@pytest.mark.parametrize(
    ("expression", "start", "answer"),
    [
        ("sqrt(x**2+y**2)", {"x": 3.0, "y": 4.0}, "x = 0, y = 0"),
        ("abs(x)+abs(y)", {"x": 3.0, "y": 4.0}, "x = 0, y = 0"),
        ("max(abs(x),abs(y-1))", {"x": 3.0, "y": 4.0}, "x = 0, y = 1"),
        ("(x**2+(y-1)**2)**3", {"x": 3.0, "y": 4.0}, "x = 0, y = 1"),
        (
            "(x+10*y)**2+5*(z-w)**2+(y-2*z)**4+10*(x-w)**4",
            {"x": 3.0, "y": -1.0, "z": 0.0, "w": 1.0},
            "x = 0, y = 0, z = 0, w = 0",
        ),
        ("e^x - x + (y-1)**2", {"x": 1.0, "y": 3.0}, "x = 0, y = 1"),
        ("cosh(x) + (y-1)**2", {"x": 2.0, "y": 3.0}, "x = 0, y = 1"),
        ("exp(x-y) + exp(y-x) + x**2", {"x": 2.0, "y": 1.0}, "x = 0, y = 0"),
        ("x**4 + (y-1)**2", {"x": 1.0, "y": 2.0}, "x = 0, y = 1"),
    ],
)
def test_what_may_as_well_be_zero_has_no_digits(
    expression: str, start: dict[str, float], answer: str
) -> None:
    assert shown(api.minimize(expression, start))["point"] == answer


@pytest.mark.parametrize(
    ("expression", "start", "constraints", "answer"),
    [
        ("exp(x)+exp(-x)+y**2", {"x": 1.0, "y": 2.0}, ["x+y >= 0"], "x = 0, y = 0"),
        ("-x", {"x": 0.3, "y": 0.2}, ["x**2+y**2 <= 1"], "x = 1, y = 0"),
        ("x**2+y**2+z**2", {"x": 1.0, "y": 2.0, "z": 3.0}, ["x+y+z == 1", "x-y+z == 1"], "x = 0.5, y = 0, z = 0.5"),
        ("(x-2)**2 + y**2", {"x": 3.0, "y": 1.0}, ["y == sin(x-2)"], "x = 2, y = 0"),
        ("x*y", {"x": 1.0, "y": 1.0}, ["x**2+y**2 <= 1", "x+y == 1"], "x = 0, y = 1"),
    ],
)  # fmt: skip
def test_with_constraints_what_may_as_well_be_zero_has_no_digits(
    expression: str, start: dict[str, float], constraints: list[str], answer: str
) -> None:
    assert shown(api.minimize(expression, start, subject_to=constraints))["point"] == answer


@pytest.mark.parametrize("constraints", [[], ["x + y >= -1"], ["x**2 + y**2 <= 9"], ["x == 1e-9"]])
@pytest.mark.parametrize("expression", ["1 + (x-1e-9)**2 + (y-1)**2", "exp(x-1e-9) - x + (y-1)**2"])
def test_what_the_slope_or_a_constraint_tells_from_zero_is_shown(
    expression: str, constraints: list[str]
) -> None:
    found = api.minimize(expression, {"x": 1.0, "y": 2.0}, subject_to=constraints)
    assert shown(found)["point"].startswith(("x = 1.00", "x = 1e-09", "x = 9.99"))


def test_a_small_answer_keeps_its_digits() -> None:
    assert shown(api.minimize("abs(x-1e-9)", {"x": 1.0}))["point"] == "x = 1e-09"
    assert shown(api.minimize("(x-1e-9)**4", {"x": 1e-8}))["point"] == "x = 1e-09"


def test_digits_of_vectors_and_within_bounds() -> None:
    both = api.minimize("sum(cosh(v - 1)) + v[0]", {"v": [3.0, -2.0, 0.5, 2.0]}, bounds=["v=:4"])
    first, *others = both.point["v"]
    assert first == pytest.approx(1.0 - math.asinh(1.0), rel=1e-14)
    assert others == pytest.approx([1.0] * 3, rel=1e-14)
    held = api.minimize("cosh(x-1) + cosh(y-x)", {"x": 0.2, "y": 0.1}, bounds=["y=:0.5"])
    assert held.point["y"] == 0.5
    x = held.point["x"]
    assert math.sinh(x - 1) - math.sinh(0.5 - x) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("gradient", ["forward", "central"])
def test_noise_leaves_no_false_digits(gradient: str) -> None:
    random = Random(gradient)
    for _ in range(10):
        start = {"x": random.uniform(-2, 4)}
        outcome = api.minimize("cosh(x-1) + x/3", start, gradient=gradient)
        answer, facts = 1 - math.asinh(1 / 3), shown(outcome)
        digits = facts["point"].removeprefix("x = ")
        unit = 10.0 ** -len(digits.partition(".")[2])
        assert abs(float(digits) - answer) <= unit
        assert (facts["stopped"] == f"because {ROUNDED}") <= (abs(outcome.point["x"] - answer) < 1e-14)


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.polishes])
@pytest.mark.parametrize(("expression", "box", "answer"), CASES, ids=[c[0] for c in CASES])
def test_digits_of_methods_that_have_no_hessian(
    method: str, expression: str, box: dict, answer: dict[str, float]
) -> None:
    random = Random(expression)
    for _ in range(3):
        start = {name: random.uniform(*ends) for name, ends in box.items()}
        outcome = api.minimize(expression, start, method=method)
        assert outcome.status.value == "converged", start
        for name, value in answer.items():  # of an even function either minimum will do
            assert abs(outcome.point[name]) == pytest.approx(abs(value), rel=2e-14, abs=1e-15), start
        loose = api.minimize(expression, start, method=method, tol=1e-4)
        assert loose.value == pytest.approx(outcome.value, rel=1e-14), start


def test_digits_of_a_fit_by_a_method_without_a_hessian() -> None:
    x = [i / 8 for i in range(16)]
    data = {"x": x, "y": [2.0 * math.exp(-0.7 * t) + (-1) ** i / 50 for i, t in enumerate(x)]}
    start = {"a": 1.0, "b": 1.0}
    best = api.fit("y ~ a*exp(-b*x)", data, start)
    for method in ("bfgs", "lbfgs"):
        found = api.fit("y ~ a*exp(-b*x)", data, start, method=method)
        assert found.point == pytest.approx(best.point, rel=1e-14)


def test_who_says_when_to_stop_or_learns_sees_the_plain_end() -> None:
    start = {"x": 0.3}

    def kinds(**settings: Any) -> list[str]:
        path: list[Iterate] = []
        api.solve(api.make_problem("-x*exp(-x)", "minimize", start), Settings(**settings), [path.append])
        return [iterate.kind for iterate in path]

    whole = kinds(method="bfgs")
    assert whole[1:] == ["step"] * (len(whole) - 2) + ["polish"]
    capped = len(whole) - 2
    assert kinds(method="bfgs", max_iter=capped) == whole[:-1]
    assert "polish" not in kinds(method="bfgs", gradient_tol=1e-6)
    assert "polish" not in kinds(method="bfgs", step_tol=1e-3)
    assert "polish" not in kinds(method="bfgs", gradient="central")
    for teaching in ("gd", "batch", "adam"):
        assert "polish" not in kinds(method=teaching)


def test_a_kink_has_no_last_digits() -> None:
    at_kink = api.minimize("abs(x-1) + (y-2)**2", {"x": 0.3, "y": 1.0}, method="bfgs")
    assert at_kink.run.last.kind == "step"


@pytest.mark.parametrize("method", ["gd", "batch", "momentum", "adam", "bb", "lbfgs", "bfgs", "cg"])
def test_a_method_ends_where_it_ends_and_no_digit_is_made_up(method: str) -> None:
    outcome = api.minimize("cosh(x-1) + x/3", {"x": 2.0}, method=method)
    answer, digits = 1 - math.asinh(1 / 3), shown(outcome)["point"].partition(" (")[0].removeprefix("x = ")
    if outcome.certificate.kind == "minimum":
        assert abs(float(digits) - answer) <= 10.0 ** -len(digits.partition(".")[2])


def test_a_degenerate_minimum_has_few_digits() -> None:
    outcome = api.minimize("(x-1)**4", {"x": 2.0}, lr=0.01, tol=1e-6)
    assert 1e-3 < abs(outcome.point["x"] - 1.0) < 1e-1
    assert shown(outcome)["point"] == "x = 1"


def test_known_digits() -> None:
    assert known(0.99999884, 1.2e-6) == "1.00000"
    assert known(1.2345678, 2e-3) == "1.23"
    assert (known(0.57, 0.4), known(-73.0, 30.0), known(0.4, 0.4), known(0.97, 0.4)) == (
        "0.6",
        "-70",
        "0",
        "1.0",
    )
    assert known(1.2345678, 7e-3) == "1.2"
    assert known(1.0000000093, 9.3e-9) == "1.0000000"
    assert known(2.4e-6, 4.9e-6) == "0.00000"
    assert known(-2.4e-6, 4.9e-5) == "0.0000"
    assert known(2.2e-17, 2.2e-17) == "0"
    assert known(1.0, 1e-16) == "1"
    assert known(123456.0, 400.0) == "123000"
    assert known(1.23456e-12, 2e-15) == "1.23e-12"
    assert known(1.23456e15, 4e11) == "1.235e+15"
    assert known(1 / 3, 0.0) == known(1 / 3, None) == "0.3333333333"
    assert known(math.inf, 1.0) == "inf"
