"""Errors shown to a person: carets in the right place, nothing harmful, nothing endless."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gdcli.kernel.errors import GdError, Span, UsageError, columns_of, excerpt, fault_text, harmless


def test_the_whole_error() -> None:
    text = fault_text(UsageError("unknown name foo", "did you mean floor?", Span("x + foo", 4, 7)))
    assert text == "error: unknown name foo\n  x + foo\n      ^^^\nhint: did you mean floor?\n"


def test_without_span_and_hint() -> None:
    assert fault_text(GdError("no")) == "error: no\n"


def test_an_option_stands_before_its_text() -> None:
    assert excerpt(Span("x=1,y=a", 6, 7, "--start")) == ["  --start x=1,y=a", "                ^"]


def test_a_file_with_lines() -> None:
    assert excerpt(Span("x +\n  y ? 2\n", 8, 9, "f.txt")) == ["  f.txt:2:   y ? 2", "               ^"]


def test_wide_characters_and_tabs() -> None:
    assert excerpt(Span("字\t字x?", 4, 5)) == ["  字 字x?", "        ^"]
    assert excerpt(Span("e\u0301?", 2, 3)) == ["  e\u0301?", "   ^"]
    assert excerpt(Span("a字b", 1, 2)) == ["  a字b", "   ^^"]


def test_control_characters_are_replaced() -> None:
    assert harmless("a\x1b[2Jb\u202ec\n\u2028d\ud800") == "a\ufffd[2Jb\ufffdc  d\ufffd"
    assert "\x1b" not in fault_text(UsageError("\x1b[2J", "\x1b", Span("\x1b?", 1, 2, "\x1b")))


def test_long_lines_are_cropped_around_the_fault() -> None:
    line, carets = excerpt(Span("a+" * 10**6 + "?" + "+b" * 10**6, 2 * 10**6, 2 * 10**6 + 1))
    assert len(line) <= 80
    assert line[carets.index("^")] == "?"
    assert line.startswith("  ...")
    assert line.endswith("...")


def test_long_faults_are_cropped() -> None:
    line, carets = excerpt(Span("f(" + "x" * 500 + ")", 2, 502))
    assert len(line) <= 80
    assert line.startswith("  f(xxx")
    assert len(carets) <= 80


def test_at_the_end_of_the_text() -> None:
    assert excerpt(Span("x +", 3, 3)) == ["  x +", "     ^"]
    assert excerpt(Span("", 0, 0)) == []


@given(
    st.text(max_size=300), st.integers(0, 300), st.integers(0, 300), st.sampled_from(["", "--start", "file"])
)
def test_any_span_fits_and_points_at_its_start(text: str, start: int, length: int, source: str) -> None:
    lines = excerpt(Span(text, start, start + length, source))
    assert all("\n" not in line and columns_of(line) <= 80 for line in lines)
    if lines and start < len(text) and harmless(text[start]).strip() and columns_of(harmless(text[start])):
        line, carets = lines
        before = carets.index("^")
        at = next(i for i in range(len(line) + 1) if columns_of(line[:i]) == before)
        while at < len(line) and not columns_of(line[at]):
            at += 1
        assert line[at] == harmless(text[start])
