"""Many problems at once: each answer beside what was expected of it, as one table or as records.

A problem is *ok* when its answer is what its file expects, *MISSED* when it is not or when it could not be
solved at all. A problem that nothing is expected of is judged by its status alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from gdcli.report import records
from gdcli.report.faults import excerpt, harmless, shorten
from gdcli.report.numbers import amount, seconds, short
from gdcli.report.page import LABEL, Column, Glyphs, Line, fact, fits, table

if TYPE_CHECKING:
    from gdcli.api import Outcome
    from gdcli.errors import GdError
    from gdcli.problems import Expectation

DISAGREEMENT = 9  # the exit code where a run went well and its answer is not the one expected


class Checked(NamedTuple):
    """One problem and how it went: an outcome or the error in its way; ``miss`` says what is wrong."""

    name: str
    expect: Expectation | None
    outcome: Outcome | None
    fault: GdError | None
    miss: str

    @property
    def exit_code(self) -> int:
        """0 where nothing is missed, else the code that tells what happened."""
        if self.fault is not None:
            return self.fault.exit_code
        if not self.miss or self.outcome is None:
            return 0
        return self.outcome.status.exit_code or DISAGREEMENT

    @property
    def status(self) -> str:
        """The status as a word."""
        return (
            self.fault.status
            if self.fault is not None
            else self.outcome.status.value
            if self.outcome
            else "-"
        )

    @property
    def verdict(self) -> str:
        """``ok`` or ``missed``."""
        return "missed" if self.miss else "ok"

    @property
    def error(self) -> float | None:
        """The distance from the expected value."""
        if self.outcome is None or self.expect is None or self.expect.value is None:
            return None
        return self.expect.error(self.outcome.value)

    @property
    def evaluations(self) -> int | None:
        """All evaluations, of whatever kind."""
        return None if self.outcome is None else sum(records.evaluations(self.outcome.run.counts).values())


def record(checked: Checked, timing: bool) -> records.Record:
    """Return the result, or the error, with its name and verdict."""
    if checked.fault is not None:
        plain = records.error(checked.fault)
    else:
        assert checked.outcome is not None
        plain = records.result(checked.outcome, timing)
    expect = checked.expect
    wanted: Any = None
    if expect is not None:
        wanted = {"value": expect.value, "tolerance": expect.tolerance, "status": expect.status}
        wanted["point"] = dict(expect.point)
    head = {"schema": plain.pop("schema"), "type": plain.pop("type"), "name": checked.name}
    return head | {"verdict": checked.verdict, "miss": checked.miss, "expected": wanted} | plain


def exit_code(all_checked: Iterable[Checked]) -> int:
    """Return the code of the first problem that missed, else 0."""
    return next((c.exit_code for c in all_checked if c.miss), 0)


def page(all_checked: Sequence[Checked], width: int, glyphs: Glyphs, timing: bool) -> list[Line]:
    """Return one table with a row per problem, what was missed, and a line that sums up."""
    columns = next(
        (tried for digits in (9, 7, 6, 5) if fits(tried := _columns(all_checked, digits, timing), width)),
        None,
    )
    if columns is None:  # the expected value can be told from the error
        columns = [c for c in _columns(all_checked, 5, timing) if c.title != "expected"]
    lines = table(columns, glyphs)
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

    values = [None if c.outcome is None else short(c.outcome.value, digits) for c in all_checked]
    expected = [
        None if c.expect is None or c.expect.value is None else short(c.expect.value, digits)
        for c in all_checked
    ]
    columns = [
        Column("problem", [harmless(shorten(c.name, 24)) for c in all_checked], left=True),
        Column("status", [c.status for c in all_checked], left=True),
        Column("value", cells(values)),
        Column("expected", cells(expected)),
        Column("error", [short(c.error, 2) for c in all_checked]),
        Column("iter", cells(c.outcome and c.outcome.run.iterations for c in all_checked)),
        Column("evals", cells(c.evaluations for c in all_checked)),
    ]
    if timing:
        columns.append(
            Column("time", cells(c.outcome and seconds(c.outcome.run.seconds) for c in all_checked))
        )
    roles = ["bad" if c.miss else "good" for c in all_checked]
    return [*columns, Column("", ["MISSED" if c.miss else "ok" for c in all_checked], left=True, roles=roles)]


class Pages:
    """Shows the table at the end."""

    def __init__(self, stream: TextIO, timing: bool, plain: bool) -> None:
        self._stream, self._timing, self._plain = stream, timing, plain

    def __call__(self, checked: Checked) -> None:
        """A table is laid out when all its rows are known."""

    def finish(self, all_checked: Sequence[Checked], file: str) -> None:
        """Write the table."""
        from gdcli.report.page import PLAIN, plain_text
        from gdcli.report.tables import WIDTH, glyphs_of, show, width_of

        if self._plain:
            self._stream.write(plain_text(page(all_checked, WIDTH, PLAIN, self._timing)))
        else:
            stream = self._stream
            show(page(all_checked, width_of(stream), glyphs_of(stream), self._timing), stream)


class Records:
    """JSON lines (or CSV rows) as the problems are done, or one JSON object at the end."""

    def __init__(self, stream: TextIO, timing: bool, form: str) -> None:
        self._stream, self._timing, self._form = stream, timing, form
        if form == "csv":
            self._write_row(
                ["name", "status", "value", "expected", "error", "iterations", "evaluations", "verdict"]
            )

    def _write_row(self, cells: Sequence[Any]) -> None:
        from gdcli.report.machine import csv_line

        self._stream.write(csv_line(cells))
        self._stream.flush()

    def __call__(self, checked: Checked) -> None:
        from gdcli.report.machine import json_text

        if self._form == "jsonl":
            self._stream.write(json_text(record(checked, self._timing)) + "\n")
            self._stream.flush()
        elif self._form == "csv":
            c, outcome = checked, checked.outcome
            wanted = None if c.expect is None else c.expect.value
            value = None if outcome is None else outcome.value + 0.0
            iterations = None if outcome is None else outcome.run.iterations
            self._write_row([c.name, c.status, value, wanted, c.error, iterations, c.evaluations, c.verdict])

    def finish(self, all_checked: Sequence[Checked], file: str) -> None:
        """Write the object that has all results."""
        from gdcli.report.machine import json_block

        if self._form == "json":
            missed = [c.name for c in all_checked if c.miss]
            whole: records.Record = {"schema": records.SCHEMA, "type": "run", "file": file, "missed": missed}
            whole["results"] = [record(c, self._timing) for c in all_checked]
            self._stream.write(json_block(whole))
