"""What is wrong, shown so that a person sees it at once: message, the text with carets under the fault, hint.

What a user typed is shown back, so it must do no harm: control and formatting characters (which can move the
cursor or turn the reading direction) are replaced, long lines are cropped around the fault, and the carets
stand under the right characters also where a character is two columns wide or none.
"""

from __future__ import annotations

import unicodedata

from gdcli.kernel.errors import GdError, Span, shorten

_FIRST_MARK = "\u0300"  # characters before it take one column each


def harmless(text: str) -> str:
    """Return ``text`` with tabs and line ends as spaces and other control or formatting characters as
    ``\\ufffd``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return " "
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character


def columns(text: str) -> int:
    """Return how many terminal columns a harmless ``text`` takes."""
    if text.isascii() or max(text) < _FIRST_MARK:
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.category(character) in ("Mn", "Me") else 1


def excerpt(span: Span, width: int = 80) -> list[str]:
    """Return the line that ``span`` begins in and, below, carets under it; empty where there is no text."""
    text, start = span.text, max(0, min(span.start, len(span.text)))
    if not text.strip():
        return []
    end = max(start, min(span.end, len(text)))
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    last = len(text) if last < 0 else last
    end = min(end, last)
    lead = _lead(span, text.count("\n", 0, start) + 1, "\n" in text)
    room = max(20, width - 2 - columns(lead))
    before, fault, after = (
        harmless(text[max(first, start - room) : start]),
        text[start:end],
        text[end : end + room],
    )
    fault = harmless(fault[:room])
    cut_before, cut_after = start - room > first, end + room < last or end - start > room
    before, fault, after, cut_before, cut_after = _crop(
        before, fault, harmless(after[: last - end]), room, cut_before, cut_after
    )
    left, right = "..." if cut_before else "", "..." if cut_after else ""
    indent = " " * (2 + columns(lead) + columns(left + before))
    return [f"  {lead}{left}{before}{fault}{after}{right}", indent + "^" * max(1, columns(fault))]


def _lead(span: Span, line: int, several: bool) -> str:
    """Return what stands before the excerpt: the option, or the file with the line number."""
    source = harmless(shorten(span.source, 40))
    if not source:
        return ""
    if source.startswith("--"):
        return f"{source} "
    return f"{source}:{line}: " if several else f"{source}: "


def _crop(
    before: str, fault: str, after: str, room: int, left: bool, right: bool
) -> tuple[str, str, str, bool, bool]:
    """Drop characters at both ends until all fits ``room`` columns; the fault's first character stays."""
    total = (
        columns(before) + max(1, columns(fault)) + columns(after)
    )  # a caret needs its column also at the end

    def over() -> int:
        return total + 3 * left + 3 * right - room

    while over() > 0 and (after or len(fault) > 1 or before):
        # The longer side gives way; the fault itself is cut, from its end, when both sides are gone.
        if len(after) >= len(before) and after:
            total, after, right = total - _columns(after[-1]), after[:-1], True
        elif before and (len(before) > 10 or len(fault) <= 20):
            total, before, left = total - _columns(before[0]), before[1:], True
        else:
            total, fault, right = total - _columns(fault[-1]), fault[:-1], True
    return before, fault, after, left, right


def fault_text(error: GdError, width: int = 80) -> str:
    lines = [f"error: {harmless(shorten(error.message))}"]
    if error.span is not None:
        lines += excerpt(error.span, width)
    if error.hint:
        lines.append(f"hint: {harmless(shorten(error.hint))}")
    return "\n".join(lines) + "\n"
