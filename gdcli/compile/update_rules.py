"""Update rules as program text: what one step does to the parameters, given a gradient.

Gradient descent, momentum, Adam and their relatives do the same few operations on each component of the gradient. Such
a rule is written once, as text in the restricted Python of :mod:`gdcli.compile.native_compiler`, and becomes what is
needed: a function of lists or of arrays (`program`), statements of scalars with the number of a parameter behind each
name (``x3 = x3 - rate * g3``) or for whole arrays (`array_update`), and a whole loop of machine code
(:mod:`gdcli.compile.descent_loops`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gdcli.compile.scalar_text import compile_function, number_text
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.vectors import Vec, Vector, np


class Update(NamedTuple):
    """An update as text.

    ``component`` is done for each variable: it reads the gradient's component ``g``, changes the states named in
    ``vectors`` (a number per variable) and sets ``d``, the component of the direction. ``shared`` is done once before,
    on the states named in ``scalars``, and may set more names for ``component``. ``constants`` name parameters.
    Lines are assignments; ``d`` is set last, and a minus at the beginning of it is one of the whole. The step is
    ``x + size * d``. The states are zero before the first step, or the scalars what ``first`` says.
    """

    component: str
    shared: str = ""
    vectors: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    first: tuple[float, ...] = ()

    @property
    def states(self) -> tuple[str, ...]:
        return self.scalars + self.vectors

    @property
    def start(self) -> Sequence[float]:
        return self.first or [0.0] * len(self.scalars)

    def joined(self, sizes: Update) -> Update:
        """Return this direction's update with that of a step size, whose text sets ``size``."""
        return Update(
            self.component,
            "\n".join(filter(None, (self.shared, sizes.shared))),
            self.vectors,
            self.scalars + sizes.scalars,
            self.constants + sizes.constants,
            (*self.start, *sizes.start),
        )


def assigned(text: str) -> list[str]:
    return [line.partition(" = ")[0] for line in text.splitlines()]


def renamed(text: str, names: Mapping[str, str]) -> list[str]:
    """Return the lines of a text with other names in the place of names."""
    return [_NAME.sub(lambda m: names.get(m[0], m[0]), line) for line in text.splitlines()]


_NAME = re.compile(r"\b[a-z_]\w*\b")


def program(update: Update, arrays: bool) -> Callable[..., tuple[Any, Any]]:
    """Return ``advance(rule, g, state)``: the direction, or the size that a step size has as text, and the new state.

    ``rule`` has the constants; of no states ``state`` is None, of one it is that, of more a tuple of them all, or of a
    class of its own. ``g`` and the vectors among the states are `Vec`, or numpy's ``arrays``.
    """
    kept = update.states
    lines = [f"{name} = rule.{name}" for name in update.constants]
    if kept:
        lines.append(f"{', '.join(kept)} = state")
    lines += update.shared.splitlines()
    lines += update.component.splitlines() if arrays else _on_lists(update)
    state = f"type(state)({', '.join(kept)})" if len(kept) > 1 else kept[0] if kept else "None"
    body = "".join(f"    {line}\n" for line in lines)
    result = "d" if update.component else "size"
    text = f"def advance(rule, g, state):\n{body}    return {result}, {state}\n"
    return compile_function(text, "advance", _of_arrays() if arrays else _OF_LISTS)


def _on_lists(update: Update) -> Iterator[str]:
    """Yield the lines of the components for lists of them: one line goes through all."""
    vectors = {"g", *update.vectors, *assigned(update.component)}
    for line in update.component.splitlines():
        name, _, value = line.partition(" = ")
        used = list(dict.fromkeys(found for found in _NAME.findall(value) if found in vectors))
        rows = f"{', '.join(used)} in zip({', '.join(used)})" if len(used) > 1 else f"{used[0]} in {used[0]}"
        yield line if value in vectors else f"{name} = Vec([{value} for {rows}])"


_OF_LISTS = {"sqrt": math.sqrt, "fabs": math.fabs, "max": max, "Vec": Vec, "zip": zip, "type": type}


