"""An objective in machine code: its programs, and whole loops of elementwise methods.

`ScalarTier` stands beside a `ScalarObjective` and loads machine code when a run has lasted long enough. Then the loop
of an elementwise method takes its steps in bursts (:mod:`gdcli.solvers.bursts`); under every other method the programs
of the objective that are long enough to gain by it are replaced. The bits stay the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

from gdcli.codegen.loops import HISTORY, LIMITS, ROOM, Layout, loop_text
from gdcli.codegen.strict import functions_of, operations_of, program_text
from gdcli.language.graph import Key
from gdcli.objective.compiled import packed
from gdcli.solvers.types import Arrival, Burst, Evaluation
from gdcli.solvers.vectors import Vec

if TYPE_CHECKING:
    from gdcli.codegen.loops import UpdateText
    from gdcli.codegen.machine import Library
    from gdcli.objective.compiled import ScalarObjective

INF = float("inf")

# Seconds that loading takes: when the code is on disk, and when it has to be compiled.
KEPT, COMPILED = 0.06, 0.15
# A larger program takes seconds to compile.
MOST_NODES = 6000
# A smaller program gains nothing: a call of machine code costs as much as thirty operations of CPython.
LEAST_NODES = 40
# The limits of a burst are wider than the rules' by more than the rounding of a sum of squares.
_WIDER = 1.0 + 1e-9
_SMALLEST = 1e-290


class ScalarTier:
    """The machine code of a `ScalarObjective`.

    ``whole`` tells that the run evaluates this very objective, so that whole steps can be taken; with ``at_once`` the
    code is loaded as soon as the run begins. ``engine`` names what ran: python, or native after `load`.
    """

    def __init__(
        self, objective: ScalarObjective, *, whole: bool = True, at_once: bool = False, use_cache: bool = True
    ) -> None:
        self.objective = objective
        self.whole = whole
        self.at_once = at_once
        self.use_cache = use_cache
        self.engine = "python"
        self.first_look = 0.0 if at_once else KEPT
        self._text = ""
        self._programs: dict[str, _Program] = {}

    def worth_after(self, update: UpdateText | None) -> float:
        """Return the seconds after which a run is worth the loading; inf when there is nothing to load."""
        from gdcli.codegen import machine

        if not self._write(update) or not machine.is_installed():
            return INF
        if self.at_once:
            return 0.0
        return KEPT if machine.is_likely_kept(self._text, use_cache=self.use_cache) else COMPILED

    def load(self, update: UpdateText | None, constants: Sequence[float]) -> Loop | None:
        """Load what `worth_after` has looked at; the result takes steps of ``update``."""
        from gdcli.codegen import machine

        if not machine.is_available():
            return None
        library = machine.load(self._text, use_cache=self.use_cache)
        self.engine = "native"
        if update is not None and self.whole:
            return Loop(library, self.objective, update, constants)
        self.objective.replace_programs(
            {name: _function(library, name, program) for name, program in self._programs.items()}
        )
        return None

    def _write(self, update: UpdateText | None) -> str:
        """Write the text: a loop, or the programs in use that are long enough to gain by it."""
        objective = self.objective
        graph, leaves = objective.form.graph, objective.leaves
        roots = [objective.root, *objective.gradient_nodes]
        if update is not None and self.whole:
            if len(graph.reach(tuple(roots))) <= MOST_NODES:
                self._text = loop_text(graph, objective.root, objective.gradient_nodes, leaves, update)
            return self._text
        least = 0 if self.at_once else LEAST_NODES
        for name, function in objective.programs_in_use().items():
            if least <= len(graph.reach(tuple(function.roots))) <= MOST_NODES:
                self._programs[name] = _Program(_flat(name, function.roots, objective.size), function.leaves)
        if self._programs:
            operations: set[str] = set()
            for program in self._programs.values():
                operations |= operations_of(graph, program.nodes)
            texts = (program_text(name, graph, p.nodes, p.leaves) for name, p in self._programs.items())
            self._text = functions_of(operations) + "".join(texts)
        return self._text


class _Program(NamedTuple):
    nodes: Sequence[int]
    leaves: Mapping[Key, str]


def _flat(name: str, roots: Sequence[int], n: int) -> Sequence[int]:
    """The roots of a program in the order of its results; of a Hessian's lower triangle all entries, row by row."""
    if name != "second":
        return roots
    return [*roots[:n], *(roots[n + packed(i, j)] for i in range(n) for j in range(n))]


