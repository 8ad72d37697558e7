"""``--global``: which options go with it, and what is told on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.commands import MinimizeOptions
    from gdcli.render.waiting import Waiting

# What a search of boxes does not read.
_UNREAD = [
    "multi_start",
    "method",
    "gradient",
    "h",
    "lr",
    "step_rule",
    "step_sizes",
    "gradient_tol",
    "step_tol",
    "value_tol",
    "max_iter",
    "target",
    "engine",
    "trace",
    "watch",
    "plot",
    "plane",
    "every",
    "checkpoint",
    "checkpoint_every",
]


def check(options: MinimizeOptions) -> None:
    if not options.global_:
        told = "--all belongs to --global: it proves that there are no other minima"
        raise UsageError(told, "add --global, and bounds on every variable")
    for name in _UNREAD:
        if getattr(options, name) not in (None, False):
            option = "--" + name.replace("_", "-")
            hint = "it ends by --tol, or at a cap: --max-time, --max-evaluations (of boxes), --max-memory"
            raise UsageError(
                f"--global does not read {option}: it searches boxes, and goes along no path", hint
            )


def solve(
    problem: Problem, settings: Settings, waiting: Waiting | None, options: MinimizeOptions, keep: bool
) -> Outcome:
    """Search; with ``keep`` the answer has what shows its proof."""
    from gdcli.kernel.number_format import short, thousands
    from gdcli.tasks.global_minimum import solve_globally

    def tell(examined: int, left: int, lower: float, best: float) -> None:
        assert waiting is not None
        ends: Sequence[float] = sorted((problem.sign * lower, problem.sign * best))
        note = f"{thousands(left)} left, the {problem.sense[:-3]}um in [{short(ends[0], 6)}, {short(ends[1], 6)}]"
        waiting.begin("box", examined, None, note)

    teller = None if waiting is None else tell
    return solve_globally(problem, settings, options.show_gradient, teller, options.all, keep)
