"""From graph to program text for machine code: operations on vectors of a fixed width, the lanes.

A long vector is worked through `WIDTH` elements at a time, which the processor does side by side in as many of its
registers as they take. So a sum has exactly `WIDTH` partial sums whatever the processor: they are added up in a fixed
order at the end, and the result does not depend on how wide its registers are. What does not fill the lanes at the end
is done one by one by the same text with a width of 1.

Multiplication and addition may be fused here, which makes texts more accurate, but never reordered. Some functions have
texts of their own, without branches, so that all elements are computed side by side: the C library computes one number
at a time; over a long vector these are several times faster, and agree with it to the last bit or two. ``v`` is a
vector (or a number); they live on exact cancellations. Functions that are not among them are called for one element
after the other.

Worst errors found against mpmath in 5000 random points of each range in tests/compile/test_vector_functions.py, with
fused multiply-add, in units in the last place of the result: exp 0.9, log 0.8, log1p 1.1, expm1 2.1, tanh 2.4, sigmoid
2.0, softplus 1.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gdcli.compile.native_calls import INTRINSICS, LIBM
from gdcli.compile.scalar_text import INFIX, ScalarWriter, functions_of, number_text
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments

WIDTH = 16
FLAGS = ("contract",)

# -- functions of vectors ----------------------------------------------------------------------------------------------

# exp: x = n*log(2) + r with n the nearest integer, found by adding 1.5 * 2**52, whose last bits are then n; r in two
# steps, the first exact (log(2) with 33 bits). exp(r) = 1 + r + r*r*p(r) with p the interpolation of degree 9 in the
# Chebyshev points of |r| <= log(2)/2, off by less than 2**-55. 2**n is multiplied in two halves, so that results below
# the normal range are rounded once; the first goes straight into the exponent.
_SERIES = (
    2.5100375924709717e-08, 2.762007599981065e-07, 2.7557268480116333e-06, 2.4801521322116825e-05,
    0.0001984126986304067, 0.0013888888917196881, 0.008333333333330065, 0.041666666666624164, 0.16666666666666669,
    0.5000000000000001,
)  # fmt: skip
_SHIFT = 6755399441055744.0
_EXP_PARTS = f"""
def exp_steps(v):
    return v * 1.4426950408889634 + {_SHIFT!r}

def exp_rest(v, steps):
    n = steps - {_SHIFT!r}
    r = v - n * 0.6931471803691238
    return r - n * 1.9082149292705877e-10

def exp_less_one(r):
    p = {_SERIES[0]!r} * r + {_SERIES[1]!r}
""" + "".join(f"    p = p * r + {c!r}\n" for c in _SERIES[2:]) + """    return r + r * r * p
"""  # fmt: skip
_EXP = f"""
def v_exp(v):
    x = where(v < -746.0, -746.0, v)
    x = where(x > 710.0, 710.0, x)
    steps = exp_steps(x)
    y = 1.0 + exp_less_one(exp_rest(x, steps))
    n = bits(steps) << 52
    half = (n >> 1) & {-(1 << 52)}
    return from_bits(bits(y) + half) * from_bits(n - half + {1023 << 52})
"""
# expm1: 2**n * (exp(r) - 1) + (2**n - 1), whose second part is exact as long as it matters.
_EXPM1 = f"""
def v_expm1(v):
    x = where(v < -50.0, -50.0, where(v > 50.0, 50.0, v))
    steps = exp_steps(x)
    z = exp_less_one(exp_rest(x, steps))
    n = bits(steps) - bits({_SHIFT!r})
    s = from_bits((n + 1023) << 52)
    return where(v > 50.0, v_exp(v), where(v == 0.0, v, s * z + (s - 1.0)))
