"""Descent over rows: the steps against their formulas, the runners against each other, the loop and its ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from visits import Shuffled, regression, row_model

from gdcli.compile.per_sample import ParameterBox
from gdcli.judge.epoch_verdict import judge_epochs
from gdcli.kernel.budget import Budget
from gdcli.kernel.errors import DomainError, Terminated, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import Vec
from gdcli.language.losses import LOGITS, LOSSES, Numbers
from gdcli.objective import row_passes as passes_module
from gdcli.objective.protocol import Evaluation
from gdcli.objective.row_model import AskedLoss
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_passes import RowPasses
from gdcli.solve.epochs import Epoch, run_epochs
from gdcli.solve.registry import BY_EPOCHS, direction
from gdcli.solve.run import RunOptions
from gdcli.solve.settings import BudgetSpent, EpochSettings, Target
from gdcli.tasks.stochastic import Descent, StochasticRun, rule_of, run_stochastic

DIRECTIONS = {name: direction(name) for name in BY_EPOCHS if name != "sgd"}


def nothing(done: int) -> None:
    """A progress that nobody watches."""


def by_hand(
    rule: str, data: Shuffled, row: Any, x: Sequence[float], batch: int, rate: float, epochs: int
) -> Vec:
    """The same descent in the words of the methods for one function, each batch an objective of its own."""
    at = Vec(x)
    towards = DIRECTIONS.get(rule)
    state = None if towards is None else towards.start(Evaluation(at, 0.0))
    for epoch in range(epochs):
        columns = next(data.visit(epoch, data.rows))
        for lo in range(0, data.rows, batch):
            part = {n: c[lo : lo + batch] for n, c in zip(data.names, columns, strict=True)}
            here = RowObjective(row, Shuffled(part)).evaluate(at, 1)
            if towards is None:
                at = at - rate * here.gradient
            else:
                step, state = towards.direction(here, state)
                at = at + rate * step
    return at


def descended(passes: RowPasses, x: Sequence[float], rate: float, epochs: int) -> list[float]:
    passes.start(x)
    for epoch in range(epochs):
        passes.epoch(epoch, rate, nothing)
    return passes.x


@pytest.mark.parametrize("rule", BY_EPOCHS)
@pytest.mark.parametrize("batch", [1, 3, 20, 300, 301])
def test_every_rule_does_what_the_method_of_its_name_does(rule: str, batch: int) -> None:
    data = Shuffled(regression(301, 2), block=7)
    row = row_model("y ~ a*x0 + b*x1 + c", data.names)
    rate = 0.01 if rule in DIRECTIONS else 0.05
    expected = by_hand(rule, data, row, [0.1, 0.2, 0.3], batch, rate, 2)
    found = descended(RowPasses(row, data, batch, rule_of(rule)), [0.1, 0.2, 0.3], rate, 2)
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert not np.allclose(found, [0.1, 0.2, 0.3], atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("text", ["y ~ exp(a*x0 + b*x1) + c", "y ~ a*x0**2 + x1 + b"])
@pytest.mark.parametrize("batch", [1, 5, 40])
def test_every_loss_by_every_runner(loss: str, text: str, batch: int) -> None:
    columns = regression(120, 2)
    columns["y"] = np.floor(np.abs(columns["y"]) * (1 if loss in LOGITS else 3))
    if LOSSES[loss].positive:
        columns = {name: np.abs(column) for name, column in columns.items()}
    data = Shuffled(columns, block=11)
    row = row_model(text, data.names, loss=loss, asked=AskedLoss(Numbers(delta=0.4)))
    start = [0.3, 0.2, 0.5][: row.space.size]
    expected = by_hand("sgd", data, row, start, batch, 0.002, 2)
    assert np.allclose(
        descended(RowPasses(row, data, batch), start, 0.002, 2), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    "text",
    [
        "(y - a*x0 - b)**2",
        "a*x0 + b*y",
        "log(1 + exp(-y*(a*x0 + b)))",
        "(a - 1)**2 + x0*b**2 + b*y",
        "a**2 + b**2",
    ],
)
@pytest.mark.parametrize("batch", [1, 5, 40])
def test_typed_losses_by_every_runner(text: str, batch: int) -> None:
    data = Shuffled(regression(120, 1), block=11)
    row = row_model(text, data.names)
    expected = by_hand("sgd", data, row, [0.3, 0.2], batch, 0.01, 2)
    found = descended(RowPasses(row, data, batch), [0.3, 0.2], 0.01, 2)
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_the_bits_do_not_depend_on_the_pieces(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = regression(1000, 3, logistic=True)
    row = row_model("y ~ X @ w + b", tuple(columns), ("x0", "x1", "x2"), loss="logistic")
    whole = descended(RowPasses(row, Shuffled(columns), batch), [0.0] * 4, 0.1, 2)

    monkeypatch.setattr(passes_module, "PIECE", 64)
    found = descended(RowPasses(row, Shuffled(columns), batch), [0.0] * 4, 0.1, 2)
    assert found == (
        whole if batch < 16 else pytest.approx(whole, rel=1e-12)
    )  # arrays may be summed otherwise
    assert descended(RowPasses(row, Shuffled(columns, seed=1), batch), [0.0] * 4, 0.1, 2) != whole


@pytest.mark.parametrize("batch", [1, 4, 50, None])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_bounds_hold_after_every_step(batch: int | None, rule: str) -> None:
    data = Shuffled(regression(200, 2))
    row = row_model("y ~ a*x0 + b*x1 + c", data.names)
    box = ParameterBox([-math.inf, -math.inf, 0.5], [-0.9999, 0.25, math.inf])
    settings_ = EpochSettings(batch_size=batch or 0, method=rule, lr=0.05, epochs=60)
    seen: list[Epoch] = []
    made = run_stochastic(Descent(row, data, Vec([-1.0, 0.0, 0.5]), box), settings_, [seen.append])
    for epoch in seen:
        a, b, c = epoch.at.x
        assert a <= -0.9999
        assert b <= 0.25
        assert c >= 0.5
    assert made.run.best.at.x[1] == pytest.approx(0.25, abs=0.1)


def test_what_bare_arithmetic_raises_is_done_again_safely() -> None:
    data = Shuffled({"x": [1.0, 800.0, 2.0], "y": [1.0, 1.0, 1.0]}, block=0)
    row = row_model("y ~ exp(a*x)", data.names)
    found = descended(RowPasses(row, data, 1), [1.0], 1e-3, 1)
    assert not math.isfinite(found[0])  # exp(800) is inf, and so is its slope
    kinder = row_model("where(x > 100, a**2, (y - exp(a*x))**2)", data.names)
    assert math.isfinite(descended(RowPasses(kinder, data, 1), [0.5], 1e-3, 1)[0])


def ran(
    columns: dict[str, Any], text: str = "y ~ a*x0 + b", start: Sequence[float] = (0.0, 0.0), **options: Any
) -> StochasticRun:
    given_ = {k: options.pop(k) for k in ("rules", "progress", "observers") if k in options}
    data = Shuffled(columns, options.pop("seed", 0))
    of = Descent(row_model(text, data.names), data, Vec(start), held_out=options.pop("held_out", None))
    return run_stochastic(of, EpochSettings(**options), **given_)


def test_iterates_are_epochs_with_the_mean_loss() -> None:
    columns = regression(500, 1)
    seen: list[Any] = []
    made = ran(columns, lr=0.05, epochs=4, observers=[seen.append])
    assert [e.iteration for e in seen] == [0, 1, 2, 3, 4]
    assert tuple(seen) == made.epochs
    for e in seen:
        a, b = e.at.x
        assert e.at.value == pytest.approx(np.mean((columns["y"] - a * columns["x0"] - b) ** 2), rel=1e-12)
        assert e.total == pytest.approx(500 * e.at.value)
        assert e.visits == 500 * e.iteration
    assert made.run.reason is StopReason.EPOCHS
    assert made.run.best is made.run.last
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.COMPLETED
    assert made.run.counts.gradient == 4 * 500


def test_decay_shrinks_the_rate_with_the_epoch() -> None:
    made = ran(regression(300, 1), lr=0.08, epochs=4, schedule="decay")
    assert [e.step for e in made.epochs] == [None, 0.08, 0.04, pytest.approx(0.08 / 3), 0.02]


def test_the_book_s_minimize_stochastic() -> None:
    """The chapter's function, written out, in the same order of rows."""
    columns = regression(60, 1, noise=0.5)
    data = Shuffled(columns)
    alpha_0 = 0.05

    def total(theta: list[float]) -> float:
        return sum(
            (y - theta[0] * x - theta[1]) ** 2 for x, y in zip(columns["x0"], columns["y"], strict=True)
        )

    theta, alpha, epoch = [0.0, 0.0], alpha_0, 0
    min_theta, min_value, vain = theta, math.inf, 0
    while vain < 100:
        value = total(theta)
        if value < min_value:
            min_theta, min_value, vain, alpha = theta, value, 0, alpha_0
        else:
            vain, alpha = vain + 1, alpha * 0.9
        for x, y in zip(*next(data.visit(epoch, data.rows)), strict=True):
            r = y - theta[0] * x - theta[1]
            theta = [theta[0] + alpha * 2 * r * x, theta[1] + alpha * 2 * r]
        epoch += 1
    made = ran(columns, lr=alpha_0, schedule="book")
    assert made.run.best.at.x == pytest.approx(min_theta, rel=1e-9)
    assert made.run.best.at.value * 60 == pytest.approx(min_value, rel=1e-12)
    assert made.run.iterations == epoch - 1  # the chapter does one more pass, whose end it never looks at
    assert made.run.reason is StopReason.PATIENCE
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.COMPLETED
    assert made.run.best.at.value <= made.run.last.at.value


