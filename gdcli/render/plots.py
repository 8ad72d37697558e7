"""Pictures in files, drawn by matplotlib, which is imported here and nowhere else.

matplotlib is used without its global state (no pyplot, no backend, no style of the user's), so that the same answer
gives the same bytes: dates and versions are left out of the files, and the names inside an SVG come from a fixed salt.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from math import floor as floor_of
from math import isfinite, isnan, log10
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import UsageError, shorten
from gdcli.kernel.vectors import np
from gdcli.render.plot_data import BLACK, GRAY, Contours, Panel, Picture, Series, Title, Wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.mathtext import MathTextParser


_TITLE_ROOM = 0.94  # of the width
_CHARACTERS = 13.0  # of a legend, on an inch
SIZE, TALL, EACH, DPI = (6.4, 4.8), (6.4, 5.6), 2.4, 120  # inches, those of each of many panels, dots an inch

_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_STYLE = {
    "svg.hashsalt": "gd",
    # Text stays text: TrueType in a PDF, which publishers ask for, and characters in an SVG, not outlines.
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    # The first has all but the scripts of East Asia; of the others what is there is used, character by character.
    "font.family": [
        "DejaVu Sans",
        "Noto Sans CJK KR",
        "Noto Sans CJK JP",
        "Malgun Gothic",
        "Arial Unicode MS",
    ],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": True,  # what the ticks are in units of: ×10⁹, not 1e9
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.handlelength": 1.6,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.1,
}
# From the good end to the other: pale enough for paths on top.
_RAMP = ("#5E9CCB", "#8DBBDD", "#B9D6EA", "#DCEAF4", "#F7FAFD")


def check() -> None:
    """Raise a UsageError that names the command which installs it, where matplotlib is missing."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise missing("a picture in a file", "matplotlib") from None


def missing(what: str, library: str) -> UsageError:
    from gdcli.kernel import installing

    hint = f"install it: {installing.command('plot')}"
    return UsageError(f"{what} needs {library}, which is not installed", hint)


def draw(
    picture: Picture, suffix: str, size: tuple[float, float] | None = None, dpi: int | None = None
) -> bytes:
    """Return the picture as the bytes of a file of the kind ``suffix``: png, svg or pdf.

    ``size`` is in inches (None: what suits the picture), ``dpi`` the dots of an inch.
    """
    with _plain_matplotlib(_scale(size)):
        figure = _figure(picture, size)
        file = BytesIO()
        figure.savefig(file, format=suffix, dpi=dpi or DPI, metadata=_METADATA[suffix])
    return file.getvalue()


@contextmanager
def _plain_matplotlib(scale: float = 1.0) -> Iterator[None]:
    """matplotlib as it comes, with our style; characters that its font does not have are boxes, not warnings.

    Letters are ``scale`` times as large as usual.
    """
    import logging

    import matplotlib

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        for name in ("font.size", "legend.fontsize"):
            matplotlib.rcParams[name] *= scale
        yield


def _figure(picture: Picture, size: tuple[float, float] | None = None) -> Figure:
    from matplotlib.figure import Figure

    if isinstance(picture, Contours):
        figure = Figure(figsize=size or _size(picture))
        axes = figure.add_subplot()
        _contours(figure, axes, picture)
    else:
        count = len(picture.panels)
        figure = Figure(figsize=size or ((SIZE, TALL)[count - 1] if count < 3 else (SIZE[0], count * EACH)))
        _panels(figure, picture.panels)
    scale = _scale(size)
    words, points = title(picture.title, _TITLE_ROOM * 72.0 * figure.get_figwidth() / scale)
    figure.suptitle(words, fontsize=points * scale)
    _legend(figure, _CHARACTERS * figure.get_figwidth() / scale)
    return figure


def _scale(size: tuple[float, float] | None) -> float:
    """How large letters are: smaller in a small picture, as far as they can be read."""
    return 1.0 if size is None else max(0.7, min(1.0, size[0] / 5.0, size[1] / 3.8))


def _panels(figure: Figure, panels: Sequence[Panel]) -> None:
    """Draw panels below each other; those that share their axis have its numbers below the last of them."""
    heights = {"height_ratios": [panel.height for panel in panels]}
    rows = figure.subplots(len(panels), squeeze=False, gridspec_kw=heights)[:, 0]
    for axes, panel in zip(rows[1:], panels[1:], strict=True):
        if not panel.own:
            axes.sharex(rows[0])
    for axes, panel in zip(rows, panels, strict=True):
        _panel(figure, axes, panel)
    for axes, below in zip(rows, panels[1:], strict=False):
        if not below.own:
            axes.set_xlabel("")
            axes.tick_params(axis="x", which="both", labelbottom=False)


