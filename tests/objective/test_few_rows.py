"""Few rows by plain Python, against the same by arrays: values, sums, linear models, and whole fits."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import nist
import numpy as np
import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError
from gdcli.kernel.factors import PLAIN_COLUMNS
from gdcli.language.losses import Numbers
from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import AskedLoss, RowModel, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_programs import MOST_NUMBERS
from gdcli.table.blocks import Columns
from gdcli.tasks.fit.data_checks import check_rows
from gdcli.tasks.fit.prepare import number_of, read_request
from gdcli.tasks.fit.request import FitRequest

DECAY = Path(__file__).parent.parent.parent / "docs" / "decay.csv"
RNG = np.random.default_rng(11)
T = RNG.uniform(0.1, 4.0, 30)
DATA = {
    "t": T,
    "y": 2.0 * np.exp(-T) + 0.5 + RNG.normal(0.0, 0.1, 30),
    "w": RNG.uniform(0.0, 2.0, 30).round(1),
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "decay": ("y ~ a*exp(-b*t) + c", {}),
    "weighted": ("y ~ a*exp(-b*t) + c", {"weighting": Weighting("w", "weights")}),
    "saturation": ("y ~ a*t/(b + t) + c", {}),
    "choice": ("y ~ where(t < b, a, a + c*(t - b))", {}),
    "special": ("y ~ a*erf(b*t) + gamma(1 + c*c)", {}),
    "counts": ("y ~ exp(a + b*t) + c*c", {"loss": "poisson"}),
    "huber": ("y ~ a + b*t + c*t**2", {"loss": "huber", "asked": AskedLoss(Numbers(delta=0.1))}),
    "typed": ("(y - a*t)**2 + log(b*b + 1) + c**4", {}),
}
POINTS = [[1.3, 0.7, 0.2], [-0.4, 2.5, 1.5], [1.0, 1.0, 0.0]]


def both(name: str, rows: int = 30) -> tuple[RowObjective, RowObjective]:
    """The objective of a model by lists and by arrays."""
    text, options = MODELS[name]
    model = parse_model(text)
    row = build_row_model(model, sort_names(model, list(DATA), {}, {}, {}), {}, **options)
    lists = Columns(tuple(DATA), [column[:rows].tolist() for column in DATA.values()])
    arrays = Columns(tuple(DATA), [column[:rows] for column in DATA.values()])
    return tuple(RowObjective(row_of(row), data) for data in (lists, arrays))  # type: ignore[return-value]


def row_of(row: RowModel) -> RowModel:
    return replace(row, engine="auto")


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", MODELS)
def test_values_and_derivatives(name: str, x: list[float]) -> None:
    few, many = both(name)
    assert few.engine == "python"
    assert many.engine == "numpy"
    one, other = (made.evaluate(made.vector(x), 2) for made in (few, many))
    assert one.value == pytest.approx(other.value, rel=1e-13, nan_ok=True)
    for a, b in ((one.gradient, other.gradient), (one.hessian, other.hessian)):
        assert (a is None) == (b is None)
        if a is not None:
            assert np.array(a) == pytest.approx(np.array(b), rel=1e-11, abs=1e-12)
    for names in ("value", "weighing", "divisors"):
        if few.nodes(names):
            (found,), (expected,) = (list(made.vectors(names, x)) for made in (few, many))
            assert np.array(found) == pytest.approx(np.array(expected), rel=1e-13, nan_ok=True)


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", [n for n in MODELS if "loss" not in MODELS[n][1] and n != "typed"])
def test_linear_models_and_bends(name: str, x: list[float]) -> None:
    few, many = both(name)
    one, other = (made.linearise(made.evaluate(made.vector(x))) for made in (few, many))
    assert one is not None
    assert other is not None
    R, S = np.array(one.factor), np.array(other.factor)
    assert pytest.approx(S.T @ S, rel=1e-12, abs=1e-14) == R.T @ R
    assert R.T @ one.target == pytest.approx(S.T @ other.target, rel=1e-11, abs=1e-14)
    # Where columns depend on each other, rounding decides which part of the residuals is the rest.
    totals = [math.hypot(*found.target, found.residual_norm) for found in (one, other)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-13)
    assert one.measured == pytest.approx(other.measured, rel=1e-13)
    direction = few.vector([0.3, -1.0, 2.0])
    bends = [made.second(made.evaluate(made.vector(x)), direction) for made in (few, many)]
    assert bends[0] == pytest.approx(bends[1], rel=1e-11, abs=1e-13)


@pytest.mark.parametrize(
    ("name", "x"),
    [("decay", [1.0, -1e4, 0.0]), ("saturation", [1.0, -DATA["t"][3], 0.0]), ("counts", [-9e9, 0.0, 0.0])],
)
def test_what_is_not_finite(name: str, x: list[float]) -> None:
    """CPython's exceptions are infinities here, as in arrays."""
    few, many = both(name)
    one, other = (made.evaluate(made.vector(x), 1) for made in (few, many))
    assert one.value == other.value == math.inf
    assert one.gradient is other.gradient is None


