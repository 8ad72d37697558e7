"""Models compared: known tests and criteria, what is nested, what is told, and what is refused."""

from __future__ import annotations

from math import log
from random import Random
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.judge.distributions import f_tail
from gdcli.judge.fit_tests import Strength, anderson_darling, durbin_watson, runs
from gdcli.kernel.errors import UsageError
from gdcli.tasks.fit.compare_models import ModelComparison

# R, datasets::Puromycin: concentration, rate, and whether the cells were treated.
_CONC = [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1]
PUROMYCIN = {
    "conc": [*_CONC, *_CONC[:-1]],
    "rate": [
        76,
        47,
        97,
        107,
        123,
        139,
        159,
        152,
        191,
        201,
        207,
        200,
        67,
        51,
        84,
        86,
        98,
        115,
        131,
        124,
        144,
        158,
        160,
    ],
    "treated": [1.0] * 12 + [0.0] * 11,
}
SHARED = "rate ~ (Vm + dV*treated)*conc/(K + conc)"
OWN = "rate ~ (Vm + dV*treated)*conc/(K + dK*treated + conc)"


def line(seed: int = 1, n: int = 30) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 3.0, n)
    return {"x": x, "y": 1.0 + 2.0 * x + rng.normal(size=n), "g": (np.arange(n) % 2).astype(float)}


def compared(*models: str, data: Any = None, **options: Any) -> ModelComparison:
    return api.compare_models(models, line() if data is None else data, **options)


def test_the_f_test_of_puromycin_with_and_without_a_shared_constant() -> None:
    """R: anova(nls(shared), nls(own)) gives F 1.7182 and p 0.2056 (Bates and Watts, 1988, section 3.13)."""
    found = compared(SHARED, OWN, data=PUROMYCIN, start={"Vm": 160.0, "dV": 50.0, "K": 0.05, "dK": 0.01})
    (one,) = found.nested
    assert (one.smaller, one.larger, one.test.kind, one.test.dof, one.test.left) == (0, 1, "F", 1, 19)
    assert one.test.statistic == pytest.approx(1.718169, abs=1e-6)
    assert one.test.p == pytest.approx(0.205552, abs=1e-6)
    assert one.regular
    assert found.verdict.best == 0  # less than 2 apart, and the simpler


def test_other_names_and_other_forms_are_found_to_be_nested() -> None:
    """p*(x - 1) + q is the line in other words; the parabola holds both, and no line holds the parabola."""
    found = compared("y ~ p*(x - 1) + q", "y ~ a + b*x + c*x**2", "y ~ m", "y ~ u*sqrt(x + 1)")
    assert {(one.smaller, one.larger) for one in found.nested} == {(0, 1), (2, 0), (2, 1)}
    assert all(one.regular for one in found.nested)


def test_a_test_where_parameters_lose_their_meaning_is_told_so() -> None:
    found = compared("y ~ m", "y ~ m + a*exp(b*x)", start={"m": 1.0, "a": 0.5, "b": 0.5})
    (one,) = found.nested
    assert not one.regular


def test_the_criteria_are_those_of_their_formulas() -> None:
    data = line()
    found = compared("y ~ a", "y ~ a + b*x", data=data)
    n = len(data["x"])
    for fit, p in zip(found.fits, (1, 2), strict=True):
        assert fit.outcome is not None
        k = p + 1
        aic = n * (log(2.0 * np.pi) + 1.0 + log(fit.outcome.value / n)) + 2 * k
        assert fit.aicc == pytest.approx(aic + 2 * k * (k + 1) / (n - k - 1), rel=1e-12)
    assert sum(fit.weight or 0.0 for fit in found.fits) == pytest.approx(1.0, rel=1e-12)
    assert found.verdict.strength is Strength.VERY_STRONG


@pytest.mark.parametrize("model", ["y ~ a + b*x", "y ~ a + b*x + c*x**2"])
def test_leverages_leave_out_each_row_as_refits_do(model: str) -> None:
    data = line()
    by_leverage = compared(model, "y ~ a", data=data)
    by_refits = compared(model, "y ~ a", data=data, folds=1000)
    assert by_refits.folds == 30
    for one, other in zip(by_leverage.fits, by_refits.fits, strict=True):
        assert one.left_out == pytest.approx(other.left_out, rel=1e-9)


def test_folds_are_the_same_for_all_models_and_follow_the_seed() -> None:
    once, again, other = (
        compared("y ~ a + b*x", "y ~ a", folds=5, seed=seed).fits[0].left_out for seed in (3, 3, 4)
    )
    assert once == again != other


def test_counts_have_a_likelihood_ratio() -> None:
    rng = np.random.default_rng(2)
    x = np.linspace(0.0, 2.0, 60)
    data = {"x": x, "k": rng.poisson(np.exp(0.3 + 0.8 * x)).astype(float)}
    found = compared("k ~ exp(a)", "k ~ exp(a + b*x)", data=data, loss="poisson", start={"a": 0.0, "b": 0.0})
    (one,) = found.nested
    ends = [fit.outcome.statistics.log_likelihood for fit in found.fits]  # type: ignore[union-attr]
    assert one.test.kind == "likelihood-ratio"
    assert one.test.statistic == pytest.approx(2.0 * (ends[1] - ends[0]), rel=1e-12)


