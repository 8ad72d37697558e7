"""Data as people have them: every route of a fit has the answer of the plain file with the same numbers, its bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import GdError

ROWS = [(k, 3.0 + 0.5 * k + (7 * k % 5) / 10, "abc"[k % 3], 1.0 / (k + 1)) for k in range(30)]
MODEL = "y ~ a + b*t"


def _written(path: Path, rows: list[tuple[Any, ...]], titles: str) -> str:
    path.write_text(titles + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The data with rows that are not wanted, and the plain file: only rows that are, with all columns."""
    whole = _written(tmp_path / "whole.csv", [row[:3] for row in ROWS] + [(99, "NA", "z")], "t,y,group")
    kept = [(t, y, g, w, 0.05 * y) for t, y, g, w in ROWS if g != "b" and t > 2]
    return whole, _written(tmp_path / "plain.csv", kept, "t,y,group,w,s")


ASKED: dict[str, Any] = {"rows": ("group != 'b' and t > 2", "t < 99")}


@pytest.mark.parametrize(
    "settings", [{}, {"batch_size": 4, "epochs": 3, "lr": 1e-4}], ids=["whole", "epochs"]
)
@pytest.mark.parametrize("option", [{"weights": ("1/(t+1)", "w")}, {"sigma": ("0.05*y", "s")}, {}])
def test_a_fit_has_the_bits_of_the_plain_file(
    files: tuple[str, str], option: dict[str, tuple[str, str]], settings: dict[str, Any]
) -> None:
    whole, plain = files
    start = {"a": 1.0, "b": 1.0}
    asked = {name: pair[0] for name, pair in option.items()}
    wanted = api.fit(MODEL, plain, start, **{name: pair[1] for name, pair in option.items()}, **settings)
    found = api.fit(MODEL, whole, start, **asked, **ASKED, **settings)
    columns = {name: [row[k] for row in ROWS] for k, name in enumerate(("t", "y", "group"))}
    at_hand = api.fit(MODEL, columns, start, **asked, **ASKED, **settings)
    assert found.point == at_hand.point == wanted.point
    assert found.statistics == at_hand.statistics == wanted.statistics


def test_groups_have_the_bits_of_the_plain_file(files: tuple[str, str]) -> None:
    whole, plain = files
    wanted = list(api.fit_groups(MODEL, plain, "group", weights="w"))
    found = list(api.fit_groups(MODEL, whole, "group", weights="1/(t+1)", **ASKED))
    columns = {name: [row[k] for row in ROWS] for k, name in enumerate(("t", "y", "group"))}
    at_hand = list(api.fit_groups(MODEL, columns, "group", weights="1/(t+1)", **ASKED))
    assert [(fit.group, fit.rows.used) for fit in found] == [(fit.group, fit.rows.used) for fit in wanted]
    for fits in zip(found, at_hand, wanted, strict=True):
        points = {
            str(fit.solved.outcome(fit.at, fit.rows).point if fit.solved else fit.alone) for fit in fits
        }
        assert len(points) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sigma": "s0*y"}, "no column s0"),
        ({"sigma": "t"}, "t = 0"),
        ({"weights": "1/t"}, "1/t is not finite, with t = 0"),
        ({"weights": "1/t +"}, "something is missing after +"),
        ({"weights": "t - 5"}, "t - 5 = -5"),
        ({"sigma": 0.0}, "0.0 = 0"),
        ({"weights": "0*t"}, "the weights (0*t) are 0 in all rows"),
    ],
)
def test_what_is_wrong_with_weights_is_told(files: tuple[str, str], asked: Any, message: str) -> None:
    with pytest.raises(GdError) as caught:
        api.fit(MODEL, files[0], rows=("1:30",), **asked)
    assert message in caught.value.message


CATEGORIES = "y ~ a + C(group) + exp(b*t/30)*(1 + C(group, slope))"
BY_HAND = "y ~ a + group_b*is_b + group_c*is_c + exp(b*t/30)*(1 + (slope_b*is_b + slope_c*is_c))"


