"""What is asked of a table beyond its columns: columns that an expression gives, and the rows that are kept.

    asked = asked_of(table, constants)
    name = asked.column("0.05*y", "--sigma")  # the name of a column, computed where there is none that is called so
    asked.keep("x > 2")
    with gather(table, [name, "x"]) as data: ...

Whoever needs a column by an expression asks here; every reader of the data then gives it, row by row, by that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import Span, UsageError
from gdcli.kernel.vectors import Array, np
from gdcli.language.model_text import Model, no_column, place_of
from gdcli.language.row_condition import EXAMPLE, Category, Levels, read_condition
from gdcli.language.syntax import parse
from gdcli.language.values import split
from gdcli.table.blocks import Columns
from gdcli.table.cells import label
from gdcli.table.derived_columns import Condition, Derived, Recipe, expression
from gdcli.table.source import DataTable
from gdcli.table.spool import Rows
from gdcli.table.text_columns import OPTION, Codes, Contrasts, Dated, DateForm, Indicator, dated, read_option

_RANGE = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*")


class AskedColumns:
    """What is asked of a table beyond its columns; ``constants`` are the names that have a value.

    Nothing is read here. The table is told at once what is to be derived of it.
    """

    def __init__(self, table: DataTable, constants: Mapping[str, Any]) -> None:
        self.table, self.constants = table, constants
        before = table.derived
        self._recipes: dict[str, Recipe] = {} if before is None else dict(before.recipes)
        self._conditions: list[Condition] = []
        self._dates: dict[str, Dated] = {}
        self._ranges: list[tuple[int, int | None]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.table.names, *self._recipes)

    def column(self, text: str, option: str) -> str:
        """Return the name of the column that a text is: its name or title, a number, an expression of columns.

        Raises UsageError, with the place in the text, for what is none of them.
        """
        from gdcli.language.notation import told

        table, plain = self.table, text.strip()
        if plain and plain in (*table.names, *self._recipes):
            return plain
        if plain and plain in table.titles and table.names[table.titles.index(plain)]:
            return table.names[table.titles.index(plain)]
        if not plain:
            raise UsageError(f"{option} is empty", f"for example {option} 0.1, or the name of a column")
        try:
            tree = parse(text, option)
        except UsageError as error:
            raise told(error) from None
        name = " ".join(text.split())
        self._derive(name, expression(tree, table.names, self.constants))
        return name

    def dates(self, texts: Sequence[str]) -> None:
        """Take columns that begin with a date as numbers, before what may compute with them. Raises UsageError."""
        asked = {self._known(each.column, OPTION): each for each in map(read_option, texts)}
        for name in filter(None, self.table.names):
            found = dated(name, self.table.first(name), asked.get(name))
            if found is not None:
                self._dates[name] = found
        if self._dates:
            self._tell()

    def categories(self, calls: Sequence[Category]) -> None:
        """Read the texts of the columns of categories, by the texts of the calls. Raises UsageError."""
        for call in calls:
            if call.text not in self._recipes:
                self._derive(call.text, Codes(call, self._known(call.column, call.text)))

    def _known(self, column: str, what: str) -> str:
        names, titles = self.table.names, self.table.titles
        if column in names or column in titles:
            return column if column in names else names[titles.index(column)] or column
        raise no_column(column, names, f"{what}: ")

    def keep(self, text: str, option: str = "--rows") -> None:
        """Keep only the rows of a range, ``10:200``, or those of which a condition holds. Raises UsageError."""
        span = Span(text, 0, len(text), option)
        if found := _RANGE.fullmatch(text):
            first, last = (int(end) if end else None for end in found.groups())
            if first == 0 or last == 0:
                raise UsageError("rows are counted from 1", "1:100 are the first hundred", span)
            if first is None and last is None:
                raise UsageError("this range has no end", EXAMPLE, span)
            if first is not None and last is not None and last < first:
                raise UsageError(f"no row is in {text.strip()}", f"write {last}:{first}", span)
            self._ranges.append((first or 1, last))
        else:
            self._conditions.append(Condition(read_condition(text, option), self.table.names, self._dates))
        self._tell()

    def _derive(self, name: str, recipe: Recipe) -> None:
        self._recipes[name] = recipe
        self._tell()

    def _tell(self) -> None:
        self.table.derived = Derived(self._recipes, self._conditions, self._ranges, self._dates)


def asked_of(
    table: DataTable,
    constants: Mapping[str, Any],
    rows: Sequence[str] = (),
    dates: Sequence[str] = (),
) -> AskedColumns:
    """Return what is asked of a table, of which only ``rows`` are kept, and whose columns ``dates`` tell how to read.

    Raises UsageError.
    """
    found = AskedColumns(table, constants)
    found.dates(dates)
    for text in rows:
        found.keep(text)
    return found


def sigmas_of(text: str | None, sides: Sequence[str]) -> list[str]:
    """The standard deviation of each response: that of all, or those after their left sides, ``y1=0.1,y2=0.05*y2``."""
    if text is None:
        return []
    pairs = [re.split(r"(?<![<>=!])=(?!=)", text[a:b], maxsplit=1) for a, b in split(text, "--sigma")]
    if all(len(pair) == 1 for pair in pairs):
        return [text] * len(sides)
    found = {" ".join(pair[0].split()): pair[-1].strip() for pair in pairs}
    for name in [*found, *sides]:
        if name not in found or name not in sides:
            told = f"--sigma leaves out {name}" if name in sides else f"--sigma: {name} is no response"
            raise UsageError(told, f"for example --sigma '{', '.join(f'{side}=0.1' for side in sides)}'")
    return [found[side] for side in sides]


def with_levels(
    derived: Derived, models: Sequence[Model], taken: Sequence[str]
) -> tuple[Derived, dict[str, Contrasts]]:
    """Return what is derived now that all rows were read, and the contrasts of the categories, by their texts.

    Names of parameters are none of those ``taken``. Raises as `categories.Contrasts`.
    """
    recipes, found = dict(derived.recipes), dict[str, Contrasts]()
    known = {*taken, *(name for model in models for name in model.names)}
    for call in dict.fromkeys(call for model in models for call in model.categories):
        codes = recipes.pop(call.text)
        assert isinstance(codes, Codes)
        found[call.text] = made = Contrasts(codes, known)
        recipes |= made.recipes
        known |= {*made.recipes, *made.levels.parameters}
    return replace(derived, recipes=recipes), found


def with_indicators(data: Columns, contrasts: Mapping[str, Contrasts], spool: str | None = None) -> Columns:
    """Return columns in which indicators of the levels stand in place of each column of codes, by its name.

    They are kept as `spool.gather` keeps columns; ``data`` are closed.
    """
    names = [
        other for name in data.names for other in (contrasts[name].recipes if name in contrasts else (name,))
    ]
    with data, Rows(len(names), None, spool) as rows:
        for _, arrays in data.chunks():
            columns: list[Array] = []
            for name, array in zip(data.names, arrays, strict=True):
                made = contrasts.get(name)
                columns += [array] if made is None else [np.where(array == k, 1.0, 0.0) for k in made.codes]
            rows.add(columns)
        return rows.columns(names)


def check_titles(model: Model, table: DataTable) -> None:
    """Raise UsageError for a name in the model that two columns have, and for one that a file without header lacks."""
    measured = () if model.left is None else model.left.names
    for name in model.names:
        if name in table.names:
            continue
        same = [own for own, title in zip(table.names, table.titles, strict=True) if title == name]
        if len(same) > 1:
            hint = f"write {' or '.join(same)}: they are numbered from the left"
            raise UsageError(f"{len(same)} columns are called {name}", hint, place_of(model, name))
        if table.is_unnamed and name in measured:
            count = len(table.names)
            names = ",".join("xyzuvw"[:count]) if 1 < count < 7 else f"{name},..."
            hint = f"--columns {names} names its {count} columns; they are {', '.join(table.names[:4])} without it"
            told = f"{name} is no column of {table.sources[0].name}, which has no header"
            raise UsageError(told, hint, place_of(model, name))


def asked_again(
    table: DataTable,
    categories: Mapping[str, Levels],
    dates: Mapping[str, tuple[str, str, bool | None, str | None]],
    constants: Mapping[str, Any],
    rows: Sequence[str] = (),
) -> AskedColumns:
    """Return what is asked of new rows: the indicators of the levels that a fit has found, and its columns of dates.

    Raises UsageError for a column of categories that the table does not have, and as `asked_of`.
    """
    asked = AskedColumns(table, constants)
    for name in filter(table.names.__contains__, dates):
        asked._dates[name] = DateForm(*dates[name]).dated(name)
        asked._tell()
    for text, found in categories.items():
        levels = tuple(
            known for each in (found.base, *found.parameters.values()) if (known := label(each)) is not None
        )
        for name, level in found.indicators.items():
            column = asked._known(name.removesuffix(f" == {level}"), text)
            known = label(level)
            assert known is not None
            asked._derive(name, Indicator((column,), known, levels))
    for text in rows:
        asked.keep(text)
    return asked
