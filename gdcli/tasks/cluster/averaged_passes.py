"""Descent by epochs over partitions: each goes its epoch where it lies, and the parameters are averaged.

All partitions begin an epoch at the same point; after it the points that they came to are averaged with their rows as
weights (Zinkevich, Weimer, Smola and Li, Parallelized stochastic gradient descent, NIPS 2010, with an average after
each epoch and not at the end alone), and so is what the update rule remembers. The answer follows from the seed and the
partitions, whoever holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdcli.compile.per_sample import ParameterBox
from gdcli.compile.update_rules import UpdateRule
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vector
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_passes import By, RowPasses
from gdcli.table.shuffle import Visited, all_rows
from gdcli.tasks.cluster.partitioned_rows import PartitionedRows

# What an update rule remembers: numbers, or vectors as lists of them.
State = float | Sequence["State"]


class How(NamedTuple):
    """How a partition is gone through: ``batch`` rows a step (None: all), each by a ``rule``."""

    batch: int | None
    rule: UpdateRule
    box: ParameterBox | None
    by: By
    shuffle: str
    seed: int


class _End(NamedTuple):
    """Where an epoch over so many ``rows`` ended: the point (flat), the state of the rule, and what computed it."""

    rows: int
    x: Sequence[State]
    state: Sequence[State]
    engine: str


class AveragedPasses:
    """Passes over partitions, averaged after each; fulfils `solve.epochs.Passes`."""

    def __init__(self, row: RowModel, data: PartitionedRows, how: How) -> None:
        self.data, self.how = data, how
        self.rows = data.rows
        sizes = [read.rows for read in data.parts.read]
        self.steps = sum(-(-size // min(how.batch or size, size)) for size in sizes if size)
        self.objective = RowObjective(row, data)
        self.engine = "numpy"
        self._x: list[float] = []
        self._state: Sequence[State] | None = None

    @property
    def x(self) -> list[float]:
        return list(self._x)

    def start(self, x: Sequence[float]) -> None:
        self._x, self._state = [float(a) for a in x], None

    def epoch(self, number: int, rate: float, told: Callable[[int], None], done: int = 0) -> None:
        if done < self.rows:
            end = self.objective.over(
                _epoch_here, _averaged, self.how, tuple(self._x), self._state, number, rate
            )
            _, self._x, self._state, self.engine = end
        told(self.rows)

    def keep(self) -> Any:
        return {"x": self.x, "state": self._state}

    def restore(self, kept: Mapping[str, Any]) -> None:
        self._x, self._state = list(kept["x"]), kept["state"]

    def mean_loss(self, x: Vector) -> float:
        return self.objective.evaluate(x).value

    def held_out_loss(self, x: Vector) -> float | None:
        return None


def _epoch_here(
    objective: RowObjective,
    how: How,
    x: Sequence[float],
    state: Sequence[State] | None,
    number: int,
    rate: float,
) -> _End:
    data = objective.data
    rows = Visited(data, all_rows(data.rows), how.shuffle, how.seed)  # type: ignore[arg-type]  # a partition's columns
    passes = RowPasses(objective.row, rows, how.batch, how.rule, how.box, None, how.by)
    if state is None:
        passes.start(x)
    else:
        passes.restore({"runner": "", "x": x, "state": state})
    passes.epoch(number, rate, lambda rows: None)
    return _End(data.rows, passes.x, passes.keep()["state"], passes.engine)


def _averaged(one: _End, other: _End) -> _End:
    rows = one.rows + other.rows
    shares = one.rows / rows, other.rows / rows
    return _End(rows, _mean(one.x, other.x, shares), _mean(one.state, other.state, shares), one.engine)


def _mean(a: Sequence[State], b: Sequence[State], shares: tuple[float, float]) -> list[State]:
    found: list[State] = []
    for one, other in zip(a, b, strict=True):
        if isinstance(one, Sequence) and isinstance(other, Sequence):
            found.append(_mean(one, other, shares))
        else:
            found.append(shares[0] * one + shares[1] * other)  # type: ignore[operator]  # both are numbers
    return found
