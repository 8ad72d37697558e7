"""Caps on evaluations, time and memory hold: within a step, within an epoch, while data are read."""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import command, environment, gd

from gdcli import api
from gdcli.cli.option_types import memory
from gdcli.kernel import budget
from gdcli.kernel.budget import Budget, Spent
from gdcli.kernel.errors import LimitError, UsageError
from gdcli.kernel.status import StopReason
from gdcli.objective.bounded import Bounded
from gdcli.objective.build import build_objective
from gdcli.objective.protocol import Box, Counts, new_counts
from gdcli.solve.registry import METHODS, choose
from gdcli.solve.run import run
from gdcli.tasks.pipeline import stop_rules
from gdcli.tasks.problem import parsed
from gdcli.tasks.python_problem import make_problem

SEARCHING = [name for name, entry in METHODS.items() if entry.is_general]
PROBLEMS: list[tuple[str, dict[str, Any]]] = [
    ("100*(y-x**2)**2 + (1-x)**2", {"x": -1.2, "y": 1.0}),
    ("abs(x-1) + 3*abs(y-x) + x**2", {"x": 5.0, "y": -3.0}),
    ("sum(v**4) + norm(v)", {"v": [1.0 + 0.1 * i for i in range(40)]}),
]


# -- evaluations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("problem", PROBLEMS, ids=["valley", "kinks", "vector"])
@pytest.mark.parametrize("name", SEARCHING)
def test_no_method_evaluates_more_often_than_allowed(
    name: str, problem: tuple[str, dict[str, Any]], bounded: bool
) -> None:
    if bounded and not METHODS[name].bounds:
        return
    asked = make_problem(problem[0], start=problem[1])
    for most in (1, 4, 5, 6, 9, 11, 16, 29, 60):
        settings = api.Settings(method=name, max_evaluations=most, tol=0.0)
        with budget.limited(settings):
            exact = build_objective(parsed(asked.expression, ""), asked.lengths, {}, 1)
            x = exact.vector(exact.space.flatten(asked.start))
            far = exact.vector([1e9] * exact.size)
            box = Box(-far, far)
            objective: Any = Bounded(exact, box) if bounded else exact
            chosen = choose(name, objective)
            first = chosen.method.order + 1  # the start is evaluated whatever is allowed
            found = run(objective, chosen.method, x, stop_rules(settings, 1.0, chosen, x))
        assert found.counts.total == objective.counts.total <= max(most, first)
        if found.reason is StopReason.MAX_EVALUATIONS:
            assert found.counts.total > most - first - len(x) - 1


def test_a_long_run_in_machine_code_keeps_the_cap() -> None:
    pytest.importorskip("llvmlite")
    done = api.minimize(
        "100*(y-x**2)**2 + (1-x)**2", {"x": -1.2, "y": 1.0}, lr=1e-6, max_iter=10**9, max_evaluations=2_000_001,
        engine="native",
    )  # fmt: skip
    assert done.run.reason is StopReason.MAX_EVALUATIONS
    assert 1_999_990 < done.run.last.counts.total <= 2_000_001


def test_the_best_point_of_a_cut_search_is_the_answer() -> None:
    done = api.minimize("(x-3)**4 + y**2", {"x": 0.0, "y": 1.0}, method="lbfgs", max_evaluations=10)
    assert done.status.value == "limit"
    assert done.run.reason.value == "max-evaluations"
    assert done.value < 82.0
    assert done.advice == "allow more with --max-evaluations, or --method auto"


def test_counts_ask_before_an_evaluation_and_not_after() -> None:
    assert type(new_counts()) is Counts
    with budget.limited(api.Settings(max_evaluations=3)):
        counts = new_counts()
        with budget.searching(0):
            counts.value += 1
            counts.take_over(Counts(5, 5))
            counts.add(Counts(1, 0))
            counts.gradient += 1
            with pytest.raises(Spent, match="max-evaluations"):
                counts.hessian += 1
        counts.hessian += 1  # the evidence is not capped
    assert (counts.value, counts.gradient, counts.hessian) == (7, 6, 1)


# -- time ------------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds as they are set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_search_ends_in_time_and_the_evidence_a_little_later() -> None:
    clock = Clock()
    spent = Budget(None, 20.0, None, clock)
    spent.searching = True
    clock.now = 19.9
    spent.check()
    clock.now = 20.0
    with pytest.raises(Spent, match="max-time"):
        spent.check()
    spent.searching = False
    clock.now = 21.9
    spent.check()
    clock.now = 22.0
    with pytest.raises(Spent, match="max-time"):
        spent.check()


def test_a_budget_within_a_budget_has_its_time() -> None:
    with budget.limited(api.Settings(max_time=100.0)):
        outer = budget.current()
        assert outer is not None
        with budget.limited(api.Settings(max_time=1e9, max_evaluations=7)):
            inner = budget.current()
            assert inner is not None
            assert (inner.seconds, inner.began, inner.most) == (100.0, outer.began, 7)
        with budget.part(0.5):
            half = budget.current()
            assert half is not None
            assert half.left == pytest.approx(50.0, abs=1.0)
        with budget.opened(None):
            assert budget.current() is None
        assert budget.current() is outer
    assert budget.current() is None


