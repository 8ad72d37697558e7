"""``gd fit --plot``: from a fit to its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.fitting.prepare import Prepared
    from gdcli.report.plot_data import Picture
    from gdcli.solvers.types import Observer


class FitPlot:
    """The picture of one fit: its ``observers`` see the run, `picture` is made of the outcome."""

    def __init__(self, ready: Prepared) -> None:
        from gdcli.report.plot_data import Recorder

        self._ready = ready
        self._recorder = Recorder(-1 if ready.problem.sense == "maximize" else 1, ())
        self.observers: list[Observer] = [self._recorder]

    def picture(self, outcome: FitOutcome) -> Picture:
        """Return the points with the curve and the residuals; of a typed loss the way of the value."""
        from gdcli.report import fit_scenes, scenes

        title = scenes.title(outcome.problem.expression)
        epochs = _epochs(outcome) if outcome.settings.is_stochastic else None
        if self._ready.row.fitted is not None:
            return fit_scenes.picture(title, self._rows(outcome), epochs)
        if epochs is not None:
            return fit_scenes.picture(title, None, epochs)
        run = scenes.Run(
            title,
            (),
            self._recorder.points(),
            None,
            outcome.value,
            "end",
            outcome.sign,
            outcome.certificate.gap or 0.0,
        )
        return scenes.progress(run)

    def _rows(self, outcome: FitOutcome) -> Any:
        from gdcli.fitting.looks import look
        from gdcli.report.faults import harmless, shorten
        from gdcli.report.fit_scenes import Rows

        seen = look(self._ready, outcome.run.best.at.x)
        what = harmless(" ".join(outcome.problem.expression.partition("~")[0].split()))
        over = None if seen.column is None else harmless(shorten(seen.column, 60))
        return Rows(what, seen.measured, seen.fitted, seen.rows, over, seen.places, seen.curve, seen.sigma)


def _epochs(outcome: FitOutcome) -> Any:
    from gdcli.report.fit_scenes import Epochs

    sign, history = outcome.sign, outcome.history
    return Epochs(
        [epoch.iteration for epoch in history],
        [sign * epoch.at.value for epoch in history],
        [None if epoch.held_out is None else sign * epoch.held_out for epoch in history],
    )
