"""``--report``: pages of every kind of answer, whose record is shown and repeated, and in which text is only text."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from gdcli.cli.app import run
from gdcli.cli.environment import Environment
from gdcli.kernel.status import Status
from gdcli.render import html_page
from gdcli.render.html_report import STATUSES

KINDS = {
    "minimize": ["minimize", "100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"],
    "maximize": ["maximize", "-x**2 + 3*x", "--start", "x=0"],
    "constraints": ["minimize", "(x-2)**2 + y**2", "--start", "0,0", "--subject-to", "x + y <= 1"],
    "fit": ["fit", "y ~ a*exp(-b*t) + c", "docs/decay.csv", "--start", "a=1,b=1,c=0"],
    "diagnostics": ["fit", "y ~ a + b*t", "docs/decay.csv", "--diagnostics"],
    "groups": ["fit", "y ~ a + b*t", "docs/sites.csv", "--by", "site"],
    "compare-lr": ["compare-lr", "x**2 + 10*y**2", "--start=-9,1.5"],
    "compare-methods": ["compare-methods", "x**2 + 10*y**2", "--start=-9,1.5", "--method", "bfgs,newton"],
    "compare-batch": ["compare-batch", "y ~ a*x + b", "docs/line.csv", "--batch-size", "32,all"],
    "compare-models": [
        "compare-models",
        "docs/decay.csv",
        "--model",
        "y ~ a + b*t",
        "--model",
        "y ~ a + b*t + c*t**2",
    ],
    "global": ["minimize", "x**4 - 3*x**2 + x", "--bounds", "x=-3:3", "--global"],
    "shared": ["fit", "y ~ a + b*t", "docs/sites.csv", "--by", "site", "--share", "b"],
    "gradient": ["gradient", "exp(2*x)/(1+sin(x**2))", "--at", "x=0.5", "--errors"],
    "step": ["gradient", "s*y", "--let", "s=exp(x)", "--at", "x=1,y=2", "--h", "10", "--hessian", "--latex"],
    "sensitivity": ["minimize", "(x-a)**2", "--start", "x=1", "--set", "a=3", "--sensitivity"],
    "trace": ["gradient", "x*y", "--at", "x=1,y=2", "--trace"],
    "solve": ["solve", "x**2 == 2", "--bounds", "x=0:9"],
    "run": ["run", "examples.toml", "rosenbrock", "saddle_escape"],
}

HEADINGS = {
    "fit": "Parameters",
    "diagnostics": "Influence of rows",
    "groups": "Groups",
    "shared": "Groups",
    "global": "Boxes",
    "solve": "Roots",
    "run": "Problems",
}


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Written(io.StringIO):
    encoding = "utf-8"


def gd(*words: str) -> Done:
    out, err = Written(), Written()
    code = run(words, Environment(out, err, Written()))
    return Done(code, out.getvalue(), err.getvalue())


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def elements(page: str) -> Elements:
    parser = Elements()
    parser.feed(page)
    parser.close()
    return parser


def record_of(page: str) -> list[dict[str, object]]:
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return [json.loads(line) for line in found[1].splitlines()]


@pytest.fixture(scope="module", params=list(KINDS))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, str]:
    file = tmp_path_factory.mktemp("page") / "page.html"
    done = gd(*KINDS[request.param], "--report", str(file))
    assert done.returncode == 0, done.stderr
    return request.param, file, done.stdout


def test_every_kind_has_a_page_with_what_the_terminal_said(page: tuple[str, Path, str]) -> None:
    kind, file, shown = page
    text = file.read_text(encoding="utf-8")
    found = elements(text)
    said = " ".join(" ".join(found.words).split())
    lines = [line for line in shown.splitlines() if not re.match("not shown|.*--(format|every)", line)]
    for word in re.findall("[A-Za-z]{4,}", "\n".join(lines)):
        assert word in said, word
    assert "gd show page.html" in said
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert "Table" not in headings
    assert kind not in HEADINGS or HEADINGS[kind] in headings
    assert f"gd {KINDS[kind][0]}" in said
    assert all(attrs.get("src") is None and attrs.get("href") is None for _, attrs in found.found)


def test_the_record_is_shown_and_repeated(page: tuple[str, Path, str]) -> None:
    kind, file, shown = page
    again = gd("show", str(file)).stdout
    if kind in ("groups", "run", "solve", "gradient", "step", "trace") or kind.startswith("compare"):
        assert again == shown
    else:  # without its path
        assert "converged" in again
        assert gd("rerun", str(file)).returncode == 0
    assert record_of(file.read_text(encoding="utf-8"))[-1]["schema"] == "gd.result/1"


def test_the_command_on_the_page_gives_the_same_answer(page: tuple[str, Path, str]) -> None:
    _, file, shown = page
    command = re.search(r'<pre id="command">(.*?)</pre>', file.read_text(encoding="utf-8"))
    assert command is not None
    words = shlex.split(html.unescape(command[1]))
    assert words[0] == "gd"
    assert gd(*words[1:]).stdout.split() == shown.split()


def test_the_policy_lets_run_what_the_page_has_and_nothing_else(page: tuple[str, Path, str]) -> None:
    text = page[1].read_text(encoding="utf-8")
    policy = next(a["content"] for tag, a in elements(text).found if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert [html_page._digest(script) in policy for script in scripts] == [True] * len(scripts)


def test_a_stored_answer_becomes_a_page(tmp_path: Path) -> None:
    stored, file = tmp_path / "answer.jsonl", tmp_path / "page.html"
    gd("minimize", "x**2 + y**4 + z**2", "--start", "1,2,3", "--output", str(stored))
    done = gd("show", str(stored), "--report", str(file))
    assert done.returncode == 0, done.stderr
    text = file.read_text(encoding="utf-8")
    assert [r["type"] for r in record_of(text)][-1] == "result"
    assert 'id="scene"' in text  # the path was stored, so there is a picture
    assert gd("show", str(file)).stdout == gd("show", str(stored)).stdout


HOSTILE = [
    "</script><script>alert(1)</script>",
    '" onload="alert(1)',
    "<img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066",
    "javascript:\u2028alert(1)\u2029//",
    "<!--<script>",
]


def test_names_and_cells_are_only_text(tmp_path: Path) -> None:
    data, file = tmp_path / "data.csv", tmp_path / "page.html"
    lines = ["place,t,y"]
    for k, cell in enumerate(HOSTILE):
        quoted = cell.replace('"', '""')
        lines += [f'"{quoted}",{t},{t * k + 1}' for t in range(4)]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = gd("fit", "y ~ a + b*t", str(data), "--by", "place", "--report", str(file))
    assert done.returncode == 0, done.stderr
    text = file.read_text(encoding="utf-8")
    found = elements(text)
    assert not [attrs for _, attrs in found.found if any(name.startswith("on") for name in attrs)]
    assert [tag for tag, _ in found.found].count("script") == text.count("<script")
    assert not {"img", "iframe", "object", "form"} & {tag for tag, _ in found.found}
    assert "\u202e" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "\u2028" not in text
    assert {cell for r in record_of(text) for cell in r["group"].values()} == set(HOSTILE)  # type: ignore[attr-defined]


def test_a_stream_of_answers_has_no_page() -> None:
    done = gd("run", "examples.toml", "--format", "jsonl", "--report", "page.html")
    assert (done.returncode, "gd show answers.jsonl --report" in done.stderr) == (2, True)
    assert not Path("page.html").exists()


def test_a_name_that_is_no_page_is_told() -> None:
    done = gd("minimize", "x**2", "--start", "1", "--report", "page.pdf")
    assert (done.returncode, "ends in .html" in done.stderr) == (2, True)


def test_every_status_is_explained() -> None:
    shown = {s.value for s in Status} - {
        "error",
        "usage",
        "data",
        "domain",
        "disagreement",
        "interrupted",
        "terminated",
    }
    assert shown <= set(STATUSES)
