"""--global: the minimum is enclosed however the search ends, and the page says what is proved."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.solve.checkpointing import Checkpointer
from gdcli.tasks.global_minimum import solve_globally
from tests.cli.test_subject_to_command import gd

CAMEL = "(4-2.1*x**2+x**4/3)*x**2+x*y+(-4+4*y**2)*y**2"
BOX = ["all=-3:3"]


def solved(
    text: str, bounds: list[str], sense: str = "minimize", subject_to: Sequence[str] = (), **how: Any
) -> Any:
    return solve_globally(
        api.make_problem(text, sense, bounds=bounds, subject_to=subject_to), api.Settings(**how)
    )


def test_a_maximum_is_told_in_the_sense_of_the_user() -> None:
    low, high = solved(CAMEL, BOX), solved(f"-({CAMEL})", BOX, "maximize")
    assert low.status is high.status is Status.CONVERGED
    assert low.globally.lower <= -1.0316284534898774 <= low.globally.upper + 1e-15
    assert (high.globally.lower, high.globally.upper) == (-low.globally.upper, -low.globally.lower)
    assert high.value == pytest.approx(1.0316284534898774, abs=1e-12)
    assert len(high.globally.boxes) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x*log(x)", -1 / math.e),
        ("x*log(x) + y*log(y) + z*log(z)", -3 / math.e),
        ("-(x*log(x) + y*log(y))", -4 * math.log(2)),
        ("x*log(x/0.2) + y*log(2*y)", -0.7 / math.e),
        ("x**x", math.exp(-1 / math.e)),
        ("x**2*log2(x) - y", -math.log2(math.e) / (2 * math.e) - 2),
    ],
)
def test_entropies_have_their_minimum_up_to_the_edge_of_the_logarithm(text: str, value: float) -> None:
    """A function t**k*log(t) is least at exp(-1/k), where it is -1/(k*e); t*log(c*t) is a multiple of that."""
    found = solved(text, ["all=0:2"])
    assert found.status is Status.CONVERGED
    assert found.globally.lower <= value <= found.globally.upper + 1e-15
    assert found.globally.upper - found.globally.lower <= 1e-6 * max(1.0, abs(value))


def test_a_pole_along_a_line_is_told_and_a_search_ends_at_its_own_cap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert solved("-1/x**2 + y**2", BOX).status is Status.DIVERGED
    assert solved("log(x + y)", BOX).status is Status.STALLED
    monkeypatch.setattr("gdcli.tasks.global_minimum.MOST_EXAMINED", 20)
    found = solved(CAMEL, BOX)
    assert (found.status, found.run.reason) == (Status.LIMIT, StopReason.MAX_EVALUATIONS)
    assert found.globally.lower <= -1.0316284534898774 <= found.globally.upper


@pytest.mark.parametrize(
    ("text", "constraints", "value"),
    [
        ("x + y", ["x**2 + y**2 <= 1"], -(2**0.5)),
        ("x + y", ["x**2 + y**2 == 1"], -(2**0.5)),
        ("x*y", ["x**2 + y**2 == 2", "x >= 0"], -1.0),
        ("(x - 2)**2 + y**2", ["x**2 + y**2 <= 1", "x + y <= 0.5"], None),
        (
            "-x - y",
            ["y - 2*x**4 + 8*x**3 - 8*x**2 <= 2", "-4*x**4 + 32*x**3 - 88*x**2 + 96*x + y <= 36", "x >= 0"],
            None,
        ),
    ],
)
def test_constraints_hold_the_minimum(text: str, constraints: list[str], value: float | None) -> None:
    found = solved(text, ["all=-3:4"], subject_to=constraints)
    assert found.status is Status.CONVERGED
    lower, upper = found.globally.lower, found.globally.upper
    assert upper - lower <= 1.1e-6 * max(1.0, abs(upper))
    if value is not None:
        assert lower <= value <= upper + 1e-7
    local = api.minimize(text, dict(found.point), bounds=["all=-3:4"], subject_to=constraints)
    assert local.value >= lower - 1e-12


BULKHEAD = next(
    p
    for p in json.loads(
        (Path(__file__).parent.parent / "data" / "constrained.json").read_text(encoding="utf-8")
    )
    if p["name"] == "corrugated_bulkhead"
)


@pytest.mark.parametrize(
    ("text", "bounds", "constraints", "least"),
    [
        ("x + y", ["all=-3:4"], ["x**2 + y**2 <= 1"], -(2**0.5)),
        (
            BULKHEAD["expr"],
            [f"{name}={low}:{high}" for name, (low, high) in BULKHEAD["bounds"].items()],
            BULKHEAD["constraints"],
            BULKHEAD["fmin"],
        ),
    ],
)
def test_inequalities_hold_for_certain_at_the_point(
    text: str, bounds: list[str], constraints: list[str], least: float
) -> None:
    found = solved(text, bounds, subject_to=constraints, max_evaluations=5000)
    assert not any("broken" in warning for warning in found.warnings)
    assert found.globally.lower <= least <= found.globally.upper <= least + 1e-8 * abs(least)


def test_a_steep_constraint_is_held_as_typed() -> None:
    # Broken by 1e-8 it would let the value fall by 3e-4.
    found = solved("-x", ["x=0:5"], subject_to=["1e-5*x**3 <= 1e-5"], max_evaluations=5000)
    assert found.status is Status.CONVERGED
    assert found.globally.lower <= -1.0 <= found.globally.upper
    assert Fraction("1e-5") * Fraction(found.point["x"]) ** 3 <= Fraction("1e-5")


def test_where_no_point_holds_for_certain_that_is_told() -> None:
    found = solved("x + y", ["all=-2:2"], subject_to=["x + pi*y <= 1", "x + pi*y >= 1"])
    assert found.status is Status.CONVERGED
    assert any("no point was found at which all hold for certain" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("text", "constraints", "least"),
    [
        ("x + y", ["x**2 + y**2 == 3"], -(6**0.5)),
        ("x + 2*y", ["x**2 + y**2 == 3", "x >= y + 0.1"], -(15**0.5)),
        ("-x*y*z", ["x + y + z == 1", "x - 0.1*y == 0", "exp(z) <= 1.5"], None),
        ("x**2 + y**2 + z**2", ["x*y*z == 1", "x == y", "y >= 1/3"], 3.0),
    ],
)
def test_equations_are_not_relaxed(text: str, constraints: list[str], least: float | None) -> None:
    found = solved(text, ["all=-2:2"], subject_to=constraints)
    assert found.status is Status.CONVERGED
    assert not any("broken" in warning for warning in found.warnings)
    if least is not None:
        assert found.globally.lower <= least + 1e-15
        assert found.globally.upper >= least - 1e-15


def test_a_value_is_exact_where_it_is_rational() -> None:
    found = solved(
        "100*sqrt(abs(y - 0.01*x**2)) + 0.01*abs(x + 10)", ["x=-15:-5", "y=-3:3"], max_evaluations=500
    )
    assert found.status is Status.CONVERGED
    assert found.globally.upper == 0.0


def test_no_feasible_point_is_proved() -> None:
    found = solved("x + y", ["all=-2:2"], subject_to=["x**2 + y**2 >= 9"])
    assert found.status is Status.INFEASIBLE
    assert "proved" in found.message
    assert found.globally.boxes == ()


def test_the_page_of_what_is_infeasible_shows_no_point() -> None:
    code, out, _ = gd("minimize", "x+y", "--global", "--bounds", "all=-1:1", "--subject-to", "x**2+y**2>=5")
    assert code == 10
    assert "No point within the bounds fulfils the constraints; that is proved" in " ".join(out.split())
    assert not re.search("^(point|value|kind|violation|constraint|held by) ", out, re.MULTILINE)
    assert re.search("^work +1 box examined$", out, re.MULTILINE)


def test_a_cap_ends_it_with_the_enclosure_so_far() -> None:
    text = "+".join(f"(x{i}-0.3*{i})**2 - 10*cos(2*pi*(x{i}-0.3*{i}))" for i in range(4)) + "+0.1*x0*x1*x2*x3"
    found = solved(text, ["all=-5:5"], max_evaluations=1)
    assert found.status is Status.LIMIT
    assert "--max-evaluations" in found.message
    done = solved(text, ["all=-5:5"])
    assert done.status is Status.CONVERGED
    assert found.globally.lower <= done.globally.lower <= done.globally.upper <= found.globally.upper
    assert found.globally.boxes


def test_an_interrupt_ends_it_with_the_enclosure_so_far() -> None:
    problem = api.make_problem("x*sin(10*x) + y*cos(3*x*y)", bounds=["all=-3:3"])

    def interrupt(examined: int, left: int, lower: float, best: float) -> None:
        if examined > 20:
            raise KeyboardInterrupt

    found, done = solve_globally(problem, tell=interrupt), solve_globally(problem)
    assert found.status is Status.INTERRUPTED
    assert found.status.exit_code == 130
    assert done.globally is not None
    assert found.globally is not None
    assert found.globally.lower <= done.globally.upper
    assert done.globally.lower <= found.globally.upper


@pytest.mark.parametrize(
    "text",
    [
        "(softplus(atan2((y + x), x)))**-1",
        "(max(acosh(y)/gamma(3), sin(x) + y + x)) - ceil(0.5/y)/floor(abs(x))",
    ],
)
def test_local_searches_where_derivatives_are_no_numbers_do_no_harm(text: str) -> None:
    problem = api.make_problem(text, bounds=["x=0:1e8", "y=-2:1e300"])
    found = solve_globally(problem, api.Settings(max_evaluations=100)).globally
    assert found is not None
    assert found.lower <= found.upper


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(UsageError, match="needs bounds on every variable: y has none") as error:
        solved("x + y", ["x=0:1"])
    assert "--bounds all=-10:10" in (error.value.hint or "")
    with pytest.raises(UsageError, match="up to 30 variables, and there are 31"):
        solve_globally(api.make_problem("sum(v**2)", start={"v": [0.5] * 31}, bounds=["v=-1:1"]))
    with pytest.raises(UsageError, match="a function has no interval rules"):
        solve_globally(api.make_problem(lambda x: float(x @ x), start=[1.0], bounds=[(0, 2)]))
    with pytest.raises(DomainError, match="no finite value anywhere within the bounds; that is proved"):
        solve_globally(api.make_problem("log(x)", start={"x": 1}, bounds=["x=-2:-1"]))


def test_vectors_and_parts_are_searched() -> None:
    problem = api.make_problem(
        "sum((v**2 - 1)**2) + p", start={"v": [0.5] * 3}, let=["p=(v[0] - v[1])**2"], bounds=["v=-2:2"]
    )
    found = solve_globally(problem)
    assert found.globally is not None
    assert found.globally.lower <= 0 <= found.globally.upper
    assert len(found.globally.boxes) == 4  # v[0] = v[1]
    assert all(box.proved for box in found.globally.boxes)


@pytest.mark.parametrize(
    ("text", "ends", "count"),
    [
        (CAMEL, "all=-3:3", 6),  # hence its name
        ("(x**2 + y - 11)**2 + (x + y**2 - 7)**2", "all=-5:5", 4),
        (
            "20 + x**2 - 10*cos(2*pi*x) + y**2 - 10*cos(2*pi*y)",
            "all=-5.12:5.12",
            121,
        ),  # Rastrigin: 11 a variable
        ("x*y", "all=-1:1", 2),  # a saddle, and two corners
        ("x**3 - 3*x", "x=-3:3", 2),  # one of them at the bound
        ("cos(x)", "x=-1:1", 2),  # both at bounds
    ],
)
def test_all_local_minima_are_found_and_proved(text: str, ends: str, count: int) -> None:
    found = solve_globally(api.make_problem(text, bounds=[ends]), every=True).globally
    assert found is not None
    assert found.has_all
    assert len(found.minima) == count
    assert all(box.proved for _, box in found.minima)
    values = [value for value, _ in found.minima]
    assert values == sorted(values)
    assert found.lower <= values[0] <= found.upper + 1e-12
    for _, box in found.minima:
        middle = [0.5 * a + 0.5 * b for a, b in zip(box.low, box.high, strict=True)]
        start = dict(zip("xy", middle, strict=False))
        local = api.minimize(text, start, bounds=[ends])
        assert [local.point[name] for name in start] == pytest.approx(middle, abs=1e-6)


def test_all_minima_of_a_maximisation_are_maxima() -> None:
    problem = api.make_problem("sin(x) + sin(2/3*x)", "maximize", bounds=["x=3.1:20.4"])
    found = solve_globally(problem, every=True).globally
    assert found is not None
    assert [value for value, _ in found.minima] == pytest.approx(
        [1.858955, 1.215982, 0.921136, 0.223337], abs=1e-6
    )


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_page_tells_bounds_and_boxes() -> None:
    code, page, errors = gd("minimize", CAMEL, "--global", "--bounds", "all=-3:3")
    assert (code, errors) == (0, "")
    assert "to the global minimum within the bounds; that is proved by intervals" in " ".join(page.split())
    assert "global        minimum in [-1.0316284534" in page
    assert "2 may hold a global minimum, each proved to hold exactly one" in page
    assert page.count(" one ") >= 2


def test_boxes_as_small_as_underflow_are_points() -> None:
    _, told, _ = gd(
        "minimize", "x**2+y**2-10*cos(2*pi*x)-10*cos(2*pi*y)+20", "--global", "--bounds", "all=-5:5"
    )
    assert told.splitlines()[-1].split() == ["1", "one", "0", "0", "0"]


def test_a_box_that_is_cut_to_one_point_is_proved() -> None:
    code, text, _ = gd("minimize", "x**2 + y**2", "--global", "--bounds", "all=-1:2", "--format", "json")
    (box,) = json.loads(text)["global"]["boxes"]
    assert (code, box["proved"]) == (0, True)
    assert box["low"]["x"] <= 0.0 <= box["high"]["x"]


def test_csv_has_the_boxes() -> None:
    words = ("minimize", "sum((v**2 - 1)**2)", "--start", "v=[0,0]", "--global", "--bounds", "v=-2:2")
    for more, value in ((), []), (("--all",), ["value"]):
        code, text, _ = gd(*words, *more, "--format", "csv")
        head, *rows = [line.split(",") for line in text.splitlines()]
        assert (code, head) == (
            0,
            ["box", "proved", *value, "v[0].low", "v[0].high", "v[1].low", "v[1].high"],
        )
        assert [row[:2] for row in rows] == [[str(k), "true"] for k in range(1, 5)]
        assert {float(row[-1]) > 0.0 for row in rows} == {True, False}


def test_json_has_the_enclosure() -> None:
    code, text, _ = gd("maximize", "-abs(x - 1)", "--global", "--bounds", "x=-3:3", "--format", "json")
    record = json.loads(text)
    assert code == 0
    proof = record["global"]
    assert proof["lower"] <= 0 <= proof["upper"]
    assert proof["boxes"][0]["low"]["x"] <= 1 <= proof["boxes"][0]["high"]["x"]
    assert proof["boxes"][0]["proved"] is False
    assert proof["examined"] >= 1
    assert record["reason"] == "global-gap"


@pytest.mark.parametrize(
    "option",
    [
        ("--multi-start", "3"),
        ("--method", "bfgs"),
        ("--lr", "0.1"),
        ("--max-iter", "3"),
    ],
)
def test_options_of_a_path_are_refused(option: tuple[str, str]) -> None:
    code, _, errors = gd("minimize", "x**2", "--global", "--bounds", "x=-1:1", *option)
    assert code == 2
    assert f"--global does not read {option[0]}" in errors


FOUR = "+".join(f"(x{i}-0.3*{i})**2 - 10*cos(2*pi*(x{i}-0.3*{i}))" for i in range(4)) + "+0.1*x0*x1*x2*x3"


def test_a_search_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path: Any) -> None:
    file = str(tmp_path / "search.ck")
    asked = ("minimize", FOUR, "--global", "--bounds", "all=-5:5", "--format", "json")
    code, _, errors = gd(*asked, "--max-evaluations", "200", "--checkpoint", file)
    assert (code, "gd resume" in errors) == (3, True)
    assert "so far        iteration" in gd("show", file)[1]
    code, resumed, _ = gd("resume", file, "--max-evaluations", "100000", "--format", "json")
    assert code == 0
    whole = gd(*asked)[1]
    assert json.loads(resumed)["global"] == json.loads(whole)["global"]


def test_who_listens_ends_a_search_between_two_steps() -> None:
    checkpointer = Checkpointer()

    def ask(examined: int, left: int, lower: float, best: float) -> None:
        if examined > 100:
            assert checkpointer.listening
            checkpointer.asked = StopReason.INTERRUPTED

    problem = api.make_problem(FOUR, bounds=["all=-5:5"])
    found = solve_globally(problem, tell=ask, checkpointer=checkpointer)
    assert found.status is Status.INTERRUPTED
    assert found.globally is not None
    assert found.globally.lower <= -40.0 <= found.globally.upper


@pytest.mark.parametrize("name", ["boxes.svg", "-"])
def test_boxes_of_two_variables_are_drawn(tmp_path: Any, name: str) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotext")
    drawn = str(tmp_path / name) if name != "-" else name
    code, text, errors = gd("minimize", CAMEL, "--global", "--bounds", "all=-3:3", "--plot", drawn)
    assert (code, errors) == (0, "")
    assert "boxes that may hold a minimum" in (text if name == "-" else (tmp_path / name).read_text())
    code, _, errors = gd(
        "minimize", "x**2", "--global", "--bounds", "x=-1:1", "--plot", str(tmp_path / "x.svg")
    )
    assert (code, "draws boxes of two variables, and there is 1" in errors) == (2, True)


def test_a_stored_answer_shows_the_same_page(tmp_path: Any) -> None:
    asked = ("minimize", CAMEL, "--global", "--bounds", "all=-3:3")
    _, page, _ = gd(*asked)
    stored = tmp_path / "answer.json"
    stored.write_text(gd(*asked, "--format", "json")[1])
    assert gd("show", str(stored))[1] == page


def test_all_minima_have_a_table() -> None:
    code, page, _ = gd("minimize", CAMEL, "--global", "--all", "--bounds", "all=-3:3")
    assert code == 0
    assert "6 local minima proved; there are no other minima within the bounds" in page
    code, text, _ = gd("minimize", CAMEL, "--global", "--all", "--bounds", "all=-3:3", "--format", "json")
    assert [one["proved"] for one in json.loads(text)["global"]["minima"]] == [True] * 6
    code, _, errors = gd("minimize", CAMEL, "--all")
    assert (code, "--all belongs to --global" in errors) == (2, True)
    limits = ("--bounds", "all=-1:1", "--subject-to", "x*y <= 1")
    code, _, errors = gd("minimize", "x + y", "--global", "--all", *limits)
    assert (code, "--all is for problems without constraints" in errors) == (2, True)


def test_problem_files_have_it(tmp_path: Any) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        '[p]\nexpression = "x**4 - 3*x"\nbounds = "x=-2:2"\nglobal = true\nexpect = {value = -2.0442606669}\n'
    )
    code, text, _ = gd("run", str(file), "--format", "json")
    assert code == 0, text
    assert '"global"' in text


def test_many_starts_say_what_they_do_not_prove() -> None:
    _, page, _ = gd("minimize", CAMEL, "--multi-start", "5", "--bounds", "all=-3:3")
    assert "other minima are not excluded: that takes --global" in " ".join(page.split())


def test_bounds_for_all_go_before_and_after_others() -> None:
    _, text, _ = gd("minimize", "x + y", "--bounds", "all=0:9,x=1:2", "--format", "json")
    assert json.loads(text)["problem"]["bounds"] == {"x": [1, 2], "y": [0, 9]}
    _, text, _ = gd("minimize", "x + all", "--bounds", "all=0:9", "--start", "1,1", "--format", "json")
    assert json.loads(text)["problem"]["bounds"] == {"all": [0, 9]}


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_where_no_point_is_known_nothing_is_told_of_one(sense: str, tmp_path: Path) -> None:
    asked = (sense, "x+y", "--global", "--start", "0.25,0.5", "--bounds", "all=0:1", "--subject-to")
    code, text, _ = gd(*asked, "x+y >= 3", "--format", "json")
    record = json.loads(text)
    assert (code, record["status"]) == (10, "infeasible")
    assert record["point"] == {"x": None, "y": None}
    assert (record["value"], record["gradient_norm"], record.get("violation")) == (None, None, None)
    assert gd(*asked, "x+y >= 3", "--print", "x,value,violation,status")[1] == "nan\tnan\t\tinfeasible\n"
    stored = tmp_path / "none.json"
    stored.write_text(text)
    assert gd("show", str(stored))[1] == gd(*asked, "x+y >= 3")[1]
    code, page, _ = gd("verify", str(stored))
    assert (code, page.split()[:3]) == (0, ["verified", "No", "point"])
    _, page, _ = gd(*asked, "sin(40*x)*cos(37*y) >= 0.9999999999", "--max-evaluations", "1")
    assert "no point was found yet at which all constraints hold" in " ".join(page.split())
    assert not re.search(r"^(point|value|violation|held by) ", page, re.M)
