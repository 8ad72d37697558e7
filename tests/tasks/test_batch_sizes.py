"""The comparison of batch sizes: what each costs and where it gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from visits import Shuffled, regression, row_model

from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Vec
from gdcli.solve.settings import EpochSettings
from gdcli.tasks.batch_sizes import compare_batch_sizes
from gdcli.tasks.stochastic import Descent


def test_the_book_s_comparison() -> None:
    columns = regression(4000, 2, noise=0.5)
    columns["x0"] = 5 * columns["x0"]
    data = Shuffled(columns, block=1)
    row = row_model("y ~ X @ w + b", data.names, ("x0", "x1"))
    seen: list[Any] = []
    found = compare_batch_sizes(
        Descent(row, data, Vec([0.0] * 3)),
        (1, 32, None, 32),
        EpochSettings(epochs=4),
        observers=lambda size: [seen.append],
    )
    assert [run.name for run in found.runs] == ["1", "32", "all"]
    X = np.stack([columns["x0"], columns["x1"], np.ones(4000)], axis=1)
    rest = np.linalg.lstsq(X, columns["y"], rcond=None)[1]
    assert found.lowest == pytest.approx(float(rest[0]) / 4000, rel=1e-9)
    single, some, every = (run.made for run in found.runs)
    assert single is not None
    assert some is not None
    assert every is not None
    assert single.visits == some.visits == every.visits == 16_000
    assert [m.run.counts.gradient for m in (single, some, every)] == [16_000, 500, 4]
    # Four steps of all rows get less far than sixteen thousand rough ones, which end in their noise.
    assert single.run.best.at.value < every.run.best.at.value
    assert single.noise is not None
    assert some.noise is not None
    assert single.gap is not None
    assert single.noise.explains(single.gap)
    assert every.gap is not None
    assert every.noise is not None
    assert not every.noise.explains(every.gap)
    assert some.noise.excess < single.noise.excess
    assert [visits for visits, _ in found.runs[0].course] == [0, 4000, 8000, 12_000, 16_000]
    assert len(seen) == 15
    assert found.stopped is None
    assert {run.verdict.status for run in found.runs if run.verdict} == {Status.COMPLETED}


def test_one_that_diverges_does_not_end_the_comparison() -> None:
    data = Shuffled(regression(500, 1))
    row = row_model("y ~ a*x0 + b", data.names)
    found = compare_batch_sizes(
        Descent(row, data, Vec([0.0, 0.0])), (1, None), EpochSettings(lr=0.9, epochs=100)
    )
    assert [run.verdict.status for run in found.runs if run.verdict] == [Status.DIVERGED, Status.COMPLETED]


def test_an_interrupt_ends_it_with_what_there_is() -> None:
    class Stopped(Shuffled):
        def visit(self, epoch: int, size: int) -> Any:
            if size == 32 * (8192 // 32) and epoch:
                raise KeyboardInterrupt
            yield from super().visit(epoch, size)

    data = Stopped(regression(500, 1))
    row = row_model("y ~ a*x0 + b", data.names)
    found = compare_batch_sizes(Descent(row, data, Vec([0.0, 0.0])), (None, 32, 64), EpochSettings(epochs=3))
    assert [run.name for run in found.runs] == ["all", "32"]
    assert found.stopped is Status.INTERRUPTED


@pytest.mark.parametrize("sizes", [(), (0,), (1, -2)])
def test_sizes_that_make_no_sense(sizes: tuple[int, ...]) -> None:
    data = Shuffled(regression(20, 1))
    with pytest.raises(UsageError):
        compare_batch_sizes(Descent(row_model("y ~ a*x0", data.names), data, Vec([0.0])), sizes)


def test_a_start_outside_the_domain_is_a_fault_of_each() -> None:
    data = Shuffled({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    found = compare_batch_sizes(Descent(row_model("y ~ log(a*x)", data.names), data, Vec([-1.0])), (1, None))
    assert all(run.fault is not None and run.course == [] for run in found.runs)
    assert found.lowest is None
