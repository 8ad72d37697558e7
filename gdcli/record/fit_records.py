"""What the machine formats say of a fit beside its record: the names that --print knows, the rows of csv.

docs/json.md describes the keys of the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from gdcli.record.fits import EPOCH_HEAD, FitRecord, epoch_cells, epoch_point
from gdcli.record.schema import Json
from gdcli.record.serialization import WORDS, RowText, Words

PARAMETER_HEAD = ("parameter", "value", "standard_error", "t", "low", "high")


def parameter_rows(text: RowText, found: FitRecord) -> str:
    """Return a row per parameter under a head, empty cells where nothing is known."""
    columns = (found.x, *map(found.flat, (found.standard_errors, found.t, found.confidence)))
    by = list(found.problem.by)
    shared = zip(found.problem.space.labels, *columns, strict=True)
    rows = [
        [*([None] * len(by)), name, value, error, t, _end(ends, 0), _end(ends, 1)]
        for name, value, error, t, ends in shared
    ]
    for name, one in (found.derived or {}).items():
        ends = one.confidence
        rows.append([name, one.value, one.standard_error, one.t, _end(ends, 0), _end(ends, 1)])
    for part in found.groups:
        rows += [[*part.group.values(), *row] for row in part.rows_of_parameters()]
    return text.table([*by, *PARAMETER_HEAD], rows)


def _end(pair: Sequence[float | None] | None, end: int) -> float | None:
    """An end of an interval, None where there is none; one that is None is infinite."""
    if pair is None:
        return None
    told = pair[end]
    return (-inf, inf)[end] if told is None else told


def _interval(end: int) -> Any:
    def ends(record: Json) -> Json:
        return {
            name: [_end(pair, end) for pair in pairs]
            if isinstance(record["point"][name], list)
            else _end(pairs, end)
            for name, pairs in record["confidence"].items()
        }

    return ends


_FACTS = WORDS.facts | {  # type: ignore[operator]
    "mean_loss": lambda r: r["mean_loss"],
    "residual_sd": lambda r: r["residual_sd"],
    "r_squared": lambda r: r["r_squared"],
    "r_squared_about_zero": lambda r: r.get("r_squared_about_zero"),
    "aic": lambda r: r["aic"],
    "bic": lambda r: r["bic"],
    "deviance": lambda r: r.get("deviance"),
    "scale": lambda r: r["problem"].get("scale"),
    "theta": lambda r: r["problem"].get("theta"),
    "chi_square": lambda r: r.get("chi_square"),
    "p_value": lambda r: r.get("p_value"),
    "rows": lambda r: r["rows"]["used"],
    "skipped": lambda r: r["rows"]["skipped"],
    "epochs": lambda r: r["epochs"],
}
_PARTS = {
    "se": lambda r: r["standard_errors"],
    "t": lambda r: r["t"],
    "low": _interval(0),
    "high": _interval(1),
}

FIT = Words(facts=_FACTS, parts=_PARTS)
EPOCHS = FIT._replace(point=epoch_point, head=EPOCH_HEAD, cells=epoch_cells)


def with_derived(words: Words, names: Sequence[str]) -> Words:
    """Return ``words`` of a fit that knows derived quantities, and after ``name.`` the same parts as of a parameter."""
    if not names:
        return words

    def fact(name: str, key: str, end: int | None = None) -> Any:
        def told(record: Json) -> Any:
            value = record["derived"][name].get(key)
            return value if end is None else _end(value, end)

        return told

    more: Mapping[str, Any] = {}
    for name in names:
        more = {
            **more,
            name: fact(name, "value"),
            f"{name}.se": fact(name, "standard_error"),
            f"{name}.low": fact(name, "confidence", 0),
            f"{name}.high": fact(name, "confidence", 1),
        }
    return words._replace(facts={**words.facts, **more})


def with_region(words: Words, names: Sequence[str]) -> Words:
    """Return ``words`` of a fit that knows the extents of the joint region of two parameters, ``region.a.low``."""

    def extent(name: str, end: int) -> Any:
        return lambda record: _end(((record["region"] or {}).get("extents") or {}).get(name), end)

    more = {
        f"region.{name}.{side}": extent(name, end)
        for name in names
        for end, side in enumerate(("low", "high"))
    }
    return words._replace(facts={**words.facts, **more}) if more else words
