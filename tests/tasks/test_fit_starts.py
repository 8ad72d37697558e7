"""Starts that nobody gave: what model and data say of parameters, and how often a search ends at the best optimum."""

from __future__ import annotations

from math import exp, inf
from random import Random
from typing import Any

import nist
import numpy as np
import pytest
from noisy_curve import NOISE, X, Y
from rows_in_memory import Arrays

from gdcli import api
from gdcli.kernel.budget import Spent
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.objective.batched_residuals import SeparableResiduals
from gdcli.objective.parameter_scales import Guesses
from gdcli.objective.protocol import Box
from gdcli.objective.row_model import linear_parameters
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.methods.fit_starts import STARTS, FoundStart, follow, search
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.run import run
from gdcli.solve.settings import MaxIterations

DOSE = np.repeat(np.logspace(-10, -4, 13), 3)
RESPONSE = "y ~ bottom + (top-bottom)/(1+(x/ec50)**hill)"


def separable(made: RowObjective, box: Box | None = None) -> SeparableResiduals:
    _, arrays = next(iter(made.data.chunks(made.data.rows)))
    ends = [] if box is None else [np.array(end, dtype=float) for end in (box.lower, box.upper)]
    columns = [arrays[k] for k in made.order]
    return SeparableResiduals(made.row, columns, linear_parameters(made.row), *ends)


def found_for(made: RowObjective, box: Box | None = None, **options: Any) -> FoundStart:
    many = separable(made, box)
    return search(
        made, many, Guesses(made.row, many.arrays, many.bent, many.lower, many.upper), box, **options
    )


def noisy(y: Any, part: float, seed: int) -> Any:
    return y + part * np.ptp(y) * np.random.default_rng(seed).normal(size=len(y))


@pytest.mark.parametrize(
    ("side", "names"),
    [
        ("a*exp(-b*x) + c", "ac"),
        ("a + b*x + c*x**2", "abc"),
        ("a*b*x + c", "ac"),
        ("(a+b*x)/(1+c*x)", "ab"),
        ("exp(a*x)", ""),
        ("a*sin(b*x) + c*cos(b*x)", "ac"),
        ("where(x < c, a*x, d*x)", "ad"),
        ("b*abs(x-a) + c", "bc"),
        ("b*max(x, a) + floor(c) + c", "b"),
    ],
)
def test_linear_parameters(side: str, names: str) -> None:
    made = nist.objective_of(f"y ~ {side}", Arrays(x=X, y=Y))
    assert "".join(sorted(made.space.names[i] for i in linear_parameters(made.row))) == names


@pytest.mark.every(4)
@pytest.mark.parametrize("problem", nist.PROBLEMS, ids=lambda p: p["name"])
def test_the_nist_problems_without_a_start(problem: dict[str, Any]) -> None:
    made = nist.objective(problem)
    found = found_for(made)
    assert found.at is not None
    assert 1 <= found.agreeing <= found.starts == STARTS
    end = run(made, LevenbergMarquardt(), found.at.x, [MaxIterations(2000)]).best.at
    if problem["name"] == "Lanczos1":
        assert end.value <= 1e-24
    else:
        assert end.value == pytest.approx(problem["certified_rss"], rel=1e-6)


def test_the_same_seed_finds_the_same() -> None:
    made = nist.objective_of("y ~ a*exp(-b*x) + c", Arrays(x=X, y=Y + NOISE))
    one, same, other = (found_for(made, seed=seed) for seed in (3, 3, 4))
    assert one.at is not None
    assert same.at is not None
    assert other.at is not None
    assert list(one.at.x) == list(same.at.x)
    assert one.agreeing == same.agreeing
    assert other.at.value == pytest.approx(one.at.value, rel=1e-9)


def test_a_linear_model_needs_one_pass_to_be_solved() -> None:
    made = nist.objective_of("y ~ a + b*x + c*x**2", Arrays(x=X, y=Y + NOISE))
    found = found_for(made)
    assert found.tried == 1
    assert found.at is not None
    best = np.linalg.lstsq(np.vander(X, 3, increasing=True), Y + NOISE, rcond=None)[0]
    assert np.array(nist.ordered(made, dict(zip("abc", best, strict=True)))) == pytest.approx(
        list(found.at.x), rel=1e-9
    )


