"""Programs in JavaScript: node computes with them what CPython computes."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from effort import WHOLE
from processes import gd

from gdcli import api
from gdcli.compile import export_text
from gdcli.language import form, ieee
from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph
from gdcli.tasks import export
from gdcli.tasks.problem import parsed

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node")

X, Y = ("scalar", "x"), ("scalar", "y")
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 710.0, -745.0, 1e-310, math.inf, -math.inf, math.nan)
# Units in the last place by which the mathematics of V8 (FDLIBM) may be away from that of the C library; the functions
# of our own add up such differences. Where terms cancel (negative zeros) they are compared as numbers.
ULPS = {"log10": 2, "sinh": 2, "tanh": 2, "gamma": 4, "sigmoid": 2, "softplus": 2, "lgamma": 4, "digamma": 4}
CANCELS = ("lgamma", "digamma")


def node(program: str, *given: str) -> str:
    done = subprocess.run(["node", "-", *given], input=program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def function(graph: Graph, root: int, name: str, head: str) -> str:
    text = export_text.function(name, graph, [root], {X: "x", Y: "y"}, head, safe=False)
    return export_text.javascript_functions(graph, [root]) + export_text.in_javascript(text)


def bits(value: float) -> str:
    return "nan" if value != value else struct.pack(">d", value).hex()


READ = """
const bits = Buffer.alloc(8);
const number = (hex) => (hex === "nan" ? NaN : Buffer.from(hex, "hex").readDoubleBE(0));
const hex = (value) => { bits.writeDoubleBE(value); return value !== value ? "nan" : bits.toString("hex"); };
"""


def values(functions: dict[str, tuple[str, list[tuple[float, ...]]]]) -> dict[str, list[float]]:
    """Return the values of functions ``f`` in JavaScript at points, by name; one process computes them all."""
    program = READ + "const said = {};\n"
    for name, (text, points) in functions.items():
        given = json.dumps([[bits(v) for v in point] for point in points])
        program += f"{{\n{text}\nsaid[{name!r}] = {given}.map((p) => hex(f(...p.map(number))));\n}}\n"
    said = json.loads(node(program + "console.log(JSON.stringify(said));\n"))
    return {
        name: [math.nan if v == "nan" else struct.unpack(">d", bytes.fromhex(v))[0] for v in found]
        for name, found in said.items()
    }


def near(name: str, found: float, wanted: float) -> bool:
    if found == wanted or (found != found and wanted != wanted):
        return True
    scale = max(1.0, abs(wanted)) if name in CANCELS else abs(wanted)
    return abs(found - wanted) <= ULPS.get(name, 1) * math.ulp(scale)


def test_every_function_is_within_an_ulp_of_cpython() -> None:
    draw = random.Random(19)
    count = 5000 if WHOLE else 150
    numbers = [*EDGES, *(draw.gauss(0.0, 1.0) * 10 ** draw.uniform(-3, 2) for _ in range(count))]
    functions = {}
    for name in (*FUNCTIONS, "power"):
        graph = Graph()
        arity = FUNCTIONS[name].arity if name in FUNCTIONS else 2
        arguments = [graph.scalar("x"), graph.scalar("y")][:arity]
        root = graph.node("pow" if name == "power" else name, *arguments)
        points = [(x,) if arity == 1 else (x, draw.choice(numbers)) for x in numbers]
        functions[name] = function(graph, root, "f", "x, y"[: 3 * arity - 2]), points
    for name, found in values(functions).items():
        wanted = [ieee.function(name)(*point) for point in functions[name][1]]
        wrong = [
            (p, f, w)
            for p, f, w in zip(functions[name][1], found, wanted, strict=True)
            if not near(name, f, w)
        ]
        assert not wrong, (name, wrong[:3])


def test_arithmetic_has_the_same_bits() -> None:
    """Sums, products, quotients, roots, whole powers and choices are those of IEEE 754 in both."""
    text = "where(x < y, x**3 - y/x, sqrt(abs(x*y)) + max(x, y)/3) - 1/(x*y) + floor(x) + 1e-308*y + sign(y)"
    draw = random.Random(7)
    numbers = [*EDGES, *(draw.gauss(0.0, 1.0) * 10 ** draw.uniform(-9, 9) for _ in range(300))]
    points = [(x, draw.choice(numbers)) for x in numbers]
    graph = Graph()
    root = form.build_row(parsed(text, ""), graph, {"x": None, "y": None}, {}, {})
    found = values({"f": (function(graph, root, "f", "x, y"), points)})["f"]
    space = {name: ieee.function(name) for name in ("div", "sqrt", "abs", "sign", "floor", "max")}
    source = export_text.function("f", graph, [root], {X: "x", Y: "y"}, "x, y", safe=True)
    exec(source, space | {"inf": math.inf, "nan": math.nan}, space)
    assert [bits(v) for v in found] == [bits(float(space["f"](*p))) for p in points]


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in INTERNAL] if WHOLE else ["gamma", "max", "cbrt"]
)
def test_an_objective_with_its_gradient_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    x = 1.75 if name == "acosh" else 0.375
    call = f"{name}(x)" if FUNCTIONS[name].arity == 1 else f"{name}(x, y)"
    problem = api.read_problem(f"{call} + x**2 + y**2/3", "minimize", [f"x={x},y=0.75"], [])
    outcome = api.solve(problem, api.Settings(max_iter=0))
    file = tmp_path / "f.js"
    file.write_text(export.objective(outcome, "javascript"))
    done = subprocess.run(["node", str(file)], capture_output=True, text=True, check=True)
    at = outcome.run.best.at
    assert at.gradient is not None
    assert [float(w) for w in done.stdout.split()] == pytest.approx([at.value, *at.gradient], rel=1e-14)
    wanted = f"const f = require({str(file)!r}); console.log(f.NAMES.length, f.gradient(f.POINT).length);"
    assert node(wanted).split() == ["2", "2"]


def test_a_fitted_formula_adds_its_column(tmp_path: Path) -> None:
    data = tmp_path / "some.csv"
    data.write_text("t,y\n" + "".join(f"{k},{2.0 * math.exp(-k / 5) + 0.1 * (k % 3)!r}\n" for k in range(9)))
    words = ["fit", "y ~ a*exp(-b*t) + c", str(data), "--start", "a=1,b=1,c=0"]
    (tmp_path / "f.js").write_text(gd(*words, "--emit", "javascript").stdout)
    done = subprocess.run(
        ["node", str(tmp_path / "f.js")], input=data.read_text(), capture_output=True, text=True, check=True
    )
    wanted = [
        float(row["fitted"]) for row in csv.DictReader(io.StringIO(gd(*words, "--predict", "-").stdout))
    ]
    found = [float(row["fitted"]) for row in csv.DictReader(io.StringIO(done.stdout))]
    assert found == pytest.approx(wanted, rel=1e-14)
