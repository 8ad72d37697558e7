"""A small problem of least squares."""

from __future__ import annotations

from collections.abc import Mapping

import nist
import numpy as np

from gdcli.objective.bounded import Bounded
from gdcli.objective.protocol import Box
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.run import run
from gdcli.solve.settings import MaxIterations

X = np.linspace(0.1, 5.0, 30)


NOISE = 0.05 * np.random.default_rng(0).normal(size=30)


Y = 2.0 * np.exp(-1.3 * X) + 0.5


def solved(
    made: RowObjective,
    start: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]] | None = None,
    tol: float = 1e-8,
) -> RunResult:
    free = (-np.inf, np.inf)
    sides = [[(bounds or {}).get(name, free)[k] for name in made.space.names] for k in (0, 1)]
    objective = Bounded(made, Box(*(made.vector(side) for side in sides))) if bounds else made
    return run(objective, LevenbergMarquardt(tol), nist.ordered(made, start), [MaxIterations(2000)])
