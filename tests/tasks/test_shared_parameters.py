"""Fits with shared parameters, ``--by --share``: against the model written out, known answers, refusals."""

from __future__ import annotations

import json
import random
from math import exp, sin
from pathlib import Path
from typing import Any

import pytest
from effort import WHOLE, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.status import Status

# Treloar's data of puromycin (Bates and Watts, Nonlinear Regression Analysis, 1988, appendix A1.3).
CONCENTRATION = [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1]
PUROMYCIN = {
    "conc": CONCENTRATION + CONCENTRATION[:11],
    "rate": [
        *(76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200),
        *(67, 51, 84, 86, 98, 115, 131, 124, 144, 158, 160),
    ],
    "state": ["treated"] * 12 + ["untreated"] * 11,
}
MICHAELIS = "rate ~ Vm*conc/(K + conc)"


def decays(sizes: list[int], seed: int = 0) -> dict[str, list[Any]]:
    """Groups of so many rows, each with its own A and c, and one k; the rows of groups are mixed."""
    draw, rows = random.Random(seed), []
    for number, size in enumerate(sizes):
        A, c = draw.uniform(1.0, 3.0), draw.uniform(-1.0, 1.0)
        for _ in range(size):
            t = draw.uniform(0.0, 4.0)
            rows.append((number, t, A * exp(-0.8 * t) + c + draw.gauss(0.0, 0.05), draw.uniform(0.5, 2.0)))
    draw.shuffle(rows)
    return {name: [row[k] for row in rows] for k, name in enumerate(("run", "t", "y", "s"))}


def written_out(groups: int, own: tuple[str, ...], model: str) -> str:
    """The model with own parameters of each group: A0, A1, ..."""
    terms = []
    for g in range(groups):
        text = model
        for name in own:
            text = text.replace(name, f"{name}{g}")
        terms.append(f"where(run == {g}, {text}, 0)")
    return "y ~ " + " + ".join(terms)


def assert_same(shared: Any, dense: Any, names: list[str], own: tuple[str, ...]) -> None:
    errors = dict(zip(dense.space.names, dense.statistics.errors.standard_errors, strict=True))
    assert shared.status is dense.status is Status.CONVERGED
    assert shared.value == pytest.approx(dense.value, rel=1e-10)
    for name, error in zip(names, shared.statistics.errors.standard_errors, strict=True):
        assert shared.point[name] == pytest.approx(dense.point[name], rel=1e-7)
        assert error == pytest.approx(errors[name], rel=1e-6)
    for part in shared.groups:
        for name in own:
            both = f"{name}{int(part.group['run'])}"
            assert part.point[name] == pytest.approx(dense.point[both], rel=1e-6, abs=1e-8)
            assert part.standard_errors[name] == pytest.approx(errors[both], rel=1e-6)
    for fact in ("residual_sd", "aic", "bic", "r_squared"):
        assert getattr(shared.statistics, fact) == pytest.approx(getattr(dense.statistics, fact), rel=1e-8)


@pytest.mark.numerical
@pytest.mark.parametrize("weighting", [{}, {"sigma": "s"}, {"weights": "s"}])
def test_it_is_the_fit_of_the_model_written_out(weighting: dict[str, str]) -> None:
    data, own = decays([7, 9, 30]), ("A", "c")
    shared = api.fit("y ~ A*exp(-k*t) + c", data, {"k": 1.0}, by="run", share="k", **weighting)
    start = {"k": 1.0} | {f"{n}{g}": v for g in range(3) for n, v in (("A", 1.0), ("c", 0.0))}
    dense = api.fit(written_out(3, own, "A*exp(-k*t) + c"), data, start, **weighting)
    assert_same(shared, dense, ["k"], own)


@settings(max_examples=examples(8), deadline=None)
@given(st.lists(st.integers(6, 20), min_size=2, max_size=4), st.integers(0, 1000))
def test_own_parameters_that_are_not_linear(sizes: list[int], seed: int) -> None:
    data, own = decays(sizes, seed), ("k", "c")
    start = {"A": 2.0, "k": 1.0, "c": 0.0}
    shared = api.fit("y ~ A*exp(-k*t) + c", data, start, by="run", share="A")
    dense_start = {"A": 2.0} | {f"{n}{g}": start[n] for g in range(len(sizes)) for n in own}
    dense = api.fit(written_out(len(sizes), own, "A*exp(-k*t) + c"), data, dense_start)
    if shared.status is dense.status is Status.CONVERGED and shared.value == pytest.approx(dense.value):
        assert_same(shared, dense, ["A"], own)
    else:  # from one start they may end in two minima; then the one of all groups is no worse
        assert shared.value <= dense.value * (1.0 + 1e-9)


@pytest.mark.numerical
def test_the_f_test_of_puromycin() -> None:
    """One K for both states or one for each: F 1.718169 with 1 and 19 degrees of freedom, p 0.205552, as R has it."""
    from gdcli.judge.distributions import student_t_two_sided

    shared = api.fit(MICHAELIS, PUROMYCIN, "auto", by="state", share="K")
    alone = sum(
        fit.outcome.value
        for fit in api.fit_groups(MICHAELIS, PUROMYCIN, "state", {"Vm": 200.0, "K": 0.1})
        if fit.outcome
    )
    F = (shared.value - alone) / (alone / 19.0)
    assert pytest.approx(1.718169, abs=5e-7) == F
    assert student_t_two_sided(F**0.5, 19.0) == pytest.approx(0.205552, abs=5e-7)
    assert [part.group["state"] for part in shared.groups] == ["treated", "untreated"]


