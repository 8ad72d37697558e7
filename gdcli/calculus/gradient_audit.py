"""All the ways to a gradient side by side, and whether their differences are what they have to be.

The judge is `reference_derivative.limits`: the derivative as a limit, without any rule. A way may differ from it by

- rounding, bounded by running error analysis of the way's own program (`Precise.bound`), with a factor `SAFETY`
  for what is of second order: this is all that autodiff, formula and complex step may claim;
- truncation, for difference quotients: the same quotient in long arithmetic minus the limit, exactly. (Nocedal &
  Wright, Numerical Optimization, 2nd ed., 2006, section 8.1.) The quotient in doubles may differ from the one in
  long arithmetic by the rounding of its two values over the distance, nothing more.

What goes beyond that is a disagreement. Where there is no limit (a kink, a jump, a slope without bound) every way
gives some number and none is right: that is a disagreement too, and `Component.why` says which. `border` finds where in
the typed text a point stands on one: a kink (abs at 0) or the edge of a domain (sqrt at 0).

`error_rows` shows the error of a difference quotient against its step h. The forward quotient truncates by about
h f''/2, the central one by h**2 f'''/6, and both divide the rounding of the values by h; the best h balances the two
(ibid.). A complex step subtracts nothing: below some h nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, isnan
from typing import Any

from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.numerical_derivatives import FORWARD_STEP, NotAnalyticError, step_at
from gdcli.calculus.reference_derivative import DerivativeLimit, Precise, arithmetic, as_float, limits
from gdcli.calculus.trace import TraceStep, trace
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import UsageError
from gdcli.kernel.numerics import CENTRAL_STEP, EPS, SMALLEST, UNIT_ROUNDOFF
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.syntax import Tree

SAFETY = 4.0
WAYS = ("symbolic", "autodiff", "forward", "central", "complex_step")
NO_DERIVATIVE = ("kink", "jump", "infinite")
# More variables take too long in long arithmetic; their gradients are no different in kind.
MAX_COMPONENTS = 200


class Way(NamedTuple):
    """One way to one component: its value (None: not applicable, and ``note`` says why) against the limit.

    ``truncation`` and ``rounding`` are what the error may consist of; ``evaluations``
    are those that this component alone takes (of the gradient for autodiff, of the formula, of the value).
    """

    value: float | None
    error: float | None = None
    truncation: float = 0.0
    rounding: float = 0.0
    evaluations: int = 0
    note: str = ""
    agrees: bool = True

    @property
    def excess(self) -> float:
        """The error beyond truncation, in units of what rounding explains; 1 and less is fine."""
        if self.error is None or self.value is None:
            return 0.0
        beyond = abs(self.error - self.truncation)
        return 0.0 if beyond == 0.0 else beyond / self.rounding if self.rounding else inf


@dataclass(frozen=True, slots=True)
class Component:
    """One component: the limit (None where there is none), each way, and why they disagree or what is special."""

    name: str
    reference: float | None
    ways: dict[str, Way]
    agrees: bool
    why: str


@dataclass(frozen=True, slots=True)
class Programs:
    """What is audited: a value, its gradient, its complex step; as they run in a minimisation.

    ``formulas`` has the node of each formula in the same graph, or None with the reason in ``no_formula``.
    """

    graph: Graph
    root: int
    leaves: Sequence[int]
    value: Callable[[Sequence[float]], float]
    gradient: Callable[[Sequence[float]], Sequence[float]]
    complex_step: Callable[[Sequence[float], int, float | None], float]
    formulas: Sequence[int | None]
    no_formula: str
    names: Sequence[str]


class Auditor:
    """Audits one point; ``h`` is the step of both difference quotients, None for the usual ones.

    ``explain(kind)`` names the place in the text where there is a kink, an edge or a pole, or returns nothing.
    """

    def __init__(
        self, programs: Programs, x: Sequence[float], h: float | None, explain: Callable[[str], str]
    ) -> None:
        self.p = programs
        self.x = [float(a) for a in x]
        self.h = h
        self.explain = explain
        self.limits = limits(programs.graph, programs.root, dict(zip(programs.leaves, self.x, strict=True)))
        self.derivatives = Derivatives(programs.graph)
        self.at = self._precise(self.x)
        self.here = programs.value(self.x)
        self.exact = list(programs.gradient(self.x))
        self.nodes = self.derivatives.slopes(programs.root, programs.leaves)

    def _precise(self, x: Sequence[float]) -> Precise:
        mp = arithmetic()
        known = {leaf: mp.mpf(a) for leaf, a in zip(self.p.leaves, x, strict=True)}
        return Precise(self.p.graph, known, self.derivatives)

    def run(self) -> list[Component]:
        return [self.component(i) for i in range(len(self.x))]

    def component(self, i: int) -> Component:
        limit = self.limits[i]
        ways = {
            "symbolic": self.symbolic(i, limit),
            "autodiff": self.autodiff(i, limit),
            "forward": self.forward(i, limit, self.forward_step()),
            "central": self.central(i, limit, self.central_step(i)),
            "complex_step": self.complex_step(i, limit, None),
        }
        if limit.value is None and limit.why == "outside":
            ways = self._judged_by_each_other(ways)
        if limit.why in NO_DERIVATIVE:  # every way gives some number, and none is right
            ways = {name: way._replace(agrees=way.value is None) for name, way in ways.items()}
        reference = None if limit.value is None else as_float(limit.value)
        agrees = all(way.agrees for way in ways.values())
        return Component(self.p.names[i], reference, ways, agrees, self._why(limit, ways))

    def forward_step(self) -> float:
        return FORWARD_STEP if self.h is None else self.h

    def central_step(self, i: int) -> float:
        """Return the step of the central quotient; a point alone, without a start, tells no other unit than 1."""
        return CENTRAL_STEP * max(1.0, abs(self.x[i])) if self.h is None else self.h

    # -- exact ways ----------------------------------------------------------------------------------------

    def symbolic(self, i: int, limit: DerivativeLimit) -> Way:
        """By formula, which is evaluated in long arithmetic."""
        node = self.p.formulas[i] if self.p.formulas else None
        if node is None:
            return Way(None, note=self.p.no_formula)
        exact = self.at.value(node)
        if not self.at.mp.isfinite(exact):
            return Way(None, note="the formula has no value here")
        # A power of two counts as exact and 0.1 not: formulas read numbers as they were typed.
        return self._exactly(as_float(exact), limit, self.at.bound(node), 1)

    def autodiff(self, i: int, limit: DerivativeLimit) -> Way:
        """By the exact derivatives of the graph, as the solvers have them."""
        return self._exactly(self.exact[i], limit, self.at.bound(self.nodes[i]), 1)

    def complex_step(self, i: int, limit: DerivativeLimit, h: float | None) -> Way:
        """By a complex step of ``h``, None for the usual one."""
        try:
            found = self.p.complex_step(self.x, i, h)
        except NotAnalyticError as obstacle:
            return Way(None, note=str(obstacle))
        bound = self.at.tangent_bound(self.p.root, self.p.leaves[i]) + self.at.bound(self.nodes[i])
        # What the imaginary part loses by underflow.
        bound += SMALLEST / (step_at(self.x[i]) if h is None else h)
        return self._exactly(found, limit, bound, 1)

    def _exactly(self, value: float, limit: DerivativeLimit, bound: object, work: int) -> Way:
        # Whatever is computed ends as a double, the nearest at best.
        rounding = SAFETY * as_float(bound) + (UNIT_ROUNDOFF * abs(value) if isfinite(value) else 0.0)
        if limit.value is None:
            return Way(value, None, 0.0, rounding, work, agrees=isfinite(value))
        if not isfinite(value):
            return Way(value, None, 0.0, rounding, work, agrees=False)
        error = self._beyond(value, limit)
        return Way(value, error, 0.0, rounding, work, agrees=abs(error) <= rounding)

    def _beyond(self, value: object, limit: DerivativeLimit) -> float:
        """Return a value minus the limit, which is known to a relative 1e-40 and better."""
        difference = self.at.mp.mpf(value) - limit.value
        return 0.0 if abs(difference) <= 1e-40 * abs(limit.value) else as_float(difference)

    def _judged_by_each_other(self, ways: dict[str, Way]) -> dict[str, Way]:
        """Without a limit to compare with, the exact ways are held against autodiff."""
        judge = ways["autodiff"]
        assert judge.value is not None
        for name in ("symbolic", "complex_step"):
            way = ways[name]
            if way.value is not None:
                error = way.value - judge.value
                fine = abs(error) <= way.rounding + judge.rounding
                ways[name] = way._replace(error=error, agrees=fine)
        return ways

    # -- difference quotients ------------------------------------------------------------------------------

    def forward(self, i: int, limit: DerivativeLimit, h: float) -> Way:
        """By (f(x+h) - f(x)) / h, as in the book."""
        return self._quotient(i, limit, self.x[i] + h, self.x[i], h, 2)

    def central(self, i: int, limit: DerivativeLimit, h: float) -> Way:
        """By (f(x+h) - f(x-h)) over the distance."""
        up, down = self.x[i] + h, self.x[i] - h
        return self._quotient(i, limit, up, down, up - down, 2)

    def _quotient(
        self, i: int, limit: DerivativeLimit, up: float, down: float, span: float, work: int
    ) -> Way:
        if up == down or not isfinite(span):
            return Way(None, note="x + h is x: the step is lost in rounding")
        points = [[*self.x[:i], at, *self.x[i + 1 :]] for at in (up, down)]
        values = [
            self.here if at == self.x[i] else self.p.value(p)
            for p, at in zip(points, (up, down), strict=True)
        ]
        if not all(map(isfinite, values)):
            side = "x + h" if not isfinite(values[0]) else "x - h"
            return Way(None, note=f"there is no finite value at {side}")
        value = (values[0] - values[1]) / span
        precise = [
            self.at if at == self.x[i] else self._precise(p) for p, at in zip(points, (up, down), strict=True)
        ]
        mp = self.at.mp
        moved = mp.mpf(up) - mp.mpf(down)
        exact = (precise[0].value(self.p.root) - precise[1].value(self.p.root)) / moved
        if not mp.isfinite(exact):
            return Way(value, None, 0.0, inf, work)
        noise = sum(p.bound(self.p.root) for p in precise) / abs(mp.mpf(span))
        # The step really taken is not h; subtraction and division round.
        noise += abs(exact) * (abs(moved / mp.mpf(span) - 1) + 4 * UNIT_ROUNDOFF)
        rounding = SAFETY * as_float(noise)
        fine = abs(as_float(mp.mpf(value) - exact)) <= rounding if isfinite(value) else False
        if limit.value is None:
            return Way(value, None, 0.0, rounding, work, agrees=fine)
        error, truncation = self._beyond(value, limit), self._beyond(exact, limit)
        return Way(value, error, truncation, rounding, work, agrees=fine)

    # -- why -----------------------------------------------------------------------------------------------

    def _why(self, limit: DerivativeLimit, ways: dict[str, Way]) -> str:
        """One sentence on what is special: the reason of a disagreement, or the edge of a domain."""
        if limit.why == "kink":
            left, right = as_float(limit.left.value), as_float(limit.right.value)
            sides = f"the slope is {left:.6g} from the left and {right:.6g} from the right"
            return f"there is a kink at the point{self._place('kink')}: {sides}"
        if limit.why == "jump":
            return f"the value jumps at the point{self._place('kink')}"
        if limit.why == "infinite":
            return f"the slope grows without bound at the point{self._place('edge') or self._place('kink')}"
        wrong = [name for name in WAYS if not ways[name].agrees]
        if wrong:
            return self._blame(wrong[0] if "autodiff" not in wrong else "autodiff", ways)
        if limit.why == "edge":
            side = "right" if limit.right.kind == "finite" else "left"
            told = f"the point is at the edge of the domain{self._place('edge')}"
            return f"{told}: the derivative is that from the {side}"
        if limit.why == "outside":
            return "the exact value leaves the domain within rounding of the point; the ways are compared with autodiff"
        return ""

    def _blame(self, name: str, ways: dict[str, Way]) -> str:
        way = ways[name]
        shown = name.replace("_", " ")
        range_left = self.at.leaves_doubles()
        place = self._place("kink") or self._place("edge")
        if way.value is None or isnan(way.value):
            return f"{shown} is not a number" + (
                f": 0/0 or 0*inf{place}" if not range_left else f": {range_left}"
            )
        if range_left == "overflow":
            return f"{shown} overflows on the way: a number beyond 1.8e308 comes up"
        if place:
            return f"the point is within rounding of a kink or an edge{place}"
        limit = "nothing finite" if way.error is None else f"{way.value - way.error:.10g}"
        told = f"{shown} is {way.value:.10g}; the limit of difference quotients is {limit}"
        return f"{told}, and rounding explains a difference of {way.rounding:.1e} at most"

    def _place(self, kind: str) -> str:
        text = self.explain(kind)
        return f" ({text})" if text else ""


def worst(components: Sequence[Component]) -> tuple[Component, str] | None:
    """Return the component and the way furthest beyond what is explained; None without components."""

    def rank(pair: tuple[Component, str]) -> tuple[bool, bool, float]:
        component, name = pair
        way = component.ways[name]
        excess = way.excess
        return not component.agrees, not way.agrees, inf if isnan(excess) else excess

    pairs = [(c, name) for c in components for name in WAYS if c.ways[name].value is not None]
    return max(pairs, key=rank, default=None)


# Two numbers that rounding could have made different are on the border.
_NEAR = 8 * EPS


def border(tree: Tree, point: Mapping[str, Any], constants: Mapping[str, Any], kind: str) -> str:
    """Return the first sub-expression that is on a border of this kind (kink or edge), with its argument; or ""."""
    try:
        steps = trace(tree, point, constants, 2000).steps
    except (UsageError, RecursionError):  # too long to be followed
        return ""
    test = _is_kink if kind == "kink" else _is_edge
    for step in steps:
        if test(step, steps):
            arguments = ", ".join(
                f"{a.text} = {a.value:.6g}" for a in step.args[:2] if a.component is not None
            )
            return tree.piece(step.node) + (f" at {arguments}" if arguments else "")
    return ""


def _is_kink(step: TraceStep, steps: list[TraceStep]) -> bool:
    values = [a.value for a in step.args]
    if step.op in ("abs", "sign", "relu"):
        return abs(values[0]) <= _NEAR * _size(step, steps)
    if step.op in ("floor", "ceil"):
        return abs(values[0] - round(values[0])) <= _NEAR * _size(step, steps)
    if step.op == "where":
        return abs(values[0] - values[1]) <= _NEAR * max(abs(values[0]), abs(values[1]))
    if step.op in ("max", "min"):
        first, second = sorted(values, reverse=step.op == "max")[:2]
        return abs(first - second) <= _NEAR * max(abs(first), abs(second))
    return False


def _size(step: TraceStep, steps: list[TraceStep]) -> float:
    """The size of the terms that an argument is the sum of: what its rounding is relative to."""
    argument = step.args[0]
    if argument.step is not None and steps[argument.step].op in ("add", "sub"):
        return max(abs(a.value) for a in steps[argument.step].args)
    return abs(argument.value) if step.op in ("floor", "ceil") else 0.0


def _is_edge(step: TraceStep, steps: list[TraceStep]) -> bool:
    values = [a.value for a in step.args]
    if step.op == "norm":
        return not any(values)
    if step.op == "pow":
        return values[0] == 0.0 and values[1] != int(values[1])
    edges = FUNCTIONS[step.op].edges if step.op in FUNCTIONS else ()
    return any(all(value == edge for value in values) for edge in edges)


# -- the error against the step ----------------------------------------------------------------------------------------

STEPS = tuple(float(f"1e-{k}") for k in range(16))


class ErrorRow(NamedTuple):
    """The largest error over the components for one step, with its truncation and rounding parts (None: no value)."""

    h: float
    forward: Way | None
    central: Way | None
    complex_step: Way | None


def error_rows(auditor: Auditor) -> list[ErrorRow]:
    return [
        ErrorRow(
            h,
            _largest([auditor.forward(i, auditor.limits[i], h) for i in range(len(auditor.x))]),
            _largest([auditor.central(i, auditor.limits[i], h) for i in range(len(auditor.x))]),
            _largest([_complex_with_truncation(auditor, i, h) for i in range(len(auditor.x))]),
        )
        for h in STEPS
    ]


def _complex_with_truncation(auditor: Auditor, i: int, h: float) -> Way:
    """A complex step of a large h truncates as a central quotient does; what is beyond rounding is that."""
    way = auditor.complex_step(i, auditor.limits[i], h)
    if way.error is None or abs(way.error) <= way.rounding:
        return way
    return way._replace(truncation=way.error, agrees=True)


def _largest(ways: Sequence[Way]) -> Way | None:
    """Return the way with the largest error, and the largest rounding; None where a component has none."""
    if any(way.error is None or isnan(way.error) for way in ways):
        return None
    largest = max(ways, key=lambda way: abs(way.error or 0.0))
    return largest._replace(rounding=max(way.rounding for way in ways))


class BestStep(NamedTuple):
    """The step with the smallest error to be expected, the error there, and why it is there.

    ``least_h`` is the step of the smallest error seen, ``least_error``: where rounding happens to cancel it is another.
    """

    h: float
    error: float
    why: str
    least_h: float
    least_error: float


def best_step(rows: Sequence[ErrorRow], name: str) -> BestStep | None:
    """Return the best step of forward, central or complex_step; None where there is no error to compare."""
    known = [(row.h, way) for row in rows if (way := getattr(row, name)) is not None]
    if not known:
        return None
    # By what the error is expected to be: a difference that happens to be right says nothing of the step. Of steps
    # that are equally good, the largest: nothing is gained by going on.
    h, way = min(known, key=lambda pair: (abs(pair[1].truncation) + pair[1].rounding, -pair[0]))
    error, expected = abs(way.error), abs(way.truncation) + way.rounding
    seen, least = min(known, key=lambda pair: (abs(pair[1].error), -pair[0]))
    return BestStep(h, error, _why(known, name, h, error, expected), seen, abs(least.error))


def _why(known: Sequence[tuple[float, Any]], name: str, h: float, error: float, expected: float) -> str:
    larger = [w for k, w in known if k > h]
    smaller = [w for k, w in known if k < h]
    before = max((abs(w.truncation) for w in larger), default=0.0)
    after = max((w.rounding for w in smaller), default=0.0)
    if name == "complex_step":
        return _why_complex(error, smaller)
    if before <= expected and after <= expected:
        return "neither truncation nor rounding changes it"
    order = "h" if name == "forward" else "h**2"
    parts = []
    if before > expected:
        parts.append(f"a larger h truncates more (the error grows as {order})")
    if after > expected:
        parts.append("a smaller h magnifies the rounding of the values (it grows as 1/h)")
    return "; ".join(parts)


def _why_complex(error: float, smaller: Sequence[Way]) -> str:
    if all(abs(w.error or 0.0) <= 10.0 * max(error, w.rounding) for w in smaller):
        return "nothing is subtracted, so a smaller h loses nothing"
    return "a smaller h loses digits"
