"""`gd fit --start auto` on everyday models with noise, and on the 27 NIST problems: how often it ends at the best
optimum that is known, and how long it takes.

The data of an everyday model are made with its true parameters and noise, from several seeds. The best optimum known is
the lower one of two ends: that of the fit from the true parameters, and that of the search. For NIST's problems it is
the certified sum of squares. The time is what a processor spends on the whole fit, the search included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measure import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import nist  # the problems stand with the tests

from gdcli import api
from gdcli.kernel.errors import GdError

SEEDS = 4
# An end is the best one known when its sum of squares is, to this part; of exact data (Lanczos1) to this one.
SAME, EXACT = 1e-6, 1e-20


def even(low: float, high: float, rows: int) -> Callable[[], Any]:
    """Return a column of evenly spaced numbers."""
    return lambda: np.linspace(low, high, rows)


def decades(low: float, high: float, rows: int, copies: int = 1) -> Callable[[], Any]:
    """Return a column of numbers with even logarithms, each of them several times."""
    return lambda: np.repeat(np.logspace(low, high, rows), copies)


class Everyday(NamedTuple):
    """A model of x, its true parameters, where it is measured, and the noise as a part of the range of y."""

    name: str
    model: str
    truth: Mapping[str, float]
    x: Callable[[], Any]
    noise: float = 0.02


_BACKGROUND = " + p + q*x"


def _peaks(count: int) -> str:
    return " + ".join(f"a{k}*exp(-((x-m{k})/s{k})**2)" for k in range(1, count + 1)) + _BACKGROUND


_PEAKS = {
    "a1": 5.0, "m1": 3.0, "s1": 0.8, "a2": 8.0, "m2": 6.5, "s2": 0.5, "a3": 3.0, "m3": 8.0, "s3": 0.9,
    "p": 1.0, "q": 0.2,
}  # fmt: skip


def _some(*names: str) -> dict[str, float]:
    return {name: _PEAKS[name] for name in (*names, "p", "q")}


_LORENTZ = "a1*g1**2/((x-m1)**2+g1**2)"
EVERYDAY = (
    Everyday("exponential decay", "a*exp(-b*x) + c", {"a": 5, "b": 0.7, "c": 1}, even(0, 10, 60)),
    Everyday("decay, time constant", "a*exp(-x/T) + c", {"a": 5, "T": 2e-6, "c": 1}, even(0, 1e-5, 100)),
    Everyday(
        "two exponentials",
        "a*exp(-b*x) + c*exp(-d*x)",
        {"a": 5, "b": 2.5, "c": 3, "d": 0.3},
        even(0, 10, 100),
        0.005,
    ),
    Everyday("growth by year", "a*exp(b*(x-1950))", {"a": 3, "b": 0.03}, even(1950, 2020, 71)),
    Everyday("logistic growth", "K/(1+exp(-r*(x-m)))", {"K": 90, "r": 0.8, "m": 12}, even(0, 25, 50)),
    Everyday("logistic by year", "K/(1+exp(-r*(x-m)))", {"K": 3e8, "r": 0.05, "m": 1930}, even(1800, 2020, 45)),
    Everyday("Gompertz", "A*exp(-b*exp(-c*x))", {"A": 80, "b": 6, "c": 0.4}, even(0, 20, 50)),
    Everyday("Michaelis-Menten", "V*x/(K+x)", {"V": 210, "K": 0.065}, decades(-1.7, 0.05, 7, 2), 0.04),
    Everyday("inhibited by much", "V*x/(K+x+x**2/I)", {"V": 10, "K": 2, "I": 30}, decades(-1, 2.5, 40)),
    Everyday("Hill", "V*x**n/(K**n+x**n)", {"V": 12, "K": 40, "n": 2.3}, decades(0, 3, 30)),
    Everyday(
        "dose response, 4",
        "bottom + (top-bottom)/(1+(x/ec50)**hill)",
        {"bottom": 5, "top": 95, "ec50": 2e-7, "hill": 1.1},
        decades(-10, -4, 13, 3),
    ),
    Everyday(
        "dose response, 5",
        "bottom + (top-bottom)/(1+(x/ec50)**hill)**s",
        {"bottom": 5, "top": 95, "ec50": 2e-7, "hill": 1.1, "s": 0.6},
        decades(-10, -4, 25, 4),
        0.01,
    ),
    Everyday(
        "dose response, log ec50",
        "bottom + (top-bottom)/(1+10**((lec50-x)*hill))",
        {"bottom": 5, "top": 95, "lec50": -6.7, "hill": 1.1},
        even(-10, -4, 26),
    ),
    Everyday("power law", "a*x**b", {"a": 0.3, "b": 1.7}, decades(-1, 3, 40)),
    Everyday("power law, offset", "a*x**b + c", {"a": 20, "b": -0.6, "c": 3}, decades(0, 3, 40)),
    Everyday("1 Gaussian", _peaks(1), _some("a1", "m1", "s1"), even(0, 10, 100)),
    Everyday("2 Gaussians", _peaks(2), _some("a1", "m1", "s1", "a2", "m2", "s2"), even(0, 10, 150)),
    Everyday("3 Gaussians", _peaks(3), _PEAKS, even(0, 10, 200)),
    Everyday(
        "Lorentzian", f"{_LORENTZ} + c", {"a1": 4, "m1": 4.2, "g1": 0.3, "c": 1}, even(0, 10, 120)
    ),
    Everyday(
        "Lorentzian, megahertz",
        f"{_LORENTZ} + c",
        {"a1": 4, "m1": 1.0003e6, "g1": 40, "c": 1},
        even(0.9995e6, 1.001e6, 150),
    ),
    Everyday(
        "2 Lorentzians",
        f"{_LORENTZ} + {_LORENTZ.replace('1', '2')} + c",
        {"a1": 4, "m1": 4.2, "g1": 0.3, "a2": 2, "m2": 6, "g2": 0.6, "c": 1},
        even(0, 10, 150),
    ),
    Everyday(
        "log-normal", "a*exp(-(log(x/m))**2/(2*s**2))", {"a": 7, "m": 20, "s": 0.5}, decades(-0.5, 3, 60)
    ),
    Everyday(
        "sine", "a*sin(w*x+p) + c", {"a": 3, "w": 7.3, "p": 0.8, "c": 1}, even(0, 10, 120), 0.05
    ),
    Everyday(
        "sine by period",
        "a*sin(2*pi*x/T+p) + c",
        {"a": 3, "T": 3.7, "p": 0.8, "c": 20},
        even(1990, 2020, 120),
        0.05,
    ),
    Everyday(
        "damped oscillation",
        "a*exp(-d*x)*cos(w*x+p) + c",
        {"a": 3, "d": 0.25, "w": 9, "p": 0.8, "c": 0.5},
        even(0, 10, 200),
        0.03,
    ),
    Everyday("Arrhenius", "A*exp(-E/(8.314*x))", {"A": 1e7, "E": 5e4}, even(280, 360, 30)),
    Everyday("Antoine", "A - B/(C+x)", {"A": 8.1, "B": 1730, "C": 233}, even(1, 100, 30), 0.003),
    Everyday("saturation", "a*(1-exp(-k*x))", {"a": 30, "k": 0.02}, even(0, 200, 40)),
    Everyday("stretched", "a*exp(-(x/T)**b)", {"a": 30, "T": 150, "b": 0.6}, decades(0, 3.5, 50)),
    Everyday("rational, 1/1", "(a+b*x)/(1+c*x)", {"a": 1, "b": 3, "c": 0.4}, even(0, 20, 50)),
    Everyday(
        "rational, 2/2",
        "(a+b*x+c*x**2)/(1+d*x+f*x**2)",
        {"a": 1, "b": -1, "c": 0.6, "d": -0.25, "f": 0.05},
        even(0, 10, 80),
        0.005,
    ),
    Everyday("Weibull growth", "a*(1-exp(-(x/s)**k))", {"a": 60, "s": 30, "k": 2.4}, even(1, 80, 50)),
    Everyday(
        "Weibull density",
        "n*(k/s)*(x/s)**(k-1)*exp(-(x/s)**k)",
        {"n": 500, "k": 1.9, "s": 12},
        even(0.5, 40, 60),
    ),
    Everyday(
        "diode", "I*(exp(x/(n*0.02585))-1)", {"I": 1e-12, "n": 1.3}, even(0.3, 0.75, 40), 0.005
    ),
    Everyday(
        "van Genuchten",
        "r + (t-r)/(1+(a*x)**n)**(1-1/n)",
        {"r": 0.08, "t": 0.43, "a": 0.03, "n": 1.7},
        decades(0, 4, 40),
        0.01,
    ),
    Everyday("broken line", "a + b*x + d*max(x-c, 0)", {"a": 1, "b": 0.5, "d": -1.2, "c": 6}, even(0, 10, 60)),
)  # fmt: skip


class Case(NamedTuple):
    """One fit: its model, its columns, a start from which the fit is known to be good, the best sum known."""

    name: str
    model: str
    columns: Mapping[str, Any]
    start: Mapping[str, float]
    best: float | None = None


def data_of(one: Everyday, seed: int) -> dict[str, Any]:
    """Return the columns x and y of an everyday model."""
    x = one.x()
    names = {name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "maximum")}
    text = one.model.replace("max(", "maximum(")
    y = eval(text, {"__builtins__": {}, "pi": np.pi, **names}, {"x": x, **one.truth})
    rng = np.random.default_rng(seed)
    return {"x": x, "y": y + one.noise * (y.max() - y.min()) * rng.normal(size=len(x))}


def everyday(seeds: int) -> Iterator[Case]:
    """Yield the everyday models, each with so many seeds of noise."""
    for one in EVERYDAY:
        for seed in range(seeds):
            yield Case(one.name, f"y ~ {one.model}", data_of(one, seed), one.truth)


def certified() -> Iterator[Case]:
    """Yield NIST's problems."""
    for problem in nist.PROBLEMS:
        columns = {name: np.array(column) for name, column in nist.columns(problem).items()}
        best = float(problem["certified_rss"])
        yield Case(problem["name"], problem["model"], columns, problem["certified"], best)


