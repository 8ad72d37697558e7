"""How a run is to be solved: what every run may be told, and what those by epochs are told beside it."""

from __future__ import annotations

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.status import StopReason

DEFAULT_MAX_ITER = 10_000
DEFAULT_EPOCHS = 20
# The book's schedule ends by itself; this is only so that no run is without end.
BOOK_EPOCHS = 10_000
# The list of the book's minimize_batch.
BOOK_STEP_SIZES = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001)
# minimize_stochastic in the book: so many epochs without improvement end the run.
BOOK_PATIENCE = 100
# Epochs without a better loss on the rows held out.
PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is to be solved. None means the method's own default; an option a method does not read is an error.

    ``h`` is the difference step of the numerical gradients. ``lr`` is the fixed step size (learning rate),
    ``step_sizes`` the list tried by the method ``batch`` or the step rule ``best``. ``engine`` is what computes: auto,
    python, numpy or native (machine code, kept on disk unless ``no_cache``). ``max_time`` is in seconds, ``max_memory``
    in bytes; see `gdcli.kernel.budget`.
    """

    method: str = "auto"
    gradient: str = "autodiff"
    h: float | None = None
    lr: float | None = None
    step_rule: str | None = None
    step_sizes: tuple[float, ...] | None = None
    tol: float | None = None
    gradient_tol: float | None = None
    step_tol: float | None = None
    value_tol: float | None = None
    max_iter: int = DEFAULT_MAX_ITER
    max_evaluations: int | None = None
    max_time: float | None = None
    max_memory: int | None = None
    target: float | None = None
    engine: str = "auto"
    no_cache: bool = False


@dataclass(frozen=True, slots=True)
class EpochSettings(Settings):
    """The same of a run that visits rows epoch by epoch.

    ``batch_size`` rows make a step, 0 stands for all of them and None for one. ``lr`` is chosen from the data where it
    is None, ``epochs`` are 20 then (or as many as the schedule ``book`` takes), and the ``schedule`` is constant.
    """

    batch_size: int | None = None
    epochs: int | None = None
    schedule: str | None = None
    patience: int = PATIENCE

    @property
    def rule(self) -> str:
        return "sgd" if self.method in ("auto", "gd") else self.method

    @property
    def rows_a_step(self) -> int | None:
        """How many rows make a step, None for all of them."""
        return 1 if self.batch_size is None else self.batch_size or None

    @property
    def most(self) -> int:
        if self.epochs is not None:
            return self.epochs
        return BOOK_EPOCHS if self.schedule == "book" else DEFAULT_EPOCHS

    @property
    def likely(self) -> int:
        """The number of epochs that a run is sure to have if nothing ends it early."""
        return min(self.most, BOOK_PATIENCE) if self.schedule == "book" else self.most

    @property
    def reason_at_end(self) -> StopReason:
        """Why a run ends that has done them all: nobody asked for the cap on the book's schedule."""
        capped = self.epochs is None and self.schedule == "book"
        return StopReason.MAX_ITERATIONS if capped else StopReason.EPOCHS
