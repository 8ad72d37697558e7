"""Runs gone on with from a checkpoint end with the same bits as runs that were never stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from killed import gone_on, texts
from visits import Shuffled, regression, row_model

from gdcli import api
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Vec
from gdcli.objective.row_objective import RowObjective
from gdcli.record.checkpoint_file import Decoder, Encoder
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.descent import STEP_RULES
from gdcli.solve.methods.levenberg_marquardt import LevenbergMarquardt
from gdcli.solve.registry import METHODS
from gdcli.solve.run import RunOptions, run
from gdcli.solve.settings import EpochSettings, MaxIterations, Settings, rules_from
from gdcli.tasks.multi_start import solve_from_many
from gdcli.tasks.stochastic import Descent, run_stochastic

ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"
LONG = "sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)"
PROBLEMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "two": (ROSENBROCK, {"x": -1.2, "y": 1.0}, {}),
    "one": ("x**4 - 3*x**2 + x", {"x": 2.0}, {}),
    "saddle": ("x**4 - 2*x**2 + y**2*(x**2+1)", {"x": 0.0, "y": 3.0}, {}),
    "five": ("sum((v-1)**2*(1+v**2)) + prod(v)", {"v": [3.0, -1.0, 2.0, 0.5, 0.1]}, {}),
    "kinks": ("abs(x-1) + 10*abs(y-x**2) + y**2/10", {"x": -2.0, "y": 3.0}, {}),
    "many": (LONG, {"v": [0.0] * 60}, {}),
    "unbounded": ("x**3 + y**2", {"x": -1.0, "y": 1.0}, {}),
    "bounded": (ROSENBROCK, {"x": -1.2, "y": 1.0}, {"bounds": {"x": (-2.0, 0.5)}}),
    "many bounded": (LONG, {"v": [0.0] * 60}, {"bounds": {"v": (-1.0, 0.5)}}),
    "many kinks": ("sum(abs(v-1)) + sum(v[1:]*v[:-1])/100", {"v": [3.0] * 60}, {}),
}
WAYS = [{"method": name} for name, entry in METHODS.items() if entry.is_general]
WAYS += [
    {"method": "gd", "step_rule": rule} | ({"lr": 1e-3} if rule in ("fixed", "decay") else {})
    for rule in STEP_RULES
]
WAYS += [{"gradient": "central"}, {"gradient": "complex", "method": "bfgs"}]


def bits(found: Any) -> Any:
    """All there is of a result, but for times."""
    if isinstance(found, api.Outcome):
        return bits(found.run), found.status, found.message, repr(found.certificate), found.warnings
    assert isinstance(found, RunResult)
    iterates = {name: getattr(found, name)._replace(seconds=0.0) for name in ("start", "best", "last")}
    return texts(replace(found, seconds=0.0, **iterates))


def found_early(run: RunResult) -> bool:
    """Whether a run ended by itself before its second step: then there was nothing to save."""
    return run.iterations <= 1


def solved(name: str, way: dict[str, Any], checkpointer: Checkpointer | None) -> Any:
    expression, start, more = PROBLEMS[name]
    problem = api.make_problem(expression, "minimize", start, **more)
    return api.solve(problem, api.Settings(max_iter=40, **way), checkpointer=checkpointer)


@pytest.mark.every(7)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way.values())))
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_killed_run_ends_as_one_that_was_not(name: str, way: dict[str, Any]) -> None:
    if "bounded" in name and name != "unbounded" and not METHODS[way.get("method", "auto")].bounds:
        pytest.skip("the method does not know bounds")
    if "many" in name and way.get("method") == "newton":
        pytest.skip("too many variables for a Hessian matrix")
    if "kinks" in name and way.get("gradient") == "complex":
        pytest.skip("abs has no complex version")
    expected_run = solved(name, way, None).run
    expected = bits(expected_run)
    kill = 1
    while True:
        found, saves = gone_on(lambda checkpointer: solved(name, way, checkpointer), kill)
        if found is None:
            assert saves or found_early(expected_run)
            return
        assert bits(found.run) == expected, f"killed at save {kill}"
        kill *= 2


@pytest.mark.parametrize("bounds", [None, {"b": (0.0, 1.0)}])
def test_levenberg_marquardt_goes_on(bounds: Any) -> None:
    x = np.linspace(0.0, 4.0, 30)
    data = {"x": x, "y": 3.0 * np.exp(-1.3 * x) + 0.5 + 0.05 * np.sin(20 * x)}
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import request_from
    from gdcli.tasks.fit.solve_fit import solve

    options = {} if bounds is None else {"bounds": bounds}
    request, settings = request_from("y ~ a*exp(-b*x)+c", data, {"a": 1, "b": 0.1, "c": 0}, options)

    def fit(checkpointer: Checkpointer | None) -> Any:
        with prepared(request) as ready:
            return solve(ready, settings, checkpointer=checkpointer)

    expected = fit(None)
    for kill in range(1, 30):
        found, _ = gone_on(fit, kill)
        if found is None:
            break
        assert bits(found.run) == bits(expected.run)
        assert repr(found.statistics) == repr(expected.statistics)
    assert kill > 3


@pytest.mark.every(3)
@pytest.mark.parametrize("engine", ["auto", "python", "numpy", "native"])
@pytest.mark.parametrize("block", [1, 256])
@pytest.mark.parametrize(
    ("method", "batch", "schedule"),
    [
        ("sgd", 1, "book"),
        ("momentum", 32, "constant"),
        ("adam", 32, "decay"),
        ("adam", None, "constant"),
        ("adagrad", 1, "decay"),
    ],
)
def test_epochs_go_on_where_they_were(
    method: str, batch: int | None, schedule: str, block: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "native":
        pytest.importorskip("llvmlite")
        from gdcli.compile import native_epochs

        monkeypatch.setattr(native_epochs, "FIRST", 20_000)  # several calls an epoch
    if engine == "python" and batch is None:
        pytest.skip("the engine python is for steps by some of the rows")
    monkeypatch.setattr("gdcli.objective.row_passes.PIECE", 500)
    monkeypatch.setattr("gdcli.objective.row_passes.NATIVE_PIECE", 700)
    columns = regression(3001)
    row = row_model("y ~ a*x0 + b*x1 + c*x2 + d", tuple(columns))
    settings = EpochSettings(
        batch_size=batch or 0, method=method, lr=0.01, schedule=schedule, epochs=4, engine=engine
    )

    def descend(checkpointer: Checkpointer | None) -> Any:
        data = Shuffled(columns, 7, block)
        return run_stochastic(Descent(row, data, Vec([0.0] * 4)), settings, checkpointer=checkpointer)

    expected = descend(None)
    kill = 1
    while True:
        found, saves = gone_on(descend, kill)
        if found is None:
            break
        assert found.engine == expected.engine
        assert bits(found.run) == bits(expected.run), f"killed at save {kill}"
        assert [e._replace(seconds=0.0) for e in found.epochs] == [
            e._replace(seconds=0.0) for e in expected.epochs
        ]
        kill *= 2
    assert saves > (4 if batch is None else 8)


def test_many_starts_go_on_with_the_one_that_was_killed() -> None:
    problem = api.make_problem("x**4 - 3*x**2 + x + sin(5*x)", "minimize", {"x": 2.0}, seed=3)

    def many(checkpointer: Checkpointer | None) -> Any:
        return solve_from_many(problem, None, 5, checkpointer=checkpointer)

    expected = many(None)
    for kill in (1, 4, 9, 14, 20, 27):
        found, _ = gone_on(many, kill)
        assert found is not None
        assert bits(found) == bits(expected)
        assert found.minima == expected.minima
        assert found.starts == 5


@pytest.mark.parametrize("start", [1.0, 2.0, 3.0])
def test_many_starts_that_were_capped_go_on_as_if_they_had_not_been(start: float) -> None:
    """The best of the starts may be another one then."""
    from killed import Memory

    text = "sin(3*x) + sin(4*y) + (x**2 + y**2)/9"
    problem = api.make_problem(text, "minimize", {"x": start, "y": start})

    def many(max_iter: int, store: Memory) -> tuple[api.Outcome, list[int]]:
        seen: list[int] = []
        found = solve_from_many(
            problem,
            api.Settings(max_iter=max_iter),
            6,
            observers=[lambda iterate: seen.append(iterate.iteration)],
            checkpointer=Checkpointer(store, every=1e9),
        )
        return found, seen

    whole, path = many(1000, Memory())
    for cap in (1, 3, 5, 8):
        first = Memory()
        many(cap, first)
        found, seen = many(1000, Memory(found=first.kept))
        assert bits(found) == bits(whole), cap
        assert found.minima == whole.minima
        assert seen == path


@pytest.mark.parametrize("method", ["bfgs", "cg", "newton-cg", "lbfgs"])
def test_more_iterations_go_on_as_if_there_had_been_no_cap(method: str) -> None:
    """Wherever the cap was: on the way, just before the end, and at it."""
    problem = api.make_problem(ROSENBROCK, "minimize", {"x": -1.2, "y": 1.0})
    from killed import Memory

    whole = api.solve(problem, api.Settings(method=method))
    assert whole.run.last.kind == "polish"
    for cap in (7, *(whole.run.iterations - k for k in (3, 2, 1, 0))):
        first = Memory()
        capped = api.solve(
            problem, api.Settings(method=method, max_iter=cap), checkpointer=Checkpointer(first, every=1e9)
        )
        assert capped.run.iterations <= cap
        assert first.saves == (cap < whole.run.iterations)
        second = Memory(found=first.kept)
        found = api.solve(problem, api.Settings(method=method), checkpointer=Checkpointer(second, every=1e9))
        assert bits(found) == bits(whole), cap


def test_a_run_with_an_end_gives_its_result_again() -> None:
    from killed import Memory

    problem = api.make_problem(ROSENBROCK, "minimize", {"x": -1.2, "y": 1.0})
    first = Memory()
    expected = api.solve(problem, checkpointer=Checkpointer(first, every=1e9))
    second = Memory(found=first.kept)
    seen: list[Any] = []
    found = api.solve(problem, None, [seen.append], checkpointer=Checkpointer(second, every=1e9))
    assert bits(found) == bits(expected)
    assert not seen


def test_a_keeper_ends_the_run_after_the_step() -> None:
    checkpointer = Checkpointer()
    problem = api.make_problem(ROSENBROCK, "minimize", {"x": -1.2, "y": 1.0})
    seen: list[Any] = []

    def observer(iterate: Any) -> None:
        seen.append(iterate)
        assert iterate.iteration == 0 or checkpointer.listening
        if iterate.iteration == 5:
            from gdcli.kernel.status import StopReason

            checkpointer.asked = StopReason.TERMINATED

    outcome = api.solve(problem, None, [observer], checkpointer=checkpointer)
    assert (outcome.run.iterations, outcome.status.exit_code) == (5, 143)
    assert outcome.run.last.at is seen[-1].at
    assert not checkpointer.listening


class Clock:
    """A clock that only tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_writing_takes_no_more_than_its_share() -> None:
    clock = Clock()

    class Slow:
        saves = 0

        def load(self, number: int, objective: Any) -> Any:
            return None

        def put(self, number: int, kept: Any, objective: Any) -> None: ...

        def save(self, number: int, kept: Any, objective: Any) -> None:
            self.saves += 1
            clock.now += 2.0

    store = Slow()
    checkpointer = Checkpointer(store, every=1.0, clock=clock)
    checkpointer.next(None)
    checkpointer.begin(lambda: None)
    progress: Any = None
    while clock.now < 1000.0:
        clock.now += 0.5
        checkpointer(progress)
    assert 4 <= store.saves <= 5


