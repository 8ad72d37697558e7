"""Shell manners: completion, the manual page, and examples that work."""

from __future__ import annotations

import gzip
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import MAIN, ROOT, environment, gd

from gdcli.cli.commands import COMMANDS, FIRST
from gdcli.cli.completion_command import NOTHING, SCRIPTS, offered, offered_in_bash
from gdcli.cli.reference_commands import man_page
from gdcli.kernel import errors
from gdcli.kernel.errors import GdError
from gdcli.kernel.status import Status
from gdcli.solve.registry import METHODS


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("gd minim", ["minimize"]),
        ("gd minimize --max-i", ["--max-iter"]),
        ("gd minimize x**2 --format js", ["json", "jsonl"]),
        ("gd minimize x**2 --format=js", ["--format=json", "--format=jsonl"]),
        ("gd minimize --method newton-", ["newton-cg"]),
        ("gd compare-methods --method gd,bf", ["gd,bfgs"]),
        ("gd minimize --step-rule arm", ["armijo"]),
        ("gd minimize --emit py", ["python"]),
        ("gd completion z", ["zsh"]),
        ("gd functions sin", ["sin", "sinh"]),
        ("gd man les", ["lessons"]),
        ("gd methods ad", ["adagrad", "adam"]),
        ("gd man comp", ["compare-lr", "compare-methods", "compare-batch", "compare-models", "completion"]),
        ("gd minimize --start x", [NOTHING]),
        ("gd minimize x --lr ", [NOTHING]),
        ("gd minimize x --output ", []),
        ("gd minimize x --plot=a", []),
        ("gd minimize ", []),
        ("gd minimize x ", [NOTHING]),
        ("gd show ", []),
        (f"gd minimize @{ROOT}/examples.to", [f"@{ROOT}/examples.toml"]),
        (f"gd minimize x --start=@{ROOT}/doc", [f"--start=@{ROOT}/docs/"]),
        (f"gd run --jobs 2 {ROOT}/examples.toml rosen", ["rosenbrock"]),
        (f"gd run --output a.toml '{ROOT}/examples.toml' rosen", ["rosenbrock"]),
        (f"gd fit --weights t --predict a.csv m {ROOT}/docs/decay.csv --sigma=", ["--sigma=t", "--sigma=y"]),
        (f"gd fit m {ROOT}/docs/decay.csv --columns X=t|", ["X=t|t", "X=t|y"]),
        (f"gd fit m {ROOT}/docs/decay.csv --columns X", [NOTHING]),
        ("gd nonsense --f", []),
        ("gd minimize --nonsense=a", []),
        (f"gd run {ROOT}/examples.toml rosen", ["rosenbrock"]),
        ("gd run none.toml a", [NOTHING]),
        (f"gd fit m {ROOT}/docs/decay.csv --weights ", ["t", "y"]),
        ("gd fit m none.csv --weights ", [NOTHING]),
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
    (tmp_path / "odd data.csv").write_text("Body mass (g),b c\n1,2\n2,3\n")
    with gzip.open(tmp_path / "big.csv.gz", "wt") as file:
        file.write(table)
    (tmp_path / "new.csv").write_text("t\n2.5\n5\n")
    (tmp_path / "problems.jsonl").write_text('{"expression": "x**2", "start": {"x": 1}}\n')
    return tmp_path


def shell(line: str, place: Path, name: str = "sh") -> subprocess.CompletedProcess[str]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [name, "-c", line], cwd=place, env=environment(PATH=path), capture_output=True, text=True, check=False
    )


