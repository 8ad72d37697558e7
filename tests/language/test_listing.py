"""`gd functions`, `gd help`, and the texts that come with the package."""

from __future__ import annotations

import json
import math
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gdcli.cli import reference_commands
from gdcli.cli.app import run
from gdcli.cli.commands import COMMANDS
from gdcli.language import form, ieee, tree_names
from gdcli.language.functions import CALLABLE, FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph
from gdcli.language.interpreter import value
from gdcli.language.listing import functions
from gdcli.language.syntax import parse

ROOT = Path(__file__).parent.parent.parent
REAL = [
    row
    for row in functions()
    if row["name"] in FUNCTIONS and row["name"] not in ("max", "min", "gamma", "lgamma")
]


def called(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(words) == 0
    return capsys.readouterr().out


# -- the language ---------------------------------------------------------------------------------------------------


def test_every_function_is_listed_with_its_meaning() -> None:
    rows = list(functions())
    assert [row["name"] for row in rows] == list(CALLABLE)
    for row in rows:
        assert row["meaning"]
        assert row["derivative"]
        assert row["call"].startswith(row["name"] + "(")
        parse(row["call"].replace("p, q", "1, 2"))
    assert all(len(row.letters) == row.arity for row in FUNCTIONS.values())


@pytest.mark.parametrize("row", REAL, ids=[row["name"] for row in REAL])
def test_the_shown_derivative_is_the_derivative(row: dict[str, Any]) -> None:
    point = {"x": 1.3 if row["name"] == "acosh" else 0.3, "y": 0.7}
    function = ieee.function(row["name"])
    for part in row["derivative"].split("; "):
        text, _, letter = part.partition(" by ")
        h = 1e-6
        ends = []
        for sign in (1, -1):
            moved = point | {(letter or "x"): point[letter or "x"] + sign * h}
            ends.append(function(*(moved[name] for name in FUNCTIONS[row["name"]].letters)))
        assert value(parse(text), point) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - INTERNAL))
def test_the_shown_domain_is_the_domain(name: str) -> None:
    row = FUNCTIONS[name]
    if row.arity != 1:
        return
    function = ieee.function(name)
    outside = [x for x in (-7.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 7.0) if not math.isfinite(function(x))]
    told = {
        "": [],
        "x > 0": [-7.0, -2.5, -1.0, -0.5, 0.0],
        "x > -1": [-7.0, -2.5, -1.0],
        "x >= 0": [-7.0, -2.5, -1.0, -0.5],
        "x >= 1": [-7.0, -2.5, -1.0, -0.5, 0.0, 0.5],
        "|x| <= 1": [-7.0, -2.5, 1.5, 7.0],
        "|x| < 1": [-7.0, -2.5, -1.0, 1.0, 1.5, 7.0],
        "x is not 0, -1, -2, ...": [-7.0, -1.0, 0.0],
    }
    assert outside == told[row.domain]


def test_what_is_listed_can_be_typed() -> None:
    for row in functions():
        tree = parse(row["call"].replace("a < b, p, q", "x < 1, x, 2"))
        lengths = {n: 3 if n in "vw" else None for n in tree_names.variables(tree, {})}
        text = tree.text if row["name"] not in ("dot", "norm") else f"{tree.text} + 0"
        form.build(parse(text), lengths, {}, graph=Graph())


def test_the_formats(capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(called(capsys, "functions", "--format", "json"))
    assert record["type"] == "functions"
    assert {row["name"] for row in record["constants"]} == {"pi", "e"}
    lines = called(capsys, "functions", "--format", "plain").splitlines()
    assert [line.split("\t") for line in lines] == [
        [row["call"], row["meaning"], row["domain"], row["derivative"]] for row in record["functions"]
    ]
    table = called(capsys, "functions")
    for row in record["functions"]:
        assert row["call"] in table
    assert max(map(len, table.splitlines())) <= 80


def test_some_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines = called(capsys, "functions", "sqrt", "gamma").splitlines()
    assert lines[0].split() == ["sqrt(x)", "square", "root", "(x", ">=", "0)"]
    assert len(lines) == 5
    for name, hint in (
        ("ln", "ln is written log here"),
        ("sinn", "did you mean sin?"),
        ("integral", "not part"),
    ):
        assert run(["functions", name]) == 2
        assert hint in capsys.readouterr().err


def test_it_is_shown_as_any_stored_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = called(capsys, "functions")
    (tmp_path / "f.json").write_text(called(capsys, "functions", "--format", "json"))
    assert called(capsys, "show", str(tmp_path / "f.json")) == table


# -- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minimize", "fit", "functions", "help"])
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "help", name) == called(capsys, name, "--help")


def test_help_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "help") == called(capsys, "--help")
    for name in ("functions", "help"):
        assert re.search(rf"^  {name} ", called(capsys, "--help"), re.MULTILINE)


def test_help_of_what_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "minimiz"]) == 2
    assert "did you mean minimize?" in capsys.readouterr().err
    assert run(["help", "curve-fit"]) == 2
    assert "write gd help fit" in capsys.readouterr().err


# -- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "lessons", "cookbook"])
def test_longer_texts(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "man", name) == (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def test_the_page_of_fit_tells_what_its_numbers_mean(capsys: pytest.CaptureFixture[str]) -> None:
    page = " ".join(called(capsys, "man", "fit").replace("\\-", "-").split())
    assert ".SH SYNOPSIS" not in page or ".SH DESCRIPTION" in page
    guide = (ROOT / "docs" / "fit.md").read_text(encoding="utf-8")
    paragraphs = [p for p in guide.split("\n\n") if re.match(r"[A-Z][^|`_*\\^~']*$", p)]
    assert paragraphs
    for paragraph in paragraphs:
        assert " ".join(paragraph.split()) in page


def test_what_the_program_refers_to_is_in_the_package() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = config["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert all(target == f"gdcli/{source}" for source, target in included.items())
    named = set()
    for path in (ROOT / "gdcli").rglob("*.py"):
        named |= set(re.findall(r"docs/\w+\.md", path.read_text(encoding="utf-8")))
    told = " ".join(command.text for command in COMMANDS.values())
    named |= {
        f"docs/{name}.md" for name in re.findall(r"gd man (\w+)", told) if name in reference_commands.texts()
    }
    assert {"docs/fit.md", "docs/json.md", "docs/lessons.md"} <= named
    assert named <= set(included)
    assert {f"docs/{name}.md" for name in reference_commands.texts()} == set(included)


def test_a_wheel_has_the_texts(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="it builds the wheel").WheelBuilder(
        str(ROOT)
    )
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        for name in reference_commands.texts():
            assert archive.read(f"gdcli/docs/{name}.md") == (ROOT / "docs" / f"{name}.md").read_bytes()
