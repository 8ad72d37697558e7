"""What is promised of every data file, as one function of bytes.

Whatever the bytes, a table is read or a `GdError` says why not, in less than a second. The three ways to read text
(polars, splitting, the csv module) give the same numbers, places, texts and errors, from a file as from a pipe, packed
or not; lines of JSON give the numbers that a JSON parser finds; and a fit to the table ends with an answer or an error.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, BinaryIO, cast

import numpy as np
from fuzz.inputs import Bytes, check_error, in_time, words

from gdcli.kernel.errors import GdError
from gdcli.table import delimited_text
from gdcli.table.source import DataTable, open_table
from gdcli.table.typed_rows import as_number

OPTIONAL = {"native": "llvmlite", "polars": "polars"}
READERS = ("csv", "split", *(way for way, library in OPTIONAL.items() if find_spec(library)))
EVERY_FIT = 7

_NUMBERS = (
    "1",
    "2",
    "-3.5",
    "0",
    "1e400",
    "1e-400",
    "5e-324",
    "1e308",
    "nan",
    "NA",
    "inf",
    "1_0",
    ".5",
    "5.",
    "+1",
)
_CELLS = (
    *_NUMBERS,
    '"1"',
    '"2"',
    '"a""b"',
    '"',
    '""',
    "x",
    "y",
    "x,y\n",
    "z",
    "é",
    "é",
    "\ufeff",
    "0x1",
    " ",
    "1d5",
)
_MARKS = (
    ",",
    ",",
    ",",
    ",",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r",
    ";",
    "\t",
    "|",
    "#",
    " ",
    "\0",
    "\x0b",
    "\u2028",
    "\x1c",
)
TEXT = (
    *_NUMBERS,
    *_NUMBERS,
    *_CELLS,
    *(_MARKS * 2),
    "x;y\n",
    "x y\n",
    "x\ty\n",
    "log",
    "pi",
    "1,5",
    "--",
    "e5",
)
OBJECTS = (
    *(
        '{"x": 1, "y": 2}\n',
        '{"x": 3, "y": 4}\n',
        '{"x":',
        '"y":',
        "{",
        "}",
        "[",
        "]",
        ",",
        ",",
        ":",
        "\n",
        "\n",
    ),
    *(
        '"x"',
        '"y"',
        "1",
        "2.5",
        "-1e3",
        "1e999",
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        '"NA"',
    ),
    *(
        '""',
        '"\\u00e9"',
        '"\\ud800"',
        "\t",
        " ",
        "\r",
        "é",
        "1" * 310,
        "[" * 50,
        "0.1",
        "1E5",
        "01",
        "{}",
        '"x": 5',
    ),
)
_PACKED: tuple[Callable[[bytes], bytes], ...] = (
    lambda b: b,
    lambda b: gzip.compress(b, mtime=0),
    bz2.compress,
    lzma.compress,
    lambda b: gzip.compress(b, mtime=0)[: max(3, len(b))],  # cut off
    lambda b: b"\x1f\x8b" + b,  # gzip by its first bytes only
    lambda b: gzip.compress(b, mtime=0) + b,  # something after the end
    lambda b: b"\xfd7zXZ\x00" + b,
)


class Pipe(io.RawIOBase):
    """Bytes that come a few at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__()
        self._content, self._step = io.BytesIO(content), step

    def read1(self, size: int) -> bytes:
        return self._content.read(min(size, self._step))


def data(raw: bytes) -> None:
    """Run one input through the readers; raises AssertionError where a promise is broken."""
    source = Bytes(raw)
    kind, packed, options = source.byte() % 4, source.byte(), source.byte()
    rest = source.rest()
    content = rest
    if kind in (1, 2):
        content = words(rest, TEXT).encode("utf-8", "surrogatepass")
        content = content.replace(b"\xc3\xa9", b"\xc3\xa9" if options & 64 else b"\xe9")
    elif kind == 3:
        content = words(rest, OBJECTS).encode("utf-8", "surrogatepass")
    missing = ("error", "skip")[options & 1]
    step = (1, 3, 50, 10_000)[(options >> 1) & 3]
    pack = _PACKED[packed % len(_PACKED)] if packed >= 128 else _PACKED[0]
    with in_time(content):
        tables(pack(content), missing, step, content if pack in _PACKED[:4] else None)
        if options % EVERY_FIT == 0:
            fit(pack(content), missing, options)


