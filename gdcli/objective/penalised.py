"""A problem with constraints as one without: what is broken costs.

The quadratic penalty ``f(x) + factor/2 * sum(broken(x)**2)`` (Courant 1943; Nocedal and Wright, Numerical
Optimization, 2nd ed., section 17.1). Where it is least, ``factor * broken`` are the multipliers of a problem whose
limits lie where the point does.
"""

from __future__ import annotations

from gdcli.objective.constrained import Constrained
from gdcli.objective.protocol import Evaluation, Objective, Vector


class Penalised(Objective):
    """``problem`` with the penalty of ``factor`` in the place of its constraints, but not of its bounds."""

    def __init__(self, problem: Constrained, factor: float) -> None:
        self.problem, self.factor = problem, factor
        self.size, self.counts = problem.size, problem.counts

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        problem = self.problem
        value, h = problem.values(problem.np.array(x, dtype=float))
        broken = problem.broken(h)
        found = Evaluation(x, value + 0.5 * self.factor * float(broken @ broken))
        return self.complete(found, order) if order else found

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        problem = self.problem
        x = problem.np.array(at.x, dtype=float)
        slopes, (_, h) = problem.slopes(x), problem.values(x)
        if at.gradient is not None or slopes is None:
            return at
        pull = problem.np.where(problem.equal, h, problem.broken(h))
        return at._replace(gradient=self.vector(slopes[0] + self.factor * (pull @ slopes[1])))

    def vector(self, flat: Vector) -> Vector:
        return self.problem.vector(flat)
