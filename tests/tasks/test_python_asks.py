"""What people try from Python: other names for keywords, methods in capitals, tables of all kinds, wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import GdError, UsageError

PARABOLA = "(x-1)**2"
START = {"x": 3.0}
DATA = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.5]}
LINE = "y ~ a*x"


@pytest.mark.parametrize("method", ["Adam", "BFGS", "gd", "L-BFGS"])
def test_methods_are_case_blind(method: str) -> None:
    rate = {"lr": 0.1} if method in ("Adam", "gd") else {}
    if method == "L-BFGS":
        with pytest.raises(UsageError, match="lbfgs"):
            api.minimize(PARABOLA, START, method=method)
        return
    assert api.minimize(PARABOLA, START, method=method, **rate).point["x"] == pytest.approx(1.0, abs=1e-6)


def test_methods_are_case_blind_everywhere() -> None:
    problem = api.make_problem(PARABOLA, start=START)
    assert [run.method for run in api.compare_methods(problem, ["BFGS", "Newton"])] == ["bfgs", "newton"]
    assert api.fit(LINE, DATA, method="LM").status.value == "converged"
    assert api.fit(LINE, DATA, method="SGD", lr=0.01, epochs=3).point


@pytest.mark.parametrize(
    ("ask", "told", "hint"),
    [
        (lambda: api.minimize(PARABOLA, x0=[3]), "unknown option x0", "x0 is start here"),
        (lambda: api.minimize(PARABOLA, START, maxiter=3), "maxiter", "maxiter is max_iter here"),
        (lambda: api.minimize(PARABOLA, START, learning_rate=3), "learning_rate", "is lr here"),
        (lambda: api.minimize(PARABOLA, START, tolerance=3), "tolerance", "is tol here"),
        (lambda: api.minimize("a*x", START, set={"a": 1}), "set", "set is constants here"),
        (lambda: api.minimize("a*x", START, args={"a": 1}), "args", "args is constants here"),
        (lambda: api.minimize(PARABOLA, START, bounds={"x": (0,)}), "bounds of x", '{"x": (0, 5)}'),
        (lambda: api.minimize(PARABOLA, START, bounds={"x": 5}), "bounds of x", '{"x": (0, 5)}'),
        (lambda: api.minimize(PARABOLA, START, bounds={"x": ("a", 5)}), "bounds of x", '{"x": (0, 5)}'),
        (lambda: api.minimize(PARABOLA, START, bounds=[(0, 5)]), "by name", '{"x": (0, 5)}'),
        (lambda: api.minimize(lambda v: v @ v, [1.0], bounds={"x": (0,)}), "bounds of x", "(0, 5)"),
        (lambda: api.compare_learning_rates("x**2", (0.1,)), "takes a problem", "api.make_problem"),  # type: ignore[arg-type]
        (lambda: api.compare_methods("x**2"), "takes a problem", "api.make_problem"),  # type: ignore[arg-type]
        (lambda: api.fit(LINE, [[1, 2], [3, 4]]), "data are columns by name, or files", "data.csv"),  # type: ignore[list-item]
        (lambda: api.fit(LINE, [DATA]), "data are columns by name, or files", "data.csv"),  # type: ignore[list-item]
        (lambda: api.fit(LINE, 3), "of the type int", "data.csv"),  # type: ignore[arg-type]
        (lambda: api.fit(LINE, DATA, p0=[1]), "unknown option p0", "p0 is start here"),
        (
            lambda: api.fit(LINE, DATA, sigma=[1, 1, 1]),
            "sigma is a number, the name of a column",
            'sigma="s"',
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_to_write(ask: Callable[[], Any], told: str, hint: str) -> None:
    with pytest.raises(GdError) as caught:
        ask()
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert str(caught.value) == f"{caught.value.message}\nhint: {caught.value.hint}"


@pytest.mark.parametrize(
    "name",
    [
        "bounds",
        "constants",
        "seed",
        "subject_to",
        "let",
        "multi_start",
        "observers",
        "max_iter",
        "tol",
        "method",
    ],
)
def test_what_is_none_is_not_given(name: str) -> None:
    assert api.minimize(PARABOLA, START, **{name: None}).point == api.minimize(PARABOLA, START).point
    if name not in ("let", "multi_start", "observers"):
        assert api.fit(LINE, DATA, **{name: None}).point == api.fit(LINE, DATA).point


def test_a_problem_may_have_no_bounds_and_no_constraints() -> None:
    made = api.make_problem(PARABOLA, start=START, bounds=None, subject_to=None, let=None, constants=None)
    assert made == api.make_problem(PARABOLA, start=START)
    assert api.minimize(lambda v: (v - 1) @ (v - 1), [3.0], bounds=None).value == pytest.approx(
        0.0, abs=1e-12
    )


def test_an_unknown_name_is_told_whatever_its_value() -> None:
    for ask in (lambda: api.minimize(PARABOLA, START, bound=None), lambda: api.fit(LINE, DATA, bound=None)):
        with pytest.raises(UsageError, match="unknown option bound"):
            ask()


def test_a_table_is_any_that_has_columns(tmp_path: Path) -> None:
    """A data frame, of whatever library, is its columns by name; a path is a file."""

    class Frame(SimpleNamespace):
        columns = ("x", "y")

        def __getitem__(self, name: str) -> list[float]:
            return DATA[name]

    file = tmp_path / "data.csv"
    file.write_text("x,y\n1,2\n2,4\n3,6.5\n")
    for data in (Frame(), file, [file], str(file)):
        assert api.fit(LINE, data).point["a"] == pytest.approx(2.107142857142857)