def tables(stored: bytes, missing: str, step: int, plain: bytes | None) -> None:
    """Read the bytes in every way; ``plain`` are the same bytes not packed, where there are such."""
    with tempfile.NamedTemporaryFile(dir=_memory(), suffix=".csv") as file:
        file.write(stored)
        file.flush()
        expected = reading(file.name, missing, "csv")
        for reader in READERS[1:]:
            found = reading(file.name, missing, reader)
            assert found == expected, (plain or stored, reader, expected, found)
    if not stored.startswith((b"PAR1", b"ARROW1")):
        through = reading("-", missing, READERS[-1], cast(BinaryIO, Pipe(stored, step)))
        if plain is None:  # of two faults the one of the packing may be met first or last
            through, expected = through[0], expected[0]
        assert through == expected, (plain or stored, "pipe", expected, through)
    if plain is not None and plain.lstrip()[:1] == b"{" and expected[0] == "table":
        assert expected[2] == parsed(plain, missing), (plain, expected)


def reading(path: str, missing: str, reader: str, stdin: BinaryIO | None = None) -> Any:
    """All that can be seen of a reading: names, the bits of the numbers, counts, places, texts; or the error."""
    try:
        with open_table([path], stdin=stdin, reader=reader, missing=missing) as table:
            return ("table", table.names, *_seen(table, path))
    except GdError as error:
        check_error(error)
        span = None if error.span is None else error.span._replace(source="")
        return ("error", error.message.replace(_name(path), "FILE"), error.exit_code, span)


def _seen(table: DataTable, path: str) -> tuple[Any, ...]:
    names = [name for name in table.names if name] or ["x"]
    blocks = list(table.blocks(names, text=True))
    columns = [np.concatenate([block.columns[i] for block in blocks]) for i in range(len(names))]
    assert all(np.isfinite(column).all() for column in columns)
    assert {len(column) for column in columns} == {table.rows}
    rows = [row for block in blocks for row in block.text or []]
    used = [use for block in blocks for use in block.used or []]
    assert sum(used) == table.rows
    assert len(used) == len(rows)
    places = [str(table.place(row)).replace(_name(path), "FILE") for row in range(table.rows)]
    return [column.tobytes() for column in columns], table.skipped, places, rows, used


def _name(path: str) -> str:
    return "standard input" if path == "-" else path


def parsed(content: bytes, missing: str) -> list[bytes]:
    """The numbers of lines of JSON as the JSON parser alone finds them."""
    rows = [json.loads(line) for line in content.decode("utf-8-sig").split("\n") if line.strip()]
    keys = [key for key, name in zip(rows[0], _names(list(rows[0])), strict=True) if name]
    found = [[as_number(row.get(key)) for key in keys] for row in rows]
    kept = [row for row in found if not any(map(math.isnan, row))]
    return [np.array(column, dtype=float).tobytes() for column in zip(*kept, strict=True)]


def _names(titles: list[str]) -> tuple[str, ...]:
    import unicodedata

    from gdcli.table.header import names_of

    return names_of([unicodedata.normalize("NFKC", t.strip()) for t in titles], "FILE:1")


def fit(stored: bytes, missing: str, options: int) -> None:
    """Fit a line to the first two columns, in one of several ways."""
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitRequest, FitSettings
    from gdcli.tasks.fit.solve_fit import solve

    way = options >> 1
    asked: dict[str, Any] = {"loss": (None, "absolute", "huber", "poisson", "logistic")[way % 5]}
    if way % 3 == 1:
        asked["weights"] = "x"
    if way % 3 == 2 and asked["loss"] in (None, "absolute", "huber"):
        asked["sigma"] = "x"
    settings = FitSettings(max_iter=5) if way % 4 else FitSettings(epochs=2, batch_size=2)
    with tempfile.NamedTemporaryFile(dir=_memory(), suffix=".csv") as file:
        file.write(stored)
        file.flush()
        request = FitRequest("y ~ a*x + b", (file.name,), missing=missing, **asked)
        try:
            with prepared(request) as ready:
                solve(ready, settings)
        except GdError as error:
            check_error(error)


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def small_blocks() -> None:
    """Read blocks of a few lines, so that small files are cut in many places."""
    delimited_text._SIZES.update(native=50, polars=60, split=40, csv=25)
    delimited_text._SECOND = 10
