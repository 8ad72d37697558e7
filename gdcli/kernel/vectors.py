"""One notation for vectors, whether they have two components or a million.

A method is mathematics: ``x - step * gradient``. For few variables the fastest vector in Python is a list (no
import, no call overhead of an array library), for many it is a numpy array. `Vec` gives a list the arithmetic
of an array, and the functions below do for both what operators cannot say. So every method is written once,
and numpy is loaded only where something of it is used: `np` is numpy for every module.

Solvers know only a vector x of n numbers; a person knows names, some of them vectors. A `Space` maps one to the other,
in the order in which the names first appear in the expression.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from math import copysign, fsum, hypot, isfinite, log, nan, sqrt
from operator import add, mul, sub, truediv
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    np = numpy
else:

    class _Numpy:
        """numpy, loaded when something of it is first used: that takes longer than many a command."""

        def __getattr__(self, name: str) -> Any:
            one_thread()
            import numpy

            found = self.__dict__[name] = getattr(numpy, name)
            return found

    np = _Numpy()

Vector = Any
# What is an array of numpy for certain.
Array: TypeAlias = "NDArray[Any]"


def one_thread() -> None:
    """Have numpy, when it is imported, start no threads of its matrix library, which only cost time here."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


# Squares of numbers outside this range overflow or lose digits to underflow; then a norm is computed scaled.
_SQUARE_MIN, _SQUARE_MAX = 1e-280, 1e280

# Numbers in a piece of a long vector: 64 kB fit in a fast cache, and are too few for a threaded inner
# product, whose threads would cost more than they bring here.
_PIECE = 8192


class Vec(list[float]):
    """A small vector: a list whose ``+ - * / @`` are those of vectors (``*`` and ``/`` with a number)."""

    __slots__ = ()
    __hash__ = None

    def __add__(self, other: Iterable[float]) -> Vec:  # type: ignore[override]
        return Vec(map(add, self, other))

    def __sub__(self, other: Iterable[float]) -> Vec:
        return Vec(map(sub, self, other))

    def __neg__(self) -> Vec:
        return Vec([-a for a in self])

    def __mul__(self, factor: float) -> Vec:  # type: ignore[override]
        return Vec([a * factor for a in self])

    __rmul__ = __mul__  # type: ignore[assignment]

    def __truediv__(self, divisor: float) -> Vec:
        return Vec([a / divisor for a in self])

    def __matmul__(self, other: Iterable[float]) -> float:
        return float(sum(map(mul, self, other)))

    # A list's own += and *= would lengthen it in place, which no caller can mean here.
    def __iadd__(self, other: Iterable[float]) -> Vec:  # type: ignore[override]
        return Vec(map(add, self, other))

    def __imul__(self, factor: float) -> Vec:  # type: ignore[override]
        return Vec([a * factor for a in self])

    def copy(self) -> Vec:
        return Vec(self)


def as_like(template: Vector, values: Iterable[float]) -> Vector:
    """Return ``values`` as the kind of vector that ``template`` is (a `Vec`, or a numpy array)."""
    if isinstance(template, list):
        return Vec(map(float, values))
    return np.array(values, dtype=float)


def zeros_like(v: Vector) -> Vector:
    if isinstance(v, list):
        return Vec([0.0] * len(v))
    return np.zeros(len(v))


def unit_like(v: Vector, index: int, size: float = 1.0) -> Vector:
    unit = zeros_like(v)
    unit[index] = size
    return unit


def to_list(v: Vector) -> list[float]:
    return v.tolist() if hasattr(v, "tolist") else [float(a) for a in v]


def dot(u: Vector, v: Vector) -> float:
    if isinstance(u, list):
        return float(sum(map(mul, u, v)))
    if len(u) <= _PIECE:
        return array_dot(u, v)
    pieces = range(0, len(u), _PIECE)
    return float(sum([u[i : i + _PIECE] @ v[i : i + _PIECE] for i in pieces]))


def norm(v: Vector) -> float:
    """Return the Euclidean norm; entries like 1e200 or 1e-200 neither overflow nor vanish."""
    if isinstance(v, list):
        return hypot(*v)
    with np.errstate(all="ignore"):
        square = dot(v, v)
    if _SQUARE_MIN < square < _SQUARE_MAX:
        return sqrt(square)
    largest = max_abs(v)
    if largest == 0.0 or not isfinite(largest):
        return largest
    w = v / largest
    return largest * sqrt(dot(w, w))


def ones_like(v: Vector) -> Vector:
    return raised(zeros_like(v), 1.0)


def total(v: Vector) -> float:
    return fsum(v) if isinstance(v, list) else float(v.sum())


def positive_logs(v: Vector) -> tuple[int, float]:
    """Return how many components are positive, and the sum of their logarithms."""
    if isinstance(v, list):
        found = [log(a) for a in v if a > 0.0]
        return len(found), fsum(found)
    positive = v[v > 0.0]
    return len(positive), float(np.log(positive).sum())


