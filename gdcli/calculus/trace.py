"""Automatic differentiation step by step, as one would do it on paper.

The typed text is taken apart into elementary operations z1, z2, ..., in order of evaluation; nothing is simplified
and nothing shared. Each step has its value and its local derivatives, those by its own arguments. The chain rule
then goes two ways. Forward: dz/dx of each step from those of its arguments, once per variable. Reverse: from the
last step back, the adjoint z' = d(result)/dz of each step is handed on to its arguments, times the local
derivative; all derivatives of the result at once. (Griewank & Walther, Evaluating Derivatives, 2nd ed., 2008,
sections 3.1 and 3.2.)

Vectors are written out element by element. Of a ``where`` only the branch that is taken is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.calculus.derivation_text import local_derivatives
from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.errors import UsageError
from gdcli.language.functions import CONSTANTS
from gdcli.language.graph import compare
from gdcli.language.interpreter import REDUCE, applied, is_reduction, small_power
from gdcli.language.matrices import is_matrix
from gdcli.language.syntax import Node, Tree
from gdcli.language.tree_names import all_nodes, name_of, with_parts

# Longer ones nobody would follow on paper.
MAX_STEPS = 200
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}


class Operand(NamedTuple):
    """What a step works on: another step (``step`` counts from 0), a component of the point, or a constant."""

    text: str
    value: float
    step: int | None = None
    component: int | None = None
    varies: bool = False


class Local(NamedTuple):
    """A local derivative: of a step by one of its arguments, as formula and value."""

    operand: Operand
    formula: str
    value: float


@dataclass(slots=True)
class TraceStep:
    """One elementary operation; ``forward`` has dz/dx by component, ``parts`` what the adjoint is the sum of.

    ``source`` is the typed text of the step.
    """

    name: str
    formula: str
    value: float
    op: str
    args: tuple[Operand, ...]
    node: Node
    locals: tuple[Local, ...]
    note: str = ""
    source: str = ""
    forward: dict[int, float] = field(default_factory=dict)
    adjoint: float = 0.0
    parts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trace:
    """All steps; ``labels`` name the components of the gradient, ``sums`` say where each comes from."""

    steps: list[TraceStep]
    labels: list[str]
    value: float
    gradient: list[float]
    sums: list[list[str]]


def trace(
    tree: Tree, point: Mapping[str, Any], constants: Mapping[str, Any], limit: int = MAX_STEPS
) -> Trace:
    """Return the trace at a point. Raises UsageError where there are more than ``limit`` steps.

    ``point`` and ``constants`` have a number or a sequence of numbers for each name.
    """
    unseen = [
        (each, node)
        for each in with_parts([tree])
        for node in all_nodes(each.root)
        if node.op in ("matmul", "part", "transpose") or is_matrix(constants.get(name_of(node) or "", ()))
    ]
    if unseen:
        tree, first = min(unseen, key=lambda found: found[1].op != "matmul")
        what = "@" if first.op == "matmul" else "matrices"
        raise tree.error(first, f"--trace does not follow {what}", "write dot(a, b) for two vectors")
    return _Tracer(tree, point, constants, limit).run()


class _Tracer:
    def __init__(
        self, tree: Tree, point: Mapping[str, Any], constants: Mapping[str, Any], limit: int
    ) -> None:
        self.tree = tree
        self.parts = tree.parts
        self.limit = limit
        self.steps: list[TraceStep] = []
        self.done: dict[tuple[int, int | None], Operand] = {}
        self.shapes: dict[int, int | None] = {}
        self.labels: list[str] = []
        self.names: dict[str, Operand | list[Operand]] = {}
        for name, value in point.items():
            if len(self.labels) > limit:
                raise self._too_long()
            self.names[name] = self._variable(name, value)
        for name, value in {**CONSTANTS, **constants}.items():
            if hasattr(value, "__len__") and not hasattr(value[0], "__len__"):
                self.names[name] = [Operand(f"{name}[{i}]", float(v)) for i, v in enumerate(value)]
            elif not hasattr(value, "__len__"):
                self.names[name] = Operand(name, float(value))

    def _variable(self, name: str, value: Any) -> Operand | list[Operand]:
        first = len(self.labels)
        if not hasattr(value, "__len__"):
            self.labels.append(name)
            return Operand(name, float(value), None, first, True)
        if len(value) > self.limit:
            raise self._too_long()
        self.labels += [f"{name}[{i}]" for i in range(len(value))]
        return [Operand(f"{name}[{i}]", float(v), None, first + i, True) for i, v in enumerate(value)]

    def _too_long(self) -> UsageError:
        return UsageError(
            f"--trace shows at most {self.limit} steps, and this has more",
            "a shorter expression, or shorter vectors, can be followed; --trace left out gives the gradient",
        )

    def run(self) -> Trace:
        roots = [self.tree.root, *(part.root for part in self.parts.values())]
        if sum(map(self._operations, roots)) > self.limit:
            raise self._too_long()
        root = self.at(self.tree.root, None)
        gradient, sums = self._reverse(root)
        return Trace(self.steps, self.labels, root.value, gradient, sums)

    def _operations(self, root: Node) -> int:
        stack, count = [root], 0
        while stack and count <= self.limit:
            node = stack.pop()
            count += bool(node.args) and node.op != "where"
            stack.extend(node.args)
        return count

    # -- values --------------------------------------------------------------------------------------------

    def length(self, node: Node) -> int | None:
        """Return the number of elements that a node has, None for a scalar."""
        found = self.shapes.get(id(node), -1)
        if found == -1:
            found = self.shapes[id(node)] = self._length(node)
        return found

    def _length(self, node: Node) -> int | None:
        if node.op == "name" and node.value in self.parts:
            return self.length(self.parts[node.value].root)
        if node.op == "name":
            known = self.names[node.value]
            return len(known) if isinstance(known, list) else None
        if node.op == "slice":
            name, start, stop, step = node.value
            known = self.names[name]
            assert isinstance(known, list)
            return len(known[start:stop:step])
        if is_reduction(node):
            return None
        return next((n for n in map(self.length, node.args) if n is not None), None)

    def at(self, node: Node, index: int | None) -> Operand:
        """Return the value of a node, or of one element of it; each is computed once."""
        if self.length(node) is None:
            index = None
        key = (id(node), index)
        found = self.done.get(key)
        if found is None:
            found = self.done[key] = self._new(node, index)
        return found

    def _new(self, node: Node, index: int | None) -> Operand:
        if node.op == "number":
            return Operand(_digits(node.value), float(node.value))
        if node.op == "neg" and node.args[0].op == "number":
            return Operand(_digits(-node.args[0].value), -float(node.args[0].value))
        if node.op == "name" and node.value in self.parts:
            return self._part(self.parts[node.value], index)
        if node.op in ("name", "index", "slice"):
            return self._leaf(node, index)
        if node.op == "where":
            return self._where(node, index)
        if is_reduction(node):
            return self._reduction(node)
        args = [self.at(a, index) for a in node.args]
        op = node.value if node.op == "call" else node.op
        return self._add(node, op, args, _formula(op, args), _value(op, args))

    def _part(self, part: Tree, index: int | None) -> Operand:
        """The value of a named part, whose steps stand in its own text."""
        outer, self.tree = self.tree, part
        found = self.at(part.root, index)
        self.tree = outer
        return found

    def _leaf(self, node: Node, index: int | None) -> Operand:
        if node.op == "name":
            known = self.names[node.value]
            return known if isinstance(known, Operand) else known[index or 0]
        known = self.names[node.value[0]]
        assert isinstance(known, list)
        if node.op == "index":
            return known[int(node.value[1])]
        chosen = known[slice(*node.value[1:])]
        return chosen[index or 0]

    def _where(self, node: Node, index: int | None) -> Operand:
        left, right = self.at(node.args[0], index), self.at(node.args[1], index)
        holds = compare(node.value, left.value, right.value)
        taken = self.at(node.args[2 if holds else 3], index)
        note = f"{left.text} {node.value} {right.text} is {'true' if holds else 'false'}"
        pair = (taken.text, "...") if holds else ("...", taken.text)
        formula = f"where({left.text} {node.value} {right.text}, {', '.join(pair)})"
        local = (Local(taken, "1", 1.0),) if taken.varies else ()
        return self._append(node, "where", [left, right, taken], formula, taken.value, local, note)

    def _reduction(self, node: Node) -> Operand:
        name = node.value
        length = next(n for n in map(self.length, node.args) if n is not None)
        columns = [[self.at(part, i) for i in range(length)] for part in node.args]
        args = [a for row in zip(*columns, strict=True) for a in row]
        texts = [a.text for a in columns[0]]
        if name == "dot":
            pairs = [f"{_tight(a)}*{_tight(b)}" for a, b in zip(*columns, strict=True)]
            formula = " + ".join(pairs)
        elif name == "norm":
            formula = "sqrt(" + " + ".join(f"{_tight(a)}**2" for a in columns[0]) + ")"
        elif name == "prod":
            formula = "*".join(_tight(a) for a in columns[0])
        else:
            formula = f"{name}({', '.join(texts)})"
        return self._add(
            node, name, args, formula, float(REDUCE[name](*([a.value for a in column] for column in columns)))
        )

    # -- steps ---------------------------------------------------------------------------------------------

    def _add(self, node: Node, op: str, args: Sequence[Operand], formula: str, value: float) -> Operand:
        """Append a step with its local derivatives, those of one operand used twice added up."""
        merged: dict[Operand, Local] = {}
        name = f"z{len(self.steps) + 1}"
        pairs = local_derivatives(op, [(a.text, a.value, a.varies) for a in args], name, value)
        for a, (text, slope) in zip(args, pairs, strict=True):
            if not a.varies or not text:
                continue
            before = merged.get(a)
            merged[a] = (
                Local(a, text, slope)
                if before is None
                else Local(a, f"{before.formula} + {text}", before.value + slope)
            )
        return self._append(node, op, args, formula, value, tuple(merged.values()))

    def _append(
        self,
        node: Node,
        op: str,
        args: Sequence[Operand],
        formula: str,
        value: float,
        local: tuple[Local, ...],
        note: str = "",
    ) -> Operand:
        if len(self.steps) == self.limit:
            raise self._too_long()
        step = TraceStep(f"z{len(self.steps) + 1}", formula, value, op, tuple(args), node, local, note)
        step.source = self.tree.piece(node)
        for operand, _, slope in local:
            known = self.steps[operand.step].forward if operand.step is not None else {operand.component: 1.0}
            for component, derivative in known.items():
                if component is not None and derivative != 0.0:
                    step.forward[component] = step.forward.get(component, 0.0) + slope * derivative
        self.steps.append(step)
        varies = any(a.varies for a in args if op != "where") or bool(local)
        return Operand(step.name, value, len(self.steps) - 1, None, varies)

    def _reverse(self, root: Operand) -> tuple[list[float], list[list[str]]]:
        """Hand the adjoints back, from the last step to the first."""
        gradient = [0.0] * len(self.labels)
        sums: list[list[str]] = [[] for _ in self.labels]
        if root.component is not None:
            gradient[root.component], sums[root.component] = 1.0, ["1"]
        if root.step is not None:
            last = self.steps[root.step]
            last.adjoint, last.parts = 1.0, ["1"]
        for step in reversed(self.steps):
            if not step.parts:  # only a condition, or a constant: nothing comes back to it
                continue
            for operand, text, slope in step.locals:
                part = 0.0 if step.adjoint == 0.0 else step.adjoint * slope
                told = _product(f"{step.name}'", text)
                if operand.step is not None:
                    self.steps[operand.step].adjoint += part
                    self.steps[operand.step].parts.append(told)
                elif operand.component is not None:
                    gradient[operand.component] += part
                    sums[operand.component].append(told)
        return gradient, sums


def _product(adjoint: str, formula: str) -> str:
    if formula in ("1", "-1"):
        return adjoint if formula == "1" else f"-{adjoint}"
    loose = any(sign in formula for sign in (" + ", " - ")) or formula.startswith("-")
    return f"{adjoint}*({formula})" if loose or "/" in formula else f"{adjoint}*{formula}"


def _digits(value: float) -> str:
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text


def _tight(operand: Operand) -> str:
    return f"({operand.text})" if operand.text.startswith("-") else operand.text


def _formula(op: str, args: Sequence[Operand]) -> str:
    if op == "neg":
        return f"-{_tight(args[0])}"
    if op in _INFIX:
        sign = _INFIX[op]
        space = " " if sign in "+-" else ""
        return f"{_tight(args[0])}{space}{sign}{space}{_tight(args[1])}"
    return f"{op}({', '.join(a.text for a in args)})"


def _value(op: str, args: Sequence[Operand]) -> float:
    numbers = [a.value for a in args]
    if op == "pow" and args[0].varies and not args[1].varies and numbers[1] in (2.0, 3.0, 4.0):
        return small_power(*numbers)
    return applied(op, numbers)
