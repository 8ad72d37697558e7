"""The workers of a cluster as those who hold partitions: who has which, what they are asked, what is lost with them.

Every step is one call to each worker: the parameters go there, and the merged answer of its partitions comes back.
A worker that is lost costs what it had not answered: its partitions go to those that are left, who read them again.
"""

from __future__ import annotations

import asyncio
import pickle
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gdcli.kernel.budget import check
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError
from gdcli.kernel.number_format import amount
from gdcli.objective.row_model import Ask, Merge, Node, RowModel, merged
from gdcli.table.partitions import Asked, NotSeenError, Partition, Read
from gdcli.table.streams import is_url
from gdcli.tasks.cluster import worker_side
from gdcli.tasks.cluster.connection import VERSION, awaited, check_versions, heard, threads_of
from gdcli.tasks.cluster.worker_chunks import each_by
from gdcli.tasks.cluster.worker_side import Answer, Fault, Question, Told

if TYPE_CHECKING:
    from distributed import Client

# Seconds between two looks at who is there, while something is awaited and otherwise.
_LOOK, _LOOK_AGAIN = 0.5, 5.0
# Seconds given to what can be done without.
_SOON = 3.0


class WorkerPool:
    """The workers that ``client`` reaches. Fulfils `partitioned_rows.Holders`.

    ``watch`` is called from time to time while partitions are read. Raises UsageError for workers that cannot take
    part, DataError for data that are at fault; Spent as `awaited`.
    """

    def __init__(
        self,
        client: Client,
        partitions: Sequence[Partition],
        asked: Asked,
        watch: Callable[[WorkerPool], None] | None = None,
    ) -> None:
        self._client, self._partitions, self._asked, self._watch = client, partitions, asked, watch
        self._job = uuid.uuid4().hex
        self._threads: dict[str, int] = {}  # of the workers that take part, by address
        self._native: dict[str, bool] = {}
        self._home: dict[int, str] = {}
        self._told: dict[str, set[int | str]] = {}  # the partitions and models that a worker knows of
        self._models: dict[tuple[object, ...], tuple[str, RowModel]] = {}
        self._looked = -_LOOK_AGAIN
        self._seen = time.monotonic()  # when somebody was there last
        self.partitions_done = self.rows = 0
        self.read: list[Read] = []
        awaited(self._client, self._present, self._seen)
        found: dict[int, Read] = {}
        self._ask(None, found)
        self.read = [found[k] for k in range(len(partitions))]

    @property
    def progress(self) -> tuple[int, int]:
        """How many partitions are read so far, and how many there are."""
        return self.partitions_done, self.count

    @property
    def state(self) -> str:
        return f"{self.partitions_done} of {self.count} partitions, {amount(len(self._threads), 'worker')}"

    @property
    def count(self) -> int:
        return len(self._partitions)

    # -- what is asked -------------------------------------------------------------------------------------

    def over(self, row: RowModel, ask: Ask, merge: Merge, args: tuple[object, ...]) -> Any:
        token, _ = self._model(row)
        nodes = self._ask(Question(token, ask, merge, args), {})
        (answer,) = merged(nodes, self.count, merge).values()
        return answer

    def each(self, function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]:
        return each_by(self._client, function, items, *args)

    def take(self, number: int, start: int, stop: int) -> list[Any]:
        return list(self._of_one(number, worker_side.rows_of, start, stop))

    def place(self, number: int, row: int) -> str:
        return str(self._of_one(number, worker_side.place_of, row))

    def close(self) -> None:
        self._tell(worker_side.forget)

    def _tell(self, what: Callable[[str], None]) -> None:
        async def told() -> None:
            call = self._client.run(what, self._job, workers=list(self._threads), on_error="ignore")
            await asyncio.wait_for(call, _SOON)

        with suppress(Exception):
            self._client.sync(told)

    def _of_one(self, number: int, ask: Ask, *args: object) -> Any:
        while True:
            self._ask(None, {}, [number])  # whoever holds it now
            home = self._home[number]
            found = self._call({home: (ask, self._job, number, *args)})[home]
            if isinstance(found, Exception):
                raise found
            if found is not None:
                return found
            self._lose(home)

    def _model(self, row: RowModel) -> tuple[str, RowModel]:
        """Return the name under which workers know a model."""
        if row.engine == "native" and not all(self._native.values()):
            row = replace(row, engine="numpy")
        nodes = row.loss, row.residual, row.deviation, row.predictor, row.fitted, row.response, row.weight
        key = (id(row.graph), row.engine, *nodes)
        if key not in self._models:
            self._models[key] = str(len(self._models)), row
        return self._models[key]

    def _ask(
        self, question: Question | None, read: dict[int, Read], share: Sequence[int] | None = None
    ) -> dict[Node, Any]:
        """Ask until every partition of a share has its answer, whoever is lost meanwhile."""
        if time.monotonic() - self._looked > _LOOK_AGAIN:
            self._present()
        left = set(range(self.count) if share is None else share)
        nodes: dict[Node, Any] = {}
        while left:
            check()
            if not self._threads:
                awaited(self._client, self._present, self._seen)
            shares, work = self._shares(left), (worker_side.work, self._job)
            requests = {
                worker: (*work, share, self.count, question, self._to_tell(worker, share, question))
                for worker, share in shares.items()
            }
            try:
                answers = self._call(requests, question is None)
            except BaseException:
                self._tell(worker_side.stop)
                raise
            for worker, answer in self._sound(answers).items():
                nodes |= answer.nodes
                read |= answer.read
                left -= set(shares[worker])
        return nodes

    def _sound(self, answers: Mapping[str, Any]) -> dict[str, Answer]:
        """Return what was answered; who is lost, or has to be told more, is asked again. Raises the first fault."""
        found: dict[str, Answer] = {}
        faults: list[Fault] = []
        for worker, answer in answers.items():
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                self._lose(worker)
            elif answer.fault is not None:
                faults.append(self._named(answer.fault, worker))
            elif answer.is_told:
                found[worker] = answer
            else:
                self._told.pop(worker, None)
        if faults:
            raise min(faults, key=lambda fault: fault.number).error
        return found

    def _named(self, fault: Fault, worker: str) -> Fault:
        """Return a fault that tells of which worker it is, where it may be none of another one."""
        if not isinstance(fault.error, NotSeenError):
            return fault
        path = self._partitions[fault.number].path
        hint = f"workers read the files themselves: every one must see it as {path}, on a shared file system"
        if is_url(path):
            hint = fault.error.hint or "workers read it themselves: what that needs must be set there, too"
        return fault._replace(error=DataError(f"the worker {worker} {fault.error.message}", hint))

    def _shares(self, left: set[int]) -> dict[str, list[int]]:
        self._balance()
        shares: dict[str, list[int]] = {}
        for number in sorted(left):
            shares.setdefault(self._home[number], []).append(number)
        return shares

    def _call(self, requests: Mapping[str, tuple[Any, ...]], is_reading: bool = False) -> dict[str, Any]:
        with heard(self._client):
            found: dict[str, Any] = self._client.sync(self._called, requests, is_reading)
        return found

    async def _called(
        self, requests: Mapping[str, tuple[Any, ...]], is_reading: bool = False
    ) -> dict[str, Any]:
        """Return what workers return when they call a function, None of one that is lost, and what they raise."""
        client, found = self._client, dict[str, Any]()
        calls: dict[asyncio.Future[Any], str] = {}
        for worker, (function, *args) in requests.items():
            call = client.run(function, *args, workers=[worker], on_error="return")
            calls[asyncio.ensure_future(call)] = worker
        try:
            while calls:
                done, _ = await asyncio.wait(calls, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                for call in done:
                    worker = calls.pop(call)
                    found[worker] = _answer_of(call, worker)
                if not done:
                    await self._look(calls, found, is_reading)
        finally:
            for call in calls:
                call.cancel()
        return found

    async def _look(
        self, calls: dict[asyncio.Future[Any], str], found: dict[str, Any], is_reading: bool
    ) -> None:
        """Give up those who are no longer there, and tell how far the others are."""
        present: Mapping[str, int] = {}
        with suppress(Exception):
            present = await asyncio.wait_for(self._client.nthreads(), _SOON)
        for call, worker in list(calls.items()):
            if worker not in present:
                call.cancel()
                found[calls.pop(call)] = None
        if is_reading:
            with suppress(Exception):
                states = self._client.run(
                    worker_side.done, self._job, workers=list(present), on_error="ignore"
                )
                told = (await asyncio.wait_for(states, _SOON)).values()
                self.partitions_done = sum(partitions for partitions, _ in told)
                self.rows = sum(rows for _, rows in told)
            if self._watch is not None:
                self._watch(self)

    def _to_tell(self, worker: str, share: Sequence[int], question: Question | None) -> Told | None:
        known = self._told.setdefault(worker, set())
        partitions = {k: self._partitions[k] for k in share if k not in known}
        models: dict[str, bytes] = {}
        if question is not None and question.token not in known:
            row = next(row for token, row in self._models.values() if token == question.token)
            models[question.token] = pickle.dumps(row)
        known.update(partitions, models)
        return Told(self._asked, partitions, models) if partitions or models else None

    # -- who is there --------------------------------------------------------------------------------------

    def _present(self) -> int:
        """Take notice of who has come and who has gone; return how many are there."""
        self._looked = time.monotonic()
        present = threads_of(self._client)
        for worker in [worker for worker in self._threads if worker not in present]:
            self._lose(worker)
        self._welcome({worker: n for worker, n in present.items() if worker not in self._threads})
        return len(self._threads)

    def _welcome(self, new: Mapping[str, int]) -> None:
        if not new:
            return
        versions = self._call(dict.fromkeys(new, VERSION))
        check_versions(versions)
        here = [worker for worker, version in versions.items() if version is not None]
        engines = self._call(dict.fromkeys(here, (worker_side.has_machine_code,)))
        for worker, has_machine_code in engines.items():
            if has_machine_code is not None:
                self._threads[worker], self._native[worker] = max(1, new[worker]), has_machine_code

    def _lose(self, worker: str) -> None:
        for known in (self._threads, self._native, self._told):
            known.pop(worker, None)
        self._home = {k: home for k, home in self._home.items() if home != worker}
        self._looked, self._seen = -_LOOK_AGAIN, time.monotonic()

    def _balance(self) -> None:
        """Give partitions to whom has few for its threads: neighbours to one, and none away without need."""
        workers = list(self._threads)
        homeless = [k for k in range(self.count) if k not in self._home]
        if len(homeless) == self.count:
            places = [worker for worker in workers for _ in range(self._threads[worker])]
            self._home = {k: places[k * len(places) // self.count] for k in homeless}
            return
        loads = Counter(self._home.values())

        def load(worker: str) -> float:
            return loads[worker] / self._threads[worker]

        for k in homeless:
            poorest = min(workers, key=load)
            self._home[k] = poorest
            loads[poorest] += 1
        while True:
            richest, poorest = max(workers, key=load), min(workers, key=load)
            more = (loads[poorest] + 1) / self._threads[poorest]
            if more >= load(richest):
                return
            k = max(k for k, home in self._home.items() if home == richest)
            self._home[k] = poorest
            loads[richest], loads[poorest] = loads[richest] - 1, loads[poorest] + 1


def _answer_of(call: asyncio.Future[Any], worker: str) -> Any:
    """What a worker returns or raises, None where it is lost."""
    from distributed.comm import CommClosedError

    gone = (OSError, CommClosedError, asyncio.CancelledError)
    try:
        found = call.result().get(worker)
    except gone:
        return None
    return None if isinstance(found, gone) else found
