"""Programs to take away: an objective with its gradient, or a formula, in Python, C, awk or SQL.

Python and C and awk get the very operations of the program that `gd` runs itself, with what they need of the functions
of the language. SQL has expressions only, so there everything is written where it is used.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence

from gdcli.codegen.source import ScalarWriter
from gdcli.codegen.strict import functions_of, operations_of
from gdcli.codegen.translate import AWK, C, translate
from gdcli.errors import UsageError
from gdcli.language import ieee, special
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments

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
        ending = [f"    return {results[0] if len(results) == 1 else '(' + ', '.join(results) + ',)'}"]
    return f"def {name}({head}):\n" + "".join(line + "\n" for line in [*reading, *lines, *ending])


# -- Python ----------------------------------------------------------------------------------------------------------

_SAFE = {
    "log1p": ("_log_like", "_log_like(math.log1p, -1.0)"),
    **{name: ("_log_like", f"_log_like(math.{name}, 0.0)") for name in ("log", "log2", "log10")},
    **{
        name: ("_nan_outside", f"_nan_outside(math.{name})")
        for name in ("sqrt", "asin", "acos", "acosh", "sin", "cos", "tan")
    },
    **{name: ("_overflowing", f"_overflowing(math.{name}, odd=False)") for name in ("exp", "cosh", "expm1")},
    "sinh": ("_overflowing", "_overflowing(math.sinh, odd=True)"),
    **{name: ("", f"math.{name}") for name in ("atan", "asinh", "tanh", "atan2")},
    "abs": ("", "math.fabs"),
    "atanh": ("_atanh", "_atanh"),
    "max": ("maximum", "maximum"),
    "min": ("minimum", "minimum"),
}


def python_functions(graph: Graph, roots: Sequence[int]) -> str:
    """Return what safe programs of these operations call, which never raises."""
    wanted = operations_of(graph, roots)
    helpers: dict[str, str] = {}
    texts = []
    if any(op in FUNCTIONS and FUNCTIONS[op].special for op in wanted):
        texts.append(
            f"from math import {', '.join(n for n in special.MATH_NAMES if n not in ('inf', 'nan'))}\n"
        )
        wanted |= {"floor"} if "floor(" in functions_of(wanted) else set()
    for op in ("div", "pow", "sign", "floor", "ceil"):
        if op in wanted:
            helpers[op] = inspect.getsource(ieee.power if op == "pow" else getattr(ieee, op))
    bindings = []
    for op, (helper, text) in _SAFE.items():
        if op in wanted:
            if helper:
                helpers[helper] = (
                    inspect.getsource(getattr(ieee, helper)).replace(": Real", "").replace(" -> Real", "")
                )
            bindings.append(f"{op} = {text}\n")
    names = dict.fromkeys(
        n
        for op in FUNCTIONS
        if op in wanted and FUNCTIONS[op].special
        for n in (*special.dependencies(op), op)
    )
    parts = [*texts, *helpers.values(), *(["".join(bindings)] if bindings else [])]
    return "\n\n".join([*parts, *(special.scalar_source(name) for name in names)])


# -- C and awk -------------------------------------------------------------------------------------------------------

# What awk lacks, by what it has: exp, log, sqrt, sin, cos, atan2, int.
_AWK = {
    "power": "function power(a, b) { return a ^ b }\n",
    "fabs": "function fabs(x) { return x < 0 ? -x : x }\n",
    "copysign": "function copysign(x, y) { return (x < 0) == (y < 0) ? x : -x }\n",
    "floor": "function floor(x,    k) { k = int(x); return k > x ? k - 1 : k }\n",
    "ceil": "function ceil(x,    k) { k = int(x); return k < x ? k + 1 : k }\n",
    "log2": "function log2(x) { return log(x) / log(2) }\n",
    "log10": "function log10(x) { return log(x) / log(10) }\n",
    "log1p": "function log1p(x,    u) { u = 1 + x; return u == 1 ? x : log(u) * x / (u - 1) }\n",
    "expm1": "function expm1(x,    u) {\n    u = exp(x); if (u == 1) return x\n"
    "    return u - 1 == -1 ? -1 : (u - 1) * x / log(u)\n}\n",
    "tan": "function tan(x) { return sin(x) / cos(x) }\n",
    "asin": "function asin(x) { return atan2(x, sqrt((1 - x) * (1 + x))) }\n",
    "acos": "function acos(x) { return atan2(sqrt((1 - x) * (1 + x)), x) }\n",
    "atan": "function atan(x) { return atan2(x, 1) }\n",
    "sinh": "function sinh(x,    u) { u = expm1(x); return (u + u / (u + 1)) / 2 }\n",
    "cosh": "function cosh(x) { return (exp(x) + exp(-x)) / 2 }\n",
    "tanh": "function tanh(x,    u) {\n    if (x > 22) return 1\n    if (x < -22) return -1\n"
    "    u = expm1(2 * x); return u / (u + 2)\n}\n",
    "asinh": "function asinh(x,    a) { a = fabs(x); a = log1p(a + a * a / (1 + sqrt(a * a + 1))); "
    "return x < 0 ? -a : a }\n",
    "acosh": "function acosh(x) { return log(x + sqrt((x - 1) * (x + 1))) }\n",
    "atanh": "function atanh(x) { return log1p(2 * x / (1 - x)) / 2 }\n",
}
_AWK_NEEDS = {"sinh": ("expm1",), "tanh": ("expm1",), "asinh": ("fabs", "log1p"), "atanh": ("log1p",)}


def c_functions(graph: Graph, roots: Sequence[int]) -> str:
    """Return what programs of these operations call beyond the mathematics of C."""
    return translate(functions_of(operations_of(graph, roots)), C)


def awk_functions(text: str, graph: Graph, roots: Sequence[int]) -> str:
    """Return what the program ``text`` calls beyond the mathematics of awk."""
    own = translate(functions_of(operations_of(graph, roots)), AWK)
    wanted = [name for name in _AWK if f"{name}(" in text + own]
    needed = dict.fromkeys(n for name in wanted for n in (*_AWK_NEEDS.get(name, ()), name))
    return "".join(_AWK[name] for name in needed) + own


def in_c(text: str) -> str:
    """Return a function of the restricted Python in C."""
    return translate(text, C)


def in_awk(text: str) -> str:
    """Return a function of the restricted Python in awk."""
    return translate(text, AWK)


# -- SQL -------------------------------------------------------------------------------------------------------------

_SAME = (
    *(
        "exp",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
    ),
    *("abs", "sign", "floor", "ceil"),
)
_SQL: dict[str, str] = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "div": "({0} / {1})",
    "neg": "(-{0})",
    "pow": "power({0}, {1})",
    "log": "ln({0})",
    "log2": "(ln({0}) / 0.6931471805599453)",
    "log10": "(ln({0}) / 2.302585092994046)",
    "log1p": "ln(1.0 + {0})",
    "expm1": "(exp({0}) - 1.0)",
    "cbrt": "(sign({0}) * power(abs({0}), 0.3333333333333333))",
    "hypot": "sqrt({0} * {0} + {1} * {1})",
    "sigmoid": "(1.0 / (1.0 + exp(-{0})))",
    "softplus": "(CASE WHEN {0} > 0.0 THEN {0} ELSE 0.0 END + ln(1.0 + exp(-abs({0}))))",
    "max": "(CASE WHEN {0} >= {1} THEN {0} ELSE {1} END)",
    "min": "(CASE WHEN {0} <= {1} THEN {0} ELSE {1} END)",
    **{name: f"{name}({{0}})" for name in _SAME},
    "atan2": "atan2({0}, {1})",
}


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
            if not math.isfinite(value):
                raise UsageError(f"SQL has no number {value}", "another language has: --emit python")
            known[i] = repr(value) if value >= 0 else f"({value!r})"
        elif key[0] in ("scalar", "element"):
            known[i] = leaves[key]
        else:
            known[i] = _sql_operation(key, [known[a] for a in arguments(key)])
        if len(known[i]) > LONGEST_SQL:
            raise UsageError("the formula is too long for one expression of SQL", "--emit python or c")
    return known[root]


def _sql_operation(key: Key, args: Sequence[str]) -> str:
    if key[0] == "where":
        relation = {"==": "=", "!=": "<>"}.get(key[1], key[1])
        return f"(CASE WHEN {args[0]} {relation} {args[1]} THEN {args[2]} ELSE {args[3]} END)"
    form = _SQL.get(key[0])
    if form is None:
        raise UsageError(f"SQL has no function {key[0]}", "another language has: --emit python or c")
    return form.format(*args)


def comment(lines: Iterable[str], mark: str) -> str:
    """Return lines as comments, each behind ``mark``; no character of theirs can end it."""
    return "".join(f"{mark} {''.join(c if c.isprintable() else ' ' for c in line)}\n" for line in lines)
