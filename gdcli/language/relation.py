"""What is typed beside the objective: constraints, ``0 <= x - y <= 2``, and named parts, ``s=exp(a*x)``.

A constraint has two sides or three, with ``<=``, ``>=`` or ``==`` between them; a side is any expression. One ``=`` is
read and shown as ``==``. All that stands in one text is read as one, so that every place is one in it.

A part, typed after ``--let``, may use the parts before it, and stands for its value wherever its name does, in the
objective and in the constraints; it is no text that is put in their place, so it is read, evaluated and differentiated
once.
"""

from __future__ import annotations

import _ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError
from gdcli.language import syntax
from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.syntax import Node, Tree
from gdcli.language.tokens import (
    COMMENT,
    Token,
    check_tokens,
    comparisons,
    normal,
    tokenize,
    without_comments,
)
from gdcli.language.tree_names import place_of_name

OPTION = "--subject-to"
EXAMPLE = "for example x + y <= 1, x*y == 2, or 0 <= x - y <= 2"
RELATIONS = ("<=", ">=", "==")

# One sign of equality, which means ==, or one on the wrong side of an arrow: no tokens of the language.
_EQUALS = re.compile(r"=[<>]|(?<![<>=!])[:]?=(?![=<>])")
_JOINING = re.compile(r"[,;&∧]|and\b")
_STRICT = {"<": "<=", ">": ">="}


class Relation(NamedTuple):
    """A constraint as typed: its text, the file or option it stands in, its sides and what stands between them.

    ``places`` are the beginning and the end of each side in the text; ``names`` the free names, in order.
    """

    text: str
    source: str
    sides: tuple[Node, ...]
    symbols: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    parts: Mapping[str, Tree] = syntax.NO_PARTS

    def tree(self, node: Node) -> Tree:
        """Return a side, or what was made of several, as an expression of its own."""
        return Tree(self.text, node, self.names, self.source, self.parts)

    @property
    def whole(self) -> Tree:
        """All sides as one tree, whose names and nodes can be looked through; it has no value."""
        (start, _), (_, end) = self.places[0], self.places[-1]
        return self.tree(Node("relation", None, self.sides, start, end))

    def using(self, parts: Mapping[str, Tree]) -> Relation:
        """Return the constraint in which the names of ``parts`` stand for their values."""
        whole = with_parts(self.whole, parts)
        return self._replace(names=whole.names, parts=whole.parts)

    def span(self, first: int = 0, last: int = -1) -> Span:
        return Span(self.text, self.places[first][0], self.places[last][1], self.source)

    def piece(self, first: int = 0, last: int = -1) -> str:
        """Return the text of the sides from ``first`` to ``last``, spaces folded and comments left out."""
        span = self.span(first, last)
        return " ".join(COMMENT.sub("", self.text[span.start : span.end]).split())


