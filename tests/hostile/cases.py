"""Hostile input, each case with its command: what must be refused, or answered, at once and in little memory.

`CASES` is the table; `run` runs one of them as a process of its own. The test holds every case to its exit code and
to a bound on memory, `benchmarks/hostile.py` measures the times, which are promised to stay below a second.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

MOST = 300_000_000  # bytes of memory that a case may take; gd with everything loaded takes 200 MB
USAGE, LIMIT, DOMAIN, DATA = 2, 3, 7, 8
ANSWERED = (0, LIMIT, 4, 5, 6, DOMAIN)  # it is an expression like any other


class Case(NamedTuple):
    """A command line and its input; ``code`` the exit codes that are right, ``says`` what it must tell.

    ``files`` are written into the folder that the command runs in, each made when it is needed.
    """

    name: str
    arguments: Sequence[str]
    code: int | tuple[int, ...] = USAGE
    says: str = ""
    stdin: Callable[[], bytes] | None = None
    files: Mapping[str, Callable[[], bytes]] = {}


class Outcome(NamedTuple):
    """What came of a case: seconds from start to end and of processors, bytes of memory at most, exit code, outputs."""

    seconds: float
    work: float
    memory: int
    code: int
    out: str
    err: str


def run(case: Case, folder: Path, timeout: float) -> Outcome:
    """Run a case in ``folder``; raises subprocess.TimeoutExpired after ``timeout`` seconds."""
    for name, make in case.files.items():
        (folder / name).write_bytes(make())
    arguments = [sys.executable, "-c", "from gdcli.cli.app import main; main()", *case.arguments]
    root = str(Path(__file__).parent.parent.parent)
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "SYSTEMROOT")}
    (folder / "in").write_bytes(b"" if case.stdin is None else case.stdin())
    with (
        (folder / "in").open("rb") as given,
        (folder / "out").open("w+b") as out,
        (folder / "err").open("w+b") as err,
    ):
        began, before = time.perf_counter(), os.times()
        process = subprocess.Popen(
            arguments,
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=environment | {"PYTHONPATH": root, "GDCLI_CACHE_DIR": str(folder)},
        )
        try:
            memory = _waited(process, timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds, after = time.perf_counter() - began, os.times()
        work = after.children_user + after.children_system - before.children_user - before.children_system
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return Outcome(seconds, work, memory, process.returncode, *texts)


def _waited(process: subprocess.Popen[bytes], timeout: float) -> int:
    """Wait for the end of a process, and return the most memory that it was seen with."""
    deadline = time.perf_counter() + timeout
    most = 0
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        if time.perf_counter() > deadline:
            raise subprocess.TimeoutExpired(process.args, timeout)
        time.sleep(0.002)
    return most


def _memory(pid: int) -> int:
    """Return the peak of a process so far; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * 1024 if found else 0


def text(content: str) -> Callable[[], bytes]:
    """Return what makes a file of a text."""
    return lambda: content.encode("utf-8", "surrogatepass")


def by_stdin(
    name: str, content: str, code: int | tuple[int, ...] = USAGE, says: str = "", *more: str
) -> Case:
    """An expression too long for a command line."""
    return Case(name, ["minimize", "-", *more], code, says, text(content))


def expression(
    name: str, content: str, code: int | tuple[int, ...] = USAGE, says: str = "", *more: str
) -> Case:
    """An expression as an argument."""
    return Case(name, ["minimize", content, *more], code, says)


def start(name: str, value: str, says: str = "", code: int = USAGE) -> Case:
    """A hostile text after --start."""
    return Case(name, ["minimize", "sum(v**2)", f"--start={value}"], code, says)


def problems(name: str, file: str, content: bytes | str, code: int = USAGE, says: str = "") -> Case:
    """A hostile problem file."""
    made = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    return Case(name, ["run", file], code, says, None, {file: lambda: made})


def table(
    name: str, file: str, make: Callable[[], bytes], says: str = "", code: int | tuple[int, ...] = DATA
) -> Case:
    """A hostile data file."""
    return Case(name, ["fit", "y ~ a*x + b", file], code, says, None, {file: make})


def stored(name: str, command: str, content: str, code: int = DATA, says: str = "") -> Case:
    """A hostile stored result."""
    return Case(name, [command, "stored.json"], code, says, None, {"stored.json": text(content)})


