"""Levenberg-Marquardt: certified values, no dependence on units, bounds, and honest ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy_curve import NOISE, X, Y, solved
from rows_in_memory import Arrays

from gdcli.judge.statistics import Spread, fit_statistics
from gdcli.kernel.errors import UsageError
from gdcli.kernel.factors import column_lengths
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Vec, times
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.algebra.residual_model import ResidualModel
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.registry import choose

DECAY = "y ~ a*exp(-b*x) + c"
ENDS = (StopReason.GAP, StopReason.STATIONARY)


def fitted(
    model: str, y: Any, start: Mapping[str, float], bounds: Mapping[str, tuple[float, float]] | None = None
) -> tuple[RunResult, RowObjective]:
    made = nist.objective_of(model, Arrays(x=X[: len(y)], y=y))
    return solved(made, start, bounds), made


def named(result: RunResult, made: RowObjective) -> dict[str, float]:
    return dict(zip(made.space.names, map(float, result.best.at.x), strict=True))


# -- the NIST problems -------------------------------------------------------------------------------------


@pytest.mark.skipif(np.finfo(np.longdouble).eps >= 2.0**-60, reason="no longer floats on this machine")
@pytest.mark.parametrize("start", nist.STARTS)
@pytest.mark.parametrize("name", ["Lanczos1", "Lanczos2", "Lanczos3", "Bennett5"])
def test_the_last_digits_do_not_depend_on_rounding(name: str, start: str) -> None:
    """Another order of the rows is another rounding of every sum, as another processor is."""
    problem = next(p for p in nist.PROBLEMS if p["name"] == name)
    columns = nist.columns(problem)
    ends = []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(columns["y"]))
        made = nist.objective_of(
            problem["model"], Arrays(**{n: np.array(c)[order] for n, c in columns.items()})
        )
        result = solved(made, problem[start], tol=1e-14)
        assert result.reason in ENDS
        found = named(result, made)
        ends.append([found[n] for n in problem["certified"]])
        assert nist.digits(ends[-1], list(problem["certified"].values())) >= 9.0
    assert (np.ptp(ends, axis=0) <= 4e-15 * np.abs(ends).max(axis=0)).all()


@pytest.mark.parametrize("start", nist.STARTS)
@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p["name"])
def test_certified_values(problem: dict[str, Any], start: str) -> None:
    made = nist.objective(problem)
    result = solved(made, problem[start])
    assert result.reason in ENDS
    assert nist.digits(result.best.at.x, nist.ordered(made, problem["certified"])) >= 9.0
    if problem["name"] != "Lanczos1":  # its residuals are the rounding of its data
        assert result.best.at.value == pytest.approx(problem["certified_rss"], rel=1e-9)
    triangle = made.linearise(result.best.at, made.has_wide)
    assert triangle is not None
    found = fit_statistics(triangle, nist.parameters(made, result.best.at.x), Spread(made.data.rows))
    errors = [e or 0.0 for e in found.errors.standard_errors]
    wanted = 3.0 if problem["name"] == "Lanczos1" else 9.0
    assert nist.digits(errors, nist.ordered(made, problem["certified_se"])) >= wanted
    assert found.residual_sd == pytest.approx(problem["certified_sd"], rel=10.0**-wanted)


def test_a_loose_tolerance_ends_earlier() -> None:
    problem = next(p for p in nist.PROBLEMS if p["name"] == "ENSO")
    made = nist.objective(problem)
    tight, loose = (solved(made, problem["start1"], tol=tol) for tol in (1e-8, 10.0))
    assert loose.iterations < tight.iterations
    assert loose.reason in ENDS
    assert nist.digits(loose.best.at.x, nist.ordered(made, problem["certified"])) >= 5.0


# -- what must not matter ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-60, -7, 9, 60])
def test_units_do_not_matter(exponent: int) -> None:
    unit = 2.0**exponent
    plain, made = fitted(DECAY, Y + NOISE, {"a": 1.0, "b": 1.0, "c": 1.0})
    other, _ = fitted(DECAY, unit * (Y + NOISE), {"a": unit, "b": 1.0, "c": unit})
    longer, _ = fitted(f"y ~ a*exp(-b/{unit!r}*x) + c", Y + NOISE, {"a": 1.0, "b": unit, "c": 1.0})
    expected = nist.ordered(made, named(plain, made))
    assert plain.iterations == other.iterations == longer.iterations
    assert np.array(other.best.at.x) / [unit, 1.0, unit] == pytest.approx(expected, rel=1e-13)
    assert np.array(longer.best.at.x) / [1.0, unit, 1.0] == pytest.approx(expected, rel=1e-13)


def test_a_mean_is_minimised_as_a_sum() -> None:
    data = Arrays(x=X, y=Y + NOISE)
    total = nist.objective_of(DECAY, data)
    mean = RowObjective(total.row, data)
    paths = [solved(made, {"a": 1.0, "b": 1.0, "c": 1.0}) for made in (total, mean)]
    assert paths[0].iterations == paths[1].iterations
    assert list(paths[0].best.at.x) == pytest.approx(list(paths[1].best.at.x), rel=1e-13)
    assert paths[1].best.at.value == pytest.approx(paths[0].best.at.value / 30, rel=1e-13)


# -- the linear model --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32), st.floats(1e-3, 1e3))
def test_steps_within_a_radius(size: int, seed: int, radius: float) -> None:
    """The step is the least sum of squares for its shift, and ends on the radius or inside it."""
    rng = np.random.default_rng(seed)
    made = nist.objective_of(
        "y ~ " + " + ".join(f"p{i}*x**{i}" for i in range(size)), Arrays(x=X, y=Y + NOISE)
    )
    triangle = made.linearise(made.evaluate(made.vector(rng.normal(size=size))))
    assert triangle is not None
    scale = times(column_lengths(triangle.factor), Vec(rng.uniform(1.0, 3.0, size).tolist()))
    model = ResidualModel(triangle, scale, [True] * size)
    found = model.step(radius)
    R, D = np.array(triangle.factor), np.diag(scale)
    stacked = np.vstack([R, np.sqrt(found.shift) * D])
    best = np.linalg.lstsq(stacked, np.concatenate([-np.array(triangle.target), np.zeros(size)]), rcond=None)[
        0
    ]
    assert found.step == pytest.approx(best, rel=1e-5, abs=1e-7 * float(abs(best).max()))
    assert found.length == pytest.approx(float(np.linalg.norm(D @ found.step)))
    assert found.length <= 1.02 * radius
    if found.shift > 0.0:
        assert found.length >= 0.98 * radius
    after = R @ found.step + triangle.target
    assert model.fall(found.step) == pytest.approx(triangle.target @ triangle.target - float(after @ after))
    g = rng.normal(size=size)
    inverse = np.linalg.solve(R.T @ R + found.shift * D @ D, g)
    assert model.solve(g, found.shift) == pytest.approx(
        inverse, rel=1e-4, abs=1e-6 * float(abs(inverse).max())
    )


# -- bounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds",
    [
        {"b": (0.0, 1.0)},
        {"a": (0.0, 3.0), "c": (1.0, 2.0)},
        {"c": (0.6, 0.6)},
        {"a": (-1.0, 1.5), "b": (1.5, 9.0), "c": (-5.0, 0.3)},
        {"a": (0.0, 10.0), "b": (0.0, 10.0), "c": (0.0, 10.0)},
    ],
)
def test_bounds_end_where_scipy_does(bounds: dict[str, tuple[float, float]]) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    result, made = fitted(DECAY, Y + NOISE, {"a": 1.0, "b": 1.0, "c": 0.0}, bounds)
    names = [
        name for name in made.space.names if bounds.get(name, (0.0, 1.0))[0] < bounds.get(name, (0.0, 1.0))[1]
    ]
    fixed = {name: low for name, (low, high) in bounds.items() if low == high}

    def residuals(free: Any) -> Any:
        p = fixed | dict(zip(names, free, strict=True))
        return Y + NOISE - p["a"] * np.exp(-p["b"] * X) - p["c"]

    box = np.array([bounds.get(name, (-np.inf, np.inf)) for name in names]).T
    start = np.clip([1.0] * len(names), *box)
    theirs = optimize.least_squares(residuals, start, bounds=box, ftol=1e-15, xtol=1e-15, gtol=1e-15)
    assert result.reason in ENDS
    assert result.best.at.value <= 2.0 * theirs.cost * (1.0 + 1e-10)
    for name, (low, high) in bounds.items():
        assert low <= named(result, made)[name] <= high


# -- honest ends -------------------------------------------------------------------------------------------


def test_a_perfect_fit_ends_at_it() -> None:
    result, made = fitted(DECAY, Y, {"a": 1.0, "b": 1.0, "c": 0.0})
    assert result.reason in ENDS
    assert named(result, made) == pytest.approx({"a": 2.0, "b": 1.3, "c": 0.5}, rel=1e-13)


@pytest.mark.parametrize("pair", ["a*c", "a/c", "(a+c)", "(a-c)"])
def test_redundant_parameters_end_at_the_least_sum(pair: str) -> None:
    result, _ = fitted(f"y ~ {pair}*exp(-b*x)", Y + NOISE, {"a": 1.0, "b": 1.0, "c": 2.0})
    plain, _ = fitted("y ~ a*exp(-b*x)", Y + NOISE, {"a": 1.0, "b": 1.0})
    assert result.reason in ENDS
    assert result.best.at.value == pytest.approx(plain.best.at.value, rel=1e-14)


def test_more_parameters_than_rows() -> None:
    result, _ = fitted(DECAY, (Y + NOISE)[:2], {"a": 1.0, "b": 1.0, "c": 0.0})
    assert result.reason in ENDS
    assert result.best.at.value <= 1e-28


@pytest.mark.parametrize("y", [3.0 + 0.1 * np.array([1.0, -1.0] * 15), 3.0 + 1.0 / X])
def test_a_parameter_that_runs_to_infinity_is_told(y: Any) -> None:
    result, made = fitted("y ~ a*(1-exp(-b*x))", y, {"a": 1.0, "b": 1.0})
    assert result.reason is StopReason.AT_INFINITY
    assert named(result, made)["b"] > 100.0


def test_equal_exponentials_are_parted() -> None:
    """From equal starts the two stay equal for ever, at a saddle."""
    y = 2.0 * np.exp(-1.3 * X) + np.exp(-0.2 * X) + 0.01 * NOISE
    start = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    result, _ = fitted("y ~ a*exp(-b*x) + c*exp(-d*x)", y, start)
    assert result.reason in ENDS
    assert sorted(result.best.at.x) == pytest.approx([0.2, 1.0, 1.3, 2.0], rel=0.05)


def test_where_nothing_has_a_slope_the_curvature_leads_on() -> None:
    result, made = fitted("y ~ a*b", Y, {"a": 0.0, "b": 0.0})
    found = named(result, made)
    assert result.reason in ENDS
    assert found["a"] * found["b"] == pytest.approx(float(np.mean(Y)), rel=1e-12)


def test_steps_out_of_the_domain_are_shortened() -> None:
    result, made = fitted("y ~ a*log(x-c)", np.log(X + 0.2), {"a": 1.0, "c": 0.0})
    assert result.reason in ENDS
    assert named(result, made) == pytest.approx({"a": 1.0, "c": -0.2}, rel=1e-13)


def test_the_edge_of_the_domain_is_told() -> None:
    result, _ = fitted("y ~ sqrt(x-c)", np.sqrt(X) - 1.0, {"c": 0.0})
    assert result.reason is StopReason.EDGE


def test_a_jacobian_that_is_not_finite_is_told() -> None:
    result, _ = fitted("y ~ sqrt(a)*x", Y, {"a": 0.0})
    assert result.reason is StopReason.NON_FINITE


def test_other_objectives_are_refused() -> None:
    data = Arrays(x=X, y=Y)
    with pytest.raises(UsageError, match="sums of squares"):
        choose("lm", nist.objective_of(DECAY, data, loss="absolute"))
    chosen = choose("lm", nist.objective_of(DECAY, data), tol=1e-6)
    assert chosen.method == LevenbergMarquardt(1e-6)
