"""What the residuals say against a fit: three of Anscombe's sets, good fits, and data made wrong on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.tasks.fit.diagnostics import neighbours

X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
# F. J. Anscombe, Graphs in Statistical Analysis, The American Statistician 27, 1973: four sets with the same line.
ANSCOMBE: dict[str, tuple[list[float], list[float], str]] = {
    "line": (X, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68], ""),
    "curve": (
        X,
        [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74],
        "neighbours over x are alike",
    ),
    "one row": (
        [8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8],
        [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89],
        "row 8 alone decides where the answer lies",
    ),
    "outlier": (
        X,
        [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73],
        "row 3 far from what is fitted;",
    ),
}


def warned(model: str, data: Any, start: Any = None, **options: Any) -> tuple[str, ...]:
    return api.fit(model, data, start, **options).warnings


@pytest.mark.parametrize("name", ANSCOMBE)
def test_anscombe(name: str) -> None:
    x, y, told = ANSCOMBE[name]
    found = warned("y ~ a + b*x", {"x": x, "y": y})
    assert len(found) == bool(told)
    assert all(
        one.startswith(f"residuals: {told}") and one.endswith("; --diagnostics tells more") for one in found
    )


@pytest.mark.parametrize("rows", [8, 30, 2000])
def test_good_fits_are_not_doubted(rows: int) -> None:
    rng = np.random.default_rng(rows)
    x = np.linspace(0.0, 3.0, rows)
    for _ in range(3):
        y = 2.0 * np.exp(-x) + 0.5 + 0.05 * rng.normal(size=rows)
        assert warned("y ~ a*exp(-b*x) + c", {"x": x, "y": y}, {"a": 2.0, "b": 1.0, "c": 0.5}) == ()


def test_what_is_wrong_with_many_rows_is_told() -> None:
    rng = np.random.default_rng(11)
    x = np.tile(np.linspace(0.0, 1.0, 500), 4)
    noise = rng.normal(size=2000)
    curve = warned("y ~ a + b*x", {"x": x, "y": x**2 + 0.1 * noise})
    assert [one.partition(" (")[0] for one in curve] == ["residuals: neighbours over x are alike"]
    # Five places, with a bend that neighbours one row after the other do not show.
    places = np.tile(np.arange(5.0), 8)
    few = warned(
        "y ~ a + b*x", {"x": places[:10], "y": np.tile([1.0, 0.0, 0.0, 0.0, 1.0], 2) + 0.01 * noise[:10]}
    )
    assert few
    skew = warned("y ~ a + b*x", {"x": x, "y": x + np.exp(0.5 * noise)})
    assert len(skew) == 1
    assert "not normal" in skew[0] or "far from what is fitted" in skew[0]


def test_a_drift_in_the_order_of_the_rows_is_told() -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(size=60)
    y = 1.0 + 2.0 * x + np.cumsum(0.1 * rng.normal(size=60))
    assert "neighbours as the rows stand are alike" in warned("y ~ a + b*x", {"x": x, "y": y})[0]


def test_neighbours_of_noise_are_alike_by_chance_alone() -> None:
    rng = np.random.default_rng(6)
    X = np.vander(np.linspace(0.0, 1.0, 15), 3)
    basis, _ = np.linalg.qr(X)
    found = []
    for _ in range(400):
        y = rng.normal(size=15)
        found.append(neighbours(y - basis @ (basis.T @ y), basis))
    assert 0.3 < np.mean(np.array(found) < 0.5) < 0.7
    assert np.mean(np.array(found) < 0.01) < 0.03


@pytest.mark.parametrize(
    "options",
    [{"loss": "huber"}, {"l2": 0.1}, {"sigma_x": "x=0.1"}, {"partitions": 2}, {"epochs": 3, "batch_size": 4}],
)
def test_other_fits_have_no_such_words(options: dict[str, Any], tmp_path: Path) -> None:
    x, y, _ = ANSCOMBE["curve"]
    file = tmp_path / "rows.csv"
    file.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))
    found = warned("y ~ a + b*x", str(file), {"a": 3.0, "b": 0.5}, **options)
    assert not any("alike" in one for one in found)


def test_the_page_has_a_warning_of_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y, _ = ANSCOMBE["outlier"]
    file = tmp_path / "rows.csv"
    file.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))
    assert run(["fit", "y ~ a + b*x", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "rows.csv:4farfromwhatisfitted" in "".join((out + err).partition("residuals: ")[2].split())


def test_models_compared_are_doubted_as_each_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    y = (2.31, 1.29, 0.80, 0.55, 0.42, 0.36, 0.34, 0.31)
    Path("rows.csv").write_text("t,y\n" + "".join(f"{t},{v}\n" for t, v in enumerate(y)))
    models = [word for text in ("y ~ a + b*t", "y ~ a*exp(-k*t) + c") for word in ("--model", text)]
    assert run(["compare-models", "rows.csv", *models]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "see warning" in page
    assert "warning model 1: residuals: rows.csv:2 far from what is fitted" in page
    assert "model 2: residuals" not in page
