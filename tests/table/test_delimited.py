"""Rows of text by machine code: every number has the bits of float(), and what is not plain is left alone."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from gdcli.compile import delimited_rows
from gdcli.compile.delimited_rows import RowsReader
from gdcli.table import delimited_text
from gdcli.table.source import open_table
from gdcli.table.spool import gather
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import FitRequest, FitSettings

READER = RowsReader(use_cache=False)


def bits(value: float) -> bytes:
    return struct.pack("d", value)


def cell(text: str) -> float | None:
    """The number that a text is to the machine code, None where it leaves that open."""
    read = READER.read(f"{text},x\n".encode(), ",", 2, [0])
    if read is None or len(read.doubtful):
        return None
    return float(read.columns[0, 0])


def is_for_it(text: str) -> bool:
    """Tell whether machine code must read a decimal: no more than 19 digits, and 0 or within the range."""
    digits = text.lower().partition("e")[0].strip("+-").replace(".", "").lstrip("0")
    size = abs(float(text))
    return len(digits) <= 19 and (not digits or 2.3e-308 < size < 2.0**1023)


decimals = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map("{:.18e}".format),
    st.floats(-1e9, 1e9).map("{:.8g}".format),
    st.floats(-1e9, 1e9).map("{:.12f}".format),
    st.from_regex(r"\A[+-]?[0-9]{1,20}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?\Z"),
    st.from_regex(r"\A[+-]?\.[0-9]{1,22}([eE][+-]?[0-9]{1,2})?\Z"),
)


@settings(max_examples=examples(2000), deadline=None)
@given(decimals)
@example("0")
@example("-0")
@example("-0.0e-5")
@example("0e999")
@example("9007199254740993")  # halfway between two doubles
@example("9007199254740992.5")
@example("9223372036854775808")
@example("9999999999999999999")
@example("1e23")
@example("8.41e21")
@example("2.2250738585072014e-308")
@example("8.988465674311579e307")
@example("8.98846567431158e307")
@example("1.7976931348623157e308")
@example("0." + "0" * 30 + "1234567890123456789")
def test_a_decimal_has_the_bits_of_float(text: str) -> None:
    found = cell(text)
    assert found is not None or not is_for_it(text)
    assert found is None or bits(found) == bits(float(text))


def test_many_random_doubles_and_halfway_numbers() -> None:
    rng = random.Random(4)
    texts = []
    for _ in range(40_000):
        value = struct.unpack("d", rng.randbytes(8))[0]
        if math.isfinite(value):
            texts += [repr(value), f"{value:.18e}"]
        texts.append(f"{rng.randrange(10**19)}e{rng.randrange(-320, 288)}")
    for _ in range(20_000):  # exactly between two doubles of up to 2**63
        value = rng.randrange(2**53, 2**54) * 2.0 ** rng.randrange(0, 9)
        middle = (Fraction(value) + Fraction(math.nextafter(value, math.inf))) / 2
        texts += [str(int(middle)), str(int(middle) + 1), str(int(middle) - 1), f"{int(middle)}.5"]
    texts = [text for text in texts if is_for_it(text)]
    read = READER.read("".join(f"{text}\n" for text in texts).encode(), ",", 1, [0], threads=2)
    assert read is not None
    assert not len(read.doubtful)
    assert read.columns[0].tobytes() == np.array([float(text) for text in texts]).tobytes()


OPEN = "| |nan|inf|NA|0x10|1_000|1e|1e+|.|-|+|--1|1.2.3|1 2|1\t|1f|e5|1\x0b|'1'|1d5|- 1"


@pytest.mark.parametrize("text", OPEN.split("|"))
def test_what_is_no_short_decimal_is_doubtful(text: str) -> None:
    read = READER.read(f"1,2\n3,{text}\n5,6\n".encode(), ",", 2, [0, 1])
    assert read is not None
    assert read.doubtful.tolist() == [1]
    assert read.columns[:, [0, 2]].tolist() == [[1.0, 5.0], [2.0, 6.0]]


def test_so_are_more_digits_and_what_is_too_large_or_too_small() -> None:
    texts = ("12345678901234567890", "1e-320", "1e400", "1e99999999999999999999")
    assert [cell(text) for text in texts] == [None] * 4


def test_spaces_around_a_number_are_nothing() -> None:
    assert [cell(text) for text in (" 1", "2 ", "  -3.5  ")] == [1.0, 2.0, -3.5]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1\n",
            "1,2,3\n",
            "1,2\n\n",
            "\n1,2\n",
            '1,"2"\n',
            '"a",2\n',
            "1,2\r3,4\n",
            "1,2\r\r\n",
            "1,\x002\n",
        ),
        f"1,{'2' * 3_000_000}\n",
    ],
)
def test_what_is_not_plain_is_left_alone(text: str) -> None:
    assert READER.read(b"1,2\n" + text.encode(), ",", 2, [0]) is None
    assert READER.read(b"1,2\n" + text.encode(), ",", 2, [1]) is None


def test_bytes_that_are_no_text_are_left_alone() -> None:
    assert READER.read(b"a\xe4b,2\n", ",", 2, [1]) is None
    read = READER.read("aäb,2\n".encode(), ",", 2, [1])
    assert read is not None
    assert read.columns.tolist() == [[2.0]]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_delimiter_line_end_and_number_of_threads(delimiter: str, ending: str, threads: int) -> None:
    table = np.random.default_rng(2).normal(size=(30_000, 3))
    lines = (delimiter.join([repr(a), "text!", f"{b:.5g}", repr(c)]) for a, b, c in table.tolist())
    data = "".join(line + ending for line in lines).encode()
    read = READER.read(data, delimiter, 4, [3, 0, 2], threads=threads)
    assert read is not None
    assert read.columns.shape == (3, len(table))
    assert not len(read.doubtful)
    rounded = np.array([float(f"{b:.5g}") for b in table[:, 1].tolist()])
    assert (read.columns == [table[:, 2], table[:, 0], rounded]).all()


def test_cells_apart_by_any_spaces_and_tabs() -> None:
    read = READER.read(b" 1 \t 2\n3\t4  \n  x  y\r\n5 6 \r\n", " ", 2, [0, 1])
    assert read is not None
    assert read.doubtful.tolist() == [2]
    assert read.columns[:, [0, 1, 3]].tolist() == [[1, 3, 5], [2, 4, 6]]
    assert READER.read(b"1 2\n  \n", " ", 2, [0]) is None


def test_the_powers_of_five_are_those_of_arithmetic() -> None:
    words = delimited_rows._powers_of_five()
    for q in range(delimited_rows._LOWEST, delimited_rows._HIGHEST + 1, 7):
        k = 2 * (q - delimited_rows._LOWEST)
        value = Fraction((words[k] << 64) + words[k + 1])
        ratio = value / Fraction(5) ** q  # a power of two, but for the last of 128 bits
        nearest = Fraction(2) ** round(math.log2(ratio.numerator) - math.log2(ratio.denominator))
        assert words[k] >> 63 == 1
        assert abs(value - Fraction(5) ** q * nearest) <= 1


# -- as one of the quick ways ------------------------------------------------------------------------------


def file_of(path: Path, rows: int, odd: dict[int, str] | None = None) -> Path:
    values = np.random.default_rng(7).normal(size=(rows, 2)).tolist()
    lines = [(odd or {}).get(i, f"{a!r},{b!r}") for i, (a, b) in enumerate(values)]
    path.write_text("y,x\n" + "\n".join(lines) + "\n")
    return path


def gathered(path: Path, memory: int, reader: str, tmp_path: Path) -> tuple[list[bytes], int, list[Any]]:
    with (
        open_table([str(path)], missing="skip", reader=reader) as table,
        gather(table, ["x", "y"], spool=str(tmp_path), memory=memory) as columns,
    ):
        chunks = [[array.copy() for array in arrays] for _, arrays in columns.chunks()]
        found = [np.concatenate(arrays).tobytes() for arrays in zip(*chunks, strict=True)]
        return (
            found,
            table.skipped,
            [table.place(row).line for row in (0, columns.rows // 2, columns.rows - 1)],
        )


@pytest.mark.parametrize("memory", [10**9, 500_000, 0])
def test_a_table_is_kept_as_the_csv_module_reads_it(
    memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows to be decided, rows to be skipped, and blocks that are not plain, among blocks read into their place."""
    monkeypatch.setattr(delimited_text, "_SIZES", dict.fromkeys(delimited_text._SIZES, 1 << 17))
    odd = {5: "NA,1", 20_000: "nan,2", 20_001: "1_0,2", 30_000: '"1","2"', 39_000: "1,2,3", 40_000: "1,١"}
    path = file_of(tmp_path / "data.csv", 60_000, odd)
    expected = gathered(path, 10**9, "csv", tmp_path)
    assert expected[1] == 4
    assert gathered(path, memory, "native", tmp_path) == expected


