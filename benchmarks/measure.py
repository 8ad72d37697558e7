"""What the benchmarks share: measuring side by side, and one table."""

from __future__ import annotations

import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROBLEMS = Path(__file__).resolve().parent.parent / "tests" / "data" / "problems.json"


# `gd` of the package that is imported, installed or not.
GD = (sys.executable, "-c", "from gdcli.cli.app import main; main()")


def problems(most: int | None = None) -> list[dict[str, Any]]:
    """Return the problems with known answers, or the first ``most`` of them: name, expr, start, fmin, accept."""
    found: list[dict[str, Any]] = json.loads(PROBLEMS.read_text())["problems"]
    return found[:most]


def c_library(text: str, *options: str) -> ctypes.CDLL:
    """Return a C program, compiled for this processor, as a library.

    It is linked without ``options``: with -ffast-math gcc links code that flushes subnormal numbers to zero in the
    whole process.
    """
    with tempfile.TemporaryDirectory() as directory:
        source, code, library = (Path(directory, "c" + end) for end in (".c", ".o", ".so"))
        source.write_text(text)
        subprocess.run(
            ["gcc", "-O3", "-march=native", "-fPIC", *options, "-c", "-o", code, source], check=True
        )
        subprocess.run(["gcc", "-shared", "-o", library, code, "-lmvec", "-lm"], check=True)
        return ctypes.CDLL(str(library))


def sizes(*usual: int) -> tuple[int, ...]:
    """Return the sizes given on the command line, the usual ones in the place of those that are not."""
    given = [int(float(word)) for word in sys.argv[1:]]
    return (*given, *usual[len(given) :])


def is_solved(problem: Mapping[str, Any], value: float) -> bool:
    """Tell whether a value is the known minimum, or that of another accepted local minimum, to 1e-8 relative."""
    known = [problem["fmin"], *problem.get("accept", [])]
    return value - problem["fmin"] <= 1e-8 * max(1.0, abs(problem["fmin"])) or any(
        abs(value - f) <= 1e-8 * max(1.0, abs(f)) for f in known
    )


def alternate(variants: Mapping[str, Callable[[], Any]], rounds: int, warm: int = 1) -> dict[str, float]:
    """Return the median time of each variant in seconds; the variants take turns, so that noise meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + warm):
        for name, call in variants.items():
            begin = time.perf_counter()
            call()
            if turn >= warm:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def spent(call: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the processor's seconds of a call, the least of some rounds, and what it gives."""
    best, result = float("inf"), None
    for _ in range(rounds):
        began = time.process_time()
        result = call()
        best = min(best, time.process_time() - began)
    return best, result


def command(words: Sequence[str]) -> Callable[[], None]:
    """Return a call that runs a command and reads its output through a pipe; it must exit with 0."""

    def run() -> None:
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    return run


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
