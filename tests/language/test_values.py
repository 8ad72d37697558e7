"""The texts of --start and --set: what they give, and what is said when they are wrong."""

from __future__ import annotations

import contextlib
import json
import math
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from expressions import STABLE
from hypothesis import given
from hypothesis import strategies as st

from gdcli.kernel.errors import UsageError
from gdcli.language.values import LIST_SIZE, normals, read_values


def read(*texts: str, seed: int = 0) -> dict[str, Any]:
    return {entry.name: entry.value for entry in read_values(texts, "--start", seed)}


def fails(*texts: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(*texts)
    return caught.value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x=1,y=-2.5e3", {"x": 1.0, "y": -2500.0}),
        (" x = 1 , y = .5 ", {"x": 1.0, "y": 0.5}),
        ("x=pi/2,y=-e**2", {"x": math.pi / 2, "y": -(math.e * math.e)}),
        ("x=atan2(1,2)", {"x": math.atan2(1, 2)}),
        ("x=max(1,sqrt(16),3)", {"x": 4.0}),
        ("x=2^3", {"x": 8.0}),
        ("v=[10,20,4,5]", {"v": [10.0, 20.0, 4.0, 5.0]}),
        ("v=[ 1 , -pi , 2*(3+4) ],x=3", {"v": [1.0, -math.pi, 14.0], "x": 3.0}),
        ("v=[7]", {"v": [7.0]}),
        ("v=zeros(3)", {"v": [0.0, 0.0, 0.0]}),
        ("v=ones(2)", {"v": [1.0, 1.0]}),
        ("v=full(2, pi)", {"v": [math.pi, math.pi]}),
        ("v=linspace(0,1,5)", {"v": [0.0, 0.25, 0.5, 0.75, 1.0]}),
        ("v=linspace(2,9,1)", {"v": [2.0]}),
        ("v=zeros(2*3)", {"v": [0.0] * 6}),
        ("ﬁ=1", {"fi": 1.0}),
        ("α=1_000", {"α": 1000.0}),
    ],
)
def test_values(text: str, values: dict[str, Any]) -> None:
    assert read(text) == values


def test_values_alone_have_no_name() -> None:
    entries = read_values(["3,4", "[1,2]"], "--start")
    assert [(e.name, e.value) for e in entries] == [("", 3.0), ("", 4.0), ("", [1.0, 2.0])]
    assert [e.span.text[e.span.start : e.span.end] for e in entries] == ["3", "4", "[1,2]"]


def test_several_texts_are_read_in_order() -> None:
    assert list(read("x=1", "y=2,a=3")) == ["x", "y", "a"]


def test_random_values_are_reproducible_and_differ_from_vector_to_vector() -> None:
    first = read("u=random(5),v=random(5)", "w=random(5)", seed=3)
    assert first == read("u=random(5),v=random(5)", "w=random(5)", seed=3)
    assert first["u"] == list(islice(normals(3), 5)) == read("v=random(5)", seed=3)["v"]
    assert len({tuple(vector) for vector in first.values()}) == 3
    assert first["u"] != read("u=random(5)", seed=4)["u"]


@pytest.mark.parametrize(
    "text", ["zeros(1000000)", "full(1000000,2)", "ones(2000)", "linspace(0,1,100001)", "random(2000)"]
)
def test_long_vectors_are_arrays(text: str) -> None:
    values = read("v=" + text)["v"]
    assert len(values) > LIST_SIZE
    assert values.dtype == float


