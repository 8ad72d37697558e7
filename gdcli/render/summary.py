"""The answer as a page: what was asked, the path, where it ended and what speaks for it, its proof in words.

Everything a numerical analyst would look for has its place and its unit; everything unknown is left out
rather than filled with dashes. Points are shortened here, never in the machine formats. Bounds of a proof have as many
digits as they are apart, and are rounded outward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from math import floor, inf, isfinite, isnan, log10, nextafter
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, known, listing, seconds, short
from gdcli.kernel.status import CurvatureSource, StopReason, role_of
from gdcli.record.path_rows import Trail
from gdcli.record.schema import assignments, plain
from gdcli.render.page import Glyphs, Line, fact, path, warnings

if TYPE_CHECKING:
    from gdcli.record.analyses import QuestionRecord, RootsRecord
    from gdcli.record.runs import End, ProblemRecord, ProofRecord, RunRecord
    from gdcli.tasks.pipeline import ActiveBound


def page(found: RunRecord, trail: Trail, width: int, glyphs: Glyphs, timing: bool = False) -> list[Line]:
    """Return the whole answer, no line longer than ``width`` columns (a longer word aside)."""
    return apart(
        _question(found, width),
        path(found, trail, width, glyphs),
        _answer(found, width, timing),
        *further_tables(found, width, glyphs),
    )


def further_tables(found: RunRecord, width: int, glyphs: Glyphs) -> list[list[Line]]:
    """Return the tables that few answers have: of constraints, of how the answer moves, of all minima, of boxes."""
    is_plain = not (found.constraints or found.sensitivity or found.minima or found.global_)
    if is_plain:
        return []
    from gdcli.render.answer_tables import all_minima, boxes, constraints, minima, sensitivity

    return [table(found, width, glyphs) for table in (constraints, sensitivity, minima, boxes, all_minima)]


def apart(*parts: list[Line]) -> list[Line]:
    """Return the parts of a page with a blank line between them; a part may be empty."""
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [[], *part] if lines else part
    return lines


# Of more constraints, or named parts, the first are told.
MOST_TEXTS = 8
# A larger matrix is told by its shape alone.
MOST_IN_MATRIX = 9


def matrix_text(rows: Sequence[Sequence[float]], digits: int = 10) -> str:
    """Return ``[[1, 2], [3, 4]]``, of a large matrix its shape."""
    if len(rows) * len(rows[0]) > MOST_IN_MATRIX:
        return f"a matrix of {len(rows)} x {len(rows[0])}"
    return f"[{', '.join(listing(row, digits) for row in rows)}]"


def point_text(
    values: Mapping[str, Any],
    digits: int = 10,
    most: int = 12,
    errors: Sequence[float] | None = None,
    error: float | None = None,
) -> str:
    """Return a point as ``x = 1, v = [1, 2, ..., 9] (99 numbers)``, the first ``most`` names of it.

    ``errors`` are those of all its numbers in order, or else ``error`` that of each; digits that they leave unknown are
    not shown.
    """
    parts, first = [], 0
    for name, value in islice(values.items(), most):
        # Not made plain first: of a million numbers eight are shown.
        count = len(value) if hasattr(value, "__len__") else 1
        own = None if errors is None else errors[first : first + count]
        first += count
        if hasattr(value, "__len__") and hasattr(value[0], "__len__"):
            shown = matrix_text(value, digits)
        elif hasattr(value, "__len__"):
            shown = listing(value, digits, errors=own, error=error)
        else:
            shown = known(float(value), error if own is None else own[0], digits)
        parts.append(f"{name} = {shown}")
    if len(values) > most:
        parts.append(f"... ({len(values)} variables)")
    return ", ".join(parts)


def _question(found: RunRecord, width: int) -> list[Line]:
    lines = title(found.problem.sense, found.problem, width) + setting(found, width)
    for name, formula in (found.formulas or {}).items():
        lines += fact(f"d/d{name}", harmless(shorten(formula, 10 * width)), width)
    return lines


def title(what: str, problem: ProblemRecord | QuestionRecord, width: int) -> list[Line]:
    return fact(what, harmless(shorten(" ".join(problem.expression.split()), 5 * width)), width, "title")


def setting(found: RunRecord, width: int, search: str = "") -> list[Line]:
    """Return the lines on what was given beside the expression, how a start was found, and the method."""
    problem, lines = found.problem, list[Line]()
    if problem.constants:
        fixed = f" ({', '.join(problem.fixed)} by equal bounds)" if problem.fixed else ""
        lines += fact("with", point_text(problem.constants) + harmless(fixed), width)
    if not found.global_:  # boxes have no start
        lines += beginning(problem, found.seed, width)
        if search and not problem.drawn:
            lines += fact("search", search, width)
    if problem.bounds:
        lines += fact("bounds", ", ".join(_bound(*item) for item in list(problem.bounds.items())[:8]), width)
    lines += typed_texts("let", problem.let, width)
    lines += typed_texts("subject to", problem.subject_to, width)
    used = found.used or found.method
    return lines + fact("method", used + (f" ({found.why})" if found.why else ""), width)


def beginning(problem: ProblemRecord, seed: int, width: int) -> list[Line]:
    """Return the line on the start; of one drawn at random, what gives it again."""
    told = f"drawn at random with seed {seed}; the same again: --start {assignments(plain(problem.start))}"
    return fact("start", told if problem.drawn else point_text(problem.start), width)


def typed_texts(label: str, texts: Sequence[str], width: int) -> list[Line]:
    """Return the lines on named parts, or on constraints, as typed; not on too many of them."""
    if not texts:
        return []
    shown = "; ".join(" ".join(text.split()) for text in texts[:MOST_TEXTS])
    more = f"; ... ({len(texts)} in all)" if len(texts) > MOST_TEXTS else ""
    return fact(label, harmless(shorten(shown, 5 * width)) + more, width)


def _answer(found: RunRecord, width: int, timing: bool) -> list[Line]:
    lines, certificate = verdict(found, width), found.certificate
    if found.has_no_point:
        lines += [] if found.status == "infeasible" else global_lines(found, width)
        return lines + fact("work", global_work(found), width) + _remarks(found, width)
    errors, error = (certificate.errors, certificate.distance) if found.is_end else (None, None)
    point = point_text(found.point, errors=errors, error=error)
    lines += fact("point", point + best_seen(found), width)
    lines += fact("value", short(found.value, 12), width)
    return lines + global_lines(found, width) + evidence(found, width, timing, global_work(found))


def global_lines(found: RunRecord, width: int) -> list[Line]:
    """Return what is proved of the global extremum; nothing where that was not asked for."""
    if not found.global_:
        return []
    from gdcli.render.answer_tables import enclosure

    return enclosure(found, width)


def global_work(found: RunRecord) -> str:
    """Return what a search of boxes cost, empty for a run along a path."""
    return f"{amount(found.global_.examined, 'box', 'boxes')} examined" if found.global_ else ""


def verdict(found: RunRecord | RootsRecord, width: int) -> list[Line]:
    """Return how it ended, as a sentence that the status begins: "converged | to a local minimum"."""
    status = found.status
    role = role_of(status)
    told = harmless(found.message).removeprefix(status.capitalize()).lstrip(": ")
    return fact(status, told, width, role, label_role=role)


def best_seen(found: RunRecord, what: str = "iteration", why: str = "the best seen") -> str:
    """Return which iterate is the answer and ``why``, where it is not the last one."""
    return "" if found.best_iteration is None else f" ({what} {found.best_iteration}, {why})"


def evidence(found: RunRecord, width: int, timing: bool, work: str = "") -> list[Line]:
    """Return what speaks for the answer, what it cost, and what to try next.

    With ``work``, the cost in words, a kind that is unknown is none of its matters.
    """
    why = StopReason(found.reason).sentence
    spent = f"{seconds(found.seconds)}, engine {found.engine}" if timing and found.seconds is not None else ""
    is_new = found.status != "diverged" and not found.global_ and why not in found.message.lower()
    has_kind = found.certificate.kind != "unknown" or not work
    at_point = (
        ("|gradient|", "" if found.gradient_norm is None else short(found.gradient_norm, 3)),
        ("kind", _kind(found) if has_kind else ""),
    )
    facts = (
        ("held by", _held(found)),
        _proved(found),
        _bounded(found),
        ("left to gain", _left(found)),
        ("work", work or _work(found)),
        ("stopped", f"because {why}" if is_new else ""),
        ("time", spent),
    )

    def told(pairs: Iterable[tuple[str, str]]) -> list[Line]:
        return [line for label, text in pairs if text for line in fact(label, text, width)]

    return [*told(at_point), *_conditions(found, width), *told(facts), *_remarks(found, width)]


def _remarks(found: RunRecord, width: int) -> list[Line]:
    advice = fact("try next", harmless(found.advice), width) if found.advice else []
    return warnings(found.warnings, width) + advice


def _proved(found: RunRecord) -> tuple[str, str]:
    if found.certificate.proof is None and not found.certificate.not_proved:
        return "", ""

    return proof_of(found)


def _bounded(found: RunRecord) -> tuple[str, str]:
    if found.certificate.bound is None:
        return "", ""

    return bound_of(found)


def _conditions(found: RunRecord, width: int) -> list[Line]:
    """Return the facts about the constraints together: by how much they are broken, and which cannot hold together."""
    if found.violation is None:
        return []
    certificate = found.certificate
    broken = "none" if found.violation == 0.0 else short(found.violation, 2)
    lines = fact(
        "violation", f"{broken} (of what the constraints compare)" if found.violation else broken, width
    )
    if certificate.conflict:
        sure = "proved: " if certificate.proved else "as far as was looked: "
        lines += fact("conflict", sure + ", ".join(certificate.conflict), width, "bad")
    return lines


def _kind(found: RunRecord) -> str:
    certificate = found.certificate
    name = certificate.kind.replace("-", " ")
    low, high = certificate.eigenvalue_min, certificate.eigenvalue_max
    if low is None or high is None:
        return name
    if found.problem.space.size == 1:
        evidence = f"second derivative {short(low, 4)}"
    else:
        free = certificate.tangent_dimension
        what = "Hessian" if free is None else "Hessian of the Lagrangian along the constraints,"
        evidence = f"{what} eigenvalues {short(low, 4)} to {short(high, 4)}"
        if certificate.condition is not None:
            evidence += f", condition {short(certificate.condition, 3)}"
    by = CurvatureSource(certificate.evidence).by
    return f"{name}; {evidence}{f' (by {by})' if by else ''}"


def _bound(name: str, ends: tuple[End, End]) -> str:
    """The bounds of one variable: 0 <= x <= 5; those of a vector in general."""
    lows, highs = (
        [none if end is None else end for end in (side if isinstance(side, list) else [side])]
        for side, none in zip(ends, (-inf, inf), strict=True)
    )
    low, high = min(lows), max(highs)
    if isinstance(ends[0], list):
        name = f"each {name}" if min(highs) == high and max(lows) == low else f"{name} within"
    if low == high:
        return f"{name} = {short(low, 6)}"
    left = "" if low == -inf else f"{short(low, 6)} <= "
    right = "" if high == inf else f" <= {short(high, 6)}"
    return f"{left}{name}{right}"


def _held(found: RunRecord) -> str:
    if not (found.problem.bounds or found.domain):
        return ""
    active = found.certificate.active_bounds or ()
    if not active:
        return "no bound"
    parts = []
    for held in active[:8]:
        slope = f"slope {short(inf if isnan(held.multiplier) else held.multiplier, 3)}"  # JSON has no inf
        at = f"{held.side} {'end of the domain' if _is_end(found, held) else 'bound'}"
        if held.side == "fixed":
            at = held.side
        parts.append(f"{held.name} at {short(held.bound, 6)} ({at}, {slope})")
    more = len(active) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _is_end(found: RunRecord, held: ActiveBound) -> bool:
    """Tell whether the domain of the expression ends where a variable, or an element, is held."""
    name, _, place = held.name.partition("[")
    ends = (found.domain or {}).get(name)
    return ends is not None and _listed(ends[held.side == "upper"])[int(place[:-1] or 0)] == held.bound


def _left_unknown(found: RunRecord) -> str:
    kind = found.certificate.kind
    nothing_near = found.status in ("diverged", "wrong-kind")
    if nothing_near or not (found.is_end or kind == "not-stationary"):
        return ""
    if kind == "degenerate":
        return "not known: the curvature vanishes"
    if found.status == "converged":
        return "less than the tolerance"
    return "not known: no quadratic model holds around this point"


def _left(found: RunRecord) -> str:
    """What is left to gain, and how far away; nothing where there is no minimum to go to."""
    certificate = found.certificate
    gap, distance, is_end = certificate.estimated_gap, certificate.distance, found.is_end
    if gap is None:
        return _left_unknown(found)
    if gap == 0.0 and not is_end:
        return ""
    if certificate.rounded:
        return "no more than rounding"
    text = "nothing" if gap == 0.0 else f"about {short(gap, 2)}"
    return text if not distance else f"{text}, at a distance of about {short(distance, 2)}"


def _work(found: RunRecord) -> str:
    counts = found.evaluations
    parts = [
        amount(found.iterations, "iteration"),
        amount(counts.value, "value"),
        amount(counts.gradient, "gradient"),
    ]
    if counts.hessian:
        parts.append(amount(counts.hessian, "Hessian"))
    if counts.product:
        parts.append(amount(counts.product, "Hessian-vector product"))
    return ", ".join(parts)


# -- a proof in words -------------------------------------------------------------------------------------------------


# More digits no double has.
_DIGITS = 17


def proof_of(found: RunRecord) -> tuple[str, str]:
    """Return what is proved of an answer, or why nothing is where a proof was looked for, each with its label."""
    certificate = found.certificate
    if certificate.proof is None:
        is_told = found.status == "converged" and certificate.kind == found.extremum
        return ("not proved", certificate.not_proved if is_told else "")
    proof = certificate.proof
    where = f"within {short(proof.radius, 2)} of this point"
    if proof.radius == 0.0:
        where = "here, at the bounds"
    elif not _is_around(found, proof):
        where = f"in a box around this point, at most {short(proof.radius, 2)} away"
    low, high = outward(*proof.value)
    one = f"exactly one {found.extremum}"
    if proof.flat:
        one, where = f"a {found.extremum} lies", f"within {short(proof.radius, 2)} of this point"
    return "proved", f"{one} {where}; its value lies in [{low}, {high}]"


def bound_of(found: RunRecord) -> tuple[str, str]:
    """Return what bounds the value around a flat answer, with its label; nothing where nothing does."""
    bound = found.certificate.bound
    if bound is None:
        return "", ""
    beyond = "lower" if found.extremum == "minimum" else "higher"
    low, high = outward(bound.value, bound.value)
    sides = [[end for ends in bound.box.values() for end in _listed(ends[k])] for k in (0, 1)]
    widths = [b - a for a, b in zip(*sides, strict=True) if a is not None and b is not None]
    place = (
        "anywhere"
        if len(widths) < len(sides[0])
        else f"in a box around this point, {short(max(widths), 2)} wide,"
    )
    return "bounded", f"no value {place} is {beyond} than {low if beyond == 'lower' else high}"


def _listed(ends: object) -> list[Any]:
    return ends if isinstance(ends, list) else [ends]


def _is_around(found: RunRecord, proof: ProofRecord) -> bool:
    """Tell whether all points within the radius, and the bounds, are in the box."""
    flat = found.problem.space.flatten
    sides = [list(flat({name: ends[k] for name, ends in proof.box.items()})) for k in (0, 1)]
    active = {one.name for one in found.certificate.active_bounds or ()}
    space = found.problem.space
    for i, x in enumerate(found.x):
        room = max if space.label(i) in active else min
        if room(x - sides[0][i], sides[1][i] - x) < proof.radius:
            return False
    return True


def outward(low: float, high: float) -> tuple[str, str]:
    """Return two bounds as texts, the first not above ``low`` and the second not below ``high``."""
    width = high - low
    size = max(abs(low), abs(high))
    digits = (
        3 if not width or not isfinite(width) else max(3, min(_DIGITS, 2 + floor(log10(size / width) + 1.0)))
    )
    return _end_text(low, -inf, digits), _end_text(high, inf, digits)


def _end_text(value: float, towards: float, digits: int) -> str:
    """Return a text of a number on the side of ``value`` that is ``towards`` an infinity, or of that number itself."""
    plain = format(value + 0.0, f".{digits}g")
    if value.is_integer() and float(plain) == value:
        return plain
    sign = 1.0 if towards > 0 else -1.0
    beyond = nextafter(value, towards)
    for more in range(3):
        moved = value + sign * more * 10.0 ** (floor(log10(abs(value))) - digits + 1)
        text = format(moved, f".{digits}g")
        if sign * float(text) >= sign * beyond:
            return text
    return repr(beyond)
