"""Problems with constraints, from text to verdict: the shown problems, the traps, and what is told of constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, log
from random import Random
from typing import Any

import pytest
from constraint_problems import shown, traps
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import PointKind, Status
from gdcli.record.runs import RunRecord, run_record

SHOWN = {problem["name"]: problem for problem in shown()}
MINIMA = [name for name, problem in SHOWN.items() if problem["kind"] == "minimum"]
TRAPS = traps()


def solved(problem: dict[str, Any], start: dict[str, Any] | None = None, **options: Any) -> api.Outcome:
    solve = api.maximize if problem.get("sense") == "maximize" else api.minimize
    return solve(
        problem["expr"],
        start or problem["start"],
        subject_to=problem["constraints"],
        bounds={name: tuple(ends) for name, ends in problem["bounds"].items()},
        **options,
    )


def is_known(problem: dict[str, Any], value: float) -> bool:
    """Whether a value is that of one of the known minima."""
    known = [problem["fmin"], *problem["accept"]]
    return any(abs(value - v) <= problem["ftol"] * max(1.0, abs(v)) for v in known)


def violation(outcome: api.Outcome) -> float:
    return 0.0 if outcome.constraints is None else outcome.constraints.violation


@pytest.mark.parametrize("name", MINIMA)
def test_shown_minimum_is_found_and_certified(name: str) -> None:
    problem = SHOWN[name]
    outcome = solved(problem)
    assert is_known(problem, outcome.value)
    assert violation(outcome) <= HOLDS
    assert outcome.status is Status.CONVERGED


@pytest.mark.every(2)
@pytest.mark.parametrize("name", MINIMA)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_from_other_starts_nothing_false_is_claimed(name: str, seed: int) -> None:
    problem, draws = SHOWN[name], Random(seed)
    move = lambda v: v + 0.1 * max(1.0, abs(v)) * draws.gauss(0.0, 1.0)  # noqa: E731
    start = {n: [move(a) for a in v] if isinstance(v, list) else move(v) for n, v in problem["start"].items()}
    try:
        outcome = solved(problem, start)
    except DomainError:
        return
    assert outcome.status is not Status.CONVERGED or is_known(problem, outcome.value)
    assert outcome.status not in (Status.INFEASIBLE, Status.DIVERGED)


_POOLING = ["v*r + 0.02*a <= 0.025*x", "v*s + 0.02*b <= 0.015*y", "p + q == r + s", "0.03*p + 0.01*q == v*(r + s)",
            "r + a == x", "s + b == y"]  # fmt: skip
_STRESS = "6000/(sqrt(2)*h*l)"
_REACH = "sqrt(l**2/4 + ((h + t)/2)**2)"
_TWIST = f"(6000*(14 + l/2)*{_REACH}/(2*sqrt(2)*h*l*(l**2/12 + ((h + t)/2)**2)))"
_WELDED = [
    f"sqrt(({_STRESS})**2 + 2*({_STRESS})*{_TWIST}*l/(2*{_REACH}) + {_TWIST}**2) <= 13600",
    "504000/(b*t**2) <= 30000",
    "h <= b",
    "6000 <= 4.013*30e6*sqrt(t**2*b**6/36)/14**2*(1 - t/28*sqrt(30e6/48e6))",
]


# Many variables, a start far off, multipliers of 40000, a least value of 0, a linear value, a program at once.
SCALED = [
    "hs011",
    "hs026",
    "hs029",
    "hs060",
    "hs106",
    "hs116",
    "circle_linear",
    "tension_spring",
    "portfolio_utility",
]


@pytest.mark.parametrize("factor", [1e-14, 1e-10, 1e-6, 1e6])
@pytest.mark.parametrize("name", SCALED)
def test_the_unit_of_the_value_does_not_matter(name: str, factor: float) -> None:
    problem = SHOWN[name]
    outcome = solved({**problem, "expr": f"{factor!r}*({problem['expr']})"})
    assert outcome.status is Status.CONVERGED
    assert is_known(problem, outcome.value / factor)


def times(text: str, factor: float) -> str:
    sign = next(s for s in ("<=", ">=", "==") if s in text)
    return sign.join(f"{factor!r}*({side})" for side in text.split(sign))


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e6])
@pytest.mark.parametrize("name", [*SCALED, "hs023", "corrugated_bulkhead", "g03_n5", "dependent_equalities"])
def test_the_units_of_the_constraints_do_not_matter(name: str, factor: float) -> None:
    problem = SHOWN[name]
    outcome = solved({**problem, "constraints": [times(text, factor) for text in problem["constraints"]]})
    assert outcome.status is Status.CONVERGED
    assert is_known(problem, outcome.value)


def in_units(problem: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same problem, its variables (none a vector) in a unit in which their numbers are so many times larger."""
    names = re.compile(r"\b(" + "|".join(sorted(problem["start"], key=len, reverse=True)) + r")\b")

    def written(text: str) -> str:
        return names.sub(rf"(\1/{factor!r})", text)

    return {
        **problem,
        "expr": written(problem["expr"]),
        "constraints": [written(text) for text in problem["constraints"]],
        "start": {name: a * factor for name, a in problem["start"].items()},
        "bounds": {
            name: [None if end is None else end * factor for end in ends]
            for name, ends in problem["bounds"].items()
        },
    }


