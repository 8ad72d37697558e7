"""Standard errors of ill-conditioned fits to more digits than the triangle of the Jacobian has.

The triangle R is rounded, and errors that follow from it lose as many digits as its condition has. So a pass over the
rows with the longest floats there are looks at what R leaves: with ``Q = J R^-1`` the matrix ``G = Q'Q`` is the unit
matrix but for that rounding, and the covariance is ``R^-1 G^-1 R^-T``, whatever R is. (One step of Cholesky QR:
Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, Electron. Trans. Numer. Anal. 44, 2015.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.batched_linear import inverse_upper
from gdcli.kernel.dataclass import replace
from gdcli.kernel.vectors import Array, Vec, Vector, np

if TYPE_CHECKING:
    from gdcli.judge.statistics import FitStatistics
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
    if not all(told) or not all(map(_is_near, told, map(float, filter(None, errors.standard_errors)))):
        return found
    unit = inverse / lengths[:, None]
    correlation = (unit @ unit.T).astype(float)
    correlation[range(size), range(size)] = 1.0
    reach = student_t_quantile(errors.level, errors.dof)
    better = replace(
        errors,
        standard_errors=tuple(told),
        t_values=tuple(float(a) / e for a, e in zip(x, told, strict=True)),
        intervals=tuple((float(a) - reach * e, float(a) + reach * e) for a, e in zip(x, told, strict=True)),
        correlation=tuple(map(tuple, correlation.tolist())),
        factor=tuple(map(tuple, (scale * inverse * np.sign(inverse.diagonal())).astype(float).tolist())),
    )
    return replace(found, errors=better)


def _is_near(new: float, old: float) -> bool:
    """Tell whether the step is the small one that it must be; else a column is lost in rounding."""
    return 0.5 * old < new < 2.0 * old


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
