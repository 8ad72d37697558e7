"""The problems of `gd run` on a Dask cluster: in chunks out, answers back, in order and without piling up.

A chunk is as many problems as take a worker about `CHUNK_SECONDS`, one at first. For each thread of a worker two chunks
are out at most, and no more than `AHEAD` problems are read beyond the first unanswered one. What a worker had when it
was lost goes to another; a problem that ends several workers is answered by an error, alone.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from gdcli.cli.run_input import ProblemLines, Tables
from gdcli.cli.run_jobs import AHEAD
from gdcli.cli.run_solver import Answer, Solver, Task, lost
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import LimitError
from gdcli.render.verdicts import Shown

if TYPE_CHECKING:
    from distributed import Client, Future

CHUNK_SECONDS = 0.25
LARGEST_CHUNK = 1024
# Chunks that are out for each thread of a worker, so that it need not wait for the next one.
_OUT = 2
# Seconds between two looks at the input, where nothing comes back.
_LOOK = 0.05


class _Done(NamedTuple):
    seconds: float
    answers: list[Answer]


def solve_chunk(tasks: list[Task], file: str, shown: Shown) -> _Done:
    """Solve problems one after the other; what runs in a worker."""
    from time import perf_counter

    began, solver = perf_counter(), _solver(file, shown)
    return _Done(0.0, [solver(task) for task in tasks])._replace(seconds=perf_counter() - began)


@cache
def _solver(file: str, shown: Shown) -> Solver:
    return Solver(file, shown)


class ClusterWorkers:
    """``with ClusterWorkers(address, file, shown) as workers: for answer in workers.answers(source, ordered): ...``.

    Raises UsageError for an address where there is no cluster, and for workers with another version of gd.
    """

    def __init__(self, address: str, file: str, shown: Shown) -> None:
        self._address, self._file, self._shown = address, file, shown
        self._stack = ExitStack()
        self._out: dict[Future, list[Task]] = {}
        self._again: deque[list[Task]] = deque()
        self._pace = 0.0  # seconds a problem

    def __enter__(self) -> ClusterWorkers:
        from gdcli.tasks.cluster.address import connected
        from gdcli.tasks.cluster.versions import checked_threads

        self._client: Client = self._stack.enter_context(connected(self._address))
        self._threads = checked_threads(self._client)
        return self

    def __exit__(self, *ended: Any) -> None:
        if self._out:
            self._client.cancel(list(self._out), force=True)
        self._stack.__exit__(*ended)

    def answers(self, source: Tables | ProblemLines, ordered: bool) -> Iterator[Answer]:
        """Yield the answers, in the order of the problems or as they come."""
        early: dict[int, Answer] = {}
        waiting: deque[int] = deque()  # numbers of problems that are out, in order
        while True:
            self._read(source)
            self._hand_out(source, waiting)
            if not self._out and source.ended and not source.pending:
                return
            early |= {answer.number: answer for answer in self._received()}
            if not ordered:
                for number in early:
                    waiting.remove(number)
                yield from early.values()
                early = {}
            while ordered and waiting and waiting[0] in early:
                yield early.pop(waiting.popleft())

    def _read(self, source: Tables | ProblemLines) -> None:
        """Read what is there; where nothing is out, wait for it."""
        while not source.ended and len(source.pending) < AHEAD:
            patience = None if not (self._out or source.pending) else 0.0
            if not select.select([source.fileno()], [], [], patience)[0]:
                return
            source.fill()

    def _hand_out(self, source: Tables | ProblemLines, waiting: deque[int]) -> None:
        room = max(1, _OUT * self._threads)
        while len(self._out) < room and (self._again or (source.pending and len(waiting) < AHEAD)):
            if self._again:
                self._submit(self._again.popleft())
                continue
            size = max(1, min(LARGEST_CHUNK, int(CHUNK_SECONDS / self._pace))) if self._pace else 1
            size = min(size, -(-len(source.pending) // room), AHEAD - len(waiting))
            chunk = [source.pending.popleft() for _ in range(size)]
            waiting.extend(task.number for task in chunk)
            self._submit(chunk)

    def _submit(self, chunk: list[Task]) -> None:
        self._out[self._client.submit(solve_chunk, chunk, self._file, self._shown, pure=False)] = chunk

    def _received(self) -> list[Answer]:
        """Return the answers that have come, after a moment at the latest.

        Raises LimitError where no worker is left.
        """
        from distributed import TimeoutError, wait
        from distributed.scheduler import KilledWorker

        from gdcli.tasks.cluster.versions import checked_threads

        if not self._out:
            return []
        try:
            with self._client.as_current():
                done = wait(list(self._out), timeout=_LOOK, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            if not self._client.nthreads():
                self._threads = checked_threads(self._client)
            return []
        found: list[Answer] = []
        for future in done:
            chunk = self._out.pop(future)
            fault = future.exception()
            if fault is None:
                found += self._of(future.result())
            elif isinstance(fault, KilledWorker) and len(chunk) > 1:
                self._again.extend([task] for task in chunk)
            elif isinstance(fault, KilledWorker):
                found.append(
                    lost(chunk[0], self._file, self._shown, "several workers ended while they solved it")
                )
            else:
                raise LimitError(f"the cluster gave a problem up: {fault}", "start workers, and try again")
        return found

    def _of(self, done: _Done) -> list[Answer]:
        pace = max(1e-6, done.seconds / len(done.answers))
        self._pace = pace if not self._pace else 0.8 * self._pace + 0.2 * pace
        return done.answers
