"""Shell manners: completion, the manual page, and examples that work."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli_process import MAIN, ROOT, environment, gd

from gdcli.cli.commands import COMMANDS
from gdcli.cli.completion import SCRIPTS, offered
from gdcli.cli.help import FIRST
from gdcli.cli.man import page
from gdcli.solvers.registry import METHODS


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("gd minim", ["minimize"]),
        ("gd minimize --max-i", ["--max-iter"]),
        ("gd minimize x**2 --format js", ["json", "jsonl"]),
        ("gd minimize x**2 --format=js", ["--format=json", "--format=jsonl"]),
        ("gd minimize x**2 --format = js", ["json", "jsonl"]),
        ("gd minimize --method newton-", ["newton-cg"]),
        ("gd compare-methods --method gd,bf", ["gd,bfgs"]),
        ("gd minimize --step-rule arm", ["armijo"]),
        ("gd minimize --emit py", ["python"]),
        ("gd completion z", ["zsh"]),
        ("gd man comp", ["compare-lr", "compare-methods", "compare-batch", "completion"]),
        ("gd minimize --start x", []),
        ("gd nonsense --f", []),
        ("gd minimize --nonsense=a", []),
        (f"gd run {ROOT}/examples.toml rosen", ["rosenbrock"]),
        ("gd run none.toml a", []),
        (f"gd fit m {ROOT}/docs/decay.csv --weights ", ["t", "y"]),
        ("gd fit m none.csv --weights ", []),
    ],
)
def test_what_is_offered(typed: str, wanted: list[str]) -> None:
    words = typed.split(" ")
    found = offered(words, len(words) - 1)
    assert found[: len(wanted)] == wanted if wanted else found == []


def test_every_command_option_and_method_is_offered() -> None:
    assert set(COMMANDS) <= set(offered(["gd", ""], 1))
    for command in COMMANDS.values():
        assert {o.name for o in command.options} <= set(offered(["gd", command.name, "-"], 2))
    assert set(METHODS) == set(offered(["gd", "minimize", "--method", ""], 3))


def test_the_scripts(tmp_path: Path) -> None:
    for shell, script in SCRIPTS.items():
        assert gd("completion", shell).stdout == script
        if shutil.which(shell):
            file = tmp_path / shell
            file.write_text(script)
            done = subprocess.run([shell, "-n", str(file)], capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
    assert gd("completion", "csh").returncode == 2
    assert gd("completion", "bash", "zsh").returncode == 2


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a `gd` to call and the files that the examples name."""
    (tmp_path / "bin").mkdir()
    caller = tmp_path / "bin" / "gd"
    caller.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{MAIN}" "$@"\n')
    caller.chmod(0o755)
    shutil.copy(ROOT / "examples.toml", tmp_path)
    for name in ("decay.csv", "sites.csv"):
        shutil.copy(ROOT / "docs" / name, tmp_path)
    rows = [(0.1 * k, 2.0 - 0.3 * k + 0.05 * (k % 3), k % 4, int(k % 5 < 2)) for k in range(40)]
    table = "x,y,x2,t\n" + "".join(f"{a!r},{b!r},{c},{d}\n" for a, b, c, d in rows)
    for name in ("clicks.csv", "data.csv"):
        (tmp_path / name).write_text(table)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one.csv").write_text(table)
    with gzip.open(tmp_path / "big.csv.gz", "wt") as file:
        file.write(table)
    (tmp_path / "problems.jsonl").write_text('{"expression": "x**2", "start": {"x": 1}}\n')
    return tmp_path


def shell(line: str, place: Path, name: str = "sh") -> subprocess.CompletedProcess[str]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [name, "-c", line], cwd=place, env=environment(PATH=path), capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(place: Path) -> None:
    for typed, wanted in (
        ("gd mini", "minimize"),
        ("gd minimize 'x**2' --metho", "--method"),
        ("gd run examples.toml rosen", "rosenbrock"),
    ):
        words = typed.replace("'", "").split()
        line = (
            f"source <(gd completion bash); COMP_WORDS=({' '.join(repr(w) for w in words)}); "
            f'COMP_CWORD={len(words) - 1}; _gd; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        assert shell(line, place, "bash").stdout.splitlines()[0] == wanted


def needed(example: str) -> set[int]:
    """The exit codes with which an example may end: those that say something of made-up data, or of an answer."""
    if example.startswith("gd diff"):
        return {9}
    if "--max-iter" in example:
        return {0, 3}
    return (
        {0}
        if "runs/" not in example and "clicks" not in example and "data.csv" not in example
        else {0, 3, 5, 6}
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_every_command_work(name: str, place: Path) -> None:
    command = COMMANDS[name]
    assert command.examples
    for example in command.examples:
        if "decay.csv" in example:  # it has the columns t and y
            example = example.replace("-b*x", "-b*t")
        done = shell(example, place)
        assert done.returncode in needed(example), (example, done.stderr)
        assert "Traceback" not in done.stderr
    assert all(example.startswith("gd ") or "| gd " in example for example in command.examples)


def test_the_first_examples_work(place: Path) -> None:
    assert len(FIRST) == 5
    text = gd("--help").stdout
    for example in FIRST:
        assert example in text
        assert shell(example, place).returncode == 0


def test_the_manual_page_has_everything() -> None:
    text = gd("man").stdout
    plain = (
        text.replace("\\-", "-")
        .replace("\\(aq", "'")
        .replace("\\(ha", "^")
        .replace("\\(ti", "~")
        .replace("\\e", "\\")
    )
    for command in COMMANDS.values():
        assert f".SS {command.name}\n" in text
        for option in command.options:
            assert f"\\fB{option.name}\\fR" in plain
            assert option.help in plain
        for example in command.examples:
            assert example in plain
    assert gd("man", "minimise").stderr.endswith("hint: did you mean minimize?\n")
    assert gd("man", "fit").stdout == page(COMMANDS["fit"])


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_the_manual_page_is_good_roff() -> None:
    for text in (page(), *(page(command) for command in COMMANDS.values())):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-K", "utf8"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
        assert "EXIT STATUS" in shown
