"""Programs of other languages: each is run as it stands, and says what `gd` says."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from processes import gd

from gdcli import api
from gdcli.compile import export_text
from gdcli.kernel.errors import UsageError
from gdcli.language import form
from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph
from gdcli.tasks import export
from gdcli.tasks.problem import parsed

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
needs_awk = pytest.mark.skipif(shutil.which("awk") is None, reason="no awk")

OBJECTIVES = [
    ("(x-a)**2 + 3*(y-x)**2", "x=1,y=2", "a=1.5"),
    ("where(x < 0.5, x**2, log(x)) + exp(-y)*y**2 + x**4", "x=0.3,y=0.1", ""),
    ("sum((v-c)**2) + gamma(2+v[0]**2) + erf(v[1])", "v=[1,2]", "c=[0.5,-1.25]"),
    ("max(x, y) + min(x, 2*y) + abs(x-1) + hypot(x, y) + cbrt(2+y) + x**2.5", "x=2,y=1.5", ""),
    ("sigmoid(x) + softplus(-x) + lgamma(3+x) + x**2/9 + relu(x-1) + floor(x/100)", "x=0.4", ""),
    ("asinh(x)**2 + atan2(x, 2)**2 + tanh(x)*x + log1p(x**2) + 1e-300*x", "x=0.7", ""),
]


def written(expression: str, start: str, constants: str, language: str) -> tuple[api.Outcome, str]:
    given = [constants] if constants else []
    problem = api.read_problem(expression, "minimize", [start], given)
    outcome = api.solve(problem, api.Settings(max_iter=1))
    return outcome, export.objective(outcome, language)


def expected(outcome: api.Outcome) -> list[float]:
    problem = outcome.problem
    found = api.minimize(problem.expression, outcome.point, constants=problem.constants, max_iter=0)
    gradient = found.run.best.at.gradient
    assert gradient is not None
    return [found.value, *map(float, gradient)]


def ran(*words: str, stdin: str = "") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("expression", "start", "constants"), OBJECTIVES)
def test_python_has_the_same_bits(tmp_path: Path, expression: str, start: str, constants: str) -> None:
    outcome, text = written(expression, start, constants, "python")
    (tmp_path / "f.py").write_text(text)
    assert [float(w) for w in ran(sys.executable, str(tmp_path / "f.py")).split()] == expected(outcome)


@pytest.mark.parametrize(("start", "ending"), [("x=1", "(x0 * 2.0),)"), ("x=1,y=2", ")")])
def test_python_returns_each_slope_once(start: str, ending: str) -> None:
    _, text = written("x**2" if start == "x=1" else "x**2*y", start, "", "python")
    returned = [line for line in text.splitlines() if "return" in line][-1]
    assert returned.count(", ") == start.count(",")
    assert returned.endswith(ending)
    assert "[:" not in returned


@needs_gcc
@pytest.mark.parametrize(("expression", "start", "constants"), OBJECTIVES)
def test_c_agrees(tmp_path: Path, expression: str, start: str, constants: str) -> None:
    outcome, text = written(expression, start, constants, "c")
    (tmp_path / "f.c").write_text(text)
    words = ("-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Werror", "-Wno-parentheses", "-ffp-contract=off")
    ran("gcc", *words, "-o", str(tmp_path / "f"), str(tmp_path / "f.c"), "-lm")
    found = [float(w) for w in ran(str(tmp_path / "f")).split()]
    assert found == pytest.approx(expected(outcome), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("expression", "start", "constants"),
    [*OBJECTIVES[:3], ("(x-a)**2 * exp(x)", "x=1", "a=1.23456789012345")],
)
def test_latex_is_balanced_and_has_the_numbers(expression: str, start: str, constants: str) -> None:
    _, text = written(expression, start, constants, "latex")
    formula = text.splitlines()[-1]
    assert formula.startswith("f(")
    assert formula.count("{") == formula.count("}") > 0
    assert formula.count(r"\left") == formula.count(r"\right")
    assert formula.count(r"\begin") == formula.count(r"\end")
    for number in re.findall(r"\d\.\d{9,}", constants):
        assert number in formula


def test_what_cannot_be_said_is_told_before_the_run() -> None:
    done = gd("minimize", "x**2", "--start", "x=1", "--emit", "sql")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--emit sql is for the formula of a fit" in done.stderr
    for other in (["--format", "json"], ["--print", "x"]):
        done = gd("minimize", "x**2", "--start", "x=1", "--emit", "c", *other)
        assert (done.returncode, "exclude each other" in done.stderr) == (2, True)
    done = gd("minimize", "sum(v**2)", "--start", "v=ones(500)", "--emit", "python")
    assert (done.returncode, "up to 200 numbers" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["minimize", "x**2 + y", "--start", "1,1", "--bounds", "y=0:"],
        ["fit", "y ~ a + b*t", "docs/decay.csv"],
    ],
)
def test_a_picture_in_the_terminal_leaves_the_program_alone(words: list[str]) -> None:
    pytest.importorskip("plotext")
    alone = gd(*words, "--emit", "python")
    drawn = gd(*words, "--emit", "python", "--plot", "-")
    assert (drawn.returncode, drawn.stdout) == (0, alone.stdout)
    assert "┤" in drawn.stderr


def test_no_comment_can_be_left() -> None:
    assert export_text.comment(["a\nb\r\u2028c"], "#") == "# a b  c\n"


# -- fits ------------------------------------------------------------------------------------------------------------

FITS = [
    ("y ~ a*exp(-b*t) + c", ["--start", "a=1,b=1,c=0"], "t"),
    ("y ~ a + b*t + c*where(t < 1, t**2, sqrt(t))", [], "t"),
    ("y ~ a + b*tanh(t) + c*max(t, u)", [], "t u"),
    ("t > 1 ~ 0", [], ""),
    ("y ~ X @ w + b", ["--columns", "X=t|u"], "t u"),
]
FITS.pop(3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "some.csv"
    rows = [
        (
            k,
            k % 3 - 1,
            2.0 * math.exp(-1.3 * k / 7) + 0.5 + 0.01 * math.sin(9 * k),
            int(k > 12 or k in (3, 7)),
        )
        for k in range(20)
    ]
    file.write_text("t,u,y,won\n" + "".join(f"{k},{u},{y!r},{w}\n" for k, u, y, w in rows))
    return file


def emitted(
    data: Path, model: str, more: list[str], language: str
) -> tuple[str, list[float], list[list[str]]]:
    done = gd("fit", model, str(data), *more, "--emit", language)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(gd("fit", model, str(data), *more, "--predict", "-").stdout)))
    return done.stdout, [float(row["fitted"]) for row in rows], [list(row.values()) for row in rows]


def fitted_column(text: str) -> list[float]:
    return [float(row["fitted"]) for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize(("model", "more", "columns"), FITS)
def test_the_fitted_formula_in_every_language(
    tmp_path: Path, data: Path, model: str, more: list[str], columns: str
) -> None:
    text, said, rows = emitted(data, model, more, "python")
    (tmp_path / "f.py").write_text(text)
    assert fitted_column(
        ran(sys.executable, str(tmp_path / "f.py"), stdin=data.read_text())
    ) == pytest.approx(said, rel=1e-14)
    if shutil.which("awk"):
        text, _, _ = emitted(data, model, more, "awk")
        (tmp_path / "f.awk").write_text(text)
        assert fitted_column(ran("awk", "-f", str(tmp_path / "f.awk"), str(data))) == pytest.approx(
            said, rel=1e-13
        )
    if shutil.which("gcc"):
        text, _, _ = emitted(data, model, more, "c")
        (tmp_path / "f.c").write_text(text)
        ran("gcc", "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Werror", "-Wno-parentheses", "-o",
            str(tmp_path / "f"), str(tmp_path / "f.c"), "-lm")  # fmt: skip
        places = [["t", "u", "y", "won"].index(name) for name in columns.split()]
        numbers = "\n".join(" ".join(row[k] for k in places) for row in rows)
        found = [float(w) for w in ran(str(tmp_path / "f"), stdin=numbers).split()]
        assert found == pytest.approx(said, rel=1e-13)


@pytest.mark.parametrize(("model", "more", "columns"), FITS)
def test_the_fitted_formula_in_sql(data: Path, model: str, more: list[str], columns: str) -> None:
    base = sqlite3.connect(":memory:")
    try:
        base.execute("SELECT exp(1.0)")
    except sqlite3.OperationalError:
        pytest.skip("this sqlite has no mathematics")
    text, said, rows = emitted(data, model, more, "sql")
    base.execute('CREATE TABLE "some" (t INTEGER, u INTEGER, y REAL, won INTEGER)')
    base.executemany('INSERT INTO "some" VALUES (?, ?, ?, ?)', [row[:4] for row in rows])
    assert [row[-1] for row in base.execute(text)] == pytest.approx(said, rel=1e-13)


def test_a_fitted_formula_in_latex(data: Path) -> None:
    text, _, _ = emitted(data, "y ~ a + b*t", [], "latex")
    answer = json.loads(gd("fit", "y ~ a + b*t", str(data), "--format", "json").stdout)
    formula = text.splitlines()[-1]
    assert formula.startswith(r"\widehat{\mathrm{y}} = ")
    assert all(repr(abs(value)) in formula for value in answer["point"].values())
    assert formula.count("{") == formula.count("}")


def test_a_logistic_fit_says_probabilities(tmp_path: Path, data: Path) -> None:
    for language in ("python", "sql"):
        text, said, rows = emitted(data, "won ~ a + b*t", ["--loss", "logistic"], language)
        assert all(0 < p < 1 for p in said)
        if language == "python":
            (tmp_path / "f.py").write_text(text)
            found = fitted_column(ran(sys.executable, str(tmp_path / "f.py"), stdin=data.read_text()))
        else:
            base = sqlite3.connect(":memory:")
            base.execute("CREATE TABLE some (t, u, y, won)")
            base.executemany("INSERT INTO some VALUES (?, ?, ?, ?)", [row[:4] for row in rows])
            found = [row[-1] for row in base.execute(text)]
        assert found == pytest.approx(said, rel=1e-13)


def test_every_function_has_a_counterpart_or_is_named() -> None:
    """SQL and awk, function by function, against the language itself at a point inside each domain."""
    base = sqlite3.connect(":memory:")
    for name, row in FUNCTIONS.items():
        if name in INTERNAL:
            continue
        x = 1.25 if name == "acosh" else 0.375
        call = f"{name}(x)" if row.arity == 1 else f"{name}(x, 0.75)"
        graph = Graph()
        root = form.build_row(parsed(call, ""), graph, {"x": None}, {}, {})
        value = api.minimize(f"{call} + 0*x", {"x": x}, max_iter=0).value
        try:
            text = export_text.sql(graph, root, {("scalar", "x"): repr(x)})
        except UsageError as error:
            assert name in ("erf", "gamma", "lgamma")
            assert name in error.message  # noqa: PT017
        else:
            assert base.execute(f"SELECT {text}").fetchone()[0] == pytest.approx(value, rel=1e-14)
        if shutil.which("awk"):
            text = export_text.function("f", graph, [root], {("scalar", "x"): "x"}, "x", safe=False)
            program = export_text.awk_functions(text, graph, [root]) + export_text.in_awk(text)
            program += f'BEGIN {{ inf = -log(0); printf "%.17g\\n", f({x}) }}\n'
            assert float(ran("awk", program)) == pytest.approx(value, rel=1e-13)


def test_a_start_from_standard_input() -> None:
    first = gd("minimize", "(x-3)**2 + y**2", "--start", "x=0,y=1", "--format", "json").stdout
    done = gd("minimize", "(x-3)**2 + y**4", "--start", "@-", "--format", "json", stdin=first.encode())
    assert json.loads(done.stdout)["problem"]["start"] == json.loads(first)["point"]
    done = gd("minimize", "-", "--start", "@-", stdin=b"x**2")
    assert (done.returncode, "standard input is not JSON" in done.stderr) == (2, True)
    done = gd("run", "-", stdin=b'{"expression": "x**2", "start": "@-"}\n')
    assert "standard input is not for the values of a problem" in json.loads(done.stdout)["message"]
