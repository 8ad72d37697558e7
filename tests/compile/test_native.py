"""The compiler: the restricted language means in machine code what it means in CPython; the cache survives anything."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

from gdcli.compile import machine_code, native_compiler
from gdcli.compile.scalar_text import compile_function

TEXT = '''
def collatz(n: "int", most: "int") -> "int":
    """Loops, branches, integers."""
    steps = 0
    while n != 1:
        if steps >= most:
            break
        if n % 2 == 0:
            n //= 2
            steps += 1
            continue
        n = 3 * n + 1
        steps += 1
    return steps

def sums(x: "float*", out: "float*", n: "int") -> None:
    total = 0.0
    for i in range(n):
        if x[i] < 0.0:
            continue
        elif x[i] > 100.0:
            break
        else:
            pass
        total += x[i] * x[i]
    out[0] = total
    last = -1.0
    for i in range(n - 1, -1, -1):
        last, out[1] = x[i], last
    out[2] = last

def guarded(x: "float*", n: "int", at: "int") -> "int":
    return 1 if at >= 0 and at < n and x[at] > 0.0 or at == -7 else 0

def mixed(a, k: "int"):
    b = clipped(a) * k + k / 3 - (-k)
    return b if not b < 0.0 else -b

def clipped(a):
    if a > 1e6:
        return 1e6
    return max(a, -1e6)

def integers(a: "int", b: "int") -> "int":
    return ((a // 7) ^ (b % 16)) + (a >> 3) - (b << 2) + (a & b) + (a | 5) + min(a, b) + abs(a) + int(b / 4)
'''


def in_cpython(name: str) -> Any:
    """The same text as a Python function; what is a pointer is a list there."""
    return compile_function(TEXT, name, {"max": max, "abs": abs, "None": None})


@pytest.fixture(scope="module")
def library() -> machine_code.Library:
    return machine_code.load(TEXT, use_cache=False)


def doubles(values: list[float]) -> Any:
    return (ctypes.c_double * len(values))(*values)


@given(n=st.integers(1, 10**6), most=st.integers(0, 500))
def test_loops_and_integers(library: machine_code.Library, n: int, most: int) -> None:
    assert library["collatz"](n, most) == in_cpython("collatz")(n, most)


@given(x=st.lists(st.floats(-50.0, 150.0), min_size=1, max_size=20))
def test_continue_break_and_steps_back(library: machine_code.Library, x: list[float]) -> None:
    out, expected = doubles([0.0] * 3), [0.0] * 3
    library["sums"](doubles(x), out, len(x))
    in_cpython("sums")(x, expected, len(x))
    assert list(out) == expected


@given(at=st.integers(-9, 9))
def test_what_stands_right_of_and_is_not_read_in_vain(library: machine_code.Library, at: int) -> None:
    x = [1.0, -1.0, 2.0]
    assert library["guarded"](doubles(x), 3, at) == in_cpython("guarded")(x, 3, at)


@given(a=st.floats(-1e9, 1e9), k=st.integers(-1000, 1000))
def test_floats_and_integers_mix_as_in_python(library: machine_code.Library, a: float, k: int) -> None:
    assert library["mixed"](a, k) == in_cpython("mixed")(a, k)


@given(a=st.integers(-(10**6), 10**6), b=st.integers(-(10**6), 10**6))
def test_integers_round_down_as_in_python(library: machine_code.Library, a: int, b: int) -> None:
    assert library["integers"](a, b) == in_cpython("integers")(a, b)


VECTORS = """
def roots(x: "float*", y: "float*", n: "int") -> None:
    for i in range(0, n, 8):
        v = x[i : i + 8]
        y[i : i + 8] = where(v > 0.0, sqrt(v) * 2.0, sin(v)) + square(v)

def square(v):
    return v * v

def added(x: "float*"):
    return total(x[0:0 + 16])
"""


def test_vectors_are_element_by_element() -> None:
    library = machine_code.load(VECTORS, use_cache=False)
    x = [0.37 * k - 3.0 for k in range(16)]
    y = doubles([0.0] * 16)
    library["roots"](doubles(x), y, 16)
    assert list(y) == [(math.sqrt(a) * 2.0 if a > 0.0 else math.sin(a)) + a * a for a in x]
    halves = x
    while len(halves) > 1:
        middle = len(halves) // 2
        halves = [a + b for a, b in zip(halves[:middle], halves[middle:], strict=True)]
    assert library["added"](doubles(x)) == halves[0]


BITS = """
def high_of(a: "int", b: "int") -> "int":
    return high(a, b)

