"""Constraints, named parts and matrices on the command line, in problem files and in streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import processes
import pytest

CIRCLE = ("minimize", "x + y", "--start", "x=1,y=0", "--subject-to", "x**2 + y**2 <= 2")


def gd(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    done = processes.gd(*arguments, stdin=stdin)
    return done.returncode, done.stdout, done.stderr


def record(*arguments: str) -> dict[str, Any]:
    code, out, _ = gd(*arguments, "--format", "json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_constraint_holds_the_answer() -> None:
    found = record(*CIRCLE)
    assert found["status"] == "converged"
    assert (found["point"]["x"], found["point"]["y"]) == pytest.approx((-1.0, -1.0), abs=1e-9)
    assert found["value"] == pytest.approx(-2.0, abs=1e-9)


def test_they_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("# the disk\nx**2 + y**2 <= 2  # and its edge\nx >= y\n")
    found = record("maximize", "x + 2*y", "--start", "x=0,y=0", "--subject-to", f"@{tmp_path / 'limits'}")
    assert (found["point"]["x"], found["point"]["y"]) == pytest.approx((1.0, 1.0), abs=1e-8)


def test_parts_matrices_and_constraints_go_together() -> None:
    found = record(
        "minimize",
        "risk - gain",
        *("--let", "risk=w @ C @ w", "--let", "gain=dot(mu, w)/2"),
        *("--set", "C=[[2,0.5],[0.5,1]]", "--set", "mu=[0.1,0.3]"),
        *("--start", "w=full(2,1/2)", "--subject-to", "sum(w) == 1", "--bounds", "w=0:"),
    )
    # With w = (a, 1 - a) the slope 4a - 2(1 - a) + (1 - 2a) + 0.1 vanishes at a = 0.225.
    assert found["point"]["w"] == pytest.approx([0.225, 0.775], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "code", "told", "marked"),
    [
        (("x < 1",), 2, "a constraint includes its limit", "x < 1"),
        (("x =< 1",), 2, "=< is no comparison", "x =< 1"),
        (("2 <= 1",), 10, "2 <= 1 has no variable, and does not hold", "2 <= 1"),
        (("x + z <= 1",), 2, "--start leaves out z", "x + z <= 1"),
    ],
)
def test_bad_constraints_are_told(arguments: tuple[str, ...], code: int, told: str, marked: str) -> None:
    typed = [word for text in arguments for word in ("--subject-to", text)]
    found, out, err = gd("minimize", "x**2 + y**2", "--start", "x=1,y=1", *typed)
    assert (found, out) == (code, "")
    assert told in err
    assert f"--subject-to {marked}" in err
    assert "^" in err


def test_a_method_that_does_not_know_constraints_says_which_do() -> None:
    code, _, err = gd(*CIRCLE, "--method", "bfgs")
    assert code == 2
    assert "the method bfgs does not know constraints" in err
    assert "these do: auto" in err


def test_problem_files_and_streams_have_them(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        """
[disk]
expression = "x + y"
start = {x = 1, y = 0}
subject_to = ["x**2 + y**2 <= r", "x <= 5"]
set = {r = 2}
expect = {value = -2}

[parts]
expression = "x @ A @ x + s"
start = {x = [1, 1]}
set = {A = [[2, 0], [0, 4]]}
let = {s = "sum(x)**2"}
subject_to = "sum(x) == 3"
expect = {value = 21, point = {x = [2, 1]}}

