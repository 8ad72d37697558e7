"""Fits to groups of rows: each group has the verdict and the numbers that its rows alone would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import WHOLE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same_fits import assert_same

from gdcli import api
from gdcli.kernel.errors import DataError, GdError, UsageError
from gdcli.table import spool
from gdcli.tasks.fit import fit_groups as grouped_fits
from gdcli.tasks.fit.fit_groups import GroupFit
from gdcli.tasks.fit.fit_outcome import FitOutcome

DECAY = "y ~ a*exp(-b*x) + c"


def numbers(seed: int, sizes: list[int], noise: float = 0.05) -> dict[str, Any]:
    """Rows of groups of these sizes along different decays, the groups' rows mixed."""
    draw = np.random.default_rng(seed)
    rows = []
    for k, size in enumerate(sizes):
        a, b, c = draw.uniform(1, 3), draw.uniform(0.5, 2), draw.uniform(-1, 1)
        x = np.sort(draw.uniform(0, 4, size))
        y = a * np.exp(-b * x) + c + noise * draw.standard_normal(size)
        rows += [(f"site {k}", *row) for row in zip(x, y, draw.uniform(0.5, 2, size), strict=True)]
    order = draw.permutation(len(rows))
    mixed = [rows[i] for i in order]
    return {
        "g": [row[0] for row in mixed],
        **{name: np.array([float(row[k]) for row in mixed]) for k, name in enumerate(("x", "y", "w"), 1)},
    }


def alone(data: dict[str, Any], by: str, label: Any) -> dict[str, Any]:
    """The rows of one group."""
    which = [i for i, value in enumerate(data[by]) if value == label]
    return {name: np.asarray(column)[which] for name, column in data.items() if name != by}


def fits(data: dict[str, Any], model: str = DECAY, **options: Any) -> list[GroupFit]:
    return list(api.fit_groups(model, data, "g", **options))


def assert_as_alone(data: dict[str, Any], found: list[GroupFit], model: str, **options: Any) -> None:
    """Each group is what a fit to its rows alone says."""
    for fit in found:
        one = answer(model, alone(data, "g", fit.group["g"]), **options)
        if isinstance(one, GdError):
            assert fit.fault is not None
            assert (fit.fault.message, fit.fault.exit_code) == (one.message, one.exit_code)
        else:
            many = fit.outcome
            assert many is not None, fit.fault
            assert_same(many, one)


def answer(model: str, data: dict[str, Any], **options: Any) -> FitOutcome | GdError:
    try:
        return api.fit(model, data, **options)
    except GdError as error:
        return error


# -- solved at once ------------------------------------------------------------------------------------------------


MODELS: dict[str, Any] = {
    DECAY: {"start": "a=1,b=1,c=0"},
    "y ~ a + k*x": {},
    "y ~ k + b*x + c*x**2 + d*x**3": {},
    "y ~ a/(1 + exp(b*(x - c)))": {"start": "a=2,b=1,c=1"},
    "y ~ a*x/(b + x) + c": {"start": "a=1,b=1,c=0"},
    "log(y + 9) ~ a + b*x": {},
    "y ~ v[0] + v[1]*exp(-v[2]*x)": {"start": "v=[0,1,1]"},
    "y ~ a*sin(b*x + c)": {"start": "a=1,b=1,c=0"},
    "y ~ k*exp(-b*x)": {"start": "k=1,b=1"},
}


@pytest.mark.every(2)
@pytest.mark.parametrize("model", MODELS)
def test_groups_of_one_size(model: str) -> None:
    groups = 30 if WHOLE else 9
    data = numbers(1, [20] * groups)
    found = fits(data, model, **MODELS[model])
    assert [fit.group["g"] for fit in found] == list(dict.fromkeys(data["g"]))
    assert [fit.number for fit in found] == list(range(groups))
    assert sum(fit.solved is not None for fit in found) >= groups // 3  # some models suit these data badly
    assert_as_alone(data, found, model, **MODELS[model])


@settings(max_examples=25 if WHOLE else 3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    model=st.sampled_from(list(MODELS)),
    noise=st.sampled_from([0.0, 1e-6, 0.05, 1.0]),
    unit=st.sampled_from([1.0, 1e-6, 1e5]),
)
def test_any_groups(seed: int, sizes: list[int], model: str, noise: float, unit: float) -> None:
    data = numbers(seed, sizes, noise)
    if model.startswith(("y ~ a +", "y ~ k +")):
        data["y"] = data["y"] * unit
    assert_as_alone(data, fits(data, model, **MODELS[model]), model, **MODELS[model])


