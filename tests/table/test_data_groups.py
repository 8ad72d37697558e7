"""Columns of labels: texts and numbers, by which rows form groups, read alike from every kind of source."""

from __future__ import annotations

import gzip
import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import DataError
from gdcli.table import delimited_text
from gdcli.table.cells import label
from gdcli.table.row_groups import Groups
from gdcli.table.source import open_table
from gdcli.table.spool import gather
from gdcli.table.typed_rows import as_label

QUICK = ["split", *(["polars"] if find_spec("polars") else [])]


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        *[("a", "a"), (" a b ", "a b"), ("1", 1.0), ("1.0", 1.0), ("1e0", 1.0), ("-0", 0.0), ("+2", 2.0)],
        *[("007", "007"), ("0.5", 0.5), ("-01", "-01"), ("inf", "inf"), ("1_0", "1_0"), ("x_y", "x_y")],
        *[("9007199254740993", "9007199254740993"), ("1e300", "1e300")],
        *[("", None), (" ", None), ("NA", None), ("nan", None), ("null", None)],
    ],
)
def test_what_a_cell_says(cell: str, wanted: Any) -> None:
    assert label(cell) == wanted
    assert type(label(cell)) is type(wanted)


def test_what_a_value_of_json_says() -> None:
    values = ["a ", "1", 1, 1.5, True, None, "NA", float("nan"), [1], 2**53 + 1]
    wanted = ["a", "1", 1.0, 1.5, "true", None, None, None, None, "9007199254740993"]
    assert [as_label(value) for value in values] == wanted


def read(source: Any, by: list[str], columns: list[str], missing: str = "error", **options: Any) -> Any:
    """The keys in order, the rows of each group, what was left out; or the error."""
    stdin = io.BytesIO(source) if isinstance(source, bytes) else None
    groups = Groups(by)
    try:
        with (
            open_table(["-" if stdin else str(source)], stdin=stdin, missing=missing, **options) as table,  # type: ignore[arg-type]
            gather(table, columns, by=groups) as data,
        ):
            *values, number = (np.array(a) for a in data.take(0, data.rows))
            ranked = groups.ranked()
            left = {groups.keys[k]: out for k, out in groups.left_out.items()}
            told = {
                key: (out.skipped, out.places, out.fault and out.fault.message) for key, out in left.items()
            }
            rows = {groups.keys[k]: [v[number == k].tolist() for v in values] for k in ranked}
            return list(rows.items()), told
    except DataError as error:
        return error.message, error.hint, error.span


MIXED = b'site,year,y\nb,1,1\na,1,2\nb,1.0,3\n"b",2,4\na,1,5\n'


def test_rows_of_a_group_need_not_be_neighbours() -> None:
    found, told = read(MIXED, ["site", "year"], ["y"])
    assert found == [(("b", 1.0), [[1.0, 3.0]]), (("a", 1.0), [[2.0, 5.0]]), (("b", 2.0), [[4.0]])]
    assert told == {}
    assert read(MIXED, ["year"], ["y"])[0] == [((1.0,), [[1.0, 2.0, 3.0, 5.0]]), ((2.0,), [[4.0]])]
    assert read(MIXED, ["year"], ["y", "year"])[0][1] == ((2.0,), [[4.0], [2.0]])  # a label and a number


def test_the_same_from_every_source(tmp_path: Path) -> None:
    wanted = read(MIXED, ["site", "year"], ["y"])
    rows = [("b", 1, 1), ("a", 1, 2), ("b", 1.0, 3), ("b", 2, 4), ("a", 1, 5)]
    lines = "".join(json.dumps(dict(zip(("site", "year", "y"), row, strict=True))) + "\n" for row in rows)
    assert read(lines.encode(), ["site", "year"], ["y"]) == wanted
    assert read(gzip.compress(MIXED), ["site", "year"], ["y"]) == wanted
    assert read(MIXED.replace(b",", b"\t"), ["site", "year"], ["y"]) == wanted
    assert read(MIXED.replace(b",", b"  "), ["site", "year"], ["y"]) == wanted
    file = tmp_path / "rows.csv"
    file.write_bytes(MIXED)
    assert read(file, ["site", "year"], ["y"]) == wanted


