"""`gd fit` as a command: what it refuses and in which words, its formats, its files, its help."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from keep import kept

from gdcli.cli.app import run
from gdcli.cli.commands import COMMANDS
from gdcli.kernel.budget import CLUSTER, Spent
from gdcli.record.fits import EPOCH_HEAD
from gdcli.tasks.fit.prediction import PREDICTED

ROOT = Path(__file__).parent.parent.parent
DECAY = ROOT / "docs" / "decay.csv"
MODEL = "y ~ a*exp(-b*t) + c"
START = ["--start", "a=1,b=1,c=0"]
LINE = "y ~ a + b*t"
ROUNDING = 1e-9  # what is smaller in these fits is rounding


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with decay.csv in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copy(DECAY, tmp_path / "decay.csv")
    return tmp_path


def fit(*words: str) -> int:
    return run(["fit", *words])


def process(*words: str, stdin: Any = subprocess.DEVNULL, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gdcli.cli.app import main; main()", "fit", *words]
    return subprocess.run(
        command, stdin=stdin, capture_output=True, encoding="utf-8", timeout=60, check=False, **options
    )


# -- what is refused ---------------------------------------------------------------------------------------------


BAD_FILES = {
    "missing": (None, "cannot read data.csv: no such file"),
    "empty": (b"", "data.csv is empty"),
    "header only": (b"t,y\n", "data.csv has a header but no rows"),
    "binary": (b"\x7fELF\x02\x01\x01\0\0\0", "data.csv is binary"),
    "ragged": (b"t,y\n1,2\n3\n", "data.csv:3:2: the row has 1 cell, the header 2"),
    "too few rows": (b"t,y\n1,2\n", "1 row cannot tell 2 parameters (a, b)"),
    "no number": (b"t,y\n1,2\n2,three\n", "data.csv:3:3: column y: 'three' is not a number"),
    "missing value": (b"t,y\n1,2\n,4\n", "data.csv:3:1: column t: the cell is empty"),
    "infinite": (b"t,y\n1,2\ninf,4\n", "data.csv:3:1: column t: 'inf' is not finite"),
    "a number among names": (b"t,2\n3,4\n", "a number where the name of a column should be"),
    "cut off": (gzip.compress(b"t,y\n1,2\n3,4\n")[:20], "data.csv is cut off"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_files_that_are_no_data(what: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = BAD_FILES[what]
    if content is not None:
        (place / "data.csv").write_bytes(content)
    assert fit(LINE, "data.csv") == 8
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {message}") or message in told.err.splitlines()[0]


def test_a_folder_and_a_pattern_without_files(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, ".") == 8
    assert "cannot read .: is a directory" in capsys.readouterr().err
    assert fit(LINE, "z*.csv") == 8
    assert "no file matches z*.csv" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "decay.csv").chmod(0)
    assert fit(LINE, "decay.csv") == 8
    assert "permission denied" in capsys.readouterr().err


WRONG = [
    (["y ~ a ~ b", "decay.csv"], "a model has one ~"),
    (["y ~", "decay.csv"], "nothing stands right of the ~"),
    (["y ~ a*exp(-z*q)", "decay.csv"], "no name right of the ~ is a column of the data"),
    ([MODEL, "decay.csv", "--start", "a=1", "--epochs", "3"], "--start leaves out b, c"),
    (["y ~ t", "decay.csv"], "the model has no parameter to be found"),
    (["1 ~ a*r", "decay.csv"], "the model has no column of the data"),
    ([LINE, "decay.csv", "--loss", "square"], "--loss takes one of"),
    ([LINE, "nofile.csv", "--method", "newtn"], "there is no method 'newtn'"),
    ([LINE, "decay.csv", "--weights", "w"], "there is no column w"),
    ([LINE, "decay.csv", "--huber-delta", "2"], "--huber-delta is for --loss huber"),
    ([LINE, "decay.csv", "--maximize"], "--maximize is for a log-likelihood"),
    ([LINE, "decay.csv", "--set", "q=1"], "--set gives q, which the model does not have"),
    ([LINE, "-", "-"], "standard input is given twice"),
    (["-", "-"], "the model and the data cannot both come from standard input"),
    (["-"], "the model and the data cannot both come from standard input"),
    ([LINE, "decay.csv", "--print", "q"], "--print knows no 'q'"),
    ([LINE, "decay.csv", "--print", "a.sd"], "--print knows no 'a.sd'"),
    ([LINE, "decay.csv", "--print", "a", "--format", "json"], "--print and --format exclude each other"),
    ([LINE, "decay.csv", "--predict", "decay.csv"], "--predict would overwrite the data"),
    ([LINE, "decay.csv", "--residuals", "link.csv"], "--residuals would overwrite the data"),
    ([LINE, "link.csv", "--output", "./decay.csv"], "--output would overwrite the data"),
    ([LINE, "d*.csv", "--output", "decay.csv"], "--output would overwrite the data"),
    ([LINE, "decay.csv", "--predict", "p.csv", "--residuals", "./p.csv"], "name the same file"),
    ([LINE, "decay.csv", "--plot", "p.png", "--output", "p.png"], "name the same file"),
    ([LINE, "decay.csv", "--predict", "-", "--residuals", "-"], "both go to standard output"),
    ([LINE, "decay.csv", "--predict", "-", "--format", "plain"], "takes standard output"),
    ([LINE, "decay.csv", "--predict", "no/p.csv"], "cannot write the file"),
    (["a + b*t", "decay.csv", "--predict", "p.csv"], "--predict and --residuals are for a model with ~"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words)[:60] for words, _ in WRONG])
def test_what_is_refused(
    words: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    if words[0] == "-":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINE.encode())))
    (place / "link.csv").symlink_to("decay.csv")
    before = (place / "decay.csv").read_bytes()
    assert fit(*words) == 2
    told = capsys.readouterr()
    assert told.out == "" or "json" in words
    assert message in told.err.splitlines()[0]
    assert (place / "decay.csv").read_bytes() == before
    assert sorted(os.listdir()) == ["decay.csv", "link.csv"]


def test_a_name_that_is_neither_is_told_with_the_columns(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("y ~ a*exp(-b*time)", "decay.csv", "--start", "a=1,b=1") == 2
    told = capsys.readouterr().err
    assert "no name right of the ~ is a column of the data\n  y ~ a*exp(-b*time)\n               ^^^^" in told
    assert "the columns are t, y" in told


def test_a_model_without_its_sign_is_told_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("a*t + b", "decay.csv", "--start", "a=1,b=1") == 4
    page = " ".join(capsys.readouterr().out.split())
    assert "loss the expression of a row: there is no ~" in page
    assert "try next to fit a column, y say, write y ~ a*t + b: without ~" in page
    assert fit("decay.csv", "y = a*t + b") == 2
    assert "hint: write gd fit 'y = a*t + b' decay.csv\n" in capsys.readouterr().err


def test_a_sine_that_becomes_a_straight_line_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "line.csv").write_text("x,y\n" + "".join(f"{x},{3 * x + 1}\n" for x in range(20)))
    assert fit("y ~ a*sin(b*x+c)", "line.csv", "--start", "auto") != 0
    assert "The data do not tell all parameters" in " ".join(capsys.readouterr().out.split())


def test_no_file_and_a_terminal_on_standard_input(place: Path) -> None:
    main, terminal = pty.openpty()
    done = process(LINE, stdin=terminal)
    os.close(terminal)
    os.close(main)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there are no data\nhint: name a file after the model")


@pytest.mark.parametrize("line", ["1,x", "a" * 100])
def test_endless_input_is_read_only_as_far_as_needed(line: str, place: Path) -> None:
    endless = f"import sys\nprint('t,y')\nwhile True: print({line!r})"
    with subprocess.Popen(
        [sys.executable, "-c", endless], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as feed:
        done = process(LINE, stdin=feed.stdout)
        feed.kill()
    assert done.returncode == 8
    assert done.stderr.startswith("error: standard input:2:")


def test_an_error_is_a_record_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "bad.csv").write_text("t,y\n1,2\nx,3\n")
    assert fit(LINE, "bad.csv", "--format", "json") == 8
    record = json.loads(capsys.readouterr().out)
    assert (record["type"], record["status"]) == ("error", "data")
    assert record["span"]["source"] == "bad.csv:3"


# -- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["80", "120"])
def test_kept_pages(
    width: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert fit(MODEL, "decay.csv", *START) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= int(width)
    kept(f"fit_{width}.txt", page, ROUNDING)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "plain"])
def test_kept_formats(form: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, "decay.csv", "--format", form) == 0
    text = capsys.readouterr().out
    if form in ("json", "jsonl"):
        json.loads(text if form == "json" else text.splitlines()[-1], parse_constant=pytest.fail)
    kept(f"fit.{form}", text, ROUNDING)


def test_printed_values_are_those_of_the_record(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, "decay.csv", "--format", "json") == 0
    record = json.loads(capsys.readouterr().out)
    assert fit(LINE, "decay.csv", "--print", "b,b.se,b.t,b.low,b.high,residual_sd,rows,epochs") == 0
    printed = capsys.readouterr().out.rstrip("\n").split("\t")
    low, high = record["confidence"]["b"]
    wanted = [record["point"]["b"], record["standard_errors"]["b"], record["t"]["b"], low, high]
    assert [float(v) for v in printed[:5]] == wanted
    assert printed[5:] == [repr(record["residual_sd"]), "40", ""]


def test_vectors_are_lists_everywhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["y ~ T @ w", "decay.csv", "--columns", "T=t"]
    assert fit(*words, "--format", "json") == 0
    record = json.loads(capsys.readouterr().out)
    for key in ("point", "standard_errors", "t"):
        assert [type(v) for v in record[key]["w"]] == [float]
    ((low, high),) = record["confidence"]["w"]
    assert low < record["point"]["w"][0] < high
    assert record["correlation"] == {"w[0]": {"w[0]": 1.0}}
    assert record["problem"]["columns"] == {"T": ["t"]}
    assert fit(*words, "--print", "w,w.se,w[0].se,w[0].low") == 0
    printed = capsys.readouterr().out.rstrip("\n").split("\t")
    assert [float(v) for v in printed] == [*record["point"]["w"], *2 * record["standard_errors"]["w"], low]


def test_a_model_without_its_column_is_told_how_to_name_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("a*t + b", "decay.csv") == 2
    assert "to fit a column write y ~ a*t + b; " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["y ~ a*t + b", "decay.csv", "--set", "a=2,b=1"], "--set gives all of them a value"),
        (["y ~ lambda*t", "decay.csv"], "for a parameter write lam or lambda_"),
        (["`y [V]` ~ a*t", "decay.csv"], "spelled with underscores"),
        (["y ~ a*t", "decay.csv", "--epochs", "0"], "for example 10\n"),
    ],
)
def test_hints_speak_of_what_was_meant(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    assert fit(*words) == 2
    assert hint in capsys.readouterr().err


def test_the_unit_of_the_residuals_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "known.csv").write_text("x,y,s\n1,3,1\n2,5,1\n3,7.1,2\n4,9,1\n")
    assert fit("y ~ a*x + b", "known.csv", "--sigma", "s") == 0
    assert re.search(r"standard deviation \S+ times s \(2 degrees", capsys.readouterr().out)
    assert fit("y ~ a*x + b", "known.csv", "--weights", "s") == 0
    assert "of a row with s = 1 (2 degrees" in " ".join(capsys.readouterr().out.split())


def test_a_level_valley_is_no_fall_to_infinity(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rounding that looks like a rise at one point of one side of the valley makes no minimum at infinity."""
    (place / "ray.csv").write_text("x,y\n1,3\n2,5\n3,7.1\n4,9\n5,11.2\n")
    for start in ("a=1,b=1", "a=2,b=1", "a=10,b=7", "a=-1,b=-2", "a=0.3,b=0.1"):
        assert fit("y ~ a*x/b", "ray.csv", "--start", start) == 6
        assert "only a/b matters: fix one" in " ".join(capsys.readouterr().out.split())


