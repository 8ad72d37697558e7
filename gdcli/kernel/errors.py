"""The errors a user can meet: what is wrong, where, and what to do.

Every room raises these; only :mod:`gdcli.cli.command_line` prints them and turns them into exit codes.
What a user typed is shown back, so it must do no harm: control and formatting characters (which can move the
cursor or turn the reading direction) are replaced, long lines are cropped around the fault, and the carets
stand under the right characters also where a character is two columns wide or none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from gdcli.kernel.dataclass import NamedTuple

DEBUG = "GDCLI_DEBUG"


class Span(NamedTuple):
    """A piece ``text[start:end]`` of something the user typed (code points, end exclusive).

    ``source`` names where the text stands: a file, an option such as ``--start``, or nothing for the expression.
    """

    text: str
    start: int
    end: int
    source: str = ""


class GdError(Exception):
    """Base of all errors with a message for the user; on its own, a fault of the program itself."""

    status = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "", span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.span = span

    def __str__(self) -> str:
        """Return the message and the hint, for those who meet the error in Python."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(GdError):
    """The expression, an option, a start or a problem file is wrong."""

    status = "usage"
    exit_code = 2


class DomainError(GdError):
    status = "domain"
    exit_code = 7


class InfeasibleError(GdError):
    """The constraints contradict each other plainly: it is seen before there is a run that no point fulfils them."""

    status = "infeasible"
    exit_code = 10


class DataError(GdError):
    """A data file cannot be read as asked."""

    status = "data"
    exit_code = 8


class LimitError(GdError):
    """A cap on time, memory or evaluations was reached before there was anything to answer."""

    status = "limit"
    exit_code = 3


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt it passes every ``except Exception``; a run ends with its best point."""


class Abandoned(BaseException):
    """A second signal arrived while a run was about to end: the program is to end at once, without an answer."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def internal(fault: Exception) -> GdError:
    """Return the error that stands for a fault of the program; its traceback is shown where asked for."""
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(fault)
    if isinstance(fault, MemoryError):
        return out_of_memory()
    told = f"internal error: {type(fault).__name__}" + (f": {fault}" if str(fault) else "")
    return GdError(told, f"this is a fault of gd, please report it; {DEBUG}=1 shows the traceback")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, dashes before it aside; None when none is close."""
    # Imported here: only a mistake pays for it. Cut to a length no name has, so that hostile text stays cheap.
    from difflib import get_close_matches

    names, name = {k.lstrip("-"): k for k in known}, name.lstrip("-")
    by_case = [k for k in names if k.lower() == name.lower()]
    matches = by_case or get_close_matches(name[:60], names, n=3, cutoff=0.6)
    # Of a short name half of the letters make no likeness: a slip of the finger is one edit.
    return next((names[m] for m in matches if len(name) > _SHORT or by_case or is_one_edit(name, m)), None)


_SHORT = 4


def is_one_edit(a: str, b: str) -> bool:
    """Tell whether a letter more, less or changed, or two in the wrong order, make one name of the other."""
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the hint ``did you mean ...?`` for a mistyped name, or ``otherwise``."""
    close = nearest(name, known)
    return f"did you mean {close}?" if close else otherwise


def did_you_mean_file(path: str) -> str:
    """Return the hint ``did you mean ...?`` for a file that is not there, by the names before the first dot; or ''."""
    folder, name = os.path.split(path)
    stem, _, suffix = name.partition(".")
    try:
        there = sorted(os.listdir(folder or "."), key=lambda other: other.endswith(suffix))
    except (OSError, ValueError):
        return ""
    stems = {other.partition(".")[0]: other for other in there[-1000:] if other[:1] != "."}
    close = nearest(stem, stems)
    return f"did you mean {os.path.join(folder, stems[close])}?" if close else ""


LONGEST = 1000  # characters of a message; also of a span's text in machine output


def shorten(text: str, limit: int = LONGEST) -> str:
    """Return ``text`` with its middle left out where it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def out_of_memory() -> LimitError:
    return LimitError(
        "there is not enough memory",
        "shorten the vectors, or choose a method without a matrix: lbfgs, cg, gd",
    )


# -- shown to a person -----------------------------------------------------------------------------------------------

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
    import unicodedata

    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character


def columns_of(text: str) -> int:
    """Return how many terminal columns a harmless ``text`` takes."""
    if text.isascii() or max(text) < _FIRST_MARK:
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    import unicodedata

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
    room = max(20, width - 2 - columns_of(lead))
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
    indent = " " * (2 + columns_of(lead) + columns_of(left + before))
    return [f"  {lead}{left}{before}{fault}{after}{right}", indent + "^" * max(1, columns_of(fault))]


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
        columns_of(before) + max(1, columns_of(fault)) + columns_of(after)
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
