"""The problems of `gd run` on a Dask cluster, in chunks: no more than `AHEAD` are read beyond the first unanswered one.

A problem that ends several workers is answered by an error, alone.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from gdcli.cli.run_input import ProblemLines, Tables
from gdcli.cli.run_solver import Answer, Solver, Task, lost, taken
from gdcli.render.verdicts import Shown
from gdcli.tasks.cluster.worker_chunks import AHEAD, LOST, Chunks, chunks_on

_solvers = cache(Solver)


def solve_chunk(tasks: list[Task], file: str, shown: Shown) -> list[Answer]:
    """Solve problems one after the other; what runs in a worker."""
    solver = _solvers(file, shown)
    return [solver(task) for task in tasks]


@contextmanager
def workers_on(address: str, file: str, shown: Shown) -> Iterator[ClusterWorkers]:
    """``with workers_on(...) as workers: for answer in workers.answers(source, ordered): ...``.

    Raises UsageError for an address where there is no cluster, and for workers with another version of gd.
    """
    with chunks_on(address, solve_chunk, lambda tasks: (file, shown)) as chunks:
        yield ClusterWorkers(chunks, file, shown)


class ClusterWorkers:
    def __init__(self, chunks: Chunks, file: str, shown: Shown) -> None:
        self._chunks, self._file, self._shown = chunks, file, shown

    def answers(self, source: Tables | ProblemLines, ordered: bool) -> Iterator[Answer]:
        """Yield the answers, in the order of the problems or as they come."""
        early: dict[int, Answer] = {}
        waiting: deque[int] = deque()  # numbers of problems that are out, in order
        while True:
            self._read(source)
            self._hand_out(source, waiting)
            if self._chunks.is_idle and source.ended and not source.pending:
                return
            early |= {answer.number: answer for answer in self._received()}
            yield from taken(early, waiting, ordered)

    def _read(self, source: Tables | ProblemLines) -> None:
        """Read what is there; where nothing is out, wait for it."""
        while not source.ended and len(source.pending) < AHEAD:
            patience = None if self._chunks.is_idle and not source.pending else 0.0
            if not select.select([source.fileno()], [], [], patience)[0]:
                return
            source.fill()

    def _hand_out(self, source: Tables | ProblemLines, waiting: deque[int]) -> None:
        while self._chunks.has_room and source.pending and len(waiting) < AHEAD:
            size = min(self._chunks.size(len(source.pending)), AHEAD - len(waiting))
            chunk = [source.pending.popleft() for _ in range(size)]
            waiting.extend(task.number for task in chunk)
            self._chunks.submit(chunk)

    def _received(self) -> list[Answer]:
        why = "several workers ended while they solved it"
        return [
            lost(task, self._file, self._shown, why) if answer is LOST else answer
            for task, answer in self._chunks.received()
        ]
