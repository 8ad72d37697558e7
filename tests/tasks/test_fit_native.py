"""Fits by epochs in machine code: the answers of the other engines, in memory and from files, and when it is used."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from visits import Shuffled, regression, row_model

from gdcli import api
from gdcli.compile import machine_code
from gdcli.kernel.errors import UsageError
from gdcli.objective.row_passes import By, RowPasses, row_gradient
from gdcli.solve.registry import BY_EPOCHS
from gdcli.table import spool

# Above 16384 rows blocks of 256 are shuffled; the last one is short.
ROWS = 20_011
COLUMNS = regression(ROWS, 2)
COLUMNS["n"] = np.floor(np.exp(0.3 * COLUMNS["y"]) + 0.5)
COLUMNS["t"] = (COLUMNS["y"] > 0.0).astype(float)
MODEL, START = "a*x0 + b*x1 + c", {"a": 0.1, "b": 0.2, "c": 0.3}
needs_llvmlite = pytest.mark.skipif(not machine_code.is_available(), reason="needs llvmlite")


def fitted(engine: str, data: Any = COLUMNS, model: str = f"y ~ {MODEL}", **options: Any) -> Any:
    options = {"epochs": 2, "no_cache": True, **options}
    return api.fit(model, data, START, engine=engine, **options)


def losses(outcome: Any) -> list[float]:
    return [epoch.at.value for epoch in outcome.history]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    columns = [COLUMNS[name].tolist() for name in ("x0", "x1", "y")]
    rows = [",".join(map(repr, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(["x0,x1,y", *rows]))
    return str(path)


@needs_llvmlite
@pytest.mark.parametrize("rule", BY_EPOCHS)
@pytest.mark.parametrize(
    ("loss", "left"), [("squared", "y"), ("huber", "y"), ("logistic", "t"), ("poisson", "n")]
)
def test_single_rows_have_the_bits_of_cpython(rule: str, loss: str, left: str) -> None:
    model = f"{left} ~ exp({MODEL})" if loss == "poisson" else f"{left} ~ {MODEL}"
    how = {"method": rule, "loss": loss, "lr": 1e-3, "epochs": 1, "bounds": {"b": (-0.5, 0.25)}}
    native, python = (fitted(e, model=model, **how) for e in ("native", "python"))
    assert (native.engine, python.engine) == ("native", "python")
    assert native.point == python.point
    assert losses(native) == losses(python)


@pytest.mark.every(4)
@needs_llvmlite
@pytest.mark.parametrize("shuffle", ["blocks", "full", "none"])
@pytest.mark.parametrize("validate", [None, 0.2])
def test_files_have_the_bits_of_memory(
    shuffle: str, validate: float | None, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"batch_size": 1, "method": "adam", "shuffle": shuffle, "validate": validate}
    found = [fitted("python", **how), fitted("native", **how)]
    monkeypatch.setattr(spool, "gather", partial(spool.gather, memory=1000))
    found += [fitted("python", file, **how), fitted("native", file, **how)]
    assert all(outcome.point == found[0].point for outcome in found)


@pytest.mark.every(7)
@needs_llvmlite
@pytest.mark.parametrize("batch", [3, 32, 300])
@pytest.mark.parametrize("shuffle", ["blocks", "full"])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_batches_agree(
    batch: int, shuffle: str, rule: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"batch_size": batch, "method": rule, "lr": 0.01, "shuffle": shuffle}
    found = [fitted(engine, **how) for engine in ("numpy", "python", "native")]
    monkeypatch.setattr(spool, "gather", partial(spool.gather, memory=1000))
    found += [fitted("native", file, **how)]
    assert [outcome.engine for outcome in found] == ["numpy", "python", "native", "native"]
    for outcome in found[1:]:
        assert list(outcome.point.values()) == pytest.approx(list(found[0].point.values()), rel=1e-11)


@needs_llvmlite
def test_auto_goes_by_the_work_that_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [fitted("auto", batch_size=b).engine for b in (1, 32)] == ["python", "numpy"]
    assert fitted("auto", batch_size=1, epochs=40).engine == "native"
    assert fitted("auto", batch_size=32, epochs=60).engine == "native"
    # What is on disk shortens the way for single rows, whose bits are the same; batches have bits of their own.
    monkeypatch.setenv("GDCLI_CACHE_DIR", str(tmp_path))
    some: dict[str, Any] = {"no_cache": False, "lr": 1e-3}
    for batch, epochs, engines in ((1, 15, ("python", "native")), (32, 25, ("numpy", "numpy"))):
        found = [
            fitted(engine, batch_size=batch, epochs=epochs, **some) for engine in ("auto", "native", "auto")
        ]
        assert (found[0].engine, found[2].engine) == engines
        assert found[0].point == found[2].point


def test_without_llvmlite_everything_runs_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fitted("python", epochs=1, batch_size=1)
    monkeypatch.setattr(machine_code, "is_available", lambda: False)
    monkeypatch.setattr(machine_code, "is_installed", lambda: False)
    assert fitted("auto", epochs=40, batch_size=1).engine == "python"
    assert fitted("auto", epochs=1, batch_size=1).point == before.point
    with pytest.raises(UsageError, match="llvmlite, which is not installed"):
        fitted("native")


def test_broken_machine_code_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("LLVM")

    monkeypatch.setattr(machine_code, "load", broken)
    assert fitted("auto", epochs=40, batch_size=1).engine == "python"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"engine": "fortran"}, "unknown engine fortran"),
        ({"engine": "python", "epochs": None}, "is for steps by some of the rows"),
        ({"engine": "python", "batch_size": 0}, "is for steps by some of the rows"),
        ({"engine": "python", "batch_size": ROWS}, "is for steps by some of the rows"),
    ],
)
def test_an_engine_that_cannot_be_is_a_usage_error(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fitted(**options)


@needs_llvmlite
def test_a_batch_too_long_to_be_interrupted_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    from gdcli.objective import native_passes

    monkeypatch.setattr(native_passes, "BATCH_NODES", 5000)
    assert fitted("auto", batch_size=1000, epochs=200).engine == "numpy"
    with pytest.raises(UsageError, match="batches of 1000 such rows"):
        fitted("native", batch_size=1000)


@needs_llvmlite
@pytest.mark.parametrize("block", [256, 1])
@pytest.mark.parametrize("batch", [1, 32])
def test_calls_are_short_and_progress_is_told(
    block: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stops a call leaves the point of the rows done so far."""
    from gdcli.compile import native_epochs as epochs

    monkeypatch.setattr(epochs, "FIRST", 4000)
    monkeypatch.setattr(epochs, "_SHORT", 0.0)
    data = Shuffled(COLUMNS, block=block)
    row = row_model(f"y ~ {MODEL}", data.names)
    nodes = len(row_gradient(row).graph.reach(tuple(row_gradient(row).roots)))
    passes = RowPasses(row, data, batch, by=By(1, "native", False))
    done: list[int] = []

    def stopping(at: int) -> Callable[[int], None]:
        def told(rows: int) -> None:
            done.append(rows)
            if rows >= at:
                raise KeyboardInterrupt

        return told

    passes.start([0.0] * 3)
    passes.epoch(0, 1e-3, stopping(ROWS + 1))
    assert done[-1] == ROWS
    assert done == sorted(done)
    assert max(np.diff([0, *done])) <= 4000 / nodes + batch
    passes.start([0.0] * 3)
    with pytest.raises(KeyboardInterrupt):
        passes.epoch(0, 1e-3, stopping(5000))
    few = RowPasses(row, _First(data, done[-1]), batch, by=By(1, "native", False))
    few.start([0.0] * 3)
    few.epoch(0, 1e-3, lambda rows: None)
    assert passes.x == pytest.approx(few.x, rel=1e-11)


class _First(Shuffled):
    """The rows that another data set has first in its order."""

    def __init__(self, data: Shuffled, rows: int) -> None:
        first = np.concatenate(list(data.order(0)))[:rows]
        super().__init__({n: c[first] for n, c in zip(data.names, data.columns, strict=True)}, block=0)


@needs_llvmlite
@pytest.mark.parametrize("batch", ["1", "32"])
def test_an_endless_fit_hears_an_interrupt(batch: str, file: str) -> None:
    code = "import sys; from gdcli.cli.app import main; sys.exit(main())"
    words = ["fit", f"y ~ {MODEL}", file, "--batch-size", batch, "--epochs", str(10**9)]
    words += ["--max-iter", str(10**9), "--format", "json", "--engine", "native", "--timing"]
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4.0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20.0)
    finally:
        process.kill()
    answer = json.loads(out)
    assert (process.returncode, answer["reason"], answer["engine"]) == (130, "interrupted", "native")