def test_bounds_of_shared_parameters() -> None:
    held = api.fit(MICHAELIS, PUROMYCIN, {"K": 0.1}, by="state", share="K", bounds={"K": (0.06, 1.0)})
    assert held.point == {"K": 0.06}
    assert [b.name for b in held.active] == ["K"]
    alone = list(api.fit_groups(MICHAELIS, PUROMYCIN, "state", constants={"K": 0.06}))
    assert [part.point["Vm"] for part in held.groups] == pytest.approx(
        [fit.outcome.point["Vm"] for fit in alone if fit.outcome], rel=1e-9
    )


def test_a_bad_start_leads_groups_astray_and_they_come_back() -> None:
    """With V = 1 below what was measured no K fits; once V has grown, each group finds its own."""
    draw, data = random.Random(3), {"x": [], "y": [], "run": []}
    for number in range(30):
        K = draw.uniform(0.5, 3.0)
        for _ in range(15):
            x = draw.uniform(0.1, 10.0)
            data["x"].append(x)
            data["y"].append(2.5 * x / (K + x) + draw.gauss(0.0, 0.02))
            data["run"].append(number)
    far = api.fit("y ~ V*x/(K + x)", data, {"V": 1.0, "K": 1.0}, by="run", share="V")
    near = api.fit("y ~ V*x/(K + x)", data, {"V": 2.5, "K": 1.5}, by="run", share="V")
    assert far.status is near.status is Status.CONVERGED
    assert far.value == pytest.approx(near.value, rel=1e-9)


def test_a_group_that_does_not_tell_its_own_is_named() -> None:
    data = {"x": [1, 2, 3, 4, 1, 1, 1, 1], "y": [1, 2, 3.1, 4, 1, 1.1, 0.9, 1], "run": [0] * 4 + [1] * 4}
    found = api.fit("y ~ a*x + b + c*x^2", data, by="run", share="c")
    assert found.status is Status.WRONG_KIND
    assert "the rows of run = 1 do not tell" in found.message
    assert all(error is None for error in found.statistics.errors.standard_errors)


@pytest.mark.skipif(not WHOLE, reason="takes seconds")
def test_thousand_groups_of_three_own_parameters() -> None:
    draw, data = random.Random(1), {"x": [], "y": [], "run": []}
    for number in range(1000):
        A, c, m = draw.uniform(1, 3), draw.uniform(-1, 1), draw.uniform(0.5, 2)
        for k in range(20):
            x = 0.2 * k
            data["x"].append(x)
            data["y"].append(A * exp(-0.8 * x) + c + m * sin(x) + draw.gauss(0.0, 0.03))
            data["run"].append(number)
    found = api.fit("y ~ A*exp(-k*x) + c + m*sin(x)", data, "auto", by="run", share="k")
    assert found.status is Status.CONVERGED
    assert found.point["k"] == pytest.approx(0.8, abs=5.0 * found.statistics.errors.standard_errors[0])
    assert len(found.groups) == 1000


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"share": "Q", "by": "state"}, "Q is no parameter"),
        ({"share": ("K", "K"), "by": "state"}, "names K twice"),
        ({"share": ("K", "Vm"), "by": "state"}, "names all parameters"),
        ({"share": "K"}, "--share is for groups"),
        ({"share": "K", "by": "state", "loss": "huber"}, "sums of squares"),
        ({"share": "K", "by": "state", "bounds": {"Vm": (0.0, 1.0)}}, "Vm is one of each group's own"),
        ({"share": "K", "by": "state", "sigma_x": {"conc": "1"}}, "does not go with --sigma-x"),
        ({"share": "K", "by": "state", "epochs": 3}, "all rows at a time"),
        ({"share": "K", "by": "state", "l2": 0.1}, "--l2 does not go with --share"),
    ],
)
def test_what_cannot_be_asked(more: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        api.fit(MICHAELIS, PUROMYCIN, {"K": 0.1, "Vm": 200.0}, **more)


def test_a_group_with_too_few_rows_is_named() -> None:
    data = {name: column[:13] for name, column in PUROMYCIN.items()}
    with pytest.raises(DataError, match="state = untreated has 1 row, too few for its own parameters, Vm, c"):
        api.fit(f"{MICHAELIS} + c*conc^2", data, {"K": 0.1}, by="state", share="K")


def test_page_json_and_csv_have_the_groups(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    rows = zip(*PUROMYCIN.values(), strict=True)
    file.write_text(",".join(PUROMYCIN) + "\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))

    def gd(*more: str) -> str:
        words = ["fit", MICHAELIS, str(file), "--by", "state", "--share", "K", "--start", "K=0.1", *more]
        assert run(words) == 0
        return capsys.readouterr().out

    page = gd()
    assert "2, by state; each has its own Vm, K shared" in page
    assert "208.6 ± 5.8" in page
    told = json.loads(gd("--format", "json"))
    assert [part["group"]["state"] for part in told["groups"]] == ["treated", "untreated"]
    assert told["rank"] == 3
    lines = gd("--format", "csv").splitlines()
    assert lines[0] == "state,parameter,value,standard_error,t,low,high"
    assert [line.split(",")[:2] for line in lines[1:]] == [["", "K"], ["treated", "Vm"], ["untreated", "Vm"]]
