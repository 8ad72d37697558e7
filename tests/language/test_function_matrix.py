"""Every function of the language in every room that must know it: a row that is incomplete fails here.

The value and the slopes at a point inside the domain are computed in every way there is, and agree; where a way does
not know a function it says so in words, and never ends in a fault of the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.language import latex
from gdcli.language.functions import FUNCTIONS, INTERNAL, SLOPES
from gdcli.language.syntax import parse
from gdcli.tasks import export
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import FitRequest
from gdcli.tasks.fit.solve_fit import solve
from gdcli.tasks.problem import parsed

NAMES = [name for name in (*FUNCTIONS, "relu") if name not in INTERNAL]


def arity(name: str) -> int:
    return FUNCTIONS[name].arity if name in FUNCTIONS else 1


def point(name: str) -> dict[str, float]:
    x = 1.75 if name == "acosh" else 0.375
    return {"x": x, "y": 0.75} if arity(name) == 2 else {"x": x}


def call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments or tuple(point(name)))})"


def at_start(text: str, start: Any, **settings: Any) -> list[float]:
    """The value and the gradient where a run begins."""
    found = api.minimize(text, start, max_iter=0, **settings)
    gradient = found.run.best.at.gradient
    assert gradient is not None
    return [found.value, *map(float, gradient)]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def near(found: Any, wanted: Any) -> bool:
    return bool(found == pytest.approx(wanted, rel=1e-7, abs=1e-9))


def test_value_gradient_and_hessian_agree_in_every_way(name: str) -> None:
    text, start = call(name), point(name)
    exact = at_start(text, start)
    for gradient in ("symbolic", "forward", "central"):
        assert at_start(text, start, gradient=gradient) == pytest.approx(exact, rel=1e-4, abs=1e-6), gradient
    examined = api.gradient(text, start, hessian=True, latex=True)
    assert examined.formulas is not None
    assert not examined.formulas.reason
    assert examined.agrees
    assert examined.hessian is not None
    assert examined.hessian.rows is not None
    assert list(examined.formulas.text) == list(examined.formulas.latex) == list(start)
    told = refused(lambda: near(at_start(text, start, gradient="complex"), exact))
    assert name in told or not told


def refused(check: Callable[[], bool]) -> str:
    """The words of a refusal; "" where there is none and the check holds."""
    try:
        assert check()
    except UsageError as refusal:
        return refusal.message
    return ""


def test_a_trace_has_the_slopes(name: str) -> None:
    traced = api.gradient(f"2*{call(name)} + x", point(name), trace=True)
    assert near(traced.gradient, at_start(f"2*{call(name)} + x", point(name))[1:])


@pytest.mark.parametrize("engine", ["python", "numpy", "native"])
def test_vectors_in_every_engine(name: str, engine: str) -> None:
    if engine == "native":
        pytest.importorskip("llvmlite")
    start = point(name)
    value, *slopes = at_start(call(name), start)
    arguments = ("v", "w") if arity(name) == 2 else ("v",)
    vectors = dict(zip(arguments, ([number] * 5 for number in start.values()), strict=True))
    found = at_start(f"sum({call(name, *arguments)})", vectors, engine=engine)
    assert near(found, [5 * value, *(slope for slope in slopes for _ in range(5))])


def test_scalars_in_machine_code_have_the_same_bits(name: str) -> None:
    pytest.importorskip("llvmlite")
    runs = [
        api.minimize(f"({call(name)})**2 + x**2", point(name), lr=1e-3, max_iter=3, engine=engine)
        for engine in ("python", "native")
    ]
    assert runs[0].point == runs[1].point
    assert runs[0].value == runs[1].value


def test_it_is_set_in_latex_and_has_its_derivative_on_paper(name: str) -> None:
    assert latex.terms(call(name))
    assert len(SLOPES[name]) == arity(name)
    for slope in SLOPES[name]:
        parse(slope)


@pytest.mark.parametrize("language", export.LANGUAGES)
def test_every_emitted_language_has_it_or_names_it(name: str, language: str) -> None:
    """What the texts are worth is tested in test_emit."""
    columns = {key: [number, number + 0.125] for key, number in point(name).items()}
    request = FitRequest(model=f"z ~ {call(name)} + a", data={**columns, "z": [1.0, 2.0]})
    with prepared(request) as ready:
        outcome = solve(ready)
        told = refused(lambda: bool(export.fitted(ready, outcome, language)))
    assert name in told or not told


@pytest.mark.parametrize("language", export.OF_OBJECTIVES)
def test_objectives_are_emitted_in_every_language(name: str, language: str) -> None:
    problem = api.read_problem(f"{call(name)} + x**2", "minimize", [start_text(name)], [])
    text = export.objective(api.solve(problem, api.Settings(max_iter=0)), language)
    assert text.splitlines()[-1]
    assert parsed(problem.expression, "").names


def start_text(name: str) -> str:
    return ",".join(f"{key}={value}" for key, value in point(name).items())