def test_redundant_parameters_have_no_errors(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["y ~ a + b + c*t", "decay.csv"]
    assert fit(*words) == 6
    page = capsys.readouterr().out
    assert "only a + b matters: fix one" in " ".join(page.split())
    assert fit(*words, "--format", "json") == 6
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "wrong-kind"
    assert record["standard_errors"]["a"] is None
    assert record["standard_errors"]["c"] > 0
    assert "only a + b matters" in record["unknown_errors"]
    assert fit(*words, "--print", "a.se,c.low") == 6
    empty, low = capsys.readouterr().out.rstrip("\n").split("\t")
    assert empty == ""
    assert float(low) == record["confidence"]["c"][0]


def test_no_degrees_of_freedom(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "two.csv").write_text("t,y\n1,2\n2,5\n")
    assert fit(LINE, "two.csv") == 0
    page = capsys.readouterr().out
    assert "no degrees of freedom: 2 rows for 2 parameters" in " ".join(page.split())
    assert "std. error" not in page


def test_a_parameter_at_its_bound_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(MODEL, "decay.csv", *START, "--bounds", "c=0.6:2") == 0
    page = capsys.readouterr().out
    (row,) = [line for line in page.splitlines() if line.startswith("c  ") and "bound" in line]
    assert row.split() == ["c", "0.6", "at", "its", "lower", "bound"]


def test_skipped_rows_are_counted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open("decay.csv", "a") as file:
        file.write("4.0,\nNA,1\n")
    assert fit(LINE, "decay.csv", "--missing", "skip") == 0
    told = capsys.readouterr()
    assert "decay.csv: 40 rows used, 2 skipped" in told.out
    assert "decay.csv:42" in told.err
    assert fit(LINE, "decay.csv", "--missing", "skip", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"used": 40, "skipped": 2}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--loss", "absolute"], "sum of absolute values"),
        (["--loss", "huber", "--huber-delta", "0.1"], "huber, absolute beyond 0.1"),
        (["--sigma", "t", "--missing", "skip"], "in units of t, the known standard deviation"),
        (["--weights", "t"], "weighted sum of squares"),
    ],
)
def test_the_loss_is_named(
    more: list[str], words: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (place / "decay.csv").read_text().replace("\n0.0,", "\n0.05,")
    (place / "decay.csv").write_text(text)
    assert fit(LINE, "decay.csv", *more) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert words in page
    assert ("chi-square" in page) == ("--sigma" in more)


# -- copies of the rows ------------------------------------------------------------------------------------------


def table(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def numbers(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[float, float]:
    assert fit(*words, "--print", "a,b") == 0
    a, b = map(float, capsys.readouterr().out.split())
    return a, b


def test_rows_are_copied_as_they_came(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = numbers(capsys, LINE, "decay.csv")
    assert fit(LINE, "decay.csv", "--predict", "p.csv", "--residuals", "r.csv") == 0
    source = (place / "decay.csv").read_text().splitlines()
    for name, more in (("p.csv", 5), ("r.csv", 2)):
        copied = (place / name).read_text().splitlines()
        assert [line.rsplit(",", more)[0] for line in copied] == source
    for row in table((place / "r.csv").read_text()):
        assert float(row["fitted"]) == pytest.approx(a + b * float(row["t"]), rel=1e-12)
        assert float(row["residual"]) == float(row["y"]) - float(row["fitted"])


def test_predictions_in_place_of_the_answer(place: Path) -> None:
    with open("decay.csv") as file:
        done = process(LINE, "--predict", "-", stdin=file)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: residuals: neighbours over t are alike")  # a line through a curve
    assert [list(row) for row in table(done.stdout)] == [["t", "y", *PREDICTED]] * 40


def test_a_failed_fit_says_so_beside_its_predictions(place: Path) -> None:
    done = process(MODEL, "decay.csv", *START, "--max-iter", "1", "--predict", "-")
    assert done.returncode == 3
    assert "Stopped by --max-iter after 1 iteration" in done.stderr
    assert len(table(done.stdout)) == 40


ROWS = {
    "tabs": ("t\ty\n1\t2\n2\t4.5\n3\t6\n", "\t"),
    "semicolons": ("t;y\r\n1;2\r\n2;4.5\r\n3;6\r\n", ";"),
    "spaces": ("t  y\n1  2\n2  4.5 \n3  6\n", " "),
    "more columns": ('name,t,y\n"a, b",1,2\n"c ""d""",2,4.5\nx,3,6\n', ","),
    "a name that is taken": ("t,y,fitted\n1,2,0\n2,4.5,0\n3,6,0\n", ","),
    "a byte order mark": ("\ufefft,y\n1,2\n2,4.5\n3,6", ","),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("what", ROWS)
def test_rows_of_every_shape(what: str, piped: bool, packed: bool, place: Path) -> None:
    text, delimiter = ROWS[what]
    content = text.encode()
    (place / "rows.csv").write_bytes(gzip.compress(content) if packed else content)
    with open("rows.csv", "rb") as file:
        words = ["-"] if piped else ["rows.csv"]
        done = process(LINE, *words, "--residuals", "-", stdin=file if piped else subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    plain = text.removeprefix("\ufeff").replace("\r", "").splitlines()
    lines = done.stdout.splitlines()
    own = ["fitted_1", "residual"] if "fitted" in plain[0] else ["fitted", "residual"]
    assert lines[0] == delimiter.join([plain[0], *own])
    for line, before in zip(lines[1:], plain[1:], strict=True):
        fitted, residual = line.split(delimiter)[-2:]
        assert line == delimiter.join([before.rstrip(), fitted, residual])
        assert abs(float(residual)) < 1.0


def test_skipped_rows_have_empty_cells(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "rows.csv").write_text("t,y,z\n1,2,a\n2,,b\n3\n4,8.5,c\n5,10,d\n6,12,e,f\n")
    assert fit(LINE, "rows.csv", "--missing", "skip", "--residuals", "r.csv") == 0
    rows = list(csv.reader(io.StringIO((place / "r.csv").read_text())))
    assert [row[:3] for row in rows[1:5]] == [
        *(["1", "2", "a"], ["2", "", "b"], ["3", "", ""], ["4", "8.5", "c"]),
    ]
    assert [len(row) for row in rows] == [5] * 7
    assert rows[2][3:] == rows[3][3:] == ["", ""]
    assert all(rows[i][3] and rows[i][4] for i in (1, 4, 5))


def test_several_files_are_one_table(place: Path) -> None:
    (place / "a1.csv").write_text("t,y\n1,2\n2,4\n")
    (place / "a2.csv").write_text("t,y\n3,5\n4,9\n")
    done = process(LINE, "a*.csv", "--predict", "-")
    assert [row["t"] for row in table(done.stdout)] == ["1", "2", "3", "4"]


def test_labels_and_logarithms_are_on_their_own_scale(place: Path) -> None:
    (place / "rows.csv").write_text("t,y,u\n1,1,-1\n2,3,1\n3,7,-1\n4,20,1\n")
    done = process("log(y) ~ a + b*t", "rows.csv", "--predict", "-")
    assert float(table(done.stdout)[3]["fitted"]) == pytest.approx(3.0, abs=0.2)
    done = process("u ~ a + b*t", "rows.csv", "--loss", "logistic", "--residuals", "-")
    for row in table(done.stdout):
        assert 0.0 < float(row["fitted"]) < 1.0
        assert float(row["residual"]) == (float(row["u"]) > 0) - float(row["fitted"])


def test_nothing_is_left_behind(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = place / "spool"
    spool.mkdir()
    with open("decay.csv") as file:
        done = process(LINE, "-", "--predict", "p.csv", "--spool", str(spool), stdin=file)
    assert done.returncode == 0
    assert os.listdir(spool) == []
    (place / "bad.csv").write_text("t,y\n1,x\n")
    assert fit(LINE, "bad.csv", "--predict", "q.csv") == 8
    assert sorted(os.listdir()) == ["bad.csv", "decay.csv", "p.csv", "spool"]


# -- help ----------------------------------------------------------------------------------------------------------


def test_help_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    kept("help_fit.txt", text)


@pytest.mark.parametrize("example", COMMANDS["fit"].examples)
def test_the_examples_of_the_help_work(example: str, place: Path) -> None:
    if "--batch-size" in example:
        pytest.importorskip("gdcli.tasks.fit.fit_epochs")
    decay = (place / "decay.csv").read_text().replace("t,", "x,", 1)
    (place / "decay.csv").write_text(decay)
    shutil.copy(ROOT / "docs" / "sites.csv", place)
    (place / "runs").mkdir()
    for k in (1, 2):
        rows = "".join(
            f"{i},{i * i % 7},{2 * i - 0.3 * (i * i % 7) + 0.1 * (-1) ** i}\n" for i in range(9 * k)
        )
        (place / "runs" / f"{k}.csv").write_text("x1,x2,y\n" + rows)
    (place / "clicks.csv").write_text(
        "x,t\n" + "".join(f"{i % 10},{int(i % 10 + i % 7 > 8)}\n" for i in range(99))
    )
    (place / "big.csv.gz").write_bytes(gzip.compress(decay.encode()))
    code = f"{shlex.quote(sys.executable)} -c 'from gdcli.cli.app import main; main()' fit"
    line = example.replace("gd fit", code, 1)
    done = subprocess.run(line, shell=True, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    few = "warning: this is not the minimum yet"  # five epochs are few for so few rows
    warned = few if "--epochs" in example else "warning: residuals: " if done.stderr else ""
    assert done.stderr.startswith(warned)
    if example.endswith("fitted.csv"):
        assert (
            (place / "fitted.csv")
            .read_text()
            .startswith("x,y,fitted,standard_error,low,high,extrapolated\n0.0,")
        )


def test_epochs_have_columns_of_their_own() -> None:
    assert EPOCH_HEAD == ("epoch", "value", "mean_loss", "validation", "rate", "rows")


def test_lines_of_json_get_keys() -> None:
    from types import SimpleNamespace

    from gdcli.tasks.fit.annotated_output import _JsonLines

    made = _JsonLines(SimpleNamespace(titles=("t", "fitted"), kind="jsonl"), ["fitted", "residual"])  # type: ignore[arg-type]
    text = ['{"t": 1}', '  { "t" : [2] }  ', "{}", '{"t": null}', "broken"]
    block = SimpleNamespace(text=text, used=[True, True, False, False, False])
    assert made.header() == ""
    lines = made.rows(block, [(0.5, float("nan")), (1e300, -1.0)]).splitlines()  # type: ignore[arg-type]
    assert [json.loads(line) for line in lines[:4]] == [
        {"t": 1, "fitted_1": 0.5, "residual": None},
        {"t": [2], "fitted_1": 1e300, "residual": -1.0},
        {"fitted_1": None, "residual": None},
        {"t": None, "fitted_1": None, "residual": None},
    ]
    assert lines[4] == "broken"


def test_a_formula_of_categories_is_no_program(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "groups.csv").write_text("y,g\n1,a\n2,b\n4,b\n")
    assert fit("y ~ m + C(g)", "groups.csv", "--emit", "python") == 2
    assert "texts or dates" in capsys.readouterr().err


def test_a_picture_whose_rows_are_lost_is_that_of_the_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster may be lost after the answer."""
    pytest.importorskip("matplotlib")

    def lost(*given: object) -> None:
        raise Spent(CLUSTER)

    monkeypatch.setattr("gdcli.tasks.fit.row_sample.sample_rows", lost)
    assert fit(MODEL, "decay.csv", *START, "--plot", "p.svg") == 0
    assert "iteration" in (place / "p.svg").read_text(encoding="utf-8")


def test_a_file_given_twice_is_read_twice_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "one.csv").write_text("t,y\n0,1\n1,2.1\n2,2.9\n3,4.2\n")
    (place / "other.csv").write_text("t,y\n0,1\n1,2.5\n5,2.9\n")
    for files in (("one.csv", "other.csv", "one.csv"), ("one.csv", "one.csv", "other.csv")):
        assert fit("y ~ a + b*t", *files, "--format", "json", "--output", "stored.json") == 0
        assert json.loads((place / "stored.json").read_text())["receipt"]["files"] == list(files)
        assert run(["rerun", "stored.json"]) == 0
    assert fit("y ~ a + b*t", "one.csv", "--format", "json", "--output", "stored.json") == 0
    assert "files" not in json.loads((place / "stored.json").read_text())["receipt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
@pytest.mark.parametrize("asked", [("fit", LINE, "decay.csv"), ("minimize", "(x-3)**2", "--start", "0")])
def test_a_path_that_cannot_be_written_leaves_the_answer(
    asked: tuple[str, ...], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*asked, "--trace", "/dev/full", "--output", "answer.txt"]) == 1
    assert "error: cannot write /dev/full: No space left on device" in capsys.readouterr().err
    assert "converged" in (place / "answer.txt").read_text()


def test_predictions_tell_what_was_found_out_of_the_file(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "units.csv").write_text("t,y\ns,V\n0,1\n1,2.1\n2,2.9\n3,4.2\n")
    assert fit(LINE, "units.csv", "--format", "json", "--output", "stored.json") == 0
    assert run(["predict", "stored.json", "units.csv"]) == 0
    page = capsys.readouterr().out
    assert "data          line 2 has units: s, V\n" in page
    assert run(["predict", "stored.json", "units.csv", "--format", "json", "--output", "rows.json"]) == 0
    assert json.loads((place / "rows.json").read_text())["notes"] == ["line 2 has units: s, V"]
    assert run(["show", "rows.json"]) == 0
    assert capsys.readouterr().out == page
