"""The step sizes of descent by epochs: what is done about the cloud in which a point wanders that few rows move.

One keeps the step size, one shrinks it, and the book's shrinks it while nothing gets better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gdcli.kernel.dataclass import dataclass, field, stored
from gdcli.solve.settings import BOOK_PATIENCE

# minimize_stochastic in the book: the factor for an epoch without improvement.
BOOK_FACTOR = 0.9


class Schedule(Protocol):
    def rate(self, epoch: int, improved: bool) -> float | None:
        """Return the rate of ``epoch`` (from 0), None to end the run; ``improved``: the loss was never lower."""


@stored()
@dataclass(frozen=True, slots=True)
class Constant:
    first: float

    def rate(self, epoch: int, improved: bool) -> float | None:
        return self.first


@stored("Decay")
@dataclass(frozen=True, slots=True)
class DecaySchedule:
    """``rate / (1 + epoch)``: it fulfils the conditions of Robbins and Monro (Annals of Math. Statistics 22, 1951)."""

    first: float

    def rate(self, epoch: int, improved: bool) -> float | None:
        return self.first / (1.0 + epoch)


@stored()
@dataclass(slots=True)
class Book:
    """The book's minimize_stochastic: back to the first rate after a better epoch, else 0.9 times the last one.

    The run ends after 100 epochs in a row that were no better than the best.
    """

    first: float
    now: float = field(init=False)
    vain: int = 0

    def __post_init__(self) -> None:
        self.now = self.first

    def rate(self, epoch: int, improved: bool) -> float | None:
        if improved:
            self.vain, self.now = 0, self.first
        else:
            self.vain, self.now = self.vain + 1, self.now * BOOK_FACTOR
        return None if self.vain >= BOOK_PATIENCE else self.now


SCHEDULES: Mapping[str, Callable[[float], Schedule]] = {
    "constant": Constant,
    "decay": DecaySchedule,
    "book": Book,
}
