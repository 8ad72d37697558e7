"""Where no start is typed one is drawn: standard normal numbers, brought within the bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.kernel.errors import DomainError
from gdcli.language.syntax import Tree
from gdcli.language.values import normals
from gdcli.objective.build import build_objective

# A random start is redrawn until the value there is finite, at most so often.
MAX_DRAWS = 1000


def random_start(
    tree: Tree,
    names: Sequence[str],
    constants: Mapping[str, Any],
    bounds: Mapping[str, tuple[Any, Any]],
    seed: int,
    hint: str,
) -> dict[str, float]:
    """Return a random number for every name, redrawn until the value of ``tree`` is finite.

    Raises DomainError with the ``hint`` where none is found.
    """
    exact = build_objective(tree, dict.fromkeys(names), constants, 1)
    draws = normals(seed)
    for _ in range(MAX_DRAWS):
        x = [_inside(next(draws), bounds.get(name)) for name in names]
        if abs(exact.evaluate(exact.vector(x)).value) < float("inf"):
            return dict(zip(names, x, strict=True))
    raise DomainError(f"no random start of {MAX_DRAWS} has a finite value", hint)


def _inside(draw: float, bounds: tuple[Any, Any] | None) -> float:
    """A standard normal draw brought within bounds, with few digits so that it can be typed again.

    Between two finite ends it is spread over the interval (by the normal distribution's own function, so evenly);
    next to one end it lies on the inner side at the same distance.
    """
    if bounds is None:
        return round(draw, 4)
    lower, upper = float(bounds[0]), float(bounds[1])
    if math.isfinite(lower) and math.isfinite(upper):
        part = 0.5 * (1.0 + math.erf(draw / math.sqrt(2.0)))
        return min(max(float(f"{lower + part * (upper - lower):.4g}"), lower), upper)
    return lower + round(abs(draw), 4) if math.isfinite(lower) else upper - round(abs(draw), 4)
