"""Options, methods and commands under the names that they have elsewhere, and words in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdcli.cli.app import run
from gdcli.cli.commands import COMMANDS
from gdcli.solve.method_synonyms import _ROWS, known_as
from gdcli.solve.registry import METHODS
from gdcli.tasks import option_names


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("minimize x**2 --x0 1", "--x0 is --start here"),
        ("minimize x**2 --init x=1", "--init is --start here"),
        ("minimize x**2 --p0 1", "--p0 is --start here"),
        ("fit y~a*x d.csv --guess a=1", "--guess is --start here"),
        ("gradient x**2 --initial x=1", "--initial is --at here"),
        ("gradient x**2 --start x=1", "--start is --at here"),
        ("minimize x**2 --tolerance 1e-8", "--tolerance is --tol here"),
        ("minimize x**2 --learning-rate 0.1", "--learning-rate is --lr here"),
        ("minimize x**2 --learning_rate 0.1", "--learning_rate is --lr here"),
        ("minimize x**2 --step-size 0.1", "--step-size is --lr here"),
        ("minimize x**2 --alpha 0.1", "--alpha is --lr here"),
        ("fit y~a*x --data d.csv", "it is an argument: gd fit MODEL [DATA]... [OPTIONS]"),
        ("minimize --expr x**2", "it is an argument: gd minimize EXPR [OPTIONS]"),
        ("minimize x**2 --json", "--json is --format json here"),
        ("minimize x**2 --csv", "--csv is --format csv here"),
        ("minimize x**2 --quiet", "--quiet is --print value here"),
        ("minimize x**2 --verbose", "--verbose is --every 1 here"),
        ("minimize x**2 --maxiter 5", "--maxiter is --max-iter here"),
        ("minimize x**2 --iterations 5", "--iterations is --max-iter here"),
        ("compare-lr x**2 --iterations 5", "--iterations is --steps here"),
        ("minimize x**2 --epochs 5", "--epochs is --max-iter here"),
        ("compare-lr x**2 --epochs 5", "--epochs is --steps here"),
        ("minimize x**2 --constraint x>0", "--constraint is --subject-to here"),
        ("minimize x**2 --timeout 5", "--timeout is --max-time here"),
        ("minimize x**2 -o file", "-o is --output here"),
        ("minimize x**2 -m bfgs", "-m is --method here"),
        ("minimize x**2 --strat x=1", "did you mean --start?"),
        ("fit y~a*x d.csv --loss L1", "L1 is absolute here"),
        ("fit y~a*x d.csv --loss MSE", "MSE is squared here"),
        ("fit y~a*x d.csv --loss cross_entropy", "cross_entropy is logistic here"),
        ("fit y~a*x d.csv --loss Huber", "Huber is huber here"),
        ("fit y~a*x d.csv --loss hubre", "did you mean huber?"),
    ],
)
def test_options(words: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hint in said(capsys, *words.split())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("L-BFGS-B", "l-bfgs-b is lbfgs here"),
        ("gradient-descent", "gradient-descent is gd here"),
        ("levenberg_marquardt", "levenberg_marquardt is lm here"),
        ("Nelder-Mead", "none here searches without derivatives"),
        ("SGD", "for an expression use gd"),
        ("SLSQP", "--bounds x=0:5"),
        ("differential-evolution", "--multi-start 20"),
        ("newtn", "did you mean newton?"),
        ("whatever-it-is", "'gd methods' lists them"),
    ],
)
def test_methods(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hint in said(capsys, "minimize", "x**2", "--start", "x=1", "--method", name)


@pytest.mark.parametrize("name", ["BFGS", "Newton", "CG", " adam"])
def test_methods_have_no_capitals(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["minimize", "x**2", "--start", "x=1", "--method", name, "--max-iter", "3"]) in (0, 3)
    assert run(["compare-methods", "x**2", "--start", "x=1", "--method", f"{name},GD"]) == 0


def test_methods_of_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert "gradient-descent is gd here" in said(
        capsys, "compare-methods", "x", "--method", "Gradient-Descent"
    )
    assert "did you mean adam?" in said(capsys, "compare-batch", "y~a*x", "--method", "Adamm")
    assert "nag is nesterov here" in said(capsys, "compare-batch", "y~a*x", "--method", "nag")


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("min", "minimize"),
        ("max", "maximize"),
        ("optimize", "minimize"),
        ("curve-fit", "fit"),
        ("curve_fit", "fit"),
        ("Minimize", "minimize"),
        ("grad", "gradient"),
        ("minimise", "minimize"),
    ],
)
def test_commands(word: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"write gd {command}" in said(capsys, word, "x**2")


def test_the_tables_name_what_there_is() -> None:
    options = {option.name for command in COMMANDS.values() for option in command.options}
    for instead, names in option_names.OPTIONS:
        assert instead.partition(" ")[0] in options
        assert instead.partition(" ")[0][2:] not in names.split()
    for instead, names in _ROWS:
        assert instead in METHODS or " " in instead
        assert not set(names.split()) & set(METHODS)
    assert known_as("bfgs") == ""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["minimize", "x**2+y**2", "--start", "x=1", "y=2"], "write --start x=1,y=2"),
        (["minimize", "--start", "x=1", "y=2", "x**2+y**2"], "write --start x=1,y=2"),
        (["minimize", "x**2+y**2", "--start=x=1", "y=[1,2]", "z=-1e-3"], "write --start x=1,y=[1,2],z=-1e-3"),
        (["minimize", "a*x**2", "--set", "a", "3"], "write --set a=3"),
        (["minimize", "x**2", "--bounds", "x", "0", "5"], "write --bounds x=0:5"),
        (["fit", "y ~ a*x+b", "data.csv", "--start", "a=1", "b=2"], "write --start a=1,b=2"),
        (["fit", "data.csv", "y ~ a*x"], "write gd fit 'y ~ a*x' data.csv"),
        (["fit", "a.csv", "b.csv", "y ~ a*x"], "write gd fit 'y ~ a*x' a.csv b.csv"),
        (["compare-batch", "data.csv", "y ~ a*x"], "write gd compare-batch 'y ~ a*x' data.csv"),
        (["fit", "test_here.csv"], "write gd fit 'y ~ a*x + b' test_here.csv"),
        (["gradient", "x**2", "x=1"], "write --at x=1"),
        (["minimize", "x**2", "x=1"], "write --start x=1"),
        (["compare-lr", "x**2", "--start", "1", "--lr", "0.1", "0.2"], "write --lr 0.1,0.2"),
        (["compare-methods", "x**2", "--method", "gd", "adam"], "write --method gd,adam"),
        (["version"], "write gd --version"),
        (["y ~ a*x", "data.csv"], "gd fit 'y ~ a*x' data.csv"),
        (["help", "curve-fit"], "write gd help fit"),
        (["minimize", "x^2", "+", "3*x"], "gd minimize 'x^2 + 3*x'"),
    ],
)
def test_words_in_another_order(
    words: list[str],
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_here.csv").write_text("x,y\n1,2\n")
    assert hint in said(capsys, *words)


@pytest.mark.parametrize("name", COMMANDS)
def test_too_many_words_are_no_fault_of_the_program(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["no-such-file.csv", "no-such-file-either", "y ~ a*x", "x=1"]
    assert run([name, *words]) in (2, 8)
    assert "internal" not in capsys.readouterr().err


def test_a_file_is_a_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b=2").write_text("x,y\n1,2\n2,4\n3,7\n")
    assert run(["fit", "y ~ a*x", "--start", "a=1", "b=2"]) == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["fit", "Body mass ~ a*x", "d.csv"], "written with underscores: Body_mass"),
        (["fit", "y ~ a*Body mass + b", "d.csv"], "written with underscores: Body_mass"),
        (["fit", "y ~ a*x", "d.csv", "--where", "x>1"], "--where is --rows here"),
        (["fit", "y ~ a*x", "d.csv", "--predict", "7"], "--emit python"),
        (["fit", "y ~ a*x", "d.csv", "--predict", "x=7"], "the name of a file to be written"),
        (["fit", "y ~ a*x", "d.csv", "--robust"], "--robust is --loss huber here"),
        (["minimize", "sum(v**2)", "--start", "v=1:5"], "linspace(1,5,9)"),
        (["minimize", "x**2 - 2*x, x>0", "--start", "x=1"], "bounds and constraints are options"),
        (["minimize", "x**2 s.t. x>0", "--start", "x=1"], "constraints and bounds are options"),
        (
            ["minimize", "median(v)", "--start", "v=[1,2]"],
            "a median is the m for which sum(abs(v - m)) is least",
        ),
        (["minimize", "argmin(v)", "--start", "v=[1,2]"], "the answer tells the point itself"),
        (["minimize", "x**2 subject to x>0", "--start", "x=1"], "constraints and bounds are options"),
        (["run", "p.jsonl"], "x0 is start here"),
        (["run", "q.jsonl"], "constants is set here"),
    ],
)
def test_what_is_to_be_written_instead(
    words: list[str],
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,y\n1,2\n2,4\n3,5\n")
    Path("p.jsonl").write_text('{"expression": "x**2", "x0": {"x": 1}}\n')
    Path("q.jsonl").write_text('{"expression": "a*x**2", "start": {"x": 1}, "constants": {"a": 1}}\n')
    assert run(words) == 2
    told = capsys.readouterr()
    assert hint in told.err + told.out
