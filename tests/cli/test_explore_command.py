"""``gd explore``: the page is whole, its programs and update rules are those of gd. (In a browser: tests/browser.)"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_html_report import gd

from gdcli import api
from gdcli.compile.update_rules import program
from gdcli.kernel.vectors import Vec
from gdcli.solve.registry import direction
from gdcli.tasks import exploration

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node")


def node(text: str) -> object:
    done = subprocess.run(["node", "-"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_page_is_one_file_with_all_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = gd("explore", "(x-a)**2 + y**2", "--set", "a=3", "--start", "x=0,y=1", "--output", str(file))
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    text = file.read_text(encoding="utf-8")
    assert len(text) < 1_500_000
    assert "default-src 'none'" in text
    assert "Copyright 2010-2026 Mike Bostock" in text  # the licence travels with the library
    given = json.loads(re.search(r'id="given">(.*?)</script>', text)[1])  # type: ignore[index]
    assert given["names"] == ["x", "y"]
    assert given["answer"] == pytest.approx([3.0, 0.0])
    assert given["command"] == "gd minimize '(x-a)**2 + y**2' --set a=3"
    assert not {part for part in ("{title}", "{rows}", "{batches}", "{formula}") if part in text}


def test_without_the_library_the_formula_is_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("latex2mathml", "latex2mathml.converter"):
        monkeypatch.setitem(sys.modules, name, None)
    file = tmp_path / "page.html"
    for words in (
        ["explore", "x**2", "--start", "1", "--output"],
        ["minimize", "x**2", "--start", "1", "--report"],
    ):
        done = gd(*words, str(file))
        assert done.returncode == 0
        assert "latex2mathml" in done.stderr
        assert "install" in done.stderr
        assert "<math" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["y ~ a*x"], "a model needs data"),
        (["sum(v**2)", "--start", "v=ones(40)"], "up to 30 variables"),
        (["x**2", "--start", "1", "--loss", "huber"], "for a model with data"),
        (["y ~ a*x + b", "docs/line.csv", "--subject-to", "a <= 1"], "without data"),
        (["x**2", "--start", "1", "--output", "page.txt"], "ends in .html"),
    ],
)
def test_what_cannot_be_shown_is_told(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path("docs").resolve()
    monkeypatch.chdir(tmp_path)
    done = gd("explore", *(word.replace("docs", str(data)) for word in words))
    assert (done.returncode, told in done.stderr) == (2, True)
    assert not Path("explore.html").exists()


@needs_node
def test_value_gradient_and_hessian_are_those_that_are_solved() -> None:
    problem = api.read_problem(
        "exp(x*y/4) - y**3*x + where(x < y, x**2, y)", "maximize", ["x=0.5,y=1.25"], []
    )
    made = exploration.of_problem(problem, None)
    found = node(
        f"{made.program}const [v, g, h] = [[], [], []];\nconst p = {made.given['start']};\n"
        "program.value(p, v); program.gradient(p, g); program.hessian(p, h);\nconsole.log(JSON.stringify([v, g, h]));"
    )
    at = problem.objective(problem.sign).evaluate(Vec(made.given["start"]), 2)
    assert at.gradient is not None
    assert at.hessian is not None
    triangle = [at.hessian[i][j] for i in range(2) for j in range(i + 1)]
    assert found == [[pytest.approx(at.value)], pytest.approx(list(at.gradient)), pytest.approx(triangle)]


@needs_node
@pytest.mark.parametrize("name", exploration.RULES)
def test_update_rules_have_the_same_bits(name: str) -> None:
    """Sums, products, quotients and roots only: the same text, the same numbers."""
    problem = api.read_problem("x**2 + y", "minimize", ["x=1,y=2"], [])
    made = exploration.of_problem(problem, None)
    method = next(m for m in made.given["methods"] if m["name"] == name)
    gradients = [[0.3 * k - 1.1, 2.0 / (k + 1)] for k in range(6)]
    found = node(
        f"{made.program}const rule = rules.{name}, m = {json.dumps(method)}, s = [...m.scalars];\n"
        "const w = [0, 1].map(() => new Array(m.vectors).fill(0)), c = Object.values(m.constants);\n"
        f"console.log(JSON.stringify({gradients}.map((g) => {{\n"
        "rule.shared(s, c); return g.map((v, i) => rule.component(v, w[i], s, c)); })));"
    )
    rule = direction("sgd" if name == "gd" else name)
    advance = program(rule.update, arrays=False)
    at = problem.objective(problem.sign).evaluate(Vec([1.0, 2.0]), 1)
    state, wanted = rule.start(at), []
    for gradient in gradients:
        d, state = advance(rule, Vec(gradient), state)
        wanted.append(list(d))
    assert found == wanted


@needs_node
def test_rows_have_their_losses_and_sides() -> None:
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitRequest

    data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 3.0, 5.0]}
    with prepared(FitRequest("y ~ a*x + b", data=data, start=("a=1,b=0.5",))) as ready:
        made = exploration.of_rows(ready, 0.1)
    found = node(
        f"{made.program}const rows = {made.given['rows']};\nconsole.log(JSON.stringify(rows.map((r) => {{\n"
        "const [v, s] = [[], []]; rowProgram.value([1, 0.5, ...r], v); rowSides.values([1, 0.5, ...r], s);\n"
        "return [v[0], ...s]; })));"
    )
    wanted = [[(y - x - 0.5) ** 2, y, x + 0.5] for x, y in zip(data["x"], data["y"], strict=True)]
    assert found == [pytest.approx(row) for row in wanted]
    assert made.given["over"] == made.given["columns"].index("x")
