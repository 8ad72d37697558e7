"""One rule lays out every table in a width: what goes first, what stays, and that what went is named."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from math import exp
from pathlib import Path

import pytest
from effort import WHOLE
from hypothesis import given
from hypothesis import strategies as st

from gdcli.cli.app import run
from gdcli.render.page import ASCII, Column, chosen, fits, laid_out, plain_text

WIDTHS = (60, 80, 100, 120) if WHOLE else (60, 80)
PEAKS = (
    "y ~ first_amplitude*exp(-((x-first_center)/first_width)**2)"
    "+second_amplitude*exp(-((x-second_center)/second_width)**2)"
)
NEAR = "first_amplitude=1e5,first_center=5,first_width=1,second_amplitude=1e5,second_center=12,second_width=2"
BANANA = "100*(y-x**2)**2 + (1-x)**2"


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), min_size=1, max_size=9), st.integers(20, 120)
)
def test_the_most_spare_column_goes_first_and_no_sooner_than_it_must(
    asked: list[tuple[int, int]], width: int
) -> None:
    columns = [Column(f"c{i}".ljust(w, "-"), [], spare=spare) for i, (w, spare) in enumerate(asked)]
    kept, left_out = chosen(columns, width)
    assert sorted([*kept, *left_out]) == sorted(columns)
    assert [c for c in columns if c in kept] == kept
    assert fits(kept, width) or not any(c.spare for c in kept)
    if left_out:
        last = min(left_out, key=lambda c: (c.spare, columns.index(c)))
        assert all(c.spare <= last.spare for c in kept)
        assert not fits([*kept, last], width)


def test_what_is_left_out_is_named_under_the_table() -> None:
    columns = [Column("a", ["1"]), Column("b" * 30, ["2"], spare=1), Column("c" * 30, ["3"], spare=2)]
    assert plain_text(laid_out(columns, 80, ASCII)).count("\n") == 3
    text = plain_text(laid_out(columns, 40, ASCII, all_in="--format json"))
    assert f"not shown: {'c' * 30}; --format json has all" in " ".join(text.split())
    assert all(len(line) <= 40 for line in text.splitlines())


def test_of_many_left_out_the_first_are_named_and_all_counted() -> None:
    columns = [Column("a", ["1"]), *(Column(f"w[{i}]", ["2.00000000"], spare=i + 1) for i in range(30))]
    text = " ".join(plain_text(laid_out(columns, 60, ASCII)).split())
    assert re.search(r"not shown: w\[4\], w\[5\], .*\.\.\. \(26 in all\); --format csv has all", text)


# -- the pages of the commands -----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two peaks, forty columns, and groups."""
    monkeypatch.chdir(tmp_path)
    draw = random.Random(1)
    rows = ["x,y"]
    for i in range(120):
        x = i / 6
        y = 123456.7 * exp(-(((x - 5) / 1.5) ** 2)) + 98765.4 * exp(-(((x - 12) / 2.2) ** 2))
        rows.append(f"{x},{y + draw.gauss(0, 1000)}")
    (tmp_path / "peaks.csv").write_text("\n".join(rows))
    names = [f"x{i}" for i in range(40)]
    rows = [",".join(["y", *names])]
    rows += [",".join(f"{draw.gauss(0, 1):.3f}" for _ in range(41)) for _ in range(90)]
    (tmp_path / "wide.csv").write_text("\n".join(rows))
    rows = ["site_of_the_measurement,t,y"]
    for g in range(60):
        rows += [f"site {g},{t},{t * t + g + draw.gauss(0, 0.1)}" for t in range(9)]
    (tmp_path / "groups.csv").write_text("\n".join(rows))
    (tmp_path / "some.toml").write_text(
        "[a_problem_with_a_long_name]\nexpression='(x-123456.789)**2+0.123456789'\nstart={x=1}\n"
        "expect={value=0.123456789}\n[other]\nexpression='exp(x)-x'\nstart={x=3}\nexpect={value=1}\n"
    )
    return tmp_path


