"""Functions of arrays as objectives: the answers of text, honest claims where derivatives are estimates, errors."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import WHOLE

from gdcli import api
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.solve.registry import METHODS

PROBLEMS = json.loads((Path(__file__).parent.parent / "data" / "problems.json").read_text())["problems"]
CLASSICAL = [p for p in PROBLEMS if p["name"] != "mgh10_meyer"][:15]
START = [-1.2, 1.0]


def rosenbrock(v: Any) -> float:
    return float((1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2)


def slopes(v: Any) -> Any:
    return np.array([-2 * (1 - v[0]) - 400 * v[0] * (v[1] - v[0] ** 2), 200 * (v[1] - v[0] ** 2)])


def curvatures(v: Any) -> Any:
    return np.array([[2 + 1200 * v[0] ** 2 - 400 * v[1], -400 * v[0]], [-400 * v[0], 200]])


class Typed:
    """A typed expression as functions of arrays."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.exact = api.make_problem(problem["expr"], start=problem["start"]).objective(1)
        self.start = np.array(self.exact.space.flatten(problem["start"]), dtype=float)

    def __call__(self, x: Any) -> float:
        return self.exact.evaluate(self.exact.vector(x)).value

    def gradient(self, x: Any) -> Any:
        found = self.exact.evaluate(self.exact.vector(x), 1).gradient
        return np.full(len(x), math.nan) if found is None else list(found)

    def hessian(self, x: Any) -> Any:
        found = self.exact.evaluate(self.exact.vector(x), 2).hessian
        return np.full((len(x), len(x)), math.nan) if found is None else [list(row) for row in found]


@pytest.mark.parametrize("problem", CLASSICAL, ids=lambda p: p["name"])
def test_classical_problems_by_values_alone(problem: dict[str, Any]) -> None:
    f = Typed(problem)
    found = api.minimize(f, f.start)
    assert found.status.value == "converged"
    assert found.value == pytest.approx(problem["fmin"], rel=1e-8, abs=1e-10)
    assert found.certificate.gap is None  # what quotients leave is not known
    assert "the derivatives are difference quotients of values" in found.warnings


@pytest.mark.parametrize("problem", CLASSICAL, ids=lambda p: p["name"])
def test_classical_problems_by_their_gradients(problem: dict[str, Any]) -> None:
    f = Typed(problem)
    found = api.minimize(f, f.start, gradient=f.gradient)
    assert found.status.value == "converged"
    assert found.value == pytest.approx(problem["fmin"], rel=1e-8, abs=1e-10)
    assert not any("not that of" in warning for warning in found.warnings)


@pytest.mark.parametrize("problem", CLASSICAL, ids=lambda p: p["name"])
def test_with_a_hessian_the_run_is_that_of_the_text(problem: dict[str, Any]) -> None:
    f = Typed(problem)
    found = api.minimize(f, f.start, gradient=f.gradient, hessian=f.hessian)
    typed = api.minimize(problem["expr"], start=problem["start"])
    assert (found.status, found.value) == (typed.status, typed.value)
    assert list(found.run.best.at.x) == list(typed.run.best.at.x)
    assert found.run.iterations == typed.run.iterations


@pytest.mark.parametrize(
    "method", [name for name, entry in METHODS.items() if entry.is_general and name != "newton-cg"]
)
@pytest.mark.parametrize("derivatives", [{}, {"gradient": slopes}], ids=["values", "gradient"])
def test_every_method_takes_a_function(method: str, derivatives: dict[str, Any]) -> None:
    def bowl(v: Any) -> float:
        return float((v[0] - 1) ** 2 + 2 * (v[1] + 0.5) ** 2)

    if derivatives:
        derivatives = {"gradient": lambda v: [2 * (v[0] - 1), 4 * (v[1] + 0.5)]}
    found = api.minimize(bowl, [0.0, 0.0], method=method, **derivatives)
    assert found.value < 1e-2
    assert found.status.value in ("converged", "stalled", "limit")


