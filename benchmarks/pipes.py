"""Streams of problems: `gd run` on lines with one expression, against a shell loop of `gd minimize`.

    python benchmarks/pipes.py [problems] [rounds]

Problems a second and core are counted by the processor time of all processes, start-up included, so that they mean the
same on a crowded machine; what two workers gain is a matter of the clock, and needs two cores that are free.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measure import GD, sizes, table

STREAMS = {
    "(x-a)**2 + b*(y-x)**2 + exp(-x*y/9)": ((-2.0, 2.0), (1.0, 3.0), (1.0, 5.0)),
    "(1-x)**2 + a*(y-x**2)**2 + b*x**4": ((-2.0, 2.0), (1.0, 10.0), (0.1, 0.5)),
}
LOOP = 10  # problems of the shell loop


def write(file: Path, expression: str, how_many: int) -> list[list[str]]:
    """Write a stream, and return the first problems as command lines."""
    draw = random.Random(0).uniform
    starts, first, second = STREAMS[expression]
    problems = [
        {
            "expression": expression,
            "start": {name: round(draw(*starts), 4) for name in "xy"},
            "set": {"a": round(draw(*first), 5), "b": round(draw(*second), 5)},
        }
        for _ in range(how_many)
    ]
    file.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    return [
        [
            "minimize",
            expression,
            *(f"--{key}={','.join(f'{n}={v}' for n, v in problem[key].items())}" for key in ("start", "set")),  # type: ignore[attr-defined]
            "--format=json",
        ]
        for problem in problems[:LOOP]
    ]


def timed(*commands: Sequence[str]) -> tuple[float, float]:
    """Return the clock's and the processor's seconds of some commands, one after the other."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for words in commands:
        subprocess.run([*GD, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, spent


def main() -> None:
    """Measure and print the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    how_many, rounds = sizes(5000, 3)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.jsonl"
        for expression in STREAMS:
            loop = write(file, expression, how_many)
            one, two, alone = [], [], []
            for _ in range(rounds):
                one.append(timed(["run", str(file)]))
                two.append(timed(["run", str(file), "--jobs", "2"]))
                alone.append(timed(*loop))
            pace = how_many / min(spent for _, spent in one)
            rows.append(
                [
                    expression,
                    f"{pace:.0f}",
                    f"{pace / (LOOP / min(spent for _, spent in alone)):.0f}",
                    f"{min(clock for clock, _ in one) / min(clock for clock, _ in two):.2f}",
                ]
            )
    print(table(["stream", "problems a second and core", "x a shell loop", "--jobs 2, x one"], rows))


if __name__ == "__main__":
    main()
