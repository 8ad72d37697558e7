"""`gd methods`: what there is to choose from, what each method needs and when to use it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.report.page import Line


def run(values: dict[str, Any]) -> int:
    """Print the methods and the step rules."""
    from gdcli.solvers.registry import METHODS, STEP_RULES

    if values["format"] == "json":
        from gdcli.report.machine import json_block
        from gdcli.report.records import SCHEMA

        methods = [
            {"name": m.name, "help": m.help, "needs": m.needs, "use": m.use, "options": _options(m.reads)}
            for m in METHODS.values()
        ]
        record = {"schema": SCHEMA, "type": "methods", "methods": methods, "step_rules": dict(STEP_RULES)}
        sys.stdout.write(json_block(record))
        return 0
    from gdcli.report.page import fact
    from gdcli.report.tables import show, width_of

    width = width_of(sys.stdout)
    lines: list[Line] = []
    for method in METHODS.values():
        lines += fact(method.name, method.help, width, label_role="title")
        lines += fact("", f"needs: {method.needs}", width)
        lines += fact("", f"use: {method.use}", width)
        if method.reads:
            lines += fact("", f"reads: {', '.join(_options(method.reads))}", width)
    lines += [[], [("step rules (--step-rule)", "title")]]
    for name, what in STEP_RULES.items():
        lines += fact(f"  {name}", what, width)
    show(lines, sys.stdout)
    return 0


def _options(fields: Iterable[str]) -> list[str]:
    return ["--" + field.replace("_", "-") for field in sorted(fields)]
