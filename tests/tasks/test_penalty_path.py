"""The strength of a penalty is found by the rows that are left out."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.errors import GdError
from gdcli.tasks.fit.some_rows import fold
from tests.cli.test_subject_to_command import gd

MODEL = "y ~ c + " + " + ".join(f"b{k}*x{k}" for k in range(1, 9))


def noisy(rows: int = 24) -> dict[str, list[float]]:
    """Rows of eight columns of which two matter, with much noise."""
    draws = Random(5)
    columns = {f"x{k}": [draws.gauss(0.0, 1.0) for _ in range(rows)] for k in range(1, 9)}
    columns["y"] = [
        1.0 + a - 0.5 * b + draws.gauss(0.0, 1.5) for a, b in zip(columns["x1"], columns["x2"], strict=True)
    ]
    return columns


def closed(data: dict[str, list[float]], strength: float, folds: int) -> float:
    """What a row left out costs, by the normal equations of ridge regression."""
    y = np.array(data["y"])
    X = np.column_stack([np.ones(len(y)), *(data[f"x{k}"] for k in range(1, 9))])
    shrink = strength * np.diag([0.0, *[1.0] * 8])
    total = 0.0
    for k in range(folds):
        inside, outside = fold(k, len(y), folds, 0)
        A, b = X[inside], y[inside]
        c = np.linalg.solve(A.T @ A + shrink * len(inside) / len(y), A.T @ b)
        total += float(np.sum((y[outside] - X[outside] @ c) ** 2))
    return float(np.sqrt(total / len(y)))


def test_it_is_that_of_ridge_regression() -> None:
    data = noisy()
    found = api.fit(MODEL, data, l2="auto", folds=6)
    costs = dict(found.problem.strengths)
    for strength, cost in costs.items():
        assert cost == pytest.approx(closed(data, strength, 6), rel=1e-7)
    best = min(costs, key=lambda strength: costs[strength])
    assert found.problem.l2 == best > 0.0
    assert costs[best] < costs[0.0]
    given = api.fit(MODEL, data, l2=best)
    assert given.point == pytest.approx(found.point, rel=1e-9, abs=1e-12)


def test_labels_that_are_told_without_fail_have_a_strength() -> None:
    """Without a penalty there is no answer, and far out no curvature."""
    x = np.linspace(-1.0, 1.0, 40)
    data = {"x": x, "z": x**2, "y": (x > 0.05) * 1.0}
    found = api.fit("y ~ a + b*x + c*z", data, loss="logistic", l2="auto")
    assert found.status.value == "converged"
    curvature = 0.5 * 0.25 * ((x**2).sum() + (x**4).sum()) / 2.0
    powers = [np.log10(s / curvature) for s, _ in found.problem.strengths if s]
    assert powers == pytest.approx(np.arange(-5.0, 2.5, 0.5))
    assert found.problem.l2 is not None
    assert found.problem.l2 > 0.0


def test_the_page_and_the_record_tell_it(tmp_path: Any) -> None:
    data = noisy()
    (tmp_path / "d.csv").write_text(
        "\n".join([",".join(data), *(",".join(map(repr, row)) for row in zip(*data.values(), strict=True))])
    )
    file, kept = str(tmp_path / "d.csv"), str(tmp_path / "a.json")
    code, page, _ = gd("fit", MODEL, file, "--l2", "auto")
    assert code == 0
    assert "(found by 10 folds) times the squares" in " ".join(page.split())
    assert "with this penalty" in " ".join(page.split())
    gd("fit", MODEL, file, "--l2", "auto", "--output", kept)
    (line,) = (line for line in page.splitlines() if line.startswith("left out"))
    assert line in gd("show", kept)[1]
    assert gd("rerun", kept)[0] == 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"folds": 5}, "--folds find the strength of --l2"),
        ({"l2": "auto", "folds": 1}, "--folds takes 2 or more"),
        ({"l2": "auto", "folds": 40}, "24 rows cannot be parted into 40 folds"),
        ({"l2": "auto", "prior": "b1 ~ normal(0, 1)"}, "--l2 auto does not go with --prior"),
        ({"l2": "auto", "loss": "tukey"}, "does not go with a scale that is to be found"),
        ({"l2": "auto", "epochs": 3}, "strengths of --l2 that are to be found"),
    ],
)
def test_what_has_no_meaning_is_refused(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(GdError, match=told):
        api.fit(MODEL, noisy(), **asked)


def test_no_parameter_shrinks_where_each_is_added_alone() -> None:
    with pytest.raises(GdError, match="no parameter shrinks"):
        api.fit("y ~ c", noisy(), l2="auto")
