"""All ways to read text (machine code, polars, splitting, the csv module) give the same on every input, bit for bit."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import DataError
from gdcli.table import delimited_text
from gdcli.table.source import open_part, open_table
from gdcli.table.streams import Cut

QUICK = [
    "split",
    *(["polars"] if find_spec("polars") else []),
    *(["native"] if find_spec("llvmlite") else []),
]


class Slow(io.RawIOBase):
    """Bytes that come a few at a time, as from a pipe."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def read1(self, size: int) -> bytes:
        return self._data.read(min(size, self._step))


def outcome(data: bytes, reader: str, missing: str, columns: list[str] | None, step: int) -> Any:
    """All that can be seen of a reading: the values' bits, the counts and places, the rows' text; or the error."""
    try:
        with open_table(["-"], stdin=Slow(data, step), reader=reader, missing=missing) as table:  # type: ignore[arg-type]
            names = [name for name in columns or table.names if name in table.names and name] or ["y"]
            blocks = list(table.blocks(names, text=True))
            found = [
                np.concatenate([block.columns[i] for block in blocks]).tobytes() for i in range(len(names))
            ]
            rows = [row for block in blocks for row in block.text or []]
            used = [use for block in blocks for use in block.used or []]
            places = [table.place(row) for row in range(table.rows)]
            return found, table.rows, table.skipped, table.skipped_lines, places, rows, used
    except DataError as error:
        return error.message, error.hint, error.span


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of a few lines, so that small files are cut in many places."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_text, "_SIZES", {"native": 50, "polars": 60, "split": 40, "csv": 25})
        patch.setattr(delimited_text, "_SECOND", 10)
        yield


def assert_same(data: bytes, missing: str, columns: list[str] | None = None, step: int = 1000) -> None:
    expected = outcome(data, "csv", missing, columns, 1000)
    for reader in QUICK:
        assert outcome(data, reader, missing, columns, step) == expected
    assert outcome(data, "csv", missing, columns, step) == expected


ODD = """|1_000|0x10| 1|1 |\t1|1e400|-1e400|TRUE|1.|+5|.5|-.5|1E+05|1d5|nan|NaN|-nan|inf|-Infinity|""|"1"|"1|1"|1"2"
"1" |NA|null|1e|--1|+-1|- 1|1.2.3|١|1\xa0|\xa01|1e-400|5e-324|1e1_0|1\x00|1f|00012|-0|"1""2"|1\r|1\x0b|1\x0c|#1|1,5
"a\nb"|"1\n"|"a,b"|"1;2"|a b|é|"|""|"a""b"|1e99999|.|-|e5|'1'|1\x85|1\u2028|1\x1c|\ufeff1|1\r2|~|infinity|"\r\n"|1e5 """
CELLS = [cell for line in ODD.split("\n") for cell in line.split("|")] + ["a\nb", "\r\n", "\n", '"\n"']
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?[0-9]{0,25}\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
soup = st.text(st.sampled_from('0123456789+-.eE_ nNaAiIfF"\t\n\r,;|x#é\x00\x0b\u2028'), max_size=6)
cells = st.one_of(numbers, numbers, numbers, st.sampled_from(CELLS), soup)
ends = st.sampled_from(["\n", "\n", "\r\n"])


@st.composite
def files(draw: st.DrawFn, some: st.SearchStrategy[str] = cells) -> bytes:
    """A file of two to four columns, mostly good rows, with odd cells, ragged and blank lines, and odd ends."""
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|", " "]))
    columns = draw(st.integers(1, 4))
    names = ["y", "x", "z", "w"][:columns]
    if draw(st.booleans()):
        names = [f'"{name}"' for name in names]
    end = draw(ends)
    lines = [delimiter.join(names)]
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.integers(0, 12))
        width = columns if kind < 11 else draw(st.integers(0, columns + 1))
        source = some if kind > 6 else numbers
        lines.append(delimiter.join(draw(source) for _ in range(width)))
    body = end.join(lines) + draw(st.sampled_from([end, end, "", end * 3, "\n\r\n", " \n"]))
    return body.encode("utf-8", "surrogatepass")


same = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@same
@given(
    files(),
    st.sampled_from(["error", "skip"]),
    st.sampled_from([None, ["y"], ["x", "y"], ["z"]]),
    st.sampled_from([1, 7, 50, 1000]),
)
@example(b"y,x\r\n0.0,1\r \n", "error", None, 1)
def test_readers_agree_on_files(data: bytes, missing: str, columns: list[str] | None, step: int) -> None:
    assert_same(data, missing, columns, step)


@same
@given(files(numbers), st.sampled_from([None, ["x"]]))
def test_readers_agree_on_good_files(data: bytes, columns: list[str] | None) -> None:
    assert_same(data, "error", columns)


@same
@given(files(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3), st.booleans())
def test_readers_agree_on_damaged_files(data: bytes, damage: list[tuple[int, int]], skip: bool) -> None:
    damaged = bytearray(data)
    for at, byte in damage:
        damaged[at % len(damaged)] = byte
    assert_same(bytes(damaged), "skip" if skip else "error")


@same
@given(st.text(st.sampled_from('yx01.,;"\n\r\t |#é'), max_size=60))
@example('y,x\n1,2\n"3,4\n')
@example("y,x\n1,2,3\n4\n")
def test_readers_agree_on_soup(data: str) -> None:
    for missing in ("error", "skip"):
        assert_same(data.encode(), missing)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("missing", ["error", "skip"])
def test_readers_agree_on_every_odd_cell(cell: str, missing: str) -> None:
    for row in (f"{cell},2", f"1,{cell}"):
        for delimiter in (",", ";", " "):
            lines = ["y,x", "1,2", row, "3,4"]
            data = "\n".join(line.replace(",", delimiter) for line in lines).encode()
            for columns in (["y"], ["x"], ["y", "x"]):
                assert_same(data, missing, columns)


def random_decimals(count: int) -> list[str]:
    rng = np.random.default_rng(8)
    found = []
    for bits in rng.integers(0, 2**64, count, dtype=np.uint64).tolist():
        value = struct.unpack("d", struct.pack("Q", bits))[0]
        if math.isfinite(value):
            found.append(repr(value))
    for mantissa, exponent in zip(
        rng.integers(10**16, 10**17, count).tolist(), rng.integers(-340, 290, count).tolist(), strict=True
    ):
        found.append(f"{mantissa}e{exponent}")
        found.append(f"{mantissa % 10}.{mantissa}")
    return found


def halfway(count: int) -> list[str]:
    """Decimals that lie exactly between two doubles, and just above."""
    from fractions import Fraction

    rng = np.random.default_rng(9)
    found = []
    for value in np.exp(rng.uniform(-60, 60, count)).tolist():
        middle = (Fraction(value) + Fraction(math.nextafter(value, math.inf))) / 2
        places = (
            middle.denominator.bit_length() - 1
        )  # the denominator is a power of two: 2**-p has p decimal places
        digits = str(int(middle * 10**places)).rjust(places + 1, "0")
        exact = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}"
        found += [exact, f"{exact}1"]
    return found


@pytest.mark.parametrize("reader", QUICK)
def test_numbers_are_those_of_float_to_the_last_bit(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited_text, "_SIZES", dict.fromkeys(QUICK, 1 << 20))
    written = random_decimals(30_000) + halfway(2000)
    data = ("y\n" + "\n".join(written)).encode()
    with open_table(["-"], stdin=io.BytesIO(data), reader=reader) as table:
        found = np.concatenate([block.columns[0] for block in table.blocks(["y"])])
    assert found.tobytes() == np.array([float(number) for number in written]).tobytes()


