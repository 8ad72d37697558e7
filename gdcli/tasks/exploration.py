"""What a page to play with descent is made of: programs in JavaScript of the very graph that is solved, and numbers.

The expression (or the loss of a row of data) with its exact gradient and Hessian, the constraints, and the update rules
of the methods are written by :mod:`gdcli.compile.export_text`; what the page starts with comes as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.export_text import functions, rule, shared_names
from gdcli.compile.scalar_text import leaves_of
from gdcli.judge import learning_rates, rate_trials
from gdcli.judge.gd_forecast import WINDOW
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space
from gdcli.language import constraints, form
from gdcli.language.graph import Graph, Key
from gdcli.solve.registry import METHODS, direction
from gdcli.solve.settings import BOOK_STEP_SIZES, Settings
from gdcli.tasks.fit.data_checks import over_of
from gdcli.tasks.fit.row_sample import row_values
from gdcli.tasks.minimize import solve
from gdcli.tasks.pipeline import flat_bounds
from gdcli.tasks.problem import Problem

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared

# A page shows a plane of these many variables; gradient and Hessian are written out.
MOST_VARIABLES = 30
MOST_ROWS = 2000
# Steps of a learning rate until its verdict: so many take a moment in a browser, over rows fewer.
STEPS, ROW_STEPS = 5000, 300
RULES = ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")


class Exploration(NamedTuple):
    """``program`` is JavaScript; ``given`` is what its page is told, as objects, lists and numbers."""

    program: str
    given: dict[str, Any]


def of_problem(problem: Problem, lr: float | None) -> Exploration:
    """Return the page's parts for an expression. Raises UsageError for too many variables.

    ``lr`` is the first learning rate, None to take one from the curvature.
    """
    tree, space = problem.tree, Space(problem.lengths)
    assert tree is not None
    _check(space.size)
    built = form.build(tree, problem.lengths, problem.constants, expand=True)
    leaves = leaves_of(space)
    program = _of_graph("program", built.graph, built.root, leaves, problem.sign)
    rows = problem.rows()[0] if problem.subject_to else []
    held: list[dict[str, Any]] = []
    if rows:
        made = constraints.build(rows, problem.lengths, problem.constants, expand=True)
        sides = [one.sides() for one in made]
        for one, (low, high) in zip(made, sides, strict=True):
            held.append({"text": one.text, "equation": one.is_equation, "lower": low, "upper": high})
        roots = [root for one in made for root in one.form.rows]
        program += _written("limits", made[0].form.graph, {"values": roots}, leaves)
    given = _common(space, problem, lr) | {"constraints": held, "answer": _answer(problem)}
    return Exploration(program + _rules(), given)


def of_rows(ready: Prepared, lr: float | None) -> Exploration:
    """Return the page's parts for a model and its rows; its value is the mean loss."""
    row, space = ready.row, ready.row.space
    _check(space.size)
    rows = row_values(ready, MOST_ROWS)
    leaves: dict[Key, str] = dict(row.parameter_leaves)
    count = len(leaves)
    leaves |= {("scalar", name): f"r{k}" for k, name in enumerate(row.columns)}
    graph = row.graph
    program = _of_graph("rowProgram", graph, row.loss, leaves, ready.problem.sign, count)
    ends = [node for node in (row.response, row.fitted) if node is not None]
    program += _written("rowSides", graph, {"values": ends}, leaves)
    drawn = over_of(ready.row) if row.fitted is not None else None
    over = None if drawn is None else list(row.columns).index(drawn)
    start = {name: ready.problem.start[name] for name in space.lengths}
    given = _common(space, ready.problem, lr) | {
        "constraints": [],
        "answer": None,
        "start": [float(v) for v in space.flatten(start)],
        "columns": list(row.columns),
        "rows": rows,
        "sides": len(ends) == 2,
        "verdicts": _verdicts(ROW_STEPS),
        "over": over,
        "measured": "" if row.model.left is None else " ".join(row.model.text.partition("~")[0].split()),
    }
    return Exploration(program + _rules(), given)


def _check(size: int) -> None:
    if size > MOST_VARIABLES:
        raise UsageError(
            f"gd explore is for up to {MOST_VARIABLES} variables, and these are {size}",
            "gd minimize takes any number; --plot shows value and gradient",
        )


def _of_graph(
    name: str, graph: Graph, root: int, leaves: Mapping[Key, str], sign: int, count: int | None = None
) -> str:
    """Value, gradient and lower triangle of the Hessian of what is minimised, by the first ``count`` leaves."""
    root = root if sign > 0 or name == "rowProgram" else graph.node("neg", root)
    derivatives = Derivatives(graph)
    nodes = list(map(graph.leaf, list(leaves)[:count]))
    gradient = derivatives.slopes(root, nodes)
    columns = derivatives.hessian(gradient, nodes)
    triangle = [columns[j][i - j] for i in range(len(nodes)) for j in range(i + 1)]
    return _written(name, graph, {"value": [root], "gradient": gradient, "hessian": triangle}, leaves)


def _written(name: str, graph: Graph, roots: Mapping[str, Sequence[int]], leaves: Mapping[Key, str]) -> str:
    return functions(name, graph, roots, leaves, "p, g")


def _rules() -> str:
    texts = [rule(f"rule_{name}", direction("sgd" if name == "gd" else name).update) for name in RULES]
    names = ", ".join(f"{name}: rule_{name}" for name in RULES)
    return "".join(texts) + f"const rules = {{ {names} }};\n"


def _common(space: Any, problem: Any, lr: float | None) -> dict[str, Any]:
    return {
        "names": space.labels,
        "start": [float(v) for v in space.flatten(problem.start)],
        # x to the right and y upwards, whichever comes first in the expression.
        "axes": sorted(range(min(2, space.size)), key=space.label),
        "sign": problem.sign,
        "expression": " ".join(problem.expression.split()),
        "bounds": [list(map(float, ends)) for ends in flat_bounds(problem.bounds, space)]
        if problem.bounds
        else [],
        "lr": lr,
        "methods": _methods(),
        "stepSizes": list(BOOK_STEP_SIZES),
        "verdicts": _verdicts(STEPS),
    }


def _verdicts(steps: int) -> dict[str, Any]:
    return {
        "tolerance": rate_trials.TOLERANCE,
        "window": WINDOW,
        "hardly": learning_rates.HARDLY,
        "good": list(learning_rates.GOOD),
        "enough": list(learning_rates.ENOUGH),
        "steps": steps,
    }


def _methods() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in RULES:
        rule = direction("sgd" if name == "gd" else name)
        update = rule.update
        found.append(
            {
                "name": name,
                "help": METHODS[name].help.partition(", --lr")[0],
                "lr": METHODS[name].lr,
                "constants": dict(zip(update.constants, rule.constants, strict=True)),
                "vectors": len(update.vectors),
                "scalars": [*update.start, *[0.0] * (len(shared_names(update)) - len(update.scalars))],
                "stable": rule.stable is not None,
            }
        )
    found.append({"name": "newton", "help": "Newton's method with full steps", "lr": None, "constants": {}})
    return [*found, {"name": "batch", "help": METHODS["batch"].help, "lr": None, "constants": {}}]


def _answer(problem: Problem) -> list[float] | None:
    """The minimum that the page marks and keeps in view; None where none is found within a moment."""
    outcome = solve(problem, Settings(max_iter=500, max_time=2.0))
    if outcome.status.value != "converged":
        return None
    return [float(v) for v in outcome.run.best.at.x]
