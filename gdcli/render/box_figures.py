"""The picture of a search over boxes of two variables: the cover of the bounds that shows what is proved."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from gdcli.kernel.number_format import amount
from gdcli.render.figures import Run, View, height_map, joined, place_text
from gdcli.render.plot_data import BLACK, VERMILLION, Contours, Series, Values
from gdcli.render.plot_geometry import Scale, common_scale

# A box from (low, high) of the one variable to (low, high) of the other.
Rectangle = tuple[tuple[float, float], tuple[float, float]]


def box_map(
    run: Run, cover: Sequence[Rectangle], left: Sequence[Rectangle], values: Values, resolution: int
) -> Contours:
    """Return the contours within the bounds, the boxes of the ``cover``, and those that may hold the best point."""
    x, y, equal = common_scale(*run.bounds)
    label = amount(len(cover), "box of the proof", "boxes of the proof")
    series = [joined(_outlines(cover))._replace(label=label, ink=BLACK, width=0.7, detail=True)]
    if left:
        centers = [tuple(0.5 * a + 0.5 * b for a, b in box) for box in left]
        told = amount(len(left), f"box that may hold a {run.word}", f"boxes that may hold a {run.word}")
        xs, ys = ([center[k] for center in centers] for k in (0, 1))
        series.append(Series(xs, ys, told, VERMILLION, "s", 0.0, 7.0, hollow=True))
    if run.answer is not None:
        spans = [x[1] - x[0], y[1] - y[0]]
        text = f"{run.word} {place_text(run.names, run.answer, spans)}"
        series.append(Series([run.answer[0]], [run.answer[1]], text, BLACK, "*", 0.0, 11.0))
    view = View(x, y, equal, [Scale(False), Scale(False)])
    return height_map(run.title, run.names, view, series, run.sign, values, resolution)


def _outlines(boxes: Sequence[Rectangle]) -> list[tuple[float, float]]:
    pieces: list[tuple[float, float]] = []
    for (a, b), (c, d) in boxes:
        pieces += [(a, c), (b, c), (b, d), (a, d), (a, c), (nan, nan)]
    return pieces
