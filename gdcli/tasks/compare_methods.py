"""One problem solved by several methods, each run an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.kernel.dataclass import dataclass, replace
from gdcli.kernel.errors import DomainError, GdError, UsageError, internal
from gdcli.solve.settings import Settings
from gdcli.tasks.minimize import solve
from gdcli.tasks.outcome import Outcome
from gdcli.tasks.problem import Problem, sign_of


@dataclass(frozen=True, slots=True)
class MethodRun:
    """How one method fared: its outcome, or the error in its way; ``values`` has the value at each iterate."""

    method: str
    outcome: Outcome | None
    fault: GdError | None
    values: tuple[float, ...]


def compare_methods(
    problem: Problem, methods: Sequence[str] = (), settings: Settings | None = None
) -> tuple[MethodRun, ...]:
    """Solve ``problem`` by each of ``methods`` (none: those that suit its size), and return how each fared.

    Of ``settings`` the method is left out; a learning rate goes to the methods that read one. What goes wrong in one
    method is part of the answer; an interrupt ends the comparison after the run that it met. Raises UsageError for an
    unknown method, before anything runs, and DomainError when the start has no finite value.
    """
    from gdcli.solve.registry import find
    from gdcli.tasks.compare import suited_to

    settings = settings or Settings()
    chosen = [find(name) for name in dict.fromkeys(methods or suited_to(problem))]
    if settings.lr is not None and not any("lr" in entry.reads for entry in chosen):
        raise UsageError("none of these methods reads --lr", "leave it out, or add gd to --method")
    runs: list[MethodRun] = []
    for entry in chosen:
        lr = settings.lr if "lr" in entry.reads else None
        runs.append(_run_of(problem, replace(settings, method=entry.name, lr=lr)))
        outcome = runs[-1].outcome
        if outcome is not None and outcome.status.by_signal:
            break
    return tuple(runs)


def _run_of(problem: Problem, settings: Settings) -> MethodRun:
    """Return one run; only an error of the start itself, which all would share, is passed on."""
    sign = sign_of(problem.sense)
    values: list[float] = []
    try:
        outcome = solve(problem, settings, [lambda iterate: values.append(sign * iterate.at.value)])
    except DomainError:
        raise
    except GdError as fault:
        return MethodRun(settings.method, None, fault, tuple(values))
    except Exception as fault:  # a fault of this method is no reason to keep the others back
        if problem.tree is None:  # it may be one of the function
            raise
        return MethodRun(settings.method, None, internal(fault), tuple(values))
    return MethodRun(settings.method, outcome, None, tuple(values))