@pytest.mark.parametrize(
    "settings", [{}, {"batch_size": 4, "epochs": 3, "lr": 1e-3}], ids=["whole", "epochs"]
)
def test_categories_have_the_bits_of_indicators_by_hand(tmp_path: Path, settings: dict[str, Any]) -> None:
    whole = _written(tmp_path / "whole.csv", [row[:3] for row in ROWS], "t,y,group")
    rows = [(t, y, float(g == "b"), float(g == "c")) for t, y, g, _ in ROWS]
    plain = _written(tmp_path / "plain.csv", rows, "t,y,is_b,is_c")
    columns = {name: [row[k] for row in ROWS] for k, name in enumerate(("t", "y", "group"))}
    start = {"a": 1.0, "b": 1.0}
    differences = dict.fromkeys(("group_b", "group_c", "slope_b", "slope_c"), 0.0)
    bounds = {"group_b": (-1.0, 0.25)}
    wanted = api.fit(BY_HAND, plain, start | differences, bounds=bounds, **settings)
    for data in (whole, columns):
        found = api.fit(CATEGORIES, data, start, bounds=bounds, **settings)
        assert list(found.point) == list(wanted.point)
        assert found.point == wanted.point
        assert found.statistics == wanted.statistics
    levels = found.problem.categories["C(group)"]
    assert (levels.base, dict(levels.parameters)) == ("a", {"group_b": "b", "group_c": "c"})


def test_levels_are_sorted_and_the_base_may_be_chosen(tmp_path: Path) -> None:
    data = {"y": [1.0, 2.0, 4.0, 8.0], "dose": [10, 2, 2.5, 10], "who": ["low dose", "z-1", "z 1", "z 1"]}
    found = api.fit("y ~ m + C(dose)", data)
    assert found.point == pytest.approx({"m": 2.0, "dose_2_5": 2.0, "dose_10": 2.5})
    found = api.fit('y ~ m + C(dose, "10")', data)
    assert found.point == pytest.approx({"m": 4.5, "dose_2": -2.5, "dose_2_5": -0.5})
    assert list(api.fit("y ~ who_z_1 + C(who)", data).point) == ["who_z_1", "who_z_1_1", "who_z_1_2"]


@pytest.mark.parametrize(
    ("model", "asked", "message"),
    [
        ("y ~ a + C(grup)", {}, "no column grup"),
        ("y ~ a + C(group) + b*C(group)", {}, "would be called group_"),
        ("y ~ a + b*C(group)", {}, "own, from which b cannot be told"),
        ('y ~ a + C(group, "q")', {}, "no row has group = q"),
        ("y ~ a + C(group)", {"rows": "group == 'a'"}, "has one level, a"),
        ("y ~ a + C(2*t)", {}, "an operator is missing"),
        ("y ~ a + C(group) +", {}, "something is missing after +"),
        ("C(group) ~ a + b*t", {}, "what is measured is a number"),
    ],
)
def test_what_is_wrong_with_categories_is_told(
    files: tuple[str, str], model: str, asked: Any, message: str
) -> None:
    with pytest.raises(GdError) as caught:
        api.fit(model, files[0], **{"rows": "1:30"} | asked)
    assert message in caught.value.message
    if caught.value.span is not None:
        assert caught.value.span.text == model


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("log(y) ~ a + b*t", "leave such rows out, as in --rows 'y > 0'"),
        ("y ~ a + b*log(t-1)", "leave such rows out, as in --rows 't > 1'"),
        ("y ~ a + log(b)*t", "start inside the domain"),
        ("y ~ a + b/t - log(b*y)", "start inside the domain"),
    ],
)
def test_a_row_that_no_parameter_helps_is_to_be_left_out(model: str, hint: str) -> None:
    with pytest.raises(GdError, match="no finite value at the start") as caught:
        api.fit(model, {"t": [1.0, 2.0, 3.0], "y": [0.0, 3.0, 4.0]}, start={"a": 0.0, "b": 0.0})
    assert hint in caught.value.hint
