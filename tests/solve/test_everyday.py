"""What people try first, by every method that is to find answers: extreme starts, slopes and powers."""

from __future__ import annotations

import pytest

from gdcli import api
from gdcli.kernel.status import Status

FINDING = ("auto", "newton", "newton-cg", "lbfgs", "bfgs", "cg", "bb", "gd")


@pytest.mark.parametrize("method", FINDING)
@pytest.mark.parametrize(
    ("text", "start", "answer"),
    [
        ("exp(x)+exp(-x)", 300.0, 0.0),
        ("(1e9*x-1)**2", 1.0, 1e-9),
        ("x**100", 1.5, 0.0),
        ("exp(exp(x))-x", 3.0, -0.5671433),
        ("x-log(x)", 1e-8, 1.0),
        ("log(1+exp(x))-0.3*x", 500.0, -0.8473),
        ("max(abs(x),1)", 0.3, 0.3),
        ("sqrt(x)+1/x", 30.0, 1.5874),
    ],
)
def test_the_minimum_is_found(text: str, start: float, answer: float, method: str) -> None:
    found = api.minimize(text, {"x": start}, method=method)
    assert found.status is Status.CONVERGED
    assert found.point["x"] == pytest.approx(
        answer, abs=0.8 if "**100" in text else 1e-3 * max(abs(answer), 1e-5)
    )


@pytest.mark.parametrize("method", FINDING)
@pytest.mark.parametrize("text", ["1/x", "-sqrt(x)", "-log(x)", "exp(-x)", "-atan(x)", "1/(1+x**2)"])
def test_a_way_to_infinity_is_told(text: str, method: str) -> None:
    found = api.minimize(text, {"x": 2.0}, method=method)
    assert found.status is Status.DIVERGED
    assert found.message.startswith("There is no minimum")
