"""What a stopped run says of how to go on, and what `gd show` says of the file that it is kept in."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.status import StopReason
from gdcli.record.checkpoint_file import Checkpoint
from gdcli.solve.checkpointing import Checkpointer
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import request_from
from gdcli.tasks.fit.solve_fit import solve
from gdcli.tasks.multi_start import solve_from_many

BANANA = "100*(y-x**2)**2 + (1-x)**2"
SLOW = ["minimize", BANANA, "--start", "x=-1.2,y=1", "--lr", "1e-4", "--max-iter", "40"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.csv").write_text("t,y\n" + "".join(f"{t},{2 * t + 1 + t % 3}\n" for t in range(30)))
    return tmp_path


class Asked(Checkpointer):
    """A checkpointer that is asked to end the run at its first step."""

    def __call__(self, progress: object) -> bool:
        self.asked = StopReason.INTERRUPTED
        return True


def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person at the keyboard presses Ctrl-C as soon as a run listens."""

    def begin(self: Checkpointer, snapshot: object) -> None:
        before(self, snapshot)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGINT)

    before = Checkpointer.begin
    monkeypatch.setattr(Checkpointer, "begin", begin)


# -- advice ----------------------------------------------------------------------------------------------------------


def test_an_interrupted_run_that_was_not_kept_says_how_one_is_kept() -> None:
    found = api.solve(api.read_problem(BANANA, "minimize", ["x=1,y=2"], []), checkpointer=Asked())
    assert found.status.value == "interrupted"
    assert found.advice == "--checkpoint FILE keeps a run, and 'gd resume FILE' goes on with it"
    data = {"t": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 7.0]}
    request, settings = request_from("y ~ a*t", data, {"a": 1}, {"epochs": 9, "batch_size": 1})
    with prepared(request) as ready:
        epochs = solve(ready, settings, checkpointer=Asked())
    assert (epochs.status.value, epochs.advice) == ("interrupted", found.advice)
    many = solve_from_many(
        api.read_problem("x**4-x**2", "minimize", ["x=1"], []), starts=3, checkpointer=Asked()
    )
    assert (many.status.value, many.advice) == ("interrupted", found.advice)


def test_ctrl_c_names_the_file_that_the_run_is_kept_in(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch)
    assert run(SLOW) == 130
    out = capsys.readouterr().out
    assert "interrupted   this is the best point so far" in out
    assert "try next      --checkpoint FILE keeps a run, and 'gd resume FILE' goes" in out
    assert run([*SLOW, "--checkpoint", "run.ck"]) == 130
    told = capsys.readouterr()
    assert "try next      'gd resume run.ck' goes on with this run\n" in told.out
    assert told.err == ""
    assert run([*SLOW, "--checkpoint", "b.ck", "--format", "json"]) == 130
    assert capsys.readouterr().err == "'gd resume b.ck' goes on with this run\n"


def test_a_cap_says_so_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SLOW, "--checkpoint", "a run.ck"]) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "; \"gd resume 'a run.ck'\" goes on with this run" in out
    assert run(["resume", "a run.ck", "--max-iter", "50"]) == 3