def test_early_stopping_returns_the_best_on_rows_held_out() -> None:
    columns = regression(400, 1, noise=1.0)
    learn = {n: c[:300] for n, c in columns.items()}
    held = Shuffled({n: c[300:] for n, c in columns.items()})
    made = ran(learn, lr=0.1, epochs=500, patience=3, held_out=held)
    losses = [e.held_out for e in made.epochs]
    best = made.run.best.iteration
    assert losses[best] == min(losses)  # type: ignore[type-var]
    assert made.run.reason is StopReason.PATIENCE
    assert made.run.iterations == best + 3
    a, b = made.run.best.at.x
    there = np.mean((held.columns[1] - a * held.columns[0] - b) ** 2)
    assert losses[best] == pytest.approx(there, rel=1e-12)


@pytest.mark.parametrize("batch", [1, 32, None])
def test_too_large_a_rate_diverges_and_the_limit_is_told(batch: int | None) -> None:
    columns = regression(400, 1)
    made = ran(columns, batch_size=batch or 0, lr=3.0, epochs=5000)
    assert made.run.reason is StopReason.NON_FINITE
    assert made.run.best.at.value <= made.run.start.at.value
    verdict = judge_epochs(made.run, made.stable, made.lr)
    assert verdict.status is Status.DIVERGED
    assert made.stable is not None
    assert f"{made.stable.limit:.4g}" in verdict.message
    X = np.stack([columns["x0"], np.ones(400)])
    row, mean = 2 * np.max(np.sum(X * X, axis=0)), 2 * np.linalg.eigvalsh(X @ X.T / 400).max()
    expected = {1: row, None: mean, 32: (368 * row + 400 * 31 * mean) / (32 * 399)}[batch]
    assert made.stable.curvature == pytest.approx(expected, rel=1e-9)


