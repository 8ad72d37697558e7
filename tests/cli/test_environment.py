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
OF_THE_PROCESS = {"environment", "run_jobs"}


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
    assert not err.getvalue()


def test_what_is_run_again_writes_nowhere(tmp_path: Path, capfd: Any) -> None:
    stored = str(tmp_path / "a.json")
    assert run(["minimize", "x**2", "--start", "x=1", "--format", "json", "--output", stored]) == 0
    env, out, err = around()
    assert run(["rerun", stored], env) == 0
    assert out.getvalue().startswith("same")
    assert (err.getvalue(), *capfd.readouterr()) == ("", "", "")


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
