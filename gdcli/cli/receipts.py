"""Receipts from what was typed: every JSON result of a single problem carries one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from gdcli.cli.commands import COMMANDS
from gdcli.cli.options import OWN_GROUPS

if TYPE_CHECKING:
    from gdcli.report.machine import Words

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


def stamped(words: Words, values: Mapping[str, Any]) -> Words:
    """Return ``words`` with a receipt in the record of a result."""
    command, typed = values.get("command"), values.get("typed")
    if command is None or typed is None:
        return words
    from gdcli.report.receipts import receipt

    @cache
    def data() -> dict[str, str | None]:
        return data_of(values.get("files"))

    def result(outcome: Any, timing: bool) -> dict[str, Any]:
        made = receipt(command, options_of(command, typed), outcome, data())
        return words.result(outcome, timing) | {"receipt": made}

    return words._replace(result=result)


def data_of(files: Any) -> dict[str, str | None]:
    """Return the digests of the files of a fit, as named or found by a pattern."""
    if files is None:
        return {}
    from gdcli.data.digest import digests
    from gdcli.fitting.copies import input_files

    return digests(input_files(list(files) or ["-"]))
