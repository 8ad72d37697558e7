"""Certificates against known Hessians, and the places where there is no ordinary minimum."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from toy import Toy, rosenbrock, scalar

from gdcli.judge.certificate import certify
from gdcli.judge.evidence import Certificate
from gdcli.kernel.vectors import Vec, norm
from gdcli.solve.methods.newton_cg import ritz, ritz_vector


def quadratic(
    eigenvalues: list[float], kind: type = Vec, hessian: bool = True, seed: int = 0
) -> tuple[Toy, np.ndarray]:
    """``x'Ax/2`` with these eigenvalues in a random orthogonal basis."""
    n = len(eigenvalues)
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    A = Q @ np.diag(eigenvalues) @ Q.T
    A = (A + A.T) / 2
    toy = Toy(
        n,
        lambda v: 0.5 * float(np.array(v) @ A @ np.array(v)),
        lambda v: (A @ np.array(v)).tolist() if isinstance(v, list) else A @ v,
        (lambda v: A.tolist()) if hessian else None,
        lambda v, d: (A @ np.array(d)).tolist() if isinstance(d, list) else A @ d,
    )
    return toy, A


def at_origin(toy: Toy, kind: type = Vec) -> Certificate:
    x = Vec([0.0] * toy.size) if kind is Vec else np.zeros(toy.size)
    return certify(toy, toy.evaluate(x, 1))


@pytest.mark.parametrize("kind", [Vec, np.ndarray])
@pytest.mark.parametrize("hessian", [True, False])
@pytest.mark.parametrize(
    ("eigenvalues", "what"),
    [
        ([1.0, 2.0, 5.0], "minimum"),
        ([1e-6, 1.0, 30.0], "minimum"),
        ([-1.0, 2.0, 5.0], "saddle"),
        ([-3.0, -2.0, -1.0], "maximum"),
        ([0.0, 1.0, 2.0], "degenerate"),
        ([1e-13, 1.0, 2.0], "degenerate"),
    ],
)
def test_kind_and_eigenvalues_of_a_quadratic(
    eigenvalues: list[float], what: str, hessian: bool, kind: type
) -> None:
    toy, _ = quadratic(eigenvalues, kind, hessian)
    found = at_origin(toy, kind)
    assert found.kind == what
    assert found.how == ("exact" if hessian else "products")
    assert found.eigenvalue_min == pytest.approx(min(eigenvalues), rel=1e-6, abs=1e-12)
    assert found.eigenvalue_max == pytest.approx(max(eigenvalues), rel=1e-9)
    if what == "minimum":
        assert found.condition == pytest.approx(max(eigenvalues) / min(eigenvalues), rel=1e-6)
        assert found.estimated_gap == 0.0
        assert found.distance == 0.0
    else:
        assert found.condition is None


def test_gain_and_distance_are_those_of_the_newton_step() -> None:
    toy, _ = quadratic([1.0, 4.0, 9.0])
    x = Vec([1e-4, -2e-4, 1e-4])
    found = certify(toy, toy.evaluate(x, 1))
    assert found.kind == "minimum"
    assert found.estimated_gap == pytest.approx(toy.evaluate(x).value, rel=1e-9)
    assert found.distance == pytest.approx(norm(x), rel=1e-9)
    far = certify(toy, toy.evaluate(x * 1e4, 1))
    assert far.kind == "not-stationary"
    assert far.estimated_gap == pytest.approx(toy.evaluate(x * 1e4).value, rel=1e-9)


def test_differences_of_gradients_stand_in() -> None:
    exact = rosenbrock()
    plain = Toy(2, exact._value, exact._gradient)
    found, known = (
        certify(plain, plain.evaluate(Vec([1.0, 1.0]), 1)),
        certify(exact, exact.evaluate(Vec([1.0, 1.0]), 1)),
    )
    assert found.kind == known.kind == "minimum"
    assert found.how == "differences"
    assert found.eigenvalue_min == pytest.approx(known.eigenvalue_min, rel=1e-4)
    assert found.eigenvalue_max == pytest.approx(known.eigenvalue_max, rel=1e-6)
    assert any("differences" in note for note in found.notes)


def test_bad_scales_are_no_degeneracy() -> None:
    toy = Toy(2, lambda v: 1e12 * v[0] ** 2 + 1e-12 * v[1] ** 2, lambda v: [2e12 * v[0], 2e-12 * v[1]],
              lambda v: [[2e12, 0.0], [0.0, 2e-12]])  # fmt: skip
    assert at_origin(toy).kind == "minimum"


Function = Callable[[float], float]


