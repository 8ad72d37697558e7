"""Runs that are killed at one of their checkpoints and gone on with, for tests of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from gdcli.record.checkpoint_file import Decoder, Encoder
from gdcli.solve.checkpointing import Checkpointer


class KilledError(BaseException):
    """The process is gone; nothing of it may be used any more."""


class Memory:
    """A store that holds texts and bytes, as a file does; with ``kill`` it raises at the save of that number."""

    def __init__(
        self, kill: int | None = None, found: dict[int, tuple[str, list[bytes]]] | None = None
    ) -> None:
        self.kill = kill
        self.saves = 0
        self.kept = dict(found or {})

    def load(self, number: int, objective: Any) -> Any:
        if number not in self.kept:
            return None
        text, arrays = self.kept[number]
        return Decoder([np.load(BytesIO(a), allow_pickle=False) for a in arrays], objective)(json.loads(text))

    def put(self, number: int, kept: Any, objective: Any) -> None:
        self.kept[number] = texts(kept, objective)

    def save(self, number: int, kept: Any, objective: Any) -> None:
        self.put(number, kept, objective)
        self.saves += 1
        if self.saves == self.kill:
            raise KilledError


def texts(value: Any, objective: Any = None) -> tuple[str, list[bytes]]:
    """Return a value as a checkpoint has it: JSON, and the bytes of the arrays."""
    encoder = Encoder(objective)
    text = json.dumps(encoder(value), allow_nan=False)
    arrays = []
    for array in encoder.arrays:
        buffer = BytesIO()
        np.save(buffer, array, allow_pickle=False)
        arrays.append(buffer.getvalue())
    return text, arrays


def every_step(store: Memory) -> Checkpointer:
    """Return a checkpointer that saves at every step: its clock stands still, so that writing takes no time."""
    return Checkpointer(store, every=0.0, clock=lambda: 0.0)


def gone_on(run: Callable[[Checkpointer], Any], kill: int) -> tuple[Any, int]:
    """Return the result of ``run`` when it is killed at its save number ``kill`` and gone on with, and the saves.

    Every step is followed by a save. The result is None where there are fewer saves.
    """
    first = Memory(kill)
    try:
        run(every_step(first))
    except KilledError:
        second = Memory(found=first.kept)
        return run(every_step(second)), first.saves
    return None, first.saves