def test_what_is_few() -> None:
    text = "y ~ " + " + ".join(f"p{i}*t**{i}" for i in range(PLAIN_COLUMNS + 1))
    model = parse_model(text)
    for parameters, rows, is_few in (
        (3, MOST_NUMBERS // 16, True),
        (3, MOST_NUMBERS // 16 + 1, False),
        (PLAIN_COLUMNS + 1, 20, False),
    ):
        typed = parse_model("y ~ a + b*t + c*t*t") if parameters == 3 else model
        names = sort_names(typed, ["t", "y"], {}, {}, {})
        data = Columns(("t", "y"), [[1.0 * i for i in range(rows)]] * 2)
        made = RowObjective(row_of(build_row_model(typed, names, {})), data)
        assert (made.few is not None) == is_few


def page(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines of a fit's page that tell of the answer: not those of the way, and not what is rounding."""
    rounding = ("|gradient|", "work", "left to gain", "kind          degenerate", "  ")
    capsys.readouterr()
    run(["fit", *words])
    lines = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("parameter"))
    told = [line for line in lines[first:] if not line.startswith(rounding)]
    assert any(line.startswith("point") for line in told)
    return told


@pytest.mark.parametrize(
    "options",
    [
        ("y ~ a*exp(-b*t) + c", "--start", "a=1,b=1,c=0"),
        ("y ~ a*exp(-b*t) + c", "--start", "a=1,b=1,c=0", "--bounds", "b=:1.1"),
        ("y ~ a + b*t",),
        ("y ~ a/(b + t) + c", "--start", "a=1,b=1,c=0"),
        ("y ~ a*exp(-b*t)*c", "--start", "a=1,b=1,c=1"),
        ("y ~ a + b*t", "--loss", "huber"),
        ("y ~ a*exp(-b*t) + c", "--start", "a=1,b=1,c=0", "--method", "bfgs"),
    ],
    ids=" ".join,
)
def test_both_ways_show_the_same(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    words = (options[0], str(DECAY), *options[1:])
    assert page(capsys, *words) == page(capsys, *words, "--engine", "numpy")


@pytest.mark.parametrize("start", nist.STARTS)
@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p["name"])
def test_certified_values(problem: dict[str, Any], start: str, tmp_path: Path) -> None:
    """The problems of NIST from files, as users have them."""
    columns = nist.columns(problem)
    file = tmp_path / "data.csv"
    rows = zip(*(map(repr, column) for column in columns.values()), strict=True)
    file.write_text("\n".join([",".join(columns), *map(",".join, rows)]) + "\n")
    found = api.fit(problem["model"], [str(file)], start=problem[start])
    certified = problem["certified"]
    assert nist.digits([found.point[name] for name in certified], list(certified.values())) >= 9.0


SMALL = [
    ("--method", "auto"),
    ("--sigma", "s"),
    ("--weights", "s"),
    ("--bounds", "b=:1.1"),
    ("--loss", "huber"),
    ("--loss", "absolute"),
    ("--loss", "poisson"),
    ("--loss", "logistic"),
]


def test_small_fits_need_no_array_library(tmp_path: Path) -> None:
    """Whatever the loss is: the checks of the data, the run, the certificate and the errors."""
    file = tmp_path / "data.csv"
    lines = [
        f"{t},{math.exp(-t / 9) + 0.1 * (t % 3)},{0.1 + 0.01 * (t % 2)},{t % 4},{int(t % 3 > 0)}"
        for t in range(20)
    ]
    file.write_text("\n".join(["t,y,s,n,k", *lines]) + "\n")
    said = {"poisson": "n ~ exp(a - b*t)", "logistic": "k ~ a - b*t"}
    commands = [
        ["fit", said.get(words[-1], "y ~ a*exp(-b*t)"), str(file), "--start", "a=1,b=0.1", *words]
        for words in SMALL
    ]
    code = "import sys; sys.modules['numpy'] = None\nfrom gdcli.cli.app import run\n"
    code += f"for c in {commands}: assert run(c) == 0, c"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("model", "loss", "column", "told"),
    [
        ("y ~ a + b*t", "poisson", [0.0, 2.0, 1.5], "row 3: 1.5 is no count"),
        ("y ~ a + b*t", "poisson", [0.0, -2.0, 1.0], "row 2: -2 is no count"),
        ("y ~ a + b*t", "logistic", [0.0, 1.0, 3.0], "row 3: the labels of --loss logistic have 3"),
        (
            "y ~ a + b*t",
            "logistic",
            [1.0, 0.0, -1.0],
            "row 3: the labels of --loss logistic have both 0 and -1",
        ),
        (
            "y ~ a + b*t",
            "logistic",
            [-1.0, 0.0, 1.0],
            "row 2: the labels of --loss logistic have both 0 and -1",
        ),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_rows_that_make_no_sense_are_named(
    model: str, loss: str, column: list[float], told: str, listed: bool
) -> None:
    asked = read_request(FitRequest(model, loss=loss, start=("a=1,b=1",), data={"t": [1.0], "y": [1.0]}))
    columns = [[1.0, 2.0, 3.0], column]
    data = Columns(("t", "y"), columns if listed else [np.array(c) for c in columns])
    plan = asked.plan(data.names)
    with pytest.raises(DataError, match=told):
        check_rows(plan.problem, plan.row, data, number_of)
    assert (data.lists is not None) == listed
