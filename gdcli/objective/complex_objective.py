"""Complex steps: an objective whose gradient comes from them, exact to rounding, from values alone.

Its program has the same statements, with functions and comparisons for complex numbers. For an audit of gradients there
are all the ways to one as programs of an expression: values, formulas, complex steps (`programs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.calculus.gradient_audit import MAX_COMPONENTS, Programs
from gdcli.calculus.numerical_derivatives import (
    COMPARISONS,
    UNSUPPORTED,
    NotAnalyticError,
    complex_function,
    complex_quotient,
    step_at,
)
from gdcli.compile.scalar_text import ScalarFunction, ScalarWriter, compile_function, function_text
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space, Vec
from gdcli.language import form
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key
from gdcli.language.syntax import Tree
from gdcli.objective.difference_objective import EstimatedGradient
from gdcli.objective.expression import ScalarObjective, row
from gdcli.objective.protocol import Evaluation

if TYPE_CHECKING:
    from gdcli.objective.vector_expression import VectorObjective

# n variables cost n complex evaluations for each gradient, and each element of a vector is a name in the program.
MAX_SIZE = 500
# Operations of a program of which each is a line.
MAX_OPERATIONS = 30_000


class ComplexObjective(EstimatedGradient):
    """The gradient is one of complex steps.

    Each complex evaluation is counted as an evaluation of the value. Raises UsageError where the expression has a
    function without a complex version, or too many variables. At a point where the step does not exist (on the
    border of a choice, at the edge of a domain) there is no gradient.
    """

    def __init__(
        self, base: ScalarObjective | VectorObjective, constants: Mapping[str, Any], sign: int
    ) -> None:
        if base.size > MAX_SIZE:
            raise UsageError(
                f"--gradient complex takes {base.size} evaluations for each gradient of {base.size} variables",
                "--gradient autodiff is exact and costs no more than a few evaluations",
            )
        scalar = base.form
        if not scalar.is_scalar:
            if form.size_when_expanded(scalar) > MAX_OPERATIONS:
                raise UsageError(
                    f"--gradient complex writes out every operation, more than {MAX_OPERATIONS} here",
                    "--gradient autodiff is exact and costs no more than a few evaluations",
                )
            scalar = form.build(scalar.tree, base.space.lengths, constants, expand=True)
        in_use = scalar.graph.operations((scalar.root,))
        missing = [name for name in UNSUPPORTED if name in in_use]
        if missing:
            raise UsageError(
                f"--gradient complex does not exist for {', '.join(missing)}, which has no complex version here",
                "--gradient autodiff is exact for every function",
            )
        plain = ScalarObjective(scalar, base.space, sign)
        super().__init__(base)
        self.program = ComplexFunction(scalar.graph, plain.root, plain.leaves)

    def estimate(self, at: Evaluation) -> Sequence[float] | None:
        self.counts.value += self.size
        x = [float(a) for a in at.x]
        try:
            return [complex_quotient(self.program, x, i, step_at(x[i])) for i in range(self.size)]
        except NotAnalyticError:
            return None


class _ComplexWriter(ScalarWriter):
    def condition(self, a: str, relation: str, b: str) -> str:
        return f"{COMPARISONS[relation]}({a}, {b})"


class ComplexFunction:
    """A compiled scalar function of a flat sequence of complex numbers; ``text`` is the program.

    It raises what :mod:`gdcli.calculus.numerical_derivatives` raises where it is not analytic, and Python's arithmetic
    errors where complex numbers overflow.
    """

    def __init__(self, graph: Graph, root: int, leaves: Mapping[Key, str]) -> None:
        lines, (result,) = _ComplexWriter(graph, [root], leaves.__getitem__, safe=True).write()
        self.text = function_text("program", list(leaves.values()), lines, result)
        used = graph.operations((root,))
        names = ["div", "power", *COMPARISONS.values(), *(name for name in used if name in FUNCTIONS)]
        space = {"inf": float("inf"), "nan": float("nan"), **{name: complex_function(name) for name in names}}
        self.program = compile_function(self.text, "program", space)

    def __call__(self, x: Sequence[complex]) -> complex:
        found: complex = self.program(x)
        return found


class GradientFormulas(NamedTuple):
    """The gradient by formula: text and LaTeX of each component; empty, with the reason, where there is none."""

    text: dict[str, str]
    latex: dict[str, str]
    reason: str = ""


def expanded(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> ScalarObjective:
    """Return the objective with each element of a vector on its own. Raises UsageError for too many variables."""
    space = Space(lengths)
    if space.size > MAX_COMPONENTS:
        raise UsageError(
            f"an audit is made of up to {MAX_COMPONENTS} components, and this point has {space.size}",
            "the derivative of a shorter vector is no different in kind",
        )
    return ScalarObjective(form.build(tree, lengths, constants, expand=True), space)


def programs(
    objective: ScalarObjective, constants: Mapping[str, Any], latex: bool
) -> tuple[Programs, GradientFormulas]:
    """Return what an audit needs of an objective, and its formulas."""
    graph = objective.form.graph
    complex_program = ComplexFunction(graph, objective.root, objective.leaves)
    nodes, formulas = _formulas(objective, constants, latex)

    def complex_step(x: Sequence[float], index: int, h: float | None) -> float:
        return complex_quotient(complex_program, list(x), index, step_at(x[index]) if h is None else h)

    gradient = ScalarFunction(graph, objective.gradient_nodes, objective.leaves, row)
    made = Programs(
        graph=graph,
        root=objective.root,
        leaves=objective.nodes,
        value=lambda x: objective.value(Vec(x)),
        gradient=lambda x: gradient(Vec(x)),
        complex_step=complex_step,
        formulas=nodes,
        no_formula=formulas.reason,
        names=objective.space.labels,
    )
    return made, formulas


def _formulas(
    objective: ScalarObjective, constants: Mapping[str, Any], with_latex: bool
) -> tuple[list[int], GradientFormulas]:
    """The formulas as nodes of the objective's graph, and as text."""
    from gdcli.calculus.formula_text import Nodes, gradient, latex, text

    try:
        derivatives = gradient(objective.form.tree, objective.space.lengths, constants)
    except UsageError as error:
        return [], GradientFormulas({}, {}, error.message)
    writer = Nodes(objective.form.graph, dict(zip(derivatives, objective.nodes, strict=True)))
    return [writer.write(slope) for slope in derivatives.values()], GradientFormulas(
        {name: text(slope) for name, slope in derivatives.items()},
        {name: latex(slope) for name, slope in derivatives.items()} if with_latex else {},
    )
