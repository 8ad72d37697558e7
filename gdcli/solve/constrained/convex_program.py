"""Convex quadratic programs, linear ones among them: an interior point method, then the exact answer on its face.

    minimise  g'p + p'Hp/2    with    h + J p <= 0  (equations: == 0),    lower <= p <= upper

Predictor and corrector steps (Mehrotra, SIAM J. Optim. 2, 1992) need a number of iterations that hardly grows with the
size. Their systems are those of proximal steps for variables and multipliers (Friedlander and Orban, Math. Prog.
Comput. 4, 2012), so that neither the rows need be independent nor H definite. From a guess of what is active the
conditions are then solved on the face, to rounding, and the guess is mended by what they say (Hintermueller, Ito and
Kunisch, SIAM J. Optim. 13, 2003).

The subproblem of many variables (`convex_minimum`), where its model is convex, takes a few factorisations however many
bounds are met:

    minimise  g'p + p'Wp/2 + |max(0, lam + rho (h + J p))|**2 / (2 rho)    in    lower <= p <= upper

The kinks and the bounds are two kinds of one thing, and Newton's method on the conditions of optimality guesses all at
once which are active (the primal-dual active set method of the same authors). Where its guesses go in circles, the
interior point method has the last word.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, np
from gdcli.solve.constrained.normal_matrix import NormalMatrix

_STEPS, _GUESSES, _REFINED = 80, 12, 30
# Weights of the proximal terms, beside entries of size 1: the product of both stays clear of rounding.
_NEAR = 1e-6
# Products are this small when a guess of what is active is tried, and when it ends.
_TRIES = (1e-5, 1e-7, 1e-9, 1e-11, 1e-13)
# Steps go so far towards the nearest bound.
_TO_THE_BOUND = 0.995
# A shorter step than this is made anew, without corrector, to where all products are this part of their mean.
_SHORT, _BACK = 0.1, 0.5
# The conditions hold when they are missed by no more than this part of their terms.
_MET = 1e-12
# Multipliers beyond this, beside a slope of 1, are on their way to infinity.
_ENDLESS = 1e12


class QuadraticProgram(NamedTuple):
    """The program: slope g (n,), Hessian H (n, n), sides h (s,) with Jacobian J (s, n), ``equal`` (s,), and the box.

    ``give`` is 0; else a side may be broken at the price of half the square of that divided by ``give``.
    """

    g: Array
    H: Array
    h: Array
    J: Array
    equal: Array
    lower: Array
    upper: Array
    give: float = 0.0


class Optimum(NamedTuple):
    """A point p (n,) that satisfies the conditions with multipliers t (s,) of the sides."""

    p: Array
    t: Array


def optimum(program: QuadraticProgram) -> Optimum | None:
    """Return the minimum of a program whose H has no negative curvature, None where none was found."""
    try:
        with np.errstate(all="ignore"):
            return _Search(program).run()
    except np.linalg.LinAlgError:
        return None


class _Point(NamedTuple):
    """A point p (n,) with multipliers t (s,), and what is to be positive: slacks and prices (k,) of the inequalities
    among the sides, of the lower bounds, and of the upper ones, one after the other.
    """

    p: Array
    t: Array
    slacks: Array
    prices: Array


class _Search:
    """The run for one program, in units in which the rows and the slopes of the value are of size 1."""

    def __init__(self, program: QuadraticProgram) -> None:
        self.ends = program.lower, program.upper
        self.size = size = max(1.0, float(abs(program.h).max(initial=0.0)))
        sizes = abs(program.J).max(axis=1, initial=0.0)
        self.sizes = np.where(sizes > 0.0, sizes, 1.0)
        top = max(float(abs(program.g).max(initial=0.0)), size * float(abs(program.H).max(initial=0.0)))
        self.unit = top if top > 0.0 else size / (program.give or size)
        self.q = q = program._replace(
            g=program.g / self.unit,
            H=program.H * (size / self.unit),
            h=program.h / (size * self.sizes),
            J=program.J / self.sizes[:, None],
            lower=program.lower / size,
            upper=program.upper / size,
        )
        # What the sides give, and the weights of the proximal terms that stand in for what is less than those.
        self.give = program.give * self.unit / (size * self.sizes * self.sizes)
        self.delta = np.maximum(self.give, _NEAR)
        self.fixed = q.lower >= q.upper
        self.rows = np.flatnonzero(~q.equal)
        self.low = np.flatnonzero(np.isfinite(q.lower) & ~self.fixed)
        self.high = np.flatnonzero(np.isfinite(q.upper) & ~self.fixed)
        self.free = ~self.fixed if self.fixed.any() else None
        self.matrix = NormalMatrix(q.H, q.J, bool(len(self.low) + len(self.high) + self.fixed.sum()))

    def first(self) -> _Point:
        q = self.q
        inside = np.minimum(1.0, 0.25 * (q.upper - q.lower))
        p = np.where(self.fixed, q.lower, np.clip(np.zeros(len(q.g)), q.lower + inside, q.upper - inside))
        s = np.maximum(-(q.h + q.J @ p)[self.rows], 1.0)
        slacks = np.concatenate((s, (p - q.lower)[self.low], (q.upper - p)[self.high]))
        return _Point(p, np.where(q.equal, 0.0, 1.0), slacks, np.ones(len(slacks)))

    def parts(self, of: Array) -> tuple[Array, Array, Array]:
        i, j = len(self.rows), len(self.rows) + len(self.low)
        return of[:i], of[i:j], of[j:]

    def on_bounds(self, of: Array) -> Array:
        """Return what belongs to the bounds as a vector of the variables (n,): of the lower, less that of the upper."""
        _, low, high = self.parts(of)
        found = np.zeros(len(self.q.g))
        found[self.low] = low
        found[self.high] -= high
        return found

    def on_rows(self, of: Array) -> Array:
        """Return what belongs to the inequalities as a vector of the sides (s,)."""
        found = np.zeros(len(self.q.h))
        found[self.rows] = self.parts(of)[0]
        return found

    def run(self) -> Optimum | None:
        q, at, tries = self.q, self.first(), list(_TRIES)
        for _ in range(_STEPS):
            dual = q.g + q.H @ at.p + q.J.T @ at.t - self.on_bounds(at.prices)
            dual[self.fixed] = 0.0
            rows = q.h + q.J @ at.p + self.on_rows(at.slacks) - self.give * at.t
            most = float(abs(at.t).max(initial=0.0))
            mean = float(at.slacks @ at.prices) / max(1, len(at.slacks))
            missed = max(mean, float(abs(dual).max(initial=0.0)), float(abs(rows).max(initial=0.0)))
            if not np.isfinite(missed) or most > _ENDLESS:
                return None
            while tries and missed <= tries[0] * (1.0 + max(float(abs(at.p).max(initial=0.0)), most)):
                tries.pop(0)
                found = self.on_the_face(at, *self.guess(at))
                if found is not None:
                    return found
            if not tries:
                return None
            at = self.better(at, dual, rows, mean)
        return None

    def better(self, at: _Point, dual: Array, rows: Array, mean: float) -> _Point:
        t, slacks, prices = at.t, at.slacks, at.prices
        ratios = prices / slacks
        sides, low, high = self.parts(ratios)
        D = np.full(len(at.p), _NEAR)
        D[self.low] += low
        D[self.high] += high
        T = 1.0 / self.delta
        T[self.rows] = 1.0 / (self.delta[self.rows] + 1.0 / sides)
        solve = self.matrix.at(D, T, self.free)

        def step(products: Array) -> tuple[Array, ...]:
            """Return the changes with which the products of slacks and prices change by this."""
            over = products / prices
            dp, dt = solve(self.on_bounds(products / slacks) - dual, -rows - self.on_rows(over))
            s = self.parts(over)[0] - dt[self.rows] / sides
            changed = np.concatenate((s, dp[self.low], -dp[self.high]))
            return dp, dt, changed, (products - prices * changed) / slacks

        if not len(slacks):
            dp, dt, _, _ = step(slacks)
            return _Point(at.p + dp, t + dt, slacks, prices)
        _, _, ds, dz = step(-slacks * prices)
        part = _longest(slacks, ds, prices, dz)
        ahead = float((slacks + part * ds) @ (prices + part * dz)) / len(slacks)
        target = mean * min(1.0, max(0.0, ahead / mean)) ** 3
        if part >= _SHORT:
            dp, dt, ds, dz = step(target - slacks * prices - ds * dz)
            part = _TO_THE_BOUND * _longest(slacks, ds, prices, dz)
        if part < _SHORT:  # far from the middle: the way back there
            dp, dt, ds, dz = step(_BACK * mean - slacks * prices)
            part = _TO_THE_BOUND * _longest(slacks, ds, prices, dz)
        return _Point(at.p + part * dp, t + part * dt, slacks + part * ds, prices + part * dz)

    # -- the exact answer ------------------------------------------------------------------------------------------

    def guess(self, at: _Point) -> tuple[Array, Array, Array]:
        """Return which sides (s,), lower and upper bounds (n,) seem to be active."""
        sides, low, high = self.parts(at.prices > at.slacks)
        active, at_low, at_high = self.q.equal.copy(), self.fixed.copy(), np.zeros(len(at.p), bool)
        active[self.rows] = sides
        at_low[self.low] |= low
        at_high[self.high] |= high
        return active, at_low, at_high & ~at_low

    def on_the_face(self, at: _Point, active: Array, low: Array, high: Array) -> Optimum | None:
        """Solve the conditions with these sides and bounds active, mended until they hold; None where they do not."""
        q = self.q
        seen: set[bytes] = set()
        for _ in range(_GUESSES):
            key = np.concatenate((active, low, high)).tobytes()
            if key in seen:
                return None
            seen.add(key)
            x, y = self.solved(at, active, low, high)
            h, slope = q.h + q.J @ x - self.give * y, q.g + q.H @ x + q.J.T @ y
            inexact = _MET * np.maximum(1.0, abs(q.h) + abs(q.J) @ abs(x))
            parts = abs(q.g) + abs(q.H) @ abs(x) + abs(q.J).T @ abs(y)
            level = _MET * np.maximum(parts, parts.max(initial=1.0))
            left = active & ~q.equal & (y < -_MET * max(1.0, float(abs(y).max(initial=0.0))))
            met = ~active & (h > inexact)
            off_low, off_high = low & ~self.fixed & (slope < -level), high & (slope > level)
            on_low, on_high = ~low & ~high & (x < q.lower), ~low & ~high & (x > q.upper)
            changed = (left | met).any() or (off_low | off_high | on_low | on_high).any()
            if not changed:
                free = ~low & ~high
                exact = (abs(slope) <= level)[free].all() and (abs(h) <= inexact)[active].all()
                t = np.where(q.equal, y, np.maximum(y, 0.0)) * self.unit / self.sizes
                lower, upper = self.ends
                x = np.where(low, lower, np.where(high, upper, np.clip(x * self.size, lower, upper)))
                return Optimum(x, t) if exact else None
            active = (active & ~left) | met
            low, high = (low & ~off_low) | on_low, (high & ~off_high) | on_high
        return None

    def solved(self, at: _Point, active: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the point on the face and its multipliers, by proximal steps that are refined."""
        q, free = self.q, ~low & ~high
        x = np.where(low, q.lower, np.where(high, q.upper, at.p))
        y = np.where(active, at.t, 0.0)
        T = np.where(active, 1.0 / self.delta, 0.0)
        solve = self.matrix.at(np.full(len(x), _NEAR), T, None if free.all() else free)
        best, last = (x, y), float("inf")
        for _ in range(_REFINED):
            slope = np.where(free, q.g + q.H @ x + q.J.T @ y, 0.0)
            rest = np.where(active, q.h + q.J @ x - self.give * y, 0.0)
            missed = max(float(abs(slope).max(initial=0.0)), float(abs(rest).max(initial=0.0)))
            if not missed < last:
                break
            best, last = (x, y), 0.5 * missed
            dx, dy = solve(-slope, -rest)
            x, y = x + dx, y + dy
        return best


def _longest(x: Array, dx: Array, z: Array, dz: Array) -> float:
    """Return the part of a step, at most 1, that keeps x and z positive."""
    falling, sinking = dx < 0.0, dz < 0.0
    a = float((-x[falling] / dx[falling]).min(initial=1.0))
    return min(a, float((-z[sinking] / dz[sinking]).min(initial=1.0)))


_MODEL_GUESSES = 25
# The conditions are met to this part of their terms.
_MODEL_MET = 1e-11
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
        return bool((abs(left) <= _MODEL_MET * np.maximum(parts, parts.max())).all())


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
    for _ in range(_MODEL_GUESSES):
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
