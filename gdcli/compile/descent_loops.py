"""Whole loops of elementwise descent methods as program text.

The text takes steps ``x + size * d`` one after the other, as the loop of :mod:`gdcli.solve.run` does in CPython, and
writes each iterate into a row. It takes only steps after which that loop would go on: before it takes a step at which a
stop rule might be met, at which anything is not finite or the point does not move, it returns, and CPython takes that
step and decides. Sums of squares stand for the norms of the stop rules; the limits given are a little larger than the
rules', so that rounding never hides a stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.compile.scalar_text import functions_of, statements
from gdcli.compile.update_rules import Update, assigned, renamed
from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import Graph, Key

# Rows kept from before when the rows begin anew; then as many as the room has.
HISTORY = 8
ROOM = 512
# What stands in the array of limits, in this order; the constants of the update follow.
LIMITS = ("low", "gradient_scaled", "gradient", "step", "value")


class LoopLayout(NamedTuple):
    """Where things stand in the arrays of a loop of ``n`` variables.

    A row has x, the gradient, the value and the step size. ``best`` has a row, the x before it and the lowest value.
    """

    n: int

    @property
    def row(self) -> int:
        return 2 * self.n + 2

    @property
    def best(self) -> int:
        return self.row + self.n + 1


def loop_text(
    graph: Graph,
    value: int,
    gradient: Sequence[int],
    leaves: Mapping[Key, str],
    update: Update,
    watched: bool,
) -> str:
    """Return ``advance(rows, best, state, limits, marks, steps)``, which returns the number of steps taken.

    The newest point stands in row HISTORY - 1 before, and in row marks[0] after; marks[1] is the number of the step
    that gave the best point, 0 for none. ``watched`` tells that a stop rule looks at the change of the value.
    """
    roots, names = [value, *gradient], list(leaves.values())
    n = len(names)
    layout = LoopLayout(n)
    body, results = statements(graph, roots, leaves, indent=3)
    begin = (HISTORY - 1) * layout.row
    writer = _Update(update, names, watched)
    lines = [
        'def advance(rows: "float*", best: "float*", state: "float*", limits: "float*",'
        ' marks: "int*", steps: "int") -> "int":',
        *_loaded(writer, layout, begin),
        "    found_at = 0",
        "    taken = 0",
        "    going = 1",
        "    while going and taken < steps:",
        f"        r = {begin}",
        f"        end = r + min(steps - taken, {ROOM}) * {layout.row}",
        "        found = -1",
        "        while r < end:",
        *_one_step(writer, names, layout, body, results),
        "        if found >= 0:",
        f"            found_at = taken + (found - {begin}) // {layout.row}",
        f"            for k in range({layout.row}):",
        "                best[k] = rows[found + k]",
        f"            for k in range({n}):",
        f"                best[{layout.row} + k] = rows[found - {layout.row} + k]",
        f"        taken += (r - {begin}) // {layout.row}",
        "        if going and taken < steps:",
        f"            for k in range({HISTORY * layout.row}):",
        f"                rows[k] = rows[k + {ROOM * layout.row}]",
        f"    best[{layout.row + n}] = lowest",
        *(f"    state[{i}] = {name}" for i, name in enumerate(writer.states)),
        "    marks[0] = r",
        "    marks[1] = found_at",
        "    return taken",
    ]
    operations = graph.operations(roots)
    return functions_of(operations) + "\n".join(lines) + "\n"


def _loaded(writer: _Update, layout: LoopLayout, begin: int) -> list[str]:
    """Return the lines that read limits, newest row, state and lowest value."""
    n = layout.n
    return [
        *(f"    {name} = limits[{i}]" for i, name in enumerate(f"limit_{name}" for name in LIMITS)),
        *(f"    c_{name} = limits[{len(LIMITS) + i}]" for i, name in enumerate(writer.update.constants)),
        f"    r = {begin}",
        *(f"    p{i} = rows[r + {i}]" for i in range(n)),
        *(f"    g{i} = rows[r + {n + i}]" for i in range(n)),
        f"    f = rows[r + {2 * n}]",
        *(f"    {name} = state[{i}]" for i, name in enumerate(writer.states)),
        f"    lowest = best[{layout.row + n}]",
    ]


def _one_step(
    writer: _Update, names: Sequence[str], layout: LoopLayout, body: Sequence[str], results: Sequence[str]
) -> list[str]:
    """Return the lines of a step inside the loop: the update, the value and gradient there, the rules, the new row."""
    n = layout.n
    by_value = " and fabs(fn - f) >= limit_value" if writer.watched else ""
    return [
        *(f"            {line}" for line in writer.lines()),
        *(f"            {name} = p{i} + size * u_d_{i}" for i, name in enumerate(names)),
        *body,
        f"            fn = {results[0]}",
        *(f"            h{i} = {results[1 + i]}" for i in range(n)),
        f"            slope = {_squares([f'h{i}' for i in range(n)])}",
        f"            moved = {_squares([f'({name} - p{i})' for i, name in enumerate(names)])}",
        "            height = fabs(fn)",
        "            least = limit_gradient_scaled * (height if height > 1.0 else 1.0) + limit_gradient",
        # The sum of three that are not negative, or not below the lowest allowed, is finite when all are.
        "            if not (slope > least and moved > limit_step and fn > limit_low"
        f" and slope + moved + fn < inf{by_value}):",
        "                going = 0",
        "                break",
        *(f"            p{i} = {name}" for i, name in enumerate(names)),
        *(f"            g{i} = h{i}" for i in range(n)),
        "            f = fn",
        *(f"            {name} = u_{name}" for name in writer.states),
        f"            r += {layout.row}",
        *(f"            rows[r + {i}] = p{i}" for i in range(n)),
        *(f"            rows[r + {n + i}] = g{i}" for i in range(n)),
        f"            rows[r + {2 * n}] = f",
        f"            rows[r + {2 * n + 1}] = size",
        "            if f <= lowest:",
        "                lowest = f",
        "                found = r",
    ]


def _squares(texts: Sequence[str]) -> str:
    return " + ".join(f"{text} * {text}" for text in texts)


class _Update:
    """The lines of an update, on copies of its states, written out for each variable."""

    def __init__(self, update: Update, names: Sequence[str], watched: bool) -> None:
        self.update, self.watched = update, watched
        self.count = len(names)
        self.states = [
            *(f"s_{v}" for v in update.scalars),
            *(f"s_{v}_{i}" for v in update.vectors for i in range(self.count)),
        ]

    def lines(self) -> list[str]:
        shared = {name: f"c_{name}" for name in self.update.constants}
        shared |= {name: f"u_s_{name}" for name in self.update.scalars}
        shared |= {name: f"u_{name}" for name in assigned(self.update.shared) if name not in shared}
        shared["size"] = "size"
        lines = [f"u_{name} = {name}" for name in self.states]
        lines += renamed(self.update.shared, shared)
        local = (*self.update.vectors, *assigned(self.update.component))
        for i in range(self.count):
            own = {
                name: f"u_s_{name}_{i}" if name in self.update.vectors else f"u_{name}_{i}" for name in local
            }
            lines += renamed(self.update.component, {**shared, **own, "g": f"g{i}"})
        return lines