"""
# log: x = 2**k * m with m in [sqrt(1/2), sqrt(2)), then log(m) as in FDLIBM's e_log.c: with f = m - 1 and
# s = f/(2 + f), log(1 + f) = f - f*f/2 + s*(f*f/2 + R(s*s)). Numbers below the normal range are scaled up by 2**54.
_LOG_PARTS = f"""
def log_of_normal(v):
    b = bits(v) + {0x3FF0000000000000 - 0x3FE6A09E667F3BCD}
    k = (b >> 52) - 1023
    m = from_bits((b & {0x000FFFFFFFFFFFFF}) + {0x3FE6A09E667F3BCD})
    dk = from_bits(k + bits({_SHIFT!r})) - {_SHIFT!r}
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373))
    even = z * (0.6666666666666735 + w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)))
    h = 0.5 * f * f
    return dk * 0.6931471803691238 - ((h - (s * (h + odd + even) + dk * 1.9082149292705877e-10)) - f)
"""
_LOG = """
def v_log(v):
    y = log_of_normal(where(v < 2.2250738585072014e-308, v * 18014398509481984.0, v))
    y = where(v < 2.2250738585072014e-308, y - 37.42994775023705, y)
    return where(v > 0.0, where(v < inf, y, v), where(v == 0.0, -inf, nan))
"""
# log1p: log of the rounded 1 + v, and what the rounding took away.
_LOG1P = """
def v_log1p(v):
    w = 1.0 + v
    y = v_log(w)
    return where(w > 0.0, where(w < inf, y + (v - (w - 1.0)) * (1.0 / w), w), y)
"""
_TANH = """
def v_tanh(v):
    a = fabs(v)
    e = v_expm1(2.0 * where(a > 22.0, 22.0, a))
    return copysign(e / (e + 2.0), v)
"""
_SIGMOID = """
def v_sigmoid(v):
    e = v_exp(-fabs(v))
    return where(v >= 0.0, 1.0, e) * (1.0 / (1.0 + e))
"""
# Maechler, "Accurately computing log(1 - exp(-|a|))", 2012, with the log1p from above between 0 and 1.
_SOFTPLUS = """
def v_softplus(v):
    e = v_exp(-fabs(v))
    w = 1.0 + e
    return where(v < 0.0, 0.0, v) + (log_of_normal(w) + (e - (w - 1.0)) * (1.0 / w))
"""
_SIGN = """
def v_sign(v):
    return where(v > 0.0, 1.0, where(v < 0.0, -1.0, v * 0.0))
"""
_MAX = """
def v_max(a, b):
    return where(a != a, a, where(a >= b, a, b))
"""
_MIN = """
def v_min(a, b):
    return where(a != a, a, where(a <= b, a, b))
