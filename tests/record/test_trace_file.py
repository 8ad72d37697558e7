"""`--trace FILE`: the path beside the answer; and the parameters of a fit as CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from gdcli.cli.app import run

BANANA = ["100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"]
LINE = "y ~ a*t + b"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [f"{t},{2 * t + 1 + (-1) ** t * 0.1}" for t in range(20)]
    (tmp_path / "line.csv").write_text("\n".join(["t,y", *rows]))
    return tmp_path


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


# -- the parameters of a fit ------------------------------------------------------------------------------------------


def test_csv_of_a_fit_has_the_parameters(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", LINE, "line.csv", "--format", "csv"]) == 0
    head, *rows = table(capsys.readouterr().out)
    assert head == ["parameter", "value", "standard_error", "t", "low", "high"]
    assert run(["fit", LINE, "line.csv", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for name, *cells in rows:
        errors = [told["standard_errors"][name], told["t"][name], *told["confidence"][name]]
        assert list(map(float, cells)) == [told["point"][name], *errors]
    assert [row[0] for row in rows] == ["a", "b"]


@pytest.mark.parametrize("more", [["--epochs", "3"], ["--bounds", "a=:1.5"], ["--loss", "huber"]])
def test_what_is_not_known_is_empty(more: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["fit", "y ~ v[0]*t + v[1]*t + b", "line.csv", "--start", "v=[1,1],b=0", "--format", "csv"])
    rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["parameter", "v[0]", "v[1]", "b"]
    assert rows[1][2] == rows[1][4] == ""  # nobody knows them apart
    run(["fit", LINE, "line.csv", "--format", "csv", *more])
    assert [row[0] for row in table(capsys.readouterr().out)] == ["parameter", "a", "b"]


# -- the path in a file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["minimize", *BANANA],
        ["maximize", "-(x-1)**2", "--start", "x=5"],
        ["minimize", *BANANA, "--every", "7"],
        ["minimize", *BANANA, "--lr", "0.001", "--max-iter", "3000", "--every", "100"],
        ["minimize", "x**4-x**2+0.1*x", "--start", "x=2", "--multi-start", "5"],
        ["minimize", *BANANA, "--timing"],
    ],
    ids=" ".join,
)
def test_the_path_is_what_the_formats_say(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*words, "--format", "csv"])
    path = table(capsys.readouterr().out)
    assert run([*words, "--trace", "path.csv"]) == code
    answer = capsys.readouterr().out
    assert table(Path("path.csv").read_bytes().decode())[0] == path[0]
    seconds = path[0].index("seconds") if "seconds" in path[0] else len(path[0])
    traced = table(Path("path.csv").read_bytes().decode())
    assert [row[:seconds] for row in traced] == [row[:seconds] for row in path]
    assert run(words) == code
    assert capsys.readouterr().out == answer or "--timing" in words
    run([*words, "--format", "jsonl", "--trace", "path.jsonl"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    traced_lines = [json.loads(line) for line in Path("path.jsonl").read_text().splitlines()]
    assert traced_lines == lines[:-1]
    assert {line["type"] for line in traced_lines} == {"iterate"}


@pytest.mark.parametrize("more", [[], ["--epochs", "4"], ["--epochs", "4", "--polish"]])
def test_the_path_of_a_fit(more: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", LINE, "line.csv", *more]
    run([*words, "--format", "jsonl"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()][:-1]
    run([*words, "--trace", "path.jsonl", "--format", "csv"])
    assert capsys.readouterr().out.startswith("parameter,")
    assert [json.loads(line) for line in Path("path.jsonl").read_text().splitlines()] == lines
    run([*words, "--trace", "path.csv"])
    head, *rows = table(Path("path.csv").read_bytes().decode())
    assert head[-2:] == ["a", "b"]
    assert [[float(cell) for cell in row[-2:]] for row in rows] == [
        [line["point"][name] for name in "ab"] for line in lines
    ]


REFUSED = [
    (["minimize", *BANANA, "--trace", "no/folder.csv"], "cannot write the file"),
    (["minimize", *BANANA, "--trace", "."], "it is a directory"),
    (["minimize", *BANANA, "--trace", "-"], "--trace takes a file"),
    (["minimize", *BANANA, "--trace", "a.csv", "--output", "a.csv"], "name the same file"),
    (["fit", LINE, "line.csv", "--trace", "line.csv"], "--trace would overwrite the data"),
    (["fit", LINE, "line.csv", "--trace", "a.csv", "--by", "t"], "--trace does not go with --by"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_cannot_be_written_is_told_before_the_run(
    words: list[str], told: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir("."))
    assert run(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert "--trace" in shown.err
    assert sorted(os.listdir(".")) == before


def test_a_run_that_fails_leaves_the_old_path(place: Path) -> None:
    Path("path.csv").write_text("old")
    assert run(["minimize", "log(x)*0", "--start", "x=-1", "--trace", "path.csv"]) == 7
    assert Path("path.csv").read_text() == "old"
    assert sorted(os.listdir(".")) == ["line.csv", "path.csv"]


def test_a_path_alone_is_no_answer_and_that_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["minimize", *BANANA, "--trace", "path.jsonl"])
    capsys.readouterr()
    assert run(["show", "path.jsonl"]) == 8
    assert "--format jsonl has both" in capsys.readouterr().err
