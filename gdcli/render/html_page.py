"""A page for a browser as one file: it works from disk, asks no network for anything, and can be mailed.

Style sheets and scripts are files of their own in ``web/``, put into the page whole. A Content-Security-Policy lets run
only these, by their digests, and forbids every connection: whatever a name or a cell of a table says, it is text.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import harmless
from gdcli.language import latex
from gdcli.render.plot_data import Chart, Contours, Picture

FOLDER = Path(__file__).with_name("web")
LIBRARY = "d3.min.js"
# Before a formula; a long one is scrolled, also by keys.
FORMULA = '<div class="formula" tabindex="0" role="region" aria-label="the formula">'


def text(words: str) -> str:
    """Return a text as it stands in HTML, between tags or in an attribute; what steers a reader's eye is shown."""
    return escape(harmless(words))


def asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def data(name: str, value: object) -> str:
    """Return plain data for a script to read, as JSON; a number that JSON does not have is null."""
    return stored(name, json.dumps(plain(value), separators=(",", ":"), allow_nan=False))


def stored(name: str, records: str) -> str:
    """Return JSON texts as they are, in an element with this id; no ``<`` in them can end it."""
    safe = records.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{name}">{safe}</script>\n'


def plain(value: Any) -> Any:
    """Return named tuples as objects, other sequences as lists, floats that are not finite as None."""
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if hasattr(value, "_asdict"):
        return {key: plain(part) for key, part in value._asdict().items()}
    if isinstance(value, str | int | bool) or value is None:
        return value
    return [plain(part) for part in value]


def whole(title: str, body: str, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return the page: ``body`` is HTML, ``styles`` are names of assets, ``scripts`` programs."""
    sheet = "".join(map(asset, styles))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_digest(sheet)}",
            f"script-src {' '.join(map(_digest, scripts))}" if scripts else "script-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    ending = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{sheet}</style>\n</head>\n<body>\n{body}{ending}</body>\n</html>\n"
    )


def library() -> str:
    licence = asset("d3.LICENSE").replace("*/", "")
    return f"/*!\n{licence}*/\n{asset(LIBRARY)}"


def _digest(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


# -- pictures as plain data ------------------------------------------------------------------------------------------

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


# -- the page of gd explore ------------------------------------------------------------------------------------------

_SCRIPTS = (
    "chart.js",
    "linear.js",
    "descent.js",
    "rates.js",
    "plane.js",
    "command.js",
    "explore.js",
    "copy.js",
)
_ROWS = '<figure class="board" id="rows"><div class="drawing"></div></figure>\n'
_BATCHES = (
    "<fieldset><legend>Rows</legend>\n"
    '<label>rows in a step <input type="number" id="batch" min="1" max="{rows}" step="1"></label>\n'
    '<label>schedule <select id="schedule"><option>constant</option><option>decay</option></select></label>\n'
    '<label>shuffled <input type="checkbox" id="shuffle"></label>\n</fieldset>\n'
)


class ExplorePage(NamedTuple):
    """``program`` is JavaScript, ``given`` plain data; ``mathml`` sets LaTeX (None: the formula stays as typed)."""

    expression: str
    program: str
    given: Mapping[str, Any]
    version: str
    mathml: Callable[[str], str] | None = None


def explore_page(asked: ExplorePage) -> str:
    rows = asked.given.get("rows")
    terms = None if asked.mathml is None else latex.terms(asked.expression)
    formula = ""
    if terms and asked.mathml is not None:
        formula = f"{FORMULA}{asked.mathml(' '.join(terms))}</div>"
    parts = {
        "title": text(asked.expression),
        "formula": formula,
        "stage": " rows" if rows and asked.given["sides"] else "",
        "rows": _ROWS if rows and asked.given["sides"] else "",
        "batches": _BATCHES.format(rows=len(rows)) if rows else "",
        "version": text(asked.version),
    }
    body = asset("explore.html")
    for name, part in parts.items():
        body = body.replace(f"{{{name}}}", part, 1)
    program = f'"use strict";\n{asked.program}'
    scripts = [library(), program, *map(asset, _SCRIPTS)]
    return whole(
        f"{asked.expression} - explore",
        body + data("given", asked.given),
        ["page.css", "explore.css"],
        scripts,
    )
