"""Ctrl-C and SIGTERM: the first ends a run after its present step, the second ends the program at once.

Where no run listens (data are read, an answer is certified) the first one ends what is going on by an exception, which
leaves what there is.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gdcli.kernel.errors import Abandoned, Terminated
from gdcli.kernel.status import StopReason

if TYPE_CHECKING:
    from gdcli.solve.checkpointing import Checkpointer

_REASONS = {signal.SIGINT: StopReason.INTERRUPTED, signal.SIGTERM: StopReason.TERMINATED}


@contextmanager
def heard_by(checkpointer: Checkpointer) -> Iterator[Checkpointer]:
    """Within this, signals ask ``checkpointer`` to end the run; in a thread, where none arrive, nothing changes."""

    def hear(number: int, frame: object) -> None:
        if checkpointer.asked is not None:
            raise Abandoned(128 + number)
        checkpointer.asked = _REASONS[signal.Signals(number)]
        if not checkpointer.listening:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    before = {}
    try:
        for number in _REASONS:
            # Who started the program in the background may want SIGINT ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, hear)
    except ValueError:
        pass
    try:
        yield checkpointer
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
