"""The 27 problems of NIST's Statistical Reference Datasets (nonlinear regression), as objectives over rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path
from typing import Any

from rows_in_memory import Arrays

from gdcli.judge.statistics import Parameters
from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import build_row_model
from gdcli.objective.row_objective import RowObjective

NIST = Path(__file__).parent / "data" / "nist"
PROBLEMS: list[dict[str, Any]] = json.loads((NIST / "nist.json").read_text())["problems"]
STARTS = ("start1", "start2")


def columns(problem: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the data of a problem by column."""
    with (NIST / problem["data"]).open() as file:
        header, *rows = csv.reader(file)
    return {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}


def objective_of(model: str, data: Arrays, **options: Any) -> RowObjective:
    """Return the objective of a model over columns; its value is the sum of squares, not their mean."""
    parsed = parse_model(model)
    names = sort_names(parsed, data.names, {}, {}, {})
    return RowObjective(build_row_model(parsed, names, {}, **options), data, scale=data.rows)


def objective(problem: Mapping[str, Any]) -> RowObjective:
    """Return the objective of a problem."""
    return objective_of(problem["model"], Arrays(**columns(problem)))


def ordered(made: RowObjective, numbers: Mapping[str, float]) -> Any:
    """Return numbers given by name as a vector of the objective."""
    return made.vector([numbers[name] for name in made.space.names])


def digits(found: Sequence[float], certified: Sequence[float]) -> float:
    """Return how many digits are right in all numbers: minus log10 of the largest relative error, 11 at most."""
    error = max(abs(a - b) / abs(b) for a, b in zip(found, certified, strict=True))
    return min(11.0, -log10(max(error, 1e-300)))


def parameters(made: RowObjective, x: Sequence[float], held: Sequence[bool] = (), **more: Any) -> Parameters:
    """Return the parameters of a fit at x, all free but those held."""
    free = [not stays for stays in held] or [True] * len(x)
    return Parameters(x, made.space.names, free, **more)
