"""``--global``: which options go with it, and what is told on the way. ``--multi-start``: runs from many starts, here,
or in the workers of a cluster (``--cluster``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import UsageError
from gdcli.kernel.number_format import short, thousands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.commands import FitOptions, MinimizeOptions
    from gdcli.render.progress import Progress
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitSettings
    from gdcli.tasks.global_minimum import Teller

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
    "plane",
    "every",
]


def check(options: MinimizeOptions) -> None:
    if not options.global_:
        told = "--all belongs to --global: it proves that there are no other minima"
        raise UsageError(told, "add --global, and bounds on every variable")
    check_unread(options, _UNREAD)


def check_plot(options: MinimizeOptions, size: int) -> None:
    """Raise UsageError for a picture of other than two variables: boxes of more cannot be drawn."""
    if options.global_ and options.plot and size != 2:
        are = "is" if size == 1 else "are"
        told = f"--plot of --global draws boxes of two variables, and there {are} {size}"
        raise UsageError(told, "leave out --plot")


def check_fit(options: FitOptions) -> None:
    if options.by:
        raise UsageError(
            "--global is for one fit, and --by makes many", "fit one group, or leave out --global"
        )
    check_unread(options, [*_UNREAD, "partitions", "share", "model", "contour"])


def check_unread(options: MinimizeOptions | FitOptions, names: Sequence[str]) -> None:
    for name in names:
        given = getattr(options, name, None)
        if given not in (None, False, [], ()):
            option = "--" + name.replace("_", "-")
            hint = "it ends by --tol, or at a cap: --max-time, --max-evaluations (of boxes), --max-memory"
            raise UsageError(
                f"--global does not read {option}: it searches boxes, and goes along no path", hint
            )


def solve(
    problem: Problem,
    settings: Settings,
    waiting: Progress | None,
    options: MinimizeOptions,
    keep: bool,
    checkpointer: Checkpointer | None = None,
) -> Outcome:
    """Search; with ``keep`` the answer has what shows its proof."""
    from gdcli.tasks.global_minimum import examining, solve_globally

    teller = None if waiting is None else teller_of(waiting, problem.sense, problem.sign)
    with examining(options.cluster, problem, settings):
        return solve_globally(
            problem, settings, options.show_gradient, teller, options.all, keep, checkpointer
        )


def solve_fit(
    ready: Prepared,
    settings: FitSettings,
    waiting: Progress | None,
    keep: bool,
    checkpointer: Checkpointer | None = None,
    cluster: str | None = None,
) -> FitOutcome:
    from gdcli.tasks.fit.global_fit import solve_globally

    teller = None if waiting is None else teller_of(waiting, "minimize", 1)
    return solve_globally(ready, settings, teller, keep, checkpointer, cluster)


def teller_of(waiting: Progress, sense: str, sign: int) -> Teller:
    """Return what tells on a terminal how far a search has come: boxes, and the bounds of the value."""

    def tell(examined: int, left: int, lower: float, best: float) -> None:
        ends: Sequence[float] = sorted((sign * lower, sign * best))
        note = f"{thousands(left)} left, the {sense[:-3]}um in [{short(ends[0], 6)}, {short(ends[1], 6)}]"
        waiting.begin("box", examined, None, note)

    return tell


# -- many starts -----------------------------------------------------------------------------------------------------


def check_cluster(options: MinimizeOptions) -> None:
    """Raise UsageError where there is nothing that could be spread, or what is kept of runs here."""
    if options.multi_start is None:
        raise UsageError(
            "--cluster spreads many starts, and there is one", "add --multi-start 20, or --global"
        )
    if options.checkpoint:
        raise UsageError(
            "--checkpoint is for runs here, and those of --cluster are not", "leave out one of them"
        )


def solve_many(
    options: MinimizeOptions,
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer | None = None,
    waiting: Progress | None = None,
) -> Outcome:
    from gdcli.tasks.multi_start import solve_from_many, solve_from_many_on

    starts, formulas = options.multi_start or 1, options.show_gradient
    if options.cluster is None:
        return solve_from_many(problem, settings, starts, observers, formulas, checkpointer, waiting)
    return solve_from_many_on(options.cluster, problem, settings, starts, observers, formulas, waiting)