"""

# name -> its text, and the texts it calls
_TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "parts": (_EXP_PARTS, ()),
    "exp": (_EXP, ("parts",)),
    "expm1": (_EXPM1, ("parts", "exp")),
    "log_parts": (_LOG_PARTS, ()),
    "log": (_LOG, ("log_parts",)),
    "log1p": (_LOG1P, ("log",)),
    "tanh": (_TANH, ("expm1",)),
    "sigmoid": (_SIGMOID, ("exp",)),
    "softplus": (_SOFTPLUS, ("exp", "log_parts")),
    "sign": (_SIGN, ()),
    "max": (_MAX, ()),
    "min": (_MIN, ()),
}
NAMES = tuple(name for name in _TEXTS if "parts" not in name)
_HELPERS = ("exp_steps", "exp_rest", "exp_less_one", "log_of_normal")


def name_of(operation: str) -> str:
    return f"v_{operation}"


def text_of(operations: Iterable[str]) -> str:
    """Return the text of the functions for these operations, with what they need."""
    needed: dict[str, None] = {}

    def need(name: str) -> None:
        for below in _TEXTS[name][1]:
            need(below)
        needed[name] = None

    for operation in _TEXTS:
        if operation in set(operations):
            need(operation)
    return "".join(_TEXTS[name][0] for name in needed)


# -- kernels -------------------------------------------------------------------------------------------------------


def helpers(operations: Iterable[str]) -> str:
    """Return the text of all helpers that programs of these operations may call, on scalars and on vectors."""
    found = set(operations)
    return functions_of(found) + text_of(found)


def flags(*kernels: str) -> dict[str, tuple[str, ...]]:
    """Return the fast-math flags of kernels and of the functions of vectors."""
    return dict.fromkeys((*map(name_of, NAMES), *_HELPERS, *kernels), FLAGS)


def operation(key: Key, args: Sequence[str]) -> str:
    """Return the text of one operation on vectors (or on numbers where the width is 1)."""
    op = key[0]
    if op == "neg":
        return f"-{args[0]}"
    if op in INFIX:
        return f"{args[0]} {INFIX[op]} {args[1]}"
    if op == "pow":
        return f"power({args[0]}, {args[1]})"
    if op == "where":
        return f"where({args[0]} {key[1]} {args[1]}, {args[2]}, {args[3]})"
    if op in NAMES:
        return f"{name_of(op)}({', '.join(args)})"
    name = FUNCTIONS[op].python
    inside = ", ".join(args)
    return f"{name}({inside})" if name in LIBM or name in INTRINSICS else f"each({name}, {inside})"


def piece(pointer: str, index: str, width: int) -> str:
    return f"{pointer}[{index}]" if width == 1 else f"{pointer}[{index} : {index} + {width}]"


class LaneWriter:
    """Writes the statements that compute nodes of a graph for some elements of their axis.

    ``varying`` are the nodes that differ from element to element; ``read`` gives the text of a varying leaf;
    ``scalars`` has the text of every other node that is needed. ``tag`` ends the names, so that the same nodes can be
    computed for other elements beside them.
    """

    def __init__(
        self,
        graph: Graph,
        varying: set[int],
        scalars: Mapping[int, str],
        read: Callable[[int], str],
        tag: str = "",
    ) -> None:
        self.graph = graph
        self.varying = varying
        self.scalars = scalars
        self.read = read
        self.tag = tag
        self.lines: list[str] = []
        self.names: dict[int, str] = {}

    def name(self, i: int) -> str:
        return self.names[i] if i in self.varying else self.scalars[i]

    def write(self, roots: Iterable[int]) -> None:
        for i in self.graph.reach(self._varying(roots), self.names, self._below):
            args = arguments(self.graph.keys[i])
            text = operation(self.graph.keys[i], [self.name(a) for a in args]) if args else self.read(i)
            self.names[i] = f"v{i}{self.tag}"
            self.lines.append(f"{self.names[i]} = {text}")

    def _varying(self, nodes: Iterable[int]) -> list[int]:
        return [i for i in nodes if i in self.varying]

    def _below(self, i: int) -> list[int]:
        return self._varying(arguments(self.graph.keys[i]))


def row_writer(
    graph: Graph, varying: set[int], scalars: Mapping[int, str], columns: Mapping[Key, str], width: int
) -> LaneWriter:
    """Return what writes nodes for ``width`` rows from row i on; ``columns`` has the pointer of each leaf."""
    tag = "" if width > 1 else "_1"  # a name has one type
    return LaneWriter(graph, varying, scalars, lambda i: piece(columns[graph.keys[i]], "i", width), tag)


def scalar_statements(
    graph: Graph, roots: Iterable[int], varying: set[int], read: Mapping[Key, str]
) -> tuple[list[str], dict[int, str]]:
    """Return the statements for the scalars that varying nodes (or ``roots``) use, and the text of each."""
    wanted: set[int] = set()
    for i in graph.reach(tuple(roots)):
        if i in varying:
            wanted.update(a for a in arguments(graph.keys[i]) if a not in varying)
    wanted.update(i for i in roots if i not in varying)
    ordered = sorted(wanted)
    writer = ScalarWriter(graph, ordered, lambda key: read[key])
    lines, texts = writer.write()
    names: dict[int, str] = {}
    for i, text in zip(ordered, texts, strict=True):
        if graph.keys[i][0] == "number":
            names[i] = number_text(graph.value_of(i))
        elif text.isidentifier():
            names[i] = text
        else:
            lines.append(f"    q{i} = {text}")
            names[i] = f"q{i}"
    return lines, names