@pytest.mark.parametrize(("rows", "loaded"), [(1000, False), (120_000, True)])
def test_long_tables_are_read_by_machine_code(
    rows: int, loaded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def seen(use_cache: bool) -> RowsReader:
        asked.append(use_cache)
        return READER

    monkeypatch.setattr(delimited_text, "rows_reader", seen)
    path = file_of(tmp_path / "data.csv", rows)
    with open_table([str(path)], use_cache=False) as table:
        assert sum(len(block.columns[0]) for block in table.blocks(["x"])) == rows
    assert bool(asked) == loaded
    assert not any(asked)


def test_without_machine_code_the_other_ways_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path / "data.csv", 120_000)
    expected = gathered(path, 10**9, "native", tmp_path)
    monkeypatch.setattr(delimited_text, "rows_reader", lambda use_cache: None)
    assert gathered(path, 10**9, "native", tmp_path) == expected


@pytest.mark.parametrize("no_cache", [False, True])
def test_the_machine_code_is_kept_on_disk_or_not(
    no_cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDCLI_CACHE_DIR", str(tmp_path / "kept"))
    path = file_of(tmp_path / "data.csv", 120_000)
    delimited_text.rows_reader.cache_clear()
    with prepared(FitRequest("y ~ a*x + b", files=(str(path),)), FitSettings(no_cache=no_cache)) as ready:
        assert ready.row.use_cache is not no_cache
    assert (tmp_path / "kept").exists() is not no_cache
    delimited_text.rows_reader.cache_clear()


@pytest.mark.parametrize("broken", [False, True])
def test_machine_code_that_cannot_be_had_is_none(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any) -> None:
        raise OSError("no room")

    delimited_text.rows_reader.cache_clear()
    with monkeypatch.context() as patch:
        if broken:
            patch.setattr("gdcli.compile.machine_code.load", fails)
        else:
            patch.setattr("gdcli.compile.machine_code.is_installed", lambda: False)
        assert delimited_text.rows_reader(False) is None
    delimited_text.rows_reader.cache_clear()
    assert delimited_text.rows_reader(False) is not None
    delimited_text.rows_reader.cache_clear()
