"""The runs of one command in one checkpoint: where a checkpointer puts them, and finds them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.record import checkpoint_file
from gdcli.record.checkpoint_file import Content, StoredValue
from gdcli.record.codec import Decoder, Encoder
from gdcli.solve.iteration import RunResult

if TYPE_CHECKING:
    pass


class Keepable(Protocol):
    """An observer whose memory of a run goes on with the run."""

    def keep(self) -> Any: ...

    def restore(self, kept: object) -> None: ...


def part_of(value: object, objective: object = None) -> StoredValue:
    """Return a value as a file has it; ``objective`` is what a run is on."""
    encoder = Encoder(objective)
    return StoredValue(encoder(value), encoder.arrays)


class Checkpoint:
    """A checkpoint in the file ``path``; fulfils `solve.checkpointing.Store`.

    ``content`` is what is in it so far: its part ``job`` says what is to be solved. ``observers`` are kept together
    with the runs. A write that fails is told by ``warn``, and tried again when the next one is due.
    """

    def __init__(self, path: str, content: Content, warn: Callable[[str], None]) -> None:
        self.path = path
        self._head, self._parts = dict(content.head), dict(content.parts)
        self._warn = warn
        self._observers: dict[str, Keepable] = {}
        self._told = ""

    def watch(self, observers: Sequence[Any]) -> None:
        """Keep these observers too, those that can be, and restore what was kept of their like."""
        self._observers = {
            type(o).__name__: o for o in observers if hasattr(o, "keep") and hasattr(o, "restore")
        }
        kept = self._parts.get("observers")
        if kept is not None:
            for name, memory in Decoder(kept.arrays).entries(kept.value, self._observers):
                self._observers[name].restore(memory)

    def mark(self, key: str, text: str) -> str:
        """Write ``text`` under ``key`` from now on; return what was there before, or ``text``."""
        return str(self._head.setdefault(key, text))

    def load(self, number: int, objective: object) -> Any:
        """Return what was kept of a run, None where it has not begun."""
        part = self._parts.get(f"runs/{number}")
        return None if part is None else Decoder(part.arrays, objective)(part.value)

    def put(self, number: int, kept: object, objective: object) -> None:
        """Keep a run, and write that with whatever is written next."""
        self._parts[f"runs/{number}"] = part_of(kept, objective)
        if self._observers:  # as they are at this step: the file may be written after another one
            memories = {name: observer.keep() for name, observer in self._observers.items()}
            self._parts["observers"] = part_of(memories)
        self._head["progress"] = _progress(number, kept)

    def save(self, number: int, kept: object, objective: object) -> None:
        self.put(number, kept, objective)
        self.write()

    def finish(self) -> None:
        self._head["finished"] = True
        self.write()

    def write(self) -> None:
        try:
            checkpoint_file.write(self.path, Content(self._head, self._parts))
            self._told = ""
        except OSError as fault:
            why = f"the checkpoint could not be written: {(fault.strerror or str(fault)).lower()}"
            if why != self._told:
                self._told = why
                self._warn(f"{why}; the one before is still there")


def _progress(number: int, kept: Any) -> dict[str, Any]:
    """How far a run has come, for people who look into the file."""
    if hasattr(kept, "told"):
        told = kept.told()
        return {"run": number} | {
            key: v if isinstance(v, str | int) else _number(v) for key, v in told.items()
        }
    epochs = None if isinstance(kept, RunResult) else getattr(kept.state, "epochs", None)
    if isinstance(kept, RunResult):
        at, iteration, state, best = kept.last.at, kept.iterations, kept.reason.value, kept.best.at.value
    else:
        at, iteration, state = kept.at, kept.iteration, "running"
        best = epochs[kept.state.best].at.value if epochs else kept.lowest
    return {
        "run": number,
        "state": state,
        "iteration": iteration,
        "minimised": _number(at.value),
        "best": _number(best),
        "seconds": kept.seconds,
    } | ({"epochs": True} if epochs else {})


def _number(value: float) -> float | str:
    """A number as JSON has it; a text where it has none."""
    number = float(value)
    return number if number - number == 0.0 else repr(number)
