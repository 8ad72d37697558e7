"""Whole Hessians and Jacobians in one pass are those of products with unit vectors, one after the other."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.vectors import Space
from gdcli.language import constraints, form
from gdcli.objective.constraint_rows import LongRows
from gdcli.objective.vector_expression import VectorObjective

N = 12
DRAWS = np.random.default_rng(1)
CONSTANTS = {"C": DRAWS.standard_normal((N, N)).tolist(), "p": DRAWS.standard_normal(N).tolist()}
START = {"x": (0.5 + DRAWS.random(N)).tolist(), "a": 0.7}


@pytest.mark.parametrize(
    "text",
    [
        "x @ C @ x - a*dot(p, x)",
        "sum(exp(x) - x*p)",
        "sum((x[1:] - x[:-1])**2)/a + x[0]*x[3]",
        "sum(x)**2 - 2*a**2*x[1] + sum((x - a)**2)",
        "sum(log(x)*x)*a + dot(C @ x, C @ exp(x))",
        "sum((x[::2]*x[1::2] - p[::2])**2)",
        "norm(x - p) + sum(sqrt(1 + x**2))",
        "1/sum(x/p) + max(x)",
    ],
)
def test_hessians(text: str) -> None:
    names = set(re.findall(r"\w+", text))
    start, constants = ({k: v for k, v in of.items() if k in names} for of in (START, CONSTANTS))
    problem = api.make_problem(text, start=start, constants=constants)
    space = Space(problem.lengths)
    made = VectorObjective(form.build(problem.tree, problem.lengths, problem.constants), space)
    at = made.evaluate(np.array(space.flatten(start)), 1)
    columns = np.array([made.product(at, axis) for axis in np.eye(space.size)])
    assert made.whole_hessian(at) == pytest.approx((columns + columns.T) / 2.0, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "texts",
    [
        ["C @ x <= p", "sum(x) == a"],
        ["x[1:] >= x[:-1] + a*p[1:]", "x[0] + 2*x[5] <= 3"],
        ["x**2 + exp(x) <= 2*p", "C @ x**2 <= a", "a*x[::2] >= -x[1::2]"],
    ],
)
def test_rows(texts: list[str]) -> None:
    problem = api.make_problem(
        "x @ C @ x + dot(p, x) + a", start=START, constants=CONSTANTS, subject_to=texts
    )
    rows, space = problem.rows()[0], Space(problem.lengths)
    made = LongRows(constraints.build(rows, problem.lengths, problem.constants), space)
    x, t = np.array(space.flatten(START)), DRAWS.standard_normal(made.count)
    assert made.jacobian(x) == pytest.approx(made._by_rows(x), rel=1e-12, abs=1e-12)
    step = 1e-6
    slopes = [made.jacobian(x + s * axis).T @ t for axis in np.eye(space.size) for s in (step, -step)]
    known = np.array([(up - down) / (2.0 * step) for up, down in zip(slopes[::2], slopes[1::2], strict=True)])
    assert made.curvature(x, t) == pytest.approx(known, rel=1e-7, abs=1e-7)
