"""The manual page as a terminal shows it: the few requests of roff that `man_command` writes, laid out as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gdcli.render.page import wrap

_ESCAPED = {"&": "", "-": "-", "e": "\\", "(aq": "'", "(ha": "^", "(ti": "~", "(ga": "`"}
_ESCAPE = r"\\(f[BIR]|\(..|.)"
_INDENT = 4
_WIDEST = 100  # longer lines are hard to read


def readable(roff: str, width: int) -> str:
    lines: list[str] = []
    for blank, indent, text in _blocks(roff):
        if blank and lines and lines[-1]:
            lines.append("")
        room = min(width, _WIDEST) - indent
        shown = [text] if text.startswith(" ") else wrap(text, room)
        lines += [f"{' ' * indent}{line}".rstrip() for line in shown]
    return "".join(f"{line}\n" for line in lines)


_HEADS = {".SH": 0, ".SS": _INDENT // 2}


def _blocks(roff: str) -> Iterator[tuple[bool, int, str]]:
    """The paragraphs of a page: whether there is a blank line before it, its indent, its text."""
    blank, indent, words = False, _INDENT, ""
    as_it_is = tag = headed = False
    for line in [*roff.splitlines(), ".PP"]:
        request, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
        text = re.sub(_ESCAPE, lambda found: _ESCAPED.get(found[1], ""), rest)
        if request in ("", ".B", ".I"):
            if tag:
                yield blank, _INDENT, text
                blank, indent, tag = False, 3 * _INDENT, False
            elif as_it_is:
                yield blank, _INDENT, text
                blank = False
            else:
                words = f"{words} {text}".lstrip()
            headed = False
            continue
        if words:
            yield blank, indent, words
            blank, words = False, ""
        if request in _HEADS:
            yield True, _HEADS[request], text
        as_it_is, tag = request == ".nf", request == ".TP"
        if request != ".br":
            blank = request in (".PP", ".TP", ".nf") and not headed
            headed = request in _HEADS or (headed and request == ".PP")
            indent = _INDENT
