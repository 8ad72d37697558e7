"""`gd fit --by` as a command: its formats, what fails and with which code, what is refused, what repeats it."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import WHOLE
from keep import kept

from gdcli.cli.app import run
from gdcli.record import fit_records, groups
from gdcli.tasks.fit import fit_groups as grouped_fits

ROOT = Path(__file__).parent.parent.parent
MODEL = "y ~ a*exp(-b*x) + c"
START = ["--start", "a=1,b=1,c=0"]
LINE = "y ~ a + b*t"
SITES = """site,year,t,y
B,1,0,1
A,1,0,0
B,1,1,3.1
A,1,1,1.1
B,1,2,4.9
A,1,2,1.9
A,1,3,3.2
C d,1,1,2
C d,1,,3
007,2,1,1
007,2,1,2
007,2,1,3
7,2,1,1
7.0,2,2,2
7,2,3,3.5
B,1,3,7.05
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with sites.csv and decays.csv in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "sites.csv").write_text(SITES)
    draw = np.random.default_rng(0)
    lines = ["g,x,y,w\n"]
    for k in range(40):
        a, b, c = draw.uniform(1, 3), draw.uniform(0.5, 2), draw.uniform(-1, 1)
        for x in np.linspace(0, 4, 12 + k % 3):
            y = a * np.exp(-b * x) + c + 0.05 * draw.standard_normal()
            lines.append(f"s%{k},{x:.5g},{y:.8g},{draw.uniform(0.5, 2):.3g}\n")
    (tmp_path / "decays.csv").write_text("".join(lines))
    return tmp_path


def fit(*words: str) -> int:
    return run(["fit", *words])


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_how_many_rows_are_held_back_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(LINE, "sites.csv", "--by", "site", "--missing", "skip", "--validate", "0.25")
    assert " held back" in next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith("data")
    )


# -- formats -------------------------------------------------------------------------------------------------------


def test_the_table(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, "sites.csv", "--by", "site") == 8
    told = capsys.readouterr()
    kept("fit_by_80.txt", told.out, 1e-9)
    assert max(map(len, told.out.splitlines())) <= 80
    assert told.err == ""
    assert fit(LINE, "sites.csv", "--by", "site", "--format", "plain", "--missing", "skip") == 8
    assert "site" in capsys.readouterr().out


def test_exact_groups_show_no_digits_of_rounding(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        [f"a,{i},{2 * i + 1}" for i in range(1, 6)] + [f"c,{i},7" for i in range(1, 4)] + ["d,1,.1", "d,2,.2"]
    )
    noisy = [f"n,{i},{y}" for i, y in enumerate((1, 3.1, 4.9, 7.05))]
    (place / "exact.csv").write_text("\n".join(["g,x,y", *rows, "d,3,.3", *noisy]))
    assert run(["fit", "y ~ a*x + b", "exact.csv", "--by", "g"]) == 0
    page = capsys.readouterr().out
    for group, a, b in (("a", "2", "1"), ("c", "0", "7"), ("d", "0.1", "0")):
        assert re.search(rf"^{group} +\d +{a} \+- 0 +{b} \+- 0 +0 ", page.replace("±", "+-"), re.MULTILINE)