WRONG = [
    ("x=", "x=", "value is missing"),
    ("x=1,", " ", "value is missing"),
    ("x=1,,y=2", "", "value is missing"),
    ("=1", "", "not a name"),
    ("2x=1", "2x", "not a name"),
    ("_x=1", "_x", "not a name"),
    ("x y=1", "x y", "not a name"),
    ("x=abc", "abc", "unknown name abc"),
    ("x=1+q*2", "1+q*2", "unknown name q"),
    ("x=2 3", "2 3", "operator is missing"),
    ("x=[1,2", "x=[1,2", "never closed"),
    ("x=1]", "]", "closes nothing"),
    ("v=[]", "[]", "empty"),
    ("v=[1,,2]", "", "missing"),
    ("v=[1,[2]]", "[", "list has no place"),
    ("v=[1,two]", "two", "not a number"),
    ("v=[1,2]3", "[1,2]3", "not closed by ]"),
    ("x=nan", "nan", "not a finite number"),
    ("x=-inf", "-inf", "not a finite number"),
    ("x=1e999", "1e999", "not a finite number"),
    ("x=1/0", "1/0", "not a finite number"),
    ("x=log(-1)", "log(-1)", "not a finite number"),
    ("x=9**9**9**9", "9**9**9", "too large"),
    ("x=sum(1)", "sum(1)", "needs a vector"),
    ("x=v[0]", "v[0]", "unknown name v"),
    ("x=1=2", "=", "no place"),
    ("x='a'", "'", "quotes"),
    ("x=__import__('os')", "__import__('os')", ""),
    ("v=zeros(0)", "zeros(0)", "not a length"),
    ("v=zeros(2.5)", "zeros(2.5)", "not a length"),
    ("v=zeros(-3)", "zeros(-3)", "not a length"),
    ("v=zeros(1e9)", "zeros(1e9)", "not a length"),
    ("v=full(3)", "full(3)", "full takes 2 arguments: full(n, value)"),
    ("v=linspace(0,1)", "linspace(0,1)", "takes 3 arguments"),
    ("v=zeros(n)", "n", "unknown name n"),
    ("v=zeros(3)+1", "zeros", "unknown function zeros"),
]


@pytest.mark.parametrize(("text", "piece", "message"), WRONG)
def test_errors(text: str, piece: str, message: str) -> None:
    error = fails(text)
    assert message in error.message
    assert error.span is not None
    assert error.span.source == "--start"
    assert error.span.text == text
    assert 0 <= error.span.start < error.span.end <= len(text) + 1
    if piece.strip():
        place = text[error.span.start : error.span.end]
        assert place == piece or text.startswith("x=__")


def test_a_name_given_twice_and_an_empty_text() -> None:
    assert "gives x twice" in fails("x=1", "x=2").message
    assert "gives x twice" in fails("x=1,ｘ=2").message
    assert "empty" in fails("  ").message


@pytest.mark.parametrize(
    "text", ["v=[" + "1," * 400_000 + "1]", "(" * 1_000_000, "x=" + "9" * 1_000_000, "," * 1_000_000]
)
def test_long_texts_are_quick(text: str) -> None:
    started, said = time.process_time(), ""
    try:
        read(text)
    except UsageError as error:
        said = error.message
    assert len(said) < 1000
    assert time.process_time() - started < 1.5


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    file.write_text('\ufeff{"x": 1, "v": [1, 2.5], "ﬁ": 0}', encoding="utf-8")
    assert read(f"@{file}") == {"x": 1.0, "v": [1.0, 2.5], "fi": 0.0}
    file.write_text(json.dumps({"schema": "gd.result/1", "type": "result", "point": {"x": 3}, "value": 1}))
    assert read(f"@{file}") == {"x": 3.0}
    file.write_text('{"type":"iterate","point":{"x":1}}\n{"type":"result","point":{"x":2}}\n')
    assert read(f"@{file}") == {"x": 2.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("x=1", "not JSON"),
        ("[1, 2]", "holds no point"),
        ('{"point": 3}', "holds no point"),
        ('{"x": "1"}', "x is not a finite number"),
        ('{"x": true}', "x is not a finite number"),
        ('{"x": null}', "x is not a finite number"),
        ('{"x": NaN}', "x is not a finite number"),
        ('{"v": []}', "v is not a finite number"),
        ('{"v": [1, [2]]}', "v is not a finite number"),
        ('{"x": 1' + "0" * 400 + "}", "x is not a finite number"),
        ("[" * 100_000, "not JSON"),
        ('{"x": 1' + "0" * 5000 + "}", ""),
    ],
)
def test_wrong_files(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "start.json"
    file.write_text(content)
    error = fails(f"@{file}")
    assert message in error.message
    assert str(file) in error.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "missing", binary, "", "a\0b", "x" * 5000):
        assert "cannot read" in fails(f"@{path}").message


@STABLE
@given(
    st.text(alphabet="xv=,[]()12.e-+*/pi zeros\u00e9\n_@'", max_size=20).filter(
        lambda t: not t.startswith("@")
    )
)
def test_random_texts_raise_nothing_else(text: str) -> None:
    with contextlib.suppress(UsageError):
        read(text)
