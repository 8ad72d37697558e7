"""A valley of minimisers is one of minima: no infimum at infinity, and told with a direction."""

from __future__ import annotations

import pytest

from gdcli import api
from gdcli.kernel.status import PointKind, Status

FAMILY = (
    "(x*exp(y)-2)**2",
    "(x*exp(y)+x-2)**2",
    "(x*y-1)**2",
    "(x-exp(y))**2",
    "(x*y**2-3)**2+1e-3",
    "(log(x)+y)**2",
    "(x*cosh(y)-3)**2",
    "(x*sqrt(1+y**2)-1)**2",
)
STARTS = ({"x": 10.0, "y": 70.0}, {"x": 3.0, "y": -5.0}, {"x": 0.1, "y": 30.0}, {"x": 1e4, "y": 2.0})


@pytest.mark.parametrize("method", ["auto", "lbfgs", "bfgs", "newton-cg", "cg"])
@pytest.mark.parametrize("text", FAMILY)
def test_a_valley_of_minimisers_is_no_infimum_at_infinity(text: str, method: str) -> None:
    for start in STARTS:
        found = api.minimize(text, start, method=method)
        assert found.certificate.kind not in (PointKind.AT_INFINITY, PointKind.UNBOUNDED, PointKind.SADDLE), (
            start
        )
        # Farther out the rounding of x is all that is left of the value: nothing is claimed there.
        if method == "auto" and max(map(abs, found.point.values())) < 1e6:
            assert found.status is Status.CONVERGED, start


@pytest.mark.parametrize(
    ("text", "start", "told"),
    [
        ("(x+y-2)**2", {"x": 1.0, "y": 4.0}, "the direction x = 1, y = -1."),
        ("(x-2*y)**2+z**2", {"x": 1.0, "y": 4.0, "z": 3.0}, "the direction x = 1, y = 0.5."),
        ("(x+y+z)**2", {"x": 1.0, "y": 4.0, "z": 3.0}, " and in 1 more."),
        ("(x/1e8+y-2)**2", {"x": 1e8, "y": 4.0}, "the direction x = 1, y = -1e-08."),
    ],
)
def test_a_valley_is_told_with_its_direction(text: str, start: dict[str, float], told: str) -> None:
    found = api.minimize(text, start)
    assert found.status is Status.CONVERGED
    assert found.message.startswith(
        "Converged to a valley of minimisers: the value stays the same in the direction "
    )
    assert found.message.endswith(told)
    assert api.maximize(f"-({text})", start).message == found.message.replace("minimisers", "maximisers")


@pytest.mark.parametrize("text", ["x**4+y**2", "(x-1)**4+(y-2)**6", "(x+y-2)**2+1e-3*(x-y)**4"])
def test_a_degenerate_minimum_is_no_valley(text: str) -> None:
    found = api.minimize(text, {"x": 3.0, "y": 4.0})
    assert found.status is Status.CONVERGED
    assert "valley" not in found.message


@pytest.mark.parametrize(
    "text", ["(x*y-1)**2+x**2", "exp(-x)+y**2", "1/(1+exp(x))+(y-x)**2", "exp(-x)*exp(-y)"]
)
def test_an_infimum_at_infinity_is_still_one(text: str) -> None:
    assert api.minimize(text, {"x": 3.0, "y": 4.0}).status is Status.DIVERGED