def test_answers_that_are_not_unique_are_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Medians of even counts: four are told in words, the others counted; and no errors are promised."""
    rows = [f"g{k},{value}" for k in range(6) for value in (1, 2, 4, 9)] + ["odd,5", "odd,6", "odd,7"]
    (place / "medians.csv").write_text("\n".join(["g,y", *rows]))
    assert run(["fit", "y ~ m", "medians.csv", "--by", "g", "--loss", "absolute"]) == 0
    page = capsys.readouterr().out
    assert "not unique    g = g0: m may lie anywhere from 2 to 4, with the same sum.\n" in page
    assert page.count("not unique") == 4
    assert "and 2 groups more; --format jsonl has all" in page
    assert "error" not in page


def test_what_does_not_fit_is_left_out_and_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "y ~ a*exp(-b*x) + c + d*x + f*x**2"
    assert fit(model, "decays.csv", "--by", "g", "--start", "a=1,b=1,c=0,d=0,f=0", "--max-iter", "5") in (
        0,
        3,
        5,
        6,
    )
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    (line,) = (line for line in out.splitlines() if line.startswith("not shown"))
    assert line.endswith("f ± error, resid. sd, R²; --format csv or jsonl has all")
    assert len([line for line in out.splitlines() if line.startswith("s%")]) == 40


def test_a_long_table_is_whole_however_it_comes(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit(MODEL, "decays.csv", *START, "--by", "g") == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr(grouped_fits, "WINDOW", 7)
    assert fit(MODEL, "decays.csv", *START, "--by", "g") == 0
    parts = capsys.readouterr().out
    rows = [[line.split()[:2] for line in out.splitlines() if line[:2] == "s%"] for out in (parts, whole)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 40
    assert whole.endswith("\n40 groups: 40 fitted\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--weights", "w"],
        ["--sigma", "w"],
        ["--sigma", "w", "--scale-sigma"],
        ["--timing"],
        ["--method", "lm"],
    ],
    ids=" ".join,
)
def test_a_line_is_the_record_of_the_fit(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written by the gaps of a text is what the one schema says, byte for byte."""
    command = [MODEL, "decays.csv", *START, "--by", "g", "--format", "jsonl", *words]
    assert fit(*command) == 0
    quick = capsys.readouterr().out
    monkeypatch.setattr(
        groups,
        "lines",
        lambda fits, recorder: (groups.json_text(recorder.to_json(fit)) for fit in fits),
    )
    assert fit(*command) == 0
    seconds = re.compile(r'"seconds": [^,]+')
    assert seconds.sub("", capsys.readouterr().out) == seconds.sub("", quick)
    records = answers(quick)
    assert [record["group"]["g"] for record in records] == [f"s%{k}" for k in range(40)]
    assert all(record["receipt"]["options"]["by"] == "g" for record in records)


def test_vectors_and_skipped_rows_in_lines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "rows.csv").write_text(SITES.replace("A,1,1,1.1", "A,1,NA,1.1\nA,1,1,1.1"))
    words = ["y ~ v[0] + v[1]*t", "rows.csv", "--start", "v=[0,0]", "--by", "site,year"]
    assert fit(*words, "--missing", "skip", "--format", "jsonl") == 8
    records = answers(capsys.readouterr().out)
    assert [r["group"] for r in records[:2]] == [{"site": "B", "year": 1}, {"site": "A", "year": 1}]
    assert records[1]["rows"] == {"used": 4, "skipped": 1}
    assert records[1]["warnings"] == ["1 row skipped for missing or bad cells, first at rows.csv:5"]
    assert records[1]["point"]["v"] == pytest.approx([-0.01, 1.04])
    assert len(records[1]["confidence"]["v"]) == 2
    assert records[2] == {
        "schema": "gd.result/1",
        "type": "error",
        "group": {"site": "C d", "year": 1},
        "status": "data",
        "message": "1 row cannot tell 2 parameters (v)",
        "hint": "give more rows, or fix parameters with --set",
        "span": None,
        "rows": {"used": 1, "skipped": 1},
    }


def test_json_is_one_object(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, "sites.csv", "--by", "site", "--format", "json") == 8
    told = capsys.readouterr()
    assert told.err.startswith("5 groups in ")
    assert told.err.endswith(" a second: 3 converged, 1 data, 1 wrong-kind\n")
    found = json.loads(told.out)
    assert (found["type"], found["by"], len(found["results"])) == ("groups", ["site"], 5)
    assert found["results"][2]["message"] == "sites.csv:10:7: column t: the cell is empty"
    assert [r["type"] for r in found["results"]] == ["result", "result", "error", "result", "result"]


def test_csv_has_a_row_per_group(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(LINE, "sites.csv", "--by", "site,year", "--format", "csv") == 8
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["site"] for row in rows] == ["B", "A", "C d", "007", "7"]
    assert list(rows[0])[:8] == ["site", "year", "rows", "skipped", "a", "a.se", "b", "b.se"]
    assert float(rows[1]["b"]) == pytest.approx(1.04)
    assert (rows[2]["a"], rows[2]["status"]) == ("", "data")
    assert rows[3]["message"].startswith("The data do not tell all parameters")
    assert fit(MODEL, "decays.csv", *START, "--by", "g", "--format", "csv", "--timing") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert all(float(row["seconds"]) > 0.0 for row in rows)


