"""Least sums of absolute values: the lowest value and all that have it, beside what trying every vertex says."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.solve.methods.least_absolute import Polyhedron, least
from gdcli.tasks.fit.fit_outcome import FitOutcome


def by_trying(slopes: Any, offset: Any) -> tuple[float, Any, Any]:
    """The least sum of ``|offset + slopes' x|``, and the lowest and highest x of all vertices that have it."""
    found = []
    for some in combinations(range(len(offset)), len(slopes)):
        rows = slopes[:, some].T
        if abs(np.linalg.det(rows)) > 1e-9:
            x = np.linalg.solve(rows, -offset[list(some)])
            found.append((np.abs(offset + slopes.T @ x).sum(), x))
    lowest = min(value for value, _ in found)
    ends = [x for value, x in found if value <= lowest + 1e-9]
    return lowest, np.min(ends, axis=0), np.max(ends, axis=0)


@given(seed=st.integers(0, 10**6), p=st.integers(1, 4), more=st.integers(0, 9), whole=st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_lowest_value_and_all_that_have_it(seed: int, p: int, more: int, whole: bool) -> None:
    """Whole numbers have ties of every kind: equal rows, more rows met than a vertex needs, level edges and faces."""
    draw = np.random.default_rng(seed)
    n = p + more
    slopes = draw.integers(-2, 4, (p, n)).astype(float) if whole else draw.standard_normal((p, n))
    offset = draw.integers(-3, 4, n).astype(float) if whole else draw.standard_normal(n)
    slopes[0] = 1.0
    polyhedron = Polyhedron(slopes, offset)
    assert polyhedron.determined == (np.linalg.matrix_rank(slopes) == p)
    if not polyhedron.determined:
        return
    found = least(polyhedron, draw.standard_normal(p))
    assert found is not None
    lowest, low, high = by_trying(slopes, offset)
    assert found.value == pytest.approx(lowest, abs=1e-9)
    assert np.abs(offset + slopes.T @ found.x).sum() == pytest.approx(lowest, abs=1e-9)
    assert found.low == pytest.approx(low, abs=1e-7)
    assert found.high == pytest.approx(high, abs=1e-7)


def absolute(y: list[float], **more: Any) -> FitOutcome:
    return api.fit(
        more.pop("model", "y ~ a"), {"y": np.array(y)} | more.pop("data", {}), loss="absolute", **more
    )


@pytest.mark.parametrize(
    ("y", "low", "high"),
    [
        ([1, 3, 4, 8], 3, 4),
        ([1, 3, 4], 3, 3),
        ([2, 2, 2, 2], 2, 2),
        ([2], 2, 2),
        ([1, 1, 2, 2], 1, 2),
        ([0, 0, 5, 5, 5, 9], 5, 5),
        ([1e9 + 1, 1e9 + 3, 1e9 + 4, 1e9 + 8], 1e9 + 3, 1e9 + 4),
        ([1e-12, 3e-12, 4e-12, 8e-12], 3e-12, 4e-12),
        ([0, 0, 0], 0, 0),
    ],
)
@pytest.mark.parametrize("method", ["auto", "newton", "bfgs"])
def test_medians(y: list[float], low: float, high: float, method: str) -> None:
    """Of an even number of values all between the middle two; `auto` says the middle of them."""
    fit = absolute(y, method=method)
    assert fit.minimizers is not None
    assert fit.minimizers[0] == pytest.approx((low, high), rel=1e-15, abs=1e-300)
    if method == "auto":
        assert fit.status is Status.CONVERGED, fit.message
        assert fit.point["a"] == pytest.approx(0.5 * (low + high), rel=1e-15)
        assert ("a may lie anywhere" in fit.message) == (low < high)
    if fit.status is Status.CONVERGED:
        assert fit.value == pytest.approx(np.abs(np.array(y) - np.median(y)).sum(), rel=1e-8)


def test_weights_count_rows_and_sigmas_divide_them() -> None:
    y, w = [1.0, 3, 4, 8], np.array([1.0, 1, 3, 1])
    assert absolute(y, data={"w": w}, weights="w").minimizers == ((4.0, 4.0),)
    assert absolute(y, data={"w": 1.0 / w}, sigma="w").minimizers == ((4.0, 4.0),)
    even = absolute(y, data={"w": np.array([1.0, 2, 2, 1])}, weights="w")
    assert even.minimizers == ((3.0, 4.0),)
    assert even.value == pytest.approx(8.0 + 1.0)
    none = absolute(y, data={"w": np.array([1.0, 0, 2, 1])}, weights="w")
    assert none.minimizers == ((4.0, 4.0),)


def test_a_line_that_is_not_unique() -> None:
    fit = absolute([1.0, 3, 4, 8], model="y ~ a*i + b", data={"i": np.arange(4.0)})
    assert fit.status is Status.CONVERGED
    assert fit.minimizers is not None
    assert np.array(fit.minimizers) == pytest.approx(np.array([[2.0, 2.5], [0.5, 1.0]]), rel=1e-14)
    assert "a from 2 to 2.5, b from 0.5 to 1" in fit.message


def test_an_end_that_is_no_minimum_is_told_by_how_much() -> None:
    """Steepest descent ends where it jams; how far above the least sum is known, for the model is linear."""
    data = {"i": np.arange(5.0)}
    fit = absolute([1.0, 3, 4, 8, 2], model="y ~ a*i + b", data=data, method="gd", lr=0.1, max_iter=20)
    best = absolute([1.0, 3, 4, 8, 2], model="y ~ a*i + b", data=data)
    assert fit.status is not Status.CONVERGED
    assert fit.certificate.estimated_gap == pytest.approx(fit.value - best.value)


def test_bounds_that_cut_nothing_off_change_nothing() -> None:
    y = [1.0, 3, 4, 8]
    assert "a may lie anywhere from 3 to 4" in absolute(y, bounds={"a": (0, 9)}).message
    cut = absolute(y, bounds={"a": (3.5, 9)})
    assert (cut.status, cut.value) == (Status.CONVERGED, 8.0)
    assert cut.minimizers == (pytest.approx((3.5, 4.0)),)
    held = absolute(y, bounds={"a": (5, 9)})
    assert (held.status, held.point) == (Status.CONVERGED, {"a": 5.0})


@pytest.mark.parametrize(
    "asked", [("y ~ exp(a)", {"loss": "absolute"}), ("abs(y - a)", {}), ("y ~ a", {"loss": "absolute"})]
)
def test_level_minima_of_other_models_and_typed_losses(asked: tuple[str, dict[str, Any]]) -> None:
    model, options = asked
    fit = api.fit(model, {"y": np.array([1.0, 3, 4, 8])}, {"a": 0.0}, **options)
    assert fit.status is Status.CONVERGED, fit.message
    assert fit.value == pytest.approx(8.0)


def test_large_offsets_leave_all_digits() -> None:
    """Years, and seconds since 1970: a line through most of the points is found as if the origin were near."""
    i = np.arange(11.0)
    y = 2.0 * i + 1.0
    y[[2, 7]] += 50.0
    for origin in (0.0, 2000.0, 1.7e9):
        fit = absolute(list(y), model="y ~ a*x + b", data={"x": origin + i})
        assert fit.status is Status.CONVERGED, fit.message
        assert fit.point["a"] == pytest.approx(2.0, rel=1e-16 * max(10.0, origin))
        assert fit.value == pytest.approx(100.0)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
@pytest.mark.parametrize(
    ("model", "what"), [("y ~ a*x + b", "only a + b matters"), ("y ~ a + b*(x - x) + c*x", "b has no effect")]
)
def test_what_the_data_do_not_tell_is_told_for_every_loss(loss: str, model: str, what: str) -> None:
    x = np.ones(4) if "c" not in model else np.arange(4.0)
    fit = api.fit(model, {"x": x, "y": np.array([7.0, 8, 9, 9])}, loss=loss)
    assert fit.status is Status.WRONG_KIND, fit.message
    assert what in fit.message
