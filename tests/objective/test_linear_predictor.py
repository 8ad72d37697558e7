"""The linear predictor of a loss: gradients through it are the gradients, and nothing is computed that the loss would
not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from visits import row_model

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.scalar_text import ScalarFunction
from gdcli.language.losses import LOSSES, Numbers
from gdcli.objective.linear_predictor import find_linear_predictor, gradient_nodes
from gdcli.objective.row_model import AskedLoss, RowModel


def at(row: RowModel, nodes: list[int], x: list[float], columns: list[float]) -> list[float]:
    leaves = {**row.parameter_leaves, **row.column_leaves}
    program = ScalarFunction(row.graph, nodes, leaves, lambda results: "[" + ", ".join(results) + "]")
    return list(program([*x, *columns]))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "text",
    ["y ~ a*x + b", "y ~ a*exp(-b*x)", "y*a ~ b*x", "y ~ where(x > a, b*x, a*x**2)", "y ~ a*x + log(b)"],
)
def test_gradients_through_the_waist(loss: str, text: str) -> None:
    row = row_model(text, ("x", "y"), loss=loss, asked=AskedLoss(Numbers(delta=0.4)))
    derivatives = Derivatives(row.graph, frozenset(row.columns))
    adjoints = derivatives.gradient(row.loss)
    plain = [adjoints.get(i, row.graph.number(0.0)) for i in row.parameters]
    through = gradient_nodes(derivatives, row.loss, row.parameters)
    rng = np.random.default_rng(1)
    for _ in range(30):
        # measured values are whole, as counts and labels are
        x, columns = rng.uniform(0.1, 2, 2).tolist(), [float(rng.integers(1, 4)), rng.uniform(0.1, 2)]
        assert at(row, through, x, columns) == pytest.approx(at(row, plain, x, columns), rel=1e-12, abs=1e-13)


def test_where_the_waist_is() -> None:
    def found(text: str, **options: str) -> tuple[bool, bool]:
        row = row_model(text, ("x", "y"), **options)
        predictor = find_linear_predictor(
            Derivatives(row.graph, frozenset(row.columns)), row.loss, row.parameters
        )
        return predictor is not None, predictor is not None and predictor.linear

    assert found("y ~ a*x + b*x**2 + c", loss="logistic") == (True, True)
    assert found("y ~ a*exp(b*x)", loss="huber") == (True, False)
    assert found("log(1 + exp(-y*(a*x + b)))") == (True, True)
    assert found("y*a ~ b*x")[1]  # y*a - b*x is linear too
    assert found("where(y > 0, (a*x)**2, 0)") == (False, False)  # not computed where y <= 0
    assert found("where(y > 0, softplus(-(a*x)), softplus(a*x))") == (True, True)  # computed in both branches
    assert found("(a*x + b)**2 + a**2") == (False, False)


def test_what_the_loss_does_not_compute_is_not_computed() -> None:
    row = row_model("where(y > 0, log(a*x)**2, a**2)", ("x", "y"))
    nodes = gradient_nodes(Derivatives(row.graph, frozenset(row.columns)), row.loss, row.parameters)
    assert at(row, nodes, [-2.0], [0.0, 1.0]) == [-4.0]
    assert math.isnan(at(row, nodes, [-2.0], [1.0, 1.0])[0])