class Try(NamedTuple):
    """What came of a search: whether it reached the best known optimum, the ratio to it, seconds, and the status."""

    reached: bool
    ratio: float
    seconds: float
    status: str


def tried(case: Case, seed: int = 0) -> Try:
    """Fit without a start, and judge."""
    begin = time.process_time()
    try:
        found = api.fit(case.model, case.columns, "auto", seed=seed)
        value, status = found.value, found.status.value
    except GdError as error:
        value, status = float("inf"), error.message
    spent = time.process_time() - begin
    best = case.best
    if best is None:
        best = min(api.fit(case.model, case.columns, dict(case.start)).value, value)
    size = float(np.sum(np.square(case.columns["y"])))
    reached = status == "converged" and value <= best * (1.0 + SAME) + EXACT * size
    return Try(reached, value / best if best > 0.0 else 1.0, spent, status)


def summary(name: str, tries: list[Try]) -> list[str]:
    """Return a row of the table."""
    worst = max(one.ratio for one in tries)
    missed = sorted({one.status for one in tries if one.status != "converged"})
    return [
        name,
        f"{sum(one.reached for one in tries)} of {len(tries)}",
        f"{worst:.6g}" if worst > 1.0 + SAME else "",
        f"{np.median([one.seconds for one in tries]):.2f}",
        f"{max(one.seconds for one in tries):.2f}",
        ", ".join(missed),
    ]


def main() -> None:
    """Print a row per model, those named on the command line or all, and the share of each set."""
    wanted = sys.argv[1:]
    head = ["model", "best", "worst ratio", "median s", "most s", "other ends"]
    rows, totals = [], []
    for title, cases in (("everyday models", list(everyday(SEEDS))), ("NIST", list(certified()))):
        if wanted:
            cases = [case for case in cases if any(w in case.name for w in wanted)]
        seeds = 1 if title != "NIST" else SEEDS
        by_name: dict[str, list[Try]] = {}
        for case in cases:
            by_name.setdefault(case.name, []).extend(tried(case, seed) for seed in range(seeds))
        rows += [summary(name, tries) for name, tries in by_name.items()]
        totals.append(
            summary(title, [one for tries in by_name.values() for one in tries])
        ) if by_name else None
    print(table(head, rows))
    print()
    print(table(["in all", *head[1:]], totals))
    missed = [row[0] for row in rows if len(set(row[1].split(" of "))) > 1]
    if missed:
        raise SystemExit(f"missed: the best optimum of {', '.join(missed)}")


if __name__ == "__main__":
    main()
