"""What many steps did that machine code took at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.objective.protocol import Evaluation, Vector


class ChunkIterate(NamedTuple):
    """An iterate of a chunk: the number of its step (from 1), the point, the one before, the step size."""

    number: int
    at: Evaluation
    before: Evaluation
    size: float


class Chunk(NamedTuple):
    """What ``steps`` steps taken at once did.

    ``last`` gives the last iterates in order, at most as many as asked for, ``values`` their values. ``best`` is the
    iterate with the lowest value (the later of equals), None if the lowest before was lower. ``scalars`` and
    ``vectors`` are the states of the update after the last step. ``shown`` are observers with an iterate that each is
    to see.
    """

    steps: int
    last: Callable[[int], Iterator[ChunkIterate]]
    values: Callable[[int], list[float]]
    best: ChunkIterate | None
    scalars: Sequence[float]
    vectors: Sequence[Vector]
    shown: Sequence[tuple[Callable[[Any], None], ChunkIterate]] = ()
