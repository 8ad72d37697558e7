"""How a run is to be solved, and when it stops.

The settings are what every run may be told, and what those by epochs are told beside it. Of them small rules are made
that look at the progress of a run. A rule is asked after every iterate, the start included, and answers yes or no; the
first yes ends the run and gives its reason. Three rules ask whether there is anything left to do (gradient, distance
moved, change of value), one whether the value is good enough (target), one whether the allowance is used up
(iterations, evaluations, seconds). None of them claims that a minimum was found: that is for the certificate to say.

What ``--tol`` means depends on the method. For the descent methods it is a bound on the gradient norm,
``|g| <= tol * sqrt(max(1, |f|))``, where the slopes of a method that measures the variables in a unit of its own are
those in this unit. Near a minimum with smallest curvature m the value can still fall by
``|g|**2 / (2 m)``; the square root makes that allowance proportional to ``|f|`` where ``|f|`` is large, as a
relative accuracy should be, while the rounding of the gradient (which grows with ``|f|``) stays below it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan, sqrt
from typing import Any

from gdcli.kernel.budget import Budget, current
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import UsageError
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import distance, dot, max_abs, norm
from gdcli.objective.protocol import Counts, Evaluation

DEFAULT_MAX_ITER = 10_000
DEFAULT_EPOCHS = 20
# The book's schedule ends by itself; this is only so that no run is without end.
BOOK_EPOCHS = 10_000
# The list of the book's minimize_batch.
BOOK_STEP_SIZES = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001)
# minimize_stochastic in the book: so many epochs without improvement end the run.
BOOK_PATIENCE = 100
# Epochs without a better loss on the rows held out.
PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is to be solved. None means the method's own default; an option a method does not read is an error.

    ``h`` is the difference step of the numerical gradients. ``lr`` is the fixed step size (learning rate),
    ``step_sizes`` the list tried by the method ``batch`` or the step rule ``best``. ``engine`` is what computes: auto,
    python, numpy or native (machine code, kept on disk unless ``no_cache``). ``max_time`` is in seconds, ``max_memory``
    in bytes; see `gdcli.kernel.budget`. Where ``max_iter`` is None, iterations are capped at 10000, and epochs that
    were asked for are not.
    """

    method: str = "auto"
    gradient: str = "autodiff"
    h: float | None = None
    lr: float | None = None
    step_rule: str | None = None
    step_sizes: tuple[float, ...] | None = None
    tol: float | None = None
    gradient_tol: float | None = None
    step_tol: float | None = None
    value_tol: float | None = None
    max_iter: int | None = None
    max_evaluations: int | None = None
    max_time: float | None = None
    max_memory: int | None = None
    target: float | None = None
    engine: str = "auto"
    no_cache: bool = False

    @property
    def most_iterations(self) -> int:
        return DEFAULT_MAX_ITER if self.max_iter is None else self.max_iter


@dataclass(frozen=True, slots=True)
class EpochSettings(Settings):
    """The same of a run that visits rows epoch by epoch.

    ``batch_size`` rows make a step, 0 stands for all of them and None for one. ``lr`` is chosen from the data where it
    is None, ``epochs`` are 20 then (or as many as the schedule ``book`` takes), and the ``schedule`` is constant.
    """

    batch_size: int | None = None
    epochs: int | None = None
    schedule: str | None = None
    patience: int = PATIENCE

    @property
    def rule(self) -> str:
        return "sgd" if self.method in ("auto", "gd") else self.method

    @property
    def rows_a_step(self) -> int | None:
        """How many rows make a step, None for all of them."""
        return 1 if self.batch_size is None else self.batch_size or None

    @property
    def most(self) -> int:
        if self.epochs is not None:
            return self.epochs
        return BOOK_EPOCHS if self.schedule == "book" else DEFAULT_EPOCHS

    @property
    def likely(self) -> int:
        """The number of epochs that a run is sure to have if nothing ends it early."""
        return min(self.most, BOOK_PATIENCE) if self.schedule == "book" else self.most

    @property
    def reason_at_end(self) -> StopReason:
        """Why a run ends that has done them all: nobody asked for the cap on the book's schedule."""
        capped = self.epochs is None and self.schedule == "book"
        return StopReason.MAX_ITERATIONS if capped else StopReason.EPOCHS


