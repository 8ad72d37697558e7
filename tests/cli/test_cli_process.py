"""`gd` as a process: what it imports, how it ends, what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from keep import kept
from processes import HEAVY, MAIN, ROOT, command, environment, gd, loaded

DECAY = str(ROOT / "docs" / "decay.csv")
ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"
# A run that takes a minute, and shows nothing before its end: the valley of Rosenbrock by short steps.
ENDLESS = [ROSENBROCK, "--start", "x=-1.2,y=1", "--lr", "1e-7", "--max-iter", "1000000000"]


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--version"], {"typer", "dataclasses", "json", "gdcli.api"}),
        (["minimize", "x", "--strat", "x=1"], {"typer", "dataclasses", "json", "gdcli.api"}),
        (["minimize", "x", "--tol", "nan"], {"typer", "dataclasses", "json", "gdcli.api"}),
        (["minimise", "x"], {"typer", "dataclasses", "json", "gdcli.api"}),
        (["--help"], {"gdcli.api", "json"}),
        (["minimize", "--help"], {"gdcli.api"}),
        (
            ["minimize", ROSENBROCK, "--start", "x=-1.2,y=1"],
            {"typer", "json", "tomllib"},
        ),
        (["maximize", "-x**2", "--start", "x=1", "--format", "json"], {"typer", "tomllib"}),
        (["methods"], {"typer", "json"}),
        (
            ["fit", "y ~ a*exp(-b*t) + c", DECAY, "--start", "a=1,b=1,c=0"],
            {
                "typer",
                "json",
                "tomllib",
                "csv",
                "tempfile",
                "gdcli.compile.array_text",
                "gdcli.compile.machine_code",
            },
        ),
        (["fit", "y ~ a + b*exp(-1.3*t)", DECAY, "--format", "json"], {"typer", "tomllib", "csv"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(arguments: list[str], more: set[str]) -> None:
    assert not loaded(*arguments) & (HEAVY | more)


def test_the_package_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "gdcli", "minimize", "x**2", "--start", "x=1", "--print", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.0\n", "")


def test_version() -> None:
    done = gd("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"gd \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["minimize", "-h"], ["maximize", "-h"], ["run", "-h"], ["methods", "-h"]]
)
def test_help_fits_and_tells_every_default(arguments: list[str]) -> None:
    from gdcli.cli.commands import COMMANDS

    done = gd(*arguments, COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    for option in COMMANDS[arguments[0]].options if arguments[0] in COMMANDS else ():
        assert option.name in text
        assert f"{option.help} [default: {option.default}]" in text
    kept(f"help_{'_'.join(arguments).strip('-')}.txt", done.stdout)


def test_nothing_typed() -> None:
    done = gd()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: gd" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["-x**2", "--start", "x=1"], ["--start", "x=1", "-x**2"], ["--start=-1", "-x**2"]]
)
def test_an_expression_with_a_minus(arguments: list[str]) -> None:
    assert gd("maximize", *arguments, "--print", "x,value").stdout == "0.0\t0.0\n"


def test_expressions_from_a_pipe_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("(x-3)**2  # the first\n  + (y-2)**2\n", encoding="utf-8")
    text = (tmp_path / "f.txt").read_bytes()
    from_pipe = gd("minimize", "-", "--start", "x=0,y=0", "--print", "x,y", stdin=text)
    from_file = gd("minimize", f"@{tmp_path / 'f.txt'}", "--start", "x=0,y=0", "--print", "x,y")
    assert from_pipe.stdout == from_file.stdout == "3.0\t2.0\n"
    wrong = gd("minimize", "-", stdin=b"(x-3)**2\n + foo(y)\n")
    assert "standard input:2: " in wrong.stderr
    assert gd("minimize", "-", stdin=b"\xff\xfe").stderr.startswith("error: standard input is not UTF-8")
    missing = gd("minimize", "@nowhere/f.txt")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "No such file" in missing.stderr


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_kept_answers(form: str) -> None:
    done = gd(
        "minimize",
        ROSENBROCK,
        "--start",
        "x=-1.2,y=1",
        "--method",
        "batch",
        "--every",
        "200",
        "--format",
        form,
    )
    assert done.returncode == 5
    assert done.stderr.startswith("warning: Stopped because") if form == "csv" else not done.stderr
    kept(f"batch.{form}", done.stdout)
    assert gd(*done.args[3:]).stdout == done.stdout


def test_errors_are_records_too() -> None:
    for form in ("json", "jsonl"):
        done = gd("minimize", "x + foo(x)", "--start", "x=1", f"--format={form}")
        record = json.loads(done.stdout)
        assert done.returncode == 2
        assert (record["type"], record["status"]) == ("error", "usage")
        assert list(record["span"]) == ["text", "start", "end", "source"]
        assert done.stderr.startswith("error: ")
    assert json.loads(gd("minimize", "--format", "json", "--tol", "x").stdout)["status"] == "usage"


def test_print_is_checked_before_the_run() -> None:
    began = time.monotonic()
    done = gd("minimize", *ENDLESS, "--print", "x,z")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--print knows no 'z'" in done.stderr
    assert time.monotonic() - began < 10
    assert gd("minimize", "x**2", "--print", "x", "--format", "json").returncode == 2


def test_run_and_its_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        "[good]\nexpression='x**2'\nstart={x=1}\nexpect={value=0}\n"
        "[off]\nexpression='x**2'\nstart={x=1}\nexpect={value=1}\n"
        "[bad]\nexpression='x+'\nstart={x=1}\n"
    )
    assert gd("run", str(file), "good").returncode == 0
    assert gd("run", str(file)).returncode == 9
    assert gd("run", str(file), "bad", "off").returncode == 2
    lines = [json.loads(line) for line in gd("run", str(file), "--format", "jsonl").stdout.splitlines()]
    assert [line["verdict"] for line in lines] == ["ok", "missed", "missed"]
    assert lines[2]["message"].startswith(f"{file}: [bad] expression: ")
    assert gd("run", str(file), "godo").stderr.endswith("hint: did you mean good?\n")
    assert gd("run", "-", stdin=file.read_bytes()).returncode == 9


def test_the_examples_are_as_they_say() -> None:
    done = gd("run", str(ROOT / "examples.toml"), "--format", "jsonl")
    assert done.returncode == 0
    records = {r["name"]: r for r in map(json.loads, done.stdout.splitlines())}
    assert len(records) >= 12
    assert all(r["verdict"] == "ok" for r in records.values())
    assert records["book_sum_of_squares"]["iterations"] == 44
    assert records["book_centred"]["iterations"] == 68
    assert records["book_rosenbrock"]["iterations"] == 799


def test_output_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    done = gd("minimize", "x**2", "--start", "x=1", "--format", "json", "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(file.read_text())["status"] == "converged"
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()
    before = file.read_text()
    assert gd("minimize", "log(x)", "--start", "x=-1", "--output", str(file)).returncode == 7
    assert file.read_text() == before
    assert os.listdir(tmp_path) == ["answer.json"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_output_follows_links_and_keeps_the_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    assert gd("minimize", "x**2", "--start", "x=1", "--format", "csv", "--output", str(link)).returncode == 0
    assert link.is_symlink()
    assert real.read_bytes().startswith(b"iteration,")
    assert real.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["/", ".", "no/such/folder/file", "examples.toml/file", ""])
def test_unwritable_output_is_known_before_the_run(path: str) -> None:
    began = time.monotonic()
    done = gd("minimize", *ENDLESS, f"--output={path}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write the file" in done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["minimize", "x**2", "--start", "x=1"], ["--help"], ["run", "examples.toml", "booth"]]
)
def test_a_full_disk_is_an_error(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(*arguments), stdout=full, stderr=subprocess.PIPE, env=environment(), cwd=ROOT, check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "error: cannot write the answer: No space left on device\n"
    to_file = gd("minimize", "x**2", "--start", "x=1", "--output", "/dev/full")
    assert (to_file.returncode, to_file.stdout) == (1, "")
    assert "No space left on device" in to_file.stderr
    assert "Traceback" not in to_file.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("option", ["--output", "--trace", "--report"])
def test_the_file_that_cannot_be_written_is_named(option: str, tmp_path: Path) -> None:
    full = tmp_path / "full.html"
    full.symlink_to("/dev/full")
    done = gd("minimize", "x**2 + y**2", "--start", "1,2", "--lr", "0.001", option, str(full))
    assert (done.returncode, f"cannot write {full}: No space left on device" in done.stderr) == (1, True)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no /dev/stdout")
def test_the_pipe_of_standard_output_has_a_name() -> None:
    done = gd("minimize", "x**2", "--start", "x=1", "--print", "x", "--output", "/dev/stdout")
    assert (done.returncode, done.stdout) == (0, "0.0\n")


@pytest.mark.parametrize("arguments", [["--format", "table"], ["--format", "jsonl"], ["--print", "x"]])
def test_a_closed_pipe_is_quiet(arguments: list[str]) -> None:
    with subprocess.Popen(
        command("minimize", ROSENBROCK, "--start", "x=-1.2,y=1", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


def test_closed_standard_streams() -> None:
    line = " ".join(f"'{part}'" for part in command("minimize", "x**2", "--start", "x=1"))
    told = b"error: cannot write the answer: standard output is closed\n"
    for closed, code, text in (
        (">&-", 1, told),
        ("2>&-", 0, b""),
        (">&- 2>&- <&-", 1, b""),
        (">&- --output /dev/null", 0, b""),
        (">&- --format jsonl", 1, told),
    ):
        done = subprocess.run(
            ["sh", "-c", f"{line} {closed}"], capture_output=True, env=environment(), check=False
        )
        assert (done.returncode, done.stderr) == (code, text), closed


def test_help_on_a_closed_output_is_an_error_too() -> None:
    for words in ("--help", "minimize --help", "--version", "methods", "run examples.toml booth"):
        line = " ".join(f"'{part}'" for part in command(*words.split()))
        done = subprocess.run(
            ["sh", "-c", f"{line} >&-"], capture_output=True, env=environment(), cwd=ROOT, check=False
        )
        assert done.returncode == 1
        assert b"standard output is closed" in done.stderr


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    start, text, stream, table, matrix, limits = (
        tmp_path / name for name in ("s.json", "e.txt", "p.jsonl", "d.csv", "c.csv", "limits.txt")
    )
    start.write_text('{"x": 1}')
    text.write_text("x**2")
    stream.write_text('{"expression": "x**2", "start": {"x": 1}}\n')
    table.write_text("x,y\n1,2\n2,4\n3,6\n")
    (tmp_path / "link").symlink_to(start)
    matrix.write_text("2,1\n1,3\n")
    limits.write_text("sum(w) == 1\n")
    before = {path: path.read_text() for path in (start, text, stream, table, matrix, limits)}
    weighed = ("minimize", "w @ C @ w", "--set", f"a=1,C=@{matrix}", "--start", "w=[1,1]")
    for words in (
        ("minimize", "x**2", "--start", f"@{start}", f"--output={start}"),
        ("minimize", "x**2", "--start", f"@{start}", f"--output={tmp_path / 'link'}"),
        ("minimize", f"@{text}", "--start", "x=1", f"--output={text}"),
        ("gradient", "x**2", "--at", f"@{start}", f"--output={start}"),
        ("compare-lr", "x**2", "--start", f"@{start}", f"--output={start}"),
        ("compare-methods", "x**2", "--start", f"@{start}", f"--output={start}"),
        ("run", str(stream), f"--output={stream}"),
        (*weighed, f"--output={matrix}"),
        (*weighed, f"--trace={matrix}"),
        (*weighed, "--subject-to", f"@{limits}", f"--output={limits}"),
        ("fit", "y ~ a*x", str(table), f"--output={table}"),
        ("fit", "y ~ a*x", f"{tmp_path}/*.csv", f"--predict={table}"),
        ("compare-batch", "y ~ a*x", str(table), f"--output={table}"),
    ):
        done = gd(*words)
        assert (done.returncode, done.stdout, "would overwrite" in done.stderr) == (2, "", True), words
    with open(stream, "a") as appended:
        done = subprocess.run(
            command("run", str(stream)),
            stdout=appended,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert (done.returncode, b"is read and written" in done.stderr) == (2, True)
    assert before == {path: path.read_text() for path in before}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_stream_onto_a_full_disk_is_an_error(jobs: str) -> None:
    lines = b'{"expression": "x**2", "start": {"x": 1}}\n' * 50
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("run", "-", "--jobs", jobs),
            input=lines, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.decode() == "error: cannot write the answer: No space left on device\n"


def test_a_stream_that_is_cut_off_leaves_no_half_file(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    with subprocess.Popen(
        command("run", "-", "--output", str(file)), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(b'{"expression": "x**2", "start": {"x": 1}}\n')
        process.stdin.flush()
        time.sleep(1.5)
        assert [p.suffix for p in tmp_path.iterdir()] == [".tmp"]
        process.kill()
        process.stdin.close()
    assert not file.exists()


def interrupted(number: int, *arguments: str) -> tuple[int, str, str]:
    """Start an endless run, send it a signal when it runs, return its code and what it wrote."""
    process = subprocess.Popen(
        command("minimize", *ENDLESS, "--format", "jsonl", "--every", "1000", *arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("number", "code", "status"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_with_the_best_point(number: int, code: int, status: str) -> None:
    got, out, err = interrupted(number)
    result = json.loads(out.splitlines()[-1])
    assert (got, result["type"], result["status"]) == (code, "result", status)
    assert result["value"] < 24.2
    assert "Traceback" not in err


def test_a_signal_while_modules_are_loaded_is_quiet() -> None:
    code = (
        "import sys\n"
        "class Signal:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'gdcli.cli.commands':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Signal())\n"
        "from gdcli.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_signal_before_the_run_is_quiet() -> None:
    process = subprocess.Popen(
        command("minimize", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_internal_errors_have_no_traceback_unless_asked_for() -> None:
    broken = "def broken(*a, **k): raise ZeroDivisionError('oh')"
    code = f"import gdcli.api\n{broken}\ngdcli.api.solve = broken\n{MAIN}"
    arguments = command("minimize", "x**2", "--start", "x=1", code=code)
    done = subprocess.run(arguments, capture_output=True, env=environment(), check=False)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("error: internal error: ZeroDivisionError: oh\nhint: ")
    done = subprocess.run(arguments, capture_output=True, env=environment(GDCLI_DEBUG="1"), check=False)
    assert b"Traceback" in done.stderr


def terminal(*arguments: str, columns: int = 80, **changes: str) -> str:
    """Run on a pseudo-terminal and return what it shows."""
    main, follower = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command(*arguments), stdin=follower, stdout=follower, stderr=follower,
        env=environment(TERM="xterm-256color", **changes),
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while select.select([main], [], [], 30)[0]:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert process.wait(30) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 120])
def test_the_manual_on_a_terminal_is_text(columns: int) -> None:
    for arguments in (["man"], ["man", "compare-lr"]):
        shown = terminal(*arguments, columns=columns)
        assert "\n\nSYNOPSIS\n    gd " in shown
        assert not any(line.startswith(".") or "\\" in line for line in shown.splitlines())
        long = [line for line in shown.splitlines() if len(line) > columns]
        assert all("gd " in line for line in long)  # examples stay whole, to be copied
        piped = subprocess.run(
            command(*arguments), capture_output=True, text=True, env=environment(), check=True
        )
        assert piped.stdout.startswith(".TH ")
        roff = re.sub(r"(?m)^\.\w+ ?|\\f[BIR]|\\&", "", piped.stdout[piped.stdout.index("NAME") :])
        for escape, plain in ("--", ("(aq", "'"), ("(ha", "^"), ("(ti", "~"), ("(ga", "`"), ("e", "\\")):
            roff = roff.replace(f"\\{escape}", plain)
        assert shown.split() == roff.split()


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal(columns: int) -> None:
    arguments = ["minimize", ROSENBROCK, "--start", "x=-1.2,y=1"]
    shown = terminal(*arguments, columns=columns)
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert all(len(line) <= columns for line in plain.splitlines())
    without_time = re.sub(r"^time .*\n", "", plain, flags=re.M)
    assert without_time == gd(*arguments, COLUMNS=str(columns)).stdout
    bare = terminal(*arguments, columns=columns, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", bare)


def test_no_progress_and_no_colour_in_a_pipe() -> None:
    done = gd("minimize", ROSENBROCK, "--start", "x=-1.2,y=1", FORCE_COLOR="1")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["minimize", "__import__('os').system('echo oh')", "--start", "x=1"],
        ["minimize", "x.__class__", "--start", "x=1"],
        ["minimize", "2x", "--start", "x=1"],
        ["minimize", "", "--start", "x=1"],
        ["minimize", "x+y", "--start", "x=1"],
        ["minimize", "x", "--start", "x=abc"],
        ["minimize", "x\x1b[2J", "--start", "x=1"],
        ["minimize", "字+?", "--start", "字=1"],
        ["minimize", "(" * 10000 + "x" + ")" * 10000, "--start", "x=1"],
        ["minimize", "x+" * 50000 + "x", "--start", "x=1"],
        ["minimize", "x", "--start", "x=1", "--method", "atuo"],
        ["run", "/dev/null/x"],
        ["run", "examples.toml", "\x1b"],
        ["\x1b[2J"],
        ["minimize", "x", "--\x1b[2J"],
    ],
)
def test_bad_input_is_one_clear_error(arguments: list[str]) -> None:
    done = gd(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 3000
    assert "internal" not in done.stderr