def typed_lines(texts: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    """Yield each text with its source; of ``@file`` each line, without those that are empty or a comment."""
    for text in texts:
        if not text.lstrip().startswith("@"):
            yield text, option
            continue
        from gdcli.language.value_file import file_text

        path = text.strip()[1:]
        for number, line in enumerate(file_text(path, option).splitlines(), 1):
            if COMMENT.sub("", line).strip():
                yield line.strip(), f"{path}:{number}"


@lru_cache(maxsize=16_384)  # a problem asks twice for each of its own
def relation(text: str, source: str = OPTION) -> Relation:
    """Return the checked sides of the text of one constraint.

    Raises UsageError, with the place in the text, for all that is not two or three expressions with ``<=``, ``>=`` or
    ``==`` between them, the same direction twice.
    """
    text = equations(text, source)
    try:
        tokens = tokenize(text, source)
        if not tokens:
            raise UsageError("the constraint is empty", EXAMPLE, Span(text, 0, len(text), source))
        check_tokens(tokens, text, source)
    except UsageError as error:
        raise _proposed(error) from None
    reader = syntax.TreeReader(text, source, tokens)
    root = reader.parsed()
    if not isinstance(root, _ast.Compare):
        whole = Span(text, tokens[0].start, tokens[-1].end, source)
        raise UsageError("a constraint needs a comparison: <=, >= or ==", EXAMPLE, whole)
    between = comparisons(tokens)
    symbols = tuple(token.text for token in between)
    _check_symbols(text, source, between)
    sides = tuple(reader.read(side) for side in (root.left, *root.comparators))
    begins = [tokens[0].start, *(token.end for token in between)]
    ends = [*(token.start for token in between), tokens[-1].end]
    places = tuple(_stripped(text, a, b) for a, b in zip(begins, ends, strict=True))
    return Relation(text, source, sides, symbols, places, tuple(reader.names))


def _proposed(error: UsageError) -> UsageError:
    """The error with what to write instead, where that is known."""
    from gdcli.language.notation import told  # only an error needs it

    if error.span is None or not _JOINING.match(error.span.text, error.span.start):
        return told(error, "constraint")
    hint = f"give each constraint a {OPTION} of its own"
    return UsageError("one constraint stands in one text", hint, error.span)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def equations(text: str, source: str = OPTION) -> str:
    """Return the text with == where one = was typed, which means the same here. Raises UsageError for =<, => and :=."""
    plain = without_comments(text)
    for found in reversed([*_EQUALS.finditer(plain)]):
        sign, before, after = found.group(), text[: found.start()], text[found.end() :]
        if sign != "=":
            meant = "==" if sign == ":=" else sign[::-1]
            corrected = " ".join(f"{before.rstrip()} {meant} {after.lstrip()}".split())
            hint = f"write {corrected if len(corrected) <= MAX_PROPOSED else meant}"
            raise UsageError(f"{sign} is no comparison", hint, Span(text, *found.span(), source))
        text = f"{before}=={after}"
    return text


# Of longer proposals nobody could make use.
MAX_PROPOSED = 200


def _check_symbols(text: str, source: str, between: Sequence[Token]) -> None:
    """Raise UsageError for comparisons that no constraint can have, or that do not go together."""

    def fail(token: Token, message: str, hint: str) -> NoReturn:
        raise UsageError(message, hint, Span(text, token.start, token.end, source))

    for token in between:
        if token.text in _STRICT:
            closed = _STRICT[token.text]
            corrected = f"{text[: token.start].rstrip()} {closed} {text[token.end :].lstrip()}"
            fail(
                token,
                f"a constraint includes its limit: with {token.text} the best point may not exist",
                f"write {' '.join(corrected.split())[:MAX_PROPOSED]}",
            )
        if token.text not in RELATIONS:
            fail(token, f"{token.text} cannot be a constraint: nearly every point fulfils it", EXAMPLE)
    if len(between) > 2 and any(token.text != "==" for token in between):
        fail(between[2], "a constraint has at most three sides", "write several constraints")
    for left, right in pairwise(between):
        if left.text != right.text:
            mixed = "==" in (left.text, right.text)
            what = "an equation and an inequality" if mixed else "two comparisons of different direction"
            first, last = text[: right.start].strip(), text[left.end :].strip()
            hint = f"write them apart: {first} and {last}"
            fail(right, f"a chain cannot have {what}", " ".join(hint.split())[:MAX_PROPOSED])


# -- named parts -------------------------------------------------------------------------------------------------------

LET = "--let"
LET_EXAMPLE = "for example {} 's=exp(a*x)'"
# Each part that uses the one before it is one level of recursion more.
MAX_PARTS = 100


@lru_cache(maxsize=64)
def read_parts(texts: tuple[str, ...], option: str = LET, before: tuple[str, ...] = ()) -> Mapping[str, Tree]:
    """Return the trees of the parts by name, in order; they may use those of ``before``, as typed after --let.

    ``option`` is the one that ``texts`` were typed after. Raises UsageError with the place in the text.
    """
    known = read_parts(before) if before else {}
    found: dict[str, Tree] = {}
    if len(texts) > MAX_PARTS:
        raise UsageError(f"{option} gives {len(texts)} parts; at most {MAX_PARTS} are read")
    for text in texts:
        name, tree = _part(text, option)
        if name in found:
            span = Span(text, 0, text.index("="), option)
            raise UsageError(f"{option} gives {name} twice", "each part has a name of its own", span)
        found[name] = with_parts(tree, {**known, **found})
    for name, tree in found.items():
        later = next((other for other in tree.names if other in found), None)
        if later is not None:
            hint = "a part uses those that come before it"
            raise UsageError(f"{name} uses {later}, which is no part yet", hint, place_of_name([tree], later))
    return found


def _part(text: str, option: str) -> tuple[str, Tree]:
    """Return the name and the tree of one part; places in the tree are those of the whole text."""
    typed, _, formula = text.partition("=")
    name = typed.strip()
    begin = len(typed) + 1
    if not formula.strip() or formula.startswith("=") or not name.isidentifier() or name.startswith("_"):
        span = Span(text, 0, max(1, len(typed)), option)
        raise UsageError(f"{option} takes NAME=EXPR", LET_EXAMPLE.format(option), span)
    name = normal(name)
    if name in CONSTANTS or name in CALLABLE:
        what = "a constant" if name in CONSTANTS else "a function"
        raise UsageError(f"{name} is {what}", "give the part another name", Span(text, 0, len(typed), option))
    return name, syntax.parse_piece(text, begin, len(text), option)


def with_parts(tree: Tree, parts: Mapping[str, Tree]) -> Tree:
    """Return a tree in which the names of ``parts`` stand for their values; its free names are then theirs too."""
    if not any(name in parts for name in tree.names):
        return tree
    names = [free for name in tree.names for free in (parts[name].names if name in parts else (name,))]
    return tree._replace(names=tuple(dict.fromkeys(names)), parts=parts)
