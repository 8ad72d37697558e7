"""Names on one side, a flat vector on the other.

Solvers know only a vector x of n numbers; a person knows names, some of them vectors. A `Space` maps one to
the other, in the order in which the names first appear in the expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.kernel.vectors import Vector


def lengths_of(values: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the length of each value by name, None for a number."""
    return {name: len(value) if hasattr(value, "__len__") else None for name, value in values.items()}


class Space:
    """The variables of a problem: ``names``, ``lengths`` (None: a scalar), ``size`` numbers in all."""

    def __init__(self, lengths: Mapping[str, int | None]) -> None:
        self.names = tuple(lengths)
        self.lengths = dict(lengths)
        self.offsets: dict[str, int] = {}
        position = 0
        for name, length in lengths.items():
            self.offsets[name] = position
            position += 1 if length is None else length
        self.size = position

    def flatten(self, values: Mapping[str, float | Sequence[float]]) -> Any:
        """Return the numbers of ``values`` (one entry per name) as one flat list of ``size`` floats.

        Where a value is an array it is a flat array: a list takes four times the memory.
        """
        if any(hasattr(values[name], "tolist") for name in self.lengths):
            import numpy

            parts = [numpy.ravel(numpy.asarray(values[name], dtype=float)) for name in self.lengths]
            return numpy.concatenate(parts)
        flat: list[float] = []
        for name, length in self.lengths.items():
            value: Any = values[name]
            if length is None:
                flat.append(float(value))
            else:
                flat.extend(float(v) for v in value)
        return flat

    def unflatten(self, x: Vector) -> dict[str, float | list[float]]:
        """Return ``{name: number or list of numbers}`` for a flat vector x of ``size`` numbers."""
        point: dict[str, float | list[float]] = {}
        for name, part in self.by_name(x).items():
            if self.lengths[name] is None:
                point[name] = float(part)
            else:
                point[name] = part.tolist() if hasattr(part, "tolist") else [float(v) for v in part]
        return point

    def by_name(self, flat: Vector) -> dict[str, Any]:
        """Return what a sequence of ``size`` items has for each name: an item, or a slice for a vector."""
        return {
            name: flat[at] if length is None else flat[at : at + length]
            for (name, length), at in zip(self.lengths.items(), self.offsets.values(), strict=True)
        }

    @property
    def labels(self) -> list[str]:
        return [
            name if length is None else f"{name}[{i}]"
            for name, length in self.lengths.items()
            for i in range(1 if length is None else length)
        ]

    def label(self, index: int) -> str:
        """Return the name of one component of the flat vector: ``x`` or ``v[3]``."""
        for name, length in self.lengths.items():
            at = self.offsets[name]
            if index < at + (1 if length is None else length):
                return name if length is None else f"{name}[{index - at}]"
        raise IndexError(index)
