"""Eigenvalues of a Hessian from products with vectors.

Lanczos' method: on the space that the powers of H span from a start vector, H is a small tridiagonal matrix whose
extreme eigenvalues are soon good to many digits (Golub and Van Loan, Matrix Computations, chapter 10). The vectors
lose their orthogonality in time; that repeats eigenvalues already found but spoils none, so that three vectors are all
that is ever kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen
from gdcli.kernel.numerics import TINY
from gdcli.kernel.vectors import Vec, along, as_like, dot, norm, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.methods.newton_cg import hessian_product

LANCZOS_STEPS = 40
# What is left of a vector beside the largest entry when the space is spanned.
_SPANNED = 1e-13


class Ritz(NamedTuple):
    """The eigenvalues of the tridiagonal matrix, ascending, its unit eigenvectors, one per row, and what was left of
    the last vector.
    """

    values: Sequence[float]
    vectors: Sequence[Vector]
    left: float

    @property
    def low(self) -> float:
        return self.values[0]

    @property
    def high(self) -> float:
        return self.values[-1]

    @property
    def low_error(self) -> float:
        """A bound on how far an eigenvalue of the Hessian is from the lowest value."""
        return float(self.left * abs(self.vectors[0][-1]))


def ritz(objective: Objective, at: Evaluation, steps: int = 0, start: Vector | None = None) -> Ritz | None:
    """Return eigenvalues of the Hessian at ``at``, the extreme ones nearly; None where a product is not finite.

    ``steps``: 40, or the number of variables if that is less; more than that make up for lost orthogonality. The first
    vector is along ``start``, or a random one.
    """
    alphas: list[float] = []
    betas: list[float] = []
    scale = 0.0
    for alpha, beta, _ in _recurrence(objective, at, steps or min(LANCZOS_STEPS, len(at.x)), start):
        if alpha is None:
            return None
        alphas.append(alpha)
        betas.append(beta)
        scale = max(scale, abs(alpha), beta)
        if beta <= _SPANNED * scale:
            break
    k = len(alphas)
    entry = {0: alphas, 1: betas}
    T = [Vec([entry[abs(i - j)][min(i, j)] if abs(i - j) < 2 else 0.0 for j in range(k)]) for i in range(k)]
    return Ritz(*eigen(T), betas[-1])


def ritz_vector(objective: Objective, at: Evaluation, found: Ritz) -> Vector:
    """Return the vector that goes with the lowest eigenvalue ``found`` from a random start; the recurrence is run once
    more for it.
    """
    vector = zeros_like(at.x)
    recurrence = _recurrence(objective, at, len(found.values))
    for weight, (_, _, basis) in zip(found.vectors[0], recurrence, strict=False):
        vector = along(vector, float(weight), basis)
    return vector


def _recurrence(
    objective: Objective, at: Evaluation, steps: int, start: Vector | None = None
) -> Iterator[tuple[float | None, float, Vector]]:
    """Yield diagonal, off-diagonal and vector of the three-term recurrence, step by step."""
    v = objective.restricted(at, _random(at.x)) if start is None else start
    v = v / max(norm(v), TINY)
    before, beta = zeros_like(v), 0.0
    for _ in range(steps):
        w = hessian_product(objective, at, v)
        if w is None:
            yield None, 0.0, v
            return
        alpha = dot(v, w)
        w = along(along(w, -alpha, v), -beta, before)
        beta = norm(w)
        yield alpha, beta, v
        if beta == 0.0:
            return
        before, v = v, w / beta


def _random(x: Vector) -> Vector:
    """Return a random direction, always the same: it has a part along every eigenvector, almost surely."""
    if isinstance(x, list):
        from random import Random

        random = Random(0)
        v: Vector = as_like(x, [random.gauss(0.0, 1.0) for _ in x])
    else:
        import numpy

        v = numpy.random.default_rng(0).standard_normal(len(x))
    return v
