"""The record of all roots of a system of equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space
from gdcli.record.runs import Receipt
from gdcli.record.schema import SCHEMA, Constants, Record, Values
from gdcli.tasks.outcome import FoundBox
from gdcli.tasks.root_finding import Roots, System


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRecord(Record):
    """The ``point`` in the middle of a box ``low`` to ``high``: it has exactly one root where that is ``proved``."""

    point: Values
    low: Values
    high: Values
    proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RootsRecord(Record):
    """The whole answer: outside of the boxes ``roots`` there is no root within the bounds."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "roots"}

    equations: tuple[str, ...]
    constants: Constants
    bounds: Mapping[str, tuple[float, float]]
    status: str
    message: str
    advice: str = ""
    roots: tuple[RootRecord, ...]
    examined: int
    cover: str | None = None
    version: str
    seconds: float | None = None
    receipt: Receipt | None = None

    @property
    def exit_code(self) -> int:
        return Status(self.status).exit_code

    @property
    def space(self) -> Space:
        return Space(dict.fromkeys(self.bounds))


def roots_record(found: Roots) -> RootsRecord:
    named = found.system.space.unflatten
    roots = tuple(
        RootRecord(point=named(b.center), low=named(b.low), high=named(b.high), proved=b.proved)
        for b in found.boxes
    )
    return RootsRecord.of(found, found.system, status=found.status.value, roots=roots, version=__version__)


def roots_of(found: RootsRecord) -> Roots:
    """Return what a record tells. Raises KeyError, TypeError or ValueError where it is none."""
    flat = found.space.flatten
    boxes = [FoundBox(tuple(flat(root.low)), tuple(flat(root.high)), root.proved) for root in found.roots]
    system = System(found.equations, found.bounds, found.constants)
    told = found.message, found.advice, found.examined, found.seconds or 0.0, found.cover
    return Roots(system, tuple(boxes), Status(found.status), *told)


def table(found: RootsRecord) -> tuple[list[str], list[list[object]]]:
    """Return a head and the cells of a row for each root: its point, whether it is proved, its box."""
    names = list(found.bounds)
    head = ["root", "proved", *names, *(f"{name}.{end}" for name in names for end in ("low", "high"))]
    rows = [
        [
            *(k, str(root.proved).lower(), *(root.point[name] for name in names)),
            *(getattr(root, end)[name] for name in names for end in ("low", "high")),
        ]
        for k, root in enumerate(found.roots, 1)
    ]
    return head, rows
