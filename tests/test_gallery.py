"""The pages of docs/gallery say what the commands beside them say now, and what links to them finds them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))
sys.path.insert(0, str(Path(__file__).parent / "cli"))

from keep import same  # noqa: E402
from make_gallery import COMMANDS  # noqa: E402
from test_html_report import gd  # noqa: E402

EXPLORED = re.compile(r'id="given">(.*?)</script>', re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_is_what_its_command_writes(name: str, tmp_path: Path) -> None:
    page = DOCS / "gallery" / f"{name}.html"
    assert page.stat().st_size < 1_500_000
    words = shlex.split(COMMANDS[name])[1:]
    if words[0] != "explore":
        said = (gd(*asked).stdout.splitlines()[-5:] for asked in (["show", str(page)], words[:-2]))
        assert same(*map("\n".join, said))
        return
    again = tmp_path / "page.html"
    assert gd(*words[:-1], str(again)).returncode == 0
    there, here = (EXPLORED.search(file.read_text(encoding="utf-8")) for file in (page, again))
    assert there is not None
    assert here is not None
    found, wanted = json.loads(there[1]), json.loads(here[1])
    assert found.pop("answer") == (
        pytest.approx(wanted.pop("answer"), abs=1e-8) if wanted["answer"] else None
    )
    wanted.pop("answer", None)
    assert found == wanted


def test_all_pages_together_are_small() -> None:
    pages = sorted((DOCS / "gallery").glob("*.html"))
    assert [page.stem for page in pages] == sorted(COMMANDS)
    assert sum(page.stat().st_size for page in pages) < 6_000_000
    told = (DOCS / "gallery" / "README.md").read_text(encoding="utf-8")
    for name, command in COMMANDS.items():
        assert f"[{name}.html]({name}.html)" in told
        assert f"`{command}`" in told


def test_every_lesson_has_a_page_to_play_with() -> None:
    lessons = re.split(r"(?m)^## \d+\. ", (DOCS / "lessons.md").read_text(encoding="utf-8"))[1:]
    known = {"lr", "steps", "method", "batch"}
    for lesson in lessons:
        played = lesson[lesson.index("**Play with it.**") :]
        command = re.search(r"`gd (explore .*?)`", played)
        assert command is not None
        link = re.search(r"\(gallery/(\w+)\.html#?(.*?)\)", played)
        if link is None:
            continue
        assert command[1].split("'")[1] == shlex.split(COMMANDS[link[1]])[2]
        assert set(parse_qs(link[2])) <= known


@pytest.mark.parametrize("number", [2, 3, 8, 9])
def test_the_other_commands_of_lessons_write_a_page(number: int, tmp_path: Path) -> None:
    text = (DOCS / "lessons.md").read_text(encoding="utf-8")
    lesson = text[text.index(f"## {number}. ") :]
    command = re.search(r"Play with it.*?`gd (explore .*?)`", lesson, re.DOTALL)
    assert command is not None
    file = tmp_path / "page.html"
    done = gd(*shlex.split(command[1]), "--output", str(file))
    assert done.returncode == 0, done.stderr
    assert EXPLORED.search(file.read_text(encoding="utf-8"))
