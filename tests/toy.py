"""Objectives from plain Python callables, without language or compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any

from gdcli.kernel.vectors import Vec, as_like, is_finite
from gdcli.objective.protocol import Counts, Evaluation, Objective, Vector

_ARITHMETIC = (OverflowError, ValueError, ZeroDivisionError, TypeError)


class Toy(Objective):
    """``value(x)``, ``gradient(x)`` and perhaps ``hessian(x)`` and ``product(x, d)`` as an `Objective`.

    Points come in as `Vec` or numpy arrays and are handed to the callables as they are; results are made to
    the same kind. Exceptions of arithmetic and nan mean that the function is undefined.
    """

    def __init__(
        self,
        size: int,
        value: Callable[[Any], float],
        gradient: Callable[[Any], Sequence[float]],
        hessian: Callable[[Any], Sequence[Sequence[float]]] | None = None,
        product: Callable[[Any, Any], Sequence[float]] | None = None,
        smoothed: Callable[[float], Toy] | None = None,
    ) -> None:
        self._smoothed = smoothed
        self.size = size
        self.counts = Counts()
        self.has_hessian = hessian is not None
        self.has_product = product is not None
        self._value, self._gradient, self._hessian, self._product = value, gradient, hessian, product

    def smoothed(self, mu: float) -> Toy | None:
        return None if self._smoothed is None else self._smoothed(mu)

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        self.counts.value += 1
        try:
            value = self._value(x)
            value = float(value) if not isinstance(value, complex) and value == value else inf
        except _ARITHMETIC:
            value = inf
        at = Evaluation(x, value)
        return self.complete(at, order) if order and isfinite(value) else at

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        gradient, hessian = at.gradient, at.hessian
        if order >= 1 and gradient is None:
            self.counts.gradient += 1
            gradient = self._vector(self._gradient, at.x, at.x)
        if order >= 2 and hessian is None and self._hessian is not None and gradient is not None:
            self.counts.hessian += 1
            hessian = self._matrix(at.x)
        return Evaluation(at.x, at.value, gradient, hessian)

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        if self._product is None:
            return None
        self.counts.product += 1
        return self._vector(self._product, at.x, at.x, direction)

    def _vector(self, function: Callable[..., Any], like: Vector, *arguments: Any) -> Vector | None:
        try:
            result = function(*arguments)
            made = as_like(like, result) if not isinstance(result, type(like)) else result
        except _ARITHMETIC:
            return None
        return made if is_finite(made) else None

    def _matrix(self, x: Vector) -> Any:
        assert self._hessian is not None
        try:
            rows = self._hessian(x)
            if isinstance(x, list):
                made: Any = [Vec(map(float, row)) for row in rows]
                return made if all(map(is_finite, made)) else None
            import numpy

            made = numpy.array(rows, dtype=float)
        except _ARITHMETIC:
            return None
        return made if numpy.isfinite(made).all() else None


def rosenbrock() -> Toy:
    """Rosenbrock's valley in two variables, with its exact Hessian."""
    return Toy(
        2,
        lambda v: 100 * (v[1] - v[0] * v[0]) ** 2 + (1 - v[0]) ** 2,
        lambda v: Vec([-400 * v[0] * (v[1] - v[0] * v[0]) - 2 * (1 - v[0]), 200 * (v[1] - v[0] * v[0])]),
        lambda v: [Vec([1200 * v[0] * v[0] - 400 * v[1] + 2, -400 * v[0]]), Vec([-400 * v[0], 200.0])],
    )


def sum_of_squares(n: int, center: Sequence[float] | None = None) -> Toy:
    """``sum((v - c)**2)``, the book's example."""
    c = list(center) if center is not None else [0.0] * n
    return Toy(
        n,
        lambda v: sum([(a - b) * (a - b) for a, b in zip(v, c, strict=True)]),
        lambda v: [2 * (a - b) for a, b in zip(v, c, strict=True)],
        lambda v: [[2.0 if i == j else 0.0 for j in range(n)] for i in range(n)],
    )


def scalar(
    value: Callable[[float], float], gradient: Callable[[float], float], hessian: Callable[[float], float]
) -> Toy:
    """A function of one variable."""
    return Toy(1, lambda v: value(v[0]), lambda v: [gradient(v[0])], lambda v: [[hessian(v[0])]])
