"""What a run may spend: evaluations, seconds, memory; and the one place that says when it is too much.

A command, or a call of the public functions, opens a budget with `limited`. Whoever does a piece of work asks it on the
way: every evaluation of an objective when it is counted, every block of rows when it is read. What is asked once too
often raises `Spent`, which like an interrupt ends a search with its best point. So a cap holds within a step and within
an epoch, and no method needs to know of it.

The search has to be over in time. What comes before and after it (reading, the certificate) may take a tenth more, at
least half a second; where it takes longer, the evidence is left out.

Memory is the resident set of the process, as the system counts it: what is really in use, the program itself included.
It is looked at every hundredth of a second; `require` refuses beforehand what cannot fit. The system's own limits (of
addresses or data) are no help: libraries that are refused memory end the process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import cache
from math import inf
from typing import Protocol, TypeVar

from gdcli.kernel.errors import LimitError, Span, UsageError

T = TypeVar("T")
U = TypeVar("U")

EVALUATIONS, TIME, MEMORY = "max-evaluations", "max-time", "max-memory"
# No cap, but it ends a run as one does: nobody is left who computes.
CLUSTER = "cluster-lost"
# What may be taken beyond the time of the search, as a part of it and in seconds.
LATE, LEAST_LATE = 0.1, 0.5
_LOOK = 0.01  # seconds between two looks at the memory


class Spent(BaseException):
    """A cap is reached; ``reason`` is its word. Like KeyboardInterrupt it passes every ``except Exception``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Capped(Protocol):
    """What has the three caps, None for none; `gdcli.solve.settings.Settings` does."""

    @property
    def max_evaluations(self) -> int | None: ...
    @property
    def max_time(self) -> float | None: ...
    @property
    def max_memory(self) -> int | None: ...


