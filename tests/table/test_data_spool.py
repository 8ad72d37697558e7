"""Columns kept for several passes: the same in memory and on disk, in every order; nothing is left behind."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from gdcli.kernel.errors import DataError
from gdcli.table.blocks import Columns
from gdcli.table.shuffle import SHUFFLES, Order, all_rows, split
from gdcli.table.source import open_table
from gdcli.table.spool import gather
from gdcli.table.spooled import Folder

ROWS = 40_123


def data(rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(rows, 3))


def text(table: np.ndarray) -> bytes:
    return b"y,x,z\n" + "".join(",".join(map(repr, row)) + "\n" for row in table.tolist()).encode()


@pytest.fixture(scope="module")
def csv() -> bytes:
    return text(data())


def kept(csv: bytes, tmp_path: Path, memory: int) -> Columns:
    with open_table(["-"], stdin=io.BytesIO(csv)) as table:
        return gather(table, ["z", "y"], spool=str(tmp_path), memory=memory)


@pytest.mark.parametrize("memory", [0, 1000, 3 * 10**5, 10**9])
@pytest.mark.parametrize("size", [1000, 16384, 10**6])
def test_chunks_are_the_rows_as_they_stand(csv: bytes, tmp_path: Path, memory: int, size: int) -> None:
    wanted = data()[:, [2, 0]]
    with kept(csv, tmp_path, memory) as columns:
        assert columns.in_memory == (memory == 10**9)
        assert columns.rows == ROWS
        for _ in range(2):
            starts, found = [], []
            for start, arrays in columns.chunks(size):
                starts.append(start)
                found.append(np.stack(arrays, axis=1))
            assert starts == list(range(0, ROWS, size))
            assert (np.concatenate(found) == wanted).all()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("memory", [0, 10**9])
def test_an_order_is_the_same_in_every_chunking_and_place(
    csv: bytes, tmp_path: Path, shuffle: str, memory: int
) -> None:
    wanted = data()[:, [2, 0]]
    with kept(csv, tmp_path, memory) as columns:
        for rows in (all_rows(ROWS), *split(ROWS, 0.2, 1)):
            epoch = Order(rows, shuffle, seed=3, epoch=1)
            numbers = np.concatenate(list(epoch.pieces(777)))
            for size in (32, 5000):
                found = [np.stack(arrays, axis=1) for _, arrays in epoch.chunks(columns, size)]
                assert {len(piece) for piece in found[:-1]} == {size}
                assert (np.concatenate(found) == wanted[numbers]).all()


def test_the_spool_is_npy(csv: bytes, tmp_path: Path) -> None:
    with kept(csv, tmp_path, 0):
        files = sorted(tmp_path.glob("*/*.npy"))
        assert [np.load(file).shape for file in files] == [(ROWS,)] * 2
        assert (np.load(files[0]) == data()[:, 2]).all()


def test_an_error_leaves_no_files(tmp_path: Path) -> None:
    bad = text(data()) + b"1,2,oops\n"
    with (
        open_table(["-"], stdin=io.BytesIO(bad)) as table,
        pytest.raises(DataError, match=f":{ROWS + 2}:5: .*oops"),
    ):
        gather(table, ["z"], spool=str(tmp_path), memory=0)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none(csv: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot make a folder") as caught:
        kept(csv, tmp_path / "nowhere", 0)
    assert "--spool" in caught.value.hint


def test_a_full_disk(csv: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write to /dev/full fails as on a full disk."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")

    def create(folder: Folder, name: str) -> BinaryIO:
        folder.path(name).symlink_to(full)
        return open(folder.path(name), "wb")

    monkeypatch.setattr(Folder, "create", create)
    with pytest.raises(DataError, match="no space left") as caught:
        kept(csv, tmp_path, 0)
    assert "--spool DIR" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_without_preadv(csv: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdcli.table.spooled._PREADV", False)
    with kept(csv, tmp_path, 0) as columns:
        found = [arrays[1].copy() for _, arrays in Order(all_rows(ROWS), "blocks", 1).chunks(columns, 1000)]
        numbers = np.concatenate(list(Order(all_rows(ROWS), "blocks", 1).pieces(1000)))
        assert (np.concatenate(found) == data()[numbers, 0]).all()


ENDLESS = """
import signal, sys
from gdcli.table.source import open_table
from gdcli.table.spool import gather
from gdcli.kernel.errors import Terminated

def terminate(number, frame):
    raise Terminated

signal.signal(signal.SIGTERM, terminate)
try:
    with open_table(["-"], stdin=sys.stdin.buffer) as table:
        gather(table, ["x"], spool=sys.argv[1], memory=0, watch=lambda t: print(t.rows, flush=True))
except (KeyboardInterrupt, Terminated) as end:
    sys.exit(type(end).__name__)
"""


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")]
)
def test_an_interrupt_leaves_no_files(tmp_path: Path, number: signal.Signals, name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            for lines, rows in ((b"x\n1\n2\n", b"2\n"), (b"3\n", b"3\n")):
                process.stdin.write(lines)
                process.stdin.flush()
                assert process.stdout.readline() == rows
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert name in errors.decode()
    assert list(tmp_path.iterdir()) == []