def test_bounds_and_known_starts_are_kept() -> None:
    made = nist.objective_of("y ~ a*exp(-b*x) + c", Arrays(x=X, y=Y + NOISE))
    names = made.space.names
    low = made.vector([{"b": 0.0, "c": 0.6}.get(n, -np.inf) for n in names])
    high = made.vector([{"b": 1.0}.get(n, np.inf) for n in names])
    found = found_for(made, box=Box(low, high))
    assert found.at is not None
    assert all(lo <= a <= hi for a, lo, hi in zip(found.at.x, low, high, strict=True))
    known = found_for(made, known=[1.0 if n == "b" else None for n in names])
    assert known.tried == 1


def test_where_nothing_is_finite_nothing_is_found() -> None:
    made = nist.objective_of("y ~ a*sqrt(-1-x**2) + b", Arrays(x=X, y=Y))
    found = found_for(made)
    assert found.at is None
    assert found.agreeing == 0


@pytest.mark.parametrize(
    ("side", "signs"),
    [
        ("a*exp(-b*x)", {"b": 0}),
        ("a*(x/b)**c", {"b": 1, "c": 0}),
        ("a*log(b*x) + c*sqrt(d*x)", {"b": 1, "d": 1}),
        ("a*log(-b*x)", {"b": -1}),
        ("a*exp(-((x-m)/s)**2)", {"m": 0, "s": 1}),
        ("a/((x-m)**2 + g**2)", {"m": 0, "g": 1}),
    ],
)
def test_signs_that_a_model_wants(side: str, signs: dict[str, int]) -> None:
    from gdcli.solve.methods.fit_starts import _Search

    made = nist.objective_of(f"y ~ {side}", Arrays(x=X + 1.0, y=Y))
    many = separable(made)
    searching = _Search(
        made, many, Guesses(made.row, many.arrays, many.bent), None, 0, None, lambda part: None
    )
    searching._learn_signs()
    names = [made.space.names[i] for i in many.bent]
    learnt = dict(zip(names, searching.signs, strict=True))
    assert {name: learnt[name] for name in signs} == signs


@pytest.mark.parametrize(
    ("side", "name", "low", "high"),
    [
        ("a*exp(-E/(8.314*x))", "E", 20 * 8.314, 10_000 * 8.314),
        ("a*(1-exp(-k*x))", "k", 1e-4, 1e-1),
        ("a*exp(-((x-m)/s)**2)", "m", 280.0, 360.0),
        ("a*x/(K+x)", "K", 280.0, 360.0),
        ("a*exp(-x/(T*2e6))", "T", 1e-5, 1e-2),
        ("a*sin(w*x+p)", "p", -3.2, 3.2),
        ("a*exp(-b*(x/c)**2)", "b", 1e-2, 1e2),
    ],
)
def test_most_draws_have_the_size_that_model_and_data_suggest(
    side: str, name: str, low: float, high: float
) -> None:
    x = np.linspace(280.0, 360.0, 41)
    made = nist.objective_of(f"y ~ {side}", Arrays(x=x, y=x))
    many = separable(made)
    guesses = Guesses(made.row, many.arrays, many.bent)
    drawn = guesses.draw(np.random.default_rng(0), 2000, np.zeros(len(many.bent)))
    sizes = abs(drawn[[made.space.names[i] for i in many.bent].index(name)])
    if name == "p":
        assert sizes.max() < 3.2
    assert ((sizes > low) & (sizes < high)).mean() > 0.6


def test_frequencies_are_drawn_up_to_a_turn_for_two_rows() -> None:
    x = np.linspace(0.0, 10.0, 101)
    made = nist.objective_of("y ~ a*sin(w*x+p)", Arrays(x=x, y=x))
    many = separable(made)
    drawn = Guesses(made.row, many.arrays, many.bent).draw(np.random.default_rng(0), 4000, np.ones(2))
    w = drawn[[made.space.names[i] for i in many.bent].index("w")]
    counts = np.histogram(w, bins=8, range=(0.0, np.pi / 0.1))[0]
    assert counts.min() > 150  # of about 250 in each


def test_linear_parameters_are_solved_for_at_many_points() -> None:
    made = nist.objective_of("y ~ a*exp(-b*x) + c", Arrays(x=X, y=Y + NOISE))
    many = separable(made)
    x = np.zeros((3, 4))
    x[many.bent] = [0.1, 0.5, 1.0, 40.0]
    solved, value = many.solved(x)
    for k, b in enumerate([0.1, 0.5, 1.0, 40.0]):
        basis = np.stack([np.exp(-b * X), np.ones_like(X)], axis=1)
        best, rest, *_ = np.linalg.lstsq(basis, Y + NOISE, rcond=None)
        at = dict(zip(made.space.names, solved[:, k], strict=True))
        assert [at["a"], at["c"]] == pytest.approx(best.tolist(), rel=1e-8)
        assert value[k] == pytest.approx(float(rest[0]), rel=1e-9)
    alone, value = many.solved(x, used=[made.space.names.index("c")])
    assert not alone[made.space.names.index("a")].any()
    assert value == pytest.approx(np.full(4, np.sum((Y + NOISE - np.mean(Y + NOISE)) ** 2)))