def test_values_asked_for(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "a,b.se,status,kind,rows,evaluations"
    assert fit(LINE, "sites.csv", "--by", "site", "--print", "a,b.se,status,rows") == 8
    plain = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert fit(LINE, "sites.csv", "--by", "site", "--print", words) == 8
    more = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in plain] == ["B", "A", "C d", "007", "7"]
    assert [line[:4] for line in plain] == [line[:4] for line in more]
    assert plain[2] == ["C d", "", "", "data", "1"]
    assert more[0][4:] == ["minimum", "4", more[0][6]]
    assert fit(LINE, "sites.csv", "--by", "site", "--print", "q") == 2
    assert "--print knows no 'q'" in capsys.readouterr().err


def test_intervals_and_derived_quantities_are_those_of_each_fit_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("profile", "wald", *(["bootstrap"] if WHOLE else [])):
        more = [
            *START,
            "--rows",
            "1:25",
            "--intervals",
            kind,
            *(["--samples", "100"] if kind == "bootstrap" else []),
            "--derive",
            "h=log(2)/b",
        ]
        names = "b,b.low,b.high,h,h.se,h.low,h.high"
        assert fit(MODEL, "decays.csv", *more, "--by", "g", "--print", names) == 0
        for line in capsys.readouterr().out.splitlines():
            group, *cells = line.split("\t")
            assert fit(MODEL, "decays.csv", *more, "--rows", f'g == "{group}"', "--print", names) == 0
            alone = [float(cell) for cell in capsys.readouterr().out.split()]
            assert [float(cell) for cell in cells] == pytest.approx(alone, rel=1e-6)
            assert float(cells[1]) < float(cells[0]) < float(cells[2])
        assert fit(MODEL, "decays.csv", *more, "--by", "g", "--format", "csv") == 0
        head = capsys.readouterr().out.splitlines()[0]
        assert ("h,h.se,h.low,h.high," in head) == (kind != "wald")
        assert fit(MODEL, "decays.csv", *more, "--by", "g", "--format", "jsonl", "--output", "g.jsonl") == 0
        assert fit(MODEL, "decays.csv", *more, "--by", "g") == 0
        shown = capsys.readouterr().out
        assert ("b (interval)" in shown) == (kind != "wald")
        assert run(["show", "g.jsonl"]) == 0
        assert capsys.readouterr().out == shown
    assert fit(MODEL, "decays.csv", *START, "--by", "g", "--share", "b", "--derive", "h=log(2)/b") == 2
    assert "--derive does not go with --share" in capsys.readouterr().err


def test_a_file_for_the_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [LINE, "sites.csv", "--by", "site", "--format", "jsonl"]
    assert fit(*words, "--output", "fits.jsonl") == 8
    assert capsys.readouterr().out == ""
    assert len(answers((place / "fits.jsonl").read_text())) == 5
    assert fit(*words, "--output", "sites.csv") == 2
    assert "--output would overwrite the data" in capsys.readouterr().err


