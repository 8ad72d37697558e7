"""Problem files: what they may say, and how a mistake in one is told."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import fakes
import pytest
from keep import kept

from gdcli.cli import command_line
from gdcli.cli.answer import fit_asked
from gdcli.cli.commands import COMMANDS
from gdcli.cli.option_types import Option
from gdcli.cli.run_problems import OPTIONS, fit_of, options_for
from gdcli.kernel.errors import DomainError, GdError, Span, UsageError
from gdcli.record.faults import Checked
from gdcli.record.runs import run_record
from gdcli.render.formats import FORMATS
from gdcli.render.page import UNICODE, plain_text
from gdcli.render.verdicts import Shown, Tally, Whole, page, record
from gdcli.tasks import problem_file
from gdcli.tasks.problem_file import Expectation

EXAMPLES = Path(__file__).parent.parent.parent / "examples.toml"


def read(tmp_path: Path, text: str) -> list[problem_file.FileProblem]:
    file = tmp_path / "p.toml"
    file.write_text(text, encoding="utf-8")
    return problem_file.read(str(file), OPTIONS)


def test_the_examples_can_be_read() -> None:
    entries = problem_file.read(str(EXAMPLES), OPTIONS)
    assert len(entries) >= 12
    assert all(entry.expect is not None for entry in entries)
    first = entries[0]
    assert (first.name, first.sense, first.start) == ("rosenbrock", "minimize", ("x=-1.2", "y=1.0"))
    assert first.options == {"--method": "auto"}
    assert first.expect == Expectation(0.0, 1e-8, {"x": 1.0, "y": 1.0}, None)


def test_forms_of_a_start(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, '[p]\nexpression="x"\nstart={x="pi/2", v=[1, 2.5], w="zeros(3)"}\nset={}')
    assert entry.start == ("x=pi/2", "v=[1.0,2.5]", "w=zeros(3)")
    (entry,) = read(
        tmp_path,
        '[p]\nexpression="x"\nstart="x=1,y=2"\nmax_iter=5\nstep-sizes=[1,0.1]\nseed=3\nmax-time="2m"',
    )
    assert entry.start == ("x=1,y=2",)
    assert entry.options == {"--max-iter": "5", "--step-sizes": "1,0.1", "--seed": "3", "--max-time": "2m"}
    assert entry.expect is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[p]\nexpression=", ":2:12: Invalid value", ""),
        ("[p]\nexpression = 'x'\nexpression = 'y'", ":3:1", ""),
        ("x=", "Invalid value", ""),
        (
            "x**2\n",
            ":1:2: Expected '='",
            "a problem has two lines: [p] with its name, and expression='(x-1)**2'",
        ),
        ("\x00", "", ""),
        ("x = 1", "'x' stands outside a table", "each problem begins with a name of its own: [first]"),
        (
            "expression='x'",
            "'expression' stands outside a table",
            "each problem begins with a name of its own",
        ),
        (
            "[[problem]]\nexpression='x'",
            "'problem' stands outside a table",
            "each problem begins with a name",
        ),
        ("[p]", "[p] expression: is missing", ""),
        ("[p]\nexpression=3", "[p] expression: must be text", ""),
        ("[p]\nexpresion='x'", "[p] expresion: unknown key", "did you mean expression?"),
        ("[p]\nexpression='x'\nmax-itr=3", "[p] max-itr: unknown key", "did you mean max-iter?"),
        ("[p]\nexpression='x'\nsense='minimise'", "[p] sense: 'minimise'", "did you mean minimize?"),
        ("[p]\nexpression='x'\nstart=3", "[p] start: must be a table", ""),
        ("[p]\nexpression='x'\nstart={x=true}", "[p] start.x: must be a number", ""),
        ("[p]\nexpression='x'\nstart={x=nan}", "[p] start.x: must be a number", ""),
        ("[p]\nexpression='x'\nstart={x=[1,'a']}", "[p] start.x: must be a number", ""),
        ("[p]\nexpression='x'\nstart={x=1" + "0" * 400 + "}", "[p] start.x: must be a number", ""),
        (
            "[p]\nexpression='x'\nbounds={x=[0,1,2]}",
            "[p] bounds.x: must be [lower, upper] or text such as '0:5', ':2'",
            "",
        ),
        ("[p]\nexpression='x'\nexpect=3", "[p] expect: must be a table", ""),
        ("[p]\nexpression='x'\nexpect={valeu=3}", "[p] expect.valeu: unknown key", "did you mean value?"),
        (
            "[p]\nexpression='x**2'\nstart={x=1}\nexpect={x=0}",
            "[p] expect.x: is a variable, and stands in the point",
            "write expect = {point = {x = ...}}",
        ),
        ("[p]\nexpression='x'\nexpect={value='3'}", "[p] expect.value: must be a number", ""),
        ("[p]\nexpression='x'\nexpect={value=1,tolerance=-1}", "[p] expect.tolerance: must not be", ""),
        ("[p]\nexpression='x'\nexpect={point=[1]}", "[p] expect.point: must be a table", ""),
        ("[p]\nexpression='x'\nexpect={status='stuck'}", "[p] expect.status: no status", ""),
        ("[p]\nexpression='x'\ntol=true", "[p] tol: must be a number or text", ""),
        ("[p]\nexpression='x'\nabout=3", "[p] about: must be text", ""),
        ("a=" + "[" * 5000, "nested too deeply", ""),
    ],
)
def test_mistakes_name_file_table_and_key(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert caught.value.message.startswith(str(tmp_path / "p.toml"))
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        problem_file.read(str(tmp_path / "none.toml"), OPTIONS)
    with pytest.raises(UsageError, match=r"cannot read .*directory"):
        problem_file.read(str(tmp_path), OPTIONS)
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        problem_file.read(str(tmp_path / "b.toml"), OPTIONS)


# Texts of which each option can read one; for those that are read later what makes sense.
SOME = (
    "3",
    "0.5",
    "full",
    "constant",
    "a=1",
    "a,b",
    "skip",
    "profile",
    "case",
    "huber",
    "lm",
    "native",
    "1s",
    "2MB",
)
OWN = {
    "--decimal": ",",
    "--rows": "x > atan2(1, 2)",
    "--prior": "a ~ normal(1, 0.2)",
    "--step-rule": "best",
    "--method": "lm",
}


def sample(option: Option[Any]) -> str:
    for text in (OWN[option.name],) if option.name in OWN else SOME:
        with suppress(GdError):
            option.read(text, option.name)
            return text
    raise AssertionError(option.name)


def plainly(asked: Any) -> dict[str, Any]:
    values = {field.name: getattr(asked, field.name) for field in fields(asked)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@pytest.mark.parametrize("name", OPTIONS["fit"])
def test_every_option_of_a_fit_is_a_key_that_says_the_same(name: str) -> None:
    if name == "--engine":
        pytest.importorskip("llvmlite")
    option, command = OPTIONS["fit"][name], COMMANDS["fit"]
    others = {"--share": {"by": "g"}, "--all": {"global": True}}.get(name, {})
    value: Any = sample(option) if option.metavar else True
    content: Mapping[str, Any] = {
        "command": "fit",
        "expression": "y ~ a*x",
        "data": "d.csv",
        name[2:]: value,
        **others,
    }
    entry = problem_file.read_line(json.dumps(content).encode(), "f", 1, OPTIONS)
    words = [
        w for key, v in {name[2:]: value, **others}.items() for w in [f"--{key}", *([] if v is True else [v])]
    ]
    typed = command_line.read(command_line.arrange(["y ~ a*x", "d.csv", *words], command), command)
    options = command_line.convert(typed, command)
    request, settings = fit_of(entry, options_for(entry))
    typed_request, typed_settings = fit_asked(options, None)  # type: ignore[arg-type]
    assert {f: v for f, v in plainly(request).items() if v != plainly(typed_request)[f]} == {}
    assert plainly(settings) == plainly(typed_settings)
    plain = problem_file.read_line(
        b'{"command": "fit", "expression": "y ~ a*x", "data": "d.csv"}', "f", 1, OPTIONS
    )
    assert (request, settings) != fit_of(plain, options_for(plain))
    many = {**content, name[2:]: [value, value]} if option.many else content
    again = problem_file.read_line(json.dumps(many).encode(), "f", 1, OPTIONS)
    assert len(again.options[name]) == (2 if option.many else len(str(entry.options[name])))


def test_select(tmp_path: Path) -> None:
    entries = read(tmp_path, "[alpha]\nexpression='x'\n[beta]\nexpression='x'")
    assert [e.name for e in problem_file.select(entries, ["beta", "alpha"], "f")] == ["beta", "alpha"]
    assert problem_file.select(entries, [], "f") == entries
    with pytest.raises(UsageError, match="f has no problem 'betta'") as caught:
        problem_file.select(entries, ["betta"], "f")
    assert caught.value.hint == "did you mean beta?"


def test_errors_are_located(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "[p]\nexpression='x'")
    located = entry.located(UsageError("no", "h", Span("y=1", 0, 1, "--start")))
    assert located.message == f"{tmp_path / 'p.toml'}: [p] start: no"
    assert located.span == Span("y=1", 0, 1, "")
    assert isinstance(entry.located(DomainError("no")), DomainError)
    assert entry.located(DomainError("no", "", Span("x", 0, 1))).message.endswith("[p] expression: no")


@pytest.mark.parametrize(
    ("expect", "end", "miss"),
    [
        (Expectation(0.0, 1e-8, {}, None), ("converged", 0, 9e-9, {}), ""),
        (Expectation(0.0, 1e-8, {}, None), ("converged", 0, 2e-8, {}), "value off by 2e-08"),
        (Expectation(1e6, 1e-8, {}, None), ("converged", 0, 1e6 + 5e-3, {}), ""),
        (Expectation(0.0, 1e-8, {}, None), ("converged", 0, math.nan, {}), "value off by nan"),
        (Expectation(0.0, 1e-8, {}, None), ("stalled", 5, 0.0, {}), "status stalled"),
        (Expectation(0.0, 1e-8, {}, "stalled"), ("stalled", 5, 0.0, {}), ""),
        (
            Expectation(None, 1e-8, {}, "stalled"),
            ("converged", 0, 0.0, {}),
            "status converged instead of stalled",
        ),
        (Expectation(None, 1e-8, {"x": 1.0}, None), ("converged", 0, 0.0, {"x": 1.00009}), ""),
        (Expectation(None, 1e-8, {"x": 1.0}, None), ("converged", 0, 0.0, {"x": 1.001}), "x off by 0.001"),
        (Expectation(None, 1e-8, {"z": 1.0}, None), ("converged", 0, 0.0, {"x": 1.0}), "z off by inf"),
        (Expectation(None, 1e-8, {"v": [1.0, 2.0]}, None), ("converged", 0, 0.0, {"v": [1.0, 2.0]}), ""),
        (
            Expectation(None, 1e-8, {"v": [1.0]}, None),
            ("converged", 0, 0.0, {"v": [1.0, 2.0]}),
            "v off by inf",
        ),
    ],
)
def test_expectations(expect: Expectation, end: tuple[str, int, float, dict[str, object]], miss: str) -> None:
    assert expect.misses(*end) == miss


def some() -> list[Checked]:
    good = run_record(fakes.no_time(fakes.outcome(most=0)))
    expect = Expectation(24.2, 1e-8, {}, None)
    return [
        Checked("first", expect, good, None, ""),
        Checked(
            "a_rather_long_name_for_a_problem", expect._replace(value=1.0), good, None, "value off by 23"
        ),
        Checked(
            "broken", None, None, UsageError("f.toml: [broken] expression: unknown name q"), "unknown name q"
        ),
        Checked("free", None, good, None, ""),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_kept_table(width: int) -> None:
    text = plain_text(page(some(), width, UNICODE, timing=False))
    assert all(len(line) <= width for line in text.splitlines())
    kept(f"run_{width}.txt", text)


def exit_code(all_checked: list[Checked]) -> int:
    tally = Tally()
    for number, checked in enumerate(all_checked):
        tally.count(number, checked.status, checked.exit_code)
    return tally.exit_code


def test_exit_codes() -> None:
    first, missed, broken, free = some()
    assert exit_code([first, free]) == 0
    assert exit_code([first, missed, broken]) == 3  # the run ended at a cap
    assert exit_code([broken, missed]) == 2
    converged = missed._replace(found=run_record(fakes.outcome(fakes.problem(start={"x": 1.0, "y": 1.0}))))
    assert exit_code([converged]) == 9


def test_records_of_a_run() -> None:
    stream = io.StringIO(newline="")
    for form in ("json", "jsonl", "csv"):
        shown = Shown(FORMATS[form], False, lines=False)
        whole_text = Whole(stream, shown, False)
        stream.write(shown.head())
        for number, checked in enumerate(some(), 1):
            stream.write(shown(checked, number))
            whole_text(checked, number)
        if form == "json":
            whole_text.finish("f.toml")
    text = stream.getvalue()
    whole = json.loads(text[: text.index("\n}\n") + 3])
    assert whole["missed"] == ["a_rather_long_name_for_a_problem", "broken"]
    assert [r["type"] for r in whole["results"]] == ["result", "result", "error", "result"]
    assert list(whole["results"][0])[:6] == ["schema", "type", "name", "verdict", "miss", "expected"]
    assert record(some()[0], False)["expected"]["value"] == 24.2
    assert "first,limit,24.199999999999996,24.2," in text
    assert "broken,usage,,,,,,missed\r\n" in text
