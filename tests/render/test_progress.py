"""The line that tells how far a long run has come: on a terminal, after a second, and gone when the answer is there."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from recordings import recorded

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.vectors import Vec
from gdcli.objective.protocol import Counts, Evaluation
from gdcli.render import progress as lines
from gdcli.render.formats import PATIENCE
from gdcli.render.progress import Progress
from gdcli.solve.iteration import Iterate
from gdcli.tasks.fit import fit_groups
from gdcli.tasks.multi_start import solve_from_many

CLEAR = "\r\x1b[K"
BANANA = "100*(y-x**2)**2 + (1-x)**2"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def iterate(number: int, value: float, seconds: float) -> Iterate:
    return Iterate(number, Evaluation(Vec([1.0]), value, Vec([0.1])), 0.1, 0.1, Counts(number, 0, 0), seconds)


def told(found: Terminal) -> list[str]:
    return [text for text in found.getvalue().split(CLEAR) if text]


def test_a_run_tells_iteration_time_best_value_and_what_is_left_at_most() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock, -1, (1000, None, 40.0)) as waiting:
        for number, value in enumerate([5.0, -3.0, 2.0, 1.0]):
            clock.now = 0.3 * number
            waiting(iterate(number, value, clock.now))
        assert stream.getvalue() == ""
        clock.now = 2.0
        waiting(iterate(50, 4.0, 2.0))
        clock.now = 2.05  # too soon after the last
        waiting(iterate(51, 4.0, 2.05))
        clock.now = 30.0
        waiting(iterate(60, -7.25, 30.0))
    assert told(stream) == [
        "iteration 50, 2 s, best 3, at most 38 s left",
        "iteration 60, 30 s, best 7.25, at most 10 s left",
    ]
    assert stream.getvalue().endswith(CLEAR)


def test_parts_of_known_number_tell_about_what_is_left() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream, clock, 1, None) as waiting:
        waiting.begin("start", 1, 10)
        waiting(iterate(3, 2.0, 0.1))
        clock.now = 4.0
        waiting.begin("start", 5, 10)
        clock.now = 4.2
        waiting(iterate(7, 2.5, 0.2))
        clock.now = 5.0
        waiting.begin("line", 6, None, "2 failed")
    assert told(stream) == [
        "start 5 of 10, 4 s, best 2, about 6 s left",
        "start 5 of 10, iteration 7, 4.2 s, best 2, about 6.3 s left",
        "line 6, 2 failed, 5 s, best 2",
    ]


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["nowhere", "a pipe"])
def test_nothing_where_nobody_looks(stream: io.StringIO | None) -> None:
    clock = Clock()
    with Progress(stream, clock, 1, None) as waiting:
        clock.now = 100.0
        waiting(iterate(1, 2.0, 3.0))
        waiting.begin("start", 2, 3)
    assert stream is None or stream.getvalue() == ""


def test_a_dumb_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    clock, stream = Clock(), Terminal()
    with Progress(stream, clock, 1, None) as waiting:
        clock.now = 100.0
        waiting(iterate(1, 2.0, 3.0))
    assert stream.getvalue() == ""


class Seen:
    """A teller that remembers."""

    thinning = (0, 1)

    def __init__(self) -> None:
        self.parts: list[Sequence[Any]] = []
        self.iterates = 0

    def __call__(self, it: Iterate) -> None:
        self.iterates += 1

    def begin(self, *part: Any) -> None:
        self.parts.append(part)


def test_many_starts_tell_which_one_is_run() -> None:
    seen = Seen()
    problem = api.read_problem("x**4-x**2+0.1*x", "minimize", ["x=1"], [])
    plain = solve_from_many(problem, starts=4)
    found = solve_from_many(problem, starts=4, teller=seen)
    assert seen.parts == [("start", k, 4) for k in (1, 2, 3, 4)]
    assert seen.iterates > 8
    assert (found.point, found.run.counts) == (plain.point, plain.run.counts)


# -- the commands ------------------------------------------------------------------------------------------------------

# Some hundred thousand steps that machine code does not take over: seconds.
LONG = ["minimize", BANANA, "--start", "x=-1.2,y=1", "--lr", "1e-6", "--tol", "0", "--engine", "python"]
LONG += ["--max-time", "2.5s", "--max-iter", "100000000"]


def last_line(shown: str) -> str:
    return [text for text in re.split(r"\r\x1b\[K", shown) if text.startswith("iteration")][-1]


def test_minimize_on_a_terminal() -> None:
    code, shown = recorded(*LONG)
    assert code == 3
    assert re.fullmatch(r"iteration \d+, [\d.]+ s, best \d+\.\d+, at most [\d.]+ m?s left", last_line(shown))
    left = re.sub(r"\x1b\[[0-9;]*m", "", shown.rpartition(CLEAR)[2])
    assert left.startswith("minimize ")
    assert not re.search(r"\x1b\[[0-9;]*m", shown.rpartition(CLEAR)[0])


def test_what_is_watched_has_no_second_line() -> None:
    _, shown = recorded(*LONG, "--watch")
    assert "at most" not in shown


def test_a_file_of_problems_on_a_terminal(tmp_path: Any) -> None:
    file = tmp_path / "some.toml"
    options = "lr=1e-6\ntol=0\nengine='python'\nmax-time='1.4s'\nmax-iter=100000000\n"
    text = "".join(f"[p{k}]\nexpression='{BANANA}'\nstart={{x=-1.2,y=1}}\n{options}" for k in range(2))
    file.write_text(text)
    _, shown = recorded("run", str(file), "--format", "json", "--output", str(tmp_path / "out.json"))
    texts = [text for text in re.split(r"\r\x1b\[K", shown) if text.startswith("problem ")]
    assert texts[0].startswith("problem 1 of 2, iteration ")
    assert re.match(r"problem 2 of 2, 1 failed, iteration \d+, [\d.]+ s, about [\d.]+ m?s left", texts[-1])
    assert "best" not in texts[-1]


def test_groups_tell_how_many_are_done(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file, stream = tmp_path / "some.csv", Terminal()
    file.write_text("g,t,y\n" + "".join(f"{g},{t},{g * t + t % 2}\n" for g in range(9) for t in range(5)))
    monkeypatch.setattr(lines, "PATIENCE", 0.0)
    monkeypatch.setattr(lines, "PERIOD", 0.0)
    monkeypatch.setattr(fit_groups, "WINDOW", 3)
    monkeypatch.setattr(sys, "stderr", stream)
    words = ["fit", "y ~ a*t", str(file), "--by", "g", "--output", str(tmp_path / "out.txt")]
    assert run([*words, "--format", "csv"]) == 0
    parts = [text.partition(",")[0] for text in told(stream) if text.startswith("group ")]
    assert parts == ["group 4 of 9", "group 7 of 9"]


def test_a_short_run_shows_nothing_of_it() -> None:
    clock, stream = Clock(), Terminal()
    with Progress(stream, clock, 1) as waiting:
        clock.now = 0.99 * PATIENCE
        waiting(iterate(1, 2.0, 3.0))
        waiting.begin("start", 2, 3)
    assert stream.getvalue() == ""