def test_a_pipe(place: Path) -> None:
    command = [sys.executable, "-c", "from gdcli.cli.app import main; main()", "fit", LINE, "--by", "site"]
    done = subprocess.run(command, input=SITES, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 8
    assert "data          standard input: 15 rows" in done.stdout
    assert "C d: standard input:10:7: column t: the cell is empty" in done.stdout


def test_an_interrupt_keeps_what_is_done(place: Path) -> None:
    """Ctrl-C ends the stream after whole lines, with code 130."""
    words = [MODEL, "decays.csv", "--start", "auto", "--by", "g", "--format", "jsonl"]
    command = [sys.executable, "-c", "from gdcli.cli.app import main; main()", "fit", *words]
    # Without a buffer, for what a buffer holds would be lost to communicate.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)
    assert process.returncode == 130
    # The signal may come after the last line, before the command has ended.
    assert 1 <= len(answers((first + rest).decode())) <= 40
    assert b"groups in " in told or b"group in " in told


# -- codes and refusals --------------------------------------------------------------------------------------------


def test_the_code_is_that_of_the_first_group_that_failed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(MODEL, "decays.csv", *START, "--by", "g") == 0
    assert fit(LINE, "sites.csv", "--by", "year") == 8  # its first group has the empty cell
    assert fit(LINE, "sites.csv", "--by", "year", "--missing", "skip") == 0
    assert "1 row skipped for missing or bad cells, first at sites.csv:10" in capsys.readouterr().err
    (place / "rows.csv").write_text("g,t,y\na,1,1\na,1,2\na,1,3\nb,1,2\n")
    assert fit(LINE, "rows.csv", "--by", "g") == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "a.png"], "--plot does not go with --by: a picture shows one fit"),
        (["--predict", "a.csv"], "--predict does not go with --by"),
        (["--residuals", "a.csv"], "--residuals does not go with --by"),
        (["--emit", "c"], "--emit does not go with --by"),
        (["--checkpoint", "run.ckpt"], "--checkpoint does not go with --by"),
        (["--checkpoint-every", "3s"], "--checkpoint-every does not go with --by"),
        (["--every", "2"], "--every does not go with --by"),
        (["--by", "sites"], "--by: there is no column sites"),
        (["--by", "site,site"], "--by names site twice"),
        (["--by", "site,"], "--by takes names with commas between them"),
        (["--print", "a", "--format", "csv"], "--print and --format exclude each other"),
    ],
)
def test_what_is_refused(
    words: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(LINE, "sites.csv", *(["--by", "site"] if "--by" not in words else []), *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err


def test_a_problem_of_gd_run_has_one_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"command": "fit", "expression": LINE, "data": "sites.csv", "by": "site"}
    (place / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    assert run(["run", "problems.jsonl"]) == 2
    assert "--by has an answer for each group" in answers(capsys.readouterr().out)[0]["message"]


# -- receipts ------------------------------------------------------------------------------------------------------


def test_a_group_is_repeated(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(LINE, "sites.csv", "--by", "site,year", "--format", "jsonl")
    lines = capsys.readouterr().out.splitlines()
    for k in (0, 1, 3):
        (place / "one.json").write_text(lines[k])
        assert run(["rerun", "one.json"]) == 0
        assert capsys.readouterr().out == "same          the answer is the same (same bits)\n"
    (place / "all.jsonl").write_text("\n".join(lines))
    assert run(["rerun", "all.jsonl"]) == 8
    assert "holds 4 results" in capsys.readouterr().err
    (place / "sites.csv").write_text(SITES.replace("B,1,3,7.05", "B,1,3,7.06"))
    (place / "one.json").write_text(lines[0])
    assert run(["rerun", "one.json"]) == 9
    assert "sites.csv has changed" in capsys.readouterr().out
    (place / "sites.csv").write_text(SITES.replace("B,", "D,"))
    assert run(["rerun", "one.json"]) == 8
    assert "the data have no such group any more" in capsys.readouterr().err


def test_the_record_of_one_group_is_that_of_its_fit_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(MODEL, "decays.csv", *START, "--by", "g", "--format", "jsonl")
    many = answers(capsys.readouterr().out)[3]
    rows = [
        line for line in (place / "decays.csv").read_text().splitlines() if line.startswith(("g,", "s%3,"))
    ]
    (place / "one.csv").write_text("\n".join(rows) + "\n")
    fit(MODEL, "one.csv", *START, "--format", "json")
    one = json.loads(capsys.readouterr().out)
    assert list(many) == ["schema", "type", "group", *list(one)[2:]]
    for key in ("point", "standard_errors", "t", "aic", "bic", "residual_sd", "r_squared", "value"):
        assert many[key] == pytest.approx(one[key], rel=1e-9)
    assert many["status"] == one["status"]
    assert many["rows"] == one["rows"]
    assert set(fit_records.FIT.facts) >= {"r_squared"}


def test_a_fit_with_shared_parameters_tells_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runs.csv"
    rows = [(g, t, 3.0 * np.exp(-0.5 * t) + g + 0.01 * (-1) ** t) for g in (1, 2) for t in range(6)]
    file.write_text("".join(f"{g},{t},{y}\n" for g, t, y in rows))
    words = ["fit", "y ~ A*exp(-k*t) + c", str(file), "--columns", "g,t,y", "--start", "A=3,k=0.5,c=1"]
    assert run([*words, "--by", "g", "--share", "k", "--rows", "t > 0", "--format", "plain"]) == 0
    page = capsys.readouterr().out
    assert "10 rows of 12 (t > 0)" in page
    assert "no header: the first line is a row" in page
