"""A line on a terminal that tells how far a long run has come; nothing where nobody looks.

It is drawn at most ten times a second, and not at all at first, so that what is quick shows nothing but its answer. It
disappears when the answer comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.number_format import seconds, short, thousands
from gdcli.render.formats import PATIENCE, PERIOD, can_redraw, glyphs_of, width_of

if TYPE_CHECKING:
    from gdcli.solve.iteration import Iterate

_CLEAR = "\r\x1b[K"
_CELLS = 20  # of a bar


# What ends a run at the latest: iterations, evaluations, seconds.
Caps = tuple[float | None, float | None, float | None]
# The part of the work that is gone through: what it is, its number, of how many, a note.
Part = tuple[str, int, int | None, str]


def left(it: Iterate, caps: Caps) -> float | None:
    """Return the seconds after which a run that goes on at its pace meets a cap; None where there is none."""
    counts = it.counts
    spent = it.iteration, counts.value + counts.gradient + counts.hessian + counts.product, it.seconds
    part = max((done / cap for done, cap in zip(spent, caps, strict=True) if cap), default=0.0)
    return it.seconds * max(0.0, 1.0 / part - 1.0) if part > 0.0 else None


def _place(part: Part, spent: float) -> tuple[list[str], str]:
    """Return which part of the work it is, and how long the rest of them will take."""
    noun, number, total, note = part
    parts = [f"{noun} {number}" + (f" of {total}" if total else ""), *([note] if note else [])]
    if not total or number <= 1:
        return parts, ""
    return parts, f"about {seconds(spent / (number - 1) * (total - number + 1))} left"


class Progress:
    """``with Progress(stream) as progress:`` read with `reading`, search with `searching`, run with it as an observer,
    epochs with `epoch`.

    ``sign`` is that of the user's values (None: they are not told), ``caps`` are those of a run. Work in parts of which
    each has runs of its own tells with `begin` which part it is at. Without a ``stream``, and where it is no terminal,
    nothing is done.
    """

    thinning = (0, 1)  # the last iterate of a chunk of steps will do

    def __init__(
        self,
        stream: TextIO | None,
        clock: Callable[[], float] = time.monotonic,
        sign: int | None = None,
        caps: Caps | None = None,
    ) -> None:
        self._stream = stream if stream is not None and can_redraw(stream) else None
        self._clock, self._sign, self._caps = clock, sign, caps
        self._began = clock()
        self._next = self._began + PATIENCE
        self._best = inf
        self._part: Part | None = None
        self._epoch = (0, 0.0)  # its number, when it began
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *ended: object) -> None:
        self.clear()

    def clear(self) -> None:
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
            more = (size - done) * (self._clock() - self._began) / max(done, 1)
            part = table.state or self._bar(done / size)
            self._show(f"reading  {part}  {thousands(table.rows)} rows, {pace}, {seconds(more)} left")
        else:
            self._show(f"reading  {thousands(table.rows)} rows, {pace}")

    def searching(self, part: float) -> None:
        if self._due():
            self._show(f"searching for a start  {self._bar(part)}")

    def begin(self, noun: str, number: int, total: int | None = None, note: str = "") -> None:
        """Tell that a part begins: the ``number``-th of ``total``, where that is known."""
        self._part = noun, number, total, note
        if self._due():
            self._tell(None)

    def __call__(self, iterate: Iterate) -> None:
        self._best = min(self._best, iterate.at.value)
        if self._due():
            self._tell(iterate)

    def _tell(self, it: Iterate | None) -> None:
        spent = self._clock() - self._began
        parts, end = ([], "") if self._part is None else _place(self._part, spent)
        if it is not None:
            parts.append(f"iteration {it.iteration}")
            if self._part is None:
                spent = it.seconds
                most = None if self._caps is None else left(it, self._caps)
                end = "" if most is None else f"at most {seconds(most)} left"
        parts.append(seconds(spent))
        if self._sign is not None and isfinite(self._best):
            parts.append(f"best {short(self._sign * self._best, 7)}")
        self._show(", ".join([*parts, end] if end else parts))

    def epoch(self, number: int, done: int, rows: int) -> None:
        now = self._clock()
        if number != self._epoch[0]:
            self._epoch = (number, now)
        if self._stream is None or not done or now <= self._epoch[1] or not self._due():
            return
        more = (rows - done) * (now - self._epoch[1]) / done
        pace = self._pace(done, self._epoch[1])
        self._show(f"epoch {number}  {self._bar(done / rows)}  {pace}, {seconds(more)} left")

    def _due(self) -> bool:
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