def _of_arrays() -> dict[str, Any]:
    own = {"sqrt": np.sqrt, "fabs": np.abs, "max": np.maximum, "type": type}
    return own | {"minimum": np.minimum, "maximum": np.maximum}


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """A rule with the values of its constants. In its texts ``x`` is the parameter, ``g`` its gradient, ``rate`` the
    step size.

    ``slots`` name the numbers kept for each parameter, all zero at first; ``common`` those kept once, with their first
    values. ``once`` are statements done once in a step, ``each`` those done for every parameter, ``#`` standing for
    its number. ``scaled`` stand in for ``each`` where ``g`` comes multiplied by the rate; not every rule has them.
    """

    each: tuple[str, ...]
    slots: tuple[str, ...] = ()
    common: tuple[tuple[str, float], ...] = ()
    once: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()

    def state(self, size: int) -> list[float]:
        """Return the state before the first step, flat: the slots one after the other, then the common numbers."""
        return [0.0] * (size * len(self.slots)) + [value for _, value in self.common]

    def names(self, size: int) -> list[str]:
        return [f"{slot}{i}" for slot in self.slots for i in range(size)] + [name for name, _ in self.common]

    def statements(self, size: int, scaled: bool = False) -> Iterator[str]:
        """Yield the statements of a step for ``size`` scalars x0, x1, ... with gradients g0, g1, ..."""
        yield from self.once
        for i in range(size):
            for text in self.scaled if scaled else self.each:
                yield text.replace("#", str(i))


def update_rule(update: Update, constants: Mapping[str, float]) -> UpdateRule:
    names = {name: number_text(value) for name, value in constants.items()}
    names |= {name: f"u_{name}" for name in (*update.scalars, *assigned(update.shared))}
    names |= {name: f"u_{name}#" for name in (*update.vectors, *assigned(update.component))} | {"g": "g#"}
    *each, last = renamed(update.component, names)
    way = last.partition(" = ")[2]
    against, way = way.startswith("-"), way.removeprefix("-")
    factor = way if _NAME.fullmatch(way.removesuffix("#")) or way.startswith("(") else f"({way})"
    return UpdateRule(
        (*each, f"x# = x# {'-' if against else '+'} rate * {factor}"),
        tuple(f"u_{name}" for name in update.vectors),
        tuple((f"u_{name}", first) for name, first in zip(update.scalars, update.start, strict=True)),
        tuple(renamed(update.shared, names)),
        ("x# = x# - g#",) if against and way == "g#" else (),
    )


# Plain descent.
STEEPEST = Update("d = -g")
PLAIN = update_rule(STEEPEST, {})


def clip_statements(lower: Sequence[float], upper: Sequence[float]) -> Iterator[str]:
    """Yield statements that move scalars x0, x1, ... to the nearest point within their bounds."""
    for i, (lo, hi) in enumerate(zip(lower, upper, strict=True)):
        for bound, relation in ((lo, "<"), (hi, ">")):
            if math.isfinite(bound):
                text = number_text(bound)
                yield f"x{i} = {text} if x{i} {relation} {text} else x{i}"


ArrayUpdate = Callable[[Any, Any, float, tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


def array_update(rule: UpdateRule, lower: Vector | None = None, upper: Vector | None = None) -> ArrayUpdate:
    """Return ``update(x, g, rate, state)`` for numpy arrays: the new x, and the new state.

    The first state is `array_state`. ``lower`` and ``upper`` are bounds, shape of x, or None.
    """
    kept = [*rule.slots, *(name for name, _ in rule.common)]
    lines = [f"{', '.join(kept)}, = state"] if kept else []
    lines += [*rule.once, *(text.replace("#", "") for text in rule.each)]
    if lower is not None:
        lines.append("x = minimum(maximum(x, lower), upper)")
    body = "".join(f"    {line}\n" for line in lines)
    text = f"def update(x, g, rate, state):\n{body}    return x, ({''.join(name + ', ' for name in kept)})\n"
    return compile_function(text, "update", _of_arrays() | {"lower": lower, "upper": upper})


def array_state(rule: UpdateRule, size: int) -> tuple[Any, ...]:
    return (*(np.zeros(size) for _ in rule.slots), *(value for _, value in rule.common))
