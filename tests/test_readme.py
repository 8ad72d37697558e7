"""The commands of the README and the lessons are run, and what they show is what these print: nothing can drift.

A fenced block marked ``console`` has commands (``$ gd ...``), each followed by its output. ``python tests/keep.py``
writes the present outputs into it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from keep import masked, same

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *(ROOT / "docs" / f"{name}.md" for name in ("lessons", "fit", "json", "proof")))
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def run(line: str) -> str:
    """What a command line prints, errors included, 80 columns wide."""
    words = shlex.split(line)
    assert words[0] == "gd"
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", "from gdcli.cli.app import main; main()", *words[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env=environment,
        check=False,
    )
    return masked(ran.stdout + ran.stderr)


def renewed(block: str) -> str:
    """A console block with the outputs of now."""
    return "".join(f"{line}\n{run(line[2:])}" for line in block.splitlines() if line.startswith("$ "))


def renewed_page(text: str) -> str:
    """A page with the outputs of now."""
    return BLOCK.sub(lambda match: renewed(match.group()), text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_shown_outputs_are_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    now = renewed_page(text)
    if os.environ.get("GDCLI_KEEP") == "1":
        page.write_text(now, encoding="utf-8")
        return
    for shown, real in zip(BLOCK.findall(text), BLOCK.findall(now), strict=True):
        # What is left of a fit at its minimum is rounding.
        assert same(shown, real, 1e-9 if "$ gd fit" in shown else 0.0), (
            f"python tests/keep.py renews it:\n{real}"
        )


def commands_in_tables() -> list[str]:
    return re.findall(r"\| `(gd [^`]+)` \|", README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", commands_in_tables())
def test_the_commands_in_the_tables_work(line: str) -> None:
    words = shlex.split(line)[1:]
    command = [sys.executable, "-c", "from gdcli.cli.app import main; main()", *words]
    given = b'{"expression": "x**2", "start": {"x": 1}}\n' if "-" in words else b""
    ran = subprocess.run(command, input=given, capture_output=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout


def test_the_python_examples_work(capsys: pytest.CaptureFixture[str]) -> None:
    told: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        exec(example, told)
    first, written, called = capsys.readouterr().out.splitlines()
    assert first.startswith("converged minimum {'x': ")
    assert written.startswith("(1 - x)**2 + 100*(-x**2 + y)**2 {'x': 0.5, 'y': 0.25")
    assert called.startswith("converged minimum {'x': [0.5, 0.25")


def test_every_exit_code_is_told() -> None:
    from gdcli.kernel.errors import DataError, DomainError, GdError, UsageError
    from gdcli.kernel.status import Status

    text = README.read_text(encoding="utf-8")
    for status in Status:
        row = next(line for line in text.splitlines() if line.startswith("|") and status.value in line)
        assert str(status.exit_code) in row
    for error in (GdError, UsageError, DomainError, DataError):
        assert f"| {error.exit_code} | {error.status} |" in text
