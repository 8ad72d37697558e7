"""Receipts: what is needed to repeat an answer; every JSON result of a single problem carries one.

The problem, the method and the version of `gd` stand in every result; a receipt adds the options as they were typed and
what else decides over bits: Python, numpy, the machine and its kernels, the data's digests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gdcli.cli.commands import COMMANDS
from gdcli.cli.options import OWN_GROUPS
from gdcli.kernel.dataclass import replace
from gdcli.render.formats import format_of

if TYPE_CHECKING:
    from gdcli.record.runs import Receipt
    from gdcli.record.schema import Record

Answer = TypeVar("Answer", bound="Record")
Options = Mapping[str, str | Sequence[str] | bool]

# Up to this many variables plain floats are enough; above it numpy has its part in the bits.
_PLAIN = 32
# In the record of the problem as numbers; what was typed may have named a file.
_IN_PROBLEM = ("start", "set")


def options_of(command: str, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the problem and its solution as they were typed, by long name."""
    found: dict[str, Any] = {}
    for option in COMMANDS[command].options:
        text = typed.get(option.field)
        if text and option.group not in OWN_GROUPS and option.field not in _IN_PROBLEM:
            found[option.name[2:]] = text
    if command == "fit" and typed.get("start") == ["auto"]:
        found["start"] = ["auto"]
    return found


def stamped(found: Answer, values: Mapping[str, Any]) -> Answer:
    """Return the record with a receipt, in the formats that are stored."""
    whole: Any = found
    engine = getattr(found, "engine", None)  # a comparison has one for each of its runs
    made: Answer = replace(whole, receipt=receipt_of(values, whole.problem.space.size, engine))
    return made


def receipt_of(values: Mapping[str, Any], size: int, engine: str | None = None) -> Receipt | None:
    """Return the receipt of an answer with ``size`` variables by an ``engine``, None in formats that are not stored."""
    command, typed = values.get("command"), values.get("typed")
    if not format_of(values).is_record or command is None or typed is None:
        return None
    return receipt(command, options_of(command, typed), size, data_of(values.get("files")), engine)


def receipt(
    command: str, options: Options, size: int, data: Mapping[str, str | None], engine: str | None = None
) -> Receipt:
    """Return the receipt of an answer of ``command`` with ``size`` variables; ``data`` has digests by file.

    Over rows of data numpy has taken part, but for those that the ``engine`` python was enough for.
    """
    from gdcli.record.processor import kernels
    from gdcli.record.runs import Receipt

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


def data_of(files: Any) -> dict[str, str | None]:
    """Return the digests of the files of a fit, as named or found by a pattern."""
    if files is None:
        return {}
    from gdcli.table.file_digest import digests
    from gdcli.tasks.fit.annotated_output import input_files

    return digests(input_files(list(files) or ["-"]))
