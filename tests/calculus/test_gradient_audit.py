"""The audit of a gradient: agreement where there is a derivative, the reason where there is none."""

from __future__ import annotations

import cmath
import math
import re
from typing import Any

import pytest
from effort import examples
from expressions import SMOOTH_ONE, STABLE, scalars
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.calculus import numerical_derivatives
from gdcli.calculus.gradient_audit import MAX_COMPONENTS, WAYS
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.language.functions import FUNCTIONS
from gdcli.record.analyses import gradient_record
from gdcli.render.analysis_pages import gradient_page
from gdcli.render.page import PLAIN, UNICODE, plain_text
from gdcli.tasks.gradient_check import Examination


def examined(expression: str, **at: Any) -> Examination:
    return api.gradient(expression, at)


ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"


def test_every_way_of_a_plain_function() -> None:
    found = examined(ROSENBROCK, x=-1.2, y=1)
    by = {c.name: c for c in found.components}
    assert found.exit_code == 0
    assert found.value == pytest.approx(24.2, rel=1e-15)
    for name, exact in (("x", -215.6), ("y", -88.0)):
        ways = by[name].ways
        assert tuple(ways) == WAYS
        assert by[name].reference == pytest.approx(exact, rel=1e-15)
        for way in ("symbolic", "autodiff", "complex_step"):
            assert ways[way].value == pytest.approx(exact, rel=1e-14)
        assert ways["forward"].value == pytest.approx(exact, rel=1e-4)
        assert ways["central"].value == pytest.approx(exact, rel=1e-8)
        assert [ways[w].evaluations for w in WAYS] == [1, 1, 2, 2, 1]
    assert found.formulas is not None
    assert found.formulas.text["y"] == "200*y - 200*x**2"


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        ("1e-20*(x-1)**2", {"x": 1.0}),
        ("1e-20*(x-1)**2", {"x": 1.5}),
        ("1e8*x**2", {"x": 1e10}),
        ("x**2", {"x": 1e10}),
        ("x**2", {"x": 1e-300}),
        ("x + y", {"x": 1e-300, "y": 1e300}),
        ("sin(1e10*x)", {"x": 1.0}),
        ("exp(x)", {"x": 700.0}),
        ("exp(x)", {"x": -740.0}),
        ("1/x", {"x": 1e-100}),
        ("hypot(x, y)", {"x": 1e200, "y": 1e200}),
        ("(x - 1e8)**2", {"x": 1e8 + 1e-7}),
        ("log(x)", {"x": 1e-300}),
        ("0.1*x**2 + x/3", {"x": 0.7}),
        ("where(x > 0, sqrt(x), 0)", {"x": -1.0}),
        ("floor(x) + x", {"x": 2.5}),
        ("abs(x)**2", {"x": 0.0}),
        ("gamma(x) + erf(x)", {"x": 2.5}),
        ("sum(v**2) + prod(v)", {"v": [1.0, 2.0, 3.0]}),
        ("max(v)", {"v": [1.0, 3.0, 2.0]}),
        ("2", {"x": 1.0}),
    ],
)
def test_no_false_alarm(expression: str, at: dict[str, Any]) -> None:
    if expression == "2":
        expression = "0*x + 2"
    found = api.gradient(expression, at)
    assert found.agrees, [(c.why, c.ways) for c in found.components]
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("expression", "at", "why"),
    [
        ("abs(x)", {"x": 0.0}, r"kink at the point \(abs\(x\) at x = 0\): the slope is -1 .* left and 1 "),
        ("max(x, 1-x)", {"x": 0.5}, r"kink at the point \(max\(x, 1-x\) at x = 0.5\)"),
        ("y + relu(x)", {"x": 0.0, "y": 1.0}, "slope is 0 from the left and 1 from the right"),
        ("norm(v)", {"v": [0.0, 0.0]}, "kink"),
        ("sqrt(x)", {"x": 0.0}, r"grows without bound at the point \(sqrt\(x\) at x = 0\)"),
        ("cbrt(x)", {"x": 0.0}, "grows without bound"),
        ("acos(x)", {"x": 1.0}, r"grows without bound at the point \(acos\(x\)"),
        ("where(x > 0, x*log(x), 0)", {"x": 0.0}, "grows without bound"),
        ("floor(x) + x", {"x": 2.0}, r"jumps at the point \(floor\(x\) at x = 2\)"),
        ("where(x >= 1, x, -x)", {"x": 1.0}, "jumps"),
        ("1e308*sin(10*x)", {"x": 0.01}, "overflow"),
        ("sqrt(x**2 + y**2)**3", {"x": 0.0, "y": 0.0}, "autodiff is not a number"),
        ("(x*x - 2*x + 1)**0.5", {"x": 1.0 + 1e-9}, "autodiff is not a number"),
        ("abs(x + 0.2 - 0.3)", {"x": 0.1}, "within rounding of a kink"),
    ],
)
def test_disagreements_have_their_reason(expression: str, at: dict[str, Any], why: str) -> None:
    found = api.gradient(expression, at)
    assert found.exit_code == 9
    assert found.worst is not None
    component, _ = found.worst
    assert not component.agrees
    assert re.search(why, component.why), component.why


def test_only_the_component_at_the_kink_disagrees() -> None:
    found = examined("abs(x)*exp(y) + y**2", x=0.0, y=1.0)
    assert [(c.name, c.agrees) for c in found.components] == [("x", False), ("y", True)]


