"""Each rule that looks at points, where intervals decide nothing, has a case that is judged otherwise without it."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api
from gdcli.judge import certificate, point_kind
from gdcli.kernel.status import PointKind
from gdcli.solve.methods import newton
from gdcli.solve.probe import poles, valley
from gdcli.solve.probe.line_probe import ProbeEnd, Walk
from gdcli.tasks import proved
from tests.effort import WHOLE

RISES = Walk(ProbeEnd.RISES)
LONG = "a long way to a degenerate minimum"
SPIRAL = (
    "log(1 + exp(-(0.8*x - 0.1*y - 0.5*w + 0.4)) + ((-1.55*y - 1.5)-sin((0.8*x - 0.1*y - 0.5*w + 0.4)))**2"
    " + ((-0.1*x + 0.8*y + 0.63*z + 1.4*w - 0.9)-cos((0.8*x - 0.1*y - 0.5*w + 0.4)))**2"
    " + ((0.12*x - 1.1*w - 0.8)-(-0.1*x + 0.8*y + 0.63*z + 1.4*w - 0.9))**2)"
)
# What is switched off, by what, the case (expression, start, options), and its status with the rule.
RULES = {
    "a bound bends the way down": (
        point_kind, "_meets_bound", lambda *_: False,
        ("x*y", {"x": 1.0, "y": 1.0}, {"bounds": {"x": (0, 5), "y": (0, 5)}, "method": "lbfgs"}), "converged"),
    "the slope vanishes at a crest": (
        point_kind.DensePoint, "_of_crest", lambda self: PointKind.MAXIMUM,
        ("acos(x+y)-0.5", {"x": 0.1, "y": 0.1}, {}), "stalled"),
    "curvature met in passing": (
        point_kind, "passing_direction", lambda *_: None, ("x**3", {"x": 1.0}, {"method": "lbfgs"}), "diverged"),
    "a level value fades": (
        point_kind, "fades", lambda *_: False, ("1-erf(x)", {"x": 0.3}, {}), "diverged"),
    "sides of a floor": (
        valley, "sides_of_floor", lambda *_: valley.FloorSides(),
        ("(x*y-1)**2+exp(-x)", {"x": 1.0, "y": 1.0}, {}), "diverged"),
    "far from the start": (
        point_kind.DensePoint, "_from_afar", lambda self, kind: kind, ("sqrt(1+x**2)-x", {"x": 1.0}, {}), "diverged"),
    "on along the way": (
        certificate, "_falls_on", lambda *_: ProbeEnd.RISES, ("-x", {"x": 1.0}, {"method": "gd"}), "diverged"),
    "beside a pole": (
        poles, "is_beside_pole", lambda *_: False, ("1/x+x", {"x": -1.0}, {}), "diverged"),
    "down the floor at the end": (
        newton, "_down_floor", lambda *_: RISES, ("(y-x**2)**2-log(1+x**2)", {"x": 1.0, "y": 1.0}, {}), "stalled"),
    "radii at an edge": (newton, "HOPELESS", -float("inf"), ("log(x)**3", {"x": 2.0}, {}), "stalled"),
    LONG: (
        proved._Search, "_took_long", lambda self: False,
        (SPIRAL, {"x": 0.159, "y": -1.583, "z": 1.135, "w": 0.464}, {}), "stalled"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in RULES if WHOLE or name != LONG])
def test_without_a_rule_its_case_is_judged_otherwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, what, instead, (text, start, options), status = RULES[name]
    options = dict(options, max_iter=3000)
    assert api.minimize(text, start, **options).status.value == status
    monkeypatch.setattr(owner, what, instead)
    assert api.minimize(text, start, **options).status.value != status


def test_extrapolation_saves_nine_evaluations_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluations() -> Any:
        return api.minimize("cosh(x)", {"x": 300.0}).run.counts.value

    few = evaluations()
    monkeypatch.setattr(newton.Aitken, "extrapolate", lambda *_: None)
    assert evaluations() > 5 * few