@pytest.mark.parametrize("factor", [1e-9, 1e-4, 1e6])
@pytest.mark.parametrize("name", ["hs011", "hs060", "hs063", "hs100", "circle_linear", "corrugated_bulkhead"])
def test_the_units_of_the_variables_do_not_matter(name: str, factor: float) -> None:
    outcome = solved(in_units(SHOWN[name], factor))
    assert outcome.status is Status.CONVERGED
    assert is_known(SHOWN[name], outcome.value)


@pytest.mark.parametrize("name", [name for name, p in SHOWN.items() if p["kind"] == "infeasible"])
def test_no_unit_makes_an_infeasible_problem_feasible(name: str) -> None:
    problem = SHOWN[name]
    for factor in (1e-9, 1e-6):
        rows = [times(text, factor) for text in problem["constraints"]]
        assert solved({**problem, "constraints": rows}).status is Status.INFEASIBLE


@pytest.mark.parametrize("factor", [1.0, 1e-8, 1e-9, 1e-12])
def test_a_small_slope_is_followed_to_its_end(factor: float) -> None:
    outcome = api.minimize(f"{factor!r}*x", {"x": 0.5, "y": 0.5}, subject_to=["x**2 + y**2 <= 1"])
    assert outcome.status is Status.CONVERGED
    assert outcome.point == {"x": pytest.approx(-1.0), "y": pytest.approx(0.0, abs=1e-9)}
    assert outcome.certificate.kind is PointKind.MINIMUM


@pytest.mark.parametrize(
    ("expression", "start", "subject_to", "bounds", "least"),
    [
        # A welded beam (Ragsdell and Phillips 1976), from a start where the load that buckles it is far steeper.
        pytest.param("1.10471*h**2*l + 0.04811*t*b*(14 + l)", {"h": 2, "l": 5, "t": 5, "b": 2}, _WELDED,
                     {"h": (0.125, 2), "l": (0.1, 10), "t": (0.1, 10), "b": (0.1, 2)}, 1.7248523086337, id="beam"),
        # Haverly's pooling problem: bounds with multipliers that other sides take over.
        pytest.param("6*p + 16*q + 10*(a + b) - 9*x - 15*y", {**dict.fromkeys("pqrsabxy", 50), "v": 0.02}, _POOLING,
                     {"p": (0, 300), "q": (0, 300), "r": (0, 100), "s": (0, 200), "x": (0, 100), "a": (0, 300),
                      "b": (0, 100), "y": (0, 200), "v": (0.01, 0.03)}, -400.0, id="pooling"),
        # Hock and Schittkowski 72: multipliers of 40000 on sides that compare 0.01.
        pytest.param("1 + x + y + z + w", {"x": 1.13, "y": 1.14, "z": 1.01, "w": 0.92},
                     ["4/x + 2.25/y + 1/z + 0.25/w <= 0.0401", "0.16/x + 0.36/y + 0.64/z + 0.64/w <= 0.010085"],
                     {"x": (0.001, 4e5), "y": (0.001, 3e5), "z": (0.001, 2e5), "w": (0.001, 1e5)},
                     727.6793577566, id="hs072"),
        # Hock and Schittkowski 40: far out the value falls faster than the square of what is broken rises.
        pytest.param("-x*y*z*w", {"x": 0.987, "y": 2.067, "z": 1.348, "w": 1.357},
                     ["x**3 + y**2 == 1", "w*x**2 == z", "w**2 == y"], {}, -0.25, id="hs040"),
    ],
)  # fmt: skip
def test_hard_starts(
    expression: str, start: dict[str, float], subject_to: list[str], bounds: Any, least: float
) -> None:
    outcome = api.minimize(expression, start, subject_to=subject_to, bounds=bounds)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(least, rel=1e-9)
    assert violation(outcome) <= HOLDS