BREAKS = " \t\n\"'@><=;|&(:"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("gd minimize 'x**2' --format js", ["json", "jsonl"]),
        ("gd minimize 'x**2' --format=js", ["json", "jsonl"]),
        ("gd minimize 'x**2' --start=@exam", ["@examples.toml"]),
        ("gd fit 'y ~ a' 'odd data.csv' --columns X=", ["Body_mass_g", "b_c"]),
        ("gd fit 'y ~ a' odd\\ data.csv --sigma ", ["Body_mass_g", "b_c"]),
        ("gd fit 'y ~ a' none.csv --sigma ", [NOTHING]),
        ("gd minimize 'x", []),
        ("gd ", [*COMMANDS, "--help", "--version"]),
        ("", [*COMMANDS, "--help", "--version"]),
    ],
)
def test_what_is_offered_in_bash(
    line: str, wanted: list[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert offered_in_bash(line, BREAKS) == wanted


# What is typed, and what stands there after a tabulator.
COMPLETED = (
    ("gd mini", "gd minimize"),
    ("gd minimize 'x**2' --metho", "gd minimize x**2 --method"),
    (
        "gd minimize 'x**2' --format=jsonl --method newton-",
        "gd minimize x**2 --format=jsonl --method newton-cg",
    ),
    ("gd compare-methods 'x' --method gd,bf", "gd compare-methods x --method gd,bfgs"),
    ("gd run --jobs 2 examples.toml rosen", "gd run --jobs 2 examples.toml rosenbrock"),
    ("gd fit m 'odd data.csv' --weights b", "gd fit m odd data.csv --weights b_c"),
    ("gd fit m odd\\ data.csv --sigma=B", "gd fit m odd data.csv --sigma=Body_mass_g"),
    ("gd fit m dec", "gd fit m decay.csv"),
    ("gd minimize @exam", "gd minimize @examples.toml"),
    ("gd minimize x --start=@exam", "gd minimize x --start=@examples.toml"),
    ("gd minimize x --output=exam", "gd minimize x --output=examples.toml"),
    ("gd minimize x --lr ", "gd minimize x --lr"),
)


def typed_in(name: str, keys: str, place: Path) -> str:
    """What becomes of keys and a tabulator in an interactive shell: the words of the line as the shell takes them."""
    import pty

    start = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-f", "-i"]}[name]
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = environment(PATH=path, TERM="xterm", HOME=str(place), PS1="$ ")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        start, cwd=place, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        define = "told() { printf '<%s|%s>\\n' told \"$*\"; }"
        os.write(ours, f"{define}; source <(gd completion {name}); told ready\n".encode())
        _seen(ours, rb"<told\|(ready)>")
        # Control-A goes to the beginning of the line, where the command that prints it is put.
        os.write(ours, keys.encode() + b"\t\x01told \n")
        return _seen(ours, rb"<told\|(gd[^>]*)>")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _seen(terminal: int, wanted: bytes) -> str:
    """Read a terminal until this is there, and return its group."""
    text, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            text += os.read(terminal, 65536)
            found = re.search(wanted, text)
            if found:
                return found[1].decode()
    raise AssertionError(text)


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_shell_completes(name: str, place: Path) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    for keys, wanted in COMPLETED:
        assert typed_in(name, keys, place) == wanted


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(place: Path) -> None:
    for keys, wanted in COMPLETED:
        line = f"gd completion fish | source; complete -C {shlex.quote(keys)}"
        found = [text.partition("\t")[0] for text in shell(line, place, "fish").stdout.splitlines()]
        word = wanted.rpartition(" ")[2]
        assert found[:1] == ([] if word == "--lr" else [word]), keys


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
    assert gd("man", "fit").stdout == man_page(COMMANDS["fit"])


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_the_manual_page_and_the_readme_have_every_exit_code() -> None:
    codes = {status.exit_code for status in Status} | {141}
    codes |= {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, GdError)
    }
    for text in (man_page(None), (ROOT / "README.md").read_text(encoding="utf-8")):
        told = text[text.lower().rindex("exit status" if text.startswith(".TH") else "## exit codes") :]
        assert codes <= set(map(int, re.findall(r"\b\d+\b", told)))


def test_the_manual_page_is_good_roff() -> None:
    for text in (man_page(), *(man_page(command) for command in COMMANDS.values())):
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
