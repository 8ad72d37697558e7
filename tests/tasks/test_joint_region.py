"""The joint likelihood region of two parameters: an exact ellipse of linear models, else against refits."""

from __future__ import annotations

from math import hypot, inf, isinf, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.cli.app import run
from gdcli.judge.distributions import chi_square_tail, f_tail, joint_quantile, student_t_quantile
from gdcli.kernel.errors import UsageError
from gdcli.record.fits import fit_record
from gdcli.render.fit_parts import region, region_panel
from gdcli.render.page import ASCII
from gdcli.tasks.fit.fit_outcome import FitOutcome, JointRegion
from tests.tasks.test_profile import BOD, CASES, MICHAELIS, PUROMYCIN, RISE

START = {"V": 200, "K": 0.05}


def region_of(found: FitOutcome) -> JointRegion:
    assert found.region is not None
    return found.region


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("dof", [1, 4, 37, 10**7, inf])
def test_the_quantile_has_the_level_as_its_probability(level: float, dof: float) -> None:
    square = joint_quantile(level, dof) ** 2
    tail = chi_square_tail(square, 2) if isinf(dof) else f_tail(0.5 * square, 2, dof)
    assert tail == pytest.approx(1.0 - level, rel=1e-7)


@given(st.integers(0, 2**32), st.sampled_from([None, 0.5]), st.sampled_from([0.5, 0.9, 0.99]))
@settings(max_examples=8, deadline=None)
def test_of_a_linear_model_it_is_the_ellipse(seed: int, sigma: float | None, level: float) -> None:
    """d' C^-1 d = 2 F, C the covariance of the two: the third parameter makes up for what it can."""
    random = np.random.default_rng(seed)
    x, z = random.normal(size=(2, 12))
    data = {"x": x, "z": z, "y": 1.0 + 2.0 * x - z + random.normal(size=12)}
    options: dict[str, Any] = {} if sigma is None else {"sigma": sigma}
    found = api.fit("y ~ a + b*x + c*z", data, None, contour="b,c", level=level, **options)
    seen = region_of(found)
    A = np.column_stack([np.ones(12), x, z])
    left = data["y"] - A @ np.array(list(found.point.values()))
    variance = left @ left / 9.0 if sigma is None else sigma**2
    covariance = (np.linalg.inv(A.T @ A) * variance)[1:, 1:]
    square = 9.0 * ((1.0 - level) ** (-2.0 / 9.0) - 1.0) if sigma is None else -2.0 * log(1.0 - level)
    assert (seen.why, seen.dof) == ("", 9.0 if sigma is None else inf)
    away = np.array(seen.points) - [found.point["b"], found.point["c"]]
    forms = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    assert forms == pytest.approx(np.full(len(forms), square), rel=1e-7)
    assert seen.points[0] == seen.points[-1]
    turns = np.diff(np.unwrap(np.arctan2(*(np.linalg.inv(np.linalg.cholesky(covariance)) @ away.T))))
    assert abs(turns.sum()) == pytest.approx(2.0 * np.pi)  # once around, no part left out
    assert np.abs(turns).max() < 0.2
    for k, one in enumerate(seen.extents):
        half = np.sqrt(square * covariance[k, k])
        assert 0.5 * (one.high - one.low) == pytest.approx(half, rel=1e-7)


@pytest.mark.parametrize("pair", [("V", "K"), ("xmid", "scal")])
def test_the_others_refitted_at_a_point_leave_the_sum_of_the_quantile(pair: tuple[str, str]) -> None:
    """An independent way: both are given by --set, and the rest is fitted."""
    model, data, start = CASES["puromycin" if pair[0] == "V" else "dnase"]
    found = api.fit(model, data, start, contour=pair)
    seen, statistics = region_of(found), found.statistics
    assert seen.why == ""
    assert statistics is not None
    assert statistics.residual_sd is not None
    for point in seen.points[::16]:
        fixed = dict(zip(pair, point, strict=True))
        rest = {name: value for name, value in found.point.items() if name not in pair}
        if rest:
            least = api.fit(model, data, rest, constants=fixed).value
        else:
            conc, rate = np.array(data["conc"]), np.array(data["rate"])
            least = float(((rate - point[0] * conc / (point[1] + conc)) ** 2).sum())
        risen = (least - found.value) / statistics.residual_sd**2
        assert risen == pytest.approx(joint_quantile(0.95, seen.dof) ** 2, rel=1e-7)


