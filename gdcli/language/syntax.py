"""From text to a checked tree.

The text is cut into tokens and checked first (:mod:`gdcli.language.tokens`). Then `^` is replaced by `**` token by
token, Python's own parser reads the rest, and each node is checked against an allowlist. Nothing typed is ever
executed. Every node of the tree keeps its place in the text as typed.
"""

from __future__ import annotations

import _ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.tokens import MAX_TEXT, Token, check_tokens, normal, tokenize

T = TypeVar("T")

MAX_COMPARISONS = 10
# Parts of parts, and transposed matrices of those, in a row.
MAX_PARTS = 4


class Node:
    """A node of the checked tree.

    ``op`` is number, name, neg, add, sub, mul, div, pow, matmul, call, index, slice, part, transpose or where.
    ``value`` is the number, the name, the function called, the index, or the slice (start, stop, step); of a part,
    which is one of a matrix, an index or a slice for each axis. A ``where`` has
    its comparison operator as value and as args: left, right, value if true, value otherwise.
    """

    __slots__ = ("args", "end", "op", "start", "value")

    def __init__(self, op: str, value: Any, args: tuple[Node, ...], start: int, end: int) -> None:
        self.op = op
        self.value = value
        self.args = args
        self.start = start
        self.end = end


NO_PARTS: Mapping[str, Tree] = {}


class Tree(NamedTuple):
    """A checked expression: the text as typed, its root, its free names in order, the file it came from.

    ``parts`` are named expressions that it may use (:mod:`gdcli.language.relation`); their names are none of its own.
    """

    text: str
    root: Node
    names: tuple[str, ...]
    source: str = ""
    parts: Mapping[str, Tree] = NO_PARTS

    def span(self, node: Node) -> Span:
        return Span(self.text, node.start, node.end, self.source)

    def piece(self, node: Node) -> str:
        return " ".join(self.text[node.start : node.end].split())

    def error(self, node: Node, message: str, hint: str = "") -> UsageError:
        return UsageError(message, hint, self.span(node))


def postorder(root: Node) -> Iterator[Node]:
    """Yield the nodes below and at ``root``, arguments before their node, in order of evaluation.

    A ``where`` is yielded without its parts: they are evaluated by need, so whoever walks asks for them.
    """
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done or not node.args or node.op == "where":
            yield node
            continue
        stack.append((node, True))
        stack.extend((arg, False) for arg in reversed(node.args))


def fold(root: Node, combine: Callable[[Node, list[T]], T]) -> T:
    """Return what ``combine(node, values of its arguments)`` makes of a tree, from the leaves up, without recursion.

    A ``where`` is combined without values: ``combine`` folds those of its parts that it needs.
    """
    values: list[T] = []
    for node in postorder(root):
        first = len(values) - (0 if node.op == "where" else len(node.args))
        args = values[first:]
        del values[first:]
        values.append(combine(node, args))
    return values[0]


def rebuilt(root: Node, change: Callable[[Node], Node]) -> Node:
    """Return a tree whose nodes are what ``change`` makes of each with its new arguments, those of a ``where`` too."""

    def one(node: Node, args: list[Node]) -> Node:
        parts = [fold(part, one) for part in node.args] if node.op == "where" else args
        return change(Node(node.op, node.value, tuple(parts), node.start, node.end))

    return fold(root, one)


def parse(text: str, source: str = "") -> Tree:
    """Return the checked tree of an expression.

    Raises UsageError, with the place in the text as typed, for everything that is not plain mathematics.
    """
    if len(text) > MAX_TEXT:
        raise UsageError(f"the expression has {len(text)} characters; at most {MAX_TEXT} are read")
    tokens = tokenize(text, source)
    check_tokens(tokens, text, source)
    return TreeReader(text, source, tokens).tree()


def parse_piece(text: str, start: int, end: int, source: str = "") -> Tree:
    """Return the tree of ``text[start:end]``, read with the rest blanked out, so that places are those of the text."""
    blanked = "".join(c if start <= i < end or c == "\n" else " " for i, c in enumerate(text))
    try:
        return parse(blanked, source)._replace(text=text)
    except UsageError as error:
        if error.span is not None:
            error.span = error.span._replace(text=text)
        raise


