"""The least sum of absolute deviations lies where the model goes through as many points as it has parameters.

There the gradient jumps in every direction, and no curvature tells what kind of point it is. The proof is another:
with multipliers between -1 and 1 on the points that are met, in place of the signs of their deviations, the gradients
of all rows must cancel. Then the sum is lower nowhere near (for a linear model: nowhere at all), and what is left to
gain is no more than what the deviations of the points that are met add (Bloomfield and Steiger, Least Absolute
Deviations, 1983, chapter 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.objective.rows import RowObjective
from gdcli.solvers.types import Certificate

if TYPE_CHECKING:
    from gdcli.fitting.prepare import Prepared

# A deviation below this part of the mean one is that of a point that is met, up to the rounding of the kink.
_MET = 1e-8
# Most points that may be met at once; more are no vertex.
_MOST = 2000
# Multipliers may exceed 1 by their own rounding.
_SLACK = 1e-6


def at_a_vertex(prepared: Prepared, judging: RowObjective, x: Any) -> Certificate | None:
    """Return the certificate that ``x`` is a minimum, None where this is no proof of it."""
    np = judging.np
    plain = RowObjective(prepared.row, prepared.data)
    near = _MET * plain.evaluate(plain.vector(x)).value
    pull = np.zeros(plain.size)
    met: list[Any] = []
    for _, values in plain.pieces("deviation", x):
        slopes, deviation, weight = np.stack(values[:-2]), values[-2], values[-1]
        close = np.abs(deviation) <= near
        pull += slopes @ np.where(close, 0.0, np.sign(deviation) * weight)
        met.append(np.vstack((slopes[:, close] * weight[close], deviation[close], weight[close])))
    rows = np.concatenate(met, axis=1)
    slopes, deviation, weight = rows[:-2], rows[-2], rows[-1]
    if not plain.size <= slopes.shape[1] <= _MOST or np.linalg.matrix_rank(slopes) < plain.size:
        return None
    multipliers = np.linalg.lstsq(slopes, -pull, rcond=None)[0]
    left = slopes @ multipliers + pull
    size = np.abs(slopes).sum(axis=1)
    if np.abs(multipliers).max() > 1.0 + _SLACK or (np.abs(left) > 1e-9 * size).any():
        return None
    gain = float(weight @ (np.abs(deviation) + np.abs(multipliers * deviation))) * judging.factor
    norm = float(np.linalg.norm(left)) * judging.factor
    note = "the minimum is at a kink, where the gradient jumps"
    return Certificate("kink", norm, gain=gain, how="multipliers", notes=(note,))
