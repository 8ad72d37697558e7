"""Intervals by the profile likelihood: against R, against a scan of the curve, and where it does not close."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.budget import CLUSTER, Spent
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.tasks.fit.fit_outcome import FitOutcome

# Bates and Watts, Nonlinear Regression Analysis and Its Applications, 1988, appendix A1 (R's data set Puromycin,
# treated) and A4.1 (R's BOD).
PUROMYCIN = {
    "conc": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10],
    "rate": [76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200],
}
BOD = {"t": [1, 2, 3, 4, 5, 7], "y": [8.3, 10.3, 19.0, 16.0, 15.6, 19.8]}
# Davidian and Giltinan, Nonlinear Models for Repeated Measurement Data, 1995, section 5.2.4 (R's DNase, run 1).
DNASE = {
    "conc": np.repeat([0.048828125, 0.1953125, 0.390625, 0.78125, 1.5625, 3.125, 6.25, 12.5], 2).tolist(),
    "density": [
        *(0.017, 0.018, 0.121, 0.124, 0.206, 0.215, 0.377, 0.374),
        *(0.614, 0.609, 1.019, 1.001, 1.334, 1.364, 1.730, 1.710),
    ],
}
MICHAELIS = "rate ~ V*conc/(K+conc)"
RISE = "y ~ A*(1-exp(-k*t))"
LOGISTIC = "density ~ Asym/(1+exp((xmid-log(conc))/scal))"


def ends(found: FitOutcome) -> dict[str, tuple[float, float]]:
    assert found.statistics is not None
    return dict(zip(found.space.lengths, found.statistics.errors.intervals, strict=True))  # type: ignore[arg-type]


def profiled(model: str, data: Any, start: Mapping[str, float] | None, **options: Any) -> FitOutcome:
    return api.fit(model, data, start, intervals="profile", **options)


CASES = {
    "puromycin": (MICHAELIS, PUROMYCIN, {"V": 200, "K": 0.05}),
    "bod": (RISE, BOD, {"A": 20, "k": 0.5}),
    "dnase": (LOGISTIC, DNASE, {"Asym": 2.3, "xmid": 1.5, "scal": 1.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_least_sum_with_a_parameter_at_its_end_is_that_of_the_quantile(name: str) -> None:
    """An independent way: the parameter is given its end by --set, and the others are fitted."""
    model, data, start = CASES[name]
    found = profiled(model, data, start)
    statistics = found.statistics
    assert statistics is not None
    assert statistics.residual_sd is not None
    for parameter, pair in ends(found).items():
        for end in pair:
            rest = {k: v for k, v in found.point.items() if k != parameter}
            fixed = api.fit(model, data, rest, constants={parameter: end})
            tau = sqrt(fixed.value - found.value) / statistics.residual_sd
            assert tau == pytest.approx(student_t_quantile(0.95, statistics.errors.dof), rel=1e-7)


def test_the_spline_of_r_is_off_and_not_the_end() -> None:
    """The least sum of squares at both ends of A: exact, as for a given A only k is left, on a fine scan.

    confint of R 4 joins the places of its spline by straight lines; tests/data/r has what its profile tends to.
    """
    t, y = (np.array(column, dtype=float) for column in BOD.values())
    found = profiled(*CASES["bod"])
    k = np.linspace(0.1, 3.0, 290_001)
    quantile = student_t_quantile(0.95, 4.0)
    for A, off in ((ends(found)["A"][0], 0.0), (14.0845, -0.0238)):
        least = sum((v - A * (1.0 - np.exp(-k * at))) ** 2 for at, v in zip(t, y, strict=True)).min()
        tau = sqrt((least - found.value) / (found.value / 4.0))
        assert tau - quantile == pytest.approx(off, abs=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 0.99]))
def test_of_a_linear_model_the_profile_is_wald(seed: int, level: float) -> None:
    random = np.random.default_rng(seed)
    x = random.uniform(-1.0, 2.0, 9)
    data = {"x": x, "y": 1.0 + x + random.normal(size=9), "w": random.uniform(0.5, 2.0, 9)}
    wald = ends(api.fit("y ~ a + b*x + c*x**2", data, level=level, weights="w"))
    told = ends(profiled("y ~ a + b*x + c*x**2", data, None, level=level, weights="w"))
    # Within bounds that hold nothing the curve is followed.
    walked = ends(
        profiled("y ~ a + b*x + c*x**2", data, None, level=level, weights="w", bounds={"a": (-1e6, 1e6)})
    )
    for name, pair in wald.items():
        assert told[name] == pytest.approx(pair, rel=1e-12)
        assert walked[name] == pytest.approx(pair, rel=1e-7, abs=1e-7)


def test_an_end_that_is_none_is_infinite_and_says_why() -> None:
    found = profiled(RISE, BOD, {"A": 20, "k": 0.5}, level=0.99)
    told = found.intervals
    assert told is not None
    A, k = told.profile
    assert A is not None and k is not None  # noqa: PT018
    assert (A.high, k.high) == (inf, inf)
    assert A.low == pytest.approx(11.5308, rel=1e-5)
    t, y = (np.array(column) for column in BOD.values())
    line = ((y - (t @ y) / (t @ t) * t) ** 2).sum()  # as A grows the rise becomes a line
    assert f"the sum of squares comes to {line:.4g} at most" in A.why_high
    assert f"comes to {((y - y.mean()) ** 2).sum():.4g} at most" in k.why_high


def test_a_bound_and_the_edge_of_the_domain_are_ends() -> None:
    model, data, start = CASES["puromycin"]
    found = profiled(model, data, start, bounds={"V": (205.0, 1e3)}).intervals
    assert found is not None
    assert found.profile[0] is not None
    assert (found.profile[0].low, found.profile[0].why_low) == (205.0, "V ends at its bound")
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    y = np.log(x + 0.2) + 0.4 * np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    edge = profiled("y ~ log(x - c)", {"x": x, "y": y}, {"c": 0.0}).intervals
    assert edge is not None
    assert edge.profile[0] is not None
    assert edge.profile[0].high <= 1.0


# Growth that has not turned yet (R's ChickWeight, chick 1, by Asym/(1 + exp((xmid - Time)/scal))).
CHICK = {"t": [*range(0, 21, 2), 21], "w": [42, 51, 59, 64, 76, 93, 106, 125, 149, 171, 199, 205]}


def test_ends_where_the_others_run_away() -> None:
    """As A and m grow what is left is C*exp(t/s): the profile of s goes on beyond, that of m levels off."""
    start = {"A": 937.0, "m": 35.0, "s": 11.4}
    found = profiled("w ~ A/(1 + exp((m - t)/s))", CHICK, start)
    assert found.statistics is not None
    assert found.statistics.residual_sd is not None
    (_, a), (_, m), (_, s) = ends(found).values()
    assert a == m == inf
    limit = api.fit("w ~ C*exp(t/s)", CHICK, constants={"s": s})
    tau = sqrt(limit.value - found.value) / found.statistics.residual_sd
    assert tau == pytest.approx(student_t_quantile(0.95, 9), rel=1e-5)
    exponential = api.fit("w ~ C*exp(t/s)", CHICK, {"C": 40.0, "s": 13.0})
    for one in found.intervals.profile[:2]:  # type: ignore[union-attr]
        assert one is not None
        assert f"comes to {exponential.value:.4g} at most" in one.why_high


# As k falls the rise becomes a line, and 1 - exp(-k*t) rounding alone (R's Loblolly, seed 329); as l grows the first
# row is met by c, and all others by A (R's CO2, plant Mc3).
PINE = {"t": [3, 5, 10, 15, 20, 25], "y": [3.93, 9.34, 26.08, 37.79, 48.31, 56.43]}
GRASS = {"t": [95, 175, 250, 350, 500, 675, 1000], "y": [10.6, 18, 17.9, 17.9, 17.9, 18.9, 19.9]}


@pytest.mark.parametrize(
    ("model", "data", "start", "name", "side"),
    [
        ("y ~ A*(1 - exp(-exp(k)*t))", PINE, {"A": 96.0, "k": -3.0}, "k", 0),
        ("y ~ A*(1 - exp(-exp(l)*(t - c)))", GRASS, {"A": 18.5, "l": -3.5, "c": 68.0}, "l", 1),
    ],
)
def test_where_numbers_break_off_is_no_end(model: str, data: Any, start: Any, name: str, side: int) -> None:
    assert abs(ends(profiled(model, data, start))[name][side]) == inf


# R's Indometh, subject 3.
INDOMETH = {
    "t": [0.25, 0.5, 0.75, 1, 1.25, 2, 3, 4, 5, 6, 8],
    "y": [2.72, 1.49, 1.16, 0.8, 0.8, 0.39, 0.22, 0.12, 0.11, 0.08, 0.08],
}


def test_what_has_levelled_off_rises_no_more() -> None:
    """The first rate may be any: then it has the first row for its own, by an amount past all numbers."""
    start = {"A": 2.0, "k": 1.0, "B": 0.6, "l": -1.3}
    found = profiled("y ~ A*exp(-exp(k)*t) + B*exp(-exp(l)*t)", INDOMETH, start)
    rest = {name: column[1:] for name, column in INDOMETH.items()}
    limit = api.fit("y ~ B*exp(-exp(l)*t)", rest, {"B": 2.0, "l": -0.2})
    assert found.intervals is not None
    A, k, B, _ = found.intervals.profile
    for one in (A, k):
        assert one is not None
        assert one.high == inf
        assert f"comes to {limit.value:.4g} at most" in one.why_high
    assert B is not None
    # Where the other rows, fitted with B held, are as far up as the quantile says.
    assert (B.high, B.why_high) == (pytest.approx(2.384451825739537, rel=1e-5), "")


def test_a_jump_is_an_end_and_says_so() -> None:
    """Up to the first row all others are met by A; beyond it none is, and nothing lies between."""
    found = profiled("y ~ A*(1 - exp(-exp(l)*(t - c)))", GRASS, {"A": 18.5, "l": -3.5, "c": 68.0}).intervals
    assert found is not None
    c = found.profile[2]
    assert c is not None
    assert c.high == pytest.approx(95.0, rel=1e-12)
    assert c.why_high == "there the sum of squares jumps over 9.193, which would be the end"


GAMMA = {
    "u": [5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0],
    "y": [118.0, 58.0, 42.0, 35.0, 27.0, 25.0, 21.0, 19.0, 18.0],
}
COUNTS = {"u": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "y": [1.0, 0.0, 4.0, 2.0, 9.0, 3.0, 19.0, 8.0]}
LINE = {"u": COUNTS["u"], "y": [0.1, 1.3, 1.8, 9.0, 4.1, 4.7, 6.2, 7.0]}


@pytest.mark.parametrize(
    ("loss", "model", "data", "held"),
    [
        ("gamma", "y ~ 1/(a + b*log(u))", GAMMA, ""),
        ("negative-binomial", "y ~ exp(a + b*u)", COUNTS, "theta"),
        ("student-t", "y ~ a + b*u", LINE, "scale"),
    ],
)
def test_a_likelihood_with_a_number_of_its_own_has_a_profile(
    loss: str, model: str, data: Any, held: str
) -> None:
    """The dispersion is Pearson's, and counts as s**2; theta and scale are those that were found."""
    start = {"a": 0.1, "b": 0.02}
    found = profiled(model, data, start, loss=loss)
    assert found.statistics is not None
    number = {held: getattr(found.problem.numbers, held)} if held else {}
    unit, quantile = 2.0, student_t_quantile(0.95, inf)
    if loss == "gamma":
        said = np.array([1.0 / (found.point["a"] + found.point["b"] * log(u)) for u in data["u"]])  # type: ignore[operator]
        unit = 2.0 / (((np.array(data["y"]) / said - 1.0) ** 2).sum() / 7.0)
        quantile = student_t_quantile(0.95, 7.0)
    for name, pair in ends(found).items():
        for end in pair:
            rest = {k: v for k, v in found.point.items() if k != name}
            fixed = api.fit(model, data, rest, constants={name: end}, loss=loss, **number)
            assert sqrt(unit * (fixed.value - found.value)) == pytest.approx(quantile, rel=1e-6)