def _function(library: Library, name: str, program: _Program) -> Callable[[Sequence[float]], Any]:
    """Return a program as machine code: a flat sequence of numbers in, what the CPython program returns out."""
    count, n = len(program.nodes), len(program.leaves)
    out = (ctypes.c_double * count)()
    arguments = ctypes.c_double * n
    call = library[name]
    if name == "value":

        def value(x: Sequence[float]) -> Any:
            call(arguments(*x), out)
            return out[0]

        return value
    if name != "second":

        def row(x: Sequence[float]) -> Any:
            call(arguments(*x), out)
            return out[:]

        return row
    rows = [slice(n * i, n * (i + 1)) for i in range(1, n + 1)]

    def second(x: Sequence[float]) -> Any:
        call(arguments(*x), out)
        flat = out[:]
        return flat[:n], [flat[part] for part in rows]

    return second


class Loop:
    """Bursts of steps of one update on one objective, in machine code; see `gdcli.solvers.bursts.Bursts`."""

    rows = ROOM - 1  # so many steps never reach the end of the room, and all their rows are left

    def __init__(
        self, library: Library, objective: ScalarObjective, update: UpdateText, constants: Sequence[float]
    ) -> None:
        self.objective = objective
        self.update = update
        self.constants = constants
        self.n = n = objective.size
        self.layout = Layout(n)
        self._advance = library["advance"]
        self._rows = (ctypes.c_double * (self.layout.row * (HISTORY + ROOM)))()
        self._best = (ctypes.c_double * self.layout.best)()
        self._state = (ctypes.c_double * (len(update.scalars) + n * len(update.vectors)))()
        self._limits = (ctypes.c_double * (len(LIMITS) + len(constants)))()
        self._marks = (ctypes.c_int64 * 2)()

    def __call__(self, at: Evaluation, states: Any, limits: Any, lowest: float, steps: int) -> Burst:
        """Take up to ``steps`` steps from ``at``."""
        n, row = self.n, self.layout.row
        begin = (HISTORY - 1) * row
        self._rows[begin : begin + row] = [*at.x, *at.gradient, at.value, 0.0]  # type: ignore[misc]
        self._state[:] = [*states.scalars, *(a for vector in states.vectors for a in vector)]
        self._limits[:] = [*_widened(limits), *self.constants]
        self._best[row + n] = lowest
        taken = self._advance(self._rows, self._best, self._state, self._limits, self._marks, steps)
        self.objective.counts.value += taken
        self.objective.counts.gradient += taken
        best = None
        if self._marks[1]:
            before = Evaluation(Vec(self._best[row : row + n]), INF)
            best = self._arrival(self._best[:row], self._marks[1], before)
        newest = self._marks[0] // row
        scalars = len(self.update.scalars)
        flat = self._state[:]
        vectors = [Vec(flat[k : k + n]) for k in range(scalars, len(flat), n)]

        def last(count: int) -> Iterator[Arrival]:
            count = min(count, taken, newest)
            before = self._evaluation(self._row(newest - count))
            for back in range(count - 1, -1, -1):
                arrival = self._arrival(self._row(newest - back), taken - back, before)
                before = arrival.at
                yield arrival

        return Burst(taken, last, best, flat[:scalars], vectors)

    def _row(self, index: int) -> list[float]:
        row = self.layout.row
        return self._rows[row * index : row * (index + 1)]

    def _evaluation(self, row: Sequence[float]) -> Evaluation:
        n = self.n
        return Evaluation(Vec(row[:n]), row[2 * n], Vec(row[n : 2 * n]))

    def _arrival(self, row: Sequence[float], number: int, before: Evaluation) -> Arrival:
        return Arrival(number, self._evaluation(row), before, row[2 * self.n + 1])


def _widened(limits: Any) -> list[float]:
    """The limits of the text, in its order: squares where a norm is meant, never narrower than the rule."""
    gradient = -1.0 if limits.gradient is None else max(limits.gradient**2 * _WIDER, _SMALLEST)
    step = 0.0 if limits.step is None else max(limits.step**2 * _WIDER, _SMALLEST)
    low = nextafter(limits.floor, -INF)
    return [
        low if limits.target is None else max(low, limits.target),
        gradient if limits.scaled else 0.0,
        0.0 if limits.scaled else gradient,
        step,
        0.0 if limits.value is None else limits.value,
    ]
