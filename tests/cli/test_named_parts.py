"""Named parts, --let, in every command that takes an expression: the answer is that of the text written out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import gd

LET = ["--let", "s=exp(-a*x)", "--let", "t=s + y"]
# What differs.
ASKED = ("problem", "receipt")

PAIRS = (
    ("minimize", "(t-2)**2 + s + x**2", "((exp(-a*x) + y)-2)**2 + exp(-a*x) + x**2"),
    ("compare-lr", "t**2 + y**2 + x**2", "(exp(-a*x) + y)**2 + y**2 + x**2"),
    ("compare-methods", "t**2 + y**2 + x**2", "(exp(-a*x) + y)**2 + y**2 + x**2"),
)


def record(*words: str) -> Any:
    done = gd(*words, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def data(tmp_path: Path) -> str:
    file = tmp_path / "d.csv"
    rows = [f"{i / 4},{3 * 0.7**i + 0.4 + (-1) ** i / 50},{'ab'[i % 2]}" for i in range(24)]
    file.write_text("u,v,g\n" + "\n".join(rows) + "\n")
    return str(file)


@pytest.mark.parametrize(("command", "short", "long"), PAIRS)
def test_expressions_have_the_answer_of_the_text_written_out(command: str, short: str, long: str) -> None:
    more = ["--start", "x=0.3,y=0.1", "--set", "a=2"]
    with_parts, written = record(command, short, *LET, *more), record(command, long, *more)
    assert with_parts["problem"]["let"] == ["s=exp(-a*x)", "t=s + y"]
    for asked in ASKED:
        del with_parts[asked], written[asked]
    assert with_parts == written


@pytest.mark.parametrize("part", [[], ["--trace"], ["--hessian"], ["--latex"]])
def test_gradients_know_them(part: list[str]) -> None:
    at = ["--at", "x=0.3,y=0.1", "--set", "a=2", *part]
    short = record("gradient", "t**2 + s", *LET, *at)
    long = record("gradient", "(exp(-a*x) + y)**2 + exp(-a*x)", *at)
    assert short["gradient"] == long["gradient"]
    assert short.get("formula") == long.get("formula")
    page = gd("gradient", "t**2 + s", *LET, *at)
    assert "let           s=exp(-a*x); t=s + y" in page.stdout


def test_a_part_is_followed_once_by_a_trace() -> None:
    steps = record("gradient", "s**2 + s", "--let", "s=exp(2*x)", "--at", "x=1", "--trace")["steps"]
    assert [step["formula"] for step in steps] == ["2*x", "exp(z1)", "z2**2", "z3 + z2"]


@pytest.mark.parametrize(
    "more", [[], ["--by", "g"], ["--loss", "huber"], ["--epochs", "3"], ["--start", "auto"]]
)
def test_models_know_them(more: list[str], data: str) -> None:
    start = [] if "auto" in more else ["--start", "c=1,b=1,d=0"]
    told = [*start, *more, "--print", "c,b,d"]
    short = gd("fit", "v ~ c*s + d", data, "--let", "s=exp(-b*u)", *told)
    long = gd("fit", "v ~ c*exp(-b*u) + d", data, *told)
    assert (short.stdout, short.returncode) == (long.stdout, long.returncode)
    assert short.stdout


def test_a_fit_is_told_kept_shown_and_emitted_with_them(data: str, tmp_path: Path) -> None:
    stored = str(tmp_path / "f.json")
    fit = ["fit", "v ~ c*s + d", data, "--let", "s=exp(-b*u)", "--start", "c=1,b=1,d=0"]
    assert "\nlet           s=exp(-b*u)\n" in gd(*fit).stdout
    gd(*fit, "--format", "json", "--output", stored)
    assert "\nlet           s=exp(-b*u)\n" in gd("show", stored).stdout
    assert gd("rerun", stored).returncode == 0
    for language in ("python", "c", "sql", "latex"):
        assert gd(*fit, "--emit", language).stdout.count("exp") >= 1
    file = tmp_path / "p.toml"
    file.write_text(
        f'[p]\ncommand="fit"\nexpression="v ~ c*s + d"\nlet={{s="exp(-b*u)"}}\nstart={{c=1,b=1,d=0}}\ndata="{data}"\n'
    )
    assert record("run", str(file))["results"][0]["problem"]["let"] == ["s=exp(-b*u)"]


def test_constraints_on_parts_of_a_model(data: str) -> None:
    """A part of parameters alone may be limited; one of columns may not."""
    fit = ["fit", "v ~ c*s + d", data, "--let", "s=exp(-b*u)", "--let", "k=c+d", "--start", "c=1,b=1,d=0"]
    found = record(*fit, "--subject-to", "k <= 3")
    assert found["point"]["c"] + found["point"]["d"] == pytest.approx(3.0)
    done = gd(*fit[:5], "--start", "c=1,b=1,d=0", "--subject-to", "s <= 3")
    assert done.stderr.startswith(
        "error: --subject-to has u, which is a column of the data\n  --let s=exp(-b*u)"
    )


@pytest.mark.parametrize("emitted", [[], ["--emit", "python"]])
def test_a_constraint_on_a_part_alone(emitted: list[str]) -> None:
    done = gd(
        "minimize",
        "s**2 + y**2",
        "--let",
        "s=x-2+y",
        "--start",
        "x=1,y=1",
        "--subject-to",
        "s >= 1",
        *emitted,
    )
    assert done.returncode == 0, done.stderr
    assert "3" in done.stdout


def test_parts_that_nothing_uses_are_told(data: str) -> None:
    for command in (["gradient", "x**2", "--at", "x=1"], ["fit", "v ~ c*u + d", data]):
        done = gd(*command, "--let", "q=x")
        assert done.stderr.startswith("error: --let gives q, which nothing uses")


def test_a_part_is_no_column_and_has_no_start(data: str) -> None:
    """Each is one error with its place, of fits and of expressions."""
    fit = ["fit", "v ~ a*exp(-k*u)", data]
    for words, told in (
        ([*fit, "--let", "u=2*k", "--start", "a=1,k=1"], "--let gives u, which is a column of the data"),
        ([*fit, "--let", "k=2*b", "--start", "a=1,k=1"], "--start gives k, which --let computes"),
        (
            ["minimize", "(s-1)**2", "--let", "s=2*x", "--start", "s=1"],
            "--start gives s, which --let computes",
        ),
    ):
        done = gd(*words)
        assert done.returncode == 2
        assert told in done.stderr
        assert "^" in done.stderr
        assert done.stderr.count("error:") == 1
