"""Mathematics as it is written on paper, and what other languages add to it: rules from pieces to pieces.

What each makes is what Python would read; see :mod:`gdcli.language.notation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import tokens
from gdcli.language.functions import CALLABLE, CONSTANTS, LETTERS
from gdcli.language.listing import CHARACTERS, FOREIGN_OPERATORS, INVERSES, LATEX, OPERATOR_WORDS, SYNONYMS
from gdcli.language.tokens import SUPERSCRIPTS, normal, raised_letter

_PIECE = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹](?:[^\W⁰¹²³⁴⁵⁶⁷⁸⁹])*)
    |(?P<op>\*\*|<=|>=|==|!=|//|:=|\.[*/^]|&&|<>|=>|->|=<|\\[a-zA-Z]+|.)""",
    re.VERBOSE | re.DOTALL,
)
# What stands between operands and is none.
_WORDS = frozenset(("if", "else", "and", "or", "not", "for", "in", "lambda", "is"))
_UPRIGHT = set(CALLABLE) | set(SYNONYMS)


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


Rule = Callable[[Pieces, list[Change]], Pieces]


def _characters(pieces: Pieces, changes: list[Change]) -> Pieces:
    """Characters and operators that are written otherwise."""
    found: Pieces = []
    for piece in pieces:
        if piece.text.startswith("\\") or piece.text == "$":
            changes.append(Change("LaTeX is not read", piece.start, piece.end))
            new = LATEX.get(piece.text, piece.text[1:])
            found += [p._replace(start=piece.start, end=piece.end, lead=piece.lead) for p in cut(new)]
            continue
        if piece.kind == "name" and piece.text[0] in LETTERS and len(piece.text) > 1:  # the factors of πx
            letter, rest = LETTERS[piece.text[0]], piece.text[1:]
            changes.append(Change("an operator is missing", piece.start, piece.end))
            found.append(piece._replace(text=letter, end=piece.start + 1))
            found += [p._replace(start=piece.start + 1, end=piece.end) for p in cut(rest)]
            continue
        letters = "".join(CHARACTERS.get(c, c) for c in piece.text)
        letters = raised_letter(letters) or letters
        new = FOREIGN_OPERATORS.get(letters, letters)
        if new != piece.text:
            changes.append(Change(f"{piece.text} is written {new} here", piece.start, piece.end))
            found += [p._replace(start=piece.start, end=piece.end, lead=piece.lead) for p in cut(new)]
            if len(found) > 1 and found[-2].kind == "name" and found[-1].kind == "number" and not piece.lead:
                found[-2:] = [found[-2]._replace(text=found[-2].text + found[-1].text, end=piece.end)]
        else:
            found.append(piece)
    return found


