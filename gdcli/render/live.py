"""``--watch``: a run seen while it goes on, in a terminal.

The display must not slow the run down: an iterate costs a look at the clock, and a picture is drawn at most ten times
a second. It shows what the rows of the final table show, one for each refresh, and the course of the value so far as a
sparkline. When the run ends the display disappears, and the usual table takes its place.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, column, seconds
from gdcli.record.path_rows import Row, row_of
from gdcli.render.formats import _STYLES, PERIOD, glyphs_of, width_of
from gdcli.render.page import Column, Glyphs, Line, fact, scientific, table
from gdcli.render.plot_data import Recorder
from gdcli.render.text_plots import Bars, bars_of, sparkline

if TYPE_CHECKING:
    from gdcli.solve.iteration import Iterate

ROWS = 10  # with the lines around them less than the 24 of a terminal


class Page:
    """What is shown at one moment: the last refreshes as rows, the course of the value, the time."""

    def __init__(self, sense: str, expression: str, sign: int) -> None:
        self._title = (sense, harmless(" ".join(expression.split())))
        self._sign = sign
        # Room for many bars, and no more: the sparkline has a bar for each column.
        self._course = Recorder(sign, (), most=500)
        self._rows: deque[Row] = deque(maxlen=ROWS)

    def see(self, iterate: Iterate) -> None:
        self._course(iterate)

    def lines(self, iterate: Iterate, width: int, glyphs: Glyphs, bars: Bars) -> list[Line]:
        # Only what a row shows is kept of an iterate: its point may be long.
        self._rows.append(row_of(iterate, self._sign, 0))
        rows = self._rows
        sense, expression = self._title
        values = [p.value for p in self._course.points()]
        columns = [
            Column("iter", [str(row.iteration) for row in rows]),
            Column("value", column([row.value for row in rows], 10)),
            Column("|gradient|", [scientific(row.gradient_norm) for row in rows]),
            Column("step", column([row.step for row in rows], 3)),
            Column("evals", [str(row.evaluations) for row in rows]),
        ]
        return [
            *fact(sense, shorten(expression, width - 20), width, "title"),
            [],
            *table(columns, glyphs),
            [],
            *fact("value", sparkline(values, width - 20, bars), width),
            *fact("running", f"{amount(iterate.iteration, 'iteration')}, {seconds(iterate.seconds)}", width),
        ]


class Watch:
    """An observer with a live display on ``stream``: ``with Watch(...) as watch:`` run."""

    def __init__(
        self,
        stream: TextIO,
        sense: str,
        expression: str,
        sign: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream, self._clock = stream, clock
        self._page = Page(sense, expression, sign)
        self._glyphs, self._bars = glyphs_of(stream), bars_of(stream)
        self._next = clock()
        console = Console(file=stream, highlight=False, emoji=False, markup=False)
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Watch:
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._live.stop()

    def __call__(self, iterate: Iterate) -> None:
        self._page.see(iterate)
        now = self._clock()
        if now >= self._next:
            self._live.update(self._drawn(iterate), refresh=True)
            self._next = self._clock() + PERIOD

    def _drawn(self, iterate: Iterate) -> Any:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis", end="")
        for line in self._page.lines(iterate, width_of(self._stream), self._glyphs, self._bars):
            for piece, role in line:
                text.append(piece, _STYLES.get(role))
            text.append("\n")
        text.rstrip()
        return text
