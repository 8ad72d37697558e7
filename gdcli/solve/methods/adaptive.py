"""Directions with a scale of their own for every variable: AdaGrad, RMSProp, Adam.

One step size for all variables is too large for some and too small for others. These methods divide each
component of the gradient by its own typical size, taken from the squares of the past components. They were
made for noisy gradients; on a smooth function they are sturdy, but end only as fast as the step size shrinks.
"""

from __future__ import annotations

from typing import Any, ClassVar

from gdcli.compile.update_rules import Update
from gdcli.kernel.dataclass import NamedTuple, Reader, dataclass, stored
from gdcli.objective.protocol import Vector
from gdcli.solve.methods.elementwise import Response, Rule

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