def test_unequal_sizes_are_solved_at_once_too() -> None:
    data = numbers(2, list(range(8, 40)))
    found = fits(data, start="a=1,b=1,c=0")
    assert sum(fit.solved is not None for fit in found) >= 25
    assert_as_alone(data, found, DECAY, start="a=1,b=1,c=0")


def test_a_group_has_its_bits_whichever_are_solved_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(60), rng.integers(15, 40, 60))
    x = rng.uniform(0.0, 5.0, len(label))
    rates, sizes = rng.uniform(0.3, 2.0, 60), rng.uniform(1.0, 5.0, 60)
    data = {"x": x, "y": sizes[label] * np.exp(-rates[label] * x) + rng.normal(0.0, 0.05, len(x)), "g": label}
    found = []
    for most in (4096, 7, 1):
        monkeypatch.setattr(grouped_fits, "BLOCK_GROUPS", most)
        fits = list(api.fit_groups("y ~ a*exp(-b*x) + c", data, "g", {"a": 1.0, "b": 1.0, "c": 0.0}))
        outcomes = [fit.outcome for fit in fits if fit.outcome is not None]
        found.append(
            [(list(one.run.best.at.x), one.run.best.at.value, repr(one.statistics)) for one in outcomes]
        )
        assert sum(fit.solved is not None for fit in fits) > 50
    assert found[1] == found[0]
    assert found[2] == found[0]


def test_windows_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    data = numbers(3, [10, 12, 11, 30] * 6)
    whole = fits(data, start="a=1,b=1,c=0")
    monkeypatch.setattr(grouped_fits, "WINDOW", 5)
    monkeypatch.setattr(grouped_fits, "BLOCK", 24)
    monkeypatch.setattr(grouped_fits, "PATIENCE", 0.0)
    parts = fits(data, start="a=1,b=1,c=0")
    assert [fit.group for fit in parts] == [fit.group for fit in whole]
    for one, other in zip(parts, whole, strict=True):
        assert one.outcome is not None
        assert other.outcome is not None
        assert_same(one.outcome, other.outcome)


