"""Quadratic and linear programs: the conditions of optimality hold, known answers are met, what has none says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.solve.constrained.convex_program import QuadraticProgram, optimum
from gdcli.solve.constrained.normal_matrix import NormalMatrix
from tests.effort import examples


def drawn(seed: int, n: int, s: int, rank: int, whole: bool) -> QuadraticProgram:
    """A program with a feasible point and a finite minimum: of whole numbers, so with ties, or of any."""
    draws = np.random.default_rng(seed)

    def numbers(*shape: int) -> Any:
        return draws.integers(-2, 3, shape).astype(float) if whole else draws.standard_normal(shape)

    F, J, p = numbers(n, rank), numbers(s, n), numbers(n)
    if s > 1 and whole:
        J[-1] = J[0]  # rows that depend on each other
    equal = draws.random(s) < 0.3
    slack = np.where(equal | (draws.random(s) < 0.5), 0.0, draws.random(s))
    lower = np.where(draws.random(n) < 0.5, p - (draws.random(n) < 0.5), -8.0)
    upper = np.where(draws.random(n) < 0.2, lower, np.where(draws.random(n) < 0.5, p + 1.0, 9.0))
    upper = np.maximum(upper, p)
    return QuadraticProgram(numbers(n), F @ F.T, -J @ p - slack, J, equal, lower, upper)


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_the_conditions_hold(seed: int, n: int, s: int, rank: int, whole: bool) -> None:
    q = drawn(seed, n, s, rank, whole)
    found = optimum(q)
    assert found is not None
    p, t = found
    h, slope = q.h + q.J @ p, q.g + q.H @ p + q.J.T @ t
    size = 1e-9 * (1.0 + abs(t).max(initial=0.0) + abs(q.g).max())
    assert (np.where(q.equal, abs(h), h) <= 1e-9).all()
    assert (t[~q.equal] >= 0.0).all()
    assert abs(t * h).max(initial=0.0) <= size
    assert ((p >= q.lower) & (p <= q.upper)).all()
    assert (slope[p < q.upper] >= -size).all()
    assert (slope[p > q.lower] <= size).all()


@pytest.mark.parametrize(("kind", "moving"), [("diagonal", True), ("dense", False), ("dense", True)])
@pytest.mark.parametrize("sparse", [False, True])
def test_systems_are_those_of_one_matrix(kind: str, moving: bool, sparse: bool) -> None:
    draws, n, s = np.random.default_rng(3), 150, 90
    F = draws.standard_normal((n, n))
    H = F @ F.T if kind == "dense" else np.diag(draws.random(n) + 0.1)
    J = draws.standard_normal((s, n))
    if sparse:
        J[draws.random((s, n)) > 2.0 / n] = 0.0
    T, D, free = draws.random(s), draws.random(n), draws.random(n) < 0.7
    T[draws.random(s) < 0.3] = 0.0
    r, q = draws.standard_normal(n), draws.standard_normal(s)
    for mask in (None, free) if moving else (None,):
        p, t = NormalMatrix(H, J, moving).at(D, T, mask)(r, q)
        i = np.flatnonzero(mask) if mask is not None else np.arange(n)
        used = T > 0.0
        A = np.block(
            [[(H + np.diag(D))[np.ix_(i, i)], J[used][:, i].T], [J[used][:, i], -np.diag(1 / T[used])]]
        )
        known = np.linalg.solve(A, np.concatenate((r[i], q[used])))
        assert p[i] == pytest.approx(known[: len(i)], rel=1e-7, abs=1e-9)
        assert t[used] == pytest.approx(known[len(i) :], rel=1e-7, abs=1e-9)
        assert not t[~used].any()


def test_linear_programs_have_the_value_of_highs() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    draws, n, m = np.random.default_rng(4), 60, 40
    A, b, c = draws.random((m, n)), 1.0 + draws.random(m), -draws.random(n)
    outcome = api.minimize(
        "dot(c, x)",
        {"x": np.zeros(n)},
        constants={"A": A.tolist(), "b": b.tolist(), "c": c.tolist()},
        subject_to=["A @ x <= b"],
        bounds={"x": (0, None)},
    )
    assert outcome.status is Status.CONVERGED
    assert outcome.run.best.at.value == pytest.approx(optimize.linprog(c, A, b).fun, rel=1e-12)


def transport(supply: float) -> Any:
    """Six stores, each with so much, and eight shops that want 3 each: a vertex with more active rows than it needs."""
    costs = np.random.default_rng(5).integers(1, 9, 48).astype(float)
    rows = [np.kron(np.eye(6), np.ones(8)), np.kron(np.ones(6), np.eye(8))]
    return costs, api.minimize(
        "dot(c, x)",
        {"x": np.ones(48)},
        constants={"c": costs.tolist(), "A": rows[0].tolist(), "B": rows[1].tolist()},
        subject_to=[f"A @ x == {supply}", "B @ x == 3"],
        bounds={"x": (0, None)},
    )


def test_degenerate_vertex() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    costs, outcome = transport(4.0)
    rows = np.vstack((np.kron(np.eye(6), np.ones(8)), np.kron(np.ones(6), np.eye(8))))
    known = optimize.linprog(costs, A_eq=rows, b_eq=[4.0] * 6 + [3.0] * 8).fun
    assert outcome.status is Status.CONVERGED
    assert outcome.run.best.at.value == pytest.approx(known, rel=1e-12)


def test_no_feasible_point() -> None:
    assert transport(5.0)[1].status is Status.INFEASIBLE


@pytest.mark.parametrize("expression", ["sum(x) - 2*x[0]", "sum((x[1:] - x[:-1])**2) - x[0]"])
def test_falls_without_end(expression: str) -> None:
    outcome = api.minimize(
        expression, {"x": np.zeros(50)}, subject_to=["x[0] + x[1] + x[2] >= -6"], bounds={"x": (-1, None)}
    )
    assert outcome.status is Status.DIVERGED


@pytest.mark.parametrize("expression", ["max(x - p)", "sum(abs(x - p))", "sum(max(x, p))"])
def test_kinks_are_no_part_of_a_program(expression: str) -> None:
    """Nothing curves but at the kinks; the least of the largest is where all are one."""
    p = np.random.default_rng(8).standard_normal(50)
    outcome = api.minimize(
        expression, {"x": np.zeros(50)}, constants={"p": p.tolist()}, subject_to=["sum(x) == 1"]
    )
    least = {"max(x - p)": (1.0 - p.sum()) / 50, "sum(abs(x - p))": abs(1.0 - p.sum())}
    known = least.get(expression, max(1.0, p.sum()))
    assert outcome.status not in (Status.DIVERGED, Status.INFEASIBLE)
    assert outcome.status is not Status.CONVERGED or outcome.run.best.at.value == pytest.approx(
        known, abs=1e-8
    )


def pooled(y: Any) -> Any:
    """Return the increasing sequence nearest to y: neighbours in the wrong order share their mean (Ayer 1955)."""
    blocks: list[list[float]] = []
    for value in y:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    return np.concatenate([np.full(int(n), a) for a, n in blocks])


def test_isotonic_regression() -> None:
    y = np.linspace(0.0, 2.0, 120) + np.random.default_rng(6).standard_normal(120)
    outcome = api.minimize(
        "sum((v - y)**2)", {"v": np.zeros(120)}, constants={"y": y.tolist()}, subject_to=["v[1:] >= v[:-1]"]
    )
    assert outcome.status is Status.CONVERGED
    assert np.array(outcome.point["v"]) == pytest.approx(pooled(y), abs=1e-10)


def test_small_numbers_are_no_reason_to_stall() -> None:
    """A covariance of daily returns: a value of 1e-5."""
    draws, n = np.random.default_rng(7), 60
    C = np.cov(0.01 * draws.standard_normal((90, n)), rowvar=False)
    mu = 3e-6 + 2e-6 * draws.standard_normal(n)
    outcome = api.minimize(
        "w @ C @ w - 0.5*dot(mu, w)",
        {"w": np.full(n, 1 / n)},
        constants={"C": C.tolist(), "mu": mu.tolist()},
        subject_to=["sum(w) == 1"],
        bounds={"w": (0, None)},
    )
    assert outcome.status is Status.CONVERGED
    w = np.array(outcome.point["w"])
    slope = 2.0 * C @ w - 0.5 * mu
    held = slope - slope[w > 1e-9].mean()
    assert abs(held[w > 1e-9]).max() <= 1e-15
    assert held.min() >= -1e-15
