"""Directions with a scale of their own for every variable: AdaGrad, RMSProp, Adam.

One step size for all variables is too large for some and too small for others. These methods divide each
component of the gradient by its own typical size, taken from the squares of the past components. They were
made for noisy gradients; on a smooth function they are sturdy, but end only as fast as the step size shrinks.
"""

from __future__ import annotations

from typing import ClassVar

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.stored import stored
from gdcli.kernel.vectors import quotient, raised, roots, times, zeros_like
from gdcli.objective.protocol import Evaluation, Vector
from gdcli.solve.methods.elementwise import Response, Rule, States, Update

# Keeps a component that has always been zero from being divided by zero.
_TINY = 1e-8


@dataclass(frozen=True, slots=True)
class AdaGrad(Rule):
    """Divide by the root of the sum of all squares (Duchi, Hazan and Singer, J. Machine Learning Res. 12,
    2011).
    """

    batch_rate: ClassVar = 0.1
    sums_squares: ClassVar = True
    update: ClassVar = Update(f"s = s + g * g\nd = -(g / (sqrt(s) + {_TINY!r}))", vectors=("s",))

    def direction(self, at: Evaluation, state: Vector) -> tuple[Vector, Vector]:
        """Return the scaled negative gradient and the new sums of squares."""
        g: Vector = at.gradient
        sums = state + times(g, g)
        return -quotient(g, raised(roots(sums), _TINY)), sums


@dataclass(frozen=True, slots=True)
class RMSProp(Rule):
    """Divide by the root of a fading mean of the squares (Tieleman and Hinton, Coursera
    lecture 6.5, 2012).
    """

    keep: float = 0.9
    batch_rate: ClassVar = 0.001
    update: ClassVar = Update(
        f"v = keep * v + (1.0 - keep) * (g * g)\nd = -(g / (sqrt(v) + {_TINY!r}))",
        vectors=("v",),
        constants=("keep",),
    )

    def direction(self, at: Evaluation, state: Vector) -> tuple[Vector, Vector]:
        """Return the scaled negative gradient and the new means of the squares."""
        g: Vector = at.gradient
        means = self.keep * state + (1.0 - self.keep) * times(g, g)
        return -quotient(g, raised(roots(means), _TINY)), means


@stored()
class _Moments(NamedTuple):
    """The number of steps, the fading means of the gradient and of its squares."""

    steps: int
    first: Vector
    second: Vector


@dataclass(frozen=True, slots=True)
class Adam(Rule):
    """RMSProp with momentum, both means freed of their start at zero (Kingma and Ba, ICLR
    2015, algorithm 1).
    """

    keep_first: float = 0.9
    keep_second: float = 0.999
    batch_rate: ClassVar = 0.001
    update: ClassVar = Update(
        "m = keep_first * m + (1.0 - keep_first) * g\n"
        "v = keep_second * v + (1.0 - keep_second) * (g * g)\n"
        f"d = -(m / a / (sqrt(v / b) + {_TINY!r}))",
        "k = k + 1.0\na = 1.0 - power(keep_first, k)\nb = 1.0 - power(keep_second, k)",
        vectors=("m", "v"),
        scalars=("k",),
        constants=("keep_first", "keep_second"),
    )

    @property
    def response(self) -> Response:
        """The fading mean of the gradient is the step."""
        return Response(self.keep_first, 1.0 - self.keep_first, 1.0, 0.0)

    @property
    def by_epochs(self) -> Update:
        """The powers as products, which end at zero, not among the subnormal numbers, which processors are slow at."""
        powers = "".join(
            f"{p} = keep_{which} * {p} if {p} > 1e-300 else 0.0\n"
            for p, which in (("p", "first"), ("q", "second"))
        )
        shared = powers + "a = 1.0 - p\nb = 1.0 - q"
        return self.update._replace(shared=shared, scalars=("p", "q"), first=(1.0, 1.0))

    def to_states(self, state: _Moments) -> States:
        return States((float(state.steps),), (state.first, state.second))

    def from_states(self, states: States) -> _Moments:
        return _Moments(int(states.scalars[0]), *states.vectors)

    def start(self, at: Evaluation) -> _Moments:
        return _Moments(0, zeros_like(at.x), zeros_like(at.x))

    def direction(self, at: Evaluation, state: _Moments) -> tuple[Vector, _Moments]:
        """Return the scaled mean gradient, negated, and the new means."""
        g: Vector = at.gradient
        steps = state.steps + 1
        first = self.keep_first * state.first + (1.0 - self.keep_first) * g
        second = self.keep_second * state.second + (1.0 - self.keep_second) * times(g, g)
        m = first / (1.0 - self.keep_first**steps)
        v = second / (1.0 - self.keep_second**steps)
        return -quotient(m, raised(roots(v), _TINY)), _Moments(steps, first, second)
