"""An answer as a page for a browser: everything that the terminal says, its words first, made to be handed on.

It is made of the very lines of the terminal's page, which know their tables and facts (:mod:`gdcli.render.page`); so
the numbers are formatted once. Pictures are those of ``--plot``, drawn by a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import latex
from gdcli.render.formats import Format, Look, Shape
from gdcli.render.html_page import FORMULA, asset, data, library, scene, stored, text, whole
from gdcli.render.page import LABEL, UNICODE, Column, Line, TableLine
from gdcli.render.plot_data import Picture

REPORT = Format("report", Shape.PAGE, "gdcli.render.html_report:look")
_WIDTH = 1000  # columns: a browser breaks lines itself
_MANY = 20  # rows of a table that can be filtered

# A table is known by the title of its first column.
_HEADINGS = {
    "iter": "The path",
    "epoch": "The path",
    "parameter": "Parameters",
    "constraint": "Constraints",
    "by": "How the answer moves",
    "starts": "What was found",
    "problem": "Problems",
    "root": "Roots",
    "box": "Boxes",
    "row": "Influence of rows",
    "rate": "Learning rates",
    "method": "Methods",
    "model": "Models",
    "batch": "Batch sizes",
    "h": "Errors against the step h",
    "step": "Steps",
    "adjoint": "Steps backward",
    "Hessian": "Second derivatives",
}
# So are facts by their first word.
_FACTS = {"joint region": "The joint region", "p values": "Diagnostics"}
# The words of a comparison that has no status.
_VERDICTS = ("best", "of these")


class Collected(StringIO):
    """What a page is written to in the place of a stream; it keeps the lines as they are."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def take(self, lines: Sequence[Line]) -> None:
        self.lines += lines


def look(stream: Collected) -> Look:
    return Look(_WIDTH, UNICODE, stream.take)


class Report(NamedTuple):
    """What a page is made of: its ``lines``, the ``records`` as JSON texts, and the command that gives them anew.

    ``mathml`` sets LaTeX, in which the ``expression`` is shown; "" is none, and None leaves it as typed.
    """

    title: str
    lines: Sequence[Line]
    records: str
    command: str
    name: str
    version: str
    expression: str = ""
    mathml: Callable[[str], str] | None = None
    picture: Picture | None = None


def page(report: Report) -> str:
    sections = _sections(report.lines)
    verdict, answer = _verdict(sections)
    first = sections[0] if sections else []
    rest = [section for section in sections[1:] if section is not answer]
    judged = "" if answer is None or answer is first else _section(answer, is_answer=True)
    drawn = "" if report.picture is None else _figure(report.picture)
    body = (
        f"<header>\n<h1>{text(report.title)}</h1>\n{verdict}</header>\n<main>\n{_formula(report)}"
        + _section(first, is_question=True)
        + "".join([drawn, judged, *(_section(section) for section in sorted(rest, key=_is_path))])
        + _meanings(report.lines)
        + _reproduce(report)
        + f"</main>\n<footer><p>Written by gd {text(report.version)}. This page is one file: it works without a "
        "network, and nothing in it leaves the machine.</p></footer>\n"
        + ("" if report.picture is None else data("scene", scene(report.picture)))
        + stored("record", report.records)
    )
    scripts = [library(), asset("chart.js"), asset("report.js"), asset("copy.js")]
    if report.picture is None:
        scripts = ['"use strict"; const chart = null;\n', *scripts[2:]]
    return whole(report.title, body, ["page.css"], scripts)


def _sections(lines: Sequence[Line]) -> list[list[Line]]:
    found: list[list[Line]] = [[]]
    for line in lines:
        if line:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [section for section in found if section]


def _is_path(section: Sequence[Line]) -> bool:
    """The path is long, and stands last."""
    first = section[0]
    return isinstance(first, TableLine) and _HEADINGS.get(first.columns[0].title.strip()) == "The path"


def _is_fact(line: Line) -> bool:
    return not isinstance(line, TableLine) and len(line) == 2 and len(line[0][0]) >= LABEL


