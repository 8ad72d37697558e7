"""What Python reads and the language has not, with what it is written as: the second table of :mod:`~.notation`.

Each rule makes a text of a node of Python's tree from the texts of its parts, or None where it does not know one.
What no rule is for keeps the text that it has.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.listing import LIBRARIES, SYNONYMS
from gdcli.language.paper_notation import Change, Piece, in_brackets, tidy

# Of longer proposals nobody could make use.
MAX_MADE = 1000


class TooLongError(Exception):
    """What the rules make of a text is too long to be a proposal."""


def rewritten(pieces: Sequence[Piece], changes: list[Change]) -> str:
    """Return the text of some pieces, with what Python alone has written as the language has it."""
    writer = _Writer(pieces, changes)
    plain = "".join(piece.lead + piece.text for piece in pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python warns of is told, or read, by other rules
        try:
            root = ast.parse(writer.python, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
            return tidy(plain, pieces[0]) if pieces else plain
    begin = 0
    if isinstance(root, ast.Lambda):
        root = root.body
        begin = next(i for i, piece in enumerate(pieces) if piece.text == ":") + 1
        changes.append(
            Change("an expression is written without lambda", pieces[0].start, pieces[begin - 1].end)
        )
    text = writer.equation(root) or writer.text(root)
    first, last = writer.range_of(root)
    return tidy(
        writer.plain(begin, first, True) + text + writer.plain(last, len(pieces), False), pieces[begin]
    )


class _Writer:
    """The pieces as Python's text, and the way back from places in it."""

    def __init__(self, pieces: Sequence[Piece], changes: list[Change]) -> None:
        self.pieces = pieces
        self.changes = changes
        self.starts: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.renamed: dict[str, str] = {}
        words, position = [], 0
        for i, piece in enumerate(pieces):
            word = "**" if piece.text == "^" else piece.text
            size = len(word.encode("utf-8", "replace"))
            self.starts[position], self.ends[position + size] = i, i + 1
            words.append(word)
            position += size + 1
        self.python = " ".join(words)

    def range_of(self, node: ast.expr) -> tuple[int, int]:
        """Return the first piece of a node, and the one after its last."""
        assert node.end_col_offset is not None
        return self.starts[node.col_offset], self.ends[node.end_col_offset]

    def say(self, node: ast.expr, message: str) -> None:
        pieces = [piece for piece in self.pieces[slice(*self.range_of(node))] if piece.end > piece.start]
        if pieces:
            self.changes.append(Change(message, min(p.start for p in pieces), max(p.end for p in pieces)))

    def text(self, node: ast.expr) -> str:
        rule = _RULES.get(type(node))
        made = rule(self, node) if rule is not None else None
        if made is not None:
            if len(made) > MAX_MADE:  # a part that stands twice doubles at each level
                raise TooLongError
            return made
        first, last = self.range_of(node)
        found, at = "", first
        for part in sorted(_parts(node), key=lambda part: self.starts[part.col_offset]):
            begin, end = self.range_of(part)
            found += self.plain(at, begin, at == first) + self.lead(begin, first) + self.text(part)
            at = end
        return found + self.plain(at, last, at == first)

    def plain(self, begin: int, end: int, first: bool) -> str:
        """Pieces as they are; without what stands before the ``first``."""
        texts = [
            piece.lead * (i > 0 or not first) + piece.text for i, piece in enumerate(self.pieces[begin:end])
        ]
        return "".join(texts)

    def lead(self, begin: int, first: int) -> str:
        return self.pieces[begin].lead if begin > first else ""

    def atom(self, node: ast.expr) -> str:
        return in_brackets(self.text(node))

    def equation(self, root: ast.expr) -> str | None:
        """``a == b``, which holds where the square of the difference is least."""
        if not isinstance(root, ast.Compare) or len(root.ops) != 1 or not isinstance(root.ops[0], ast.Eq):
            return None
        self.say(root, "an equation is no expression; the square of its difference is least where it holds")
        if self.text(root.comparators[0]) == "0":
            return f"{self.atom(root.left)}**2"
        return f"({self.text(root.left)} - {self.atom(root.comparators[0])})**2"

    def chosen(self, test: ast.expr, yes: str, no: str) -> str | None:
        """``where`` with a condition that may have and, or and not."""
        if isinstance(test, ast.BoolOp):
            parts = test.values
            rest = parts[1] if len(parts) == 2 else ast.copy_location(_rest(test), parts[1])
            inner = self.chosen(rest, yes, no)
            if inner is None:
                return None
            if isinstance(test.op, ast.And):
                return self.chosen(parts[0], inner, no)
            return self.chosen(parts[0], yes, inner)
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.chosen(test.operand, no, yes)
        if not isinstance(test, ast.Compare):
            return None
        return f"where({self.comparison(test)}, {yes}, {no})"

    def comparison(self, node: ast.Compare) -> str:
        parts = [node.left, *node.comparators]
        symbols = [self.symbol(a, b) for a, b in pairwise(parts)]
        return self.text(parts[0]) + "".join(
            f" {symbol} {self.text(part)}" for symbol, part in zip(symbols, parts[1:], strict=True)
        )

    def symbol(self, left: ast.expr, right: ast.expr) -> str:
        between = self.pieces[self.range_of(left)[1] : self.range_of(right)[0]]
        return "".join(piece.text for piece in between if piece.text not in ("(", ")"))


