"""Sums of products of few numbers, in an order that no processor changes.

A matrix library adds up in the order that suits the processor, and rounds a product and a sum together where that can
do so. For long vectors that is what makes it fast. For few numbers products one by one and numpy's pairwise sum cost
little more, and have the same bits everywhere: methods take the same steps, and their answers have the same digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Up to so many numbers in a vector, and in a matrix, the difference is some microseconds.
FEW, FEW_ENTRIES = 1024, 1 << 16


def dot(u: NDArray[Any], v: NDArray[Any]) -> float:
    """Return the inner product of two arrays of shape (n,)."""
    return float((u * v).sum()) if len(u) <= FEW else float(u @ v)


def times_vector(A: NDArray[Any], v: NDArray[Any]) -> Any:
    """Return A v, shape (m,), of arrays of shapes (m, n) and (n,)."""
    return (A * v).sum(axis=1) if A.size <= FEW_ENTRIES else A @ v


def combined(weights: NDArray[Any], A: NDArray[Any]) -> Any:
    """Return the sum of the rows of A, shape (m, n), with weights, shape (m,)."""
    return (weights[:, None] * A).sum(axis=0) if A.size <= FEW_ENTRIES else weights @ A