@pytest.mark.parametrize(
    "data", [b'\n \n{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n', b'\xef\xbb\xbf{"x": 1, "y": 2}\n']
)
def test_lines_of_json_are_known_as_such_however_slowly_they_come(data: bytes) -> None:
    for step in (1, 2, 1000):
        with open_table(["-"], stdin=Slow(data, step)) as table:  # type: ignore[arg-type]
            assert table.kind == "jsonl"
            assert table.names == ("x", "y")


@pytest.mark.parametrize("data", [b'x,y\n"`\n",2\n', b'x,y\n1,2,"a\nb"\n'])
def test_the_place_of_a_fault_ends_within_its_line(data: bytes) -> None:
    _, _, span = outcome(data, "csv", "error", None, 1000)
    assert 0 <= span.start < span.end <= len(span.text)


def test_what_is_taken_for_a_quote_does_not_depend_on_how_the_bytes_come() -> None:
    data = (
        b'21e4""-3.5z- 1"+1,"11+1\n\n122NAx,y\nx,y\nx,y\n\nx\n\n1e400x\ty\nx,y\n"a""b""a""b"x,y\nx,y\n1xinf'
    )
    for step in (1, 7, 50, 1000):
        assert outcome(data, "csv", "error", None, step) == outcome(data, "csv", "error", None, 10_000)


EMPTY_ROWS = [",,", " , ,", ",", '"","",""']
EMPTY = st.sampled_from(EMPTY_ROWS)


@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.one_of(st.just("1,2,3"), EMPTY, st.just("4,,6")), min_size=1, max_size=12),
    st.lists(EMPTY, max_size=8),
    st.integers(1, 40),
    st.sampled_from(["error", "skip"]),
)
def test_empty_rows_below_a_table_are_no_rows(
    rows: list[str], below: list[str], step: int, missing: str
) -> None:
    table = "x,y,z\n" + "1,2,3\n" + "".join(f"{row}\n" for row in rows) + "7,8,9\n"
    longer = table + "".join(f"{row}\n" for row in below)
    for reader in (*QUICK, "csv"):
        alone = outcome(table.encode(), reader, missing, ["x", "z"], step)
        whole = outcome(longer.encode(), reader, missing, ["x", "z"], step)
        assert whole[:5] == alone[:5]
        is_fault = len(alone) == 3
        assert is_fault == (missing == "error" and any(row in EMPTY_ROWS for row in rows))


@settings(max_examples=examples(80), deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="cp1252", exclude_characters='\r\n,"#%\0\x1a'), max_size=5), min_size=1
    ),
    st.integers(1, 30),
    st.sampled_from(["csv", "split"]),
)
def test_text_of_windows_1252_is_read_as_its_utf8(words: list[str], step: int, reader: str) -> None:
    text = (
        "word,x\n"
        + "".join(
            f"\N{LATIN SMALL LETTER E WITH ACUTE}-{word},{k}\n"  # before two letters it may be a character of UTF-8
            for k, word in enumerate(words)
        )
    )
    outcomes = [outcome(text.encode(form), reader, "error", ["x"], step) for form in ("utf-8", "cp1252")]
    assert outcomes[0] == outcomes[1]


def test_the_encoding_of_a_part_of_a_file_is_that_of_the_file(tmp_path: Path) -> None:
    path, degree = tmp_path / "t.csv", "\N{DEGREE SIGN}C"
    path.write_bytes("".join(["unit,x\n", *(f"{degree},{k}\n" for k in range(50))]).encode("cp1252"))
    size = path.stat().st_size
    read: list[float] = []
    for cut in (Cut(0, 99), Cut(99, 100), Cut(100, 200), Cut(200, size)):
        with open_part(str(path), cut) as table:
            blocks = list(table.blocks(["x"], text=True))
            read += [value for block in blocks for value in block.columns[0]]
            assert all(row.startswith(degree) for block in blocks for row in block.text or [])
    assert read == list(range(50))
    with open_table([str(path)]) as table:
        list(table.blocks(["x"]))
        assert table.notes == ("not UTF-8: read as Windows-1252",)
