"""Pictures as plain data, for the scripts of a page: the same descriptions that a file and a terminal show.

A grid of heights is thinned to what a page can show, and its numbers to the digits that a colour has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.render.html_page import plain
from gdcli.render.plot_data import Chart, Contours, Picture

# Points along each side of a grid, at most; between them heights are straight.
_SIDE = 101
_DIGITS = 5


def scene(picture: Picture) -> dict[str, Any]:
    """Return a picture as objects, lists and numbers; ``kind`` tells a ``chart`` from ``contours``."""
    if isinstance(picture, Chart):
        return {"kind": "chart"} | _plain(picture)
    across, up = _stride(picture.xs), _stride(picture.ys)
    thinned = picture._replace(
        xs=picture.xs[::across],
        ys=picture.ys[::up],
        values=_grid(picture.values, across, up),
        edges=[edge._replace(slacks=_grid(edge.slacks, across, up)) for edge in picture.edges],
    )
    return {"kind": "contours"} | _plain(thinned)


def _plain(picture: Chart | Contours) -> dict[str, Any]:
    found: dict[str, Any] = plain(picture._replace(courses=()))
    return found | {"title": str(picture.title.text)}


def _stride(places: Sequence[float]) -> int:
    return -(-(len(places) - 1) // (_SIDE - 1))


def _grid(rows: Sequence[Sequence[float]], across: int, up: int) -> list[list[float]]:
    return [[float(f"{v:.{_DIGITS}g}") for v in row[::across]] for row in rows[::up]]
