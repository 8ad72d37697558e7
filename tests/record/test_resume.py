"""`gd resume` with real processes: stopped and killed at any moment, files torn and foreign, several at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdcli.cli.app import run as gd

DATA = Path(__file__).parents[1] / "data"
GD = [sys.executable, "-c", "from gdcli.cli.app import main; main()"]
# Half a second and thousands of iterations: momentum without a fixed point of its own in CPython.
SLOW = [
    "minimize",
    "(x-3)**4 + (y+1)**2 + sin(x*y)/9",
    "--start",
    "x=0,y=0",
    "--method",
    "adam",
    "--lr",
    "1e-4",
]
SLOW += ["--max-iter", "30000", "--engine", "python", "--tol", "1e-14"]


def started(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*GD, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(*arguments: str, folder: Path) -> tuple[int, str, str]:
    process = started(*arguments, folder=folder)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for(path: Path) -> None:
    """Wait until a run has written a checkpoint."""
    for _ in range(2000):
        if progress_of(path) is not None:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} has no progress")


def progress_of(path: Path) -> Any:
    """Return how far a checkpoint says that its run has come, None where it says nothing yet."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("checkpoint.json")).get("progress")
    except (OSError, zipfile.BadZipFile):
        return None


def goes_beyond(path: Path, reached: Any, process: subprocess.Popen[str]) -> bool:
    """Wait until a checkpoint is another one than ``reached``; False when the process ended before."""
    while progress_of(path) == reached:
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def answer(text: str) -> dict[str, Any]:
    """What a result says, but for how it was asked, and how one can go on with it."""
    found: dict[str, Any] = json.loads(text)
    del found["receipt"]
    found.pop("advice", None)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The answer of the slow run that nobody stops."""
    code, out, _ = finished(*SLOW, "--format", "json", folder=tmp_path_factory.mktemp("whole"))
    assert code == 3
    return out


@pytest.mark.parametrize(
    ("number", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")]
)
def test_a_signal_leaves_an_answer_and_a_checkpoint(
    tmp_path: Path, whole: str, number: str, code: int, word: str
) -> None:
    process = started(
        *SLOW, "--format", "json", "--checkpoint", "a.ck", "--checkpoint-every", "0.01s", folder=tmp_path
    )
    wait_for(tmp_path / "a.ck")
    process.send_signal(getattr(signal, number))
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    stopped = json.loads(out)
    assert stopped["status"] == word
    assert 0 < stopped["iterations"] < 30000
    assert "'gd resume a.ck' goes on" in err
    got, out, err = finished("resume", "a.ck", folder=tmp_path)
    assert (got, answer(out)) == (3, answer(whole)), err
    assert list(tmp_path.iterdir()) == [tmp_path / "a.ck"]


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    # One step takes far longer than anybody waits.
    script = (
        "import sys, time, gdcli.solve.methods.descent as d\n"
        "from gdcli.cli.app import run\n"
        "def step(self, *rest):\n"
        "    print('stepping', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "d.Descent.step = step\n"
        "sys.exit(run(['minimize', 'x**2', '--start', 'x=1', '--lr', '0.1', '--checkpoint', 'a.ck']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "stepping" in process.stderr.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None  # it waits for the step
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 30
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("way", [SLOW, "fit"], ids=["minimize", "fit"])
def test_killed_again_and_again_it_ends_the_same(tmp_path: Path, way: Any) -> None:
    if way == "fit":
        rng = np.random.default_rng(0)
        x = rng.normal(size=(20000, 2))
        y = x @ [2.0, -1.0] + 0.5 + 0.1 * rng.normal(size=20000)
        lines = [f"{a!r},{b!r},{c!r}" for (a, b), c in zip(x.tolist(), y.tolist(), strict=True)]
        (tmp_path / "d.csv").write_text("x,z,y\n" + "\n".join(lines) + "\n")
        way = ["fit", "y ~ a*x + b*z + c", "d.csv", "--batch-size", "4", "--method", "adam", "--lr", "1e-4"]
        way += ["--epochs", "12", "--engine", "python"]
    code, expected, _ = finished(*way, "--format", "json", folder=tmp_path)
    chance = random.Random(5)
    command = [*way, "--format", "json", "--checkpoint", "a.ck", "--checkpoint-every", "0.005s"]
    kills, reached = 0, None
    while True:
        process = started(*command, folder=tmp_path)
        if kills < 8 and goes_beyond(tmp_path / "a.ck", reached, process):
            time.sleep(chance.uniform(0.0, 0.03))
            process.kill()
            process.communicate()
            kills += 1
            command, reached = ["resume", "a.ck"], progress_of(tmp_path / "a.ck")
            continue
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        break
    assert answer(out) == answer(expected)
    assert kills
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("a.ck", "d.csv")] == []


def written(folder: Path, *more: str) -> Path:
    """Return a checkpoint of a run that ended at its cap."""
    path = folder / "run.ck"
    arguments = ["minimize", "sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)", "--start", "v=zeros(60)"]
    assert (
        gd([*arguments, "--max-iter", "5", "--checkpoint", str(path), "--output", str(folder / "o"), *more])
        == 3
    )
    return path


def test_a_torn_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    for length in (0, 3, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert gd(["resume", str(path)]) == 8
        err = capsys.readouterr().err
        assert "is torn" in err or "is no checkpoint of gd" in err
        assert path.read_bytes() == content[:length]
    chance = random.Random(1)
    places = [chance.randrange(len(content)) for _ in range(60)]
    # The end of the archive tells where its list of files begins; some changes of it tell a place before the file.
    for place in [*places, *range(len(content) - 22, len(content))]:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        code = gd(["resume", str(path), "--output", str(tmp_path / "o")])
        err = capsys.readouterr().err
        assert code in (3, 8), err  # dates and the like of the archive are not looked at
        assert "Traceback" not in err
        assert "internal" not in err


@pytest.mark.parametrize("kind", ["text", "zip", "json", "version", "gd", "compressed", "command", "state"])
def test_a_foreign_file_is_refused_with_the_reason(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["checkpoint.json"])
    told = {
        "text": "is no checkpoint",
        "zip": "another archive",
        "json": "something else",
        "version": "version 99",
        "gd": "written by gd 0.0.0",
        "compressed": "compressed",
        "command": "no whole checkpoint",
        "state": "unknown kind",
    }[kind]
    if kind == "json":
        document["format"] = "mine"
    elif kind == "version":
        document["version"] = 99
    elif kind == "gd":
        document["gd"] = "0.0.0"
    elif kind == "command":
        document["command"] = "rm"
    elif kind == "state":
        document["parts"]["runs/0"]["Snapshot"]["state"] = {"os.system": "true"}
    if kind == "text":
        path.write_text("hello")
    else:
        how = zipfile.ZIP_DEFLATED if kind == "compressed" else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", how) as archive:
            for name, data in members.items():
                text = json.dumps(document).encode() if name == "checkpoint.json" else data
                archive.writestr("other" if kind == "zip" and name == "checkpoint.json" else name, text)
    before = path.read_bytes()
    assert gd(["resume", str(path)]) == 8
    assert told in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_run_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    arguments = ["minimize", "x**2", "--start", "x=1", "--output", str(tmp_path / "o"), "--checkpoint"]
    assert gd([*arguments, str(path)]) == 2
    assert "not finished" in capsys.readouterr().err
    assert gd(["resume", str(path), "--max-iter", "1000", "--output", str(tmp_path / "o")]) == 0
    assert gd([*arguments, str(path)]) == 0  # what is finished may go
    (tmp_path / "notes").write_text("mine")
    assert gd([*arguments, str(tmp_path / "notes")]) == 2
    assert "is no checkpoint" in capsys.readouterr().err
    assert gd([*arguments, str(tmp_path)]) == 2
    assert gd([*arguments, "/dev/null"]) == 2
    assert gd([*arguments, "-"]) == 2
    assert gd([*arguments, str(tmp_path / "none" / "x")]) == 2
    assert gd([*arguments, str(tmp_path / "o")]) == 2


def test_the_table_goes_on_too(tmp_path: Path) -> None:
    arguments = ["minimize", "100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1", "--method", "bfgs"]
    one, other = tmp_path / "one", tmp_path / "other"
    assert gd([*arguments, "--output", str(one)]) == 0
    path = str(tmp_path / "a.ck")
    assert gd([*arguments, "--max-iter", "9", "--checkpoint", path, "--output", str(other)]) == 3
    assert gd(["resume", path, "--max-iter", "17", "--output", str(other)]) == 3
    assert gd(["resume", path, "--max-iter", "10000", "--output", str(other)]) == 0
    assert other.read_text() == one.read_text()
    assert gd(["resume", path, "--output", str(other)]) == 0
    assert other.read_text() == one.read_text()


def test_the_table_of_epochs_goes_on_in_another_process(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("x,y\n" + "".join(f"{k},{2 * k + 1}\n" for k in range(50)))
    arguments = ["fit", "y ~ a*x+b", str(data), "--batch-size", "10", "--lr", "1e-5", "--epochs", "20"]
    path, whole = str(tmp_path / "a.ck"), tmp_path / "whole"
    assert gd([*arguments, "--max-iter", "9", "--checkpoint", path]) == 3
    code, resumed, err = finished("resume", path, "--max-iter", "30", folder=tmp_path)
    assert code == 0, err
    assert gd([*arguments, "--output", str(whole)]) == 0
    assert resumed == whole.read_text()


def test_other_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, path = tmp_path / "d.csv", str(tmp_path / "a.ck")
    data.write_text("x,y\n" + "".join(f"{k},{2 * k + 1}\n" for k in range(50)))
    arguments = ["fit", "y ~ a*x+b", str(data), "--epochs", "3", "--batch-size", "1", "--lr", "1e-4"]
    assert gd([*arguments, "--checkpoint", path, "--max-iter", "2"]) == 3
    before = data.read_text()
    data.write_text(before.replace("7,15", "7,16"))
    assert gd(["resume", path]) == 8
    assert "not those that the run began with" in capsys.readouterr().err
    data.write_text(before)
    assert gd(["resume", path, "--max-iter", "10", "--format", "json"]) == 0
    resumed = answer(capsys.readouterr().out)
    assert gd([*arguments, "--format", "json"]) == 0
    assert resumed == answer(capsys.readouterr().out)


def test_data_from_a_pipe_are_piped_in_again(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{k},{2 * k + 1}\n" for k in range(50))
    arguments = ["fit", "y ~ a*x+b", "--epochs", "3", "--batch-size", "1", "--lr", "1e-4"]
    arguments += ["--checkpoint", "a.ck", "--max-iter", "2"]

    def piped(*words: str) -> int:
        return subprocess.run(
            [*GD, *words], cwd=tmp_path, input=text, text=True, capture_output=True
        ).returncode

    assert piped(*arguments) == 3
    assert piped("resume", "a.ck", "--max-iter", "5") == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux tells its threads")
@pytest.mark.parametrize("kind", ["many", "fit"])
def test_the_matrix_library_has_one_thread(tmp_path: Path, kind: str) -> None:
    """With several threads sums of products have other bits; it counts them when it is loaded."""
    (tmp_path / "d.csv").write_text("x,y\n" + "".join(f"{k},{2 * k + 1}\n" for k in range(50)))
    words = {
        "many": ["minimize", "sum((v-1)**4)", "--start", "v=zeros(5000)", "--max-iter", "3"],
        "fit": [
            "fit",
            "y ~ a*x+b",
            "d.csv",
            "--batch-size",
            "1",
            "--epochs",
            "3",
            "--max-iter",
            "2",
            "--lr",
            "1e-4",
        ],
    }[kind]
    for command in ([*words, "--checkpoint", "a.ck"], ["resume", "a.ck"]):
        code = (
            "import os, sys; from gdcli.cli.app import run; "
            f"code = run({[*command, '--output', 'o']!r}); print(code, len(os.listdir('/proc/self/task')))"
        )
        ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert ran.stdout.split() == ["3", "1"], ran.stderr


def test_two_runs_do_not_spoil_each_other(tmp_path: Path, whole: str) -> None:
    """Two processes go on with one checkpoint, and fill one cache."""
    process = started(*SLOW, "--checkpoint", "a.ck", "--checkpoint-every", "0.01s", folder=tmp_path)
    wait_for(tmp_path / "a.ck")
    process.kill()
    process.communicate()
    both = [started("resume", "a.ck", "--format", "json", folder=tmp_path) for _ in range(2)]
    ends = [(*p.communicate(timeout=120), p.returncode) for p in both]
    assert [(answer(out), code) for out, _, code in ends] == [(answer(whole), 3)] * 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.ck"]
    code, out, err = finished("resume", "a.ck", "--format", "json", folder=tmp_path)
    assert (code, answer(out)) == (3, answer(whole)), err


def test_two_runs_fill_one_cache(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    command = [
        *GD,
        "minimize",
        "(x-3)**4 + exp(y) - y",
        "--start",
        "x=0,y=2",
        "--lr",
        "1e-4",
        "--engine",
        "native",
    ]
    command += ["--max-iter", "2000", "--format", "json"]
    for _ in range(3):
        both = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        ends = [(answer(p.communicate(timeout=120)[0]), p.returncode) for p in both]
        assert ends[0] == ends[1] == ends[2]
        assert ends[0][1] == 3
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_disk_that_is_full_is_told_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gdcli.record import checkpoint_file

    real, calls = checkpoint_file.write, []

    def full(path: str, content: Any) -> None:
        calls.append(path)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(checkpoint_file, "write", full)
    path = tmp_path / "a.ck"
    assert gd(["minimize", "x**2+y**4", "--start", "x=1,y=1", "--checkpoint", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "converged" in out
    assert err.count("no space left") == 1
    monkeypatch.setattr(checkpoint_file, "write", real)
    assert gd(["resume", str(path)]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["minimize", "x**2", "--start", "x=1", "--checkpoint-every", "5s"], "is for --checkpoint"),
        (
            ["minimize", "x**2", "--start", "x=1", "--checkpoint", "a", "--checkpoint-every", "0"],
            "a time above 0",
        ),
        (["minimize", "x**2", "--start", "x=1", "--checkpoint", "a", "--output", "a"], "the same file"),
        (["resume", "nowhere.ck"], "cannot read"),
        (["resume"], "FILE is missing"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gd(arguments) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["minimize", "log(x)", "--start", "x=-1"], 7),
        (["fit", "y ~ a*t", "nowhere.csv"], 8),
        (["fit", "y ~ a*t", "torn.csv"], 8),
        (["fit", "y ~ a*t", "torn.csv", "--diagnostics", "--partitions", "2"], 2),
    ],
)
def test_a_command_that_is_wrong_leaves_no_checkpoint(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command, mended, must be free to write the file."""
    monkeypatch.chdir(tmp_path)
    Path("torn.csv").write_text("t,y\n1,2\n3,x\n")
    assert gd([*arguments, "--checkpoint", "a.ck"]) == code
    assert [path.name for path in tmp_path.iterdir()] == ["torn.csv"]


@pytest.mark.parametrize(
    ("name", "status", "iterations"), [("auto", 0, 21), ("lbfgs", 0, 39), ("epochs", 0, 40)]
)
def test_checkpoints_of_earlier_versions_are_gone_on_with(
    name: str, status: int, iterations: int, tmp_path: Path
) -> None:
    """Runs that an earlier version stopped at a cap: classes of states had other fields then, rows of the path too."""
    kept = tmp_path / f"{name}.ck"
    kept.write_bytes((DATA / "checkpoints" / kept.name).read_bytes())
    words = ("resume", str(kept), "--max-evaluations", "100000", "--format", "json")
    code, out, err = finished(*words, folder=DATA.parent.parent)
    assert code == status, err
    answer = json.loads(out)
    assert answer.get("iterations", answer.get("epochs")) == iterations
    if name != "epochs":
        assert answer["point"] == pytest.approx({"x": 1.0, "y": 1.0}, rel=1e-9)
    code, page, _ = finished("show", str(kept), folder=DATA.parent.parent)
    assert code == 0
    assert page
