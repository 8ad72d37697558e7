"""Poles among the rows of a fit: no step crosses one, and an end beyond one is told."""

from __future__ import annotations

from math import inf
from typing import Any

import nist
import numpy as np
import pytest
from rows_in_memory import Arrays
from same_fits import assert_same

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.objective.divisors import divisors, pole_among

# Rates of a reaction treated with puromycin (Treloar 1974; Bates and Watts, Nonlinear Regression Analysis, 1988, A.1).
S = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
V = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200], dtype=float)
PUROMYCIN = {"S": S, "v": V}
MENTEN = "v ~ Vmax*S/(Km+S)"
BEST = {"Vmax": 212.68374, "Km": 0.06412128}


@pytest.mark.parametrize(
    ("side", "count"),
    [
        ("a*x/(b+x)", 1),
        ("a/((b+x)*(c-x))", 2),
        ("a/(x-b)**2", 1),
        ("a*(x-b)**-2", 1),
        ("a/(1/(b+x))", 1),
        ("a*exp(-b*x) + x/3 + a/x", 0),
        ("where(x > b, a/(x-b), a)", 0),
        ("a/((x-b)**2 + c**2)", 0),
        ("a/(1+exp(b*x))", 0),
        ("a/(1+b*x)", 1),
    ],
)
def test_what_a_model_divides_by(side: str, count: int) -> None:
    made = nist.objective_of(f"y ~ {side}", Arrays(x=S, y=V))
    assert len(divisors(made.row)) == count


def test_the_value_is_infinite_beyond_a_pole() -> None:
    made = nist.objective_of(MENTEN, Arrays(**PUROMYCIN))
    here, near, beyond, other = (nist.ordered(made, {"Vmax": 1.0, "Km": k}) for k in (1.0, -0.01, -0.5, -0.6))
    assert pole_among(made, near) == ""
    assert pole_among(made, beyond) == "Km+S goes from -0.48 to 0.6"
    free = [made.evaluate(x, 1) for x in (here, near, beyond)]
    made.between_poles(here)
    assert [made.evaluate(x, 1) for x in (here, near)] == free[:2]
    assert made.evaluate(beyond, 1).value == inf
    made.between_poles(beyond)  # among the rows: each must stay on its side
    assert made.evaluate(beyond, 1) == free[2]
    assert [made.evaluate(x).value for x in (here, other)] == [inf, inf]


@pytest.mark.parametrize(
    ("start", "method"),
    [
        *(
            ({"Vmax": 1, "Km": 1}, method)
            for method in ("auto", "newton", "bfgs", "lbfgs", "newton-cg", "cg")
        ),
        ({"Vmax": 100, "Km": 20}, "auto"),
        ({"Vmax": 1, "Km": 0.01}, "auto"),
    ],
)
def test_the_start_of_the_hint_leads_to_the_answer(start: dict[str, float], method: str) -> None:
    found = api.fit(MENTEN, PUROMYCIN, start, method=method)
    assert found.status is Status.CONVERGED
    assert found.point == pytest.approx(BEST, rel=1e-5)
    assert found.warnings == ()
    assert found.advice == ""


@pytest.mark.parametrize("loss", ["huber", "absolute"])
def test_no_loss_leads_across_a_pole(loss: str) -> None:
    found = api.fit(MENTEN, PUROMYCIN, {"Vmax": 1, "Km": 1}, loss=loss)
    assert found.status is Status.CONVERGED
    assert found.point["Km"] == pytest.approx(0.072, rel=0.01)


def test_an_end_beyond_a_pole_and_worse_than_the_mean_is_told() -> None:
    found = api.fit(MENTEN, PUROMYCIN, {"Vmax": 1, "Km": -0.5})
    worse, pole, *_ = found.warnings
    assert worse.startswith("the fit is worse than a constant: its sum of squares is 5.87 times that about")
    assert pole == "the model has a pole among the rows: its divisor Km+S goes from -0.4695 to 0.6105"
    assert found.advice == "--start auto, which searches for a better start"


@pytest.mark.parametrize(
    ("model", "start", "advice"),
    [
        ("v ~ a*S", None, "another model: add a constant to it, for example"),
        ("v ~ exp(a)*S", "auto", "another model, or a start of your own"),
    ],
)
def test_what_helps_a_fit_that_is_worse_than_the_mean(model: str, start: Any, advice: str) -> None:
    found = api.fit(model, PUROMYCIN, start)
    assert found.statistics.r_squared < 0.0
    assert [text.partition(":")[0] for text in found.warnings] == [
        "the fit is worse than a constant",
        "residuals",
    ]
    assert found.advice == advice


def test_a_fit_that_is_the_mean_is_not_worse_than_it() -> None:
    found = api.fit("v ~ exp(a) + 0*S", PUROMYCIN, "auto")
    assert found.statistics.r_squared == pytest.approx(0.0, abs=1e-9)
    assert not any("worse than a constant" in text for text in found.warnings)


def test_groups_are_told_what_they_would_be_told_alone() -> None:
    two = {name: np.concatenate((column, column)) for name, column in PUROMYCIN.items()}
    two["g"] = np.repeat([1.0, 2.0], len(S))
    for start in ({"Vmax": 1, "Km": 1}, {"Vmax": 1, "Km": -0.5}):
        alone = api.fit(MENTEN, PUROMYCIN, start)
        for group in api.fit_groups(MENTEN, two, "g", start):
            assert_same(group.outcome, alone)


def test_the_hint_of_a_missing_start_names_the_search_first() -> None:
    with pytest.raises(UsageError) as caught:
        api.fit(MENTEN, PUROMYCIN, epochs=3)
    assert caught.value.hint.startswith(
        "--start auto searches for one; or give your own, --start Vmax=1,Km=1, "
    )
    with pytest.raises(UsageError) as caught:
        api.fit("(v - Vmax*S/(Km+S))**2", PUROMYCIN)
    assert caught.value.hint.startswith("give your own, --start Vmax=1,Km=1, ")


def test_an_end_far_from_the_data_names_the_search_for_a_start() -> None:
    x = np.arange(40) * 0.5
    y = 7 * np.exp(-((x - 12) ** 2) / 4.5) + 1
    found = api.fit("y ~ a*exp(-(x-m)**2/(2*s**2)) + c", {"x": x, "y": y}, {"a": 1, "m": 1, "s": 1, "c": 1})
    assert found.status is Status.WRONG_KIND
    assert found.advice.endswith("--start auto, which searches for a better start")
    best = api.fit("y ~ a*exp(-(x-m)**2/(2*s**2)) + c", {"x": x, "y": y}, "auto")
    assert best.point == pytest.approx({"a": 7, "m": 12, "s": 1.5, "c": 1})
