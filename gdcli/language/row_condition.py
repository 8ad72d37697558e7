"""What is typed of the cells of columns: which rows are meant, and categories in a model.

Rows are meant by comparisons of expressions of columns, joined by and, or, not: ``x > 2 and group == "a"``. A side of a
comparison is an expression of the language, or a text in quotes, which is compared with what the cells of one column
say. Every fault is told with its place in the text as typed.

A category in a model is ``C(group)``, a number for each level, the first of them 0. ``C(group, "placebo")`` takes
another level for the base, and ``C(group, slope)`` calls the differences ``slope_b``, where they are called ``group_b``
without it. A call is read as one name, that of the column whose cells tell the level; when the levels are known, it
becomes the sum over the others of a parameter times an indicator, 1 in the rows of that level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import NoReturn

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.syntax import Node, Tree, parse_piece, rebuilt
from gdcli.language.tokens import COMPARISONS, Token, tokenize

EXAMPLE = 'for example x > 2, group == "a", or 10:200 for the rows 10 to 200'
_TEXT = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'')
# A letter that stands for those of a text in quotes, so that places stay what they are.
_STANDS_IN = "\N{CYRILLIC LETTER MULTIOCULAR O}"
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_ELSEWHERE = (
    (re.compile(r"&&?"), "and"),
    (re.compile(r"\|\|?"), "or"),
    (re.compile(r"!(?!=)"), "not"),
    (re.compile(r"(?<![<>=!])=(?!=)"), "=="),
)


@dataclass(frozen=True, slots=True)
class Compared:
    symbol: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Said:
    """What the cells of a column say, compared with a text; ``span`` is the whole comparison."""

    symbol: str
    column: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Joined:
    """Tests of which all hold (``how`` and), one holds (or), or the only one does not (not)."""

    how: str
    tests: Sequence[Test]


Test = Compared | Said | Joined


class Literal(NamedTuple):
    text: str


def parts_of(test: Test) -> Iterator[Compared | Said]:
    if isinstance(test, Joined):
        for part in test.tests:
            yield from parts_of(part)
    else:
        yield test


def read_condition(text: str, source: str) -> Test:
    """Return the test that a text is. Raises UsageError with the place in the text."""
    literals = {match.start(): match.group()[1:-1] for match in _TEXT.finditer(text)}
    masked = _TEXT.sub(lambda match: _STANDS_IN * len(match.group()), text)
    try:
        return _Reader(masked, source, literals, text).whole()
    except UsageError as error:
        if error.span is not None:
            error.span = error.span._replace(text=text)
        raise


class _Reader:
    """Reads the tokens of a text, which is as ``typed`` but for what is quoted; ``at`` is the number of the next."""

    def __init__(self, text: str, source: str, literals: Mapping[int, str], typed: str) -> None:
        self.text, self.source, self.literals, self.typed = text, source, literals, typed
        for pattern, written in _ELSEWHERE:
            if found := pattern.search(text):
                raise UsageError(
                    f"{found.group()} has no place here",
                    f"write {written}",
                    Span(text, *found.span(), source),
                )
        self.tokens = tokenize(text, source)
        self.at = 0

    def fail(self, message: str, hint: str = EXAMPLE) -> NoReturn:
        end = len(self.text.rstrip())
        token = self.next
        start, stop = (end, end + 1) if token is None else (token.start, token.end)
        raise UsageError(message, hint, Span(self.text, start, stop, self.source))

    @property
    def next(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def is_next(self, *texts: str) -> bool:
        return self.next is not None and self.next.text in texts

    def whole(self) -> Test:
        if not self.tokens:
            self.fail("there is no condition")
        found = self.joined("or")
        if self.next is not None:
            self.fail(f"{self.next.text} has no place here")
        return found

    def joined(self, how: str) -> Test:
        """Read tests with ``or`` between them, each of which is tests with ``and`` between them."""
        parts = [self.joined("and") if how == "or" else self.one()]
        while self.is_next(how):
            self.at += 1
            parts.append(self.joined("and") if how == "or" else self.one())
        return parts[0] if len(parts) == 1 else Joined(how, parts)

    def one(self) -> Test:
        if self.is_next("not"):
            self.at += 1
            return Joined("not", [self.one()])
        if self.is_next("(") and self.is_group():
            self.at += 1
            found = self.joined("or")
            self.at += 1  # the bracket that `is_group` has seen
            return found
        return self.comparison()

    def is_group(self) -> bool:
        """Tell whether the bracket here holds tests, and not the first part of an expression."""
        depths = accumulate({"(": 1, ")": -1}.get(token.text, 0) for token in self.tokens[self.at :])
        end = next((number for number, depth in enumerate(depths, self.at + 1) if depth == 0), None)
        if end is None:
            self.fail("this ( is never closed")
        return end == len(self.tokens) or self.tokens[end].text in ("and", "or", ")")

    def comparison(self) -> Test:
        begin = self.next
        sides, symbols = [self.side()], list[str]()
        while self.next is not None and self.next.text in COMPARISONS:
            symbols.append(self.next.text)
            self.at += 1
            sides.append(self.side())
        if not symbols:
            self.at = self.tokens.index(begin) if begin is not None else self.at
            self.fail("this is compared with nothing")
        assert begin is not None
        span = Span(self.typed, begin.start, self.tokens[self.at - 1].end, self.source)
        tests = [
            self.compared(symbol, pair, span) for symbol, pair in zip(symbols, pairwise(sides), strict=True)
        ]
        return tests[0] if len(tests) == 1 else Joined("and", tests)

    def compared(self, symbol: str, sides: tuple[Tree | Literal, Tree | Literal], span: Span) -> Test:
        left, right = sides
        if isinstance(left, Literal):
            left, right, symbol = right, left, _MIRRORED[symbol]
        if isinstance(left, Literal):
            raise UsageError("two texts are compared", "one side is the name of a column", span)
        if not isinstance(right, Literal):
            return Compared(symbol, left, right)
        if left.root.op != "name":
            raise UsageError(
                "a text is compared with a computed value", "one side is the name of a column", span
            )
        return Said(symbol, str(left.root.value), right.text, span)

    def side(self) -> Tree | Literal:
        """Read up to a comparison, a joining word, or a bracket that closes what is outside."""
        first, depth = self.at, 0
        while (token := self.next) is not None:
            if depth == 0 and token.text in (*COMPARISONS, "and", "or", "not", ")"):
                break
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            self.at += 1
        if first == self.at:
            self.fail("something is missing here")
        start, end = self.tokens[first].start, self.tokens[self.at - 1].end
        if start in self.literals and self.at == first + 1:
            return Literal(self.literals[start])
        within = next((at for at in self.literals if start <= at < end), None)
        if within is not None:
            place = Span(self.text, within, within + 2 + len(self.literals[within]), self.source)
            raise UsageError(
                "a text stands within an expression", 'it is compared as a whole: group == "a"', place
            )
        return parse_piece(self.text, start, end, self.source)._replace(text=self.typed)


# -- categories --------------------------------------------------------------------------------------------------------

_NAME = r"[^\W\d]\w*"
_CALL = re.compile(rf"(?<!\w)C\(\s*({_NAME})\s*(?:,\s*(\"[^\"\n]*\"|'[^'\n]*'|{_NAME})\s*)?\)")
# Letters that stand for a call, so that places stay what they are; each call has one of its own.
_LETTERS = tuple(chr(0xA640 + 2 * k) for k in range(20))


class Category(NamedTuple):
    """A call as typed in ``text``: the ``column``, how parameters begin (``stem``), the base (None: the first)."""

    text: str
    column: str
    stem: str
    base: str | None


class Levels(NamedTuple):
    """The levels of a category but for the base, in words: by parameter the level, and the column that indicates it."""

    base: str
    parameters: Mapping[str, str]
    indicators: Mapping[str, str]

    @classmethod
    def of(cls, text: str, base: str, parameters: Mapping[str, str]) -> Levels:
        """Return the levels of a call that stands in ``text``, the level of each of the ``parameters`` being known."""
        column = _column(text)
        return cls(base, parameters, {f"{column} == {level}": level for level in parameters.values()})


def _column(text: str) -> str:
    found = _CALL.match(text)
    return found[1] if found else ""


def masked(text: str, source: str) -> tuple[str, dict[str, Category]]:
    """Return a model's text in which names stand for the calls, as long as these, and the calls by these names.

    Raises UsageError for a call that stands twice: each stands for parameters of its own.
    """
    found: dict[str, Category] = {}
    stems: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        column, more = match.groups()
        quoted = bool(more) and more[0] in "\"'"
        stem = column if quoted or not more else more
        place = Span(text, *match.span(), source)
        if stem in stems or len(found) == len(_LETTERS):
            hint = f"give the differences of each a name of their own: C({column}, slope)"
            raise UsageError(f"parameters of two categories would be called {stem}_...", hint, place)
        stems[stem] = column
        name = _LETTERS[len(found)] * len(match.group())
        found[name] = Category(" ".join(match.group().split()), column, stem, more[1:-1] if quoted else None)
        return name

    return (_CALL.sub(stand_in, text), found) if "C(" in text else (text, found)


def restored(tree: Tree, text: str, calls: Mapping[str, Category]) -> Tree:
    """Return the tree of a masked text as that of the ``text`` typed: what stands for a call is called as the call."""

    def named(node: Node) -> Node:
        if node.op == "name" and node.value in calls:
            return Node("name", calls[node.value].text, (), node.start, node.end)
        return node

    names = tuple(calls[name].text if name in calls else name for name in tree.names)
    return tree._replace(text=text, root=rebuilt(tree.root, named), names=names)


def expanded(tree: Tree, levels: Mapping[str, Levels]) -> Tree:
    """Return the tree in which the names in ``levels`` are the sums that they stand for."""
    if not any(name in levels for name in tree.names):
        return tree

    def summed(node: Node) -> Node:
        return _sum(node, levels[node.value]) if node.op == "name" and node.value in levels else node

    names: list[str] = []
    for name in tree.names:
        found = levels.get(name)
        names += [name] if found is None else [*found.parameters, *found.indicators]
    return tree._replace(root=rebuilt(tree.root, summed), names=tuple(dict.fromkeys(names)))


def _sum(node: Node, found: Levels) -> Node:
    place = node.start, node.end
    terms = [
        Node("mul", None, (Node("name", parameter, (), *place), Node("name", indicator, (), *place)), *place)
        for parameter, indicator in zip(found.parameters, found.indicators, strict=True)
    ]
    return reduce(lambda total, term: Node("add", None, (total, term), *place), terms)
