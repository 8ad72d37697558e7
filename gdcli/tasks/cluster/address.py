"""Where a cluster is, as it is typed, and the connection to it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gdcli.kernel.budget import CLUSTER, Spent, no_answer
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
