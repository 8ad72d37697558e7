"""Intervals by the profile likelihood: against R, against a scan of the curve, and where it does not close."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.judge.distributions import student_t_quantile
from gdcli.tasks.fit.fit_outcome import FitOutcome

# Bates and Watts, Nonlinear Regression Analysis and Its Applications, 1988, appendix A1 (R's data set Puromycin,
# treated) and A4.1 (R's BOD).
PUROMYCIN = {
    "conc": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10],
    "rate": [76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200],
}
BOD = {"t": [1, 2, 3, 4, 5, 7], "y": [8.3, 10.3, 19.0, 16.0, 15.6, 19.8]}
# Davidian and Giltinan, Nonlinear Models for Repeated Measurement Data, 1995, section 5.2.4 (R's DNase, run 1).
DNASE = {
    "conc": np.repeat([0.048828125, 0.1953125, 0.390625, 0.78125, 1.5625, 3.125, 6.25, 12.5], 2).tolist(),
    "density": [
        *(0.017, 0.018, 0.121, 0.124, 0.206, 0.215, 0.377, 0.374),
        *(0.614, 0.609, 1.019, 1.001, 1.334, 1.364, 1.730, 1.710),
    ],
}
MICHAELIS = "rate ~ V*conc/(K+conc)"
RISE = "y ~ A*(1-exp(-k*t))"
LOGISTIC = "density ~ Asym/(1+exp((xmid-log(conc))/scal))"


def ends(found: FitOutcome) -> dict[str, tuple[float, float]]:
    assert found.statistics is not None
    return dict(zip(found.space.lengths, found.statistics.errors.intervals, strict=True))  # type: ignore[arg-type]


def profiled(model: str, data: Any, start: Mapping[str, float] | None, **options: Any) -> FitOutcome:
    return api.fit(model, data, start, intervals="profile", **options)


CASES = {
    "puromycin": (MICHAELIS, PUROMYCIN, {"V": 200, "K": 0.05}),
    "bod": (RISE, BOD, {"A": 20, "k": 0.5}),
    "dnase": (LOGISTIC, DNASE, {"Asym": 2.3, "xmid": 1.5, "scal": 1.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_least_sum_with_a_parameter_at_its_end_is_that_of_the_quantile(name: str) -> None:
    """An independent way: the parameter is given its end by --set, and the others are fitted."""
    model, data, start = CASES[name]
    found = profiled(model, data, start)
    statistics = found.statistics
    assert statistics is not None
    assert statistics.residual_sd is not None
    for parameter, pair in ends(found).items():
        for end in pair:
            rest = {k: v for k, v in found.point.items() if k != parameter}
            fixed = api.fit(model, data, rest, constants={parameter: end})
            tau = sqrt(fixed.value - found.value) / statistics.residual_sd
            assert tau == pytest.approx(student_t_quantile(0.95, statistics.errors.dof), rel=1e-7)
