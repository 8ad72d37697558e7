"""Quasi-Newton methods: curvature learnt from the changes of the gradient.

Newton's method needs the Hessian H. A step s that changes the gradient by y tells one thing about it, the
secant equation ``H s = y``. BFGS keeps a matrix that fulfils the latest of these equations and stays positive
definite; L-BFGS keeps only the last m pairs (s, y) and applies the matrix they define without ever forming
it, so that its memory is 2m vectors, for any number of variables.

Within bounds the direction is that of L-BFGS in the free variables, the path along it is bent at the bounds it meets,
and the step is halved until the value falls enough along that path (Bertsekas, SIAM J. Control and Optim. 20, 1982; the
pairs as in Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995). The objective is a
:class:`gdcli.objective.bounded.Bounded`, which does the bending.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import mul

from gdcli.kernel.dataclass import NamedTuple, dataclass, field, stored
from gdcli.kernel.dense import Matrix, identity, matvec, outer, plus
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import (
    Array,
    add_in_place,
    add_then_dot,
    as_like,
    combined,
    distance,
    dot,
    inner_products,
    norm,
    np,
    times_vector,
)
from gdcli.objective.protocol import Evaluation, Objective, Vector, free_part
from gdcli.solve.iteration import Step
from gdcli.solve.step_rules import SUFFICIENT_FALL, first_size, halved, strong_wolfe

# Where no curvature is learnt the first size tried grows, as the way may be long: so many times the last step.
_GROWTH = 2.0
# A pair whose curvature is this small beside its lengths is rounding, and would spoil the matrix.
_LEAST_CURVATURE = 1e-14


def _first_size(at: Evaluation, direction: Vector, reach: float) -> float:
    """Return the first size tried where no curvature is known, after a step as long as ``reach``."""
    length = norm(direction)
    return max(first_size(at, direction), _GROWTH * reach / length) if length else 1.0


def _useful(s: Vector, y: Vector) -> tuple[float, float] | None:
    """Return the curvature ``s'y`` of a pair and ``|y|``, None where it is not clearly positive."""
    curvature, length, change = inner_products(s, y)
    return (curvature, change) if curvature > _LEAST_CURVATURE * length * change else None


@stored()
class Pair(NamedTuple):
    """A step s, the change y of the gradient along it, ``1/s'y``, and for long vectors its row in the block."""

    s: Vector
    y: Vector
    rate: float
    row: int = 0


