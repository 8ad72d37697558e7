"""A text in pieces, read leniently: operands and brackets found without knowing whether the whole can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import tokens
from gdcli.language.function_synonyms import FUNCTIONS
from gdcli.language.functions import CALLABLE

_PIECE = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹](?:[^\W⁰¹²³⁴⁵⁶⁷⁸⁹])*)
    |(?P<op>\*\*|<=|>=|==|!=|//|:=|\.[*/^]|&&|<>|=>|->|=<|\\[a-zA-Z]+|.)""",
    re.VERBOSE | re.DOTALL,
)
# What stands between operands and is none.
_WORDS = frozenset(("if", "else", "and", "or", "not", "for", "in", "lambda", "is"))
_UPRIGHT = set(CALLABLE) | set(FUNCTIONS)


class Piece(NamedTuple):
    """A token, with the spaces before it and the place in the text as typed that it stands for."""

    kind: str
    text: str
    start: int
    end: int
    lead: str = ""


class Change(NamedTuple):
    """What a rule found: what is wrong, and where."""

    message: str
    start: int
    end: int


Pieces = list[Piece]


def cut(text: str) -> Pieces:
    """Return the pieces of a text, whatever it is; of spaces and comments one space before what follows."""
    found: Pieces = []
    lead = ""
    for match in _PIECE.finditer(text):
        if match.lastgroup == "space":
            lead = " "
            continue
        kind, start, end = match.lastgroup or "op", *match.span()
        if kind == "name":
            kind = "word" if match.group() in _WORDS else "name"
        found.append(Piece(kind, tokens.LOOKALIKES.get(match.group(), match.group()), start, end, lead))
        lead = ""
    return found


def joined(*parts: str | Sequence[Piece]) -> Pieces:
    found: Pieces = []
    first = next((part[0].start for part in parts if part and not isinstance(part, str)), 0)
    for part in parts:
        if isinstance(part, str):
            place = found[-1].end if found else first
            found += [piece._replace(start=place, end=place) for piece in cut(part)]
        else:
            found += part
    return found


def depths_of(pieces: Sequence[Piece]) -> list[int]:
    """Return in how many brackets each piece stands, and at the end how many are open."""
    depths = [0]
    for piece in pieces:
        depths.append(depths[-1] + (piece.text in ("(", "[")) - (piece.text in (")", "]")))
    return depths


def close(pieces: Sequence[Piece], at: int) -> int:
    """Return the place after the bracket that closes the one at ``at``; the end where there is none."""
    depth = 0
    for i in range(at, len(pieces)):
        depth += (pieces[i].text in ("(", "[")) - (pieces[i].text in (")", "]"))
        if depth == 0:
            return i + 1
    return len(pieces)


def opening(pieces: Sequence[Piece], at: int) -> int:
    """Return the place of the bracket that the one at ``at`` closes."""
    depth = 0
    for i in range(at, -1, -1):
        depth += (pieces[i].text in (")", "]")) - (pieces[i].text in ("(", "["))
        if depth == 0:
            return i
    return 0


def is_function(piece: Piece) -> bool:
    return piece.kind == "name" and (piece.text in _UPRIGHT or piece.text.lower() in _UPRIGHT)


def ends(pieces: Sequence[Piece], at: int) -> bool:
    piece = pieces[at]
    called = piece.kind == "name" and not (at and pieces[at - 1].text == ".") and is_function(piece)
    return (piece.kind in ("number", "name") and not called) or piece.text in (")", "]", "!", *tokens.RAISED)


def begins(piece: Piece) -> bool:
    return piece.kind in ("number", "name") or piece.text == "("


def operand(pieces: Sequence[Piece], at: int) -> int:
    """Return where the operand that begins at ``at`` ends: a number, a name, a call, a bracket, with its power."""
    if at >= len(pieces):
        return at
    end = at + 1
    if pieces[at].text == "(":
        end = close(pieces, at)
    elif (
        pieces[at].kind == "number"
        and end < len(pieces)
        and pieces[end].kind == "name"
        and not pieces[end].lead
    ):
        return operand(pieces, end)
    elif pieces[at].kind == "name":
        while end < len(pieces) and pieces[end].text in ("(", "[", "."):
            end = end + 2 if pieces[end].text == "." else close(pieces, end)
    elif not begins(pieces[at]):
        return at
    return power(pieces, min(end, len(pieces)))


def power(pieces: Sequence[Piece], at: int) -> int:
    if at < len(pieces) and pieces[at].text in ("^", "**"):
        at += 1
        while at < len(pieces) and pieces[at].text in ("-", "+"):
            at += 1
        return operand(pieces, at)
    while at < len(pieces) and pieces[at].text.translate(tokens.SUPERSCRIPTS) != pieces[at].text:
        at += 1
    return at


def start_of_operand(pieces: Sequence[Piece], end: int) -> int:
    """Return where the operand that ends before ``end`` begins."""
    at = end - 1
    if pieces[at].text in (")", "]"):
        at = opening(pieces, at)
        if at and pieces[at - 1].kind == "name":
            at -= 1
    return at


# -- brackets of texts -------------------------------------------------------------------------------------------------

_ATOM = re.compile(r"[\w.]+|\w*\([^()]*\)|\w+\[[^\[\]]*\]")


def tidy(text: str, first: Piece) -> str:
    """A text without brackets in brackets, and without those around all of it that nobody typed."""
    at = text.find("((")
    while at >= 0:
        outer, inner = _closing(text, at), _closing(text, at + 1)
        if inner == outer - 1:
            text = text[:at] + text[at + 1 : inner] + text[outer:]
        at = text.find("((", at + (inner != outer - 1))
    typed = first.text == "(" and first.end > first.start
    return text[1:-1] if not typed and text.startswith("(") and _is_whole(text) else text


def _closing(text: str, at: int) -> int:
    """Return the place of the bracket that closes the one at ``at``; the end where there is none."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    return len(text)


def _is_whole(text: str) -> bool:
    """Whether the bracket that a text begins with is closed at its end."""
    return _closing(text, 0) == len(text) - 1


def in_brackets(text: str) -> str:
    return text if _ATOM.fullmatch(text) or (text.startswith("(") and _is_whole(text)) else f"({text})"