def _verdict(sections: Sequence[list[Line]]) -> tuple[str, list[Line] | None]:
    """Return how it ended, in words, and the section that says so."""
    for judged in (_judged, _told):
        for section in sections:
            for line in section:
                if isinstance(line, TableLine):
                    continue
                words, role = judged(line)
                if words:
                    said = f'<p class="verdict {role}">{words}</p>\n'
                    return said, section
    return "", None


def _judged(line: Line) -> tuple[str, str]:
    first, role = line[0]
    if role not in ("good", "warn", "bad") or first.strip() == "warning":
        return "", ""
    rest = "".join(part for part, _ in line[1:])
    return f"<strong>{text(first.strip())}</strong> <span>{text(rest)}</span>", role


def _told(line: Line) -> tuple[str, str]:
    if _is_fact(line) and line[0][0].strip() in _VERDICTS:
        return f"<strong>{text(line[0][0].strip())}</strong> <span>{text(line[1][0])}</span>", "good"
    return "", ""


def _formula(report: Report) -> str:
    """The expression as mathematics, broken between its terms; nothing where it cannot be set."""
    terms = latex.terms(report.expression) if report.expression and report.mathml else None
    if not terms or report.mathml is None:
        return ""
    return f"{FORMULA}{report.mathml(' '.join(terms))}</div>\n"


def _section(lines: Iterable[Line], is_question: bool = False, is_answer: bool = False) -> str:
    lines = list(lines)
    heading = "The question" if is_question else "The answer" if is_answer else _heading_of_facts(lines)
    first = next((line for line in lines if isinstance(line, TableLine)), None)
    if first is not None and (not is_question or first is lines[0]):
        titles = [column.title.strip() for column in first.columns]
        heading = "Every way to compute it" if "way" in titles else _HEADINGS.get(titles[0], "Table")
        if heading == "Table" and {"status", "rows"} & {*titles[1:]}:
            heading = "Groups"
    return f"<section>\n<h2>{heading}</h2>\n{''.join(_blocks(lines))}</section>\n"


def _heading_of_facts(lines: Sequence[Line]) -> str:
    first = lines[0][0][0].strip() if lines and lines[0] else ""
    return _FACTS.get(first, "In numbers")


