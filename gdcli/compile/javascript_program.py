"""Programs for a page in a browser: functions of a graph, and update rules, each as one JavaScript object.

They are the texts that everything else runs, in another dialect: the bits of + - * / and sqrt are the same, functions
of the C library may differ by a unit in the last place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.compile.export_text import Leaves, function, in_javascript, javascript_functions
from gdcli.compile.update_rules import Update, assigned
from gdcli.language.graph import Graph


def functions(name: str, graph: Graph, roots: Mapping[str, Sequence[int]], leaves: Leaves, head: str) -> str:
    """Return ``const name = {...}`` with a function for each of ``roots``, which writes these nodes into ``g``.

    ``head`` are its arguments: ``p`` has the leaves in their order, ``g`` gets the results.
    """
    every = [root for nodes in roots.values() for root in nodes]
    texts = [
        in_javascript(function(one, graph, nodes, leaves, head, safe=False, outputs="g"))
        for one, nodes in roots.items()
    ]
    return _closed(name, javascript_functions(graph, every) + "".join(texts), list(roots))


def rule(name: str, update: Update) -> str:
    """Return ``const name = {shared, component}`` of an update.

    ``shared(s, c)`` is done once in a step: ``s`` has the scalar states and, behind them, the names that are set;
    ``c`` the constants. ``component(g, w, s, c)`` is done for each variable with its gradient ``g`` and its states
    ``w``, and returns the direction. Both change the states in place.
    """
    scalars = shared_names(update)
    constants = _read("c", update.constants)
    once = [*_read("s", scalars, update.scalars), *constants, *update.shared.splitlines()]
    each = [*_read("w", update.vectors), *_read("s", scalars), *constants, *update.component.splitlines()]
    texts = (
        _function("shared(s, c)", [*once, *_write("s", scalars)], "s"),
        _function("component(g, w, s, c)", [*each, *_write("w", update.vectors)], "d"),
    )
    return _closed(name, "".join(map(in_javascript, texts)), ["shared", "component"])


def shared_names(update: Update) -> list[str]:
    """The scalar states of an update, and what its shared lines set beside them."""
    return list(dict.fromkeys((*update.scalars, *assigned(update.shared))))


def _closed(name: str, body: str, exported: Sequence[str]) -> str:
    return f"const {name} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"


def _read(array: str, names: Sequence[str], only: Sequence[str] | None = None) -> list[str]:
    known = names if only is None else only
    return [f"{name} = {array}[{k}]" for k, name in enumerate(names) if name in known]


def _write(array: str, names: Sequence[str]) -> list[str]:
    return [f"{array}[{k}] = {name}" for k, name in enumerate(names)]


def _function(head: str, lines: Sequence[str], result: str) -> str:
    return f"def {head}:\n" + "".join(f"    {line}\n" for line in [*lines, f"return {result}"])
