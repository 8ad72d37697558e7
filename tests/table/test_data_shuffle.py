"""Orders and splits: permutations, the same bits for the same seed, nothing in both halves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import UsageError
from gdcli.table.shuffle import BLOCK, SHUFFLES, Order, RowChoice, all_rows, split

totals = st.one_of(st.integers(1, 600), st.integers(16_000, 60_000))


def numbers(of: Order, size: int = 1000) -> np.ndarray:
    return np.concatenate(list(of.pieces(size)))


@settings(deadline=None, max_examples=60)
@given(totals, st.sampled_from(SHUFFLES), st.integers(0, 5), st.integers(0, 5), st.integers(1, 70_000))
def test_an_order_is_a_permutation_whatever_the_pieces(
    total: int, shuffle: str, seed: int, epoch: int, size: int
) -> None:
    of = Order(all_rows(total), shuffle, seed, epoch)
    pieces = list(of.pieces(size))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    found = np.concatenate(pieces)
    assert found.dtype == np.int64
    assert (np.sort(found) == np.arange(total)).all()
    assert (found == numbers(of)).all()


@settings(deadline=None, max_examples=60)
@given(totals, st.sampled_from(SHUFFLES), st.integers(0, 5), st.floats(0.1, 0.9), st.booleans())
def test_runs_are_the_same_order(total: int, shuffle: str, seed: int, part: float, whole: bool) -> None:
    rows = all_rows(total) if whole or total < 2 else split(total, part, seed)[0]
    of = Order(rows, shuffle, seed, 1)
    if shuffle == "full" and rows.unit > 1:
        with pytest.raises(ValueError, match="no runs"):
            of.runs()
        return
    starts, ends = of.runs()
    assert starts.dtype == ends.dtype == np.int64
    assert np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)]).tolist() == (
        numbers(of).tolist()
    )


@settings(deadline=None, max_examples=60)
@given(totals.filter(lambda total: total > 1), st.floats(0.001, 0.999), st.integers(0, 9))
def test_a_split_has_every_row_once(total: int, fraction: float, seed: int) -> None:
    halves = split(total, fraction, seed)
    found = [numbers(Order(rows, "none")) for rows in halves]
    assert [len(rows) for rows in found] == [rows.size for rows in halves]
    assert (np.sort(np.concatenate(found)) == np.arange(total)).all()
    assert all((np.diff(rows) > 0).all() for rows in found)
    assert (
        abs(halves[1].size - fraction * total) <= 1.5 * halves[0].unit
    )  # rounded, and the last one is short
    for shuffle in SHUFFLES:
        for rows, mine in zip(halves, found, strict=True):
            assert (np.sort(numbers(Order(rows, shuffle, seed))) == mine).all()


def test_blocks_stay_whole_in_a_large_table() -> None:
    found = numbers(Order(all_rows(100 * BLOCK), "blocks", 1)).reshape(-1, BLOCK)
    assert (found == found[:, :1] + np.arange(BLOCK)).all()
    assert (found[:, 0] != np.sort(found[:, 0])).any()
    # In a small table the order is as random as can be, else a table of one block would keep its order.
    assert (np.diff(numbers(Order(all_rows(200), "blocks", 1))) != 1).mean() > 0.9


@pytest.mark.parametrize("shuffle", ["blocks", "full"])
def test_seed_and_epoch_make_the_order(shuffle: str) -> None:
    found = {
        (seed, epoch): tuple(numbers(Order(all_rows(30_000), shuffle, seed, epoch)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(found.values())) == 9
    assert found[1, 2] == tuple(numbers(Order(all_rows(30_000), shuffle, 1, 2)).tolist())


def test_the_same_bits_everywhere() -> None:
    """Kept: numpy's PCG64 seeded by [seed, stream, epoch], and its permutation."""
    assert numbers(Order(all_rows(8), "blocks", 7, 3)).tolist() == [2, 7, 4, 6, 0, 3, 1, 5]
    assert numbers(Order(split(10, 0.3, 7)[1], "none")).tolist() == [0, 8, 9]


def test_every_place_is_equally_likely() -> None:
    """The mean of where row 0 comes, over 2000 epochs, within four standard errors."""
    where = [
        int(np.flatnonzero(numbers(Order(all_rows(20), "full", 0, epoch)) == 0)[0]) for epoch in range(2000)
    ]
    assert abs(np.mean(where) - 9.5) < 4 * np.sqrt((20**2 - 1) / 12 / 2000)


@pytest.mark.parametrize(("total", "fraction"), [(10, 0), (10, 1), (10, -0.5), (10, float("nan")), (1, 0.5)])
def test_splits_that_cannot_be(total: int, fraction: float) -> None:
    with pytest.raises(UsageError):
        split(total, fraction, 0)


def test_the_size_of_some_units() -> None:
    assert RowChoice(600, 256, np.array([0, 2])).size == 256 + 88
    assert RowChoice(512, 256, np.array([1])).size == 256
    assert RowChoice(600, 256, np.array([], dtype=int)).size == 0
