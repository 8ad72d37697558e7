"""Files at URLs: read through fsspec, cut as files are, and told of in one sentence where they cannot be read."""

from __future__ import annotations

import gzip
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import DataError
from gdcli.table.partitions import Asked, partitions_of, read_partition
from gdcli.table.source import expand

fsspec = pytest.importorskip("fsspec", reason="needs the extra cluster: pip install '.[cluster]'")

ROWS = [(k % 7, 2 * (k % 7) + k % 3) for k in range(500)]
TEXT = ("x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS)).encode()
MODEL = "y ~ a*x + b"


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.pipe("/some/one.csv", TEXT)
    system.pipe("/some/two.csv", TEXT)
    yield system
    system.rm("/some", recursive=True)


def told(outcome: Any) -> Any:
    return outcome.run.best.at.x, outcome.run.best.at.value, repr(outcome.statistics), outcome.rows


def test_a_url_has_the_answer_of_its_file(memory: Any, tmp_path: Path) -> None:
    path = tmp_path / "a file.csv"
    path.write_bytes(TEXT)
    for partitions in (None, 4):
        expected = told(api.fit(MODEL, str(path), partitions=partitions))
        for url in ("memory://some/one.csv", f"local://{path}", path.as_uri()):
            assert told(api.fit(MODEL, url, partitions=partitions)) == expected


def test_a_url_is_cut_at_line_ends(memory: Any) -> None:
    parts = [read_partition(part, Asked(("x", "y"))) for part in partitions_of(["memory://some/one.csv"], 7)]
    rows = [pair for part in parts for pair in zip(*part.columns.take(0, part.columns.rows), strict=True)]
    assert rows == ROWS
    assert min(part.columns.rows for part in parts) > 60


def test_what_is_packed_or_of_16_bits_is_one_partition(memory: Any) -> None:
    expected = told(api.fit(MODEL, "memory://some/one.csv", partitions=1))
    for data in (gzip.compress(TEXT), TEXT.decode().encode("utf-16")):
        memory.pipe("/some/one", data)
        (part,) = partitions_of(["memory://some/one"], 3)
        assert part.cut is None
        assert told(api.fit(MODEL, "memory://some/one", partitions=3)) == expected


def test_patterns(memory: Any, tmp_path: Path) -> None:
    assert expand(["memory://some/*.csv"]) == ["memory:///some/one.csv", "memory:///some/two.csv"]
    assert api.fit(MODEL, "memory://some/*.csv").rows.used == 2 * len(ROWS)
    (tmp_path / "one.csv").write_bytes(TEXT)
    assert expand([f"file://{tmp_path}/o*.csv"]) == [f"{tmp_path}/one.csv"]
    for pattern in ("memory://some/*.txt", f"file://{tmp_path}/*.txt"):
        with pytest.raises(DataError, match="no file matches"):
            expand([pattern])


def test_what_cannot_be_read(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.registry import known_implementations

    missing = {"class": "a_package_of_nobody.System", "err": "install it"}
    monkeypatch.setitem(known_implementations, "nobody", missing)

    def refused(self: Any, path: str, *args: Any, **options: Any) -> Any:
        raise PermissionError("Access Denied\nand more")

    for url, why, hint in (
        ("memory://some/none.csv", "no such file or directory$", ""),
        ("unheard://some/one.csv", "Protocol not known: unheard$", ""),
        (
            "nobody://some/one.csv",
            "it needs the package a_package_of_nobody, which is not installed\n",
            "pip install a_package_of_nobody",
        ),
    ):
        with pytest.raises(DataError, match=f"^cannot read {url}: {why}") as fault:
            api.fit(MODEL, url)
        assert hint in fault.value.hint
    monkeypatch.setattr(type(memory), "_open", refused)
    with pytest.raises(DataError, match=r"^cannot read memory://some/one.csv: Access Denied$"):
        api.fit(MODEL, "memory://some/one.csv")


def test_a_bad_cell_is_told_by_url_line_and_column(memory: Any) -> None:
    lines = TEXT.split(b"\n")
    lines[300] = b"1,oops"
    memory.pipe("/some/one.csv", b"\n".join(lines))
    for partitions in (None, 5):
        with pytest.raises(
            DataError, match=r"^memory://some/one.csv:301:3: column y: 'oops' is not a number"
        ):
            api.fit(MODEL, "memory://some/one.csv", partitions=partitions)


class Server(http.server.BaseHTTPRequestHandler):
    """Gives one file, and parts of it where `parts` is true."""

    parts = True

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path != "/rows.csv":
            self.send_error(403 if self.path == "/secret.csv" else 404)
            return
        asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if self.parts else None
        begin, end = (int(asked[1]), min(int(asked[2]) + 1, len(TEXT))) if asked else (0, len(TEXT))
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(TEXT)}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(TEXT[begin:end])


@pytest.mark.parametrize("parts", [True, False])
def test_a_server_of_http(parts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(Server, "parts", parts)
    path = tmp_path / "rows.csv"
    path.write_bytes(TEXT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}"
        try:
            expected = told(api.fit(MODEL, str(path), partitions=4))
            found = api.fit(MODEL, f"{place}/rows.csv", partitions=4)
            assert told(found)[3].used == expected[3].used
            assert not parts or told(found) == expected
            assert len(partitions_of([f"{place}/rows.csv"], 4)) == (4 if parts else 1)
            for name, why in (("none", "no such file or directory"), ("secret", "Forbidden")):
                with pytest.raises(DataError, match=f"^cannot read {place}/{name}.csv: {why}$"):
                    api.fit(MODEL, f"{place}/{name}.csv")
        finally:
            server.shutdown()
            thread.join()
