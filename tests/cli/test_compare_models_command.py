"""`gd compare-models`: its page, its formats, its picture, its errors, and how it is repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from keep import kept

from gdcli.cli.app import run
from gdcli.record.model_records import ModelsRecord
from gdcli.render import models_page

DECAY = str(Path("docs") / "decay.csv")
ROOT = Path(__file__).parent.parent.parent
MODELS = ["--model", "y ~ a + b*t", "--model", "y ~ a*exp(-b*t)", "--model", "y ~ a*exp(-b*t) + c"]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("form", ["table", "csv"])
def test_kept_answers(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-models", DECAY, *MODELS, "--format", form]) == 0
    out = capsys.readouterr().out
    assert form == "csv" or max(map(len, out.splitlines())) <= 80
    kept(f"compare_models.{form}", out)


def stored(path: Path, *words: str) -> ModelsRecord:
    assert run(["compare-models", DECAY, *words, "--output", str(path)]) == 0
    return ModelsRecord.from_json(json.loads(path.read_text()))


def test_a_stored_comparison_is_shown_and_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.json"
    found = stored(path, *MODELS, "--seed", "3", "--bounds", "c=0:1")
    assert found.best == 3
    capsys.readouterr()
    assert run(["rerun", str(path)]) == 0
    assert "same" in capsys.readouterr().out
    assert run(["show", str(path)]) == 0
    assert "model 3: very strong evidence" in capsys.readouterr().out
    changed = json.loads(path.read_text())
    changed["models"][0]["point"]["a"] += 0.1
    path.write_text(json.dumps(changed))
    assert run(["rerun", str(path)]) == 9
    assert "a of model 1" in capsys.readouterr().out


def test_the_picture_has_all_curves_over_one_column_and_points_of_each_over_several(tmp_path: Path) -> None:
    found = stored(tmp_path / "c.json", *MODELS)
    (panel,) = models_page.picture(found).panels
    assert panel.xlabel == "t"
    labels = [line.label for line in panel.series]
    assert labels == ["40 rows", "1: a + b*t", "2: a*exp(-b*t)", "3: a*exp(-b*t) + c"]
    (panel,) = models_page.picture(stored(tmp_path / "d.json", "--model", "y ~ a", *MODELS[:2])).panels
    assert panel.xlabel == "t"
    assert len(set(panel.series[1].ys)) == 1
    other = ["--model", "y ~ a*t + b*t*exp(y)", *MODELS[:2]]
    (panel,) = models_page.picture(stored(tmp_path / "e.json", *other)).panels
    assert panel.xlabel == "fitted"
    assert [line.label for line in panel.series][-1] == "measured = fitted"


def test_models_that_the_data_do_not_tell_apart_are_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    more = [*MODELS[4:], "--model", "y ~ a*exp(-b*t) + c + d*t"]
    assert run(["compare-models", DECAY, *more]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "model 1: weak evidence" in out or "undecided between models 1 and 2" in out
    assert "1 is within 2: F(1, 36)" in out
    assert "is not needed" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "y ~ a"], "takes two models or more, each after --model"),
        ([*MODELS, "--nested", "1-2"], "--nested takes two numbers of models, not 1-2"),
        ([*MODELS, "--nested", "1:4"], "--nested 1:4 names no two of the 3 models"),
        (["--model", "y ~ a", "--model", "-"], "cannot come from standard input"),
        (["--model", "y ~ a", "--model", "y ~ b*z(t)"], "z"),
        ([*MODELS, "--start", "q=1"], "--start has q, which is in none of the models"),
        ([*MODELS, "--folds", "1"], "--folds takes 2 or more"),
    ],
)
def test_errors(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-models", DECAY, *words]) == 2
    assert told in capsys.readouterr().err
