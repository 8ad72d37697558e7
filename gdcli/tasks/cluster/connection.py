"""Where a cluster is, as it is typed; the connection to it; who works there, and with which gd."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeVar

from gdcli import __version__
from gdcli.kernel.budget import CLUSTER, Spent, check, no_answer
from gdcli.kernel.errors import Span, UsageError

if TYPE_CHECKING:
    from distributed import Client


# What names the workers of this machine, and what the scheduler of the environment.
_LOCAL, _ENVIRONMENT = "local:", "env"
_VARIABLE = "DASK_SCHEDULER_ADDRESS"
# Seconds in which a scheduler has to answer.
PATIENCE = 5.0
_MEANT = "for example tcp://host:8786, scheduler.json, or local:4 for four worker processes here"


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Give a client of the cluster at ``address``; worker processes that are started for it are ended with it.

    ``address`` is that of a scheduler, the path of a scheduler file, ``local:N``, or ``env`` for what
    DASK_SCHEDULER_ADDRESS says. Raises UsageError for what is none, where nobody answers, and where Dask is missing;
    LimitError for Spent, where nobody was left who works and there is no answer.
    """
    with _client_of(address) as client:
        try:
            yield client
        except Spent as spent:
            raise (no_answer(CLUSTER) if spent.reason == CLUSTER else spent) from None


@contextmanager
def _client_of(address: str) -> Iterator[Client]:
    span = Span(address, 0, len(address), "--cluster")
    workers = _local_workers(address, span)
    try:
        import distributed
    except ImportError:
        from gdcli.kernel import installing

        raise UsageError(
            "--cluster needs Dask, which is not installed",
            f"install it: {installing.command('cluster')}",
            span,
        ) from None
    warnings.filterwarnings("ignore", "Sending large graph")
    # What goes wrong is told by gd, once; Dask gives some of its loggers levels of their own.
    for name in ("distributed", "tornado", "asyncio", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    if workers:
        with _processes(workers) as cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client
        return
    where = _scheduler(address, span)
    if not _answers(where):
        raise UsageError(
            f"no scheduler answers at {where}",
            "dask scheduler starts one, and dask worker ADDRESS its workers; --cluster local:4 needs none",
            span,
        )
    with distributed.Client(where, timeout=PATIENCE, set_as_default=False) as client:
        yield client


def _answers(address: str) -> bool:
    """Tell whether somebody answers at an address as Dask does; a client that fails to connect takes long to be closed.

    Where nothing is ever said, the thread that waits for it ends with this process.
    """
    from distributed.comm import connect
    from distributed.security import Security

    heard = threading.Event()

    async def greet() -> None:
        comm = await connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
        heard.set()
        await comm.close()

    def listen() -> None:
        with suppress(Exception):  # whatever is there may answer anything
            asyncio.run(greet())

    threading.Thread(target=listen, daemon=True).start()
    return heard.wait(PATIENCE)


def _local_workers(address: str, span: Span) -> int:
    """Return how many worker processes are to be started here, 0 for a scheduler that is there."""
    if not address.startswith(_LOCAL):
        return 0
    number = address.removeprefix(_LOCAL)
    if not (number.isascii() and number.isdigit() and int(number)):
        what = "zero workers" if number.strip("0") == "" and number else f"'{number}' workers"
        raise UsageError(
            f"--cluster {address} asks for {what}", "local:2 starts two worker processes here", span
        )
    return int(number)


@contextmanager
def _processes(count: int) -> Iterator[Any]:
    """Start workers of one thread each; of numpy too, of which each would take all processors."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.worker.daemon": True}),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            preload="gdcli.tasks.cluster.worker_side",
            silence_logs=logging.CRITICAL,
            protocol="tcp",
            host="127.0.0.1",
        ) as cluster,
    ):
        yield cluster


def _scheduler(address: str, span: Span) -> str:
    """Return the address of the scheduler that is meant."""
    found = address
    if address == _ENVIRONMENT and not (found := os.environ.get(_VARIABLE, "")):
        raise UsageError(f"--cluster env: {_VARIABLE} is not set", _MEANT, span)
    if os.path.exists(address):
        try:
            with open(address, encoding="utf-8") as file:
                found = str(json.load(file)["address"])
        except (OSError, ValueError, LookupError, TypeError):
            raise UsageError(f"--cluster {address} is no scheduler file", _MEANT, span) from None
    from distributed.comm.registry import backends

    scheme, _, rest = found.rpartition("://")
    if not rest.rpartition(":")[2].isdigit() or scheme not in ("", *backends):
        is_file = address.endswith(".json") and found == address
        what = (
            "there is no such scheduler file"
            if is_file
            else f"{found or 'this'} is no address of a scheduler"
        )
        raise UsageError(f"--cluster {address}: {what}", _MEANT, span)
    return found


Present = TypeVar("Present")

# What tells the version, in the words of `pkgutil.resolve_name`: it is there also where gd is another one.
VERSION = resolve_name, "gdcli:__version__"


def check_versions(versions: Mapping[str, object]) -> None:
    """Raise UsageError, naming the worker, for a version of gd (or what went wrong) that is not this one; by worker.

    None is that of a worker that is gone again.
    """
    for worker, version in versions.items():
        if version not in (None, __version__):
            what = "no gd that can be imported" if isinstance(version, Exception) else f"gd {version}"
            raise UsageError(
                f"the worker {worker} has {what}, and this is gd {__version__}",
                "every worker needs the same gd: install it there, and start the worker again",
            )


def checked_threads(client: Client, since: float) -> int:
    """Return how many threads all workers have together, when there are any.

    Raises UsageError for one with another gd, Spent as `awaited`.
    """
    threads = awaited(client, lambda: threads_of(client), since)
    function, name = VERSION
    found = client.run(function, name, on_error="return")
    check_versions({worker: None if isinstance(told, OSError) else told for worker, told in found.items()})
    return sum(threads.values())


def threads_of(client: Client) -> dict[str, int]:
    """Return who is there, with his threads; nobody where the scheduler is gone."""
    if client.status != "running":
        return {}
    try:
        found: dict[str, int] = client.sync(client.nthreads, callback_timeout=patience())
    except Exception:
        return {}
    return found


@contextmanager
def heard(client: Client) -> Iterator[None]:
    """Raise Spent for what Dask raises where its scheduler is gone."""
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    try:
        yield
    except Exception as fault:
        if client.status == "running" and not isinstance(fault, (CancelledError, CommClosedError)):
            raise
        raise Spent(CLUSTER) from None


def awaited(client: Client, present: Callable[[], Present], since: float) -> Present:
    """Return what ``present`` returns when that is somebody.

    Raises Spent where nobody has been there for as long as Dask waits for a connection, or the scheduler is gone.
    """
    while not (found := present()):
        if time.monotonic() > since + patience() or client.status != "running":
            raise Spent(CLUSTER)
        check()
        time.sleep(0.1)
    return found


def patience() -> float:
    """Seconds without a worker after which a run ends: those that Dask waits for a connection, 30 unless it is told."""
    import dask
    from dask.utils import parse_timedelta

    seconds: float = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect", "30s"))
    return seconds
