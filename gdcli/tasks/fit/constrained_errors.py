"""Errors of parameters on the face of the constraints that hold them.

Where constraints are active, the parameters can move along them only. To the linear model of the residuals each active
constraint adds a row that weighs so much that nothing moves across it: the covariance is then that of the moves along
all of them (Z (Z'J'JZ)^-1 Z' with Z a basis of these, up to the square of one over the weight).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, Vec, Vector, np
from gdcli.objective.protocol import QRSystem

if TYPE_CHECKING:
    from gdcli.judge.kkt import ConstraintEvidence
    from gdcli.objective.constrained import Constrained

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