@pytest.mark.parametrize("n", [40, 300 if WHOLE else 100])
@pytest.mark.parametrize("with_gradient", [True, False])
def test_many_variables(n: int, with_gradient: bool) -> None:
    weights = np.linspace(1.0, 5.0, n)

    def f(v: Any) -> float:
        return float(weights @ (v - 1.0) ** 2 + np.sum((v - 1.0) ** 4))

    def g(v: Any) -> Any:
        return 2 * weights * (v - 1.0) + 4 * (v - 1.0) ** 3

    found = api.minimize(f, np.zeros(n), **({"gradient": g} if with_gradient else {}))
    assert found.status.value == "converged"
    assert found.certificate.kind == "minimum"
    assert max(abs(a - 1.0) for a in found.run.best.at.x) < 1e-5


@pytest.mark.parametrize(
    ("wrong", "where", "converges"),
    [
        (lambda v: -slopes(v), "along x[0]", False),
        (lambda v: slopes(v) * [1.0, 1.001], "along x[1]", True),  # it leads to the minimum all the same
        (lambda v: 2 * (np.asarray(v) - [3, 4]), "along x[0]", False),
    ],
)
def test_a_wrong_gradient_is_told_and_never_trusted(
    wrong: Callable[[Any], Any], where: str, converges: bool
) -> None:
    found = api.minimize(rosenbrock, START, gradient=wrong)
    (warning,) = (w for w in found.warnings if "the gradient is not that of rosenbrock" in w)
    assert where in warning
    assert (found.status.value == "converged") is converges
    assert found.certificate.gap is None


def test_a_gradient_of_another_function_certifies_nothing() -> None:
    """It leads to its own minimum, where it vanishes, at once."""
    found = api.minimize(rosenbrock, [3.0, 4.0], gradient=lambda v: 2 * (v - [3.0, 4.0]))
    assert found.status.value == "stalled"
    assert found.certificate.kind == "not-stationary"


def test_a_wrong_hessian_is_told() -> None:
    found = api.minimize(rosenbrock, START, gradient=slopes, hessian=lambda v: 2 * curvatures(v))
    assert any("the Hessian is not that of rosenbrock: along x[0]" in w for w in found.warnings)


@pytest.mark.parametrize("n", [60])
def test_a_wrong_derivative_of_many_is_seen(n: int) -> None:
    def g(v: Any) -> Any:
        found = 2 * v
        found[37] *= 1.1
        return found

    found = api.minimize(lambda v: float(v @ v), np.ones(n), gradient=g)
    assert any("the gradient is not that of function" in w for w in found.warnings)


def test_a_wrong_derivative_of_very_many_certifies_nothing() -> None:
    found = api.minimize(lambda v: float(v @ v), np.full(6000, 3.0), gradient=lambda v: 2 * (v - 3.0))
    assert any("the gradient is not that of function" in w for w in found.warnings)
    assert found.certificate.kind == "unknown"
    assert found.status.value == "stalled"


def test_a_kink_at_the_start_is_no_wrong_gradient() -> None:
    found = api.minimize(
        lambda v: abs(v[0]) + v[1] ** 2, [0.0, 1.0], gradient=lambda v: [np.sign(v[0]), 2 * v[1]]
    )
    assert not any("not that of" in w for w in found.warnings)


@pytest.mark.parametrize(
    "derivatives", [{}, {"gradient": lambda v: [0.5 / math.sqrt(v[0]) if v[0] else math.inf, 2 * v[1]]}]
)
def test_nothing_is_evaluated_beyond_the_bounds(derivatives: dict[str, Any]) -> None:
    seen: list[Any] = []

    def f(v: Any) -> float:
        seen.append(v.copy())
        return math.sqrt(v[0]) + v[1] ** 2  # raises below 0

    found = api.minimize(f, [2.0, 3.0], bounds=[(0, 4), (1, None)], **derivatives)
    assert found.status.value == "converged"
    assert found.point == {"x": [0.0, 1.0]}
    assert {bound.name for bound in found.active} == {"x[0]", "x[1]"}
    assert min(v[0] for v in seen) >= 0.0
    assert min(v[1] for v in seen) >= 1.0


