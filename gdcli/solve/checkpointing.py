"""Runs that can be stopped at any step and gone on with later.

A run has a checkpointer for a companion. As a stop rule the checkpointer ends the run after a step when somebody asked
for that (a signal handler, say), and from time to time it hands a snapshot of the run to a store. A process may make
several runs one after the other, each with a number; when the process is started again, a run that was finished gives
its result at once, and the one that was not goes on from its last snapshot as if nothing had happened.

What a snapshot is made of is the business of the run; how it is written down is that of the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from gdcli.kernel.status import StopReason
from gdcli.solve.iteration import RunResult
from gdcli.solve.settings import Limits, Rule, RunProgress

# Writing takes at most one part in so many of the time, however often it is asked for.
SHARE = 100
# Seconds between two looks at the clock, about, and the steps between them at most.
LOOK, _LONGEST = 0.001, 1024
# To have a snapshot at hand, not written yet, takes at most one part in so many.
AT_HAND = 400


class Store(Protocol):
    """Where snapshots and results of runs are kept, by the number of the run (from 0)."""

    def load(self, number: int, objective: Any) -> Any:
        """Return what was kept of a run on ``objective``: a snapshot, a `RunResult`, or None."""

    def save(self, number: int, kept: Any, objective: Any) -> None:
        """Keep a snapshot in the place of what was kept of this run before."""

    def put(self, number: int, kept: Any, objective: Any) -> None:
        """Keep a snapshot or result, but only when anything else is: until then the last one will do."""

    def write(self) -> None:
        """Keep what was put."""


class Checkpointer(Rule):
    """Keeps the runs of one process in ``store``, about every ``every`` seconds; without a store it only listens.

    ``asked`` is set, by whoever wants the run to end after the present step, to the reason for that; ``listening``
    tells whether there is a run that will look at it. ``unfinished`` tells whether one of the runs may go on.
    """

    def __init__(
        self, store: Store | None = None, every: float = inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.asked: StopReason | None = None
        self.listening = self.unfinished = False
        self._store, self._every, self._clock = store, every, clock
        self._number = -1
        self._due = self._fresh = inf
        self._at_hand = False  # something was put and not written
        self._stride, self._wait, self._looked = 1, 0, -inf
        self._objective: Any = None
        self._snapshot: Callable[[], Any] | None = None

    @property
    def reason(self) -> StopReason:  # type: ignore[override]
        return self.asked or StopReason.INTERRUPTED

    def __call__(self, progress: RunProgress) -> bool:
        """Tell whether the run is to end here; keep it when the time has come."""
        return self.is_asked()

    def within(self, limits: Limits) -> Limits:
        return limits

    def steps_left(self, progress: RunProgress) -> float:
        return 0 if self(progress) else inf

    def is_asked(self) -> bool:
        """Tell the same within a step, at a place where it can be gone on with."""
        if self.asked is not None:
            return True
        if self._store is not None:
            self._wait -= 1
            if self._wait <= 0:
                self._look()
        return False

    def _look(self) -> None:
        """Keep the run if it is time; of short steps many are let pass before the next look at the clock."""
        now = self._clock()
        if now >= self._due:
            self.save()
        elif now >= self._fresh:
            self._put(now)
        if now - self._looked > LOOK or not self._every:
            self._stride = max(1, self._stride // 2)
        elif self._stride < _LONGEST:
            self._stride *= 2
        self._wait, self._looked = self._stride, now

    def _put(self, began: float) -> None:
        """Have a snapshot at hand: a step that is broken off leaves a state that nobody can go on from."""
        if self._store is not None and self._snapshot is not None:
            self._store.put(self._number, self._snapshot(), self._objective)
            self._at_hand = True
            ended = self._clock()
            self._fresh = ended + (AT_HAND - 1) * (ended - began)

    def next(self, objective: object) -> Any:
        """Return what was kept of the next run, which is on ``objective``; None for one that is to begin."""
        self._number += 1
        self._objective = objective
        return None if self._store is None else self._store.load(self._number, objective)

    def begin(self, snapshot: Callable[[], Any]) -> None:
        """From now on the run listens, and ``snapshot`` makes what is to be kept of it."""
        self._snapshot = snapshot
        self.listening = True
        if self._store is not None:
            self._due = self._clock() + self._every
            self._fresh = self._clock()

    def save(self) -> None:
        if self._store is None or self._snapshot is None:
            return
        began = self._clock()
        self._store.save(self._number, self._snapshot(), self._objective)
        ended = self._clock()
        self._at_hand = False
        self._due = ended + max(self._every, (SHARE - 1) * (ended - began))

    def end(self, result: RunResult | None) -> None:
        """The run is over: keep its result, or where it may go on (None) how it stands now."""
        self.listening = False
        self._due = inf
        if result is None:
            self.unfinished = True
            self.save()
        elif self._store is not None:
            self._store.put(self._number, result, self._objective)
            self._at_hand = False
        self._over()

    def break_off(self) -> None:
        """The run is over, and does not stand between two steps: keep the snapshot that is at hand."""
        self.unfinished = True
        self._over()

    def keep_no_more(self) -> None:
        """Let the runs that follow be made anew each time; it goes on to listen."""
        self._store = None

    def _over(self) -> None:
        self.listening = False
        if self._store is not None and self._at_hand:
            self._store.write()
        self._due = self._fresh = inf
        self._at_hand = False
        self._snapshot = None
