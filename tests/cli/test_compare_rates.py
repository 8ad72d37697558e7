"""Verdicts on learning rates, held against quadratics whose curvature is known and against runs to the end."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from keep import kept

from gdcli import api
from gdcli.cli.app import run
from gdcli.judge.gd_forecast import SpectralPart, pace, steps_by_parts
from gdcli.judge.learning_rates import compare, verdict
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.record.compared import rates_record
from gdcli.render.comparison_pages import rates_page as page
from gdcli.render.page import PLAIN, plain_text
from gdcli.render.text_plots import LETTERS
from gdcli.tasks.compare import RateComparison

BOOK = (10.0, 1.1, 1.0, 0.1, 0.01)
ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"


def rates(
    expression: str, start: dict, *lr: float, steps: int = 100, sense: str = "minimize"
) -> RateComparison:
    return api.compare_learning_rates(api.make_problem(expression, sense, start), lr, steps)


def verdicts(comparison: RateComparison) -> list[str]:
    return [rate.verdict for rate in comparison.found.rates]


def quadratic(matrix: np.ndarray) -> str:
    """The expression of x'Ax/2."""
    n = len(matrix)
    return " + ".join(f"{float(matrix[i, j]) / 2!r}*x{i}*x{j}" for i in range(n) for j in range(n))


def rotated(values: list[float], seed: int = 1) -> np.ndarray:
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (q * values) @ q.T


def brute(matrix: np.ndarray, x: np.ndarray, lr: float) -> int:
    """The number of the first step that is shorter than 1e-7, by taking them all."""
    steps = 0
    while True:
        steps += 1
        new = x - lr * (matrix @ x)
        if np.linalg.norm(new - x) < 1e-7:
            return steps
        x = new


def test_the_book() -> None:
    found = rates("x**2+y**2", {"x": -1, "y": 1}, *BOOK)
    assert verdicts(found) == ["diverges", "diverges", "oscillates", "good pace", "too slow"]
    assert [rate.lr_times_curvature for rate in found.found.rates] == [20.0, 2.2, 2.0, 0.2, 0.02]
    assert [(r.steps, r.predicted) for r in found.found.rates[3:]] == [(68, False), (623, True)]
    c = found.found.curvature
    assert c is not None
    assert (c.largest, c.smallest, c.limit, c.best, c.condition) == (2.0, 2.0, 1.0, 0.5, 1.0)
    assert found.found.best is not None
    assert found.found.best.steps == 2


def test_the_fastest_of_the_table_is_named_beside_the_best_by_curvature() -> None:
    found = rates("log(cosh(x))", {"x": 3}, 2.5, 1.0, 0.1)
    best, fastest = found.found.best, found.found.fastest
    assert best is not None
    assert fastest is not None
    assert (fastest.lr, fastest.steps, fastest.predicted) == (1.0, 6, False)
    assert best.steps is not None
    assert best.steps > 100 * 6
    text = plain_text(page(rates_record(found), 80, PLAIN, LETTERS))
    assert "by the curvature along the way" in text
    assert "rate 1 arrives first, after 6 steps" in text
    told = rates_record(found).to_json()
    assert (told["fastest_lr"], told["fastest_steps"]) == (1.0, 6)
    assert rates("x**3", {"x": -1}, 0.1, 0.2).found.fastest is None


@pytest.mark.parametrize("expression", ["log(cosh(x))", "sqrt(1+x**2)", "exp(x)+exp(-x)", "x**2/(1+x**2)"])
@pytest.mark.parametrize("steps", [200, 5000])
def test_a_verdict_does_not_depend_on_the_other_rates(expression: str, steps: int) -> None:
    typed = (1.0, 0.1, 0.02, 0.002)
    together = rates(expression, {"x": 1.5}, *typed, steps=steps)
    for rate in together.found.rates:
        assert rates(expression, {"x": 1.5}, rate.lr, steps=steps).found.rates == (rate,)


