"""Machine code for long vectors: the numbers of the numpy runner, at every length and across all ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.api import Settings, make_problem, minimize, solve
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space
from gdcli.language import form
from gdcli.objective import build
from gdcli.objective.build import build_objective
from gdcli.objective.vector_expression import VectorObjective
from gdcli.tasks.problem import parsed

pytest.importorskip("llvmlite")

CHAIN = "sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)"
EXPRESSIONS = (
    CHAIN,
    "norm(v)",
    "sum((v-mean(v))**2)",
    "dot(v[1:], v[:-1])**2 + v[0]*v[-1]",
    "a*sum(v**2) + b*v[0] + v[-1]**2 + exp(a)",
    "mean(u*v)/norm(u)",
    "sum(exp(v)*sin(u)) + sum(v[2:])*a",
    "sum(where(v > 0, v**2, erf(v))) + sum(v[1:]*u[:-1]) + sum(abs(v[1:-1]))",
    "sum(c*(v-1)**2) + sum(where(u > v, u, c))",
    "sum(v[3:]*v[:-3]) + sum(log(1+v[1:-2]**2)) + sum(u)*sum(v)",
    "sum(softplus(v)+sigmoid(u)*tanh(v)) + log(sum(exp(v)))",
    "a**2 + b",
)


def both(expression: str, n: int, seed: int = 0) -> tuple[VectorObjective, VectorObjective, Any]:
    """The same objective by numpy and by machine code, and a point."""
    random = np.random.default_rng(seed)
    tree = parsed(expression, "")
    values = {name: random.normal(size=n) if name in "uvc" else 0.7 for name in tree.names}
    constants = {name: value for name, value in values.items() if name == "c"}
    start = {name: value for name, value in values.items() if name != "c"}
    problem = make_problem(expression, "minimize", start, constants)
    space = Space(problem.lengths)
    made = [
        VectorObjective(
            form.build(tree, problem.lengths, problem.constants), space, 1, native=native, use_cache=False
        )
        for native in (False, True)
    ]
    assert [objective.engine for objective in made] == ["numpy", "native"]
    return made[0], made[1], made[0].vector(space.flatten(problem.start))


def agree(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.every(5)
@pytest.mark.parametrize("n", [5, 16, 63, 70, 500, 20_000])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_gradient_and_products_are_those_of_numpy(expression: str, n: int) -> None:
    numpy, native, x = both(expression, n)
    expected, got = numpy.evaluate(x, 1), native.evaluate(x, 1)
    agree(got.value, expected.value)
    agree(got.gradient, expected.gradient)
    agree(native.evaluate(x).value, expected.value)
    direction = np.random.default_rng(1).normal(size=len(x))
    agree(native.product(got, direction), numpy.product(expected, direction), 1e-11)


@settings(max_examples=examples(25), deadline=None)
@given(n=st.integers(4, 300), seed=st.integers(0, 1000))
def test_any_length(n: int, seed: int) -> None:
    numpy, native, x = both(EXPRESSIONS[9], n, seed)
    agree(native.evaluate(x, 1).gradient, numpy.evaluate(x, 1).gradient)


def test_what_is_not_a_number_is_treated_alike() -> None:
    numpy, native, x = both("sum(log(v))", 100)
    assert native.evaluate(x, 1).value == numpy.evaluate(x, 1).value == float("inf")
    numpy, native, x = both("sum(exp(v))", 100)
    x[7] = 800.0
    assert native.evaluate(x, 1).value == numpy.evaluate(x, 1).value == float("inf")
    numpy, native, x = both("sum(sqrt(v**2))", 100)
    x[7] = 0.0
    found, expected = native.evaluate(x, 1), numpy.evaluate(x, 1)
    agree(found.value, expected.value)
    assert found.gradient is None
    assert found.note == expected.note


def test_very_long_vectors_run_as_machine_code_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "NATIVE_SIZE", 1000)
    for n, engine in ((999, "numpy"), (1000, "native")):
        problem = make_problem(CHAIN, "minimize", {"v": [0.5] * n})
        assert build_objective(parsed(CHAIN, ""), problem.lengths, {}, 1, use_cache=False).engine == engine
    # What only numpy does stays there, quietly.
    text = "sum(v[::2]**2) + max(v)"
    problem = make_problem(text, "minimize", {"v": [0.5] * 2000})
    assert build_objective(parsed(text, ""), problem.lengths, {}, 1, use_cache=False).engine == "numpy"
    with pytest.raises(UsageError, match="there is no machine code"):
        solve(problem, Settings(engine="native"))


def test_a_whole_run() -> None:
    start = {"v": [0.5] * 300}
    native, numpy = (minimize(CHAIN, start, engine=e, no_cache=True) for e in ("native", "numpy"))
    assert (native.engine, numpy.engine) == ("native", "numpy")
    assert native.status == numpy.status
    agree(native.point["v"], numpy.point["v"], 1e-6)
