"""A line on a terminal that tells how far a long fit has come; nothing where nobody looks.

It is drawn at most ten times a second, and not at all in the first half second, so that a quick fit shows nothing but
its answer. It disappears when the answer comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.report.numbers import seconds, thousands
from gdcli.report.tables import glyphs_of, width_of
from gdcli.report.watch import PERIOD, can_watch

if TYPE_CHECKING:
    from gdcli.solvers.types import Iterate

PATIENCE = 0.5  # seconds before the first line
_CLEAR = "\r\x1b[K"
_CELLS = 20  # of a bar


class Progress:
    """``with Progress(stream) as progress:`` read with `reading`, search a start with `searching`, run with `iterate`
    and `epoch` as observers.

    Without a ``stream``, and where it is no terminal, it does nothing.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None and can_watch(stream) else None
        self._clock = clock
        self._next = clock() + PATIENCE
        self._began = clock()
        self._epoch = (0, 0.0)  # its number, when it began
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *ended: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown and self._stream is not None:
            self._stream.write(_CLEAR)
            self._stream.flush()
        self._shown = False

    def reading(self, table: Any) -> None:
        """Tell how many rows of a table are read, and which part of it where its size is known."""
        if not self._due():
            return
        done, size = table.progress
        pace = self._pace(table.rows, self._began)
        if size:
            left = (size - done) * (self._clock() - self._began) / max(done, 1)
            self._show(
                f"reading  {self._bar(done / size)}  {thousands(table.rows)} rows, {pace}, {seconds(left)} left"
            )
        else:
            self._show(f"reading  {thousands(table.rows)} rows, {pace}")

    def searching(self, part: float) -> None:
        """Tell which part of the search for a start is done."""
        if self._due():
            self._show(f"searching a start  {self._bar(part)}")

    def iterate(self, iterate: Iterate) -> None:
        """Tell the newest iterate."""
        if self._due():
            self._show(f"iteration {iterate.iteration}, {seconds(iterate.seconds)}")

    def epoch(self, number: int, done: int, rows: int) -> None:
        """Tell how far epoch ``number`` has come."""
        now = self._clock()
        if number != self._epoch[0]:
            self._epoch = (number, now)
        if self._stream is None or not done or now <= self._epoch[1] or not self._due():
            return
        left = (rows - done) * (now - self._epoch[1]) / done
        pace = self._pace(done, self._epoch[1])
        self._show(f"epoch {number}  {self._bar(done / rows)}  {pace}, {seconds(left)} left")

    def _due(self) -> bool:
        """Whether it is time to draw."""
        now = self._clock()
        if self._stream is None or now < self._next:
            return False
        self._next = now + PERIOD
        return True

    def _pace(self, rows: int, since: float) -> str:
        return f"{thousands(rows / max(self._clock() - since, 1e-9))} rows/s"

    def _bar(self, part: float) -> str:
        assert self._stream is not None
        full = round(_CELLS * min(1.0, max(0.0, part)))
        on, off = ("█", "░") if glyphs_of(self._stream).rule == "─" else ("#", ".")
        return f"{on * full}{off * (_CELLS - full)} {100.0 * part:3.0f} %"

    def _show(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(_CLEAR + text[: width_of(self._stream) - 1])
        self._stream.flush()
        self._shown = True
