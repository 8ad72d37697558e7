"""`gd methods`: what there is to choose from, what each method needs and when to use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.cli.commands import MethodListOptions
    from gdcli.cli.environment import Environment
    from gdcli.render.page import Line


def run(options: MethodListOptions, env: Environment) -> int:
    """Print the methods and the step rules, or the methods that are named."""
    told = record(options.names)
    if options.format == "json":
        from gdcli.record.serialization import json_block

        env.stdout.write(json_block(told))
        return 0
    from gdcli.render.tables import show, width_of

    show(page(told, width_of(env.stdout)), env.stdout)
    return 0


def record(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the methods and the step rules as a record, or of it the methods named.

    Raises UsageError for one that there is not.
    """
    from gdcli.record.schema import SCHEMA
    from gdcli.solve.first_order import STEP_RULES
    from gdcli.solve.registry import METHODS, find

    chosen = [find(name.lower()) for name in dict.fromkeys(names)] or METHODS.values()
    rules = {} if names else dict(STEP_RULES)
    methods = [
        {
            "name": m.name,
            "help": m.help,
            "needs": m.needs,
            "use": m.use,
            "options": _options(m.reads),
            "epochs": m.lr is not None,
        }
        for m in chosen
    ]
    return {"schema": SCHEMA, "type": "methods", "methods": methods, "step_rules": rules}


def page(told: Mapping[str, Any], width: int) -> list[Line]:
    from gdcli.render.page import fact

    lines: list[Line] = []
    for method in told["methods"]:
        lines += fact(method["name"], method["help"], width, label_role="title")
        lines += fact("", f"needs: {method['needs']}", width)
        lines += fact("", f"use: {method['use']}", width)
        if method["options"]:
            lines += fact("", f"reads: {', '.join(method['options'])}", width)
        if method["epochs"]:
            lines += fact("", "goes by epochs, too: gd fit --epochs", width)
    if not told["step_rules"]:
        return lines
    lines += [[], [("step rules (--step-rule)", "title")]]
    for name, what in told["step_rules"].items():
        lines += fact(f"  {name}", what, width)
    return lines


def _options(fields: Iterable[str]) -> list[str]:
    return ["--" + field.replace("_", "-") for field in sorted(fields)]
