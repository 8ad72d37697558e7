"""Problems with constraints: the shown ones and the traps, and one of them as the objective of a solver."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gdcli.kernel.vectors import Space, lengths_of
from gdcli.language import constraints, relation, syntax
from gdcli.objective.build import build_objective
from gdcli.objective.constrained import Constrained
from gdcli.objective.constraint_rows import ConstraintRows
from gdcli.objective.protocol import Box

DATA = Path(__file__).parent / "data"


def read_relations(texts: Sequence[str]) -> list[relation.Relation]:
    """Return the constraints of one or several option values, in order; ``@file`` has one a line, and comments."""
    return [relation.relation(text, source) for text, source in relation.typed_lines(texts, relation.OPTION)]


def shown() -> list[dict[str, Any]]:
    """The problems with known minima: ``fmin`` and ``accept`` are the values of minima, right to ``ftol``."""
    found: list[dict[str, Any]] = json.loads((DATA / "constrained.json").read_text())
    return found


def traps() -> list[dict[str, Any]]:
    """Problems of which a careless certificate says something false; ``truth`` tells what is right."""
    found: list[dict[str, Any]] = json.loads((DATA / "constraint_traps.json").read_text())
    return found


def constrained(problem: Mapping[str, Any]) -> tuple[Constrained, Any]:
    """Return the objective of a problem within its constraints, and the start."""
    start = problem["start"]
    tree = syntax.parse(problem["expr"], "")
    lengths = lengths_of(start)
    kept, lines = constraints.split_bounds(
        list(constraints.rows_of(read_relations(problem["constraints"]), ())), lengths, {}
    )
    ends = {
        name: (-math.inf if low is None else low, math.inf if high is None else high)
        for name, (low, high) in problem["bounds"].items()
    }
    ends = constraints.merged(ends, lines, lengths)
    objective = build_objective(tree, lengths, {}, 1 if problem.get("sense") != "maximize" else -1)
    space = Space(lengths)
    sides = [
        space.flatten(
            {n: ends[n][k] if n in ends else none if m is None else [none] * m for n, m in lengths.items()}
        )
        for k, none in ((0, -math.inf), (1, math.inf))
    ]
    box = Box(objective.vector(sides[0]), objective.vector(sides[1]))
    rows = ConstraintRows(constraints.build(kept, lengths, {}, expand=True), space)
    made = Constrained(objective, rows, box)
    return made, box.clip(objective.vector(space.flatten(start)))
