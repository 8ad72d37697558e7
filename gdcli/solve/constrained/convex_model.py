"""The subproblem of many variables, where its model is convex: a few factorisations, however many bounds are met.

    minimise  g'p + p'Wp/2 + |max(0, lam + rho (h + J p))|**2 / (2 rho)    in    lower <= p <= upper

The kinks and the bounds are two kinds of one thing, and Newton's method on the conditions of optimality guesses all at
once which are active (the primal-dual active set method: Hintermueller, Ito and Kunisch, SIAM J. Optim. 13, 2003).
Where its guesses go in circles, an interior point method has the last word (Mehrotra, SIAM J. Optim. 2, 1992): its
numbers of iterations hardly grow with the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array

_GUESSES, _INTERIOR = 25, 60
# The conditions are met to this part of their terms.
_MET = 1e-11
# Curvatures that are negative by less than this part of the largest are 0.
_FLAT = 1e-10
# So small are its products when it is tried whether what is active is known, and when it ends.
_TRIES = (1e-6, 1e-9, 1e-14)
# Steps of the interior point method go so far towards the nearest bound.
_TO_THE_BOUND = 0.995


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

    def pressures(self, p: Array) -> Any:
        """Return lam + rho (h + J p)."""
        return self.multipliers + self.rho * (self.h + self.J @ p)

    def pushed(self, t: Array) -> Array:
        import numpy as np

        return np.where(self.equal, t, np.maximum(t, 0.0))

    def value(self, p: Array) -> float:
        t = self.pushed(self.pressures(p))
        return float(self.g @ p + 0.5 * p @ (self.W @ p) + t @ t / (2.0 * self.rho))

    def slope(self, p: Array) -> Any:
        return self.g + self.W @ p + self.J.T @ self.pushed(self.pressures(p))

    def is_met(self, p: Array) -> bool:
        """Tell whether p is the minimum, but for rounding."""
        import numpy as np

        t = self.pushed(self.pressures(p))
        parts = abs(self.g) + abs(self.W) @ abs(p) + abs(self.J).T @ abs(t)
        left = p - np.clip(p - self.slope(p), self.lower, self.upper)
        return bool((abs(left) <= _MET * np.maximum(parts, parts.max())).all())


def convex_minimum(model: Model, p: Array) -> Array | None:
    """Return the minimum of the model, from a guess ``p`` (n,); None where it is not convex, or not found."""
    import numpy as np

    if not is_convex(model.W):
        return None
    try:
        found = _by_active_sets(model, np.clip(p, model.lower, model.upper))
        return found if found is not None else _by_interior(model)
    except np.linalg.LinAlgError:  # a singular matrix
        return None


def is_convex(W: Array) -> bool:
    """Tell whether W has no negative eigenvalue, but for rounding."""
    import numpy as np

    shifted = W.copy()
    shifted[np.diag_indices_from(W)] += _FLAT * max(1.0, float(abs(W).max()))
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return True


def _by_active_sets(model: Model, p: Array) -> Array | None:
    import numpy as np

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


def _by_interior(model: Model) -> Array:
    """Return the minimum by a predictor and a corrector step at a time; the box has finite ends."""
    import numpy as np

    I = ~model.equal  # noqa: E741
    E, J = model.J[model.equal], model.J[I]
    p = np.clip(
        np.zeros(len(model.g)), 0.9 * model.lower + 0.1 * model.upper, 0.1 * model.lower + 0.9 * model.upper
    )
    size = max(1.0, float(abs(model.g).max(initial=0.0)))
    want = model.pressures(p)[I]
    t, s = np.maximum(want, size), np.maximum(-want, size)
    v, w = np.full(len(p), size), np.full(len(p), size)
    base = model.W + model.rho * E.T @ E
    tries = list(_TRIES)
    for _ in range(_INTERIOR):
        a, b = p - model.lower, model.upper - p
        press = model.pressures(p)
        dual = model.g + model.W @ p + E.T @ press[model.equal] + J.T @ t - v + w
        gap = press[I] - t + s
        pairs = ((t, s), (v, a), (w, b))
        mean = sum(float(x @ y) for x, y in pairs) / max(1, sum(len(x) for x, _ in pairs))
        if mean <= tries[0] * size * size:
            exact = _by_active_sets(model, p)
            tries.pop(0)
            if exact is not None or not tries:
                return exact if exact is not None else p
        K = base + J.T @ ((model.rho / (1.0 + s / t))[:, None] * J)
        K[np.diag_indices_from(K)] += v / a + w / b

        def step(target: float, second: tuple[Any, Any, Any]) -> tuple[Any, ...]:
            ts, va, wb = target - t * s - second[0], target - v * a - second[1], target - w * b - second[2]  # noqa: B023
            push = (gap + ts / t) / (1.0 + s / t)  # noqa: B023
            dp = np.linalg.solve(K, -(dual + J.T @ push) + va / a - wb / b)  # noqa: B023
            dt = push + (model.rho * (J @ dp)) / (1.0 + s / t)  # noqa: B023
            return dp, dt, (ts - s * dt) / t, (va - v * dp) / a, (wb + w * dp) / b  # noqa: B023

        zero = (0.0, 0.0, 0.0)
        dp, dt, ds, dv, dw = step(0.0, zero)
        part = _longest(((t, dt), (s, ds), (v, dv), (w, dw), (a, dp), (b, -dp)))
        ahead = (
            (t + part * dt) @ (s + part * ds)
            + (v + part * dv) @ (a + part * dp)
            + (w + part * dw) @ (b - part * dp)
        )
        ahead = float(ahead) / max(1, sum(len(x) for x, _ in pairs))
        dp, dt, ds, dv, dw = step(mean * (ahead / mean) ** 3, (dt * ds, dv * dp, -dw * dp))
        part = _TO_THE_BOUND * _longest(((t, dt), (s, ds), (v, dv), (w, dw), (a, dp), (b, -dp)))
        p, t, s, v, w = p + part * dp, t + part * dt, s + part * ds, v + part * dv, w + part * dw
    return p


def _longest(moves: Sequence[tuple[Array, Array]]) -> float:
    """Return the part of a step, at most 1, that keeps all of these positive."""
    import numpy as np

    found = 1.0
    for x, d in moves:
        falling = d < 0.0
        if falling.any():
            found = min(found, float(np.min(-x[falling] / d[falling])))
    return found
