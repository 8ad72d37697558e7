"""All the ways to a gradient as programs of one expression, for an audit: a value, formulas, complex steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.calculus.complex_step import quotient, step_at
from gdcli.calculus.gradient_audit import MAX_COMPONENTS, Programs
from gdcli.compile.runners import ScalarFunction
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Vec
from gdcli.language import form
from gdcli.language.syntax import Tree
from gdcli.objective.complex_objective import ComplexFunction
from gdcli.objective.expression import ScalarObjective


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
        return quotient(complex_program, list(x), index, step_at(x[index]) if h is None else h)

    gradient = ScalarFunction(
        graph, objective.gradient_nodes, objective.leaves, lambda texts: f"({', '.join(texts)},)"
    )
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
    from gdcli.calculus.formula_gradient import gradient
    from gdcli.calculus.formula_text import Nodes, latex, text

    try:
        derivatives = gradient(objective.form.tree, objective.space.lengths, constants)
    except UsageError as error:
        return [], GradientFormulas({}, {}, error.message)
    writer = Nodes(objective.form.graph, dict(zip(derivatives, objective.nodes, strict=True)))
    return [writer.write(slope) for slope in derivatives.values()], GradientFormulas(
        {name: text(slope) for name, slope in derivatives.items()},
        {name: latex(slope) for name, slope in derivatives.items()} if with_latex else {},
    )