def _size(picture: Contours) -> tuple[float, float]:
    """The size in inches that leaves little empty paper around axes of this shape."""
    if not picture.equal:
        return TALL
    return SIZE[0], min(6.4, max(3.8, 4.7 * _shape(picture) + 1.1))


def _shape(picture: Contours) -> float:
    """How many times as high as wide the axes are."""
    return (picture.ys[-1] - picture.ys[0]) / (picture.xs[-1] - picture.xs[0])


def _mark(s: Series) -> dict[str, Any]:
    if not s.shape:
        return {}
    ink, edge = (s.ink, 1.8) if s.hollow else ("white", 0.6 if s.size > 3.0 else 0.0)
    if s.shape in "x+":
        ink, edge = s.ink, 1.6
    return {
        "marker": s.shape,
        "markersize": s.size,
        "markerfacecolor": "none" if s.hollow else s.ink,
        "markeredgecolor": ink,
        "markeredgewidth": edge,
    }


def _series(figure: Figure, axes: Axes, s: Series, above: int) -> None:
    if s.below is not None:
        axes.fill_between(
            s.xs, s.below, s.ys, color=s.ink, alpha=s.alpha, linewidth=0.0, zorder=1.5, label=s.label or "_"
        )
        return
    if s.spread or s.across:
        pale = 0.6 * s.alpha
        axes.errorbar(
            s.xs, s.ys, s.spread, s.across, "none", ecolor=s.ink, elinewidth=0.9, alpha=pale, zorder=2.9
        )
    line = "none" if not s.width else "--" if s.dashed else "-"
    (drawn,) = axes.plot(
        s.xs,
        s.ys,
        color=s.ink,
        alpha=s.alpha,
        linestyle=line,
        linewidth=s.width,
        zorder=3 + 0.01 * above,
        markevery=None if s.marked is None else list(s.marked),
        **_mark(s),
    )
    drawn.set_label(s.label or "_")
    if any(s.shift):
        from matplotlib.transforms import offset_copy

        right, up = s.shift
        drawn.set_transform(offset_copy(axes.transData, figure, right, up, units="points"))


def _drawn(figure: Figure, axes: Axes, what: Panel | Contours) -> None:
    """Draw the series one above the other, on the scales and with the words of a panel, or of contours."""
    for above, s in enumerate(what.series):
        _series(figure, axes, s, above)
    if what.xlog:
        axes.set_xscale("log")
    if what.ylog:
        axes.set_yscale("log")
    axes.set_xlabel(label(what.xlabel))
    axes.set_ylabel(label(what.ylabel))


def _panel(figure: Figure, axes: Axes, panel: Panel) -> None:
    _drawn(figure, axes, panel)
    if panel.xlim is not None:
        axes.set_xlim(panel.xlim)
    if panel.ylim is not None:
        axes.set_ylim(panel.ylim)
    if panel.signed:
        axes.axhline(0.0, color=GRAY, linewidth=1.2, linestyle="--", zorder=2.5)
    if panel.whole and not panel.xlog:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True)
    if panel.note:
        axes.text(0.5, 0.5, panel.note, transform=axes.transAxes, ha="center", va="center", parse_math=False)
        axes.set(xticks=[], yticks=[])
        axes.minorticks_off()
    if panel.floor is not None:
        _mark_floor(axes, panel.floor)


