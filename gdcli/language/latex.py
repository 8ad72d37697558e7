"""An expression as mathematics is written: in LaTeX, term by term as it was typed.

What was typed stays in its order, nothing is simplified: the formula is the tree, set differently. Products lose
their ``*``, quotients become fractions (inside fractions and exponents, which are small, they keep a stroke), names of
Greek letters become the letters, and trailing digits indices. Only what the mathtext of matplotlib knows is used, so
the same text can be drawn.
"""

from __future__ import annotations

import re

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.language.functions import CALLABLE, FUNCTIONS
from gdcli.language.model_text import parse_model
from gdcli.language.syntax import Node, Tree, fold

# fmt: off
GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi",
    "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma",
    "Upsilon", "Phi", "Psi", "Omega",
})
# fmt: on
# How strongly a text holds together: what is looser than its place asks for is put in parentheses.
_CHOICE, _SUM, _PRODUCT, _POWER, _ATOM = range(5)

# The reductions; functions have theirs in their table, with ``#`` for what stands inside.
_REDUCTIONS = {"sum": r"\sum", "prod": r"\prod", "norm": r"\left\Vert #\right\Vert "}
# Functions whose whole powers are written behind the name: sin^2(x).
_RAISED = frozenset({"sin", "cos", "tan", "sinh", "cosh", "tanh", "log"})
_RELATIONS = {"<": "<", ">": ">", "<=": r"\leq ", ">=": r"\geq ", "==": "=", "!=": r"\neq "}
_NAME = re.compile(r"([^\W\d_]+)(?:_?(\d+)|_(\w+))?")
_TALL = re.compile(r"\\frac|\\sqrt|\\left|\\sum|\\prod|\^")


class _Piece(NamedTuple):
    """A part of a formula: as it stands free, and ``small``, in a fraction or an exponent; each with its level."""

    text: str
    level: int
    small: str
    small_level: int

    def at(self, level: int, small: bool = False) -> str:
        """Return the text, in parentheses where it is looser than ``level``."""
        text, own = (self.small, self.small_level) if small else (self.text, self.level)
        return text if own >= level else _bracketed(text)


def terms(text: str) -> list[str] | None:
    """Return the LaTeX of an expression, or of a model with ``~``, in parts between which a line may be broken.

    None where the text is no expression, or has names in a script of which the mathematical fonts have no letters.
    """
    try:
        model = parse_model(text)
        sides = [_terms(tree) for tree in model.trees]
    except (UsageError, _Unwritable):
        return None
    if len(sides) == 1:
        return sides[0]
    return [*sides[0][:-1], rf"{sides[0][-1]} \sim", *sides[1]]


def name(text: str, *indices: str) -> str:
    r"""Return a name: x1 as x_{1}, alpha as \alpha, k_max as k_{\mathrm{max}}; ``indices`` stand below it, too."""
    if any(ord(c) > 0x3FF and c.isalpha() for c in text):  # beyond Latin and Greek
        raise _Unwritable
    found = _NAME.fullmatch(text)
    base, digits, words = found.groups() if found else (text, None, None)
    below = [*(_letters(word) for word in (digits or words or "").split("_") if word), *indices]
    return _letters(base) + (f"_{{{','.join(below)}}}" if below else "")


def _letters(text: str) -> str:
    if text in GREEK:
        return rf"\{text}"
    plain = len(text) == 1 or text.isdecimal()
    return text if plain else r"\mathrm{" + text.replace("_", r"\_") + "}"


class _Unwritable(Exception):  # noqa: N818 - it ends in no complaint
    """There are no letters for it."""


def _terms(tree: Tree) -> list[str]:
    """The terms of the sum that an expression is, each with the sign before it."""
    spine, node = [], tree.root
    while node.op in ("add", "sub"):
        spine.append(node)
        node = node.args[0]
    found = [fold(node, _Writer(tree).one).text]
    for node in reversed(spine):
        sign = "+" if node.op == "add" else "-"
        found.append(f"{sign} {fold(node.args[1], _Writer(tree).one).at(_PRODUCT)}")
    return found


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)" if _TALL.search(text) else f"({text})"


