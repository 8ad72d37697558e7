"""Update rules as program text: what one step does to the parameters, given a gradient.

A rule comes from the text of an update (see :mod:`gdcli.solve.methods.elementwise`), per parameter. With the number of
a parameter behind each name it becomes statements of scalars (``x3 = x3 - rate * g3``), without numbers one statement
for whole arrays (``x = x - rate * g``).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gdcli.compile.descent_loops import UpdateText
from gdcli.compile.scalar_text import number_text
from gdcli.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """One rule. In its texts ``x`` is the parameter, ``g`` its gradient, ``rate`` the step size.

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
        """Return the names of the numbers of the flat state."""
        return [f"{slot}{i}" for slot in self.slots for i in range(size)] + [name for name, _ in self.common]

    def statements(self, size: int, scaled: bool = False) -> Iterator[str]:
        """Yield the statements of a step for ``size`` scalars x0, x1, ... with gradients g0, g1, ..."""
        yield from self.once
        for i in range(size):
            for text in self.scaled if scaled else self.each:
                yield text.replace("#", str(i))


# Plain descent.
PLAIN = UpdateRule(("x# = x# - rate * g#",), scaled=("x# = x# - g#",))


class _Renamed(ast.NodeTransformer):
    """Puts other names in the place of names, numbers in that of constants; names of functions stay."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Call(self, node: ast.Call) -> ast.Call:
        node.args = [self.visit(a) for a in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names[node.id], node.ctx)


def update_rule(update: UpdateText, constants: Mapping[str, float]) -> UpdateRule:
    """Return the rule of an update, whose last line sets the direction ``d``, with the values of its constants."""
    shared, own = ast.parse(update.shared).body, ast.parse(update.component).body
    names = {name: number_text(value) for name, value in constants.items()}
    names |= {name: f"u_{name}" for name in (*update.scalars, *map(_assigned, shared))}
    names |= {name: f"u_{name}#" for name in (*update.vectors, *map(_assigned, own))} | {"g": "g#"}
    renamed = _Renamed(names)
    once, each = ([ast.unparse(renamed.visit(line)) for line in lines] for lines in (shared, own[:-1]))
    against, text = _direction(renamed.visit(own[-1].value))  # type: ignore[attr-defined]
    first = update.first or [0.0] * len(update.scalars)
    return UpdateRule(
        (*each, f"x# = x# {'-' if against else '+'} rate * {text}"),
        tuple(names[v].removesuffix("#") for v in update.vectors),
        tuple(zip([names[v] for v in update.scalars], first, strict=True)),
        tuple(once),
        ("x# = x# - g#",) if against and text == "g#" else (),
    )


def _direction(value: ast.expr) -> tuple[bool, str]:
    """Return whether there is a minus before a direction, and the factor behind it, in brackets where it needs them."""
    against = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
    inner = value.operand if isinstance(value, ast.UnaryOp) and against else value
    text = ast.unparse(inner)
    return against, text if isinstance(inner, ast.Name) else f"({text})"


def _assigned(line: ast.stmt) -> str:
    assert isinstance(line, ast.Assign)
    assert isinstance(line.targets[0], ast.Name)
    return line.targets[0].id


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
    from gdcli.compile.runners import compile_function, numpy

    np = numpy()
    kept = [*rule.slots, *(name for name, _ in rule.common)]
    lines = [f"{', '.join(kept)}, = state"] if kept else []
    lines += [*rule.once, *(text.replace("#", "") for text in rule.each)]
    if lower is not None:
        lines.append("x = minimum(maximum(x, lower), upper)")
    body = "".join(f"    {line}\n" for line in lines)
    text = f"def update(x, g, rate, state):\n{body}    return x, ({''.join(name + ', ' for name in kept)})\n"
    space = {
        "sqrt": np.sqrt,
        "fabs": np.abs,
        "max": np.maximum,
        "power": math.pow,
        "minimum": np.minimum,
        "maximum": np.maximum,
        "lower": lower,
        "upper": upper,
    }
    return compile_function(text, "update", space)


def array_state(rule: UpdateRule, size: int) -> tuple[Any, ...]:
    """Return the first state for `array_update`."""
    from gdcli.compile.runners import numpy

    np = numpy()
    return (*(np.zeros(size) for _ in rule.slots), *(value for _, value in rule.common))
