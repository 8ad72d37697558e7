"""`gd show`: a stored answer as the page, and the picture, that its own run would have shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli import stored
from gdcli.errors import DataError, UsageError

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem
    from gdcli.solvers.types import Iterate


def run(values: dict[str, Any]) -> int:
    """Show a stored answer; the exit code is 0, whatever the answer was."""
    from gdcli.cli.destination import Destination
    from gdcli.cli.minimize import writer_for
    from gdcli.cli.plotting import Canvas, RunPlot

    problem, outcome, path = _restored(stored.read(values["file"]))
    if values["plot"] and not path:
        raise UsageError("--plot draws a path, and this is a result alone", "store a trace: --format jsonl")
    plot = RunPlot(values, problem) if values["plot"] or values["plane"] else None
    with Canvas(values["plot"], taken=values["output"]) as canvas:
        with Destination(values["output"]) as stream:
            writer = writer_for(values | {"print": None}, problem, stream)
            for iterate in path:
                writer(iterate)
                if plot is not None:
                    plot.recorder(iterate)
            writer.finish(outcome)
        if plot is not None:
            canvas.draw(partial(plot.picture, outcome))
    return 0


def _restored(answer: stored.Stored) -> tuple[Problem, Outcome, list[Iterate]]:
    """Return what a stored answer tells. Raises DataError where parts of it are missing or of the wrong kind."""
    from gdcli import restored

    if "standard_errors" in answer.result:
        raise DataError(
            f"{answer.name} holds a fit, and only minimize and maximize are shown", "gd rerun repeats it"
        )
    try:
        problem = restored.problem(answer.result)
        path = list(restored.path(answer.path, problem))
        return problem, restored.outcome(answer.result, problem), path
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as fault:
        raise DataError(f"{answer.name} holds no whole result: {fault!r}") from None