class _Writer:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def one(self, node: Node, args: list[_Piece]) -> _Piece:
        written = getattr(self, node.op)(node, args)
        return written if isinstance(written, _Piece) else _Piece(*written, *written)

    def number(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        digits, _, exponent = self.tree.piece(node).lower().replace("_", "").partition("e")
        if not exponent:
            return digits, _ATOM
        power = f"10^{{{int(exponent)}}}"
        return (power, _POWER) if digits.strip("0.") == "1" else (rf"{digits} \times {power}", _PRODUCT)

    def name(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        return name(node.value), _ATOM

    def index(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        vector, place = node.value
        return name(vector, str(place)), _ATOM

    def slice(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        vector, *ends = node.value
        return name(vector, _picked(tuple(ends))), _ATOM

    def part(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        return f"{args[0].at(_ATOM)}_{{{','.join(map(_picked, node.value))}}}", _ATOM

    def transpose(self, node: Node, args: list[_Piece]) -> tuple[str, int]:
        return rf"{args[0].at(_ATOM)}^\top", _POWER

    def neg(self, node: Node, args: list[_Piece]) -> _Piece:
        return _Piece(f"-{args[0].at(_PRODUCT)}", _SUM, f"-{args[0].at(_PRODUCT, True)}", _SUM)

    def add(self, node: Node, args: list[_Piece]) -> _Piece:
        sign = "+" if node.op == "add" else "-"
        texts = [f"{args[0].at(_SUM, small)} {sign} {args[1].at(_PRODUCT, small)}" for small in (False, True)]
        return _Piece(texts[0], _SUM, texts[1], _SUM)

    sub = add

    def mul(self, node: Node, args: list[_Piece]) -> _Piece:
        sign, left = _unsigned(node.args[0], args[0])
        right = args[1]
        texts = [
            sign + _product(left.at(_PRODUCT), right.at(_PRODUCT)),
            sign + _product(left.at(_before(node), True), right.at(_PRODUCT, True)),
        ]
        level = _SUM if sign else _PRODUCT
        return _Piece(texts[0], level, texts[1], level)

    def div(self, node: Node, args: list[_Piece]) -> _Piece:
        sign, top = _unsigned(node.args[0], args[0])
        level = _SUM if sign else _PRODUCT
        fraction = rf"{sign}\frac{{{top.small}}}{{{args[1].small}}}"
        stroke = f"{sign}{top.at(_before(node), True)}/{args[1].at(_POWER, True)}"
        return _Piece(fraction, level, stroke, level)

    def pow(self, node: Node, args: list[_Piece]) -> _Piece:
        base, exponent = args
        function = node.args[0]
        whole = exponent.small.isdecimal()
        if whole and function.op == "call" and function.value in _RAISED:
            head = rf"\{function.value}"
            texts = [
                f"{head}^{{{exponent.small}}}{own.removeprefix(head)}" for own in (base.text, base.small)
            ]
        else:
            texts = [f"{base.at(_ATOM, small)}^{{{exponent.small}}}" for small in (False, True)]
        return _Piece(texts[0], _POWER, texts[1], _POWER)

    def matmul(self, node: Node, args: list[_Piece]) -> _Piece:
        return self.mul(node, args)

    def where(self, node: Node, args: list[_Piece]) -> _Piece:
        left, right, yes, no = (fold(part, self.one) for part in node.args)

        def text(small: bool) -> str:
            condition = f"{left.at(_SUM, small)} {_RELATIONS[node.value]} {right.at(_SUM, small)}"
            first, second = yes.at(_SUM, small), no.at(_SUM, small)
            return rf"{first}\;\mathrm{{if}}\;{condition}\;\mathrm{{else}}\;{second}"

        return _Piece(text(False), _CHOICE, text(True), _CHOICE)

    def call(self, node: Node, args: list[_Piece]) -> _Piece:
        function = node.value
        if function not in CALLABLE and function not in FUNCTIONS:
            raise _Unwritable
        if function == "dot":
            texts = [
                rf"{args[0].at(_POWER, small)} \cdot {args[1].at(_POWER, small)}" for small in (False, True)
            ]
            return _Piece(texts[0], _PRODUCT, texts[1], _PRODUCT)
        if function in ("log1p", "expm1"):
            return self._near(function, args[0])
        texts = []
        for small in (False, True):
            inside = ", ".join(arg.at(_SUM, small) for arg in args)
            sign = _sign(function)
            texts.append(sign.replace("#", inside) if "#" in sign else sign + _bracketed(inside))
        return _Piece(texts[0], _ATOM, texts[1], _ATOM)

    def _near(self, function: str, x: _Piece) -> _Piece:
        if function == "log1p":
            texts = [rf"\log{_bracketed(f'1 + {x.at(_PRODUCT, small)}')}" for small in (False, True)]
            return _Piece(texts[0], _ATOM, texts[1], _ATOM)
        texts = [rf"\exp{_bracketed(x.at(_SUM, small))} - 1" for small in (False, True)]
        return _Piece(texts[0], _SUM, texts[1], _SUM)


def _picked(pick: int | tuple[int | None, ...]) -> str:
    """An index, or the ends and the step of a slice."""
    if isinstance(pick, int):
        return str(pick)
    low, high, step = ("" if end is None else str(end) for end in pick)
    return f"{low}{{:}}{high}{'{:}' if step else ''}{step}"


def _sign(function: str) -> str:
    """Return how a function is written, with ``#`` for its arguments where they do not stand behind it in brackets."""
    row = FUNCTIONS.get(function)
    found = row.latex if row is not None else _REDUCTIONS.get(function)
    return found or rf"\mathrm{{{function}}}"


def _before(node: Node) -> int:
    """How firm the first factor must be where fractions have a stroke, so that nobody asks how far it reaches."""
    return _POWER if node.args[0].op == "div" else _PRODUCT


def _unsigned(node: Node, piece: _Piece) -> tuple[str, _Piece]:
    """Return the minus before a first factor, which the whole product takes, and the factor without it."""
    if node.op in ("neg", "mul", "div") and piece.text[0] == "-":
        return "-", _Piece(piece.text[1:], _PRODUCT, piece.small[1:], _PRODUCT)
    return "", piece


def _product(left: str, right: str) -> str:
    r"""Return a product: 2x, a b with a thin space, and a dot before a digit, which would only lengthen a number."""
    if right[0].isdigit():
        return rf"{left} \cdot {right}"
    if left[-1].isdigit():  # 2x, 100(y - x), 3\sin(x)
        return f"{left}{right}" if right[0] != "\\" else f"{left} {right}"
    return rf"{left}\,{right}"