OPTIONS: list[dict[str, Any]] = [
    {"weights": "w"},
    {"sigma": "w"},
    {"sigma": "w", "scale_sigma": True},
    {"method": "lm"},
    {"max_iter": 4},
    {"max_iter": 0},
    {"tol": 1e-4},
    {"bounds": {"b": (0.0, 1.0)}},
    {"loss": "huber", "huber_delta": 0.05},
    {"loss": "absolute"},
    {"method": "bfgs"},
    {"constants": {"c": 0.1}, "start": "a=1,b=1"},
    {"start": "auto", "seed": 3},
    {"batch_size": 1, "epochs": 2, "lr": 0.01},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_options(options: dict[str, Any]) -> None:
    options = {"start": "a=1,b=1,c=0"} | options
    few = "auto" in options["start"] or "loss" in options
    data = numbers(4, [15, 9] if few else [15, 9, 15, 20])
    found = fits(data, **options)
    assert_as_alone(data, found, DECAY, **options)
    if "sigma" in options or "weights" in options or options.get("method") == "lm":
        assert all(fit.solved is not None for fit in found)


def test_a_known_answer() -> None:
    """Four lines whose slopes and intercepts least squares gives in closed form."""
    x = np.tile(np.arange(5.0), 4)
    g = np.repeat([3.0, 1.0, 2.0, 7.0], 5)
    y = g * x - g**2 + np.tile([0.1, -0.2, 0.2, -0.2, 0.1], 4)
    found = fits({"g": g, "x": x, "y": y}, "y ~ a + b*x")
    assert [fit.group["g"] for fit in found] == [3.0, 1.0, 2.0, 7.0]
    for fit in found:
        k = fit.group["g"]
        assert isinstance(k, float)
        assert fit.outcome is not None
        assert fit.outcome.point == pytest.approx({"a": -(k**2), "b": k}, abs=1e-12)
        assert fit.outcome.value == pytest.approx(0.14)
        assert fit.outcome.statistics is not None
        assert fit.outcome.statistics.errors.standard_errors == pytest.approx(
            (np.sqrt(0.14 / 3 * 0.6), np.sqrt(0.14 / 3 / 10))
        )


# -- groups that fail ----------------------------------------------------------------------------------------------


def test_a_group_that_fails_has_its_own_reason() -> None:
    data = {
        "g": ["few"] * 2 + ["flat"] * 4 + ["good"] * 5 + ["exact"] * 5 + ["far"] * 5,
        "x": np.array([0.0, 1, *[2.0] * 4, *range(5), *range(5), *[700.0 + k for k in range(5)]]),
        "y": np.array([1.0, 2, 1, 2, 3, 4, 3, 2, 1.5, 1.1, 1, *np.exp(-np.arange(5.0)), 1, 2, 3, 4, 5]),
    }
    model, start = "y ~ a*exp(b*x) + c", "a=1,b=-1,c=0"
    found = fits(data, model, start=start)
    told = {str(fit.group["g"]): fit for fit in found}
    assert told["good"].status == "converged"
    assert "2 rows cannot tell 3 parameters" in str(told["few"].fault)
    assert told["flat"].status == "wrong-kind"
    assert told["far"].exit_code
    assert_as_alone(data, found, model, start=start)


def test_what_is_wrong_with_all_is_raised() -> None:
    data = numbers(5, [9])
    with pytest.raises(UsageError, match="there is no column h"):
        list(api.fit_groups(DECAY, data, "h", "a=1,b=1,c=0"))
    with pytest.raises(UsageError, match="twice"):
        list(api.fit_groups(DECAY, data, ("g", "g"), "a=1,b=1,c=0"))
    with pytest.raises(UsageError, match="--start leaves out c"):
        fits(data, start="a=1,b=1", epochs=3)
    with pytest.raises(UsageError, match="no method 'newtn'"):
        fits(data, start="a=1,b=1,c=0", method="newtn")
    with pytest.raises(DataError, match="row 2 has no g"):
        fits(data | {"g": ["a", None, *["a"] * 7]}, start="a=1,b=1,c=0")
    with pytest.raises(UsageError, match="an answer for each group"):
        api.fit(DECAY, data, "a=1,b=1,c=0", by="g")


def test_columns_may_group_and_be_in_the_model() -> None:
    data = {"g": np.array([1.0, 1, 1, 2, 2, 2]), "x": np.array([0.0, 1, 2, 0, 1, 2])}
    data["y"] = data["g"] * data["x"] + np.array([0, 0.1, 0, 0, 0.2, 0])
    found = fits(data, "y ~ a*g*x + b")
    assert [fit.status for fit in found] == ["converged", "converged"]
    assert found[0].outcome is not None
    assert found[0].outcome.point["a"] == pytest.approx(1.0)


def test_data_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = numbers(6, [15, 9, 20, 12])
    file = tmp_path / "rows.csv"
    names = list(data)
    rows = zip(*(data[name] for name in names), strict=True)
    file.write_text(
        ",".join(names)
        + "\n"
        + "".join(f"{g},{float(x)!r},{float(y)!r},{float(w)!r}\n" for g, x, y, w in rows)
    )
    at_hand = fits(data, start="a=1,b=1,c=0")
    monkeypatch.setitem(spool.gather.__kwdefaults__, "memory", 100)
    on_disk = list(api.fit_groups(DECAY, str(file), "g", "a=1,b=1,c=0", spool=str(tmp_path)))
    assert [fit.key for fit in on_disk] == [fit.key for fit in at_hand]
    for one, other in zip(on_disk, at_hand, strict=True):
        assert one.outcome is not None
        assert other.outcome is not None
        assert_same(one.outcome, other.outcome)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_fault_of_the_program_in_a_group_is_the_answer_of_that_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No group's fit ends the fits of the others, whatever is raised in it."""

    def solve(prepared: Any, settings: Any) -> Any:
        if prepared.data.rows == 3:
            raise ZeroDivisionError("oh")
        return proper(prepared, settings)

    proper = grouped_fits.solve
    monkeypatch.setattr(grouped_fits, "solve", solve)
    data = {"g": np.repeat([1.0, 2, 3], [4, 3, 4]), "y": np.array([1.0, 3, 4, 8, 1, 2, 3, 5, 7, 7, 7])}
    found = fits(data, "y ~ a", loss="huber")
    assert [fit.status for fit in found] == ["converged", "error", "converged"]
    assert found[1].fault is not None
    assert found[1].fault.message == "internal error: ZeroDivisionError: oh"


def test_a_batch_refuses_steps_across_poles_as_one_fit_does() -> None:
    draw, x = np.random.default_rng(3), np.linspace(0.1, 4.0, 15)
    curves = [
        draw.uniform(1, 3) / (x + draw.uniform(-2, 2)) + 0.05 * draw.standard_normal(15) for _ in range(97)
    ]
    data = {"g": [0] * 15 + [1] * 15, "x": np.tile(x, 2), "y": np.concatenate((curves[49], curves[96]))}
    found = fits(data, "y ~ a/(x+b)", start="a=1,b=1")
    assert all(fit.solved is not None for fit in found)
    assert_as_alone(data, found, "y ~ a/(x+b)", start="a=1,b=1")
