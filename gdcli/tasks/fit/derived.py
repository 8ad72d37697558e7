"""Quantities that follow from the parameters of a fit, ``half_life=log(2)/b``, with their errors and intervals.

The standard error is that of the delta method: with g the exact gradient of the quantity h and C the covariance of the
parameters it is the root of g'Cg. For an interval by the profile h takes the place of one of the parameters, of the one
that changes it most within its error; the profile is then that of a parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import exp, inf, isfinite, sqrt
from typing import Any

from gdcli.judge.statistics import Uncertainty
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.kernel.vectors import Space, Vec, Vector
from gdcli.language.functions import CONSTANTS
from gdcli.language.relation import read_parts
from gdcli.language.syntax import Tree
from gdcli.language.tree_names import check_calls, place_of_name, with_parts
from gdcli.objective.build import build_objective
from gdcli.objective.protocol import Evaluation, Objective, new_counts
from gdcli.tasks.fit.fit_outcome import Derived, Interval

_OPTION = "--derive"
_MOST_STEPS = 60
# A step in the logarithm grows by no more than this power of e, near the largest number.
_MOST_GROWTH = 700.0
# Newton's steps have come to their end where one of a miss as small, as a part of the value, does not help.
_NEAR = 1e-9


def read_derived(
    texts: tuple[str, ...],
    let: tuple[str, ...],
    parameters: Collection[str],
    constants: Collection[str],
    columns: Collection[str],
) -> Mapping[str, Tree]:
    """Return the trees of derived quantities by name.

    Raises UsageError, with the place in the text, for a name that is taken, or that is none of a number.
    """
    found = read_parts(texts, _OPTION, let)
    taken = {
        **dict.fromkeys(columns, "a column of the data"),
        **dict.fromkeys(read_parts(let), "a part that --let names"),
        **dict.fromkeys(constants, "a constant"),
        **dict.fromkeys(parameters, "a parameter of the model"),
    }
    known = [*parameters, *constants]
    for (name, tree), text in zip(found.items(), texts, strict=True):
        if name in taken:
            span = Span(text, 0, text.index("="), _OPTION)
            raise UsageError(f"{_OPTION} gives {name}, which is {taken[name]}", "give it another name", span)
        check_calls(tree, (*known, *tree.parts))
        for used in tree.names:
            if used not in known and used not in CONSTANTS:
                what = taken.get(used, "not a parameter of the model")
                hint = did_you_mean(used, known, f"the parameters are {', '.join(list(parameters)[:8])}")
                place = place_of_name(with_parts([tree]), used)
                raise UsageError(f"{_OPTION} has {used}, which is {what}", hint, place)
    return found


class Quantity(NamedTuple):
    """A derived quantity: its name, its text, and its value with derivatives by the parameters, as an objective."""

    name: str
    text: str
    objective: Objective


def quantities(
    trees: Mapping[str, Tree], texts: Sequence[str], space: Space, constants: Mapping[str, Any]
) -> list[Quantity]:
    found = []
    for (name, tree), text in zip(trees.items(), texts, strict=True):
        known = {n: v for n, v in constants.items() if n in tree.names}
        made = build_objective(tree, space.lengths, known, 1, "auto")
        found.append(Quantity(name, text.partition("=")[2].strip(), made))
    return found


def derived(quantity: Quantity, x: Sequence[float], errors: Uncertainty | None, reach: float) -> Derived:
    """Return the value at x, its standard error, and the interval of ``reach`` times it; None where there is none."""
    objective = quantity.objective
    at = objective.evaluate(objective.vector(list(x)), 1)
    factor = None if errors is None else errors.factor
    if factor is None or at.gradient is None or not isfinite(at.value):
        return Derived(quantity.name, quantity.text, at.value, None, None)
    slopes = [float(g) for g in at.gradient]
    parts = [sum(row[k] * g for row, g in zip(factor, slopes, strict=True)) for k in range(len(slopes))]
    error = sqrt(sum(part * part for part in parts))
    return Derived(
        quantity.name,
        quantity.text,
        at.value,
        error,
        Interval(at.value - reach * error, at.value + reach * error),
    )


def _tries(place: float, step: float, near: bool) -> Iterator[float]:
    """Yield where Newton's ``step`` leads; unless the end is ``near`` also less far."""
    yield place + step
    if not near:
        yield place * exp(min(step / place, _MOST_GROWTH)) if place else step
        for k in range(1, _MOST_STEPS):
            yield place + step / 2.0**k


class Exchanged(Objective):
    """``inner`` as a function of w, the parameters x with h(x) in the place of x_k.

    x_k is found by Newton's method from where it was last, or from ``first``, and must lie within ``ends``. A step that
    comes no nearer, as one over a pole, is taken in the logarithm of x_k, and then shortened. The derivatives follow
    from dx/dw: x_k has the slopes 1/h_k by h and -h_i/h_k by x_i, and its second derivatives are those of h seen along
    dx/dw, times -1/h_k.
    """

    def __init__(
        self, inner: Objective, quantity: Objective, k: int, first: float, ends: tuple[float, float]
    ) -> None:
        self.inner, self.quantity, self.k = inner, quantity, k
        self.first, self.near, (self.lower, self.upper) = first, first, ends
        self.counts = new_counts()

    def inside(self, w: Vec) -> Vec | None:
        found = self._from(self.near, w)
        return self._from(self.first, w) if found is None else found

    def _from(self, start: float, w: Vec) -> Vec | None:
        x, k, wanted = Vec(w), self.k, float(w[self.k])
        x[k] = start
        for _ in range(_MOST_STEPS):
            at, place = self.quantity.evaluate(x, 1), float(x[k])
            if at.gradient is None or not at.gradient[k] or not isfinite(at.value):
                return None
            slope, miss = float(at.gradient[k]), abs(at.value - wanted)
            size = max(abs(wanted), abs(slope * place))
            near = miss <= _NEAR * size
            for x[k] in _tries(place, (wanted - at.value) / slope, near):
                if abs(self.quantity.evaluate(x).value - wanted) < miss:
                    break
            else:
                self.near = x[k] = place
                return x if near and self.lower <= place <= self.upper else None
        return None

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        inside = self.inside(x)
        if inside is None:
            return Evaluation(x, inf)
        at = self.inner.evaluate(inside, order)
        h = self.quantity.evaluate(inside, order)
        if order < 2 or at.gradient is None or at.hessian is None or h.gradient is None or h.hessian is None:
            return Evaluation(x, at.value)
        k, size = self.k, len(x)
        own = float(h.gradient[k])
        slope = at.gradient[k] / own
        turned = Vec([(1.0 if i == k else -float(h.gradient[i])) / own for i in range(size)])
        pairs = zip(at.hessian, h.hessian, strict=True)
        bent = [Vec([a - slope * b for a, b in zip(*rows, strict=True)]) for rows in pairs]
        gradient = Vec(
            [at.gradient[k] * turned[i] + (at.gradient[i] if i != k else 0.0) for i in range(size)]
        )
        # T'BT, with T the unit matrix but for row k, which is ``turned``.
        half = [Vec([row[k] * turned[j] + (row[j] if j != k else 0.0) for j in range(size)]) for row in bent]
        hessian = [
            Vec([turned[i] * half[k][j] + (half[i][j] if i != k else 0.0) for j in range(size)])
            for i in range(size)
        ]
        return Evaluation(x, at.value, gradient, hessian)
