"""``gd fit --plot``: from a fit to its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.fitting.prepare import Prepared
    from gdcli.record.fits import FitRecord
    from gdcli.report.fit_scenes import Epochs
    from gdcli.report.plot_data import Picture, Recorder
    from gdcli.solvers.types import Observer


class FitPlot:
    """The picture of one fit: its ``observers`` see the run, `picture` is made of the answer."""

    def __init__(self, ready: Prepared) -> None:
        from gdcli.report.plot_data import Recorder

        self._ready = ready
        self.recorder: Recorder = Recorder(ready.problem.sign, ())
        self.observers: list[Observer] = [self.recorder]

    def picture(self, found: FitRecord, epochs: Epochs | None) -> Picture:
        """Return the points with the curve and the residuals; of a typed loss the way of the value."""
        from gdcli.report import fit_scenes, scenes

        title = scenes.title(found.problem.expression)
        if self._ready.row.fitted is not None:
            return fit_scenes.picture(title, self._rows(found), epochs)
        if epochs is not None:
            return fit_scenes.picture(title, None, epochs)
        run = scenes.Run(
            title,
            (),
            self.recorder.points(),
            None,
            found.value,
            "end",
            found.problem.sign,
            found.certificate.estimated_gap or 0.0,
        )
        return scenes.progress(run)

    def _rows(self, found: FitRecord) -> Any:
        from gdcli.fitting.looks import look
        from gdcli.report.faults import harmless, shorten
        from gdcli.report.fit_scenes import Rows

        seen = look(self._ready, found.x)
        what = harmless(" ".join(found.problem.expression.partition("~")[0].split()))
        over = None if seen.column is None else harmless(shorten(seen.column, 60))
        return Rows(what, seen.measured, seen.fitted, seen.rows, over, seen.places, seen.curve, seen.sigma)


def epochs_of(outcome: FitOutcome) -> Epochs | None:
    """Return what a picture shows of a run by epochs."""
    if not outcome.settings.is_stochastic:
        return None
    from gdcli.report.fit_scenes import Epochs

    sign, history = outcome.sign, outcome.history
    return Epochs(
        [epoch.iteration for epoch in history],
        [sign * epoch.at.value for epoch in history],
        [None if epoch.held_out is None else sign * epoch.held_out for epoch in history],
    )