def test_a_pace_is_held_against_the_fastest_reference() -> None:
    """Where the curvature changes along the way, the best rate by curvature may be slow itself."""
    found = rates("log(cosh(x))", {"x": 3}, 0.02, steps=5000)
    best, reference = found.found.best, found.found.reference
    assert best is not None
    assert reference is not None
    assert verdicts(found) == ["too slow"]
    assert found.found.rates[0].steps < 3 * best.steps
    assert (reference.lr, reference.steps) == (pytest.approx(1.0), 6)
    assert "1, tried beside it, needs 6 steps" in plain_text(page(rates_record(found), 80, PLAIN, LETTERS))
    assert rates_record(found).to_json()["reference_steps"] == 6
    # On a quadratic no fixed rate is faster than the best by curvature by much.
    quadratic = rates("x**2+100*y**2", {"x": 1, "y": 1}, 0.001).found
    assert quadratic.best is not None
    assert quadratic.best.steps is not None
    assert quadratic.reference is None or quadratic.reference.steps > quadratic.best.steps / 2


@pytest.mark.parametrize(("expression", "sign"), [("x**4", 1), ("-x**4", -1)])
def test_where_no_rate_arrives_the_one_that_came_lowest_is_named(expression: str, sign: int) -> None:
    """The best by the curvature of the way may be beaten by a rate of the table here too."""
    sense = "minimize" if sign > 0 else "maximize"
    found = rates(expression, {"x": 2}, 1.0, 0.1, 0.01, 0.001, sense=sense)
    lowest = rates_record(found).lowest
    assert lowest is not None
    assert found.found.fastest is None
    assert lowest.lr == 0.1
    side = "lowest" if sign > 0 else "highest"
    assert f"none arrives; rate 0.1 comes {side} in 100 steps" in plain_text(
        page(rates_record(found), 80, PLAIN, LETTERS)
    )


SPECTRA = [[3.0], [2.0, 2.0], [1.0, 7.0], [1.0, 100.0], [1.0, 2.0, 5.0, 9.0, 40.0], [1e-3, 1.0, 1e3]]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("values", SPECTRA)
def test_quadratics_with_known_curvature(values: list[float], turned: bool) -> None:
    matrix = rotated(values) if turned else np.diag(values)
    start = {f"x{i}": 1.0 + 0.1 * i for i in range(len(values))}
    L, m = max(values), min(values)
    lr = [4 / L, 2.2 / L, 2 / (L + m), 1 / L, 0.02 / L]
    found = rates(quadratic(matrix), start, *lr)
    c = found.found.curvature
    assert c is not None
    assert (c.largest, c.smallest) == pytest.approx((L, m), rel=1e-9)
    assert (c.limit, c.best, c.condition) == pytest.approx((2 / L, 2 / (L + m), L / m), rel=1e-9)
    assert verdicts(found)[:2] == ["diverges", "diverges"]
    if L / m > 1e4:
        return  # too many steps to take them all
    x = np.array(list(start.values()))
    best = brute(matrix, x, 2 / (L + m))
    assert found.found.best is not None
    assert abs((found.found.best.steps or 0) - best) <= 1
    for rate, used in list(zip(found.found.rates, lr, strict=True))[3:]:
        wanted = brute(matrix, x, used)
        assert rate.steps is not None
        assert abs(rate.steps - wanted) <= 1 + 1e-6 * wanted
        expected = (
            "good pace"
            if wanted <= max(100, 3 * best)
            else "converges"
            if wanted <= max(300, 10 * best)
            else "too slow"
        )
        assert rate.verdict == expected


def test_at_the_limit_it_oscillates_and_a_prediction_is_what_a_longer_run_measures() -> None:
    short = rates("x**2+100*y**2", {"x": 1, "y": 1}, 0.01, 0.001, 0.0001)
    long = rates("x**2+100*y**2", {"x": 1, "y": 1}, 0.01, 0.001, 0.0001, steps=40_000)
    assert verdicts(short) == verdicts(long) == ["oscillates", "converges", "too slow"]
    for told, seen in zip(short.found.rates[1:], long.found.rates[1:], strict=True):
        assert told.predicted
        assert not seen.predicted
        assert told.steps == seen.steps


@pytest.mark.parametrize(
    ("expression", "start", "lr"),
    [
        ("(1-x)**2+100*(y-x**2)**2", {"x": -1.2, "y": 1}, 1.3277e-05),
        ("x**4", {"x": 1}, 1 / 6),
        ("x**6+y**6", {"x": 1, "y": 2}, 1e-3),
        ("sum(v**4)", {"v": [1.0] * 3000}, 0.1),
    ],
)
def test_where_no_quadratic_model_holds_to_the_minimum_nothing_is_predicted(
    expression: str, start: dict[str, Any], lr: float
) -> None:
    found = rates(expression, start, lr)
    assert [(r.steps, r.predicted, r.verdict) for r in found.found.rates] == [(None, False, "too slow")]
    assert found.found.fastest is None


