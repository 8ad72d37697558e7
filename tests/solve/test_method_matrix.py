"""Every method in every place that takes one: it works there, or is refused in words; never a fault of the program."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from processes import gd

from gdcli.cli.app import run
from gdcli.solve.registry import METHODS

# What a method that is for constraints alone gets beside it.
LIMIT = ["--subject-to", "x - y <= 1.4"]
QUADRATIC = ["(x-1)**2 + 3*(y+0.5)**2 + x*y/4", "--start", "x=2,y=1"]
# Ends that a run of few steps may have; usage (2) is a refusal, and 1 would be a fault.
ENDS = {0, 3, 4, 5}


@pytest.fixture(params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def line(tmp_path: Path) -> str:
    file = tmp_path / "line.csv"
    file.write_text("x,y\n" + "".join(f"{i / 8},{1 + i / 4 + (-1) ** i / 16}\n" for i in range(24)))
    return str(file)


def reads(name: str, setting: str) -> bool:
    return setting in METHODS[name].reads


def rate(name: str) -> list[str]:
    return ["--lr", "0.05"] if reads(name, "lr") else []


def ended(*words: str) -> Any:
    """The record of a run that has ended, None where it was refused with a hint."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([*words, "--format", "json"])
    told = err.getvalue()
    assert "internal error" not in told
    assert code in ENDS | {2}, told
    if code == 2:
        assert told.startswith("error: ")
        assert "hint: " in told
        return None
    return json.loads(out.getvalue())


def by_squares(name: str, line: str) -> list[str]:
    """A command that this method solves: a fit where it is for sums of squares alone."""
    if METHODS[name].residuals:
        return ["fit", "y ~ a*exp(b*x)", line, "--start", "a=1,b=0.5", "--method", name]
    if not METHODS[name].free:
        return ["minimize", *QUADRATIC, *LIMIT, "--method", name]
    return ["minimize", *QUADRATIC, "--method", name, *rate(name)]


def test_it_runs(name: str, line: str) -> None:
    assert ended(*by_squares(name, line), "--max-iter", "5")["method"] == name


def test_it_is_kept_and_goes_on(name: str, line: str, tmp_path: Path) -> None:
    """Stopped after two steps and gone on with, it ends as a run that was not stopped."""
    command, kept = by_squares(name, line), str(tmp_path / "run.ck")
    whole = ended(*command, "--max-iter", "6")
    assert ended(*command, "--max-iter", "2", "--checkpoint", kept) is not None
    gone_on = ended("resume", kept, "--max-iter", "6")
    for key in ("point", "value", "iterations", "status"):
        assert gone_on[key] == whole[key], key


def test_it_stays_within_bounds_or_refuses(name: str, line: str) -> None:
    command = by_squares(name, line)
    bounded = ended(*command, "--bounds", "b=:0.3" if "fit" in command else "x=1.5:", "--max-iter", "50")
    assert (bounded is None) == (not METHODS[name].bounds)
    if bounded is not None:
        point = bounded["point"]
        assert point["b"] <= 0.3 if "fit" in command else point["x"] >= 1.5


def test_it_fits_by_all_rows_and_by_epochs_or_refuses(name: str, line: str) -> None:
    model = ["fit", "y ~ a*x + b", line, "--method", name, *rate(name)]
    ended(*model, "--max-iter", "5")
    by_epochs = ended(*model, "--epochs", "2")
    assert by_epochs is None or by_epochs["method"] in (name, "sgd")  # plain descent is called sgd there


def test_it_is_compared_or_refused(name: str) -> None:
    rows = ended("compare-methods", *QUADRATIC, "--method", f"{name},auto")["methods"]
    assert (rows[0]["status"] == "usage") == (not METHODS[name].is_general)


def test_it_is_listed_and_completed(name: str) -> None:
    assert f"\n{name} " in "\n" + gd("methods").stdout
    assert name in gd("completion", "line", "--", f"gd minimize x --method {name[:1]}", "").stdout.split()
