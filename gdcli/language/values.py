"""Values as typed after ``--start`` and ``--set``: numbers, lists, generators of long vectors, files.

x=1,y=pi/2      v=[10,20,4,5]      v=zeros(1000)  ones(n)  full(n,a)  linspace(a,b,n)  random(n)
A=[[1,2],[3,4]] (a matrix: rows of one length)      C=@cov.csv   mu=@mu.json   (a number, a vector or a matrix)
3,4             (numbers alone: in order of first appearance)
@result.json    ({name: value}, or any result of gd; @- reads it from standard input)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NoReturn

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.kernel.vectors import np
from gdcli.language import syntax
from gdcli.language.functions import CONSTANTS
from gdcli.language.syntax import Tree, postorder
from gdcli.language.tokens import normal

MAX_LENGTH = 100_000_000
GENERATORS = {
    "zeros": ("n",),
    "ones": ("n",),
    "full": ("n", "value"),
    "linspace": ("from", "to", "n"),
    "random": ("n",),
}
# Longer vectors are numpy arrays from the beginning.
LIST_SIZE = 1000
_PIECE = 1 << 16  # random numbers drawn between two looks at the budget

Value = Any  # float, list[float] or a numpy array


class TypedValue(NamedTuple):
    """One value as typed: its name ("" for a value alone), the value, its place in the text."""

    name: str
    value: Value
    span: Span


def read_values(texts: Sequence[str], option: str, seed: int = 0) -> list[TypedValue]:
    """Return the entries of one or several option values, in order.

    Raises UsageError, with the place in the text, for whatever is not a finite number, a list or a generator,
    and for a name given twice.
    """
    entries: list[TypedValue] = []
    names: set[str] = set()
    draws = normals(seed)  # one stream for all: vectors drawn in one command differ
    for text in texts:
        for entry in _from_file(text[1:], option) if text.startswith("@") else _typed(text, option, draws):
            if entry.name and entry.name in names:
                raise UsageError(f"{option} gives {entry.name} twice", "leave one of them out", entry.span)
            names.add(entry.name)
            entries.append(entry)
    return entries


def _from_file(path: str, option: str) -> list[TypedValue]:
    from gdcli.language.value_file import read_point

    return [TypedValue(normal(name), value, span) for name, value, span in read_point(path, option)]


def _typed(text: str, option: str, draws: Iterator[float]) -> list[TypedValue]:
    """The entries of a text; an error proposes what was meant, where that is known."""
    try:
        found = list(_read_text(text, option, draws))
    except UsageError as error:
        from gdcli.language.notation import VALUES, proposed  # only an error needs it

        read = partial(_read_text, option=option, draws=normals(0))
        raise proposed(error, text, option, VALUES, lambda meant: list(read(meant))) from None
    nameless = next((entry for entry in found if not entry.name), None)
    if nameless is not None and any(entry.name for entry in found):
        from gdcli.language.notation import decimal

        message = f"some values of {option} have names and this one has none"
        raise UsageError(message, decimal(text, option), nameless.span)
    return found


def _read_text(text: str, option: str, draws: Iterator[float]) -> Iterator[TypedValue]:
    if not text.strip():
        raise UsageError(f"{option} is empty", f"for example {option} x=1,y=2")
    for start, end in split(text, option):
        yield _Reader(text, option, draws).entry(start, end)


def split(text: str, option: str, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the places of the pieces between commas outside all brackets."""
    depth, start, stop = 0, begin, len(text) if end is None else end
    for i in range(begin, stop):
        char = text[i]
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                raise UsageError(f"this {char} closes nothing", "leave it out", Span(text, i, i + 1, option))
        elif char == "," and depth == 0:
            yield start, i
            start = i + 1
    if depth > 0:
        raise UsageError("a bracket is never closed", "close it: v=[1,2,3]", Span(text, begin, stop, option))
    yield start, stop