def test_rows_of_weight_zero_give_no_degrees_of_freedom() -> None:
    weighed = {**GAMMA, "w": [1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}
    without = {
        name: [v for v, w in zip(column, weighed["w"], strict=True) if w] for name, column in weighed.items()
    }
    pairs = [
        ends(profiled("y ~ 1/(a + b*log(u))", data, {"a": 0.1, "b": 0.02}, loss="gamma", weights="w"))
        for data in (weighed, without)
    ]
    for name, pair in pairs[0].items():
        assert pair == pytest.approx(pairs[1][name], rel=1e-9)


def test_a_derived_quantity_is_looked_at_for_lopsidedness() -> None:
    """Of a linear model too, where no parameter is: the ratio has the interval of Fieller's theorem (1954)."""
    data = {"x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "y": [0.2, 2.9, 3.1, 6.2, 5.5, 9.4]}
    found = api.fit("y ~ a + b*x", data, derive=["zero=-a/b", "both=a+b", "twice=2*b"])
    assert found.intervals is not None
    assert found.statistics is not None
    ((number, one),) = found.intervals.lopsided.items()
    assert number == 2
    assert one is not None
    errors, q = found.statistics.errors, student_t_quantile(0.95, 4.0)
    U = np.array(errors.factor)
    C = q * q * (U @ U.T)
    a, b = found.point.values()
    ends_of = np.roots([b * b - C[1, 1], 2.0 * (a * b - C[0, 1]), a * a - C[0, 0]])  # type: ignore[operator]
    assert (one.low, one.high) == pytest.approx(sorted(ends_of), rel=1e-8)


def test_lopsided_intervals_are_told_with_wald() -> None:
    found = api.fit(RISE, BOD, {"A": 20, "k": 0.5})
    told = found.intervals
    assert told is not None
    for k, pair in enumerate(ends(profiled(RISE, BOD, {"A": 20, "k": 0.5})).values()):
        one = told.lopsided[k]
        assert one is not None
        assert (one.low, one.high) == pytest.approx(pair, rel=1e-9)
    random = np.random.default_rng(0)
    t = np.linspace(0.0, 4.0, 200)
    data = {"t": t, "y": 2.0 * np.exp(-1.3 * t) + 0.01 * random.normal(size=200)}
    assert api.fit("y ~ a*exp(-b*t)", data, {"a": 1, "b": 1}).intervals is None


# -- derived quantities ------------------------------------------------------------------------------------------------


def test_a_derived_quantity_is_what_the_fit_of_it_would_be() -> None:
    model, data, start = CASES["puromycin"]
    for kind, rel in (("wald", 1e-9), ("profile", 1e-7)):
        found = api.fit(model, data, start, intervals=kind, derive=["eff=V/K", "double=2*eff", "lk=log(K)"])
        other = api.fit("rate ~ eff*K*conc/(K+conc)", data, {"eff": 4000, "K": 0.05}, intervals=kind)
        eff, double, logarithm = found.derived
        assert eff.interval is not None
        assert double.interval is not None
        assert logarithm.interval is not None
        assert other.statistics is not None
        assert eff.value == pytest.approx(other.point["eff"], rel=1e-9)
        assert eff.error == pytest.approx(other.statistics.errors.standard_errors[0], rel=1e-8)
        assert eff.interval[:2] == pytest.approx(ends(other)["eff"], rel=rel)
        assert double.interval[:2] == pytest.approx([2.0 * end for end in eff.interval[:2]], rel=rel)
        if kind == "profile":
            assert logarithm.interval[:2] == pytest.approx([log(end) for end in ends(found)["K"]], rel=rel)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_a_quantity_of_one_parameter_has_the_ends_that_this_has(level: float) -> None:
    """Its values are those of the ends of k; where k can be 0 it has no end, where k has none it comes to 0."""
    found = profiled(*CASES["bod"], level=level, derive=["half_life=log(2)/k", "cube=k**3", "lk=log(k)"])
    k, told = ends(found)["k"], {one.name: one.interval for one in found.derived}
    assert all(told.values())
    half_life, cube, lk = (told[name] for name in ("half_life", "cube", "lk"))
    if level == 0.95:
        assert half_life[:2] == pytest.approx([log(2) / end for end in reversed(k)], rel=1e-7)  # type: ignore[index]
        assert lk[:2] == pytest.approx([log(end) for end in k], rel=1e-7)  # type: ignore[index]
        assert cube[:2] == pytest.approx([end**3 for end in k], rel=1e-7)  # type: ignore[index]
        wald = api.fit(*CASES["bod"], derive=["half_life=log(2)/k"])
        assert wald.intervals is not None
        assert wald.intervals.lopsided[2][:2] == pytest.approx(half_life[:2], rel=1e-7)  # type: ignore[index]
    else:
        assert half_life[:2] == pytest.approx((0.0, inf), abs=1e-7)  # type: ignore[index]
        assert half_life.why_low == "beyond it half_life has no value"  # type: ignore[union-attr]
        assert "however large half_life is" in half_life.why_high  # type: ignore[union-attr]
        assert lk[:2] == (-inf, inf)  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("V=2*K", "--derive gives V, which is a parameter of the model"),
        ("conc=V/K", "--derive gives conc, which is a column of the data"),
        ("eff=V/Q", "--derive has Q, which is not a parameter of the model"),
        ("eff=V*conc", "--derive has conc, which is a column of the data"),
        ("eff", "--derive takes NAME=EXPR"),
        ("log=V", "log is a function"),
    ],
)
def test_a_derived_quantity_that_is_none(text: str, told: str) -> None:
    model, data, start = CASES["puromycin"]
    with pytest.raises(UsageError, match=told):
        api.fit(model, data, start, derive=[text])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"level": 0}, "--level is a probability between 0 and 1, not 0"),
        ({"level": 95}, "--level is a probability between 0 and 1, not 95"),
        ({"intervals": "profiles"}, "--intervals is one of wald, profile"),
        ({"intervals": "profile", "loss": "absolute"}, "is for likelihoods, and --loss absolute is none"),
        (
            {"intervals": "profile", "subject_to": "V <= 300"},
            "--intervals profile does not go with --subject-to",
        ),
        ({"intervals": "profile", "epochs": 3, "batch_size": 2}, "is for a fit that ends at its minimum"),
        (
            {"intervals": "bootstrap", "loss": "huber"},
            "is for smooth sums of squares, and not for --loss huber",
        ),
        ({"intervals": "bootstrap", "l2": "auto"}, "and not for a sum with penalties"),
        ({"intervals": "profile", "l2": "auto"}, "and a sum with penalties is none"),
        ({"intervals": "bootstrap", "bounds": {"V": (0, 1e3)}}, "does not go with --bounds"),
        ({"intervals": "bootstrap", "samples": 3}, "3 samples tell no interval"),
        ({"samples": 300}, "--samples is for --intervals bootstrap"),
    ],
)
def test_intervals_that_are_not_to_be_had(options: dict[str, Any], told: str) -> None:
    model, data, start = CASES["puromycin"]
    with pytest.raises(UsageError, match=told):
        api.fit(model, data, start, **options)