_MILLION = 10**6
_DEEP = 10**5
# 512 comparisons would have to be tried of each choice within the other.
_CHOICES = "where(x<1," * 98 + "x" + ",x)" * 98
_SWAPPED = "where(" * 90 + "x" + "<1,x,x)" * 90
_RESULT = (
    '{"schema": "gd.result/1", "type": "result", "problem": {"expression": %s, "sense": "minimize", "start": %s, '
    '"constants": {}}, "method": "auto", "gradient": "autodiff", "status": "converged", "reason": "gain-tolerance", '
    '"message": "", "point": {"x": 0}, "value": 0, "gradient_norm": 0, "certificate": {"kind": "minimum", '
    '"eigenvalue_min": 2, "eigenvalue_max": 2, "condition": 1, "estimated_gap": 0}, "iterations": 1, '
    '"evaluations": {"value": 1, "gradient": 1, "hessian": 1}, "seed": 0, "warnings": [], "version": "0.1.0", '
    '"receipt": {"command": "minimize", "options": %s, "python": "3.11", "machine": "x"}}'
)

EXPRESSIONS = (
    by_stdin("parentheses, 100 000 deep", "(" * _DEEP + "x" + ")" * _DEEP, USAGE, "too long"),
    expression("parentheses, 99 deep", "(" * 99 + "x**2" + ")" * 99, 0, "", "--start=x=1"),
    by_stdin("minus signs, a million", "-" * _MILLION + "x", USAGE, "at most"),
    by_stdin("minus signs, 10 000", "-" * 10_000 + "x", USAGE, "nested"),
    by_stdin("powers, a chain of 5000", "x" + "**x" * 5000, USAGE, "nested"),
    expression("powers of ten", "x + 10**10**10**10", USAGE, "too large", "--start=x=1"),
    expression("nines", "x + 9**9**9**9**9**9", USAGE, "too large", "--start=x=1"),
    expression("a negative tower", "x + 2**-(9**9**9)", (USAGE, DOMAIN, 4), "", "--start=x=1"),
    expression("gamma of gamma", "x + gamma(gamma(gamma(gamma(9))))", (USAGE, DOMAIN), "", "--start=x=1"),
    expression("gamma by growth", "x + gamma(170)**gamma(170)", (USAGE, DOMAIN), "", "--start=x=1"),
    by_stdin("an integer of a million digits", "x + " + "9" * (_MILLION - 10), USAGE, "characters; at most"),
    by_stdin(
        "a fraction of a million digits", "x + 0." + "1" * (_MILLION - 10), USAGE, "characters; at most"
    ),
    expression("an exponent of 300 digits", "x + 1e" + "9" * 300, USAGE, "too large", "--start=x=1"),
    by_stdin("a text of 2 MB", "x+" * _MILLION + "x", USAGE, "at most"),
    by_stdin("250 000 operators", "x" + "+x" * 250_000, USAGE, "too long"),
    by_stdin("2001 terms", "+".join(["x"] * 2002), USAGE, "chain of more than"),
    by_stdin(
        "2000 factors of 2 terms",
        "*".join(["(x+y)"] * 2000),
        (0, 4, 5, LIMIT, USAGE, 6, DOMAIN),
        "",
        "--start=1,1",
        "--max-iter=1",
    ),
    by_stdin("a name of a million letters", "x" * (_MILLION - 1), USAGE, "characters; at most"),
    by_stdin("a function of a million letters", "f" * (_MILLION - 5) + "(x)", USAGE, "characters"),
    by_stdin("20 000 brackets that open", "(" * 20_000, USAGE, "nested"),
    by_stdin("20 000 brackets that close", ")" * 20_000, USAGE, "closes nothing"),
    by_stdin("100 000 commas", "max(" + "x," * 100_000 + "x)", USAGE, "too long"),
    expression("choices, 98 deep", _CHOICES, ANSWERED, "", "--start=x=2", "--max-iter=3"),
    expression("choices in conditions", _SWAPPED, ANSWERED, "", "--start=x=2"),
    expression("comparisons in a row", "where(" + "x<" * 5000 + "x,x,x)", USAGE, "comparisons in a row"),
    expression(
        "squares of squares of squares",
        "((((((((((x**2+1)**2+1)**2+1)**2+1)**2+1)**2+1)**2+1)**2+1)**2+1)**2+1)**2",
        ANSWERED,
        "",
        "--start=x=0.1",
    ),
    expression(
        "sums within sums",
        "sum(v*sum(v*sum(v*sum(v*sum(v*sum(v*sum(v*sum(v))))))))",
        ANSWERED,
        "",
        "--start=v=full(10,0.1)",
        "--max-iter=3",
    ),
    expression(
        "products of sums",
        "*".join(["(x+y+z+1)"] * 200),
        ANSWERED,
        "",
        "--start=1,1,1",
        "--max-iter=2",
    ),
    expression("an index of 300 digits", "v[" + "9" * 300 + "]", USAGE, "elements", "--start=v=[1,2]"),
    expression("a slice of 300 digits", "sum(v[::" + "9" * 300 + "])", ANSWERED, "", "--start=v=[1,2]"),
    expression("a NUL", "x\0**2", USAGE, "") if False else by_stdin("a NUL", "x\0**2", USAGE, "U+0000"),
    by_stdin("control characters", "x\x1b[31m**2", USAGE, "U+001B"),
    expression("text that runs from right to left", "x\u202e**2", USAGE, "U+202E"),
    expression("an invisible space", "x\u200b+y", USAGE, "U+200B"),
    expression("a minus that is none", "(x \u2212 1)**2", 0, "x = 1"),
    expression("letters that look alike", "p\u0430 + pa", USAGE, "", "--start=pa=1"),
    expression("digits that look alike", "x + \u0661", USAGE, "digits of numbers"),
    expression("letters of many widths", "\uff53\uff49\uff4e(x)", ANSWERED, "", "--start=x=1"),
    by_stdin("bytes that are no text", "", USAGE, "not UTF-8")._replace(stdin=lambda: b"x\xff\xfe" * 1000),
    expression("a stack of accents", "x" + "\u0301" * 5000, USAGE, "has no place"),
    expression("an attribute", "x.__class__.__mro__", USAGE, "attributes"),
    expression("a call of a call", "(lambda: x)()", USAGE, ""),
    expression("an import", "__import__('os').system('true')", USAGE, "quotes"),
    Case(
        "formulas of a deep function",
        ["minimize", "exp(" * 90 + "x" + ")" * 90, "--start=x=-1", "--max-iter=1"],
        (USAGE, DOMAIN, 0, 4, 5),
        "",
    ),
)
VALUES = (
    start("zeros beyond all memory", "v=zeros(1e12)", "not a length"),
    start("zeros of 1e999", "v=zeros(1e999)", "not a finite number"),
    start("a length that is none", "v=zeros(-1)", "not a length"),
    start("random numbers without end", "v=random(1e15)", "not a length"),
    start("a tower as a value", "v=[10**10**10]", "too large"),
    start("nested lists", "v=" + "[" * 50_000 + "]" * 50_000, ""),
    start("brackets that never close", "v=" + "(" * 100_000, "never closed"),
    start("ten thousand names", ",".join(f"x{i}=1" for i in range(10_000)), "not a variable"),
    start("a name of 100 000 letters", "v" * 100_000 + "=1", "not a variable"),
    start("equal signs", "=" * 100_000, "not a name"),
    start("digits", "v=[" + "9" * 100_000 + "]", "not a finite number"),
    Case(
        "vectors beyond --max-memory",
        ["minimize", "sum(v**2)", "--start=v=ones(1e8)", "--max-memory=200MB"],
        LIMIT,
        "--max-memory",
    ),
    Case(
        "a sum over a huge range",
        ["minimize", "sum(v**2)", "--start=v=linspace(0,1,1e8)", "--max-memory=200MB"],
        LIMIT,
        "--max-memory",
    ),
    Case(
        "bounds of digits",
        ["minimize", "x**2", "--start=x=1", "--bounds=x=" + "9" * 100_000 + ":"],
        USAGE,
        "",
    ),
    Case("a list of rates", ["compare-lr", "x**2", "--start=x=1", "--lr=" + "1," * 60_000], USAGE, ""),
    Case("an option of 100 000 letters", ["minimize", "x", "--" + "o" * 100_000], USAGE, "unknown option"),
    Case(
        "a method of 100 000 letters",
        ["minimize", "x", "--start=x=1", "--method=" + "m" * 100_000],
        USAGE,
        "",
    ),
    Case("a command of 100 000 letters", ["c" * 100_000], USAGE, "unknown command"),
    Case(
        "an @file nested deeply",
        ["minimize", "x**2", "--start=@deep.json"],
        USAGE,
        "not JSON",
        None,
        {"deep.json": text("[" * _MILLION)},
    ),
    Case(
        "an @file of digits",
        ["minimize", "x**2", "--start=@digits.json"],
        USAGE,
        "",
        None,
        {"digits.json": text('{"x": ' + "9" * _MILLION + "}")},
    ),
)
PROBLEMS = (
    problems(
        "TOML nested deeply", "deep.toml", "[p]\nexpression='x**2'\nstart=" + "[" * _DEEP, USAGE, "nested"
    ),
    problems("TOML tables in tables", "dots.toml", "[p]\n" + ".".join(["a"] * 50_000) + "=1", USAGE, ""),
    problems(
        "TOML with a huge number",
        "number.toml",
        "[p]\nexpression='x**2'\nstart={x=" + "9" * 100_000 + "}",
        USAGE,
        "",
    ),
    problems(
        "TOML with a key twice", "twice.toml", "[p]\nexpression='x**2'\nexpression='x'", USAGE, "twice.toml:3"
    ),
    problems("TOML that is binary", "binary.toml", bytes(range(256)) * 1000, USAGE, "not UTF-8"),
    problems(
        "TOML with a key of 1 MB",
        "key.toml",
        "[p]\nexpression='x**2'\n" + "k" * _MILLION + "=1",
        USAGE,
        "unknown key",
    ),
    problems("problems of JSON nested deeply", "deep.jsonl", '{"start":' * _DEEP, USAGE, "nested too deeply"),
    problems(
        "JSON with a huge number",
        "number.jsonl",
        '{"expression": "x**2", "start": {"x": ' + "9" * _MILLION + "}}",
        USAGE,
        "",
    ),
    problems(
        "JSON with a key twice",
        "twice.jsonl",
        '{"expression": "x**2", "expression": "x"}',
        USAGE,
        "given twice",
    ),
    problems(
        "a line of 20 MB",
        "line.jsonl",
        b'{"expression": "' + b"x" * 20_000_000 + b'"}\n',
        USAGE,
        "longer than",
    ),
    problems("a thousand bad lines", "bad.jsonl", "{\n" * 1000, USAGE, ""),
    problems(
        "an expression nested deeply",
        "nested.jsonl",
        '{"expression": "' + "(" * 50_000 + '"}',
        USAGE,
        "nested",
    ),
    problems(
        "options nested deeply",
        "option.jsonl",
        '{"expression": "x", "method": ' + "[" * 900 + "]" * 900 + "}",
        USAGE,
        "",
    ),
    problems(
        "a start of a tower", "tower.toml", "[p]\nexpression='x**2'\nstart='x=9**9**9**9'", USAGE, "too large"
    ),
    problems(
        "memory asked of a problem",
        "memory.jsonl",
        '{"expression": "sum(v**2)", "start": {"v": "ones(1e8)"}, "max-memory": "200MB"}',
        LIMIT,
        "--max-memory",
    ),
)
STORED = (
    stored("show: nested deeply", "show", "[" * _MILLION),
    stored(
        "show: a number without end", "show", '{"schema": "gd.result/1", "value": ' + "9" * _MILLION + "}"
    ),
    stored("show: no result", "show", "{}"),
    stored("show: the wrong kinds", "show", '{"schema": "gd.result/1", "type": "result", "problem": 3}'),
    stored("show: a point of lists of lists", "show", (_RESULT % ('"x**2"', '{"x": [[[1]]]}', "{}"))),
    stored("show: binary", "show", "\0\x01\x02" * 1000),
    stored("rerun: nested deeply", "rerun", '{"a":' * _DEEP),
    stored(
        "rerun: an expression nested deeply", "rerun", _RESULT % ('"' + "(" * 50_000 + '"', '{"x": 1}', "{}")
    ),
    stored("rerun: a tower", "rerun", _RESULT % ('"x+9**9**9**9"', '{"x": 1}', "{}")),
    stored(
        "rerun: an expression from a file",
        "rerun",
        _RESULT % ('"@/etc/passwd"', '{"x": 1}', "{}"),
        DATA,
        "is no expression",
    ),
    stored(
        "rerun: an option that writes",
        "rerun",
        _RESULT % ('"x**2"', '{"x": 1}', '{"output": "/tmp/x"}'),
        DATA,
        "no option",
    ),
    stored("rerun: options that are none", "rerun", _RESULT % ('"x**2"', '{"x": 1}', "[1, 2]")),
    Case(
        "diff: two torn files",
        ["diff", "a.json", "b.json"],
        DATA,
        "",
        None,
        {"a.json": text('{"schema'), "b.json": text("")},
    ),
)


