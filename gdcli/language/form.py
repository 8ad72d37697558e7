"""From the checked tree to a Form: the objective as a graph over named variables.

An objective is a scalar function of reductions (sums, products, extremes) of elementwise functions of atoms;
an atom is a scalar, an element or a slice of a vector. In the graph a reduction is one node and an atom one
leaf, so a Form is as small for a million variables as for three.

For few variables the same builder *expands* vectors: each element becomes a leaf of its own and a sum a chain
of additions. The Form is then scalar throughout, which gives exact Hessians and programs without loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdcli.kernel.errors import GdError
from gdcli.language.form_builder import Constant, FormBuilder
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.syntax import Tree
from gdcli.language.tree_names import all_nodes, name_of, with_parts


class Form:
    """An objective, or the rows of a constraint, as a graph.

    ``lengths`` has every variable in order of first appearance with its length (None for a scalar), ``data``
    the vector constants by name (empty when expanded), ``root`` the node of the value. ``expanded`` tells
    that each element of a vector is a leaf of its own. ``rows`` are the nodes of the value: the root alone, but for a
    vector that is expanded, which has one for each element (and the first of them as root).
    """

    def __init__(
        self,
        tree: Tree,
        graph: Graph,
        root: int,
        lengths: dict[str, int | None],
        data: dict[str, Any],
        expanded: bool,
        rows: tuple[int, ...] = (),
    ) -> None:
        self.tree = tree
        self.graph = graph
        self.root = root
        self.rows = rows or (root,)
        self.lengths = lengths
        self.data = data
        self.expanded = expanded

    @property
    def length(self) -> int | None:
        """How many elements the value has, None for a number."""
        return len(self.rows) if len(self.rows) > 1 else self.graph.lengths[self.root]

    @property
    def is_scalar(self) -> bool:
        """Whether the graph has no vectors, so that a Hessian is a plain matter of scalars."""
        return self.expanded or not any(
            self.graph.lengths[i] is not None for i in self.graph.reach((self.root,))
        )

    def variables_in_use(self) -> frozenset[str]:
        keys = (self.graph.keys[i] for i in self.graph.reach((self.root,)))
        return frozenset(
            key[1] for key in keys if key[0] in ("scalar", "element", "slice") and key[1] in self.lengths
        )

    def kinks(self) -> tuple[str, ...]:
        """Return the names of functions in use whose derivative jumps somewhere."""
        kinked = [
            name
            for name in self.graph.operations((self.root,))
            if (name in FUNCTIONS and FUNCTIONS[name].kink) or name in ("where", "largest", "smallest")
        ]
        return tuple(sorted({{"largest": "max", "smallest": "min"}.get(name, name) for name in kinked}))


def build(
    tree: Tree,
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Constant],
    expand: bool = False,
    graph: Graph | None = None,
) -> Form:
    """Build the Form of a checked tree, in a new ``graph`` unless an empty one is given.

    ``lengths`` has the variables (None: scalar), ``constants`` numbers or sequences of numbers. Raises
    UsageError with the place in the text for unknown names, wrong numbers of arguments and vectors that do
    not fit.
    """
    builder = FormBuilder(tree, dict(lengths), constants, expand, graph)
    root = builder.build(tree.root)
    builder.refuse_matrix(root, "the expression is {}; an objective is one number")
    if builder.length(root) is not None:
        raise tree.error(
            tree.root,
            "the expression is a vector; an objective is one number",
            "wrap it in sum(...), mean(...) or norm(...)",
        )
    assert isinstance(root, int)
    return Form(tree, builder.graph, root, dict(lengths), {} if expand else builder.data, expand)


def vector_builder(
    lengths: Mapping[str, int | None], constants: Mapping[str, Constant], expand: bool, graph: Graph
) -> Callable[[Tree], Form]:
    """Return what builds the Forms of many expressions, numbers or vectors, in one graph, which may be in use."""
    builder: FormBuilder | None = None

    def build_one(tree: Tree) -> Form:
        nonlocal builder
        if builder is None:
            builder = FormBuilder(tree, dict(lengths), constants, expand, graph)
        builder.tree = tree
        root = builder.build(tree.root)
        builder.refuse_matrix(root, "this is {}, and no number or vector")
        rows = tuple(root) if isinstance(root, list) else (root,)
        return Form(tree, graph, rows[0], builder.lengths, {} if expand else builder.data, expand, rows)

    return build_one


def build_row(
    tree: Tree,
    graph: Graph,
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Constant],
    matrices: Mapping[str, Sequence[str]],
) -> int:
    """Return the node in ``graph`` of an expression that is a number for every row of a data set.

    ``lengths`` has the parameters and, as scalars, the data columns; ``matrices`` the columns of each data matrix,
    which stands only before an ``@`` unless it is a single column by another name. Vectors are expanded into their
    elements. Raises UsageError as :func:`build`.
    """
    nodes = [(each, node) for each in with_parts([tree]) for node in all_nodes(each.root)]
    multiplied = {id(node.args[0]) for _, node in nodes if node.op == "matmul"}
    for each, node in nodes:
        if len(matrices.get(name_of(node) or "", ".")) != 1 and not (
            node.op == "name" and id(node) in multiplied
        ):
            raise each.error(node, f"{name_of(node)} is a data matrix", f"write {name_of(node)} @ w")
    builder = FormBuilder(tree, dict(lengths), constants, True, graph, matrices)
    root = builder.build(tree.root)
    if isinstance(root, list):
        builder.refuse_matrix(root, "this is {}; a model is one number a row")
        raise tree.error(tree.root, "this is a vector; a model is one number a row", "wrap it in sum(...)")
    return int(root)


def size_when_expanded(form: Form) -> int:
    """Return about how many nodes the expanded Form would have: each vector node counts for its length."""
    if form.expanded:
        raise GdError("the form is expanded already")
    graph = form.graph
    found = 0
    for i in graph.reach((form.root,)):
        key = graph.keys[i]
        found += math.prod(graph.shape(key[1])) if key[0] == "matmul" else graph.lengths[i] or 1
    return found