class ConstantReader:
    """Reads constant expressions that are pieces of the text of an option."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.option = option

    def fail(self, start: int, end: int, message: str, hint: str = "") -> NoReturn:
        raise UsageError(message, hint, Span(self.text, start, end, self.option))

    def number(self, start: int, end: int) -> float:
        """Return the finite number that a piece of the text is. Raises UsageError."""
        piece = self.text[start:end]
        try:
            value = float(piece)  # the usual case, and fast for long lists
            if "_" in piece:
                raise ValueError
        except ValueError:
            value = self.constant(start, end)
        if not math.isfinite(value):
            self.fail(start, end, f"{piece.strip()[:40]} is not a finite number")
        return value

    def constant(self, start: int, end: int) -> float:
        piece = self.text[start:end]
        if not piece.strip():
            self.fail(start, max(end, start + 1), "a number is missing here")
        from gdcli.language import interpreter  # most numbers need none

        try:
            tree = syntax.parse(piece)
            _check_constant(tree)
            return interpreter.value(tree, {})
        except UsageError as error:
            from gdcli.language.notation import told  # only an error needs it

            error = told(error, "number")
            span = error.span or Span(piece, 0, len(piece))
            message = f"{piece.strip()[:40]} is not a number: {error.message}"
            self.fail(start + span.start, start + span.end, message, error.hint)


class _Reader(ConstantReader):
    def __init__(self, text: str, option: str, draws: Iterator[float]) -> None:
        super().__init__(text, option)
        self.draws = draws

    def entry(self, start: int, end: int) -> TypedValue:
        piece = self.text[start:end]
        equals = piece.find("=")
        name = ""
        value_start = start
        if equals >= 0:
            name = self.name(start, start + equals)
            value_start = start + equals + 1
        if not self.text[value_start:end].strip():
            self.fail(
                start, max(end, start + 1), "a value is missing here", "for example x=1,y=2 or v=[1,2,3]"
            )
        alone = piece.strip()
        if not name and alone.isidentifier() and normal(alone) not in CONSTANTS:
            self.fail(start, end, f"{alone} has no value", f"for example {alone}=1")
        return TypedValue(name, self.value(value_start, end), Span(self.text, start, end, self.option))

    def name(self, start: int, end: int) -> str:
        name = self.text[start:end].strip()
        if not name.isidentifier() or name.startswith("_"):
            self.fail(
                start, max(end, start + 1), f"{name[:40] or 'nothing'} is not a name", "for example x=1,y=2"
            )
        return normal(name)

    def value(self, start: int, end: int) -> Value:
        while start < end and self.text[start].isspace():
            start += 1
        while end > start and self.text[end - 1].isspace():
            end -= 1
        if self.text[start] == "[":
            return self.listing(start, end)
        if self.text[start] == "@":
            from gdcli.language.value_file import read_value

            return read_value(
                self.text[start + 1 : end], self.option, Span(self.text, start, end, self.option)
            )
        call = self.text[start:end].partition("(")
        if call[1] and call[0].strip() in GENERATORS and self.text[end - 1] == ")":
            return self.generate(call[0].strip(), start, end)
        return self.number(start, end)

    def listing(self, start: int, end: int) -> Value:
        if self.text[end - 1] != "]":
            self.fail(start, end, "this list is not closed by ]", "for example v=[1,2,3]")
        if not self.text[start + 1 : end - 1].strip():
            self.fail(start, end, "this list is empty", "for example v=[1,2,3]")
        pieces = list(split(self.text, self.option, start + 1, end - 1))
        if not self.text[pieces[0][0] : pieces[0][1]].lstrip().startswith("["):
            return [self.number(a, b) for a, b in pieces]
        rows = [self.row(a, b) for a, b in pieces]
        for row, (a, b) in zip(rows, pieces, strict=True):
            if len(row) != len(rows[0]):
                what = f"this row has {len(row)} numbers, and the first has {len(rows[0])}"
                self.fail(a, b, what, "the rows of a matrix have one length")
        from gdcli.language.value_file import compact

        return compact(rows)

    def row(self, start: int, end: int) -> list[float]:
        piece = self.text[start:end]
        start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
        if end - start < 2 or self.text[start] != "[" or self.text[end - 1] != "]":
            self.fail(
                start, max(end, start + 1), "a row of a matrix is missing", "for example A=[[1,2],[3,4]]"
            )
        if not self.text[start + 1 : end - 1].strip():
            self.fail(start, end, "this row is empty", "for example A=[[1,2],[3,4]]")
        return [self.number(a, b) for a, b in split(self.text, self.option, start + 1, end - 1)]

    def generate(self, name: str, start: int, end: int) -> Value:
        inside = self.text.index("(", start) + 1
        pieces = list(split(self.text, self.option, inside, end - 1))
        wanted = GENERATORS[name]
        if len(pieces) != len(wanted):
            self.fail(
                start,
                end,
                f"{name} takes {len(wanted)} argument{'s' * (len(wanted) > 1)}: {name}({', '.join(wanted)})",
            )
        numbers = [self.number(a, b) for a, b in pieces]
        length = numbers[wanted.index("n")]
        if length != int(length) or not 1 <= length <= MAX_LENGTH:
            self.fail(start, end, f"{length:g} is not a length from 1 to {MAX_LENGTH}")
        what = " ".join(self.text[start:end].split())
        budget.require(8.0 * length, what, Span(self.text, start, end, self.option))
        return _generated(name, numbers, int(length), self.draws)


def _generated(name: str, numbers: list[float], n: int, draws: Iterator[float]) -> Value:
    if n > LIST_SIZE:
        return _long(name, numbers, n, draws)
    if name == "random":
        return list(islice(draws, n))
    if name == "linspace":
        first, last = numbers[0], numbers[1]
        step = (last - first) / (n - 1) if n > 1 else 0.0
        return [first + step * i for i in range(n - 1)] + [last if n > 1 else first]
    return [_fill(name, numbers)] * n


def _fill(name: str, numbers: list[float]) -> float:
    return {"zeros": 0.0, "ones": 1.0}.get(name, numbers[-1])


def _long(name: str, numbers: list[float], n: int, draws: Iterator[float]) -> Any:
    """The same numbers as an array, without a list of them on the way."""
    if name == "linspace":
        first, last = numbers[0], numbers[1]
        made = first + (last - first) / (n - 1) * np.arange(n)
        made[-1] = last
        return made
    if name != "random":
        return np.full(n, _fill(name, numbers))
    made = np.empty(n)
    for start in range(0, n, _PIECE):
        budget.check()
        stop = min(start + _PIECE, n)
        made[start:stop] = list(islice(draws, stop - start))
    return made


def normals(seed: int) -> Iterator[float]:
    """Yield as many standard normal numbers as are asked for, the same ones for the same seed."""
    import random

    generator = random.Random(seed)
    while True:
        yield generator.gauss(0.0, 1.0)


def _check_constant(tree: Tree) -> None:
    """Raise UsageError unless a tree has only numbers, constants and functions."""
    from gdcli.language import form

    for name in tree.names:
        if name not in CONSTANTS:
            hint = did_you_mean(name, CONSTANTS, "a value is a number, such as 2 or pi/2")
            raise UsageError(f"unknown name {name}", hint)
    for node in postorder(tree.root):
        if node.op in ("index", "slice"):
            raise tree.error(node, "indices have no place here")
    form.build(tree, {}, {})