def test_work_is_what_it_should_be() -> None:
    counts = sorted(
        (c.value + c.gradient, c.hessian) for c in (solved(SHOWN[name]).run.counts for name in MINIMA)
    )
    assert counts[len(counts) // 2][0] <= 22
    assert sorted(hessians for _, hessians in counts)[len(counts) // 2] <= 11


@pytest.mark.parametrize("name", [name for name, p in SHOWN.items() if p["kind"] != "minimum"])
def test_shown_problems_without_a_minimum_are_named(name: str) -> None:
    status = solved(SHOWN[name]).status
    assert status is {"infeasible": Status.INFEASIBLE, "unbounded": Status.DIVERGED}[SHOWN[name]["kind"]]


# What the traps' truths say: the values of their minima (None: there is none).
_VALUES: dict[int, float | None] = {
    **dict.fromkeys((0, 1, 2, 9, 12, 13, 14, 21)),
    3: 0.0,
    4: -1.0,
    5: -1.0,
    6: 0.0,
    7: -1.0,
    8: 0.0,
    10: -16.0,
    11: -(5.0**0.5),
    15: -1.0,
    17: -1.0,
    18: -5.8787753826796e-09,
    19: -0.25,
    20: 0.0,
}


@pytest.mark.parametrize("number", range(len(TRAPS)))
def test_nothing_false_is_claimed_of_traps(number: int) -> None:
    outcome = solved(TRAPS[number])
    if outcome.status is Status.CONVERGED and number in _VALUES:
        assert outcome.value == pytest.approx(_VALUES[number], abs=1e-9)
    assert outcome.status is not Status.INFEASIBLE
    if outcome.status is Status.DIVERGED:
        assert _VALUES[number] is None


@pytest.mark.parametrize(
    ("sense", "text", "limit"),
    [
        ("minimize", "x + 2*y >= {}", 1.0),
        ("minimize", "x*y == {}", 2.0),
        ("maximize", "x**2 + 3*y**2 <= {}", 1.5),
        ("minimize", "-x - y**2 <= {}", -2.0),
    ],
)
def test_a_multiplier_is_the_slope_of_the_value_by_the_limit(sense: str, text: str, limit: float) -> None:
    expression = "x + y" if sense == "maximize" else "(x - 0.1)**2 + 2*(y - 0.2)**2 + x*y"

    def value(b: float) -> api.Outcome:
        found = getattr(api, sense)(expression, {"x": 1.0, "y": 1.0}, subject_to=[text.format(b)])
        assert found.status is Status.CONVERGED
        return found

    h = 1e-4
    slope = (value(limit + h).value - value(limit - h).value) / (2.0 * h)
    (state,) = value(limit).constraints.states
    assert state.multiplier == pytest.approx(slope, rel=1e-5)
    assert state.active
    assert state.slack == pytest.approx(0.0, abs=1e-12)


def test_constraints_that_do_not_matter_have_the_multiplier_0() -> None:
    outcome = api.minimize("x**2 + y**2", {"x": 3, "y": 1}, subject_to=["x + y <= 5", "x + y == 2"])
    assert outcome.constraints is not None
    loose, tight = outcome.constraints.states
    assert (loose.multiplier, loose.active) == (0.0, False)
    assert loose.slack == pytest.approx(3.0)
    assert tight.multiplier == pytest.approx(2.0)
    assert outcome.certificate.eigenvalue_min == pytest.approx(2.0)
    assert outcome.constraints.licq
    assert outcome.constraints.tangent_dimension == 1


def test_vectors_are_lists() -> None:
    outcome = api.minimize(
        "sum((v - 1)**2)",
        {"v": [3.0, 2.0, 1.0]},
        subject_to=["v[1:] >= v[:-1] + 1", "sum(v) == 3"],
    )
    assert outcome.point["v"] == pytest.approx([0.0, 1.0, 2.0])
    record = run_record(outcome)
    assert record.constraints[0].active == [True, True]
    assert record.constraints[0].multiplier == pytest.approx([2.0, 2.0])
    assert RunRecord.from_json(record.to_json()) == record


def test_the_record_has_constraints_and_certificate() -> None:
    outcome = api.minimize("x + y", {"x": 1, "y": 1}, subject_to=["x**2 + y**2 <= 2"])
    told = run_record(outcome).to_json()
    (constraint,) = told["constraints"]
    assert constraint == {
        "text": "x**2 + y**2 <= 2",
        "value": pytest.approx(2.0),
        "slack": pytest.approx(0.0, abs=1e-12),
        "multiplier": pytest.approx(-0.5),
        "active": True,
    }
    assert told["violation"] <= HOLDS
    certificate = told["certificate"]
    assert (certificate["kind"], certificate["licq"], certificate["rank"]) == ("minimum", True, 1)


def test_bounds_have_their_multipliers_too() -> None:
    outcome = api.minimize(
        "x + 3*y", {"x": 1, "y": 2}, subject_to=["x + 2*y >= 2"], bounds={"y": (0.5, None)}
    )
    assert outcome.point == {"x": pytest.approx(1.0), "y": 0.5}
    assert [(b.name, b.side, b.bound, b.multiplier) for b in outcome.active] == [
        ("y", "lower", 0.5, pytest.approx(1.0))
    ]


@pytest.mark.parametrize("method", ["newton", "lbfgs", "gd", "adam"])
def test_methods_that_know_no_constraints_say_so(method: str) -> None:
    with pytest.raises(UsageError, match=f"{method} does not know constraints") as caught:
        api.minimize("x**2 + y", {"x": 1, "y": 1}, subject_to=["x*y >= 1"], method=method)
    assert caught.value.hint == "these do: auto, penalty"


def test_a_constraint_without_a_value_at_the_start_is_named() -> None:
    with pytest.raises(DomainError, match=r"log\(x\) >= y has no value at the start"):
        api.minimize("x + y", {"x": -1, "y": 1}, subject_to=["log(x) >= y"])


def test_a_start_on_a_bound_without_a_value_is_moved_inside() -> None:
    outcome = api.minimize("x*log(x) + y*log(y)", {"x": 0, "y": 1}, subject_to=["x + y == 1"],
                           bounds={"x": (0, None), "y": (0, None)})  # fmt: skip
    assert outcome.value == pytest.approx(-log(2.0))
    assert "value or slopes are not finite at the start" in outcome.warnings[0]


def test_a_start_outside_of_the_domain_is_told_by_what_has_no_value() -> None:
    with pytest.raises(DomainError, match=r"no finite value at the start \(log\(x\): x = -1\)"):
        api.minimize("log(x) + y", {"x": -1, "y": 1}, subject_to=["x + y == 1"])


@pytest.mark.parametrize(
    ("expression", "subject_to", "bounds", "least"),
    [
        # Along each axis alone all is level.
        ("-x*y*z", ["x + y + z <= 3"], dict.fromkeys("xyz", (0, None)), -1.0),
        ("x*y*z", ["x + y + z <= 10", "x + y >= -20"], dict.fromkeys("xyz", (-2, None)), -72.0),
    ],
)
def test_what_falls_only_between_the_axes_is_no_minimum(
    expression: str, subject_to: list[str], bounds: Any, least: float
) -> None:
    outcome = api.minimize(expression, {"x": 0, "y": 0, "z": 0}, subject_to=subject_to, bounds=bounds)
    assert outcome.value == pytest.approx(least)


def test_no_multipliers_is_not_told_as_an_infimum_at_infinity() -> None:
    """With the gradient of x*y gone at 0 nothing there tells what it holds back."""
    outcome = api.minimize(
        "x**2 + y**2 - 4*x*y", {"x": 1, "y": 1}, subject_to=["x*y <= 0", "x >= 0", "y >= 0"]
    )
    assert outcome.status in (Status.STALLED, Status.CONVERGED)
    assert outcome.value == pytest.approx(0.0, abs=1e-10)


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["minimize", "maximize"]))
def test_multipliers_of_convex_programs_are_slopes_of_the_value(seed: int, sense: str) -> None:
    """Each right-hand side is moved by a little, both ways, and the program solved again."""
    draws, n, m = Random(seed), 3, 3
    rows = [[round(draws.gauss(0.0, 1.0), 3) for _ in range(n)] for _ in range(m)]
    limits = [round(draws.uniform(-1.0, 0.3), 3) for _ in range(m)]
    signs = [draws.choice(["<=", ">=", "=="]) if i == 0 else "<=" for i in range(m)]
    center = [round(draws.gauss(0.0, 1.0), 3) for _ in range(n)]
    value = " + ".join(f"{k + 1}*(v[{k}] - ({c}))**2" for k, c in enumerate(center)) + " + v[0]*v[1]"
    value = value if sense == "minimize" else f"-({value})"

    def solve(limits: list[float]) -> api.Outcome:
        texts = [
            " + ".join(f"({a})*v[{k}]" for k, a in enumerate(row)) + f" {sign} {limit!r}"
            for row, sign, limit in zip(rows, signs, limits, strict=True)
        ]
        return getattr(api, sense)(value, {"v": [0.0] * n}, subject_to=texts)  # type: ignore[no-any-return]

    outcome = solve(limits)
    if outcome.status is Status.INFEASIBLE:
        return
    assert outcome.status is Status.CONVERGED
    assert outcome.constraints is not None
    found = outcome.constraints
    assert found.licq is not False
    h = 1e-5
    for i, state in enumerate(found.states):
        moved = [solve([b + sign * h * (i == k) for k, b in enumerate(limits)]).value for sign in (-1, 1)]
        one_sided = [(outcome.value - moved[0]) / h, (moved[1] - outcome.value) / h]
        assert state.multiplier == pytest.approx(sum(one_sided) / 2, abs=2e-3)
        way = {"<=": -1, ">=": 1, "==": 0}[signs[i]] * (1 if sense == "minimize" else -1)
        assert state.multiplier * way >= 0.0 or state.multiplier == 0.0  # type: ignore[operator]
        assert state.active or state.multiplier == 0.0