def _rest(test: ast.BoolOp) -> ast.BoolOp:
    rest = ast.BoolOp(test.op, test.values[1:])
    rest.end_col_offset = test.end_col_offset
    return rest


def _parts(node: ast.AST) -> list[ast.expr]:
    """The nearest nodes below one that have a place."""
    found: list[ast.expr] = []
    for part in ast.iter_child_nodes(node):
        found += [part] if isinstance(part, ast.expr) else _parts(part)
    return found


# -- the rules ----------------------------------------------------------------------------------------------------


def _binary(writer: _Writer, node: ast.BinOp) -> str | None:
    left, right = node.left, node.right
    if isinstance(node.op, ast.Mod):
        writer.say(node, "the remainder of x by m is x - m*floor(x/m)")
        a, m = writer.atom(left), writer.atom(right)
        return f"({a} - {m}*floor({a}/{m}))"
    if isinstance(node.op, ast.FloorDiv):
        writer.say(node, "// is written floor(a/b)")
        return f"floor({writer.atom(left)}/{writer.atom(right)})"
    return None


def _conditional(writer: _Writer, node: ast.IfExp) -> str | None:
    made = writer.chosen(node.test, writer.text(node.body), writer.text(node.orelse))
    if made is not None:
        writer.say(node, "a choice between two values is where(condition, a, b)")
    return made


def _compared(writer: _Writer, node: ast.Compare) -> str | None:
    writer.say(node, "a comparison has its place only inside where(condition, a, b)")
    return f"where({writer.comparison(node)}, 1, 0)"


def _both(writer: _Writer, node: ast.BoolOp) -> str | None:
    made = writer.chosen(node, "1", "0")
    if made is not None:
        writer.say(node, "conditions have their place only inside where(condition, a, b)")
    return made


def _attribute(writer: _Writer, node: ast.Attribute) -> str | None:
    """``np.pi``; calls are looked at before."""
    if _library(node.value) and node.attr in CONSTANTS:
        writer.say(node, f"{writer.plain(*writer.range_of(node), True)} is {node.attr} here")
        return str(node.attr)
    return None


