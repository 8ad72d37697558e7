"""Programs of the restricted Python in other languages: C, awk and JavaScript.

The texts of :mod:`gdcli.compile.scalar_text` and of the special functions use so little of Python (floats, arithmetic,
comparisons, calls, assignments, ``if`` and ``return``) that their syntax trees can be written out, node by node, in
any language that has as much.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.functions import FUNCTIONS

_BINARY: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class Dialect(NamedTuple):
    """A language: how it begins a function of some arguments with some local names, its numbers, its function names.

    ``functions`` has the names of functions that are called otherwise than in Python.
    """

    head: Callable[[str, Sequence[str], Sequence[str]], str]
    number: Callable[[float], str]
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
    repr,
    {"power": "pow", "gamma": "gd_gamma", "lgamma": "gd_lgamma", "erf": "gd_erf", "cbrt": "gd_cbrt"}
    | {"hypot": "gd_hypot", "whole": "floor", "inf": "INFINITY", "nan": "NAN"},
)
AWK = Dialect(_awk_head, repr, {"whole": "floor"})


def _javascript_head(name: str, arguments: Sequence[str], names: Sequence[str]) -> str:
    local = f"    let {', '.join(names)};\n" if names else ""
    return f"function {name}({', '.join(arguments)}) {{\n{local}"


JAVASCRIPT = Dialect(
    _javascript_head,
    repr,
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
            return dialect.number(float(value))
        case ast.Name(id=name):
            return dialect.functions.get(name, name)
        case ast.BinOp(left=left, op=op, right=right):
            return f"({inner(left)} {_BINARY[type(op)]} {inner(right)})"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{inner(operand)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"({inner(left)} {_COMPARE[type(op)]} {inner(right)})"
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
