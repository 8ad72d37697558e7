"""Receipts: an answer can be repeated, and two can be held against each other."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from processes import ROOT, environment, gd

from gdcli.record.processor import HARD, POWER

DECAY = str(ROOT / "docs" / "decay.csv")
COMMANDS = [
    ("minimize", "(x-a)**2 + y**4", "--start", "x=1,y=2", "--set", "a=3"),
    ("minimize", "100*(y-x**2)**2+(1-x)**2", "--start=-1.2,1", "--method", "bfgs", "--max-iter", "9"),
    ("minimize", "(x-7)**2 + y**2", "--start", "x=1,y=1", "--bounds", "x=0:5", "--bounds", "y=1:"),
    ("minimize", "sum((v-c)**4)", "--start", "v=linspace(0,1,4)", "--set", "c=[1,2,3,4]"),
    ("maximize", "-(x-1)**2-y**2", "--seed", "7"),
    ("minimize", "-x**2", "--start", "x=1", "--bounds", "x=-1:3"),
    ("minimize", "(x**2-1)**2 + y**2", "--multi-start", "5", "--seed", "3", "--bounds", "x=-2:2,y=-2:2"),
    ("fit", "y ~ a*exp(-b*t) + c", DECAY, "--start", "a=1,b=1,c=0"),
    ("fit", "y ~ a*exp(-b*t) + c", DECAY, "--start", "auto"),
    ("fit", "y ~ a*exp(-b*t) + c", DECAY, "--start", "b=3"),
    ("fit", "y ~ a + b*t", DECAY, "--loss", "huber", "--huber-delta", "0.1"),
    (
        "fit",
        "y ~ a + b*t",
        DECAY,
        "--epochs",
        "3",
        "--batch-size",
        "4",
        "--lr",
        "0.1",
        "--seed",
        "5",
        "--polish",
    ),
]


def stored(tmp_path: Path, *words: str, form: str = "json", name: str = "a.json") -> Path:
    file = tmp_path / name
    done = gd(*words, "--format", form, "--output", str(file))
    assert file.exists(), done.stderr
    return file


def edited(file: Path, **changes: Any) -> Path:
    record = json.loads(file.read_text())
    for path, value in changes.items():
        *folders, last = path.split("__")
        inner = record
        for folder in folders:
            inner = inner[folder]
        inner[last] = value
    other = file.with_name(f"edited_{file.name}")
    other.write_text(json.dumps(record))
    return other


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_an_answer_is_repeated_bit_for_bit(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = stored(tmp_path, *words)
    done = gd("rerun", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "same          the answer is the same (same bits)\n"
    trace = stored(tmp_path, *words, form="jsonl", name="b.jsonl")
    assert gd("rerun", "-", stdin=trace.read_bytes()).returncode == 0


def test_what_a_receipt_has(tmp_path: Path) -> None:
    receipt = json.loads(stored(tmp_path, *COMMANDS[1]).read_text())["receipt"]
    assert receipt["command"] == "minimize"
    assert receipt["options"] == {"method": "bfgs", "max-iter": "9"}
    assert receipt["python"] == platform.python_version()
    assert "numpy" not in receipt
    assert list(receipt["kernels"]) == ["math"]
    fitted = json.loads(stored(tmp_path, *COMMANDS[7]).read_text())["receipt"]
    assert list(fitted["data"]) == [DECAY]
    assert fitted["data"][DECAY].startswith("sha256:")
    assert "numpy" not in fitted
    assert list(fitted["kernels"]) == ["math"]
    by_arrays = json.loads(stored(tmp_path, *COMMANDS[7], "--engine", "numpy").read_text())["receipt"]
    assert by_arrays["numpy"] == np.__version__


@pytest.mark.parametrize("name", HARD)
def test_kernels_are_probed_where_rounding_is_hard(name: str) -> None:
    """Between two numbers, nearly in the middle, so that another kernel rounds every other one to the other side."""
    exact = (lambda x: x ** mpmath.mpf(POWER)) if name == "pow" else getattr(mpmath, name)
    with mpmath.workprec(140):
        for place in HARD[name]:
            value = exact(mpmath.mpf(place) / 1024)
            unit = math.ulp(float(value))
            assert abs(abs(float((value - float(value)) / unit)) - 0.5) < 1e-3


@pytest.mark.parametrize("without", ["", "-FMA,-FMA4", "-AVX2,-AVX512F"])
def test_other_kernels_have_another_number(without: str) -> None:
    """Compared with the bits at twenty thousand places, whichever kernels the C library can be made to take."""
    code = (
        "import math; from gdcli.record.processor import kernels; names = 'sin cos tan log tanh atan exp'.split();"
        "bits = [getattr(math, n)(0.1 + k / 1003) for n in names for k in range(20000)];"
        "print(kernels(False)['math'], hash(tuple(bits)))"
    )

    def told(**changes: str) -> list[str]:
        words = [sys.executable, "-c", code]
        return subprocess.run(
            words, env=environment(**changes), capture_output=True, text=True, check=True
        ).stdout.split()

    (number, bits), (other, other_bits) = told(), told(GLIBC_TUNABLES=f"glibc.cpu.hwcaps={without}")
    assert (number == other) == (bits == other_bits)


def test_lines_of_a_stream_can_be_repeated(tmp_path: Path) -> None:
    lines = [
        {
            "expression": "(x-a)**4",
            "start": {"x": 1},
            "set": {"a": 3},
            "method": "gd",
            "lr": 0.1,
            "max_iter": 7,
        },
        {"expression": "(x-7)**2", "start": {"x": 1}, "bounds": {"x": [0, 5]}},
        {"command": "fit", "expression": "y ~ a + b*t", "data": DECAY, "loss": "huber", "polish": False},
    ]
    done = gd("run", "-", stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
    for line in done.stdout.splitlines():
        again = gd("rerun", "-", stdin=line.encode())
        assert (again.returncode, again.stderr) == (0, "")
    together = gd("rerun", "-", stdin=done.stdout.encode())
    assert (together.returncode, "holds 3 results" in together.stderr) == (8, True)


def test_another_answer_is_told(tmp_path: Path) -> None:
    file = stored(tmp_path, *COMMANDS[0])
    done = gd("rerun", str(edited(file, point__x=3.0000000000000004)))
    assert done.returncode == 9
    assert done.stdout.startswith("different     the answer is not the same (compared bit by bit)\n\nanswer ")
    assert "\nx       3.0000000000000004  3.0   -4.44e-16      1\n" in done.stdout
    elsewhere = edited(file, receipt__python="2.7.18", point__x=3.0000000000000004, iterations=99)
    done = gd("rerun", str(elsewhere))
    assert (
        done.returncode,
        "within 1e-06; not known to give the same bits: python 2.7.18 then" in done.stdout,
    ) == (0, True)
    others = edited(file, receipt__kernels={"math": "0"}, point__x=3.0000000000000004, iterations=99)
    done = gd("rerun", str(others))
    assert (
        done.returncode,
        "within 1e-06; not known to give the same bits: kernels of math 0 then" in done.stdout,
    ) == (0, True)
    done = gd("rerun", str(edited(file, receipt__machine="abacus", point__x=3.1)))
    assert (done.returncode, done.stdout.splitlines()[-1].split()) == (9, ["x", "3.1", "3", "-0.1", "0.9677"])


def test_data_that_changed_are_told(tmp_path: Path) -> None:
    table = tmp_path / "d.csv"
    table.write_text("x,y\n1,2\n2,4\n3,6.5\n")
    file = stored(tmp_path, "fit", "y ~ a*x", str(table))
    table.write_text("x,y\n1,2\n2,4\n3,6.6\n")
    done = gd("rerun", str(file))
    assert done.returncode == 9
    assert f"data          {table} has changed\n" in done.stdout
    table.write_text("# the same rows\nx,y\n1,2\n2,4\n3,6.5\n")
    done = gd("rerun", str(file))
    told = (
        f"different     the data are not the same (compared bit by bit)\ndata          {table} has changed\n"
    )
    assert (done.returncode, done.stdout) == (9, told)
    table.unlink()
    assert gd("rerun", str(file)).returncode == 8
    piped = gd("fit", "y ~ a*x", "--format", "json", stdin=b"x,y\n1,2\n2,4\n3,7\n").stdout
    assert json.loads(piped)["receipt"]["data"] == {"-": None}
    done = gd("rerun", "-", stdin=piped.encode())
    assert (done.returncode, "was read from a pipe" in done.stderr) == (8, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "holds no result, it is empty"),
        (b"{", "not JSON"),
        (b"3", "holds no result of gd"),
        (b'{"type": "error"}', "holds no result (error)"),
        (b'{"type": "result"}', "holds no result of gd"),
        (b"\xff", "is not text"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_result_is_refused(text: bytes, told: str) -> None:
    for command in ("rerun", "show"):
        done = gd(command, "-", stdin=text)
        assert (done.returncode, done.stdout) == (8, "")
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_of_other_answers_it_is_told_what_shows_them(tmp_path: Path) -> None:
    file = stored(tmp_path, "compare-lr", "x**2", "--start", "x=1")
    for words in (["rerun", str(file)], ["diff", str(file), str(file)]):
        done = gd(*words)
        assert (done.returncode, "hint: gd show shows it; this command reads" in done.stderr) == (
            8,
            True,
        )
    file.write_text("x,y\n1,2\n")
    for words in (["rerun", str(file)], ["show", str(file)]):
        assert "hint: it must be what gd --format json or jsonl wrote" in gd(*words).stderr


def test_results_without_a_receipt_are_refused(tmp_path: Path) -> None:
    record = json.loads(stored(tmp_path, *COMMANDS[0]).read_text())
    del record["receipt"]
    done = gd("rerun", "-", stdin=json.dumps(record).encode())
    assert (done.returncode, "has no receipt" in done.stderr) == (8, True)
    record["receipt"] = {"command": "rm", "options": {}}
    done = gd("rerun", "-", stdin=json.dumps(record).encode())
    assert (done.returncode, "cannot be repeated" in done.stderr) == (8, True)
    record["receipt"] = {"command": "minimize", "options": {"output": "/tmp/x", "tol": "-1"}}
    assert gd("rerun", "-", stdin=json.dumps(record).encode()).returncode == 8


def test_two_answers_side_by_side(tmp_path: Path) -> None:
    words = ("minimize", "x**2 + y**4", "--start", "x=1,y=2", "--max-iter", "20")
    one = stored(tmp_path, *words, "--lr", "0.02", form="jsonl", name="one")
    two = stored(tmp_path, *words, "--lr", "0.03", form="jsonl", name="two")
    longer = stored(tmp_path, *words[:4], "--max-iter", "30", "--lr", "0.02", form="jsonl", name="longer")
    done = gd("diff", str(one), str(two))
    assert done.returncode == 9
    assert done.stdout.startswith("asked  one   two\n")
    assert "\n--lr   0.02  0.03\n" in done.stdout
    assert "\npaths part    at iteration 1\n" in done.stdout
    assert "\nvalue " in done.stdout
    same = gd("diff", str(one), str(one))
    assert (same.returncode, same.stdout) == (0, "same          the same question, the same answer\n")
    done = gd("diff", str(one), str(longer))
    assert "are the same up to iteration 20; one ends at 20, one at 30" in done.stdout
    assert "\n--max-iter  20" in done.stdout


@pytest.mark.parametrize("words", COMMANDS[:7], ids=lambda words: " ".join(words)[:60])
@pytest.mark.parametrize("form", ["table", "plain"])
def test_a_stored_trace_is_shown_as_its_run_was(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    trace = stored(tmp_path, *words, form="jsonl")
    live = gd(*words, "--format", form).stdout
    done = gd("show", str(trace), "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == live
    assert (
        gd("show", "-", "--format", form, "--every", "3", stdin=trace.read_bytes()).stdout
        == gd(*words, "--format", form, "--every", "3").stdout
    )


def test_a_stored_result_is_shown_without_the_path(tmp_path: Path) -> None:
    words = COMMANDS[0]
    result = stored(tmp_path, *words)
    live = gd(*words).stdout.split("\n\n")
    assert gd("show", str(result)).stdout.split("\n\n") == [live[0], live[2]]
    broken = edited(result, certificate__kind=None, reason="because")
    assert (gd("show", str(broken)).returncode, gd("show", str(broken)).stdout) == (8, "")


def test_a_trace_is_drawn_as_its_run_was(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trace = stored(tmp_path, *COMMANDS[0], form="jsonl")
    live, shown = tmp_path / "live.svg", tmp_path / "shown.svg"
    assert gd(*COMMANDS[0], "--plot", str(live)).returncode == 0
    assert gd("show", str(trace), "--plot", str(shown)).returncode == 0
    assert abs(live.stat().st_size - shown.stat().st_size) < 0.02 * live.stat().st_size
