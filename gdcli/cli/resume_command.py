"""`gd resume`: the run of a checkpoint, on from there, with the options that it was started with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gdcli.cli import argv, output_file
from gdcli.cli.checkpoint_option import ground, warned
from gdcli.cli.commands import COMMANDS, ResumeOptions
from gdcli.cli.environment import Environment
from gdcli.kernel.errors import DataError, UsageError
from gdcli.record import checkpoint_file


def run(options: ResumeOptions, env: Environment) -> int:
    path = options.file
    content = checkpoint_file.read(path)
    head = content.head
    _check_ground(path, head, env)
    try:
        command = COMMANDS[head["command"]]
        # An option that came later than the checkpoint was not given.
        typed = argv.nothing_typed(command) | dict(head["options"])
        known = {o.field for o in command.options} | {a.field for a in command.arguments}
        if set(typed) != known or "job" not in content.parts:
            raise KeyError("options")
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} is no whole checkpoint of gd") from None
    _check_folder(head, typed)
    typed |= {field: text for field, text in options.typed.items() if field != "file" and text}
    typed["checkpoint"] = path
    for option in command.options:
        text = typed[option.field]
        if not isinstance(text, list if option.many else str | None if option.metavar else bool):
            raise DataError(f"the checkpoint has no {option.name} of that kind")
    again = argv.convert(typed, command, content)
    output_file.check(again)
    return command.load()(again, env)


def _check_ground(path: str, head: Mapping[str, Any], env: Environment) -> None:
    """Refuse a run of another version; tell what else may change the last bits."""
    now = ground()
    if head.get("gd") != now["gd"]:
        raise DataError(
            f"{path} was written by gd {head.get('gd')}, and this is gd {now['gd']}",
            "a run goes on with the version that it began with",
        )
    others = [f"{k} {head.get(k)} then, {v} now" for k, v in now.items() if head.get(k) != v]
    if others:
        warned(env, f"{', '.join(others)}: the last bits may differ")


def _check_folder(head: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
    """Tell where the data are looked for, where they are not here."""
    from glob import glob

    missing = [name for name in typed.get("files") or () if name != "-" and not glob(name)]
    missing = [name for name in missing if not os.path.exists(name)]
    if missing and head.get("folder") != os.getcwd():
        raise UsageError(f"there is no {missing[0]} here", f"the run was started in {head.get('folder')}")
