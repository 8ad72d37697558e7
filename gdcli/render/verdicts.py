"""Many problems at once: each answer beside what was expected of it, as one table or as records.

A problem is *ok* when its answer is what its file expects, *MISSED* when it is not or when it could not be
solved at all. A problem that nothing is expected of is judged by its status alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, TextIO

from gdcli.kernel.errors import excerpt, harmless, shorten
from gdcli.kernel.number_format import amount, seconds, short
from gdcli.record.faults import Checked, error_record
from gdcli.record.schema import SCHEMA, Json, told
from gdcli.record.serialization import RowText, json_block, json_text
from gdcli.render.formats import Format, Shape, write_page
from gdcli.render.page import LABEL, Column, Glyphs, Line, fact, fits, laid_out


def record(checked: Checked, timing: bool) -> Json:
    plain = _plain_record(checked, timing)
    expect = checked.expect
    wanted: Any = None
    if expect is not None:
        wanted = {"value": expect.value, "tolerance": expect.tolerance, "status": expect.status}
        wanted["point"] = dict(expect.point)
    head = {"schema": plain.pop("schema"), "type": plain.pop("type"), "name": checked.name}
    return head | {"verdict": checked.verdict, "miss": checked.miss, "expected": wanted} | plain


def line_record(checked: Checked, number: int, timing: bool) -> Json:
    """Return the result, or the error, of a line of a stream; a verdict only where something is expected."""
    plain = _plain_record(checked, timing) if checked.expect is None else record(checked, timing)
    head = {"schema": plain.pop("schema"), "type": plain.pop("type"), "line": number}
    if checked.name:
        head["name"] = checked.name
    else:
        plain.pop("name", None)
    return head | plain


def _plain_record(checked: Checked, timing: bool) -> Json:
    if checked.fault is not None:
        return error_record(checked.fault).to_json()
    assert checked.found is not None
    return told(checked.found, timing)


def page(all_checked: Sequence[Checked], width: int, glyphs: Glyphs, timing: bool) -> list[Line]:
    """Return one table with a row per problem, what was missed, and a line that sums up."""
    for digits in (9, 7, 6, 5):  # before a column goes its numbers are shortened
        columns = _columns(all_checked, digits, timing)
        if fits(columns, width):
            break
    lines = laid_out(columns, width, glyphs)
    missed = [c for c in all_checked if c.miss]
    lines.append([])
    for c in missed:
        why = c.fault.message if c.fault is not None else c.miss
        lines += fact("MISSED", harmless(f"{c.name}: {shorten(why)}"), width, label_role="bad")
        if c.fault is not None and c.fault.span is not None:
            lines += [[(" " * LABEL + text, "")] for text in excerpt(c.fault.span, width - LABEL)]
        if c.fault is not None and c.fault.hint:
            lines += fact("", harmless(f"hint: {shorten(c.fault.hint)}"), width)
    good = len(all_checked) - len(missed)
    total = f"{amount(len(all_checked), 'problem')}: {good} ok"
    lines.append([(total + (f", {len(missed)} missed" if missed else ""), "bad" if missed else "good")])
    return lines


def _columns(all_checked: Sequence[Checked], digits: int, timing: bool) -> list[Column]:
    def cells(values: Iterable[Any]) -> list[str]:
        return ["-" if v is None else str(v) for v in values]

    values = [None if c.found is None else short(c.found.value, digits) for c in all_checked]
    expected = [
        None if c.expect is None or c.expect.value is None else short(c.expect.value, digits)
        for c in all_checked
    ]
    columns = [
        Column("problem", [harmless(shorten(c.name, 24)) for c in all_checked], left=True),
        Column("status", [c.status for c in all_checked], left=True),
        Column("value", cells(values)),
        Column("expected", cells(expected), spare=4),  # it can be told from the error
        Column("error", [short(c.error, 2) for c in all_checked]),
        Column("iter", cells(c.found and c.found.iterations for c in all_checked), spare=2),
        Column("evals", cells(c.evaluations for c in all_checked), spare=3),
    ]
    if timing:
        times = cells(c.found and seconds(c.found.seconds or 0.0) for c in all_checked)
        columns.append(Column("time", times, spare=1))
    roles = ["bad" if c.miss else "good" for c in all_checked]
    return [*columns, Column("", ["MISSED" if c.miss else "ok" for c in all_checked], left=True, roles=roles)]


HEAD = ("name", "status", "value", "expected", "error", "iterations", "evaluations", "verdict")


def cells(checked: Checked) -> list[Any]:
    c, found = checked, checked.found
    wanted = None if c.expect is None else c.expect.value
    value = None if found is None else found.value
    iterations = None if found is None else found.iterations
    return [c.name, c.status, value, wanted, c.error, iterations, c.evaluations, c.verdict]


class Shown:
    """What a format says of each problem as soon as it is done: lines or rows; "" in other formats.

    ``lines`` tells that problems are lines of a stream, known by their numbers.
    """

    def __init__(self, format: Format, timing: bool, lines: bool) -> None:
        self.format, self._timing, self._lines = format, timing, lines
        self._text: RowText | None = format.load() if format.shape is Shape.ROWS else None

    def head(self) -> str:
        head = [*(["line"] if self._lines else []), *HEAD]
        return "" if self._text is None else self._text.head(head)

    def __call__(self, checked: Checked, number: int) -> str:
        if self.format.shape is Shape.LINES:
            return json_text(self.record(checked, number)) + "\n"
        if self._text is not None:
            return self._text.row([*([number] if self._lines else []), *cells(checked)])
        return ""

    def record(self, checked: Checked, number: int) -> Json:
        return line_record(checked, number, self._timing) if self._lines else record(checked, self._timing)


class Whole:
    """What can be written only when all problems are done: the table, or one JSON object.

    ``missed`` and ``results`` grow with every problem: for a stream that never ends there are jsonl and csv.
    """

    def __init__(self, stream: TextIO, shown: Shown, timing: bool) -> None:
        self._stream, self._shown, self._timing = stream, shown, timing
        self._kept: list[tuple[Checked, int]] = []

    def __call__(self, checked: Checked, number: int) -> None:
        self._kept.append((checked, number))

    def finish(self, file: str) -> None:
        if self._shown.format.shape is Shape.OBJECT:
            self._write_json(file)
            return
        done = [named(c, number) for c, number in self._kept]
        write_page(
            self._stream, self._shown.format, lambda width, glyphs: page(done, width, glyphs, self._timing)
        )

    def _write_json(self, file: str) -> None:
        missed = [named(c, number).name for c, number in self._kept if c.miss]
        whole: Json = {"schema": SCHEMA, "type": "run", "file": file, "missed": missed}
        whole["results"] = [self._shown.record(c, number) for c, number in self._kept]
        self._stream.write(json_block(whole))


class Tally:
    """How many problems (or what else they are called) ended how: constant memory, however many there are."""

    def __init__(self, noun: str = "problem", clock: Callable[[], float] = perf_counter) -> None:
        self._noun, self._clock = noun, clock
        self._began = clock()
        self.counts: Counter[str] = Counter()
        self.total = self.failed = 0
        self._first: tuple[int, int] | None = None  # the first in the order of the input that failed

    @property
    def exit_code(self) -> int:
        """0 if no problem failed, else the code of the first that did."""
        return 0 if self._first is None else self._first[1]

    def count(self, number: int, status: str, exit_code: int) -> None:
        self.counts[status] += 1
        self.total += 1
        self.failed += bool(exit_code)
        if exit_code and (self._first is None or number < self._first[0]):
            self._first = number, exit_code

    def text(self) -> str:
        total = self.total
        spent = max(self._clock() - self._began, 1e-9)
        ranked = sorted(self.counts.items(), key=lambda item: (item[0] != "converged", -item[1], item[0]))
        parts = [f"{count} {word}" for word, count in ranked]
        return f"{amount(total, self._noun)} in {seconds(spent)}, {short(total / spent, 3)} a second: " + (
            ", ".join(parts) or "nothing to solve"
        )


def named(checked: Checked, number: int) -> Checked:
    """Return a problem with a name; without one it is that of its line."""
    return checked if checked.name else checked._replace(name=f"line {number}")