# -- the bootstrap -----------------------------------------------------------------------------------------------------


def test_intervals_that_did_not_come_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def spent(*given: object) -> None:
        raise Spent(CLUSTER)

    monkeypatch.setattr("gdcli.tasks.fit.bootstrap.draw", spent)
    found = api.fit("y ~ m", {"y": [1.0, 2.0, 4.0]}, intervals="bootstrap")
    assert found.intervals is None
    assert found.warnings == ("there is no interval by bootstrap, only Wald's: the cluster was lost",)


@pytest.mark.parametrize(
    ("asked", "slow", "lacking"),
    [
        ({"intervals": "bootstrap"}, "bootstrap.draw", "there is no interval by bootstrap, only Wald's"),
        (
            {"intervals": "profile"},
            "further_intervals.profile_of",
            "there is no interval by profile, only Wald's",
        ),
        ({"contour": ("a", "b")}, "further_intervals.joint_quantile", "there is no region"),
        ({"diagnostics": True}, "diagnostics.whole_test", "there are no diagnostics"),
    ],
)
def test_a_signal_after_the_fit_leaves_the_fit(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], slow: str, lacking: str
) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"gdcli.tasks.fit.{slow}", stopped)
    found = api.fit("y ~ a + b*t", {"t": [1, 2, 3, 4, 5], "y": [1, 2, 4, 4, 6]}, derive=("q=a/b",), **asked)
    assert found.status is Status.INTERRUPTED
    assert ". Converged to a local minimum after " in found.message
    assert found.warnings == (f"{lacking}: interrupted",)
    assert found.point == pytest.approx({"a": -0.2, "b": 1.2})
    assert found.statistics is not None
    assert found.derived[0].error