def _library(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in LIBRARIES


def _call(writer: _Writer, node: ast.Call) -> str | None:
    function, arguments = node.func, list(node.args)
    if node.keywords or not isinstance(function, ast.Attribute | ast.Name):
        return None
    if isinstance(function, ast.Attribute):
        if not _library(function.value):  # v.sum()
            arguments.insert(0, function.value)
        name = function.attr
        writer.say(function, f"{writer.plain(*writer.range_of(function), True)} is {name}(...) here")
    else:
        name = function.id
    if name == "where":
        return _where(writer, arguments)
    reduced = _reduced(writer, node, name, arguments)
    if reduced is not None:
        return reduced
    if len(arguments) == 1 and isinstance(arguments[0], ast.GeneratorExp | ast.ListComp):
        inside = _comprehended(writer, arguments[0])
        return None if inside is None else f"{_known(writer, function, name)}({inside})"
    return _called(writer, _known(writer, function, name, len(arguments)), arguments)


def _called(writer: _Writer, known: str, arguments: Sequence[ast.expr]) -> str | None:
    """The call of a function by the name, or the text, that it has here."""
    if "{" not in known:
        return f"{known}({', '.join(map(writer.text, arguments))})"
    if known.startswith("where({0},"):
        if len(arguments) != 3:
            return None
        test, yes, no = arguments
        return writer.chosen(test, writer.text(yes), writer.text(no))
    try:
        return in_brackets(known.format(*(in_brackets(writer.text(part)) for part in arguments)))
    except IndexError:
        return None


def _where(writer: _Writer, arguments: Sequence[ast.expr]) -> str | None:
    if len(arguments) != 3:
        return None
    first, *others = arguments
    yes, no = map(writer.text, others)
    if isinstance(first, ast.Compare):
        return f"where({writer.comparison(first)}, {yes}, {no})"
    made = writer.chosen(first, yes, no)
    if made is not None:
        writer.say(first, "where takes one comparison; several are a where inside a where")
    return made


def _reduced(writer: _Writer, node: ast.Call, name: str, arguments: Sequence[ast.expr]) -> str | None:
    """The sum, or the largest or smallest, of a list; a sum over an index. None for all else."""
    if len(arguments) == 1 and isinstance(arguments[0], ast.List | ast.Tuple) and name in _OF_LISTS:
        writer.say(arguments[0], "a list has no place in an expression")
        parts = [writer.text(part) for part in arguments[0].elts]
        return f"({' + '.join(parts)})" if name == "sum" else f"{name}({', '.join(parts)})"
    if name not in ("sum", "Sum") or len(arguments) <= 2 or not isinstance(arguments[1], ast.Name):
        return None
    index = arguments[1].id
    if any(getattr(n, "id", "") == index for n in _outside_subscripts(arguments[0])):
        return None
    writer.renamed[f"[{index}]"] = ""
    writer.say(node, "sums of a vector are written without an index: sum(v**2)")
    return f"sum({writer.text(arguments[0])})"


_OF_LISTS = ("sum", "max", "min")


def _known(writer: _Writer, function: ast.expr, name: str, count: int = 1) -> str:
    """What a function of ``count`` arguments is called here; noted where that is another name."""
    lower = name.lower()
    known = SYNONYMS.get(f"{name}:{count}") or next((n for n in (name, lower) if n in CALLABLE), None)
    known = known or SYNONYMS.get(name) or SYNONYMS.get(lower) or name
    if known != name:
        shown = known.format("x", "y", "z") if "{" in known else known
        writer.say(function, f"{name} is written {shown} here")
    return known


def _comprehended(writer: _Writer, node: ast.GeneratorExp | ast.ListComp) -> str | None:
    """The elements of a vector, one by one: ``i**2 for i in v``, ``v[i]**2 for i in range(n)``."""
    if len(node.generators) != 1 or node.generators[0].ifs:
        return None
    loop = node.generators[0]
    if not isinstance(loop.target, ast.Name):
        return None
    index, over = loop.target.id, loop.iter
    counts = isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"
    if isinstance(over, ast.Name):
        writer.renamed[index] = over.id
    elif counts and all(getattr(n, "id", "") != index for n in _outside_subscripts(node.elt)):
        writer.renamed[f"[{index}]"] = ""
    else:
        return None
    writer.say(node, "functions of a vector are written without for: sum(v**2)")
    return writer.text(node.elt)


def _outside_subscripts(root: ast.AST) -> list[ast.AST]:
    found, stack = list[ast.AST](), [root]
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, ast.Subscript):
            stack.extend(ast.iter_child_nodes(node))
    return found


def _name(writer: _Writer, node: ast.Name) -> str | None:
    return writer.renamed.get(node.id)


def _subscript(writer: _Writer, node: ast.Subscript) -> str | None:
    if isinstance(node.slice, ast.Name) and f"[{node.slice.id}]" in writer.renamed:
        return writer.text(node.value)
    return None


_RULES: dict[type, Callable[[_Writer, Any], str | None]] = {
    ast.BinOp: _binary,
    ast.IfExp: _conditional,
    ast.Compare: _compared,
    ast.BoolOp: _both,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Name: _name,
    ast.Subscript: _subscript,
}
