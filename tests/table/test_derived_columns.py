"""Columns and rows that are computed: the same bits as a plain file with these numbers, by every way to read."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import GdError
from gdcli.table.blocks import Layout
from gdcli.table.row_groups import Groups
from gdcli.table.source import DataTable, open_table, table_at_hand
from gdcli.tasks.fit.asked_columns import asked_of
from tests.effort import examples

ROWS = [(k, round(0.1 * k * k - k, 3), "abc"[k % 3]) for k in range(1, 41)]
CSV = "t,y,group\n" + "".join(f"{t},{y},{g}\n" for t, y, g in ROWS)


def table_of(data: str, way: str, folder: Path) -> DataTable:
    """The table as one kind of source, or read in one way, has it."""
    cells = [line.split(",") for line in data.splitlines()]
    path = folder / "data"
    if way == "jsonl":
        keys = cells[0]
        lines = [dict(zip(keys, [float(row[0]), float(row[1]), row[2]], strict=True)) for row in cells[1:]]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif way in ("parquet", "arrow"):
        pl = pytest.importorskip("polars")
        frame = pl.read_csv(data.encode())
        frame.write_parquet(path) if way == "parquet" else frame.write_ipc(path)
    elif way == "gz":
        path.write_bytes(gzip.compress(data.encode()))
    elif way == "spaces":
        path.write_text(data.replace(",", "  "))
    elif way == "quoted":
        path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in cells) + "\n")
    elif way == "python":
        return table_at_hand(
            {
                "t": np.array([int(row[0]) for row in cells[1:]]),
                "y": [float(row[1]) for row in cells[1:]],
                "group": [row[2] for row in cells[1:]],
            }
        )
    elif way.startswith("comma "):
        path.write_text(data.replace(",", ";").replace(".", ","))
        return open_table([str(path)], reader=way[6:], layout=Layout(decimal=","))
    elif way == "utf-16":
        path.write_bytes(data.encode("utf-16"))
    elif way == "comments":
        lines = data.splitlines()
        path.write_text(
            "\n".join(["% made by hand", f"# {lines[0]}", lines[1], "#1,2,3", "", *lines[2:]]) + "\n"
        )
    elif way == "no header":
        path.write_text("\n".join(data.splitlines()[1:]) + "\n")
        return open_table([str(path)], layout=Layout(names=("t", "y", "group")))
    elif way == "row names":
        lines = data.splitlines()
        rows = [f'"{k}"\t' + line.replace(",", "\t") for k, line in enumerate(lines[1:], 1)]
        path.write_text("\n".join([lines[0].replace(",", "\t"), *rows]) + "\n")
    elif way == "units":
        lines = data.splitlines()
        path.write_text("\n".join([lines[0], "s,m/s,", *lines[1:]]) + "\n")
    elif way == "trailing":
        path.write_text(data.replace("\n", ",\n"))
    elif way == "xlsx":
        pytest.importorskip("python_calamine")
        path = folder / "book.xlsx"
        workbook(path, cells)
    elif way == "pipe":
        return open_table(["-"], stdin=io.BytesIO(data.encode()))
    elif way == "files":
        half = len(cells) // 2
        for name, part in (("part1", cells[1:half]), ("part2", cells[half:])):
            (folder / name).write_text("\n".join(",".join(row) for row in [cells[0], *part]) + "\n")
        return open_table([str(folder / "part*")])
    else:
        path.write_text(data)
    return open_table([str(path)], reader=way if way in ("csv", "split", "polars", "native") else "auto")


def workbook(path: Path, rows: list[list[str]]) -> None:
    """Write the least that is a workbook (ECMA-376): a sheet of rows, cells as numbers or inline texts."""
    import zipfile
    from xml.sax.saxutils import escape

    def cell(text: str) -> str:
        is_number = text.lstrip("-").replace(".", "", 1).isdigit()
        return (
            f"<c><v>{text}</v></c>" if is_number else f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>'
        )

    sheet = "".join(f'<row r="{k}">{"".join(map(cell, row))}</row>' for k, row in enumerate(rows, 1))
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    link = '<Relationship Id="rId1" Type="{}/{}" Target="{}"/>'.format
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f"{link(office, 'officeDocument', 'xl/workbook.xml')}</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="one" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f"{link(office, 'worksheet', 'worksheets/sheet1.xml')}</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)


WAYS = (
    *("csv", "split", "polars", "native", "pipe", "files", "gz", "spaces", "quoted"),
    *(
        "jsonl",
        "parquet",
        "arrow",
        "python",
        "xlsx",
        "comma csv",
        "comma split",
        "comma polars",
        "comma native",
    ),
    *("utf-16", "comments", "no header", "row names", "units", "trailing"),
)
CASES: list[tuple[list[str], Callable[[float, float, str], bool]]] = [
    (["t > 10"], lambda t, y, g: t > 10),
    (['group == "a" or y < 0 and t <= 30'], lambda t, y, g: g == "a" or (y < 0 and t <= 30)),
    (["not (2*t < 20) and group != 'b'"], lambda t, y, g: not 2 * t < 20 and g != "b"),
    (["7:22"], lambda t, y, g: 7 <= t <= 22),
    (["5:", ":38", "3 < sqrt(t) < 6", '("c" != group)'], lambda t, y, g: 9 < t < 36 and g != "c"),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_bits_from_every_source(way: str, tmp_path: Path) -> None:
    if way.endswith(("polars", "native")):
        pytest.importorskip("polars" if way.endswith("polars") else "llvmlite")
    for conditions, holds in CASES:
        wanted = [(t, y, 0.05 * y + 1.0 / t, 0.1) for t, y, g in ROWS if holds(t, y, g)]
        with table_of(CSV, way, tmp_path) as table:
            asked = asked_of(table, {}, conditions)
            columns = ["t", "y", asked.column("0.05*y + 1/t", "--sigma"), asked.column(" 0.1", "--sigma")]
            blocks = list(table.blocks(columns))
            found = [row for block in blocks for row in zip(*block.columns, strict=True)]
            assert found == wanted
            lines = [table.place(row).line for row in range(table.rows)]
            inside = [row for row in ROWS if ":" not in conditions[0] or 7 <= row[0] <= 22]
            if len(conditions) == 1:
                assert (table.rows, table.dropped, table.skipped) == (
                    len(wanted),
                    len(inside) - len(wanted),
                    0,
                )
            if way in ("csv", "split", "polars", "native", "xlsx", "pipe", "comma polars", "utf-16"):
                assert lines == [t + 1 for t, *_ in wanted]


BAD = "t,y,group\n1,2,a\n2,NA,b\n3,,b\n4\n5,5,a\n6,x,NA\n7,7,a\n"


@pytest.mark.parametrize("reader", ["csv", "split", "polars"])
def test_rows_that_are_not_asked_for_may_be_bad(reader: str) -> None:
    if reader == "polars":
        pytest.importorskip("polars")

    def read(conditions: list[str], missing: str = "error", by: tuple[str, ...] = ()) -> object:
        with open_table(["-"], stdin=io.BytesIO(BAD.encode()), reader=reader, missing=missing) as table:
            asked_of(table, {}, conditions)
            groups = Groups(by) if by else None
            try:
                rows = [t for block in table.blocks(["t", "y"], by=groups) for t in block.columns[0]]
            except GdError as error:
                return error.message
            return rows, table.dropped, table.skipped

    assert read(["1:1"]) == ([1], 0, 0)
    assert read(["5:5"]) == ([5], 0, 0)
    assert "standard input:3:3: column y: 'NA'" in str(read(["group == 'b'"]))
    assert "standard input:5:2: the row has 1 cell" in str(read(["group == 'a'"]))
    assert read(["group == 'a'", "5:5"]) == ([5], 0, 0)
    assert "7:3: column y: 'x' is not a number" in str(read(["group == 'a' and t > 4", "5:"]))
    assert read(["group == 'a' and t > 6", "5:"]) == ([7], 2, 0)
    assert read(["t > 6", "5:"]) == ([7], 2, 0)
    assert read(["group != 'NA'", "5:"]) == ([5, 7], 1, 0)
    assert read(["t > 0"], "skip") == ([1, 5, 7], 0, 4)
    assert read(["t > 0 and group == 'a'"], "skip", ("group",)) == ([1, 5, 7], 2, 2)
    assert "has no value" in str(read(["log(t - 3) > 0", "1:1"]))
    assert "of 2 rows --rows keeps none" in str(read(["t > 9", "1:2"]))
    assert "rows behind the last" in str(read(["100:"]))


ERRORS = [
    ("", 0, "no condition"),
    ("t", 0, "compared with nothing"),
    ("t > ", 3, "something is missing"),
    ("t > 2 and", 9, "something is missing"),
    ("t = 2", 2, "= has no place"),
    ("t > 2 & y > 1", 6, "& has no place"),
    ("t > 2 group", 4, "missing"),
    ("(t > 2", 0, "never closed"),
    ("t > 2)", 5, ") has no place"),
    ("tt > 2", 0, "no column tt"),
    ("grup == 'a'", 0, "no column grup"),
    ("group > 'a'", 0, "compares numbers"),
    ("2*t == 'a'", 0, "computed value"),
    ("'a' == 'b'", 0, "two texts"),
    ("y + 'a' > 2", 4, "stands within"),
    ("t > sin y", 4, "missing"),
    ("0:5", 0, "counted from 1"),
    (":", 0, "no end"),
    ("9:5", 0, "no row is in"),
]


@pytest.mark.parametrize(("text", "place", "message"), ERRORS)
def test_what_is_wrong_is_told_with_its_place(text: str, place: int, message: str) -> None:
    with open_table(["-"], stdin=io.BytesIO(CSV.encode())) as table, pytest.raises(GdError) as caught:
        asked_of(table, {}, [text])
    assert message in caught.value.message
    span = caught.value.span
    assert span is not None
    assert (span.text, span.source) == (text, "--rows")
    assert span.start == place


_VALUES = st.lists(st.sampled_from([-1.0, 0.0, 2.0, None]), min_size=1, max_size=6)


@settings(max_examples=examples(200))
@given(
    _VALUES,
    st.recursive(
        st.sampled_from(["x > 0", "x == 2", "group == 'b'", "not x < 1"]),
        lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        max_leaves=6,
    ),
)
def test_conditions_are_those_of_python(values: list[float | None], condition: str) -> None:
    """Where nothing is missing a condition keeps what Python's own reading of it does."""
    known = [value for value in values if value is not None] or [1.0]
    groups = ["ab"[k % 2] for k in range(len(known))]
    wanted = [x for x, group in zip(known, groups, strict=True) if eval(condition, {"x": x, "group": group})]
    with table_at_hand({"x": known, "group": groups}) as table:
        asked_of(table, {}, [condition])
        try:
            found = [x for block in table.blocks(["x"]) for x in block.columns[0].tolist()]
        except GdError:
            found = []
    assert found == wanted
