"""Receipts: what is needed to repeat an answer; every JSON result of a single problem carries one.

The problem, the method and the version of `gd` stand in every result; a receipt adds the options as they were typed and
what else decides over bits: Python, numpy, the machine and its kernels, the data's digests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gdcli.cli.option_rows import Options, options_of
from gdcli.cli.options import OWN_GROUPS, DataOptions, OutputOptions
from gdcli.kernel.dataclass import replace
from gdcli.record.runs import Receipt

if TYPE_CHECKING:
    from gdcli.record.schema import Record

Answer = TypeVar("Answer", bound="Record")

# Up to this many variables plain floats are enough; above it numpy has its part in the bits.
_PLAIN = 32
# In the record of the problem as numbers; what was typed may have named a file.
_IN_PROBLEM = ("start", "set")


def asked_of(options: Options, searched: bool = False) -> dict[str, Any]:
    """Return the options of the problem and its solution as they were typed, by long name.

    Of a start that was ``searched`` for also what was typed of it, and that it is to be searched for.
    """
    found: dict[str, Any] = {}
    for option in options_of(type(options)):
        text = options.typed[option.field]
        if text and option.group not in OWN_GROUPS and option.field not in _IN_PROBLEM:
            found[option.name[2:]] = text
    if searched:
        found["start"] = [*(text for text in options.typed["start"] or () if text != "auto"), "auto"]
    if options.command == "compare-models":  # each model has some of them
        found |= {name: options.typed[name] for name in _IN_PROBLEM if options.typed[name]}
    return found


def stamped(found: Answer, options: OutputOptions) -> Answer:
    whole: Any = found
    engine = getattr(found, "engine", None)  # a comparison has one for each of its runs
    searched = getattr(whole.problem, "search", None) is not None
    made: Answer = replace(whole, receipt=receipt_of(options, whole.problem.space.size, engine, searched))
    return made


def receipt_of(
    options: OutputOptions, size: int, engine: str | None = None, searched: bool = False
) -> Receipt | None:
    """Return the receipt of an answer with ``size`` variables by an ``engine``, None in formats that are not stored."""
    if not (options.written_as.is_record or options.report) or not options.typed:
        return None
    files = options.files if isinstance(options, DataOptions) else None
    return receipt(options.command, asked_of(options, searched), size, data_of(files), engine)


def receipt(
    command: str,
    options: Mapping[str, str | Sequence[str] | bool],
    size: int,
    data: Mapping[str, str | None],
    engine: str | None = None,
) -> Receipt:
    """Return the receipt of an answer of ``command`` with ``size`` variables; ``data`` has digests by file.

    Over rows of data numpy has taken part, but for those that the ``engine`` python was enough for.
    """
    from gdcli.record.processor import kernels

    with_numpy, version = (bool(data) and engine != "python") or size > _PLAIN, None
    if with_numpy:
        import numpy

        version = numpy.__version__
    return Receipt(
        command=command,
        options={k: v for k, v in options.items() if v},
        python=".".join(map(str, sys.version_info[:3])),
        numpy=version,
        machine=os.uname().machine if hasattr(os, "uname") else sys.platform,
        kernels=kernels(with_numpy),
        data=dict(data) or None,
    )


def data_of(files: Sequence[str] | None) -> dict[str, str | None]:
    """Return the digests of the files of a fit, as named or found by a pattern."""
    if files is None:
        return {}
    from gdcli.table.source import digest, expand

    return {path: digest(path) for path in expand(list(files) or ["-"])}
