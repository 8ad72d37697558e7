"""A gradient examined at one point: every way to compute it, the formulas, the Hessian, the errors, the steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from gdcli.calculus.gradient_audit import Auditor, best_step, border, error_rows, worst
from gdcli.calculus.trace import trace
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.dense import eigen
from gdcli.kernel.vectors import Vec, Vector
from gdcli.objective.complex_objective import programs
from gdcli.objective.expression import ScalarObjective
from gdcli.tasks.problem import Problem

if TYPE_CHECKING:
    from gdcli.calculus.gradient_audit import BestStep, Component, ErrorRow
    from gdcli.calculus.trace import Trace
    from gdcli.objective.complex_objective import GradientFormulas

QUOTIENTS = ("forward", "central", "complex_step")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for besides the audit; ``trace`` asks for the steps and nothing else. ``h`` is the step."""

    h: float | None = None
    hessian: bool = False
    errors: bool = False
    latex: bool = False
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Hessian:
    """The exact second derivatives as rows, and their eigenvalues in ascending order; None where not finite."""

    rows: list[list[float]] | None
    eigenvalues: list[float] | None


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found at the point; parts that were not asked for are empty.

    ``worst`` is the component and the way furthest beyond what rounding and truncation explain. ``h`` is the step of
    the difference quotients where one was given.
    """

    problem: Problem
    value: float
    components: tuple[Component, ...] = ()
    formulas: GradientFormulas | None = None
    hessian: Hessian | None = None
    rows: tuple[ErrorRow, ...] = ()
    best: Mapping[str, BestStep] | None = None
    worst: tuple[Component, str] | None = None
    trace: Trace | None = None
    h: float | None = None

    @property
    def agrees(self) -> bool:
        return all(component.agrees for component in self.components)

    @property
    def gradient(self) -> list[float]:
        """The gradient by automatic differentiation, component by component."""
        if self.trace is not None:
            return self.trace.gradient
        values = [c.ways["autodiff"].value for c in self.components]
        return [float("nan") if value is None else value for value in values]

    @property
    def exit_code(self) -> int:
        """0, or 9 where the ways disagree."""
        return 0 if self.agrees else 9


def examine(problem: Problem, objective: ScalarObjective, wanted: Wanted) -> Examination:
    """Examine the gradient of ``objective`` at the point of ``problem``, which is inside the domain.

    Raises UsageError where a trace would be too long.
    """
    tree = objective.form.tree
    x = objective.space.flatten(problem.start)
    value = objective.value(Vec(x))
    if wanted.trace:
        return Examination(problem, value, trace=trace(tree, problem.start, problem.constants))
    made, formulas = programs(objective, problem.constants, wanted.latex)
    explain = partial(border, tree, problem.start, problem.constants)
    auditor = Auditor(made, x, wanted.h, explain)
    components = tuple(auditor.run())
    rows = tuple(error_rows(auditor)) if wanted.errors else ()
    found = {name: best_step(rows, name) for name in QUOTIENTS}
    return Examination(
        problem,
        value,
        components,
        formulas,
        _hessian(objective, x) if wanted.hessian else None,
        rows,
        {name: best for name, best in found.items() if best is not None},
        worst(components),
        h=wanted.h,
    )


def _hessian(objective: ScalarObjective, x: Vector) -> Hessian:
    rows = objective.evaluate(Vec(x), 2)
    if rows.hessian is None or rows.estimated:
        return Hessian(None, None)
    exact = [[float(a) for a in row] for row in rows.hessian]
    values, _ = eigen([Vec(row) for row in exact])
    return Hessian(exact, sorted(float(v) for v in values))
