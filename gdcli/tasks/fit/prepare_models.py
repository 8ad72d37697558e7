"""Several models of the same rows made ready: the data read once, each model with what is meant for it.

A start, a bound, a constant or a named part belongs to the models that have the name. Of a model that is not linear
what was not given of its start is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.tasks.fit.prepare import Prepared, gathered, read_request, ready
from gdcli.tasks.fit.request import AUTO, FitRequest, FitSettings

if TYPE_CHECKING:
    from gdcli.table.source import DataTable


@contextmanager
def prepared_models(
    requests: Sequence[FitRequest],
    settings: FitSettings,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    searching: Callable[[float], None] = lambda part: None,
) -> Iterator[list[Prepared]]:
    """Make fits of several models to the same data ready, and remove what they left in temporary files at the end.

    Raises as `gdcli.tasks.fit.prepare.prepared`, and UsageError for names that no model has, and for models of
    different left sides.
    """
    _check_sides([one.model for one in requests])
    texts = [_names_in(one) for one in requests]
    _check_used(requests, set().union(*texts))
    asked = [read_request(_own(one, names), settings) for one, names in zip(requests, texts, strict=True)]
    with gathered(asked, stdin, watch) as rows:
        made = []
        for one in rows.fits:
            made.append(ready(one.plan(rows.names), rows.data, rows.counted, rows.place, searching))
        yield made


def _check_sides(models: Sequence[str]) -> None:
    if len(models) < 2:
        raise UsageError(
            "a comparison takes two models or more", "for example 'y ~ a + b*x' and 'y ~ a + b*x + c*x**2'"
        )
    sides = ["".join(model.partition("~")[0].split()) for model in models]
    for model, side in zip(models, sides, strict=True):
        if "~" not in model:
            raise UsageError("models are compared as 'y ~ formula'", f"{model.strip()[:40]} has no ~")
        if side != sides[0]:
            raise UsageError(
                f"the models are not of the same thing: {sides[0]} and {side}",
                "likelihoods and errors can be compared only of descriptions of the same numbers",
            )


_NAME = re.compile(r"[^\W\d]\w*")
# An assignment in a list of such: `x=1` of `x=1,y=[2,3]`.
_ENTRY = re.compile(r"\s*([^\W\d]\w*)\s*=")


def _names_in(request: FitRequest) -> set[str]:
    """The names of a model's text, and of the named parts that it uses."""
    found = set(_NAME.findall(request.model))
    for text in reversed(request.let):
        name, _, formula = text.partition("=")
        if name.strip() in found:
            found |= set(_NAME.findall(formula))
    return found


def _entries(texts: Sequence[str]) -> list[tuple[str, str]]:
    """The names and assignments of texts such as ``a=1,b=[2,3]``; the name of what has none is empty."""
    found: list[tuple[str, str]] = []
    for text in texts:
        for part in re.split(r",(?![^\[\](]*[\])])", text):
            named = _ENTRY.match(part)
            if found and named is None and "=" in found[-1][1]:
                found[-1] = found[-1][0], f"{found[-1][1]},{part}"
            else:
                found.append((named[1] if named else "", part))
    return found


def _own(request: FitRequest, names: set[str]) -> FitRequest:
    """What is meant for one model: entries with its names, and those without one (files, ``all``)."""

    def some(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for name, text in _entries(texts) if not name or name == "all" or name in names)

    return replace(
        request,
        start=some(request.start),
        constants=some(request.constants),
        bounds=some(request.bounds),
        let=tuple(text for text in request.let if text.partition("=")[0].strip() in names),
    )


def _check_used(requests: Sequence[FitRequest], names: set[str]) -> None:
    first = requests[0]
    for option, texts in (("--start", first.start), ("--set", first.constants), ("--bounds", first.bounds)):
        for name, _ in _entries([text for text in texts if text != AUTO]):
            if name and name != "all" and name not in names:
                raise UsageError(
                    f"{option} has {name}, which is in none of the models",
                    did_you_mean(name, sorted(names), ""),
                )
            if not name and option == "--start" and not any(text.startswith("@") for text in texts):
                raise UsageError(
                    "--start needs names here: models may have different parameters", "--start a=1,b=2"
                )