class TreeReader:
    """Python's tree of the tokens, checked node by node and rebuilt with places in the text as typed."""

    def __init__(self, text: str, source: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.source = source
        self.names: dict[str, None] = {}
        # Python's columns are bytes of the rewritten text; these two map them back to the text as typed.
        self.starts: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        pieces, position = [], 0
        for token in tokens:
            piece = "**" if token.text == "^" else token.text
            size = len(piece) if piece.isascii() else len(piece.encode())
            self.starts[position] = token.start
            self.ends[position + size] = token.end
            pieces.append(piece)
            position += size + 1
        self.python = " ".join(pieces)

    def tree(self) -> Tree:
        root = self.read(self.parsed())
        return Tree(self.text, root, tuple(self.names), self.source)

    def parsed(self) -> _ast.expr:
        """Return Python's tree of the tokens, of which nothing is checked yet."""
        try:
            tree = compile(self.python, "<expression>", "eval", _ast.PyCF_ONLY_AST)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            at = getattr(error, "offset", None) or 1
            begin = self.starts.get(at - 1, 0)
            span = Span(self.text, begin, min(begin + 1, len(self.text)), self.source)
            raise UsageError("this is not an expression that can be read", "", span) from None
        assert isinstance(tree, _ast.Expression)
        return tree.body

    def place(self, node: _ast.expr) -> tuple[int, int]:
        assert node.end_col_offset is not None
        return self.starts[node.col_offset], self.ends[node.end_col_offset]

    def fail(self, node: _ast.expr, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, hint, Span(self.text, *self.place(node), self.source))

    def read(self, node: _ast.expr) -> Node:
        """Read one node; a chain a+b+c+..., which leans to the left, is followed without recursion."""
        spine = []
        while isinstance(node, _ast.BinOp):
            spine.append(node)
            node = node.left
        method = getattr(self, f"read_{type(node).__name__.lower()}", None)
        if method is None:
            hint = "expressions have numbers, names, + - * / **, and functions"
            self.fail(node, "this is not part of the language", hint)
        tree: Node = method(node)
        for chained in reversed(spine):
            op = BINARY.get(type(chained.op))
            if op is None:
                self.fail(chained, "this operator is not part of the language")
            tree = Node(op, None, (tree, self.read(chained.right)), *self.place(chained))
        return tree

    def read_constant(self, node: _ast.Constant) -> Node:
        value = node.value
        if type(value) not in (int, float):
            self.fail(node, "only real numbers have a place in an expression")
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self.fail(node, "this number is too large: numbers end near 1.8e308")
        return Node("number", number, (), *self.place(node))

    def read_name(self, node: _ast.Name) -> Node:
        name = normal(node.id)
        self.names.setdefault(name)
        return Node("name", name, (), *self.place(node))

    def read_unaryop(self, node: _ast.UnaryOp) -> Node:
        operand = self.read(node.operand)
        if isinstance(node.op, _ast.UAdd):
            return operand
        if not isinstance(node.op, _ast.USub):
            self.fail(node, "this operator is not part of the language")
        return Node("neg", None, (operand,), *self.place(node))

    def read_call(self, node: _ast.Call) -> Node:
        if not isinstance(node.func, _ast.Name):
            self.fail(node, "an operator is missing before (", "write a*(b) to multiply")
        if node.keywords or any(isinstance(a, _ast.Starred) for a in node.args):
            self.fail(node, "functions take plain arguments only")
        if node.func.id == "where":
            return self.read_where(node)
        if node.func.id == "transpose" and len(node.args) == 1:
            return Node("transpose", None, (self.read(node.args[0]),), *self.place(node))
        args = tuple(self.read(arg) for arg in node.args)
        return Node("call", node.func.id, args, *self.place(node))

    def read_where(self, node: _ast.Call) -> Node:
        if len(node.args) != 3:
            self.fail(node, "where takes a comparison and two values", "for example where(x > 0, x, 0)")
        condition, yes, no = node.args
        if not isinstance(condition, _ast.Compare):
            self.fail(condition, "where needs a comparison first", "for example where(x > 0, x, 0)")
        return self.comparisons(node, condition, yes, no)

    def comparisons(self, node: _ast.Call, condition: _ast.Compare, yes: _ast.expr, no: _ast.expr) -> Node:
        """``where(a < b < c, p, q)`` is ``where(a < b, where(b < c, p, q), q)``."""
        if len(condition.ops) > MAX_COMPARISONS:
            self.fail(condition, f"more than {MAX_COMPARISONS} comparisons in a row")
        terms = [self.read(condition.left), *(self.read(c) for c in condition.comparators)]
        tree, otherwise = self.read(yes), self.read(no)
        for op, left, right in reversed(list(zip(condition.ops, terms, terms[1:], strict=False))):
            symbol = COMPARE.get(type(op))
            if symbol is None:
                self.fail(condition, "this comparison is not part of the language")
            tree = Node("where", symbol, (left, right, tree, otherwise), *self.place(node))
        return tree

    def read_compare(self, node: _ast.Compare) -> NoReturn:
        self.fail(node, "a comparison has its place only inside where(condition, a, b)")

    def read_subscript(self, node: _ast.Subscript) -> Node:
        if isinstance(node.slice, _ast.Tuple) or not isinstance(node.value, _ast.Name):
            return self.read_part(node)
        name = normal(node.value.id)
        self.names.setdefault(name)
        pick = self.pick(node, node.slice)
        if isinstance(pick, tuple):
            return Node("slice", (name, *pick), (), *self.place(node))
        return Node("index", (name, pick), (), *self.place(node))

    def read_part(self, node: _ast.Subscript) -> Node:
        """``A[0,1]``, ``A[:,0]``, ``A[0][1]``, ``A.T[0]``."""
        axes = node.slice.elts if isinstance(node.slice, _ast.Tuple) else [node.slice]
        if not 0 < len(axes) <= 2:
            self.fail(node, "a matrix has two indices", "for example A[0,1], A[0], A[:,0]")
        picks = tuple(self.pick(node, axis) for axis in axes)
        return Node("part", picks, (self.rearranged(node.value),), *self.place(node))

    def read_attribute(self, node: _ast.Attribute) -> Node:
        return Node("transpose", None, (self.rearranged(node.value),), *self.place(node))

    def rearranged(self, node: _ast.expr) -> Node:
        """Read what is indexed or transposed, which may be itself, but not many times."""
        inner, depth = node, 0
        while isinstance(inner, _ast.Subscript | _ast.Attribute):
            inner, depth = inner.value, depth + 1
            if depth > MAX_PARTS:
                self.fail(node, "a part of a part of a part", "write the indices in one: A[0,1]")
        return self.read(node)

    def pick(self, node: _ast.Subscript, axis: _ast.expr) -> int | tuple[int | None, int | None, int | None]:
        """An index, or the start, the stop and the step of a slice."""
        if not isinstance(axis, _ast.Slice):
            return self.integer(axis)
        start, stop, step = (
            None if b is None else self.integer(b) for b in (axis.lower, axis.upper, axis.step)
        )
        if step is not None and step <= 0:
            self.fail(node, "the step of a slice is a positive integer")
        return start, stop, step

    def integer(self, node: _ast.expr) -> int:
        sign = 1
        while isinstance(node, _ast.UnaryOp) and isinstance(node.op, _ast.USub):
            sign, node = -sign, node.operand
        if not isinstance(node, _ast.Constant) or type(node.value) is not int:
            self.fail(node, "an index is an integer", "for example v[0], v[-1], v[1:], v[::2]")
        return sign * node.value

    def read_tuple(self, node: _ast.Tuple) -> NoReturn:
        self.fail(node, "a list of values has no place here", "give one value")


BINARY: dict[type[_ast.operator], str] = {
    _ast.Add: "add",
    _ast.Sub: "sub",
    _ast.Mult: "mul",
    _ast.Div: "div",
    _ast.Pow: "pow",
    _ast.MatMult: "matmul",
}
COMPARE: dict[type[_ast.cmpop], str] = {
    _ast.Lt: "<",
    _ast.LtE: "<=",
    _ast.Gt: ">",
    _ast.GtE: ">=",
    _ast.Eq: "==",
    _ast.NotEq: "!=",
}
