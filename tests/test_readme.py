"""The commands of the README and the pages are run, and what they show is what these print: nothing can drift.

A fenced block marked ``console`` has commands (``$ gd ...``), each followed by its output, of which paragraphs may be
left out: ``...`` stands for them. ``python tests/keep.py`` writes the present outputs into it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import make_data  # noqa: E402
import make_pictures  # noqa: E402
from effort import WHOLE  # noqa: E402
from keep import masked, same  # noqa: E402

from gdcli.cli.app import run as run_here  # noqa: E402

README = ROOT / "README.md"
PAGES = (README, *(ROOT / "docs" / f"{name}.md" for name in ("lessons", "cookbook", "fit", "json", "proof")))
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
    shown = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return "".join(f"$ {line}\n{shortened(run(line), output)}" for line, _, output in shown)


def shortened(now: str, shown: str) -> str:
    """An output of now without the paragraphs, told by their first words, for which ``...`` is shown."""
    paragraphs = shown.rstrip("\n").split("\n\n")
    if "..." not in paragraphs:
        return now
    wanted = {paragraph.split()[0] for paragraph in paragraphs}
    cut = [p if p.split()[0] in wanted else "..." for p in now.rstrip("\n").split("\n\n")]
    return "\n\n".join(p for before, p in pairwise(["", *cut]) if not before == p == "...") + "\n"


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


def test_the_invented_measurements_are_what_is_told(tmp_path: Path) -> None:
    make_data.make(tmp_path)
    for made in tmp_path.iterdir():
        assert made.read_text(encoding="utf-8") == (make_data.FOLDER / made.name).read_text(encoding="utf-8")


def test_the_stored_answer_is_that_of_the_command_beside_it() -> None:
    page = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
    (line, file) = re.findall(r"`(gd fit [^`]+) --output ([^`\s]+)`", " ".join(page.split()))[0]
    assert same(masked((ROOT / file).read_text(encoding="utf-8")), run(line), 1e-9)


def test_each_recipe_has_a_picture_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
    shown = re.findall(r"^!\[.+\]\((cookbook/\w+\.png)\)$", page, re.MULTILINE)
    assert shown == [f"cookbook/{name}.png" for name in make_pictures.RECIPES] == list(dict.fromkeys(shown))
    assert page.count("\n## ") == len(make_pictures.recipes()) == len(shown) == 20
    for file in shown:
        picture = (ROOT / "docs" / file).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 50_000
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(ROOT)
    for name, words in make_pictures.recipes().items():
        if WHOLE or name == "shared":
            file = tmp_path / f"{name}.png"
            assert run_here([*words, str(file)]) == 0
            assert file.stat().st_size == pytest.approx(
                (ROOT / "docs" / "cookbook" / file.name).stat().st_size, rel=0.5
            )


def test_a_shortened_output_has_the_paragraphs_that_are_shown() -> None:
    now = "a 1\n\nb 2\n\nc 3\n\nd 4\n"
    assert shortened(now, "a 9\n\n...\n\nd 9\n") == "a 1\n\n...\n\nd 4\n"
    assert shortened(now, "x 9\n\n...\n") == "...\n"


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
