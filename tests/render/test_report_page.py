"""The page of an answer: the same layout on a terminal and in a pipe, whatever the width."""

from __future__ import annotations

import io
import re

import fakes
import pytest
from keep import kept
from toy import sum_of_squares

from gdcli.record.path_rows import Trail
from gdcli.record.runs import run_record
from gdcli.record.schema import assignments
from gdcli.render.formats import glyphs_of, show, width_of
from gdcli.render.page import ASCII, PLAIN, UNICODE, Column, fact, plain_text, table, wrap
from gdcli.render.summary import page


def answer(width: int, glyphs=UNICODE, most: int = 10, every: int | None = None, asked=None, **changes):
    asked = asked or fakes.problem()
    size = sum(len(v) if hasattr(v, "__len__") else 1 for v in asked.start.values())
    trail = Trail(-1 if asked.sense == "maximize" else 1, size, every)
    toy = changes.pop("toy", None)
    outcome = fakes.no_time(fakes.outcome(asked, [trail], most, toy, **changes))
    return page(run_record(outcome), trail, width, glyphs, timing=True)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("most", [0, 10, 20, 900])
def test_kept_pages(width: int, most: int) -> None:
    text = plain_text(answer(width, most=most, warnings=("the Hessian is nearly singular",)))
    assert all(len(line) <= width for line in text.splitlines())
    kept(f"page_{width}_{most}.txt", text)


def test_plain_has_no_rules_and_is_ascii() -> None:
    text = plain_text(answer(80, PLAIN, most=900, every=100))
    assert text.isascii()
    assert "---" not in text
    kept("page_plain.txt", text)


def test_ascii_rules() -> None:
    assert plain_text(answer(80, ASCII)).isascii()


def test_a_terminal_shows_the_same_text_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines, terminal = answer(80), Terminal()
    show(lines, terminal)
    coloured = terminal.getvalue()
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain_text(lines)


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    show(answer(80), terminal)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", terminal.getvalue())


def test_no_wrapped_cells_for_many_variables() -> None:
    start = {f"x{i}": 10.0 * i + 1 for i in range(30)}
    for width in (60, 80, 120, 200):
        lines = plain_text(
            answer(width, asked=fakes.problem(start=start), toy=sum_of_squares(30))
        ).splitlines()
        assert all(len(line) <= width for line in lines)
        assert any(line.startswith("iter") for line in lines)


def test_long_vectors_are_shortened() -> None:
    start = {"v": [float(i % 7) for i in range(5000)]}
    text = plain_text(
        answer(80, asked=fakes.problem(start=start, expression="sum(v**2)"), toy=sum_of_squares(5000))
    )
    assert "(5000 numbers)" in text
    assert len(text) < 4000


def test_long_expressions_are_cropped_and_harmless() -> None:
    asked = fakes.problem(expression="x + y\x1b[31m +\n" + "+".join(["x"] * 200_000))
    text = plain_text(answer(80, asked=asked))
    assert "\x1b" not in text
    assert len(text) < 4000


def test_maximisation_has_the_users_sign() -> None:
    text = plain_text(answer(80, asked=fakes.problem("maximize"), most=3))
    assert re.search(r"^value +-4\.11", text, re.M)
    assert "eigenvalues -1002 to -0.3994" in text


def test_what_to_try_next_only_where_there_is_something() -> None:
    assert "try next" in plain_text(answer(80, most=3))
    asked = fakes.problem(start={"x": 3.0, "y": 4.0})
    assert "try next" not in plain_text(answer(80, most=200, asked=asked, toy=sum_of_squares(2)))


def test_drawn_start_is_ready_to_be_typed() -> None:
    asked = fakes.problem(start={"x": 0.1257, "y": -0.1321}, drawn=True, seed=3)
    assert "seed 3; the same again: --start x=0.1257,y=-0.1321" in " ".join(
        plain_text(answer(80, asked=asked)).split()
    )
    assert assignments({"v": [1.0, 2.5], "a": 1.0}) == "v=[1.0,2.5],a=1.0"


def test_wrap_never_exceeds() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
    assert wrap("字" * 9, 6) == ["字字字"] * 3
    assert wrap("", 10) == [""]
    assert wrap("at x = 1, y = 2", 10) == ["at x = 1,", "y = 2"]
    # A formula without spaces is broken after its operators, and fills the line that it begins in.
    assert wrap("y ~ a*exp(-b*x)+1e-12*x**2", 12) == ["y ~ a*exp(-", "b*x)+1e-12*", "x**2"]
    assert plain_text(fact("label", "", 80)) == "label\n"


def test_table_aligns_wide_characters() -> None:
    lines = plain_text(table([Column("名", ["字", "a"]), Column("n", ["1", "22"])], UNICODE)).splitlines()
    assert lines == ["名   n", "──────", "字   1", " a  22"]


def test_width_and_glyphs_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) == 80
    monkeypatch.setenv("COLUMNS", "120")
    assert width_of(io.StringIO()) == 120
    monkeypatch.setenv("COLUMNS", "nonsense")
    assert width_of(io.StringIO()) == 80
    monkeypatch.setenv("COLUMNS", "3")
    assert width_of(io.StringIO()) == 40
    assert glyphs_of(io.TextIOWrapper(io.BytesIO(), "latin-1")) == ASCII
    assert glyphs_of(io.TextIOWrapper(io.BytesIO(), "utf-8")) == UNICODE
