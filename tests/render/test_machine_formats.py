"""The machine formats, read back by the readers of others."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import fakes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import Toy, sum_of_squares

from gdcli.kernel.errors import GdError, Span, UsageError
from gdcli.kernel.status import PointKind
from gdcli.kernel.vectors import Space, Vec
from gdcli.record.faults import error_record
from gdcli.record.runs import run_record
from gdcli.record.schema import plain
from gdcli.record.serialization import csv_line, json_block, json_text
from gdcli.render.machine_formats import Json, JsonLines, PathRows, Selected

SPACE = Space({"x": None, "y": None})
KEYS = [
    *("schema", "type", "problem", "method", "why", "gradient", "status", "reason", "message", "advice"),
    *("point", "value", "gradient_norm", "certificate", "iterations", "evaluations", "seed", "warnings"),
    "version",
]


def run(make, asked=None, most: int = 10, toy: Toy | None = None, **changes):
    stream = io.StringIO(newline="")
    writer = make(stream)
    outcome = fakes.outcome(asked, [writer], most, toy, **changes)
    writer.finish(run_record(outcome))
    return stream.getvalue(), outcome


def test_json_result_has_the_documented_keys_in_order() -> None:
    text, outcome = run(lambda s: Json(s, timing=False))
    record = json.loads(text)
    assert list(record) == KEYS
    assert list(record["problem"]) == ["expression", "sense", "start", "constants"]
    assert list(record["certificate"]) == [
        "kind",
        "eigenvalue_min",
        "eigenvalue_max",
        "condition",
        "estimated_gap",
        "evidence",
        "distance",
    ]
    assert list(record["evaluations"]) == ["value", "gradient", "hessian"]
    assert record["value"] == outcome.value
    assert record["point"] == outcome.point
    assert record["seed"] == 0
    assert record["status"] == "limit"


def test_times_and_engine_only_when_asked_for() -> None:
    text, _ = run(lambda s: Json(s, timing=True))
    assert list(json.loads(text)) == [*KEYS, "seconds", "engine"]


def test_json_lines() -> None:
    text, outcome = run(lambda s: JsonLines(s, 1, SPACE, 4, timing=False), most=10)
    *iterates, result = map(json.loads, text.splitlines())
    assert [it["iteration"] for it in iterates] == [0, 4, 8, 10]
    assert list(iterates[0]) == [
        "type",
        "iteration",
        "value",
        "gradient_norm",
        "step",
        "evaluations",
        "point",
    ]
    assert iterates[0]["step"] is None
    assert iterates[-1]["value"] == outcome.value
    assert list(result) == KEYS


def test_csv() -> None:
    text, outcome = run(lambda s: PathRows(s, 1, SPACE, 1, False), most=3)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert text.endswith("\r\n")
    assert [row["iteration"] for row in rows] == ["0", "1", "2", "3"]
    assert float(rows[-1]["value"]) == outcome.value
    assert float(rows[-1]["x"]) == outcome.point["x"]
    assert rows[0]["step"] == ""


def test_csv_of_vectors() -> None:
    asked = fakes.problem(start={"a": 1.0, "v": [1.0, 2.0]})
    text, _ = run(lambda s: PathRows(s, 1, Space({"a": None, "v": 2}), 1, False), asked, 2, sum_of_squares(3))
    assert next(csv.reader(io.StringIO(text)))[-3:] == ["a", "v[0]", "v[1]"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1))
def test_csv_cells_round_trip(cells: list[str]) -> None:
    assert next(csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True)) == cells


def test_a_maximisation_has_the_users_signs() -> None:
    asked = fakes.problem("maximize")
    text, _ = run(lambda s: JsonLines(s, -1, SPACE, 1, False), asked, 2)
    *iterates, result = map(json.loads, text.splitlines())
    assert iterates[0]["value"] == -24.199999999999996
    assert result["certificate"]["eigenvalue_min"] == -1001.6006392325123
    assert result["certificate"]["eigenvalue_max"] == -0.3993607674876216
    outcome = fakes.outcome(asked, most=1)
    turned = replace(outcome, certificate=replace(outcome.certificate, kind=PointKind.MINIMUM))
    assert run_record(turned).certificate.kind == "maximum"
    saddle = replace(
        outcome, certificate=replace(outcome.certificate, kind=PointKind.SADDLE, eigenvalue_min=None)
    )
    told = run_record(saddle).to_json()["certificate"]
    assert told | {"kind": "saddle", "eigenvalue_max": None} == told


def test_no_negative_zero() -> None:
    zero = Toy(1, lambda v: 0.0, lambda v: [0.0])
    asked = fakes.problem("maximize", start={"x": 1.0})
    text, _ = run(lambda s: Json(s, False), asked, 1, zero)
    assert math.copysign(1.0, json.loads(text)["value"]) == 1.0


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_json_is_strict_and_round_trips(value: object) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    read = json.loads(json_text(value), parse_constant=refuse)
    assert read == records_with_null(value)
    assert "\n" not in json_text(value)


def records_with_null(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [records_with_null(v) for v in value]
    return {k: records_with_null(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_json_block_has_a_line_per_key() -> None:
    assert json_block({"a": [1.0, math.inf], "b": {"c": 1}}) == '{\n  "a": [1.0, null],\n  "b": {"c": 1}\n}\n'


def test_numpy_does_not_leak() -> None:
    numpy = pytest.importorskip("numpy")
    point = plain({"v": numpy.array([1.0, 2.0]), "a": numpy.float64(3.0), "w": Vec([1.0])})
    assert json.loads(json_text(point)) == {"v": [1.0, 2.0], "a": 3.0, "w": [1.0]}


def test_print_selected() -> None:
    asked = fakes.problem(start={"a": 1.0, "v": [1.0, 2.0]})
    names = ["v", "a", "v[1]", "status", "iterations"]
    text, outcome = run(lambda s: Selected(s, names, asked), asked, 0, sum_of_squares(3))
    assert text == "1.0,2.0\t1.0\t2.0\tlimit\t0\n"
    text, outcome = run(lambda s: Selected(s, ["value"], asked), asked, 2, sum_of_squares(3))
    assert float(text) == outcome.value


def test_a_variable_wins_over_a_fact() -> None:
    asked = fakes.problem(start={"value": 5.0})
    text, _ = run(lambda s: Selected(s, ["value"], asked), asked, 0, sum_of_squares(1))
    assert text == "5.0\n"


@pytest.mark.parametrize(
    "name", ["z", "v[2]", "v[-1]", "a[0]", "v[", "v[x]", "v[99999999999999999999]", "", "v[²]"]
)
def test_print_refuses_what_is_not_there(name: str) -> None:
    with pytest.raises(UsageError, match="--print"):
        Selected(io.StringIO(), [name], fakes.problem(start={"a": 1.0, "v": [1.0, 2.0]}))


def test_print_suggests() -> None:
    with pytest.raises(UsageError) as caught:
        Selected(io.StringIO(), ["valeu"], fakes.problem())
    assert caught.value.hint == "did you mean value?"


def test_error_record() -> None:
    record = error_record(UsageError("m", "h", Span("x+", 1, 2, "f.txt"))).to_json()
    assert record == {
        "schema": "gd.result/1",
        "type": "error",
        "status": "usage",
        "message": "m",
        "hint": "h",
        "span": {"text": "x+", "start": 1, "end": 2, "source": "f.txt"},
    }
    long = error_record(GdError("m" * 10**6, "", Span("x" * 10**6, 5, 6))).to_json()
    assert long["span"] == {"start": 5, "end": 6, "source": ""}
    assert len(long["message"]) <= 1000


def test_lines_are_flushed_one_by_one() -> None:
    class Counting(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1
            assert self.getvalue().endswith("\n")

    stream = Counting(newline="")
    writer = JsonLines(stream, 1, SPACE, 1, False)
    fakes.outcome(None, [writer], 5)
    assert stream.flushed == 6
