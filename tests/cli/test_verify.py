"""`gd verify`: a proof that holds is confirmed, and one that was tampered with is not, whichever field it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gdcli.cli.app import run

Change = Callable[[dict[str, Any]], None]
ROSENBROCK = ("minimize", "100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1")


def answered(words: tuple[str, ...], tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "answer.json"
    assert run([*words, "--format", "json", "--output", str(file)]) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def verified(answer: dict[str, Any], tmp_path: Path) -> int:
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(answer))
    return run(["verify", str(file)])


@pytest.mark.parametrize(
    "words",
    [
        ROSENBROCK,
        ("maximize", "a - cosh(x-0.1)", "--start", "x=2", "--set", "a=0.3"),
        ("minimize", "(x-3)**2 + y**2", "--start", "x=0,y=1", "--bounds", "x=0:2"),
        ("minimize", "x + exp(y)", "--start", "x=1,y=1", "--bounds", "x=0:2,y=-1:3"),
        ("minimize", "sum((v-c)**2) + x**2", "--start", "v=[1,2],x=3", "--set", "c=[0.1,0.2]"),
        ("minimize", "u**2 + y**2", "--start", "x=1,y=2", "--let", "u = x - 0.7"),
        ("minimize", "(x-1)**2", "--start", "x=3", "--lr", "0.4"),
        ("minimize", "(x-1)**2 + y**2", "--start", "x=3,y=1", "--bounds", "y=2:2"),
    ],
)
def test_what_was_proved_is_verified(words: tuple[str, ...], tmp_path: Path, capsys: Any) -> None:
    answer = answered(words, tmp_path)
    assert answer["certificate"]["proof"]["kind"] == words[0].replace("ize", "um")
    assert verified(answer, tmp_path) == 0
    assert capsys.readouterr().out.startswith("verified      exactly one")


@pytest.mark.parametrize(
    "words",
    [
        ("minimize", "x**4", "--start", "x=1"),
        ("maximize", "-abs(x-0.1) - y**2", "--start", "x=2,y=1"),
        ("minimize", "x**2 + y**4", "--start", "x=2,y=1"),
        ("minimize", "(x-2)**2 + y**2", "--start", "x=1,y=1", "--bounds", "x=0:2"),
        ("minimize", "abs(x+2*y-1) + (x-y)**4", "--start", "x=3,y=1"),
    ],
)
def test_a_minimum_where_the_curvature_vanishes_or_jumps_is_verified(
    words: tuple[str, ...], tmp_path: Path, capsys: Any
) -> None:
    answer = answered(words, tmp_path)
    proof = answer["certificate"]["proof"]
    assert answer["certificate"]["claim"] == "proved"
    assert verified(answer, tmp_path) == 0
    assert capsys.readouterr().out.startswith("verified      a m")
    for change in (
        {"radius": proof["radius"] / 10},
        {"value": [proof["value"][1] + 1e-3, proof["value"][1] + 2e-3]},
        {"box": {name: [ends[0] + 1.0, ends[1] + 1.0] for name, ends in proof["box"].items()}},
        {"flat": []},
        *({"axes": [[2.0 * a for a in row] for row in proof[k]]} for k in ("axes",) if k in proof),
    ):
        assert (
            verified({**answer, "certificate": {**answer["certificate"], "proof": proof | change}}, tmp_path)
            == 9
        )


def at(*path: Any, change: Callable[[Any], Any]) -> Change:
    def apply(answer: dict[str, Any]) -> None:
        place: Any = answer
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = change(place[path[-1]])

    return apply


PROOF = ("certificate", "proof")


@pytest.mark.parametrize(
    "change",
    [
        at(*PROOF, "kind", change=lambda v: "maximum"),
        at(*PROOF, "radius", change=lambda v: v / 10),
        at(*PROOF, "radius", change=lambda v: v * 1e6),
        at(*PROOF, "radius", change=lambda v: 0.0),
        at(*PROOF, "radius", change=lambda v: -v),
        at(*PROOF, "value", 0, change=lambda v: v + 1e-3),
        at(*PROOF, "value", 0, change=lambda v: v - 1e-3),
        at(*PROOF, "value", 1, change=lambda v: v + 1e-3),
        at(*PROOF, "value", 1, change=lambda v: v - 1e-3),
        at(*PROOF, "box", "x", 0, change=lambda v: v + 1e-3),
        at(*PROOF, "box", "x", 0, change=lambda v: v - 10.0),
        at(*PROOF, "box", "y", 1, change=lambda v: v + 10.0),
        at(*PROOF, "box", "y", change=lambda v: v[::-1]),
        at("certificate", "proof", change=lambda v: None),
        at("point", "x", change=lambda v: v + 1e-6),
        at("point", "y", change=lambda v: -v),
        at("value", change=lambda v: v + 1e-6),
        at("status", change=lambda v: "stalled"),
        at("problem", "expression", change=lambda v: v.replace("100", "99.9") + "+0.01*x"),
        at("problem", "expression", change=lambda v: v + "+abs(x-1)"),
        at("problem", "expression", change=lambda v: v + "+"),
        at("problem", "sense", change=lambda v: "maximize"),
    ],
)
def test_each_change_is_noticed(change: Change, tmp_path: Path, capsys: Any) -> None:
    answer = answered(ROSENBROCK, tmp_path)
    change(answer)
    assert verified(answer, tmp_path) == 9
    assert capsys.readouterr().out.startswith("not verified")


@pytest.mark.parametrize(
    "change",
    [
        at("problem", "bounds", "x", 1, change=lambda v: 3.0),
        at("problem", "bounds", "x", change=lambda v: [2.0, 5.0]),
        at("problem", "constants", "a", change=lambda v: v + 1e-3),
        at("point", "x", change=lambda v: v - 1e-3),
    ],
)
def test_changed_bounds_and_constants_are_noticed(change: Change, tmp_path: Path) -> None:
    words = ("minimize", "(x-3)**2 + (y-a)**2", "--start", "x=0,y=1", "--bounds", "x=0:2", "--set", "a=0.1")
    answer = answered(words, tmp_path)
    assert verified(answer, tmp_path) == 0
    change(answer)
    assert verified(answer, tmp_path) == 9


def test_an_answer_without_a_proof_says_why(tmp_path: Path, capsys: Any) -> None:
    answer = answered(("minimize", "(x-y)**2", "--start", "x=1,y=3"), tmp_path)
    assert verified(answer, tmp_path) == 9
    assert "the curvature may vanish" in capsys.readouterr().out


def test_what_is_no_answer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.json"
    file.write_text('{"a": 1}')
    assert run(["verify", str(file)]) == 8
    assert run(["verify", str(tmp_path / "missing.json")]) == 2


# -- searches over boxes ----------------------------------------------------------------------------------------------

WELLS = ("minimize", "x**4 - 2*x**2 + y**2", "--global", "--all", "--bounds", "all=-2:2")
EQUATIONS = ("solve", "x**2 + y == a", "y - x", "--set", "a=2", "--bounds", "all=-3:3")


@pytest.mark.parametrize(
    "words",
    [
        WELLS,
        ("maximize", "-abs(x - 1) - (y - 0.1)**2", "--global", "--bounds", "all=-3:3"),
        ("minimize", "x*y", "--global", "--all", "--bounds", "all=-1:1"),
        ("minimize", "x**4 + abs(y)", "--global", "--bounds", "all=-1:2"),
        ("minimize", "x + y", "--global", "--bounds", "all=-3:3", "--subject-to", "x**2 + y**2 <= 1"),
        ("minimize", "x + sqrt(x - 1) + 1/y", "--global", "--bounds", "x=0:2,y=1:3"),
        (
            "minimize",
            "sum((v-c)**2)",
            "--global",
            "--set",
            "c=[0.1,0.2]",
            "--start",
            "v=[1,2]",
            "--bounds",
            "v=-1:2",
        ),
        EQUATIONS,
        ("solve", "x**2 + y**2 == -1", "x - y", "--bounds", "all=-3:3"),
        ("solve", "(x - 1)*(x - 1.0001)", "--bounds", "x=0:1"),
    ],
)
def test_a_search_is_verified_without_searching(words: tuple[str, ...], tmp_path: Path, capsys: Any) -> None:
    answer = answered(words, tmp_path)
    assert (answer if words[0] == "solve" else answer["global"])["cover"]
    assert verified(answer, tmp_path) == 0, capsys.readouterr().out


def test_no_feasible_point_is_verified(tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    limits = (
        "--bounds",
        "all=-2:2",
        "--subject-to",
        "x**2 + y**2 >= 9",
        "--format",
        "json",
        "--output",
        str(file),
    )
    assert run(["minimize", "x + y", "--global", *limits]) == 10
    assert run(["verify", str(file)]) == 0
    answer = json.loads(file.read_text())
    answer["problem"]["subject_to"] = ["x**2 + y**2 >= 7"]
    assert verified(answer, tmp_path) == 9


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return answered(WELLS, tmp_path_factory.mktemp("wells"))


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return answered(EQUATIONS, tmp_path_factory.mktemp("roots"))


def without(index: int) -> Callable[[list[Any]], list[Any]]:
    return lambda v: v[:index] + v[index + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        at("global", "lower", change=lambda v: v + 1e-9),
        at("global", "lower", change=lambda v: v - 1e-5),
        at("global", "lower", change=lambda v: None),
        at("global", "upper", change=lambda v: v - 1e-9),
        at("global", "upper", change=lambda v: v + 1e-9),
        at("global", "upper", change=lambda v: None),
        at("global", "tol", change=lambda v: 1e-14),
        at("global", "cover", change=lambda v: None),
        at("global", "cover", change=lambda v: "eJwDAAAAAAE="),
        at("global", "cover", change=lambda v: v[:-8]),
        at("global", "cover", change=lambda v: "no text of one"),
        at("global", "boxes", change=without(0)),
        at("global", "boxes", change=lambda v: []),
        at("global", "boxes", 0, "low", "x", change=lambda v: v + 1e-9),
        at("global", "boxes", 0, "high", "y", change=lambda v: v - 1e-9),
        at("global", "boxes", 0, "high", "y", change=lambda v: v + 1.0),
        at("global", "boxes", 1, "low", "x", change=lambda v: v - 5.0),
        at("global", "boxes", 0, "proved", change=lambda v: False),
        at("global", "minima", change=without(1)),
        at("global", "minima", 0, "value", change=lambda v: v + 1e-9),
        at("global", "minima", 0, "low", "x", change=lambda v: v + 1e-9),
        at("global", "minima", 0, "high", "x", change=lambda v: v - 1e-9),
        at("global", "minima", 1, "proved", change=lambda v: False),
        at("global", "has_all", change=lambda v: False),
        at("global", "minima_cover", change=lambda v: None),
        at("global", "minima_cover", change=lambda v: v[8:]),
        at("status", change=lambda v: "limit"),
        at("status", change=lambda v: "infeasible"),
        at("message", change=lambda v: v.replace("minimum", "maximum")),
        at("point", "x", change=lambda v: v + 1e-6),
        at("point", "y", change=lambda v: v + 10.0),
        at("value", change=lambda v: v + 1e-9),
        at("certificate", "proof", "radius", change=lambda v: 10 * v + 1e-9),
        at("problem", "expression", change=lambda v: v + " + 0.001*x"),
        at("problem", "expression", change=lambda v: v + "+"),
        at("problem", "sense", change=lambda v: "maximize"),
        at("problem", "bounds", "x", change=lambda v: [-3.0, 3.0]),
        at("problem", "bounds", "x", change=lambda v: [2.0, -2.0]),
        at("problem", "bounds", "x", change=lambda v: [0.0, 2.0]),
        at("problem", "bounds", change=lambda v: {"x": v["x"]}),
    ],
)
def test_each_change_of_a_global_minimum_is_noticed(
    change: Change, wells: dict[str, Any], tmp_path: Path
) -> None:
    answer = json.loads(json.dumps(wells))
    change(answer)
    assert verified(answer, tmp_path) == 9


@pytest.mark.parametrize(
    "change",
    [
        at("equations", 0, change=lambda v: v + " + 0.001"),
        at("equations", change=lambda v: [*v, "x - 1"]),
        at("equations", change=lambda v: v[:1]),
        at("constants", "a", change=lambda v: v + 1e-6),
        at("bounds", "x", change=lambda v: [-3.0, 0.9]),
        at("bounds", "y", change=lambda v: [None, 3.0]),
        at("status", change=lambda v: "stalled"),
        at("message", change=lambda v: v.replace("2 roots", "3 roots")),
        at("roots", change=without(1)),
        at("roots", change=lambda v: [v[0], v[0]]),
        at("roots", 0, "low", "x", change=lambda v: v + 1e-9),
        at("roots", 0, "point", "x", change=lambda v: v + 1e-9),
        at("roots", 1, "proved", change=lambda v: False),
        at("cover", change=lambda v: None),
        at("cover", change=lambda v: v[4:]),
    ],
)
def test_each_change_of_roots_is_noticed(change: Change, roots: dict[str, Any], tmp_path: Path) -> None:
    answer = json.loads(json.dumps(roots))
    change(answer)
    assert verified(answer, tmp_path) == 9


def test_a_cover_that_would_be_too_large_is_not_kept(tmp_path: Path, capsys: Any) -> None:
    words = ("minimize", "(x**2 + y**2 - 1)**2", "--global", "--bounds", "all=-2:2", "--max-evaluations", "1")
    file = tmp_path / "answer.json"
    assert run([*words, "--format", "json", "--output", str(file)]) in (0, 3)
    answer = json.loads(file.read_text())
    answer["global"]["cover"] = None
    assert verified(answer, tmp_path) == 9
    assert "cannot be checked without searching again" in " ".join(capsys.readouterr().out.split())


def test_a_minimum_at_the_ends_of_the_domain_is_verified(tmp_path: Path, capsys: Any) -> None:
    answer = answered(
        ("minimize", "sqrt(x) + asin(y) + sum(sqrt(v))", "--start", "x=1,y=0,v=[1,2]"), tmp_path
    )
    assert answer["domain"] == {"x": [0.0, None], "y": [-1.0, None], "v": [[0.0, 0.0], [None, None]]}
    assert verified(answer, tmp_path) == 0
    assert capsys.readouterr().out.startswith("verified      a minimum")
    assert run(["show", str(tmp_path / "changed.json")]) == 0
    assert "x at 0 (lower end of the domain, slope inf)" in capsys.readouterr().out
    del answer["domain"]["y"]
    assert verified(answer, tmp_path) == 9
    answer["domain"]["y"] = [-1.0, 0.5]
    assert verified(answer, tmp_path) == 9
    assert "the domain of the expression ends at y = 0.5" in capsys.readouterr().out
    answer["domain"] = {"v": [[0.0], [None]]}
    assert verified(answer, tmp_path) == 8
