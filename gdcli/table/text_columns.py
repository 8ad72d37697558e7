"""Columns of texts as numbers: dates and times, and categories.

Dates and times are days or seconds since an origin. What the first row has tells how a column is read: dates alone are
days since the first of them, with a time of the day they are seconds since the midnight before it, times alone seconds
since midnight. The option tells another unit or origin, ``--dates 't=hours since 2024-01-01'``, and how a date is
written, ``--dates 't=days as %d/%m/%Y'``. Times with an offset are taken in UTC; a day has 86400 seconds.

Of a category each row's level is a number while a table is read; afterwards there are indicators of the levels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import DataError, Span, UsageError, did_you_mean
from gdcli.kernel.vectors import Array, np
from gdcli.language.row_condition import Category, Levels
from gdcli.table.blocks import Cells, Label
from gdcli.table.cells import label, shown
from gdcli.table.header import numbered

OPTION = "--dates"
EXAMPLE = "for example --dates t=days, --dates 't=hours since 2024-01-01', --dates 't=days as %d/%m/%Y'"
UNITS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<part>[.,]\d+)?)?\s*(?P<half>[AaPp][Mm])?"
_ZONE = r"\s*(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)?"
_DAYS = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
)
_SLASHED = r"(?P<one>\d{1,2})(?P<mark>[/-])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4})"
_OPTION = re.compile(
    r"\s*(?P<column>[^=]+?)\s*=\s*(?P<unit>\w+)(?:\s+since\s+(?P<origin>.+?))?(?:\s+as\s+(?P<form>.*%.*?))?\s*"
)


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    days = (*_DAYS, _SLASHED)
    return (*(re.compile(rf"{day}(?:[T\s]\s*{_TIME}{_ZONE})?") for day in days), re.compile(_TIME))


def read(text: str, day_first: bool | None = None) -> datetime | None:
    """Return the moment that a cell says, of the day 1900-01-01 where it has none.

    None where it is no date and no time, and for 3/4/2024 unless ``day_first`` is known.
    """
    for pattern in _patterns():
        found = pattern.fullmatch(text.strip())
        if found is None:
            continue
        part = found.groupdict()
        if "one" in part:
            day_first = _is_day_first(part["one"], part["two"]) if day_first is None else day_first
            if day_first is None:
                return None
            part["day"], part["month"] = (part["one"], part["two"])[:: 1 if day_first else -1]
        return _read(part)
    return None


def _is_day_first(one: str, two: str) -> bool | None:
    return None if int(one) <= 12 and int(two) <= 12 else int(one) > 12


def _read(part: Mapping[str, str | None]) -> datetime | None:
    def whole(name: str, least: int = 0) -> int:
        return int(part.get(name) or least)

    hour, half = whole("hour"), (part["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    micro = round(float("0." + part["part"][1:]) * 1e6) if part["part"] else 0
    try:
        at = datetime(
            whole("year", 1900), whole("month", 1), whole("day", 1), hour, whole("minute"), whole("second")
        )
        return _in_utc(at + timedelta(microseconds=micro), part.get("zone"))
    except (ValueError, OverflowError):
        return None


def _in_utc(at: datetime, zone: str | None) -> datetime:
    if not zone:
        return at
    digits = zone[1:].replace(":", "") if zone[0] in "+-" else "0"
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return (at - offset if zone[0] == "+" else at + offset).replace(tzinfo=UTC)


def looks_dated(text: str) -> bool:
    """Tell whether a cell is a date or a time, in whatever order its day and month may be."""
    return any(pattern.fullmatch(text.strip()) for pattern in _patterns())


@dataclass(frozen=True, slots=True)
class Dated:
    """A column of dates as numbers in a ``unit`` since ``origin``; ``form`` is that of strptime, None: a usual one."""

    texts: tuple[str, ...]
    unit: str
    origin: datetime
    day_first: bool | None = None
    form: str | None = None
    numbers: tuple[str, ...] = ()

    def of(self, cells: Cells) -> Array:
        labels = cells.texts[self.texts[0]]
        known = [np.nan if value is None else self.number(value) for value in labels.values]
        return np.array([*known, np.nan])[labels.codes] if len(labels.codes) else np.zeros(0)

    def number(self, cell: str | float) -> float:
        """Return the number that a cell is, nan where it is no such date."""
        at = moment(shown(cell), self.form, self.day_first)
        if at is None or (at.tzinfo is None) != (self.origin.tzinfo is None):
            return float("nan")
        return (at - self.origin) / timedelta(seconds=UNITS[self.unit])

    def fault(self, cells: Mapping[str, object]) -> str:
        cell = cells[self.texts[0]]
        zoned = read(str(cell), self.day_first)
        if zoned is not None and (zoned.tzinfo is None) != (self.origin.tzinfo is None):
            return f"{self.texts[0]} = {cell}: times with and without a zone do not go together"
        return f"{self.texts[0]} = {cell} is no date" + (f" of the form {self.form}" if self.form else "")

    @property
    def told(self) -> str:
        origin = self.origin
        midnight = (origin.hour, origin.minute, origin.second, origin.microsecond) == (0, 0, 0, 0)
        day = "" if origin.year == 1900 else origin.date().isoformat()
        time = "midnight" if midnight and not day else "" if midnight else origin.time().isoformat()
        zone = " UTC" if origin.tzinfo else ""
        return f"{self.texts[0]}: {self.unit} since {' '.join(filter(None, (day, time)))}{zone}"


class DateForm(NamedTuple):
    """How a column of dates was read: the unit, the origin as ISO 8601 writes it, and how dates are written."""

    unit: str
    origin: str
    day_first: bool | None
    form: str | None

    @classmethod
    def of(cls, dated: Dated) -> DateForm:
        return cls(dated.unit, dated.origin.isoformat(), dated.day_first, dated.form)

    def dated(self, column: str) -> Dated:
        return Dated((column,), self.unit, datetime.fromisoformat(self.origin), self.day_first, self.form)


def moment(text: str, form: str | None, day_first: bool | None) -> datetime | None:
    if form is None:
        return read(text, day_first)
    try:
        at = datetime.strptime(text.strip(), form)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at


class Asked(NamedTuple):
    """What is asked of a column of dates, in the ``text`` of the option."""

    column: str
    unit: str
    origin: str | None
    form: str | None
    text: str


def read_option(text: str) -> Asked:
    found = _OPTION.fullmatch(text)
    if found is None:
        raise UsageError(f"{OPTION} takes COLUMN=UNIT", EXAMPLE, Span(text, 0, len(text), OPTION))
    column, unit, origin, form = found.groups()
    unit = unit.lower()
    plural = unit if unit.endswith("s") else f"{unit}s"
    if plural not in UNITS:
        place = Span(text, *found.span("unit"), OPTION)
        raise UsageError(f"{found['unit']} is no unit of time here", f"one of {', '.join(UNITS)}", place)
    return Asked(column, plural, origin, form, text)


def dated(column: str, first: str, asked: Asked | None) -> Dated | None:
    """Return how a column is read whose first cell is ``first``; None where that is no date, and nothing is asked.

    Raises UsageError where the order of day and month is not known, or the first cell is not as it is told.
    """
    form = asked.form if asked else None
    if asked is None and not looks_dated(first):
        return None
    day_first = None if form is not None else _order(column, first)
    at = moment(first, form, day_first)
    if at is None:
        cell = first.strip() or "no text, or an empty cell"
        told = f"{column} begins with {cell}, which is no date" + (f" of the form {form}" if form else "")
        raise UsageError(told, EXAMPLE, Span(asked.text, 0, len(asked.text), OPTION) if asked else None)
    origin = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if asked is not None:
        return Dated((column,), asked.unit, _origin(asked, at, day_first) or origin, day_first, form)
    return Dated((column,), "seconds" if ":" in first else "days", origin, day_first, form)


def _order(column: str, first: str) -> bool | None:
    """Tell whether the day comes first in 31/1/2024; None for other spellings. Raises UsageError for 3/4/2024."""
    slashed = re.match(_SLASHED, first.strip())
    if slashed is None:
        return None
    day_first = _is_day_first(slashed["one"], slashed["two"])
    if day_first is None:
        time = {0: "", 1: " %H:%M"}.get(first.count(":"), " %H:%M:%S")
        orders = [slashed["mark"].join(parts) + time for parts in (("%d", "%m", "%Y"), ("%m", "%d", "%Y"))]
        hint = " or ".join(
            f"{OPTION} '{column}={'seconds' if time else 'days'} as {order}'" for order in orders
        )
        raise UsageError(f"{column} begins with {first.strip()}: which is the day?", hint)
    return day_first


def _origin(asked: Asked, at: datetime, day_first: bool | None) -> datetime | None:
    if asked.origin is None:
        return None
    given = read(asked.origin, day_first)
    if given is None:
        begin = asked.text.index(asked.origin)
        place = Span(asked.text, begin, begin + len(asked.origin), OPTION)
        raise UsageError(f"{asked.origin} is no date", "for example since 2024-01-31 12:00", place)
    return given if given.tzinfo or not at.tzinfo else given.replace(tzinfo=UTC)


MAX_LEVELS = 1000


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
            name = numbered(name, taken, found)
        found.append(name)
    return found
