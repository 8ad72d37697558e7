"""The machine formats: one JSON result, JSON lines and CSV as the run goes, or only the values asked for.

A writer is an observer of the run (or ignores it) and ends with the outcome. Lines are flushed one by one,
so that a pipe sees them as they come. Numbers have the shortest digits that give the same double back; what
is not finite is null in JSON and ``inf``, ``-inf`` or ``nan`` in CSV.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.record.schema import plain, told
from gdcli.record.serialization import (
    CSV,
    WORDS,
    RowText,
    Words,
    check_names,
    json_block,
    json_text,
    selected,
)

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.runs import RunRecord
    from gdcli.record.schema import Record
    from gdcli.solve.iteration import Iterate
    from gdcli.tasks.problem import Problem


class ThinnedPath:
    """Passes on the first iterate, then each Nth, and at the end the last one, whatever its number."""

    def __init__(self, every: int, show: Callable[[Iterate], None]) -> None:
        self._every = every
        self._show = show
        self._held: Iterate | None = None

    def __call__(self, iterate: Iterate) -> None:
        if iterate.iteration % self._every == 0:
            self._held = None
            self._show(iterate)
        else:
            self._held = iterate

    def finish(self) -> None:
        if self._held is not None:
            self._show(self._held)


class AtEnd:
    """Writes nothing of the path, and at the end the text that ``make`` makes of the answer."""

    thinning = (0, 0)

    def __init__(self, stream: TextIO, make: Callable[[Any], str]) -> None:
        self._stream, self._make = stream, make

    def __call__(self, iterate: object) -> None:
        """The answer says all that is told."""

    def finish(self, found: object) -> None:
        self._stream.write(self._make(found))


class Json(AtEnd):
    def __init__(self, stream: TextIO, timing: bool) -> None:
        super().__init__(stream, lambda found: json_block(told(found, timing)))


class Path:
    """An observer that writes a row for each iterate, every Nth and the last one."""

    def __init__(
        self, stream: TextIO, sign: int, space: Space, every: int, timing: bool, words: Words = WORDS
    ) -> None:
        self._stream, self._sign, self._space, self._timing = stream, sign, space, timing
        self._words = words
        self._thinned = ThinnedPath(every, self._row)
        self.thinning = every, 1

    def _row(self, it: Iterate) -> None:
        raise NotImplementedError

    def _write(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()

    def __call__(self, iterate: Iterate) -> None:
        self._thinned(iterate)

    def end(self) -> None:
        self._thinned.finish()

    def finish(self, found: RunRecord) -> None:
        self.end()


class PathLines(Path):
    def _row(self, it: Iterate) -> None:
        self._line(self._words.point(it, self._sign, self._space))

    def _line(self, found: Record) -> None:
        self._write(json_text(told(found, self._timing)) + "\n")


class JsonLines(PathLines):
    def finish(self, found: RunRecord) -> None:
        self.end()
        self._line(found)


class PathRows(Path):
    """A header, then one row per iterate; vectors take a column per number."""

    _begun = False

    def __init__(self, *path: Any, text: RowText = CSV) -> None:
        super().__init__(*path)
        self._text = text

    def _row(self, it: Iterate) -> None:
        seconds = ["seconds"] if self._timing else []
        if not self._begun:
            self._begun = True
            self._stream.write(self._text.head([*self._words.head, *seconds, *self._space.labels]))
        cells = self._words.cells(self._words.point(it, self._sign, self._space))
        if self._timing:
            cells.append(it.seconds)
        self._write(self._text.row(cells + list(plain(it.at.x))))

    def finish(self, found: RunRecord) -> None:
        super().finish(found)
        if found.global_ is not None:  # there is no path: the boxes are the rows
            self._stream.write(self._text.table(*found.global_.table(self._space)))


class Selected(AtEnd):
    """One line with the values asked for by name, tab separated.

    A name is a variable, a constant, a component such as ``v[3]``, a part of one such as ``a.se``, or a fact of the
    result (``value``, ``status``, ...); a variable wins over a fact of the same name. A vector is its numbers with
    commas between them, which is what ``--start`` takes inside brackets.
    """

    def __init__(self, stream: TextIO, names: Sequence[str], problem: Problem, words: Words = WORDS) -> None:
        check_names(names, problem, words)
        self._names, self._words = names, words
        super().__init__(stream, self._line)

    def _line(self, found: RunRecord) -> str:
        record = found.to_json()
        return "\t".join(selected(name, record, self._words) for name in self._names) + "\n"
