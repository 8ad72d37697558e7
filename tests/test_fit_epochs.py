"""Fits by epochs as `gd fit` makes them: the noise of the answer, the records of epochs, progress within one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from visits import regression

from gdcli.fitting.prepare import prepared
from gdcli.fitting.request import FitRequest, FitSettings
from gdcli.fitting.solve import solve
from gdcli.report import fit_page, fit_records
from gdcli.report.page import PLAIN, plain_text
from gdcli.report.trail import Trail

COLUMNS = regression(3000, 2, noise=0.5)
X = np.stack([COLUMNS["x0"], COLUMNS["x1"], np.ones(3000)], axis=1)
LOWEST = float(np.linalg.lstsq(X, COLUMNS["y"], rcond=None)[1][0]) / 3000


def fitted(**settings: Any) -> Any:
    with prepared(FitRequest("y ~ a*x0 + b*x1 + c", data=COLUMNS)) as ready:
        return solve(ready, FitSettings(**settings))


def page(outcome: Any) -> str:
    return " ".join(
        plain_text(fit_page.page(outcome, Trail(1, 3, None, fit_page.epoch_row), 120, PLAIN)).split()
    )


@pytest.mark.parametrize("batch", [1, 32, 0])
def test_the_gap_is_that_to_the_closed_form(batch: int) -> None:
    outcome = fitted(batch_size=batch, epochs=4)
    assert outcome.noise.gap == pytest.approx(outcome.mean_loss - LOWEST, rel=1e-6, abs=1e-14)
    told = fit_records.result(outcome)["noise"]
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
    from gdcli.solvers import stochastic

    monkeypatch.setattr(stochastic, "TELL_EVERY", 0.0)
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
