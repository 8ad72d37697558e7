"""The objective of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.kernel.vectors import Space
from gdcli.language import form, syntax, tree_names
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.vector_expression import VectorObjective


def objective(
    text: str,
    lengths: Mapping[str, int | None] | None = None,
    constants: Mapping[str, Any] | None = None,
    kind: str = "scalar",
    sign: int = 1,
) -> Any:
    """The objective of a text: ``scalar``, ``expanded`` or ``vector``; by default all names are scalars."""
    tree = syntax.parse(text)
    known = (
        dict(lengths) if lengths is not None else dict.fromkeys(tree_names.variables(tree, constants or {}))
    )
    built = form.build(tree, known, constants or {}, expand=kind == "expanded")
    return (VectorObjective if kind == "vector" else ScalarObjective)(built, Space(known), sign)
