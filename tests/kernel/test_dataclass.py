"""Dataclasses that are cheap to define, held against those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from typing import Any, ClassVar

import pytest

from gdcli.kernel import dataclass as ours


@ours.dataclass(frozen=True, slots=True)
class Frozen:
    """Fields of every kind."""

    a: int
    b: float = 2.0
    many: list[int] = ours.field(default_factory=list)
    shadow: int = ours.field(default=7, compare=False, repr=False)
    kind: ClassVar[str] = "shared"

    @property
    def double(self) -> int:
        """Twice the first field."""
        return 2 * self.a


@ours.dataclass(slots=True)
class Open:
    """One that can change."""

    a: int
    twice: int = ours.field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.a


@ours.dataclass(slots=True)
class Longer(Open):
    """One with a field more."""

    c: str = "c"


@ours.dataclass(frozen=True)
class Loose:
    """Without slots."""

    a: int
    b: int = 1


def standard(cls: Any, frozen: bool) -> Any:
    """The same fields as a dataclass of the standard library."""
    made = dataclasses.make_dataclass(
        cls.__name__,
        [
            (
                f.name,
                f.type,
                dataclasses.field(default=f.default, default_factory=f.default_factory, **flags(f)),
            )
            for f in dataclasses.fields(cls)
        ],
        frozen=frozen,
    )
    made.__qualname__ = cls.__qualname__
    return made


def flags(field: Any) -> dict[str, bool]:
    return {name: getattr(field, name) for name in ("init", "repr", "compare")}


@pytest.mark.parametrize(("cls", "frozen"), [(Frozen, True), (Open, False), (Longer, False), (Loose, True)])
def test_fields_signature_and_representation_are_those_of_the_standard_library(
    cls: Any, frozen: bool
) -> None:
    same = standard(cls, frozen)
    one = cls(3)
    assert [f.name for f in ours.fields(cls)] == [f.name for f in dataclasses.fields(one)]
    assert ours.is_dataclass(cls)
    assert dataclasses.is_dataclass(one)
    names = [p.replace(annotation="") for p in inspect.signature(same).parameters.values()]
    mine = [p.replace(annotation="") for p in inspect.signature(cls).parameters.values()]
    assert [(p.name, p.kind) for p in mine] == [(p.name, p.kind) for p in names]
    if cls not in (Open, Longer):  # the stand-in has no __post_init__
        assert repr(one) == repr(same(3))
    assert cls.__match_args__ == same.__match_args__


def test_values_defaults_and_comparison() -> None:
    one, two = Frozen(1), Frozen(1, shadow=8)
    assert (one.a, one.b, one.many, one.shadow, one.double, Frozen.kind) == (1, 2.0, [], 7, 2, "shared")
    assert one.many is not two.many
    assert one == two
    assert one != Frozen(2)
    assert one != (1, 2.0, [])
    assert Loose(1) == Loose(1, 1)
    assert hash(Loose(1)) == hash(Loose(1, 1))
    assert (Longer(4).twice, Longer(4).c, Longer(4, "d").c) == (8, "c", "d")
    assert dataclasses.asdict(one) == {"a": 1, "b": 2.0, "many": [], "shadow": 7}


def test_what_is_refused() -> None:
    one = Frozen(1)
    with pytest.raises(AttributeError, match="cannot assign to 'a'"):
        one.a = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot delete 'a'"):
        del one.a  # type: ignore[misc]
    with pytest.raises(TypeError):
        Frozen()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Frozen(1, wrong=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open(1))
    with pytest.raises(AttributeError):
        Open(1).unknown = 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("replaced", [ours.replace, dataclasses.replace])
def test_copies(replaced: Any) -> None:
    one = Frozen(1, 3.0, [4], 5)
    assert replaced(one, a=2) == Frozen(2, 3.0, [4], 5)
    assert replaced(one, a=2).shadow == 5
    assert replaced(Open(1), a=5).twice == 10
    with pytest.raises(TypeError):
        replaced(one, wrong=2)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == copy.copy(one) == one


# -- named tuples ------------------------------------------------------------------------------------------------


class Cheap(ours.NamedTuple):
    """A place with a name."""

    x: float
    y: float = 2.0
    name: str = "here"

    @property
    def sum(self) -> float:
        """Both numbers."""
        return self.x + self.y

    @classmethod
    def origin(cls) -> Cheap:
        """The place where both are zero."""
        return cls(0.0, 0.0)

    def __str__(self) -> str:
        return f"{self.name} of {__class__.__name__}"  # type: ignore[name-defined]


class Costly(typing.NamedTuple):
    """The same of the standard library."""

    x: float
    y: float = 2.0
    name: str = "here"


@pytest.mark.parametrize(
    "use",
    [
        lambda cls: tuple(cls(1.0)),
        lambda cls: tuple(cls(1.0, name="a")),
        lambda cls: cls(y=1.0, x=3.0).x,
        lambda cls: repr(cls(1.0, 3.0)).partition("(")[2],
        lambda cls: cls(1.0)._asdict(),
        lambda cls: tuple(cls(1.0)._replace(y=7.0)),
        lambda cls: tuple(cls._make((1.0, 2.0, "b"))),
        lambda cls: (cls._fields, cls._field_defaults, cls.__match_args__),
        lambda cls: (cls(1.0) == (1.0, 2.0, "here"), hash(cls(1.0)) == hash((1.0, 2.0, "here"))),
        lambda cls: (isinstance(cls(1.0), tuple), type(cls), cls.__mro__[1:]),
        lambda cls: pickle.loads(pickle.dumps(cls(1.0))) == cls(1.0),
        lambda cls: (copy.copy(cls(1.0)) == cls(1.0), type(copy.deepcopy(cls(1.0))) is cls),
        lambda cls: cls(1.0) < cls(2.0),
        lambda cls: cls.__doc__ is not None,
        lambda cls: hasattr(cls(1.0), "__dict__"),
        lambda cls: typing.get_type_hints(cls),
    ],
)
def test_a_named_tuple_is_as_the_standard_one(use: Any) -> None:
    assert use(Cheap) == use(Costly)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda cls: cls(),
        lambda cls: cls(1.0, 2.0, "a", 4),
        lambda cls: cls(1.0, z=2.0),
        lambda cls: cls._make((1.0,)),
        lambda cls: cls(1.0)._replace(z=2.0),
        lambda cls: setattr(cls(1.0), "x", 2.0),
        lambda cls: setattr(cls(1.0), "z", 2.0),
    ],
)
def test_a_named_tuple_refuses_what_the_standard_one_does(misuse: Any) -> None:
    with pytest.raises(Exception) as wanted:  # noqa: PT011
        misuse(Costly)
    with pytest.raises(wanted.type):
        misuse(Cheap)


def test_methods_of_a_named_tuple() -> None:
    assert Cheap(1.0).sum == 3.0
    assert Cheap.origin() == (0.0, 0.0, "here")
    assert str(Cheap(1.0)) == "here of Cheap"
    match Cheap(1.0, 5.0):
        case Cheap(x, y):
            assert (x, y) == (1.0, 5.0)


def test_the_first_objects_are_as_those_after_them() -> None:
    """The first ones are made by a shared function, the others by one that is compiled."""

    class Counted(ours.NamedTuple):
        x: int
        y: int = 2

    @ours.dataclass(frozen=True, slots=True)
    class Kept:
        x: int
        many: list[int] = ours.field(default_factory=list)

    @ours.dataclass(slots=True)
    class Doubled:
        x: int
        twice: int = ours.field(init=False)

        def __post_init__(self) -> None:
            self.twice = 2 * self.x

    for i in range(100):
        assert Counted(i) == Counted(x=i, y=2) == (i, 2)
        assert Kept(i) == Kept(x=i, many=[])
        assert Kept(i).many is not Kept(i).many
        assert Doubled(i).twice == 2 * i
        for kind in (Counted, Kept, Doubled):
            for wrong in (
                lambda kind=kind: kind(),
                lambda kind=kind: kind(1, 2, 3),
                lambda kind=kind: kind(1, x=1),
            ):
                with pytest.raises(TypeError):
                    wrong()
    assert "y=" in str(inspect.signature(Counted.__new__))  # compiled by now
