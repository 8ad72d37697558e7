"""Directions that remember: momentum and conjugate gradients.

The negative gradient forgets everything at every step, and so zigzags across a valley instead of going along
it. Momentum keeps a part of the last step: what points across the valley cancels, what points along it adds
up. Conjugate gradients choose that part so well that n steps would minimise a quadratic function of n
variables.
"""

from __future__ import annotations

from typing import ClassVar

from gdcli.compile.update_rules import Update
from gdcli.kernel.dataclass import NamedTuple, dataclass, stored
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
