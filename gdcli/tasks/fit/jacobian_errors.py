"""Errors of a least-squares fit where the triangle of its Jacobian alone does not have them.

**To all their digits.** The triangle R is rounded, and errors that follow from it lose as many digits as its condition
has. So a pass over the rows with the longest floats there are looks at what R leaves: with ``Q = J R^-1`` the matrix
``G = Q'Q`` is the unit matrix but for that rounding, and the covariance is ``R^-1 G^-1 R^-T``, whatever R is. (One step
of Cholesky QR: Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, Electron. Trans. Numer. Anal. 44, 2015.)

**On the face of constraints.** Where constraints are active, the parameters can move along them only. To the linear
model of the residuals each active constraint adds a row that weighs so much that nothing moves across it: the
covariance is then that of the moves along all of them (Z (Z'J'JZ)^-1 Z' with Z a basis of these, up to the square of
one over the weight).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.batched_linear import inverse_upper
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.vectors import Array, Vec, Vector, np
from gdcli.objective.protocol import QRSystem

if TYPE_CHECKING:
    from gdcli.judge.kkt import ConstraintEvidence
    from gdcli.judge.statistics import FitStatistics
    from gdcli.objective.constrained import Constrained
    from gdcli.objective.row_objective import RowObjective


# Larger triangles take longer than a person waits for digits.
_MOST = 60


def refined(found: FitStatistics, sums: RowObjective, x: Vector, factor: Sequence[Vec]) -> FitStatistics:
    """Return the statistics with errors to all their digits; as they are where they have them or cannot have them.

    ``factor`` is the triangle at x, p rows; all parameters must be free and told by the data.
    """
    errors, size = found.errors, len(factor)
    if size > _MOST or None in errors.standard_errors or not sums.has_wide:
        return found
    with np.errstate(all="ignore"):
        inverse = inverse_upper(_triangle(sums, x, factor))
        lengths = np.sqrt((inverse * inverse).sum(axis=1))
    scale = 1.0 if errors.dof == float("inf") else found.residual_sd or 0.0
    told = [scale * float(length) for length in lengths]
    # The step is the small one that it must be; else a column is lost in rounding.
    before = filter(None, errors.standard_errors)
    if not all(told) or not all(0.5 * old < new < 2.0 * old for new, old in zip(told, before, strict=False)):
        return found
    unit = inverse / lengths[:, None]
    correlation = (unit @ unit.T).astype(float)
    correlation[range(size), range(size)] = 1.0
    better = replace(
        errors,
        standard_errors=tuple(told),
        correlation=tuple(map(tuple, correlation.tolist())),
        factor=tuple(map(tuple, (scale * inverse * np.sign(inverse.diagonal())).astype(float).tolist())),
    )
    return replace(found, errors=better)


def _triangle(sums: RowObjective, x: Vector, factor: Sequence[Vec]) -> Array:
    """The triangle of the Jacobian in long floats, (p, p)."""
    size = len(factor)
    R = np.array([list(row) for row in factor], dtype=np.longdouble)
    G = np.zeros((size, size), dtype=np.longdouble)
    for _, values in sums.pieces("linear", x, wide=True):
        Q = np.empty((size, len(values[0])), dtype=np.longdouble)
        for j in range(size):
            Q[j] = (values[j] - R[:j, j] @ Q[:j]) / R[j, j]
        G += Q @ Q.T
    L = np.zeros_like(G)
    for j in range(size):
        L[j, j] = np.sqrt(G[j, j] - L[j, :j] @ L[j, :j])
        L[j + 1 :, j] = (G[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    found: Array = L.T @ R
    return found


# How much more an active constraint weighs than the data: the errors are off by the square of one over it, and a third
# of the digits is left to tell which parameters the data tell.
_WEIGHT = 1e5


class Face(NamedTuple):
    """The gradients of the active constraints, shape (k, p), and how many independent ones are of equations."""

    normals: Array
    equations: int


def face_of(objective: Constrained, x: Vector, evidence: ConstraintEvidence) -> Face | None:
    """Return the face that the answer ``x`` lies on, None where no constraint is active."""
    active = np.array([one for state in evidence.states for one in listed_of(state.active)], dtype=bool)
    if not active.any():
        return None
    rows = objective.constraints
    slopes = rows.jacobian(np.array(x, dtype=float))
    equal = np.array(rows.lower) == np.array(rows.upper)
    equations = slopes[active & equal]
    rank = int(np.linalg.matrix_rank(equations)) if len(equations) else 0
    return Face(slopes[active], rank)


def listed_of(active: Sequence[bool] | bool) -> list[bool]:
    """Return whether each component of a constraint is active."""
    return list(active) if isinstance(active, Sequence) else [active]


def on_face(triangle: QRSystem, face: Face) -> QRSystem:
    """Return the linear model of residuals that cannot move across the face."""
    factor = np.array([list(row) for row in triangle.factor], dtype=float)
    lengths = np.linalg.norm(factor, axis=0)
    lengths[lengths == 0.0] = 1.0
    sizes = np.linalg.norm(face.normals / lengths, axis=1)
    added = _WEIGHT * face.normals[sizes > 0.0] / sizes[sizes > 0.0, None]
    q, r = np.linalg.qr(np.vstack((factor, added)))
    before = np.concatenate((np.array(list(triangle.target), dtype=float), np.zeros(len(added))))
    target = q.T @ before
    lost = max(0.0, float(before @ before - target @ target))
    kept = [Vec(row.tolist()) for row in r]
    return triangle._replace(
        factor=kept,
        target=Vec(target.tolist()),
        residual_norm=(triangle.residual_norm**2 + lost) ** 0.5,
        slope=None,
    )
