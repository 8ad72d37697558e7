"""What is around a command is handed to it: no command reaches for the streams of the process by itself."""

from __future__ import annotations

import ast
import signal
from io import BytesIO, StringIO, TextIOWrapper
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT

from gdcli.cli.app import run
from gdcli.cli.environment import Environment

CLI = ROOT / "gdcli" / "cli"
# The environment itself and what makes the streams of a process; a worker process has no standard input.
OF_THE_PROCESS = {"environment", "run_workers"}


def test_commands_know_no_streams_of_the_process() -> None:
    found = {
        path.stem
        for path in CLI.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("stdin", "stdout", "stderr")
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    }
    assert found == OF_THE_PROCESS


def around(given: bytes = b"", **more: Any) -> tuple[Environment, StringIO, StringIO]:
    out, err = StringIO(), StringIO()
    return Environment(out, err, TextIOWrapper(BytesIO(given)), **more), out, err


def test_another_environment_gets_all_that_is_written(capfd: Any) -> None:
    env, out, err = around(b"(x-3)**2")
    assert run(["minimize", "-", "--start", "x=1", "--print", "x"], env) == 0
    assert (out.getvalue(), err.getvalue()) == ("3.0\n", "")
    env, out, err = around()
    assert run(["minimize", "x + foo(x)", "--start", "x=1", "--format", "json"], env) == 2
    assert err.getvalue().startswith("error: unknown function foo")
    assert out.getvalue().startswith('{"schema"')
    for line in (["--version"], ["--help"], ["functions", "sin", "--format", "plain"], ["man", "fit"]):
        env, out, err = around()
        assert run(line, env) == 0
        assert out.getvalue()
    assert capfd.readouterr() == ("", "")


def test_options_read_what_stands_for_standard_input() -> None:
    env, out, err = around(b'{"x": 2, "y": 3}')
    assert run(["minimize", "x**2 + y**2", "--start", "@-", "--max-iter", "0", "--print", "x,y"], env) == 3
    assert out.getvalue() == "2.0\t3.0\n"
    assert err.getvalue() == "warning: No step was taken (--max-iter): the start is not a minimum.\n"


def test_what_is_run_again_writes_nowhere(tmp_path: Path, capfd: Any) -> None:
    stored = str(tmp_path / "a.json")
    assert run(["minimize", "x**2", "--start", "x=1", "--format", "json", "--output", stored]) == 0
    env, out, err = around()
    assert run(["rerun", stored], env) == 0
    assert out.getvalue().startswith("same")
    assert (err.getvalue(), *capfd.readouterr()) == ("", "", "")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["minimize", "-x**2", "--start", "x=1", "--print", "x"], 4, "There is no minimum"),
        (["maximize", "x**3", "--start", "x=1", "--format", "csv"], 4, "There is no maximum"),
        (["minimize", "x**2 - y**2", "--start", "0,0", "--max-iter", "0", "--print", "value"], 6, "but a saddle"),
        (["minimize", "x**2", "--start", "x=9", "--lr", "0.01", "--max-iter", "3", "--emit", "python"], 3,
         "--max-iter"),
        (["fit", "y ~ a + b*c*t", "docs/decay.csv", "--start", "1,1,1", "--print", "a"], 6, "do not tell all"),
        (["fit", "y ~ a + b*t", "docs/decay.csv", "--start", "1,1", "--max-iter", "0", "--format", "csv"], 3,
         "--max-iter"),
    ],
)  # fmt: skip
def test_a_failure_that_the_answer_does_not_tell_is_told_beside_it(
    words: list[str], code: int, told: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(ROOT)
    env, out, err = around()
    assert run(words, env) == code
    assert out.getvalue()
    assert err.getvalue().startswith("warning: ")
    assert told in err.getvalue()


@pytest.mark.parametrize("form", ["--format=table", "--format=json", "--format=jsonl", "--print=x,status"])
def test_an_answer_that_tells_its_failure_stands_alone(form: str) -> None:
    env, out, err = around()
    assert run(["minimize", "-x**2", "--start", "x=1", form], env) == 4
    assert "diverged" in out.getvalue()
    assert err.getvalue() == ""


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.txt", "csv", "a.json.txt"])
@pytest.mark.parametrize(
    "words",
    [
        ["minimize", "x**2", "--start", "x=1"],
        ["fit", "y ~ a + b*t", "docs/decay.csv"],
        ["compare-lr", "x**2", "--start", "x=1"],
        ["run", "examples.toml", "beale"],
    ],
    ids=lambda words: words[0],
)
def test_the_name_of_the_file_tells_the_format(
    words: list[str], name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    form = name.partition(".")[2]
    form = form if form in ("json", "jsonl", "csv") else "table"
    for word in ("examples.toml", "docs/decay.csv"):
        words = [str(ROOT / word) if each == word else each for each in words]
    monkeypatch.chdir(tmp_path)
    assert run([*words, "--output", name], around()[0]) == 0
    assert run([*words, "--output", "as.asked", "--format", form], around()[0]) == 0
    assert (tmp_path / name).read_text() == (tmp_path / "as.asked").read_text()


def test_what_is_asked_for_goes_before_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for more, head in (
        (["--print", "x"], "0.0"),
        (["--format", "table"], "minimize"),
        (["--emit", "c"], "//"),
    ):
        line = ["minimize", "x**2", "--start", "x=1", "--output", str(path), *more]
        assert run(line, around()[0]) == 0
        assert path.read_text().startswith(head)


def test_the_clock_can_be_another() -> None:
    line = b'{"expression": "(x-1)**2", "start": {"x": 0}}\n'
    ticks = count(0, 5)
    env, _, err = around(line * 2, clock=lambda: float(next(ticks)))
    assert run(["run", "-"], env) == 0
    assert err.getvalue() == "2 problems in 5 s, 0.4 a second: 2 converged\n"


@pytest.mark.parametrize(
    "line", [["run", f"{ROOT}/examples.toml", "rosenbrock"], ["gradient", "x", "--at", "x=1"]]
)
def test_signals_are_as_before_when_a_command_is_over(line: list[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert run(line, around()[0]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.parametrize("option", ["--output", "--report", "--trace", "--plot", "--checkpoint"])
def test_a_folder_that_is_not_there_is_named(option: str, tmp_path: Path) -> None:
    if option == "--plot":
        pytest.importorskip("matplotlib")
    suffix = {"--report": ".html", "--plot": ".png"}.get(option, ".csv")
    env, _, err = around()
    words = ["minimize", "x**2", "--start", "x=1", option, str(tmp_path / "no" / f"a{suffix}")]
    assert run(words, env) == 2
    assert f"there is no folder {tmp_path / 'no'}" in err.getvalue()
