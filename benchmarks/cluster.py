"""What a cluster costs, by worker processes of one thread each on this machine.

    python benchmarks/cluster.py [ROWS [WORKERS,...]]  a step, its bytes and its model: 10 million rows, 1,2,4,8 workers
    python benchmarks/cluster.py kills [N]             N workers (50) are killed at random times in fits
    python benchmarks/cluster.py peers [ROWS]          logistic regression beside dask-glm and dask-ml, where installed,
                                                       on 100 000 rows; without arguments after the first table, too

Of a step (value, gradient and Hessian of three parameters) by 16 partitions: the least seconds from the second one on,
in this process and on the workers, and the seconds of the processor that the partitions took, for the workers share
the processors. A step of Levenberg-Marquardt, by which such fits are solved, is the QR triangle and a value. A step
with W workers should take

    step(W) = call + call_each * W + processor seconds / min(W, processors)

call and call_each by least squares from steps over partitions without rows, each after a pause as long as the workers
compute in a step with rows: a call takes twice as long where all have waited. Bars: one worker 1.05 times one process;
two workers 1.7 times one where two processes that know nothing of each other reach 1.8; 5 ms a step without rows, 20 ms
with 256 partitions; the model within 15 % of what is measured; bytes as docs/cluster.md has them.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as everywhere in gd, and before numpy is imported

import numpy as np
from measure import table

from gdcli import api
from gdcli.compile.machine_code import most_processors
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.table.partitions import Asked, Partition, partitions_of
from gdcli.tasks.cluster import worker_pool
from gdcli.tasks.cluster.connection import connected
from gdcli.tasks.cluster.partitioned_rows import Here, PartitionedRows
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import request_from
from gdcli.tasks.fit.solve_fit import solve

PARTITIONS, STEPS = 16, 30
MODEL, X = "y ~ a*exp(-b*x) + c", {"a": 1.0, "b": 1.0, "c": 0.0}
# Rows that differ; a file has them again and again.
DISTINCT = 100_000
# Rows for which the others have an answer, and seconds for each of them.
PEERS_ROWS = 100_000
PATIENCE = 60.0


def least(step: Callable[[int], object], steps: int = STEPS, pause: float = 0.0) -> float:
    """The least seconds of a step from the second one on, which other programs disturb little, each after a pause."""
    step(0)
    taken = []
    for k in range(1, steps + 1):
        time.sleep(pause)
        began = time.perf_counter()
        step(k)
        taken.append(time.perf_counter() - began)
    return min(taken)


def written(folder: str, rows: int) -> str:
    rng = np.random.default_rng(0)
    x = rng.random(min(rows, DISTINCT)) * 4
    y = 2 * np.exp(-1.3 * x) + 0.1 + rng.normal(size=len(x)) * 0.01
    path = Path(folder) / "rows.csv"
    lines = "".join(f"{a:.6f},{b:.6f}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    with path.open("w") as file:
        file.write("x,y\n")
        for _ in range(max(1, rows // DISTINCT)):
            file.write(lines)
    return str(path)


def objective_of(data: Any) -> RowObjective:
    model = parse_model(MODEL)
    row = build_row_model(model, sort_names(model, ("x", "y"), {}, {}, {}), {})
    return RowObjective(replace(row, engine="auto"), data)


def step_of(data: Any) -> Callable[[int], object]:
    objective = objective_of(data)
    return lambda k: objective.sums(("value", "gradient", "hessian"), [a + 1e-3 * k for a in X.values()])


def squares_of(data: Any) -> Callable[[int], object]:
    objective = objective_of(data)

    def step(k: int) -> object:
        at = objective.evaluate(objective.vector([a + 1e-3 * k for a in X.values()]))
        return objective.linearise(at)

    return step


class Measured:
    """What the workers say of a step: bytes there and back, seconds of their processors; of all workers together."""

    def __init__(self, pool: Any) -> None:
        self.there = self.back = 0
        self.seconds: list[float] = []
        called = pool._called

        async def counted(requests: Any, is_reading: bool = False) -> Any:
            self.there = sum(len(pickle.dumps(request)) for request in requests.values())
            found = await called(requests, is_reading)
            self.back = sum(len(pickle.dumps(answer)) for answer in found.values())
            self.seconds.append(sum(answer.seconds for answer in found.values()))
            return found

        pool._called = counted


def formula(workers: int) -> tuple[int, int]:
    """The bytes of a step there and back that docs/cluster.md has for three parameters in 16 partitions."""
    p = len(X)
    return workers * (230 + 9 * p) + 2 * PARTITIONS, workers * (88 + 9 * (1 + p + p * (p + 1) // 2))


@contextmanager
def on(client: Any, path: str, count: int) -> Iterator[tuple[PartitionedRows, Any]]:
    partitions, asked = partitions_of([path], count), Asked(("x", "y"))
    pool = worker_pool.WorkerPool(client, partitions, asked)
    with PartitionedRows(asked, pool, partitions) as rows:
        yield rows, pool


def here(partitions: Sequence[Partition]) -> PartitionedRows:
    asked = Asked(("x", "y"))
    return PartitionedRows(asked, Here(partitions, asked), partitions)


def idle_step(client: Any, path: str, count: int, pause: float) -> float:
    model = parse_model("y ~ a*x")
    row = build_row_model(model, sort_names(model, ("x", "y"), {}, {}, {}), {})
    with on(client, path, count) as (_, pool):
        return least(
            lambda k: pool.over(row, RowObjective.sums_here, max, (("value",), (float(k),))), 4 * STEPS, pause
        )


class Measurement(NamedTuple):
    """Seconds of a step with so many workers: whole, of the processor, without rows in 16 and in 256 partitions; and of
    a step of Levenberg-Marquardt.
    """

    workers: int
    whole: float
    spent: float
    idle: float
    many: float
    squares: float
    bytes: tuple[int, int]


def measured(count: int, path: str, nothing: str) -> Measurement:
    with connected(f"local:{count}") as client:
        with on(client, path, PARTITIONS) as (rows, pool):
            seen = Measured(pool)
            whole = least(step_of(rows))
            sizes = seen.there, seen.back
            spent = min(seen.seconds[1:])
            squares = least(squares_of(rows))
        pause = spent / min(count, os.cpu_count() or 1)
        idle, many = (idle_step(client, nothing, size, pause) for size in (PARTITIONS, 256))
    return Measurement(count, whole, spent, idle, many, squares, sizes)


# -- two processes that know nothing of each other ---------------------------------------------------------------------

_HELD: list[Callable[[int], object]] = []


def hold(path: str, half: int) -> None:
    most_processors.set(1)
    _HELD[:] = [step_of(here(partitions_of([path], PARTITIONS)[half::2]))]


def stepped(steps: int) -> float:
    return least(_HELD[0], steps)


def apart(path: str) -> float:
    """The seconds of a step of half of the rows in each of two processes at the same time."""
    pools = [ProcessPoolExecutor(1, get_context("spawn")) for _ in range(2)]
    try:
        for waited in [pool.submit(hold, path, half) for half, pool in enumerate(pools)]:
            waited.result()
        return max(run.result() for run in [pool.submit(stepped, 2 * STEPS) for pool in pools])
    finally:
        for pool in pools:
            pool.shutdown()


# -- the tables --------------------------------------------------------------------------------------------------------


def scaling(rows: int, workers: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, nothing = written(folder, rows), Path(folder) / "none.csv"
        nothing.write_text("x,y\n")
        most_processors.set(1)
        with here(partitions_of([path], PARTITIONS)) as data:
            rows, step, clock = data.rows, step_of(data), time.process_time
            alone = least(step)
            began = clock()
            step(STEPS + 1)
            spent_alone = clock() - began
            squares = least(squares_of(data))
        two = apart(path) if max(workers) > 1 else alone
        found = [measured(count, path, str(nothing)) for count in workers]
    print(
        f"{rows:.3g} rows in {PARTITIONS} partitions; a step in one process takes {1e3 * alone:.3g} ms,",
        end=" ",
    )
    print(
        f"of the processor {1e3 * spent_alone:.3g}; two processes with half each are {alone / two:.2f} times",
        end=" ",
    )
    print(f"as fast. A step of Levenberg-Marquardt takes {1e3 * squares:.3g} ms.\n")
    call, each = model_of(found)
    processors = os.cpu_count() or 1
    lines = []
    for one in found:
        foreseen = call + each * one.workers + one.spent / min(one.workers, processors)
        exact = "yes" if one.bytes == formula(one.workers) else f"no, {formula(one.workers)}"
        lines.append(
            (
                str(one.workers),
                *(f"{1e3 * seconds:.3g}" for seconds in (one.whole, one.spent, foreseen)),
                f"{one.whole / foreseen:.2f}",
                f"{one.whole / alone:.2f}",
                f"{1e3 * one.squares:.3g}",
                f"{one.squares / squares:.2f}",
                *(f"{1e3 * seconds:.2f}" for seconds in (one.idle, one.many)),
                f"{one.bytes[0]}, {one.bytes[1]}",
                exact,
            )
        )
    head = ("workers", "ms a step", "processor", "model", "/ model", "/ one process")
    head = (*head, "Levenberg-Marquardt", "/ one process", "no rows", "256 parts")
    print(table((*head, "bytes there, back", "as told"), lines))
    row = found[0].spent / rows
    print(f"\nThe model: {1e3 * call:.3g} ms, {1e3 * each:.3g} ms a worker, {1e9 * row:.3g} ns a row.\n")
    lines = []
    for count in (10, 100, 1000):
        for size in (1e9, 1e11):
            step_of_all = call + each * count + size / count * row
            lines.append(
                (f"{count} workers, {size:.0e} rows", f"{step_of_all:.3g}", f"{size * row / step_of_all:.3g}")
            )
    print(table(("foreseen", "s a step", "times one worker"), lines))


def model_of(found: Sequence[Measurement]) -> tuple[float, float]:
    """Return the seconds of a call, and of each worker more."""
    A = np.array([[1.0, one.workers] for one in found])
    call, each = np.linalg.lstsq(A, np.array([one.idle for one in found]), rcond=None)[0]
    return max(0.0, float(call)), max(0.0, float(each))


# -- workers that are killed -------------------------------------------------------------------------------------------


def kills(count: int) -> None:
    draw = random.Random(0)
    killed, over = [0], threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, 200_000)
        expected = answer_of(path)
        with connected("local:3") as client:
            address = str(client.scheduler.address)

            def kill() -> None:
                with connected(address) as own:
                    while killed[0] < count and not over.wait(draw.uniform(0.1, 3.0)):
                        pids = own.run(os.getpid, on_error="ignore")
                        if len(pids) < 3:  # one that was killed as it started is not started again
                            client.cluster.scale(2)
                            client.cluster.scale(3)
                        if len(pids) > 1:  # one is left to go on
                            os.kill(draw.choice(sorted(pids.values())), signal.SIGKILL)
                            killed[0] += 1

            killer = threading.Thread(target=kill)
            killer.start()
            runs = lost = other = met = 0
            try:
                while killer.is_alive():
                    before = killed[0]
                    try:
                        other += answer_of(path, cluster=address) != expected
                    except Exception as fault:
                        print(type(fault).__name__, fault)
                        lost += 1
                    runs, met = runs + 1, met + (killed[0] > before)
            finally:
                over.set()
                killer.join()
    print(
        table(
            ("workers killed", "fits", "hit by a kill", "lost", "other bits"),
            [[killed[0], runs, met, lost, other]],
        )
    )  # type: ignore[list-item]


def answer_of(path: str, **options: Any) -> tuple[Any, ...]:
    found = api.fit(MODEL, path, X, partitions=8, **options)
    return list(found.run.best.at.x), found.run.best.at.value, found.status, repr(found.statistics)


# -- others ------------------------------------------------------------------------------------------------------------


def peers(rows: int) -> None:
    import dask.array as da

    rng = np.random.default_rng(0)
    A = rng.normal(size=(rows, 3))
    label = (rng.random(rows) < 1 / (1 + np.exp(-(A @ [1.0, -2.0, 0.5] + 0.3)))) * 1
    lines = []
    with tempfile.TemporaryDirectory() as folder, connected("local:2") as client, client.as_current():
        path = Path(folder) / "rows.csv"
        np.savetxt(path, np.column_stack([A, label]), "%.6f", ",", header="u,v,w,y", comments="")
        request, settings = request_from(
            "y ~ b + u*p + v*q + w*r", str(path), None,
            {"loss": "logistic", "partitions": PARTITIONS, "cluster": str(client.scheduler.address)},
        )  # fmt: skip
        with prepared(request, settings) as ready:
            began = time.perf_counter()
            found = solve(ready, settings)
            lines.append(("gd fit", time.perf_counter() - began, list(found.point.values())))
        parts = rows // PARTITIONS, A.shape[1]
        data, target = (
            da.from_array(part, chunks=parts[: part.ndim]).persist() for part in (A.round(6), label)
        )
        for name, fitted in others(data, target):
            began = time.perf_counter()
            point = within(fitted, name, client)
            lines.append((name, time.perf_counter() - began, point))
    told = [
        (name, f"{seconds:.2f}" if point else f"none in {PATIENCE:g}", " ".join(f"{a:.6f}" for a in point))
        for name, seconds, point in lines
    ]
    print(f"{rows:.3g} rows, held by two workers in {PARTITIONS} parts, until the answer:\n")
    print(table(("logistic, 3 features", "s", "b p q r"), told))


def within(fitted: Callable[[], list[float]], name: str, client: Any) -> list[float]:
    """What is fitted within `PATIENCE` seconds, nothing where it is not."""
    found: list[float] = []

    def run() -> None:
        try:
            with client.as_current():
                found.extend(fitted())
        except Exception as fault:
            print(f"{name}: {type(fault).__name__}: {fault}", file=sys.stderr)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return list(found)


def others(data: Any, target: Any) -> Iterator[tuple[str, Callable[[], list[float]]]]:
    """The solvers of dask-glm and the estimator of dask-ml, without a penalty that counts."""
    import dask.array as da

    with_one = da.concatenate([da.ones((data.shape[0], 1), chunks=(data.chunks[0], 1)), data], axis=1)
    with_one = with_one.rechunk((data.chunks[0], -1)).persist()
    try:
        from dask_glm import algorithms
        from dask_glm.families import Logistic
    except ImportError as fault:
        print(f"dask-glm: {fault}", file=sys.stderr)
    else:
        for name in ("lbfgs", "newton", "gradient_descent"):
            run = getattr(algorithms, name)
            more = {"regularizer": "l2", "lamduh": 1e-9} if name == "lbfgs" else {}
            yield (
                f"dask-glm {name}",
                lambda run=run, more=more: [*map(float, run(with_one, target, family=Logistic, **more))],
            )  # type: ignore[misc]
    try:
        from dask_ml.linear_model import LogisticRegression
    except ImportError as fault:
        print(f"dask-ml: {fault}", file=sys.stderr)
        return

    def estimated() -> list[float]:
        found = LogisticRegression(solver="lbfgs", C=1e9).fit(data, target)
        return [float(np.ravel(found.intercept_)[0]), *map(float, np.ravel(found.coef_))]

    yield "dask-ml LogisticRegression", estimated


def main() -> None:
    words = sys.argv[1:]
    number = int(float(words[1])) if len(words) > 1 and "," not in words[1] else None
    if words[:1] == ["kills"]:
        kills(number or 50)
    elif words[:1] == ["peers"]:
        peers(number or PEERS_ROWS)
    else:
        workers = [int(w) for w in words[1].split(",")] if len(words) > 1 else [1, 2, 4, 8]
        scaling(int(float(words[0])) if words else 10_000_000, workers)
        if not words:
            print()
            peers(PEERS_ROWS)


if __name__ == "__main__":
    main()
