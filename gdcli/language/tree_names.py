"""The names in an expression: which are variables, where they stand, and what is wrong with those that are none."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence

from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.syntax import Node, Tree, postorder
from gdcli.language.tokens import end_of_token, has_comparison


def told(error: UsageError) -> UsageError:
    """The error with a proposal, where the expression is written as elsewhere."""
    from gdcli.language.notation import told  # only an error needs it

    is_constraint = error.span is not None and has_comparison(error.span.text)
    return told(error, "constraint" if is_constraint else "expression")


def unknown_function(tree: Tree, node: Node, names: Container[str]) -> UsageError:
    """Return the error for a call of what is no function; ``names`` are variables and constants."""
    name = str(node.value)
    place = tree.span(node)._replace(end=end_of_token(tree.text, node.start))
    if name in names:
        return told(
            UsageError(f"{name} is a variable, not a function", f"write {name}*(...) to multiply", place)
        )
    hint = did_you_mean(name, CALLABLE, "'gd functions' lists what there is")
    return told(UsageError(f"unknown function {name}", hint, place))


def check_calls(tree: Tree, names: Container[str]) -> None:
    """Raise UsageError at the first call of what is no function; ``names`` are variables and constants."""
    for node in all_nodes(tree.root):
        if node.op == "call" and node.value not in CALLABLE:
            raise unknown_function(tree, node, names)


def variables(
    tree: Tree, constants: Collection[str], started: Sequence[str] = (), others: Sequence[Tree] = ()
) -> list[str]:
    """Return the names of the expression that are variables, in order of first appearance.

    ``constants`` are names that have a value, ``started`` those for which start values are at hand: only they make
    the name of a function that is called nowhere a variable. ``others`` are the constraints, whose names come after
    those of the expression.
    Raises UsageError for a function's name used as a variable, and for constants that the expression lacks.
    """
    trees = with_parts((tree, *others))
    names = tuple(dict.fromkeys(name for each in (tree, *others) for name in each.names))
    for each in trees:
        check_calls(each, (*names, *each.parts, *constants, *started))
    for name in (*constants, *started):
        if name in CONSTANTS:
            told_value = f"{name} is the constant {CONSTANTS[name]:.6g}"
            raise UsageError(told_value, "give the variable another name")
    known = [name for name in names if name not in CONSTANTS]
    if lacking := next((name for name in constants if name not in names), None):
        hint = did_you_mean(lacking, known)
        raise UsageError(f"--set gives {lacking}, which the expression does not have", hint)
    found = [name for name in known if name not in constants]
    for name in found:
        _check_variable(name, trees, started)
    return found


def _check_variable(name: str, trees: Sequence[Tree], started: Sequence[str]) -> None:
    """Raise UsageError for a variable with the name of a function, or of a constant in capitals."""
    constant = name.lower()
    if len(name) > 1 and constant in CONSTANTS and name not in started:  # E is a usual variable, PI is none
        hint = f"write {constant}; a variable {name} needs a start"
        raise UsageError(f"{name} is no constant, but {constant} is", hint, place_of_name(trees, name))
    if constant in ("inf", "infinity", "nan") and name not in started:
        raise UsageError(
            f"{name} is no number here", "leave out what is infinite", place_of_name(trees, name)
        )
    if name not in CALLABLE:
        return
    is_called = any(_calls(each, name) for each in trees)
    if is_called or name not in started:
        hint = f"write {name}(...), or give the variable another name"
        hint += "" if is_called else f", or a start: --start {name}=1"
        raise told(UsageError(f"{name} is a function", hint, place_of_name(trees, name)))


def with_parts(trees: Sequence[Tree]) -> list[Tree]:
    parts = {id(part): part for tree in trees for part in tree.parts.values()}
    return [*trees, *parts.values()]


def place_of_name(trees: Sequence[Tree], name: str) -> Span | None:
    found = (each.span(node) for each in trees for node in all_nodes(each.root) if name_of(node) == name)
    return next(found, None)


def name_of(node: Node) -> str | None:
    """Return the name that a node reads, None for other nodes."""
    if node.op == "name":
        return str(node.value)
    return str(node.value[0]) if node.op in ("index", "slice") else None


def all_nodes(root: Node) -> list[Node]:
    """All nodes of a tree, those inside ``where`` included, in order of evaluation."""
    found = []
    for node in postorder(root):
        if node.op == "where":
            for part in node.args:
                found.extend(all_nodes(part))
        found.append(node)
    return found


def _calls(tree: Tree, name: str) -> bool:
    called = "where" if name == "where" else "call"
    return any(n.op == called and name in (n.value, called) for n in all_nodes(tree.root))


def subscripted(tree: Tree) -> set[str]:
    """Return the names that are indexed or sliced, and so must be vectors."""
    nodes = (node for each in with_parts([tree]) for node in all_nodes(each.root))
    return {str(node.value[0]) for node in nodes if node.op in ("index", "slice")}


def multiplied(tree: Tree, side: int | None = None) -> set[str]:
    """Return the names that stand beside an ``@``, on its left (side 0), its right (1) or either."""
    products = [node for each in with_parts([tree]) for node in all_nodes(each.root) if node.op == "matmul"]
    beside = [part for node in products for k, part in enumerate(node.args) if side in (None, k)]
    return {str(part.value) for part in beside if part.op == "name"}
