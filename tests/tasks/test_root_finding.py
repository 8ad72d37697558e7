"""All roots of systems whose number of roots is known, each proved.

Classical systems and their sources are in ``tests/data/systems.json``; there ``singular`` is a root at which the
Jacobian is singular, so that no Newton step can prove it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.solve.settings import Settings
from gdcli.tasks.pipeline import FoundBox
from gdcli.tasks.root_finding import Roots, read_system, solve_system
from gdcli.tasks.verified_record import faults_of_roots
from tests.cli.test_subject_to_command import gd
from tests.effort import WHOLE, examples

SYSTEMS = json.loads((Path(__file__).parent.parent / "data" / "systems.json").read_text(encoding="utf-8"))
CLASSICAL = {system["name"]: system for system in SYSTEMS if WHOLE or "whole" not in system}
KNOWN: dict[str, tuple[list[str], str, int]] = {
    "circles": (["x**2+y-11", "x+y**2 == 7"], "all=-5:5", 4),
    "a wave": (["sin(x) == x/10"], "x=-20:20", 7),
    "Kepler": (["m - e1*sin(m) == 1", "e1 == 0.6"], "m=0:7,e1=0:1", 1),
    "a tangent and its poles": (["tan(x) == x"], "x=1:10", 2),
    "hardly a slope": (["atan(x) == 1.5"], "x=-1000:1000", 1),
    "many": (["sin(x)"], "x=-300:300", 191),
    "no root": (["x**2+y**2 == -1e-9", "x == y"], "all=-5:5", 0),
    "beside each other": (["(x-1)*(x-1.0001)*(x-1.0002)"], "x=0:2", 3),
    "at the middle": (["x", "y**3 + y"], "all=-1:1", 1),
    "at the corner": (["x-1", "y+1"], "all=-1:1", 1),
}


def solved(texts: list[str], bounds: str, **how: Any) -> Roots:
    return solve_system(read_system(texts, [bounds]), Settings(**how))


def holding(found: Roots, point: Sequence[float]) -> list[FoundBox]:
    return [
        box
        for box in found.boxes
        if all(a <= x <= b for a, x, b in zip(box.low, point, box.high, strict=True))
    ]


@pytest.mark.parametrize("name", [*KNOWN, *(name for name in CLASSICAL if "singular" not in CLASSICAL[name])])
def test_all_roots_are_found_and_proved(name: str) -> None:
    system = CLASSICAL.get(name)
    texts, bounds, count = (system["equations"], system["bounds"], system["roots"]) if system else KNOWN[name]
    found = solved(texts, bounds)
    assert found.status is Status.CONVERGED
    assert len(found.boxes) == count
    assert all(box.proved for box in found.boxes)
    assert all(
        b - a < 1e-9 * max(1.0, abs(a)) for box in found.boxes for a, b in zip(box.low, box.high, strict=True)
    )


@given(roots=st.lists(st.integers(-40, 40), min_size=1, max_size=5, unique=True))
@settings(max_examples=examples(60), deadline=None)
def test_a_polynomial_has_the_roots_that_it_was_made_of(roots: list[int]) -> None:
    text = "*".join(f"(x - {root / 8!r})" for root in roots)
    found = solved([text], "x=-4:4")
    inside = sorted(root / 8 for root in roots if abs(root) <= 32)
    assert found.status is Status.CONVERGED
    assert len(found.boxes) == len(inside)
    assert all(box.low[0] <= root <= box.high[0] for box, root in zip(found.boxes, inside, strict=True))


@pytest.mark.parametrize(
    ("texts", "bounds", "root"),
    [
        (["(x-1)**2", "y-2"], "all=-5:5", (1.0, 2.0)),  # a double root
        (["x+y-1", "x-y", "x*y-0.25"], "all=-3:3", (0.5, 0.5)),  # more equations than variables
        (["abs(x)"], "x=-1:1", (0.0,)),  # at a kink
        *((s["equations"], s["bounds"], tuple(s["singular"])) for s in SYSTEMS if "singular" in s),
    ],
)
def test_what_cannot_be_decided_is_listed(texts: list[str], bounds: str, root: tuple[float, ...]) -> None:
    found = solved(texts, bounds)
    assert found.status is Status.STALLED
    assert not any(box.proved for box in found.boxes)
    assert holding(found, root)


@pytest.mark.parametrize(
    ("texts", "low", "high", "isolated"),
    [
        (["x == x"], [0.0], [10.0], 0),
        (["floor(x) == 2"], [2.0], [3.0], 0),
        (["x**2 + y**2 == 1", "2*x**2 + 2*y**2 == 2"], [0.0, 0.0], [1.0, 1.0], 0),
        (["max(x, 1) == 1 + (x-4)*relu(x-2)"], [0.0], [1.0], 1),
    ],
)
def test_roots_that_fill_a_region_are_told_as_such(
    texts: list[str], low: list[float], high: list[float], isolated: int
) -> None:
    found = solved(texts, "all=0:10")
    assert found.status is Status.LIMIT
    assert "fill a region" in found.message
    region = max(found.boxes, key=lambda box: box.high[0] - box.low[0])
    assert [region.low, region.high] == [pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3)]
    assert sum(box.proved for box in found.boxes) == isolated


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1.0, 1e6])
def test_roots_are_told_apart_in_any_unit(unit: float) -> None:
    found = solved(
        [f"x**2 == {unit * unit!r}", f"x*y == {unit * unit / 2!r}"], f"all={-4 * unit!r}:{4 * unit!r}"
    )
    assert found.status is Status.CONVERGED
    assert sorted(box.center for box in found.boxes) == [
        pytest.approx([-unit, -unit / 2], rel=1e-9),
        pytest.approx([unit, unit / 2], rel=1e-9),
    ]


def test_a_cap_leaves_the_rest_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = CLASSICAL["robot kinematics (PUMA)"]
    texts, bounds = robot["equations"], robot["bounds"]
    found = solved(texts, bounds, max_evaluations=5)
    assert found.status is Status.LIMIT
    for whole in solved(texts, bounds).boxes:
        assert holding(found, whole.center)
    monkeypatch.setattr("gdcli.tasks.root_finding.MOST_EXAMINED", 5)
    assert solved(texts, bounds).boxes == found.boxes


@pytest.mark.parametrize(
    ("texts", "bounds", "told"),
    [
        (["3 == 3"], "", "the equations have no variable"),
        (["x + y", "x - y"], "x=-5:5", "bounds on every variable: y without"),
        (["x + y"], "all=-5:5", "1 equation for 2 variables"),
        (["x + y < 3", "x"], "all=-5:5", "an equation has two sides with == between them"),
        (["x <= y", "x"], "all=-5:5", "an equation has two sides with == between them"),
        (["x := 3"], "x=-5:5", ":= is no comparison"),
        (["x -"], "x=-5:5", "something is missing"),
    ],
)
def test_what_is_wrong_is_told(texts: list[str], bounds: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        solved(texts, bounds)


def test_the_command_tells_all_roots(tmp_path: Any) -> None:
    asked = ("solve", "x**2+y = a", "-7+x+y**2", "--set", "a=11", "--bounds", "all=-5:5")
    code, page, errors = gd(*asked)
    assert (code, errors) == (0, "")
    assert "to 4 roots, proved by intervals; there are no others within the bounds" in " ".join(page.split())
    stored = tmp_path / "roots.json"
    stored.write_text(gd(*asked, "--format", "json")[1])
    record = json.loads(stored.read_text())
    assert record["type"] == "roots"
    assert [root["proved"] for root in record["roots"]] == [True] * 4
    assert math.isclose(record["roots"][2]["point"]["x"], 3.0)
    assert gd("show", str(stored))[1] == page
    rows = gd(*asked, "--format", "csv")[1].splitlines()
    assert rows[0] == "root,proved,x,y,x.low,x.high,y.low,y.high"
    assert len(rows) == 5


def test_equations_come_from_a_file_and_exit_codes_tell_the_end(tmp_path: Any) -> None:
    file = tmp_path / "system.txt"
    file.write_text("x*y == 1\n\nx == y\n")
    assert gd("solve", f"@{file}", "--bounds", "all=-3:3")[0] == 0
    assert gd("solve", "(x-1)**2", "--bounds", "x=-3:3")[0] == 5
    assert gd("solve", "sin(1/x)", "--bounds", "x=-1:1", "--max-evaluations", "100")[0] == 3


def test_roots_from_python() -> None:
    found = api.roots(["x**2 == a"], {"x": (-2, 2)}, ["a=2"])
    assert [box.center[0] for box in found.boxes] == pytest.approx([-(2**0.5), 2**0.5])
    assert [box.center[0] for box in api.roots(["x**2 == 2"], ["all=0:2"]).boxes] == pytest.approx([2**0.5])


@pytest.mark.parametrize(
    ("texts", "bounds", "point"),
    [
        (["x*y == 1", "x+y == 2"], "all=-5:5", (1.0, 1.0)),
        (["exp(x)+exp(-x) == 2"], "x=-5:5", (0.0,)),
    ],
)
def test_boxes_around_a_double_root_are_told_as_one(
    texts: list[str], bounds: str, point: tuple[float, ...]
) -> None:
    found = solved(texts, bounds)
    assert found.status is Status.STALLED
    assert len(found.boxes) == 1
    assert holding(found, point)


@pytest.mark.parametrize(
    ("texts", "root", "told"),
    [
        (["x == 1", "y == 2"], 2.0, "x == 1 has no variable and holds, and is left out."),
        (["x*10 == 10", "x - 1", "y**3 == 8"], 2.0, "x - 1 has no variable and holds, and is left out."),
        (["y == 2", "x == 2"], None, "x == 2 has no variable and does not hold."),
        (["x == 2", "y + z == 2"], None, "there is no root within the bounds"),
    ],
)
def test_an_equation_without_a_variable_holds_or_not(texts: list[str], root: float | None, told: str) -> None:
    system = read_system(texts, ["all=-5:5"], ["x=1"])
    found = solve_system(system, keep=True)
    assert found.status is Status.CONVERGED
    assert [box.center[0] for box in found.boxes] == ([] if root is None else [pytest.approx(root)])
    assert told in found.message
    assert not faults_of_roots(found)


def test_an_equation_without_a_variable_counts_as_none() -> None:
    with pytest.raises(UsageError, match="1 equation for 2 variables"):
        solve_system(read_system(["x == 1", "y + z == 3"], ["all=-5:5"], ["x=1"]))
    found = solve_system(read_system(["sqrt(x)**2 == 2", "y == 3"], ["all=-5:5"], ["x=2"]))
    assert found.status is Status.STALLED
    assert "holds or not: rounding hides that" in found.message
