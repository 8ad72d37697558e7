"""`gd methods` and `gd functions`: what there is to choose from, and what an expression can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.cli.commands import FunctionListOptions, MethodListOptions
from gdcli.cli.environment import Environment
from gdcli.kernel.errors import UsageError
from gdcli.record.schema import SCHEMA
from gdcli.render.page import LABEL, fact
from gdcli.render.tables import show, width_of

if TYPE_CHECKING:
    from gdcli.render.page import Line


def run(options: MethodListOptions | FunctionListOptions, env: Environment) -> int:
    told = (methods if options.command == "methods" else functions)(options.names)
    if options.format == "json":
        from gdcli.record.serialization import json_block

        env.stdout.write(json_block(told))
    elif options.format == "plain":
        for row in told["functions"]:
            print(row["call"], row["meaning"], row["domain"], row["derivative"], sep="\t", file=env.stdout)
    else:
        show(page(told, width_of(env.stdout)), env.stdout)
    return 0


def page(told: Mapping[str, Any], width: int) -> list[Line]:
    return (_methods if told["type"] == "methods" else _functions)(told, width)


# -- methods ---------------------------------------------------------------------------------------------------------


def methods(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the methods and the step rules as a record, or of it the methods named.

    Raises UsageError for one that there is not.
    """
    from gdcli.solve.methods.descent import STEP_RULES
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


def _options(fields: Iterable[str]) -> list[str]:
    return ["--" + field.replace("_", "-") for field in sorted(fields)]


def _methods(told: Mapping[str, Any], width: int) -> list[Line]:
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


# -- functions -------------------------------------------------------------------------------------------------------


def functions(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the language as a record, or of it the functions named. Raises UsageError for one that there is not."""
    from gdcli.language.listing import functions, language, meant

    head = {"schema": SCHEMA, "type": "functions"}
    if not names:
        return head | language()
    rows = {row["name"]: row for row in functions()}
    for name in names:
        if name not in rows:
            raise UsageError(f"there is no function '{name[:40]}'", meant(name))
    chosen = [rows[name] for name in dict.fromkeys(names)]
    return head | {"functions": chosen, "constants": [], "operators": []}


def _functions(told: Mapping[str, Any], width: int) -> list[Line]:
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
    if len(label) < LABEL:
        return fact(label, text, width, label_role="title")
    return [[(label, "title")], *fact("", text, width)]
