"""Other ways to write mathematics and values, and how each is written here.

People bring `2x`, `sin x`, `|x|`, `np.sin(x)`, `x!`, `y = x**2`, and what their own language has. Where a text cannot
be read, it is translated by the rules of two tables: those of :mod:`gdcli.language.paper_notation` make of it what
Python would read, token by token, those of :mod:`gdcli.language.constructs` make of that what is part of the language.
If the outcome can be read, the error shows it, with the caret where the first rule was needed. Nothing is taken for
what was not typed: it is a proposal. So it is with start values, constants and bounds. The rules cost nothing where
there is no error, and long texts are left as they are.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from gdcli.kernel.errors import Span, UsageError
from gdcli.language import syntax
from gdcli.language.constructs import TooLongError, rewritten
from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.listing import CALLS, SYMBOLS, WORDS
from gdcli.language.paper_notation import RULES, Change, Piece, Pieces, cut, depths_of, is_function
from gdcli.language.tokens import COMPARISONS

# Longer texts are written by programs.
MAX_TEXT, MAX_PIECES = 2000, 400
# A longer name is no product of letters.
MAX_WORD = 12

# What some write before an expression.
_BEFORE = frozenset(
    ("return", "min", "max", "minimize", "maximize", "minimise", "maximise", "argmin", "argmax")
)


def told(error: UsageError, what: str = "expression") -> UsageError:
    """Return an error about an ``expression``, a ``model``, a ``number`` or a ``constraint`` that proposes another.

    It is the same error where no proposal can be made. Its span has the whole text.
    """
    span = error.span
    if span is None or len(span.text) > MAX_TEXT:
        return error
    try:
        changes, sides, signs = _translated(span.text, what)
    except (RecursionError, MemoryError, TooLongError):
        return error
    corrected = "".join(side + sign for side, sign in zip(sides, [*signs, ""], strict=True))
    if not changes or not _are_readable(sides) or _has_joining_word(corrected):
        error.hint = _note(span) or error.hint
        return error
    first = min(changes, key=lambda change: change.start)
    corrected = " ".join(corrected.split())
    place = span._replace(start=first.start, end=max(first.end, first.start + 1))
    return UsageError(first.message, f"write {corrected}", place)


def _has_joining_word(corrected: str) -> bool:
    """Whether one of `WORDS` would become a factor: ``x**2 subject to x>0`` is no product."""
    return any(f"*{word}*" in corrected for word in WORDS)


def _note(span: Span) -> str:
    """What there is to say of the place at fault: of a character, a call, a reserved word, a word after an operand."""
    if symbol := SYMBOLS.get(span.text[span.start : span.start + 1]):
        return symbol
    for found in re.finditer(r"s\.t|\w+", span.text):
        if found.end() < span.start or found.start() > span.end:
            continue
        word, before = found.group(), span.text[: found.start()].rstrip()
        if span.text[found.end() :].lstrip().startswith("("):
            note = CALLS.get(word)
        else:
            note = WORDS.get(word) if keyword.iskeyword(word) or re.search(r"[\w)\]]$", before) else None
        if note is not None:
            return note
    return ""


def as_product(name: str, known: Collection[str], letters: int = 1) -> str:
    """Return ``x*y`` for the name xy where ``known`` has x and y, ``sin(x)`` for sinx; nothing for other names.

    A name is cut into known ones, constants, functions and at most so many ``letters`` more.
    """
    factors = _factors(name, frozenset(known)) if len(name) <= MAX_WORD else []
    plain = _plain(factors)
    more = plain - set(known) - set(CONSTANTS)
    return "*".join(factors) if len(more) <= letters and not plain.isdisjoint(known) else ""


def as_meant(name: str, known: Collection[str]) -> str:
    """Return what a name that nobody declared is meant for: a product of ``known`` ones, or a call; else nothing."""
    if len(name) > MAX_WORD:
        return ""
    factors = _factors(name, frozenset(known))
    called = len(factors) == 1 and len(_plain(factors)) == 1 and not _plain(factors) <= set(CONSTANTS)
    return factors[0] if called and "(" in factors[0] else as_product(name, known, 0)


def _plain(factors: Sequence[str]) -> set[str]:
    return set(re.findall(r"\w+", "*".join(factors))) - set(CALLABLE)


def _factors(name: str, known: frozenset[str]) -> list[str]:
    if name in known or name in CONSTANTS or (len(name) == 1 and name.isalpha()):
        return [name]
    for end in range(len(name) - 1, 0, -1):
        head, rest = name[:end], name[end:]
        if head in CALLABLE and (inside := _factors(rest, known)):
            return [f"{head}({'*'.join(inside)})"]
        if (head in known or head in CONSTANTS or end == 1) and (others := _factors(rest, known)):
            return [head, *others]
    return []


def _translated(text: str, what: str) -> tuple[list[Change], list[str], list[str]]:
    """Return what the rules found in a text, the sides that they make of it, and what stands between these."""
    changes: list[Change] = []
    pieces = cut(text)
    if len(pieces) > MAX_PIECES:
        return [], [text], []
    pieces = _frame(pieces, what, changes)
    between = COMPARISONS if what == "constraint" else ("~",)
    sides: list[Pieces] = [[]]
    signs: list[str] = []
    for piece, depth in zip(pieces, depths_of(pieces), strict=False):
        if piece.text in between and not depth:
            sides.append([])
            signs.append(f" {piece.text} ")
        else:
            sides[-1].append(piece)
    made = []
    for side in sides:
        for rule in RULES:
            side = rule(side, changes)
        made.append(rewritten(side, changes).strip())
    return changes, made, signs


def _are_readable(sides: Sequence[str]) -> bool:
    try:
        trees = [syntax.parse(side) for side in sides]
    except UsageError:
        return False
    known = set(CALLABLE)
    return all(name in known for tree in trees for name in _called(tree.root))


def _called(root: syntax.Node) -> list[str]:
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        stack.extend(node.args)
        if node.op == "call":
            found.append(str(node.value))
    return found


# -- what surrounds an expression ---------------------------------------------------------------------------------


def _frame(pieces: Pieces, what: str, changes: list[Change]) -> Pieces:
    """Take away what makes a statement of an expression: quotes, ``y =``, ``f(x) =``, ``return``, ``;``."""
    return _without_left(_without_head(_without_ends(pieces, changes), changes), what, changes)


def _without_ends(pieces: Pieces, changes: list[Change]) -> Pieces:
    """Take away what closes a statement, quotes, and ``=`` before it."""
    while pieces and pieces[-1].text in (";", "."):
        changes.append(Change(f"{pieces[-1].text} has no place after an expression", *pieces[-1][2:4]))
        pieces = pieces[:-1]
    if len(pieces) > 2 and pieces[0].text in "'\"`“”‘’" and pieces[-1].text in "'\"`“”‘’":
        changes.append(Change("the expression is in quotes twice", *pieces[0][2:4]))
        pieces = pieces[1:-1]
    if len(pieces) > 1 and pieces[0].text == "=":
        changes.append(Change("an expression stands alone, without =", *pieces[0][2:4]))
        pieces = [pieces[1]._replace(lead=""), *pieces[2:]]
    return pieces


def _without_head(pieces: Pieces, changes: list[Change]) -> Pieces:
    """Take away what makes a function of an expression: ``x =>``, ``def f(x): return``, ``minimize``."""
    arrow = _outside(pieces, ("=>", "->", "↦"))
    if arrow and all(p.kind == "name" or p.text in "(,)" for p in pieces[:arrow]):
        changes.append(
            Change("an expression stands alone, without its arguments", pieces[0].start, pieces[arrow].end)
        )
        pieces = pieces[arrow + 1 :]
    if pieces and pieces[0].text == "def":
        begin = next((i for i, piece in enumerate(pieces) if piece.text == "return"), 0)
        changes.append(Change("an expression stands alone, without def", pieces[0].start, pieces[begin].end))
        pieces = pieces[begin + 1 :]
    if len(pieces) > 1 and pieces[0].text in _BEFORE and pieces[1].text != "(":
        changes.append(Change(f"an expression is written without {pieces[0].text}", *pieces[0][2:4]))
        pieces = [pieces[1]._replace(lead=""), *pieces[2:]]
    return pieces


def _without_left(pieces: Pieces, what: str, changes: list[Change]) -> Pieces:
    """Take away the left side of an equation; of a model it stays, of an equation to be met too."""
    signs = {"expression": ("=", ":="), "model": ("=", ":=", "=="), "number": (), "constraint": ()}[what]
    at = _outside(pieces, signs)
    if not at or any(piece.text == "~" for piece in pieces):
        return pieces
    equals = pieces[at]
    if what == "model":
        changes.append(
            Change(f"a model has ~ between its sides, not {equals.text}", equals.start, equals.end)
        )
        left = pieces[:at] if not _is_head(pieces[:at]) else [Piece("name", "y", 0, 1)]
        return [*left, equals._replace(text="~"), *pieces[at + 1 :]]
    if (at == 1 or _is_head(pieces[:at])) and any(piece.kind == "name" for piece in pieces[at:]):
        name = "".join(piece.text for piece in pieces[:at])[:40]
        changes.append(
            Change(f"an expression stands alone, without {name} {equals.text}", pieces[0].start, equals.end)
        )
        return pieces[at + 1 :]
    return [*pieces[:at], equals._replace(text="=="), *pieces[at + 1 :]]


def _outside(pieces: Sequence[Piece], signs: Sequence[str]) -> int:
    """Return the place of the first of some signs outside brackets; 0 where there is none."""
    depths = depths_of(pieces)
    return next((i for i, piece in enumerate(pieces) if piece.text in signs and not depths[i]), 0)


def _is_head(pieces: Sequence[Piece]) -> bool:
    if len(pieces) < 4 or pieces[0].kind != "name" or is_function(pieces[0]):
        return False
    inside = [piece.text for piece in pieces[2:-1]]
    return pieces[1].text == "(" and pieces[-1].text == ")" and not {"(", ")"} & set(inside)


# -- start values, constants and bounds --------------------------------------------------------------------------------

# Each row of a table is a pattern and what stands in its place; the rows are applied one after the other, and the
# outcome is proposed only where it can be read.
Rules = Sequence[tuple[str, str]]

# Longer texts are written by programs.
MAX_VALUE = 500
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"

VALUES: Rules = (
    (r"[\"'`“”‘’]", ""),
    (r"^\s*(?:dict)?\s*\{(.*)\}\s*$", r"\1"),
    (r"^\s*dict\s*\((.*)\)\s*$", r"\1"),
    (r"\b(?:np|numpy)\.", ""),
    (r"\b(?:array|list|tuple|vector)\s*\(\s*([\[(].*?[\])])\s*\)", r"\1"),
    (r"\brandn?\(", "random("),
    (r"\[\s*([^\[\],]+?)\s*\]\s*\*\s*(\w+)", r"full(\2,\1)"),
    (r"^\s*\(([^()]*,[^()]*)\)\s*$", r"\1"),
    (r"=\s*[({]([^(){}]*,[^(){}]*?),?\s*[)}]", r"=[\1]"),
    (r"(\w)\s*(?::=|==|:|->|=>|→|≔)\s*", r"\1="),
    (r"=\s*[({]([^(){}]*,[^(){}]*?),?\s*[)}]", r"=[\1]"),
    (r"(^|[,;\s])([^\W\d]\w*)\s+(?=[-+.\d\[])", r"\1\2="),
    (r"\s*[;&]\s*|\s+and\s+", ","),
    (r"(?<=[\w.\])])\s+(?=[^\W\d]\w*\s*=)", ","),
    (r"(?<=[\d.])\s+(?=[-+.\d])", ","),
    (r",\s*$", ""),
)
BOUNDS: Rules = (
    (r"[\"'`“”‘’{}]", ""),
    (r"≤", "<="),
    (r"≥", ">="),
    (r"=([<>])", r"\1="),
    (r"\bNone\b", ""),
    (r"\s*(?:∈|\b(?:in|from|between)\b)\s*", "="),
    (r"(\w\]?)\s*>=?\s*([^<>=,;]+?)\s*(?:,|;|&+|\band\b)\s*\1\s*<=?\s*([^<>=,;]+)", r"\1=\2:\3"),
    (r"\s+and\s+(?=[^=:<>]*$)", ":"),
    (r"(\w)\s*:\s*(?=[\[(])", r"\1="),
    (r"(\w\]?)\s*=\s*[\[(]([^,\[\]()]*)[,;:]([^,\[\]()]*)[\])]", r"\1=\2:\3"),
    (r"(?<![<>\w])([^<>=,;]+?)\s*<=?\s*(\w+(?:\[-?\d+\])?)\s*<=?\s*([^<>=,;]+)", r"\2=\1:\3"),
    (r"(?<![<>\w])([^<>=,;]+?)\s*>=?\s*(\w+(?:\[-?\d+\])?)\s*>=?\s*([^<>=,;]+)", r"\2=\3:\1"),
    (rf"({NUMBER})\s*<=?\s*([^\W\d]\w*(?:\[-?\d+\])?)", r"\2=\1:"),
    (rf"({NUMBER})\s*>=?\s*([^\W\d]\w*(?:\[-?\d+\])?)", r"\2=:\1"),
    (r"(\w\]?)\s*>=?\s*([^<>=,;]+)", r"\1=\2:"),
    (r"(\w\]?)\s*<=?\s*([^<>=,;]+)", r"\1=:\2"),
    (r"\s*(?:\.\.+|…|\bto\b)\s*", ":"),
    (rf"=\s*({NUMBER})\s*[-–—−]\s*({NUMBER}|inf)(?=\s*(?:[,;]|$))", r"=\1:\2"),
    (rf"^\s*([^\W\d]\w*)\s*:\s*({NUMBER})\s*[,;]\s*({NUMBER})\s*$", r"\1=\2:\3"),
    (r"(^|[,;])\s*([^\W\d]\w*)\s*[:\s]\s*(?=[^=]*:)", r"\1\2="),
    (r"(\w)\s+(?=\w+=)", r"\1,"),
    (rf"=\s*({NUMBER})\s*[,;\s]\s*({NUMBER})(?=\s*(?:[,;]\s*[^\W\d]|$))", r"=\1:\2"),
    (rf"^\s*([^\W\d]\w*)[\s,]+({NUMBER})[\s,]+({NUMBER})\s*$", r"\1=\2:\3"),
    (r"\s*;\s*", ","),
    (r",\s*$", ""),
)


def proposed(
    error: UsageError, text: str, option: str, rules: Rules, read: Callable[[str], Any]
) -> UsageError:
    """Return the error with what ``text``, the value of ``option``, was meant to be as its hint, where that is known.

    ``read`` raises UsageError for a text that cannot be read.
    """
    if len(text) > MAX_VALUE:
        return error
    meant = text
    for pattern, instead in rules:
        meant = re.sub(pattern, instead, meant)
    meant = re.sub(r"\s*([=:,])\s*", r"\1", meant).strip()
    try:
        if meant != text:
            read(meant)
            error.hint = f"write {option} {quoted(meant)}"
    except UsageError:
        pass
    return error


def decimal(text: str, option: str) -> str:
    """Return the hint for values of which some have no name, such as ``x=1,5``."""
    meant = re.sub(r"=\s*([-+]?\d+),(\d+)(?=\s*,\s*[^\W\d]|\s*$)", r"=\1.\2", text)
    if meant == text or len(text) > MAX_VALUE:
        return f"for example {option} x=1,y=2"
    vector = re.sub(r"=\s*([-+]?\d+,\d+)(?=\s*,\s*[^\W\d]|\s*$)", r"=[\1]", text)
    return f"write {option} {quoted(meant)} for a decimal point, {quoted(vector)} for a vector"


def quoted(text: str) -> str:
    """Return a word as a shell takes it whole."""
    return text if re.fullmatch(r"[-\w=:.,+/@%]+", text) else f"'{text}'"
