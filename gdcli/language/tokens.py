"""From text to checked tokens: the first half of reading an expression.

Limits are counted here, before any parser sees hostile input, and the commonest mistakes (a forgotten ``*``, an
unclosed parenthesis, a foreign character) get their message here. What passes is an expression that Python's parser
reads without deep recursion.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.functions import LETTERS

MAX_TEXT = 1_000_000
MAX_TOKENS = 20_000
MAX_NESTING = 100
MAX_CHAIN = 2000
MAX_DEPTH = 2900  # of Python's tree of one chain, terms and the factors of a term together
MAX_DIGITS = 400

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
    |(?P<op>\.T(?!\w)|\*\*|<=|>=|==|!=|//|[-+*/^@<>()\[\],:])
    |(?P<raised>[⁺⁻]?[{RAISED}]+)
    |(?P<like>[{"".join(LOOKALIKES)}])
    |(?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)
COMMENT = re.compile(r"#[^\n]*")
# What ends an operand: brackets, and the sign of a transposed matrix.
_CLOSING = (")", "]", ".T")
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
        hint = "functions have no prefix: sin(x), not np.sin(x)"
        raise UsageError("a dot has no place here: attributes are not part of the language", hint, span)
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    raise UsageError(f"the character {shown} has no place in an expression", hint, span)


def has_comparison(text: str) -> bool:
    """Tell whether a comparison stands outside of all brackets, as in constraints alone."""
    try:
        return bool(comparisons(tokenize(text)))
    except UsageError:
        return False


def without_comments(text: str) -> str:
    """Return the text with its comments blanked out, so that its places stay what they are."""
    return COMMENT.sub(lambda found: " " * len(found.group()), text)


def comparisons(tokens: Sequence[Token]) -> list[Token]:
    """Return the comparisons that stand outside of all brackets, as those between the sides of a constraint do."""
    found, depth = [], 0
    for token in tokens:
        if token.kind != "op":
            continue
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif not depth and token.text in COMPARISONS:
            found.append(token)
    return found


def check_tokens(tokens: list[Token], text: str, source: str = "") -> None:
    """Check what the tokens alone can tell: limits, brackets, operators and operands in turn.

    Raises UsageError. What passes is an expression that Python's parser reads without deep recursion.
    """
    if not tokens:
        span = Span(text, 0, len(text), source) if text.strip() else None
        raise UsageError("the expression is empty", "write one, for example (x-3)**2", span)
    _TokenCheck(text, source).run(tokens)


def _is_whole_axis(token: Token, before: Token | None) -> bool:
    """Tell whether nothing has to stand between two tokens in a slice, as in ``A[:,0]``."""
    return before is not None and (token.text == ":" or token.text + before.text == ",:")


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
        if before.kind == "op" and before.text not in _CLOSING:
            self.fail(before, f"something is missing after {before.text}")

    def one(self, token: Token, before: Token | None) -> None:
        operand_before = before is not None and (before.kind != "op" or before.text in _CLOSING)
        if token.kind != "op":
            if operand_before and before is not None:
                self.missing_operator(token, before)
            self.check_word(token)
        elif token.text in "([":
            self.opening(token, before, operand_before)
        elif token.text in ")]":
            self.closing(token, before)
        elif token.text == ".T" and operand_before:
            return
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
        left = "(...)" if before.text in _CLOSING else before.text
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
        if before is not None and before.kind == "op" and before.text not in (*_CLOSING, ":") and not is_call:
            self.fail(token, f"something is missing before {token.text}")

    def operator(self, token: Token, before: Token | None, operand_before: bool) -> None:
        if token.text == "//":
            self.fail(token, "// has no place in an expression", "write floor(a/b)")
        if not operand_before and token.text in "+-":
            self.inside[-1] += 1
            self.deeper(token)
            return
        in_slice = bool(self.open) and self.open[-1].text == "["
        self.check_place(token, before, operand_before, in_slice)
        if token.text in ("**", "^"):
            self.inside[-1] += 1
            self.deeper(token)
        else:
            self.depth -= self.inside[-1]
            self.inside[-1] = 0
        self.count(token)

    def check_place(self, token: Token, before: Token | None, operand_before: bool, in_slice: bool) -> None:
        """Raise UsageError for an operator with nothing before it, and for a comma or colon outside of brackets."""
        if not operand_before and not (in_slice and _is_whole_axis(token, before)):
            at_begin = before is None or before.text in "([,"
            between = "" if before is None else f"between {before.text} and {token.text}"
            self.fail(token, f"something is missing {f'before {token.text}' if at_begin else between}")
        if token.text == "," and not self.open:
            hint = "numbers have a decimal point: 0.5; bounds and constraints are options: --bounds x=0:5"
            self.fail(token, "a comma outside brackets", hint)
        if token.text == ":" and not in_slice:
            hint = "equally spaced numbers are linspace(1,5,9); bounds are an option: --bounds x=0:5"
            self.fail(token, "a colon belongs into a slice such as v[1:]", hint)

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
