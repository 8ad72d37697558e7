"""What the rows tell of a fit, as data: see :mod:`gdcli.tasks.fit.diagnostics`, which finds it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple, dataclass

if TYPE_CHECKING:
    from gdcli.judge.residual_tests import Normality, Runs


class ResidualChecks(NamedTuple):
    """The tests of residuals in the order ``over`` a column (None: of the rows); each None where it has no answer."""

    over: str | None
    runs: Runs | None
    durbin_watson: float | None
    normality: Normality | None


class FTest(NamedTuple):
    """A statistic of the F distribution with its degrees of freedom, and how probable chance makes a larger one."""

    statistic: float
    dof: int
    left: int
    p: float


class RowInfluence(NamedTuple):
    """One row: where it stands, leverage, studentised residual, Cook's distance, and d parameter/d y of each."""

    row: str
    leverage: float
    studentised: float | None
    cook: float | None
    moves: tuple[float, ...]


class LabelFigures(NamedTuple):
    """How well labels are told; ``confusion`` counts true negatives, false positives, false negatives, true positives.

    A row counts as often as its weight says. ``calibration`` is the constant and the slope of the line of the logits,
    None where labels are told without fail.
    """

    accuracy: float
    log_loss: float
    auc: float | None
    calibration: tuple[float, float] | None
    confusion: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What is known of a fit; what does not belong to its loss is None.

    ``p_values`` are those of the parameters in flat order, ``outliers`` the places of rows that are some, ``points``
    fitted values, studentised residuals and leverages, row by row, for a picture.
    """

    p_values: tuple[float | None, ...]
    model: FTest | None = None
    checks: ResidualChecks | None = None
    lack_of_fit: FTest | None = None
    outliers: tuple[str, ...] | None = None
    influence: tuple[RowInfluence, ...] = ()
    labels: LabelFigures | None = None
    points: tuple[tuple[float, float, float], ...] = ()
