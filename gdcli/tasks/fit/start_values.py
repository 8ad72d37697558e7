"""Where a fit starts: what was typed, or nothing for a model that is linear in its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.kernel.errors import UsageError
from gdcli.language.model_text import Model, Names, columns_told, place_of
from gdcli.language.tree_names import all_nodes, subscripted
from gdcli.language.values import TypedValue
from gdcli.objective.row_model import RowModel, linear_parameters
from gdcli.tasks.problem import example, listed, named_values


def is_linear(row: RowModel) -> bool:
    """Tell whether the model is linear in its parameters, so that any start will do.

    What is measured must depend on no parameter then; of a typed loss nothing is known.
    """
    if row.response is None or row.depends(row.response):
        return False
    return len(linear_parameters(row, row.predictor)) == row.space.size


def start_values(
    model: Model, names: Names, given: Sequence[TypedValue], needed: bool, columns: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the start of every parameter; where none is ``needed`` those that are missing are 0.

    ``columns`` are those of the data, one of which may have been meant. Raises UsageError that names a parameter
    without a start, and for lengths that do not fit.
    """
    parameters = list(names.parameters)
    vectors = {n for n, length in names.parameters.items() if length is not None}
    for tree in model.trees:
        vectors |= subscripted(tree)
    values = named_values(parameters, given, vectors, "parameter", "the model")
    missing = [name for name in parameters if name not in values]
    if missing and needed:
        known = f"; {columns_told(columns)}" if columns else ""
        raise UsageError(
            f"--start leaves out {listed(missing)}",
            f"{_advice(model, columns)}, --start {example(missing, vectors)}, or fix it with --set{known}",
            place_of(model, missing[0]),
        )
    for name in missing:
        length = names.parameters[name]
        if length is None and any(_is_indexed(tree, name) for tree in model.texts):
            raise UsageError(
                f"{name} is a vector, and its length is not known", f"give it a start: {name}=zeros(3)"
            )
        values[name] = 0.0 if length is None else [0.0] * length
    return {name: values[name] for name in parameters}


def _advice(model: Model, columns: Sequence[str]) -> str:
    if model.left is not None:
        return "--start auto searches for one; or give your own"
    column = next((c for c in columns if c and c not in model.names), None)
    if column is None:
        return "give your own"
    # A loss of a row has all that was measured in it.
    return f"to fit a column write {column} ~ {model.text.strip()}; a loss of your own needs a start"


def _is_indexed(tree: Any, name: str) -> bool:
    return any(node.op in ("index", "slice") and node.value[0] == name for node in all_nodes(tree.root))