def above(a: "int") -> "int":
    return leading_zeros(a)

def below(a: "int") -> "int":
    return trailing_zeros(a)

def ahead(p: "byte*", i: "int") -> "int":
    return _word(p, i)

def _word(p: "byte*", i: "int") -> "int":
    return word(p, i)
"""
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**62, -(2**63)])


@given(a=INTEGERS, b=INTEGERS, at=st.integers(0, 8), text=st.binary(min_size=16, max_size=16))
def test_bits_and_bytes(bits: machine_code.Library, a: int, b: int, at: int, text: bytes) -> None:
    mask = 2**64 - 1
    assert bits["high_of"](a, b) & mask == (a & mask) * (b & mask) >> 64
    written = f"{a & mask:064b}"
    assert bits["above"](a) == len(written) - len(written.lstrip("0"))
    assert bits["below"](a) == len(written) - len(written.rstrip("0"))
    assert bits["ahead"](text, at) == int.from_bytes(text[at : at + 8], sys.byteorder, signed=True)


@pytest.fixture(scope="module")
def bits() -> machine_code.Library:
    return machine_code.load(BITS, use_cache=False)


def test_a_name_with_an_underscore_is_for_the_text_alone(bits: machine_code.Library) -> None:
    with pytest.raises(KeyError):
        bits["_word"]


def test_prefetching_far_outside_an_array_does_nothing() -> None:
    text = "def f(x: 'float*', i: 'int'):\n    prefetch(x, i)\n    return x[1]\n"
    call = machine_code.load(text, use_cache=False)["f"]
    numbers = (ctypes.c_double * 2)(1.0, 2.0)
    assert [call(ctypes.addressof(numbers), i) for i in (0, 10**12, -(10**12))] == [2.0] * 3


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("import os", 1, "only functions"),
        ("def f(x: 'float*'):\n    return x", 2, "a number is needed"),
        ("def f(x: 'text'):\n    return 1.0", 1, "unknown type"),
        ("def f(a: 'float'):\n    return b", 2, "b has no value"),
        ("def f(a: 'float'):\n    return a ** 2", 2, "power"),
        ("def f(a: 'float'):\n    return [a]", 2, "no List"),
        ("def f(a: 'float'):\n    return open(a)", 2, "no function open"),
        ("def f(a: 'float'):\n    return a.real", 2, "no Attribute"),
        ("def f(a: 'float'):\n    return g(a)\ndef g(a):\n    return g(a)", 4, "calls itself"),
        ("def f(a: 'int'):\n    return a // a", 2, "positive literal"),
        ("def f(a: 'int'):\n    return a // 0", 2, "positive literal"),
        ("def f(a: 'float'):\n    for i in [1]:\n        a = a + i\n    return a", 2, "range"),
        ("def f(a: 'float'):\n    for i in range(0, 9, 0):\n        a = a + i\n    return a", 2, "step"),
        ("def f(a: 'float'):\n    return 1.0 if a else 2.0", 2, "condition"),
        ("def f(a: 'float'):\n    b = a < 1.0\n    return a", 2, "kept in variables"),
        ("def f(a: 'float'):\n    with a:\n        pass", 2, "no With"),
        ("def f(a: 'float', *b):\n    return a", 1, "plain names"),
        ("def f(a: 'float'):\n    return 0 < a < 1", 2, "one comparison"),
        ("def f(a: 'float'):\n    a + 1.0\n    return a", 2, "no effect"),
        ("def f(x: 'float*'):\n    return x[0:4]", 2, "a slice is"),
        ("def f(x: 'float*'):\n    return total(x[0:0 + 4] + x[0:0 + 8])", 2, "do not go together"),
        ("def f(a: 'float'):\n    return sqrt(a, a)", 2, "takes 1"),
        ("def f(a: 'float'):\n    prefetch(a, 0)\n    return a", 2, "begins with a pointer"),
        ("def f(a: 'float*') -> 'int':\n    return word(a, 0)", 2, "begins with a pointer to bytes"),
    ],
)
def test_what_the_language_lacks_is_an_error_with_its_place(text: str, line: int, told: str) -> None:
    with pytest.raises(native_compiler.NotRestrictedError, match=told) as caught:
        native_compiler.to_llvm(text)
    assert caught.value.line == line


def test_bare_arithmetic_is_neither_fused_nor_reordered() -> None:
    """0.1*10 - 1 is 0 rounded twice, and 5.55e-17 when multiplication and addition are one operation."""
    library = machine_code.load(
        'def f(a: "float", b, c):\n    return a * b - c\n\n'
        'def g(a: "float", b, c):\n    return a + b + c - a\n\n'
        'def h(a: "float"):\n    return power(a, 2.0)\n',
        use_cache=False,
    )
    assert library["f"](0.1, 10.0, 1.0) == 0.0
    assert library["g"](1e16, 1.0, 1.0) == 0.0
    xs = [1.0 + k / 997 for k in range(1000)]
    assert [library["h"](x) for x in xs] == [math.pow(x, 2.0) for x in xs]


# -- the cache ---------------------------------------------------------------------------------------------

ONE = 'def f(a: "float"):\n    return a + 1.0\n'


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cache"
    monkeypatch.setenv("GDCLI_CACHE_DIR", str(directory))
    return directory


def entries(directory: Path) -> list[Path]:
    return sorted(directory.glob("*"))


def test_code_is_kept_and_used_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not machine_code.is_likely_kept(ONE)
    assert machine_code.load(ONE)["f"](1.0) == 2.0
    assert machine_code.is_likely_kept(ONE)
    assert not machine_code.is_likely_kept(ONE, {"f": ("contract",)})
    (entry,) = entries(kept)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(machine_code, "to_llvm", lambda *a: pytest.fail("compiled again"))
    assert machine_code.load(ONE)["f"](2.0) == 3.0


def test_nothing_is_kept_when_it_is_not_wanted(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_code.load(ONE, use_cache=False)["f"](1.0) == 2.0
    monkeypatch.setenv("GDCLI_CACHE_DIR", "")
    assert machine_code.load(ONE)["f"](1.0) == 2.0
    assert not kept.exists()


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 3000), flip=st.integers(0, 3000))
def test_a_broken_entry_is_ignored_and_written_anew(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    directory = tmp_path_factory.mktemp("cache")
    directory.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GDCLI_CACHE_DIR", str(directory))
        machine_code.load(ONE)
        (entry,) = entries(directory)
        whole = entry.read_bytes()
        broken = bytearray(whole)
        broken[flip % len(whole)] ^= 0x41
        for content in (whole[: cut % len(whole)], bytes(broken), b""):
            entry.write_bytes(content)
            assert machine_code.load(ONE)["f"](1.0) == 2.0
            assert entry.read_bytes() == whole


def test_code_for_another_processor_or_version_is_not_used(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_code.load(ONE)
    (mine,) = entries(kept)
    monkeypatch.setattr(machine_code._target(), "identity", "another processor")
    assert machine_code.load(ONE)["f"](1.0) == 2.0
    other = next(e for e in entries(kept) if e != mine)
    # Even under the right name the wrong key in the file gives it away.
    other.write_bytes(mine.read_bytes())
    made = machine_code.load(ONE)
    assert made["f"](1.0) == 2.0
    assert other.read_bytes() != mine.read_bytes()


def test_a_directory_that_others_can_write_is_not_used(kept: Path) -> None:
    kept.mkdir()
    kept.chmod(0o777)
    assert machine_code.load(ONE)["f"](1.0) == 2.0
    assert not entries(kept)


def test_no_directory_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setenv("GDCLI_CACHE_DIR", str(file))
    assert machine_code.load(ONE)["f"](1.0) == 2.0
    assert file.read_text() == "in the way"


def test_the_oldest_entries_go_when_it_is_full(tmp_path: Path) -> None:
    kept = machine_code.Cache(tmp_path / "cache", limit=10_000)
    for k in range(8):
        kept.put(f"{k:032d}", bytes([k]) * 32, bytes(2000))
        for age, path in enumerate(reversed(entries(kept.directory))):
            os.utime(path, (1e9 - age, 1e9 - age))
    left = [k for k in range(8) if kept.get(f"{k:032d}", bytes([k]) * 32) is not None]
    assert left == [4, 5, 6, 7]
    kept.put("9" * 32, bytes(32), bytes(20_000))  # larger than all room: kept alone
    assert len(entries(kept.directory)) == 1


def test_without_llvmlite_there_is_an_answer(tmp_path: Path) -> None:
    """In a process where llvmlite cannot be imported."""
    (tmp_path / "llvmlite.py").write_text("raise ImportError('broken')")
    code = (
        "from gdcli.compile import machine_code as machine\n"
        "assert not machine.is_available()\n"
        "try:\n    machine.load('def f(a: \"float\"):\\n    return a\\n')\n"
        "except machine.NoMachineCodeError as error:\n    print(error.message, '|', error.hint)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "machine code" in ran.stdout
