"""What a claim of a minimum rests on: its local proof, where that costs little, or what stands in for one.

See :mod:`gdcli.judge.proof` and :mod:`gdcli.judge.degenerate_proof`.

And answers at a point where the text gives 0/0 and the function has a limit, as at the top of sin(x)/x. Next to such a
point values are lost in rounding and no method ends well. Where it is near the end of a run, and the function with its
limits is proved to have exactly one minimum in a box that holds both, it is the answer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.judge.evidence import Certificate
from gdcli.judge.proof import KINK, SINGULAR, LocalProof, LowerBound, Unproved, check, part_of, prove
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.dense import eigenvalues
from gdcli.kernel.number_format import short
from gdcli.kernel.numerics import CENTRAL_STEP, CLAIM_FLOOR, CLEARLY, EPS, FLOOR, HIGHEST_ORDER
from gdcli.kernel.status import Claim, CurvatureSource, PointKind, Status, StopReason
from gdcli.kernel.vectors import norm, to_list
from gdcli.objective.protocol import Evaluation
from gdcli.solve.iteration import rounding
from gdcli.solve.scaling import in_own_units, value_scale
from gdcli.tasks.pipeline import ActiveBound, Judged, verdict_on

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.judge.verdict import Verdict
    from gdcli.objective.build import Exact
    from gdcli.objective.protocol import Box, Objective
    from gdcli.solve.iteration import RunResult
    from gdcli.tasks.pipeline import Ready
    from gdcli.tasks.problem import Problem


# Up to so many variables, and operations of the Hessian, which take about 15 microseconds each.
MOST_VARIABLES, MOST_WORK = 50, 3000
# Where the curvature vanishes, so many boxes, and operations of all their gradients, which take 1.6 microseconds each.
_MOST_BOXES, _MOST_BOX_WORK = 1000, 8 * MOST_WORK
# A kink at which a minimum is claimed is nearer than this part of the point, or of 1, where rounding does not hide it.
_NEAR = 1e-4
# A degenerate minimum is no farther on, by so many steps of Newton's method, than this part of the way from the start.
# Down a slope that flattens out they go on by more: where exp(-x**4) is 1e-20, until it is 1e-30, by a tenth of it.
# The bound itself, but for rounding, may be attained a little farther on: exp(-x**4) underflows at twice its way.
_FURTHER_STEPS, _FURTHER, _ATTAINED = 60, 0.05, 0.25
# Towards a minimum that is as flat as that of x**10 each step of Newton's method leaves 8/9 of the distance: from 1 to
# the last digit of a double it takes 306. A run that took longer went along a valley.
_MOST_STEPS = 306
# A run that has come to a pole, or an end of its domain, is nearer to it than this part of its way.
SINGULAR_PART = 1e-3
# Digits of a value that count: down to this part of it, or of the fall so far.
_LOST = 1e-6
# The level of smoothing at which a valley along a kink is wide enough to be followed, and a kink still is one.
_ROUNDED = 1
# What rounding leaves of a sum of squares, beside its fall.
_SQUARED = (4.0 * EPS) ** 2
# A curvature below one of these parts of the largest is taken for that of the floor of a valley.
_FLOORS = (1e-4, 1e-8)
# Random points around a valley are looked at so far away, relative to max(1, |x|).
_AROUND = (1e-1, 1e-2, 1e-3)
TOO_LARGE = "the expression is too large for a proof beside the run"
_NOT_SMOOTH = {PointKind.KINK: KINK, PointKind.DEGENERATE: SINGULAR, PointKind.FLAT: SINGULAR}


def with_claim(
    ready: Ready,
    run: RunResult,
    certificate: Certificate,
    box: Box | None,
    exact: Exact,
    is_level: bool,
    verdict_of: Callable[[Certificate], Verdict],
) -> tuple[Certificate, Verdict]:
    """Return the certificate with what a claim rests on, or the reason why there is no proof, and the verdict on it.

    ``is_level``: the answer is seen to lie on a level piece whose ends are known.
    """
    verdict, problem = verdict_of(certificate), ready.problem
    is_claimed = verdict.status is Status.CONVERGED and (
        certificate.kind.told or certificate.kind is PointKind.FLAT
    )
    at_kink = certificate.kind is PointKind.KINK and verdict.status is Status.STALLED
    if not (is_claimed or at_kink):
        return replace(certificate, not_proved="the run did not end at a minimum"), verdict
    if problem.tree is None:
        return replace(certificate, not_proved="a function without a text has no bounds"), verdict
    why = _NOT_SMOOTH.get(certificate.kind, TOO_LARGE)
    if not is_small(exact):
        return replace(certificate, not_proved=why), verdict
    found = if_in_time(lambda: _Search(ready, run, certificate, box).claimed(at_kink, is_level), None)
    if found is None:
        return replace(certificate, not_proved="there was no time for it"), verdict
    return found, verdict_of(found)


def is_small(exact: Exact) -> bool:
    """Tell whether the expression is one whose bounds cost little beside a run."""
    return exact.size <= MOST_VARIABLES and exact.work <= MOST_WORK


class _Search:
    """What is looked for at the end of a run: a proof, or a bound from below."""

    def __init__(self, ready: Ready, run: RunResult, certificate: Certificate, box: Box | None) -> None:
        self.ready, self.run, self.certificate = ready, run, certificate
        self.program: IntervalProgram = ready.bounding()
        self.x, start = to_list(run.best.at.x), to_list(run.start.at.x)
        self.path: list[list[float]] = []
        self.is_kinked = certificate.kind is PointKind.KINK
        self.ends = ends_of(box, len(self.x))
        self.sizes = sizes_of(self.x, start)

    def claimed(self, at_kink: bool, is_level: bool) -> Certificate:
        """Return the certificate with what a claim rests on; ``at_kink``: only a proof makes it one."""
        certificate, kind = self.certificate, self.certificate.kind
        work = self.program.hessian_work()
        why = _NOT_SMOOTH.get(kind, TOO_LARGE)
        if work > MOST_WORK:
            return replace(certificate, not_proved=why)
        if kind is not PointKind.KINK:
            found = prove(self.program, self.x, *self.ends)
            if isinstance(found, LocalProof):
                return replace(certificate, proof=found, claim=Claim.PROVED)
            why = _NOT_SMOOTH.get(kind, found.why)
        near = self._near(work)
        if near is not None:
            return near
        certificate = replace(certificate, not_proved=why)
        if at_kink:
            return certificate
        least = [_LEAST * size for size in self.sizes]
        if lost_within(self.ready, self.run) is not None or self._is_near_hole(least):
            return replace(certificate, claim=Claim.UNDECIDED)
        return self._unproved(certificate, is_level)

    def _unproved(self, certificate: Certificate, is_level: bool) -> Certificate:
        kind = certificate.kind
        if kind is PointKind.KINK:
            return self._at_kink(certificate)
        if is_level:
            return replace(certificate, claim=Claim.FLAT)
        if self._is_far_out() or self._took_long():
            return replace(certificate, claim=Claim.UNDECIDED)
        is_singular = self._is_near_singularity()
        if kind is PointKind.MINIMUM and not is_singular:
            return replace(certificate, claim=Claim.NUMERICAL)
        falls_on, has_level_floor = self._floor()
        if falls_on:
            return replace(certificate, claim=Claim.UNDECIDED)
        bound = self._bound_with_value(has_level_floor)
        is_flat = bound is not None or (not is_singular and self._is_in_valley())
        return replace(certificate, claim=Claim.FLAT if is_flat else Claim.UNDECIDED, bound=bound)

    def _bound_with_value(self, has_level_floor: bool) -> LowerBound | None:
        """Return the bound, unless it may be but a limit: no other point is as low, and one without a value is near."""
        return self._bound() if has_level_floor or not self._is_near_hole(self._onward()) else None

    def _onward(self) -> list[float]:
        """Return how far from the answer a minimum that is not at it may be: by no more steps of Newton's method than
        the highest order; where there is no curvature at all that is not known.
        """
        step = math.dist(*self.path[:2]) if len(self.path) > 1 else 0.0
        ahead = HIGHEST_ORDER * step if self.certificate.eigenvalue_max else math.inf
        return [min(_ATTAINED * size, ahead) for size in self.sizes]

    def _is_near_hole(self, reach: Sequence[float]) -> bool:
        """Tell whether the function may be undefined within ``reach`` of the answer, with slopes without bound, and is
        not known to be as low at it as anywhere near: at ``1/x = inf`` a bound is a limit, and no value.

        Of a ``where`` it is not known which side is meant.
        """
        tree = self.ready.problem.tree
        if tree is None or "where" in tree.text:
            return False
        around = [
            (max(low, v - r), min(high, v + r))
            for v, r, low, high in zip(self.x, reach, *self.ends, strict=True)
        ]
        found = self.program.one_box(around, 0)
        if found.defined or self.program.value_at(self.x)[1] <= found.value[0]:
            return False
        slopes = self.program.one_box(around, 1).gradient
        return not all(map(math.isfinite, itertools.chain(*slopes)))

    def _floor(self) -> tuple[bool, bool]:
        """Tell whether the fall of a smooth function goes on, though the value is lost in rounding; and whether the
        answer lies in a valley whose floor is level both ways, so that other points are as low.

        A function that is analytic is level along all of a floor or nowhere; so a floor that rises only behind the
        answer falls on ahead. A slope that is only too small for a number is one.
        """
        from gdcli.judge.point_kind import order_grows
        from gdcli.solve.algebra.quadratic_model import hessian_source
        from gdcli.solve.probe.line_probe import rounding_of
        from gdcli.solve.probe.valley import sides_of_floor

        objective, at = self.ready.objective, self.run.best.at
        if not objective.is_smooth:
            return False, False
        here = self.program.one_box([(v, v) for v in self.x], 1)
        if self.certificate.kind is PointKind.FLAT and any(itertools.chain(*here.gradient)):
            return True, False
        low, high = here.value
        rounding = max(FLOOR * abs(at.value), CLEARLY * rounding_of(objective, at), high - low)
        start, source = self.run.start.at, hessian_source(objective)
        sides = [sides_of_floor(objective, at, start, rounding, source, part) for part in _FLOORS]
        falls_on = any(side.fades for side in sides) or order_grows(objective, at)
        return falls_on, not any(side.rises or side.fades or side.lost for side in sides)

    def _at_kink(self, certificate: Certificate) -> Certificate:
        reach = self._smooth_within()
        if reach is not None:
            return self._without_kink(reach)
        is_seen = not self._is_far_out() and self._ends()
        return replace(certificate, claim=Claim.NUMERICAL if is_seen else Claim.UNDECIDED)

    def _is_near_singularity(self) -> bool:
        """Tell whether derivatives of what was typed may have no bound at a part of the size of the problem from the
        answer: there what they tell at one point is no evidence of a minimum.
        """
        program, reach = self.program, [SINGULAR_PART * size for size in self.sizes]
        if program.is_continued:  # a limit is bounded where what is computed loses its digits
            program = box_program(self.ready.problem, limits=False)
        return not self._is_smooth(program, reach)

    def _took_long(self) -> bool:
        """Tell whether a degenerate minimum was come to by more steps of Newton's method than lead to one."""
        is_newton = self.ready.choice.entry.strict and self.ready.objective.has_hessian
        is_degenerate = self.certificate.kind is PointKind.DEGENERATE
        return is_newton and is_degenerate and self.run.iterations > _MOST_STEPS

    def _is_far_out(self) -> bool:
        from gdcli.judge.point_kind import far_out

        objective, at, start = self.ready.objective, self.run.best.at, self.run.start.at
        return far_out(*in_own_units(objective, at, start))

    def _is_in_valley(self) -> bool:
        """Tell whether the point is seen to lie in a valley of minimisers: its floor is level to both sides but for the
        last digits of the value, which have to be known, and random points around it are no lower.
        """
        from gdcli.judge.level_set import valley_directions
        from gdcli.judge.nonsmooth import none_lower
        from gdcli.solve.probe.line_probe import rounding_of

        objective, at = self.ready.objective, self.run.best.at
        digits = FLOOR * abs(at.value)
        if rounding_of(objective, at) > digits or not valley_directions(objective, at, self.run.start.at):
            return False
        return none_lower(objective, at, digits, _AROUND)

    def _near(self, work: int) -> Certificate | None:
        """Return the certificate with the proof that a minimum lies near the answer, and is hardly any lower."""
        from gdcli.judge.degenerate_proof import Near, prove_near

        most = min(_MOST_BOXES, _MOST_BOX_WORK * len(self.x) // max(work, 1))  # none of a constant
        if not self.is_kinked:
            self.path = self._go_on(self.ready.objective)
        centre = self.path[-1] if self.path else self.x
        near = Near(self.x, centre, *self.ends, self.sizes)
        found = prove_near(self.program, near, most, self.is_kinked)
        if isinstance(found, Unproved):
            return None
        certificate, value = self.certificate, self.run.best.at.value
        gap = max(0.0, value - found.value[0])
        if certificate.estimated_gap is None or gap < certificate.estimated_gap:
            certificate = replace(certificate, estimated_gap=gap)
        return replace(certificate, proof=found, claim=Claim.PROVED)

    def _bound(self) -> LowerBound | None:
        """Return a bound from below that the value at the answer meets but for what is nothing, None where there is
        none, or where Newton's method goes on: it does on the way to infinity, however little there is to gain.
        """
        from gdcli.judge.degenerate_proof import lower_bound

        at, start = self.run.best.at, self.run.start.at
        nothing = max(FLOOR * abs(at.value), _SQUARED * (start.value - at.value))
        found = lower_bound(self.program, self.x, *self.ends, self.sizes, nothing)
        for part, allowed in ((_FURTHER, nothing), (_ATTAINED, 0.0)):
            way = part * math.dist(self.x, to_list(start.x))
            near = [x for x in self.path if math.dist(x, self.x) <= way]
            if found is None and near:
                found = lower_bound(self.program, near[-1], *self.ends, self.sizes, allowed)
        return found

    def _ends(self) -> bool:
        """Tell whether Newton's method comes to an end where kinks are rounded: down a valley along one it goes on."""
        objective = self.ready.objective
        smooth = objective.smoothed(rounding(_ROUNDED, objective.size))
        if smooth is None or not smooth.evaluate(self.run.best.at.x, 0).value < math.inf:
            return True
        return len(self._go_on(smooth)) <= _FURTHER_STEPS

    def _go_on(self, objective: Objective) -> list[list[float]]:
        """Return where more steps of Newton's method lead, one after the other."""
        from gdcli.solve import run as loop
        from gdcli.solve.methods.newton import TrustRegionNewton
        from gdcli.solve.settings import MaxIterations

        path: list[list[float]] = []
        x = self.run.best.at.x
        seen = [lambda iterate: path.append(to_list(iterate.at.x))]
        loop.run(objective, TrustRegionNewton(0.0), x, [MaxIterations(_FURTHER_STEPS)], seen)
        return path

    def _smooth_within(self) -> float | None:
        """Return a distance within which the function is proved to be twice differentiable, None where it may not."""
        at, slope = self.run.best.at, self.certificate.gradient_norm
        hidden = (
            CLAIM_FLOOR * abs(at.value) / slope if slope else math.inf
        )  # so far off rounding hides a fall
        reach = [max(_NEAR * max(1.0, abs(v)), hidden) for v in self.x]
        return min(reach) if self._is_smooth(self.program, reach) else None

    def _is_smooth(self, program: IntervalProgram, reach: Sequence[float]) -> bool:
        """Tell whether the function is proved to have bounded first and second derivatives within ``reach``."""
        around = program.one_box([(v - r, v + r) for v, r in zip(self.x, reach, strict=True)], 2)
        ends = (end for pair in (*around.gradient, *around.hessian) for end in pair)
        return around.defined and all(map(math.isfinite, ends))

    def _without_kink(self, reach: float) -> Certificate:
        """Return the certificate of what is at no kink, and so at no minimum: there its slope is not 0."""
        from gdcli.judge.nonsmooth import AT_A_KINK

        kept = tuple(note for note in self.certificate.notes if AT_A_KINK not in note)
        note = f"it is proved that there is no kink within {reach:.2g} of the answer"
        return replace(
            self.certificate,
            kind=PointKind.NOT_STATIONARY,
            estimated_gap=None,
            notes=(*kept, note),
            not_proved="the run did not end at a minimum",
        )


def sizes_of(x: Sequence[float], start: Sequence[float]) -> list[float]:
    """Return lengths by which variables may be measured. What began at 0, and is 0 but for rounding, has the size of
    the largest.
    """
    sizes = [max(abs(a), abs(a - b)) for a, b in zip(x, start, strict=True)]
    largest = max(sizes, default=0.0) or 1.0
    known = [b != 0.0 or s > CENTRAL_STEP * largest for s, b in zip(sizes, start, strict=True)]
    return [s if is_known and s else largest for s, is_known in zip(sizes, known, strict=True)]


def lost_within(ready: Ready, run: RunResult) -> tuple[float, float] | None:
    """Return the ends between which the value at the answer lies, that which was computed too, where rounding may take
    digits that count; else None.
    """
    at = run.best.at
    low, high = ready.bounding().one_box([(v, v) for v in to_list(at.x)], 0).value
    low, high = min(low, at.value), max(high, at.value)
    is_lost = _LOST * value_scale(at.value, run.start.at.value - at.value) < high - low < math.inf
    return (low, high) if is_lost else None


def ends_of(box: Box | None, size: int) -> tuple[Sequence[float], Sequence[float]]:
    if box is None:
        return [-math.inf] * size, [math.inf] * size
    return to_list(box.lower), to_list(box.upper)


def box_program(problem: Problem, limits: bool = True) -> IntervalProgram:
    """Return what bounds the function to be minimised and its derivatives on boxes, with its ``limits`` at 0/0."""
    from gdcli.calculus.exact_graph import exact_form
    from gdcli.compile.interval_program import interval_program

    tree = problem.tree
    assert tree is not None
    form = exact_form(tree, problem.lengths, problem.constants)
    graph: Any = form.graph
    root = form.root if problem.sign > 0 else graph.node("neg", form.root)
    if limits and "/" in tree.text:
        from gdcli.calculus.removable import continued

        root = continued(graph, root)
    return interval_program(form, root=root)


# -- at the limit of 0/0 ----------------------------------------------------------------------------------------------


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
    found, _ = check(program, there, list(map(_box_side, there, radii, low, high)), low, high)
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


def _box_side(c: float, radius: float, least: float, most: float) -> tuple[float, float]:
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
