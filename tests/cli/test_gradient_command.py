"""`gd gradient` as a process: formats, exit codes, bad input; and complex steps as a provider."""

from __future__ import annotations

import csv
import io
import json

import pytest
from keep import kept
from processes import HEAVY, gd, loaded

from gdcli import api
from gdcli.calculus import numerical_derivatives
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vec
from gdcli.language import syntax
from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.objective.build import build_objective, with_gradient

ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"
BOOK = "exp(2*x)/(1+sin(x**2))"


@pytest.mark.parametrize(
    ("name", "code", "arguments"),
    [
        ("rosenbrock", 0, [ROSENBROCK, "--at", "x=-1.2,y=1", "--hessian", "--errors"]),
        ("latex", 0, ["exp(-x**2)/sqrt(y)", "--at", "x=1,y=4", "--latex"]),
        ("kink", 9, ["abs(x)*exp(y) + y**2", "--at", "x=0,y=1"]),
        ("many", 0, ["sum((v-1)**4)", "--at", "v=linspace(0,2,9)"]),
        ("trace", 0, [BOOK, "--at", "x=0.5", "--trace"]),
        ("trace_where", 0, ["where(x>0,sqrt(x),-x) + norm(v)", "--at", "x=-1,v=[3,4]", "--trace"]),
    ],
)
@pytest.mark.parametrize("columns", ["80", "120"])
def test_kept_pages(name: str, code: int, arguments: list[str], columns: str) -> None:
    done = gd("gradient", *arguments, COLUMNS=columns)
    assert (done.returncode, done.stderr) == (code, "")
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    kept(f"gradient_{name}_{columns}.txt", done.stdout)
    plain = gd("gradient", *arguments, "--format", "plain")
    assert plain.stdout.isascii()
    assert "---" not in plain.stdout


def test_json_has_the_agreed_keys() -> None:
    done = gd(
        "gradient", "x**2 + sum(v**2)", "--at", "x=2,v=[1,2]", "--hessian", "--errors", "--format", "json"
    )
    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert (record["schema"], record["type"], record["agrees"], record["value"]) == (
        "gd.result/1",
        "gradient",
        True,
        9,
    )
    assert record["point"] == {"x": 2.0, "v": [1.0, 2.0]}
    assert list(record["gradient"]) == ["x", "v[0]", "v[1]"]
    assert list(record["gradient"]["x"]) == ["symbolic", "autodiff", "forward", "central", "complex_step"]
    assert record["formula"] == {"x": "2*x", "v[0]": "2*v[0]", "v[1]": "2*v[1]"}
    assert set(record["worst"]) == {"component", "way", "value", "error", "explained", "why"}
    assert record["hessian"]["eigenvalues"] == [2.0, 2.0, 2.0]
    assert [row["h"] for row in record["errors"]] == [float(f"1e-{k}") for k in range(16)]
    assert set(record["best"]) == {"forward", "central", "complex_step"}
    again = api.gradient("x**2 + sum(v**2)", {"x": 2, "v": [1, 2]})
    assert again.gradient == [4.0, 2.0, 4.0]


def test_json_of_what_does_not_exist_is_null() -> None:
    done = gd("gradient", "sqrt(x)", "--at", "x=0", "--format", "json")
    record = json.loads(done.stdout)
    assert done.returncode == 9
    assert record["agrees"] is False
    ways = record["gradient"]["x"]
    assert [ways[w] for w in ("symbolic", "autodiff", "central", "complex_step")] == [None] * 4
    assert record["components"]["x"]["ways"]["complex_step"]["applicable"] is False
    assert record["components"]["x"]["ways"]["autodiff"]["applicable"] is True
    assert "without bound" in record["worst"]["why"]


def test_json_of_a_trace() -> None:
    record = json.loads(gd("gradient", BOOK, "--at", "0.5", "--trace", "--format", "json").stdout)
    assert record["type"] == "trace"
    assert [s["formula"] for s in record["steps"]] == ["2*x", "exp(z1)", "x**2", "sin(z3)", "1 + z4", "z2/z5"]
    assert record["steps"][5]["forward"]["x"] == pytest.approx(record["gradient"]["x"], rel=1e-15)
    assert record["steps"][5]["local"]["z2"]["formula"] == "1/z5"


