"""Who works on a cluster, and with which gd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING, TypeVar

from gdcli import __version__
from gdcli.kernel.budget import CLUSTER, Spent, check
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

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
