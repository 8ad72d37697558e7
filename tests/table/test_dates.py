"""Dates and times as numbers: by Python's own arithmetic of dates, and in every usual spelling."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import GdError
from gdcli.table.source import open_table, table_at_hand
from gdcli.table.text_columns import read
from gdcli.tasks.fit.asked_columns import asked_of
from tests.effort import examples

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))


@settings(max_examples=examples(200))
@given(MOMENTS, st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"]), st.sampled_from([" ", "T"]))
def test_usual_spellings_are_read_as_strptime_reads_them(at: datetime, day: str, between: str) -> None:
    for time, unit in (
        ("%H:%M", timedelta(minutes=1)),
        ("%H:%M:%S", timedelta(seconds=1)),
        ("%H:%M:%S.%f", None),
    ):
        text = at.strftime(f"{day}{between}{time}")
        found = read(text)
        assert found is not None
        wanted = datetime.strptime(text, f"{day}{between}{time}")
        assert found == wanted
        assert unit is None or at - found < unit
    found = read(at.strftime(day))
    assert found is not None
    assert found == datetime(at.year, at.month, at.day)
    hours = read(at.strftime("%I:%M %p"))
    assert hours is not None
    assert hours == datetime(1900, 1, 1, at.hour, at.minute)


@settings(max_examples=examples(100))
@given(MOMENTS, st.integers(-720, 720))
def test_an_offset_is_taken_in_utc(at: datetime, minutes: int) -> None:
    at = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    found = read(at.isoformat())
    assert found is not None
    assert found == at
    assert read(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")) == found


@pytest.mark.parametrize(
    "text", ["2024-02-30", "31.04.2024", "24:00", "2024-13-01", "3/4/2024", "12", "1.5", "a", ""]
)
def test_what_is_no_date(text: str) -> None:
    assert read(text) is None


def numbers(cells: list[str], option: str = "", rows: str = "") -> list[float]:
    text = "t;y\n" + "".join(f"{cell};1\n" for cell in cells)
    with open_table(["-"], stdin=io.BytesIO(text.encode())) as table:
        asked_of(table, {}, [rows] if rows else [], [option] if option else [])
        return [v for block in table.blocks(["t", "y"]) for v in block.columns[0].tolist()]


DAYS = ["2024-02-28", "2024-03-01", "2024-02-27"]


def test_units_and_origins() -> None:
    assert numbers(DAYS) == [0.0, 2.0, -1.0]
    assert numbers(DAYS, "t=hours") == [0.0, 48.0, -24.0]
    assert numbers(DAYS, "t=day since 2024-02-01 12:00") == [26.5, 28.5, 25.5]
    assert numbers(DAYS, rows='t >= "2024-02-28"') == [0.0, 2.0]
    assert numbers(DAYS, rows="t < 0") == [-1.0]
    assert numbers(["08:00", "08:00:30.5"]) == [28800.0, 28830.5]
    assert numbers(["08:00", "09:30"], "t=minutes since 8:00") == [0.0, 90.0]
    assert numbers(["2024-01-01 23:00", "2024-01-02 01:00:01"]) == [82800.0, 90001.0]
    assert numbers(["31/01/2024", "01/02/2024"]) == [0.0, 1.0]
    assert numbers(["1/2/2024", "1/3/2024"], "t=days as %m/%d/%Y") == [0.0, 1.0]
    assert numbers(["20240101", "20240201"], "t=days as %Y%m%d") == [0.0, 31.0]


@pytest.mark.parametrize(
    ("cells", "option", "message"),
    [
        (["3/4/2024"], "", "which is the day?"),
        (["1.5"], "t=days", "begins with 1.5, which is no date"),
        (DAYS, "t=weeks", "weeks is no unit of time here"),
        (DAYS, "t", "takes COLUMN=UNIT"),
        (DAYS, "u=days", "no column u"),
        (DAYS, "t=days since soon", "soon is no date"),
        ([*DAYS, "soon"], "", "standard input:5: t = soon is no date"),
        ([*DAYS, "2024-03-01T00:00Z"], "", "with and without a zone"),
    ],
)
def test_what_is_told_of_dates(cells: list[str], option: str, message: str) -> None:
    with pytest.raises(GdError) as caught:
        numbers(cells, option)
    assert message in caught.value.message


def test_times_of_python() -> None:
    import numpy as np

    days = [datetime(2024, 2, 28), datetime(2024, 3, 1)]
    for column in (days, [day.date() for day in days], np.array(days, dtype="datetime64[s]")):
        with table_at_hand({"t": column, "y": [1.0, 2.0]}) as table:
            asked_of(table, {}, dates=["t=days"])
            assert [v for block in table.blocks(["t"]) for v in block.columns[0]] == [0.0, 2.0]


@pytest.mark.parametrize("reader", ["csv", "split", "polars"])
def test_no_column_need_be_of_numbers(reader: str) -> None:
    if reader == "polars":
        pytest.importorskip("polars")
    text = "t,u\n" + "".join(f"2024-01-0{k},2024-02-0{2 * k}\n" for k in range(1, 4))
    with open_table(["-"], stdin=io.BytesIO(text.encode()), reader=reader) as table:
        asked_of(table, {})
        found = [row for block in table.blocks(["t", "u"]) for row in zip(*block.columns, strict=True)]
    assert found == [(0.0, 0.0), (1.0, 2.0), (2.0, 4.0)]
