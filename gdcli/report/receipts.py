"""Receipts: what is needed to repeat an answer, and to show it as its own run did.

The problem, the method and the version of `gd` stand in every result; a receipt adds the options as they were typed,
what else decides over bits (Python, numpy, the machine and its kernels), the data's digests, and the few words of a
page that are no numbers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gdcli.report.kernels import kernels
from gdcli.report.numbers import known, short
from gdcli.report.records import Record

if TYPE_CHECKING:
    from gdcli.api import Outcome

# Up to this many variables plain floats are enough; above it numpy has its part in the bits.
_PLAIN = 32

Options = Mapping[str, str | Sequence[str] | bool]


def receipt(command: str, options: Options, outcome: Outcome, data: Mapping[str, str | None]) -> Record:
    """Return the receipt of an outcome of ``command`` with these ``options``; ``data`` has digests by file."""
    return ground(command, options, outcome.space.size, data) | {"page": _page(outcome)}


def ground(command: str, options: Options, size: int, data: Mapping[str, str | None]) -> Record:
    """Return what repeats an answer with ``size`` variables, without the words of its page."""
    record: Record = {"command": command, "options": {k: v for k, v in options.items() if v}}
    record["python"] = ".".join(map(str, sys.version_info[:3]))
    with_numpy = bool(data) or size > _PLAIN
    if with_numpy:
        import numpy

        record["numpy"] = numpy.__version__
    record["machine"] = os.uname().machine if hasattr(os, "uname") else sys.platform
    record["kernels"] = kernels(with_numpy)
    if data:
        record["data"] = dict(data)
    return record


def _errors(outcome: Outcome) -> list[float] | None:
    """The errors of the variables where they leave digits of the page unknown."""
    errors, x = outcome.certificate.errors, outcome.run.best.at.x
    if errors is None or all(known(float(a), e) == short(float(a)) for a, e in zip(x, errors, strict=True)):
        return None
    return list(errors)


def _page(outcome: Outcome) -> Record:
    """What a page of this answer says beside its numbers."""
    run, certificate = outcome.run, outcome.certificate
    page: Record = {"method": outcome.used, "why": outcome.why, "advice": outcome.advice}
    page |= {"evidence": certificate.how, "distance": certificate.distance}
    page |= {"rounded": certificate.rounded or None, "errors": _errors(outcome)}
    if run.best.iteration != run.last.iteration:
        page |= {"best": run.best.iteration, "last": run.last.iteration}
    if outcome.problem.drawn:
        page["drawn"] = True
    return {key: value for key, value in page.items() if value not in (None, "")}
