"""Fits by epochs as `gd fit` makes them: the noise of the answer, the records of epochs, progress within one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from visits import regression

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.record.fits import fit_record
from gdcli.record.path_rows import Trail
from gdcli.render import fit_page
from gdcli.render.page import PLAIN, plain_text
from gdcli.table.shuffle import visited
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import FitRequest, FitSettings
from gdcli.tasks.fit.solve_fit import solve

COLUMNS = regression(3000, 2, noise=0.5)
X = np.stack([COLUMNS["x0"], COLUMNS["x1"], np.ones(3000)], axis=1)
LOWEST = float(np.linalg.lstsq(X, COLUMNS["y"], rcond=None)[1][0]) / 3000


def fitted(**settings: Any) -> Any:
    with prepared(FitRequest("y ~ a*x0 + b*x1 + c", data=COLUMNS)) as ready:
        return solve(ready, FitSettings(**settings))


def page(outcome: Any) -> str:
    return " ".join(plain_text(fit_page.page(fit_record(outcome), Trail(1, 3, None), 120, PLAIN)).split())


@pytest.mark.parametrize("batch", [1, 32, 0])
def test_the_gap_is_that_to_the_closed_form(batch: int) -> None:
    outcome = fitted(batch_size=batch, epochs=4)
    assert outcome.noise.gap == pytest.approx(outcome.mean_loss - LOWEST, rel=1e-6, abs=1e-14)
    told = fit_record(outcome).to_json()["noise"]
    assert set(told) == {"gap", "excess", "deviation", "standard_error", "settled"}
    if batch:
        assert outcome.noise.settled
        assert outcome.noise.standard_error == pytest.approx(np.hypot(told["excess"], told["deviation"]))
    else:
        assert told["excess"] == told["deviation"] == 0.0


def test_observers_have_the_sums_of_the_history() -> None:
    seen: list[Any] = []
    with prepared(FitRequest("y ~ a*x0 + b*x1 + c", data=COLUMNS)) as ready:
        outcome = solve(ready, FitSettings(batch_size=32, epochs=2, validate=0.2), [seen.append])
    assert [e.at.value for e in seen] == [e.total for e in outcome.history]
    assert outcome.history[outcome.run.best.iteration].total == pytest.approx(outcome.value)
    assert outcome.history[0].rows == 2400
    assert outcome.history[-1].at.value == pytest.approx(0.25, rel=0.2)


def test_progress_is_told_within_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    from gdcli.solve import epochs

    monkeypatch.setattr(epochs, "TELL_EVERY", 0.0)
    told: list[tuple[int, int, int]] = []
    with prepared(FitRequest("y ~ a*x0 + b*x1 + c", data=COLUMNS)) as ready:
        solve(ready, FitSettings(batch_size=32, epochs=2), (), lambda *now: told.append(now))
    assert told == [(1, 3000, 3000), (2, 3000, 3000)]


def test_the_page_tells_gap_and_noise() -> None:
    text = page(fitted(batch_size=1, epochs=4))
    assert "above its minimum, by a Newton step" in text
    assert "with other seeds" in text
    assert "has not come so far" in page(fitted(batch_size=1, epochs=1, lr=1e-5))
    assert "with other seeds" not in page(fitted(batch_size=0, epochs=4))
    assert "with other seeds" not in page(fitted(batch_size=1, epochs=4, shuffle="none"))


def test_the_page_tells_by_which_rows_an_epoch_was_chosen() -> None:
    held_back = fitted(batch_size=1, epochs=6, validate=0.3)
    assert held_back.run.best.iteration < 6
    assert f"(epoch {held_back.run.best.iteration}, the least loss of the rows held back)" in page(held_back)
    assert "held back" not in page(fitted(batch_size=1, epochs=6))


def test_a_run_far_above_the_minimum_says_how_far_and_what_to_try() -> None:
    outcome = fitted(batch_size=1, epochs=1, lr=1e-5)
    times = outcome.mean_loss / LOWEST
    assert times > 2.0
    (warning,) = (text for text in outcome.warnings if "not the minimum" in text)
    assert f"{times:.3g} times the least one, {LOWEST:.4g}" in warning
    assert "--polish" in outcome.advice
    assert "--epochs 10" in outcome.advice
    assert "--lr" in outcome.advice
    text = page(outcome)
    assert warning in text
    assert "try next --polish" in text
    assert warning in fit_record(outcome).warnings
    for near in (fitted(batch_size=1, epochs=4), fitted(batch_size=0, epochs=200)):
        assert not any("not the minimum" in text for text in near.warnings)
        assert not near.advice


YEARS = {"x": 2000.0 + np.arange(10), "y": 2.0 * np.arange(10) + 1.0}


def test_a_column_of_years_hides_no_gap() -> None:
    found = api.fit("y ~ a*x + b", YEARS, method="sgd")
    assert found.noise.gap == pytest.approx(found.mean_loss, rel=1e-6)
    assert any("not the minimum yet" in text for text in found.warnings)
    assert any("worse than a constant" in text for text in found.warnings)
    assert "--polish" in found.advice


def test_noise_that_keeps_a_run_above_the_mean_is_no_excuse() -> None:
    found = api.fit("y ~ a*x + b", YEARS, {"a": 1, "b": 1}, method="adam", lr=0.1, epochs=3, batch_size=4)
    assert found.noise.settled
    (warning,) = found.warnings
    assert "worse than a constant" in warning
    assert "--polish" in found.advice
    assert "--schedule decay" in found.advice


def test_an_exact_end_is_not_called_far_from_the_minimum() -> None:
    data = {"x": np.array([1.0, 1, 2, 2, 3, 3]), "y": np.array([3.0, 3, 5, 5, 7, 7])}
    found = api.fit("y ~ a*x + b", data, validate=0.9)
    assert 0.0 < found.value < 1e-25
    assert not found.warnings


def test_a_ratio_without_bounds_is_written_short() -> None:
    data = {"x": np.array([1.0, 1, 2, 2, 3, 3]), "y": np.array([3.0, 3, 5, 5, 7, 7])}
    found = api.fit("y ~ a*x + b", data, {"a": 1, "b": 1}, method="sgd", lr=10.0, epochs=20, batch_size=2)
    assert found.statistics.r_squared < -1e200
    assert max(map(len, page(found).split())) < 60


def test_a_start_that_is_searched_for_knows_no_row_held_back() -> None:
    x = np.linspace(0.0, 10.0, 40)
    y = 1000.0 * np.exp(-0.3 * x) + 20.0 + np.random.default_rng(3).standard_normal(40)
    with prepared(
        FitRequest("y ~ a*exp(-b*x) + c", data={"x": x, "y": y}, start=("auto",)), FitSettings(validate=0.25)
    ) as ready:
        learned = of_rows(visited(ready.data, 0.25, "none", 0)[0])
        start = ready.problem.start
    assert len(learned["x"]) == 30
    assert start == pytest.approx(api.fit("y ~ a*exp(-b*x) + c", learned, "auto").point, rel=1e-6)
    (group,) = (
        fit
        for fit in api.fit_groups(
            "y ~ a*exp(-b*x) + c", {"x": x, "y": y, "g": ["A"] * 40}, "g", "auto", validate=0.25
        )
    )
    assert dict(group.outcome.problem.start) == start


def of_rows(part: Any) -> Any:
    """The rows of a part of the data as columns by name."""
    pieces = [[column.copy() for column in columns] for _, columns in part.chunks(999)]
    return {name: np.concatenate([p[k] for p in pieces]) for k, name in enumerate(part.names)}


def test_all_that_is_told_rests_on_the_rows_learned_from() -> None:
    """Also with --polish: the rows held back are nowhere in the answer but in the loss of validation."""
    with prepared(FitRequest("y ~ a*x0 + b*x1 + c", data=COLUMNS)) as ready:
        learned, held = map(of_rows, visited(ready.data, 0.2, "blocks", ready.problem.seed))
        outcome = solve(ready, FitSettings(batch_size=32, epochs=3, validate=0.2))
        polished = solve(ready, FitSettings(batch_size=32, epochs=3, validate=0.2, polish=True))
    assert (outcome.rows.used, outcome.rows.held_back, len(learned["y"])) == (3000, 600, 2400)

    def squares(rows: Any, point: Any) -> Any:
        return (rows["y"] - point["a"] * rows["x0"] - point["b"] * rows["x1"] - point["c"]) ** 2

    for found in (outcome, polished):
        left = squares(learned, found.point)
        assert found.value == pytest.approx(left.sum(), rel=1e-12)
        assert found.mean_loss == pytest.approx(left.mean(), rel=1e-12)
        assert found.validation == pytest.approx(squares(held, found.point).mean(), rel=1e-12)
        assert found.statistics.residual_sd == pytest.approx(np.sqrt(left.sum() / 2397), rel=1e-12)
        about = ((learned["y"] - learned["y"].mean()) ** 2).sum()
        assert found.statistics.r_squared == pytest.approx(1.0 - left.sum() / about, rel=1e-12)
        assert "3000 rows, 600 held back" in page(found)
        assert "of the 600 rows held back" in page(found)
        assert "(2397 degrees of freedom)" in page(found)
        assert fit_record(found).rows.held_back == 600
    alone = api.fit("y ~ a*x0 + b*x1 + c", learned)
    assert polished.point == pytest.approx(alone.point, rel=1e-10)
    assert polished.statistics.errors.standard_errors == pytest.approx(
        alone.statistics.errors.standard_errors
    )


def test_epochs_that_were_asked_for_are_not_capped_as_iterations_are() -> None:
    data = {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.2]}
    found = api.fit("y ~ a*x + b", data, batch_size=0, epochs=10_100, lr=0.1, shuffle="none")
    assert (found.epochs, found.status) == (10_100, Status.COMPLETED)
    found = api.fit("y ~ a*x + b", data, batch_size=0, epochs=10_100, lr=0.1, shuffle="none", max_iter=10_000)
    assert (found.epochs, found.status) == (10_000, Status.LIMIT)  # as many as the default, but asked for
    found = api.fit("y ~ a*x + b", data, batch_size=0, epochs=50, max_iter=5, lr=0.1)
    assert (found.epochs, found.status) == (5, Status.LIMIT)
    assert found.message == "Stopped by --max-iter after 5 epochs."
