"""Factors of small matrices in plain Python, against LAPACK and against matrices whose singular values are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.factors import PLAIN_COLUMNS, column_lengths, combined, congruence, singular, triangle
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import Vec

SEEDS = st.integers(0, 2**32)
SIZES = st.integers(1, PLAIN_COLUMNS + 2)


def columns_of(A: Any) -> list[Vec]:
    return [Vec(column) for column in A.T.tolist()]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 40), SIZES)
def test_the_triangle_has_the_inner_products_of_the_columns(seed: int, rows: int, size: int) -> None:
    A = np.random.default_rng(seed).normal(size=(rows, size))
    R = np.array(triangle(columns_of(A)))
    assert np.array_equal(R, np.triu(R))
    assert pytest.approx(A.T @ A, abs=1e-12) == R.T @ R


def test_the_triangle_of_columns_of_any_length() -> None:
    A = np.random.default_rng(1).normal(size=(9, 3)) * [1e-200, 1.0, 1e200]
    R = np.array(triangle(columns_of(A)))
    expected = np.linalg.qr(A, mode="r")
    assert abs(R) == pytest.approx(abs(expected), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SIZES, st.integers(0, 12))
def test_singular_values_and_vectors(seed: int, size: int, more: int) -> None:
    A = np.random.default_rng(seed).normal(size=(size + more, size))
    U, S, V = (np.array(part) for part in singular(columns_of(A)))
    assert pytest.approx(A, abs=1e-13) == U.T @ np.diag(S) @ V
    assert pytest.approx(np.eye(size), abs=1e-13) == V @ V.T
    assert list(S) == sorted(S, reverse=True)
    assert pytest.approx(np.linalg.svd(A, compute_uv=False), rel=1e-12, abs=1e-13) == S


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, PLAIN_COLUMNS), st.integers(0, 3))
def test_what_is_missing_of_the_rank_is_rounding(seed: int, size: int, lost: int) -> None:
    rank = max(0, size - lost)
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(size, rank)) @ rng.normal(size=(rank, size))
    lengths = np.linalg.norm(A, axis=0)
    U, S, _ = singular(columns_of(A / np.where(lengths > 0.0, lengths, 1.0)))
    assert all(s <= 8.0 * size * EPS for s in S[rank:])
    assert all(np.isfinite(U).flat)


def test_small_singular_values_keep_their_digits() -> None:
    """Of columns of very different length each singular value is as exact as that of columns of one length."""
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    _, S, _ = singular(columns_of(rotation * [1.0, 1e-5, 1e-10, 1e-14]))
    assert pytest.approx([1.0, 1e-5, 1e-10, 1e-14], rel=1e-13) == S


def test_a_matrix_without_columns() -> None:
    assert singular([]) == ([], [], [])
    assert triangle([]) == []
    assert combined([], [], 2) == [0.0, 0.0]


@pytest.mark.parametrize("size", [2, PLAIN_COLUMNS + 3])
def test_a_congruence_and_lengths(size: int) -> None:
    rng = np.random.default_rng(size)
    A, B = rng.normal(size=(size, size)), rng.normal(size=(size, size))
    A = A + A.T
    rows = [Vec(row) for row in B.tolist()]
    assert pytest.approx(B @ A @ B.T, abs=1e-12) == np.array(
        congruence(rows, [Vec(row) for row in A.tolist()])
    )
    assert column_lengths(rows) == pytest.approx(np.linalg.norm(B, axis=0))
    assert column_lengths([Vec([3e200]), Vec([4e200])]) == pytest.approx([5e200])
