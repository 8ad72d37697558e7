"""Waiting for a run on a terminal: a line that tells how far it has come, once it has lasted."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from gdcli.render.tables import PATIENCE, can_redraw

if TYPE_CHECKING:
    from gdcli.render.progress import Caps, Part, Progress
    from gdcli.solve.iteration import Iterate


class Waiting:
    """An observer with a line of :mod:`gdcli.render.progress`, which is imported when `PATIENCE` is over.

    ``with Waiting(stream, sign, caps) as waiting:`` run; arguments and `begin` are as there.
    """

    thinning = (0, 1)  # the last iterate of a chunk of steps will do

    def __init__(
        self,
        stream: TextIO | None,
        sign: int | None,
        caps: Caps | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._made: Progress | None = None
        self._asked = stream, clock, sign, caps
        self._clock, self._began, self._best = clock, clock(), inf
        self._part: Part | None = None
        looked_at = stream is not None and can_redraw(stream)
        self._due = self._began + PATIENCE if looked_at else inf

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *ended: object) -> None:
        self.clear()

    def clear(self) -> None:
        if self._made is not None:
            self._made.clear()

    def __call__(self, iterate: Iterate) -> None:
        if iterate.at.value < self._best:
            self._best = iterate.at.value
        if self._clock() >= self._due:
            self._line().iterate(iterate)

    def begin(self, noun: str, number: int, total: int | None = None, note: str = "") -> None:
        self._part = noun, number, total, note
        if self._clock() >= self._due:
            self._line().begin(*self._part)

    def _line(self) -> Progress:
        if self._made is None:
            from gdcli.render.progress import Progress

            self._made = Progress(*self._asked)
            self._made.since(self._began, self._best, self._part)
        return self._made
