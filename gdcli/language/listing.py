"""The language as a list for people: every function with its meaning, domain and derivative, from the one table.

Derivatives are what the rules of the table say, written as text by an `Algebra` that builds texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdcli.kernel.errors import did_you_mean
from gdcli.language import function_synonyms
from gdcli.language.functions import CALLABLE, CONSTANTS, FUNCTIONS, OPERATORS, OTHERS, Function

_SUM, _PRODUCT, _ATOM = 1, 2, 3


class _Texts:
    """Nodes that are texts, each with how tightly its last operation binds."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, int]] = []

    def atom(self, text: str) -> int:
        return self.node(text, _ATOM)

    def node(self, text: str, binding: int) -> int:
        self.nodes.append((text, binding))
        return len(self.nodes) - 1

    def text(self, i: int, least: int = 0) -> str:
        text, binding = self.nodes[i]
        return text if binding >= least else f"({text})"

    def number(self, value: float) -> int:
        return self.atom(f"{value:.10g}")

    def named(self, value: float, name: str) -> int:
        return self.node(name, _PRODUCT)

    def add(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a)} + {self.text(b, _SUM)}", _SUM)

    def sub(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a)} - {self.text(b, _PRODUCT)}", _SUM)

    def mul(self, a: int, b: int) -> int:
        if a == b:
            return self.node(f"{self.text(a, _ATOM)}**2", _ATOM)
        return self.node(f"{self.text(a, _PRODUCT)}*{self.text(b, _PRODUCT)}", _PRODUCT)

    def div(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a, _PRODUCT)}/{self.text(b, _ATOM)}", _PRODUCT)

    def neg(self, a: int) -> int:
        return self.node(f"-{self.text(a, _PRODUCT)}", _SUM)

    def call(self, name: str, *args: int) -> int:
        return self.atom(f"{name}({', '.join(self.text(i) for i in args)})")


def derivatives(function: Function) -> list[str]:
    texts = _Texts()
    args = tuple(map(texts.atom, function.letters))
    value = texts.call(function.name, *args)
    return [texts.text(i) for i in function.rule(texts, value, args)]


def functions() -> Iterator[dict[str, Any]]:
    """Yield what there is to call, in the order of the table: name, call, meaning, domain, derivative, kink."""
    others = {name: (call, meaning, slope) for name, call, meaning, slope in OTHERS}
    for name in CALLABLE:
        if name in others:
            call, meaning, slope = others[name]
            domain, kink = "", name in ("relu", "where")
        else:
            row = FUNCTIONS[name]
            parts = derivatives(row)
            by = [f"{part} by {letter}" for part, letter in zip(parts, row.letters, strict=True)]
            slope = row.slope or (parts[0] if len(parts) == 1 else "; ".join(by))
            call, meaning, domain, kink = (
                f"{name}({', '.join(row.letters)})",
                row.meaning,
                row.domain,
                row.kink,
            )
        yield {
            "name": name, "call": call, "meaning": meaning, "domain": domain, "derivative": slope, "kink": kink
        }  # fmt: skip


def language() -> dict[str, Any]:
    constants = [{"name": name, "value": value} for name, value in CONSTANTS.items()]
    operators = [{"text": text, "meaning": meaning} for text, meaning in OPERATORS]
    return {"functions": list(functions()), "constants": constants, "operators": operators}


def meant(name: str) -> str:
    """Return the hint for what is no function: how it is written here, or the nearest name."""
    known = function_synonyms.FUNCTIONS.get(name) or function_synonyms.FUNCTIONS.get(name.lower())
    if known:
        return f"{name} is written {known.format('x', 'y', 'z')} here"
    return function_synonyms.CALLS.get(name) or did_you_mean(name, CALLABLE, "'gd functions' lists them")
