"""``gd fit --plot``: from a fit to its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.kernel.vectors import np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.record.fits import FitRecord
    from gdcli.render.fit_figures import Epochs
    from gdcli.render.plot_data import Chart, Picture, Recorder
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared


class FitPlot:
    """The picture of one fit: its ``observers`` see the run, `picture` is made of the answer."""

    def __init__(self, ready: Prepared) -> None:
        from gdcli.render.plot_data import Recorder

        self._ready = ready
        self.recorder: Recorder = Recorder(ready.problem.sign, ())
        self.observers: list[Observer] = [self.recorder]

    def of_run(self, found: FitRecord, outcome: FitOutcome) -> Picture:
        return self.picture(found, epochs_of(outcome))

    def picture(self, found: FitRecord, epochs: Epochs | None) -> Picture:
        """Return the points with the curve and the residuals; of a typed loss the way of the value.

        Profiles, and the curve around a region of two parameters, are panels below.
        """
        made = self._of_rows(found, epochs)
        if found.region is None and found.diagnostics is None:
            return made
        from gdcli.render.fit_parts import profile_panel, region_panel

        below = [panel for panel in (profile_panel(found), region_panel(found)) if panel is not None]
        return made._replace(panels=(*made.panels, *below))

    def _of_rows(self, found: FitRecord, epochs: Epochs | None) -> Chart:
        from gdcli.render import figures, fit_figures

        title = figures.title(found.problem.expression)
        if found.diagnostics is not None and found.diagnostics.points:
            from gdcli.render.fit_parts import picture

            return picture(title, found)
        if self._ready.row.fitted is not None:
            return fit_figures.picture(title, self._rows(found), epochs)
        if epochs is not None:
            return fit_figures.picture(title, None, epochs)
        run = figures.Run(
            title,
            (),
            self.recorder.points(),
            None,
            found.value,
            "end",
            found.problem.sign,
            found.certificate.estimated_gap or 0.0,
        )
        return figures.progress(run)

    def _rows(self, found: FitRecord) -> Any:
        from gdcli.kernel.errors import harmless
        from gdcli.render.fit_figures import ShownRows
        from gdcli.tasks.fit.row_sample import sample_rows

        seen = sample_rows(self._ready, found.x)
        what = harmless(" ".join(found.problem.expression.partition("~")[0].split()))
        bands = () if seen.column is None else self._bands(found, seen.column, seen.curve[0])
        return ShownRows(seen, what, [self._ready.place(number - 1) for number in seen.numbers], bands)

    def _bands(
        self, found: FitRecord, column: str, places: Sequence[float]
    ) -> list[tuple[str, list[float], list[float]]]:
        """The bands of prediction and of confidence along a column, as far as they are known."""
        from gdcli.record.predictions import fitted_answer
        from gdcli.tasks.fit.prediction import CONFIDENCE, PREDICTION, bands

        answer, row = fitted_answer(found), self._ready.row.plain
        if answer.factor is None or not any(map(any, answer.factor)) or column not in row.columns:
            return []
        alike = answer.loss == "squared" and answer.scale and not (answer.weights or answer.sigma)
        drawn = []
        for interval in ([PREDICTION] if alike else []) + [CONFIDENCE]:
            along = [np.array(places) if name == column else np.ones(len(places)) for name in row.columns]
            parts = bands(answer, row, interval, found.level)(along)
            name = f"{100.0 * found.level:g} % {interval}"
            drawn.append((name, parts["low"].tolist(), parts["high"].tolist()))
        return drawn


def epochs_of(outcome: FitOutcome) -> Epochs | None:
    if not outcome.settings.is_stochastic:
        return None
    from gdcli.render.fit_figures import Epochs

    sign, history = outcome.sign, outcome.history
    return Epochs(
        [epoch.iteration for epoch in history],
        [sign * epoch.at.value for epoch in history],
        [None if epoch.held_out is None else sign * epoch.held_out for epoch in history],
    )
