"""Which rows are meant: ``x > 2 and group == "a"``, comparisons of expressions of columns, joined by and, or, not.

A side of a comparison is an expression of the language, or a text in quotes, which is compared with what the cells of
one column say. Every fault is told with its place in the text as typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NoReturn

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.syntax import Tree, parse_piece
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
