"""The record of predictions: what a stored fit says of new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import dataclass
from gdcli.record.fits import FitRecord
from gdcli.record.groups import Group
from gdcli.record.schema import SCHEMA, Record
from gdcli.tasks.fit.group_predictions import FittedGroups, key_of
from gdcli.tasks.fit.prediction import FittedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsRecord(Record):
    """``rows`` have the columns that the formula reads, and under the names of `PREDICTED` what is said of each."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "predictions"}

    expression: str
    interval: str
    level: float
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    version: str = __version__


def fitted_answer(found: FitRecord) -> FittedAnswer:
    problem, known = found.problem, bool(found.problem.sigma) and not found.problem.scale_sigma
    squares = found.residual_sd is not None and not known
    return FittedAnswer(
        problem.expression,
        tuple(problem.let or ()),
        problem.constants,
        problem.columns or {},
        problem.space.lengths,
        found.x,
        problem.loss or "",
        problem.weights,
        problem.sigma,
        found.covariance_factor,
        1.0 if known else found.residual_sd,
        float(found.rows.learned - (found.rank or 0)) if squares else inf,
        found.ranges or {},
        {text: (c.base, c.parameters) for text, c in (problem.categories or {}).items()},
        {name: (d.unit, d.origin, d.day_first, d.form) for name, d in (problem.dates or {}).items()},
    )


def fitted_groups(found: Sequence[Group]) -> FittedGroups:
    answers: dict[tuple[Any, ...], FittedAnswer | str] = {}
    for group in found:
        answers[key_of(group.labels)] = group.message if group.found is None else fitted_answer(group.found)
    return FittedGroups(tuple(found[0].labels), answers)