def test_a_loss_that_rises_above_the_stable_rates_has_diverged_before_it_overflows() -> None:
    columns = regression(400, 1)
    made = ran(columns, batch_size=0, lr=1.3, epochs=3)
    assert made.run.reason is StopReason.EPOCHS
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.DIVERGED


def test_numbers_near_overflow_are_no_fault() -> None:
    for epochs in (500, 550, 600, 650):
        made = ran(regression(400, 1), batch_size=0, lr=1.3, epochs=epochs)
        assert judge_epochs(made.run, made.stable, made.lr).status is Status.DIVERGED


@pytest.mark.parametrize("rate", [0.98, 1.02])
def test_the_limit_for_all_rows_is_sharp(rate: float) -> None:
    columns = regression(300, 1)
    for method in ("sgd", "momentum", "nesterov"):
        first = ran(columns, batch_size=0, lr=1e-3, epochs=0, method=method)
        assert first.stable is not None
        made = ran(columns, batch_size=0, lr=rate * first.stable.limit, epochs=3000, method=method)
        assert (made.run.last.at.value < made.run.start.at.value) == (rate < 1), method


@pytest.mark.parametrize("method", BY_EPOCHS)
@pytest.mark.parametrize("batch", [1, 64, None])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_rates_chosen_from_the_data_learn(method: str, batch: int | None, loss: str) -> None:
    columns = regression(3000, 3, seed=2, logistic=loss == "logistic")
    scale = np.array([30.0, 0.2, 1.0])
    for i in range(3):
        columns[f"x{i}"] = columns[f"x{i}"] * scale[i]
    data = Shuffled(columns)
    row = row_model("y ~ X @ w + b", data.names, ("x0", "x1", "x2"), loss=loss)
    made = run_stochastic(
        Descent(row, data, Vec([0.0] * 4)), EpochSettings(batch_size=batch or 0, method=method, epochs=10)
    )
    assert made.chosen
    assert made.run.last.at.value < made.run.start.at.value
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.COMPLETED