def test_bounds_and_starts_have_many_forms() -> None:
    wanted = api.minimize(rosenbrock, START, gradient=slopes, bounds=[(None, 0.5), (None, None)]).value
    forms: list[tuple[Any, Any]] = [
        (np.array(START), {"x[0]": (None, 0.5)}),
        ({"v": START}, {"v[0]": (-math.inf, 0.5)}),
        ({"a": -1.2, "b": 1}, {"a": (None, 0.5)}),
        (tuple(START), ["x[0]=:0.5"]),
    ]
    for start, bounds in forms:
        found = api.minimize(rosenbrock, start, gradient=slopes, bounds=bounds)
        assert found.value == wanted
    assert api.minimize(lambda v: (v[0] - 3) ** 2, 0.0).point == {"x": 3.0}
    fixed = api.minimize(rosenbrock, START, gradient=slopes, bounds=[(0.5, 0.5), (None, None)])
    assert fixed.point["x"] == pytest.approx([0.5, 0.25])


def test_maximize_observers_and_caps() -> None:
    values: list[float] = []
    found = api.maximize(
        lambda v: -rosenbrock(v),
        START,
        gradient=lambda v: -slopes(v),
        observers=[lambda iterate: values.append(-iterate.at.value)],
        max_iter=5,
    )
    assert found.status.value == "limit"
    assert found.run.iterations == 5
    assert values[0] == -rosenbrock(START)
    assert values == sorted(values)
    assert api.minimize(rosenbrock, START, gradient="central").status.value == "converged"
    assert api.minimize(rosenbrock, START, lr=1e-3, max_iter=20).status.value == "limit"


def test_many_starts_and_comparisons() -> None:
    found = api.minimize(lambda v: float(np.sum(np.cos(v) + 0.01 * v**2)), [1.0, 2.0], multi_start=8)
    assert len(found.minima) > 1
    assert found.value == min(m.value for m in found.minima)
    runs = api.compare_methods(api.make_problem(rosenbrock, start=START), ("auto", "bfgs"))
    assert [run.outcome is not None and run.outcome.status.value for run in runs] == ["converged"] * 2
    rates = api.compare_learning_rates(api.make_problem(rosenbrock, start=START), (1e-3, 1.0))
    assert rates.found.curvature is not None


def test_the_arrays_are_the_functions_own() -> None:
    """It may change what it gets, and return the same array every time."""
    buffer = np.zeros(2)

    def f(v: Any) -> float:
        value = rosenbrock(v)
        v[:] = 7.0
        return value

    def g(v: Any) -> Any:
        buffer[:] = slopes(v)
        v[:] = 7.0
        return buffer

    found = api.minimize(f, START, gradient=g)
    assert list(found.run.best.at.x) == list(api.minimize(rosenbrock, START, gradient=slopes).run.best.at.x)


def test_nan_is_outside_of_the_domain() -> None:
    found = api.minimize(lambda v: v[0] - np.log(v[0]), [5.0])
    assert found.status.value == "converged"
    assert found.point["x"] == pytest.approx([1.0])


def test_a_gradient_that_is_not_finite_has_quotients_in_its_place() -> None:
    found = api.minimize(
        lambda v: math.hypot(*v), [3.0, 4.0], gradient=lambda v: v / np.float64(math.hypot(*v))
    )
    assert found.value < 1e-8


def test_claims_are_held_back_where_values_are_noisy_or_jump() -> None:
    random = np.random.default_rng(0)
    noisy = api.minimize(lambda v: rosenbrock(v) + 1e-6 * random.standard_normal(), START)
    stepped = api.minimize(lambda v: round(rosenbrock(v), 3), START)
    assert {noisy.status.value, stepped.status.value} == {"stalled"}
    flat = api.minimize(lambda v: 1.0, START)
    assert flat.status.value == "stalled"
    unbounded = api.minimize(lambda v: v[0] ** 3, [1.0])
    assert unbounded.status.value == "diverged"


