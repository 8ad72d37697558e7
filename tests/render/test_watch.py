"""``--watch``: what a terminal of 80x24 shows while a run goes on, and what is left of it."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from io import StringIO

import pytest
from recordings import recorded, start

from gdcli.kernel.vectors import Vec
from gdcli.objective.protocol import Counts, Evaluation
from gdcli.render.live import Watch
from gdcli.solve.iteration import Iterate

# About half a second of iterations: the cap ends it.
LONG = [
    "minimize",
    "100*(y-x**2)**2 + (1-x)**2",
    "--start",
    "x=-1.2,y=1",
    "--lr",
    "1e-5",
    "--max-iter",
    "60000",
]
ERASED, HIDDEN, SHOWN = "\x1b[2K", "\x1b[?25l", "\x1b[?25h"


class Terminal(StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)


def frames(shown: str) -> list[str]:
    """The pictures that followed each other: each is erased line by line before the next."""
    pieces = [plain(piece) for piece in shown.split(ERASED)]
    return [piece for piece in pieces if "running" in piece]


def without_time(page: str) -> str:
    return re.sub(r"^time .*\n", "", page, flags=re.M)


def test_a_run_is_seen_while_it_goes_on() -> None:
    code, shown = recorded(*LONG, "--watch")
    assert code == 3
    pictures = frames(shown)
    assert len(pictures) >= 3
    for picture in pictures:
        lines = picture.strip("\n").split("\n")
        assert len(lines) <= 23
        assert all(len(line) <= 80 for line in lines)
        assert lines[0].startswith("minimize      100*(y-x**2)**2 + (1-x)**2")
    iterations = [int(re.search(r"running +(\d+) iteration", picture)[1]) for picture in pictures]  # type: ignore[index]
    assert iterations == sorted(iterations)
    assert iterations[-1] > iterations[0]
    assert re.search(r"^value +█[▁-█]+$", pictures[-1], flags=re.M)


def test_it_ends_with_the_usual_table_and_the_cursor() -> None:
    _, shown = recorded(*LONG, "--watch")
    _, usual = recorded(*LONG)
    assert (shown.count(HIDDEN), shown.count(SHOWN)) == (1, 1)
    assert shown.index(HIDDEN) < shown.index(SHOWN)
    left = plain(shown[shown.rindex(ERASED) + len(ERASED) :])
    usual = usual.rpartition("\r\x1b[K")[2]  # a slow machine tells how far it is
    assert without_time(left) == without_time(plain(usual))


def test_as_many_lines_are_erased_as_were_written() -> None:
    """What is left on the screen is the table alone."""
    _, shown = recorded(*LONG, "--watch")
    live = shown[: shown.rindex(ERASED) + len(ERASED)]
    assert live.count("\n") == live.count("\x1b[1A")


def test_without_a_terminal_nothing_is_shown() -> None:
    outputs = []
    for more in ([], ["--watch"]):
        process = start(*LONG, *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        outputs.append(process.communicate(timeout=60))
        assert process.returncode == 3
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == b""


def test_a_terminal_that_cannot_redraw_is_left_alone() -> None:
    _, shown = recorded(*LONG, "--watch", term="dumb")
    assert "running" not in shown
    assert HIDDEN not in shown


def test_rows_that_run_through_the_terminal_are_not_disturbed() -> None:
    _, shown = recorded("minimize", "x**2", "--start", "3", "--format", "csv", "--watch")
    assert HIDDEN not in shown
    assert shown.startswith("iteration,value,")


def iterate(number: int) -> Iterate:
    return Iterate(
        number, Evaluation(Vec([1.0]), 1.0 / (1 + number), Vec([0.1])), 0.1, 0.1, Counts(), number / 1000
    )


def watch_at(stream: Terminal, now: list[float]) -> Watch:
    return Watch(stream, "maximize", "x**2", -1, clock=lambda: now[0])


def test_at_most_ten_refreshes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, now = Terminal(), [0.0]
    with watch_at(stream, now) as watch:
        for number in range(3000):
            now[0] = number / 1000
            watch(iterate(number))
        live = len(frames(stream.getvalue()))
    assert 25 <= live <= 31
    assert "-1.0000000" in stream.getvalue()  # in the user's sign


def test_the_cursor_comes_back_when_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with suppress(ZeroDivisionError), watch_at(stream, [0.0]) as watch:
        watch(iterate(0))
        raise ZeroDivisionError
    assert stream.getvalue().rindex(SHOWN) > stream.getvalue().rindex(HIDDEN)
