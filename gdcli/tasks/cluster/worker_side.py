"""What runs in the worker processes of a cluster: partitions read once and kept, questions answered over them.

A worker is told what it does not know yet, and forgets nothing that would have to be right: partitions that it does not
hold are read again. What nobody has asked about for long is dropped, for whoever asked may be gone.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gdcli.kernel.budget import keep_freed
from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.errors import GdError, internal
from gdcli.objective.row_model import Ask, Merge, Node, RowModel, merged
from gdcli.objective.row_objective import RowObjective
from gdcli.table.blocks import Columns
from gdcli.table.partitions import Asked, Partition, Read, place_in, read_partition

# Seconds after which a job that nobody asks about is dropped.
_LEASE = 1800.0
# The part of the memory allowed to a worker that may have columns, and the bytes of them where none is set.
_SHARE, _UNSET = 0.5, 1 << 30


class Question(NamedTuple):
    """``ask`` of the model with this ``token``, and ``merge`` for the answers; see `objective.row_model.Parts`."""

    token: str
    ask: Ask
    merge: Merge
    args: tuple[object, ...]


class Told(NamedTuple):
    """What a worker has to know: what is read of partitions, these by number, models (pickled) by token."""

    asked: Asked
    partitions: Mapping[int, Partition]
    models: Mapping[str, bytes]


class Fault(NamedTuple):
    """What was wrong with a partition."""

    number: int
    error: GdError


class Answer(NamedTuple):
    """What a worker says of its share: nodes of the tree of answers, what it has read, the first fault.

    ``seconds`` is the time that its processor took. ``is_told`` is False where it must be told more first.
    """

    nodes: Mapping[Node, Any] = {}
    read: Mapping[int, Read] = {}
    fault: Fault | None = None
    seconds: float = 0.0
    is_told: bool = True


@dataclass(slots=True)
class _Job:
    """What a worker knows of one fit."""

    asked: Asked
    partitions: dict[int, Partition] = field(default_factory=dict)
    models: dict[str, bytes] = field(default_factory=dict)
    rows_of: dict[tuple[int, str], RowModel] = field(default_factory=dict)
    held: dict[int, Columns] = field(default_factory=dict)
    used: float = 0.0
    bytes: int = 0
    rows: int = 0
    stops: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def model(self, slot: int, token: str) -> RowModel:
        """Return a model for one thread: programs are not shared."""
        if (slot, token) not in self.rows_of:
            self.rows_of[slot, token] = pickle.loads(self.models[token])
        return self.rows_of[slot, token]

    def close(self) -> None:
        self.stops += 1
        for columns in self.held.values():
            columns.close()


_JOBS: dict[str, _Job] = {}


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the process that started this one; called by Dask in the workers of ``local:N``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def work(
    job: str,
    share: Sequence[int],
    count: int,
    question: Question | None,
    told: Told | None = None,
    dask_worker: Any = None,
) -> Answer:
    """Answer a question over a share of ``count`` partitions, by number; without one, read them."""
    _drop_old()
    keep_freed()
    known = _JOBS.get(job)
    if told is not None:
        known = _JOBS.setdefault(job, _Job(told.asked))
        known.partitions.update(told.partitions)
        known.models.update(told.models)
    if known is None or not set(share) <= set(known.partitions):
        return Answer(is_told=False)
    if question is not None and question.token not in known.models:
        return Answer(is_told=False)
    limit = getattr(getattr(dask_worker, "memory_manager", None), "memory_limit", None)
    memory = int(limit * _SHARE) if limit else _UNSET
    threads = max(1, min(len(share), dask_worker.state.nthreads if dask_worker else 1))
    ends = [len(share) * k // threads for k in range(threads + 1)]
    stops, loop = known.stops, asyncio.get_running_loop()
    async with known.turn:
        known.used = time.monotonic()
        with ThreadPoolExecutor(threads, "gd") as pool:
            parts = []
            for slot in range(threads):
                part = share[ends[slot] : ends[slot + 1]]
                parts.append(
                    loop.run_in_executor(pool, _answered, known, (slot, stops, memory), part, question)
                )
            answers = await asyncio.gather(*parts)
    return _joined(answers, count, question)


def _answered(
    job: _Job, how: tuple[int, int, int], share: Sequence[int], question: Question | None
) -> Answer:
    """``how`` are the number of the thread, how often the job was stopped before it, and the memory for columns."""
    from gdcli.compile.machine_code import most_processors

    slot, stops, memory = how
    most_processors.set(1)
    nodes: dict[Node, Any] = {}
    read: dict[int, Read] = {}
    began = time.thread_time()
    for number in share:
        if job.stops > stops:
            break
        try:
            columns = job.held.get(number)
            if columns is None:
                columns, read[number] = _read(job, number, memory)
            if question is not None:
                row = job.model(slot, question.token)
                answer = question.ask(RowObjective(row, columns), *question.args) if columns.rows else None
                nodes[0, number] = answer
        except Exception as fault:
            error = fault if isinstance(fault, GdError) else internal(fault)
            return Answer(nodes, read, Fault(number, error))
    return Answer(nodes, read, None, time.thread_time() - began)


def _read(job: _Job, number: int, memory: int) -> tuple[Columns, Read]:
    portion = read_partition(job.partitions[number], job.asked, max(0, memory - job.bytes))
    columns = portion.columns
    with job.lock:
        job.held[number] = columns
        job.rows += columns.rows
        job.bytes += 8 * columns.rows * len(columns.names) if columns.in_memory else 0
    return columns, portion.read


def _joined(answers: Iterable[Answer], count: int, question: Question | None) -> Answer:
    nodes: dict[Node, Any] = {}
    read: dict[int, Read] = {}
    faults, seconds = list[Fault](), 0.0
    for answer in answers:
        nodes |= answer.nodes
        read |= answer.read
        faults += [answer.fault] if answer.fault else []
        seconds += answer.seconds
    if question is not None and not faults:
        nodes = merged(nodes, count, question.merge)
    first = min(faults, key=lambda fault: fault.number, default=None)
    return Answer(nodes, read, first, seconds)


def rows_of(job: str, number: int, start: int, stop: int) -> list[Any]:
    return [column.copy() for column in _JOBS[job].held[number].take(start, stop)]


def place_of(job: str, number: int, row: int) -> str:
    known = _JOBS[job]
    return place_in(known.partitions[number], known.asked, row)


def done(job: str) -> tuple[int, int]:
    """Return how many partitions are read here, and how many rows they have."""
    known = _JOBS.get(job)
    return (len(known.held), known.rows) if known is not None else (0, 0)


def stop(job: str) -> None:
    """End what is going on, after the partition that it is at."""
    if job in _JOBS:
        _JOBS[job].stops += 1


def forget(job: str) -> None:
    if job in _JOBS:
        _JOBS.pop(job).close()


def _drop_old() -> None:
    now = time.monotonic()
    for name in [name for name, job in _JOBS.items() if job.used and now - job.used > _LEASE]:
        forget(name)


def has_machine_code() -> bool:
    from gdcli.compile import machine_code

    return machine_code.is_installed() and machine_code.is_available()
