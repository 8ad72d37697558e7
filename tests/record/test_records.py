"""Records: what was written is read as the same record, and what is none is refused."""

from __future__ import annotations

import json
import math
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import fakes
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.dataclass import MISSING, fields, replace
from gdcli.record.analyses import GradientRecord, TraceRecord
from gdcli.record.compared import BatchesRecord, MethodsRecord, RatesRecord
from gdcli.record.fits import EpochPoint, FitRecord
from gdcli.record.runs import PathPoint, RunRecord, run_record
from gdcli.record.schema import Record
from gdcli.record.serialization import json_text, upgraded

KINDS: tuple[type[Record], ...] = (
    RunRecord,
    FitRecord,
    PathPoint,
    EpochPoint,
    GradientRecord,
    TraceRecord,
    RatesRecord,
    MethodsRecord,
    BatchesRecord,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text("abcxyz_", min_size=1, max_size=3)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """All values of a type that a field of a record has."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of([values_of(part) for part in parts])
    if isinstance(hint, type) and issubclass(hint, Record):
        return records_of(hint)
    if hasattr(hint, "_fields"):
        named = {name: values_of(part) for name, part in get_type_hints(hint).items()}
        return st.fixed_dictionaries(named).map(lambda given: hint(**given))
    if origin is list:
        return st.lists(values_of(parts[0]), max_size=3)
    if origin is tuple:
        if Ellipsis in parts:
            return st.lists(values_of(parts[0]), max_size=3).map(tuple)
        return st.tuples(*map(values_of, parts))
    if origin is not None:  # a mapping
        return st.dictionaries(NAMES, values_of(parts[1]), max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        float: FLOATS,
        int: st.integers(0, 99),
        str: st.text(max_size=5),
        bool: st.booleans(),
    }
    plain |= {type(None): st.none(), Any: st.none() | FLOATS}
    return plain[hint]


def records_of(kind: type[Record]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    made = {one.name: values_of(hints[one.name]) for one in fields(kind)}
    return st.fixed_dictionaries(made).map(lambda given: kind(**given))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=examples(40))
@given(data=st.data())
def test_what_was_written_is_read_as_the_same(kind: type[Record], data: Any) -> None:
    record = data.draw(records_of(kind))
    assert kind.from_json(json.loads(json_text(record.to_json()))) == record


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_values_that_are_not_finite_are_told_by_a_word(value: float) -> None:
    record = replace(run_record(fakes.outcome()), value=value)
    told = json.loads(json_text(record.to_json()))
    assert (told["value"], told["value_is"]) == (None, repr(value))
    assert RunRecord.from_json(told).value == value


def test_a_field_with_a_default_is_written_where_it_differs() -> None:
    told = run_record(fakes.outcome()).to_json()
    for kind, inside in ((RunRecord, told), (type(run_record(fakes.outcome()).problem), told["problem"])):
        required = {one.name for one in fields(kind) if one.default is MISSING}
        assert required <= set(inside)
    assert "starts" not in told
    assert told["why"] == "chosen for this test"


@pytest.mark.parametrize(
    "change",
    [
        {"value": "1"},
        {"iterations": 1.5},
        {"iterations": True},
        {"point": [1.0]},
        {"point": {"x": "1"}},
        {"warnings": "none"},
        {"certificate": None},
        {"problem": {}},
    ],
    ids=str,
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    record = run_record(fakes.outcome())
    told = record.to_json()
    assert RunRecord.from_json(told) == record
    with pytest.raises((TypeError, KeyError)):
        RunRecord.from_json(told | change)


def test_the_words_of_an_annex_become_fields() -> None:
    told = run_record(fakes.outcome()).to_json()
    page = {"why": "so", "advice": "go on", "evidence": "lanczos", "distance": 0.5, "best": 3, "last": 4}
    receipt = {"command": "minimize", "options": {}, "python": "3", "machine": "m", "kernels": {}}
    found = RunRecord.from_json(upgraded(told | {"receipt": receipt | {"page": page | {"drawn": True}}}))
    assert (found.why, found.advice, found.best_iteration) == ("so", "go on", 3)
    assert (found.certificate.evidence, found.certificate.distance) == ("lanczos", 0.5)
    assert found.problem.drawn