def test_swapping_the_parameters_swaps_the_points() -> None:
    first, second = (region_of(api.fit(MICHAELIS, PUROMYCIN, START, contour=pair)) for pair in ("V,K", "K,V"))
    assert second.names == ("K", "V")
    assert second.points == tuple((k, v) for v, k in first.points)
    assert second.extents == first.extents[::-1]
    # and so does giving the model with its parameters in the other order
    turned = region_of(api.fit("rate ~ conc/(K+conc)*V", PUROMYCIN, {"K": 0.05, "V": 200}, contour="V,K"))
    for one, other in zip(turned.extents, first.extents, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-7)


def test_extents_contain_the_intervals_and_are_those_of_the_curve() -> None:
    """The quantile of two is larger than that of one at each level; at that of one they are the same."""
    found = api.fit(MICHAELIS, PUROMYCIN, START, contour="V,K", intervals="profile")
    seen, statistics = region_of(found), found.statistics
    assert statistics is not None
    for k, (one, interval) in enumerate(zip(seen.extents, statistics.errors.intervals, strict=True)):
        assert interval is not None
        assert one.low < interval[0] < interval[1] < one.high
        along = [point[k] for point in seen.points]
        wide = one.high - one.low
        assert -1e-9 * wide <= min(along) - one.low < 2e-3 * wide
        assert -1e-9 * wide <= one.high - max(along) < 2e-3 * wide


def test_rows_held_back_are_not_in_it() -> None:
    """Wald's intervals of a linear model are those of the rows learned from: the region is so much wider."""
    options = {"epochs": 2, "polish": True, "lr": 0.01, "validate": 0.3}
    found = api.fit("y ~ a + b*t", BOD, contour="a,b", **options)
    statistics, seen = found.statistics, region_of(found)
    assert statistics is not None
    assert seen.dof == 2.0
    wider = joint_quantile(0.95, 2.0) / student_t_quantile(0.95, 2.0)
    for one, interval, x in zip(seen.extents, statistics.errors.intervals, found.point.values(), strict=True):
        assert interval is not None
        assert (one.low - x, one.high - x) == pytest.approx([wider * (end - x) for end in interval], rel=1e-6)


def test_a_likelihood_has_the_quantile_of_chi_square() -> None:
    data = {"x": [0, 1, 2, 3, 4, 5], "n": [2, 3, 6, 7, 8, 15]}
    seen = region_of(api.fit("n ~ exp(a+b*x)", data, {"a": 1, "b": 0.3}, loss="poisson", contour="a,b"))
    assert (seen.why, seen.dof) == ("", inf)
    x, n = np.array(data["x"]), np.array(data["n"])

    def twice(a: float, b: float) -> float:
        return 2.0 * float((np.exp(a + b * x) - n * (a + b * x)).sum())

    values = [twice(*point) for point in seen.points]
    found = api.fit("n ~ exp(a+b*x)", data, {"a": 1, "b": 0.3}, loss="poisson").point
    assert values == pytest.approx([twice(found["a"], found["b"]) - 2.0 * log(0.05)] * len(values), rel=1e-8)


def test_a_region_that_does_not_close_is_told() -> None:
    """That of BOD is open at 95 % (Bates and Watts, 1988, section 6.1: k has no upper end), closed at 80 %."""
    found = api.fit(RISE, BOD, CASES["bod"][2], contour=["k", "A"])
    seen = region_of(found)
    assert seen.why.startswith("k above: however large k is")
    assert seen.extents[0].high == inf
    ends = [seen.points[0][0], seen.points[-1][0]]
    assert min(ends) > 100.0
    assert min(k for k, _ in seen.points) == pytest.approx(seen.extents[0].low, rel=1e-2)
    panel = region_panel(fit_record(found))
    assert panel is not None
    assert (
        panel.xlim is not None
    )  # the picture shows the closed end, and not the curve as far as it was followed
    assert panel.xlim[0] < seen.extents[0].low < panel.xlim[1] < min(ends)
    assert panel.ylim is None
    assert region_of(api.fit(RISE, BOD, CASES["bod"][2], contour="k,A", level=0.8)).why == ""


def test_a_bound_cuts_the_curve() -> None:
    seen = region_of(api.fit(RISE, BOD, CASES["bod"][2], contour="A,k", level=0.8, bounds={"k": (0.3, inf)}))
    assert seen.why == "k below: k ends at its bound"
    assert [point[1] for point in (seen.points[0], seen.points[-1])] == pytest.approx([0.3, 0.3], rel=1e-5)
    assert min(k for _, k in seen.points) >= 0.3


