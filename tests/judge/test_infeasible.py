"""Which constraints cannot hold together, and whether that is proved."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.status import Status


def conflict(start: dict[str, Any], *subject_to: str) -> tuple[tuple[str, ...], bool]:
    outcome = api.minimize("+".join(f"sum({n})" if isinstance(v, list) else n for n, v in start.items()), start,
                           subject_to=subject_to)  # fmt: skip
    assert outcome.status is Status.INFEASIBLE
    assert outcome.status.exit_code == 10
    found = outcome.constraints
    assert found is not None
    assert ("proved" in outcome.message) is found.proved
    assert all(text in outcome.message for text in found.conflict)
    return found.conflict, found.proved


@pytest.mark.parametrize(
    ("subject_to", "smallest"),
    [
        (["x + y >= 3", "x - y >= 2", "x <= 1", "x*y <= 100"], ["x + y >= 3", "x - y >= 2", "x <= 1"]),
        (["x + y >= 3", "x + y <= 2", "x - y == 1"], ["x + y >= 3", "x + y <= 2"]),
        (["x + 2*y == 1", "2*x + 4*y == 3", "x >= 0"], ["x + 2*y == 1", "2*x + 4*y == 3"]),
    ],
)
def test_linear_conflicts_are_smallest_and_proved(subject_to: list[str], smallest: list[str]) -> None:
    assert conflict({"x": 1.0, "y": 1.0}, *subject_to) == (tuple(smallest), True)


@pytest.mark.parametrize(
    "start", [{"x": 1.0, "y": 1.0}, {"x": 0.9417, "y": -1.3966}, {"x": -50.0, "y": 20.0}]
)
def test_a_value_that_falls_for_ever_does_not_hide_a_conflict(start: dict[str, float]) -> None:
    """Far out, where it falls to, both seem to hold beside the size of x and y."""
    outcome = api.minimize("x*y", start, subject_to=["x + y >= 2", "x + y <= 1"])
    assert outcome.status is Status.INFEASIBLE
    assert outcome.constraints is not None
    assert outcome.constraints.proved


def test_vectors_and_bounds_take_part() -> None:
    texts = ("v[1:] >= v[:-1] + 1", "v[0] >= 1", "v[2] <= 2")
    assert conflict({"v": [1.0, 1.0, 1.0]}, *texts) == (texts, True)


@pytest.mark.parametrize(
    ("subject_to", "smallest"),
    [
        (["x**2 + y**2 <= 1", "x + y >= 3", "x >= y"], ["x**2 + y**2 <= 1", "x + y >= 3"]),
        (["x**2 + y**2 <= -1", "x >= y"], ["x**2 + y**2 <= -1"]),
        (["sin(x) >= 2", "y == x**2"], ["sin(x) >= 2"]),
    ],
)
def test_other_conflicts_are_found_and_not_called_proved(subject_to: list[str], smallest: list[str]) -> None:
    assert conflict({"x": 1.0, "y": 1.0}, *subject_to) == (tuple(smallest), False)


def test_nothing_is_dropped_that_is_needed() -> None:
    """Each of these three half planes leaves room for the two others."""
    texts = ("x + y >= 2", "x - 2*y >= 1", "2*x - y <= 0")
    found, proved = conflict({"x": 0.0, "y": 0.0}, *texts)
    assert (set(found), proved) == (set(texts), True)
    for left_out in texts:
        rest = [text for text in texts if text != left_out]
        assert api.minimize("x**2 + y**2", {"x": 0.0, "y": 0.0}, subject_to=rest).status is Status.CONVERGED