def test_a_parameter_of_a_known_sign_is_followed_on_its_logarithm() -> None:
    y = 5 + 90 / (1 + (DOSE / 2e-7) ** 1.1)
    made = nist.objective_of(RESPONSE, Arrays(x=DOSE, y=noisy(y, 0.02, 0)))
    many = separable(made)
    names = [made.space.names[i] for i in many.bent]
    x = np.zeros((4, 3))
    x[many.bent] = np.array([[1e-4, 1e-9, 3e-7] if n == "ec50" else [0.5, 1.0, 2.0] for n in names])
    ends, values = follow(many, x, np.array([float(n == "ec50") for n in names]), lambda part: None)
    assert ends[made.space.names.index("ec50")] == pytest.approx(np.full(3, 2e-7), rel=0.3)
    assert values == pytest.approx(np.full(3, values[0]), rel=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_a_dose_response_over_decades(seed: int) -> None:
    y = noisy(5 + 90 / (1 + (DOSE / 2e-7) ** 1.1), 0.02, seed)
    found = api.fit(RESPONSE, {"x": DOSE, "y": y}, "auto", seed=seed)
    ones = api.fit(RESPONSE, {"x": DOSE, "y": y}, {"bottom": 1, "top": 1, "ec50": 1, "hill": 1})
    assert found.status is Status.CONVERGED
    assert found.value <= ones.value * (1.0 + 1e-9)
    assert found.point["ec50"] == pytest.approx(2e-7, rel=0.3)
    assert found.problem.searched.agreeing > STARTS / 2


@pytest.mark.parametrize("seed", range(4))
def test_three_peaks_on_a_sloping_background(seed: int) -> None:
    x = np.linspace(0.0, 10.0, 150)
    truth = {"p": 1.0, "q": 0.2}
    y = 1.0 + 0.2 * x
    for k, (a, m, s) in enumerate(((5.0, 3.0, 0.8), (8.0, 6.5, 0.5), (3.0, 8.0, 0.9)), 1):
        y = y + a * np.exp(-(((x - m) / s) ** 2))
        truth |= {f"a{k}": a, f"m{k}": m, f"s{k}": s}
    data = {"x": x, "y": noisy(y, 0.02, seed)}
    model = "y ~ " + " + ".join(f"a{k}*exp(-((x-m{k})/s{k})**2)" for k in (1, 2, 3)) + " + p + q*x"
    best = api.fit(model, data, truth)
    found = api.fit(model, data, "auto", seed=seed)
    assert found.status is Status.CONVERGED
    assert found.value <= best.value * (1.0 + 1e-9)


def test_the_search_tells_how_many_starts_agreed() -> None:
    x = np.linspace(0.0, 10.0, 120)
    data = {"x": x, "y": noisy(3.0 * np.sin(7.3 * x + 0.8), 0.05, 1)}
    found = api.fit("y ~ a*sin(w*x+p)", data, "auto")
    searched = found.problem.searched
    assert abs(abs(found.point["w"]) - 7.3) < 0.05
    assert 0 < searched.agreeing < searched.starts == STARTS
    assert searched.next_best > 1.0
    assert found.message == "Converged to a local minimum in the search for a start."


@pytest.mark.parametrize("bounds", [{"a": (0.0, 1.5)}, {"a": (0.0, 1.5), "c": (0.6, 1.0)}, {"b": (0.0, 0.3)}])
def test_bounds_of_linear_parameters_are_no_other_ends(bounds: dict[str, tuple[float, float]]) -> None:
    found = api.fit("y ~ a*exp(-b*x) + c", {"x": X, "y": Y + NOISE}, "auto", bounds=bounds)
    given = api.fit(
        "y ~ a*exp(-b*x) + c", {"x": X, "y": Y + NOISE}, {"a": 1, "b": 0.2, "c": 0.7}, bounds=bounds
    )
    assert found.status is Status.CONVERGED
    assert found.value == pytest.approx(given.value, rel=1e-9)
    assert found.problem.searched.agreeing == STARTS


def test_ends_of_an_exact_fit_are_one() -> None:
    found = api.fit("y ~ a*exp(-b*x) + c", {"x": X, "y": 2.0 * np.exp(-0.7 * X) + 0.5}, "auto")
    assert found.point == pytest.approx({"a": 2.0, "b": 0.7, "c": 0.5})
    assert found.problem.searched[2:] == (STARTS, None)


def test_how_far_the_search_has_come_is_told() -> None:
    made = nist.objective_of("y ~ a*exp(-b*x) + c", Arrays(x=X, y=Y + NOISE))
    parts: list[float] = []
    found_for(made, told=parts.append)
    assert parts == sorted(parts)
    assert 0.0 < parts[0] < 0.5 < parts[-1] <= 1.0


def test_what_was_found_is_kept_when_the_time_is_over() -> None:
    made = nist.objective_of("y ~ a*exp(-b*x) + c", Arrays(x=X, y=Y + NOISE))
    whole = found_for(made)

    def over(part: float) -> None:
        if part > 0.4:
            raise Spent("max-time")

    cut = found_for(made, told=over)
    assert cut.at is not None
    assert whole.at is not None
    assert (cut.starts, cut.agreeing) == (0, 0)
    assert whole.at.value <= cut.at.value < inf


def curve() -> Arrays:
    t = np.linspace(0.0, 4.0, 12)
    other = {"temperature": np.linspace(1.0, 2.0, 12) ** 2, "date": t + 1.0}
    return {"t": t, "y": 2.0 * np.exp(-0.7 * t) + 0.01 * np.cos(40.0 * t), **other}


def test_what_has_no_start_is_searched_for() -> None:
    model = "y ~ a*exp(-b*t)"
    asked, alone = api.fit(model, curve(), "auto"), api.fit(model, curve())
    assert alone.problem.searched is not None
    assert (alone.point, alone.problem.start) == (asked.point, asked.problem.start)
    some = api.fit(model, curve(), {"b": 0.7})
    assert some.problem.searched is not None
    assert some.problem.searched.tried == 1  # b is known, a follows
    assert some.point == pytest.approx(alone.point)
    assert api.fit(model, curve(), {"a": 1, "b": 1}).problem.searched is None
    assert api.fit("y ~ a + b*t", curve()).problem.searched is None


@pytest.mark.parametrize(
    ("model", "told", "hint"),
    [
        (
            "y ~ a*exp(-b*t) + c*Temp",
            "Temp is not a column of the data, but temperature is",
            "--start Temp=1",
        ),
        ("y ~ a*exp(-b*t) + c*temprature", "temprature is not a column", "write temperature for the column"),
        ("y ~ a*exp(-b*q)", "no name right of the ~ is a column", "--start a=1,b=1,q=1"),
        ("(y - a*exp(-b*t))**2", "--start leaves out a, b", "a loss of your own needs a start"),
    ],
)
def test_a_name_that_may_be_meant_for_a_column_is_not_searched_for(model: str, told: str, hint: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        api.fit(model, curve())
    assert hint in (caught.value.hint or "")


def test_a_name_meant_for_a_parameter_is_one() -> None:
    found = api.fit("y ~ a*exp(-(b + Temp)*t)", curve(), {"Temp": 0.0})
    assert set(found.point) == {"a", "b", "Temp"}
    assert api.fit("y ~ a*exp(-rate*t)", curve()).point["rate"] == pytest.approx(
        0.7, abs=0.05
    )  # no slip for date


def test_a_run_by_epochs_needs_a_start() -> None:
    with pytest.raises(UsageError, match="--start leaves out a, b"):
        api.fit("y ~ a*exp(-b*t)", curve(), epochs=5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_end_on_the_way_to_infinity_is_no_degenerate_minimum(seed: int) -> None:
    # A line fits best, the limit of slow and high sines: at the end rounding hides how the sum falls on.
    random = Random(seed)
    t = [0.5 * k for k in range(12)]
    y = [2 * exp(-0.7 * a) + 0.3 + random.gauss(0, 0.02) for a in t]
    assert api.fit("y ~ a*sin(w*t + p)", {"t": t, "y": y}, start="auto").status is not Status.CONVERGED
    found = api.fit("y ~ a**4", {"t": t, "y": [-v for v in y]}, start="auto")  # one that is a minimum
    assert (found.status, found.certificate.kind) == (Status.CONVERGED, "degenerate")