@pytest.mark.parametrize(("start", "lr"), [(2.0, 0.003), (2.0, 0.03), (3.0, 0.01)])
def test_a_prediction_knows_the_curvature_at_the_minimum(start: float, lr: float) -> None:
    short, long = (rates("exp(x)+exp(-x)", {"x": start}, lr, steps=n).found.rates[0] for n in (100, 10_000))
    assert short.predicted
    assert not long.predicted
    assert short.steps == pytest.approx(long.steps, rel=0.1)


def test_a_prediction_needs_no_curvature_where_there_is_no_slope() -> None:
    short, long = (rates("(x+y-1)**2", {"x": 3, "y": 1}, 1e-3, steps=n) for n in (100, 10_000))
    assert short.found.rates[0].predicted
    assert short.found.rates[0].steps == long.found.rates[0].steps


@pytest.mark.parametrize(
    ("factor", "told"), [(-0.89, "converges"), (-0.91, "oscillates"), (-1.0, "oscillates")]
)
def test_oscillating_means_shrinking_by_less_than_ten_percent(factor: float, told: str) -> None:
    found = rates("x**2", {"x": 1e3}, (1 - factor) / 2)
    assert verdicts(found) == [told]


@pytest.mark.parametrize(
    ("steps", "best", "told"),
    [
        (100, 2, "good pace"), (101, 2, "converges"), (300, 2, "converges"), (301, 2, "too slow"),
        (3000, 1000, "good pace"), (3001, 1000, "converges"), (10_000, 1000, "converges"), (10_001, 1000, "too slow"),
        (None, 5, "too slow"), (101, None, "converges"),
    ],
)  # fmt: skip
def test_the_rules_on_steps(steps: int | None, best: int | None, told: str) -> None:
    assert verdict(astray=False, oscillating=False, steps=steps, best_steps=best) == told
    assert verdict(astray=False, oscillating=True, steps=steps, best_steps=best) == "oscillates"
    assert verdict(astray=True, oscillating=True, steps=steps, best_steps=best) == "diverges"


def test_a_tiny_rate_is_not_taken_for_an_arrival() -> None:
    found = rates("x**2+y**2", {"x": -1, "y": 1}, 1e-9)
    assert verdicts(found) == ["too slow"]
    assert (found.found.rates[0].steps or 0) > 10**8


def test_short_steps_in_a_flat_direction_are_told() -> None:
    found = rates("x**2+1e8*y**2", {"x": 1, "y": 1}, 1e-9)
    assert "the minimum may be 1 away" in found.found.rates[0].note


def test_rosenbrock_by_all_the_steps_it_takes() -> None:
    found = rates(ROSENBROCK, {"x": -1.2, "y": 1}, 0.1, 0.001, steps=60_000)
    assert verdicts(found) == ["diverges", "good pace"]
    last = found.found.rates[1]
    assert last.value < 1e-7
    assert not last.predicted
    c = found.found.curvature
    assert c is not None
    assert c.largest >= 1506.0
    assert c.at_end == pytest.approx(1001.6, rel=1e-2)


def test_negative_curvature() -> None:
    runaway = rates("-x**2", {"x": 1}, 0.1)
    assert verdicts(runaway) == ["diverges"]
    assert runaway.found.rates[0].note == "the value falls without end"
    assert (runaway.found.curvature.limit, runaway.found.curvature.best) == (None, None)  # type: ignore[union-attr]
    saddle = rates("x**2-y**2", {"x": 1, "y": 0}, 0.1)
    assert "no minimum" in saddle.found.rates[0].note
    hill = rates("x**4-x**2", {"x": 0.1}, 0.25, 5.0)
    assert verdicts(hill) == ["good pace", "diverges"]
    assert hill.found.curvature is not None
    assert hill.found.curvature.best == pytest.approx(0.25)  # 1/L, as m is negative
    assert verdicts(rates("x", {"x": 1}, 0.1)) == ["diverges"]


def test_a_constant() -> None:
    found = rates("0*x+3", {"x": 1})
    assert len(found.warnings) == 1
    assert found.found.curvature is not None
    assert found.found.curvature.limit is None


