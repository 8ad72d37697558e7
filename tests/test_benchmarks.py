"""The benchmark scripts run: each with sizes so small that it takes a second, so that none falls behind the package."""

from __future__ import annotations

import runpy
import shutil
import sys
import warnings
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
# The words of a command line that make a script small, and what it must print.
RUNS = {
    "whole_command.py": ("1", "gd minimize --emit latex"),
    "derivatives.py": ("3", "median of all"),
    "vectors.py": ("1000", "prod(v)"),
    "native.py": ("400 1000 1000 1", "logistic, 1e+03 rows, C 2 threads over 1"),
    "solvers.py": ("1 2", "| gd auto "),
    "nist.py": ("1", "| scipy tight "),
    "rows.py": ("1000", "logistic, 5 features"),
    "weights.py": ("300 1", "| gd fit "),
    "stochastic.py": ("20000 1", "logistic, 256"),
    "speed_small.py": ("1 3 1000", "| L-BFGS iteration "),
    "reading.py": ("1000", "gz, 2e+03 rows"),
    "pipes.py": ("20 1", "(x-a)**2"),
    "checkpoints.py": ("1 10000", "200 000 variables, L-BFGS"),
    "groups.py": ("20 1", "curve_fit has"),
    "intervals.py": ("50 50 1", "| gd "),
    "errors_in_columns.py": ("100 1", "wave, 1e+02 rows"),
    "cluster.py": ("2000 1", "1000 workers, 1e+11 rows"),
    "constrained.py": ("3", "| gd "),
    "portfolio.py": ("20 40 1", "| HiGHS "),
    "global_search.py": ("2", "| gd --global "),
    "systems.py": ("2", "| Powell badly scaled "),
    "starts.py": ("diode", "| everyday models | 4 of 4"),
    "auto_constants.py": ("1 2 2", "as they are"),
    "hostile.py": ("nested lists", "exit 2"),
    "house.py": ("", "lines in gdcli/"),
    "pages.py": ("1", "| a step of |"),
}
NEEDS = {
    "whole_command.py": ["octave-cli", "script"],
    "native.py": ["gcc"],
    "pages.py": ["chromium"],
    "stochastic.py": ["gcc"],
}
MODULES = {
    "cluster.py": "distributed",
    "errors_in_columns.py": "odrpack",
    "groups.py": "polars",
    "native.py": "llvmlite",
    "pages.py": "playwright",
    "reading.py": "polars",
}


def test_the_notes_stand_once() -> None:
    """`run_all.py` ends the page with them."""
    page, notes = ((FOLDER / name).read_text(encoding="utf-8") for name in ("README.md", "notes.md"))
    assert page.endswith(notes)


def test_every_benchmark_is_run_here() -> None:
    listed = runpy.run_path(str(FOLDER / "run_all.py"), run_name="listed")["SCRIPTS"]
    scripts = {path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert set(listed) <= set(RUNS)
    assert set(RUNS) == scripts - {"run_all.py", "make_csv.py"}  # make_csv writes what reading.py reads


@pytest.mark.every(2)
@pytest.mark.parametrize("script", RUNS)
def test_it_runs(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for program in NEEDS.get(script, ()):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if script in MODULES:
        pytest.importorskip(MODULES[script])
    pytest.importorskip("scipy")
    words, shown = RUNS[script]
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setattr(sys, "argv", [script, *words.split()])
    # Scripts set some of these for the processes that they start.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, where a run of its fails
        runpy.run_path(str(FOLDER / script), run_name="benchmark")["main"]()
    assert shown in capsys.readouterr().out
