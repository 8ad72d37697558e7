"""`gd` as a Typer application: every command by Typer's test runner, and mounted into another application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from processes import ROOT
from typer.testing import CliRunner

from gdcli.cli.app import app, run
from gdcli.cli.commands import COMMANDS

DECAY = str(ROOT / "docs" / "decay.csv")
Got = tuple[int, str, str]
# Each command at least once; {0} is a folder in which the files of `stored` are.
LINES: list[list[str]] = [
    ["minimize", "x**2", "--start", "x=1"],
    ["minimize", "-x**2 + x**4", "--start=x=1", "--print", "x,value"],
    ["minimize", "sum(a*v**2) + b", "--set", "a=2", "--set", "b=1", "--start", "v=[1,2]", "--format", "json"],
    ["minimize", "x**2", "--start", "x=1", "--output", "{0}/out.txt", "--trace", "{0}/path.csv"],
    ["maximize", "--start", "x=1", "-x**2", "--print", "x,value"],
    ["maximize", "x", "--start", "x=1", "--max-iter", "50"],
    ["compare-lr", "x**2 + y**2", "--start=-1,1", "--lr", "1,0.1"],
    ["compare-methods", "(x-1)**2", "--start", "x=0", "--method", "bfgs,gd"],
    ["solve", "x**2 + y == 2", "-x + y", "--bounds", "all=-3:3"],
    ["explore", "x**2 + y", "--start", "x=1,y=2", "--output", "{0}/page.html"],
    ["gradient", "-x**3", "--at", "x=2"],
    ["gradient", "exp(2*x)", "--at", "x=0.5", "--trace"],
    ["fit", "y ~ a + b*t", DECAY],
    ["fit", "y ~ a + b*t", DECAY, "--predict", "-"],
    ["predict", "{0}/fit.json", DECAY],
    ["compare-batch", "y ~ a + b*t", DECAY, "--epochs", "2", "--batch-size", "1,all"],
    ["compare-models", DECAY, "--model", "y ~ a + b*t", "--model", "y ~ a"],
    ["run", f"{ROOT}/examples.toml", "rosenbrock"],
    ["run", f"{ROOT}/examples.toml", "rosenbrock", "--jobs", "2", "--format", "plain"],
    ["resume", "{0}/kept.ckpt"],
    ["show", "{0}/one.json"],
    ["verify", "{0}/one.json"],
    ["rerun", "{0}/one.json"],
    ["diff", "{0}/one.json", "{0}/two.json"],
    ["methods"],
    ["functions", "sin", "cos"],
    ["help", "fit"],
    ["completion", "bash"],
    ["man", "minimize"],
    ["--version"],
]
WRONG: list[list[str]] = [
    ["minimize", "x**2 + foo(x)", "--start", "x=1"],
    ["minimize", "x**2 + foo(x)", "--start", "x=1", "--format", "json"],
    ["minimize", "x**2", "--strat", "x=1"],
    ["minimize", "x**2", "--start"],
    ["minimize", "x**2", "--tol", "nan"],
    ["minimize"],
    ["fit", "y ~ a*x", "nowhere.csv"],
    ["minimise", "x"],
    ["--verson"],
    ["help", "minimise"],
    ["completion", "csh"],
]


def mounted() -> typer.Typer:
    other = typer.Typer()

    @other.command()
    def greet() -> None:
        print("hello")

    other.add_typer(app, name="gd")
    return other


def runner(before: list[str], application: typer.Typer) -> Callable[..., Got]:
    def invoke(arguments: list[str], input: str = "") -> Got:
        done = CliRunner().invoke(application, before + arguments, input=input)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return invoke


WAYS = {"alone": runner([], app), "mounted": runner(["gd"], mounted())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, start in (("one", "x=1"), ("two", "x=2")):
        assert (
            run(
                ["minimize", "x**2", "--start", start, "--output", f"{tmp_path}/{name}.json", "--format=json"]
            )
            == 0
        )
    assert run(["fit", "y ~ a + b*t", DECAY, "--output", f"{tmp_path}/fit.json"]) == 0
    kept = ["--checkpoint", f"{tmp_path}/kept.ckpt", "--max-iter", "2"]
    assert run(["minimize", "x**2 + y**4", "--start", "x=1,y=2", *kept]) == 3
    return tmp_path


def letters(text: str) -> str:
    """The text without its line breaks: the runner's terminal is two columns wider."""
    return "".join(text.split())


def directly(arguments: list[str], capsys: Any) -> Got:
    capsys.readouterr()
    code = run(arguments)
    return code, *capsys.readouterr()


def test_the_lines_have_every_command() -> None:
    assert {words[0] for words in LINES} - {"--version"} == set(COMMANDS)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_every_command_runs(line: list[str], way: str, folder: Path, capsys: Any) -> None:
    words = [word.format(folder) if "{0}" in word else word for word in line]
    checkpoint = (folder / "kept.ckpt").read_bytes()
    expected = directly(words, capsys)
    (folder / "kept.ckpt").write_bytes(checkpoint)
    code, out, err = WAYS[way](words)
    assert (code, err) == (expected[0], expected[2])
    if words[0] == "help":
        assert letters(out) == letters(expected[1])
    else:
        assert out == expected[1]
    assert out or "--output" in words


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("line", WRONG, ids=" ".join)
def test_errors_are_told_as_by_gd(line: list[str], way: str, capsys: Any) -> None:
    found = WAYS[way](line)
    assert found == directly(line, capsys)
    assert found[0] in (2, 8)
    assert found[2].startswith("error: ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, way: str, capsys: Any) -> None:
    before = "root gd" if way == "mounted" else "gd"
    code, out, err = WAYS[way]([command, "--help"])
    assert (code, err) == (0, "")
    expected = directly([command, "-h"], capsys)[1].replace("Usage: gd ", f"Usage: {before} ", 1)
    assert letters(out) == letters(expected)
    assert all(option.name in out for option in COMMANDS[command].options)


@pytest.mark.parametrize("way", WAYS)
def test_standard_input(way: str) -> None:
    invoke = WAYS[way]
    assert invoke(["minimize", "-", "--start", "x=1", "--print", "x"], "(x-3)**2")[:2] == (0, "3.0\n")
    assert invoke(["minimize", "x**2", "--start", "@-", "--print", "x"], '{"x": 1}')[:2] == (0, "0.0\n")
    code, out, _ = invoke(["fit", "y ~ a*x", "--print", "a"], "x,y\n1,2\n2,4\n3,6\n")
    assert (code, float(out)) == (0, pytest.approx(2))
    rows = invoke(["fit", "y ~ a*x", "-", "--predict", "-"], "x,y\n1,2\n2,4\n3,6\n")[1]
    assert rows.splitlines()[0] == "x,y,fitted,standard_error,low,high,extrapolated"
    line = '{"expression": "(x-1)**2", "start": {"x": 0}}\n'
    for jobs in ("1", "2"):
        code, out, err = invoke(["run", "-", "--jobs", jobs], line * 3)
        assert (code, out.count('"status": "converged"')) == (0, 3), err
    stored = invoke(["minimize", "x**2", "--start", "x=1", "--format", "jsonl"])[1]
    assert invoke(["show", "-"], stored)[:2] == invoke(["minimize", "x**2", "--start", "x=1"])[:2]
    assert "hello" in CliRunner().invoke(mounted(), ["greet"]).stdout


@pytest.mark.parametrize("way", WAYS)
def test_without_a_command(way: str) -> None:
    for line, code in (([], 2), (["--help"], 0)):
        found = WAYS[way](line)
        assert found[0] == code
        assert "Most people want:" in found[2 if code else 1]
