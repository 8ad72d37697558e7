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
from gdcli.tasks.fit.fit_outcome import ResponsePart
from gdcli.tasks.fit.prediction import FittedAnswer, FittedGroups, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsRecord(Record):
    """``rows`` have the columns that the formula reads, and under the names of `PREDICTED` what is said of each.

    Of several ``responses`` the names begin with the left side and _.
    """

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "predictions"}

    expression: str
    interval: str
    level: float
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    responses: tuple[ResponsePart, ...] = ()
    version: str = __version__


def fitted_answer(found: FitRecord) -> FittedAnswer:
    problem = found.problem
    squares = found.residual_sd is not None and (not problem.sigma or problem.scale_sigma)
    return FittedAnswer.of_problem(
        problem,
        found.residual_sd,
        problem.columns or {},
        problem.space.lengths,
        found.x,
        found.covariance_factor,
        float(found.rows.learned - (found.rank or 0)) if squares else inf,
        found.ranges or {},
        {text: (c.base, c.parameters) for text, c in (problem.categories or {}).items()},
        {name: (d.unit, d.origin, d.day_first, d.form) for name, d in (problem.dates or {}).items()},
        found.responses,
    )


def fitted_groups(found: Sequence[Group]) -> FittedGroups:
    answers: dict[tuple[Any, ...], FittedAnswer | str] = {}
    for group in found:
        answers[key_of(group.labels)] = group.message if group.found is None else fitted_answer(group.found)
    return FittedGroups(tuple(found[0].labels), answers)