def test_of_many_starts_the_checkpoint_is_not_finished(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["minimize", BANANA, "--start", "x=-1.2,y=1", "--multi-start", "4", "--checkpoint", "many.ck"]
    with monkeypatch.context() as patched:
        interrupted(patched)
        assert run(words) == 130
    assert "'gd resume many.ck' goes on" in capsys.readouterr().out
    assert run(words) == 2  # it is not to be written over
    assert run(["resume", "many.ck"]) == 0
    assert "from 4 starts" in capsys.readouterr().out


# -- gd show ---------------------------------------------------------------------------------------------------------


def test_a_kept_run_is_shown_for_what_it_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([*SLOW, "--checkpoint", "run.ck"])
    value = re.search(r"^value +(\S+)", capsys.readouterr().out, re.M)
    assert value is not None
    assert run(["show", "run.ck"]) == 0
    out = capsys.readouterr().out
    assert "kept run      run.ck, of gd minimize\n" in out
    assert f"minimize      {BANANA}\n" in out
    assert "start         y = 1, x = -1.2\n" in out
    assert "options       --lr 1e-4 --max-iter 40\n" in out
    assert re.search(r"^so far        iteration 40, after ", out, re.M)
    assert f"best value    {value[1]}"[:24] in out
    assert "go on         gd resume run.ck\n" in out


def test_of_a_maximum_the_sign_is_that_of_the_user(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(
        ["maximize", "3-(x-1)**4", "--start", "x=0", "--lr", "0.1", "--max-iter", "3", "--checkpoint", "m.ck"]
    )
    capsys.readouterr()
    assert run(["show", "m.ck"]) == 0
    found = re.search(r"^best value    (\S+)$", capsys.readouterr().out, re.M)
    assert found is not None
    assert 2.0 < float(found[1]) < 3.0


@pytest.mark.parametrize("more", [[], ["--epochs", "2", "--batch-size", "3"]])
def test_a_kept_fit(more: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "y ~ a*t + b", "line.csv", *more]
    assert run([*words, "--checkpoint", "fit.ck"]) == 0
    capsys.readouterr()
    assert run(["show", "fit.ck"]) == 0
    out = capsys.readouterr().out
    assert "kept run      fit.ck, of gd fit; it has ended\n" in out
    assert "data          line.csv\n" in out
    assert "gd resume fit.ck shows its answer again\n" in out
    assert ("mean loss" in out) == bool(more)


def test_a_run_that_has_not_begun(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "give_up", lambda self: None)  # as where the process was killed
    assert run(["fit", "y ~ a*t", "no.csv", "--checkpoint", "x.ck"]) == 8
    capsys.readouterr()
    assert run(["show", "x.ck"]) == 0
    assert "so far        nothing" in capsys.readouterr().out


def test_what_only_answers_have_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([*SLOW, "--checkpoint", "run.ck"])
    capsys.readouterr()
    assert run(["show", "run.ck", "--plot", "-"]) == 2
    assert "--plot has nothing to draw: a kept run has no answer yet" in capsys.readouterr().err
    (place / "torn.ck").write_bytes((place / "run.ck").read_bytes()[:-40])
    assert run(["show", "torn.ck"]) == 8
    assert "torn" in capsys.readouterr().err
    assert run(["rerun", "run.ck"]) == 8
    assert "gd show" in capsys.readouterr().err


# -- gd rerun and gd diff -------------------------------------------------------------------------------------------


def test_data_are_found_beside_the_answer(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["fit", "y ~ a*t", "line.csv", "--format", "json", "--output", "fit.json"]) == 0
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert run(["rerun", "../fit.json"]) == 0
    assert capsys.readouterr().out.startswith("same ")
    assert run(["show", "../fit.json", "--plot", "-"]) == 0
    Path("line.csv").write_text("t,y\n1,2\n2,5\n3,5\n")  # what is here comes first
    capsys.readouterr()
    assert run(["rerun", "../fit.json"]) == 9
    assert "line.csv has changed" in capsys.readouterr().out
    Path("line.csv").unlink()
    (place / "line.csv").unlink()
    assert run(["rerun", "../fit.json"]) == 8
    assert "the data line.csv are not there any more, nor in .." in capsys.readouterr().err


def answers(
    place: Path, *more: str, names: tuple[str, str] = ("a.json", "b.json"), form: str = "json"
) -> None:
    for name, lr in zip(names, ("1e-3", "2e-3"), strict=True):
        words = ["minimize", "x**2 + sum(v**4)", "--start", "x=1,v=[1,2]", "--max-iter", "5", *more]
        run([*words, "--lr", lr, "--format", form, "--output", name])


def cells(out: str, name: str) -> list[str]:
    (row,) = (line for line in out.splitlines() if line.startswith(f"{name}  "))
    return re.split(r"\s{2,}", row.strip())[1:]


def test_two_answers_in_a_table(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers(place)
    capsys.readouterr()
    assert run(["diff", "a.json", "b.json"]) == 9
    out = capsys.readouterr().out
    heads = [re.split(r"\s{2,}", line) for line in out.splitlines() if "a.json" in line]
    assert heads == [["asked", "a.json", "b.json"], ["answer", "a.json", "b.json", "difference", "ratio"]]
    assert cells(out, "--lr") == ["1e-3", "2e-3"]
    one, other, difference, ratio = (float(cell) for cell in cells(out, "x"))
    assert difference == pytest.approx(other - one, rel=1e-2)
    assert ratio == pytest.approx(other / one, rel=1e-3)
    assert [line.split()[0] for line in out.splitlines() if line][-3:] == ["x", "v[0]", "v[1]"]
    assert not re.search(r"[{}']", out)
    assert max(map(len, out.splitlines())) <= 80


def test_paths_that_part(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers(place, form="jsonl")
    capsys.readouterr()
    assert run(["diff", "a.json", "b.json"]) == 9
    out = capsys.readouterr().out
    (head,) = (line for line in out.splitlines() if line.startswith("iteration 1 "))
    assert head.split()[2:] == ["a.json", "b.json", "difference", "ratio"]
    assert cells(out[out.index(head) :].partition("\n\n")[0], "x")[:2] == ["0.998", "0.996"]


def test_a_long_vector_is_told_in_few_rows(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, lr in (("a.json", "1e-3"), ("b.json", "2e-3")):
        words = ["minimize", "sum(v**4)", "--start", "v=ones(99)", "--max-iter", "5", "--lr", lr]
        run([*words, "--format", "json", "--output", name])
    capsys.readouterr()
    assert run(["diff", "a.json", "b.json"]) == 9
    out = capsys.readouterr().out
    assert "v[7]" in out
    assert "v[8]" not in out
    assert "and 91 more" in out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_difference_keeps_within_the_page(
    width: int, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    answers(place, names=("a_rather_long_name_of_an_answer.json", "another_rather_long_name_of_one.json"))
    run(
        ["minimize", "x**2" + " + sin(x)**2" * 30, "--start", "x=1", "--format", "json", "--output", "c.json"]
    )
    capsys.readouterr()
    for other in ("another_rather_long_name_of_one.json", "c.json"):
        assert run(["diff", "a_rather_long_name_of_an_answer.json", other]) == 9
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width
