"""Methods side by side, and the small graphs beside them."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from keep import kept

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.render.text_plots import BLOCKS, LETTERS, bars_of, sparkline

ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"
START = ["--start", "x=-1.2,y=1"]


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_kept_answers(form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["compare-methods", ROSENBROCK, *START, "--method", "auto,bfgs,batch", "--format", form]) == 0
    out = capsys.readouterr().out
    assert form not in ("table", "plain") or max(map(len, out.splitlines())) <= 80
    assert form != "plain" or out.isascii()
    kept(f"compare_methods.{form}", out)


@pytest.mark.parametrize("name", ["compare-lr", "compare-methods"])
def test_kept_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    kept(f"help_{name}.txt", out)


def test_an_unknown_method_is_told_before_anything_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdcli.tasks.compare.solve", lambda *a, **k: pytest.fail("a method ran"))
    assert run(["compare-methods", ROSENBROCK, *START, "--method", "auto,bgfs"]) == 2
    told = capsys.readouterr().err
    assert "did you mean bfgs?" in told
    assert "                ^^^^\n" in told
    with pytest.raises(UsageError):
        api.compare_methods(api.make_problem("x**2", start={"x": 1}), ["auto", "bgfs"])


def test_a_method_that_fails_is_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = api.solve

    def broken(problem: api.Problem, settings: api.Settings, *more: Any) -> api.Outcome:
        if settings.method == "bfgs":
            raise ZeroDivisionError("oh")
        return solve(problem, settings, *more)

    monkeypatch.setattr("gdcli.tasks.compare.solve", broken)
    arguments = ["compare-methods", "x**2", "--start", "x=1", "--method", "bfgs,auto"]
    assert run([*arguments, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["methods"]
    assert [(row["method"], row["status"]) for row in rows] == [("bfgs", "error"), ("auto", "converged")]
    assert "oh" in rows[0]["message"]
    assert rows[0]["value"] is None
    assert run(arguments) == 0
    assert "failed        bfgs: internal error: ZeroDivisionError: oh" in capsys.readouterr().out


def test_every_method_alone_gives_the_same() -> None:
    problem = api.make_problem(ROSENBROCK, start={"x": -1.2, "y": 1.0})
    for one in api.compare_methods(problem):
        assert one.outcome is not None
        alone = api.solve(problem, api.Settings(method=one.method))
        assert (one.outcome.value, one.outcome.run.counts) == (alone.value, alone.run.counts)
        assert one.values[0] == pytest.approx(24.2)
        assert min(one.values) == alone.value


def test_a_rate_goes_to_those_that_read_one() -> None:
    problem = api.make_problem("x**2", start={"x": 1.0})
    found = api.compare_methods(problem, ["auto", "gd"], api.Settings(lr=0.25))
    assert [one.outcome.settings.lr for one in found if one.outcome] == [None, 0.25]
    with pytest.raises(UsageError):
        api.compare_methods(problem, ["auto", "bfgs"], api.Settings(lr=0.25))


def test_a_start_without_a_value_is_one_error() -> None:
    with pytest.raises(DomainError):
        api.compare_methods(api.make_problem("log(x)", start={"x": -1.0}))


def test_maximize(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare-methods", "-x**2+3*x", "--maximize", "--start", "x=0", "--method", "auto,gd"]
    assert run([*arguments, "--format", "json"]) == 0
    values = [row["value"] for row in json.loads(capsys.readouterr().out)["methods"]]
    assert values == pytest.approx([2.25, 2.25], rel=1e-14)
    assert run(arguments) == 0
    assert "2 of 2 converged to the highest value" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([3.0], "▄"),
        ([2.0, 2.0], "▄▄"),
        ([1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7], "▁▂▃▄▅▆▇█"),
        ([0.0, 1.0, 7.0], "▁▂█"),
        ([-1.0, -1e4, -1e8], "█▅▁"),
        ([1.0, math.inf, math.nan, 2.0], "▁××█"),
        ([math.nan], "×"),
        ([-1e308, 1e308], "▁█"),
        ([5e-324, 1e308], "▁█"),
        ([1e3, 1.0, 0.0], "█▃▁"),
    ],
)
def test_sparklines(values: list[float], drawn: str) -> None:
    assert sparkline(values, 8) == drawn
    plain = sparkline(values, 8, LETTERS)
    assert plain == drawn.translate(str.maketrans(BLOCKS.levels + BLOCKS.lost, LETTERS.levels + LETTERS.lost))


def test_a_sparkline_has_the_width_and_the_last_value() -> None:
    for count in range(1, 200):
        line = sparkline([float(i) for i in range(count)], 16)
        assert len(line) == min(16, count)
        assert count == 1 or (line[0], line[-1]) == ("▁", "█")


@pytest.mark.parametrize(("encoding", "bars"), [("utf-8", BLOCKS), ("ascii", LETTERS), ("cp437", LETTERS)])
def test_what_a_stream_can_carry(encoding: str, bars: object) -> None:
    assert bars_of(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) == bars


def test_a_method_that_fails_has_no_time_but_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare-methods", "x**2", "--start", "x=1", "--method", "newton,lm", "--format", "json"]
    assert run([*words, "--timing"]) == 0
    first, second = json.loads(capsys.readouterr().out)["methods"]
    assert first["seconds"] > 0.0
    assert second["seconds"] is None
    assert run(words) == 0
    assert all("seconds" not in one for one in json.loads(capsys.readouterr().out)["methods"])