def test_what_has_no_answer_yet_is_an_error_with_the_code_of_limits() -> None:
    with (
        pytest.raises(LimitError, match="time allowed ran out") as caught,
        budget.limited(api.Settings(max_time=1.0)),
    ):
        raise Spent(budget.TIME)
    assert (caught.value.exit_code, caught.value.status) == (3, "limit")


# Each would go on for minutes.
ENDLESS = {
    "gd": ["minimize", "(x**2+y-11)**2", "--start=x=1,y=1", "--lr=1e-12", "--max-iter=1e9"],
    "python": ["minimize", "x**2", "--start=x=1", "--lr=1e-12", "--max-iter=1e9", "--engine=python"],
    "adam": ["minimize", "x**2", "--start=x=1", "--method=adam", "--lr=1e-12", "--max-iter=1e9"],
    "long vector": ["minimize", "sum(v**4)", "--start=v=ones(2e5)", "--lr=1e-12", "--max-iter=1e9"],
    "many starts": ["minimize", "sin(9*x)*cos(7*y)+x**2", "--bounds=x=-5:5,y=-5:5", "--multi-start=90000"],
    "rates": ["compare-lr", "x**2+y**4", "--start=x=1,y=1", "--lr=1e-9,1e-8", "--steps=1e9"],
    "epochs": ["fit", "y ~ a*x + b", "data.csv", "--epochs=100000000", "--batch-size=1"],
    "epochs of arrays": [
        "fit",
        "y ~ a*x + b",
        "data.csv",
        "--epochs=1e8",
        "--batch-size=32",
        "--engine=numpy",
    ],
    "batch sizes": ["compare-batch", "y ~ a*x + b", "data.csv", "--epochs=100000000"],
    "problems": ["run", "endless.jsonl", "--jobs=2"],
    "formulas": [
        "gradient",
        "*".join(f"(2+sin(x*{i}))**cos(y*{i})" for i in range(1, 60)),
        "--at=x=1,y=2",
        "--hessian",
    ],
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_command_ends_in_time_with_the_best_so_far(name: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,y\n" + "".join(f"{i},{3 * i + 1}\n" for i in range(2000)))
    line = {"expression": "x**2", "start": {"x": 1}, "lr": 1e-12, "max-iter": 10**9, "max-time": "300ms"}
    (tmp_path / "endless.jsonl").write_text(f"{json.dumps(line)}\n" * 2)
    caps = [] if name == "problems" else ["--max-time=300ms"]
    began = time.perf_counter()
    done = subprocess.run(
        command(*ENDLESS[name], *caps),
        capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert time.perf_counter() - began < 30.0
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr.startswith("error: the time allowed ran out")


def test_reading_ends_in_time(tmp_path: Path) -> None:
    """A pipe that goes on for ever."""
    feeder = "import sys\nprint('x,y')\nwhile True: sys.stdout.write('1,2\\n' * 10000)"
    source = subprocess.Popen(
        [sys.executable, "-c", feeder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        done = subprocess.run(
            command("fit", "y ~ a*x", "-", "--max-time=200ms", "--format=json"),
            stdin=source.stdout, capture_output=True, text=True, env=environment(), timeout=60, check=False,
        )  # fmt: skip
    finally:
        source.kill()
        source.wait()
        assert source.stdout is not None
        source.stdout.close()
    assert done.returncode == 3
    assert json.loads(done.stdout)["status"] == "limit"
    assert "--max-time" in done.stderr


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("500MB", 500 * 10**6),
        ("2GiB", 2**31),
        ("2G", 2**31),
        ("1.5 gb", 1_500_000_000),
        ("64k", 65_536),
        ("1e9", 10**9),
        (" 10 B ", 10),
        ("0", None),
    ],
)
def test_amounts_of_memory(typed: str, size: int | None) -> None:
    assert memory(typed, "--max-memory") == size


@pytest.mark.parametrize("typed", ["", "MB", "3X", "-1GB", "nan", "inf", "1e400", "1,5GB", "5 0MB", "1e30GB"])
def test_what_is_no_amount_of_memory(typed: str) -> None:
    with pytest.raises(UsageError, match="takes an amount of memory") as caught:
        memory(typed, "--max-memory")
    assert "500MB" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is taken for it")
def test_the_memory_in_use_is_known() -> None:
    # in a process of its own: here the libraries of other tests give memory back at any time
    script = (
        "from gdcli.kernel import budget\n"
        "before = budget.resident()\n"
        "kept = bytearray(b'x') * 50_000_000\n"
        "print(before, budget.resident() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    before, grown = map(int, done.stdout.split())
    assert before > 5_000_000
    assert 40_000_000 < grown < 80_000_000


def test_a_search_ends_where_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter(range(0, 10**12, 10**8))
    monkeypatch.setattr(budget, "resident", lambda: next(used))
    monkeypatch.setattr(budget, "_LOOK", -1.0)
    done = api.minimize("(x-3)**4 + y**2", {"x": 0.0, "y": 1.0}, method="gd", lr=1e-3, max_memory=5 * 10**9)
    assert (done.status.value, done.run.reason.value) == ("limit", "max-memory")
    assert done.run.iterations > 3
    assert "--max-memory" in done.message
    assert math.isfinite(done.value)


def test_a_search_that_the_system_refuses_memory_ends_with_its_best_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gdcli.solve.methods.descent import Descent

    taken = Descent.step
    left = iter(range(4))

    def step(self: Any, *args: Any) -> Any:
        if next(left, None) is None:
            raise MemoryError
        return taken(self, *args)

    monkeypatch.setattr(Descent, "step", step)
    done = api.minimize("(x-3)**4 + y**2", {"x": 0.0, "y": 1.0}, method="gd", lr=1e-3)
    assert (done.status.value, done.run.reason.value, done.run.iterations) == ("limit", "max-memory", 4)


def test_a_long_vector_keeps_within_the_memory(tmp_path: Path) -> None:
    asked = [
        "minimize",
        "sum((v-1)**4) + sum(v**2)",
        "--start=v=full(1e6,0.7)",
        "--method=lbfgs",
        "--print=value,reason",
    ]
    free = _peak([*asked], tmp_path)
    assert free[0] == 0
    most = int(0.93 * free[1])  # more than is refused beforehand, less than it takes
    kept = _peak([*asked, f"--max-memory={most}"], tmp_path)
    assert (kept[0], kept[2].split()[-1]) == (3, "max-memory")
    assert kept[1] < most
    refused = _peak([*asked, "--max-memory=100MB"], tmp_path)
    assert refused[0] == 3
    assert refused[1] < 100_000_000


def test_a_matrix_that_does_not_fit_is_not_begun() -> None:
    done = gd(
        "minimize",
        "sum((v-1)**4)",
        "--start=v=zeros(9000)",
        "--method=bfgs",
        "--max-memory=400MB",
        "--print=reason",
    )
    assert (done.returncode, done.stdout) == (3, "max-memory\n")


def test_a_large_file_is_read_within_the_memory(tmp_path: Path) -> None:
    row = "".join(f"{i % 17}.25,{i % 13}.5,{i % 7}.125,{i}\n" for i in range(50_000))
    (tmp_path / "large.csv").write_text("x,y,z,w\n" + row * 16)
    asked = ["fit", "y ~ a*x + b*z + c*w + d", "large.csv", "--print=a,b"]
    free = _peak(asked, tmp_path)
    most = 175_000_000
    kept = _peak([*asked, f"--max-memory={most}"], tmp_path)
    assert free[0] == kept[0] == 0
    assert kept[2] == free[2]  # the rows wait in files, and the answer is the same
    assert kept[1] < most
    refused = _peak([*asked, "--max-memory=60MB"], tmp_path)
    assert refused[0] == 3


def _peak(arguments: list[str], folder: Path) -> tuple[int, int, str]:
    """Run a command; return its exit code, the most bytes of memory it had, and what it printed."""
    code = (
        "import sys\nfrom gdcli.cli.app import run\ncode = run(sys.argv[1:])\n"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')][0], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    if sys.platform != "linux":
        pytest.skip("the peak is read where the system tells it")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, cwd=folder, env=environment(), timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, int(done.stderr.split()[-1]) * 1024, done.stdout


def test_too_little_memory_for_gd_itself_is_a_usage_error() -> None:
    done = gd("minimize", "x**2", "--start=x=1", "--max-memory=3MB")
    assert done.returncode == 2
    assert "gd alone has" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits of addresses are not kept elsewhere")
def test_memory_that_the_system_refuses_is_told_without_a_traceback(tmp_path: Path) -> None:
    def few_addresses() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (700_000_000, 700_000_000))

    done = subprocess.run(
        command("minimize", "sum(v**2)", "--start=v=ones(6e7)"),
        capture_output=True, text=True, env=environment() | {"OPENBLAS_NUM_THREADS": "1"}, timeout=60, check=False,
        preexec_fn=few_addresses,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("error: there is not enough memory")
    assert "Traceback" not in done.stderr


def test_a_problem_of_a_stream_has_its_own_limits(tmp_path: Path) -> None:
    lines = [
        {"expression": "sum(v**2)", "start": {"v": "ones(1e8)"}, "max-memory": "300MB"},
        {
            "expression": "(x-1)**2",
            "start": {"x": 0},
            "max-memory": "1GB",
            "max-time": "9s",
            "max_evaluations": 500,
        },
        {"expression": "x**2", "start": {"x": 1}, "max-memory": "much"},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for jobs in ("1", "2"):
        done = gd("run", str(tmp_path / "p.jsonl"), "--jobs", jobs)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [answer["status"] for answer in answers] == ["limit", "converged", "usage"]
        assert "--max-memory" in answers[0]["message"]
        assert done.returncode == 3
