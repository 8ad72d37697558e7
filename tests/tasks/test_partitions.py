"""Rows in partitions: read with the places of the whole file, asked one by one, merged in a fixed tree."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from visits import regression

from gdcli import api
from gdcli.kernel.errors import DataError, DomainError, UsageError
from gdcli.objective.row_model import merged
from gdcli.table.partitions import Asked, partitions_of, place_in, read_partition
from gdcli.table.source import open_table
from gdcli.table.spool import gather

ASKED = Asked(("y", "x"))


def written(path: Path, rows: int, end: str = "\n", head: str = "x,y") -> Path:
    text = end.join([head, *(f"{k},{k * k}" for k in range(rows))])
    path.write_bytes(text.encode())
    return path


def csv(path: Path, columns: dict[str, Any]) -> str:
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    path.write_text(",".join(columns) + "\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
    return str(path)


def columnar(frame: Any, path: Path, rows: int) -> None:
    """Write a file with groups of so many rows."""
    if path.suffix == ".parquet":
        frame.write_parquet(path, row_group_size=rows)
    else:
        frame.write_ipc(path, record_batch_size=rows)


@pytest.mark.parametrize("head", ["x,y", "# a comment\n\nx,y", "\ufeffx,y"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_parts_of_a_file_are_its_rows(tmp_path: Path, head: str, end: str) -> None:
    for rows, count in itertools.product((1, 2, 90), (1, 2, 3, 40)):
        path = written(tmp_path / "rows.csv", rows, end, head)
        with open_table([str(path)]) as table, gather(table, ASKED.columns) as whole:
            expected = np.array(whole.take(0, rows)).T.tolist()
        partitions = partitions_of([str(path)], count)
        assert len(partitions) == count
        found = []
        for partition in partitions:
            columns = read_partition(partition, ASKED).columns
            here = np.array(columns.take(0, columns.rows)).T.tolist()
            if here:
                line = 2 + head.count("\n") + len(found)
                assert place_in(partition, ASKED, 0) == f"{path}:{line}"
            found += here
        assert found == expected


def test_json_lines_are_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"x": {k}, "y": {-k}}}\n' for k in range(50)))
    found = [read_partition(p, ASKED).columns.take(0, 99)[1].tolist() for p in partitions_of([str(path)], 7)]
    assert list(itertools.chain(*found)) == list(range(50))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_columnar_files_are_cut_by_their_groups(tmp_path: Path, kind: str) -> None:
    polars, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    path, rows = tmp_path / f"rows.{kind}", {"x": list(range(70_000)), "y": [0.5] * 70_000}
    columnar(polars.DataFrame(rows), path, 10_000)
    parts = partitions_of([str(path)], 3)
    read = [read_partition(part, ASKED).columns for part in parts]
    assert [columns.rows for columns in read] == [20_000, 20_000, 30_000]
    assert [x for columns in read for x in columns.take(0, 30_000)[1].tolist()] == rows["x"]
    assert place_in(parts[1], ASKED, 1) == f"{path}:20002"
    assert [part.cut for part in partitions_of([str(path)])] == [None]
    more = [read_partition(part, ASKED).read.rows for part in partitions_of([str(path)], 10)]
    assert sum(more) == 70_000
    assert more.count(0) == 3


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_faults_of_columnar_files_have_their_row(tmp_path: Path, kind: str) -> None:
    polars, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    path, y = tmp_path / f"rows.{kind}", [0.5] * 5000
    y[3210] = float("nan")
    columnar(polars.DataFrame({"x": list(range(5000)), "y": y}), path, 1000)
    with pytest.raises(DataError, match="row 3211: column y: the value is missing"):
        api.fit("y ~ a*x", str(path), partitions=3)
    assert api.fit("y ~ a*x", str(path), partitions=3, missing="skip").rows.lines == (f"{path}:3211",)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_only_what_is_wanted_is_copied_from_a_url(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    polars, *_ = (pytest.importorskip(name) for name in ("polars", "pyarrow", "fsspec"))
    rng = np.random.default_rng(0)
    rows = {name: rng.random(80_000) for name in ("x", "y", "z", "other", "more")}
    rows["site"] = np.repeat(np.array(["a", "b"]), 40_000)
    path = tmp_path / f"rows.{kind}"
    columnar(polars.DataFrame(rows), path, 10_000)
    here, there, read = str(path), f"local://{path}", list[int]()
    from gdcli.table.urls import UrlFile

    def counted(self: UrlFile, buffer: memoryview, own: Any = UrlFile.readinto) -> int:
        read.append(own(self, buffer))
        return read[-1]

    monkeypatch.setattr(UrlFile, "readinto", counted)
    for model, parts in itertools.product(("y ~ a*x + b", "y ~ a*x + C(site)"), (None, 4)):
        one, other = (api.fit(model, place, partitions=parts) for place in (here, there))
        assert (one.run.best.at.x, one.run.best.at.value) == (other.run.best.at.x, other.run.best.at.value)
    first, *_ = partitions_of([there], 4)
    read.clear()
    read_partition(first, ASKED)
    ends = 2 * 65_536 + 9000  # the end of a Parquet file, where its footer is, is read each time it is opened
    assert sum(read) < 1.1 * 2 / 5 * path.stat().st_size / 4 + ends


def test_a_broken_footer_is_told(tmp_path: Path) -> None:
    polars, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    for kind in ("parquet", "arrow"):
        path = tmp_path / f"rows.{kind}"
        columnar(polars.DataFrame({"x": list(range(50)), "y": [0.5] * 50}), path, 10)
        data = bytearray(path.read_bytes())
        data[-10 if kind == "arrow" else -8] ^= 0x35
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"cannot read .*rows.{kind}: "):
            partitions_of([str(path)], 3)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_broken_groups_are_told(tmp_path: Path, kind: str) -> None:
    polars, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    path = tmp_path / f"rows.{kind}"
    columnar(polars.DataFrame({"x": list(range(50)), "y": [0.5] * 50}), path, 10)
    sound, told = path.read_bytes(), 0
    for at in range(8, len(sound), len(sound) // 40):
        path.write_bytes(sound[:at] + bytes(255 - byte for byte in sound[at : at + 20]) + sound[at + 20 :])
        try:
            _ = [read_partition(part, ASKED) for part in partitions_of([str(path)], 3)]
        except DataError as fault:
            told += str(path) in fault.message
    assert told > 5


def test_partitions_of_columnar_files_need_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    columnar(polars.DataFrame({"x": [1.0, 2.0], "y": [2.0, 4.0]}), tmp_path / "rows.parquet", 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"rows\.parquet: it needs the package pyarrow") as told:
        partitions_of([str(tmp_path / "rows.parquet")], 2)
    assert "install" in told.value.hint
    assert api.fit("y ~ a*x", str(tmp_path / "rows.parquet")).run.best.at.x == pytest.approx([2])


def test_faults_have_their_line_and_skipped_rows_too(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", 100)
    lines = path.read_text().split("\n")
    lines[70] = "70,oops"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as whole, open_table([str(path)]) as table:
        gather(table, ASKED.columns)
    parts = partitions_of([str(path)], 9)
    with pytest.raises(DataError) as cut:
        _ = [read_partition(part, ASKED) for part in parts]
    assert (cut.value.message, cut.value.span) == (whole.value.message, whole.value.span)
    skipped = [read_partition(part, ASKED._replace(missing="skip")) for part in parts]
    assert [place for one in skipped for place in one.read.places] == [f"{path}:71"]


def test_a_cell_of_two_lines_is_not_cut_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,y,z\n" + '1,2,"a\nb"\n' * 40)
    parts = [part for k in range(2, 12) for part in partitions_of([str(path)], k)]
    with pytest.raises(DataError, match="never closed"):
        _ = [read_partition(part, ASKED) for part in parts]
    assert read_partition(parts[0]._replace(cut=None), ASKED).columns.rows == 40


def test_another_file_of_that_name_is_found_out(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", 5)
    (part,) = partitions_of([str(path)])
    written(path, 6)
    with pytest.raises(DataError, match="bytes here"):
        read_partition(part, ASKED)


def test_a_pipe_and_too_few_partitions_are_refused(tmp_path: Path) -> None:
    path = str(written(tmp_path / "rows.csv", 5))
    with pytest.raises(UsageError, match="standard input"):
        partitions_of(["-"])
    with pytest.raises(UsageError, match="less than the number of files, 2"):
        partitions_of([path, path], 1)


@settings(max_examples=examples(100))
@given(st.integers(1, 40), st.data())
def test_the_tree_of_sums_is_the_same_whoever_merges_what(count: int, data: st.DataObject) -> None:
    """Texts with brackets tell the order; some partitions have no rows."""
    leaves = {(0, k): None if data.draw(st.booleans()) else str(k) for k in range(count)}
    owner = [data.draw(st.integers(0, 2)) for _ in range(count)]

    def both(one: str, other: str) -> str:
        return f"({one}{other})"

    parts = [merged({n: v for n, v in leaves.items() if owner[n[1]] == who}, count, both) for who in range(3)]
    together = merged(parts[2] | parts[0] | parts[1], count, both)
    assert together == merged(leaves, count, both)
    assert len(together) == 1


CASES = [
    ("y ~ a*tanh(b*x0)+c", "abc", {}),
    ("y ~ a*x0 + b*x1 + c", "abc", {"weights": "w"}),
    ("y ~ a/(1 + b*x1**2)", "ab", {"loss": "huber"}),
    ("t ~ a*x0 + b*x1 + c", "abc", {"loss": "logistic"}),
    ("n ~ exp(a*x0 + b)", "ab", {"loss": "poisson"}),
    ("y ~ a*x0 + b*x1 + c", "abc", {"loss": "absolute"}),
    ("(y - a - b*x0)**2", "ab", {"method": "bfgs"}),
    ("y ~ a*x0 + b*x1 + c", "abc", {"subject_to": ("a + b <= 0.2",)}),
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    columns = regression(600, 2, noise=0.3)
    columns["x1"] = np.abs(columns["x1"]) + 0.1
    columns["t"] = (columns["y"] > 0.0).astype(float)
    columns["n"] = np.floor(np.exp(0.3 * columns["y"]) + 0.5)
    columns["w"] = 1.0 + columns["t"]
    return csv(tmp_path_factory.mktemp("rows") / "rows.csv", columns)


@pytest.mark.parametrize(("model", "names", "options"), CASES)
def test_a_fit_over_partitions_is_that_of_all_rows(
    rows: str, model: str, names: str, options: dict[str, Any]
) -> None:
    start = dict.fromkeys(names, 0.1)
    whole = api.fit(model, rows, start, **options)
    parts = api.fit(model, rows, start, partitions=7, **options)
    assert parts.status is whole.status
    one, other = (list(outcome.run.best.at.x) for outcome in (whole, parts))
    assert other == pytest.approx(one, rel=1e-6, abs=1e-9)
    assert (whole.statistics is None) == (parts.statistics is None)
    if whole.statistics is not None and parts.statistics is not None:
        errors = [[e or 0.0 for e in o.statistics.errors.standard_errors] for o in (whole, parts)]
        assert errors[1] == pytest.approx(errors[0], rel=1e-5, abs=1e-9)


def test_checks_of_rows_tell_the_line(rows: str, tmp_path: Path) -> None:
    lines = Path(rows).read_text().split("\n")
    lines[333] = lines[333].rpartition(",")[0] + ",-1.0"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    for options in ({}, {"partitions": 5}):
        with pytest.raises(DataError, match=r":334: w = -1"):
            api.fit("y ~ a*x0", str(path), weights="w", **options)
        with pytest.raises(DomainError, match=r"rows.csv:2 .*"):
            api.fit("y ~ log(a)*x0", str(path), {"a": -1.0}, **options)


def test_columns_go_by_their_names(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a.csv", 9), tmp_path / "b.csv"
    other.write_text("y,x\n" + "".join(f"{k * k},{k}\n" for k in range(9, 20)))
    empty = written(tmp_path / "c.csv", 0)
    files = [str(one), str(other), str(empty)]
    found = api.fit("y ~ a*x**2 + b", files, partitions=3)
    assert found.point["a"] == pytest.approx(1.0)
    assert found.rows.used == 20
    one.write_text("x,y,w\n1,2,3\n2,3,4\n")
    with pytest.raises(DataError, match=r"b.csv has no column w"):
        api.fit("y ~ a*x*w", files[:2], partitions=2)
    with pytest.raises(DataError, match="no rows that can be used"):
        api.fit("y ~ a*x", str(empty), partitions=1)


def test_epochs_of_partitions_are_averaged_by_their_rows(tmp_path: Path) -> None:
    """Steps by all rows of each partition average to the step by all rows; the others end near the minimum."""
    columns = regression(4000, 2)
    parts = [{name: column[a:b] for name, column in columns.items()} for a, b in ((0, 900), (900, 4000))]
    files = [csv(tmp_path / f"{k}.csv", part) for k, part in enumerate(parts)]
    model, how = "y ~ a*x0 + b*x1 + c", {"batch_size": 0, "epochs": 4, "lr": 0.3}
    whole = api.fit(model, columns, **how)
    averaged = api.fit(model, files, partitions=2, **how)
    assert list(averaged.run.best.at.x) == pytest.approx(list(whole.run.best.at.x), rel=1e-12)
    some = api.fit(model, files, partitions=8, batch_size=4, epochs=6, seed=1)
    assert "the averages of 8 partitions after each epoch" in some.used
    assert some.run.best.at.value == pytest.approx(api.fit(model, columns).run.best.at.value, rel=0.01)
    polished = api.fit(model, files, partitions=8, batch_size=4, epochs=1, polish=True)
    assert list(polished.run.best.at.x) == pytest.approx(
        list(api.fit(model, columns).run.best.at.x), rel=1e-9
    )
    with pytest.raises(UsageError, match="--validate does not go with"):
        api.fit(model, files, partitions=8, batch_size=4, validate=0.2)


def test_what_is_derived_of_columns_is_so_in_each_partition(tmp_path: Path) -> None:
    """Conditions, expressions, dates and categories: all levels are known to all, also one that a single part has."""
    path, rng = tmp_path / "rows.csv", np.random.default_rng(0)
    lines = []
    for k in range(90):
        x, site = round(float(rng.random()), 4), "abc"[k % 2] if k < 89 else "c"
        lines.append(
            f"2024-01-{1 + k % 28:02},{site},{x},{2 + 3 * x + 0.1 * (site == 'b') + 0.01 * (-1) ** k}"
        )
    path.write_text("\n".join(["t,site,x,y", *lines, ""]))
    for model, options in (
        ("y ~ a + b*x", {"rows": "x > 0.2 and site == 'a'"}),
        ("y ~ a + s*b*x", {"sigma": "0.05*y + s/10", "constants": {"s": 1}, "start": {"a": 1, "b": 1}}),
        ("y ~ a + b*x + d*t", {}),
        ("y ~ a + b*x + C(site)", {"rows": "t > '2024-01-02'"}),
        ("y ~ b*x + C(site, b)", {}),
    ):
        start: Any = options.pop("start", None)
        here = api.fit(model, str(path), start, **options)
        for count in (1, 4):
            there = api.fit(model, str(path), start, **options, partitions=count)
            assert there.point == pytest.approx(here.point, rel=1e-9, abs=1e-12)
            assert there.rows == here.rows
            assert there.problem.categories == here.problem.categories
    with pytest.raises(UsageError, match="no partition knows how many come before"):
        api.fit("y ~ a*x", str(path), rows="1:10", partitions=2)
    with pytest.raises(DataError, match="of 90 rows --rows keeps none"):
        api.fit("y ~ a*x", str(path), rows="x > 9", partitions=2)


def test_files_without_rows_and_without_header(tmp_path: Path) -> None:
    rows, none, plain = (tmp_path / f"{name}.csv" for name in ("rows", "none", "plain"))
    rows.write_text("x,y\n" + "".join(f"{k},{3 * k + 1}\n" for k in range(30)))
    none.write_text("y,x\n")
    plain.write_text("".join(f"{k},{3 * k + 1}\n" for k in range(30)))
    for files, options in (([rows, none], {}), ([plain], {"columns": "x,y", "no_header": True})):
        found = api.fit("y ~ a*x + b", [str(path) for path in files], partitions=4, **options)
        assert found.rows.used == 30
        assert found.point == pytest.approx({"a": 3.0, "b": 1.0})


def test_notes_are_those_of_one_reading(tmp_path: Path) -> None:
    lines = [f"{k % 7},{k % 7 + k % 3},a" for k in range(3000)]
    commented = [*lines[:900], "# one", *lines[900:2500], "# two", "", *lines[2500:]]
    accented = [*lines[:2900], "1,2,\xe9", *lines[2900:]]
    texts = {
        "units": ["x,y,t", "s,m,-", *lines],
        "comments": ["% a comment", "x,y,t", *commented],
        "accents": ["x,y,t", *accented],
        "both": ["# x,y,t", *accented, "# end"],
        "dates": ["x,y,t", *(f"2024-01-{1 + k % 28:02},{k % 28 + k % 3},a" for k in range(300))],
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes("\n".join(text).encode("cp1252"))
    for names in (*((name,) for name in texts), ("units", "comments"), ("units", "units")):
        files = [str(tmp_path / name) for name in names]
        whole, *others = (api.fit("y ~ a*x + b", files, partitions=k).rows for k in (None, 2, 7))
        assert whole.notes
        assert others == [whole, whole]