def test_a_cap_is_a_limit_and_keeps_the_best_point() -> None:
    outcome = api.minimize("x*y", {"x": 1, "y": 1}, subject_to=["x**2 + 4*y**2 <= 4"], max_iter=1)
    assert outcome.status is Status.LIMIT
    assert outcome.run.iterations == 1


def test_a_start_that_is_the_minimum() -> None:
    outcome = api.minimize("x**2 + y**2", {"x": 1, "y": 1}, subject_to=["x + y == 2"], max_iter=0)
    assert outcome.status is Status.CONVERGED
    assert "already" in outcome.message


def test_a_saddle_is_not_called_a_minimum_without_a_step() -> None:
    outcome = api.minimize("x*y", {"x": 0, "y": 0}, subject_to=["x**2 + y**2 <= 1"], max_iter=0)
    assert outcome.certificate.kind is PointKind.SADDLE
    assert outcome.status is Status.WRONG_KIND


def test_an_unbounded_box_stays_one() -> None:
    outcome = api.minimize("-x - y", {"x": 0, "y": 0}, subject_to=["x - y <= 1"])
    assert outcome.status is Status.DIVERGED
    assert outcome.value > -inf
    assert (
        outcome.message == "There is no minimum: the value falls without end; its direction is x = 1, y = 1."
    )