@stored()
@dataclass(slots=True)
class _Block:
    """The pairs of long vectors as the rows of two matrices, with their inner products.

    ``crossed[i][j]`` is ``s_i'y_j`` for j not older than i, ``changes[i][j]`` is ``y_i'y_j``.
    """

    steps: Array
    changes_of_gradient: Array
    crossed: list[list[float]]
    changes: list[list[float]]

    @classmethod
    def for_vectors(cls, like: Vector, limit: int) -> _Block:
        """Return a block of ``limit`` pairs as long as ``like``; memory is taken row by row, as they come."""
        rows = [np.zeros((limit, len(like))) for _ in range(2)]
        tables = [[[0.0] * limit for _ in range(limit)] for _ in range(2)]
        return cls(rows[0], rows[1], tables[0], tables[1])

    def fits(self, like: Vector, limit: int) -> bool:
        return bool(self.steps.shape == (limit, len(like)))

    def keep(self, row: int, count: int, s: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Copy a pair into ``row``, the newest of ``count``, and return where it now is."""
        self.steps[row], self.changes_of_gradient[row] = s, y
        steps, changes = (times_vector(block[:count], y) for block in (self.steps, self.changes_of_gradient))
        for i, (product, change) in enumerate(zip(steps.tolist(), changes.tolist(), strict=True)):
            self.crossed[i][row] = product
            self.changes[i][row] = self.changes[row][i] = change
        return self.steps[row], self.changes_of_gradient[row]

    def direction(self, pairs: Sequence[Pair], scale: float, g: Vector) -> tuple[Vector, float]:
        """Return ``-B g`` and ``g'Bg``: the two loops on coefficients instead of vectors.

        The direction is a sum of g and the pairs, and its coefficients need inner products alone (Chen, Wang and
        Zhou, Advances in Neural Information Processing Systems 27, 2014): two passes through memory, not four.
        """
        count = len(pairs)
        steps, changes = self.steps[:count], self.changes_of_gradient[:count]
        along_steps, along_changes = (times_vector(block, g).tolist() for block in (steps, changes))
        of_changes, of_steps = [0.0] * count, [0.0] * count
        for _, _, rate, i in reversed(pairs):
            of_changes[i] = rate * (along_steps[i] - sum(map(mul, self.crossed[i], of_changes)))
        for _, _, rate, i in pairs:
            rest = scale * (along_changes[i] - sum(map(mul, self.changes[i], of_changes)))
            rest += sum([self.crossed[j][i] * part for j, part in enumerate(of_steps)])
            of_steps[i] = of_changes[i] - rate * rest
        fall = scale * (dot(g, g) - sum(map(mul, along_changes, of_changes)))
        fall += sum(map(mul, along_steps, of_steps))
        direction = combined(as_like(g, of_changes) * scale, changes)
        direction -= combined(as_like(g, of_steps), steps)
        return add_in_place(direction, -scale, g), fall


@stored()
@dataclass(slots=True)
class Memory:
    """The last pairs of L-BFGS, and the two-loop recursion that applies their matrix.

    ``reach`` is the length of the last step, for a search that wants to know it.
    """

    pairs: deque[Pair] = field(default_factory=deque)
    scale: float = 1.0
    promise: float = float("inf")
    reach: float = 0.0
    block: _Block | None = None

    def learn(self, s: Vector, y: Vector, limit: int) -> None:
        """Take in a pair, and forget the oldest beyond ``limit``."""
        useful = _useful(s, y)
        if useful is None:
            return
        curvature, change = useful
        row = len(self.pairs)
        while len(self.pairs) >= limit:
            row = self.pairs.popleft().row
        if not isinstance(s, list):
            if self.block is None or not self.block.fits(s, limit):
                self.block, row = _Block.for_vectors(s, limit), 0
                self.pairs.clear()
            s, y = self.block.keep(row, len(self.pairs) + 1, s, y)
        self.pairs.append(Pair(s, y, 1.0 / curvature, row))
        self.scale = curvature / change / change

    def first(self, at: Evaluation, direction: Vector) -> float:
        return 1.0 if self.pairs else _first_size(at, direction, self.reach)

    def direction(self, g: Vector) -> Vector:
        """Return ``-B g`` where B approximates the inverse Hessian (Nocedal and Wright, algorithm 7.4).

        ``promise`` is then ``g'Bg / 2``, the fall that the model of the pairs expects. Each update of the
        vector is joined with the inner product that follows it, and the scaling between the two loops is
        carried along as a factor.
        """
        if self.block is not None and self.pairs:
            found, fall = self.block.direction(self.pairs, self.scale, g)
            self.promise = 0.5 * fall
            return found
        q, scale = g * 1.0, self.scale
        pairs = list(self.pairs)
        weights: list[float] = []
        product = dot(pairs[-1].s if pairs else g, q)
        for i in range(len(pairs) - 1, -1, -1):
            _, y, rate, _ = pairs[i]
            weights.append(rate * product)
            product = add_then_dot(q, -weights[-1], y, pairs[i - 1].s if i else pairs[0].y)
        for i, (s, _, rate, _) in enumerate(pairs):
            part = weights.pop() / scale - rate * product
            product = add_then_dot(q, part, s, pairs[i + 1].y if i + 1 < len(pairs) else g)
        self.promise = 0.5 * scale * product
        return q * -scale


@dataclass(frozen=True, slots=True)
class LBFGS:
    """Limited-memory BFGS with a strong Wolfe search (Liu and Nocedal, Mathematical Programming 45, 1989)."""

    memory: int = 10
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> Memory:
        return Memory()

    def step(self, objective: Objective, at: Evaluation, state: Memory) -> Step:
        """Return the point found along the direction of the pairs; without one they are forgotten once."""
        while True:
            found = self.found(objective, at, state)
            if found is not None:
                break
            if not state.pairs:
                reason = StopReason.STATIONARY if state.promise == 0.0 else StopReason.NO_DESCENT
                return Step(at, state, 0.0, reason, moved=False)
            state.pairs.clear()
            state.scale, state.reach = 1.0, 0.0
        new, size = found
        state.reach = distance(new.x, at.x)
        if new.gradient is not None:
            state.learn(new.x - at.x, new.gradient - at.gradient, self.memory)
        return Step(new, state, size)

    def found(self, objective: Objective, at: Evaluation, state: Memory) -> tuple[Evaluation, float] | None:
        """Return the next point and the size of the step to it, None where there is none."""
        direction = state.direction(at.gradient)
        return strong_wolfe(objective, at, direction, state.first(at, direction))


@stored()
@dataclass(slots=True)
class _Inverse:
    """The inverse Hessian of BFGS, None before the first step, and the length of the last step."""

    matrix: Matrix | None = None
    reach: float = 0.0


@dataclass(frozen=True, slots=True)
class BFGS:
    """BFGS with the full inverse matrix and a strong Wolfe search (Nocedal and Wright, algorithm 6.1)."""

    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> _Inverse:
        return _Inverse()

    def step(self, objective: Objective, at: Evaluation, state: _Inverse) -> Step:
        """Return the point found along the quasi-Newton direction; without one the matrix is
        forgotten once.
        """
        g = at.gradient
        if g is None or norm(g) == 0.0:
            return Step(at, state, 0.0, StopReason.STATIONARY, moved=False)
        found = None
        if state.matrix is not None:
            found = strong_wolfe(objective, at, -matvec(state.matrix, g), 1.0)
        if found is None:
            if state.matrix is not None:
                state.matrix, state.reach = None, 0.0
            found = strong_wolfe(objective, at, -g, _first_size(at, g, state.reach))
        if found is None:
            return Step(at, state, 0.0, StopReason.NO_DESCENT, moved=False)
        new, size = found
        state.reach = distance(new.x, at.x)
        if new.gradient is not None:
            state.matrix = _updated(state.matrix, new.x - at.x, new.gradient - g)
        return Step(new, state, size)


def _updated(B: Matrix | None, s: Vector, y: Vector) -> Matrix | None:
    """Return the inverse matrix that maps y to s and differs least from B (Nocedal and Wright, equation
    6.17).
    """
    useful = _useful(s, y)
    if useful is None:
        return B
    curvature, change = useful
    if B is None:
        # The first pair sets the scale: before it the unit matrix has the wrong size (equation 6.20).
        B = identity(s, curvature / change / change)
    By = matvec(B, y)
    # (I - s y'/c) B (I - y s'/c) + s s'/c, multiplied out for a symmetric B.
    B = plus(B, outer(s, s), (1.0 + dot(y, By) / curvature) / curvature)
    mixed = outer(By, s)
    return plus(B, plus(mixed, outer(s, By)), -1.0 / curvature)


@dataclass(frozen=True, slots=True)
class ProjectedLBFGS(LBFGS):
    """L-BFGS in the free variables with a backtracking search along the bent path."""

    def step(self, objective: Objective, at: Evaluation, state: Memory) -> Step:
        if norm(at.gradient) == 0.0:
            return Step(at, state, 0.0, StopReason.STATIONARY, moved=False, passed=False)
        return LBFGS.step(self, objective, at, state)

    def found(self, objective: Objective, at: Evaluation, state: Memory) -> tuple[Evaluation, float] | None:
        # Where the projected gradient is zero the variable is held (or needs no move of its own).
        g: Vector = at.gradient
        direction = free_part(state.direction(g), _zeros(g))
        if not dot(direction, g) < 0.0:
            state.pairs.clear()
            direction = -g

        def is_low(trial: Evaluation, size: float) -> bool:
            fall = SUFFICIENT_FALL * dot(at.gradient, trial.x - at.x)
            return trial.value < at.value and trial.value <= at.value + fall

        found, size = halved(objective, at, direction, state.first(at, direction), 1, is_low)
        return None if found is None else (found, size)


def _zeros(g: Vector) -> object:
    return [a == 0.0 for a in g] if isinstance(g, list) else g == 0.0
