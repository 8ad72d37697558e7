"""When an objective goes over to machine code, and what of it.

`ScalarTier` stands beside a `ScalarObjective` and loads machine code when a run has lasted long enough. Then the loop
of an elementwise method takes its steps in chunks (:mod:`gdcli.solve.native_steps`); under every other method the
programs of the objective that are long enough to gain by it are replaced. The bits stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.compile.update_rules import Update
    from gdcli.language.graph import Key
    from gdcli.objective.expression import ScalarObjective
    from gdcli.objective.native_objective import Loop

INF = float("inf")

# Seconds that loading takes: when the code is on disk, and when it has to be compiled, at least or by its size.
KEPT, COMPILED, A_NODE = 0.06, 0.15, 4e-4
# Larger programs are not compiled: for a second nobody would hear an interrupt.
MOST_NODES = 2500
# A smaller program gains nothing: a call of machine code costs as much as thirty operations of CPython.
LEAST_NODES = 40


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
        self._text, self._nodes = "", 0
        self._programs: dict[str, _Program] = {}

    def worth_after(self, update: Update | None, watched: bool = False) -> float:
        """Return the seconds after which a run is worth the loading; inf when there is nothing to load.

        ``watched`` tells that a stop rule looks at the change of the value.
        """
        from gdcli.compile import machine_code

        if not self._write(update, watched) or not machine_code.is_installed():
            return INF
        if self.at_once:
            return 0.0
        kept = machine_code.is_likely_kept(self._text, use_cache=self.use_cache)
        return KEPT if kept else max(COMPILED, A_NODE * self._nodes)

    def load(self, update: Update | None) -> Loop | None:
        """Load what `worth_after` has looked at; the result takes steps of ``update``."""
        from gdcli.compile import machine_code
        from gdcli.objective.native_objective import Loop, NativeProgram

        if not machine_code.is_available():
            return None
        try:
            library = machine_code.load(self._text, use_cache=self.use_cache)
        except (
            Exception
        ):  # whatever is wrong with it, a run that goes well without machine code goes on without it
            if self.at_once:
                raise
            return None
        self.engine = "native"
        if update is not None and self.whole:
            return Loop(library, self.objective, update)
        self.objective.replace_programs(
            {
                name: NativeProgram(library, name, len(made.nodes), len(made.leaves))
                for name, made in self._programs.items()
            }
        )
        return None

    def _write(self, update: Update | None, watched: bool) -> str:
        """Write the text: a loop, or the programs in use that are long enough to gain by it."""
        from gdcli.compile.descent_loops import loop_text
        from gdcli.compile.strict_scalar import functions_of, program_text

        objective = self.objective
        graph, leaves = objective.form.graph, objective.leaves
        roots = [objective.root, *objective.gradient_nodes]
        if update is not None and self.whole:
            self._nodes = len(graph.reach(tuple(roots)))
            if self._nodes <= MOST_NODES:
                self._text = loop_text(
                    graph, objective.root, objective.gradient_nodes, leaves, update, watched
                )
            return self._text
        least = 0 if self.at_once else LEAST_NODES
        for name, function in objective.programs_in_use().items():
            nodes = len(graph.reach(tuple(function.roots)))
            if least <= nodes and self._nodes + nodes <= MOST_NODES:
                self._nodes += nodes
                self._programs[name] = _Program(function.roots, function.leaves)
        if self._programs:
            operations: set[str] = set()
            for program in self._programs.values():
                operations |= graph.operations(program.nodes)
            texts = (program_text(name, graph, p.nodes, p.leaves) for name, p in self._programs.items())
            self._text = functions_of(operations) + "".join(texts)
        return self._text


class _Program(NamedTuple):
    nodes: Sequence[int]
    leaves: Mapping[Key, str]
