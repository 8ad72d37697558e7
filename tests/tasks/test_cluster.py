"""Fits on a cluster of two worker processes: the same bits as here, whatever is lost on the way."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import WHOLE
from visits import regression

from gdcli import api
from gdcli.cli.run_problems import ProblemLines, Solver
from gdcli.cli.run_workers import workers_on
from gdcli.kernel.errors import DataError, DomainError, LimitError, UsageError
from gdcli.kernel.status import Status
from gdcli.render.formats import FORMATS
from gdcli.render.verdicts import Shown
from gdcli.table.partitions import Asked, partitions_of
from gdcli.tasks.cluster import spread
from gdcli.tasks.cluster.connection import connected
from gdcli.tasks.cluster.worker_chunks import each_by
from gdcli.tasks.cluster.worker_pool import WorkerPool
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import request_from
from gdcli.tasks.fit.solve_fit import solve
from gdcli.tasks.global_minimum import examining, solve_globally
from gdcli.tasks.multi_start import solve_from_many, solve_from_many_on

pytest.importorskip("distributed", reason="needs the extra cluster: pip install '.[cluster]'")
# Dask leaves closing some sockets to the collector of garbage, which may come at any time.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    columns = regression(900, 2, noise=0.3)
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    table = zip(*(column.tolist() for column in columns.values()), strict=True)
    path.write_text("x0,x1,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in table))
    return str(path)


KILLS = 3 if WHOLE else 1
MODEL, START = "y ~ c - exp(a)*x0 + exp(b)*x1", {"a": 0.5, "b": 0.5, "c": 0.0}


def told(outcome: Any) -> Any:
    """All numbers of an answer that could differ by a bit."""
    found = outcome.statistics
    return list(outcome.run.best.at.x), outcome.run.best.at.value, outcome.run.counts, repr(found)


def the_answer_has_the_bits_of_the_partitions_read_here(address: str, rows: str) -> None:
    epochs = {"batch_size": 8, "epochs": 2, "method": "adam"}
    for options in ({}, {"loss": "huber", "method": "bfgs"}, epochs):
        here = api.fit(MODEL, rows, START, partitions=5, **options)
        assert here.status is (Status.COMPLETED if options is epochs else Status.CONVERGED)
        assert told(api.fit(MODEL, rows, START, partitions=5, cluster=address, **options)) == told(here)


def bad_cells_are_told_by_their_line(address: str, rows: str, tmp_path: Path) -> None:
    lines = Path(rows).read_text().split("\n")
    for k in (700, 300):
        lines[k] = "1,2,oops"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"rows.csv:301:5: column y: 'oops' is not a number"):
        api.fit(MODEL, str(path), START, partitions=6, cluster=address)
    found = api.fit(MODEL, str(path), START, partitions=6, cluster=address, missing="skip")
    assert [place.rpartition(":")[2] for place in found.rows.lines] == ["301", "701"]


def a_file_that_a_worker_cannot_see_is_named_with_the_worker(client: Any, rows: str) -> None:
    seen = partitions_of([rows], 4)
    asked = Asked(("x0", "x1", "y"))
    for change, why in (
        ({"path": "/not/here.csv"}, "no such file or directory"),
        ({"size": 7}, f"it has {os.path.getsize(rows)} bytes here, and 7 where the fit was begun"),
    ):
        unseen = seen[3]._replace(name="here.csv", **change)
        with pytest.raises(DataError, match=rf"the worker tcp://.* cannot read here.csv: {why}") as fault:
            WorkerPool(client, [*seen[:3], unseen], asked)
        assert f"every one must see it as {unseen.path}" in fault.value.hint


def urls_are_read_where_the_workers_are(address: str, client: Any, rows: str) -> None:
    options: Any = {"partitions": 5, "cluster": address}
    assert told(api.fit(MODEL, f"local://{rows}", START, **options)) == told(
        api.fit(MODEL, rows, START, partitions=5)
    )
    asked, seen = Asked(("x0", "x1", "y")), partitions_of([rows], 2)
    for url, why, hint in (
        ("memory://some/none.csv", "no such file or directory", "must be set there, too"),
        ("unheard://some/none.csv", "Protocol not known: unheard", "must be set there, too"),
    ):
        with pytest.raises(DataError, match=f"the worker tcp://.* cannot read {url}: {why}") as fault:
            WorkerPool(client, [seen[0], seen[1]._replace(path=url, name=url)], asked)
        assert hint in fault.value.hint


def computed_again_and_again(times: int) -> int:
    """How many pages of memory a worker is given while it computes arrays of 128 KiB."""
    import resource

    a = np.ones(1 << 14)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        a = (a + 1.0) * 0.5 + (a - 1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def workers_keep_the_memory_of_what_they_computed(client: Any) -> None:
    times = 1000
    (pages,) = each_by(client, computed_again_and_again, [times])
    assert pages < times or sys.platform != "linux"  # were it given back, some hundred for each


def row_groups_are_read_where_the_workers_are(address: str, tmp_path: Path) -> None:
    if find_spec("polars") is None or find_spec("pyarrow") is None:
        return
    import polars

    frame = polars.DataFrame(
        {name: column.tolist() for name, column in regression(900, 2, noise=0.3).items()}
    )
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=100)
    frame.write_ipc(tmp_path / "rows.arrow", record_batch_size=100)
    for name in ("rows.parquet", "rows.arrow"):
        here = api.fit(MODEL, str(tmp_path / name), START, partitions=5)
        for place in (str(tmp_path / name), f"local://{tmp_path / name}"):
            assert told(api.fit(MODEL, place, START, partitions=5, cluster=address)) == told(here)


def rows_that_are_needed_here_are_brought(address: str, rows: str) -> None:
    """A simplex along edges sees single rows, a search for a start some of them."""
    for options in ({"loss": "absolute"}, {"start": "auto"}):
        start = options.pop("start", None)
        model = MODEL if start else "y ~ a*x0 + b*x1"
        here = api.fit(model, rows, start, partitions=3, max_iter=50, **options)
        assert told(
            api.fit(model, rows, start, partitions=3, cluster=address, max_iter=50, **options)
        ) == told(here)


def what_is_derived_is_so_where_the_rows_are(address: str, tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    lines = [f"2024-01-{1 + k % 28:02},{'abc'[k // 30]},{k % 7},{k % 7 + k // 30 + k % 3}" for k in range(90)]
    path.write_text("\n".join(["t,site,x,y", *lines, ""]))
    options: Any = {"rows": "x > 1 or t > '2024-01-02'", "weights": "1 + x/2", "partitions": 3}
    here, there = (
        api.fit("y ~ a*x + b*t + C(site)", str(path), **options, cluster=at) for at in (None, address)
    )
    assert told(there) == told(here)
    assert there.rows == here.rows


def test_what_a_cluster_does(rows: str, tmp_path: Path) -> None:
    """One test, for a cluster takes seconds to start, and every process that runs tests would start its own."""
    with connected("local:2") as client:
        address = str(client.scheduler.address)
        loggers = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
        assert {logging.getLogger(name).getEffectiveLevel() for name in loggers} == {logging.CRITICAL}
        the_answer_has_the_bits_of_the_partitions_read_here(address, rows)
        bad_cells_are_told_by_their_line(address, rows, tmp_path)
        a_file_that_a_worker_cannot_see_is_named_with_the_worker(client, rows)
        urls_are_read_where_the_workers_are(address, client, rows)
        workers_keep_the_memory_of_what_they_computed(client)
        row_groups_are_read_where_the_workers_are(address, tmp_path)
        rows_that_are_needed_here_are_brought(address, rows)
        what_is_derived_is_so_where_the_rows_are(address, tmp_path)
        workers_that_are_killed_cost_no_run_and_no_bit(client, address, rows)
        problems_of_a_stream_are_answered_in_order(address, tmp_path)
        many_starts_have_the_answer_of_one_machine(client, address)
        groups_are_fitted_where_the_workers_are(client, address)
        boxes_are_searched_on_in_rounds(address)
        boxes_of_parameters_are_searched_on(address, client)
        samples_and_folds_are_those_of_one_machine(address, rows)
        what_cannot_be_spread_is_told(address)
        an_interrupt_leaves_the_best_of_the_starts_that_are_done(address)
        with pytest.MonkeyPatch.context() as patch:
            workers_of_another_version_are_refused(address, rows, patch)
            answers_that_there_are_stay_where_the_workers_are_lost(client, address, patch)
            a_run_whose_workers_are_lost_has_its_best_point(client, address, rows, patch)


def test_what_is_no_cluster_is_told(monkeypatch: pytest.MonkeyPatch, rows: str) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    for address, why in (
        ("local:0", "asks for zero workers"),
        ("local:two", "asks for 'two' workers"),
        ("env", "DASK_SCHEDULER_ADDRESS is not set"),
        ("nowhere", "no address"),
        ("http://here:80", "no address"),
        ("none.json", "no such scheduler file"),
    ):
        with pytest.raises(UsageError, match=why):
            api.fit(MODEL, rows, START, cluster=address)
    with pytest.raises(UsageError, match="standard input is read here"):
        api.fit(MODEL, "-", START, cluster="local:2")
    with pytest.raises(UsageError, match="partitions"):
        api.fit("y ~ a*x", {"x": [1.0, 2.0], "y": [1.0, 2.0]}, cluster="local:2")


def test_an_address_where_nobody_answers_is_told_soon(monkeypatch: pytest.MonkeyPatch, rows: str) -> None:
    monkeypatch.setattr("gdcli.tasks.cluster.connection.PATIENCE", 0.3)
    with pytest.raises(UsageError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        api.fit(MODEL, rows, START, cluster="tcp://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it accepts, and says nothing
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"no scheduler answers at {address}"):
            api.fit(MODEL, rows, START, cluster=address)


def test_what_is_no_scheduler_file_is_told(
    monkeypatch: pytest.MonkeyPatch, rows: str, tmp_path: Path
) -> None:
    path = tmp_path / "scheduler.json"
    for text, why in (
        ("{}", "is no scheduler file"),
        ("x,y", "is no scheduler file"),
        ("[1]", "is no scheduler file"),
        ('{"address": "nowhere"}', "nowhere is no address of a scheduler"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=why):
            api.fit(MODEL, rows, START, cluster=str(path))
    with pytest.raises(UsageError, match="is no scheduler file"):
        api.fit(MODEL, rows, START, cluster=str(tmp_path))
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "rubbish")
    with pytest.raises(UsageError, match="--cluster env: rubbish is no address of a scheduler"):
        api.fit(MODEL, rows, START, cluster="env")


def workers_that_are_killed_cost_no_run_and_no_bit(client: Any, address: str, rows: str) -> None:
    expected = told(api.fit(MODEL, rows, START, partitions=5))
    killed = []

    def kill(iterate: Any) -> None:
        if len(killed) < KILLS:
            pids = client.run(os.getpid, on_error="ignore")
            worker, pid = sorted(pids.items())[0]
            os.kill(pid, signal.SIGKILL)
            killed.append(worker)

    outcome = run(rows, address, kill)
    assert len(killed) == KILLS
    assert told(outcome) == expected


def workers_of_another_version_are_refused(address: str, rows: str, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as here:
        here.setattr("gdcli.tasks.cluster.connection.__version__", "9.9")
        with pytest.raises(UsageError, match=r"the worker tcp://.* has gd .*, and this is gd 9.9"):
            api.fit(MODEL, rows, START, cluster=address)


def a_run_whose_workers_are_lost_has_its_best_point(
    client: Any, address: str, rows: str, patch: pytest.MonkeyPatch
) -> None:
    patch.setattr("gdcli.tasks.cluster.connection.patience", lambda: 0.3)

    def lose_all(iterate: Any) -> None:
        if iterate.iteration == 2:
            client.cluster.scale(0)
            while client.nthreads():
                time.sleep(0.05)

    outcome = run(rows, address, lose_all)
    assert outcome.status is Status.LIMIT
    assert outcome.run.iterations == 2
    assert outcome.message.startswith("Stopped by the loss of the cluster after 2 iterations")
    assert outcome.warnings == ("there is no certificate: the cluster was lost",)
    with pytest.raises(LimitError, match="the cluster was lost before all was answered"):
        api.fit(MODEL, rows, START, cluster=address)


def answers_that_there_are_stay_where_the_workers_are_lost(
    client: Any, address: str, patch: pytest.MonkeyPatch
) -> None:
    patch.setattr("gdcli.tasks.cluster.connection.patience", lambda: 0.3)
    x = np.tile(np.arange(8.0), 400)
    data = {"x": x, "y": np.exp(-x), "site": np.repeat(np.arange(400), 8)}
    fits = api.fit_groups(
        "y ~ a*exp(-b*x)", data, "site", {"a": 1.0, "b": 1.0}, loss="huber", cluster=address
    )
    assert next(fits).fault is None
    client.cluster.scale(0)
    with pytest.raises(LimitError, match=r"the cluster was lost after \d+ of 400 groups"):
        for _ in fits:
            pass
    client.cluster.scale(2)
    client.wait_for_workers(2)


def run(rows: str, address: str, observer: Any) -> Any:
    request, settings = request_from(MODEL, rows, START, {"partitions": 5, "cluster": address})
    with prepared(request, settings) as ready:
        return solve(ready, settings, [observer], whole=True)


def many_starts_have_the_answer_of_one_machine(client: Any, address: str) -> None:
    """Also where a worker is lost on the way, in order, and each with its own number of starts."""
    ripples = "sum((v-1)**2/50 - cos(3*v))"
    for expression, start, options in (
        (ripples, {"v": [2.0, 0.0]}, {"bounds": {"v": (-6.0, 6.0)}, "seed": 3}),
        (
            "x**2 + y**2 - c*cos(4*x)",
            {"x": 1.0, "y": 1.0},
            {"subject_to": ["x + y >= 1"], "constants": {"c": 2}},
        ),
    ):
        here = api.minimize(expression, start, multi_start=16, **options)
        there = api.minimize(expression, start, multi_start=16, cluster=address, **options)
        assert ends(there) == ends(here)
        assert len(here.minima) > 1
    killed = []

    def kill(iterate: Any) -> None:
        if not killed:
            killed.append(sorted(client.run(os.getpid, on_error="ignore").items())[0])
            os.kill(killed[0][1], signal.SIGKILL)

    problem = api.make_problem(ripples, start={"v": [2.0, 0.0]}, bounds={"v": (-6.0, 6.0)}, seed=3)
    assert ends(solve_from_many_on(address, problem, starts=100, teller=Told(kill))) == ends(
        solve_from_many(problem, starts=100)
    )
    assert killed


def groups_are_fitted_where_the_workers_are(client: Any, address: str) -> None:
    """In their order, with the faults of each, told of the rows as they stand."""
    rng = np.random.default_rng(0)
    site = np.repeat(np.arange(40), 30)
    x, label = rng.random(1200), np.array([f"s{k}" for k in rng.permutation(site)])
    data = {"x": x, "y": 2.0 * np.exp(-x) + 0.1 * rng.normal(size=1200), "site": label}
    data["x"][label == "s7"] = -3.0
    for model, start, options in (
        ("y ~ a*exp(-b*x)", {"a": 1.0, "b": 1.0}, {}),
        ("y ~ a*log(2 + x) + b", {"a": 1.0, "b": 1.0}, {"loss": "huber"}),
    ):
        here = list(api.fit_groups(model, data, "site", start, **options))
        there = list(api.fit_groups(model, data, "site", start, **options, cluster=address))
        assert [(a.number, a.key, a.rows, str(a.fault)) for a in there] == [
            (b.number, b.key, b.rows, str(b.fault)) for b in here
        ]
        for a, b in zip(there, here, strict=True):
            if a.outcome is not None and b.outcome is not None:
                assert a.outcome.point == pytest.approx(b.outcome.point, rel=1e-9)
                assert options == {} or told(a.outcome) == told(b.outcome)
    assert "no finite value at the start for row" in str(there[list(dict.fromkeys(label)).index("s7")].fault)


def boxes_are_searched_on_in_rounds(address: str) -> None:
    """The minimum is enclosed as here, by rounds of shares; where it is stopped within one, the boxes are all left."""
    text = "cos(4*v[0]*v[1]) + sin(4*v[1]*v[2]) + cos(4*v[2]*v[3]) + v@v/100"
    problem = api.make_problem(text, start={"v": [1.0] * 4}, bounds=["v=-3:4"])
    here = api.solve_globally(problem)
    examined = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gdcli.tasks.cluster.spread._SHARES", 5)
        patch.setattr("gdcli.tasks.cluster.spread._BOXES", 100)
        for _ in range(2):
            there = api.solve_globally(problem, cluster=address)
            assert there.globally is not None
            assert there.status is here.status is Status.CONVERGED
            assert there.value == pytest.approx(here.value, abs=1e-6)
            assert there.globally.lower <= here.value <= there.globally.upper + 1e-6
            examined.append((there.globally.examined, list(there.point.items())))
        assert examined[0] == examined[1]

        def stop(examined: int, left: int, lower: float, best: float) -> None:
            if examined > 1000:
                raise KeyboardInterrupt

        with examining(address, problem, api.Settings()):
            found = solve_globally(problem, tell=stop)
    assert found.status is Status.INTERRUPTED
    assert found.globally is not None
    assert found.globally.lower <= here.value <= found.globally.upper


def boxes_of_parameters_are_searched_on(address: str, client: Any) -> None:
    """The same for two workers and for three, and an enclosure of the same sum of squares as here."""
    data = {"x": [0.1 * k for k in range(30)], "y": [2 * np.sin(1.3 * 0.1 * k + 0.4) for k in range(30)]}
    data["y"] = [y + 0.05 * (-1) ** k for k, y in enumerate(data["y"])]
    asked: Any = "y ~ a*sin(b*x + c)", data, {"a": (-3.0, 3.0), "b": (0.0, 8.0), "c": (-3.0, 3.0)}
    rounds = []
    with pytest.MonkeyPatch.context() as patch:
        own = spread._round
        patch.setattr(spread, "_LEAST", 1)
        patch.setattr(spread, "_round", lambda *given: (rounds.append(1), own(*given)))
        there = api.fit_globally(*asked, cluster=address)
        more = client.cluster.scale(3)
        client.wait_for_workers(3)
        again = api.fit_globally(*asked, cluster=address)
    here = api.fit_globally(*asked)
    assert more is None
    assert rounds
    assert again.globally == there.globally
    assert there.status is here.status is Status.CONVERGED
    assert there.run.best.at.value == pytest.approx(here.run.best.at.value, rel=1e-9)
    assert there.globally.lower <= here.globally.upper
    assert here.globally.lower <= there.globally.upper


def samples_and_folds_are_those_of_one_machine(address: str, rows: str) -> None:
    options = {"intervals": "bootstrap", "samples": 200, "partitions": 3}
    here, there = (api.fit("y ~ a*x0 + b*x1", rows, **options, cluster=at) for at in (None, address))
    assert repr(there.intervals) == repr(here.intervals)
    assert told(there) == told(here)
    models = ["y ~ a*x0 + b*x1", MODEL]
    one, other = (api.compare_models(models, rows, START, folds=4, cluster=at) for at in (None, address))
    assert [fit.left_out for fit in other.fits] == [fit.left_out for fit in one.fits]


def what_cannot_be_spread_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="a function of Python is here alone"):
        api.minimize(lambda x: float(x @ x), {"x": [1.0, 2.0]}, multi_start=3, cluster=address)
    with pytest.raises(DomainError, match="start") as here:
        api.minimize("log(x)", {"x": -1.0}, multi_start=3)
    with pytest.raises(DomainError) as there:
        api.minimize("log(x)", {"x": -1.0}, multi_start=3, cluster=address)
    assert str(there.value) == str(here.value)


def an_interrupt_leaves_the_best_of_the_starts_that_are_done(address: str) -> None:
    seen = []

    def interrupt(iterate: Any) -> None:
        seen.append(iterate.at.value)
        if len(seen) == 4:
            raise KeyboardInterrupt

    problem = api.make_problem("(v@v - 1)**2 + cos(5*v[0])", start={"v": [2.0, 0.0]})
    found = solve_from_many_on(address, problem, starts=100, teller=Told(interrupt))
    assert (found.status, found.starts, found.value) == (Status.INTERRUPTED, 3, min(seen[:3]))


class Told:
    """What is told of runs, passed on."""

    def __init__(self, see: Callable[[Any], None]) -> None:
        self._see = see

    def __call__(self, iterate: Any) -> None:
        self._see(iterate)

    def begin(self, noun: str, number: int, total: int | None) -> None:
        assert (noun, total) == ("start", 100)


def ends(outcome: Any) -> Any:
    """All of an answer but its seconds."""
    minima = [minimum._replace(certificate=repr(minimum.certificate)) for minimum in outcome.minima]
    return outcome.starts, minima, outcome.run.counts, repr(outcome.certificate), outcome.warnings


def problems_of_a_stream_are_answered_in_order(address: str, tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    lines = [f'{{"expression": "(x-{k})**2", "start": {{"x": 0}}}}' for k in range(40)]
    lines[7] = "{no problem"
    path.write_text("\n".join(lines) + "\n")
    shown = Shown(FORMATS["jsonl"], False, True)

    def source() -> ProblemLines:
        found = ProblemLines(os.open(path, os.O_RDONLY))
        found.fill()
        found.fill()
        return found

    here = [Solver(str(path), shown)(task).text for task in source().pending]
    with workers_on(address, str(path), shown) as workers:
        assert [answer.text for answer in workers.answers(source(), True)] == here
    with workers_on(address, str(path), shown) as workers:
        assert sorted(answer.text for answer in workers.answers(source(), False)) == sorted(here)