@pytest.mark.parametrize("more", [[], ["--errors"], ["--trace"]])
def test_csv(more: list[str]) -> None:
    done = gd("gradient", "x**2 + abs(y)", "--at", "x=2,y=1", "--format", "csv", *more)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    if more == ["--errors"]:
        assert [float(row["h"]) for row in rows] == [float(f"1e-{k}") for k in range(16)]
        assert all(row["complex_step"] == "" for row in rows)  # there is none by y
    elif more:
        assert [row["step"] for row in rows] == ["z1", "z2", "z3"]
        assert float(rows[-1]["d/dx"]) == 4.0
    else:
        assert len(rows) == 10
        assert [row["way"] for row in rows if not row["value"]] == ["complex_step"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["x**2"], 2, "--at is missing"),
        (["x+y", "--at", "x=1"], 2, "--at leaves out y"),
        (["x", "--at", "z=1"], 2, "--at gives z, which is not a variable"),
        (["x+y", "--at", "1"], 2, "--at has 1 value for 2 variables"),
        (["x+y", "--at", "[1,2.5]"], 2, "give each a value: --at x=1,y=2.5"),
        (["x", "--at", "x=abc"], 2, "abc is not a number"),
        (["x", "--at", "x=1", "--h", "0"], 2, "--h takes a number above 0"),
        (["x", "--at", "x=1", "--h", "nan"], 2, "--h takes a number above 0"),
        (["x", "--at", "x=1", "--trace", "--errors"], 2, "does not read --errors"),
        (["x", "--at", "x=1", "--format", "xml"], 2, "--format takes one of"),
        (["sum(v)", "--at", "v=zeros(1000000)"], 2, "up to 200 components"),
        (["sum(v)", "--at", "v=zeros(1000000)", "--trace"], 2, "up to 200 components"),
        (["sqrt(x) + log(y)", "--at", "x=-1,y=2"], 7, "at the point (sqrt(x): x = -1)"),
        (["log(y) + x", "--at", "x=1,y=-2", "--trace"], 7, "at the point (log(y): y = -2)"),
    ],
)
def test_bad_input(arguments: list[str], code: int, message: str) -> None:
    done = gd("gradient", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "--start" not in done.stderr


def test_a_trace_loads_no_algebra() -> None:
    assert not loaded("gradient", BOOK, "--at", "x=0.5", "--trace") & (HEAVY | {"typer"})


# -- complex steps as a provider ---------------------------------------------------------------------------

INSIDE = {"acosh": (1.7, 1.3), "log1p": (-0.6, 0.4), "atan2": (0.6, -0.3), "hypot": (0.6, -0.3)}


@pytest.mark.parametrize(
    "name", [n for n in FUNCTIONS if n not in numerical_derivatives.UNSUPPORTED and n not in INTERNAL]
)
def test_the_complex_step_of_each_function_is_its_derivative(name: str) -> None:
    two = FUNCTIONS[name].arity == 2
    for scale in (1.0, 0.7):
        x, y = (a * scale for a in INSIDE.get(name, (0.6, 0.4)))
        if name == "acosh":
            x = 1.0 + scale
        tree = syntax.parse(f"{name}({'x, y' if two else 'x'}) + y*x")
        exact = build_objective(tree, {"x": None, "y": None}, {}, 1)
        made = with_gradient(exact, "complex", None, {}, 1)
        at = Vec([x, y])
        assert list(made.evaluate(at, 1).gradient) == pytest.approx(
            list(exact.evaluate(at, 1).gradient), rel=2e-15
        )


@pytest.mark.parametrize("power", ["2", "3", "5", "-1", "-2.5", "0.5", "x", "200", "0"])
@pytest.mark.parametrize("x", [1.3, -1.3, 0.9, 1e-290])
def test_the_complex_step_of_powers(power: str, x: float) -> None:
    exact = build_objective(syntax.parse(f"x**({power}) + x"), {"x": None}, {}, 1)
    at = exact.evaluate(Vec([x]), 1)
    made = with_gradient(exact, "complex", None, {}, 1).evaluate(Vec([x]), 1)
    assert made.value == at.value
    if at.gradient is None or at.estimated:
        assert made.gradient is None
    else:
        assert list(made.gradient) == pytest.approx(list(at.gradient), rel=1e-14)


def test_minimise_with_complex_steps() -> None:
    start = {"x": -1.2, "y": 1}
    found = api.minimize(ROSENBROCK, start, gradient="complex", tol=1e-12)
    assert found.point == pytest.approx({"x": 1.0, "y": 1.0}, abs=1e-5)
    assert api.maximize("-sum((v-1)**2)", {"v": [0.0] * 50}, gradient="complex").value == pytest.approx(
        0.0, abs=1e-12
    )
    assert found.run.counts.gradient > 0
    assert found.run.counts.value >= 2 * found.run.counts.gradient


@pytest.mark.parametrize(
    ("expression", "start", "message"),
    [
        ("abs(x)", {"x": 1}, "does not exist for abs"),
        ("erf(x) + gamma(x)", {"x": 1}, "does not exist for erf, gamma"),
        ("sum(v**2)", {"v": [1.0] * 501}, "501 evaluations for each gradient"),
    ],
)
def test_where_there_is_no_complex_step(expression: str, start: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        api.minimize(expression, start, gradient="complex")  # type: ignore[arg-type]
    assert "autodiff" in caught.value.hint


def test_no_gradient_on_the_border_of_a_choice() -> None:
    exact = build_objective(syntax.parse("where(x > 0, x, 2*x) + y"), {"x": None, "y": None}, {}, 1)
    made = with_gradient(exact, "complex", None, {}, 1)
    assert made.evaluate(Vec([0.0, 1.0]), 1).gradient is None
    assert list(made.evaluate(Vec([1.0, 1.0]), 1).gradient) == [1.0, 1.0]
    assert list(made.evaluate(Vec([-1.0, 1.0]), 1).gradient) == [2.0, 1.0]


def test_help_fits_and_tells_every_default() -> None:
    from gdcli.cli.commands import COMMANDS

    done = gd("gradient", "-h", COLUMNS="200")
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    for option in COMMANDS["gradient"].options:
        assert f"{option.help} [default: {option.default}]" in text
