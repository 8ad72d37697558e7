"""Workers for `gd run`: processes of this machine (``--jobs``), or those of a Dask cluster, in chunks.

Problems go out and answers come back, in order and without piling up. Each process has a pipe, and one process waits
for the input and for all pipes at once, so an answer is written as soon as it is there and all answers before it are.
Problems are handed out in small batches: as many as take a worker about `BATCH_SECONDS`, one at first. No more than
`AHEAD` problems are out beyond the first unanswered one, so a slow problem holds back the reading, not the memory. A
worker that dies takes one problem with it: that one's answer is an error, the others go to a new worker. On a cluster a
problem that ends several workers is answered by an error, alone.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from gdcli.cli.run_problems import Answer, ProblemLines, Solver, Tables, Task, lost, taken
from gdcli.render.verdicts import Shown
from gdcli.tasks.cluster.worker_chunks import AHEAD, LOST, Chunks, chunks_on

BATCH_SECONDS = 0.02
LARGEST_BATCH = 128
# Bytes of a batch that fit into a pipe while its worker is busy.
BATCH_BYTES = 32_768
_FLUSH = 0.01  # seconds after which a worker tells what it has done of a batch


def serve(pipe: Connection, others: Sequence[Connection], file: str, shown: Shown) -> None:
    """Solve what comes through ``pipe`` until it is closed; what a worker process runs."""
    for other in others:  # the copies of other workers' pipes, which would keep those open
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives
    solver = Solver(file, shown)
    with suppress(EOFError, OSError):
        while True:
            batch: list[Task] = pipe.recv()
            done: list[Answer] = []
            flushed = time.perf_counter()
            for task in batch:
                done.append(solver(task))
                now = time.perf_counter()
                if now - flushed > _FLUSH or len(done) == len(batch):
                    pipe.send((now - flushed, done))
                    batch, done, flushed = batch[len(done) :], [], now


class _Worker:
    def __init__(self, pipes: Sequence[Connection], file: str, shown: Shown) -> None:
        forks = sys.platform == "linux"
        context: Any = get_context("fork" if forks else "spawn")
        self.pipe, theirs = context.Pipe()
        others = [*pipes, self.pipe] if forks else []
        self.process = context.Process(target=serve, args=(theirs, others, file, shown), daemon=True)
        self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.batches = 0
        self.heard = -1e9  # when it last had an answer

    def is_quick(self, size: int) -> bool:
        """Tell whether a second batch may wait here for the first: not behind a problem that takes long."""
        recently = time.perf_counter() - self.heard < 2 * BATCH_SECONDS
        return recently and self.batches < 2 and len(self.tasks) <= size

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _ready(busy: Sequence[_Worker], source: Tables | ProblemLines) -> list[_Worker]:
    """Wait for the workers and, where problems may come, for the input, of which what is there is read."""
    room = not source.ended and len(source.pending) < AHEAD
    pipes: list[Any] = [worker.pipe for worker in busy]
    ready = wait([*pipes, source.fileno()] if room else pipes)
    if room and source.fileno() in ready:
        source.fill()
    return [worker for worker in busy if worker.pipe in ready]


class Workers:
    """``with Workers(jobs, file, shown) as workers: for answer in workers.answers(source, ordered): ...``."""

    def __init__(self, jobs: int, file: str, shown: Shown) -> None:
        self._jobs, self._file, self._shown = jobs, file, shown
        self._workers: list[_Worker] = []
        self._again: deque[Task] = deque()
        self._pace = 0.0  # seconds a problem

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *ended: object) -> None:
        for worker in self._workers:
            worker.end()

    def answers(self, source: Tables | ProblemLines, ordered: bool) -> Iterator[Answer]:
        """Yield the answers, in the order of the problems or as they come."""
        early: dict[int, Answer] = {}
        waiting: deque[int] = deque()  # numbers of problems that are out, in order
        while True:
            self._hand_out(source, waiting, AHEAD - len(waiting))
            busy = [worker for worker in self._workers if worker.tasks]
            if not busy and source.ended and not source.pending and not self._again:
                return
            for worker in _ready(busy, source):
                early |= {answer.number: answer for answer in self._received(worker)}
            yield from taken(early, waiting, ordered)

    def _received(self, worker: _Worker) -> list[Answer]:
        """Return what a worker says, or what its death leaves to be said."""
        try:
            seconds, answers = worker.pipe.recv()
        except (EOFError, OSError):
            worker.end()
            self._workers.remove(worker)
            task = worker.tasks.popleft()
            self._again.extend(worker.tasks)
            code = worker.process.exitcode
            how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
            return [lost(task, self._file, self._shown, f"the worker process ended {how}")]
        for _ in answers:
            worker.tasks.popleft()
        worker.heard = time.perf_counter()
        if not worker.tasks:
            worker.batches = 0
        pace = seconds / len(answers)
        self._pace = pace if not self._pace else 0.8 * self._pace + 0.2 * pace
        found: list[Answer] = answers
        return found

    def _hand_out(self, source: Tables | ProblemLines, waiting: deque[int], room: int) -> None:
        while (source.pending or self._again) and (room > 0 or self._again):
            if len(self._workers) < self._jobs and all(w.tasks for w in self._workers):
                pipes = [w.pipe for w in self._workers]
                self._workers.append(_Worker(pipes, self._file, self._shown))
            worker = min(self._workers, key=lambda w: len(w.tasks))
            size = max(1, min(LARGEST_BATCH, int(BATCH_SECONDS / self._pace))) if self._pace else 1
            if worker.tasks and not (self._pace <= BATCH_SECONDS and worker.is_quick(size)):
                return
            batch = self._batch(source, waiting, min(size, max(room, 1)), not worker.tasks)
            if not batch:
                return
            room -= len(batch)
            worker.tasks.extend(batch)
            worker.batches += 1
            with suppress(OSError):  # a worker that died is found out when its pipe is read
                worker.pipe.send(batch)

    def _batch(self, source: Tables | ProblemLines, waiting: deque[int], size: int, idle: bool) -> list[Task]:
        """Take problems that fit into one batch; a large one goes alone, to an ``idle`` worker."""
        batch: list[Task] = []
        held = 0
        while len(batch) < size and (self._again or source.pending):
            queue = self._again or source.pending
            problem = queue[0].problem
            held += len(problem) if isinstance(problem, bytes) else 1000
            if held > BATCH_BYTES and (batch or not idle):
                break
            task = queue.popleft()
            if queue is not self._again:
                waiting.append(task.number)
            batch.append(task)
        return batch


# -- a cluster --------------------------------------------------------------------------------------------------------


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
