"""When two fits are the same."""

from __future__ import annotations

import re

import pytest

from gdcli.tasks.fit.fit_outcome import FitOutcome

# Parameters agree to this part of themselves, or of their standard errors, whichever is more.
CLOSE = 1e-8


def _without_doubts(one: FitOutcome) -> tuple[str, ...]:
    """What is warned of, but for the residuals: of groups nothing is said of these."""
    return tuple(told for told in one.warnings if not told.startswith("residuals: "))


def assert_same(many: FitOutcome, one: FitOutcome) -> None:
    """All that is told of a fit agrees; at the floor of rounding, and on a long way that zigzags along a valley, some
    steps more or less are rounding too.
    """
    assert (many.status, steps(many.message)) == (one.status, steps(one.message))
    assert (many.method, many.used, many.why, many.warnings) == (
        one.method,
        one.used,
        one.why,
        _without_doubts(one),
    )
    assert (many.certificate.kind, many.rows) == (one.certificate.kind, one.rows)
    assert abs(many.run.iterations - one.run.iterations) <= 3 + one.run.iterations // 4
    a, b = many.statistics, one.statistics
    assert (a is None) == (b is None)
    assert many.unknown_errors == one.unknown_errors
    close(many.value, one.value)
    if a is None or b is None:
        return
    for name in ("residual_sd", "r_squared", "log_likelihood", "aic", "bic"):
        close(getattr(a, name), getattr(b, name))
    for name in ("chi_square", "chi_square_p"):
        close(getattr(a, name), getattr(b, name))
    assert (a.rows, a.errors.rank, a.errors.dof, a.errors.redundant) == (
        b.rows,
        b.errors.rank,
        b.errors.dof,
        b.errors.redundant,
    )
    for i, error in enumerate(b.errors.standard_errors):
        close(a.errors.standard_errors[i], error)
        spread = CLOSE * (error or 1.0)
        assert abs(many.run.best.at.x[i] - one.run.best.at.x[i]) <= spread + CLOSE * abs(one.run.best.at.x[i])
        if error:
            assert a.errors.t_values[i] == pytest.approx(b.errors.t_values[i], rel=1e-6, abs=1e-6)
            assert a.errors.intervals[i] == pytest.approx(b.errors.intervals[i], rel=1e-6, abs=1e-6 * error)
            assert a.errors.p_values[i] == pytest.approx(b.errors.p_values[i], rel=1e-5, abs=1e-12)
            assert a.errors.correlation[i] == pytest.approx(b.errors.correlation[i], abs=1e-6)
    for name in ("eigenvalue_min", "eigenvalue_max", "condition"):
        close(getattr(many.certificate, name), getattr(one.certificate, name))


def steps(message: str) -> str:
    return re.sub(r"\d+ iterations?", "N", message)


def close(a: float | None, b: float | None) -> None:
    assert a == (b if b is None else pytest.approx(b, rel=1e-6, abs=1e-12))