def _rows(count: int) -> bytes:
    return b"x,y\n" + b"1,2\n" * count


TABLES = (
    table("a line of 8 MB", "line.csv", lambda: b"x,y\n" + b"1" * 8_000_000, "a line of more than"),
    table("a header of 8 MB", "header.csv", lambda: b"x" * 8_000_000 + b",y\n1,2\n", "a line of more than"),
    table("a million columns", "columns.csv", lambda: b",".join([b"c"] * _MILLION) + b"\n", ""),
    table(
        "half a million columns with names",
        "named.csv",
        lambda: ",".join(f"c{i}" for i in range(500_000)).encode() + b"\n1\n",
        "",
    ),
    table("a quote that never closes", "quote.csv", lambda: b'x,y\n"' + b"1,2\n" * 300_000, "never closed"),
    table("a quote on every line", "quotes.csv", lambda: b"x,y\n" + b'1,"2\n' * 100_001, ""),
    table("nothing but quotes", "only.csv", lambda: b'"' * 3_000_001, ""),
    table("nothing but line ends", "blank.csv", lambda: b"\n" * 5_000_000, ""),
    table("nothing but commas", "commas.csv", lambda: b"," * 3_000_000, ""),
    table("zeros", "zeros.csv", lambda: bytes(3_000_000), ""),
    table(
        "a bomb of gzip", "bomb.csv.gz", lambda: gzip.compress(b"1" * 200_000_000, 1), "a line of more than"
    ),
    table("a bomb of bzip2", "bomb.csv.bz2", lambda: bz2.compress(b"1" * 30_000_000), "a line of more than"),
    table(
        "a bomb of xz",
        "bomb.csv.xz",
        lambda: lzma.compress(b"1" * 100_000_000, preset=0),
        "a line of more than",
    ),
    table("gzip within gzip", "twice.csv.gz", lambda: gzip.compress(gzip.compress(b"x,y\n1,2\n")), ""),
    table("gzip cut off", "cut.csv.gz", lambda: gzip.compress(_rows(100_000))[:-20], "cut off"),
    table(
        "gzip with a wrong sum",
        "sum.csv.gz",
        lambda: gzip.compress(_rows(1000))[:-8] + bytes(8),
        "cannot read",
    ),
    table(
        "Parquet within gzip",
        "packed.gz",
        lambda: gzip.compress(b"PAR1" + bytes(90)),
        "is a Parquet or Arrow",
    ),
    table("UTF-16, cut off", "wide.csv", lambda: "x,y\n1,2\n".encode("utf-16")[:-1], "UTF-16"),
    table("a zip archive", "archive.csv", lambda: b"PK\x03\x04" + bytes(1000), "zip archive"),
    table("Parquet that is none", "torn.parquet", lambda: b"PAR1" + bytes(1000) + b"PAR1", ""),
    table("Arrow that is none", "torn.arrow", lambda: b"ARROW1\0\0" + b"\xff" * 1000, ""),
    table(
        "numbers of a million digits", "digits.csv", lambda: b"x,y\n" + b"9" * _MILLION + b",2\n", "too large"
    ),
    table("JSON nested deeply", "deep.jsonl", lambda: b'{"x": 1, "y": ' + b"[" * _DEEP, "nested too deeply"),
    table("JSON with huge numbers", "digits.jsonl", lambda: b'{"x": ' + b"9" * _MILLION + b', "y": 1}\n', ""),
    table("JSON that is an array", "array.jsonl", lambda: b"[" + b'{"x": 1},' * 100_000, ""),
    table(
        "JSON of one line of 8 MB", "line.jsonl", lambda: b'{"x": "' + b"a" * 8_000_000, "a line of more than"
    ),
    table("bytes at random", "random.csv", lambda: bytes((i * 7919 >> 3) & 255 for i in range(200_000)), ""),
    table("two columns of one name", "names.csv", lambda: b"x,x,y\n1,2,3\n", "2 columns are called x", USAGE),
    Case(
        "an endless pipe of one line",
        ["fit", "y ~ a*x", "-"],
        DATA,
        "a line of more than",
        lambda: b"1" * 6_000_000,
    ),
    Case(
        "a model nested deeply",
        ["fit", "y ~ " + "(" * 10_000, "ok.csv"],
        USAGE,
        "nested",
        None,
        {"ok.csv": lambda: _rows(3)},
    ),
    Case(
        "a pattern of columns",
        ["fit", "y ~ X @ w", "ok.csv", "--columns=X=" + "*" * 5000 + "q"],
        (USAGE, DATA),
        "",
        None,
        {"ok.csv": lambda: _rows(3)},
    ),
    Case("patterns of files", ["fit", "y ~ a*x", "[" * 5_000 + "*"], DATA, ""),
)
CASES = (*EXPRESSIONS, *VALUES, *PROBLEMS, *STORED, *TABLES)
