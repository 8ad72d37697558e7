"""What R says of fits (tests/data/r, made by the script beside it), and what gd says.

The ends of profiles are held to the roots that R finds by refits; `confint` of R stands a little beside them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import WHOLE

from gdcli import api
from gdcli.tasks.fit.fit_outcome import FitOutcome

pytestmark = pytest.mark.numerical

R: Any = json.loads((Path(__file__).parent.parent / "data" / "r" / "reference.json").read_text())
# R's nls stops at 1e-7 of a standard error, its glm keeps the errors of the step before the last.
CLOSE = {"rel": 1e-6, "abs": 1e-9}
NAMED = {
    *("Michaelis-Menten, treated", "logistic, DNase run 1", "BOD", "logistic, chick 1", "Thurber", "birthwt"),
    *("cars", "stackloss", "PlantGrowth", "cars, weights", "cars, through 0", "Dobson's counts", "quine"),
    *(
        "iris",
        "cars, weights psi.huber",
        "budworm, rows counted",
        "clotting, lot1",
        "stackloss psi.huber",
        "stackloss psi.bisquare",
    ),
    *("stackloss, quantile 0.5", "engel, quantile 0.9"),
}
CASES = [case for case in R["cases"] if WHOLE or case["name"] in NAMED]


def fitted(case: Any, **more: Any) -> FitOutcome:
    start = case["start"] or None
    return api.fit(case["model"], R["datasets"][case["data"]], start, **dict(case["options"]), **more)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_fit_says_what_r_says(case: Any) -> None:
    told, names = case["told"], case["parameters"]
    intervals = "profile" if "profile" in told else "wald"
    found = fitted(case, intervals=intervals, diagnostics="p" in told)
    assert found.status.value == "converged"
    assert found.statistics is not None
    order = [list(found.point).index(name) for name in names]
    if "value" in told:
        assert found.value == pytest.approx(told["value"], rel=1e-9)
    assert [found.point[name] for name in names] == pytest.approx(told["estimates"], **CLOSE)
    if "errors" in told:
        errors = found.statistics.errors
        assert [errors.standard_errors[i] for i in order] == pytest.approx(told["errors"], **CLOSE)
    for name in ("log_likelihood", "aic", "bic", "deviance", "residual_sd"):
        if name in told:
            assert getattr(found.statistics, name) == pytest.approx(told[name], rel=1e-8)
    for name in ("theta", "scale"):
        if name in told:
            assert getattr(found.problem.numbers, name) == pytest.approx(told[name], rel=1e-6)
    if "p" in told:
        assert found.diagnostics is not None
        p_values = [found.diagnostics.p_values[i] for i in order]
        assert p_values == pytest.approx(told["p"], rel=1e-5, abs=1e-30)
    if "r_squared" in told:
        check_line(found, told)
    if "leverage" in told:
        check_influence(found, told)
    if "profile" in told:
        check_profile([errors.intervals[i] for i in order], told["profile"])
    if "predicted" in told:
        check_predictions(found, case["new"], told["predicted"])


def check_line(found: FitOutcome, told: Any) -> None:
    assert found.statistics is not None
    assert found.diagnostics is not None
    assert found.statistics.r_squared == pytest.approx(told["r_squared"], rel=1e-10)
    assert found.diagnostics.model == pytest.approx((*told["f"], told["model_p"]), rel=1e-8)
    if "durbin_watson" in told:
        checks = found.diagnostics.checks
        assert checks is not None
        assert checks.durbin_watson == pytest.approx(told["durbin_watson"], rel=1e-8)
        assert checks.normality == pytest.approx(told["anderson_darling"], rel=1e-8)


def check_influence(found: FitOutcome, told: Any) -> None:
    assert found.diagnostics is not None
    assert len(found.diagnostics.influence) == 5
    for one in found.diagnostics.influence:
        row = int(one.row.split(":")[-1].removeprefix("row ")) - 1
        wanted = [told[name][row] for name in ("leverage", "studentised", "cook")]
        assert [one.leverage, one.studentised, one.cook] == pytest.approx(wanted, rel=1e-8)


def check_profile(ends: Any, told: Any) -> None:
    """The root that R finds, or what its profile with more steps comes to where its refits fail."""
    ours, root, fine, usual = (
        np.array(pairs, dtype=float) for pairs in (ends, told["root"], told["fine"], told["confint"])
    )
    known = np.where(np.isnan(root), fine, root)
    assert ours[np.isfinite(known)] == pytest.approx(known[np.isfinite(known)], rel=1e-6)
    both = np.isfinite(fine) & np.isfinite(usual)
    assert (abs(ours - fine)[both] <= abs(usual - fine)[both]).all()  # R comes nearer with more steps


def check_predictions(found: FitOutcome, new: Any, told: Any) -> None:
    one = api.predict(found, new)
    assert one["fitted"] == pytest.approx(told["fitted"], **CLOSE)
    if "standard_error" in told:
        assert one["standard_error"] == pytest.approx(told["standard_error"], rel=1e-7)
    for kind in {"confidence", "prediction"} & told.keys():
        band = api.predict(found, new, kind)
        assert np.stack([band["low"], band["high"]], axis=1) == pytest.approx(np.array(told[kind]), rel=1e-9)


@pytest.mark.parametrize("case", R["nested"], ids=[case["name"] for case in R["nested"]])
def test_models_compared_have_the_tests_of_r(case: Any) -> None:
    options = dict(case["options"]) | ({"start": case["start"]} if case["start"] else {})
    found = api.compare_models(case["models"], R["datasets"][case["data"]], **options)
    (one,) = found.nested
    assert (one.smaller, one.larger) == (0, 1)
    assert one.test.statistic == pytest.approx(case["statistic"], rel=1e-7, abs=1e-10)
    assert one.test.p == pytest.approx(case["p"], rel=1e-7)
    for name in ("aic", "bic"):
        ours = [getattr(fit.outcome.statistics, name) for fit in found.fits if fit.outcome]
        assert ours == pytest.approx(case[name], rel=1e-9)
