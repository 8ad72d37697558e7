"""Local derivatives as one writes them on paper: a short formula and its number.

The formulas come from the one table of rules, :mod:`gdcli.language.functions`: a rule is applied to names (z3, x)
instead of numbers, and the little graph that it builds is printed and evaluated. What is shown is what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.calculus.autodiff import Derivatives
from gdcli.language import ieee
from gdcli.language.graph import Graph, arguments, compare, evaluate

# An argument of an operation: its name or digits, its value, and whether it depends on a variable.
Argument = tuple[str, float, bool]
Slope = tuple[str, float]

_SYMBOLS = {"add": (" + ", 1), "sub": (" - ", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("**", 4)}
_LOOSEST, _ATOM = 0, 9


def local_derivatives(op: str, args: Sequence[Argument], name: str, value: float) -> list[Slope]:
    """Return (formula, value) of the derivative of an operation by each argument.

    ``name`` and ``value`` are those of the operation itself, which formulas may use: exp'(z1) is z2. Constants
    have an empty formula.
    """
    numbers = [a[1] for a in args]
    if op in ("max", "min", "relu"):
        return _extreme(op, args)
    if op in ("sum", "mean"):
        slope = 1.0 if op == "sum" else 1.0 / len(args)
        return [("1" if op == "sum" else f"1/{len(args)}", slope) for _ in args]
    if op == "dot":
        others = [i ^ 1 for i in range(len(args))]  # the factors stand in pairs
        return [(args[i][0], numbers[i]) for i in others]
    if op == "norm":
        return [(f"{a[0]}/{name}", ieee.div(a[1], value)) for a in args]
    if op == "prod":
        return [_product_of_others(args, i) for i in range(len(args))]
    return _by_rule(op, args, name, value)


def _extreme(op: str, args: Sequence[Argument]) -> list[Slope]:
    """1 for the argument that is chosen, the first of equals; 0 for the others."""
    if op == "relu":
        return [("1" if args[0][1] > 0.0 else "0", float(args[0][1] > 0.0))]
    numbers = [a[1] for a in args]
    best = max(numbers) if op == "max" else min(numbers)
    chosen = numbers.index(best) if best in numbers else 0
    return [("1" if i == chosen else "0", float(i == chosen)) for i in range(len(args))]


def _product_of_others(args: Sequence[Argument], index: int) -> Slope:
    value, texts = 1.0, []
    for i, (text, number, _) in enumerate(args):
        if i != index:
            value *= number
            texts.append(text)
    return "*".join(texts) or "1", value


def _by_rule(op: str, args: Sequence[Argument], name: str, value: float) -> list[Slope]:
    graph = Graph()
    known: dict[int, float] = {}
    nodes = []
    for text, number, _ in args:
        # A number is spelled out in rules, unless all are: then the operation would be done at once.
        node = graph.number(number) if _is_number(text) and any(a[2] for a in args) else graph.scalar(text)
        known[node] = number
        nodes.append(node)
    root = graph.node(op, *nodes)
    known[root] = value
    slopes: dict[int, int] = {}
    for a, partial in Derivatives(graph).partials(root):
        slopes[a] = graph.add(slopes[a], partial) if a in slopes else partial
    shares = {a: nodes.count(a) for a in slopes}
    result: list[Slope] = []
    for a, (_, _, varies) in zip(nodes, args, strict=True):
        if a not in slopes or not varies:
            result.append(("", 0.0))
            continue
        # An operand used twice (x*x) has its whole derivative at its first place.
        first = shares.pop(a, 0) > 0
        text = _print(graph, slopes[a], {root: name})[0] if first else ""
        if op == "pow" and a == nodes[1] and a != nodes[0]:  # on paper nobody writes the case a**b = 0
            text = f"{name}*log({args[0][0]})"
        result.append((text, _number(graph, slopes[a], known) if first else 0.0))
    return result


def _is_number(text: str) -> bool:
    return text[0].isdigit() or text[0] in "-."


def _number(graph: Graph, root: int, known: dict[int, float]) -> float:
    """Evaluate a node from the numbers that are known, lazily at choices."""
    if root in known:
        return known[root]
    key = graph.keys[root]
    if key[0] == "number":
        number = graph.value_of(root)
        assert number is not None
        known[root] = number
    elif key[0] == "where":
        holds = compare(key[1], _number(graph, key[2], known), _number(graph, key[3], known))
        known[root] = _number(graph, key[4 if holds else 5], known)
    else:
        known[root] = evaluate(key[0], *(_number(graph, a, known) for a in arguments(key)))
    return known[root]


def _print(graph: Graph, i: int, names: dict[int, str]) -> tuple[str, int]:
    """Return the text of a node and how tightly its outermost operation binds."""
    if i in names:
        return names[i], _ATOM
    key = graph.keys[i]
    if key[0] == "scalar":
        return key[1], _ATOM
    if key[0] == "number":
        value = graph.value_of(i)
        text = f"{value:.12g}"
        return text, _LOOSEST if text.startswith("-") else _ATOM
    if key[0] == "neg":
        return f"-{_within(graph, key[1], names, 2)}", _LOOSEST
    base, exponent = _as_power(graph, i)
    if exponent > 1:
        return f"{_within(graph, base, names, 5)}**{exponent}", 4
    if key[0] in _SYMBOLS:
        sign, level = _SYMBOLS[key[0]]
        if key[0] == "mul" and graph.value_of(key[2]) is not None:
            key = (key[0], key[2], key[1])  # the number first, as one writes it
        left = _within(graph, key[1], names, level)
        return f"{left}{sign}{_within(graph, key[2], names, level + (key[0] != 'add'))}", level
    if key[0] == "where":
        a, b, yes, no = (_print(graph, j, names)[0] for j in key[2:])
        return f"where({a} {key[1]} {b}, {yes}, {no})", _ATOM
    return f"{key[0]}({', '.join(_print(graph, j, names)[0] for j in key[1:])})", _ATOM


def _within(graph: Graph, i: int, names: dict[int, str], level: int) -> str:
    text, own = _print(graph, i, names)
    return f"({text})" if own < level else text


def _as_power(graph: Graph, i: int) -> tuple[int, int]:
    """Return (base, exponent): the small integer powers are products in the graph."""
    key = graph.keys[i]
    if key[0] == "mul":
        (a, m), (b, n) = _as_power(graph, key[1]), _as_power(graph, key[2])
        if a == b:
            return a, m + n
    return i, 1