class Budget:
    """What may be spent from now on: ``most`` evaluations in a search, ``seconds``, ``memory`` bytes."""

    def __init__(
        self,
        most: int | None = None,
        seconds: float | None = None,
        memory: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.most = most or inf
        self.clock = clock
        self.began = clock()
        self.seconds = seconds or inf
        self.memory = memory or inf
        self.reserve = 0.0
        self.used = 0
        self.searching = False
        self._looked = -inf

    @property
    def left(self) -> float:
        """The seconds that are left for searching; inf without a cap."""
        return self.began + self.seconds - self.clock()

    def spend(self, evaluations: int) -> None:
        """Take notice of evaluations that are about to be made. Raises Spent where they are too many."""
        if self.searching:
            if self.used + evaluations > self.most:
                raise Spent(EVALUATIONS)
            self.used += evaluations
        self.check()

    def spent(self, evaluations: int) -> str | None:
        """Return the word of the cap that a search of so many evaluations has come to, None where it may go on."""
        if evaluations >= self.most:
            return EVALUATIONS
        return TIME if self.seconds < inf and self.left <= 0.0 else None

    def check(self) -> None:
        """Raise Spent where the time is over or the memory full."""
        now = self.clock()
        allowed = self.seconds if self.searching else self.seconds + max(LEAST_LATE, LATE * self.seconds)
        if now - self.began >= allowed:
            raise Spent(TIME)
        if self.memory < inf and now - self._looked >= _LOOK:
            self._looked = now
            if resident() + self.reserve > self.memory:
                raise Spent(MEMORY)


_CURRENT: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget | None:
    return _CURRENT.get()


def check() -> None:
    """Raise Spent where the time of the open budget is over or its memory full."""
    budget = _CURRENT.get()
    if budget is not None:
        budget.check()


def limited(asked: Capped) -> AbstractContextManager[object]:
    """Open a budget, unless nothing is capped.

    Within another budget the time and the memory are those of the outer one; evaluations are counted anew. Spent that
    comes out of it, where there is no answer yet, is raised as LimitError.
    """
    if not (asked.max_evaluations or asked.max_time or asked.max_memory):
        return nullcontext()
    return _limited(asked)


@contextmanager
def _limited(asked: Capped) -> Iterator[None]:
    outer = _CURRENT.get()
    budget = Budget(asked.max_evaluations, asked.max_time, asked.max_memory)
    if outer is not None:
        budget.began, budget.seconds, budget.memory = outer.began, outer.seconds, outer.memory
    elif asked.max_memory:
        _check_memory(asked.max_memory)
    try:
        with opened(budget):
            yield
    except Spent as spent:
        if outer is not None:
            raise
        raise no_answer(spent.reason) from None


@contextmanager
def opened(budget: Budget | None) -> Iterator[None]:
    """Have this budget asked, None for no cap."""
    mark = _CURRENT.set(budget)
    try:
        yield
    finally:
        _CURRENT.reset(mark)


@contextmanager
def searching(evaluations: int, seconds: float = 0.0) -> Iterator[None]:
    """From here on evaluations are capped, and the time is that of the search; so much of both is spent already, of the
    time beside what has passed since the budget was opened.
    """
    budget = _CURRENT.get()
    if budget is None:
        yield
        return
    before = budget.searching, budget.used, budget.began
    budget.searching, budget.used, budget.began = True, evaluations, budget.began - seconds
    try:
        yield
    finally:
        budget.searching, budget.used, budget.began = before


@contextmanager
def searched() -> Iterator[None]:
    """From here on the search is over: evaluations are not capped, and the time is that of what comes after it."""
    budget = _CURRENT.get()
    before = budget is not None and budget.searching
    if budget is not None:
        budget.searching = False
    try:
        yield
    finally:
        if budget is not None:
            budget.searching = before


def part(share: float) -> AbstractContextManager[None]:
    """What happens here may take this share of the time that is left."""
    outer = _CURRENT.get()
    if outer is None or outer.seconds == inf:
        return nullcontext()
    budget = Budget(None, outer.seconds - (1.0 - share) * max(0.0, outer.left), None, outer.clock)
    budget.began, budget.memory, budget.searching = outer.began, outer.memory, True
    return opened(budget)


def if_in_time(make: Callable[[], T], otherwise: U) -> T | U:
    """Return what ``make`` returns, ``otherwise`` where the time or the memory does not suffice for it."""
    try:
        return make()
    except (Spent, MemoryError):
        return otherwise


RESTART = "start workers, and try again"


def lack(stop: BaseException) -> str:
    if isinstance(stop, Spent) and stop.reason == CLUSTER:
        return "the cluster was lost"
    return "the time or the memory allowed did not suffice for one"


def no_answer(reason: str) -> LimitError:
    """Return the error for a cap that was reached before there was anything to answer."""
    if reason == TIME:
        return LimitError("the time allowed ran out before there was an answer", "allow more with --max-time")
    if reason == MEMORY:
        return LimitError(
            "the memory allowed was used up before there was an answer", "allow more with --max-memory"
        )
    if reason == CLUSTER:
        return LimitError("the cluster was lost before all was answered: no worker is there", RESTART)
    return LimitError(
        "the evaluations allowed were used up before there was an answer", "allow more with --max-evaluations"
    )


# -- memory ----------------------------------------------------------------------------------------------------------


def size_text(size: float) -> str:
    """Return a number of bytes in words: 1.5 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


def require(size: float, what: str, span: Span | None = None) -> None:
    """Raise LimitError where ``size`` bytes more are certain to be beyond the cap; ``what`` takes them."""
    budget = _CURRENT.get()
    if budget is None or size + resident() <= budget.memory:
        return
    raise LimitError(
        f"{what} takes {size_text(size)}, and --max-memory allows {size_text(budget.memory)} in all",
        "allow more with --max-memory",
        span,
    )


def make_room(size: float) -> None:
    """Raise Spent where ``size`` bytes more are certain to be beyond the cap: a search ends with its best point."""
    budget = _CURRENT.get()
    if budget is not None and budget.memory < inf and size + resident() > budget.memory:
        raise Spent(MEMORY)


def keep_free(size: float) -> None:
    """Stop a search already where less than ``size`` bytes are left: a step takes some before it asks again."""
    budget = _CURRENT.get()
    if budget is not None:
        budget.reserve = size


def memory_left() -> float:
    """Return the bytes that are left of the cap, inf without one."""
    budget = _CURRENT.get()
    return inf if budget is None or budget.memory == inf else max(0.0, budget.memory - resident())


@cache
def keep_freed() -> None:
    """Have glibc keep what is freed for what is allocated next, as it does by itself where nothing else is set.

    Dask has its workers give all back (MALLOC_TRIM_THRESHOLD_): each array of 128 KiB is a call of the system then, and
    new pages, which take several times as long as what is computed.
    """
    import ctypes

    trim, mmap, largest = (
        -1,
        -3,
        32 << 20,
    )  # two parameters of mallopt, and the most that glibc comes to by itself
    with suppress(OSError, AttributeError):  # another allocator
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim, 2 * largest)
        mallopt(mmap, largest)


def resident() -> int:
    """Return the bytes of memory that this process has in use; its most so far where only that is known."""
    return _resident_pages() if sys.platform == "linux" else _most_resident()


def _resident_pages() -> int:
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read(200).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _most_resident()


def _most_resident() -> int:
    try:
        import resource
    except ImportError:  # no such system: nothing is known, and nothing refused
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _check_memory(size: int) -> None:
    used = resident()
    if size <= used:
        raise UsageError(
            f"--max-memory allows {size_text(size)}, and gd alone has {size_text(used)} in use",
            "for example --max-memory 500MB",
        )
