"""Steps that form a geometric series: try its sum at once.

Where Newton's method converges only linearly, at a minimum like ``x**4`` or down a slope like that of
``cosh``, each step is the last one times a constant ratio. The sum of such a series is known after two of its
terms (Aitken's extrapolation), and one value tells whether it is lower.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.vectors import along, dot, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried

# The steps are a series when they shorten by a ratio between these, in about one direction.
_RATIOS, _COSINE = (0.4, 1.05), 0.9
# The sum is trusted to eight times the step at first; each success doubles that. Steps that hardly shorten
# have a sum without end: four times the step, then ever more.
_FIRST, _LEAST, _SLOWEST = 8.0, 4.0, 0.95


@stored("Series")
@dataclass(slots=True)
class Aitken:
    """The last step inside the trust region, if it was one, and how far the series was trusted lately.

    ``since`` counts the steps taken since the last successful extrapolation (many before the first).
    """

    last_step: Vector | None = None
    factor: float = _LEAST
    stretched: bool = False
    since: int = 9

    def extrapolate(
        self, objective: Objective, at: Evaluation, trial: Evaluation, step: Vector, length: float
    ) -> Evaluation | None:
        """Return the point at the sum of the series that the last step and ``step`` begin, if it is lower than
        ``trial``.
        """
        last_length = 0.0 if self.last_step is None else norm(self.last_step)
        if last_length == 0.0:
            return None
        ratio = length / last_length
        if not _RATIOS[0] < ratio < _RATIOS[1]:
            return None
        if dot(step, self.last_step) <= _COSINE * length * last_length:
            return None
        again = 2.0 * self.factor
        if ratio < _SLOWEST:
            factor = min(1.0 / (1.0 - ratio), again if self.stretched else _FIRST)
        else:
            factor = again if self.stretched else _LEAST
        further = tried(objective, at, along(at.x, factor, step))
        if not further.value < trial.value:
            return None
        self.factor, self.since = factor, 0
        return further

    def took(self, step: Vector | None, stretched: bool) -> None:
        """Remember an accepted step; None where the radius cut it, which ends any series."""
        self.last_step = step
        self.stretched = stretched
        if not stretched:
            self.factor = _LEAST
            self.since += 1
