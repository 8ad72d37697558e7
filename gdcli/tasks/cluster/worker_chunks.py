"""Items spread over the workers of a cluster: in chunks out, answers back, without piling up.

A chunk is as many items as take a worker about `CHUNK_SECONDS`, one at first. For each thread of a worker two chunks
are out at most. What a worker had when it was lost goes to another; the answer of an item that ends several workers is
`LOST`.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from itertools import islice
from threading import get_ident
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import GdError, LimitError
from gdcli.objective.row_model import each_here
from gdcli.tasks.cluster.connection import checked_threads, connected, heard, patience, threads_of

if TYPE_CHECKING:
    from distributed import Client, Future

CHUNK_SECONDS = 0.25
LARGEST_CHUNK = 1024
# Items beyond the first unanswered one that are out, or answered already, at most.
AHEAD = 1024
LOST = object()
# Chunks that are out for each thread of a worker, so that it need not wait for the next one.
_OUT = 2
# Seconds between two looks at other things, where nothing comes back.
_LOOK = 0.05


class _Done(NamedTuple):
    seconds: float
    answers: Sequence[Any]


class Call(NamedTuple):
    """A call that is made where its pickle is read: a scheduler passes the bytes on, and needs no gd."""

    function: Callable[..., object]
    args: tuple[object, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.args


def loaded(sent: bytes) -> Any:
    """Return what was pickled, with what was made of it in this thread before."""
    return _loaded(sent, get_ident())


@lru_cache(maxsize=64)
def _loaded(sent: bytes, thread: int) -> Any:
    return pickle.loads(sent)


def _done(function: Callable[..., Sequence[Any]], items: Sequence[Any], args: tuple[Any, ...]) -> _Done:
    budget.keep_freed()
    began = perf_counter()
    answers = function(items, *args)
    return _Done(perf_counter() - began, answers)


class Chunks:
    """``function(items, *args)`` in the workers that ``client`` reaches; it returns an answer to each of the items.

    ``args`` makes the further arguments for some items when they go out. Raises UsageError for workers with another
    version of gd; Spent, as what it has does, where nobody is left who works.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[..., Sequence[Any]],
        args: Callable[[Sequence[Any]], tuple[Any, ...]],
    ) -> None:
        self._client, self._function, self._args = client, function, args
        self._seen = monotonic()  # when somebody was there last
        self._threads = checked_threads(client, self._seen)
        self._out: dict[Future, Sequence[Any]] = {}
        self._pace = 0.0  # seconds an item

    @property
    def is_idle(self) -> bool:
        return not self._out

    @property
    def has_room(self) -> bool:
        return len(self._out) < self._most

    @property
    def _most(self) -> int:
        return max(1, _OUT * self._threads)

    def size(self, pending: int) -> int:
        """Return how many of so many items that are there go into the next chunk."""
        size = max(1, min(LARGEST_CHUNK, int(CHUNK_SECONDS / self._pace))) if self._pace else 1
        return min(size, -(-pending // self._most))

    def submit(self, items: Sequence[Any]) -> None:
        call = pickle.dumps(Call(_done, (self._function, items, self._args(items))))
        with heard(self._client):
            self._out[self._client.submit(pickle.loads, call, pure=False)] = items

    def received(self) -> list[tuple[Any, Any]]:
        """Return items with the answers that have come, after a moment at the latest.

        Raises what a worker raises, LimitError for what is given up.
        """
        from distributed import wait

        found: list[tuple[Any, Any]] = []
        if not self._out:
            return found
        try:
            with heard(self._client), self._client.as_current():
                done = wait(list(self._out), timeout=_LOOK, return_when="FIRST_COMPLETED").done
            for future in done:
                found += self._answered(future, self._out[future])
                del self._out[future]
        except TimeoutError:  # none yet, or it was lost with the worker that had it, and is computed again
            if not threads_of(self._client):
                self._threads = checked_threads(self._client, self._seen)
        self._seen = monotonic()
        return found

    def _answered(self, future: Future, items: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
        from distributed.scheduler import KilledWorker

        try:
            with heard(self._client):
                done = future.result(timeout=patience())
        except (GdError, TimeoutError):
            raise
        except KilledWorker:
            if len(items) == 1:
                return [(items[0], LOST)]
            for item in items:
                self.submit([item])
            return []
        except Exception as fault:
            raise LimitError(f"the cluster gave a problem up: {fault}", budget.RESTART) from None
        pace = max(1e-6, done.seconds / len(items))
        self._pace = pace if not self._pace else 0.8 * self._pace + 0.2 * pace
        return zip(items, done.answers, strict=True)

    def in_order(self, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield all items with their answers, in their order; ``function`` gets them with their numbers, from 0.

        Raises as `received`, and Spent.
        """
        left = enumerate(items)
        pending, waiting = deque[Any](), deque[Any]()
        early: dict[int, Any] = {}
        while True:
            pending.extend(islice(left, AHEAD - len(waiting) - len(pending)))
            while pending and self.has_room:
                chunk = [pending.popleft() for _ in range(self.size(len(pending)))]
                waiting.extend(chunk)
                self.submit(chunk)
            if not waiting:
                return
            budget.check()
            early |= {number: answer for (number, _), answer in self.received()}
            while waiting and waiting[0][0] in early:
                number, item = waiting.popleft()
                yield item, early.pop(number)

    def cancel(self) -> None:
        if self._out:
            with suppress(Exception):  # the scheduler may be gone
                self._client.cancel(list(self._out), force=True)
            self._out = {}


@contextmanager
def chunks_on(
    address: str,
    function: Callable[..., Sequence[Any]],
    args: Callable[[Sequence[Any]], tuple[Any, ...]],
) -> Iterator[Chunks]:
    """Give the `Chunks` of the cluster at an address, of which nothing is left there at the end.

    Raises as `connection.connected`.
    """
    with connected(address) as client:
        chunks = Chunks(client, function, args)
        try:
            yield chunks
        finally:
            chunks.cancel()


def each_by(
    client: Client, function: Callable[..., Any], items: Iterable[Any], *args: object
) -> Iterator[Any]:
    """Yield ``function(item, *args)`` for each of the items, in their order, computed in the workers.

    Raises as `Chunks` does, and what the function raises.
    """
    sent = pickle.dumps((function, args))
    chunks = Chunks(client, _each, lambda items: (sent,))
    try:
        for _, answer in chunks.in_order(items):
            if answer is LOST:
                raise budget.Spent(budget.CLUSTER)
            yield answer
    finally:
        chunks.cancel()


def _each(numbered: Sequence[tuple[int, Any]], sent: bytes) -> list[Any]:
    function, args = loaded(sent)
    return [function(item, *args) for _, item in numbered]


@contextmanager
def each_on(address: str | None) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give what computes a function of each of some items, as `Parts.each`: here, or on the cluster at an address."""
    if address is None:
        yield each_here
        return
    with connected(address) as client:
        yield partial(each_by, client)
