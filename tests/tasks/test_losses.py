"""Losses and penalties: what they promise, through every route, and what is refused; for R see test_values_of_r."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, pi, sin, sqrt
from typing import Any

import numpy as np
import pytest
from effort import WHOLE

from gdcli import api
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.status import Status
from gdcli.tasks.fit.conclusion import conclude
from gdcli.tasks.fit.fit_outcome import FitOutcome

pytestmark = pytest.mark.numerical

# R, datasets::stackloss (Brownlee 1965)
STACKLOSS = {
    "air": [80, 80, 75, 62, 62, 62, 62, 62, 58, 58, 58, 58, 58, 58, 50, 50, 50, 50, 50, 56, 70.0],
    "water": [27, 27, 25, 24, 22, 23, 24, 24, 23, 18, 18, 17, 18, 19, 18, 18, 19, 19, 20, 20, 20.0],
    "acid": [89, 88, 90, 87, 87, 87, 93, 93, 87, 80, 89, 88, 82, 93, 89, 86, 72, 79, 80, 82, 91.0],
    "loss": [42, 37, 37, 28, 18, 18, 19, 20, 15, 14, 14, 13, 11, 12, 8, 7, 8, 8, 9, 15, 15.0],
}
STACK = "loss ~ a + b*air + c*water + d*acid"
# Collett (1991), the tobacco budworm of Venables and Ripley, Modern Applied Statistics with S, section 7.2
BUDWORM = {
    "dose": [0, 1, 2, 3, 4, 5] * 2,
    "male": [1.0] * 6 + [0.0] * 6,
    "dead": [1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16.0],
    "n": [20.0] * 12,
}
COUNTS = {
    "x": np.linspace(0.0, 2.0, 25),
    "k": [1, 0, 3, 2, 0, 4, 0, 0, 1, 4, 5, 6, 1, 12, 5, 3, 0, 0, 9, 3, 6, 12, 5, 6, 6.0],
}


def errors(fit: FitOutcome) -> list[float]:
    assert fit.statistics is not None
    return [float(e) for e in fit.statistics.errors.standard_errors if e is not None]


def statistics(fit: FitOutcome) -> Any:
    assert fit.statistics is not None
    return fit.statistics


def test_binomial_counts_and_their_labels_one_by_one() -> None:
    fit = api.fit("dead ~ a + b*male + c*dose", BUDWORM, loss="binomial", trials="n")
    rows = [
        (dose, male, float(i < dead))
        for dose, male, dead in zip(BUDWORM["dose"], BUDWORM["male"], BUDWORM["dead"], strict=True)
        for i in range(20)
    ]
    one_by_one = dict(zip(("dose", "male", "y"), map(list, zip(*rows, strict=True)), strict=True))
    labels = api.fit("y ~ a + b*male + c*dose", one_by_one, loss="logistic")
    assert list(labels.point.values()) == pytest.approx(list(fit.point.values()), rel=1e-9)
    assert errors(labels) == pytest.approx(errors(fit), rel=1e-7)


def test_negative_binomial_regression_finds_theta() -> None:
    fit = api.fit("k ~ exp(a + b*x)", COUNTS, {"a": 0.0, "b": 0.0}, loss="negative-binomial")
    assert statistics(fit).estimated == 3
    known = api.fit(
        "k ~ exp(a + b*x)",
        COUNTS,
        {"a": 0.0, "b": 0.0},
        loss="negative-binomial",
        theta=fit.problem.numbers.theta,
    )
    assert list(known.point.values()) == pytest.approx(list(fit.point.values()), rel=1e-8)


@pytest.mark.parametrize("loss", ["huber", "tukey"])
def test_a_scale_that_was_found_has_the_same_answer_when_given(loss: str) -> None:
    fit = api.fit(STACK, STACKLOSS, loss=loss, scale="auto")
    given = api.fit(STACK, STACKLOSS, loss=loss, scale=fit.problem.numbers.scale)
    assert list(given.point.values()) == pytest.approx(list(fit.point.values()), rel=1e-6)


def test_weights_tell_by_their_ratios_as_those_of_least_squares_do() -> None:
    weights = {"w": [1.0 + k % 3 for k in range(21)], "v": [10.0 * (1.0 + k % 3) for k in range(21)]}
    squared = api.fit(STACK, STACKLOSS | weights, weights="w")
    far = api.fit(STACK, STACKLOSS | weights, weights="w", loss="huber", scale=1e6)
    assert errors(far) == pytest.approx(errors(squared), rel=1e-8)
    one, ten = (api.fit(STACK, STACKLOSS | weights, weights=name, loss="tukey") for name in "wv")
    assert errors(one) == pytest.approx(errors(ten), rel=1e-8)


@pytest.mark.parametrize("part", [0.25, 0.5, 0.9])
def test_so_many_rows_lie_below_a_quantile_line(part: float) -> None:
    fit = api.fit(STACK, STACKLOSS, loss="quantile", quantile=part)
    assert fit.status.value == "converged"
    r = np.array(STACKLOSS["loss"]) - [
        fit.point["a"] + fit.point["b"] * a + fit.point["c"] * w + fit.point["d"] * d
        for a, w, d in zip(STACKLOSS["air"], STACKLOSS["water"], STACKLOSS["acid"], strict=True)
    ]
    assert (r < -1e-9).sum() <= 21 * part <= (r < 1e-9).sum()
    assert fit.value == pytest.approx(float(np.where(r > 0, part * r, (part - 1.0) * r).sum()), rel=1e-12)


def test_a_quantile_of_rows_alone_is_the_quantile() -> None:
    y = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
    fit = api.fit("y ~ a", {"y": y}, loss="quantile", quantile=0.75)
    assert fit.point["a"] == sorted(y)[5]


@pytest.mark.parametrize(("loss", "dof"), [("cauchy", 1.0), ("student-t", 4.0), ("student-t", 7.5)])
def test_scales_of_heavy_tails_are_the_most_likely(loss: str, dof: float) -> None:
    """At the answer the likelihood falls whichever way parameters and scale move."""
    rng = np.random.default_rng(8)
    x = np.linspace(0.0, 4.0, 60)
    y = 1.0 + 2.0 * x + 0.3 * rng.standard_t(2, 60)
    fit = api.fit("y ~ a + b*x", {"x": x, "y": y}, loss=loss, **({"dof": dof} if loss != "cauchy" else {}))
    stats = pytest.importorskip("scipy.stats")

    def likelihood(a: float, b: float, s: float) -> float:
        return float(stats.t.logpdf((y - a - b * x) / s, dof).sum() - 60 * log(s))

    a, b, s = fit.point["a"], fit.point["b"], fit.problem.numbers.scale
    best = likelihood(a, b, s)  # type: ignore[arg-type]
    assert statistics(fit).log_likelihood == pytest.approx(best, rel=1e-10)
    for move in np.random.default_rng(1).normal(size=(20, 3)) * 1e-3:
        assert likelihood(a + move[0], b + move[1], s * (1.0 + move[2])) < best  # type: ignore[operator]
    assert statistics(fit).estimated == 3


# -- penalties ---------------------------------------------------------------------------------------------------------


def design() -> tuple[Any, Any, dict[str, Any]]:
    rng = np.random.default_rng(4)
    x, z = rng.normal(size=(2, 40))
    y = 0.5 + 1.0 * x - 2.0 * z + 0.4 * rng.normal(size=40)
    return np.stack([np.ones(40), x, z], axis=1), y, {"x": x, "z": z, "y": y}


def test_squares_of_the_parameters_shrink_all_but_the_constant() -> None:
    X, y, data = design()
    ridge = np.linalg.solve(X.T @ X + np.diag([0.0, 3.0, 3.0]), X.T @ y)
    fit = api.fit("y ~ a + b*x + c*z", data, l2=3.0)
    assert list(fit.point.values()) == pytest.approx(ridge, rel=1e-9)
    inverse = np.linalg.inv(X.T @ X + np.diag([0.0, 3.0, 3.0]))
    left = 40 - np.trace(inverse @ X.T @ X)
    s = sqrt(((y - X @ ridge) ** 2).sum() / left)
    assert errors(fit) == pytest.approx(s * np.sqrt(np.diag(inverse)), rel=1e-8)
    assert statistics(fit).residual_sd == pytest.approx(s, rel=1e-9)


def test_a_prior_with_known_deviations_is_one_more_row() -> None:
    X, y, data = design()
    data["s"] = np.full(40, 0.4)
    fit = api.fit("y ~ a + b*x + c*z", data, sigma="s", prior="b ~ normal(0.2, 0.05)")
    more = np.vstack([X / 0.4, [0.0, 1.0 / 0.05, 0.0]])
    inverse = np.linalg.inv(more.T @ more)
    assert list(fit.point.values()) == pytest.approx(
        inverse @ more.T @ np.append(y / 0.4, 0.2 / 0.05), rel=1e-9
    )
    assert errors(fit) == pytest.approx(np.sqrt(np.diag(inverse)), rel=1e-8)


def test_a_prior_finds_the_variance_that_it_weighs_by() -> None:
    X, y, data = design()
    fit = api.fit("y ~ a + b*x + c*z", data, prior=["b ~ normal(0.2, 0.05)"])
    s = statistics(fit).residual_sd
    more = np.vstack([X / s, [0.0, 1.0 / 0.05, 0.0]])
    inverse = np.linalg.inv(more.T @ more)
    assert list(fit.point.values()) == pytest.approx(
        inverse @ more.T @ np.append(y / s, 0.2 / 0.05), rel=1e-7
    )
    assert errors(fit) == pytest.approx(np.sqrt(np.diag(inverse)), rel=1e-6)


@pytest.mark.parametrize("options", [{"l2": 0.5}, {"prior": "b ~ normal(1.5, 0.2)"}])
def test_rows_of_weight_zero_tell_nothing_of_a_variance(options: Any) -> None:
    x = np.linspace(0.0, 3.0, 20)
    data = {"x": x, "y": 1.0 + 2.0 * x + 0.3 * np.cos(9.0 * x), "w": (np.arange(20) % 3 > 0) * 1.5}
    kept = {name: column[data["w"] > 0.0] for name, column in data.items()}
    of_all, of_kept = (api.fit("y ~ a + b*x", rows, weights="w", **options) for rows in (data, kept))
    assert list(of_all.point.values()) == pytest.approx(list(of_kept.point.values()), rel=1e-8)
    assert of_all.statistics is not None
    assert of_kept.statistics is not None
    assert of_all.statistics.residual_sd == pytest.approx(of_kept.statistics.residual_sd)
    assert of_all.statistics.errors.standard_errors == pytest.approx(
        of_kept.statistics.errors.standard_errors
    )


def test_a_prior_of_a_likelihood_adds_its_curvature() -> None:
    fit = api.fit(
        "dead ~ a + b*male + c*dose", BUDWORM, loss="binomial", trials="n", prior="b ~ normal(0, 1e-4)"
    )
    assert fit.point["b"] == pytest.approx(0.0, abs=1e-5)
    assert errors(fit)[1] == pytest.approx(1e-4, rel=1e-4)


# -- routes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["gamma", "tukey", "quantile"])
def test_groups_have_the_answer_that_they_have_alone(loss: str) -> None:
    x = np.linspace(0.5, 3.0, 12)
    y = 1.0 + x + 0.2 * np.sin(9.0 * x)
    data = {"x": np.tile(x, 2), "y": np.concatenate([y, 2.0 * y]), "g": np.repeat([0.0, 1.0], 12)}
    start = {"a": 1.0, "b": 1.0}
    for k, group in enumerate(api.fit_groups("y ~ a + b*x", data, "g", start, loss=loss)):
        alone = api.fit("y ~ a + b*x", {"x": x, "y": (k + 1.0) * y}, start, loss=loss)
        assert group.outcome is not None
        assert group.outcome.point == pytest.approx(alone.point, rel=1e-9)


def test_epochs_take_a_given_number_and_refuse_to_find_one() -> None:
    _, _, data = design()
    fit = api.fit("y ~ a + b*x + c*z", data, loss="cauchy", scale=0.4, epochs=3, batch_size=8, polish=True)
    batch = api.fit("y ~ a + b*x + c*z", data, loss="cauchy", scale=0.4)
    assert list(fit.point.values()) == pytest.approx(list(batch.point.values()), rel=1e-6)
    with pytest.raises(UsageError, match="a scale that is to be found"):
        api.fit("y ~ a + b*x + c*z", data, loss="cauchy", epochs=3)


@pytest.mark.skipif(not WHOLE, reason="the kernels of all losses are compared elsewhere")
def test_machine_code_says_the_same() -> None:
    pytest.importorskip("llvmlite")
    fits = [
        api.fit(STACK, STACKLOSS, loss="student-t", scale=2.0, engine=engine)
        for engine in ("numpy", "native")
    ]
    assert list(fits[0].point.values()) == pytest.approx(list(fits[1].point.values()), rel=1e-9)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loss": "quantile", "quantile": 1.0}, "--quantile must lie between 0 and 1, not 1"),
        ({"loss": "quantile", "quantile": -0.1}, "--quantile must be a positive number"),
        ({"quantile": 0.5}, "--quantile is for --loss quantile"),
        ({"loss": "poisson", "scale": 1.0}, "--scale is for --loss huber or tukey or cauchy or student-t"),
        ({"loss": "binomial"}, "needs the number of trials"),
        ({"loss": "binomial", "trials": "q"}, "there is no column q"),
        ({"loss": "huber", "scale": 1.0, "huber_delta": 1.0}, "--huber-delta does not go with --scale"),
        ({"loss": "gamma", "sigma": "n"}, "--sigma has no meaning for --loss gamma"),
        ({"l2": -1.0}, "--l2 must be a number of 0 or more"),
        ({"prior": "q ~ normal(1, 2)"}, "--prior has q, which is no parameter of the model"),
        ({"prior": "b ~ uniform(1, 2)"}, "--prior takes NAME ~ normal"),
        ({"prior": "b ~ normal(1)"}, "normal takes two numbers"),
        ({"prior": "b ~ normal(1, 0)"}, "the deviation of normal is a positive number"),
        ({"prior": ["b ~ normal(1, 1)", "b ~ normal(2, 1)"]}, "--prior has b twice"),
        (
            {"prior": "b ~ normal(1, 1)", "loss": "huber"},
            "--prior needs a likelihood, and --loss huber is none",
        ),
    ],
)
def test_what_makes_no_sense_is_told(options: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        api.fit("dead ~ a + b*male + c*dose", BUDWORM, **options)


@pytest.mark.parametrize(
    ("change", "options", "told"),
    [
        (
            {"dead": [21.0, *BUDWORM["dead"][1:]]},
            {"loss": "binomial", "trials": "n"},
            r"row 1: there are 1 more successes than trials \(n\)",
        ),
        (
            {"dead": [1.5, *BUDWORM["dead"][1:]]},
            {"loss": "binomial", "trials": "n"},
            "row 1: 1.5 is no number of successes",
        ),
        (
            {"n": [20.0, 20.5, *BUDWORM["n"][2:]]},
            {"loss": "binomial", "trials": "n"},
            "row 2: n = 20.5 is no number of trials",
        ),
        (
            {"dead": [1.5, *BUDWORM["dead"][1:]]},
            {"loss": "negative-binomial", "theta": 1.0},
            "row 1: 1.5 is no count, and --loss negative-binomial",
        ),
        ({}, {"loss": "gamma"}, "row 7: 0 is not positive, and --loss gamma"),
    ],
)
def test_cells_that_do_not_fit_the_loss_are_named(
    change: Mapping[str, Any], options: Mapping[str, Any], told: str
) -> None:
    data = {**BUDWORM, **change}
    with pytest.raises(DataError, match=told):
        api.fit("dead ~ a + b*male + c*dose", data, {"a": 1.0, "b": 1.0, "c": 1.0}, **options)


def test_a_scale_of_zero_is_told() -> None:
    x = [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(DataError, match="the scale of the residuals is zero"):
        api.fit("y ~ a + b*x", {"x": x, "y": [1.0, 2.0, 3.0, 4.0, 5.0]}, loss="tukey")


def test_cauchy_has_the_constant_of_its_likelihood() -> None:
    fit = api.fit("y ~ a", {"y": [0.0, 1.0, 5.0]}, loss="cauchy", scale=2.0)
    a = fit.point["a"]
    told = sum(-log(pi * 2.0 * (1.0 + ((y - a) / 2.0) ** 2)) for y in (0.0, 1.0, 5.0))  # type: ignore[operator]
    assert statistics(fit).log_likelihood == pytest.approx(told, rel=1e-12)


FADED = {"t": [*map(float, range(12))], "c": [52.0, 33, 17, 12, 6, 4, 2, 0, 0, 0, 0, 0]}


@pytest.mark.parametrize("loss", ["poisson", "negative-binomial"])
def test_a_mean_of_counts_is_not_negative_where_nothing_was_counted(loss: str) -> None:
    """The loss f of a row without a count fell on below 0, and a fit with a small background ended at nonsense."""
    found = api.fit("c ~ A*exp(-k*t) + B", FADED, {"A": 50, "k": 0.5, "B": 1}, loss=loss)
    assert found.status is not Status.CONVERGED
    assert min(api.predict(found, FADED)["fitted"]) >= 0.0
    assert loss != "poisson" or "bounds that keep it so" in found.advice
    held = api.fit("c ~ A*exp(-k*t) + B", FADED, bounds={"B": (0.0, None)}, loss=loss)
    assert held.status is Status.CONVERGED
    assert held.point["B"] == 0.0


def test_a_mean_that_rounds_to_0_is_one() -> None:
    data = {"t": [0.0, 1, 2, 3, 4, 2000, 3000], "c": [9.0, 5, 2, 2, 0, 0, 0]}
    assert api.fit("c ~ A*exp(-k*t)", data, {"A": 9, "k": 0.7}, loss="poisson").status is Status.CONVERGED


@pytest.mark.parametrize(
    ("loss", "told"),
    [("poisson", [0.382968046757, 2.30091541299]), ("gamma", [0.76658995349, 1.65014308091])],
)
def test_a_line_whose_least_squares_are_negative_is_found_without_a_start(
    loss: str, told: list[float]
) -> None:
    data = {"t": [*map(float, range(7))], "c": [1.0, 1, 1, 2, 4, 12, 30]}
    found = api.fit("c ~ a + b*t", data, loss=loss)
    assert found.status is Status.CONVERGED
    assert list(found.point.values()) == pytest.approx(told, rel=1e-9)


@pytest.mark.parametrize("zeros", [7, 14])
def test_labels_that_are_mostly_alike_have_no_scale(zeros: int) -> None:
    labels = [0.0] * zeros + [1.0] * (24 - zeros)
    with pytest.raises(DataError, match="the scale of the residuals is zero"):
        api.fit("y ~ a", {"y": labels}, loss="cauchy")


def test_only_the_answer_is_judged_where_a_scale_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits on the way to the scale are asked for their points alone: a certificate costs more than the run."""
    judged = []

    def counted(*parts: Any) -> Any:
        judged.append(parts)
        return conclude(*parts)

    monkeypatch.setattr("gdcli.tasks.fit.solve_fit.conclude", counted)
    t = [0.25 * k for k in range(12)]
    y = [3.0 * exp(-0.7 * s) + 0.5 + 0.03 * sin(50.0 * s) for s in t]
    found = api.fit("y ~ a*exp(-b*t) + c", {"t": t, "y": y}, start={"a": 1, "b": 1, "c": 0}, loss="tukey")
    assert found.status is Status.CONVERGED
    assert len(judged) == 1
