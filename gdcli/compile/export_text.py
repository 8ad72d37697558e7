"""Programs to take away: an objective with its gradient, or a formula, in Python, C, JavaScript, awk or SQL.

Python, C, JavaScript and awk get the very operations of the program that `gd` runs itself, with what they need of the
functions of the language. The texts of :mod:`gdcli.compile.scalar_text` and of the special functions use so little of
Python (floats, arithmetic, comparisons, calls, assignments, ``if`` and ``return``) that their syntax trees can be
written out, node by node, in any language that has as much. SQL has expressions only, so there everything is written
where it is used.

A page in a browser gets functions of a graph, and update rules, each as one JavaScript object: the bits of + - * / and
sqrt are the same, functions of the C library may differ by a unit in the last place.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from gdcli.calculus.elements import by_formula
from gdcli.compile.scalar_text import INFIX, ScalarWriter, functions_of
from gdcli.compile.update_rules import Update, assigned
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.language import ieee, special
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments
from gdcli.language.syntax import BINARY, COMPARE

# -- the restricted Python in other languages -------------------------------------------------------------------------


class Dialect(NamedTuple):
    """A language: how it begins a function of some arguments with some local names.

    ``functions`` has the names of functions that are called otherwise than in Python.
    """

    head: Callable[[str, Sequence[str], Sequence[str]], str]
    functions: Mapping[str, str]


def _c_head(name: str, arguments: Sequence[str], names: Sequence[str]) -> str:
    typed = ", ".join(f"double {a}" if a not in _ARRAYS else f"{_ARRAYS[a]}{a}" for a in arguments)
    kind = "static double" if "g" not in arguments else "static void"
    local = f"    double {', '.join(names)};\n" if names else ""
    return f"{kind} {name}({typed})\n{{\n{local}"


_ARRAYS = {"p": "const double *", "g": "double *"}


def _awk_head(name: str, arguments: Sequence[str], names: Sequence[str]) -> str:
    local = f",    {', '.join(names)}" if names else ""
    return f"function {name}({', '.join(arguments)}{local})\n{{\n"


C = Dialect(
    _c_head,
    {"power": "pow", "gamma": "gd_gamma", "lgamma": "gd_lgamma", "erf": "gd_erf", "cbrt": "gd_cbrt"}
    | {"hypot": "gd_hypot", "whole": "floor", "inf": "INFINITY", "nan": "NAN"},
)
AWK = Dialect(_awk_head, {"whole": "floor"})


def _javascript_head(name: str, arguments: Sequence[str], names: Sequence[str]) -> str:
    local = f"    let {', '.join(names)};\n" if names else ""
    return f"function {name}({', '.join(arguments)}) {{\n{local}"


JAVASCRIPT = Dialect(
    _javascript_head,
    {row.python: f"Math.{row.name}" for row in FUNCTIONS.values() if row.native}
    | {"whole": "Math.floor", "inf": "Infinity", "nan": "NaN"},
)


def translate(text: str, dialect: Dialect) -> str:
    return "".join(
        _function(node, dialect) for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)
    )


def _function(node: ast.FunctionDef, dialect: Dialect) -> str:
    arguments = [a.arg for a in node.args.args]
    names = [
        n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id not in arguments
    ]
    name = dialect.functions.get(node.name, node.name)
    return dialect.head(name, arguments, list(dict.fromkeys(names))) + _block(node.body, dialect, 1) + "}\n\n"


def _block(body: Sequence[ast.stmt], dialect: Dialect, indent: int) -> str:
    space, lines = "    " * indent, []
    for node in body:
        if isinstance(node, ast.Assign):
            lines.append(f"{space}{_text(node.targets[0], dialect)} = {_text(node.value, dialect)};\n")
        elif isinstance(node, ast.Return):
            assert node.value is not None
            lines.append(f"{space}return {_text(node.value, dialect)};\n")
        elif isinstance(node, ast.If):
            lines.append(
                f"{space}if ({_text(node.test, dialect)}) {{\n{_block(node.body, dialect, indent + 1)}"
            )
            if node.orelse:
                lines.append(f"{space}}} else {{\n{_block(node.orelse, dialect, indent + 1)}")
            lines.append(f"{space}}}\n")
        else:
            raise TypeError(type(node).__name__)
    return "".join(lines)


def _text(node: ast.expr, dialect: Dialect) -> str:
    def inner(part: ast.expr) -> str:
        return _text(part, dialect)

    match node:
        case ast.Constant(value=float() | int() as value):
            return repr(float(value))
        case ast.Name(id=name):
            return dialect.functions.get(name, name)
        case ast.BinOp(left=left, op=op, right=right):
            return f"({inner(left)} {INFIX[BINARY[type(op)]]} {inner(right)})"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{inner(operand)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"({inner(left)} {COMPARE[type(op)]} {inner(right)})"
        case ast.BoolOp(op=op, values=values):
            return "(" + (" || " if isinstance(op, ast.Or) else " && ").join(map(inner, values)) + ")"
        case ast.IfExp(test=test, body=yes, orelse=no):
            return f"({inner(test)} ? {inner(yes)} : {inner(no)})"
        case ast.Subscript(value=value, slice=index):
            return f"{inner(value)}[{_index(index)}]"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{dialect.functions.get(name, name)}({', '.join(map(inner, args))})"
    raise TypeError(ast.dump(node))


def _index(node: object) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


# -- programs ----------------------------------------------------------------------------------------------------------

LONGEST_SQL = 200_000

Leaves = Mapping[Key, str]


def function(
    name: str, graph: Graph, roots: Sequence[int], leaves: Leaves, head: str, safe: bool, outputs: str = ""
) -> str:
    """Return one function in the restricted Python.

    ``head`` are its arguments; with ``p`` it reads the leaves from that array. Its results are returned, or written
    into the array ``outputs``.
    """
    lines, results = ScalarWriter(graph, roots, leaves.__getitem__, safe).write()
    reading = (
        [f"    {leaf} = p[{i}]" for i, leaf in enumerate(leaves.values())] if "p" in head.split(", ") else []
    )
    if outputs:
        ending = [f"    {outputs}[{i}] = {result}" for i, result in enumerate(results)]
    else:
        ending = [f"    return {results[0] if len(results) == 1 else '(' + ', '.join(results) + ')'}"]
    return f"def {name}({head}):\n" + "".join(line + "\n" for line in [*reading, *lines, *ending])


# -- Python ----------------------------------------------------------------------------------------------------------


def python_functions(graph: Graph, roots: Sequence[int]) -> str:
    """Return what safe programs of these operations call, which never raises."""
    wanted = graph.operations(roots)
    own = [op for op, row in FUNCTIONS.items() if op in wanted and row.special]
    wanted |= {"floor"} if own and "floor(" in functions_of(wanted) else set()
    plain = {op: row.safe for op, row in FUNCTIONS.items() if op in wanted and not row.special}
    called = [name for op, name in (("div", "div"), ("pow", "power")) if op in wanted]
    called += [name for safe in plain.values() if not (name := safe.partition("(")[0]).startswith("math.")]
    sources = (inspect.getsource(getattr(ieee, name)) for name in dict.fromkeys(called))
    parts = [source.replace(": Real", "").replace(" -> Real", "") for source in sources]
    if own:
        imported = [name for name in special.MATH_NAMES if name not in ("inf", "nan")]
        parts.insert(0, f"from math import {', '.join(imported)}\n")
    if bindings := "".join(f"{op} = {safe}\n" for op, safe in plain.items() if safe != op):
        parts.append(bindings)
    names = dict.fromkeys(name for op in own for name in (*special.dependencies(op), op))
    return "\n\n".join([*parts, *map(special.scalar_source, names)])


# -- C, JavaScript and awk -------------------------------------------------------------------------------------------

_AWK = {
    "power": "function power(a, b) { return a ^ b }\n",
    "copysign": "function copysign(x, y) { return (x < 0) == (y < 0) ? x : -x }\n",
}


@cache
def _awk() -> dict[str, str]:
    """Return what awk lacks, by what it has: exp, log, sqrt, sin, cos, atan2, int."""
    found = dict(_AWK)
    for row in FUNCTIONS.values():
        name, letters = row.python, ", ".join(row.letters)
        if row.awk:
            found[name] = f"function {name}({letters},    u) {{\n    {row.awk}\n}}\n"
        elif row.formula and not row.special:
            found[name] = (
                translate(f"def {name}({letters}):\n    return {row.formula}\n", AWK).rstrip() + "\n"
            )
    return found


def c_functions(graph: Graph, roots: Sequence[int]) -> str:
    """Return what programs of these operations call beyond the mathematics of C."""
    return translate(functions_of(graph.operations(roots)), C)


def awk_functions(text: str, graph: Graph, roots: Sequence[int]) -> str:
    own = translate(functions_of(graph.operations(roots)), AWK)
    found, needed, pending = _awk(), dict[str, str](), [text + own]
    while pending:
        called = {name for name in re.findall(r"\w+(?=\()", pending.pop()) if name in found} - set(needed)
        needed |= {name: found[name] for name in sorted(called)}
        pending += [found[name] for name in called]
    return "".join(needed.values()) + own


def in_c(text: str) -> str:
    return translate(text, C)


# What the mathematics of JavaScript lacks, or has otherwise than IEEE 754: there 1 to the power nan is nan.
_JAVASCRIPT = {
    "power": "function power(a, b) {\n"
    "    return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b);\n}\n\n",
    "copysign": "function copysign(x, y) {\n"
    "    return (x < 0 || Object.is(x, -0)) === (y < 0 || Object.is(y, -0)) ? x : -x;\n}\n\n",
}


def javascript_functions(graph: Graph, roots: Sequence[int]) -> str:
    """Return what programs of these operations call beyond the mathematics of JavaScript."""
    wanted = graph.operations(roots)
    own = translate(functions_of(wanted), JAVASCRIPT)
    called = {"power": "pow" in wanted, "copysign": "copysign(" in own}
    return "".join(text for name, text in _JAVASCRIPT.items() if called[name]) + own


def in_javascript(text: str) -> str:
    return translate(text, JAVASCRIPT)


def in_awk(text: str) -> str:
    return translate(text, AWK)


# -- SQL -------------------------------------------------------------------------------------------------------------

_OPERATIONS = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "div": "({0} / {1})",
    "neg": "(-{0})",
    "pow": "power({0}, {1})",
}


def _sql_number(value: float) -> str:
    if not math.isfinite(value):
        raise UsageError(f"SQL has no number {value}", "another language has: --emit python")
    return repr(value) if value >= 0 else f"({value!r})"


def _sql_of(op: str) -> Callable[..., str]:
    """Return what writes an operation, or a call, of the texts of its arguments."""
    row = FUNCTIONS.get(op)
    form = _OPERATIONS.get(op) or (row.sql if row is not None else "")
    if form:
        return form.format
    if row is None or not row.formula:
        raise UsageError(f"SQL has no function {op}", "another language has: --emit python or c")
    return lambda *args: str(by_formula(op, args, _sql_number, _sql_of))


def sql(graph: Graph, root: int, leaves: Leaves) -> str:
    """Return the expression of ``root`` in SQL, with ``leaves`` as they are read there.

    Raises UsageError for functions that SQL does not have, and for an expression that is too long with everything
    written where it is used.
    """
    known: dict[int, str] = {}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] == "number":
            value = graph.value_of(i)
            assert value is not None
            known[i] = _sql_number(value)
        elif key[0] in ("scalar", "element"):
            known[i] = leaves[key]
        else:
            known[i] = _sql_node(key, [known[a] for a in arguments(key)])
        if len(known[i]) > LONGEST_SQL:
            raise UsageError("the formula is too long for one expression of SQL", "--emit python or c")
    return known[root]


def _sql_node(key: Key, args: Sequence[str]) -> str:
    if key[0] == "where":
        relation = {"==": "=", "!=": "<>"}.get(key[1], key[1])
        return f"(CASE WHEN {args[0]} {relation} {args[1]} THEN {args[2]} ELSE {args[3]} END)"
    return _sql_of(key[0])(*args)


def comment(lines: Iterable[str], mark: str) -> str:
    """Return lines as comments, each behind ``mark``; no character of theirs can end it."""
    return "".join(f"{mark} {''.join(c if c.isprintable() else ' ' for c in line)}\n" for line in lines)


def functions(name: str, graph: Graph, roots: Mapping[str, Sequence[int]], leaves: Leaves, head: str) -> str:
    """Return ``const name = {...}`` with a function for each of ``roots``, which writes these nodes into ``g``.

    ``head`` are its arguments: ``p`` has the leaves in their order, ``g`` gets the results.
    """
    every = [root for nodes in roots.values() for root in nodes]
    texts = [
        in_javascript(function(one, graph, nodes, leaves, head, safe=False, outputs="g"))
        for one, nodes in roots.items()
    ]
    return _closed(name, javascript_functions(graph, every) + "".join(texts), list(roots))


def rule(name: str, update: Update) -> str:
    """Return ``const name = {shared, component}`` of an update.

    ``shared(s, c)`` is done once in a step: ``s`` has the scalar states and, behind them, the names that are set;
    ``c`` the constants. ``component(g, w, s, c)`` is done for each variable with its gradient ``g`` and its states
    ``w``, and returns the direction. Both change the states in place.
    """
    scalars = shared_names(update)
    constants = _read("c", update.constants)
    once = [*_read("s", scalars, update.scalars), *constants, *update.shared.splitlines()]
    each = [*_read("w", update.vectors), *_read("s", scalars), *constants, *update.component.splitlines()]
    texts = (
        _defined("shared(s, c)", [*once, *_write("s", scalars)], "s"),
        _defined("component(g, w, s, c)", [*each, *_write("w", update.vectors)], "d"),
    )
    return _closed(name, "".join(map(in_javascript, texts)), ["shared", "component"])


def shared_names(update: Update) -> list[str]:
    """The scalar states of an update, and what its shared lines set beside them."""
    return list(dict.fromkeys((*update.scalars, *assigned(update.shared))))


def _closed(name: str, body: str, exported: Sequence[str]) -> str:
    return f"const {name} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"


def _read(array: str, names: Sequence[str], only: Sequence[str] | None = None) -> list[str]:
    known = names if only is None else only
    return [f"{name} = {array}[{k}]" for k, name in enumerate(names) if name in known]


def _write(array: str, names: Sequence[str]) -> list[str]:
    return [f"{array}[{k}] = {name}" for k, name in enumerate(names)]


def _defined(head: str, lines: Sequence[str], result: str) -> str:
    return f"def {head}:\n" + "".join(f"    {line}\n" for line in [*lines, f"return {result}"])
