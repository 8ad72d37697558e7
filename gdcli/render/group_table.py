"""Fits to groups as they come: as a table in blocks of rows, or a line, a row or chosen values for each.

In the table a parameter is shown as ``value ± error``, the error to two digits. The columns that fit are chosen by the
first block, and the page says which were left out; later rows keep them, and a column grows where it must. The blocks
are of one size however the answers come, so that the same fits make the same page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import columns_of, harmless, shorten
from gdcli.kernel.number_format import amount, error_cells, seconds, short, usual_decimals
from gdcli.record import groups
from gdcli.record.groups import Group, GroupRecorder, cells
from gdcli.record.schema import SCHEMA
from gdcli.record.serialization import RowText, Words, json_text
from gdcli.render import summary
from gdcli.render.fit_page import data_text, loss_text
from gdcli.render.page import Column, Line, TableLine, chosen, fact, heading, label_column, named, pad

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.fits import FitProblemRecord, RowsRecord
    from gdcli.render.formats import Look

# Of a parameter with its error: -2.001 ± 0.027.
_USUAL_WIDTH = 14
# So many groups have their columns, digits and widths chosen together.
_BLOCK = 500
# Of groups whose answer is not unique so many are told in words: of even numbers of rows each may be one.
_MOST_WIDE = 4


class GroupQuestion(NamedTuple):
    """What is asked of all groups; ``searched``: the start of each is searched for in its own rows.

    ``derived`` names the quantities that are derived, ``intervals`` tells that these were asked for.
    """

    problem: FitProblemRecord
    space: Space
    by: Sequence[str]
    groups: int
    rows: RowsRecord
    searched: bool
    derived: Sequence[str] = ()
    intervals: bool = False


class GroupTable:
    """Writes the head, the rows as they come, and at the end what failed and how many."""

    def __init__(
        self,
        asked: GroupQuestion,
        look: Look,
        recorder: GroupRecorder,
        words: Words,
        timing: bool = False,
    ) -> None:
        self._asked, self._show, self._width, self._glyphs = asked, look.show, look.width, look.glyphs
        self._recorder, self._words = recorder, words
        self._began = perf_counter() if timing else None
        self._names = [*asked.space.labels, *asked.derived]
        self._plus = look.glyphs.plus_minus
        self._kept: list[str] = []
        self._left_out: list[str] = []
        self._widths: list[int] = []
        self._decimals: dict[str, int] = {}  # of each parameter, as the first block needs them
        self._waiting: list[Group] = []
        self._failed: list[tuple[str, str]] = []
        self._wide: list[tuple[str, str]] = []

    def __call__(self, some: Sequence[Group]) -> None:
        self._waiting += some
        while len(self._waiting) >= _BLOCK:
            self._write(self._waiting[:_BLOCK])
            del self._waiting[:_BLOCK]

    def _write(self, some: Sequence[Group]) -> None:
        columns = self._columns(some)
        lines: list[Line] = []
        if not self._kept:
            self._choose(columns)
            lines = self._head()
        chosen = [self._fitted(k, columns[key]) for k, key in enumerate(self._kept)]
        if lines:
            lines += heading(chosen, self._widths, self._glyphs)
        roles = ["good" if fit.is_good else "bad" for fit in some]
        left = [column.left for column in chosen]
        told = [*chosen[:-1], chosen[-1]._replace(roles=roles)]
        cells_of = zip(zip(*(column.cells for column in chosen), strict=True), roles, strict=True)
        for number, (row, role) in enumerate(cells_of):
            *first, last = (
                pad(cell, w, is_left) for cell, w, is_left in zip(row, self._widths, left, strict=True)
            )
            lines.append(TableLine([("  ".join(first) + "  ", ""), (last, role)], told, number))
        self._show(lines)
        for fit in some:
            if not fit.is_good:
                self._failed.append((self._name(fit), fit.message))
            elif fit.found is not None and fit.found.has_others:
                self._wide.append((self._name(fit), fit.message.partition(": ")[2]))

    def finish(self, tally: Counter[str]) -> None:
        if self._waiting:
            self._write(self._waiting)
        lines: list[Line] = [[]]
        for name, why in self._failed:
            lines += fact("FAILED", harmless(f"{name}: {shorten(why)}"), self._width, label_role="bad")
        for name, others in self._wide[:_MOST_WIDE]:
            lines += fact(
                "not unique", harmless(f"{name}: {shorten(others)}"), self._width, label_role="warn"
            )
        if (more := len(self._wide) - _MOST_WIDE) > 0:
            lines += fact("", f"and {amount(more, 'group')} more; --format jsonl has all", self._width)
        total = sum(tally.values())
        good = tally["converged"] + tally["completed"]
        text = f"{amount(total, 'group')}: {good} fitted"
        if total > good:
            text += f", {total - good} failed"
        if self._began is not None:
            text += f" in {seconds(perf_counter() - self._began)}"
        lines.append([(text, "bad" if total > good else "good")])
        self._show(lines)

    def _name(self, fit: Group) -> str:
        return ", ".join(f"{column} = {value}" for column, value in fit.labels.items())

    # -- what is shown -------------------------------------------------------------------------------------

    def _head(self) -> list[Line]:
        asked, width = self._asked, self._width
        lines = summary.title("fit", asked.problem, width)
        lines += fact("data", data_text(asked.problem, asked.rows, width), width)
        by = harmless(", ".join(asked.by))
        lines += fact("groups", f"{asked.groups}, by {by}", width)
        lines += fact("loss", loss_text(asked.problem, "in each group"), width)
        if asked.searched:
            lines += fact("start", "searched for each group in its rows", width)
        elif (
            asked.problem.start and not asked.problem.estimated
        ):  # else each begins where its number was found
            lines += fact("start", summary.point_text(asked.problem.start), width)
        if self._left_out:
            text = f"{named(self._left_out)}; --format csv or jsonl has all"
            lines += fact("not shown", text, width)
        return [*lines, []]

    def _fitted(self, k: int, column: Column) -> Column:
        """Return a column whose cells fit the page: it grows while there is room, then cells lose digits."""
        room = self._width - sum(self._widths) - 2 * (len(self._widths) - 1)
        grown = min(column.width, max(self._widths[k], self._widths[k] + room))
        self._widths[k] = max(self._widths[k], grown)
        most = self._widths[k]
        if column.width <= most:
            return column
        return column._replace(
            cells=[c if columns_of(c) <= most else self._less(c, most) for c in column.cells]
        )

    def _less(self, cell: str, most: int) -> str:
        value, mark, _ = cell.partition(f" {self._plus} ")
        return f"{float(value):.3g}" if mark else f"{cell[: most - 3]}..."

    def _choose(self, columns: dict[str, Column]) -> None:
        wide = {key: _wide(column) if key in self._names else column for key, column in columns.items()}
        kept, left_out = chosen(list(wide.values()), self._width)
        self._kept = [key for key, column in wide.items() if column in kept]
        self._left_out = [column.title.strip() for column in left_out]
        self._widths = [column.width for column in kept]

    def _columns(self, some: Sequence[Group]) -> dict[str, Column]:
        """All columns by name: labels, rows, parameters, how good the fit is, status."""
        parts = ("", ".se", ".low", ".high") if self._asked.intervals else ("", ".se")
        wanted = [f"{name}{part}" for name in self._names for part in parts]
        found = list(cells(some, [*wanted, "residual_sd", "r_squared"], self._recorder, self._words))
        by_column = [[_number(row[k]) for row in found] for k in range(len(wanted) + 2)]
        columns: dict[str, Column] = {}
        for column in self._asked.by:
            columns[f"by {column}"] = label_column(column, [fit.labels[column] for fit in some])
        columns["n"] = Column("rows", [str(fit.rows.used) for fit in some])
        for k, name in enumerate(self._names):
            of_name = by_column[len(parts) * k : len(parts) * (k + 1)]
            columns[name] = self._parameter(k, name, of_name, [_blur(fit, k) for fit in some])
        left = [
            0.0 if fit.found is not None and fit.found.exact else sd
            for fit, sd in zip(some, by_column[-2], strict=True)
        ]
        for key, title, values, spare in (
            ("residual_sd", "resid. sd", left, 3),
            ("r_squared", "R²" if self._plus == "±" else "R2", by_column[-1], 2),
        ):
            if key in self._kept or any(value is not None for value in values):
                columns[key] = Column(title, [_few(value, key) for value in values], spare=spare)
        columns["status"] = Column(pad("status", 10, left=True), [fit.status for fit in some], left=True)
        return columns

    def _parameter(
        self, k: int, name: str, numbers: Sequence[Sequence[float | None]], blurs: Sequence[float | None]
    ) -> Column:
        """The column of a parameter: its values with errors, or with the ends of the intervals asked for."""
        values, errors, *ends = numbers
        if ends:
            texts = [_with_ends(*cells) for cells in zip(values, *ends, strict=True)]
            return Column(f"{name} (interval)", texts, spare=1 if k else 0)
        if name not in self._decimals:
            self._decimals[name] = usual_decimals(errors)
        texts = error_cells(values, errors, blurs, self._decimals[name], self._plus)
        # Sums of absolute values have no errors.
        title = name if self._asked.problem.loss == "absolute" else f"{name} {self._plus} error"
        return Column(title, texts, spare=1 if k else 0)


def _with_ends(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or (low is None and high is None):
        return "" if value is None else short(value, 4)
    ends = [f"{side}inf" if end is None else short(end, 4) for side, end in (("-", low), ("", high))]
    return f"{short(value, 4)} ({ends[0]} to {ends[1]})"


def _wide(column: Column) -> Column:
    """A column of a parameter as wide as later groups may need it."""
    return column._replace(title=pad(column.title, _USUAL_WIDTH))


def _number(value: str | float | None) -> float | None:
    if isinstance(value, str):
        return float(value) if value else None
    return None if value is None else float(value)


def _few(value: float | None, key: str) -> str:
    if value is None:
        return ""
    if key == "residual_sd":
        return short(value, 4)
    return f"{value:.4f}" if abs(value) < 1000.0 else f"{value:.3g}"


def _blur(fit: Group, k: int) -> float | None:
    """What rounding leaves open of a parameter of a group that the model says exactly; these are solved alone."""
    errors = None if fit.found is None else fit.found.certificate.errors
    return None if errors is None or k >= len(errors) else errors[k]


# -- the machine formats: a line, a row or chosen values for each group ------------------------------------------------


class Writer:
    """Writes groups as they come; at the end, of which ``finish`` is told, nothing is left to write."""

    def finish(self, tally: Counter[str]) -> None: ...


class GroupLines(Writer):
    def __init__(self, stream: TextIO, recorder: GroupRecorder) -> None:
        self._stream, self._recorder = stream, recorder

    def __call__(self, fits: Sequence[Group]) -> None:
        self._stream.write("".join(f"{line}\n" for line in groups.lines(fits, self._recorder)))
        self._stream.flush()


class GroupWhole(GroupLines):
    """One JSON object with the results of all groups, written as they come."""

    def __init__(self, stream: TextIO, recorder: GroupRecorder, by: Sequence[str]) -> None:
        super().__init__(stream, recorder)
        head = {"schema": SCHEMA, "type": "groups", "by": list(by)}
        self._before = json_text(head)[:-1] + ', "results": [\n'

    def __call__(self, fits: Sequence[Group]) -> None:
        for line in groups.lines(fits, self._recorder):
            self._stream.write(self._before + line)
            self._before = ",\n"

    def finish(self, tally: Counter[str]) -> None:
        self._stream.write("\n]}\n" if self._before == ",\n" else self._before + "]}\n")


class GroupRows(Writer):
    """A header, then a row per group: labels, rows, parameters with their errors, how good the fit is, the status."""

    def __init__(
        self,
        stream: TextIO,
        recorder: GroupRecorder,
        by: Sequence[str],
        names: Sequence[str],
        words: Words,
        timing: bool,
        text: RowText,
    ) -> None:
        self._stream, self._recorder, self._words, self._text = stream, recorder, words, text
        tail = ("value", "residual_sd", "r_squared", "iterations", "status", "message")
        self._names = ["rows", "skipped", *names, *tail, *(["seconds"] if timing else [])]
        stream.write(text.head([*by, *self._names]))

    def __call__(self, fits: Sequence[Group]) -> None:
        found = cells(fits, self._names, self._recorder, self._words)
        rows = zip(fits, found, strict=True)
        self._stream.write("".join(self._text.row([*fit.labels.values(), *row]) for fit, row in rows))
        self._stream.flush()


class GroupSelected(Writer):
    """Per group one line of its labels and the values asked for, tab separated; what is not known is empty."""

    def __init__(self, stream: TextIO, recorder: GroupRecorder, names: Sequence[str], words: Words) -> None:
        self._stream, self._recorder, self._names, self._words = stream, recorder, list(names), words

    def __call__(self, fits: Sequence[Group]) -> None:
        found = cells(fits, self._names, self._recorder, self._words)
        for fit, row in zip(fits, found, strict=True):
            texts = ["" if v is None else repr(v) if isinstance(v, float) else str(v) for v in row]
            labels_of = [str(v).replace("\t", " ") for v in fit.labels.values()]
            self._stream.write("\t".join([*labels_of, *texts]) + "\n")
        self._stream.flush()
