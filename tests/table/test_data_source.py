"""Tables: what can be read, and what is told about what cannot."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from gdcli.kernel import installing
from gdcli.kernel.errors import DataError, GdError, UsageError, did_you_mean_file
from gdcli.table import delimited_text
from gdcli.table.blocks import Layout
from gdcli.table.source import DataTable, open_table
from gdcli.table.spool import gather


def opened(data: bytes, **options: object) -> DataTable:
    return open_table(["-"], stdin=io.BytesIO(data), **options)  # type: ignore[arg-type]


def read(table: DataTable, columns: list[str] | None = None) -> list[list[float]]:
    with table:
        blocks = list(table.blocks(columns or ["y", "x"]))
        return [
            np.concatenate([b.columns[i] for b in blocks]).tolist() for i in range(len(blocks[0].columns))
        ]


def fault(data: bytes, columns: list[str] | None = None, **options: object) -> GdError:
    with pytest.raises(DataError) as caught:
        read(opened(data, **options), columns)
    assert caught.value.exit_code == 8
    return caught.value


XY = [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    "data",
    [
        b"y,x\n1,2\n3,4\n",
        b"y,x\r\n1,2\r\n3,4\r\n",
        b"y,x\n1,2\n3,4",
        b"\xef\xbb\xbfy,x\n1,2\n3,4\n\n\n",
        b"y;x\n1;2\n3;4\n",
        b"y\tx\n1\t2\n3\t4\n",
        b"y|x\n1|2\n3|4\n",
        b"y x\n1 2\n3 4\n",
        b"  y \t x\n  1   2\n\t3\t4  \n",
        b"y, x\n1, 2\n3, 4\n",
        b'"y", "x"\n"1", 2\n"3",4\n',
        b"# made by hand\n#\n\ny,x\n1,2\n\n3,4\n",
        b"sep=;\r\ny;x\r\n1;2\r\n3;4\r\n",
        b'\xef\xbb\xbf"sep=,"\ny,x\n1,2\n3,4\n',
        b"name,y,x\nNew York,1,2\nParis,3,4\n",
        b'name,y,x\n"York, ""New""\nnot old",1,2\nParis,3,4\n',
        b"a;y;x\n1,5;1;2\n2,5;3;4\n",
        b",y,x\n0,1,2\n1,3,4\n",
        b"y,x,\n1,2,\n3,4,\n,,\n,,\n",
        "y;x\n1;2\n3;4\n".encode("utf-16"),
        b"\xfe\xff" + "y\tx\n1\t2\n3\t4".encode("utf-16-be"),
        b"# y x\n1 2\n3 4\n",
        b"%y\tx\n1\t2\n# some words\n3\t4\n\n\n",
        b"# made by hand, 2024\n# y  x\n# (s)  (m)\n 1 2\n 3 4\n",
        b"y,x\ns,m/s\n1,2\n3,4\n",
        b'"y" "x"\n"first" 1 2\n"second" 3 4\n',
        b"y\tx\n1\t1\t2\n2\t3\t4\n",
        b"y,x\n1,2,\n3,4,\n",
        b"y;x;\n1;2\n3;4\n",
        b'{"y": 1, "x": 2}\n{"x": 4.0, "y": 3e0, "z": "text"}\n',
        b'{"y": true, "x": 2}\n\n{"x": 4, "y": 3}',
    ],
)
def test_what_can_be_read(data: bytes) -> None:
    assert read(opened(data)) == XY


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"Body mass (g),x\n1,2\n", ("Body_mass_g", "x")),
        (b"%,_x,1st,x.y\n1,2,3,4\n", ("", "x", "x1st", "x_y")),
        (b"x y,x_y,z\n1,2,3\n", ("x_y_1", "x_y", "z")),
        (b"x y,x-y,x_y_1,z\n1,2,3,4\n", ("x_y_2", "x_y_3", "x_y_1", "z")),
        (b"1st,x1st,1:st\n1,2,3\n", ("x1st_1", "x1st", "x1_st")),
        (b"lambda,class of\n1,2\n", ("lambda_", "class_of")),
        (b"exp.,exponent\n1,2\n", ("exp", "exponent")),
        (b"x,y,x\n1,2,3\n", ("x_1", "y", "x_2")),
        (b"1,2\n3,4\n", ("col1", "col2")),
        (b"# 24.12.2024\n1 2 3\n", ("col1", "col2", "col3")),
        (b"# time [s]  volt [V]\n1 2\n", ("time_s", "volt_V")),
        ("\u212bngstr\u00f6m,\u03b1\n1,2\n".encode(), ("\u00c5ngstr\u00f6m", "\u03b1")),
    ],
)
def test_names_in_a_model(data: bytes, names: tuple[str, ...]) -> None:
    with opened(data) as table:
        assert table.names == names


BAD = [
    (b"", "standard input is empty", ""),
    (b"\n\n", "standard input is empty", ""),
    (b"# only\n", "has comments but no rows", ""),
    (b"y,x\n", "standard input has a header but no rows", "each line is a row"),
    (b"y,x\n\n\n", "standard input has a header but no rows", ""),
    (b"y,2\n1,2\n", "standard input:1:3: a number where the name of a column should be", "--columns x,y, or"),
    (b"1,5;2\n2,5;3\n", "standard input:1:1: a number where", "a decimal comma? --decimal , reads it"),
    (b",\n1,2\n", "no column has a name", ""),
    (
        b"My results\nx,y\n1,2\n",
        "standard input:1: the first line is no header of the table below",
        "header seems to stand in line 2",
    ),
    (b"My results 2024\n\nx;y\n1;2\n", "the first 2 lines are no header", "line 3: tail -n +3 FILE | gd fit"),
    (
        b"Run 3\non a Monday\nx,y\n1,2\n3,4\n",
        "the first 2 lines are no header",
        "line 3: tail -n +3 FILE | gd fit",
    ),
    (b"Title\nSubtitle\nof, words\nx;y\n1;a\n", "the first 3 lines are no header", "line 4: tail -n +4 FILE"),
    (b"Sales,,\nx,y (m),z\n1,2,3\n", "the row below it 3 words", "header seems to stand in line 2"),
    ("y,x\n1,2\n".encode("utf-16")[:-1], "is cut off, or is no UTF-16 text", ""),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet or a document of an old kind", "Save as, CSV"),
    (b"PK\x03\x04rest", "zip archive or a spreadsheet", "by its name (.xlsx, .ods), or unpack it: unzip -p"),
    (b"\x7fELF\x02\x01\x00\n\x00", "is binary, not text (line 1 has the byte 0x02)", ""),
    (b"\x89PNG\r\n\x1a\n\x00", "is binary, not text", ""),
    (b"y,x\n1,2\n3,\x00\n", "standard input:3:3: a NUL byte: this is binary data", ""),
    (b"\xc3\xa9,y,x\n1,1,2\n1,3,\xe9\n", "standard input:3:5: not UTF-8 text (byte 0xe9)", "iconv -f LATIN2"),
    (b"y,x\n1,2\n3,\x81\n", "standard input:3:3: not UTF-8 text (byte 0x81)", "iconv -f LATIN2"),
    (b"y,x\n1,2\n3,\xe9\n", "standard input:3:3: column x: '\xe9' is not a number", "--missing skip"),
    (b"y,x\n1,2\n3\n", "standard input:3:2: the row has 1 cell, the header 2", "--missing skip"),
    (b"y,x\n1,2\n3,4,5\n", "standard input:3:5: the row has 3 cells, the header 2", "decimal commas"),
    (
        b"y,x\n1,2\n3,1.1\xc2\xb10.1\n",
        "'1.1\xb10.1' is not a number",
        "write errors into a column of their own",
    ),
    (b"y,x\n1,2\n3,<0.1\n", "'<0.1' is not a number", "a limit is no measured value"),
    (b"y,x\n1,2\n3,abc\n", "standard input:3:3: column x: 'abc' is not a number", "--missing skip"),
    (
        b"y,x\n1,2\n3,low dose\n",
        "'low dose' is not a number",
        "words are categories, C(...) in the model, or make groups: --by x",
    ),
    (b"x,y\n2024-01-31,2\n", "'2024-01-31' is not a number", "a date? --dates x=days"),
    (b"x;y\n31.1.2024 12:00;2\n", "'31.1.2024 12:00' is not a number", "a date?"),
    (b"y,x\n1,2\n3, abc \n", "standard input:3:4: column x: 'abc' is not a number", "--missing skip"),
    (b"y,x\n1,2\n,4\n", "standard input:3:1: column y: the cell is empty", "--missing skip"),
    (b"y,x\n1,2\nNA,4\n", "standard input:3:1: column y: 'NA': the value is missing", "--missing skip"),
    (b"y,x\n1,2\nnan,4\n", "'nan': the value is missing", "--missing skip"),
    (b"y,x\n1,2\n-inf,4\n", "'-inf' is not finite", "--missing skip"),
    (b"y,x\n1,2\n1e400,4\n", "'1e400' is too large for a double", "--missing skip"),
    (b"y,x\n1,2\n1_000,4\n", "'1_000' is not a number", "--missing skip"),
    (b"y;x\n1,5;2\n", "standard input:2:1: column y: '1,5' is not a number", "--decimal , reads it"),
    (
        b"y;x\n1.234,5;2\n",
        "'1.234,5' is not a number",
        "take them away: sed 's/[.]//g' < FILE | gd fit --decimal",
    ),
    (b"y,x\n20%,2\n", "'20%' is not a number", "write the number alone, 20, and the unit into the title"),
    (b"y,x\n$ 1.5,2\n", "'$ 1.5' is not a number", "write the number alone, 1.5,"),
    (b"y,x\n5 mg/l,2\n", "'5 mg/l' is not a number", "write the number alone, 5,"),
    ("y,x\n\N{MINUS SIGN}4,2\n".encode(), "'\N{MINUS SIGN}4' is not a number", "a minus is written -: sed"),
    (b"y,x\n-,2\n", "'-' is not a number", "--missing skip"),
    (b'y,x\n"1,500",2\n', "standard input:2:1: column y: '1,500' is not a number", "without commas"),
    (
        b'y,x\n1,2\n3,"4\n5,6\n',
        "standard input:3:3: a quote is opened here and never closed",
        "written twice",
    ),
    (b'name,y,x\n"a\nb",1,oops\n', "standard input:3:6: column x: 'oops'", "--missing skip"),
    (b"y,x\r1,2\r3,4\r", "a carriage return within the line", "tr '\\r' '\\n'"),
    (b"y,x\n1,2\n", "standard input has no column z", "it has y, x"),
    (
        b'{"y": 1, "x": 2}\n{"y": 1}\n',
        "standard input:2:1: column x: the object has no such key",
        "--missing skip",
    ),
    (b'{"y": 1, "x": 2}\n{"y": "y", "x": null}\n', ':2:7: column y: "y" is not a number', ""),
    (b'{"y": 1, "x": 2}\n{"x": "x", "y": 1, "x": null}\n', ":2:25: column x: null: the value is missing", ""),
    (b'{"y": 1, "x": 2}\n{"y": 1, "x": NaN}\n', ":2:15: column x: NaN: the value is missing", ""),
    (b'{"y": 1, "x": 1e999}\n', ":1:15: column x: 1e999 is too large", ""),
    (b'{"y": 1, "x": [1]}\n', ":1:15: column x: [1] is not a number", ""),
    (b'{"y": 1, "x": 2}\n{"y": 1, "x"\n', ":2:13: no JSON", "each line must be one object"),
    (b'[{"y": 1, "x": 2}]\n', ":1: an array where an object should be", "jq -c"),
    (b'{\n"y": 1, "x": 2}\n', ":1:2: no JSON", "jq -c"),
    (b'{"y": 1, "x": "\x81"}\n', ":1:16: not UTF-8", ""),
    (b'{"y": 1, "x": 1' + b"0" * 5000 + b"}\n", "too many digits", ""),
    (b"[" * 100_000 + b"\n", "nested too deeply", ""),
]


@pytest.mark.parametrize(("data", "message", "hint"), BAD)
def test_what_is_told_about_bad_input(data: bytes, message: str, hint: str) -> None:
    error = fault(data, ["z"] if "no column z" in message else None)
    assert message in error.message
    assert hint in error.hint
    if error.span is not None and error.span.text:
        text, start, end, source = error.span
        assert 0 <= start < max(end, len(text) + 1)
        assert source.startswith("standard input:")
        assert any(text in data.decode(form, "surrogateescape") for form in ("utf-8", "cp1252"))


@pytest.mark.parametrize("reader", ["csv", "auto"])
def test_skipping_counts_and_remembers(reader: str) -> None:
    rows = [f"{i},{'' if i % 7 == 3 else i}" for i in range(1000)]
    with opened(("y,x\n" + "\n".join(rows)).encode(), missing="skip", reader=reader) as table:
        blocks = list(table.blocks(["x"]))
        kept = [i for i in range(1000) if i % 7 != 3]
        assert np.concatenate([b.columns[0] for b in blocks]).tolist() == kept
        assert (table.rows, table.skipped) == (len(kept), 1000 - len(kept))
        assert [place.line for place in table.skipped_lines] == [i + 2 for i in range(1000) if i % 7 == 3][
            :10
        ]
        assert [table.place(row).line for row in range(len(kept))] == [i + 2 for i in kept]
        assert str(table.place(3)) == "standard input:6"
    # Only the wanted columns are judged.
    with opened(("y,x\n" + "\n".join(rows)).encode(), reader=reader) as table:
        assert sum(len(b.columns[0]) for b in table.blocks(["y"])) == 1000


def test_the_remedy_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my data.csv").write_text("x;y\n1.001,5;2,7\n2,5;3,7\n")
    with open_table(["my data.csv"]) as table, pytest.raises(DataError) as caught:
        read(table)
    assert caught.value.hint == (
        "a decimal comma? the points part thousands? take them away: "
        "sed 's/[.]//g' < 'my data.csv' | gd fit --decimal , ... -"
    )


def test_all_rows_bad() -> None:
    error = fault(b"y,x\n1,a\n2,b\n", missing="skip")
    assert "no row is left: all 2" in error.message
    assert "standard input:2" in error.message


def test_files_and_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        Path(f"part{i}.csv").write_text(f"y,x\n{i},{2 * i}\n")
    with open_table(["part[1-2].csv", "part0.csv"]) as table:
        assert read(table) == [[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]
        assert [str(table.place(i)) for i in range(3)] == ["part1.csv:2", "part2.csv:2", "part0.csv:2"]
        assert read(table, ["x"]) == [[2.0, 4.0, 0.0]]  # files can be read again
    Path("part[1-2].csv").write_text("y,x\n7,8\n")
    assert read(open_table(["part[1-2].csv"])) == [[7.0], [8.0]]
    Path("other.csv").write_text("y,z\n7,8\n")
    Path("more.csv").write_text("y,x,z\n7,8,9\n")
    Path("rows.jsonl").write_text('{"y": 1, "x": 2}\n')
    Path("bad.csv").write_text("y,x\n7,8\n1,?\n")
    for names, message in [
        (["part0.csv", "other.csv"], "other.csv: column 2 is called z, in part0.csv x"),
        (["part0.csv", "more.csv"], "more.csv has 3 columns, part0.csv 2"),
        (["part0.csv", "rows.jsonl"], "rows.jsonl is jsonl, part0.csv is csv"),
        (["part0.csv", "bad.csv"], "bad.csv:3:3: column x: '?' is not a number"),
        (["nothing*.csv"], "no file matches nothing"),
        (["nothing.csv"], "cannot read nothing.csv: no such file"),
        (["a\0b.csv"], "cannot read a\0b.csv: embedded null"),
        ([str(tmp_path)], "is a directory"),
    ]:
        with pytest.raises(DataError, match=message.replace("?", "[?]").replace("*", "[*]")):
            read(open_table(names))
    with pytest.raises(UsageError, match="only once"):
        open_table(["-", "-"], stdin=io.BytesIO(b"y,x\n1,2\n"))
    with pytest.raises(UsageError, match="no data file"):
        open_table([])
    with pytest.raises(DataError, match="standard input is closed"):
        open_table(["-"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "closed.csv"
    path.write_text("y,x\n1,2\n")
    path.chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        open_table([str(path)])


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
@pytest.mark.parametrize("name", ["data.csv.packed", "-"])
def test_compressed_files_and_pipes(module: object, name: str, tmp_path: Path) -> None:
    rows = "".join(f"{i},{i / 7!r}\n" for i in range(30_000))
    packed: bytes = module.compress(("y,x\n" + rows).encode())  # type: ignore[attr-defined]
    path = tmp_path / name

    def stored(data: bytes) -> DataTable:
        path.write_bytes(data)
        return open_table(["-" if name == "-" else str(path)], stdin=io.BytesIO(data))

    assert read(stored(packed))[1] == [i / 7 for i in range(30_000)]
    with pytest.raises(DataError, match=r"cut off|broken"):
        read(stored(packed[: len(packed) // 2]))
    with pytest.raises(DataError, match=r"broken|cannot read"):
        read(stored(packed[:40] + bytes(40) + packed[80:]))


def test_a_pipe_is_read_once() -> None:
    with opened(b"y,x\n" + b"1,2\n3,4\n" * 5000) as table:
        list(table.blocks(["y"]))
        with pytest.raises(DataError, match="standard input can be read only once"):
            list(table.blocks(["y"]))
        with pytest.raises(DataError, match="no column q"):
            list(table.blocks(["q"]))


BAD_BEGINNINGS = [
    b"y,2\n3,4\n",
    b"y,x\n1,oops\n",
    b"y,x\n1,2\n1\n",
    b"\x00\x01\n\n",
    b"max,x\n1,2\n",
    b"\xff\xfey\x00\x00\xdcx\x00",
    b'{"y": 1, "x": 2}\n{"y": 1, "x": "?"}\n',
]


@pytest.mark.parametrize("beginning", BAD_BEGINNINGS)
@pytest.mark.parametrize("goes_on", [True, False])
def test_an_endless_pipe_is_read_only_as_far_as_needed(beginning: bytes, goes_on: bool) -> None:
    """Also where nothing more comes, and the pipe stays open."""
    receive, send = os.pipe()
    os.write(send, beginning)
    stop = threading.Event()

    def pour() -> None:
        try:
            while goes_on and not stop.is_set():
                os.write(send, b"1,2\n" * 1000)
        except OSError:
            pass

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    try:
        with os.fdopen(receive, "rb") as stdin, pytest.raises(DataError):
            read(open_table(["-"], stdin=stdin))
    finally:
        stop.set()
        thread.join(10)
        os.close(send)


@pytest.mark.parametrize("source", ["/dev/zero", "endless line", "comments", "blank"])
def test_endless_input_that_is_no_table(source: str) -> None:
    class Endless(io.RawIOBase):
        def read1(self, size: int) -> bytes:
            return {"endless line": b"y,", "comments": b"#\n", "blank": b"\n"}[source] * min(
                size // 2, 1 << 15
            )

    with pytest.raises(DataError):
        open_table([source]) if source == "/dev/zero" else open_table(["-"], stdin=Endless())  # type: ignore[arg-type]


def test_a_fifo_is_a_pipe(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    thread = threading.Thread(target=lambda: fifo.write_bytes(b"y,x\n1,2\n3,4\n"), daemon=True)
    thread.start()
    assert read(open_table([str(fifo)])) == XY
    thread.join(10)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_parquet_and_arrow(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl = pytest.importorskip("polars")
    path = str(tmp_path / f"data.{suffix}")
    frame = pl.DataFrame(
        {"y": [1, 3, None, 5], "x": [2.5, 4.0, 1.0, float("inf")], "b": [True] * 4, "t": ["a"] * 4},
        schema_overrides={"y": pl.Int16, "x": pl.Float32},
    )
    (frame.write_parquet if suffix == "parquet" else frame.write_ipc)(path)
    with open_table([path], missing="skip") as table:
        assert table.names == ("y", "x", "b", "t")
        assert read(table, ["x", "y", "b"]) == [[2.5, 4.0], [1.0, 3.0], [1.0, 1.0]]
        assert (table.rows, table.skipped, [str(p) for p in table.skipped_lines]) == (
            2,
            2,
            [f"{path}:3", f"{path}:4"],
        )
        assert str(table.place(1)) == f"{path}:2"
    for columns, message in [
        (["y"], "row 3: column y: the value is missing"),
        (["x"], "row 4: column x: inf is not finite"),
        (["t"], "column t has String, not numbers"),
    ]:
        with pytest.raises(DataError, match=message):
            read(open_table([path]), columns)
    content = Path(path).read_bytes()
    with pytest.raises(DataError, match="Parquet or Arrow"):
        opened(content)
    Path(path).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot read"):
        read(open_table([path]))
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(DataError, match="needs the package polars") as caught:
        open_table([path])
    assert caught.value.hint == f"install it: {installing.command('fast')}"


def test_without_polars_text_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited_text, "has_polars", lambda: False)
    assert read(opened(b"y,x\n1,2\n3,4\n")) == XY


def test_a_command_reads_a_pipe_without_stdin_of_its_own(tmp_path: Path) -> None:
    """Standard input as a process has it, not as an object of a test."""
    code = (
        "import sys; from gdcli.table.source import open_table; from gdcli.table.spool import gather\n"
        "with open_table(['-'], stdin=sys.stdin.buffer) as t, gather(t, ['x']) as c: print(c.rows, c.take(0, 2))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"x\n1\n2\n", capture_output=True, timeout=60)
    assert done.stdout == b"2 [array([1., 2.])]\n", done.stderr


def test_a_table_gathers_all_columns_in_the_order_wanted() -> None:
    with opened(b"a,b,c\n1,2,3\n4,5,6\n") as table, gather(table, ["c", "a", "c"]) as columns:
        assert [array.tolist() for array in columns.take(0, 2)] == [[3, 6], [1, 4], [3, 6]]


def test_places_beyond_what_is_kept_name_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdcli.table.source._BREAKS", 5)
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text("y,x\n" + "1,2\n\n" * 10)
    with open_table([str(path) for path in paths]) as table:
        read(table)
        assert [table.place(row).line for row in range(5)] == [2, 4, 6, 8, 10]
        assert {table.place(row) for row in range(5, 10)} == {(str(paths[0]), None)}
        assert {str(table.place(row)) for row in range(10, 20)} == {str(paths[1])}
        with pytest.raises(IndexError):
            table.place(20)


def test_a_workbook_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "Book.XLSX"
    file.write_bytes(b"PK\x03\x04rest")
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(DataError, match="python-calamine is needed") as caught, open_table([str(file)]):
        pass
    assert installing.command("excel") in caught.value.hint
    assert "export the sheet as CSV" in caught.value.hint
    monkeypatch.undo()
    pytest.importorskip("python_calamine")
    with pytest.raises(DataError, match="cannot read"), open_table([str(file)]):
        pass
    with pytest.raises(UsageError, match="--sheet is for workbooks"):
        open_table(["-"], stdin=io.BytesIO(b"y,x\n1,2\n"), layout=Layout(sheet="one"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("decy.csv", "decay.csv"),
        ("decay", "decay.csv"),
        ("decay.txt", "decay.csv"),
        ("Decay.csv", "decay.csv"),
        ("other.csv", ""),
        ("no/decay.csv", ""),
        (".csv", ""),
    ],
)
def test_a_name_that_is_nearly_a_files_is_asked_about(
    typed: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("decay.csv", "line.csv", ".hidden.csv"):
        (tmp_path / name).write_text("x\n1\n")
    assert did_you_mean_file(typed) == (f"did you mean {meant}?" if meant else "")
    assert did_you_mean_file(str(tmp_path / typed)) == (f"did you mean {tmp_path / meant}?" if meant else "")


def test_a_decimal_comma_below_one_title_is_not_taken_for_the_name_of_a_row() -> None:
    assert "the row has 2 cells, the header 1" in fault(b"y\n0,5\n1,5\n2,4\n", ["y"]).message
    assert read(opened(b'"y"\n"1",5\n"2",6\n'), ["y"]) == [[5.0, 6.0]]
