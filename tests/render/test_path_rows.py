"""Thinning the path and writing numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli.kernel.number_format import amount, column, listing, seconds, short
from gdcli.kernel.vectors import Vec
from gdcli.objective.protocol import Counts, Evaluation
from gdcli.record.path_rows import ENDS, MIDDLE, Trail
from gdcli.render.machine_formats import ThinnedPath
from gdcli.solve.iteration import Iterate


def iterate(number: int, value: float = 1.0) -> Iterate:
    return Iterate(
        number, Evaluation(Vec([1.0, 2.0]), value, Vec([1.0, 0.0])), 0.1, 0.1, Counts(number, number), 0.0
    )


@given(st.integers(0, 5000))
def test_first_and_last_are_there_and_rows_are_few(count: int) -> None:
    trail = Trail(1, 2)
    for number in range(count + 1):
        trail(iterate(number))
        assert len(trail._middle) <= MIDDLE
    rows = trail.rows()
    numbers = [row.iteration for row in rows if row is not None]
    assert numbers[0] == 0
    assert numbers[-1] == count
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 2 * ENDS + MIDDLE
    if count < 2 * ENDS + MIDDLE:
        assert rows == [row for row in rows if row is not None]
        assert numbers == list(range(count + 1))
    if count > 100:
        assert None in rows
        assert all(n % trail.stride == 0 for n in numbers[ENDS:-ENDS])


@given(st.integers(0, 300), st.integers(1, 40))
def test_every(count: int, every: int) -> None:
    trail = Trail(1, 2, every)
    shown: list[int] = []
    thinned = ThinnedPath(every, lambda it: shown.append(it.iteration))
    for number in range(count + 1):
        trail(iterate(number))
        thinned(iterate(number))
    thinned.finish()
    expected = sorted({*range(0, count + 1, every), count})
    assert [row.iteration for row in trail.rows() if row is not None] == expected
    assert shown == expected


def test_iteration_numbers_may_have_holes() -> None:
    trail = Trail(1, 2)
    for number in (0, 1, 4, 5, 9):
        trail(iterate(number))
    assert None not in trail.rows()


def test_rows_keep_the_users_sign_and_few_coordinates() -> None:
    trail = Trail(-1, 1000)
    trail(
        Iterate(
            0, Evaluation(Vec([0.0] * 1000), 0.0, Vec([0.0] * 1000)), None, None, Counts(1, 1), 0.0, "start"
        )
    )
    (row,) = trail.rows()
    assert row is not None
    assert math.copysign(1.0, row.value) == 1.0
    assert len(row.coordinates) == 10


@pytest.mark.parametrize(
    ("values", "digits", "cells"),
    [
        ([1.0, 10.0, 200.0], 6, ["1", "10", "200"]),
        ([24.2, 5.10111266], 10, ["24.20000000", "5.10111266"]),
        ([24.2, 1e-9], 5, ["2.4200e+01", "1.0000e-09"]),
        ([0.5, None, -0.0], 4, ["0.5000", "", "0.0000"]),
        ([0.0, -0.0], 4, ["0", "0"]),
        ([1e300, 1.5], 4, ["1.000e+300", "1.500e+00"]),
        ([math.inf, 1.5], 4, ["inf", "1.500"]),
        ([], 4, []),
        ([None], 4, [""]),
    ],
)
def test_columns(values: list[float | None], digits: int, cells: list[str]) -> None:
    assert column(values, digits) == cells


@given(st.lists(st.none() | st.floats(), max_size=20), st.integers(2, 15))
def test_a_column_has_one_form(values: list[float | None], digits: int) -> None:
    cells = column(values, digits)
    finite = [c for c, v in zip(cells, values, strict=True) if v is not None and math.isfinite(v)]
    assert len({len(c.partition("e")[0].partition(".")[2]) for c in finite}) <= 1
    assert len({"e" in c for c in finite}) <= 1


def test_short_numbers() -> None:
    assert short(1.0000000000000002) == "1"
    assert short(-0.0) == "0"
    assert short(None) == "-"
    assert listing([1.0, 2.0]) == "[1, 2]"
    assert listing([float(i) for i in range(100)]) == "[0, 1, 2, 3, 4, ..., 99] (100 numbers)"
    assert amount(1, "value") == "1 value"
    assert amount(0, "value") == "0 values"
    assert seconds(0.0012345) == "1.23 ms"
    assert seconds(12.3456) == "12.3 s"
    assert seconds(600) == "10 min"
