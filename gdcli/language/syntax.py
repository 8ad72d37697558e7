"""From text to a checked tree.

The text is cut into tokens first: limits are counted there, before any parser sees hostile input, and the
commonest mistakes (a forgotten ``*``, an unclosed parenthesis, a foreign character) get their message there.
Then `^` is replaced by `**` token by token, Python's own parser reads the rest, and each node is checked
against an allowlist. Nothing typed is ever executed. Every node of the tree keeps its place in the text as
typed.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.functions import LETTERS

T = TypeVar("T")

MAX_TEXT = 1_000_000
MAX_TOKENS = 20_000
MAX_NESTING = 100
MAX_CHAIN = 2000
MAX_DEPTH = 2900  # of Python's tree of one chain, terms and the factors of a term together
MAX_DIGITS = 400
MAX_COMPARISONS = 10

OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow", "^": "pow"}
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")

# Characters of paper and of word processors that can mean nothing else.
LOOKALIKES = {
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("×·∙⋅∗✕", "*"),
    **dict.fromkeys("÷∕⁄", "/"),
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    **dict(zip("（）［］，＋＊／＾", "()[],+*/^", strict=True)),  # of keyboards for Chinese and Japanese
}
# A power written small: x² is x**2, and x⁻¹ is x**-1.
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"

_TOKEN = re.compile(
    rf"""(?P<space>\s+|\#[^\n]*)
    |(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d{RAISED}][^\W{RAISED}]*)
    |(?P<op>\*\*|<=|>=|==|!=|//|[-+*/^@<>()\[\],:])
    |(?P<raised>[⁺⁻]?[{RAISED}]+)
    |(?P<like>[{"".join(LOOKALIKES)}])
    |(?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)
_UNDERSCORES_BETWEEN_DIGITS = re.compile(r"(?:[^_]|(?<=\d)_(?=\d))*")


def normal(name: str) -> str:
    """Return what a name is called: letters that only look different are one (NFKC), and π is pi."""
    if name.isascii():
        return name
    import unicodedata

    plain = unicodedata.normalize("NFKC", name)
    return LETTERS.get(plain, plain)


def raised_letter(name: str) -> str:
    """Return ``x**n`` for ``xⁿ``, which would be read as the name xn; nothing for other names."""
    if name.isascii():
        return ""
    import unicodedata

    mark = unicodedata.decomposition(name[-1]).partition(" ")[0]
    return f"{name[:-1]}**{normal(name[-1])}" if mark == "<super>" and len(name) > 1 else ""


def end_of_token(text: str, start: int) -> int:
    """Return where the token that begins at ``start`` ends; a name's letters, as typed, may be fewer than as read."""
    match = _TOKEN.match(text, start)
    return start if match is None else match.end()


class Token(NamedTuple):
    """A token: its kind (number, name, op), its text, its place in the text as typed."""

    kind: str
    text: str
    start: int
    end: int


class Node:
    """A node of the checked tree.

    ``op`` is number, name, neg, add, sub, mul, div, pow, matmul, call, index, slice or where. ``value`` is
    the number, the name, the function called, the index, or the slice (start, stop, step). A ``where`` has
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

    ``parts`` are named expressions that it may use (:mod:`gdcli.language.parts`); their names are none of its own.
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


def parse(text: str, source: str = "") -> Tree:
    """Return the checked tree of an expression.

    Raises UsageError, with the place in the text as typed, for everything that is not plain mathematics.
    """
    if len(text) > MAX_TEXT:
        raise UsageError(f"the expression has {len(text)} characters; at most {MAX_TEXT} are read")
    tokens = tokenize(text, source)
    check_tokens(tokens, text, source)
    return TreeReader(text, source, tokens).tree()


def tokenize(text: str, source: str = "") -> list[Token]:
    """Cut the text into tokens; spaces, line breaks and ``# comments`` are left out.

    Raises UsageError at a character that mathematics does not use, or when there are too many tokens.
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "bad"
        if kind == "space":
            continue
        if kind == "bad":
            _bad_character(text, match.start(), source)
        if (
            kind == "name" and not match.group().isidentifier()
        ):  # small digits below the line count as letters for the pattern
            _bad_character(text, _end_of_name(text, match.start(), match.end()), source)
        if kind == "like":
            tokens.append(Token("op", LOOKALIKES[match.group()], match.start(), match.end()))
            continue
        if kind == "raised":
            tokens += _power(match)
            continue
        if len(tokens) == MAX_TOKENS:
            span = Span(text, match.start(), match.end(), source)
            raise UsageError(f"the expression is too long: more than {MAX_TOKENS} tokens", span=span)
        tokens.append(Token(kind, match.group(), match.start(), match.end()))
    return tokens


def _power(match: re.Match[str]) -> Iterator[Token]:
    """Yield the tokens of a power written small, ``²`` or ``⁻¹``."""
    start, end = match.span()
    digits = match.group().translate(SUPERSCRIPTS)
    yield Token("op", "**", start, end)
    if not digits.isdecimal():
        yield Token("op", digits[0], start, start + 1)
        start, digits = start + 1, digits[1:]
    yield Token("number", digits, start, end)


def _end_of_name(text: str, start: int, end: int) -> int:
    """Return where the longest name that begins at ``start`` ends, by bisection."""
    low, high = start, end
    while low + 1 < high:
        middle = (low + high) // 2
        if text[start:middle].isidentifier():
            low = middle
        else:
            high = middle
    return low


def _bad_character(text: str, at: int, source: str) -> NoReturn:
    char = text[at]
    span = Span(text, at, at + 1, source)
    hint = ""
    if char in "'\"":
        raise UsageError(
            "text in quotes has no place in an expression", "names are written without quotes", span
        )
    if char == "=":
        hint = "give values with --start or --set; comparisons are ==, <, <=, >, >= inside where(...)"
    elif char == "`":
        hint = "the title of a column is spelled with underscores, without marks: Body_mass_g"
    elif char == ".":
        raise UsageError("a dot has no place here: attributes are not part of the language", "", span)
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    raise UsageError(f"the character {shown} has no place in an expression", hint, span)


def check_tokens(tokens: list[Token], text: str, source: str = "") -> None:
    """Check what the tokens alone can tell: limits, brackets, operators and operands in turn.

    Raises UsageError. What passes is an expression that Python's parser reads without deep recursion.
    """
    if not tokens:
        span = Span(text, 0, len(text), source) if text.strip() else None
        raise UsageError("the expression is empty", "write one, for example (x-3)**2", span)
    _TokenCheck(text, source).run(tokens)


class _TokenCheck:
    """One pass over the tokens with a stack of open brackets."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.open: list[Token] = []
        self.calls: set[Token] = set()
        # For each open bracket: the terms so far, the factors of the present one, the most factors of one.
        self.chain = [[0, 0, 0]]
        # How deep what follows stands inside signs and powers, for each open bracket: Python's parser
        # recurses into these as it does into brackets.
        self.inside = [0]
        self.depth = 0

    def fail(self, token: Token, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, hint, Span(self.text, token.start, token.end, self.source))

    def run(self, tokens: list[Token]) -> None:
        before: Token | None = None
        for token in tokens:
            self.one(token, before)
            before = token
        assert before is not None
        if self.open:
            bracket = self.open[-1]
            self.fail(bracket, f"this {bracket.text} is never closed")
        if before.kind == "op" and before.text not in ")]":
            self.fail(before, f"something is missing after {before.text}")

    def one(self, token: Token, before: Token | None) -> None:
        operand_before = before is not None and (before.kind != "op" or before.text in ")]")
        if token.kind != "op":
            if operand_before and before is not None:
                self.missing_operator(token, before)
            self.check_word(token)
        elif token.text in "([":
            self.opening(token, before, operand_before)
        elif token.text in ")]":
            self.closing(token, before)
        else:
            self.operator(token, before, operand_before)

    def missing_operator(self, token: Token, before: Token) -> NoReturn:
        for word in (before, token):
            if word.kind != "op":
                self.check_word(word)
        if before.kind == token.kind == "number" and token.start == before.end:
            text = before.text + token.text
            place = Span(self.text, before.start, token.end, self.source)
            raise UsageError(f"{text[:40]} is not a number", "a number has one decimal point", place)
        left = "(...)" if before.text in ")]" else before.text
        right = "(...)" if token.text == "(" else token.text
        place = Span(self.text, before.start, token.end, self.source)
        raise UsageError("an operator is missing", f"write {left}*{right} to multiply", place)

    def check_word(self, token: Token) -> None:
        if token.kind == "number":
            if len(token.text) > MAX_DIGITS:
                self.fail(token, f"a number of {len(token.text)} characters; at most {MAX_DIGITS} are read")
            self.check_number(token)
        elif keyword.iskeyword(normal(token.text[:MAX_DIGITS])):
            hint = "where(condition, a, b) chooses between two values" if token.text in ("if", "else") else ""
            self.fail(
                token, f"{token.text} is a reserved word", hint or f"rename it, for example {token.text}_"
            )
        elif len(token.text) > MAX_DIGITS:
            self.fail(token, f"a name of {len(token.text)} characters; at most {MAX_DIGITS} are read")
        elif token.text[0] in LETTERS and token.text[1:].isalpha():
            self.fail(token, "an operator is missing", f"write {LETTERS[token.text[0]]}*{token.text[1:]}")
        elif raised := raised_letter(token.text):
            self.fail(token, "a letter above the line stands here", f"write {raised}")
        elif token.text.startswith("_"):
            self.fail(token, f"the name {token.text} begins with an underscore", "names begin with a letter")

    def check_number(self, token: Token) -> None:
        text = token.text
        if not text.isascii():
            self.fail(token, "the digits of numbers are 0 to 9")
        if not _UNDERSCORES_BETWEEN_DIGITS.fullmatch(text):
            self.fail(token, f"{text} is not a number", "an underscore stands between two digits only")
        if text.isdecimal() and text[0] == "0" and text.strip("0"):
            self.fail(token, "an integer that begins with zero", f"write {text.lstrip('0')}")

    def opening(self, token: Token, before: Token | None, operand_before: bool) -> None:
        if operand_before and before is not None:
            is_name = before.kind == "name"
            if not is_name and token.text == "(":
                self.missing_operator(token, before)
            if is_name:
                self.check_word(before)
                self.calls.add(token)
        elif token.text == "[":
            self.fail(
                token, "a list has no place in an expression", "give vectors with --start or --set: v=[1,2,3]"
            )
        self.open.append(token)
        self.chain.append([0, 0, 0])
        self.inside.append(0)
        self.deeper(token)

    def deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(token, f"brackets, signs and powers are nested more than {MAX_NESTING} deep")

    def closing(self, token: Token, before: Token | None) -> None:
        if not self.open:
            self.fail(token, f"this {token.text} closes nothing")
        bracket = self.open.pop()
        self.chain.pop()
        self.depth -= 1 + self.inside.pop()
        if bracket.text + token.text not in ("()", "[]"):
            self.fail(token, f"{bracket.text} is closed by {token.text}")
        is_call = before is bracket and token.text == ")" and bracket in self.calls
        if before is not None and before.kind == "op" and before.text not in ")]:" and not is_call:
            self.fail(token, f"something is missing before {token.text}")

    def operator(self, token: Token, before: Token | None, operand_before: bool) -> None:
        if token.text == "//":
            self.fail(token, "// has no place in an expression", "write floor(a/b)")
        if not operand_before and token.text in "+-":
            self.inside[-1] += 1
            self.deeper(token)
            return
        in_slice = bool(self.open) and self.open[-1].text == "["
        if not operand_before and not (token.text == ":" and in_slice and before is not None):
            at_begin = before is None or before.text in "([,"
            where = (
                f"before {token.text}"
                if at_begin or before is None
                else f"between {before.text} and {token.text}"
            )
            self.fail(token, f"something is missing {where}")
        if token.text == "," and not self.open:
            hint = "numbers have a decimal point: 0.5; bounds and constraints are options: --bounds x=0:5"
            self.fail(token, "a comma outside brackets", hint)
        if token.text == ":" and not in_slice:
            hint = "equally spaced numbers are linspace(1,5,9); bounds are an option: --bounds x=0:5"
            self.fail(token, "a colon belongs into a slice such as v[1:]", hint)
        if token.text in ("**", "^"):
            self.inside[-1] += 1
            self.deeper(token)
        else:
            self.depth -= self.inside[-1]
            self.inside[-1] = 0
        self.count(token)

    def count(self, token: Token) -> None:
        """Count the terms and factors of a chain, which Python's tree of it nests as deep as it is long."""
        chain = self.chain[-1]
        if token.text == ",":
            chain[:] = [0, 0, 0]
        elif token.text in "+-":
            chain[:2] = [chain[0] + 1, 0]
        elif token.text in ("*", "/", "@"):
            chain[1] += 1
            chain[2] = max(chain[1:])
        if max(chain) > MAX_CHAIN or chain[0] + chain[2] > MAX_DEPTH:
            self.fail(
                token,
                f"a chain of more than {MAX_CHAIN} terms or factors",
                "shorten it; a vector with sum(...) has no limit",
            )


class TreeReader:
    """Python's tree of the tokens, checked node by node and rebuilt with places in the text as typed."""

    def __init__(self, text: str, source: str, tokens: list[Token]) -> None:
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

    def parsed(self) -> Any:
        """Return Python's tree of the tokens, of which nothing is checked yet."""
        import _ast

        try:
            tree: Any = compile(self.python, "<expression>", "eval", _ast.PyCF_ONLY_AST)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            at = getattr(error, "offset", None) or 1
            begin = self.starts.get(at - 1, 0)
            span = Span(self.text, begin, min(begin + 1, len(self.text)), self.source)
            raise UsageError("this is not an expression that can be read", "", span) from None
        return tree.body

    def place(self, node: Any) -> tuple[int, int]:
        return self.starts[node.col_offset], self.ends[node.end_col_offset]

    def fail(self, node: object, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, hint, Span(self.text, *self.place(node), self.source))

    def read(self, node: Any) -> Node:
        """Read one node; a chain a+b+c+..., which leans to the left, is followed without recursion."""
        spine = []
        while type(node).__name__ == "BinOp":
            spine.append(node)
            node = node.left
        kind = type(node).__name__
        method = getattr(self, f"read_{kind.lower()}", None)
        if method is None:
            self.fail(
                node,
                "this is not part of the language",
                "expressions have numbers, names, + - * / **, and functions",
            )
        tree: Node = method(node)
        for node in reversed(spine):
            op = _BINARY.get(type(node.op).__name__)
            if op is None:
                self.fail(node, "this operator is not part of the language")
            tree = Node(op, None, (tree, self.read(node.right)), *self.place(node))
        return tree

    def read_constant(self, node: Any) -> Node:
        value = node.value
        if type(value) not in (int, float):
            self.fail(node, "only real numbers have a place in an expression")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            self.fail(node, "this number is too large: numbers end near 1.8e308")
        return Node("number", number, (), *self.place(node))

    def read_name(self, node: Any) -> Node:
        name = normal(node.id)
        self.names.setdefault(name)
        return Node("name", name, (), *self.place(node))

    def read_unaryop(self, node: Any) -> Node:
        op = type(node.op).__name__
        operand = self.read(node.operand)
        if op == "UAdd":
            return operand
        if op != "USub":
            self.fail(node, "this operator is not part of the language")
        return Node("neg", None, (operand,), *self.place(node))

    def read_call(self, node: Any) -> Node:
        if type(node.func).__name__ != "Name":
            self.fail(node, "an operator is missing before (", "write a*(b) to multiply")
        if node.keywords or any(type(a).__name__ == "Starred" for a in node.args):
            self.fail(node, "functions take plain arguments only")
        if node.func.id == "where":
            return self.read_where(node)
        args = tuple(self.read(arg) for arg in node.args)
        return Node("call", node.func.id, args, *self.place(node))

    def read_where(self, node: Any) -> Node:
        if len(node.args) != 3:
            self.fail(node, "where takes a comparison and two values", "for example where(x > 0, x, 0)")
        condition, yes, no = node.args
        if type(condition).__name__ != "Compare":
            self.fail(condition, "where needs a comparison first", "for example where(x > 0, x, 0)")
        return self.comparisons(node, condition, yes, no)

    def comparisons(self, node: Any, condition: Any, yes: Any, no: Any) -> Node:
        """``where(a < b < c, p, q)`` is ``where(a < b, where(b < c, p, q), q)``."""
        if len(condition.ops) > MAX_COMPARISONS:
            self.fail(condition, f"more than {MAX_COMPARISONS} comparisons in a row")
        terms = [self.read(condition.left), *(self.read(c) for c in condition.comparators)]
        tree, no = self.read(yes), self.read(no)
        for op, left, right in reversed(list(zip(condition.ops, terms, terms[1:], strict=False))):
            symbol = _COMPARE.get(type(op).__name__)
            if symbol is None:
                self.fail(condition, "this comparison is not part of the language")
            tree = Node("where", symbol, (left, right, tree, no), *self.place(node))
        return tree

    def read_compare(self, node: object) -> NoReturn:
        self.fail(node, "a comparison has its place only inside where(condition, a, b)")

    def read_subscript(self, node: Any) -> Node:
        if type(node.value).__name__ != "Name":
            self.fail(node, "only a vector's name can be followed by [...]")
        name = normal(node.value.id)
        self.names.setdefault(name)
        inner = node.slice
        if type(inner).__name__ == "Slice":
            bounds = tuple(
                None if b is None else self.integer(b) for b in (inner.lower, inner.upper, inner.step)
            )
            if bounds[2] is not None and bounds[2] <= 0:
                self.fail(node, "the step of a slice is a positive integer")
            return Node("slice", (name, *bounds), (), *self.place(node))
        return Node("index", (name, self.integer(inner)), (), *self.place(node))

    def integer(self, node: Any) -> int:
        sign = 1
        while type(node).__name__ == "UnaryOp" and type(node.op).__name__ == "USub":
            sign, node = -sign, node.operand
        if type(node).__name__ != "Constant" or type(node.value) is not int:
            self.fail(node, "an index is an integer", "for example v[0], v[-1], v[1:], v[::2]")
        return sign * int(node.value)

    def read_tuple(self, node: object) -> NoReturn:
        self.fail(node, "a list of values has no place here", "give one value")


_BINARY = {"Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Pow": "pow", "MatMult": "matmul"}
_COMPARE = {"Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!="}