def _mark_floor(axes: Axes, floor: float) -> None:
    """Name the floor of a logarithmic axis: what lies there is 0."""
    from matplotlib.ticker import NullLocator

    low, high = round(log10(floor)), floor_of(log10(axes.get_ylim()[1]))
    stride = max(1, (high - low + 7) // 8)
    shown = [low, *range(low + max(1, stride), high + 1, stride)]
    labels = ["0", *(f"$10^{{{power}}}$" for power in shown[1:])]
    axes.set_yticks([10.0**power for power in shown], labels)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(10.0 ** (low + 0.5), color=GRAY, linewidth=0.9, linestyle=(0, (1, 3)))


def _legend(figure: Figure, columns: float) -> None:
    """Put the legend below the axes, where it covers nothing; so many letters stand beside each other."""
    handles, labels = [], []
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.append(handle)
            labels.append(label)
    if not labels:
        return
    longest = max(map(len, labels))
    room = max(1, min(4, int(columns) // (longest + 6)))
    rows = -(-len(labels) // room)
    written = list(map(legend, labels))
    figure.legend(handles, written, loc="outside lower center", ncols=-(-len(labels) // rows))


def _edges(axes: Axes, picture: Contours) -> None:
    """Shade what constraints do not allow, and draw their edges; those that the answer lies on are strong."""
    for edge in picture.edges:
        slacks = np.ma.masked_invalid(np.array(edge.slacks, dtype=float))
        if not edge.equation and float(slacks.min()) < 0.0:
            axes.contourf(
                picture.xs, picture.ys, slacks, levels=[-np.inf, 0.0], colors=GRAY, alpha=0.45, zorder=2.0
            )
        if float(slacks.min()) < 0.0 < float(slacks.max()):
            width = 2.0 if edge.active else 0.9
            lines = {"colors": BLACK, "linewidths": width, "linestyles": "solid"}
            axes.contour(picture.xs, picture.ys, slacks, levels=[0.0], zorder=2.5, **lines)
            label = f"{edge.text} ({'active' if edge.active else 'not active'})"
            axes.plot([], [], color=BLACK, linewidth=width, label=label)


def _contours(figure: Figure, axes: Axes, picture: Contours) -> None:
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap

    if picture.levels:
        import numpy

        heights = numpy.ma.masked_invalid(numpy.array(picture.values, dtype=float))
        ends = [float(heights.min()), *picture.levels, float(heights.max())]
        bounds = sorted({v for v in ends if isfinite(v)})
        if len(bounds) > 1:
            ramp = LinearSegmentedColormap.from_list("gd", _RAMP if picture.sign > 0 else _RAMP[::-1])
            norm = BoundaryNorm(bounds, ramp.N)
            filled = axes.contourf(picture.xs, picture.ys, heights, levels=bounds, cmap=ramp, norm=norm)
            lines = {"colors": "#4A6F8F", "linewidths": 0.6, "linestyles": "solid"}
            axes.contour(picture.xs, picture.ys, heights, levels=picture.levels, **lines)
            # Beside the axes and as high as they are, whatever their shape.
            bar = figure.colorbar(filled, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)), spacing="uniform")
            shown = (
                picture.levels[(len(picture.levels) - 1) % 2 :: 2]
                if len(picture.levels) > 7
                else picture.levels
            )
            bar.set_ticks(shown, labels=scale(shown))
            bar.ax.minorticks_off()
            bar.set_label("value")
            bar.outline.set_visible(False)
    _edges(axes, picture)
    _drawn(figure, axes, picture)
    axes.set_xlim(picture.xs[0], picture.xs[-1])
    axes.set_ylim(picture.ys[0], picture.ys[-1])
    if picture.equal:
        axes.set_aspect("equal")
        if _shape(picture) > 1.1:
            axes.locator_params(axis="x", nbins=4)
    axes.set_facecolor("#EEEEEE" if any(isnan(v) for row in picture.values for v in row) else "white")


# -- their words ------------------------------------------------------------------------------------------------------


SIZES = (12.0, 10.0)  # of a title in points, and of one that is too long for that
_LINES = 2
_LONG = 7  # characters of a number beside a scale; a longer one is written as a power of ten
_MOST = 2000  # characters of a formula; a longer one is not read again for its title
_NUMBER = re.compile(r"(?<![\w.)\]-])(-?)(\d+(?:\.\d+)?)(?:e([+-]?\d+))?(?![\w.])")
_NAME = re.compile(r"[^\W\d]\w*(?:\[\d+\])?(?= = )")
_WORD = re.compile(r"(?:\\\$|\$[^$]*\$|[^\s$])+")


def title(asked: Title, room: float) -> tuple[str, float]:
    """Return a title for ``room`` points of width, of at most two lines, and the size of its letters."""
    if isinstance(asked.text, Wording):
        words = _WORD.findall(_drawable(asked.text) or _plain(asked.text))
        if not words:
            return "", SIZES[0]
        return _broken(words, " ".join, "…", room) or (_shortened(asked.text, room), SIZES[-1])
    parts, remark = _parts(asked.formula), legend(asked.remark)
    found = parts and _broken(parts, _mathematics, r"+ \ldots", room - (_width(remark, SIZES[0]) or 0.0))
    return (found[0] + remark, found[1]) if found else (_shortened(asked.text, room), SIZES[-1])


def label(text: str) -> str:
    """Return the label of an axis: names and formulas as mathematics, words as they are."""
    if isinstance(text, Wording):
        return _drawable(text) or _plain(text)
    parts = _parts(text)
    if not parts or re.fullmatch(r"\\mathrm\{[^{}]*\}", " ".join(parts)):  # a word
        return _plain(text)
    return _mathematics(parts)


def legend(text: str) -> str:
    """Return an entry of a legend: ``alpha = -1e-07`` as one writes it."""
    return numbers(_NAME.sub(_name, _plain(text)))


def _name(found: re.Match[str]) -> str:
    parts = _parts(found[0])
    return _mathematics(parts) if parts else found[0]


def numbers(text: str) -> str:
    return _NUMBER.sub(_number, text)


def scale(values: Sequence[float]) -> list[str]:
    """Return the numbers of a scale: where one is too long to be written out, those like it are powers of ten too."""
    texts = [format(value, ".10g") for value in values]
    if any("e" in text or len(text) > _LONG for text in texts):
        texts = [
            text if not value or 1e-3 <= abs(value) < 1e4 else _as_power(value)
            for text, value in zip(texts, values, strict=True)
        ]
    return [numbers(text) for text in texts]


def _as_power(value: float) -> str:
    digits, _, exponent = f"{value:.9e}".partition("e")
    return f"{float(digits):g}e{exponent}"


def _number(found: re.Match[str]) -> str:
    sign, digits, exponent = found.groups()
    if exponent is None:
        return ("\N{MINUS SIGN}" if sign else "") + digits
    power = f"10^{{{int(exponent)}}}"
    return f"${sign}{power}$" if digits == "1" else rf"${sign}{digits} \times {power}$"


def _parts(formula: str) -> list[str]:
    """The terms of a formula in LaTeX; nothing where it is none, or too long, or cannot be drawn."""
    from gdcli.language.latex import terms

    parts = (terms(formula) if 0 < len(formula) <= _MOST else None) or []
    return parts if parts and _width(_mathematics(parts), SIZES[0]) is not None else []


def _mathematics(parts: Sequence[str]) -> str:
    """One line of terms. An operator with nothing before it would be a sign."""
    return "$" + ("{} " if parts[0][:2] in ("+ ", "- ") else "") + " ".join(parts) + "$"


def _plain(text: str) -> str:
    return text.replace("$", r"\$")


def _drawable(text: str) -> str | None:
    """The text, if matplotlib can draw what stands between its ``$``."""
    return None if (text.count("$") - text.count(r"\$")) % 2 or _width(text, SIZES[0]) is None else text


def _broken(
    parts: Sequence[str], joined: Callable[[Sequence[str]], str], ellipsis: str, room: float
) -> tuple[str, float] | None:
    """Break parts into lines; those that find no place are replaced by an ellipsis. None: one is too wide alone."""
    for size in SIZES:
        lines = _lines(parts, joined, room, size)
        if len(lines) <= _LINES:
            break
    if max(_width(joined(line), size) or 0.0 for line in lines[:_LINES]) > room:
        return None
    if len(lines) > _LINES:
        lines = lines[:_LINES]
        while len(lines[-1]) > 1 and (_width(joined([*lines[-1], ellipsis]), size) or 0.0) > room:
            lines[-1] = lines[-1][:-1]
        lines[-1] = [*lines[-1], ellipsis]
    return "\n".join(joined(line) for line in lines), size


def _lines(
    parts: Sequence[str], joined: Callable[[Sequence[str]], str], room: float, size: float
) -> list[list[str]]:
    """Return the first lines, one more than there may be at most: to measure is slow."""
    lines: list[list[str]] = [[]]
    for part in parts:
        if lines[-1] and (_width(joined([*lines[-1], part]), size) or 0.0) > room:
            lines.append([])
        lines[-1].append(part)
        if len(lines) > _LINES:
            break
    return lines


def _shortened(text: str, room: float) -> str:
    length = len(text)
    while length > 1 and (_width(_plain(shorten(text, length)), SIZES[-1]) or 0.0) > room:
        length -= 1
    return _plain(shorten(text, length))


def _width(text: str, size: float) -> float | None:
    """The width of a text in points; None where there is no drawing it."""
    from matplotlib.font_manager import FontProperties

    try:
        return float(_parser().parse(text, 72.0, FontProperties(size=size)).width)
    except (ValueError, RuntimeError):
        return None


@cache
def _parser() -> MathTextParser[Any]:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("path")