def test_what_has_no_errors_has_no_region() -> None:
    found = api.fit("y ~ a + b*x", {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}, contour="a,b")
    assert region_of(found)[2:] == ((), (), "the model goes through all points")
    text = "".join(part for line in region(fit_record(found), 80, ASCII) for part, _ in line)
    assert "the model goes through all points" in text
    assert region_panel(fit_record(found)) is None
    held = api.fit(MICHAELIS, PUROMYCIN, START, contour="V,K", bounds={"V": (0, 205)})
    assert region_of(held).why == "V has no standard error"


def test_print_has_the_extents(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = zip(*PUROMYCIN.values(), strict=True)
    file.write_text("conc,rate\n" + "".join(f"{c},{r}\n" for c, r in rows))
    words = "region.V.low,region.K.high"
    arguments = ["fit", MICHAELIS, str(file), "--start", "V=200,K=0.05", "--contour", "K,V", "--print", words]
    assert run(arguments) == 0
    low, high = map(float, capsys.readouterr().out.split())
    assert (low, high) == pytest.approx((193.104033, 0.0935364582), rel=1e-8)


def test_record_page_and_panel_have_the_same_region() -> None:
    found = api.fit(MICHAELIS, PUROMYCIN, START, contour="V,K")
    record = fit_record(found)
    assert record.region is not None
    assert (record.region.closed, record.region.quantile) == (True, "F(2, 10)")
    assert record.region.points == [list(point) for point in region_of(found).points]
    lines = ["".join(part for part, _ in line) for line in region(record, 80, ASCII)]
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["V", "193.104", "234.293"] for line in lines)
    panel = region_panel(record)
    assert panel is not None
    assert (panel.xlabel, panel.ylabel, len(panel.series[0].xs)) == ("V", "K", len(record.region.points))


@pytest.mark.parametrize(
    ("asked", "options", "told"),
    [
        ("V,k", {}, "--contour has k, which is not a parameter of the model"),
        ("V,V", {}, "--contour has V twice"),
        ("V", {}, "--contour is of two parameters, not 1"),
        ("V,K", {"constants": {"V": 210}, "start": {"K": 0.05}}, "--contour has V, which is fixed"),
        ("V,K", {"bounds": {"V": (210, 210)}}, "--contour has V, which is fixed"),
        ("V,K", {"loss": "absolute"}, "--contour is for likelihoods, and --loss absolute is none"),
        ("V,K", {"l2": 0.1}, "--contour is for likelihoods, and a sum with penalties is none"),
        ("V,K", {"epochs": 3}, "--contour is for a fit that ends at its minimum"),
        ("V,K", {"by": "rate", "share": "K"}, "--contour does not go with --by"),
        (
            "V,K",
            {"models": "conc ~ K*rate"},
            "--contour does not go with several models: each response is weighted by its own residuals",
        ),
        ("V,K", {"subject_to": "V >= 100"}, "--contour does not go with --subject-to"),
    ],
)
def test_what_has_no_region_is_told(asked: str, options: dict[str, Any], told: str) -> None:
    start = options.pop("start", START)
    with pytest.raises(UsageError) as caught:
        api.fit(MICHAELIS, PUROMYCIN, start, contour=asked, **options)
    assert caught.value.message == told


def test_a_bent_region_is_followed_all_around() -> None:
    """A fit whose region is bent by a change of parameters: its curve is the image of the ellipse."""
    x = np.linspace(-1.0, 1.0, 9)
    y = 0.5 + 0.7 * x + 0.3 * np.cos(np.arange(9.0) * 2.1)
    straight = region_of(api.fit("y ~ p + q*x", {"x": x, "y": y}, contour="p,q"))
    bent = region_of(api.fit("y ~ p + (r - 8*p^2)*x", {"x": x, "y": y}, {"p": 0.5, "r": 2.7}, contour="p,r"))
    assert (straight.why, bent.why) == ("", "")
    image = np.array([(p, q + 8.0 * p * p) for p, q in straight.points])
    wide = np.ptp(image, axis=0)
    for p, r in bent.points:
        near = min(hypot((p - a) / wide[0], (r - b) / wide[1]) for a, b in image)
        assert near < 0.1
