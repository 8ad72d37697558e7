"""Columns of texts as categories: each row's level as a number while a table is read, then indicators of the levels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import count

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.errors import DataError, UsageError, did_you_mean
from gdcli.kernel.vectors import Array, np
from gdcli.language.row_condition import Category, Levels
from gdcli.table.blocks import Cells, Columns, Label
from gdcli.table.cells import label, shown

MAX_LEVELS = 1000
_CHUNK = 1 << 14  # rows


class Codes:
    """The number of each row's level among those that came so far, which are ``found`` in order of appearance."""

    numbers: tuple[str, ...] = ()

    def __init__(self, category: Category, column: str) -> None:
        self.category, self.texts = category, (column,)
        self.found: dict[Label, int] = {}

    def of(self, cells: Cells) -> Array:
        labels = cells.texts[self.texts[0]]
        met = set(labels.codes.tolist())
        numbers = np.full(len(labels.values), np.nan)
        for code, value in enumerate(labels.values):
            if value is not None and code in met:
                numbers[code] = self.found.setdefault(value, len(self.found))
        if len(self.found) > MAX_LEVELS:
            column = self.category.column
            raise UsageError(
                f"{self.category.text} has more than {MAX_LEVELS} levels",
                f"it is for categories; a product is written C*({column})",
            )
        numbers = np.append(numbers, np.nan) if not len(numbers) else numbers
        return numbers[labels.codes] if len(labels.codes) else np.zeros(0)

    def fault(self, cells: Mapping[str, object]) -> str:
        return f"{self.texts[0]} is missing"


@dataclass(frozen=True, slots=True)
class Indicator:
    """1 in the rows of a level, 0 in those of the other ``levels``; a row of any other is a fault."""

    texts: tuple[str, ...]
    level: Label
    levels: tuple[Label, ...]
    numbers: tuple[str, ...] = ()

    def of(self, cells: Cells) -> Array:
        labels = cells.texts[self.texts[0]]
        known = [float(value == self.level) if value in self.levels else np.nan for value in labels.values]
        return np.array([*known, np.nan])[labels.codes] if len(labels.codes) else np.zeros(0)

    def fault(self, cells: Mapping[str, object]) -> str:
        there = ", ".join(map(shown, self.levels[:8])) + (", ..." if len(self.levels) > 8 else "")
        return f"{self.texts[0]} = {cells[self.texts[0]]} is none of the levels {there}"


class Contrasts:
    """The levels of a category, sorted, and the names of the parameters and indicators of all but the base.

    None of the names is among those ``taken``. Raises DataError for a category of one level, UsageError for a base that
    is no level.
    """

    def __init__(self, codes: Codes, taken: Container[str]) -> None:
        category = codes.category
        levels = sorted(codes.found, key=lambda value: (isinstance(value, str), value))
        if len(levels) < 2:
            raise DataError(
                f"{category.text} has one level, {', '.join(map(shown, levels))}: there is nothing to compare",
                f"leave out {category.text}",
            )
        base = levels[0]
        if category.base is not None:
            wanted = label(category.base)
            if wanted not in levels:
                names = [shown(level) for level in levels]
                hint = did_you_mean(category.base, names, f"the levels are {', '.join(names[:8])}")
                raise UsageError(f"{category.text}: no row has {category.column} = {category.base}", hint)
            base = next(level for level in levels if level == wanted)
        others = [level for level in levels if level != base]
        parameters = _free([_name(category.stem, level) for level in others], taken)
        indicators = [f"{category.column} == {shown(level)}" for level in others]
        self.levels = Levels(
            shown(base),
            dict(zip(parameters, map(shown, others), strict=True)),
            dict(zip(indicators, map(shown, others), strict=True)),
        )
        self.codes = [codes.found[level] for level in others]
        self.recipes = {
            name: Indicator(codes.texts, level, tuple(levels))
            for name, level in zip(indicators, others, strict=True)
        }


def _name(stem: str, level: Label) -> str:
    return f"{stem}_" + (re.sub(r"\W+", "_", shown(level)).strip("_") or "level")


def _free(names: Sequence[str], taken: Container[str]) -> list[str]:
    """Return names that are different from each other and from those ``taken``: where need be they are numbered."""
    times, found = Counter(names), list[str]()
    for name in names:
        if times[name] > 1 or name in taken:
            numbered = (f"{name}_{k}" for k in count(1))
            name = next(free for free in numbered if free not in taken and free not in found)
        found.append(name)
    return found


def with_indicators(data: Columns, contrasts: Mapping[str, Contrasts], spool: str | None = None) -> Columns:
    """Return columns in which indicators of the levels stand in place of each column of codes, by its name.

    They are kept as `spool.gather` keeps columns; ``data`` are closed.
    """
    from gdcli.table.spool import Rows

    names = [
        other for name in data.names for other in (contrasts[name].recipes if name in contrasts else (name,))
    ]
    with data, Rows(len(names), None, spool) as rows:
        for _, arrays in data.chunks(_CHUNK):
            columns: list[Array] = []
            for name, array in zip(data.names, arrays, strict=True):
                made = contrasts.get(name)
                columns += [array] if made is None else [np.where(array == k, 1.0, 0.0) for k in made.codes]
            rows.add(columns)
        return rows.columns(names)
