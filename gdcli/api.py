"""The public Python functions: typed mathematics in, the optimum and its evidence out. No printing, no exit.

>>> from gdcli import api
>>> outcome = api.minimize("(x-3)**2 + (y-2)**2", start={"x": 0, "y": 0})
>>> outcome.point
{'x': 3.0, 'y': 2.0}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.objective.space import Space
    from gdcli.solvers.types import Certificate, Observer, RunResult, Status

Number = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked: an expression, its sense, where to start, and the constants.

    ``start`` has every variable, in order of first appearance: a number, or a sequence for a vector.
    ``start_text`` is the same as the user would type it after ``--start`` (shortened for long vectors);
    ``drawn`` tells that no start was given and a random one was drawn with ``seed``.
    """

    expression: str
    sense: str = "minimize"
    start: Mapping[str, Number] = field(default_factory=dict)
    constants: Mapping[str, Number] = field(default_factory=dict)
    seed: int = 0
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is to be solved. None means the method's own default; an option a method does not read is an error.

    ``h`` is the difference step of the numerical gradients. ``lr`` is the fixed step size (learning rate),
    ``step_sizes`` the list tried by the method ``batch`` or the step rule ``best``.
    """

    method: str = "auto"
    gradient: str = "autodiff"
    h: float | None = None
    lr: float | None = None
    step_rule: str | None = None
    step_sizes: tuple[float, ...] | None = None
    tol: float | None = None
    gradient_tol: float | None = None
    step_tol: float | None = None
    value_tol: float | None = None
    max_iter: int = 10_000
    max_evaluations: int | None = None
    max_time: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its evidence.

    ``run`` and ``certificate`` speak of the minimised function; ``value`` and ``sign`` (+1, or -1 for a
    maximisation) turn it back into the user's. ``method`` names what was used and ``why`` says why it was
    chosen (``auto`` only). ``message`` is one sentence on how it ended, ``advice`` what to try next (empty when
    converged). ``formulas`` has the gradient as text per variable when it was asked for.
    """

    problem: Problem
    settings: Settings
    space: Space
    run: RunResult
    certificate: Certificate
    status: Status
    message: str
    advice: str
    method: str
    why: str
    sign: int
    engine: str
    warnings: tuple[str, ...] = ()
    formulas: Mapping[str, str] | None = None

    @property
    def point(self) -> dict[str, float | list[float]]:
        """The answer by name."""
        return self.space.unflatten(self.run.best.at.x)

    @property
    def value(self) -> float:
        """The value of the typed expression at the answer."""
        return self.sign * self.run.best.at.value


def read_problem(
    expression: str,
    sense: str,
    start: Sequence[str] = (),
    constants: Sequence[str] = (),
    seed: int = 0,
    source: str = "",
) -> Problem:
    """Return the problem that a user typed: ``start`` and ``constants`` as after ``--start`` and ``--set``.

    Raises UsageError with a span into the text at fault, DomainError where no finite random start is found.
    """
    raise NotImplementedError


def solve(problem: Problem, settings: Settings = Settings(), observers: Sequence[Observer] = (), formulas: bool = False) -> Outcome:
    """Solve ``problem`` and return the answer with its certificate.

    ``observers`` see every iterate; ``formulas`` asks for the gradient as text. Raises UsageError for a
    contradictory or unknown setting and DomainError when the start has no finite value.
    """
    raise NotImplementedError


def minimize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Minimise ``expression`` from ``start``; ``options`` are the fields of :class:`Settings`, ``constants``, ``seed``."""
    raise NotImplementedError


def maximize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Maximise ``expression``; as :func:`minimize`."""
    raise NotImplementedError
