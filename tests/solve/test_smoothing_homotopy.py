"""Minima at kinks: found by smoothing, certified as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import pytest
from toy import Toy

from gdcli.judge.certificate import certify
from gdcli.judge.verdict import judge
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Vec
from gdcli.solve.registry import choose
from gdcli.solve.run import run
from gdcli.solve.settings import Settings, rules_from

Plane = tuple[float, Sequence[float], float]


def kinked(n: int, kinks: Sequence[Plane], curvatures: Sequence[float], center: Sequence[float]) -> Toy:
    """``sum of weight * abs(a @ x - b) + sum of c * (x - center)**2 / 2``; the absolute
    values can be smoothed.
    """

    def make(mu: float) -> Toy:
        def size(u: float) -> float:
            return sqrt(u * u + mu * mu)

        def slope(u: float) -> float:
            return u / size(u) if u else 0.0

        def bend(u: float) -> float:
            return (mu * mu / size(u) ** 3) if mu else 0.0

        def along(x: Any) -> list[tuple[float, Sequence[float], float]]:
            return [(w, a, sum(p * q for p, q in zip(a, x, strict=True)) - b) for w, a, b in kinks]

        return Toy(
            n,
            lambda x: (
                sum(w * size(u) for w, _, u in along(x))
                + sum(0.5 * c * (p - q) ** 2 for c, p, q in zip(curvatures, x, center, strict=True))
            ),
            lambda x: [
                sum(w * slope(u) * a[i] for w, a, u in along(x)) + curvatures[i] * (x[i] - center[i])
                for i in range(n)
            ],
            lambda x: [
                [
                    sum(w * bend(u) * a[i] * a[j] for w, a, u in along(x))
                    + (curvatures[i] if i == j else 0.0)
                    for j in range(n)
                ]
                for i in range(n)
            ],
            smoothed=None if mu else make,
        )

    return make(0.0)


CASES: list[tuple[Callable[[], Toy], list[float], float]] = [
    # abs(x) + y**2
    (lambda: kinked(2, [(1, (1, 0), 0)], (0, 2), (0, 0)), [1.0, 1.0], 0.0),
    # abs(x - 0.3) + y**2
    (lambda: kinked(2, [(1, (1, 0), 0.3)], (0, 2), (0, 0)), [1.0, 1.0], 0.0),
    # abs(x-1) + abs(x-2) + abs(x-4): the median
    (lambda: kinked(1, [(1, (1,), 1), (1, (1,), 2), (1, (1,), 4)], (0,), (0,)), [10.0], 3.0),
    # max(x, 1-x) = 1/2 + abs(x - 1/2)
    (lambda: kinked(1, [(1, (1,), 0.5)], (0,), (0,)), [3.0], 0.0),
    # abs(x+y-1) + abs(x-y) + 0.1 (x**2 + y**2)
    (lambda: kinked(2, [(1, (1, 1), 1), (1, (1, -1), 0)], (0.2, 0.2), (0, 0)), [3.0, -2.0], 0.05),
    # (x-1)**2 + (y+2)**2 + 3 abs(x) + 3 abs(y), lowest at (0, -1/2)
    (lambda: kinked(2, [(3, (1, 0), 0), (3, (0, 1), 0)], (2, 2), (1, -2)), [3.0, 3.0], 1 + 2.25 + 1.5),
]


@pytest.mark.parametrize(("make", "start", "value"), CASES)
def test_auto_gets_to_the_bottom_of_a_kink(make: Callable[[], Toy], start: list[float], value: float) -> None:
    toy = make()
    chosen = choose("auto", toy)
    result = run(toy, chosen.method, Vec(start), rules_from(Settings(), own_rule=True))
    assert result.best.at.value == pytest.approx(value, abs=1e-10)
    certificate = certify(toy, result.best.at, result.start.at)
    assert certificate.kind == "kink"
    assert certificate.estimated_gap is not None
    assert certificate.estimated_gap <= 2e-10 * len(start)
    assert any("kink" in note for note in certificate.notes)
    found = judge(result, certificate)
    assert found.status is Status.CONVERGED
    assert "kink" in found.message
    assert result.counts.value < 400


def test_beside_a_kink_is_not_at_it() -> None:
    toy = CASES[0][0]()
    assert certify(toy, toy.evaluate(Vec([1e-6, 0.0]), 1)).kind == "not-stationary"
    assert certify(toy, toy.evaluate(Vec([0.0, 0.1]), 1)).kind == "not-stationary"


def test_the_top_of_a_kink_is_no_minimum() -> None:
    toy = kinked(2, [(-1, (1, 0), 0)], (0, 2), (0, 0))
    assert certify(toy, toy.evaluate(Vec([0.0, 0.0]), 1)).kind not in ("kink", "minimum")
