"""What came of a fit: the answer of every run, and what it says of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.number_format import amount
from gdcli.kernel.vectors import Space, lengths_of
from gdcli.tasks.pipeline import Outcome

if TYPE_CHECKING:
    from gdcli.judge.fit_tests import Normality, Runs
    from gdcli.judge.statistics import FitStatistics
    from gdcli.tasks.fit.request import FitProblem, FitSettings


class RowCount(NamedTuple):
    """How many rows were used and how many skipped; ``lines`` tells where the first skipped ones stand.

    ``held_back`` of those used are for validation alone: nothing is learned from them. ``dropped`` are those, of
    the range asked for, of which the condition of ``--rows`` does not hold. ``notes`` tell what was found out of files.
    """

    used: int
    skipped: int = 0
    lines: tuple[str, ...] = ()
    held_back: int = 0
    dropped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def learned(self) -> int:
        """The rows that the answer is fitted to, on which all that is told of the fit rests."""
        return self.used - self.held_back

    @property
    def told(self) -> str:
        return f"{amount(self.skipped, 'row')} skipped for missing or bad cells, first at {', '.join(self.lines)}"


class GroupPart(NamedTuple):
    """What a fit with shared parameters says of one group: its own parameters by name, with errors and intervals.

    ``covariance_factor`` has the rows of its own parameters of the triangle U, where those of the shared ones follow,
    with U U' the covariance of all of them; ``ranges`` tell from where to where its columns go.
    """

    group: Mapping[str, str | float]
    rows: int
    value: float
    point: Mapping[str, float | list[float]]
    standard_errors: Mapping[str, float | list[float | None] | None]
    confidence: Mapping[str, Any]
    covariance_factor: list[list[float]] | None = None
    ranges: Mapping[str, tuple[float, float]] | None = None

    def rows_of_parameters(self) -> list[list[Any]]:
        """Return for each number its name, value, standard error, t, and the ends of its interval."""
        space = Space(lengths_of(self.point))
        parts: tuple[Mapping[str, Any], ...] = (self.point, self.standard_errors, self.confidence)
        values, errors, ends = (
            [v for n in space.names for v in ([part[n]] if space.lengths[n] is None else part[n])]
            for part in parts
        )
        return [
            [space.label(i), value, error, value / error if error else None, *(pair or (None, None))]
            for i, (value, error, pair) in enumerate(zip(values, errors, ends, strict=True))
        ]


class ResponsePart(NamedTuple):
    """What a fit of several responses says of one: its ``model``, the sum of squares ``value``, and the standard
    deviation of its residuals by maximum likelihood.
    """

    response: str
    model: str
    rows: int
    value: float
    residual_sd: float
    r_squared: float | None


class AnswerNoise(NamedTuple):
    """What keeps the mean loss of the answer of a run by epochs above its minimum.

    ``gap`` is how far it is above, by a Newton step; ``excess`` and ``deviation`` are mean and standard deviation of
    that over runs with other seeds, ``standard_error`` their root mean square. None where it is not known.
    """

    gap: float | None
    excess: float | None
    deviation: float | None
    standard_error: float | None
    settled: bool | None


class Move(NamedTuple):
    """How far the rows were moved along a column: root mean square, and the largest move with its row, from 1."""

    typical: float
    largest: float
    row: int


class CorrectedPoints(NamedTuple):
    """Where rows with errors in columns were moved: the nearest points of the curve, by column, what the model says
    there, and the effective standard deviation of each row.

    That is the one of ``y - f(x)`` with the errors of all columns in it, ``sqrt(sigma**2 + |f_x sigma_x|**2)``; it is
    in the unit of y, with sigma 1 where that is unknown. The lists are empty where there are too many rows.
    """

    moves: Mapping[str, Move]
    points: Mapping[str, list[float]]
    fitted: list[float]
    effective_sigma: list[float]


class Interval(NamedTuple):
    """An interval of a parameter, and why its ends are where they are although the likelihood falls no further."""

    low: float
    high: float
    why_low: str = ""
    why_high: str = ""


class Derived(NamedTuple):
    """A quantity that follows from the parameters, with its standard error and interval; None where there is none."""

    name: str
    text: str
    value: float
    error: float | None
    interval: Interval | None


class BootstrapFacts(NamedTuple):
    """What was drawn (``kind``), how many ``samples``, how many of them could not be solved, and by number of the
    parameter (of derived quantities from the last on) the deviation of the estimates and the percentile intervals.
    """

    kind: str
    samples: int
    failed: int
    errors: tuple[float, ...]
    percentile: tuple[tuple[float, float], ...]


class FitIntervals(NamedTuple):
    """How the intervals were made, and those by the profile: of all parameters, None where there is none, or of those
    (by number, of derived quantities from the last on) whose Wald interval is ``lopsided``; None there where they were
    not computed. ``better`` is the value and the point of a better fit that the profile came to.
    """

    kind: str
    profile: tuple[Interval | None, ...] = ()
    lopsided: Mapping[int, Interval | None] = {}
    better: tuple[float, Mapping[str, float | list[float]]] | None = None
    bootstrap: BootstrapFacts | None = None


class JointRegion(NamedTuple):
    """The joint region of two parameters (``names``), the others re-optimised: the quantile of F(2, ``dof``), of
    chi-square with 2 degrees of freedom where ``dof`` is inf.

    ``extents`` are the intervals that hold it, ``points`` of the curve around it are in their order, the last the first
    where the curve closes; ``why`` it does not, or there is no region (empty: it closes).
    """

    names: tuple[str, ...]
    dof: float
    extents: tuple[Interval, ...]
    points: tuple[tuple[float, float], ...]
    why: str = ""


class ResidualChecks(NamedTuple):
    """The tests of residuals in the order ``over`` a column (None: of the rows); each None where it has no answer."""

    over: str | None
    runs: Runs | None
    durbin_watson: float | None
    normality: Normality | None


class FTest(NamedTuple):
    """A statistic of the F distribution with its degrees of freedom, and how probable chance makes a larger one.

    Of the distribution of chi-square ``left`` is None.
    """

    statistic: float
    dof: int
    left: int | None
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

    The test of the whole ``model`` is ``by`` F, chi-square or likelihood-ratio, ``against`` a constant or zero; its p
    is ``rough`` where parameters have no meaning there.
    ``p_values`` are those of the parameters in flat order, ``outliers`` the places of rows that are some, ``points``
    fitted values, studentised residuals and leverages, row by row, for a picture. So are ``profiles``, by parameter
    pairs of its value and the signed root of the fall of the likelihood there.
    """

    p_values: tuple[float | None, ...]
    model: FTest | None = None
    checks: ResidualChecks | None = None
    lack_of_fit: FTest | None = None
    outliers: tuple[str, ...] | None = None
    influence: tuple[RowInfluence, ...] = ()
    labels: LabelFigures | None = None
    points: tuple[tuple[float, float, float], ...] = ()
    profiles: Mapping[str, list[tuple[float, float]]] | None = None
    by: str | None = None
    against: str | None = None
    rough: bool = False