def test_a_known_variance_has_chi_square() -> None:
    data = line()
    data["s"] = np.full(30, 1.0)
    (one,) = compared("y ~ a", "y ~ a + b*x", data=data, sigma="s").nested
    assert one.test.kind == "chi-square"
    assert one.test.left is None


def test_without_a_likelihood_what_was_left_out_tells() -> None:
    found = compared("y ~ a", "y ~ a + b*x", loss="huber", folds=5)
    assert (found.verdict.best, found.verdict.by, found.verdict.strength) == (1, "left_out", Strength.NONE)
    assert compared("y ~ a", "y ~ a + b*x", loss="huber").verdict.best is None


def test_a_model_that_says_all_is_the_best() -> None:
    data = {"x": [0.0, 1.0, 2.0, 3.0, 4.0], "y": [1.0, 3.0, 5.0, 7.0, 9.0]}
    assert compared("y ~ a + b*x", "y ~ a", data=data).verdict[:1] == (0,)


def test_a_missing_cell_leaves_its_row_out_of_all_models(tmp_path: Any) -> None:
    path = tmp_path / "d.csv"
    rows = [f"{i},{'' if i == 3 else i * i},{2.0 * i + (-1) ** i}" for i in range(12)]
    path.write_text("x,z,y\n" + "\n".join(rows) + "\n")
    found = api.compare_models(["y ~ a*x + b", "y ~ a*x + b + c*z"], str(path), missing="skip")
    assert [fit.prepared.data.rows for fit in found.fits] == [11, 11]
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("models", "options", "told"),
    [
        (["y ~ a"], {}, "two models or more"),
        ([], {}, "two models or more"),
        (["y ~ a", "log(y) ~ a + b*x"], {}, "not of the same thing: y and log\\(y\\)"),
        (["y ~ a", "a*x"], {}, "compared as"),
        (["y ~ a", "y ~ a + b*x"], {"start": {"q": 1.0}}, "--start has q, which is in none"),
        (["y ~ a", "y ~ a + b*x"], {"bounds": {"q": (0.0, 1.0)}}, "--bounds has q, which is in none"),
        (["y ~ a", "y ~ a + b*x"], {"nested": [(0, 2)]}, "names no two of the 2 models"),
        (["y ~ a", "y ~ a + b*x"], {"folds": 1}, "2 or more"),
    ],
)
def test_what_is_refused(models: list[str], options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        compared(*models, **options)


# -- tests of residuals ---------------------------------------------------------------------------------------------


def test_residual_tests_have_the_values_of_statsmodels() -> None:
    """statsmodels 0.14: normal_ad and durbin_watson of these ten numbers."""
    r = [0.3, -1.2, 0.5, 2.1, -0.7, 0.1, -0.4, 1.5, -2.2, 0.9]
    found = anderson_darling(r)
    assert found is not None
    assert found == pytest.approx((0.1019718, 0.9926948), abs=1e-6)
    assert durbin_watson(r) == pytest.approx(2.9383051, abs=1e-6)


def test_runs_are_counted_and_their_probabilities_add_up() -> None:
    found = runs([1.0, 2.0, -1.0, -3.0, 0.0, 4.0])
    assert found is not None
    assert (found.found, found.expected) == (3, pytest.approx(3.4))
    # of the 10 orders of 3 and 2 signs there are 2 with two runs and 3 with three
    assert found.p == pytest.approx(0.5)
    assert runs([1.0, 2.0]) is None


@pytest.mark.parametrize(("f", "dof", "left"), [(1.7, 1, 19), (3.2, 5, 100000), (1.2, 301, 40), (0.4, 2, 1)])
def test_the_tail_of_f(f: float, dof: int, left: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert f_tail(f, dof, left) == pytest.approx(stats.f.sf(f, dof, left), rel=1e-9)


def test_more_exact_runs_are_near_the_normal_ones() -> None:
    rng = np.random.default_rng(5)
    r = rng.normal(size=301)
    exact, normal = runs(r[:300].tolist()), runs(r.tolist())
    assert exact is not None
    assert normal is not None
    assert abs(exact.p - normal.p) < 0.1


def test_penalties_are_no_part_of_what_rows_left_out_cost() -> None:
    draws = Random(3)
    data = {"x": [draws.gauss(0.0, 1.0) for _ in range(20)]}
    data["y"] = [2.0 * x + draws.gauss(0.0, 0.5) for x in data["x"]]
    models = ["y ~ a + b*x", "y ~ a"]
    plain = api.compare_models(models, data, folds=5)
    hardly, much = (api.compare_models(models, data, folds=5, l2=l2) for l2 in (1e-9, 20.0))
    assert plain.nested
    assert not hardly.nested
    assert hardly.fits[0].left_out == pytest.approx(plain.fits[0].left_out, rel=1e-6)
    assert much.fits[0].left_out > plain.fits[0].left_out


def test_a_category_may_be_in_any_of_the_models() -> None:
    first, last = compared("y ~ a + b*x + C(g)", "y ~ a + b*x"), compared("y ~ a + b*x", "y ~ a + b*x + C(g)")
    assert [one.aicc for one in first.fits] == [one.aicc for one in reversed(last.fits)]
