"""Where a Hessian comes from: exact, from products with unit vectors, or from differences of gradients.

Newton's method and the certificate both want the matrix of second derivatives for few variables. The exact
one is best; n Hessian-vector products are as exact; differences of exact gradients have about half the
digits, which is enough to go downhill and to tell the kind of a point that is not close to singular.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import Vec, along, max_abs, np, unit_like
from gdcli.objective.protocol import Evaluation, Objective

# Up to this many variables a dense matrix and its factors cost little beside n evaluations.
EXACT_LIMIT = 200
PRODUCT_LIMIT = 50
DIFFERENCE_LIMIT = 30

# Relative error to be expected of the entries, in the scale of the matrix. Exact derivatives lose digits by
# cancellation only; below 1e-9 of the largest eigenvalue a sign is not trusted. Differences with the step
# 1e-8 have an error of the order 1e-8 times third derivatives.
NOISE: Mapping[str, float] = {
    CurvatureSource.EXACT: 1e-9,
    CurvatureSource.PRODUCTS: 1e-9,
    CurvatureSource.DIFFERENCES: 1e-6,
}

_DIFFERENCE_STEP = 1.5e-8  # the square root of the rounding unit: balances rounding and truncation


def hessian_source(objective: Objective) -> CurvatureSource:
    """Return where the Hessian of ``objective`` is to come from: exact, products, differences or none."""
    n = objective.size
    if objective.has_hessian and n <= EXACT_LIMIT:
        return CurvatureSource.EXACT
    if objective.has_product and n <= PRODUCT_LIMIT:
        return CurvatureSource.PRODUCTS
    return CurvatureSource.DIFFERENCES if n <= DIFFERENCE_LIMIT else CurvatureSource.NONE


def with_hessian(objective: Objective, at: Evaluation, source: str) -> Evaluation:
    """Return ``at`` with gradient and Hessian, as far as they are finite.

    Where the exact Hessian is not finite (a power below 2, say) differences of gradients stand in.
    """
    if at.hessian is not None:
        return at
    # Differences may look a little beyond bounds; clipped there, they would see no curvature.
    return objective.derived(at, lambda function, e: _with_hessian(function, e, source))


def _with_hessian(objective: Objective, at: Evaluation, source: str) -> Evaluation:
    # The differences may be those of values, where there are no gradients.
    if source in (CurvatureSource.EXACT, CurvatureSource.DIFFERENCES):
        full = objective.complete(at, 2)
    else:
        full = at if at.gradient is not None else objective.complete(at, 1)
    if full.hessian is not None or full.gradient is None or source == CurvatureSource.NONE:
        return full
    hessian = _from_products(objective, full) if source == CurvatureSource.PRODUCTS else None
    if hessian is None and objective.size <= DIFFERENCE_LIMIT:
        hessian = _from_differences(objective, full)
    return full._replace(hessian=hessian)


def _from_products(objective: Objective, at: Evaluation) -> Any:
    columns = []
    for i in range(objective.size):
        column = objective.product(at, unit_like(at.x, i))
        if column is None:
            return None
        columns.append(column)
    return _symmetric(at, columns)


def _from_differences(objective: Objective, at: Evaluation) -> Any:
    columns = []
    # Who asks for a Hessian looks at the function in units of its own: 1 is the natural length of all variables.
    scale = _DIFFERENCE_STEP * max(1.0, max_abs(at.x))
    for i in range(objective.size):
        # Rounded so that x + h - x is h exactly: else the quotient has the error of the rounded x.
        h = (at.x[i] + scale) - at.x[i]
        beside = objective.evaluate(along(at.x, h, unit_like(at.x, i)), 1)
        if beside.gradient is None:
            return None
        columns.append((beside.gradient - at.gradient) / h)
    return _symmetric(at, columns)


def _symmetric(at: Evaluation, columns: list[Any]) -> Any:
    if isinstance(at.x, list):
        n = len(columns)
        return [Vec([0.5 * (columns[i][j] + columns[j][i]) for j in range(n)]) for i in range(n)]
    matrix = np.array(columns)
    return 0.5 * (matrix + matrix.T)
