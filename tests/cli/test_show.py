"""Stored answers: `gd show` writes the page, and draws the picture, that the run itself had."""

from __future__ import annotations

import json
import re
import shlex
from math import inf
from pathlib import Path
from typing import Any

import effort
import pytest

from gdcli.cli.app import run
from gdcli.render import plots

ROOT = Path(__file__).parent.parent.parent
DECAY, LINE = "docs/decay.csv", "docs/line.csv"
# Stored by an earlier version, each with the page that it was shown as.
ANSWERS = Path(__file__).parent.parent / "data" / "answers"
# Answers without a path: the stored result is all there is.
WHOLE = (
    "compare-lr 'x**2+10*y**2' --start x=-9,y=1.5",
    "compare-lr 'x**4+y' --lr 0.1,1,10 --steps 500",
    "compare-lr '-x**2' --maximize --seed 4",
    "compare-lr 'x + 2*y' --start x=1,y=1 --lr 1",
    "compare-lr 'x**2' --start x=1 --lr 0.4 --steps 3",
    "compare-lr 'sum(a*v**2)' --set a=2 --start 'v=ones(40)'",
    "compare-methods '(1-x)**2 + 100*(y-x**2)**2' --start x=-1.2,y=1",
    "compare-methods '-exp(exp(x))' --start x=1",
    "compare-methods 'log(x)' --seed 3",
    "compare-methods '-x**4' --start x=2 --maximize --bounds x=-3:3",
    f"compare-batch 'y ~ a*x + b' {LINE} --epochs 10",
    f"compare-models {DECAY} --model 'y ~ a + b*t' --model 'y ~ a*exp(-b*t) + c'",
    f"compare-models {DECAY} --model 'y ~ a + b*t' --model 'y ~ a + b*t + c*t**2' --loss huber --folds 4",
    f"compare-batch 'y ~ a*x + b' {LINE} --epochs 10 --lr 5 --validate 0.2",
    f"compare-batch '-(y-a*x)**2' {LINE} --start a=0 --maximize --epochs 3 --batch-size 7,all",
    "gradient 'x**2*sin(y)' --at x=1,y=2 --hessian --errors",
    "gradient 'abs(x)+y' --at x=0,y=2 --latex",
    "gradient 'sum(v**3) + a*v[0]' --set a=2 --at 'v=[1,2,3,4,5,6,7,8]'",
    "gradient 'sqrt(x)' --at x=0 --errors",
    "gradient 'exp(2*x)/(1+sin(x**2))' --at x=0.5 --trace",
    "gradient 'where(x<1,dot(v,v),2*x)' --at 'x=0,v=[1,2]' --trace",
    "gradient 'x' --at x=2 --trace",
    "run examples.toml",
)
# Runs: their lines have the path.
RUNS = (
    "minimize '(x-a)**2 + y**4' --start x=1,y=2 --set a=3",
    "minimize '-exp(exp(x))' --start x=1",
    "minimize 'exp(-x)' --start x=1",
    "minimize '(x**2-1)**2 + y**2' --multi-start 5 --bounds x=-2:2,y=-2:2 --show-gradient",
    "minimize 'sum(v**4)' --start 'v=ones(300)' --method newton-cg",
    "minimize 'x**2' --start x=1 --gradient central",
    "minimize 'x**2' --start x=1 --lr 1e-4 --max-iter 1200",
    "maximize '-(x-1)**2-y**2' --seed 7",
    f"fit 'y ~ a*exp(-b*t) + c' {DECAY} --start a=1,b=1,c=0",
    f"fit 'y ~ a*exp(-b*t) + c' {DECAY} --start auto",
    f"fit 'y ~ a + b*t' {DECAY} --loss huber --huber-delta 0.1",
    f"fit 'y ~ (a + b)*t + c' {DECAY}",
    f"fit 'y ~ a + b*t + c*t**2 + d*t**3' {DECAY} --sigma y",
    f"fit 'y ~ a + b*t + c*t**2' {DECAY} --bounds a=0:1",
    f"fit 'y ~ T @ w + k' {DECAY} --columns 'T=t*' --set k=1",
    f"fit '(y-a-b*t)**2' {DECAY} --start a=1,b=1",
    f"fit '-(y-a-b*t)**2' {DECAY} --start a=1,b=1 --maximize --weights y",
    f"fit 'y ~ a + b*t' {DECAY} --epochs 5 --batch-size 4",
    f"fit 'y ~ a + b*t' {DECAY} --epochs 5 --batch-size 4 --polish",
    f"fit 'y ~ a + b*t' {DECAY} --epochs 30 --batch-size all --validate 0.2",
    f"fit 'y ~ a + b*t' {DECAY} --method sgd --schedule book --lr 0.1",
    f"fit 'y ~ a + b*t' {DECAY} --method adam --sigma y --scale-sigma --epochs 4",
    f"fit '-(y-a-b*t)**2' {DECAY} --start a=1,b=1 --maximize --epochs 3",
    f"fit 'y ~ a*exp(-b*t) + c' {DECAY} --start a=1,b=1,c=0 --epochs 3 --lr 1e9",
)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def called(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run(words)
    told = capsys.readouterr()
    return code, told.out, told.err


def ids(command: str) -> str:
    return command[:70]


@pytest.mark.every(2)
@pytest.mark.parametrize("command", WHOLE, ids=ids)
@pytest.mark.parametrize(("form", "width"), [("table", "80"), ("table", "120"), ("plain", "80")])
def test_an_answer_is_shown_as_its_run_was(
    command: str,
    form: str,
    width: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    words = shlex.split(command)
    live = called([*words, "--format", form], capsys)[1]
    file = tmp_path / "a.json"
    # The methods' list and gradients have no lines.
    forms = ("json",) if command.startswith("gradient") else ("json", "jsonl")
    for stored in forms:
        run([*words, "--format", stored, "--output", str(file)])
        capsys.readouterr()
        assert called(["show", str(file), "--format", form], capsys) == (0, live, "")


@pytest.mark.parametrize("answer", sorted(ANSWERS.glob("*.json*")), ids=lambda file: file.stem)
def test_what_earlier_versions_wrote_is_shown(answer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of a page stood in an annex of the receipt."""
    page = answer.with_suffix(".txt").read_text(encoding="utf-8")
    assert called(["show", str(answer)], capsys) == (0, page, "")


@pytest.mark.parametrize("command", RUNS, ids=ids)
def test_a_trace_is_shown_as_its_run_was(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command)
    trace, result = tmp_path / "a.jsonl", tmp_path / "a.json"
    run([*words, "--format", "jsonl", "--output", str(trace)])
    run([*words, "--format", "json", "--output", str(result)])
    capsys.readouterr()
    for width, more in (("80", []), ("120", ["--every", "3"]), ("57", ["--format", "plain"])):
        monkeypatch.setenv("COLUMNS", width)
        live = called([*words, *more], capsys)[1]
        assert called(["show", str(trace), *more], capsys) == (0, live, "")
    # Without the path the rest of the page is the same.
    live_parts = called(words, capsys)[1].split("\n\n")
    parts = called(["show", str(result)], capsys)[1].split("\n\n")
    assert [part for part in live_parts if part in parts] == parts
    assert len(live_parts) - len(parts) == 1


def test_times_are_shown_where_they_were_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "a.json")
    for command in (RUNS[0], RUNS[8], RUNS[-1], WHOLE[6], WHOLE[10], "run examples.toml"):
        words = shlex.split(command)
        run([*words, "--format", "json", "--output", file])
        capsys.readouterr()
        code, out, told = called(["show", file, "--timing"], capsys)
        assert (code, out, "no times were stored" in told) == (2, "", True)
        run([*words, "--format", "json", "--timing", "--output", file])
        capsys.readouterr()
        code, out, told = called(["show", file, "--timing"], capsys)
        assert (code, told) == (0, "")
        assert "time" in out
        assert "time" not in called(["show", file], capsys)[1]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The pictures that are drawn, as they are before a library draws them."""
    pictures: list[Any] = []

    def draw(picture: Any, *how: object) -> bytes:
        pictures.append(picture)
        return b"picture"

    monkeypatch.setattr(plots, "check", lambda: None)
    monkeypatch.setattr(plots, "draw", draw)
    return pictures


@pytest.mark.parametrize(
    "command",
    [
        *(c for c in RUNS if "--multi-start" not in c),
        *(c for c in WHOLE if c.startswith("compare-") or "--errors" in c),
        "minimize 'y**2 + (x-1)**2 + z**4' --start y=1,x=2,z=3 --plane z,x",
        "maximize '-(x-1)**4' --start x=3 --bounds x=0:4",
    ],
    ids=ids,
)
def test_a_picture_is_that_of_its_run(
    command: str, tmp_path: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(command)
    file, picture = str(tmp_path / "a"), str(tmp_path / "p.png")
    run([*words, "--plot", picture])
    plane = words.index("--plane") if "--plane" in words else len(words)
    form = "json" if command.startswith("gradient") else "jsonl"
    run([*words[:plane], "--format", form, "--output", file])
    capsys.readouterr()
    assert called(["show", file, "--plot", picture, *words[plane:]], capsys)[2] == ""
    live, shown = drawn
    if "--gradient" not in command:  # slopes are exact when they are computed again
        assert told(shown) == told(live)


def told(picture: Any) -> str:
    """A picture as text; its numbers to 12 digits, for means of stored sums are rounded once more."""
    return re.sub(r"\d+\.\d+(e[-+]\d+)?", lambda found: f"{float(found[0]):.12g}", repr(picture))


def test_a_result_alone_has_start_and_answer_drawn(
    tmp_path: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file, picture = str(tmp_path / "a"), str(tmp_path / "p.png")
    run(["minimize", "y**2 + (x-1)**2", "--start", "x=3,y=4", "--format", "json", "--output", file])
    assert called(["show", file, "--plot", picture], capsys)[0] == 0
    assert [s.label for s in drawn[0].series if s.label] == ["start (3, 4)", "minimum (1, 0)"]
    run(["minimize", "(x-1)**2", "--start", "x=3", "--format", "json", "--output", file])
    assert called(["show", file, "--plot", picture], capsys)[0] == 0
    start = next(s for s in drawn[1].panels[0].series if s.label.startswith("start"))
    assert (start.xs, start.ys) == ([3.0], [4.0])
    assert not any("iteration" in s.label for s in drawn[1].panels[0].series)


@pytest.mark.parametrize(
    ("command", "form", "told"),
    [
        ("minimize 'sum(v**2)' --start 'v=ones(3)'", "json", "a result without its path"),
        ("gradient 'x**2' --at x=1", "json", "a gradient has one with --errors"),
        ("gradient 'x**2' --at x=1 --trace", "json", "a gradient has one with --errors"),
        ("run examples.toml", "json", "these are many"),
        ("methods", "json", "has no picture"),
        ("minimize 'x +' --start x=1", "json", "this is an error"),
        (f"fit '(y-a)**2' {DECAY} --start a=1", "json", "a loss that was typed has its path drawn"),
    ],
)
def test_what_is_missing_for_a_picture_is_said(
    command: str, form: str, told: str, tmp_path: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run([*shlex.split(command), "--format", form])
    file = tmp_path / "a"
    file.write_text(capsys.readouterr().out)
    code, out, err = called(["show", str(file), "--plot", str(tmp_path / "p.png")], capsys)
    assert (code, out, told in err) == (2, "", True), err
    assert not drawn
    assert not (tmp_path / "p.png").exists()


def test_a_fit_is_drawn_only_on_its_own_data(
    tmp_path: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    table, file, picture = tmp_path / "d.csv", str(tmp_path / "a"), str(tmp_path / "p.png")
    table.write_text("x,y\n1,2\n2,4\n3,6.5\n")
    run(["fit", "y ~ a*x", str(table), "--format", "json", "--output", file])
    assert called(["show", file, "--plot", picture], capsys)[0] == 0
    table.write_text("x,y\n1,2\n2,4\n3,6.6\n")
    code, _, err = called(["show", file, "--plot", picture], capsys)
    assert (code, "has changed" in err) == (8, True)
    line = {"command": "fit", "expression": "y ~ a*x", "data": {"x": [1, 2], "y": [2, 5]}}
    (tmp_path / "one.jsonl").write_text(json.dumps(line))
    run(["run", str(tmp_path / "one.jsonl"), "--output", file])
    capsys.readouterr()
    code, _, err = called(["show", file, "--plot", picture], capsys)
    assert (code, "are not stored" in err) == (8, True)
    assert len(drawn) == 1


# -- many answers ----------------------------------------------------------------------------------------------------

PROBLEMS = (
    '{"expression": "(x-1)**2", "start": {"x": 3}, "name": "good"}',
    "{broken",
    '{"expression": "x**2 + sine(x)", "start": {"x": 3}, "name": "typo"}',
    '{"expression": "-x**2", "start": {"x": 3}}',
    "",
    '{"expression": "x**2", "start": {"x": 3}, "expect": {"value": 1}, "name": "wrong"}',
    '{"expression": "x**2", "start": {"x": 3}, "expect": {"value": 0, "point": {"x": 0}}}',
    f'{{"command": "fit", "expression": "y ~ a + b*t", "data": "{DECAY}", "name": "fit"}}',
    '{"expression": "(x**2-1)**2", "multi_start": 4, "bounds": {"x": [-3, 3]}}',
    '{"expression": "log(x)", "start": {"x": -1}, "expect": {"status": "converged"}}',
)


def test_answers_of_a_stream_are_shown_as_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, answers = tmp_path / "p.jsonl", str(tmp_path / "a")
    file.write_text("\n".join(PROBLEMS) + "\n")
    live = called(["run", str(file), "--format", "table"], capsys)[1]
    assert all(word in live for word in ("good", "typo", "line 4", "MISSED", "log(x)"))
    for form in ("jsonl", "json"):
        run(["run", str(file), "--format", form, "--output", answers])
        capsys.readouterr()
        assert called(["show", answers], capsys) == (0, live, "")


@pytest.mark.parametrize("patience", [0.0, inf])
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("y ~ a + b*t", ""),
        ("y ~ a + b*t", "--start a=1,b=1 --loss huber"),
        ("y ~ a + b*t", "--bounds a=0:1"),
        ("y ~ a + b*t", "--loss cauchy"),
        ("y ~ a + exp(b*t)", "--start auto"),
    ],
)
def test_fits_to_groups_are_shown_as_their_table(
    model: str,
    more: str,
    patience: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The first groups decide how many digits there is room for, whether they come one by one or together.
    monkeypatch.setattr("gdcli.tasks.fit.fit_groups.PATIENCE", patience)
    rows = (ROOT / "docs" / "sites.csv").read_text() + "east,2020,1,2\n"  # too few for errors
    (tmp_path / "d.csv").write_text(rows)
    words = ["fit", model, str(tmp_path / "d.csv"), "--by", "site,year", *shlex.split(more)]
    for look in ([], ["--format", "plain"]):
        live = called([*words, *look], capsys)[1]
        for form in ("json", "jsonl"):
            (tmp_path / "a").write_text(called([*words, "--format", form], capsys)[1])
            assert called(["show", str(tmp_path / "a"), *look], capsys) == (0, live, "")


def test_groups_that_fail_after_others_are_rows_of_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gdcli.tasks.fit.fit_groups.PATIENCE", 0.0)
    (tmp_path / "d.csv").write_text((ROOT / "docs" / "sites.csv").read_text() + "east,2020,1,2\n")
    words = ["fit", "y ~ a + exp(b*t)", str(tmp_path / "d.csv"), "--by", "site,year", "--start", "auto"]
    code, out, _ = called(words, capsys)
    assert code == 8
    assert "\neast   2020     1   " in out
    assert out.endswith("5 groups: 4 fitted, 1 failed\n")


def test_answers_put_together_are_shown_as_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ""
    for words in (["minimize", "x**2", "--start", "x=1"], ["minimize", "sine(x)"], ["maximize", "-x**2"]):
        for form in ("json", "jsonl"):
            text += called([*words, "--format", form], capsys)[1]
    (tmp_path / "a").write_text(text)
    code, out, err = called(["show", str(tmp_path / "a")], capsys)
    assert (code, err) == (0, "")
    assert out.endswith("6 problems: 4 ok, 2 missed\n")
    assert "MISSED        answer 3: unknown function sine\n" in out
    (tmp_path / "a").write_text(text + "{broken")
    number = text.count("\n") + 1
    assert f"a:{number}: not JSON" in called(["show", str(tmp_path / "a")], capsys)[2]


def test_one_answer_of_a_stream_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, one = tmp_path / "p.jsonl", tmp_path / "one"
    file.write_text("\n".join(PROBLEMS) + "\n")
    lines = called(["run", str(file)], capsys)[1].splitlines()
    one.write_text(lines[0])
    page = called(["show", str(one)], capsys)[1]
    assert page == called(["minimize", "(x-1)**2", "--start", "x=3"], capsys)[1].replace(
        page_path(["minimize", "(x-1)**2", "--start", "x=3"], capsys), ""
    )
    one.write_text(lines[2])
    out = called(["show", str(one)], capsys)[1]
    assert out.startswith("error: ")
    assert "x**2 + sine(x)\n" in out
    assert "^^^^\nhint: did you mean sin?\n" in out


def page_path(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The table of the path of a run, with the blank line before it."""
    return "\n" + called(words, capsys)[1].split("\n\n")[1] + "\n"


def test_an_error_is_shown_as_it_was_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a"
    for command in ("minimize 'x**2 + sine(x)' --start x=1", f"fit 'y ~ a*q' {DECAY} --start a=1"):
        _, out, err = called([*shlex.split(command), "--format", "json"], capsys)
        file.write_text(out)
        assert called(["show", str(file)], capsys) == (0, err, "")


def test_the_methods_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live, record = (called(["methods", *more], capsys)[1] for more in ([], ["--format", "json"]))
    (tmp_path / "a").write_text(record)
    assert called(["show", str(tmp_path / "a")], capsys) == (0, live, "")


def test_single_methods_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    whole = called(["methods"], capsys)[1]
    found = called(["methods", "Adam", "bfgs"], capsys)[1]
    adam, bfgs = found.index("adam "), found.index("bfgs ")
    assert adam < bfgs
    for part in (found[adam:bfgs], found[bfgs:]):
        assert part in whole
    assert "step rules" not in found
    assert called(["methods", "nadam"], capsys)[0::2] == (
        2,
        "error: there is no method 'nadam'\nhint: nadam is adam here\n",
    )


# -- what is no answer ------------------------------------------------------------------------------------------------


def test_broken_records_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever key is missing, or has what it should not: a page or a reason, never a traceback."""
    file = tmp_path / "a"
    for command in (*WHOLE[::3], "run examples.toml rosenbrock", RUNS[3], RUNS[11], RUNS[18]):
        run([*shlex.split(command), "--format", "json"])
        whole = json.loads(capsys.readouterr().out)
        for key in list(whole)[:: 1 if effort.WHOLE else 3]:
            for change in (None, "?", [], {}, 7):
                file.write_text(json.dumps(whole | {key: change}))
                code, out, err = called(["show", str(file)], capsys)
                assert code in (0, 8), (command, key, change, err)
                assert "internal error" not in err
                assert bool(out) == (code == 0)
            file.write_text(json.dumps({k: v for k, v in whole.items() if k != key}))
            assert called(["show", str(file)], capsys)[0] in (0, 8), (command, key)


def test_a_path_without_its_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["minimize", "x**2", "--start", "x=3", "--format", "jsonl"])
    lines = capsys.readouterr().out.splitlines()
    (tmp_path / "a").write_text("\n".join(lines[:-1]))
    code, out, err = called(["show", str(tmp_path / "a")], capsys)
    assert (code, out, "a path without its result" in err) == (8, "", True)


def test_options_without_use_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "a")
    run(["minimize", "x**2+y**2", "--start", "x=3,y=1", "--format", "json", "--output", file])
    for words, told in (
        (["--every", "2"], "--every thins a path"),
        (["--plane", "x,y"], "there is no --plot"),
    ):
        code, out, err = called(["show", file, *words], capsys)
        assert (code, out, told in err) == (2, "", True)
