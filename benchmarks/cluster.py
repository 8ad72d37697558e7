"""What a cluster costs: python benchmarks/cluster.py [ROWS [WORKERS,...]]; default 2000000 rows on 1,2,4,8 workers.

Worker processes of one thread each on this machine. Of a step (value, gradient and Hessian of three parameters) by 16
partitions: the seconds in this process, the seconds on the workers and, since they share the processors, the seconds of
the processor that the partitions took. From these, and from steps over partitions without rows, a model:

    step(W) = call + call_each * W + (rows / W) * row

with row the processor time of a row, call and call_each by least squares from the least empty steps.
"""

from __future__ import annotations

import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as everywhere in gd, and before numpy is imported

import numpy as np

from gdcli.compile.machine_code import most_processors
from gdcli.kernel.dataclass import replace
from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.table.partitions import Asked, partitions_of
from gdcli.tasks.cluster import crew as crews
from gdcli.tasks.cluster.address import connected
from gdcli.tasks.cluster.partitioned_rows import Here, PartitionedRows

PARTITIONS, STEPS = 16, 9
X = [1.0, 1.0, 0.0]


def seconds_of(
    step: Callable[[int], object], steps: int = STEPS, of: Callable[[list[float]], float] = statistics.median
) -> float:
    """The seconds of a step from the second one on: the median, or the least, which other programs disturb little."""
    step(0)
    taken = []
    for k in range(1, steps + 1):
        began = time.perf_counter()
        step(k)
        taken.append(time.perf_counter() - began)
    return of(taken)


def written(folder: str, rows: int) -> str:
    rng = np.random.default_rng(0)
    x = rng.random(rows) * 4
    y = 2 * np.exp(-1.3 * x) + 0.1 + rng.normal(size=rows) * 0.01
    path = Path(folder) / "rows.csv"
    np.savetxt(path, np.column_stack([x, y]), "%.6f", ",", header="x,y", comments="")
    return str(path)


def step_of(data: Any) -> Callable[[int], object]:
    model = parse_model("y ~ a*exp(-b*x) + c")
    row = build_row_model(model, sort_names(model, ("x", "y"), {}, {}, {}), {})
    objective = RowObjective(replace(row, engine="auto"), data)
    return lambda k: objective.sums(("value", "gradient", "hessian"), [a + 1e-3 * k for a in X])


class Measured:
    """What the workers say of a step: bytes there and back, seconds of their processors; of all workers together."""

    def __init__(self, crew: Any) -> None:
        self.there = self.back = 0
        self.seconds: list[float] = []
        called = crew._called

        async def counted(requests: Any, is_reading: bool = False) -> Any:
            self.there = sum(len(pickle.dumps(request)) for request in requests.values())
            found = await called(requests, is_reading)
            self.back = sum(len(pickle.dumps(answer)) for answer in found.values())
            self.seconds.append(sum(answer.seconds for answer in found.values()))
            return found

        crew._called = counted


def on_workers(client: Any, path: str, count: int) -> tuple[float, Measured, Any]:
    crew = crews.Crew(client, partitions_of([path], count), Asked(("x", "y")))
    measured = Measured(crew)
    rows = PartitionedRows(("x", "y"), crew)
    if rows.rows:
        return seconds_of(step_of(rows)), measured, crew
    model = parse_model("y ~ a*x")
    row = build_row_model(model, sort_names(model, ("x", "y"), {}, {}, {}), {})

    def empty(k: int) -> object:
        return crew.over(row, RowObjective.sums_here, max, (("value",), (float(k),)))

    return seconds_of(empty, 4 * STEPS, min), measured, crew


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    workers = [int(w) for w in sys.argv[2].split(",")] if len(sys.argv) > 2 else [1, 2, 4, 8]
    with tempfile.TemporaryDirectory() as folder:
        path, nothing = written(folder, rows), Path(folder) / "none.csv"
        nothing.write_text("x,y\n")
        most_processors.set(1)
        with PartitionedRows(("x", "y"), Here(partitions_of([path], PARTITIONS), Asked(("x", "y")))) as data:
            alone = seconds_of(step_of(data))
        print(f"{rows:.3g} rows, {PARTITIONS} partitions, in this process: {1e3 * alone:.3g} ms a step")
        empty: list[tuple[int, float]] = []
        row = 0.0
        for count in workers:
            with connected(f"local:{count}") as client:
                whole, measured, crew = on_workers(client, path, PARTITIONS)
                crew.close()
                spent = statistics.median(measured.seconds[1:])
                row = row or spent / rows
                idle, _, _ = on_workers(client, str(nothing), PARTITIONS)
                many, _, _ = on_workers(client, str(nothing), 256)
                empty.append((count, idle))
            print(f"{count} workers: {1e3 * whole:.3g} ms a step ({whole / alone:.2f} times),", end=" ")
            print(f"processor {1e3 * spent:.3g} ms, without rows {1e3 * idle:.3g} ms,", end=" ")
            print(f"256 partitions {1e3 * many:.3g} ms; bytes there {measured.there}, back {measured.back}")
        A = np.array([[1.0, w] for w, _ in empty])
        call, each = np.maximum(0.0, np.linalg.lstsq(A, np.array([t for _, t in empty]), rcond=None)[0])
        print(f"model: {1e3 * call:.3g} ms + {1e3 * each:.3g} ms a worker + {1e9 * row:.3g} ns a row")
        for count in (10, 100, 1000):
            for size in (1e9, 1e11):
                step = call + each * count + size / count * row
                print(
                    f"{count} workers, {size:.0e} rows: {step:.3g} s a step, {size * row / step:.3g} times one worker"
                )


if __name__ == "__main__":
    main()
