"""Passes over rows in machine code: when they repay compiling, and how an epoch is handed to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import np
from gdcli.objective.build import A_NODE, COMPILED, KEPT, MOST_NODES

if TYPE_CHECKING:
    from gdcli.compile.native_epochs import EpochKernel, Runs
    from gdcli.compile.per_sample import ParameterBox, RowGradient
    from gdcli.compile.update_rules import UpdateRule

# Seconds of CPython for one operation on one row; of numpy for one, and for the calls that every batch takes.
SCALAR_NODE, ARRAY_NODE, ARRAY_BATCH = 2.5e-8, 1e-9, 8e-6
# Operations in one batch at most, for a batch is one call during which nobody hears an interrupt.
BATCH_NODES = 1 << 22


class Work(NamedTuple):
    """What a run has to do: ``visits`` rows with the gradient of a row, a step after each ``batch`` of them.

    ``scalars`` tells that without machine code it is a text of scalars that does it.
    """

    gradient: RowGradient
    rule: UpdateRule
    box: ParameterBox | None
    batch: int
    visits: int
    scalars: bool

    @property
    def nodes(self) -> int:
        return len(self.gradient.graph.reach(tuple(self.gradient.roots)))

    @property
    def seconds(self) -> float:
        if self.scalars:
            return self.visits * self.nodes * SCALAR_NODE
        return self.visits * (self.nodes * ARRAY_NODE + ARRAY_BATCH / self.batch)

    def fault(self) -> str:
        """Return why there is no machine code for it, '' where there can be."""
        if self.nodes > MOST_NODES:
            return f"a row of {self.nodes} operations is too long for machine code"
        if self.batch > 1 and self.batch * self.nodes > BATCH_NODES:
            return f"batches of {self.batch} such rows are too long for machine code"
        return ""


def native_kernel(work: Work, engine: str, use_cache: bool) -> EpochKernel | None:
    """Return the machine code for a run, None where it is not to be had, or not worth it with the engine ``auto``.

    Steps after single rows have the bits of CPython, so there it may depend on what is on disk. Batches have bits of
    their own: what runs them follows from the work alone and from whether machine code can be had. Raises UsageError
    where ``engine`` is native and there is none.
    """
    if engine not in ("auto", "native"):
        return None
    from gdcli.compile import machine_code

    fault = work.fault()
    if engine == "native":
        machine_code.required()
        if fault:
            raise UsageError(fault, "leave out --engine native")
        return _kernel(work, use_cache)
    if (
        fault
        or not machine_code.is_installed()
        or not _is_worth_it(work, use_cache)
        or not machine_code.is_available()
    ):
        return None
    try:
        return _kernel(work, use_cache)
    except Exception:  # whatever is wrong with it, the run goes well without machine code
        return None


def _is_worth_it(work: Work, use_cache: bool) -> bool:
    if work.seconds < KEPT:
        return False
    if work.seconds >= COMPILED + A_NODE * work.nodes:
        return True
    from gdcli.compile.native_epochs import is_likely_kept

    return work.batch == 1 and is_likely_kept(work.gradient, work.rule, work.box, use_cache)


def _kernel(work: Work, use_cache: bool) -> EpochKernel:
    from gdcli.compile.native_epochs import EpochKernel

    return EpochKernel(work.gradient, work.rule, work.box, work.batch, use_cache)


class NativeRunner:
    """Steps in machine code; ``x`` is the newest point whenever Python has a say."""

    kind = "native"

    def __init__(self, kernel: EpochKernel, x: Sequence[float], state: Sequence[float]) -> None:
        self.kernel = kernel
        self.x = np.array(x, dtype=float)
        # One number more, so that there is an address where a rule keeps nothing.
        self.state = np.array([*state, 0.0], dtype=float)

    def epoch(self, pieces: Iterable[Runs], rate: float, told: Callable[[int], None], done: int = 0) -> None:
        """Go through ``pieces``, each of whole batches but the last; ``told`` hears how many rows are done.

        The first ``done`` rows, whole batches of them, are passed over.
        """
        before = 0
        for runs in pieces:
            rows = int((np.subtract(runs.ends, runs.starts)).sum())
            if before + rows > done:
                self._piece(runs, rate, before, told, max(0, done - before))
            before += rows

    def _piece(self, runs: Runs, rate: float, before: int, told: Callable[[int], None], skip: int) -> None:
        self.kernel(runs, self.x, self.state, rate, lambda rows: told(before + rows), skip)


def one_run(columns: Sequence[Any], count: int) -> Runs:
    """Return the rows of a piece as they stand."""
    from gdcli.compile.native_epochs import Runs

    return Runs(columns, [0], [count])