def test_an_interrupt_keeps_the_best_point() -> None:
    columns = regression(3000, 1)
    for stop, reason in ((KeyboardInterrupt, StopReason.INTERRUPTED), (Terminated, StopReason.TERMINATED)):

        class Stopped(Shuffled):
            stop_: type[BaseException] = stop

            def visit(self, epoch: int, size: int) -> Any:
                for k, piece in enumerate(super().visit(epoch, 256)):
                    if (epoch, k) == (2, 9):
                        raise self.stop_
                    yield piece

        data = Stopped(columns)
        row = row_model("y ~ a*x0 + b", data.names)
        made = run_stochastic(
            Descent(row, data, Vec([0.0, 0.0])), EpochSettings(batch_size=32, lr=1e-3, epochs=9)
        )
        assert made.run.reason is reason
        assert made.run.iterations == 2
        assert made.run.best.at.value == min(e.at.value for e in made.epochs)
        assert judge_epochs(made.run, made.stable, made.lr).status.exit_code in (130, 143)


def test_progress_is_told_within_an_epoch_but_not_too_often() -> None:
    columns = regression(100_000, 1)
    data = Shuffled(columns)
    row = row_model("y ~ a*x0 + b", data.names)
    told: list[tuple[int, int, int]] = []
    times = iter(range(10**6))
    settings_ = EpochSettings(lr=1e-3, epochs=1)
    run_epochs(RowPasses(row, data, 64), Vec([0.0, 0.0]), settings_, (), (), lambda *a: told.append(a),
               RunOptions(lambda: next(times) * 0.03))  # fmt: skip
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert {(number, rows) for number, _, rows in told} == {(1, 100_000)}
    assert 2 <= len(told) <= 4  # 13 pieces of 8192 rows, 0.03 s each, at most every 0.1 s


def test_rules_of_the_other_methods_end_a_run() -> None:
    columns = regression(300, 1)
    made = ran(columns, lr=0.05, epochs=100, rules=[Target(0.05)])
    assert made.run.reason is StopReason.TARGET
    assert made.run.best.at.value <= 0.05
    made = ran(columns, lr=0.05, epochs=100, rules=[BudgetSpent(Budget(seconds=1e-9))])
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.LIMIT


def test_an_unbounded_loss_is_named() -> None:
    data = Shuffled({"x": [1.0, 2.0]}, block=0)
    row = row_model("x - a", data.names)
    made = run_stochastic(Descent(row, data, Vec([0.0])), EpochSettings(batch_size=1, lr=1e80, epochs=5))
    assert judge_epochs(made.run, made.stable, made.lr).status is Status.DIVERGED


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -1.0},
        {"lr": math.nan},
        {"schedule": "x"},
        {"epochs": -1},
        {"method": "newton"},
        {"batch_size": -1},
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ran(regression(20, 1), **options)


def test_a_start_without_a_finite_loss() -> None:
    with pytest.raises(DomainError):
        ran({"x0": [1.0, 2.0], "y": [1.0, 2.0]}, "y ~ log(a*x0)", [-1.0], lr=0.1)