def test_columnar_files(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    from datetime import date

    frame = pl.DataFrame(
        {
            "site": ["b", "a", None, "NA"],
            "kind": pl.Series(["u", "u", "v", "v"], dtype=pl.Categorical),
            "n": [1, 2, 3, 4],
            "id": [2**60 + 1, 2**60 + 1, 2**60 + 2, 1],
            "flag": [True, False, True, True],
            "day": [date(2020, 1, 2)] * 4,
            "list": [[1]] * 4,
            "y": [1.0, 2.0, 3.0, None],
        }
    )
    file = tmp_path / "rows.parquet"
    frame.write_parquet(file)
    assert read(file, ["kind"], ["n"])[0] == [(("u",), [[1.0, 2.0]]), (("v",), [[3.0, 4.0]])]
    assert [key for key, _ in read(file, ["id"], ["n"])[0]] == [(str(2**60 + 1),), (str(2**60 + 2),), (1.0,)]
    assert [key for key, _ in read(file, ["flag", "day"], ["n"])[0]] == [
        ("true", "2020-01-02"),
        ("false", "2020-01-02"),
    ]
    assert "row 3: column site: the value is missing" in read(file, ["site"], ["n"])[0]
    assert "names no group" in read(file, ["list"], ["n"])[0]
    found, told = read(file, ["kind"], ["y"])
    assert found == [(("u",), [[1.0, 2.0]]), (("v",), [[3.0]])]
    assert told == {("v",): (0, (), f"{file}: row 4: column y: the value is missing")}


def test_a_bad_cell_is_a_matter_of_its_group() -> None:
    data = b"g,y\na,x\nb,1\na,2\nc,\nb,NA\n"
    found, told = read(data, ["g"], ["y"])
    assert [key for key, _ in found] == [
        ("a",),
        ("b",),
        ("c",),
    ]  # in the order of the lines, whatever they say
    assert told[("a",)] == (0, (), "standard input:2:3: column y: 'x' is not a number")
    assert told[("b",)][2] == "standard input:6:3: column y: 'NA': the value is missing"
    assert told[("c",)][2] == "standard input:5:3: column y: the cell is empty"
    found, told = read(data, ["g"], ["y"], missing="skip")
    assert found == [(("a",), [[2.0]]), (("b",), [[1.0]]), (("c",), [[]])]
    assert told[("c",)] == (1, ("standard input:5",), None)


def test_what_belongs_to_no_group_is_an_error() -> None:
    assert read(b"g,y\na,1\n,2\n", ["g"], ["y"])[0] == "standard input:3:1: column g: the cell is empty"
    assert "has 1 cell" in read(b"g,y\na,1\nb\n", ["g"], ["y"])[0]
    assert read(b"g,y\na,1\n,2\n", ["g"], ["y"], missing="skip")[0] == [(("a",), [[1.0]])]
    assert "has no column h" in read(b"g,y\na,1\n", ["h"], ["y"])[0]
    nothing = b'{"g": "a", "y": 1}\n{"g": [1], "y": 1}\n'
    assert "[1] is neither a text nor a number" in read(nothing, ["g"], ["y"])[0]


def test_a_column_is_known_by_its_title_too() -> None:
    assert read(b"Body mass,y\na,1\n", ["Body mass"], ["y"])[0] == [(("a",), [[1.0]])]
    assert read(b"Body mass,y\na,1\n", ["Body_mass"], ["y"])[0] == [(("a",), [[1.0]])]


cells = st.sampled_from(
    ["a", "b", " a", '"a"', '"a,b"', '"x\ny"', "1", "1.0", "007", "", "NA", "é", "x_1", "9" * 20, "inf", '"b']
)


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(cells, cells, st.sampled_from(["1", "2.5", "x", "", "1e3"])), max_size=12),
    missing=st.sampled_from(["error", "skip"]),
    by=st.sampled_from([["g"], ["g", "h"], ["h", "g"]]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_ways_to_read_agree(rows: Any, missing: str, by: list[str], end: str) -> None:
    data = "".join(",".join(row) + end for row in [("g", "h", "y"), *rows]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_text, "_SIZES", {"native": 50, "polars": 60, "split": 40, "csv": 25})
        patch.setattr(delimited_text, "_SECOND", 10)
        wanted = read(data, by, ["y"], missing, reader="csv")
        for reader in QUICK:
            assert read(data, by, ["y"], missing, reader=reader) == wanted
            both = read(data, by, ["y", "g"], missing, reader=reader)
            assert both == read(data, by, ["y", "g"], missing, reader="csv")


def test_groups_of_data_on_disk(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    g = draw.integers(0, 50, 5000)
    file = tmp_path / "rows.csv"
    file.write_text("g,y\n" + "".join(f"s{k},{i}\n" for i, k in enumerate(g)))
    groups = Groups(["g"])
    with open_table([str(file)]) as table, gather(table, ["y"], by=groups, memory=1000) as data:
        assert not data.in_memory
        y, number = (np.array(a) for a in data.take(0, data.rows))
    for k in set(g.tolist()):
        found = groups.keys.index((f"s{k}",))
        assert y[number == found].tolist() == np.flatnonzero(g == k).tolist()
