"""The subproblem of many variables, where its model is convex: a few factorisations, however many bounds are met.

    minimise  g'p + p'Wp/2 + |max(0, lam + rho (h + J p))|**2 / (2 rho)    in    lower <= p <= upper

The kinks and the bounds are two kinds of one thing, and Newton's method on the conditions of optimality guesses all at
once which are active (the primal-dual active set method: Hintermueller, Ito and Kunisch, SIAM J. Optim. 13, 2003).
Where its guesses go in circles, an interior point method has the last word.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, np
from gdcli.solve.constrained.convex_program import QuadraticProgram, optimum

_GUESSES = 25
# The conditions are met to this part of their terms.
_MET = 1e-11
# Curvatures that are negative by less than this part of the largest are 0.
_FLAT = 1e-10


class Model(NamedTuple):
    """The model: slope g (n,), Hessian W (n, n), sides h (s,) with Jacobian J (s, n), which are ``equal``, multipliers
    lam (s,), penalty rho, and the box.
    """

    g: Array
    W: Array
    h: Array
    J: Array
    equal: Array
    multipliers: Array
    rho: float
    lower: Array
    upper: Array

    def pressures(self, p: Array) -> Array:
        """Return lam + rho (h + J p)."""
        found: Array = self.multipliers + self.rho * (self.h + self.J @ p)
        return found

    def pushed(self, t: Array) -> Array:
        return np.where(self.equal, t, np.maximum(t, 0.0))

    def value(self, p: Array) -> float:
        t = self.pushed(self.pressures(p))
        return float(self.g @ p + 0.5 * p @ (self.W @ p) + t @ t / (2.0 * self.rho))

    def slope(self, p: Array) -> Array:
        found: Array = self.g + self.W @ p + self.J.T @ self.pushed(self.pressures(p))
        return found

    def is_met(self, p: Array) -> bool:
        """Tell whether p is the minimum, but for rounding."""
        t = self.pushed(self.pressures(p))
        parts = abs(self.g) + abs(self.W) @ abs(p) + abs(self.J).T @ abs(t)
        left = p - np.clip(p - self.slope(p), self.lower, self.upper)
        return bool((abs(left) <= _MET * np.maximum(parts, parts.max())).all())


def convex_minimum(model: Model, p: Array) -> Array | None:
    """Return the minimum of the model, from a guess ``p`` (n,); None where it is not convex, or not found."""
    if not is_convex(model.W):
        return None
    try:
        found = _by_active_sets(model, np.clip(p, model.lower, model.upper))
        return found if found is not None else _by_interior(model)
    except np.linalg.LinAlgError:  # a singular matrix
        return None


def is_convex(W: Array) -> bool:
    """Tell whether W has no negative eigenvalue, but for rounding."""
    shifted = W.copy()
    shifted[np.diag_indices_from(W)] += _FLAT * max(1.0, float(abs(W).max()))
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return True


def _by_active_sets(model: Model, p: Array) -> Array | None:
    seen: set[bytes] = set()
    for _ in range(_GUESSES):
        t, slope = model.pressures(p), model.slope(p)
        pushing = model.equal | (t > 0.0)
        aim = p - slope / np.maximum(model.W.diagonal(), 1.0)
        low, high = aim <= model.lower, aim >= model.upper
        key = np.concatenate((pushing, low, high)).tobytes()
        if key in seen:
            return p if model.is_met(p) else None
        seen.add(key)
        fixed = low | high
        there = np.where(low, model.lower, np.where(high, model.upper, 0.0))
        free = np.flatnonzero(~fixed)
        A = model.J[pushing]
        right = (
            model.g
            + model.W @ there
            + A.T @ (model.multipliers + model.rho * (model.h + model.J @ there))[pushing]
        )
        if len(free):
            B = A[:, free]
            there[free] = np.linalg.solve(model.W[np.ix_(free, free)] + model.rho * B.T @ B, -right[free])
        p = there
        if ((p >= model.lower) & (p <= model.upper)).all() and model.is_met(p):
            return p
    return None


def _by_interior(model: Model) -> Array | None:
    """The model as a program whose sides give: the price of what breaks them is the augmented Lagrangian's."""
    shifted = model.h + model.multipliers / model.rho
    ends = model.lower, model.upper
    found = optimum(QuadraticProgram(model.g, model.W, shifted, model.J, model.equal, *ends, 1.0 / model.rho))
    return None if found is None else found.p
