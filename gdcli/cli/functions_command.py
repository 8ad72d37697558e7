"""`gd functions`: the language, each function with what it means, where it is defined, and its derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.commands import FunctionListOptions
    from gdcli.cli.environment import Environment
    from gdcli.render.page import Line


def run(options: FunctionListOptions, env: Environment) -> int:
    from gdcli.render.tables import show, width_of

    told = record(options.names)
    if options.format == "json":
        from gdcli.record.serialization import json_block

        env.stdout.write(json_block(told))
    elif options.format == "plain":
        for row in told["functions"]:
            print(row["call"], row["meaning"], row["domain"], row["derivative"], sep="\t", file=env.stdout)
    else:
        show(page(told, width_of(env.stdout)), env.stdout)
    return 0


def record(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the language as a record, or of it the functions named. Raises UsageError for one that there is not."""
    from gdcli.language.listing import functions, language, meant
    from gdcli.record.schema import SCHEMA

    head = {"schema": SCHEMA, "type": "functions"}
    if not names:
        return head | language()
    rows = {row["name"]: row for row in functions()}
    for name in names:
        if name not in rows:
            raise UsageError(f"there is no function '{name[:40]}'", meant(name))
    return head | {
        "functions": [rows[name] for name in dict.fromkeys(names)],
        "constants": [],
        "operators": [],
    }


def page(told: Mapping[str, Any], width: int) -> list[Line]:
    from gdcli.render.page import fact

    lines: list[Line] = []
    if told["operators"]:
        lines.append([("functions (x a number or, element by element, a vector)", "title")])
    for row in told["functions"]:
        notes = [note for note in (row["domain"], "not smooth" if row["kink"] else "") if note]
        text = row["meaning"] + f" ({'; '.join(notes)})" * bool(notes)
        lines += _labelled(row["call"], text, width)
        lines += fact("", f"derivative {row['derivative']}", width)
    if not told["operators"]:
        return lines
    lines += [[], [("constants", "title")]]
    for row in told["constants"]:
        lines += fact(row["name"], f"{row['value']:.16g}", width)
    lines += [[], [("what else stands in an expression", "title")]]
    for row in told["operators"]:
        lines += _labelled(row["text"], row["meaning"], width)
    return lines


def _labelled(label: str, text: str, width: int) -> list[Line]:
    """A fact whose label has a line of its own where it is long."""
    from gdcli.render.page import LABEL, fact

    if len(label) < LABEL:
        return fact(label, text, width, label_role="title")
    return [[(label, "title")], *fact("", text, width)]