DEFAULT_TOL = 1e-8
_NOT_NEGATIVE = ("tol", "gradient_tol", "step_tol", "value_tol", "max_iter", "max_evaluations", "max_time")


class RunProgress:
    """What a rule can see: the newest point, the one before (None at the start), how much
    was spent so far. ``state`` is that of the method after the last step, for who wants to go on from there.
    """

    __slots__ = ("at", "before", "began", "clock", "counts", "iteration", "state")

    def __init__(self, at: Evaluation, counts: Counts, clock: Callable[[], float], began: float) -> None:
        self.iteration = 0
        self.at = at
        self.before: Evaluation | None = None
        self.counts = counts
        self.clock = clock
        self.began = began
        self.state: Any = None


class Limits(NamedTuple):
    """What ends a chunk of steps in machine code, as the rules have it.

    That is a value below ``floor`` or at most ``target``, a norm of the gradient at most ``gradient`` (times
    sqrt(max(1, |f|)) when ``scaled``), a step shorter than ``step``, a change of the value of less than ``value``;
    None: no such rule.
    """

    floor: float
    gradient: float | None = None
    scaled: bool = False
    step: float | None = None
    value: float | None = None
    target: float | None = None


class Rule:
    """A question to the progress of a run; ``reason`` is why the run ends when the answer is yes."""

    __slots__ = ()
    reason: StopReason

    def __call__(self, progress: RunProgress) -> bool:
        """Tell whether the run is to end here."""
        raise NotImplementedError

    def within(self, limits: Limits) -> Limits | None:
        """Return the limits with this rule's own; None for a rule that machine code cannot keep to."""
        return None

    def steps_left(self, progress: RunProgress) -> float:
        """Return after how many steps at least a look is due: 0 for one that is due now."""
        return inf


class _Limit(Rule):
    """A rule with one number; plain classes, since every start of the program makes them."""

    __slots__ = ("limit",)

    def __init__(self, limit: float) -> None:
        self.limit = limit


class GradientNorm(_Limit):
    """Stop when the Euclidean norm of the gradient is at most ``limit`` (``scaled``: times
    sqrt(max(1, |f|))).
    """

    __slots__ = ("scaled",)
    reason = StopReason.GRADIENT

    def __init__(self, limit: float, scaled: bool = False) -> None:
        super().__init__(limit)
        self.scaled = scaled

    def __call__(self, progress: RunProgress) -> bool:
        at = progress.at
        if at.gradient is None:
            return False
        allowed = self.limit * sqrt(abs(at.value)) if self.scaled and abs(at.value) > 1.0 else self.limit
        return norm(at.gradient) <= allowed

    def within(self, limits: Limits) -> Limits:
        return limits._replace(gradient=self.limit, scaled=self.scaled)


class OwnGradientNorm(_Limit):
    """Stop when the norm of the gradient is at most ``limit * sqrt(max(1, |f|))``, whatever the unit of the variables:
    as the slope over their size, that of the largest at the start (``size``) or now.

    A start that is nearly 0 is no size to go by. What is left to gain is then told by the curvature along the last
    step, and before there is one by the slope as it is.
    """

    __slots__ = ("size",)
    reason = StopReason.GRADIENT

    def __init__(self, limit: float, size: float) -> None:
        super().__init__(limit)
        self.size = size

    def __call__(self, progress: RunProgress) -> bool:
        at = progress.at
        if at.gradient is None:
            return False
        slope, height = norm(at.gradient), max(1.0, abs(at.value))
        allowed = self.limit * sqrt(height)
        if slope * self.size > allowed or slope * max_abs(at.x) > allowed:
            return False
        if slope <= allowed:
            return True
        before = progress.before
        if before is None or before.gradient is None:
            return False
        step, change = at.x - before.x, at.gradient - before.gradient
        bend = dot(step, change)
        return bend > 0.0 and 0.5 * slope * slope * (dot(step, step) / bend) <= self.limit * height