def extremes(v: Vector) -> tuple[float, float]:
    """Return the least and the largest component of a vector that has some; nan twice where one is nan."""
    if not isinstance(v, list):
        return float(v.min()), float(v.max())
    return (nan, nan) if any(a != a for a in v) else (min(v), max(v))


def any_negative(v: Vector) -> bool:
    return any(a < 0.0 for a in v) if isinstance(v, list) else bool((v < 0.0).any())


def split_near(v: Vector, size: float) -> tuple[list[int], Vector]:
    """Return the places of the components of at most this ``size``, and the signs of the others, 0 in those places."""
    if isinstance(v, list):
        return [i for i, a in enumerate(v) if abs(a) <= size], Vec(
            [0.0 if abs(a) <= size else copysign(1.0, a) for a in v]
        )
    near = abs(v) <= size
    return np.flatnonzero(near).tolist(), np.where(near, 0.0, np.sign(v))


def max_abs(v: Vector) -> float:
    """Return the largest absolute component (0 for an empty vector, nan if one is nan)."""
    if isinstance(v, list):
        return max(map(abs, v), default=0.0) if isfinite(sum(v)) else _max_abs_of_any(v)
    return float(abs(v).max()) if len(v) else 0.0


def _max_abs_of_any(v: Vector) -> float:
    # max() ignores or keeps a nan depending on its place, so a nan is looked for.
    return next((a for a in v if a != a), max(map(abs, v), default=0.0))


def is_finite(v: Vector) -> bool:
    if isinstance(v, list):
        # One sum is cheaper than n questions; it is in doubt only when finite numbers overflow together.
        return isfinite(sum(v)) or all(map(isfinite, v))
    return bool(np.isfinite(v).all())


def is_zero(v: Vector) -> bool:
    return not any(v) if isinstance(v, list) else not v.any()


def same(u: Vector, v: Vector) -> bool:
    return bool(u == v) if isinstance(u, list) else bool((u == v).all())


def along(x: Vector, size: float, direction: Vector) -> Vector:
    if isinstance(x, list):
        return Vec([a + size * d for a, d in zip(x, direction, strict=True)])
    return x + size * direction


def alternating(v: Vector) -> Vector:
    """Return ``v`` with the sign of every second component turned."""
    if isinstance(v, list):
        return Vec([-a if i % 2 else a for i, a in enumerate(v)])
    turned = v.copy()
    turned[1::2] *= -1.0
    return turned


def add_then_dot(q: Vector, factor: float, v: Vector, w: Vector) -> float:
    """Add ``factor * v`` to ``q`` in place, and return the inner product of ``w`` with the new ``q``."""
    return dot(w, add_in_place(q, factor, v))


def add_in_place(q: Vector, factor: float, v: Vector) -> Vector:
    """Add ``factor * v`` to ``q`` in place, and return ``q``."""
    if isinstance(q, list):
        q[:] = [a + factor * b for a, b in zip(q, v, strict=True)]
        return q
    # Piece by piece: the product stays in the cache, and takes no memory of its own.
    for begin in range(0, len(q), _PIECE):
        piece = q[begin : begin + _PIECE]
        piece += factor * v[begin : begin + _PIECE]
    return q


def inner_products(u: Vector, v: Vector) -> tuple[float, float, float]:
    if isinstance(u, list) or len(u) <= _PIECE:
        return dot(u, v), norm(u), norm(v)
    uv = uu = vv = 0.0
    with np.errstate(all="ignore"):
        for begin in range(0, len(u), _PIECE):
            a, b = u[begin : begin + _PIECE], v[begin : begin + _PIECE]
            uv += float(a @ b)
            uu += float(a @ a)
            vv += float(b @ b)
    if _SQUARE_MIN < uu < _SQUARE_MAX and _SQUARE_MIN < vv < _SQUARE_MAX:
        return uv, sqrt(uu), sqrt(vv)
    return uv, norm(u), norm(v)


def distance(u: Vector, v: Vector) -> float:
    return norm(u - v)


def times(u: Vector, v: Vector) -> Vector:
    return Vec(map(mul, u, v)) if isinstance(u, list) else u * v


def quotient(u: Vector, v: Vector) -> Vector:
    """Return the quotients component by component; no component of ``v`` may be zero."""
    return Vec(map(truediv, u, v)) if isinstance(u, list) else u / v


def roots(v: Vector) -> Vector:
    """Return the square roots component by component; no component may be negative."""
    if isinstance(v, list):
        return Vec(map(sqrt, v))
    return np.sqrt(v)


def raised(v: Vector, amount: float) -> Vector:
    """Return ``v`` with ``amount`` added to every component."""
    return Vec([a + amount for a in v]) if isinstance(v, list) else v + amount


