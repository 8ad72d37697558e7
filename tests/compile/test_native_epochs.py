"""Epochs in machine code: single rows with the bits of CPython, batches as arrays have them, over runs of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from visits import Shuffled, regression, row_model

from gdcli.compile.per_sample import ParameterBox, RowDescent
from gdcli.language.losses import LOSSES, Numbers
from gdcli.objective.row_model import AskedLoss
from gdcli.objective.row_passes import By, RowPasses, row_gradient
from gdcli.solve.registry import BY_EPOCHS
from gdcli.tasks.stochastic import rule_of

pytest.importorskip("llvmlite")

COLUMNS = regression(1000, 2)
COLUMNS["y"] = np.abs(COLUMNS["y"])
RUNS = np.array([[256, 512], [768, 1000], [0, 256], [512, 768]])
ORDER = np.concatenate([np.arange(a, b) for a, b in RUNS])


def native(
    row: Any, rule: str, size: int, start: list[float], rate: float, box: ParameterBox | None = None
) -> list[float]:
    from gdcli.compile.native_epochs import EpochKernel, Runs

    kernel = EpochKernel(row_gradient(row), rule_of(rule), box, size, use_cache=False)
    columns = [COLUMNS[name] for name in row.columns]
    x, state = np.array(start), np.array([*rule_of(rule).state(len(start)), 0.0])
    told: list[int] = []
    for _ in range(2):
        kernel(Runs(columns, RUNS[:, 0], RUNS[:, 1]), x, state, rate, told.append)
    assert told[-1] == 1000
    return [float(v) for v in x]


@pytest.mark.parametrize("rule", BY_EPOCHS)
@pytest.mark.parametrize("loss", LOSSES)
def test_single_rows_have_the_bits_of_cpython(rule: str, loss: str) -> None:
    row = row_model(
        "y ~ exp(a*x0 + b*x1) + c", tuple(COLUMNS), loss=loss, asked=AskedLoss(Numbers(delta=0.4))
    )
    box = ParameterBox([-1.0, -np.inf, 0.01], [np.inf, 1.0, np.inf])
    descend = RowDescent(row_gradient(row), rule_of(rule), box, False)
    x, state = [0.1, 0.2, 0.3], rule_of(rule).state(3)
    columns = [COLUMNS[name][ORDER].tolist() for name in row.columns]
    for _ in range(2):
        descend(columns, x, state, 1000, 1, 1e-3)
    assert native(row, rule, 1, [0.1, 0.2, 0.3], 1e-3, box) == x


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("size", [2, 7, 32, 300])
def test_batches_over_runs(rule: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from gdcli.compile import native_epochs

    row = row_model("y ~ X @ w + b", tuple(COLUMNS), ("x0", "x1"), loss="logistic")
    data = Shuffled({n: c[ORDER] for n, c in COLUMNS.items()}, block=0)
    passes = RowPasses(row, data, size, rule_of(rule), by=By(engine="numpy"))
    passes.start([0.1, 0.2, 0.3])
    for epoch in range(2):
        passes.epoch(epoch, 0.01, lambda done: None)
    whole = native(row, rule, size, [0.1, 0.2, 0.3], 0.01)
    assert np.allclose(whole, passes.x, rtol=1e-11)
    monkeypatch.setattr(native_epochs, "FIRST", 1000)  # many calls, each from where the last one stopped
    monkeypatch.setattr(native_epochs, "_SHORT", 0.0)
    assert native(row, rule, size, [0.1, 0.2, 0.3], 0.01) == whole
