"""`gd compare-batch`: its formats, its picture, its ends."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from keep import kept
from processes import command, environment
from visits import regression

from gdcli.cli.app import run
from gdcli.record.compared import batches_record
from gdcli.render import comparison_pages
from gdcli.render.comparison_figures import Course, batch_losses
from gdcli.tasks.batch_sizes import compare_batches
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import FitRequest, FitSettings

LINE = str(Path("docs") / "line.csv")
ROOT = Path(__file__).parent.parent.parent
MODEL = "y ~ a*x + b"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named from the top of the project, as in its documentation."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_kept_answers(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-batch", MODEL, LINE, "--epochs", "4", "--format", form]) == 0
    out = capsys.readouterr().out
    assert form not in ("table", "plain") or max(map(len, out.splitlines())) <= 80
    assert form != "plain" or out.isascii()
    kept(f"compare_batch.{form}", out)


def test_kept_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-batch", "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    kept("help_compare-batch.txt", out)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["compare-batch", *words, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_size_alone_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, MODEL, LINE, "--batch-size", "1,32,all,1", "--epochs", "3", "--seed", "5")
    assert [one["batch_size"] for one in found["batches"]] == [1, 32, "all"]
    for one in found["batches"]:
        words = ["fit", MODEL, LINE, "--batch-size", str(one["batch_size"]), "--epochs", "3", "--seed", "5"]
        assert run([*words, "--format", "json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert alone["point"] == one["point"]
        assert alone["value"] == one["value"]
        assert one["row_visits"] == 600
        assert len(one["course"]) == 4
        assert alone["noise"]["gap"] == one["gap"]


def test_no_batch_has_more_rows_than_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, MODEL, LINE, "--batch-size", "500,200,all,1000", "--epochs", "2")
    assert [one["batch_size"] for one in found["batches"]] == [200, "all"]
    found = told(capsys, MODEL, LINE, "--batch-size", "500", "--epochs", "2", "--validate", "0.25")
    assert [one["batch_size"] for one in found["batches"]] == [150]


def test_one_that_diverges_is_told_and_does_not_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-batch", MODEL, LINE, "--lr", "1.2", "--epochs", "50"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "diverged 1: The loss left the finite numbers" in out
    assert "steps are stable below" in out


def test_maximize_turns_the_signs(capsys: pytest.CaptureFixture[str]) -> None:
    down = told(capsys, MODEL, LINE, "--epochs", "2", "--batch-size", "32")
    more = ["--maximize", "--start", "a=0,b=0", "--epochs", "2", "--batch-size", "32"]
    up = told(capsys, "-(y - a*x - b)**2", LINE, *more)
    assert up["batches"][0]["mean_loss"] == pytest.approx(-down["batches"][0]["mean_loss"], rel=1e-12)
    assert up["lowest"] == pytest.approx(-down["lowest"], rel=1e-9)
    assert up["batches"][0]["gap"] == pytest.approx(down["batches"][0]["gap"], rel=1e-9)


def test_rows_held_back_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-batch", MODEL, LINE, "--epochs", "2", "--validate", "0.25"]) == 0
    assert "200 rows, 50 of them held back" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch-size", "1,0"], "a whole number of rows or all"),
        (["--method", "newton"], "newton"),
        (["--polish"], "--polish"),
        (["--lr", "-1"], "--lr"),
    ],
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare-batch", MODEL, LINE, *words]) == 2
    assert said in capsys.readouterr().err


def test_an_interrupt_still_prints_what_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gdcli.objective.row_passes import RowPasses

    epoch = RowPasses.epoch

    def stopping(self: RowPasses, number: int, rate: float, told: Any, done: int = 0) -> None:
        if self.batch == 32:
            raise KeyboardInterrupt
        epoch(self, number, rate, told, done)

    monkeypatch.setattr(RowPasses, "epoch", stopping)
    assert run(["compare-batch", MODEL, LINE, "--epochs", "2"]) == 130
    out = capsys.readouterr().out
    assert "interrupted" in out
    assert "all" not in out.partition("course")[2].partition("best")[0]


def test_the_picture_has_a_curve_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = regression(500, 1)
    with prepared(FitRequest("y ~ a*x0 + b", data=columns)) as ready:
        compared = compare_batches(ready, FitSettings(epochs=3), [1, None])
        chart = comparison_pages.batches_picture(batches_record(ready.problem, ready.row.space, compared))
    lines = chart.panels[0].series
    assert [line.label for line in lines] == ["batch size 1", "batch size all"]
    assert list(lines[0].xs) == [0, 500, 1000, 1500]
    assert chart.panels[0].ylog
    assert all(y > 0 for line in lines for y in line.ys)
    plain = batch_losses("t", [Course("1", False, [(0, -2.0), (5, -1.0)])], -1, None)
    assert list(plain.panels[0].series[0].ys) == [-2.0, -1.0]
    pytest.importorskip("matplotlib")
    path = tmp_path / "batches.svg"
    assert run(["compare-batch", MODEL, LINE, "--epochs", "2", "--plot", str(path)]) == 0
    assert path.read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_the_engine_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    def engines(*words: str) -> list[str]:
        found = told(capsys, MODEL, LINE, "--epochs", "2", "--timing", "--no-cache", *words)
        return [one["engine"] for one in found["batches"]]

    assert engines("--engine", "python", "--batch-size", "1,5") == ["python", "python"]
    assert engines("--engine", "numpy") == ["numpy"] * 3
    assert run(["compare-batch", MODEL, LINE, "--engine", "python"]) == 2
    assert "'all' is among the batch sizes" in capsys.readouterr().err
    assert run(["compare-batch", MODEL, LINE, "--engine", "nativ"]) == 2
    pytest.importorskip("llvmlite")
    assert engines("--engine", "native") == ["native"] * 3


def test_engines_with_the_same_steps_have_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    words = (MODEL, LINE, "--epochs", "3", "--batch-size", "1", "--engine")
    python = told(capsys, *words, "python")
    pytest.importorskip("llvmlite")
    assert told(capsys, *words, "native")["batches"] == python["batches"]


def test_standard_input_may_be_closed(tmp_path: Path) -> None:
    file = tmp_path / "line.csv"
    file.write_text("x,y\n0,1\n1,3\n2,5\n3,7\n")
    gd = shlex.join(command("compare-batch", "y ~ a*x + b", str(file), "--epochs", "1"))
    done = subprocess.run(
        ["sh", "-c", f"{gd} <&-"], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
