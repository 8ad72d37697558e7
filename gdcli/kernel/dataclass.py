"""Dataclasses and named tuples that cost little to define.

The standard library writes, compiles and runs six functions for every dataclass at the moment it is defined, and
imports ``inspect`` for it: a third of the time of a small run, for classes that mostly are never made. Here the
comparison, the hash and the representation are shared functions that read the names of the fields, and so is the
``__init__`` of the first objects: a class compiles its own when there are more than a few. What ``dataclasses`` can do
with a dataclass (``fields``, ``replace``, ``asdict``, ``is_dataclass``) it can do with these, and type checkers see the
standard library's own.

Supported is what is used: ``frozen``, ``slots``, ``kw_only``, ``field(default, default_factory, init, repr, compare)``,
``__post_init__`` and inheritance.

A named tuple of the standard library compiles its ``__new__``, and each of its annotations, when it is defined: a tenth
of a millisecond, of which a small run has some fifty. Here ``__new__`` is compiled as late, annotations stay texts, and
the methods are shared. What is made is as fast and has all that a `typing.NamedTuple` has.

Those that may stand in a checkpoint are marked with `stored`, each under its tag. A class is written as its fields. One
that refers to what a run is on, or is cheaper made again than written, says how with two methods: ``to_store(self,
write)``, and the class method ``from_store(cls, content, read)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from dataclasses import MISSING as MISSING
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import fields as fields
    from dataclasses import is_dataclass as is_dataclass
    from dataclasses import replace as replace
    from typing import NamedTuple as NamedTuple
else:
    from _collections import _tuplegetter

    MISSING = object()
    # So many objects are made without code of their own: to compile it takes as long as to make some fifty.
    _FEW = 32

    class _Field:
        """What is known of one field; ``type`` is the annotation as written."""

        __slots__ = ("compare", "default", "default_factory", "init", "name", "repr", "type")

        def __init__(self, default, default_factory, init, repr, compare):
            self.default, self.default_factory = default, default_factory
            self.init, self.repr, self.compare = init, repr, compare

        @property
        def is_required(self):
            return self.default is MISSING and self.default_factory is MISSING

    def field(*, default=MISSING, default_factory=MISSING, init=True, repr=True, compare=True):
        return _Field(default, default_factory, init, repr, compare)

    def fields(item):
        """Return the fields of a dataclass or of an object of one, in the order of their definition."""
        return tuple(item.__fields__.values())

    def is_dataclass(item):
        return hasattr(item, "__fields__")

    def replace(item, /, **changes):
        """Return a copy of ``item`` with some fields changed. Raises TypeError for a name that is no field."""
        for name, one in item.__fields__.items():
            if one.init and name not in changes:
                changes[name] = getattr(item, name)
        return type(item)(**changes)

    def dataclass(cls=None, *, frozen=False, slots=False, kw_only=False):
        """Make a class with annotated fields a dataclass, as `dataclasses.dataclass` does.

        With ``kw_only`` all fields are, those of its bases too.
        """
        if cls is None:
            return lambda one: dataclass(one, frozen=frozen, slots=slots, kw_only=kw_only)
        known = {}
        for base in reversed(cls.__mro__[1:]):
            known.update(getattr(base, "__fields__", {}))
        own = _own_fields(cls)
        known.update(own)
        if slots:
            cls = _with_slots(cls, own)
        cls.__fields__ = known
        cls.__match_args__ = () if kw_only else tuple(name for name, one in known.items() if one.init)
        cls.__init__ = _first_init(cls, frozen, kw_only)
        cls.__dataclass_fields__, cls.__signature__ = _STANDARD_FIELDS, _SIGNATURE
        for name, method in (("__repr__", _repr), ("__eq__", _eq)):
            if name not in cls.__dict__:
                setattr(cls, name, method)
        if frozen:
            cls.__setattr__, cls.__delattr__ = _refuse_set, _refuse_delete
            cls.__getstate__, cls.__setstate__ = _getstate, _setstate
        if "__hash__" not in cls.__dict__ or cls.__dict__["__hash__"] is None:
            cls.__hash__ = _hash if frozen else None
        return cls

    def _own_fields(cls):
        found = {}
        for name, annotation in cls.__annotations__.items():
            if "ClassVar" in str(annotation).partition("[")[0]:
                continue
            one = cls.__dict__.get(name, MISSING)
            if not isinstance(one, _Field):
                one = _Field(one, MISSING, True, True, True)
            elif one.default is MISSING:
                delattr(cls, name)
            if one.default is not MISSING:
                setattr(cls, name, one.default)
            one.name, one.type = name, annotation
            found[name] = one
        return found

    def _with_slots(cls, own):
        """The class anew: slots can be given only when a class is made, and a default would stand in their way."""
        inside = {
            k: v for k, v in cls.__dict__.items() if k not in own and k not in ("__dict__", "__weakref__")
        }
        inside["__slots__"] = tuple(own)
        made = type(cls)(cls.__name__, cls.__bases__, inside)
        made.__qualname__ = cls.__qualname__
        return made

    def _first_init(cls, frozen, kw_only):
        made = 0

        def __init__(self, *args, **kwargs):  # noqa: N807
            nonlocal made
            made += 1
            values = _values_given(cls, args, kwargs) if made <= _FEW else None
            if values is None:
                cls.__init__ = _compiled_init(cls, frozen, kw_only)
                cls.__init__(self, *args, **kwargs)
                return
            for name, value in values.items():
                object.__setattr__(self, name, value)
            if hasattr(cls, "__post_init__"):
                self.__post_init__()

        return __init__

    def _values_given(cls, args, kwargs):
        """The values of the fields by name; None for arguments that are refused."""
        given, found = dict(zip(cls.__match_args__, args, strict=False)), {}
        if len(args) > len(given) or not given.keys().isdisjoint(kwargs):
            return None
        given |= kwargs
        for name, one in cls.__fields__.items():
            if one.init and name in given:
                found[name] = given.pop(name)
            elif one.default_factory is not MISSING:
                found[name] = one.default_factory()
            elif one.default is not MISSING:
                found[name] = one.default
            elif one.init:
                return None
        return None if given else found

    def _compiled_init(cls, frozen, kw_only):
        inside = {"_missing": MISSING}
        parameters, lines = ["self", *("*" for _ in range(kw_only and bool(cls.__fields__)))], []
        for name, one in cls.__fields__.items():
            value = name
            if one.default_factory is not MISSING:
                inside[f"_make_{name}"] = one.default_factory
                value = f"_make_{name}() if {name} is _missing else {name}" if one.init else f"_make_{name}()"
            if one.init:
                inside[f"_default_{name}"] = one.default
                parameters.append(name if one.is_required else f"{name}=_default_{name}")
            elif one.is_required:
                continue
            elif one.default is not MISSING:
                inside[f"_default_{name}"] = one.default
                value = f"_default_{name}"
            lines.append(_setting_frozen(cls, name, value, inside) if frozen else f"self.{name} = {value}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n    ".join(lines) or "pass"
        exec(f"def __init__({', '.join(parameters)}):\n    {body}", inside)
        made = inside["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        return made

    def _setting_frozen(cls, name, value, inside):
        slot = getattr(cls, name, None)
        if hasattr(slot, "__set__"):
            inside[f"_set_{name}"] = slot.__set__
            return f"_set_{name}(self, {value})"
        inside[f"_set_{name}"] = object.__setattr__
        return f"_set_{name}(self, {name!r}, {value})"

    def _values(item):
        return tuple(getattr(item, name) for name, one in item.__fields__.items() if one.compare)

    def _eq(self, other):
        return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self):
        return hash(_values(self))

    def _repr(self):
        shown = (f"{name}={getattr(self, name)!r}" for name, one in self.__fields__.items() if one.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _refuse_set(self, name, value):
        raise AttributeError(f"cannot assign to {name!r} of a frozen {type(self).__name__}")

    def _refuse_delete(self, name):
        raise AttributeError(f"cannot delete {name!r} of a frozen {type(self).__name__}")

    def _getstate(self):
        return [getattr(self, name) for name in self.__fields__]

    def _setstate(self, state):
        for name, value in zip(self.__fields__, state, strict=True):
            object.__setattr__(self, name, value)

    class _OnDemand:
        """An attribute of a class that is computed when somebody asks for it."""

        def __init__(self, compute):
            self.compute = compute

        def __get__(self, item, owner):
            return self.compute(owner)

    def _standard_fields(cls):
        """The fields as `dataclasses` describes them: those of a standard dataclass with the same annotations."""
        import dataclasses

        def described(one):
            given = {
                k: getattr(one, k) for k in ("default", "default_factory") if getattr(one, k) is not MISSING
            }
            return dataclasses.field(init=one.init, repr=one.repr, compare=one.compare, **given)

        listed = [(name, one.type, described(one)) for name, one in cls.__fields__.items()]
        return dataclasses.make_dataclass(
            cls.__name__, listed, kw_only=not cls.__match_args__
        ).__dataclass_fields__

    def _signature(cls):
        import inspect

        def parameter(name, one):
            kind = (
                inspect.Parameter.POSITIONAL_OR_KEYWORD
                if cls.__match_args__
                else inspect.Parameter.KEYWORD_ONLY
            )
            default = inspect.Parameter.empty if one.is_required else one.default
            return inspect.Parameter(name, kind, default=default, annotation=one.type)

        return inspect.Signature([parameter(n, one) for n, one in cls.__fields__.items() if one.init])

    _STANDARD_FIELDS, _SIGNATURE = _OnDemand(_standard_fields), _OnDemand(_signature)

    class _NamedTupleType(type):
        """Makes of each class that names `NamedTuple` as its base a tuple with names, which is of this type no more."""

        def __new__(cls, name, bases, inside):
            if not bases:
                return super().__new__(cls, name, bases, inside)
            names = tuple(inside.get("__annotations__", ()))
            defaults = {field: inside[field] for field in names if field in inside}
            for place, field in enumerate(names):
                inside[field] = _tuplegetter(place, "")
            inside |= {
                "__slots__": (),
                "_fields": names,
                "__match_args__": names,
                "_field_defaults": defaults,
            }
            made = type(name, (tuple,), _SHARED | inside)
            made.__new__ = _first_new(made)
            return made

    def _first_new(made):
        count, names = 0, made._fields

        def __new__(cls, *args, **kwargs):  # noqa: N807
            nonlocal count
            count += 1
            rest, known = names[len(args) :], made._field_defaults | kwargs
            fits = len(args) <= len(names) and all(name in rest for name in kwargs)
            if count <= _FEW and fits and all(name in known for name in rest):
                return tuple.__new__(cls, (*args, *(known[name] for name in rest)))
            made.__new__ = _compiled_new(made)
            return made.__new__(cls, *args, **kwargs)

        return __new__

    def _compiled_new(made):
        space = {"_make": tuple.__new__, **{f"_default_{k}": v for k, v in made._field_defaults.items()}}
        given = [f"{k}=_default_{k}" if k in made._field_defaults else k for k in made._fields]
        values = "".join(f"{k}, " for k in made._fields)
        exec(f"def __new__(_cls, {', '.join(given)}):\n    return _make(_cls, ({values}))", space)
        space["__new__"].__qualname__ = f"{made.__qualname__}.__new__"
        return space["__new__"]

    def _make_tuple(cls, values):
        found = tuple.__new__(cls, values)
        if len(found) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(found)}")
        return found

    def _replace_some(self, /, **changes):
        found = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return found

    def _repr_of_tuple(self):
        shown = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"

    _SHARED = {
        "_make": classmethod(_make_tuple),
        "_replace": _replace_some,
        "_asdict": lambda self: dict(zip(self._fields, self, strict=True)),
        "__repr__": _repr_of_tuple,
        "__getnewargs__": lambda self: tuple(self),
    }

    class NamedTuple(metaclass=_NamedTupleType):
        """The base of a class whose annotated names are the items of a tuple, as `typing.NamedTuple`."""


# -- what may stand in a checkpoint ------------------------------------------------------------------------------------

Class = TypeVar("Class", bound=type)
# By tag, and the tag of each class. A file makes no object of any other class.
CLASSES: dict[str, type] = {}
TAGS: dict[type, str] = {}
# By class: what fields were called in files of earlier versions, and are called now.
RENAMED: dict[type, dict[str, str]] = {}


class Writer(Protocol):
    """Turns values into JSON values; ``objective`` is what a run is on."""

    objective: Any

    def __call__(self, value: object) -> Any:
        """Return ``value`` as a JSON value. Raises TypeError where it cannot be stored."""


class Reader(Protocol):
    """Turns JSON values into values again; ``objective`` is what a run is on."""

    objective: Any

    def __call__(self, value: object) -> Any: ...

    def on(self, objective: object) -> Reader:
        """Return a reader of states of runs on another objective."""


def stored(tag: str = "", **renamed: str) -> Callable[[Class], Class]:
    """Mark a class as one that may stand in a checkpoint, under ``tag`` or its own name; no tag ever changes.

    ``renamed`` are the present names of fields by those that they had in files of earlier versions; "" is that of one
    that there is no more.
    """

    def mark(kind: Class) -> Class:
        name = tag or kind.__name__
        if CLASSES.setdefault(name, kind).__module__ != kind.__module__:
            raise TypeError(f"{CLASSES[name].__module__} stores a {name} already")
        CLASSES[name], TAGS[kind], RENAMED[kind] = kind, name, renamed
        return kind

    return mark
