"""``--engine``: each gives the same answer, one that cannot be had says so, and none is loaded in vain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gdcli.api import Settings, compare_learning_rates, make_problem, minimize, solve
from gdcli.kernel import installing
from gdcli.kernel.errors import UsageError

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"
CHAIN = "sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)"
LONG = ["minimize", ROSENBROCK, "--start", "x=-1.2,y=1", "--lr", "0.0001", "--max-iter", "30000"]


def gd(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from gdcli.cli.app import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("format", ["json", "table", "csv"])
def test_the_same_command_prints_the_same_bytes_by_every_engine(format: str, tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    every = [] if format == "table" else ["--every", "1000"]
    ran = [
        gd(*LONG, "--format", format, *every, "--engine", engine, GDCLI_CACHE_DIR=str(tmp_path))
        for engine in ("python", "native", "auto")
    ]
    assert ran[0].stdout
    # Only the receipt, which has the options as typed, tells the engines apart.
    assert len({r.stdout.partition('"receipt"')[0] for r in ran}) == 1
    assert {r.returncode for r in ran} == {3}


def test_the_engine_that_ran_is_told() -> None:
    pytest.importorskip("llvmlite")
    start = {"x": -1.2, "y": 1.0}
    found = [minimize(ROSENBROCK, start, engine=e, no_cache=True) for e in ("python", "native")]
    assert [outcome.engine for outcome in found] == ["python", "native"]
    assert found[0].point == found[1].point
    assert found[0].run.counts == found[1].run.counts
    assert minimize(CHAIN, {"v": [0.5] * 4}, engine="numpy").engine == "numpy"
    assert minimize(CHAIN, {"v": [0.5] * 100}, engine="python").engine == "python"
    assert minimize(CHAIN, {"v": [0.5] * 100}).engine == "numpy"


@pytest.mark.parametrize(
    ("expression", "start", "engine", "told"),
    [
        ("x**2", {"x": 1.0}, "numpy", "for vectors"),
        ("x**2", {"x": 1.0}, "fortran", "unknown engine"),
        ("sum(v**2)", {"v": [1.0] * 5000}, "python", "up to 200 variables"),
    ],
)
def test_an_engine_that_cannot_be_is_a_usage_error(
    expression: str, start: dict[str, Any], engine: str, told: str
) -> None:
    problem = make_problem(expression, "minimize", start)
    with pytest.raises(UsageError, match=told):
        solve(problem, Settings(engine=engine))
    with pytest.raises(UsageError, match=told):
        compare_learning_rates(problem, engine=engine)


def test_without_llvmlite_everything_runs_as_before(tmp_path: Path) -> None:
    (tmp_path / "llvmlite.py").write_text("raise ImportError('not here')")
    ran = gd(*LONG, "--format", "json", "--timing", PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stderr) == (3, "")
    assert json.loads(ran.stdout)["engine"] == "python"
    asked = gd(*LONG, "--engine", "native", PYTHONPATH=str(tmp_path))
    assert asked.returncode == 2
    assert "machine code" in asked.stderr


def test_missing_llvmlite_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from gdcli.compile import machine_code

    monkeypatch.setattr(machine_code, "is_available", lambda: False)
    monkeypatch.setattr(machine_code, "is_installed", lambda: False)
    with pytest.raises(UsageError, match="llvmlite, which is not installed") as caught:
        minimize("x**2", {"x": 1.0}, engine="native")
    assert caught.value.hint == f"install it: {installing.command('fast')}"
    assert minimize("x**2", {"x": 1.0}).engine == "python"


def test_no_cache_writes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    directory = tmp_path / "cache"
    words = [*LONG, "--engine", "native", "--format", "json"]
    assert gd(*words, "--no-cache", GDCLI_CACHE_DIR=str(directory)).returncode == 3
    assert not directory.exists()
    assert gd(*words, GDCLI_CACHE_DIR=str(directory)).returncode == 3
    assert len(list(directory.iterdir())) == 1


def test_a_short_run_loads_nothing_of_it() -> None:
    code = (
        "import sys; from gdcli.cli.app import main; "
        f"sys.argv = ['gd', 'minimize', {ROSENBROCK!r}, '--start', 'x=-1.2,y=1', '--format', 'json']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "found = {'llvmlite', 'ctypes', 'numpy', 'hashlib', 'gdcli.solve.native_steps', 'gdcli.compile.machine_code',"
        " 'gdcli.compile.native_compiler', 'gdcli.objective.native_objective'} & set(sys.modules)\n"
        "print(sorted(found), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_an_endless_run_hears_an_interrupt(engine: str) -> None:
    """Long after the switch to machine code: the best point is printed, exit code 130."""
    pytest.importorskip("llvmlite")
    code = "import sys; from gdcli.cli.app import main; sys.exit(main())"
    words = [
        *LONG[:-3],
        "1e-12",
        "--tol",
        "0",
        "--max-iter",
        str(10**12),
        "--format",
        "json",
        "--engine",
        engine,
    ]
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4.0)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20.0)
    finally:
        process.kill()
    assert process.returncode == 130
    answer = json.loads(out)
    assert answer["reason"] == "interrupted"
    assert answer["iterations"] > 100_000
    looks = (
        answer["evaluations"]["value"] - answer["iterations"] - 1
    )  # those of the certificate, a step cut short
    assert 0 <= looks <= 100
