"""The arithmetic of many small problems at once, held against LAPACK."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel import batched_linear

SIZES = [1, 2, 3, 4, 6]


def some(p: int, seed: int, groups: int = 7, rows: int = 9) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    scales = 10.0 ** draw.uniform(-3, 3, (p, 1, groups))
    return draw.standard_normal((p, rows, groups)) * scales, draw.standard_normal((rows, groups))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SIZES), st.integers(0, 2**32))
def test_triangles_are_those_of_a_qr_factorisation(p: int, seed: int) -> None:
    J, r = some(p, seed)
    R, target, rest = batched_linear.triangles(J.copy(), r.copy())
    for g in range(J.shape[-1]):
        whole = np.linalg.qr(np.column_stack((J[:, :, g].T, r[:, g])), mode="r")
        signs = np.sign(np.diag(whole))[:, None]
        whole = whole * signs
        columns = np.linalg.norm(J[:, :, g], axis=1)
        assert np.abs((R[:, :, g] - whole[:p, :p]) / columns).max() < 1e-13
        assert np.abs(target[:, g] - whole[:p, p]).max() < 1e-13 * np.linalg.norm(r[:, g])
        assert rest[g] == pytest.approx(whole[p, p], rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SIZES), st.integers(0, 2**32))
def test_solving_and_inverting(p: int, seed: int) -> None:
    J, _ = some(p, seed)
    R = batched_linear.triangles(J.copy(), np.ones(J.shape[1:]))[0]
    b = np.random.default_rng(seed).standard_normal((p, J.shape[-1]))
    d, e = batched_linear.solve_upper(R, b), batched_linear.solve_transposed(R, b)
    assert np.allclose(np.einsum("ijg,jg->ig", R, d), b, rtol=1e-9, atol=1e-9)
    assert np.allclose(np.einsum("jig,jg->ig", R, e), b, rtol=1e-9, atol=1e-9)
    inverse = batched_linear.inverse_upper(R)
    for g in range(J.shape[-1]):
        assert np.allclose(inverse[:, :, g] @ R[:, :, g], np.eye(p), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SIZES), st.integers(0, 2**32))
def test_solutions_and_eigenvalues(p: int, seed: int) -> None:
    J, _ = some(p, seed)
    A, b = np.einsum("ing,jng->ijg", J, J), np.random.default_rng(seed).standard_normal((p, J.shape[-1]))
    shift = 1e-3 * np.einsum("iig->g", A)
    z, factors = batched_linear.positive_solves(A, b, shift)
    least = batched_linear.least_pivots(A + shift * np.eye(p)[..., None], factors)
    values, vectors = batched_linear.eigen(A)
    for g in range(J.shape[-1]):
        own = A[:, :, g]
        shifted = own + shift[g] * np.eye(p)
        assert np.allclose(
            z[:, g], np.linalg.solve(shifted, b[:, g]), rtol=1e-9, atol=1e-12 * abs(z[:, g]).max()
        )
        d = np.sqrt(np.diag(shifted))
        assert 0.0 < least[g] <= np.linalg.eigvalsh(shifted / np.outer(d, d))[-1] + 1e-12
        assert np.allclose(values[:, g], np.linalg.eigvalsh(own), rtol=1e-12, atol=1e-14 * values[-1, g])
        V = vectors[:, :, g].T
        assert np.allclose(V.T @ V, np.eye(p), atol=1e-13)
        assert np.allclose(own @ V, V * values[:, g], rtol=1e-10, atol=1e-13 * values[-1, g])


def test_no_root_of_what_is_not_positive() -> None:
    A = np.array([[[1.0, 1.0], [2.0, 0.5]], [[2.0, 0.5], [1.0, 1.0]]])
    least = batched_linear.least_pivots(A, batched_linear.positive_solves(A, np.ones((2, 2)))[1])
    assert not least[0] > 0.0
    assert least[1] == pytest.approx(0.75)