COMMANDS = {
    "peaks": ["fit", PEAKS, "peaks.csv", "--start", NEAR],
    "wide": ["fit", "y ~ X @ w + b", "wide.csv", "--columns", "X=x*"],
    "epochs": ["fit", "y ~ a*t + b*t**2", "groups.csv", "--epochs", "3", "--batch-size", "9"],
    "by": ["fit", "y ~ a + b*t + c*t**2 + d*t**3 + f*t**4", "groups.csv", "--by", "site_of_the_measurement"],
    "minimize": ["minimize", BANANA, "--start", "x=-1.2,y=1"],
    "vector": ["minimize", "sum((v-3)**4)", "--start", "v=linspace(1,9,40)"],
    "bounds": ["minimize", BANANA, "--start", "x=-1.2,y=1", "--bounds", "x=:0.5"],
    "many": ["minimize", "sum(v**4-3*v**2+0.1*v)", "--start", "v=ones(6)", "--multi-start", "9"],
    "lr": ["compare-lr", "x**2 + 100*y**2", "--start", "x=1e5,y=1e5"],
    "methods": ["compare-methods", BANANA, "--start", "x=-1.2,y=1"],
    "batch": ["compare-batch", "y ~ a*t + b", "groups.csv", "--epochs", "3"],
    "models": ["compare-models", "groups.csv", "--model", "y ~ a*t + b", "--model", "y ~ a + b*t + c*t**2"],
    "gradient": ["gradient", "exp(x*y)/(1+x**2)", "--at", "x=0.5,y=2", "--hessian", "--errors"],
    "trace": ["gradient", "exp(2*x)/(1+sin(x**2)) + x*y*z*w", "--at", "x=0.5,y=2,z=3,w=1.5", "--trace"],
    "seven": ["gradient", "prod(v)*exp(v[0])", "--at", "v=linspace(1,9,9)", "--hessian"],
    "run": ["run", "some.toml"],
}


def titles(out: str) -> set[str]:
    """What stands above the rules of the tables, and what is said not to be shown."""
    lines, found = out.splitlines(), set[str]()
    for above, rule in pairwise(lines):
        if re.fullmatch("[─-]{8,}", rule):
            found |= set(re.split(r"\s{2,}", above.strip()))
    return found | set(left_out(out))


def left_out(out: str) -> list[str]:
    text = " ".join(out.split())
    names = re.findall(r"not shown:? (.*?); --format", text)
    return [name for one in names for name in one.split(", ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_table_keeps_within_its_width_and_names_what_it_does_not_show(
    name: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for width in (*WIDTHS, 400):
        monkeypatch.setenv("COLUMNS", str(width))
        run(COMMANDS[name])
        out = capsys.readouterr().out
        found[width] = titles(out)
        assert [line for line in out.splitlines() if len(line) > width] == []
    most = found[400] - {"moved"}  # told on wide pages only
    for width in WIDTHS:
        many = {f for f in found[width] if f.startswith("...")}  # of these not all are named
        assert many or most <= found[width]


def test_of_a_fit_the_interval_is_the_last_to_go(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[list[str]] = []
    for width in range(48, 121, 4):
        monkeypatch.setenv("COLUMNS", str(width))
        run(["fit", PEAKS, "peaks.csv", "--start", NEAR])
        table = capsys.readouterr().out.partition("\nparameter")[2].partition("\n\n")[0]
        gone.append(left_out(table))
        assert ("95 % interval" in table.splitlines()[0]) == ("95 % interval" not in gone[-1])
    orders = [sorted(one) for one in gone]
    assert orders[-1] == []
    assert all(one in ([], ["t"], ["error %", "t"], ["95 % interval", "error %", "t"]) for one in orders)
    assert ["t"] in orders
    assert ["error %", "t"] in orders
    assert sorted(map(len, gone), reverse=True) == list(map(len, gone))
    monkeypatch.delenv("COLUMNS")
    run(["fit", PEAKS, "peaks.csv", "--start", NEAR])
    out = capsys.readouterr().out
    assert re.search(r"^not shown: (t|error %, t|t, error %); --format csv has all$", out, re.M)
    assert "95 % interval" in out
