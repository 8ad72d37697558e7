"""The steps of many fits at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.solve.algebra.batched_model import boundary_steps
from gdcli.solve.algebra.trust_region import LENGTH_ACCURACY


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 6]), st.integers(0, 2**32))
def test_steps_to_the_boundary_solve_the_shifted_equation(p: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    w = np.sort(10.0 ** draw.uniform(-6, 2, (p, 9)), axis=0)
    V = np.linalg.qr(draw.standard_normal((9, p, p)))[0].transpose(1, 2, 0)
    A, b = np.einsum("ikg,kg,jkg->ijg", V, w, V), draw.standard_normal((p, 9))
    along = np.einsum("ikg,ig->kg", V, b)
    free = -np.einsum("ikg,kg->ig", V, along / w)
    radius = np.linalg.norm(free, axis=0) * draw.uniform(0.001, 0.9, 9)
    y, shift = boundary_steps(A, b, radius, free, (along**2 / w**3).sum(axis=0))
    assert (shift > 0.0).all()
    lengths = np.linalg.norm(y, axis=0)
    assert ((lengths >= (1.0 - 1e-6) * radius) & (lengths <= (1.0 + LENGTH_ACCURACY) * radius)).all()
    wanted = -np.einsum("ikg,kg->ig", V, along / (w + shift))
    assert np.allclose(y, wanted, rtol=1e-6, atol=1e-6 * lengths)