def _blocks(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the HTML of facts, tables and notes, as they follow each other."""
    facts: list[str] = []
    rows: list[TableLine] = []
    for line in [*lines, None]:
        if line is not None and _is_fact(line):
            facts.append(_fact(line))
            continue
        if facts:
            yield f'<dl class="facts">\n{"".join(facts)}</dl>\n'
            facts = []
        if isinstance(line, TableLine) and not (rows and _titles(line) != _titles(rows[0])):
            rows.append(line)
            continue
        if rows:
            yield _table(rows)
            rows = [line] if isinstance(line, TableLine) else []
        if line and not isinstance(line, TableLine):
            yield f'<p class="note {line[0][1]}">{text("".join(part for part, _ in line).strip())}</p>\n'


def _fact(line: Line) -> str:
    (label, label_role), (told, role) = line
    return f'<dt class="{label_role}">{text(label.strip())}</dt><dd class="{role}">{text(told)}</dd>\n'


def _titles(line: TableLine) -> list[str]:
    return [column.title.strip() for column in line.columns]


def _table(lines: Sequence[TableLine]) -> str:
    columns = lines[0].columns
    heads = "".join(
        f'<th scope="col" class="{_side(c)}">'
        + (f'<button type="button">{text(c.title.strip())}</button>' if c.title.strip() else "")
        + "</th>"
        for c in columns
    )
    rows, count = [], 0
    for line in lines[1:]:
        if line.row >= 0:
            rows.append(_row(line.columns, line.row))
            count += 1
        elif "⋮" in line[0][0]:
            rows.append(f'<tr class="omitted"><td colspan="{len(columns)}">⋮</td></tr>\n')
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="table of {text(columns[0].title.strip())}">'
        f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table></div>\n"
    )
    if count <= _MANY:
        return table
    field = '<label>Only rows with <input type="search" autocomplete="off"></label>'
    return f'<div><div class="filter">{field} <output>{count} rows</output></div>{table}</div>\n'


def _row(columns: Sequence[Column], row: int) -> str:
    cells = (
        f'<td class="{_side(c)} {c.roles[row] if c.roles else ""}">{text(c.cells[row].strip())}</td>'
        for c in columns
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def _side(column: Column) -> str:
    return "left" if column.left else "number"


def _figure(picture: Picture) -> str:
    buttons = "".join(
        f'<button type="button" class="act" data-zoom="{factor}" aria-label="{name}">{sign}</button> '
        for factor, name, sign in ((2, "zoom in", "+"), (0.5, "zoom out", "−"), (0, "show all", "all"))
    )
    return (
        '<section>\n<h2>The picture</h2>\n<figure data-scene="scene">\n<div class="drawing"></div>\n'
        f"<figcaption>{buttons}<span>Values at the pointer; drag to move, Ctrl and wheel to zoom.</span>"
        "</figcaption>\n</figure>\n</section>\n"
    )


def _meanings(lines: Sequence[Line]) -> str:
    said = {line[0][0].strip() for line in lines if _is_fact(line) and _is_meant(line[0])}
    said |= {line.columns[0].title.strip() for line in lines if isinstance(line, TableLine)}
    told = "".join(
        f"<dt>{text(word)}</dt><dd>{text(meaning)}</dd>\n"
        for word, meaning in MEANINGS.items()
        if word in said
    )
    return (
        f"<section>\n<h2>What the words mean</h2>\n<dl class='facts'>\n{told}</dl>\n</section>\n"
        if told
        else ""
    )


def _is_meant(label: tuple[str, str]) -> bool:
    """Whether a word is a status where it stands, or none: 'limit' is also the label of a limit."""
    word, role = label
    return (word.strip() in STATUSES) == (role != "label")


def _reproduce(report: Report) -> str:
    command = (
        f'<pre id="command">{text(report.command)}</pre>\n'
        '<button type="button" class="act" data-copy="command">Copy the command</button>\n'
        if report.command
        else ""
    )
    return (
        f"<section>\n<h2>How to reproduce it</h2>\n{command}<p>The whole answer is in this page, as data: "
        f"<code>gd show {text(report.name)}</code> shows it in the terminal, <code>gd rerun {text(report.name)}</code> "
        f'repeats a single run and tells if it is the same.</p>\n<button type="button" class="act" '
        f'data-save="answer.json">Save the record</button>\n</section>\n'
    )


STATUSES = {
    "converged": "The point passed every test: it is what was looked for, not only where a loop ended.",
    "completed": "The run did what it was asked to do and came to its end; that is no claim about the point.",
    "limit": "A cap on iterations, evaluations or time came first.",
    "stalled": "No step makes progress any more, and yet the point is not the one looked for.",
    "diverged": "The value falls (or rises) without end, or the points run away.",
    "wrong-kind": "The gradient is zero, but this is a saddle, or the opposite of what was looked for; of a fit: "
    "the data do not tell all parameters.",
    "infeasible": "No point was found that fulfils all constraints.",
}
MEANINGS = STATUSES | {
    "|gradient|": "The length of the vector of slopes. At a smooth minimum it is zero, but for rounding.",
    "kind": "What the curvature says: at a minimum all eigenvalues of the matrix of second derivatives (the Hessian) "
    "are positive. The condition is the largest over the smallest: how elongated the valley is.",
    "proved": "Computed with intervals, which enclose all rounding: a theorem about the function as typed.",
    "left to gain": "How much lower the value could still become, estimated from gradient and curvature.",
    "work": "How often the function and its derivatives were computed.",
    "stopped": "The rule that ended the run.",
    "held by": "The bounds that the answer lies on.",
    "violation": "By how much constraints are broken, at most.",
    "residuals": "What the model leaves over in a row, typically; of the same unit as what is measured.",
    "R-squared": "The part of the scatter that the model accounts for: 1 is all of it.",
    "AIC, BIC": "Goodness of fit with a price for each parameter: of two models of the same rows the lower is better.",
    "parameter": "The standard error is how far a parameter would typically move with new data of the same kind; the "
    "95 % interval covers the true one in 95 of 100 such experiments; t is the parameter over its error.",
    "rate": "lr*L is the rate times the largest curvature: above 2 steps overshoot farther each time.",
    "agrees": "Ways to compute the derivative that have nothing in common give the same numbers.",
    "h": "A difference quotient is wrong by truncation where h is large, and by rounding where it is small.",
}
