"""Constraints at many places, and the edges that a picture draws of them."""

from __future__ import annotations

from math import cos
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.vectors import Space, np
from gdcli.objective.constraint_rows import LongRows
from gdcli.render.figures import PlaneConstraints


def sampled(*subject_to: str, **start: Any) -> Any:
    made = api.slack_sampler(
        api.make_problem("x*y", start=start or {"x": 1.0, "y": 1.0}, subject_to=subject_to)
    )
    assert made is not None
    return made


def test_slacks_are_negative_where_a_constraint_is_broken() -> None:
    texts, sampler = sampled("x**2 + y**2 <= 1", "0 <= x - y <= 2", "x*y == 1", "x <= 5")
    assert texts == [("x**2 + y**2 <= 1", False), ("0 <= x - y <= 2", False), ("x*y == 1", True)]
    disk, band, product = sampler.slacks((0, 1), [(0.0, 0.0), (2.0, 1.0), (3.0, 0.0)], [9.0, 9.0])
    assert disk == pytest.approx([1.0, -4.0, -8.0])
    assert band == pytest.approx([0.0, 1.0, -1.0])
    assert product == pytest.approx([-1.0, 1.0, -1.0])


def test_what_is_not_shown_stays_at_the_answer_and_a_vector_has_its_worst_component() -> None:
    made = api.make_problem(
        "sum(v**2)", start={"v": [1.0, 2.0, 3.0]}, subject_to=["v**2 <= b"], constants={"b": [1.0, 4.0, 16.0]}
    )
    found = api.slack_sampler(made)
    assert found is not None
    (slacks,) = found[1].slacks((0, 2), [(0.0, 1.0), (0.0, 5.0)], [0.5, 1.0, 0.5])
    assert slacks == pytest.approx([1.0, -9.0])


def test_without_constraints_there_is_nothing_to_draw() -> None:
    assert api.slack_sampler(api.make_problem("x**2", start={"x": 1.0}, subject_to=["x >= 0"])) is None


def test_edges_are_grids_with_the_words_of_their_constraint() -> None:
    _, sampler = sampled("x + y <= 1")
    limits = PlaneConstraints(
        [("x + y <= 1", False, True)], lambda places: sampler.slacks((0, 1), places, [0.0, 0.0])
    )
    (edge,) = limits.edges([0.0, 1.0, 2.0], [0.0, 1.0])
    assert (edge.text, edge.active, edge.slacks) == (
        "x + y <= 1",
        True,
        [[1.0, 0.0, -1.0], [0.0, -1.0, -2.0]],
    )


def test_more_rows_than_variables_have_their_jacobian_by_columns() -> None:
    texts = [f"x**2*{k} + sin(y*{k}) <= {k}" for k in range(1, 30)]
    made = api.make_problem("x*y", start={"x": 1.0, "y": 1.0}, subject_to=texts)
    rows = LongRows(made.constraints(), Space(made.lengths))
    x = np.array([0.3, -0.7])
    found = rows.jacobian(x)
    assert found.tolist() == [
        pytest.approx([2 * 0.3 * k, k * cos(-0.7 * k)], abs=1e-12) for k in range(1, 30)
    ]