[empty]
expression = "x"
start = {x = 1}
subject_to = ["x >= 2", "x <= 1"]
"""
    )
    code, out, _ = gd("run", str(file), "--format", "json")
    assert code == 10
    results = json.loads(out)["results"]
    assert [r["status"] for r in results] == ["converged", "converged", "infeasible"]
    line = b'{"expression": "x + y", "start": {"x": 1, "y": 0}, "subject_to": ["x**2 + y**2 <= 2"]}\n'
    code, out, _ = gd("run", "-", stdin=line)
    assert code == 0
    assert json.loads(out)["value"] == pytest.approx(-2.0, abs=1e-9)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("subject_to = [1]", "subject_to: must be text or a list of texts"),
        ("let = {s = 1}", "let: must be a table of texts"),
        ('subject_to = ["x < 1"]', "[p] subject-to: a constraint includes its limit"),
        ('subject_to = "@-"', "standard input is not for the constraints"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(f'[p]\nexpression = "x"\nstart = {{x = 1}}\n{line}\n')
    code, out, err = gd("run", str(file))
    assert code == 2
    assert told in " ".join((out + err).split())


def test_a_stored_answer_tells_what_was_asked_and_can_be_had_again(tmp_path: Path) -> None:
    stored = tmp_path / "r.json"
    code, _, err = gd(
        "minimize", "x + y + s", "--let", "s=0*x", *CIRCLE[2:], "--output", str(stored), "--format", "json"
    )
    assert (code, err) == (0, "")
    asked = json.loads(stored.read_text())["problem"]
    assert (asked["subject_to"], asked["let"]) == (["x**2 + y**2 <= 2"], ["s=0*x"])
    shown = gd("show", str(stored))[1]
    assert "let           s=0*x\n" in shown
    assert "subject to    x**2 + y**2 <= 2\n" in shown
    assert gd("rerun", str(stored))[0] == 0


def test_multipliers_and_slacks_are_printed() -> None:
    more = ("--subject-to", "y >= x - 9", "--print", "x,multipliers,slacks,violation")
    x, multipliers, slacks, violation = gd(*CIRCLE, *more)[1].split("\t")
    assert [float(m) for m in multipliers.split(",")] == pytest.approx([-0.5, 0.0])
    assert [float(s) for s in slacks.split(",")] == pytest.approx([0.0, 9.0], abs=1e-8)
    assert float(x) == pytest.approx(-1.0)
    assert float(violation) <= 1e-9


def test_the_path_has_what_is_broken(tmp_path: Path) -> None:
    start = ("minimize", "x + y", "--start", "x=2,y=2", *CIRCLE[4:])
    head, *rows = [line.split(",") for line in gd(*start, "--format", "csv")[1].splitlines()]
    at = head.index("violation")
    assert head[at + 1 :] == ["x", "y"]
    broken = [float(row[at]) for row in rows]
    assert broken[0] > 0.5
    assert broken[-1] <= 1e-9
    trace = tmp_path / "t.csv"
    gd(*start, "--trace", str(trace), "--print", "x")
    assert trace.read_bytes().decode() == gd(*start, "--format", "csv")[1]
    lines = [json.loads(line) for line in gd(*start, "--format", "jsonl")[1].splitlines()[:-1]]
    assert [line.get("violation", 0.0) for line in lines] == broken
    assert "violation" not in gd("minimize", "x**2", "--start", "x=1", "--format", "csv")[1]


@pytest.mark.parametrize(("language", "mark"), [("python", "#"), ("c", "//"), ("latex", "%")])
def test_programs_tell_what_the_answer_is_subject_to(language: str, mark: str) -> None:
    out = gd(*CIRCLE, "--let", "s=0*x", "--subject-to", "s + y <= 9", "--emit", language)[1]
    assert f"{mark} let s=0*x\n{mark} subject to x**2 + y**2 <= 2\n{mark} subject to s + y <= 9\n" in out


def test_a_difference_of_constraints_is_told_once(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for file, more in zip(files, ((), ("--subject-to", "y + 2*x <= 9")), strict=True):
        gd(*CIRCLE, *more, "--format", "json", "--output", file)
    code, out, _ = gd("diff", *files)
    assert (code, out.count("y + 2*x <= 9")) == (9, 1)


def test_a_constraint_without_variables_that_holds_is_told() -> None:
    code, _, err = gd(*CIRCLE, "--set", "a=1", "--subject-to", "a <= 2", "--print", "x")
    assert (code, err) == (0, "warning: a <= 2 has no variable, and always holds\n")
    assert gd(*CIRCLE, "--subject-to", "x <= 2", "--subject-to", "y >= -9", "--print", "x")[2] == ""


def test_a_loss_with_kinks_is_refused_and_a_stalled_fit_has_no_errors_to_speak_of(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("u,v\n" + "".join(f"{i},{2 * i + 1 + (-1) ** i}\n" for i in range(12)))
    fit = ("fit", "v ~ a*u + b", str(tmp_path / "d.csv"), "--subject-to", "a + b <= 2.5")
    code, _, err = gd(*fit, "--loss", "absolute")
    assert code == 2
    assert "--loss absolute does not go with --subject-to" in err
    assert "--loss huber" in err
    assert gd(*fit[:3], "--subject-to", "a <= 1.5", "--loss", "absolute", "--print", "a")[1] == "1.5\n"
    code, out, err = gd(*fit, "--max-iter", "1")
    assert code == 3
    assert "standard errors are those of moves" not in out + err


def test_what_sensitivities_lack_is_told() -> None:
    product = ("minimize", "x @ A @ x", "--set", "A=[[2,1],[1,3]]", "--start", "x=[1,1]")
    assert "no sensitivities by A, a matrix" in gd(*product, "--sensitivity")[2]
    assert "there is no constant" in gd("minimize", "x**2", "--start", "x=1", "--sensitivity")[2]
    assert "those of a certified answer" in gd(*CIRCLE, "--method", "penalty", "--sensitivity")[2]
    assert "write gd minimize EXPR --sensitivity" in gd("sensitivity", "x**2")[2]


@pytest.mark.parametrize(
    "command",
    [
        ("minimize", "x.T @ A @ x + A[0,1]*x[0]", "--start", "x=[1,1]", "--subject-to", "A[0] @ x >= 1"),
        ("compare-methods", "x @ A @ x", "--start", "x=[1,1]", "--method", "auto,bfgs"),
        ("gradient", "sum((A.T @ x)**2)", "--at", "x=[1,1]"),
    ],
)
def test_answers_with_matrices_are_shown_again(tmp_path: Path, command: tuple[str, ...]) -> None:
    stored, matrix = str(tmp_path / "r.json"), ("--set", "A=[[2,1],[1,3]]")
    assert gd(*command, *matrix, "--format", "json", "--output", stored)[0] == 0
    code, out, err = gd("show", stored)
    assert (code, err) == (0, "")
    assert "with          A = [[2, 1], [1, 3]]\n" in out
