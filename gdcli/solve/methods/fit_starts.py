"""Starts for a fit that has none: many are drawn, the best of them followed to their ends all at once.

The linear parameters of a model need no start: for given values of the others they are solved for. The others fall into
*blocks*: in a sum of peaks each peak has its own, and a block is drawn for itself, each time the one taken that leaves
the least of what the blocks before it have left (matching pursuit: Mallat and Zhang, IEEE Transactions on Signal
Processing 41, 1993). A second round draws each block once more beside the others, also around the one that it has.

Each start is the best of draws of its own, so how many starts end at one place tells how sure that place is. All are
followed at once (:mod:`gdcli.solve.methods.batched_fits`), by what is left where the linear parameters are solved for:
no valley is walked along that these would make. A parameter whose sign is known is followed on the logarithm of its
size: it cannot leave its side, and a step of it is a factor. The ends are good to a few digits, enough to tell them
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.batched_linear import einsum, lengths
from gdcli.kernel.budget import Spent
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.bounded import Bounded
from gdcli.objective.protocol import Box, Evaluation, Objective
from gdcli.solve.methods.batched_fits import solve_many
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.run import run
from gdcli.solve.settings import MaxIterations

if TYPE_CHECKING:
    from gdcli.objective.batched_residuals import SeparableResiduals
    from gdcli.objective.parameter_scales import Guesses

STARTS = 40
# Draws for each parameter of a block, for each start and round, and at most so many: more dimensions no draws fill.
DRAWS, MOST_DRAWS = 40, 400
# What the signs of parameters are learnt from: so many draws, at least so many of them with a value.
LEARN, LEARNT = 400, 16
# Draws look at no more rows than this, taken at random: even ones may hide a frequency.
ROWS = 256
# Numbers that are worked on at a time: few enough to stay in the cache.
_CELLS = 1 << 16
# Two ends are one when their values agree to this part; of an exact fit to this part of the sum of squares of the data.
SAME, EXACT = 1e-6, 1e-20
# Of ends that differ so many are looked at for one that does not flee to infinity, by runs of so many steps.
_LOOKED, _STEPS = 4, 60
# Iterations of a start that is followed at most.
_MOST_ITERATIONS = 60
# What the rows do not tell of a parameter holds it where it is: a row of its own, of this part of its column's length,
# which a batch of fits still tells from a part of other columns.
_HELD = 1e-7
# Children of a draw differ from it by factors up to exp of this.
_NEAR = 0.5

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class FoundStart:
    """The best start, after so many points ``tried`` for so many ``starts``, of which ``agreeing`` ended here.

    ``at`` is the end of a short run (None where no point tried had a finite value). ``next_best`` is the sum of squares
    of the next end over that of this one, None where all that ended ended here.
    """

    at: Evaluation | None
    tried: int
    starts: int
    agreeing: int
    next_best: float | None = None


class _Projected:
    """The residuals at many points ``x`` (p, g) as functions of the bent parameters alone, for `solve_many`.

    What is followed (q, g) are these, or 1 and the logarithm of the factor by which one of a known sign, ``signs`` 1 or
    -1, has become another.
    """

    def __init__(self, many: SeparableResiduals, x: Array, signs: Array, told: Told) -> None:
        self.many, self.x, self.told, self.passes = many, x, told, 0
        self.size, self.groups = len(many.bent), x.shape[1]
        self.signs, self.by_factor = signs, (signs != 0.0)[:, None]

    @property
    def start(self) -> Array:
        return np.where(self.by_factor, 1.0, self.x[self.many.bent])

    def points(self, followed: Array) -> Array:
        x, bent = self.x.copy(), self.many.bent
        with np.errstate(all="ignore"):
            x[bent] = np.where(self.by_factor, x[bent] * np.exp(followed - 1.0), followed)
        return x

    def linear(self, followed: Array) -> tuple[Array, Array]:
        budget.check()
        self.passes += 1
        self.told(min(1.0, self.passes / _MOST_ITERATIONS))
        there, bent = self.points(followed), self.many.bent
        x, J, r = self.many.linearised(there)
        held = np.zeros((self.size, self.size, self.groups))
        with np.errstate(all="ignore"):
            outward = (there - x)[bent] * einsum("qng,ng->qg", J, r) < 0.0  # beyond a bound nothing changes
            J *= np.where(outward, 0.0, np.where(self.by_factor, x[bent], 1.0))[:, None]
            sizes = lengths(J.swapaxes(0, 1))
        held[range(self.size), range(self.size)] = np.where(sizes > 0.0, _HELD * sizes, 1.0)
        return np.concatenate((J, held), axis=1), np.concatenate((r, 0.0 * held[0]))

    def bends(self, x: Array, v: Array) -> None:
        return None  # second derivatives are not known

    def hessians(self, x: Array) -> Array:
        raise NotImplementedError("no last digits are looked for")

    def crosses_pole(self, x: Array, y: Array) -> Array:
        return self.many.crosses_pole(*map(self.many.clipped, map(self.points, (x, y))))

    def take(self, which: Array) -> _Projected:
        some = _Projected(self.many, self.x[:, which], self.signs, self.told)
        some.passes = self.passes
        return some


def follow(many: SeparableResiduals, x: Array, signs: Array, told: Told) -> tuple[Array, Array]:
    """Return the ends (p, g) of runs from the points x (p, g), and their values (g,).

    ``signs`` (q,) are 1 or -1 for bent parameters of a known sign, 0 for others. ``told`` is called with the part done.
    """
    if not many.bent:
        return many.solved(x)
    here = _Projected(many, x, signs, told)
    return many.solved(here.points(solve_many(here, here.start, _MOST_ITERATIONS, inf).x))


def search(
    objective: Objective,
    many: SeparableResiduals,
    drawing: Guesses,
    box: Box | None = None,
    seed: int = 0,
    known: Sequence[float | None] | None = None,
    told: Told = lambda part: None,
) -> FoundStart:
    """Return the best start found for a sum of squares.

    ``objective`` has residuals, ``many`` is the same at many points, ``drawing`` tells where to look. Points stay
    within ``box``. ``known`` has the parameters that do have a start, None for the others: each draw keeps them, but
    for linear ones. ``told`` is called with the part of the work done.
    """
    return _Search(objective, many, drawing, box, seed, known, told).result()


class _Search:
    def __init__(
        self,
        objective: Objective,
        many: SeparableResiduals,
        drawing: Guesses,
        box: Box | None,
        seed: int,
        known: Sequence[float | None] | None,
        told: Told,
    ) -> None:
        self.objective, self.many, self.drawing, self.box, self.told = objective, many, drawing, box, told
        self.rng = np.random.default_rng(seed)
        self.bent = many.bent
        given = known if known is not None else [None] * many.size
        self.kept = {k: given[i] for k, i in enumerate(self.bent) if given[i] is not None}
        self.few = many
        if many.rows > ROWS:
            self.few = many.some(np.sort(self.rng.choice(many.rows, ROWS, replace=False)))
        self.signs = np.zeros(len(self.bent))
        self.tried = 0
        self.lowest: tuple[float, Any] | None = None  # what there is when the time is over

    def result(self) -> FoundStart:
        with np.errstate(all="ignore"):
            try:
                return self._searched()
            except Spent:
                if self.lowest is None:
                    raise
                value, x = self.lowest
                at = Evaluation(self.objective.vector(x.tolist()), value)
                return FoundStart(at, self.tried, 0, 0)

    def _searched(self) -> FoundStart:
        if len(self.kept) == len(self.bent):
            x, value = self._solved(self._whole(np.zeros((len(self.bent), 1))), self.many)
        else:
            x, value = follow(self.many, self._drawn(), self.signs, lambda part: self.told(0.5 + 0.5 * part))
        self._note(x, value)
        return self._best(x, value)

    # -- points --------------------------------------------------------------------------------------------

    def _whole(self, bent: Array) -> Array:
        """Points (p, g) from their bent parameters (q, g), those that are known kept."""
        x = np.zeros((self.many.size, bent.shape[1]))
        x[self.bent] = bent
        for k, value in self.kept.items():
            x[self.bent[k]] = value
        return x

    def _solved(
        self, x: Vector, many: SeparableResiduals, used: Sequence[int] | None = None
    ) -> tuple[Any, Any]:
        """Solve for the linear parameters, as many points at a time as stay in the cache."""
        stride = max(1, _CELLS // many.rows)
        values = np.empty(x.shape[1])
        for first in range(0, x.shape[1], stride):
            budget.check()
            part = slice(first, first + stride)
            x[:, part], values[part] = many.solved(x[:, part], used)
        self.tried += x.shape[1]
        return x, values

    def _note(self, x: Vector, value: Array) -> None:
        at = int(np.argmin(value))
        if isfinite(value[at]) and (self.lowest is None or value[at] < self.lowest[0]):
            self.lowest = float(value[at]), x[:, at]

    # -- drawing -------------------------------------------------------------------------------------------

    def _drawn(self) -> Array:
        """The starts (p, STARTS): the first is all ones, each other the best of draws of its own, block by block."""
        blocks = self._blocks()
        self._learn_signs()
        x = self._whole(self.drawing.draw(self.rng, STARTS, self.signs))
        used = [i for i in self.many.linear if not self.many.needs[i]]
        rounds = [(block, False) for block in blocks] + [(block, True) for block in blocks]
        for k, (block, again) in enumerate(rounds):
            if not again:
                used = sorted(
                    {*used, *(i for i in self.many.linear if self.many.needs[i] & self._numbers(block))}
                )
            x = self._redrawn(x, block, used, again)
            self.told(0.5 * (k + 1) / len(rounds))
        ones = np.where(self.signs < 0.0, -1.0, 1.0)
        x[:, 0] = self._whole(ones[:, None])[:, 0]
        return x

    def _numbers(self, block: Sequence[int]) -> set[int]:
        return {self.bent[k] for k in block}

    def _redrawn(self, x: Vector, block: Sequence[int], used: Sequence[int], again: bool) -> Any:
        """Return the starts with the parameters of a block drawn anew wherever a draw is better."""
        g = x.shape[1]
        rows = [self.bent[k] for k in block]
        count = min(DRAWS * len(block), MOST_DRAWS)
        trial = np.repeat(x, count + again, axis=1)
        drawn = self.drawing.draw(self.rng, trial.shape[1], self.signs)
        if again:  # half of the draws are near what there is, and that itself is among them
            near = trial[self.bent] * np.exp(_NEAR * self.rng.standard_normal(drawn.shape))
            drawn = np.where(self.rng.random(trial.shape[1]) < 0.5, near, drawn)
            drawn[:, :: count + 1] = x[self.bent]
        trial[rows] = drawn[block]
        trial, value = self._solved(trial, self.few, used)
        best = value.reshape(g, -1).argmin(axis=1) + np.arange(g) * (count + again)
        if self.few is self.many and len(used) == len(self.many.linear):
            self._note(trial, value)
        return trial[:, best]

    def _blocks(self) -> list[list[int]]:
        """The places of the open bent parameters, those together that one part of a sum depends on."""
        open_ = [k for k in range(len(self.bent)) if k not in self.kept]
        groups = [{self.bent.index(i) for i in needed} for needed in self.many.needs.values()]
        groups.append(set(self._of_offset()))
        blocks: list[set[int]] = [{k} for k in open_]
        for group in groups:
            joined = [block for block in blocks if block & group]
            if joined:
                blocks = [block for block in blocks if not block & group] + [set().union(*joined)]
        return [sorted(block) for block in sorted(blocks, key=min)]

    def _of_offset(self) -> list[int]:
        """The places of bent parameters on which what is not linear depends, as far as some points can tell."""
        q = len(self.bent)
        x = self._whole(self.drawing.draw(self.rng, 8, self.signs))
        found = set()
        for k in range(q):
            other = x.copy()
            other[self.bent[k]] = self._whole(self.drawing.draw(self.rng, 8, self.signs))[self.bent[k]]
            a, b = self.few.offset(x), self.few.offset(other)
            if not (np.isfinite(a) & np.isfinite(b) & (a == b) | (np.isnan(a) & np.isnan(b))).all():
                found.add(k)
        return sorted(found)

    def _learn_signs(self) -> None:
        """A parameter has a sign where no point drawn with the other one has a value, or where it means nothing."""
        free = np.zeros(len(self.bent))
        bent = self.drawing.draw(self.rng, LEARN, free)
        bent *= np.where(self.rng.random(bent.shape) < 0.5, -1.0, 1.0)
        x, value = self._solved(self._whole(bent), self.few)
        finite = np.flatnonzero(np.isfinite(value))
        if len(finite) < LEARNT:
            return
        for k, i in enumerate(self.bent):
            lower, upper = (-np.inf, np.inf) if self.box is None else (self.box.lower[i], self.box.upper[i])
            positive, negative = bool((x[i, finite] > 0.0).all()), bool((x[i, finite] < 0.0).all())
            if (
                positive
                or (lower >= 0.0)
                or (not negative and lower == -np.inf and self._is_even(x[:, finite[:8]], i))
            ):
                self.signs[k] = 1.0
            elif negative or upper <= 0.0:
                self.signs[k] = -1.0

    def _is_even(self, x: Vector, i: int) -> bool:
        """Tell whether the other sign of a parameter makes no difference."""
        other = x.copy()
        other[i] = -other[i]
        (_, a), (_, b) = self.few.solved(x), self.few.solved(other)
        return bool((abs(a - b) <= 1e-9 * a).all())

    def _ends(self, value: Array) -> list[Any]:
        """The places of the starts with a value by their ends, the best first: between two ends there is a gap."""
        ends = list[list[int]]()
        least = EXACT * self.many.measured
        order = np.argsort(value, kind="stable")
        for k in order[np.isfinite(value[order])].tolist():
            if ends and value[k] <= value[ends[-1][-1]] * (1.0 + SAME) + least:
                ends[-1].append(k)
            else:
                ends.append([k])
        return [np.array(end) for end in ends]

    def _plainest(self, x: Vector, same: Array) -> int:
        """Of points that say the same, as both signs of a width do, return that with the fewest negative parameters."""
        return int(same[(x[:, same] < 0.0).sum(axis=0).argmin()])

    # -- the end -------------------------------------------------------------------------------------------

    def _best(self, x: Vector, value: Array) -> FoundStart:
        """The best of the ends that do not flee, as the end of a run of its own."""
        target = self.objective if self.box is None else Bounded(self.objective, self.box)
        groups, ends = self._ends(value), []
        for place, group in enumerate(groups[:_LOOKED]):
            k = self._plainest(x, group)
            start = self.objective.vector(x[:, k].tolist())
            if self.box is not None:
                start = self.box.clip(start)
            if not isfinite(self.objective.evaluate(start, 0).value):
                continue
            found = run(target, LevenbergMarquardt(), start, [MaxIterations(_STEPS)])
            found.reason.pass_on()
            fled = found.reason in (StopReason.AT_INFINITY, StopReason.EDGE)
            ends.append((fled, place, found.best.at))
            if not fled:
                break
        if not ends:
            return FoundStart(None, self.tried, len(value), 0)
        _, at, end = min(ends, key=lambda one: one[0])
        best = value[groups[at][0]]
        ratio = float(value[groups[at + 1][0]] / best) if at + 1 < len(groups) and best > 0.0 else None
        return FoundStart(end, self.tried, len(value), len(groups[at]), ratio)
