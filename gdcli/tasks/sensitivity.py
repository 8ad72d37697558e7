"""How an answer moves with what was given: the derivatives of the value and of the point by constants and right sides.

At an answer the gradient of the Lagrangian ``L(x, p) = f(x, p) - sum of m_i g_i(x, p)`` is zero, and so are the active
constraints g_i. Where a constant p moves, both stay so: that is a linear system for the slopes of x and of the
multipliers m (Fiacco, Introduction to Sensitivity and Stability Analysis, 1983, chapter 3). The value moves by the
derivative of L alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space, lengths_of, np
from gdcli.language import form
from gdcli.language.constraints import rows_of
from gdcli.language.form import Form
from gdcli.language.graph import Graph
from gdcli.language.syntax import Node
from gdcli.objective.expression import ScalarObjective
from gdcli.tasks.domain_ends import with_domain
from gdcli.tasks.pipeline import Outcome, Sensitivity
from gdcli.tasks.problem import Problem
from gdcli.tasks.starts_and_limits import relations_of

# Variables and constants together: their Hessian is a matrix, written out number by number.
MOST = 100
# A constraint this near to its limit, as a part of what it compares, is active; its multiplier tells whether it holds.
_NEAR = 100 * HOLDS
# A multiplier below this part of the largest slope of the value holds nothing.
_NOTHING = 1e-9


def sensitivities(outcome: Outcome) -> tuple[Sensitivity, ...]:
    """Return the derivatives of an answer by every constant and every active limit.

    Raises UsageError where the answer is none that moves smoothly: not certified, or with dependent constraints.
    """
    problem = replace(
        outcome.problem, bounds=with_domain(outcome.problem.bounds, outcome.domain, outcome.space)
    )
    if outcome.status is not Status.CONVERGED or problem.tree is None:
        raise UsageError("sensitivities are those of a certified answer", "leave out --sensitivity")
    moving = {n: v for n, v in problem.constants.items() if not _is_matrix(v) and n not in problem.fixed}
    lengths = problem.lengths | lengths_of(moving)
    space = Space(lengths)
    if space.size > MOST:
        told = f"sensitivities are found of up to {MOST} numbers, and this has {space.size}"
        raise UsageError(told, "leave out --sensitivity")
    fixed = {n: v for n, v in problem.constants.items() if n not in moving}
    return _System(
        problem, space, fixed, [*outcome.run.best.at.x, *Space(lengths_of(moving)).flatten(moving)]
    ).solve(space.labels[outcome.space.size :])


def with_sensitivities(outcome: Outcome) -> Outcome:
    """Return the outcome with how it moves, and with a warning that tells what is not known of that, and why."""
    try:
        found = if_in_time(lambda: sensitivities(outcome), None)
    except UsageError as error:
        return replace(outcome, warnings=(*outcome.warnings, f"no sensitivities: {error.message}"))
    notes = [
        f"no sensitivities by {name}, a matrix: give what varies of it as numbers of their own"
        for name, value in outcome.problem.constants.items()
        if _is_matrix(value)
    ]
    if found is None:
        notes = ["no sensitivities: there was no time for them"]
    elif not found and not notes:
        notes = ["no sensitivities: there is no constant (--set), and no limit that holds the answer"]
    return replace(outcome, sensitivity=found or (), warnings=(*outcome.warnings, *notes))


def _is_matrix(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value[0], "__len__")


class _System:
    """The conditions of an answer, as functions of variables and constants that stand at ``at``."""

    def __init__(self, problem: Problem, space: Space, fixed: Mapping[str, Any], at: Sequence[float]) -> None:
        self.problem, self.space, self.at = problem, space, list(map(float, at))
        self.n = Space(problem.lengths).size
        assert problem.tree is not None
        self.form = form.build(problem.tree, space.lengths, fixed, expand=True)
        self.graph: Graph = self.form.graph
        self.make = form.vector_builder(space.lengths, fixed, True, self.graph)
        self.texts: list[str] = []
        self.nodes: list[int] = []
        self._constraints()

    def _constraints(self) -> None:
        """The active limits: of constraints, and of typed bounds."""
        relations = relations_of(self.problem.subject_to, self.problem.let)
        for row in rows_of(relations, self.problem.constants):
            for k, side in enumerate((row.lower, row.upper)):
                if side is None or (k and side is row.lower):
                    continue
                root = Node("sub", None, (row.tree.root, side.root), row.span.start, row.span.end)
                made = self.make(row.tree._replace(root=root))
                for i, node in enumerate(made.rows):
                    label = row.text if made.length is None else f"{row.text} [{i}]"
                    self._limit(label, node)
        for name, ends in self.problem.bounds.items():
            for k, end in enumerate(ends):
                values: Any = end if hasattr(end, "__len__") else [end]
                for i, value in enumerate(values):
                    label = name if end is value else f"{name}[{i}]"
                    leaf = self.graph.scalar(name) if end is value else self.graph.element(name, i)
                    if abs(value) < float("inf"):
                        self._limit(
                            f"{label} {'<=' if k else '>='} {value:g}",
                            self.graph.sub(leaf, self.graph.number(value)),
                        )

    def _limit(self, text: str, node: int) -> None:
        """Take notice of a limit that is active, unless the same one is known."""
        value, slope = self._first(node)
        size = max(1.0, float(np.abs(slope * np.array(self.at)).max()))
        rows = [*(self._first(known)[1][: self.n] for known in self.nodes), slope[: self.n]]
        is_new = np.linalg.matrix_rank(np.array(rows)) == len(rows)
        if abs(value) <= _NEAR * size and is_new:
            self.texts.append(text)
            self.nodes.append(node)

    def _objective(self, node: int) -> Any:
        form = self.form
        return ScalarObjective(Form(form.tree, self.graph, node, form.lengths, {}, True), self.space)

    def _first(self, node: int) -> tuple[float, Any]:
        made = self._objective(node)
        found = made.evaluate(made.vector(self.at), 1)
        if found.gradient is None:
            raise UsageError("a slope at the answer is infinite", "leave out --sensitivity")
        return found.value, np.array(found.gradient, dtype=float)

    def solve(self, constants: Sequence[str]) -> tuple[Sensitivity, ...]:
        n, g = self.n, self.graph
        slope = self._first(self.form.root)[1]
        slopes = np.array([self._first(node)[1] for node in self.nodes]).reshape(-1, len(self.at))
        multipliers = np.linalg.lstsq(slopes[:, :n].T, slope[:n], rcond=None)[0]
        holds = np.abs(multipliers) * np.linalg.norm(slopes[:, :n], axis=1) > _NOTHING * max(
            1.0, float(abs(slope).max())
        )
        total = self.form.root
        for node, multiplier, on in zip(self.nodes, multipliers, holds, strict=True):
            if on:
                total = g.sub(total, g.mul(g.number(float(multiplier)), node))
        made = self._objective(total)
        whole = made.evaluate(made.vector(self.at), 2)
        H, A, m = np.array(whole.hessian, dtype=float), slopes[holds], int(holds.sum())
        K = np.block([[H[:n, :n], -A[:, :n].T], [A[:, :n], np.zeros((m, m))]])
        right = np.vstack((np.hstack((-H[:n, n:], np.zeros((n, m)))), np.hstack((-A[:, n:], np.eye(m)))))
        if np.linalg.matrix_rank(K) < len(K):
            raise UsageError(
                "the answer does not move smoothly: curvature is missing along what it may move in",
                "leave out --sensitivity",
            )
        moves = np.linalg.solve(K, right)[:n].T
        values = [*np.array(whole.gradient, dtype=float)[n:], *multipliers[holds]]
        texts = [text for text, on in zip(self.texts, holds, strict=True) if on]
        return tuple(
            Sensitivity(by, float(value) + 0.0, tuple(float(one) + 0.0 for one in move))
            for by, value, move in zip([*constants, *texts], values, moves, strict=True)
        )
