"""Is there a point at all where the constraints hold? A breach that is least somewhere tells of that place only.

So before it is said that none was found, the breach is minimised from other places too: from the start, and from some
that are drawn around it, wider each time.
"""

from __future__ import annotations

from random import Random

from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.vectors import Array, np
from gdcli.solve.constrained.scaled_problem import Scaled, ScaledPoint

# How far around the start places are drawn, two each, in sizes of the point.
_WIDTHS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
# Half the square of a breach that counts as none: where the constraints hold.
NO_BREACH = 0.5 * HOLDS**2
# A breach is least where its slope over the size of the point would take off no more than this part of it.
_LEAST = 1e-3


def feasible_elsewhere(problem: Scaled, best: tuple[Array, float], start: Array) -> tuple[Array, float]:
    """Return the better of ``best``, a point and half the square of its breach, and what is found from other places.

    The places are the same each time; the search ends at the first with no breach.
    """
    draws = Random(0)
    places = [start] + [
        start + width * np.maximum(1.0, abs(start)) * np.array([draws.gauss(0.0, 1.0) for _ in start])
        for width in (*_WIDTHS, *_WIDTHS)
    ]
    for place in places:
        if best[1] <= NO_BREACH:
            break
        y = problem.clip(place)
        if np.isfinite(problem.at(y).h).all():
            found = problem.least_violation(y)
            best = found if found[1] < best[1] else best
    return best


def is_least_breach(problem: Scaled, at: ScaledPoint) -> bool:
    """Tell whether the breach falls nowhere near a point, so that it says something about the constraints."""
    full = problem.with_slopes(at)
    if full is None:
        return True
    pull = full.y - problem.clip(full.y - full.J.T @ problem.pushed(full.h))
    size = max(1.0, float(np.linalg.norm(full.y)))
    return float(np.linalg.norm(pull)) * size <= _LEAST * 0.5 * problem.broken(full.h) ** 2
