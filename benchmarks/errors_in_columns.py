"""Errors in columns: `gd fit --sigma-x` against ODRPACK95 (the package odrpack), in process.

    python benchmarks/errors_in_columns.py [rows] [rounds]

The first example of ODRPACK95's guide, a line with York's weights, curves of many rows. ODRPACK95 gets arrays and a
model function with derivatives by differences, as its users write it; gd gets the text. Both get the same weights.
Times are medians of runs that take turns. Bars: sums of squares that are no larger, by 1e-9 of themselves, and the time
of odrpack from 10 000 rows on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from measure import alternate, sizes, table

from gdcli import api

PEARSON_X = [0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4]
PEARSON_Y = [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5]
WEIGHTS_X = [1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1]
WEIGHTS_Y = [1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500]
EXAMPLE_X = [0, 0, 5, 7, 7.5, 10, 16, 26, 30, 34, 34.5, 100]
EXAMPLE_Y = [1265, 1263.6, 1258, 1254, 1253, 1249.8, 1237, 1218, 1220.6, 1213.8, 1215.5, 1212]


class Case(NamedTuple):
    """A fit of ``y ~ model`` from a start; sigma of x is 0 where x is exact."""

    name: str
    model: str
    function: Callable[[Any, Any], Any]
    x: Any
    y: Any
    sigma_x: Any
    sigma_y: Any
    start: dict[str, float]


def cases(rows: int) -> list[Case]:
    """Return the problems; the last ones have so many rows."""
    x, y = np.array(EXAMPLE_X, float), np.array(EXAMPLE_Y, float)
    draw = np.random.default_rng(0)
    true = np.sort(draw.uniform(0.0, 5.0, rows))
    decay = 3.0 * np.exp(-0.8 * true) + 0.5 + 0.05 * draw.standard_normal(rows)
    wave = 2.0 * np.sin(1.5 * true + 0.3) + 0.05 * draw.standard_normal(rows)
    seen = true + 0.1 * draw.standard_normal(rows)
    return [
        Case(
            "ODRPACK95, example 1", "b1 + b2*(exp(b3*x) - 1)^2",
            lambda x, b: b[0] + b[1] * (np.exp(b[2] * x) - 1.0) ** 2,
            x, y, np.where((x == 0.0) | (x == 100.0), 0.0, 1.0), np.ones(len(x)),
            {"b1": 1500.0, "b2": -50.0, "b3": -0.1},
        ),
        Case(
            "Pearson's line, York's weights", "a + b*x", lambda x, b: b[0] + b[1] * x,
            np.array(PEARSON_X), np.array(PEARSON_Y), np.array(WEIGHTS_X, float) ** -0.5,
            np.array(WEIGHTS_Y, float) ** -0.5, {"a": 5.0, "b": -0.5},
        ),
        Case(
            f"decay, {rows:.0e} rows", "a*exp(-k*x) + c", lambda x, b: b[0] * np.exp(-b[1] * x) + b[2],
            seen, decay, np.full(rows, 0.1), np.full(rows, 0.05), {"a": 1.0, "k": 1.0, "c": 0.0},
        ),
        Case(
            f"wave, {rows:.0e} rows", "a*sin(w*x + p)", lambda x, b: b[0] * np.sin(b[1] * x + b[2]),
            seen, wave, np.full(rows, 0.1), np.full(rows, 0.05), {"a": 1.5, "w": 1.4, "p": 0.5},
        ),
    ]  # fmt: skip


def by_gd(case: Case) -> tuple[Any, Any, float]:
    """Return the parameters, their relative errors (of sigma 1) and the sum of squares."""
    data = {"x": case.x, "y": case.y, "sx": case.sigma_x, "sy": case.sigma_y}
    found = api.fit(f"y ~ {case.model}", data, case.start, sigma="sy", sigma_x={"x": "sx"})
    assert found.status.exit_code == 0, found.message
    errors = found.statistics.errors.standard_errors if found.statistics else ()
    return np.array(list(found.point.values())), np.array(errors), found.value


def by_odrpack(case: Case) -> tuple[Any, Any, float]:
    """Return the same; odrpack scales its errors by the residuals, gd does not where sigmas are known."""
    from odrpack import odr_fit

    exact = case.sigma_x == 0.0
    found = odr_fit(
        case.function, case.x, case.y, np.array(list(case.start.values())),
        weight_x=np.where(exact, 1.0, case.sigma_x) ** -2.0, weight_y=case.sigma_y**-2.0, fix_x=exact,
    )  # fmt: skip
    deviations = np.asarray(found.sd_beta) / np.sqrt(found.res_var)
    return np.asarray(found.beta), deviations, float(found.sum_square)


def main() -> None:
    rows, rounds = sizes(10_000, 5)
    head = [
        "",
        "sum of squares",
        "odrpack's",
        "parameters differ",
        "errors",
        "gd, ms",
        "odrpack, ms",
        "ratio",
    ]
    lines: list[list[str]] = []
    for case in cases(rows):
        ours, theirs = by_gd(case), by_odrpack(case)
        times = alternate({"gd": partial(by_gd, case), "odr": partial(by_odrpack, case)}, rounds)
        gd, odr = 1e3 * times["gd"], 1e3 * times["odr"]
        lines.append([
            case.name,
            f"{ours[2]:.10g}",
            f"{theirs[2] / ours[2] - 1.0:+.1e}",
            f"{np.max(np.abs(ours[0] / theirs[0] - 1.0)):.1e}",
            f"{np.max(np.abs(ours[1] / theirs[1] - 1.0)):.1e}",
            f"{gd:.1f}",
            f"{odr:.1f}",
            f"{gd / odr:.2f}",
        ])  # fmt: skip
    print(table(head, lines))


if __name__ == "__main__":
    main()
