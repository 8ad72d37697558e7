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
    answer = answered(("minimize", "x**4", "--start", "x=1"), tmp_path)
    assert verified(answer, tmp_path) == 9
    assert "the curvature may vanish" in capsys.readouterr().out


def test_what_is_no_answer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.json"
    file.write_text('{"a": 1}')
    assert run(["verify", str(file)]) == 8
    assert run(["verify", str(tmp_path / "missing.json")]) == 2