def _operator_words(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``x mod 2``, between two operands alone: mod(x, 2) is a call."""
    found = list(pieces)
    for i in range(1, len(pieces) - 1):
        word = pieces[i]
        operator = OPERATOR_WORDS.get(word.text)
        if operator and word.lead and ends(pieces, i - 1) and begins(pieces[i + 1]):
            changes.append(Change(f"{word.text} is written {operator} here", word.start, word.end))
            found[i] = word._replace(kind="op", text=operator)
    return found


def _raised(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``2ˣ`` and ``e⁻ˣ``; ``eˣ`` is cut as one name, and is left to the rule of characters."""
    for i in range(1, len(pieces)):
        signed = pieces[i].text == "⁻" and i + 1 < len(pieces)
        letter = pieces[i + signed]
        if not ends(pieces, i - 1) or letter.kind != "name" or not raised_letter(f"x{letter.text}"):
            continue
        changes.append(Change("a letter above the line stands here", pieces[i].start, letter.end))
        shown = joined("**-" if signed else "**", normal(letter.text))
        return _raised([*pieces[:i], *shown, *pieces[i + 1 + signed :]], changes)
    return pieces


def _brackets(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``Sin[x]``, and ``x_{2}`` whose braces are brackets by now."""
    for i in range(len(pieces) - 1):
        piece, after = pieces[i], pieces[i + 1]
        stop = close(pieces, i + 1)
        if is_function(piece) and after.text == "[" and pieces[stop - 1].text == "]":
            changes.append(Change("arguments stand in round brackets", after.start, pieces[stop - 1].end))
            inside = [
                after._replace(text="("),
                *pieces[i + 2 : stop - 1],
                pieces[stop - 1]._replace(text=")"),
            ]
            pieces = [*pieces[: i + 1], *inside, *pieces[stop:]]
        elif piece.kind == "name" and piece.text.endswith("_") and after.text == "(" and stop == i + 4:
            name = piece._replace(text=piece.text + pieces[i + 2].text, end=pieces[stop - 1].end)
            return _brackets([*pieces[:i], name, *pieces[stop:]], changes)
    return pieces


def _fractions(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``\\frac{a}{b}``, whose braces are brackets by now."""
    for i, piece in enumerate(pieces):
        middle = close(pieces, i + 1) if piece.text == "frac" and i + 1 < len(pieces) else 0
        if middle and middle < len(pieces) and pieces[middle].text == "(":
            stop = close(pieces, middle)
            whole = joined("(", pieces[i + 1 : middle], "/", pieces[middle:stop], ")")
            return _fractions([*pieces[:i], *whole, *pieces[stop:]], changes)
    return pieces


def _choices(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``c ? a : b``, as Python has it."""
    at = next((i for i in range(len(pieces) - 1, -1, -1) if pieces[i].text == "?"), None)
    if at is None:
        return pieces
    depths = depths_of(pieces)
    depth, start, stop = depths[at], at, len(pieces)
    while start and not (pieces[start - 1].text in ("(", ",", "?", ":") and depths[start] == depth):
        start -= 1
    colon = next((i for i in range(at, stop) if pieces[i].text == ":" and depths[i] == depth), stop)
    if colon == stop:
        return pieces
    stop = next((i for i in range(colon, stop) if depths[i + 1] < depth), stop)
    parts = pieces[at + 1 : colon], pieces[start:at], pieces[colon + 1 : stop]
    chosen = joined("(", parts[0], " if ", parts[1], " else ", parts[2], ")")
    return _choices([*pieces[:start], *chosen, *pieces[stop:]], changes)


def _bars(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``|x|`` and ``||v||``."""
    bars = [i for i, piece in enumerate(pieces) if piece.text == "|"]
    if not bars:
        return pieces
    norm = len(bars) == 4 and bars[1] == bars[0] + 1 and bars[3] == bars[2] + 1
    name = "norm" if norm else "abs"
    found: Pieces = []
    opened: list[Piece] = []
    for i, piece in enumerate(pieces):
        if norm and i in (bars[1], bars[3]):
            continue
        if piece.text != "|":
            found.append(piece)
        elif opened and found and ends(found, len(found) - 1):
            end = pieces[bars[3]].end if norm else piece.end
            changes.append(Change(f"bars are written {name}(...)", opened.pop().start, end))
            found.append(piece._replace(text=")"))
        else:
            opened.append(piece)
            found += [piece._replace(kind="name", text=name), piece._replace(text="(", lead="")]
    return found


def _powers_of_functions(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``sin^2(x)``, ``sin²x``, ``tan^-1(x)``."""
    for i, piece in enumerate(pieces):
        if not is_function(piece) or i + 1 >= len(pieces):
            continue
        end = power(pieces, i + 1)
        if end == i + 1 or end >= len(pieces) or not begins(pieces[end]):
            continue
        exponent = pieces[i + 1 : end]
        stop = operand(pieces, end)
        argument = _bare(pieces[end:stop])
        shown = "".join(p.text for p in exponent).translate(SUPERSCRIPTS).lstrip("^*").strip("()")
        changes.append(Change("a power stands after the call, not before it", piece.start, exponent[-1].end))
        inverse = INVERSES.get(piece.text) if shown == "-1" else None
        called = joined([piece if inverse is None else piece._replace(text=inverse)], "(", argument, ")")
        if inverse is None:
            called += joined("**", shown)
        return _powers_of_functions([*pieces[:i], *called, *pieces[stop:]], changes)
    return pieces


def _bare(pieces: Pieces) -> Pieces:
    whole = len(pieces) > 1 and pieces[0].text == "(" and close(pieces, 0) == len(pieces)
    return pieces[1:-1] if whole else [pieces[0]._replace(lead=""), *pieces[1:]]


def _calls(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``sin x``, ``sqrt 2x``; the innermost first, so that ``sin cos x`` is ``sin(cos(x))``."""
    for i in range(len(pieces) - 2, -1, -1):
        piece, after = pieces[i], pieces[i + 1]
        signed = after.text == "-" and after.lead and i + 2 < len(pieces) and not pieces[i + 2].lead
        if not is_function(piece) or not (signed or begins(after)) or after.text == "(":
            continue
        stop = operand(pieces, i + 1 + bool(signed))
        changes.append(Change(f"{piece.text} needs brackets", piece.start, pieces[stop - 1].end))
        called = joined([piece], "(", _bare(pieces[i + 1 : stop]), ")")
        pieces = [*pieces[:i], *called, *pieces[stop:]]
    return pieces


def _factorials(pieces: Pieces, changes: list[Change]) -> Pieces:
    for i, piece in enumerate(pieces):
        if piece.text == "!" and i and ends(pieces, i - 1):
            start = start_of_operand(pieces, i)
            changes.append(Change("the factorial of n is gamma(n+1)", pieces[start].start, piece.end))
            lead = pieces[start].lead
            called = joined("gamma(", _bare(pieces[start:i]), "+1)")
            called[0] = called[0]._replace(lead=lead)
            return _factorials([*pieces[:start], *called, *pieces[i + 1 :]], changes)
    return pieces


def _decimal_commas(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``1,5*x``, where a comma parts no arguments."""
    stack: list[bool] = []
    for i, piece in enumerate(pieces):
        if piece.text in ("(", "["):
            stack.append(i > 0 and pieces[i - 1].kind == "name" and pieces[i - 1].text not in _ONE_ARGUMENT)
        elif piece.text in (")", "]"):
            stack = stack[:-1]
        elif piece.text == "," and not any(stack[-1:]) and _is_decimal(pieces[max(0, i - 1) : i + 2]):
            before, after = pieces[i - 1], pieces[i + 1]
            thousands = (
                f", and no comma between thousands: {before.text}{after.text}" if len(after.text) == 3 else ""
            )
            changes.append(Change(f"numbers have a decimal point{thousands}", before.start, after.end))
            number = Piece("number", f"{before.text}.{after.text}", before.start, after.end, before.lead)
            return _decimal_commas([*pieces[: i - 1], number, *pieces[i + 2 :]], changes)
    return pieces


def _is_decimal(three: Pieces) -> bool:
    """Whether a number, a comma and a number stand together without a space."""
    if [piece.kind for piece in three] != ["number", "op", "number"]:
        return False
    return three[0].text.isdecimal() and not three[1].lead and not three[2].lead


# Functions whose call has no comma, so that one in it is a decimal comma.
_ONE_ARGUMENT = frozenset(CALLABLE) - {"atan2", "hypot", "max", "min", "where", "dot"}


def _products(pieces: Pieces, changes: list[Change]) -> Pieces:
    """``2x``, ``2(x+1)``, ``x y``, ``(x)(y)``."""
    names = [i for i, piece in enumerate(pieces) if piece.kind == "name"]
    plain = {pieces[i].text for i in names if [p.text for p in pieces[i + 1 : i + 2]] != ["("]} | set(
        CONSTANTS
    )
    found: Pieces = []
    for i, piece in enumerate(pieces):
        if i and begins(piece) and ends(pieces, i - 1):
            before = pieces[i - 1]
            if before.kind == piece.kind == "number":
                if re.fullmatch(r"\d{3}(\.\d*)?", piece.text) and before.text.isdecimal():
                    changes.append(Change("a number has no spaces", before.start, piece.end))
                    found[-1] = found[-1]._replace(text=found[-1].text + piece.text, end=piece.end)
                    continue
            elif not _is_called(before, piece, plain):
                changes.append(Change("an operator is missing", before.start, piece.end))
                found.append(Piece("op", "*", piece.start, piece.start))
                piece = piece._replace(lead="")
                divided = len(found) > 2 and found[-3].text == "/"
                if divided and not pieces[i].lead:  # 1/2x: 2x is meant as one
                    stop = operand(pieces, i)
                    factor = joined("(", found[-2:], [piece], pieces[i + 1 : stop], ")")
                    return _products([*found[:-2], *factor, *pieces[stop:]], changes)
        found.append(piece)
    return found


def _is_called(before: Piece, piece: Piece, plain: Collection[str]) -> bool:
    """Whether a bracket after a name may be a call: not of a ``plain`` name, nor of one letter but f, g and h."""
    if before.kind != "name" or piece.text != "(" or before.text in plain:
        return False
    return len(before.text) > 1 or before.text.lower() in "fgh"


RULES: tuple[Rule, ...] = (
    _raised,
    _operator_words,
    _characters,
    _brackets,
    _fractions,
    _choices,
    _bars,
    _powers_of_functions,
    _calls,
    _factorials,
    _decimal_commas,
    _products,
)