class DistanceMoved(_Limit):
    """Stop when the last step was shorter than ``limit``, the book's first rule."""

    __slots__ = ()
    reason = StopReason.STEP

    def __call__(self, progress: RunProgress) -> bool:
        before = progress.before
        return before is not None and distance(progress.at.x, before.x) < self.limit

    def within(self, limits: Limits) -> Limits:
        return limits._replace(step=self.limit)


class ValueChange(_Limit):
    __slots__ = ()
    reason = StopReason.VALUE

    def __call__(self, progress: RunProgress) -> bool:
        before = progress.before
        return before is not None and abs(progress.at.value - before.value) < self.limit

    def within(self, limits: Limits) -> Limits:
        return limits._replace(value=self.limit)


class Target(_Limit):
    """Stop when the value is at or below ``limit``, where all constraints hold."""

    __slots__ = ()
    reason = StopReason.TARGET

    def __call__(self, progress: RunProgress) -> bool:
        return progress.at.value <= self.limit and progress.at.violation <= HOLDS

    def within(self, limits: Limits) -> Limits:
        return limits._replace(target=self.limit)


class MaxIterations(_Limit):
    """Stop after ``limit`` iterations; 0 only looks at the start."""

    __slots__ = ()
    reason = StopReason.MAX_ITERATIONS

    def __call__(self, progress: RunProgress) -> bool:
        return progress.iteration >= self.limit

    def within(self, limits: Limits) -> Limits:
        return limits

    def steps_left(self, progress: RunProgress) -> float:
        return self.limit - progress.iteration - 1


class BudgetSpent(Rule):
    """Stop where the budget allows no more evaluations (values, gradients, Hessians and products together) or time."""

    __slots__ = ("budget", "reason")

    def __init__(self, budget: Budget) -> None:
        self.budget, self.reason = budget, StopReason.MAX_TIME

    def __call__(self, progress: RunProgress) -> bool:
        word = self.budget.spent(progress.counts.total)
        if word is not None:
            self.reason = StopReason(word)
        return word is not None

    def within(self, limits: Limits) -> Limits:
        return limits

    def steps_left(self, progress: RunProgress) -> float:
        left = (self.budget.most - progress.counts.total - 1) / 2  # each step costs a value and a gradient
        return 0 if self(progress) else left


def rules_from(
    settings: Settings,
    own_rule: bool = False,
    own_value_rule: bool = False,
    size: float | None = None,
) -> list[Rule]:
    """Return the rules that the settings ask for; None is the default, 0 switches a rule off (but
    ``max_iter``).

    ``tol`` is the scaled gradient rule of the module text, default 1e-8; an explicit ``gradient_tol`` (not
    scaled) takes its place. With ``own_rule`` the method reads ``tol`` itself, with ``own_value_rule`` also
    ``value_tol``, see :mod:`gdcli.solve.registry`. With ``size``, that of the largest variable at the start, it
    measures slopes in a unit of its own. The ``target`` is taken as a value of the minimised function. Evaluations
    and time are those of the open budget. Raises UsageError for a negative number or nan.
    """
    for name in _NOT_NEGATIVE:
        number = getattr(settings, name)
        if number is not None and not number >= 0:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} must be a number that is not negative, not {number}")
    rules: list[Rule] = []
    if settings.target is not None:
        if isnan(settings.target):
            raise UsageError("--target must be a number, not nan")
        rules.append(Target(settings.target))
    rules += _slope_rules(settings.tol, settings.gradient_tol, own_rule, size)
    if settings.step_tol:
        rules.append(DistanceMoved(settings.step_tol))
    if settings.value_tol and not own_value_rule:
        rules.append(ValueChange(settings.value_tol))
    rules.append(MaxIterations(settings.most_iterations))
    budget = current()
    return rules if budget is None else [*rules, BudgetSpent(budget)]


def _slope_rules(
    tol: float | None, gradient_tol: float | None, own_rule: bool, size: float | None
) -> list[Rule]:
    if gradient_tol is not None:
        return [GradientNorm(gradient_tol)] if gradient_tol else []
    if own_rule or tol == 0:
        return []
    limit = DEFAULT_TOL if tol is None else tol
    return [GradientNorm(limit, scaled=True) if size is None else OwnGradientNorm(limit, size)]
