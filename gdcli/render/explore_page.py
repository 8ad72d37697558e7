"""The page of ``gd explore``: an expression, or a model with its rows, to play with descent on.

The programs and the plain data of the page come from :mod:`gdcli.tasks.exploration`; what is here puts them into one
file with the scripts and the style of ``web/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import latex
from gdcli.render.html_page import asset, data, library, text, whole
from gdcli.render.html_report import FORMULA

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


def page(asked: ExplorePage) -> str:
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
