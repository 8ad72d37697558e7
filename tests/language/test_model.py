"""The quadratic model: two variables spelled out against the general one, and the trust-region step itself."""

from __future__ import annotations

import numpy as np
import pytest

from gdcli.kernel.dense import eigen
from gdcli.kernel.vectors import Vec
from gdcli.solve.algebra.quadratic_model import LineModel, LocalModel, PlaneModel, local_model

RANDOM = np.random.default_rng(5)


def matrix(eigenvalues: list[float]) -> list[Vec]:
    n = len(eigenvalues)
    Q = np.linalg.qr(RANDOM.normal(size=(n, n)))[0]
    A = Q @ np.diag(eigenvalues) @ Q.T
    return [Vec(row) for row in (0.5 * (A + A.T)).tolist()]


CASES = [
    [1.0, 3.0],
    [1e-5, 7.0],
    [2.0, 2.0],
    [-1.0, 2.0],
    [-3.0, -0.1],
    [0.0, 1.0],
    [1e-13, 1.0],
    [1e5, 1e12],
]


@pytest.mark.parametrize("eigenvalues", CASES)
def test_two_variables_are_as_many(eigenvalues: list[float]) -> None:
    for _ in range(5):
        H = matrix(eigenvalues)
        g = Vec(RANDOM.normal(size=2).tolist())
        plain, general = PlaneModel(g, H), LocalModel(g, H)
        assert isinstance(local_model(g, H), PlaneModel)
        assert plain.strict is general.strict
        assert plain.negative is general.negative
        assert len(plain.null) == len(general.null)
        assert plain.gap == pytest.approx(general.gap, rel=1e-6)
        for radius in (1e-8, 1e-3, 0.3, 10.0):
            one, other = plain.step(radius), general.step(radius)
            assert one.boundary is other.boundary
            assert one.predicted == pytest.approx(other.predicted, rel=1e-3)
            assert list(one.step) == pytest.approx(list(other.step), rel=1e-3, abs=1e-3 * one.length)


@pytest.mark.parametrize("curvature", [3.0, 1e-5, 0.0, -2.0, 1e200])
@pytest.mark.parametrize("slope", [1.0, -4.0, 0.0, 1e-30])
def test_one_variable_is_as_many(curvature: float, slope: float) -> None:
    g, H = Vec([slope]), [Vec([curvature])]
    line, general = LineModel(g, H), LocalModel(g, H)
    assert isinstance(local_model(g, H), LineModel)
    assert (line.strict, line.negative, line.flat) == (general.strict, general.negative, general.flat)
    assert line.gap == pytest.approx(general.gap, rel=1e-12)
    for radius in (1e-8, 0.3, 10.0):
        one, other = line.step(radius), general.step(radius)
        assert (one.boundary, one.hard) == (other.boundary, other.hard)
        assert one.length <= 1.0001 * radius
        assert one.length == pytest.approx(other.length, rel=0.11)
        assert abs(one.step[0]) == pytest.approx(one.length)
        assert line.fall(one.step) == pytest.approx(one.predicted, rel=1e-9)
        assert one.hard or one.step[0] * other.step[0] >= 0.0


def test_the_model_of_a_point_is_kept_for_its_certificate() -> None:
    H = matrix([1.0, 2.0, 3.0])
    g = Vec([1.0, 2.0, 3.0])
    model = local_model(g, H)
    assert local_model(g, H) is model
    assert local_model(Vec(g), H) is not model
    assert local_model(g, H, 1e-6) is not model


@pytest.mark.parametrize("eigenvalues", [*CASES, [-1.0, 0.5, 2.0, 9.0], [0.01, 1.0, 4.0]])
def test_the_step_is_the_lowest_point_within_the_radius(eigenvalues: list[float]) -> None:
    n = len(eigenvalues)
    H = matrix(eigenvalues)
    g = Vec(RANDOM.normal(size=n).tolist())
    model = local_model(g, H)
    for radius in (1e-3, 0.3, 10.0):
        found = model.step(radius)
        assert found.length <= 1.11 * radius
        assert model.fall(found.step) == pytest.approx(found.predicted, rel=1e-6)
        for _ in range(200):
            other = Vec(RANDOM.normal(size=n).tolist())
            other = other * (radius / np.linalg.norm(other))
            assert model.fall(other) <= found.predicted * 1.03


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_eigenvalues_and_vectors(n: int) -> None:
    A = matrix(RANDOM.normal(size=n).tolist())
    values, vectors = eigen(A)
    assert values == sorted(values)
    Q = np.array(vectors)
    np.testing.assert_allclose(Q @ np.array(A) @ Q.T, np.diag(values), atol=1e-13)
    np.testing.assert_allclose(Q @ Q.T, np.eye(n), atol=1e-13)
    assert eigen(A)[0] is values  # asked again about the same matrix, the answer is there
