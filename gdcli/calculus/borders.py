"""Where in the typed text a point stands on a border: a kink (abs at 0) or the edge of a domain (sqrt at 0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.calculus.trace import TraceStep, trace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.numerics import EPS
from gdcli.language.functions import FUNCTIONS
from gdcli.language.syntax import Tree

# Two numbers that rounding could have made different are on the border.
_NEAR = 8 * EPS


def border(tree: Tree, point: Mapping[str, Any], constants: Mapping[str, Any], kind: str) -> str:
    """Return the first sub-expression that is on a border of this kind (kink or edge), with its argument; or ""."""
    try:
        steps = trace(tree, point, constants, 2000).steps
    except (UsageError, RecursionError):  # too long to be followed
        return ""
    test = _is_kink if kind == "kink" else _is_edge
    for step in steps:
        if test(step, steps):
            arguments = ", ".join(
                f"{a.text} = {a.value:.6g}" for a in step.args[:2] if a.component is not None
            )
            return tree.piece(step.node) + (f" at {arguments}" if arguments else "")
    return ""


def _is_kink(step: TraceStep, steps: list[TraceStep]) -> bool:
    values = [a.value for a in step.args]
    if step.op in ("abs", "sign", "relu"):
        return abs(values[0]) <= _NEAR * _size(step, steps)
    if step.op in ("floor", "ceil"):
        return abs(values[0] - round(values[0])) <= _NEAR * _size(step, steps)
    if step.op == "where":
        return abs(values[0] - values[1]) <= _NEAR * max(abs(values[0]), abs(values[1]))
    if step.op in ("max", "min"):
        first, second = sorted(values, reverse=step.op == "max")[:2]
        return abs(first - second) <= _NEAR * max(abs(first), abs(second))
    return False


def _size(step: TraceStep, steps: list[TraceStep]) -> float:
    """The size of the terms that an argument is the sum of: what its rounding is relative to."""
    argument = step.args[0]
    if argument.step is not None and steps[argument.step].op in ("add", "sub"):
        return max(abs(a.value) for a in steps[argument.step].args)
    return abs(argument.value) if step.op in ("floor", "ceil") else 0.0


def _is_edge(step: TraceStep, steps: list[TraceStep]) -> bool:
    values = [a.value for a in step.args]
    if step.op == "norm":
        return not any(values)
    if step.op == "pow":
        return values[0] == 0.0 and values[1] != int(values[1])
    edges = FUNCTIONS[step.op].edges if step.op in FUNCTIONS else ()
    return any(all(value == edge for value in values) for edge in edges)
