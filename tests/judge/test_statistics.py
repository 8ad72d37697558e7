"""Statistics of a fit: the distributions against scipy, errors against other ways, and redundancy in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import mpmath
import nist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy_curve import NOISE, X, Y, solved
from rows_in_memory import Arrays

from gdcli.judge.distributions import chi_square_tail, student_t_quantile, student_t_two_sided
from gdcli.judge.statistics import FitStatistics, Spread, fit_statistics, information
from gdcli.objective.row_model import Weighting
from gdcli.objective.row_objective import RowObjective

DECAY = "y ~ a*exp(-b*x) + c"
START = {"a": 1.0, "b": 1.0, "c": 1.0}
W = np.random.default_rng(4).uniform(0.3, 3.0, 30)


def tell(made: RowObjective, x: Any, **options: Any) -> FitStatistics:
    triangle = made.linearise(made.evaluate(x))
    assert triangle is not None
    y = made.data.columns[1]  # type: ignore[attr-defined]
    tss, logs = options.pop("tss", float(((y - y.mean()) ** 2).sum())), options.pop("log_weights", 0.0)
    parameters = nist.parameters(
        made, x, options.pop("held", ()), value=lambda p: made.evaluate(made.vector(p)).value
    )
    return fit_statistics(triangle, parameters, Spread(made.data.rows, tss, log_weights=logs), **options)


def fitted(
    model: str, start: Mapping[str, float], y: Any = Y + NOISE, x: Any = X, **options: Any
) -> tuple[RowObjective, FitStatistics, Any]:
    made = nist.objective_of(model, Arrays(x=x, y=y))
    at = solved(made, start).best.at
    return made, tell(made, at.x, **options), at.x


# -- distributions -----------------------------------------------------------------------------------------

DOFS = [1, 2, 3, 4, 7, 10, 49, 50, 51, 100, 1000, 12345, 1e5, 1e6]


@pytest.mark.parametrize("dof", DOFS)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.9999])
def test_the_quantile_of_t(dof: float, level: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_t_quantile(level, dof) == pytest.approx(stats.t.isf(0.5 * (1.0 - level), dof), rel=1e-10)


def test_t_with_unlimited_freedom_is_normal() -> None:
    assert student_t_quantile(0.95, inf) == pytest.approx(1.959963984540054, rel=1e-13)
    assert student_t_two_sided(1.959963984540054, inf) == pytest.approx(0.05, rel=1e-13)
    assert student_t_two_sided(2.0, 1e12) == pytest.approx(student_t_two_sided(2.0, inf), rel=1e-10)
    assert student_t_two_sided(-inf, 3.0) == 0.0


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3000), st.floats(0.0, 60.0))
def test_the_tail_of_t(dof: int, t: float) -> None:
    with mpmath.workdps(40):
        x = mpmath.mpf(dof) / (dof + mpmath.mpf(t) ** 2)
        exact = mpmath.betainc(mpmath.mpf(dof) / 2, mpmath.mpf("0.5"), 0, x, regularized=True)
    assert student_t_two_sided(t, dof) == pytest.approx(float(exact), rel=1e-11, abs=1e-290)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3000), st.floats(-6.0, 10.0))
def test_the_tail_of_chi_square(dof: int, deviations: float) -> None:
    x = max(0.0, dof + deviations * (2.0 * dof) ** 0.5)
    with mpmath.workdps(40):
        exact = mpmath.gammainc(mpmath.mpf(dof) / 2, mpmath.mpf(x) / 2, regularized=True)
    assert chi_square_tail(x, dof) == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("dof", [1e5, 1e6, 1e7])
@pytest.mark.parametrize("deviations", [-2.0, 0.0, 2.0, 6.0])
def test_chi_square_of_many_rows(dof: float, deviations: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = dof + deviations * (2.0 * dof) ** 0.5
    assert chi_square_tail(x, dof) == pytest.approx(stats.chi2.sf(x, dof), rel=1e-9)


# -- errors ------------------------------------------------------------------------------------------------


def test_a_straight_line_by_the_textbook() -> None:
    _, found, at = fitted("y ~ a + b*x", {"a": 0.0, "b": 0.0})
    y, n = Y + NOISE, 30
    spread = float(((X - X.mean()) ** 2).sum())
    b = float(((X - X.mean()) * y).sum()) / spread
    a = float(y.mean()) - b * float(X.mean())
    rss = float(((y - a - b * X) ** 2).sum())
    sd = (rss / (n - 2)) ** 0.5
    expected = (sd * (1 / n + X.mean() ** 2 / spread) ** 0.5, sd / spread**0.5)
    assert list(at) == pytest.approx([a, b], rel=1e-12)
    assert found.errors.standard_errors == pytest.approx(expected, rel=1e-12)
    assert found.residual_sd == pytest.approx(sd, rel=1e-12)
    r = float(np.corrcoef(X, y)[0, 1])
    assert found.r_squared == pytest.approx(r * r, rel=1e-12)
    correlation = -X.mean() / (X.mean() ** 2 + spread / n) ** 0.5
    assert found.errors.correlation[0][1] == pytest.approx(correlation, rel=1e-12)
    assert found.errors.dof == 28
    low, high = found.errors.intervals[1] or (0.0, 0.0)
    assert (high - low) / 2 == pytest.approx(
        2.048407141795244 * sd / spread**0.5, rel=1e-12
    )  # t of 28 at 97.5 %
    # R's logLik, AIC and BIC of lm count the variance among the parameters.
    likelihood = -n / 2 * (np.log(2 * np.pi) + 1 + np.log(rss / n))
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert found.aic == pytest.approx(2 * 3 - 2 * likelihood, rel=1e-12)
    assert found.bic == pytest.approx(3 * np.log(n) - 2 * likelihood, rel=1e-12)


@pytest.mark.parametrize("kind", ["weights", "sigma", "scale_sigma"])
def test_weights_and_sigmas_against_scipy(kind: str) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    stats = pytest.importorskip("scipy.stats")
    sigma = 1.0 / np.sqrt(W) if kind == "weights" else W
    data = Arrays(x=X, y=Y + NOISE, s=W)
    made = nist.objective_of(
        DECAY, data, weighting=Weighting("s", "weights" if kind == "weights" else "sigma")
    )
    at = solved(made, START).best.at
    found = tell(made, at.x, errors=kind, log_weights=-2.0 * float(np.log(sigma).sum()))
    popt, pcov = optimize.curve_fit(
        lambda x, a, b, c: a * np.exp(-b * x) + c, X, Y + NOISE, [1, 1, 1], sigma=sigma,
        absolute_sigma=kind == "sigma", ftol=1e-15, xtol=1e-15, gtol=1e-15,
        jac=lambda x, a, b, c: np.column_stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones(30)]),
    )  # fmt: skip
    named = dict(zip(made.space.names, found.errors.standard_errors, strict=True))
    assert [named[k] for k in "abc"] == pytest.approx(np.sqrt(np.diag(pcov)), rel=1e-7)
    residuals = (Y + NOISE - popt[0] * np.exp(-popt[1] * X) - popt[2]) / sigma
    chi2 = float(residuals @ residuals)
    assert found.chi_square == (None if kind == "weights" else pytest.approx(chi2, rel=1e-12))
    assert found.chi_square_p == (
        pytest.approx(stats.chi2.sf(chi2, 27), rel=1e-9) if kind == "sigma" else None
    )
    scale = 1.0 if kind == "sigma" else (chi2 / 30) ** 0.5
    likelihood = stats.norm.logpdf(residuals * sigma, scale=scale * sigma).sum()
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert found.aic == pytest.approx(2 * (3 if kind == "sigma" else 4) - 2 * likelihood, rel=1e-12)


def test_strong_ties_are_listed() -> None:
    _, found, _ = fitted("y ~ a + b*(x+100)", {"a": 0.0, "b": 0.0})
    (tie,) = found.errors.tied
    assert {tie.first, tie.second} == {0, 1}
    assert tie.correlation < -0.99
    assert fitted(DECAY, START)[1].errors.tied == ()


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(300):
        _, found, _ = fitted(DECAY, {"a": 2.0, "b": 1.3, "c": 0.5}, y=Y + 0.05 * rng.normal(size=30))
        hits += sum(
            i[0] <= true <= i[1] for i, true in zip(found.errors.intervals, (2.0, 1.3, 0.5), strict=True) if i
        )
    assert 0.925 <= hits / 900 <= 0.972


# -- no errors, and why ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [2, 3])
def test_no_degrees_of_freedom(rows: int) -> None:
    _, found, _ = fitted(DECAY, START, y=(Y + NOISE)[:rows], x=X[:rows])
    assert found.errors.standard_errors == (None, None, None)
    assert found.errors.reason == f"no degrees of freedom: {rows} rows for 3 parameters"
    assert found.residual_sd is None
    assert found.errors.redundant == ()


def test_known_sigmas_need_no_degrees_of_freedom() -> None:
    _, found, _ = fitted(DECAY, START, y=(Y + NOISE)[:3], x=X[:3], errors="sigma")
    assert all(e is not None and e > 0.0 for e in found.errors.standard_errors)
    assert found.chi_square_p is None


WORDS = [
    ("a*c*exp(-b*x)", "only a*c matters: fix one"),
    ("(a+c)*exp(-b*x)", "only a + c matters: fix one"),
    ("(a-c)*exp(-b*x)", "only a - c matters: fix one"),
    ("a/c*exp(-b*x)", "only a/c matters: fix one"),
    ("c/a*exp(-b*x)", "only c/a matters: fix one"),
    ("a*c**2*exp(-b*x)", "only a*c**2 matters: fix one"),
    ("a*c*d*exp(-b*x)", "only a*c*d matters: fix two"),
    ("a/c/d*exp(-b*x)", "only a/(c*d) matters: fix two"),
    ("(2*a-3*c)*exp(-b*x)", "only 2*a - 3*c matters: fix one"),
    ("exp(a-b*x+c)", "only a + c matters: fix one"),
    ("a*exp(-b*(x-c))", "cannot be told apart here: fix one of them"),
    ("a*exp(-b*x) + 0*c", "c has no effect on the fit here: fix it with --set"),
    ("a*exp(-b*c*x)", "only b*c matters: fix one"),
]


@pytest.mark.parametrize(("side", "words"), WORDS, ids=[side for side, _ in WORDS])
def test_redundancy_in_words(side: str, words: str) -> None:
    made, found, _ = fitted(f"y ~ {side}", {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0})
    (message,) = found.errors.redundant
    assert message.endswith(words)
    assert found.errors.reason == message
    assert None in found.errors.standard_errors
    assert not any(e is not None and e > 10.0 for e in found.errors.standard_errors)
    assert found.errors.rank == made.size - (2 if "two" in words else 1)


def test_two_redundancies_are_told_apart() -> None:
    start = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 3.0}
    _, found, _ = fitted("y ~ a*c*exp(-b*d*x)", start)
    assert found.errors.redundant == ("only a*c matters: fix one", "only b*d matters: fix one")


def test_what_is_not_redundant_keeps_its_error() -> None:
    made, found, _ = fitted("y ~ a*c*exp(-b*x)", START)
    plain, expected, _ = fitted("y ~ a*exp(-b*x)", {"a": 1.0, "b": 1.0})
    b = found.errors.standard_errors[made.space.names.index("b")]
    assert b == pytest.approx(expected.errors.standard_errors[plain.space.names.index("b")], rel=1e-9)


@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p["name"])
def test_nothing_is_redundant_in_the_nist_problems(problem: dict[str, Any]) -> None:
    made = nist.objective(problem)
    triangle = made.linearise(made.evaluate(nist.ordered(made, problem["certified"])))
    assert triangle is not None
    x = nist.ordered(made, problem["certified"])
    found = fit_statistics(triangle, nist.parameters(made, x), Spread(made.data.rows))
    assert found.errors.reason == ""


def test_a_held_parameter_has_no_error() -> None:
    data = Arrays(x=X, y=Y + NOISE)
    made = nist.objective_of(DECAY, data)
    at = solved(made, START, {"b": (0.0, 1.0)}).best.at
    held = [name == "b" for name in made.space.names]
    found = tell(made, at.x, held=held)
    named = dict(zip(made.space.names, found.errors.standard_errors, strict=True))
    assert named["b"] is None
    assert found.errors.reason == "b is held by its bound"
    assert found.errors.dof == 27
    fixed = nist.objective_of("y ~ a*exp(-x) + c", data)
    other = tell(fixed, solved(fixed, {"a": 1.0, "c": 1.0}).best.at.x)
    assert named["a"] == pytest.approx((other.errors.standard_errors[0] or 0.0) * (28 / 27) ** 0.5, rel=1e-9)


# -- other losses ------------------------------------------------------------------------------------------


def test_the_hessian_of_a_log_likelihood() -> None:
    rng = np.random.default_rng(3)
    A = rng.normal(size=(6, 4))
    H = A.T @ A
    found = information(H, [1.0, 2.0, 3.0, 4.0], "abcd")
    expected = np.linalg.inv(H)
    assert found.standard_errors == pytest.approx(np.sqrt(np.diag(expected)), rel=1e-10)
    assert found.correlation[2][1] == pytest.approx(
        expected[1, 2] / (expected[1, 1] * expected[2, 2]) ** 0.5, rel=1e-10
    )
    low, high = found.intervals[0] or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.959963984540054 * expected[0, 0] ** 0.5, rel=1e-10)
    G = A.T @ np.diag(rng.uniform(0, 2, 6)) @ A
    robust = information(H, [1.0, 2.0, 3.0, 4.0], "abcd", G)
    assert robust.standard_errors == pytest.approx(np.sqrt(np.diag(expected @ G @ expected)), rel=1e-9)
    scaled = information(7.0 * H, [1.0, 2.0, 3.0, 4.0], "abcd", 49.0 * G)
    assert scaled.standard_errors == pytest.approx(robust.standard_errors, rel=1e-12)


def test_a_singular_hessian_and_one_that_is_no_minimum() -> None:
    found = information([[1.0, 1.0], [1.0, 1.0]], [1.0, 5.0], "ab")
    assert found.redundant == ("only a + b matters: fix one",)
    assert found.standard_errors == (None, None)
    saddle = information([[1.0, 0.0], [0.0, -1.0]], [1.0, 5.0], "ab")
    assert saddle.reason == "the Hessian is not positive: this is no minimum"
    assert saddle.standard_errors == (None, None)
