"""A cap on time that holds also where nobody asks the budget: in the algebra of sympy."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gdcli.kernel.budget import LATE, LEAST_LATE, TIME, Capped, Spent, limited


@contextmanager
def interrupted(asked: Capped, late: bool = False) -> Iterator[None]:
    """Open a budget whose time is kept by an alarm of the system too, which raises Spent wherever the program is.

    With ``late`` the alarm comes when also the certificate has had its time: what asks by itself has ended by then.
    Raises LimitError as `gdcli.kernel.budget.limited`.
    """
    with limited(asked):
        seconds = asked.max_time
        if seconds and late:
            seconds += max(LEAST_LATE, LATE * seconds)
        if not (seconds and hasattr(signal, "setitimer") and _is_main_thread()):
            yield
            return

        def ring(number: int, frame: object) -> None:
            raise Spent(TIME)

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