@pytest.mark.parametrize("start", [{"x": 1, "y": 0.1}, {"x": 3, "y": 1}])
def test_a_fall_along_a_logarithm_has_no_end(start: dict[str, float]) -> None:
    outcome = api.minimize("-log(x) - y", start, subject_to=["x >= exp(y)"])
    assert outcome.certificate.kind is PointKind.UNBOUNDED
    assert outcome.run.counts.value + outcome.run.counts.gradient < 1200


def test_numbers_too_large_for_their_products_are_no_fault() -> None:
    outcome = api.minimize(
        "-2*x**2 - 3*y**3",
        {"x": -1.56, "y": -1.04},
        subject_to=["3*exp(-x) - 3*sin(x) + 2*exp(-y) >= 2", "3*log(1 + y**2) + log(1 + x**2) >= -2"],
    )
    assert outcome.status in (Status.DIVERGED, Status.STALLED)


@pytest.mark.parametrize(
    ("expression", "start", "subject_to"),
    [
        ("-3*y - 3*sin(y)", {"x": 1.84, "y": 1.62}, "2*y**2 - x**3 - 2*exp(-y) >= 1"),
        ("2*log(1 + x**2) - 2*x + 3*y**4", {"x": -0.76, "y": -0.68}, "x**2 + y**2 <= 10"),
    ],
)
def test_an_inflection_beside_level_directions_is_no_minimum(
    expression: str, start: dict[str, float], subject_to: str
) -> None:
    """All curvatures are small there, so that the one along which the value falls is not small beside the others."""
    outcome = api.minimize(expression, start, subject_to=[subject_to])
    inflection = {"y": 3.14159} if "sin" in expression else {"x": 1.0}
    for name, place in inflection.items():
        assert abs(float(outcome.point[name]) - place) > 0.1  # type: ignore[arg-type]


def test_more_constraints_that_are_not_linear_than_matrices_can_hold_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="10000 variables with 10000 constraints that are not linear"):
        api.minimize("sum((x-2)**2)", {"x": [0.0] * 10_000}, subject_to=["x**2 <= 1"])


@pytest.mark.parametrize("expression", ["x**2*y+y**2", "(y-x**2)*(y-2*x**2)"])
def test_a_valley_that_is_level_along_its_tangent_and_bends_down_is_left(expression: str) -> None:
    outcome = api.minimize(expression, {"x": 0.0, "y": 0.0}, subject_to=["x**2+y**2 <= 1"])
    assert outcome.status is Status.CONVERGED
    assert outcome.value < -0.05
