"""Random expressions: every run ends soon, without a fault or a warning, and what is claimed nearby points bear out."""

from __future__ import annotations

import re
from random import Random

import pytest
from effort import examples
from expressions import SMOOTH_ONE, STABLE, scalars
from hypothesis import given, settings

from gdcli import api
from gdcli.kernel.errors import DomainError

SMOOTH = scalars(one=SMOOTH_ONE, two=[], choices=False, leaves=8)


@pytest.mark.parametrize("method", ["auto", "lbfgs"])
def test_any_smooth_expression(method: str) -> None:
    @settings(STABLE, max_examples=examples(120))
    @given(SMOOTH)
    def check(expression: str) -> None:
        names = [n for n in "xyz" if re.search(rf"\b{n}\b", expression)]
        if not names:
            return
        random = Random(expression)
        start = {n: random.gauss(0.0, 3.0) for n in names}
        try:
            found = api.minimize(expression, start, method=method, max_iter=500)
        except DomainError:
            return
        counts = found.run.counts
        # A search along a slope without end doubles its step some twenty times, in each of 500 iterations.
        assert counts.value + counts.gradient + counts.hessian < 50_000
        gap = found.certificate.estimated_gap
        assert gap is None or 0.0 <= gap < float("inf")
        if found.status.value == "converged":
            _check_nearby(found, random)

    check()


def _check_nearby(found: api.Outcome, random: Random) -> None:
    """Nothing within 1e-5 of the point is lower by more than any claim allows."""
    from gdcli.language.syntax import parse
    from gdcli.objective.build import build_objective

    names = list(found.point)
    objective = build_objective(parse(found.problem.expression), dict.fromkeys(names), {}, 1)
    x = [found.point[n] for n in names]
    for _ in range(40):
        radius = 10.0 ** random.uniform(-8.0, -5.0)
        near = [a + radius * max(1.0, abs(a)) * random.gauss(0.0, 1.0) for a in x]  # type: ignore[arg-type, type-var]
        assert objective.value(near) >= found.value - 1e-6 * max(1.0, abs(found.value))