def clipped(x: Vector, lower: Vector, upper: Vector) -> Vector:
    """Return the point nearest to ``x`` of the box ``lower <= x <= upper`` (infinite entries: no bound)."""
    if isinstance(x, list):
        return Vec([lo if a < lo else hi if a > hi else a for a, lo, hi in zip(x, lower, upper, strict=True)])
    return np.clip(x, lower, upper)


def main_part(v: Vector, part: float) -> Vector:
    """Return ``v`` with the components below ``part`` of the largest one made zero."""
    least = part * max_abs(v)
    if isinstance(v, list):
        return Vec([a if abs(a) >= least else 0.0 for a in v])
    return np.where(abs(v) >= least, v, 0.0)


def is_bent(asked: Vector, found: Vector, begun: Vector) -> bool:
    """Tell whether a bound stopped a variable on its way from where it had ``begun`` to where it was ``asked``."""
    if isinstance(asked, list):
        return any(a != b != c for a, b, c in zip(asked, found, begun, strict=True))
    return bool(((asked != found) & (found != begun)).any())


# -- sums of products of few numbers ----------------------------------------------------------------------------------

# A matrix library adds up in the order that suits the processor, and rounds a product and a sum together where that can
# do so. For long vectors that is what makes it fast. For few numbers products one by one and numpy's pairwise sum cost
# little more, and have the same bits everywhere: methods take the same steps, and their answers have the same digits.
# Up to so many numbers in a vector, and in a matrix, the difference is some microseconds.
FEW, FEW_ENTRIES = 1024, 1 << 16


def array_dot(u: Array, v: Array) -> float:
    """Return the inner product of two arrays of shape (n,)."""
    return float((u * v).sum()) if len(u) <= FEW else float(u @ v)


def times_vector(A: Array, v: Array) -> Any:
    """Return A v, shape (m,), of arrays of shapes (m, n) and (n,)."""
    return (A * v).sum(axis=1) if A.size <= FEW_ENTRIES else A @ v


def combined(weights: Array, A: Array) -> Any:
    """Return the sum of the rows of A, shape (m, n), with weights, shape (m,)."""
    return (weights[:, None] * A).sum(axis=0) if A.size <= FEW_ENTRIES else weights @ A


# -- names on one side, a flat vector on the other -------------------------------------------------------------------


def lengths_of(values: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the length of each value by name, None for a number."""
    return {name: len(value) if hasattr(value, "__len__") else None for name, value in values.items()}


class Space:
    """The variables of a problem: ``names``, ``lengths`` (None: a scalar), ``size`` numbers in all."""

    def __init__(self, lengths: Mapping[str, int | None]) -> None:
        self.names = tuple(lengths)
        self.lengths = dict(lengths)
        self.offsets: dict[str, int] = {}
        position = 0
        for name, length in lengths.items():
            self.offsets[name] = position
            position += 1 if length is None else length
        self.size = position

    def flatten(self, values: Mapping[str, float | Sequence[float]]) -> Any:
        """Return the numbers of ``values`` (one entry per name) as one flat list of ``size`` floats.

        Where a value is an array it is a flat array: a list takes four times the memory.
        """
        if any(hasattr(values[name], "tolist") for name in self.lengths):
            parts = [np.ravel(np.asarray(values[name], dtype=float)) for name in self.lengths]
            return np.concatenate(parts)
        flat: list[float] = []
        for name, length in self.lengths.items():
            value: Any = values[name]
            if length is None:
                flat.append(float(value))
            else:
                flat.extend(float(v) for v in value)
        return flat

    def unflatten(self, x: Vector) -> dict[str, float | list[float]]:
        """Return ``{name: number or list of numbers}`` for a flat vector x of ``size`` numbers."""
        point: dict[str, float | list[float]] = {}
        for name, part in self.by_name(x).items():
            if self.lengths[name] is None:
                point[name] = float(part)
            else:
                point[name] = part.tolist() if hasattr(part, "tolist") else [float(v) for v in part]
        return point

    def by_name(self, flat: Vector) -> dict[str, Any]:
        """Return what a sequence of ``size`` items has for each name: an item, or a slice for a vector."""
        return {
            name: flat[at] if length is None else flat[at : at + length]
            for (name, length), at in zip(self.lengths.items(), self.offsets.values(), strict=True)
        }

    @property
    def labels(self) -> list[str]:
        return [
            name if length is None else f"{name}[{i}]"
            for name, length in self.lengths.items()
            for i in range(1 if length is None else length)
        ]

    def label(self, index: int) -> str:
        """Return the name of one component of the flat vector: ``x`` or ``v[3]``."""
        for name, length in self.lengths.items():
            at = self.offsets[name]
            if index < at + (1 if length is None else length):
                return name if length is None else f"{name}[{index - at}]"
        raise IndexError(index)