def test_the_bootstrap_of_a_mean() -> None:
    """Of a mean everything is known: the deviation of the estimates, and of a skew sample to which side BCa moves."""
    sample = np.exp(np.random.default_rng(3).normal(size=60))
    found = {
        kind: api.fit("y ~ m", {"y": sample}, intervals="bootstrap", resample=kind, samples=4000)
        for kind in ("residual", "case", "parametric")
    }
    for kind, one in found.items():
        facts = one.intervals.bootstrap  # type: ignore[union-attr]
        assert facts is not None
        known = sample.std() / sqrt(60) if kind == "case" else sample.std(ddof=1) / sqrt(60)
        assert facts.errors[0] == pytest.approx(known, rel=0.05)
        assert facts.failed == 0
        (low, high), (bca_low, bca_high) = facts.percentile[0], ends(one)["m"]
        assert bca_low > low
        assert bca_high > high
    again = api.fit("y ~ m", {"y": sample}, intervals="bootstrap", resample="case", samples=4000)
    assert ends(again) == ends(found["case"])
    other = api.fit("y ~ m", {"y": sample}, intervals="bootstrap", resample="case", samples=4000, seed=1)
    assert ends(other) != ends(again)


@pytest.mark.parametrize("resample", ["residual", "case", "parametric"])
def test_rows_of_weight_zero_are_not_drawn(resample: str) -> None:
    x = np.linspace(0.0, 3.0, 24)
    data = {"x": x, "y": 3.0 * np.exp(-0.8 * x) + 0.1 * np.cos(9.0 * x), "w": (np.arange(24) % 2) * 1.5}
    kept = {name: column[data["w"] > 0.0] for name, column in data.items()}
    asked: dict[str, Any] = {"weights": "w", "intervals": "bootstrap", "resample": resample, "samples": 200}
    pairs = [ends(api.fit("y ~ a*exp(-b*x)", rows, {"a": 1, "b": 1}, **asked)) for rows in (data, kept)]
    for name, pair in pairs[0].items():
        assert pair == pytest.approx(pairs[1][name], rel=1e-6)