def test_what_the_function_raises_goes_through() -> None:
    def f(v: Any) -> float:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        api.minimize(f, START)

    def g(v: Any) -> Any:
        raise ValueError("mine too")

    with pytest.raises(ValueError, match="mine too"):
        api.compare_methods(api.make_problem(rosenbrock, start=START, gradient=g), ("auto",))


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((lambda v: None, START), {}, "function returned nothing"),
        ((lambda v: v, START), {}, r"an array of shape \(2,\), not one number"),
        ((lambda v: "a", START), {}, "function returned a str, not a number"),
        ((lambda v: 1j, START), {}, "function returned a complex, not a number"),
        (
            (rosenbrock, START),
            {"gradient": lambda v: [1.0]},
            r"the gradient returned an array of shape \(1,\)",
        ),
        (
            (rosenbrock, START),
            {"gradient": slopes, "hessian": slopes},
            "the Hessian returned an array of shape",
        ),
        ((rosenbrock,), {}, "a function needs a start"),
        ((rosenbrock, []), {}, "x must be a finite number or a list"),
        ((rosenbrock, [math.nan, 1.0]), {}, "x must be a finite number or a list"),
        ((rosenbrock, np.zeros((2, 2))), {}, "x has 2 axes"),
        ((rosenbrock, START), {"bounds": [(0, 1)]}, "1 pairs of bounds do not fit"),
        ((rosenbrock, START), {"bounds": {"y": (0, 1)}}, "gives y, which is not a variable"),
        ((rosenbrock, START), {"constants": {"a": 1}}, "no constants"),
        ((rosenbrock, START), {"engine": "native"}, "by no engine"),
        ((rosenbrock, START), {"gradient": "symbolic"}, "no formula, and so no symbolic gradient"),
        ((rosenbrock, START), {"gradient": "complex"}, "no formula, and so no complex gradient"),
        ((rosenbrock, np.zeros(6000)), {}, "a gradient of 6000 variables"),
        ((rosenbrock, START), {"learning_rate": 1}, "unknown option learning_rate"),
        (("x**2", {"x": 1}), {"gradient": slopes}, "only a function comes with derivatives"),
        (("x**2", [1.0]), {}, "each variable a value by name"),
        ((3, {"x": 1}), {}, "an expression is text or one of sympy, not int"),
    ],
)
def test_what_is_not_possible_is_an_error_that_says_so(
    arguments: tuple[Any, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        api.minimize(*arguments, **options)


def test_a_curvature_that_quotients_make_up_is_not_told() -> None:
    """The second difference of x**4 at 0 is twice the square of the step."""
    found = api.minimize(lambda v: v[0] ** 4, [1.0])
    assert found.status.value == "converged"
    assert found.certificate.eigenvalue_min is None
    assert any("can tell from 0" in warning for warning in found.warnings)
    clear = api.minimize(rosenbrock, START)
    assert clear.certificate.eigenvalue_min == pytest.approx(0.399360767, rel=1e-4)


def test_the_outcome_says_where_the_gradient_came_from() -> None:
    from gdcli.record.runs import run_record

    given = run_record(api.minimize(rosenbrock, START, gradient=slopes))
    assert (given.gradient, given.problem.expression) == ("given", "rosenbrock(x)")
    assert run_record(api.minimize(rosenbrock, START)).gradient == "central"
    assert run_record(api.minimize(rosenbrock, START, gradient="forward")).gradient == "forward"


def test_a_function_has_no_text() -> None:
    problem = api.make_problem(rosenbrock, start=START)
    assert problem.expression == "rosenbrock(x)"
    with pytest.raises(UsageError, match="there are no formulas of a function"):
        api.solve(problem, formulas=True)
    with pytest.raises(UsageError, match="examined by formulas"):
        api.gradient(rosenbrock, START)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match=r"no finite value at the start \(function\(x\)\)"):
        api.minimize(lambda v: math.nan, START)


@pytest.mark.skipif(not WHOLE, reason="a run of mypy takes as long as all others here together")
def test_types_suit_those_who_check_theirs(tmp_path: Path) -> None:
    program = tmp_path / "uses_api.py"
    program.write_text(
        """import numpy as np
import numpy.typing as npt
from gdcli import api

def f(v: npt.NDArray[np.float64]) -> float:
    return float(v @ v)

def g(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2 * v

text: api.Outcome = api.minimize("(x-3)**2", start={"x": 0})
given = api.minimize(f, [1.0, 2.0], gradient=g, bounds=[(0, None), (None, 1)], max_iter=10)
array = api.maximize(lambda v: -f(v), np.zeros(2), hessian=lambda v: -2 * np.eye(2))
value: float = given.value + array.value
problem: api.Problem = api.make_problem(f, start=[1.0, 2.0], gradient=g)
api.minimize(f, [1.0, 2.0], gradient=3)
"""
    )
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(program)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    (fault,) = (line for line in ran.stdout.splitlines() if ": error:" in line)
    assert 'uses_api.py:16: error: Argument "gradient"' in fault, ran.stdout