def _values() -> st.SearchStrategy[Any]:
    numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers() | st.booleans() | st.none()
    plain = numbers | st.text() | st.lists(st.floats(), max_size=4).map(Vec)
    arrays = st.lists(st.floats(), min_size=1, max_size=5).map(np.array)
    return st.recursive(
        plain | arrays,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=12,
    )


@given(_values())
def test_values_come_back_as_they_were(value: Any) -> None:
    encoder = Encoder()
    text = encoder(value)
    found = Decoder(encoder.arrays)(text)
    assert repr(found) == repr(value)
    assert type(found) is type(value)


def test_rows_of_a_matrix_stay_rows_of_it() -> None:
    matrix = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    encoder = Encoder()
    text = encoder([matrix[1], matrix])
    assert len(encoder.arrays) == 1
    row, again = Decoder([a.copy() for a in encoder.arrays])(text)
    row[:] = -1.0
    assert again.tolist() == [[0.0, 1.0], [-1.0, -1.0], [4.0, 5.0]]


@pytest.mark.parametrize(
    "text",
    [
        {"Path": "x"},
        {"Evaluation": {"x": 1, "y": 2}},
        {"Evaluation": 3},
        {"array": 0},
        {"array": 1, "b": 2},
        {"StopReason": "x"},
        {"Checkpointer": {}},
        {"number": "1"},
    ],
)
def test_what_no_encoder_makes_is_refused(text: Any) -> None:
    with pytest.raises(DataError):
        Decoder([])(text)


def test_a_kind_that_is_not_known_is_not_written() -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        Encoder()(Clock())


def test_a_fit_by_another_objective_is_still_a_fit() -> None:
    x = np.linspace(0.0, 4.0, 30)
    row = row_model("y ~ a*exp(-b*x)", ("x", "y"))
    data = Shuffled({"x": x, "y": np.exp(-x)}, 0, 0)

    def fit(checkpointer: Checkpointer | None) -> Any:
        objective = RowObjective(row, data)
        rules = [*rules_from(Settings(tol=0.0), own_rule=True), MaxIterations(50)]
        return run(
            objective,
            LevenbergMarquardt(),
            objective.vector([0.2, 4.0]),
            rules,
            options=RunOptions(checkpointer=checkpointer),
        )

    expected = fit(None)
    found, _ = gone_on(fit, 3)
    assert bits(found) == bits(expected)
