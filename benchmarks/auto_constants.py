"""What each constant of `auto` is worth: the score with it twice as large and half as large.

    python benchmarks/auto_constants.py [perturbed starts per problem] [problems] [constants]

A constant between 1/2 and 1 that must stay below 1 has its distance from 1 varied, and one just above 1 that distance
too. Lost: problems no longer solved, those solved yet not claimed, and false claims, from the starts as they stand and
from perturbed ones (refuted by a lower point nearby). The cost is the median of values, gradients and Hessians.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from statistics import median
from typing import Any, NamedTuple

from bench_runs import compiled, is_refuted, solve, starts
from measure import problems, sizes, table

MODULES = (
    "kernel.numerics",
    "solve.methods.newton",
    "solve.algebra.quadratic_model",
    "solve.algebra.trust_region",
    "solve.probe.line_probe",
    "solve.probe.valley",
    "solve.probe.newton_decrement",
)


class Total(NamedTuple):
    """The score of one setting: runs not solved, not claimed though solved, false or refuted, cost, most."""

    unsolved: int
    shy: int
    false: int
    elsewhere: int
    cost: float
    most: int


def score(copies: int, most: int) -> Total:
    """Return the score of the constants as they are now."""
    own = [(p, solve(p, "auto", compiled(p["name"])[1], 2000)) for p in problems(most)]
    near = [(p, solve(p, "auto", x0, 2000)) for p in problems(most) for x0 in starts(p, copies)]
    false = sum(s.claimed and not s.solved for _, s in own)
    refuted = sum(s.claimed and not s.solved and is_refuted(p, s.x, s.value) for p, s in near)
    return Total(
        sum(not s.solved for _, s in own),
        sum(s.solved and not s.claimed for _, s in own + near),
        false + refuted,
        sum(not s.claimed for _, s in near),
        median(s.all for _, s in own + near),
        max(s.all for _, s in own),
    )


def constants(module: Any) -> list[str]:
    """Return the names of the numbers that stand as constants at the top of a module."""
    tree = ast.parse(inspect.getsource(module))
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    ]
    return [name for name in names if isinstance(getattr(module, name), (int, float))]


def varied(value: Any, factor: float) -> Any:
    """Return ``value`` times ``factor``; see the module text for values near 1."""
    if isinstance(value, int):
        return max(1, round(value * factor))
    if 0.5 < value < 1.0:
        return 1.0 - (1.0 - value) * factor
    return 1.0 + (value - 1.0) * factor if 1.0 < value < 1.5 else value * factor


def with_constant(name: str, old: Any, new: Any, copies: int, most: int) -> Total:
    """Return the score with a constant changed wherever it is used."""
    modules = [importlib.import_module(f"gdcli.{m}") for m in MODULES]
    holders = [m for m in modules if getattr(m, name, None) == old]
    for module in holders:
        setattr(module, name, new)
    try:
        return score(copies, most)
    finally:
        for module in holders:
            setattr(module, name, old)


def main() -> None:
    """Vary one constant after the other and print the table."""
    copies, most, few = sizes(1, len(problems()), 1000)
    header = ["constant", "value", "unsolved", "shy", "false", "perturbed: no claim", "median", "max"]
    base = score(copies, most)
    rows = [["as they are", "", *map(str, base)]]
    homes = [importlib.import_module(f"gdcli.{module}") for module in MODULES]
    named = [(home, name) for home in homes for name in constants(home)]
    for home, name in named[:few]:
        old = getattr(home, name)
        for factor in (0.5, 2.0):
            new = varied(old, factor)
            found = with_constant(name, old, new, copies, most)
            where = f"{home.__name__.rpartition('.')[2]}.{name.lstrip('_')}"
            rows.append([where, f"{old:g} -> {new:g}", *map(str, found)])
    print(table(header, rows))


if __name__ == "__main__":
    main()