@pytest.mark.parametrize(
    ("f", "g", "h", "x", "kind"),
    [
        (lambda x: x**4, lambda x: 4 * x**3, lambda x: 12 * x * x, 0.0, "degenerate"),
        (lambda x: x**4, lambda x: 4 * x**3, lambda x: 12 * x * x, 1e-3, "degenerate"),
        (
            lambda x: (x - 1) ** 4,
            lambda x: 4 * (x - 1) ** 3,
            lambda x: 12 * (x - 1) ** 2,
            1 + 1e-14,
            "degenerate",
        ),
        (lambda x: x**3, lambda x: 3 * x * x, lambda x: 6 * x, 0.0, "unbounded"),
        (lambda x: x**3 + x**4, lambda x: 3 * x * x + 4 * x**3, lambda x: 6 * x + 12 * x * x, 0.0, "saddle"),
        (lambda x: -(x**4), lambda x: -4 * x**3, lambda x: -12 * x * x, 0.0, "unbounded"),
        (lambda x: math.exp(-x), lambda x: -math.exp(-x), lambda x: math.exp(-x), 30.0, "at-infinity"),
        (lambda x: math.exp(-x * x), lambda x: 0.0, lambda x: 0.0, 100.0, "flat"),
        (lambda x: 1e-20 * x * x, lambda x: 2e-20 * x, lambda x: 2e-20, 0.0, "minimum"),
        (lambda x: math.sin(x), math.cos, lambda x: -math.sin(x), math.pi / 2, "maximum"),
    ],
)
def test_doubtful_points_of_one_variable(f: Function, g: Function, h: Function, x: float, kind: str) -> None:
    toy = scalar(f, g, h)
    found = certify(toy, toy.evaluate(Vec([x]), 2))
    assert found.kind == kind
    if kind not in ("minimum", "degenerate", "flat"):
        assert found.estimated_gap is None or found.estimated_gap == 0.0


@pytest.mark.parametrize("x", [0.1, 0.4, 0.7, 1.2])
def test_a_slope_beside_a_crest_is_not_stationary(x: float) -> None:
    toy = scalar(math.cos, lambda a: -math.sin(a), lambda a: -math.cos(a))
    at = toy.evaluate(Vec([x]), 1)
    assert certify(toy, at).kind == certify(toy, at, at).kind == "not-stationary"


def test_no_second_look_where_the_start_shows_that_the_curvature_is_ordinary() -> None:
    toy = rosenbrock()
    start, end = toy.evaluate(Vec([-1.2, 1.0]), 2), toy.evaluate(Vec([1.0, 1.0]), 2)
    before = toy.counts.copy()
    assert certify(toy, end, start).kind == "minimum"
    assert toy.counts == before


def test_points_without_values_or_derivatives() -> None:
    toy = scalar(lambda x: math.sqrt(x), lambda x: 0.5 / math.sqrt(x), lambda x: -0.25 / x**1.5)
    found = certify(toy, toy.evaluate(Vec([0.0]), 1))
    assert found.kind == "unknown"
    assert found.gradient_norm is None
    assert certify(toy, toy.evaluate(Vec([-1.0]), 1)).kind == "unknown"


# -- many variables
# ----------------------------------------------------------------------------------------------------


def diagonal(values: np.ndarray, product: bool = True) -> Toy:
    return Toy(
        len(values),
        lambda v: 0.5 * float(values @ (v * v)),
        lambda v: values * v,
        product=(lambda v, d: values * d) if product else None,
    )


@pytest.mark.parametrize("product", [True, False])
@pytest.mark.parametrize(("low", "kind"), [(0.5, "minimum"), (-0.5, "saddle"), (0.0, "degenerate")])
def test_lanczos_certificate(low: float, kind: str, product: bool) -> None:
    values = np.concatenate(([low], np.linspace(2.0, 9.0, 2999)))
    toy = diagonal(values, product)
    found = certify(toy, toy.evaluate(np.zeros(3000), 1))
    assert found.kind == kind
    assert found.how == "lanczos"
    assert found.eigenvalue_min == pytest.approx(low, abs=1e-5)
    assert found.eigenvalue_max == pytest.approx(9.0, rel=1e-3)


def test_lanczos_gain_and_distance() -> None:
    values = np.linspace(1.0, 9.0, 3000)
    toy = diagonal(values)
    near = certify(toy, toy.evaluate(np.full(3000, 1e-5), 1))
    assert near.kind == "minimum"
    assert near.estimated_gap == pytest.approx(0.5e-10 * values.sum(), rel=1e-2)
    assert near.distance == pytest.approx(1e-5 * math.sqrt(3000), rel=2e-2)
    assert certify(toy, toy.evaluate(np.full(3000, 1.0), 1)).kind == "not-stationary"


def test_lanczos_eigenvector() -> None:
    toy, A = quadratic([0.1, 3.0, 4.0, 5.0, 7.0])
    at = toy.evaluate(Vec([0.0] * 5), 1)
    spectrum = ritz(toy, at)
    assert spectrum is not None
    v = np.array(ritz_vector(toy, at, spectrum))
    assert np.linalg.norm(A @ v - 0.1 * v) < 1e-8
    assert np.linalg.norm(v) == pytest.approx(1.0)
