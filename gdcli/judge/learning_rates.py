"""Is this learning rate good? Plain gradient descent at several fixed rates, and a verdict on each.

The book's experiment: "if the learning rate is too large the steps diverge, if it is too small they are too
slow". Here the words have exact meanings. One run per rate takes the step ``x - lr * gradient`` again and again.
N is the number of the first step that moves x by less than 1e-7 (the book's stop rule). Where the steps asked for
end before, N is predicted from the contraction of the last ten where a quadratic model holds from there to the minimum
(:mod:`gdcli.judge.gd_forecast`), and is not known elsewhere. N* is the least N of the reference rates, run from the
same start, that come as far down: the best fixed rate by curvature, 2/(L+m) (:mod:`gdcli.judge.rate_trials`), and
1/L; where the curvature changes along the way neither need be fast, and the faster one is doubled and halved as long
as that makes it faster. The other rates asked about have no part in a verdict. It is the first of these that holds:

- *diverges*: the value grows without end: it has left the finite numbers, or at the end of the steps it has grown
  with each of the last steps, above where it began, while the steps became longer. A value that falls without end
  diverges too: there is no minimum that way.
- *oscillates*: each of the last steps goes against the one before and is less than 10 % shorter.
- *good pace*: N <= max(100, 3 N*).
- *converges*: N <= max(300, 10 N*).
- *too slow*: anything more, or no N at all.

With a tiny rate even the first step is shorter than 1e-7, which says nothing about the minimum: then a step
counts as short when it is as short beside the first one, or when a step of size 1/L would be shorter than 1e-7.

Where a cap ended a run of any method with a fixed step size, the value at its end does not tell where that was leading:
above the start it may be on its way back, below it on its way out. A few more steps do (`trend`), by the same rules:
steps *diverge*, or they *overshoot* where each goes against the one before and is hardly shorter. Both come of a step
size near or beyond its stable limit, ``2/L`` for gradient descent, with L the largest curvature along the way.

Sources: the book's chapter on gradient descent; Nesterov, Lectures on Convex Optimization (2018), section 2.1;
Nocedal and Wright, Numerical Optimization, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, repeat
from math import hypot, inf, isfinite
from typing import TYPE_CHECKING

from gdcli.judge.evidence import Certificate
from gdcli.judge.gd_forecast import WINDOW, pace, parts_of, steps_left
from gdcli.judge.rate_trials import TOLERANCE, Curvature, Pace, RateTrial, advance, at_point, survey
from gdcli.kernel.budget import Spent, searching
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import DomainError, Terminated
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import distance, dot, max_abs, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.iteration import FixedRate, Method, RunResult
from gdcli.solve.probe.line_probe import ProbeEnd, scaled_to, walk
from gdcli.solve.run import quiet

if TYPE_CHECKING:
    from gdcli.objective.build import ScalarTier

DEFAULT_STEPS = 100
VERDICTS = ("diverges", "oscillates", "good pace", "converges", "too slow")
GOOD, ENOUGH = (100, 3), (300, 10)
# With an N* up to this one the least numbers above decide, whatever it is.
_FAST = min(least // times for least, times in (GOOD, ENOUGH))
HARDLY = 0.9  # a step this long beside the one before has shrunk by less than 10 %
_ROUNDING = 1e-9
# The book's rates for the sum of squares, where 2/L is 1.
_BOOK_RATES = (10.0, 1.1, 1.0, 0.1, 0.01)
# A walk that doubles its step two hundred times comes far enough from here to see that a value has no bound.
_WALK = 16.0
# The minimum is still far when its distance, or the value above it, is this part of the way gone.
_FAR = 0.01


@dataclass(frozen=True, slots=True)
class Rate:
    """How one rate fared: its verdict, the ``steps`` to the tolerance (None: never), the end of its run.

    ``predicted`` tells that the steps were not all taken. ``value``, ``gradient_norm`` and ``values`` (one for
    each point) are those of the minimised function. ``note`` says what else there is to know.
    """

    lr: float
    verdict: str
    steps: int | None
    predicted: bool
    value: float
    gradient_norm: float | None
    lr_times_curvature: float | None
    values: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """All rates, with the curvature that explains them.

    ``best`` is the run at the best fixed rate by the curvature along the way, None where there is none; ``reference``
    one that arrives as low after fewer steps, where one was looked for and found. ``ended`` is the reason of an
    interrupt or the cap that ended the runs.
    """

    curvature: Curvature | None
    best: Rate | None
    rates: tuple[Rate, ...]
    steps: int
    ended: StopReason | None = None
    reference: Rate | None = None

    @property
    def fastest(self) -> Rate | None:
        """The rate among ``rates`` that arrives after the fewest steps, None where none does."""
        arriving = [(r.steps, r.predicted, -r.lr, r) for r in self.rates if r.steps is not None]
        return min(arriving, key=lambda row: row[:3])[-1] if arriving else None


def compare(
    objective: Objective,
    x0: Vector,
    rates: Sequence[float] = (),
    steps: int = DEFAULT_STEPS,
    explain: Callable[[Vector], str] = lambda x: "",
    tier: ScalarTier | None = None,
) -> Rates:
    """Run gradient descent from ``x0`` (shape n) once per rate, at most ``steps`` steps each, and judge.

    Without ``rates`` some around 2/L are chosen. ``explain`` says in words why there is no value at a point.
    With a ``tier`` long runs go on in machine code, with the same bits.
    Raises DomainError when the value or the gradient at ``x0`` is not finite.
    """
    with quiet(x0):
        at = objective.evaluate(x0, 1)
        if not isfinite(at.value) or at.gradient is None:
            raise DomainError("the objective has no finite value and gradient at the start", at.note)
        pace = Pace(tier)
        curvature, reference = survey(objective, at, steps, pace)
        chosen = tuple(rates) or around(curvature)
        scale = 0.0 if curvature is None else curvature.scale
        trials = [RateTrial(lr, at, scale) for lr in chosen]
        judge = _Judge(objective, x0, curvature, explain)
        best = None if reference is None else judge(reference)
        references = [] if best is None else [best]

        def tried(lr: float) -> Rate:
            trial = RateTrial(lr, at, scale)
            advance(objective, [trial], steps, pace)
            return judge(trial)

        def search() -> None:
            with searching(objective.counts.total):
                advance(objective, trials, steps, pace)
                quick = all(trial.arrived and trial.arrived <= GOOD[0] for trial in trials)
                if best is not None and curvature is not None and not quick:
                    references.extend(_faster(best, 1.0 / curvature.largest, tried))

        ended = _ended_by(search)
        seen = [judge(trial) for trial in trials]
        paced = tuple(_paced(rate, references) for rate in seen)
        found = Rates(curvature, None if best is None else _paced(best, references), paced, steps, ended)
        return found if best is None else replace(found, reference=_fastest(best, references))


def _ended_by(search: Callable[[], None]) -> StopReason | None:
    """Return what ended a search before its end, None where nothing did."""
    try:
        search()
    except Spent as spent:
        return StopReason(spent.reason)
    except (KeyboardInterrupt, Terminated) as signal:
        return StopReason.of(signal)
    return None


def around(curvature: Curvature | None) -> tuple[float, ...]:
    """Return rates that show it all: those of the book, times 2/L, and the best fixed one."""
    if curvature is None or curvature.scale == 0.0:
        return (1.0, 0.1, 0.01)
    if curvature.limit is None or curvature.best is None:
        return tuple(rate / curvature.scale for rate in (1.0, 0.1, 0.01))
    chosen = {rate * curvature.limit for rate in _BOOK_RATES} | {curvature.best}
    return tuple(sorted((rate for rate in chosen if 0.0 < rate < inf), reverse=True))


def verdict(*, astray: bool, oscillating: bool, steps: int | None, best_steps: int | None) -> str:
    """Return the verdict by the rules of the module text; ``best_steps`` is N*."""
    if astray:
        return "diverges"
    if oscillating:
        return "oscillates"
    if steps is None:
        return "too slow"
    for name, (least, times) in (("good pace", GOOD), ("converges", ENOUGH)):
        if steps <= max(least, times * (best_steps or 0)):
            return name
    return "too slow"


def _paced(rate: Rate, references: Sequence[Rate]) -> Rate:
    """Return ``rate`` with its pace held against the ``references`` that come as far down."""
    if rate.verdict not in VERDICTS[2:]:
        return rate
    known = [r.steps for r in references if r.steps is not None and _as_low(r, rate)]
    told = verdict(astray=False, oscillating=False, steps=rate.steps, best_steps=min(known, default=None))
    return replace(rate, verdict=told)


def _as_low(one: Rate, other: Rate) -> bool:
    """Tell whether ``one`` comes as far down as ``other``, nearly."""
    return one.values[0] - one.value >= (1.0 - _FAR) * (other.values[0] - other.value)


def _fastest(best: Rate, references: Sequence[Rate]) -> Rate | None:
    """Return the reference that arrives first of those as low as ``best``; None where it is ``best`` itself."""
    arriving = [r for r in references if r.steps is not None and _as_low(r, best)]
    fastest = min(arriving, key=lambda r: (r.steps, r.lr != best.lr), default=best)
    return None if fastest is best else fastest


def _faster(best: Rate, safe: float, tried: Callable[[float], Rate]) -> Iterator[Rate]:
    """Run reference rates beside ``best``: ``safe``, and the faster of both doubled and halved while that helps.

    It ends where a faster one would change no verdict any more.
    """

    def steps_of(rate: Rate) -> float:
        return inf if rate.steps is None or not _as_low(rate, best) else rate.steps

    fastest = best
    for factors in ((safe / best.lr,), repeat(2.0), repeat(0.5)):
        for factor in factors:
            if steps_of(fastest) <= _FAST:
                return
            yield (other := tried(factor * fastest.lr))
            if not steps_of(other) < steps_of(fastest):
                break
            fastest = other


def _steps_of(objective: Objective, trial: RateTrial) -> tuple[int | None, bool]:
    """Return N, and whether it is a prediction."""
    if trial.arrived is not None or not trial.running:
        return trial.arrived, False
    left = steps_left(objective, trial.at, trial.lr, trial.short, trial.slopes)
    return (None, False) if left is None or left == inf else (trial.taken + 1 + int(left), True)


def grows(values: Sequence[float], slopes: Sequence[float]) -> bool:
    """Tell whether the value has risen with each of the last steps, above where it began, by ever longer steps.

    ``values`` and ``slopes``, the gradient norms, are those of a run at a fixed rate.
    """
    last = values[-WINDOW - 1 :]
    rising = all(a < b for a, b in pairwise(last))
    return rising and last[-1] > values[0] and pace(slopes) > 1.0 + _ROUNDING


def goes_to_and_fro(turns: Sequence[bool], slopes: Sequence[float]) -> bool:
    """Tell whether each of the last steps goes against the one before (``turns``), and hardly shrinks."""
    last = turns[-WINDOW:]
    return bool(last) and all(last) and pace(slopes) > HARDLY * (1.0 + _ROUNDING)


class _Judge:
    def __init__(
        self, objective: Objective, x0: Vector, curvature: Curvature | None, explain: Callable[[Vector], str]
    ) -> None:
        self.objective, self.x0, self.curvature, self.explain = objective, x0, curvature, explain

    def __call__(self, trial: RateTrial) -> Rate:
        """Return what one trial did; how good its pace is, is said where all are known."""
        without_end = trial.fallen or self._falls(trial)
        undefined = not isfinite(trial.values[-1]) and not trial.fallen
        astray = without_end or undefined or (trial.running and grows(trial.values, trial.slopes))
        oscillating = goes_to_and_fro(trial.turns, trial.slopes)
        steps, predicted = (None, False) if astray else _steps_of(self.objective, trial)
        told = verdict(astray=astray, oscillating=oscillating, steps=steps, best_steps=None)
        L = None if self.curvature is None else self.curvature.largest
        return Rate(
            lr=trial.lr,
            verdict=told,
            steps=steps,
            predicted=predicted and steps is not None,
            value=trial.values[-1],
            gradient_norm=None if trial.lost is not None else trial.slopes[-1],
            lr_times_curvature=None if L is None else trial.lr * L,
            values=tuple(trial.values),
            note=" and ".join(self._notes(trial, told, without_end)),
        )

    def _falls(self, trial: RateTrial) -> bool:
        """Whether the steps do not shrink while the value falls, and it goes on to fall without end."""
        if not trial.running or not trial.taken or not trial.values[-1] < trial.values[0]:
            return False
        falling = all(a > b for a, b in pairwise(trial.values[-WINDOW - 1 :]))
        if not falling or pace(trial.slopes) < 1.0 - _ROUNDING:
            return False
        length = max(trial.lr * max_abs(trial.at.gradient), _WALK * max(1.0, max_abs(trial.at.x)))
        ahead = scaled_to(-trial.at.gradient, length)  # type: ignore[operator]
        return walk(self.objective, trial.at, ahead, 0.0, trial.floor).outcome is ProbeEnd.UNBOUNDED

    def _notes(self, trial: RateTrial, told: str, without_end: bool) -> Iterable[str]:
        if without_end:
            yield "the value falls without end"
        elif trial.lost is not None:
            why = self.explain(trial.lost)
            if isfinite(trial.values[-1]):
                yield f"stopped at step {trial.taken}, where the gradient is not finite"
            else:
                yield f"no finite value after step {trial.taken}" + (f": {why}" if why else "")
        elif trial.arrived is not None:
            yield from self._at_arrival(trial)
        elif told in VERDICTS[2:] and self.curvature is not None and trial.lr * self.curvature.at_end > 2.0:
            yield "lr*L is above 2 where the best path ends, so this is not likely to last"

    def _at_arrival(self, trial: RateTrial) -> Iterable[str]:
        """Short steps alone do not make a minimum: say what the curvature says at the end."""
        here = at_point(self.objective, trial.at)
        if here is None or here.scale == 0.0:
            return
        if here.concave:
            yield "it ends where the curvature is negative, which is no minimum"
        elif not here.singular:
            parts = parts_of(self.objective, trial.at)
            left = hypot(*(p.length / p.curvature for p in parts if p.curvature > 0.0))
            if left > max(_FAR * distance(trial.at.x, self.x0), TOLERANCE):
                yield f"its steps are short, yet the minimum may be {left:.2g} away: m is small there"


# A step size is at its limit up to the error of the curvature there.
_SAME = 1e-6
_CAPS = (StopReason.MAX_ITERATIONS, StopReason.MAX_EVALUATIONS)
# So many steps of the best rate are followed to see the curvature along the way.
_WAY = 100


class Trend(NamedTuple):
    """How the steps went on: whether they ``diverges``, the factor ``pace`` from one to the next, L along the way.

    ``curvature`` is None where it is not known.
    """

    diverges: bool
    pace: float
    curvature: float | None

    @property
    def is_told_along(self) -> bool:
        """Whether ``curvature`` is the largest one along the way."""
        return self.diverges and self.curvature is not None


def trend(
    objective: Objective, method: Method, fixed: FixedRate, result: RunResult, certificate: Certificate
) -> Trend | None:
    """Return where the steps of size ``fixed`` of a run that a cap ended lead; None where they are quiet.

    A run is asked that ended above its best point, or whose step size is at the limit there.
    """
    last, sharpest = result.last.at, certificate.eigenvalue_max
    at_limit = sharpest is not None and fixed.lr * sharpest >= (1.0 - _SAME) * fixed.factor
    if result.reason not in _CAPS or not (at_limit or last.value > result.best.at.value):
        return None
    points = _further(objective, method, last)
    slopes = [norm(at.gradient) for at in points if at.gradient is not None]
    diverges = len(slopes) < len(points) or grows([at.value for at in points], slopes)
    moves = [b.x - a.x for a, b in pairwise(points)]
    turns = [dot(a, b) < 0.0 for a, b in pairwise(moves)]
    if not diverges and not goes_to_and_fro(turns, slopes):
        return None
    along = _sharpest_along(objective, result.start.at) if diverges else None
    return Trend(diverges, pace(slopes), sharpest if along is None else along)


def _sharpest_along(objective: Objective, start: Evaluation) -> float | None:
    """Return the largest curvature along the way from ``start``, None within bounds and where it is not known."""
    at = objective.evaluate(start.x, 1) if objective.box is None else start
    if objective.box is not None or at.gradient is None:
        return None
    found = survey(objective, at, _WAY)[0]
    return None if found is None else found.largest


def _further(objective: Objective, method: Method, at: Evaluation) -> list[Evaluation]:
    """Return the points of a few steps from ``at``; one without a gradient is the last."""
    points = [at]
    with quiet(at.x):
        state = method.start(objective, at)
        for _ in range(WINDOW):
            step = method.step(objective, points[-1], state)
            if not step.moved:
                break
            points.append(step.at)
            if not isfinite(step.at.value) or step.at.gradient is None:
                return [*points[:-1], step.at._replace(gradient=None)]
            state = step.state
    return points
