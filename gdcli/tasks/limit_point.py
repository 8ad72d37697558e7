"""Answers at a point where the text gives 0/0 and the function has a limit: the top of sin(x)/x.

Next to such a point values are lost in rounding and no method ends well. Where it is near the end of a run, and the
function with its limits is proved to have exactly one minimum in a box that holds both, it is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gdcli.judge.evidence import Certificate
from gdcli.judge.proof import LocalProof, check, part_of
from gdcli.kernel.dataclass import replace
from gdcli.kernel.dense import eigenvalues
from gdcli.kernel.number_format import short
from gdcli.kernel.status import Claim, CurvatureSource, PointKind, StopReason
from gdcli.kernel.vectors import norm, to_list
from gdcli.objective.protocol import Evaluation
from gdcli.tasks.outcome import ActiveBound, Judged
from gdcli.tasks.pipeline import verdict_on
from gdcli.tasks.proved import SINGULAR_PART, ends_of, sizes_of

if TYPE_CHECKING:
    from gdcli.objective.build import Exact
    from gdcli.objective.protocol import Box
    from gdcli.solve.iteration import RunResult
    from gdcli.tasks.pipeline import Ready

# The least half widths of the box, as parts of the sizes of variables.
_LEAST = 1e-6


def at_limit(ready: Ready, box: Box | None, exact: Exact, run: RunResult) -> Judged | None:
    """Return the judgement on a run with the point of a limit nearby as its best; None where there is none."""
    program, x = ready.bounding(), to_list(run.best.at.x)
    low, high = ends_of(box, len(x))
    widths = [b - a if b - a < float("inf") else 0.0 for a, b in zip(low, high, strict=True)]
    sizes = list(map(max, sizes_of(x, to_list(run.start.at.x)), widths))
    reach = [SINGULAR_PART * size for size in sizes]
    near = {k: c for k, c in program.limits() if abs(x[k] - c) <= reach[k] and low[k] <= c <= high[k]}
    if not near:
        return None
    there = [near.get(k, v) for k, v in enumerate(x)]
    radii = [2.0 * abs(v - c) + _LEAST * size for v, c, size in zip(x, there, sizes, strict=True)]
    found, _ = check(program, there, list(map(_side, there, radii, low, high)), low, high)
    if not isinstance(found, LocalProof):
        return None
    value, known = 0.5 * sum(program.value_at(there)), program.one_box([(v, v) for v in there], 2)
    slope = [0.5 * (a + b) for a, b in known.gradient]
    free = [i for i, v in enumerate(there) if low[i] < v < high[i]]
    bends = [[0.5 * (a + b) for a, b in row] for row in part_of(known.hessian, free)]
    certificate = _certificate(
        found, norm([slope[i] for i in free]), eigenvalues(bends) if free else [], _note(ready, near, value)
    )
    best = run.best._replace(at=Evaluation(exact.vector(there), value, exact.vector(slope)))
    run = replace(run, best=best, reason=StopReason.GAP, counts=exact.counts.copy())
    active = tuple(
        ActiveBound(ready.space.label(i), "lower" if c <= low[i] else "upper", c, abs(slope[i]))
        for i, c in enumerate(there)
        if i not in free
    )
    return Judged(run, certificate, verdict_on(ready, run, certificate, None, None), active)


def _side(c: float, radius: float, least: float, most: float) -> tuple[float, float]:
    return c if c == least else c - radius, c if c == most else c + radius


def _note(ready: Ready, near: Mapping[int, float], value: float) -> str:
    places = ", ".join(f"{ready.space.label(k)} = {short(c, 10)}" for k, c in near.items())
    limit = short(ready.problem.sign * value, 10)
    return f"the function is not defined at {places} (0/0); its limit there is {limit}"


def _certificate(proof: LocalProof, slope: float, bends: Sequence[float], note: str) -> Certificate:
    return Certificate(
        PointKind.MINIMUM,
        slope,
        bends[0] if bends else None,
        bends[-1] if bends else None,
        condition=bends[-1] / bends[0] if bends else None,
        estimated_gap=0.0,
        how=CurvatureSource.EXACT,
        notes=(note,),
        rounded=True,
        proof=proof,
        claim=Claim.PROVED,
    )
