"""Quasi-Newton methods: curvature learnt from the changes of the gradient.

Newton's method needs the Hessian H. A step s that changes the gradient by y tells one thing about it, the
secant equation ``H s = y``. BFGS keeps a matrix that fulfils the latest of these equations and stays positive
definite; L-BFGS keeps only the last m pairs (s, y) and applies the matrix they define without ever forming
it, so that its memory is 2m vectors, for any number of variables.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gdcli.solvers.dense import Matrix, identity, matvec, outer, plus
from gdcli.solvers.types import Evaluation, Objective, Step, StopReason, Vector
from gdcli.solvers.vectors import add_then_dot, dot, norm
from gdcli.solvers.wolfe import strong_wolfe

# Length of the first step relative to max(1, |x|): before anything is known about curvature, stay close.
FIRST_LENGTH = 0.1
# A pair whose curvature is this small beside its lengths is rounding, and would spoil the matrix.
_LEAST_CURVATURE = 1e-14


def first_size(at: Evaluation, direction: Vector) -> float:
    """Return a size for the first trial along ``direction``, when nothing is known about curvature."""
    return min(1.0, FIRST_LENGTH * max(1.0, norm(at.x)) / norm(direction))


def _useful(s: Vector, y: Vector) -> tuple[float, float] | None:
    """Return the curvature ``s'y`` of a pair and ``|y|``, None where it is not clearly positive."""
    curvature, change = dot(s, y), norm(y)
    return (curvature, change) if curvature > _LEAST_CURVATURE * norm(s) * change else None


@dataclass(slots=True)
class Memory:
    """The last pairs (s, y, 1/s'y) of L-BFGS, and the two-loop recursion that applies their matrix.

    ``reach`` is the length of the last step, for a search that wants to know it.
    """

    pairs: deque[tuple[Vector, Vector, float]] = field(default_factory=deque)
    scale: float = 1.0
    promise: float = float("inf")
    reach: float = 0.0

    def learn(self, s: Vector, y: Vector, limit: int) -> None:
        """Take in a pair, and forget the oldest beyond ``limit``."""
        useful = _useful(s, y)
        if useful is None:
            return
        curvature, change = useful
        while len(self.pairs) >= limit:
            self.pairs.popleft()
        self.pairs.append((s, y, 1.0 / curvature))
        self.scale = curvature / change / change

    def direction(self, g: Vector) -> Vector:
        """Return ``-B g`` where B approximates the inverse Hessian (Nocedal and Wright, algorithm 7.4).

        ``promise`` is then ``g'Bg / 2``, the fall that the model of the pairs expects. Each update of the
        vector is joined with the inner product that follows it, and the scaling between the two loops is
        carried along as a factor: for long vectors the passes through memory are what costs.
        """
        q, scale = g * 1.0, self.scale
        pairs = list(self.pairs)
        weights: list[float] = []
        product = dot(pairs[-1][0] if pairs else g, q)
        for i in range(len(pairs) - 1, -1, -1):
            _, y, r = pairs[i]
            weights.append(r * product)
            product = add_then_dot(q, -weights[-1], y, pairs[i - 1][0] if i else pairs[0][1])
        for i, (s, _, r) in enumerate(pairs):
            part = weights.pop() / scale - r * product
            product = add_then_dot(q, part, s, pairs[i + 1][1] if i + 1 < len(pairs) else g)
        self.promise = 0.5 * scale * product
        return q * -scale


@dataclass(frozen=True, slots=True)
class LBFGS:
    """Limited-memory BFGS with a strong Wolfe search (Liu and Nocedal, Mathematical Programming 45, 1989)."""

    memory: int = 10
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> Memory:
        """Return an empty memory."""
        return Memory()

    def step(self, objective: Objective, at: Evaluation, state: Memory) -> Step:
        """Return the point found along the direction of the pairs; without one they are forgotten once."""
        while True:
            direction = state.direction(at.gradient)
            first = 1.0 if state.pairs else first_size(at, direction) if state.promise else 1.0
            found = strong_wolfe(objective, at, direction, first)
            if found is not None:
                break
            if not state.pairs:
                reason = StopReason.STATIONARY if state.promise == 0.0 else StopReason.NO_DESCENT
                return Step(at, state, 0.0, reason, moved=False)
            state.pairs.clear()
            state.scale = 1.0
        new, size = found
        if new.gradient is not None:
            state.learn(new.x - at.x, new.gradient - at.gradient, self.memory)
        return Step(new, state, size)


@dataclass(slots=True)
class _Inverse:
    """The inverse Hessian of BFGS, None before the first step."""

    matrix: Matrix | None = None


@dataclass(frozen=True, slots=True)
class BFGS:
    """BFGS with the full inverse matrix and a strong Wolfe search (Nocedal and Wright, algorithm 6.1)."""

    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> _Inverse:
        """Nothing is known about the curvature yet."""
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
            state.matrix = None
            found = strong_wolfe(objective, at, -g, first_size(at, g))
        if found is None:
            return Step(at, state, 0.0, StopReason.NO_DESCENT, moved=False)
        new, size = found
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