def test_the_bootstrap_is_wald_where_wald_is_right() -> None:
    random = np.random.default_rng(5)
    t = np.linspace(0.0, 4.0, 100)
    data = {
        "t": t,
        "y": 2.0 * np.exp(-1.3 * t) + 0.5 + 0.02 * random.normal(size=100),
        "s": np.full(100, 0.02),
    }
    for options in ({}, {"sigma": "s"}):
        start, model = {"a": 1, "b": 1, "c": 0}, "y ~ a*exp(-b*t) + c"
        wald = api.fit(model, data, start, **options)
        kinds = ("residual", "parametric")
        found = [api.fit(model, data, start, intervals="bootstrap", resample=k, **options) for k in kinds]
        errors = wald.statistics.errors.standard_errors  # type: ignore[union-attr]
        for one in found:
            assert one.intervals.bootstrap.errors == pytest.approx(errors, rel=0.25)  # type: ignore[union-attr]


def test_a_part_may_be_used_by_a_derived_quantity_alone() -> None:
    options = {"let": ["half=log(2)/k"], "derive": ["twice=2*half"]}
    x = np.linspace(0.0, 3.0, 9)
    data = {"x": x, "y": 2.0 * np.exp(-0.7 * x) + 0.01 * np.cos(9.0 * x)}
    found = api.fit("y ~ a*exp(-k*x)", data, {"a": 2.0, "k": 0.7}, **options)
    assert found.derived[0].value == pytest.approx(2.0 * np.log(2.0) / found.point["k"])
    with pytest.raises(UsageError, match="--let gives half, which nothing uses"):
        api.fit("y ~ a*exp(-k*x)", data, {"a": 2.0, "k": 0.7}, let=["half=log(2)/k"])