_NO_ROWS = RowCount(0)


@dataclass(frozen=True, slots=True)
class FitOutcome(Outcome):
    """The answer of a fit.

    ``value`` is the (weighted) sum of the losses of all rows (as all that is told, of those learned from where some
    were held back), ``mean_loss`` that divided by the rows. ``statistics`` has the errors of the parameters, None where
    there are none, for the reason ``unknown_errors``. ``noise``, ``epochs`` and ``history`` (the point after each
    epoch, with the mean loss as its value) are those of a stochastic run, ``validation`` is the mean loss of the rows
    held back. ``minimizers`` of a linear model are the ranges over all points with the least sum of absolute
    deviations. ``corrected`` tells where rows with errors in columns were moved, ``groups`` what
    each group has for its own beside shared parameters, ``responses`` what is left of each of several.
    ``intervals`` tells of intervals that are not Wald's, ``ranges`` from where to where the columns go that
    the formula reads; ``region`` is that of two parameters.
    """

    problem: FitProblem
    settings: FitSettings
    rows: RowCount = _NO_ROWS
    statistics: FitStatistics | None = None
    unknown_errors: str = ""
    epochs: int | None = None
    noise: AnswerNoise | None = None
    history: tuple[Any, ...] = ()
    validation: float | None = None
    corrected: CorrectedPoints | None = None
    intervals: FitIntervals | None = None
    derived: tuple[Derived, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    groups: tuple[GroupPart, ...] = ()
    responses: tuple[ResponsePart, ...] = ()
    diagnostics: Diagnostics | None = None
    region: JointRegion | None = None

    @property
    def mean_loss(self) -> float:
        return self.value / self.rows.learned
