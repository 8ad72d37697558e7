"""Update rules as program text: what one step does to the parameters, given a gradient.

A rule is written once, per parameter, in the restricted Python of generated programs. With the number of a parameter
behind each name it becomes statements of scalars (``x3 = x3 - rate * g3``), without numbers one statement for whole
arrays (``x = x - rate * g``). The formulas and constants are those of :mod:`gdcli.solvers.momentum` and
:mod:`gdcli.solvers.adaptive`, whose docstrings name their sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gdcli.codegen.source import number_text
from gdcli.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """One rule. In its texts ``x`` is the parameter, ``g`` its gradient, ``rate`` the step size.

    ``slots`` name the numbers kept for each parameter, all zero at first; ``common`` those kept once, with their first
    values. ``once`` are statements done once in a step, ``each`` those done for every parameter, ``#`` standing for
    its number. ``scaled`` stand in for ``each`` where ``g`` comes multiplied by the rate; not every rule has them.
    """

    name: str
    each: tuple[str, ...]
    slots: tuple[str, ...] = ()
    common: tuple[tuple[str, float], ...] = ()
    once: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()

    def state(self, size: int) -> list[float]:
        """Return the state before the first step, flat: the slots one after the other, then the common numbers."""
        return [0.0] * (size * len(self.slots)) + [value for _, value in self.common]

    def names(self, size: int) -> list[str]:
        """Return the names of the numbers of the flat state."""
        return [f"{slot}{i}" for slot in self.slots for i in range(size)] + [name for name, _ in self.common]

    def statements(self, size: int, scaled: bool = False) -> Iterator[str]:
        """Yield the statements of a step for ``size`` scalars x0, x1, ... with gradients g0, g1, ..."""
        yield from self.once
        for i in range(size):
            for text in self.scaled if scaled else self.each:
                yield text.replace("#", str(i))


_KEEP, _FIRST, _SECOND, _TINY = 0.9, 0.9, 0.999, 1e-8


def _fading(kept: float, old: str, new: str) -> str:
    return f"{number_text(kept)} * {old} + {number_text(1.0 - kept)} * {new}"


# The powers 0.9**k end at zero, not among the subnormal numbers, which processors are slow at.
_ADAM_POWERS = tuple(
    f"{p} = {number_text(kept)} * {p} if {p} > 1e-300 else 0.0" for p, kept in (("p", _FIRST), ("q", _SECOND))
)

RULES: Mapping[str, UpdateRule] = {
    rule.name: rule
    for rule in (
        UpdateRule("sgd", ("x# = x# - rate * g#",), scaled=("x# = x# - g#",)),
        UpdateRule("momentum", (f"m# = {_KEEP} * m# - g#", "x# = x# + rate * m#"), ("m",)),
        UpdateRule("nesterov", (f"m# = {_KEEP} * m# - g#", f"x# = x# + rate * ({_KEEP} * m# - g#)"), ("m",)),
        UpdateRule("adagrad", ("m# = m# + g# * g#", f"x# = x# - rate * (g# / (sqrt(m#) + {_TINY}))"), ("m",)),
        UpdateRule(
            "rmsprop",
            (f"m# = {_fading(_KEEP, 'm#', '(g# * g#)')}", f"x# = x# - rate * (g# / (sqrt(m#) + {_TINY}))"),
            ("m",),
        ),
        UpdateRule(
            "adam",
            (
                f"u# = {_fading(_FIRST, 'u#', 'g#')}",
                f"m# = {_fading(_SECOND, 'm#', '(g# * g#)')}",
                f"x# = x# - rate * (u# / up / (sqrt(m# / vp) + {_TINY}))",
            ),
            ("u", "m"),
            (("p", 1.0), ("q", 1.0)),
            (*_ADAM_POWERS, "up = 1.0 - p", "vp = 1.0 - q"),
        ),
    )
}


def clip_statements(lower: Sequence[float], upper: Sequence[float]) -> Iterator[str]:
    """Yield statements that move scalars x0, x1, ... to the nearest point within their bounds."""
    for i, (lo, hi) in enumerate(zip(lower, upper, strict=True)):
        for bound, relation in ((lo, "<"), (hi, ">")):
            if math.isfinite(bound):
                text = number_text(bound)
                yield f"x{i} = {text} if x{i} {relation} {text} else x{i}"


ArrayUpdate = Callable[[Any, Any, float, tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


def array_update(rule: UpdateRule, lower: Any = None, upper: Any = None) -> ArrayUpdate:
    """Return ``update(x, g, rate, state)`` for numpy arrays: the new x, and the new state.

    The first state is `array_state`. ``lower`` and ``upper`` are bounds, shape of x, or None.
    """
    from gdcli.codegen.runners import compile_function, numpy

    np = numpy()
    kept = [*rule.slots, *(name for name, _ in rule.common)]
    lines = [f"{', '.join(kept)}, = state"] if kept else []
    lines += [*rule.once, *(text.replace("#", "") for text in rule.each)]
    if lower is not None:
        lines.append("x = minimum(maximum(x, lower), upper)")
    body = "".join(f"    {line}\n" for line in lines)
    text = f"def update(x, g, rate, state):\n{body}    return x, ({''.join(name + ', ' for name in kept)})\n"
    space = {"sqrt": np.sqrt, "minimum": np.minimum, "maximum": np.maximum, "lower": lower, "upper": upper}
    return compile_function(text, "update", space)


def array_state(rule: UpdateRule, size: int) -> tuple[Any, ...]:
    """Return the first state for `array_update`."""
    from gdcli.codegen.runners import numpy

    np = numpy()
    return (*(np.zeros(size) for _ in rule.slots), *(value for _, value in rule.common))