def test_the_edge_of_a_domain_has_a_derivative_from_one_side() -> None:
    (x,) = examined("x**1.5", x=0.0).components
    assert x.agrees
    assert "edge of the domain (x**1.5 at x = 0)" in x.why
    assert x.ways["central"].value is None
    assert x.ways["central"].note == "there is no finite value at x - h"
    assert (x.reference, x.ways["autodiff"].value) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("expression", "x", "note"),
    [
        ("abs(x)", 1.0, "abs is not analytic"),
        ("floor(x)", 1.5, "floor is not analytic"),
        ("gamma(x)", 1.5, "gamma has no complex version"),
        ("where(x > 1, x**2, 2*x - 1)", 1.0, "the point is on the border of a choice"),
    ],
)
def test_what_does_not_exist_is_no_disagreement(expression: str, x: float, note: str) -> None:
    found = examined(expression, x=x)
    way = found.components[0].ways["complex_step"]
    assert (way.value, way.note, found.exit_code) == (None, note, 0)
    text = plain_text(gradient_page(gradient_record(found), 80, UNICODE))
    assert f"complex step is not applicable: {note}" in " ".join(text.split())


def test_too_many_variables_for_formulas() -> None:
    found = api.gradient("sum(v**2)", {"v": [float(i) for i in range(40)]})
    assert found.agrees
    assert all(c.ways["symbolic"].value is None for c in found.components)
    assert "up to 30 variables" in found.components[0].ways["symbolic"].note
    with pytest.raises(UsageError, match="up to 200 components"):
        api.gradient("sum(v**2)", {"v": [1.0] * (MAX_COMPONENTS + 1)})


@settings(STABLE, max_examples=examples(150))
@given(
    scalars(
        [n for n in SMOOTH_ONE if n not in ("gamma", "lgamma")], ["atan2", "hypot"], choices=False, leaves=6
    ),
    st.tuples(*[st.floats(0.3, 2.0)] * 3),
)
def test_smooth_expressions_agree(expression: str, point: tuple[float, float, float]) -> None:
    at = {
        name: value for name, value in zip("xyz", point, strict=True) if name in expression.replace("exp", "")
    }
    assume(at)
    try:
        found = api.gradient(expression, at)
    except (DomainError, UsageError):
        assume(False)
        return
    # What overflows on the way, or stands at an edge, may disagree; it must say so.
    for c in found.components:
        assert c.agrees or any(word in c.why for word in ("overflow", "edge", "bound", "not a number")), (
            expression, at, c)  # fmt: skip


@pytest.mark.parametrize("name", ["sin", "exp", "atan2", "sigmoid"])
def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = FUNCTIONS[name]

    def wrong(a: Any, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(a.mul(a.number(1.0 + 1e-12), slope) for slope in right.rule(a, y, args))

    monkeypatch.setitem(FUNCTIONS, name, right._replace(rule=wrong))
    found = api.gradient(f"{name}({'x, 2' if right.arity == 2 else 'x'}) + x**2", {"x": 0.7})
    assert found.exit_code == 9
    (x,) = found.components
    assert [w for w in WAYS if not x.ways[w].agrees] == ["autodiff"]
    assert x.why.startswith("autodiff is ")
    assert found.worst is not None
    assert found.worst[1] == "autodiff"


def test_a_wrong_complex_function_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numerical_derivatives._OWN, "sin", lambda z: cmath.sin(z) + 1e-12j * z.imag)
    (x,) = examined("sin(x)", x=0.7).components
    assert [w for w in WAYS if not x.ways[w].agrees] == ["complex_step"]


# -- Hessian, errors against h -----------------------------------------------------------------------------


def test_the_hessian_and_its_eigenvalues() -> None:
    hessian = api.gradient(ROSENBROCK, {"x": 1, "y": 1}, hessian=True).hessian
    assert hessian is not None
    assert hessian.rows == [[200.0, -400.0], [-400.0, 802.0]]
    assert hessian.eigenvalues == pytest.approx([0.39936077, 1001.60063923], rel=1e-7)
    nowhere = api.gradient("sqrt(x**3)", {"x": 0.0}, hessian=True).hessian
    assert nowhere is not None
    assert nowhere.rows is None


def test_the_errors_against_the_step() -> None:
    found = api.gradient("exp(x)", {"x": 1.0}, errors=True)
    assert [row.h for row in found.rows] == pytest.approx([10.0**-k for k in range(16)])
    assert found.best is not None
    for name, step in (("forward", 1e-8), ("central", 1e-5), ("complex_step", 1e-8)):
        assert step / 11 < found.best[name].h < step * 11
        errors = {row.h: abs(getattr(row, name).error) for row in found.rows}
        assert found.best[name].least_error == min(errors.values()) == errors[found.best[name].least_h]
    assert "grows as h)" in found.best["forward"].why
    assert "grows as h**2)" in found.best["central"].why
    first = found.rows[0].forward
    assert first is not None
    assert first.error == pytest.approx(math.e * (math.e - 2), rel=1e-9)  # e*(e-1) - e
    last = found.rows[-1].complex_step
    assert last is not None
    assert abs(last.error or 0.0) < 1e-15


@pytest.mark.parametrize("h", [0.1, 1e-3, 1e-6])
def test_the_step_is_used(h: float) -> None:
    (x,) = api.gradient("x**2", {"x": 5}, h=h).components
    assert x.ways["forward"].truncation == pytest.approx(h, rel=1e-6)


def test_plain_pages_are_ascii_and_narrow() -> None:
    found = api.gradient(ROSENBROCK, {"x": -1.2, "y": 1}, errors=True, hessian=True, latex=True)
    for width, glyphs in ((80, PLAIN), (80, UNICODE), (120, UNICODE)):
        text = plain_text(gradient_page(gradient_record(found), width, glyphs))
        assert max(map(len, text.splitlines())) <= width
        assert text.isascii() == (glyphs is PLAIN)
