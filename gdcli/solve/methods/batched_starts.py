"""Many starts of one fit followed at once: Levenberg and Marquardt on what variable projection leaves.

Only the bent parameters are searched; for each of their values the linear ones are solved for, so no valley is walked
along that these would make. A parameter whose sign is known is followed on the logarithm of its size: it cannot leave
its side, and a step of it is a factor. All points take their own steps; only the arithmetic is done for all together.
The ends are good to a few digits, enough to tell them apart: a run of :mod:`gdcli.solve.methods.levenberg_marquardt`
goes on from the best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdcli.kernel import budget
from gdcli.kernel.batched_linear import positive_solves
from gdcli.kernel.vectors import Array, np

if TYPE_CHECKING:
    from gdcli.objective.batched_residuals import SeparableResiduals

STEPS = 60
_FIRST_SHIFT, _SMALLER, _LARGER, _LEAST_SHIFT, _MOST_SHIFT = 1e-2, 0.2, 5.0, 1e-12, 1e9
# A run is over when two steps after each other gain less than this part of the value.
_LITTLE = 1e-9
# No step changes a parameter that is followed on its logarithm by more than a factor of exp(2).
_LONGEST = 2.0


def follow(
    many: SeparableResiduals, x: Array, signs: Array, told: Callable[[float], None]
) -> tuple[Array, Array]:
    """Return the ends (p, g) of runs from the points x (p, g), and their values (g,).

    ``signs`` (q,) are 1 or -1 for bent parameters of a known sign, 0 for others. ``told`` is called with the part done.
    """
    x, value = many.solved(x)
    active = np.flatnonzero(np.isfinite(value)) if many.bent else np.zeros(0, dtype=int)
    shift, idle = np.full(len(value), _FIRST_SHIFT), np.zeros(len(value), dtype=int)
    for step in range(STEPS):
        if not len(active):
            break
        budget.check()
        here = x[:, active]
        there, new = _tried(many, here, signs, shift[active])
        with np.errstate(all="ignore"):
            better = (new < value[active]) & ~many.crosses_pole(here, there)
            small = better & (value[active] - new <= _LITTLE * value[active])
        x[:, active[better]] = there[:, better]
        value[active[better]] = new[better]
        shift[active] *= np.where(better, _SMALLER, _LARGER)
        shift[active] = np.maximum(shift[active], _LEAST_SHIFT)
        idle[active] = np.where(small, idle[active] + 1, np.where(better, 0, idle[active]))
        active = active[(idle[active] < 2) & (shift[active] < _MOST_SHIFT)]
        told((step + 1) / STEPS)
    return x, value


def _tried(many: SeparableResiduals, x: Array, signs: Array, shift: Array) -> tuple[Array, Array]:
    """Return where a damped step from each point leads, with the linear parameters solved for, and the values there."""
    logarithmic = (signs != 0.0)[:, None]
    bent = x[many.bent]
    J, r = many.linearised(x)
    with np.errstate(all="ignore"):
        J = J * np.where(logarithmic, bent, 1.0)[:, None, :]
        A = np.einsum("ing,jng->ijg", J, J)
        b = np.einsum("ing,ng->ig", J, r)
        q = range(len(bent))
        diagonal = A[q, q]
        A[q, q] = diagonal * (1.0 + shift) + (diagonal <= 0.0)
        d = positive_solves(A, -b)[0]
        d = np.where(np.isfinite(d), d, 0.0)
        moved = np.where(logarithmic, bent * np.exp(np.clip(d, -_LONGEST, _LONGEST)), bent + d)
    there = x.copy()
    there[many.bent] = moved
    return many.solved(there)
