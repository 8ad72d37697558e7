"""Records: what is told of an answer, as frozen dataclasses of plain numbers and texts.

A page, a picture and every machine format are made from a record, and a stored answer is read into the same class: so
what its page shows is what the page of its run showed. The names of the fields are those of JSON (docs/json.md). A
field without a default is always written, one with a default where it differs from it; so a file that lacks a field
which came later still reads. A name that is a word of Python has an underscore behind it, which JSON has not. A named
tuple of what was computed is written and read in the same way, where its names are those of JSON.

JSON has no numbers that are not finite. The field ``value`` tells with a word beside it (``value_is``) which one it
was; elsewhere null stands for it, and is read as nan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from gdcli.kernel.dataclass import MISSING, dataclass, fields

if TYPE_CHECKING:
    from typing import Self

SCHEMA = "gd.result/1"

Json = dict[str, Any]
Number = float | list[float]
Values = Mapping[str, Number]
# Constants are matrices too.
Constants = Mapping[str, float | list[float] | list[list[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records can do; ``HEAD`` stands before their fields in JSON.

    A class that names a field of its base anew keeps its place, and the fields after it stand behind it.
    """

    HEAD: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def of(cls, *sources: object, **own: Any) -> Self:
        """Return the record of fields that are given; the others are attributes of the same names of ``sources``."""
        for name, _ in _ORDERS[cls]:
            for source in () if name in own else sources:
                value = getattr(source, name, MISSING)
                if value is not MISSING:
                    own[name] = value
                    break
        return cls(**own)

    @classmethod
    def blank(cls, **own: Any) -> Self:
        """Return the record of fields that are given; the others are None, or at their default."""
        nothing = {one.name: None for one in fields(cls) if one.default is MISSING}
        return cls(**nothing | own)

    def always(self) -> Sequence[str]:
        """Return the names of fields that are written also where they are at their default."""
        return ()

    def to_json(self) -> Json:
        return dict(self.HEAD) | _written(self, self.always())

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Return the record that was written. Raises KeyError, TypeError or ValueError for what is no such record."""
        return cls(**_fields_read(cls, told))


# What JSON has as it is.
_PLAIN = frozenset((type(None), bool, int, float, str))


class _Orders(dict[type, tuple[tuple[str, Any], ...]]):
    """The names of the fields of each class in the order of JSON, each with its default."""

    def __missing__(self, cls: type) -> tuple[tuple[str, Any], ...]:
        if not issubclass(cls, Record):
            names, known = (getattr(cls, part) for part in ("_fields", "_field_defaults"))
            found = self[cls] = tuple((name, known.get(name, MISSING)) for name in names)
            return found
        order: list[str] = []
        for base in reversed(cls.__mro__[:-1]):
            place = len(order)
            for name in base.__annotations__:
                if name in order:
                    place = order.index(name) + 1
                elif name != "HEAD":
                    order.insert(place, name)
                    place += 1
        defaults = {one.name: one.default for one in fields(cls)}
        found = self[cls] = tuple((name, defaults[name]) for name in order)
        return found


_ORDERS = _Orders()


def _written(one: object, always: Sequence[str] = ()) -> Json:
    found: Json = {}
    for name, default in _ORDERS[type(one)]:
        value = getattr(one, name)
        if value == default and name not in always:
            continue
        found[name.rstrip("_")] = value if type(value) in _PLAIN else plain(value)
        if name == "value" and isinstance(value, float) and not isfinite(value):
            found["value_is"] = repr(value)
    return found


def _fields_read(cls: type, told: Mapping[str, Any]) -> dict[str, Any]:
    hints, found = get_type_hints(cls), dict[str, Any]()
    for name, default in _ORDERS[cls]:
        key = name.rstrip("_")
        value = told[key] if default is MISSING else told.get(key, default)
        if value is None and "value_is" in told and name == "value":
            value = float(told["value_is"])
        found[name] = value if value is default else _read(value, hints[name])
    return found


def _is_named(kind: type) -> bool:
    """Tell whether values of this kind are written by the names of their fields."""
    return issubclass(kind, Record) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: records as dictionaries, numbers and vectors of any kind as floats."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Record):
        return value.to_json()
    if _is_named(type(value)):
        return _written(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return float(value)
    if set(map(type, value)) <= {float}:  # long vectors take no detour
        return list(value)
    return [plain(item) for item in value]


def _read(value: object, hint: object) -> Any:
    from types import NoneType, UnionType

    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        return _read_first(value, [part for part in parts if part is not NoneType])
    if hint is float:
        return nan if value is None else float(_of_kind(value, int | float))
    if isinstance(hint, type) and _is_named(hint):
        return hint(**_fields_read(hint, _of_kind(value, Mapping)))
    if origin in (list, tuple, Sequence):
        return _read_items(_of_kind(value, list), origin, parts)
    if origin in (Mapping, dict):
        return {str(name): _read(item, parts[1]) for name, item in _of_kind(value, Mapping).items()}
    return _of_kind(value, hint)


def _read_items(items: list[Any], origin: object, parts: Sequence[Any]) -> Sequence[Any]:
    if origin is not tuple:
        return [_read(item, parts[0]) for item in items]
    hints = [parts[0]] * len(items) if Ellipsis in parts else parts
    return tuple(_read(item, hint) for item, hint in zip(items, hints, strict=True))


def _read_first(value: object, hints: Sequence[Any]) -> Any:
    for hint in hints[:-1]:
        try:
            return _read(value, hint)
        except (TypeError, ValueError, LookupError):
            continue
    return _read(value, hints[-1])


def _of_kind(value: object, kind: Any) -> Any:
    """Return a value that is of this kind; true and false are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{str(value)[:40]!r} is not of the kind that is expected")
    return value


def assignments(values: Mapping[str, Any]) -> str:
    """Return plain values by name as they are typed after an option: ``x=1.0,v=[1.0,2.0]``."""
    return ",".join(f"{name}={value!r}".replace(" ", "") for name, value in values.items())


def signed(sign: int, value: float | None) -> float | None:
    """Return ``value`` with the user's sign; never -0.0."""
    return None if value is None else sign * value + 0.0


def told(found: Record, timing: bool, parts: str = "") -> Json:
    """Return what is written of a record, and of its ``parts``, a list of records.

    Times and engine, which differ from run to run, are written only where they are asked for; a part that has no time
    beside others that have one says so.
    """
    record = found.to_json()
    runs = record.get(parts, ())
    for one in () if timing else (record, *runs):
        one.pop("seconds", None)
        one.pop("engine", None)
    if any("seconds" in one for one in runs):
        for one in runs:
            one.setdefault("seconds", None)
    return record
