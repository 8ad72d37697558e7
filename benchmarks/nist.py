"""The 27 NIST nonlinear regression problems from both starts: right digits and passes over the data.

Digits are the right digits of the worst parameter (11 are certified) and of the worst standard error. A pass is one
evaluation of all residuals, or of all residuals and their Jacobian, Hessian or second derivative along a step. `gd` is
the method lm; scipy's curve_fit runs with its defaults (difference quotients) and with the exact Jacobian and all
tolerances at 1e-15, on the same compiled programs.

    python benchmarks/nist.py [problems]

The last table is the default command under the sets of kernels that this processor can be made to compute with.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import sizes, table
from scipy.optimize import curve_fit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import nist  # the problems stand with the tests
from kernels import kernel_sets

from gdcli import api
from gdcli.judge.statistics import Spread, fit_statistics
from gdcli.kernel.status import Status
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.run import run
from gdcli.solve.settings import MaxIterations

WANTED, WANTED_ERRORS = 9.0, 6.0
LANCZOS1_ERRORS = 3.0


class Fit(NamedTuple):
    """What a run gave: parameters and errors by name (None: it failed), and the passes of each kind."""

    point: Mapping[str, float] | None
    errors: Mapping[str, float] | None
    values: int
    derivatives: int


def by_gd(made: RowObjective, start: Mapping[str, float]) -> Fit:
    """Fit with the method lm."""
    before = made.counts.copy()
    result = run(made, LevenbergMarquardt(), nist.ordered(made, start), [MaxIterations(10_000)])
    spent = made.counts.copy()
    triangle = made.linearise(result.best.at, made.has_wide)
    assert triangle is not None
    told = fit_statistics(triangle, nist.parameters(made, result.best.at.x), Spread(made.data.rows))
    errors = {n: e or 0.0 for n, e in zip(made.space.names, told.errors.standard_errors, strict=True)}
    derivatives = spent.gradient + spent.product + spent.hessian
    derivatives -= before.gradient + before.product + before.hessian
    point = dict(zip(made.space.names, map(float, result.best.at.x), strict=True))
    return Fit(point, errors, spent.value - before.value, derivatives)


def by_scipy(tight: bool) -> Callable[[RowObjective, Mapping[str, float]], Fit]:
    """Return a fit with curve_fit: its defaults, or the exact Jacobian and tolerances of 1e-15."""

    def fit(made: RowObjective, start: Mapping[str, float]) -> Fit:
        calls = {"value": 0, "jacobian": 0}

        def residuals(_: Any, *x: float) -> Any:
            calls["value"] += 1
            return np.concatenate([np.array(values[-1]) for _, values in made.pieces("jacobian", x)])

        def jacobian(_: Any, *x: float) -> Any:
            calls["jacobian"] += 1
            return np.vstack([np.stack(values[:-1], axis=1) for _, values in made.pieces("jacobian", x)])

        options = (
            {"jac": jacobian, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "maxfev": 10_000} if tight else {}
        )
        rows = made.data.rows
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                point, covariance = curve_fit(
                    residuals, np.arange(rows), np.zeros(rows), nist.ordered(made, start), **options
                )
        except RuntimeError:
            return Fit(None, None, calls["value"], calls["jacobian"])
        names = made.space.names
        with np.errstate(all="ignore"):
            errors = np.sqrt(np.diag(covariance))
        return Fit(
            dict(zip(names, point, strict=True)), dict(zip(names, errors, strict=True)), *calls.values()
        )

    return fit


def right(found: Mapping[str, float] | None, certified: Mapping[str, float]) -> float:
    """Return the right digits of the worst number, 0 where there are none."""
    if found is None or not all(np.isfinite(list(found.values()))):
        return 0.0
    return max(0.0, nist.digits([found[n] for n in certified], list(certified.values())))


def is_enough(name: str, digits: float, errors: float) -> bool:
    """Tell whether a run of a problem reached the bar."""
    return digits >= WANTED and errors >= (LANCZOS1_ERRORS if name == "Lanczos1" else WANTED_ERRORS)


def reached(problems: Sequence[dict[str, Any]]) -> int:
    """Return how many runs reach the bar by what `gd fit` does without any option but the start."""
    count = 0
    for problem in problems:
        for start in nist.STARTS:
            told = api.fit(problem["model"], str(nist.NIST / problem["data"]), problem[start])
            found = told.statistics.errors.standard_errors if told.statistics else ()
            errors = {name: e or 0.0 for name, e in zip(told.space.names, found, strict=True)}
            point = dict(zip(told.space.names, map(float, told.run.best.at.x), strict=True))
            digits = right(point, problem["certified"]), right(errors, problem["certified_se"])
            count += told.status is Status.CONVERGED and is_enough(problem["name"], *digits)
    return count


def by_kernels(most: int) -> list[list[str]]:
    """Return a row per set of kernels: what the environment says, and how many runs reach the bar."""
    rows = []
    for name, environment in kernel_sets().items():
        done = subprocess.run(
            [sys.executable, __file__, str(most), "1"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append([name, " ".join(f"{k}={v}" for k, v in environment.items()), done.stdout.strip()])
    return rows


def main() -> None:
    """Print a row per run, the summary, and what other kernels make of it."""
    most, only_count = sizes(len(nist.PROBLEMS), 0)
    problems = nist.PROBLEMS[:most]
    if only_count:  # what this script asks of itself under other kernels
        print(reached(problems))
        return
    ways = {"gd": by_gd, "scipy": by_scipy(False), "scipy tight": by_scipy(True)}
    rows, scores = [], {name: [0, 0, 0, 0, 0] for name in ways}
    for problem in problems:
        made = nist.objective(problem)
        for start in nist.STARTS:
            row = [problem["name"], start[-1]]
            for name, way in ways.items():
                fit = way(made, problem[start])
                digits = right(fit.point, problem["certified"])
                errors = right(fit.errors, problem["certified_se"])
                score = scores[name]
                enough = is_enough(problem["name"], WANTED, errors)
                for k, is_reached in enumerate((digits >= 6.0, digits >= WANTED, enough)):
                    score[k] += is_reached
                score[3] += fit.values
                score[4] += fit.derivatives
                row += [f"{digits:.1f}", f"{errors:.1f}", f"{fit.values}+{fit.derivatives}"]
            rows.append(row)
    head = ["problem", "start"]
    for name in ways:
        head += [name, "errors", "passes"]
    print(table(head, rows))
    print()
    head = [
        f"{len(rows)} runs",
        "6 digits",
        "9 digits",
        "6 digits of errors",
        "value passes",
        "derivative passes",
    ]
    print(table(head, [[name, *map(str, score)] for name, score in scores.items()]))
    print()
    kernels = by_kernels(most)
    print(table(["kernels", "environment", f"of {len(rows)} runs at the bar by default"], kernels))
    if any(int(row[-1]) < len(rows) for row in kernels):
        raise SystemExit("missed: the default command is to reach the bar on all runs, whatever the kernels")
    if scores["gd"][1] < len(rows) or scores["gd"][2] < len(rows):
        raise SystemExit("missed: gd is to have 9 digits and 6 in the errors (Lanczos1: 3) on all runs")


if __name__ == "__main__":
    main()