def test_the_edge_of_the_domain() -> None:
    found = rates("x - log(x)", {"x": 0.1}, 5.0, 0.5)
    assert verdicts(found) == ["diverges", "good pace"]
    assert found.found.rates[0].note.startswith(
        "no finite value after step 11: log(x) is not defined at x = -"
    )
    with pytest.raises(DomainError):
        rates("log(x)", {"x": -1}, 0.1)


@pytest.mark.parametrize("expression", ["exp(x**2)", "x**4 + x**2", "sum(v**4)"])
def test_overflow_is_caught(expression: str) -> None:
    start = {"v": np.ones(50)} if "v" in expression else {"x": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rates(expression, start, 1e3, 1e300)
    assert verdicts(found) == ["diverges", "diverges"]
    assert all(math.isinf(rate.value) for rate in found.found.rates)


def test_without_rates_they_lie_around_the_limit() -> None:
    found = rates("50*x**2 + 2*y**2", {"x": 1, "y": 1})
    told = [rate.lr_times_curvature for rate in found.found.rates]
    assert told == pytest.approx([20.0, 2.2, 2.0, 200 / 104, 0.2, 0.02])


def test_maximize_turns_the_signs_back() -> None:
    found = rates("-x**2+3*x", {"x": 9}, 1.1, 0.5, sense="maximize")
    assert verdicts(found) == ["diverges", "good pace"]
    assert found.value(found.found.rates[1].value) == 2.25
    assert found.found.curvature is not None
    assert found.found.curvature.largest == 2.0


def test_many_variables() -> None:
    n = 100_000
    found = rates("sum(a*v**2)/2".replace("a", "3"), {"v": np.ones(n)}, 1.0, 1 / 3)
    assert verdicts(found) == ["diverges", "good pace"]
    c = found.found.curvature
    assert c is not None
    assert (c.largest, c.smallest) == pytest.approx((3.0, 3.0), rel=1e-9)
    assert c.how == "lanczos"


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(UsageError):
        rates("x**2", {"x": 1}, 0.1, rate)


@pytest.mark.parametrize(
    ("typed", "place"), [("1,0", 2), ("-1", 0), ("1, nan,2", 3), ("", 0), ("1,,2", 2), ("1,x", 2)]
)
def test_the_place_of_a_wrong_rate(typed: str, place: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-lr", "x**2", "--start", "x=1", f"--lr={typed}", "--format", "json"]) == 2
    record = json.loads(capsys.readouterr().out)
    assert (record["type"], record["span"]["start"], record["span"]["source"]) == ("error", place, "--lr")


def test_the_pace_of_the_last_steps() -> None:
    assert pace([5.0] + [2.0**-k for k in range(11)]) == 0.5
    assert pace([3.0]) == 1.0
    assert steps_by_parts(0.1, [SpectralPart(20.5, 1.0)], 1e-7) == math.inf
    assert steps_by_parts(0.1, [SpectralPart(-1.0, 1.0)], 1e-7) is None
    assert steps_by_parts(0.1, [SpectralPart(10.0, 1.0)], 1e-7) == 1


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_kept_answers(form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["compare-lr", "x**2 + y**2", "--start=-1,1", "--lr", "10,1.1,1,0.1,0.01", "--format", form]
    assert run(arguments) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 or form not in ("table", "plain")
    assert form != "plain" or out.isascii()
    kept(f"compare_lr.{form}", out)


def test_the_objective_may_be_any() -> None:
    from toy import sum_of_squares

    from gdcli.kernel.vectors import Vec

    found = compare(sum_of_squares(2), Vec([-1.0, 1.0]), BOOK)
    assert [rate.verdict for rate in found.rates][2:] == ["oscillates", "good pace", "too slow"]


def test_few_variables_need_no_numpy() -> None:
    code = (
        "import sys\nfrom gdcli.cli.app import run\n"
        "run(['compare-lr', 'x**2+y**2', '--start', 'x=1,y=1'])\n"
        "run(['compare-methods', 'x**2+y**2', '--start', 'x=1,y=1'])\n"
        "print('\\nMODULES', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("MODULES ")[2].split())
    assert not loaded & {"numpy", "sympy", "rich", "typer"}
    assert "gdcli.judge.learning_rates" in loaded
