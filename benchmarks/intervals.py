"""Intervals of a fit: by the profile and by the bootstrap, against lmfit, iminuit and R where they are installed.

    python benchmarks/intervals.py [rows] [samples] [rounds]

``a*exp(-b*x) + c`` with noise. Fits and profiles are of 1000 rows; profile is the time until its ends are known, with
the fit. The bootstrap is of 100 rows: 2000 samples of residuals, of which those who fit them one by one fit a tenth,
and are counted ten times. Times are those of the processor, in process; R measures its own (Rscript: nls and confint).
Bars: the profile within 5 times the fit, the bootstrap within a second.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from math import erf
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from measure import sizes, spent, table

START = {"a": 1.0, "b": 1.0, "c": 0.0}
BOOTSTRAP_ROWS, PART = 100, 10
TASKS = ("fit", "profile", "bootstrap")
R = """
files <- commandArgs(TRUE); samples <- as.integer(files[3]); rounds <- as.integer(files[4])
fit <- function(d) nls(y ~ a*exp(-b*x) + c, d, start = list(a = 1, b = 1, c = 0))
spent <- function(call) min(sapply(seq_len(rounds), function(k) sum(system.time(call())[1:2])))
d <- read.csv(files[1]); few <- read.csv(files[2])
m <- fit(d); small <- fit(few); r <- residuals(small); f <- fitted(small)
again <- function() for (k in seq_len(samples)) fit(data.frame(x = few$x, y = f + sample(r, replace = TRUE)))
cat(spent(function() for (k in 1:20) fit(d))/20, spent(function() suppressMessages(confint(m))), spent(again), "\\n")
cat(suppressMessages(confint(m)), "\\n")
"""
Times = dict[str, float]


def rows_of(count: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    x = np.linspace(0.0, 4.0, count)
    return {"x": x, "y": 2.0 * np.exp(-1.3 * x) + 0.5 + 0.05 * draw.standard_normal(count)}


def resampled(fit: Callable[[Any], Any], few: Any, fitted: Any, samples: int) -> Callable[[], None]:
    """Return a call that fits samples of residuals one by one."""

    def call() -> None:
        draw = np.random.default_rng(1)
        for _ in range(samples):
            fit(fitted + draw.choice(few["y"] - fitted, len(fitted)))

    return call


def by_gd(data: Any, few: Any, samples: int, rounds: int) -> tuple[Times, Any]:
    from gdcli import api

    fit = partial(api.fit, "y ~ a*exp(-b*x) + c", start=START)
    fit(data)
    seconds = {
        "fit": spent(lambda: fit(data), rounds)[0],
        "profile": spent(lambda: fit(data, intervals="profile"), rounds)[0],
        "bootstrap": spent(lambda: fit(few, intervals="bootstrap", samples=samples), rounds)[0],
    }
    statistics = fit(data, intervals="profile").statistics
    return seconds, np.array(statistics.errors.intervals)


def by_lmfit(data: Any, few: Any, samples: int, rounds: int) -> tuple[Times, Any]:
    from lmfit import Model

    model = Model(lambda x, a, b, c: a * np.exp(-b * x) + c)
    time, found = spent(lambda: model.fit(data["y"], x=data["x"], **START), rounds)
    small = model.fit(few["y"], x=few["x"], **START)
    fits = resampled(lambda y: model.fit(y, x=few["x"], **START), few, small.best_fit, samples // PART)
    profile, ends = spent(lambda: found.conf_interval(sigmas=[0.95]), rounds)
    pairs = np.array([[one[0][1], one[-1][1]] for one in ends.values()])
    return {"fit": time, "profile": time + profile, "bootstrap": PART * spent(fits, 1)[0]}, pairs


def by_iminuit(data: Any, few: Any, samples: int, rounds: int) -> tuple[Times, Any]:
    from iminuit import Minuit
    from iminuit.cost import LeastSquares

    from gdcli.judge.distributions import student_t_quantile

    def model(x: Any, a: float, b: float, c: float) -> Any:
        return a * np.exp(-b * x) + c

    def fit(rows: Any, sd: float = 0.05) -> Any:
        return Minuit(LeastSquares(rows["x"], rows["y"], sd, model), **START).migrad().hesse()

    time, first = spent(lambda: fit(data), rounds)
    sd = 0.05 * (first.fval / (len(data["y"]) - 3)) ** 0.5  # the unit of the profile is the residual variance
    # its quantiles are normal, those of the others Student's
    level = erf(student_t_quantile(0.95, len(data["y"]) - 3) / 2.0**0.5)
    profile, found = spent(lambda: fit(data, sd).minos(cl=level), rounds)
    again = resampled(lambda y: fit(few | {"y": y}), few, model(few["x"], *fit(few).values), samples // PART)
    pairs = np.array([[p.value + p.merror[0], p.value + p.merror[1]] for p in found.params])
    return {"fit": time, "profile": profile, "bootstrap": PART * spent(again, 1)[0]}, pairs


def by_r(data: Any, few: Any, samples: int, rounds: int) -> tuple[Times, Any]:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("rows.csv", "few.csv", "fit.R")]
        for file, rows in zip(files, (data, few), strict=False):
            file.write_text(
                "x,y\n"
                + "".join(
                    f"{x!r},{y!r}\n" for x, y in zip(*map(np.ndarray.tolist, rows.values()), strict=True)
                )
            )
        files[2].write_text(R)
        words = ["Rscript", str(files[2]), *map(str, files[:2]), str(samples // PART), str(rounds)]
        out = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    fit, profile, bootstrap = map(float, out[0].split())
    pairs = np.array(out[1].split(), float).reshape(2, 3).T
    return {"fit": fit, "profile": fit + profile, "bootstrap": PART * bootstrap}, pairs


def main() -> None:
    count, samples, rounds = sizes(1000, 2000, 5)
    data, few = rows_of(count), rows_of(BOOTSTRAP_ROWS)
    ways = {"gd": by_gd}
    ways |= {
        name: way
        for name, way in (("lmfit", by_lmfit), ("iminuit", by_iminuit))
        if importlib.util.find_spec(name)
    }
    if shutil.which("Rscript"):
        ways["R"] = by_r
    seen = {name: way(data, few, samples, rounds) for name, way in ways.items()}
    ours, ends = seen["gd"]
    half = (ends[:, 1] - ends[:, 0])[:, None] / 2.0
    rows = []
    for name, (times, pairs) in seen.items():
        cells = [f"{1e3 * times[task]:.1f}" for task in TASKS]
        ratios = [f"{times[task] / ours[task]:.2f}" for task in TASKS]
        off = np.max(np.abs(pairs - ends) / half)
        rows.append([name, *cells, f"{times['profile'] / times['fit']:.1f}", *ratios, f"{off:.0e}"])
    print(
        f"{count} rows ({BOOTSTRAP_ROWS} for {samples} samples of the bootstrap), milliseconds of the processor.\n"
    )
    head = ["", *TASKS, "profile / fit", *(f"{task} / gd's" for task in TASKS), "ends differ (half widths)"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
