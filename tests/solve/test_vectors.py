"""Small vectors and matrices in plain Python against numpy, operation by operation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli.kernel import dense, vectors
from gdcli.kernel.vectors import Vec
from gdcli.solve.methods.quasi_newton import Memory

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
PAIRS = st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.lists(NUMBERS, min_size=n, max_size=n)] * 2))


def _close(a: object, b: object) -> None:
    np.testing.assert_allclose(np.array(a, dtype=float), np.array(b, dtype=float), rtol=1e-12, atol=1e-9)


@given(PAIRS, NUMBERS)
def test_arithmetic_is_that_of_arrays(pair: tuple[list[float], list[float]], c: float) -> None:
    u, v = Vec(pair[0]), Vec(pair[1])
    a, b = np.array(pair[0]), np.array(pair[1])
    _close(u + v, a + b)
    _close(u - v, a - b)
    _close(-u, -a)
    _close(u * c, a * c)
    _close(c * u, c * a)
    _close(u / 3.0, a / 3.0)
    _close(u @ v, a @ b)
    for name in ("dot", "distance", "times"):
        _close(getattr(vectors, name)(u, v), getattr(vectors, name)(a, b))
    for name in ("norm", "max_abs", "zeros_like", "to_list"):
        _close(getattr(vectors, name)(u), getattr(vectors, name)(a))
    for name in ("is_finite", "is_zero"):
        assert getattr(vectors, name)(u) == getattr(vectors, name)(a)
    assert vectors.same(u, v) == vectors.same(a, b)
    _close(vectors.along(u, c, v), vectors.along(a, c, b))
    for start, direction, other in ((u, v, -u), (a, b, -a)):
        changed = start * 1.0
        product = vectors.add_then_dot(changed, 0.5, direction, other)
        _close(changed, a + 0.5 * b)
        _close(product, -a @ (a + 0.5 * b))
    _close(vectors.roots(vectors.times(u, u)), vectors.roots(vectors.times(a, a)))
    _close(vectors.clipped(u, Vec([-1.0] * len(u)), Vec([2.0] * len(u))), np.clip(a, -1, 2))


def test_results_stay_of_their_kind() -> None:
    u, a = Vec([1.0, 2.0]), np.array([1.0, 2.0])
    for made in (
        u + u,
        u - u,
        -u,
        2 * u,
        u / 2,
        u.copy(),
        vectors.along(u, 2.0, u),
        vectors.as_like(u, [1, 2]),
    ):
        assert type(made) is Vec
    assert isinstance(vectors.as_like(a, [1, 2]), np.ndarray)
    assert isinstance(vectors.unit_like(a, 1), np.ndarray)
    assert type(vectors.dot(a, a)) is float
    assert type(vectors.norm(a)) is float


def test_in_place_operators_do_not_lengthen_the_list() -> None:
    u = Vec([1.0, 2.0])
    v = u
    u += Vec([1.0, 1.0])
    u *= 2.0
    assert u == [4.0, 6.0]
    assert v == [1.0, 2.0]


def test_add_then_dot_of_a_long_vector() -> None:
    q, v, w = np.random.default_rng(0).normal(size=(3, 50_001))
    expected = q + 2.5 * v
    product = vectors.add_then_dot(q, 2.5, v, w)
    np.testing.assert_array_equal(q, expected)
    assert product == pytest.approx(w @ expected, rel=1e-9)


@pytest.mark.parametrize("make", [Vec, np.array])
def test_norm_neither_overflows_nor_vanishes(make: object) -> None:
    assert vectors.norm(make([3e200, 4e200])) == pytest.approx(5e200)  # type: ignore[operator]
    assert vectors.norm(make([3e-200, 4e-200])) == pytest.approx(5e-200)  # type: ignore[operator]
    assert vectors.norm(make([0.0, 0.0])) == 0.0  # type: ignore[operator]
    assert math.isnan(vectors.max_abs(make([1.0, math.nan, 2.0])))  # type: ignore[operator]


@pytest.mark.parametrize("make", [Vec, np.array])
def test_is_finite(make: object) -> None:
    with np.errstate(all="ignore"):
        assert vectors.is_finite(make([1e308, 1e308, 1.0]))  # type: ignore[operator]
        for bad in (math.nan, math.inf, -math.inf):
            assert not vectors.is_finite(make([1.0, bad]))  # type: ignore[operator]
        assert not vectors.is_finite(make([math.inf, -math.inf]))  # type: ignore[operator]


def _rows(A: np.ndarray) -> list[Vec]:
    return [Vec(row) for row in A.tolist()]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 45])
def test_dense_against_numpy(n: int) -> None:
    rng = np.random.default_rng(n)
    for trial in range(20):
        M = rng.normal(size=(n, n))
        A = M @ M.T + 0.1 * np.eye(n) if trial % 2 else M + M.T
        rows, b = _rows(A), rng.normal(size=n)
        values, basis = dense.eigen(rows)
        _close(values, np.linalg.eigvalsh(A))
        Q = np.array(basis)
        _close(Q @ Q.T, np.eye(n))
        _close(Q.T @ np.diag(values) @ Q, A)
        _close(dense.eigen(A)[0], values)
        _close(dense.matvec(rows, Vec(b)), A @ b)
        _close(dense.quadratic_form(rows, Vec(b)), b @ A @ b)
        _close(dense.diagonal(rows), np.diag(A))
        _close(dense.outer(Vec(b), Vec(b)), np.outer(b, b))
        _close(dense.plus(rows, rows, 2.0), 3 * A)
        _close(dense.identity(Vec(b), 2.0), 2 * np.eye(n))
        assert dense.largest_entry(rows) == np.abs(A).max()
        shift = max(0.0, 0.5 - values[0])
        shifted = A + shift * np.eye(n)
        for matrix, vector in ((rows, Vec(b)), (A, b)):
            solved = dense.positive_solve(matrix, vector, shift)
            assert solved is not None
            assert type(solved.z) is type(vector)
            z = np.linalg.solve(shifted, b)
            _close(solved.z, z)
            _close(solved.form, b @ z)
            _close(dense.inverse_form(solved.factors, solved.z), z @ np.linalg.solve(shifted, z))


def test_many_rows_are_factored_by_the_array_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    cholesky = np.linalg.cholesky
    monkeypatch.setattr(np.linalg, "cholesky", lambda A: calls.append(len(A)) or cholesky(A))
    for n in (3, 200):
        assert dense.positive_solve(_rows(np.eye(n)), Vec([1.0] * n)) is not None
    assert calls == [200]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_only_positive_matrices_are_solved(n: int) -> None:
    A = np.eye(n)
    A[-1, -1] = -1.0
    for matrix in (_rows(A), A):
        assert dense.positive_solve(matrix, matrix[0]) is None
        assert dense.positive_solve(matrix, matrix[0], 0.0, 1e-8) is None
        assert dense.positive_solve(matrix, matrix[0], 2.0) is not None


def test_solving_sees_through_bad_scales_but_not_singularity() -> None:
    S = np.diag([1e-9, 1.0, 1e8])
    C = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.3], [0.2, 0.3, 1.0]])
    b = np.array([1e-9, 2.0, 3e8])
    for matrix, vector in ((_rows(S @ C @ S), Vec(b)), (S @ C @ S, b)):
        found = dense.positive_solve(matrix, vector, 0.0, 1e-8)
        assert found is not None
        _close(np.array(found.z) * np.diag(S), np.linalg.solve(C, np.array([1.0, 2.0, 3.0])))
    for size in (2, 3):
        singular = np.ones((size, size))
        for matrix in (_rows(singular), singular):
            assert dense.positive_solve(matrix, matrix[0], 0.0, 1e-8) is None


@pytest.mark.parametrize("n", [3, 4, 7, 20])
def test_eigenvalues_alone_are_those_with_vectors(n: int) -> None:
    rng = np.random.default_rng(n)
    for spread in (0.0, 2.0, 12.0):
        Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        A = Q @ np.diag(rng.normal(size=n) * 10.0 ** (spread * rng.uniform(-1, 0, size=n))) @ Q.T
        A = 0.5 * (A + A.T)
        values = dense.eigenvalues(_rows(A))
        _close(values, np.linalg.eigvalsh(A))
        assert values == sorted(values)
        for scale in (1e-300, 1e-160, 1e300):
            _close(np.array(dense.eigenvalues(_rows(scale * A))) / scale, values)
    tied = [Vec(row) for row in np.diag([2.0] * n).tolist()]
    assert dense.eigenvalues(tied) == [2.0] * n
    graded = np.diag([10.0 ** (-4 * i) for i in range(n)])
    graded[0, 1] = graded[1, 0] = 1e-3
    rows = _rows(graded)
    assert dense.eigenvalues(rows) is dense.eigen(rows)[0]  # too far apart: by rotations, to all digits


def test_jacobi_keeps_relative_accuracy_of_a_graded_matrix() -> None:
    # numpy.linalg.eigvalsh has an absolute error of about 1e-16 times the largest eigenvalue here.
    rows = [Vec([1.0, 1e-11]), Vec([1e-11, 1e-20])]
    low = dense.eigen(rows)[0][0]
    assert low == pytest.approx(1e-20 - 1e-22, rel=1e-10)
    assert dense.eigen([Vec([1e-30])])[0] == [1e-30]


def test_congruent_keeps_signs() -> None:
    A = np.array([[2.0, 1.0], [1.0, -3.0]])
    s = np.array([10.0, 0.1])
    _close(dense.congruent(_rows(A), Vec(s)), A / np.outer(s, s))
    assert dense.matrix_is_finite(_rows(A))
    assert not dense.matrix_is_finite(_rows(A * math.inf))


def test_add_in_place() -> None:
    long = np.random.default_rng(0).normal(size=(2, 50_001))
    for q, v in ((Vec([1.0, 2.0]), Vec([3.0, 4.0])), (long[0].copy(), long[1])):
        expected = np.array(q) + 2.5 * np.array(v)
        assert vectors.add_in_place(q, 2.5, v) is q
        np.testing.assert_array_equal(q, expected)


def test_inner_products() -> None:
    for scale in (1.0, 1e200, 1e-200):
        u, v = np.random.default_rng(0).normal(size=(2, 50_001)) * [[scale], [1.0]]
        expected = (u @ v, scale * np.linalg.norm(u / scale), np.linalg.norm(v))
        _close(vectors.inner_products(u, v), expected)
    assert vectors.inner_products(Vec([3.0, 4.0]), Vec([1.0, 0.0])) == (3.0, 5.0, 1.0)


def test_memory_of_long_vectors_is_that_of_short_ones() -> None:
    rng = np.random.default_rng(0)
    n, limit = 40, 4
    curvature = np.exp(rng.uniform(-3.0, 3.0, size=n))
    short, long = Memory(), Memory()
    for count in range(11):
        if count == 8:  # forgotten in the middle, as after a search that failed
            short.pairs.clear()
            long.pairs.clear()
        g = rng.normal(size=n)
        _close(long.direction(g), short.direction(Vec(g)))
        _close(long.promise, short.promise)
        assert long.promise > 0.0
        s = rng.normal(size=n)
        y = curvature * s
        short.learn(Vec(s), Vec(y), limit)
        long.learn(s, y, limit)
        s *= math.nan  # the memory has copies of its own
        assert len(long.pairs) == len(short.pairs) == min(limit, count + 1 if count < 8 else count - 7)
    long.learn(np.ones(7), np.ones(7), limit)  # vectors of another length begin anew
    _close(long.direction(np.ones(7)), -np.ones(7))


def test_eigenvectors_of_equal_eigenvalues_are_not_chosen_by_rounding() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4):
        noise = 1e-16 * rng.standard_normal((40, 40))
        _, basis = dense.eigen(3.0 * np.eye(40) + 2.0 + noise + noise.T)
        found.append(np.array(basis))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-12)


def test_few_numbers_are_added_up_as_on_every_processor() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 7, 300, vectors.FEW):
        u, v, A = rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal((5, n))
        assert vectors.array_dot(u, v) == float(np.add.reduce(u * v))
        assert vectors.times_vector(A, v).tolist() == [vectors.array_dot(row, v) for row in A]
        _close(vectors.combined(u[:5], A[: len(u[:5])]), u[:5] @ A[: len(u[:5])])
    long = rng.standard_normal(vectors.FEW + 1)
    assert vectors.array_dot(long, long) == pytest.approx(float(long @ long), rel=1e-14)
