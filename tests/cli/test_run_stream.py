"""`gd run` on a stream: a line in, a line out, in order, whatever is on the lines and however many work."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT, command, environment, gd

from gdcli.cli.run_problems import MAX_LINE, ProblemLines
from gdcli.render.verdicts import Tally

SLOW = {
    "expression": "100*(y-x**2)**2 + (1-x)**2",
    "start": {"x": -1.2, "y": 1},
    "lr": 1e-7,
    "max_iter": 10**9,
}


def stream(how_many: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed).uniform
    return [
        {
            "expression": "(x-a)**2 + b*(y-x)**2",
            "start": {"x": round(draw(-2, 2), 3), "y": round(draw(-2, 2), 3)},
            "set": {"a": round(draw(1, 9), 3), "b": round(draw(1, 9), 3)},
        }
        for _ in range(how_many)
    ]


def text(problems: list[Any]) -> bytes:
    return b"".join(json.dumps(p).encode() + b"\n" for p in problems)


def run(lines: bytes, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    done = gd("run", "-", *arguments, stdin=lines)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_answers_are_those_of_gd_minimize() -> None:
    code, answers, _ = run(text(stream(5)))
    assert code == 0
    for number, (problem, answer) in enumerate(zip(stream(5), answers, strict=True), 1):
        start, constants = (
            ",".join(f"{name}={value!r}" for name, value in problem[key].items()) for key in ("start", "set")
        )
        done = gd("minimize", problem["expression"], "--start", start, "--set", constants, "--format", "json")
        assert answer.pop("line") == number
        assert answer == json.loads(done.stdout)


def test_all_commands_and_kinds_of_values() -> None:
    code, answers, _ = run(
        text(
            [
                {"command": "maximize", "expression": "-(x-1)**2", "start": "x=0", "name": "top"},
                {
                    "expression": "sum((v-c)**2)",
                    "start": {"v": [0, 0]},
                    "set": {"c": [1, 2]},
                    "method": "bfgs",
                },
                {"expression": "(x-7)**2", "start": {"x": 1}, "bounds": {"x": [0, 5]}, "max-iter": 50},
                {"expression": "x**2", "start": {"x": 1}, "expect": {"value": 1}},
                {
                    "command": "fit",
                    "expression": "y ~ a*x",
                    "data": {"x": [1, 2], "y": [3, 6]},
                    "polish": False,
                },
                {
                    "command": "fit",
                    "expression": "y ~ X@w",
                    "columns": {"X": "x*"},
                    "data": {"x1": [1, 2, 3], "x2": [1, 0, 1], "y": [3, 4, 7]},
                },
            ]
        )
    )
    assert code == 9
    assert [a["status"] for a in answers] == ["converged"] * 6
    assert answers[0]["name"] == "top"
    assert answers[0]["point"]["x"] == pytest.approx(1)
    assert answers[1]["method"] == "bfgs"
    assert answers[2]["point"]["x"] == 5
    assert (answers[3]["verdict"], answers[3]["miss"]) == ("missed", "value off by 1")
    assert answers[4]["point"]["a"] == pytest.approx(3)
    assert answers[5]["point"]["w"] == pytest.approx([2, 1])


def test_data_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,y\n1,3\n2,6\n")
    line = {"command": "fit", "expression": "y ~ a*x", "data": str(tmp_path / "d.csv")}
    code, (answer,), _ = run(text([line]))
    assert (code, answer["point"]["a"]) == (0, pytest.approx(3))
    code, (answer,), _ = run(text([line | {"data": "none.csv"}]))
    assert (code, answer["status"]) == (8, "data")


@pytest.mark.parametrize(
    ("line", "status", "message", "hint"),
    [
        (b"bad", "usage", ":1:1: Expecting value", "a problem is one line"),
        (b'{"expression": "x**2" "start": 1}', "usage", ":1:23: Expecting", ""),
        (b"\xff\xfe", "usage", ":1: not UTF-8 text (byte 0)", ""),
        (b"3", "usage", ":1: a problem is a JSON object", ""),
        (b'{"expression": "x", "expression": "y"}', "usage", ":1: expression is given twice", ""),
        (b"[" * 100_000, "usage", ":1: nested too deeply", ""),
        (b'{"name": 3}', "usage", "name: must be text", ""),
        (b"{}", "usage", ":1: expression: is missing", ""),
        (b'{"expression": "x", "strat": {"x": 1}}', "usage", ":1: strat: unknown key", "did you mean start?"),
        (b'{"expression": "x", "epochs": 3}', "usage", ":1: epochs: unknown key", ""),
        (b'{"command": "fti", "expression": "x"}', "usage", ":1: command: 'fti'", "did you mean fit?"),
        (b'{"command": "fit", "expression": "y~a*x"}', "usage", ":1: data: must be a file", ""),
        (b'{"command": "fit", "expression": "y~a*x", "data": "-"}', "usage", ":1: data: standard input", ""),
        (
            b'{"command": "fit", "expression": "y~a*x", "data": "d", "polish": 1}',
            "usage",
            "true or false",
            "",
        ),
        (b'{"expression": "x", "start": {"x": NaN}}', "usage", ":1: start.x: must be a number", ""),
        (b'{"expression": "x+", "start": {"x": 1}}', "usage", ":1: expression: something is missing", ""),
        (b'{"expression": "x", "start": {"x": 1}, "tol": -1}', "usage", ":1: tol: ", ""),
        (b'{"command": "maximize", "sense": "minimize", "expression": "x"}', "usage", "contradicts", ""),
        (b'{"expression": "log(x)", "start": {"x": -1}}', "domain", ":1: expression: ", ""),
    ],
)
def test_a_bad_line_is_an_answer_and_the_stream_goes_on(
    line: bytes, status: str, message: str, hint: str
) -> None:
    code, answers, told = run(b"\n" + text(stream(1)) + line + b"\n\n" + text(stream(1)))
    assert code == (7 if status == "domain" else 2)
    assert [a["line"] for a in answers] == [2, 3, 5]
    assert (answers[1]["type"], answers[1]["status"]) == ("error", status)
    assert message.replace(":1", ":3", 1) in answers[1]["message"]
    assert answers[1]["message"].startswith("standard input:3")
    assert answers[1]["hint"].startswith(hint)
    assert answers[2]["status"] == "converged"
    assert "Traceback" not in told
    assert told.startswith("3 problems in ")


@pytest.mark.parametrize(
    "document",
    [
        '{\n "expression": "(x-3)**2",\n "start": {"x": 1}\n}\n',
        '[\n {"expression": "(x-3)**2", "start": {"x": 1}},\n {"expression": "(x-3)**2"}\n]\n',
        '[{"expression": "(x-3)**2"}]',
        '{"expression": "(x-3)**2"}\n{"expression": "(x-3)**2"}\n',
    ],
)
def test_a_json_file_may_be_one_document(document: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(document)
    done = gd("run", str(file))
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == document.count("expression")
    assert all(answer["point"] == {"x": 3.0} for answer in answers)
    file.write_text('{\n "expression": "(x-3)**2",\n')
    assert gd("run", str(file)).returncode == 2


def test_an_answer_is_written_as_soon_as_it_is_there() -> None:
    for jobs in ("1", "2"):
        with subprocess.Popen(
            command("run", "-", "--jobs", jobs),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            for problem in stream(3):
                process.stdin.write(text([problem]))
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["status"] == "converged"
            process.stdin.close()
            assert process.wait(60) == 0


def test_workers_keep_the_order_and_change_nothing() -> None:
    problems: list[Any] = stream(300)
    problems[7] = {"expression": "x+"}
    one = run(text(problems))
    two = run(text(problems), "--jobs", "3")
    assert one[:2] == two[:2]
    loose = run(text(problems), "--jobs", "3", "--unordered")
    assert loose[0] == 2
    assert sorted(loose[1], key=lambda answer: int(answer["line"])) == one[1]


def test_a_slow_problem_holds_up_only_what_is_ordered() -> None:
    problems = [SLOW | {"max_time": "2s"}, *stream(40)]
    _, answers, _ = run(text(problems), "--jobs", "2", "--unordered")
    assert answers[-1]["line"] == 1
    assert (answers[-1]["status"], len(answers)) == ("limit", 41)
    _, answers, _ = run(text(problems), "--jobs", "2")
    assert [a["line"] for a in answers] == list(range(1, 42))


def children(process: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, check=False)
    return [int(word) for word in found.stdout.split()]


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs ps")
def test_a_worker_that_dies_takes_one_problem_with_it() -> None:
    with subprocess.Popen(
        command("run", "-", "--jobs", "2"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text([SLOW]))
        process.stdin.flush()
        until = time.monotonic() + 30
        while not children(process.pid) and time.monotonic() < until:
            time.sleep(0.05)
        (worker,) = children(process.pid)
        time.sleep(0.3)
        os.kill(worker, signal.SIGKILL)
        process.stdin.write(text(stream(3)))
        process.stdin.close()
        answers = [json.loads(line) for line in process.stdout]
        assert process.wait(60) == 1
    assert [a["status"] for a in answers] == ["error", *["converged"] * 3]
    assert "the worker process ended by signal 9" in answers[0]["message"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_workers(sent: signal.Signals) -> None:
    with subprocess.Popen(
        command("run", "-", "--jobs", "2"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text([*stream(1), SLOW, SLOW]))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["status"] == "converged"
        workers = children(process.pid)
        process.send_signal(sent)
        assert process.wait(30) == 128 + sent
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="the size of a pipe cannot be set")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_no_line_is_torn_by_an_interrupt(unbuffered: str, tmp_path: Path) -> None:
    """The lines are longer than the pipe, so that the signal comes within the first of them."""
    problem = {"expression": "sum((v-a)**2)", "start": {"v": [0.5] * 1000}, "set": {"a": 1 / 3}}
    (tmp_path / "problems.jsonl").write_bytes(text([problem] * 3))
    with subprocess.Popen(
        command("run", str(tmp_path / "problems.jsonl"), "--format", "jsonl"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment(PYTHONUNBUFFERED=unbuffered),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        size = fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        waiting = bytearray(4)
        while int.from_bytes(waiting, sys.byteorder) < size and process.poll() is None:
            time.sleep(0.02)
            fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        written, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert written.endswith(b"}\n")
    assert all(len(json.loads(line)["point"]["v"]) == 1000 for line in written.splitlines())


def test_a_closed_pipe_is_quiet() -> None:
    with subprocess.Popen(
        command("run", "-", "--jobs", "2"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(text(stream(5)))
        process.stdin.close()
        assert process.wait(60) == 141
        assert b"Traceback" not in process.stderr.read()


def test_tables_have_workers_too() -> None:
    for form in ("table", "json", "jsonl", "csv"):
        one = gd("run", str(ROOT / "examples.toml"), "--format", form)
        two = gd("run", str(ROOT / "examples.toml"), "--format", form, "--jobs", "2")
        assert (one.returncode, one.stdout) == (two.returncode, two.stdout)


def test_other_formats_of_a_stream(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(text([*stream(2), {"expression": "x+"}]))
    table = gd("run", str(file), "--format", "table")
    assert "line 1" in table.stdout
    assert "3 problems: 2 ok, 1 missed" in table.stdout
    rows = gd("run", str(file), "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("line,name,status")
    assert rows[3].startswith("3,,usage,")
    whole = json.loads(gd("run", str(file), "--format", "json").stdout)
    assert whole["missed"] == ["line 3"]
    assert [r["line"] for r in whole["results"]] == [1, 2, 3]
    assert gd("run", str(file), "first").returncode == 2
    assert gd("run", str(tmp_path / "none.jsonl")).returncode == 2
    assert gd("run", "-", stdin=b"").returncode == 0


def test_lines_are_cut_wherever_the_blocks_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    lines = ProblemLines(reader)
    for piece in (b"a", b"b\nc", b"\n\n \nde\n", b"f"):
        os.write(writer, piece)
        lines.fill()
    os.close(writer)
    while not lines.ended:
        lines.fill()
    lines.close()
    assert list(lines.pending) == [(1, b"ab"), (2, b"c"), (5, b"de"), (6, b"f")]
    big = tmp_path / "big"
    big.write_bytes(b"a\n" + b"x" * (2 * MAX_LINE + 5) + b"\nlast")
    lines = ProblemLines(os.open(big, os.O_RDONLY))
    while not lines.ended:
        lines.fill()
        assert len(lines._begun) <= MAX_LINE + (1 << 16)
    lines.close()
    assert list(lines.pending) == [(1, b"a"), (2, None), (3, b"last")]


def test_the_code_is_that_of_the_first_in_the_order_of_the_input() -> None:
    tally = Tally()
    for number, code in ((3, 5), (1, 0), (2, 7), (4, 2)):
        tally.count(number, "converged" if not code else "error", code)
    assert tally.exit_code == 7
    assert ": 1 converged, 3 error" in tally.text()
    assert Tally().exit_code == 0


@pytest.mark.parametrize("more", [(), ("--jobs", "2")])
def test_a_name_goes_into_every_answer(more: tuple[str, ...]) -> None:
    bad: list[dict[str, Any]] = [
        {"expression": "x**2", "strat": {"x": 3}},
        {"expression": "x**2", "bounds": 7},
        {"expression": "sine(x)"},
        {"expression": "log(x)", "start": {"x": -1}},
        {"expression": "x**2", "tol": "small"},
        {"command": "fit", "expression": "y ~ a*t", "data": "none.csv"},
        {"command": "dance"},
        {"expression": "-x**2"},
        {"expression": "x**2"},
    ]
    named = [problem | {"name": f"number {i}"} for i, problem in enumerate(bad)]
    _, answers, _ = run(text(named), *more)
    assert [answer["name"] for answer in answers] == [problem["name"] for problem in named]
    table = gd("run", "-", "--format", "table", *more, stdin=text(named)).stdout
    assert all(table.count(f"{problem['name']}") >= 1 for problem in named)
    # A name that is none, or is not to be read, leaves the number of the line.
    for line in (
        b'{"name": 5, "expression": "x"}',
        b'{"name": "a", "expression"',
        b'{"name": "a", "name": "b"}',
    ):
        _, answers, _ = run(line + b"\n", *more)
        assert "name" not in answers[0]
        assert answers[0]["line"] == 1


def test_a_byte_order_mark_is_no_part_of_the_problems(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    line = json.dumps({"expression": "x**2", "start": {"x": 1}}).encode()
    code, answers, _ = run(mark + line + b"\r\n" + line)
    assert (code, [answer["status"] for answer in answers]) == (0, ["converged"] * 2)
    table = b"[p]\nexpression = 'x**2'\nstart = {x = 1}\n"
    assert gd("run", "-", stdin=mark + table).returncode == 0
    (tmp_path / "p.toml").write_bytes(mark + table)
    assert gd("run", str(tmp_path / "p.toml")).returncode == 0


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_no_problems_have_no_answers(nothing: bytes) -> None:
    """An empty stream is no table: what reads the answers would stumble over one."""
    code, answers, told = run(nothing)
    assert (code, answers, "nothing to solve" in told) == (0, [], True)
