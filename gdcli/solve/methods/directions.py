"""Directions with a memory: momentum, conjugate gradients, and a scale of its own for every variable.

The negative gradient forgets everything at every step, and so zigzags across a valley instead of going along it.
Momentum keeps a part of the last step: what points across the valley cancels, what points along it adds up. Conjugate
gradients choose that part so well that n steps would minimise a quadratic function of n variables.

One step size for all variables is too large for some and too small for others. AdaGrad, RMSProp and Adam divide each
component of the gradient by its own typical size, taken from the squares of the past components. They were
made for noisy gradients; on a smooth function they are sturdy, but end only as fast as the step size shrinks.
"""

from __future__ import annotations

from typing import Any, ClassVar

from gdcli.compile.update_rules import Update
from gdcli.kernel.dataclass import NamedTuple, Reader, dataclass, stored
from gdcli.kernel.vectors import along, dot
from gdcli.objective.protocol import Evaluation, Vector
from gdcli.solve.methods.elementwise import Response, Rule


@dataclass(frozen=True, slots=True)
class Momentum(Rule):
    """Heavy ball: ``d = keep * d - gradient`` (Polyak, USSR Comp. Math. and Math. Physics 4(5), 1964)."""

    keep: float = 0.9
    update: ClassVar = Update("v = keep * v - g\nd = v", vectors=("v",), constants=("keep",))

    @property
    def stable(self) -> float:
        """The error along a curvature c obeys ``e[k+1] = (1 + keep - lr c) e[k] - keep e[k-1]``."""
        return 2.0 * (1.0 + self.keep)

    @property
    def response(self) -> Response:
        return Response(self.keep, 1.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Nesterov(Rule):
    """Accelerated gradient: momentum that corrects itself at the point it is about to reach.

    Nesterov, Soviet Math. Doklady 27 (1983), in the form of Sutskever et al., ICML 2013, written for the
    point looked ahead to: ``v = keep * v - gradient``, ``d = keep * v - gradient``.
    """

    keep: float = 0.9
    update: ClassVar = Update("v = keep * v - g\nd = keep * v - g", vectors=("v",), constants=("keep",))

    @property
    def stable(self) -> float:
        """The error along a curvature c obeys ``e[k+1] = (1 - lr c) ((1 + keep) e[k] - keep e[k-1])``."""
        return 2.0 * (1.0 + self.keep) / (1.0 + 2.0 * self.keep)

    @property
    def response(self) -> Response:
        return Response(self.keep, 1.0, self.keep, 1.0)


@stored()
class _Last(NamedTuple):
    gradient: Vector
    direction: Vector


class Conjugate:
    """Nonlinear conjugate gradients after Polak and Ribiere, with restarts.

    ``d = -g + max(0, beta) * d`` with ``beta = g'(g - g_before) / g_before'g_before`` (Gilbert and Nocedal,
    SIAM J. Optim. 2, 1992; Nocedal and Wright, equation 5.44). A direction that does not descend is replaced
    by ``-g``.
    """

    stable = None

    def start(self, at: Evaluation) -> _Last | None:
        return None

    def direction(self, at: Evaluation, state: _Last | None) -> tuple[Vector, _Last]:
        g = at.gradient
        steepest: Vector = -g  # type: ignore[operator]
        d = steepest
        if state is not None:
            square = dot(state.gradient, state.gradient)
            beta = dot(g, g - state.gradient) / square if square > 0.0 else 0.0
            if beta > 0.0:
                d = along(steepest, beta, state.direction)
                if not dot(d, g) < 0.0:
                    d = steepest
        return d, _Last(g, d)


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


@stored("_Moments")
class _Moments(NamedTuple):
    """The powers of both constants, the fading means of the gradient and of its squares."""

    first_power: float
    second_power: float
    first: Vector
    second: Vector

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> _Moments:
        """Return the moments; those that were kept with the number of steps have the powers of it."""
        parts = {name: read(part) for name, part in content.items()}
        if "steps" in parts:
            steps, rule = parts.pop("steps"), Adam()
            parts |= {"first_power": rule.keep_first**steps, "second_power": rule.keep_second**steps}
        return cls(**parts)


@dataclass(frozen=True, slots=True)
class Adam(Rule):
    """RMSProp with momentum, both means freed of their start at zero (Kingma and Ba, ICLR
    2015, algorithm 1).

    The powers of the constants are products, and end at zero, not among the subnormal numbers, which processors are
    slow at.
    """

    keep_first: float = 0.9
    keep_second: float = 0.999
    batch_rate: ClassVar = 0.001
    kept: ClassVar = _Moments
    update: ClassVar = Update(
        "m = keep_first * m + (1.0 - keep_first) * g\n"
        "v = keep_second * v + (1.0 - keep_second) * (g * g)\n"
        f"d = -(m / a / (sqrt(v / b) + {_TINY!r}))",
        "p = keep_first * p if p > 1e-300 else 0.0\nq = keep_second * q if q > 1e-300 else 0.0\n"
        "a = 1.0 - p\nb = 1.0 - q",
        vectors=("m", "v"),
        scalars=("p", "q"),
        constants=("keep_first", "keep_second"),
        first=(1.0, 1.0),
    )

    @property
    def response(self) -> Response:
        return Response(self.keep_first, 1.0 - self.keep_first, 1.0, 0.0)
