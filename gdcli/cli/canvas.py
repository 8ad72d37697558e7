"""Where a picture goes and how it is to look: the file of ``--plot``, whole or not at all, or the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from gdcli.cli.option_rows import options_of
from gdcli.cli.options import PictureOptions
from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.render.appearance import Appearance
    from gdcli.render.plot_data import Picture

TERMINAL = "-"
MOST_DOTS = 200_000_000  # of a picture: each takes four bytes while it is drawn


class _File(Destination):
    """A picture's file: whole or not at all; what is wrong with it is said of its own option."""

    _what = "picture"

    def write(self, picture: bytes) -> None:
        self._stream.buffer.write(picture)


class Canvas:
    """``with Canvas(path, options, env, stream) as canvas:`` run, then ``canvas.draw(picture)``.

    The path was given by ``option``; ``-`` draws in text on ``stream``.
    """

    def __init__(
        self, path: str, options: PictureOptions, env: Environment, stream: TextIO, option: str = "--plot"
    ) -> None:
        self._path, self._options, self._env, self._stream = path, options, env, stream
        self._file: _File | None = None
        if path != TERMINAL:
            from gdcli.render import plots

            plots.check()
            self._file = _File(path, env.stdout, option)

    def __enter__(self) -> Canvas:
        if self._file is not None:
            self._file.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._file is not None:
            self._file.__exit__(*ended)

    def draw(self, make: Callable[[], Picture]) -> None:
        look = _appearance(self._options)
        picture, warnings = look.of(make())
        if self._file is None:
            _in_text(picture, self._stream)
        else:
            from gdcli.render import plots

            suffix = self._path.rpartition(".")[2].lower()
            self._file.write(plots.draw(picture, suffix, look.size, look.dpi))
        self._env.tell_warnings(tuple(warnings))


def _appearance(options: PictureOptions) -> Appearance:
    from gdcli.render.appearance import Appearance

    return Appearance(
        options.plot_size,
        options.dpi,
        options.title,
        options.xlabel,
        options.ylabel,
        options.log_axes,
    )


def check_look(options: PictureOptions) -> None:
    """Raise UsageError for options of a picture where there is none, or none of that kind."""
    look = [row for row in options_of(PictureOptions) if row.field != "plot"]
    given = [row.name for row in look if getattr(options, row.field) is not None]
    path = options.drawn
    if not given:
        return
    if not path:
        raise UsageError(
            f"{given[0]} is about the picture of --plot, and there is none", "add --plot picture.png"
        )
    of_files = [name for name in given if name in ("--plot-size", "--dpi")]
    if path == TERMINAL and of_files:
        raise UsageError(
            f"{of_files[0]} is for pictures in files, and --plot - draws in the terminal", "name a file"
        )
    if options.dpi is None:
        return
    if not path.lower().endswith(".png"):
        raise UsageError("--dpi is for .png: lines and letters of .svg and .pdf have no dots", "leave it out")
    wide, high = options.plot_size or (10.0, 10.0)
    if wide * high * options.dpi**2 > MOST_DOTS:
        raise UsageError(
            f"--dpi {options.dpi} makes more than {MOST_DOTS // 10**6} million dots of this picture",
            "choose fewer dots, or a smaller --plot-size",
        )


def _in_text(picture: Picture, stream: TextIO) -> None:
    from gdcli.render import text_plots
    from gdcli.render.sparkline import bars_of
    from gdcli.render.tables import is_terminal, lines_of, width_of

    colour = is_terminal(stream) and not os.environ.get("NO_COLOR")
    high = lines_of(stream)
    lines = high - 2 if high else text_plots.LINES  # one is empty, and the next has the prompt
    stream.write("\n" + text_plots.draw(picture, width_of(stream), colour, bars_of(stream), lines))
