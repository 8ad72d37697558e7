"""The local proof of an answer, where it costs little; see :mod:`gdcli.judge.proof`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.judge.proof import KINK, SINGULAR, LocalProof, Unproved, prove
from gdcli.judge.verdict import Verdict
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.numerics import CLAIM_FLOOR
from gdcli.kernel.status import PointKind, Status
from gdcli.kernel.vectors import to_list

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.objective.box import Box
    from gdcli.objective.build import Exact
    from gdcli.tasks.outcome import Judged
    from gdcli.tasks.pipeline import Ready
    from gdcli.tasks.problem import Problem

# Up to so many variables, and operations of the Hessian, which take about 15 microseconds each.
MOST_VARIABLES, MOST_WORK = 50, 3000
# Towards a minimum that is as flat as that of x**10 each step of Newton's method leaves 8/9 of the distance: from 1 to
# the last digit of a double it takes 306. A run that took longer went along a valley.
_MOST_STEPS = 306
UNDECIDED = (
    "Stopped where the value is flat: no lower point was found, yet whether a minimum lies here, farther along or at"
    " infinity is not decided."
)
# A kink at which a minimum is claimed is nearer than this part of the point, or of 1, where rounding does not hide it.
_NEAR = 1e-4
TOO_LARGE = "the expression is too large for a proof beside the run"
_NOT_TRIED = {PointKind.KINK: KINK, PointKind.DEGENERATE: SINGULAR, PointKind.FLAT: SINGULAR}


def with_proof(ready: Ready, found: Judged, box: Box | None, exact: Exact) -> Judged:
    """Return an answer with the proof that it is a minimum, or with the reason why there is none.

    A minimum at a kink is no more claimed where it is proved that the function has none near it, a degenerate one where
    Newton's method took longer than such a one allows.
    """
    problem = ready.problem
    if found.certificate.kind is PointKind.KINK and found.verdict.status is Status.CONVERGED:
        reach = if_in_time(lambda: _smooth_within(problem, found, exact), None)
        found = found if reach is None else _without_kink(found, reach)
    if _is_undecided(ready, found):
        found = found._replace(verdict=Verdict(Status.STALLED, UNDECIDED, "start from another point"))
    unproved = _not_tried(problem, found, exact)
    proof: LocalProof | Unproved | None = Unproved(unproved)
    if not unproved:
        x = to_list(found.run.best.at.x)
        proof = if_in_time(lambda: proof_at(problem, x, *ends_of(box, len(x))), None)
    if isinstance(proof, LocalProof):
        return found._replace(certificate=replace(found.certificate, proof=proof))
    why = "there was no time for it" if proof is None else proof.why
    return found._replace(certificate=replace(found.certificate, not_proved=why))


def _is_undecided(ready: Ready, found: Judged) -> bool:
    """Tell whether a degenerate minimum is claimed after more steps of Newton's method than lead to one."""
    is_claimed = found.certificate.kind is PointKind.DEGENERATE and found.verdict.status is Status.CONVERGED
    is_newton = ready.choice.entry.strict and ready.objective.has_hessian
    return is_claimed and is_newton and found.run.iterations > _MOST_STEPS


def _smooth_within(problem: Problem, found: Judged, exact: Exact) -> float | None:
    """Return a distance within which the function is proved to be twice differentiable, None where it may not be."""
    if problem.tree is None or exact.size > MOST_VARIABLES or exact.work > MOST_WORK:
        return None
    program = box_program(problem)
    if program.hessian_work() > MOST_WORK:
        return None
    at, slope = found.run.best.at, found.certificate.gradient_norm
    x = to_list(at.x)
    hidden = CLAIM_FLOOR * abs(at.value) / slope if slope else math.inf  # so far off rounding hides a fall
    reach = [max(_NEAR * max(1.0, abs(v)), hidden) for v in x]
    around = program.one_box([(v - r, v + r) for v, r in zip(x, reach, strict=True)], 2)
    ends = (end for pair in (*around.gradient, *around.hessian) for end in pair)
    return min(reach) if around.defined and all(map(math.isfinite, ends)) else None


def _without_kink(found: Judged, reach: float) -> Judged:
    """Return an answer that is at no kink, and so at no minimum: there its slope is not 0."""
    from gdcli.judge.kinks import AT_A_KINK

    slope = found.certificate.gradient_norm or 0.0
    message = (
        f"Stopped because {found.run.reason.sentence}, but not at a minimum: the slope is {slope:.2g}, and it is proved"
        f" that there is no kink within {reach:.2g} of this point."
    )
    notes = tuple(note for note in found.certificate.notes if AT_A_KINK not in note)
    certificate = replace(found.certificate, kind=PointKind.NOT_STATIONARY, estimated_gap=None, notes=notes)
    return found._replace(
        certificate=certificate, verdict=Verdict(Status.STALLED, message, "start from another point")
    )


def _not_tried(problem: Problem, found: Judged, exact: Exact) -> str:
    """Return why no proof is looked for, nothing where one is."""
    kind = found.certificate.kind
    if found.verdict.status is not Status.CONVERGED or kind not in (PointKind.MINIMUM, *_NOT_TRIED):
        return "the run did not end at a minimum"
    if problem.tree is None:
        return "a function without a text has no bounds"
    if kind is not PointKind.MINIMUM:
        return _NOT_TRIED[kind]
    return TOO_LARGE if exact.size > MOST_VARIABLES or exact.work > MOST_WORK else ""


def ends_of(box: Box | None, size: int) -> tuple[Sequence[float], Sequence[float]]:
    if box is None:
        return [-math.inf] * size, [math.inf] * size
    return to_list(box.lower), to_list(box.upper)


def proof_at(
    problem: Problem, x: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> LocalProof | Unproved:
    """Return the proof that a minimum of the problem, a maximum where that is asked for, lies at or next to ``x``."""
    program = box_program(problem)
    return Unproved(TOO_LARGE) if program.hessian_work() > MOST_WORK else prove(program, x, low, high)


def box_program(problem: Problem) -> IntervalProgram:
    """Return what bounds the function to be minimised and its derivatives on boxes."""
    from gdcli.calculus.exact_graph import exact_form
    from gdcli.compile.interval_program import interval_program

    tree = problem.tree
    assert tree is not None
    form = exact_form(tree, problem.lengths, problem.constants)
    return interval_program(form, root=form.root if problem.sign > 0 else form.graph.node("neg", form.root))
