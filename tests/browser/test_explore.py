"""The page of ``gd explore`` in a browser: what is moved moves the numbers, and the terminal takes the same steps."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from .conftest import Open, gd

ROSENBROCK = ["100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"]


@pytest.fixture(scope="session")
def rosenbrock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("explore") / "rosenbrock.html"
    gd("explore", *ROSENBROCK, "--output", str(file))
    return file


def table(page: Any) -> list[list[float]]:
    rows = page.locator("#iterates tbody tr").all_inner_texts()
    return [[float(cell) for cell in row.replace("−", "-").split("\t")] for row in rows]


def settled(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("() => !document.documentElement.dataset.judging")
    page.wait_for_timeout(120)  # charts and table may lag behind


def set_value(page: Any, name: str, value: object) -> None:
    page.locator(f"#{name}").evaluate(
        "(box, value) => { box.value = value; box.dispatchEvent(new Event('input', { bubbles: true })); }",
        str(value),
    )
    settled(page)


def iterates(command: str) -> list[list[float]]:
    """The rows that the copied command gives: iteration, value, gradient norm, point."""
    words = shlex.split(command)
    assert words[0] == "gd"
    out = gd(*words[1:], "--format", "jsonl", codes=(0, 3, 4, 5))
    found = []
    for record in map(json.loads, out.splitlines()):
        if record["type"] == "iterate":
            numbers = [
                v for part in record["point"].values() for v in (part if isinstance(part, list) else [part])
            ]
            found.append(
                [
                    record.get("iteration", record.get("epoch")),
                    record.get("value", record.get("mean_loss")),
                    record.get("gradient_norm"),
                    *numbers,
                ]
            )
    return found


@pytest.mark.parametrize("method", ["gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "batch"])
@pytest.mark.parametrize("maximize", [False, True])
def test_the_copied_command_takes_the_same_steps(
    opened: Open, tmp_path: Path, method: str, maximize: bool
) -> None:
    expression = (
        "exp(-x**2)*cos(y) - x**2/9 - y**2/3" if maximize else "x**2 + 3*y**2 + sin(x*y) + abs(x)**1.5/4"
    )
    file = tmp_path / "page.html"
    gd("explore", expression, "--start", "x=1.5,y=-0.75", "--output", str(file), *["--maximize"] * maximize)
    page = opened(file, hash=f"#method={method}&lr=0.03&steps=40&start=1.5,-0.75")
    settled(page)
    there = iterates(page.locator("#command").inner_text())
    here = table(page)
    assert len(here) == len(there) > 3
    for one, other in zip(here, there, strict=True):
        assert one[0] == other[0]
        assert one[1] == pytest.approx(other[1], rel=2e-9, abs=1e-12)
        assert one[3:] == pytest.approx(other[3:], abs=1e-7)


def test_a_vector_within_bounds_takes_the_same_steps(opened: Open, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    words = [
        "sum((v-c)**2) + v[0]*v[1]",
        "--set",
        "c=[1,2,-3]",
        "--start",
        "v=[0,1,5]",
        "--bounds",
        "v=-1:1.5",
    ]
    gd("explore", *words, "--output", str(file))
    page = opened(file, hash="#lr=0.1&steps=20")
    there = iterates(page.locator("#command").inner_text())
    for one, other in zip(table(page), there, strict=True):
        assert one[3:] == pytest.approx(other[3:], abs=1e-7)
    page.locator("#across").select_option("2")
    page.locator("#others").select_option("following")
    settled(page)
    assert "axes=2%2C1" in page.evaluate("() => new Promise((d) => setTimeout(() => d(location.hash), 300))")


def test_what_is_moved_moves_the_drawing_and_the_numbers(opened: Open, rosenbrock: Path) -> None:
    page = opened(rosenbrock)
    canvas = page.locator("#plane canvas")
    before, box = canvas.screenshot(), canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.3)
    settled(page)
    start = page.locator("#start").input_value()
    assert start != "1, -1.2"
    set_value(page, "at", 0)
    assert table(page)[0][3:] == pytest.approx([float(v) for v in start.split(",")], abs=1e-6)
    assert canvas.screenshot() != before
    page.locator("#end").click()
    shown = page.locator("#facts").inner_text()
    set_value(page, "rate", 600)
    assert page.locator("#facts").inner_text() != shown
    page.locator("#back").click()
    page.locator("#back").click()
    page.locator("#step").click()
    last = int(page.locator("#at").get_attribute("max"))
    assert f"{last - 1} of {last}" in page.locator("#facts").inner_text()
    set_value(page, "at", 0)
    page.locator("#play").click()
    page.wait_for_function("() => Number(document.getElementById('at').value) > 2")
    page.locator("#play").click()


def test_the_start_is_dragged(opened: Open, rosenbrock: Path) -> None:
    page = opened(rosenbrock)
    box = page.locator("#plane canvas").bounding_box()
    here, there = (box["x"] + 300, box["y"] + 200), (box["x"] + 360, box["y"] + 150)
    page.mouse.click(*here)
    y, x = (float(v) for v in page.locator("#start").input_value().split(","))
    page.mouse.down()
    page.mouse.move(*there, steps=5)
    page.mouse.up()
    higher, righter = (float(v) for v in page.locator("#start").input_value().split(","))
    assert higher > y
    assert righter > x
    page.locator("#plane canvas").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    lower, lefter = (float(v) for v in page.locator("#start").input_value().split(","))
    assert y < lower < higher
    assert x < lefter < righter
    before = page.locator("#plane canvas").screenshot()
    page.keyboard.press("+")
    settled(page)
    assert page.locator("#plane canvas").screenshot() != before


def test_runs_stand_side_by_side_and_go_away_again(opened: Open, rosenbrock: Path) -> None:
    page = opened(rosenbrock)
    page.locator("#keep-run").click()
    page.locator("#method").select_option("adam")
    assert page.locator("#runs li").count() == 2
    page.wait_for_function("() => location.hash.includes('kept=') && location.hash.includes('adam')")
    link = page.evaluate("() => location.hash")
    again = opened(rosenbrock, hash=link)
    assert again.locator("#runs li").all_inner_texts() == page.locator("#runs li").all_inner_texts()
    page.locator("#runs button").click()
    assert page.locator("#runs li").count() == 1


def test_noise_comes_from_the_seed(opened: Open, rosenbrock: Path) -> None:
    page = opened(rosenbrock, hash="#lr=0.0005&noise=5&seed=3&steps=30")
    first = table(page)
    set_value(page, "seed", 4)
    assert table(page) != first
    set_value(page, "seed", 3)
    assert table(page) == first


@pytest.mark.parametrize(
    ("expression", "start", "lrs"),
    [
        ("x**2 + 10*y**2", "x=-9,y=1.5", (1, 0.11, 0.1, 0.0909, 0.01, 0.001)),
        ("100*(y-x**2)**2 + (1-x)**2", "x=-1.2,y=1", (0.01, 0.002, 0.0005, 0.0001)),
        ("x**4 - 3*x**2 + x", "x=2", (0.5, 0.08, 0.02, 0.001, 0.00001)),
        ("log(1+exp(-3*x)) + x**2/50", "x=-4", (40, 5, 1, 0.1, 0.001)),
    ],
)
def test_the_verdict_is_that_of_compare_lr(
    opened: Open, tmp_path: Path, expression: str, start: str, lrs: tuple[float, ...]
) -> None:
    file = tmp_path / "page.html"
    gd("explore", expression, "--start", start, "--output", str(file))
    said = json.loads(
        gd(
            *("compare-lr", expression, "--start", start, "--steps", "5000"),
            *("--lr", ",".join(map(str, lrs)), "--format", "json"),
        )
    )
    page = opened(file)
    for rate in said["rates"]:
        set_value(page, "lr", rate["lr"])
        assert page.locator("#verdict strong").inner_text() == rate["verdict"], rate["lr"]


def test_rows_and_their_batches(opened: Open) -> None:
    file = Path("explore-rows.html")
    try:
        gd("explore", "y ~ a*x + b", "docs/line.csv", "--output", str(file))
        page = opened(file, hash="#lr=0.3&steps=8&batch=40")
        command = page.locator("#command").inner_text()
        assert "--batch-size 40" in command
        assert "rows of this step" in page.locator("#rows").inner_text()
        set_value(page, "at", 0)
        assert "rows of this step" not in page.locator("#rows").inner_text()
        here = table(page)
        there = iterates(command.replace("--epochs 2", "--epochs 1"))
        assert here[5][3:] == pytest.approx(there[1][3:], abs=1e-7)
        set_value(page, "batch", 200)
        page.locator("#end").click()
        there = iterates(page.locator("#command").inner_text())
        for one, other in zip(table(page), there, strict=True):
            assert one[3:] == pytest.approx(other[3:], abs=1e-7)
    finally:
        file.unlink(missing_ok=True)


def test_constraints_are_shaded_and_one_variable_has_its_curve(opened: Open, tmp_path: Path) -> None:
    shots = []
    for more in ([], ["--subject-to", "x + y <= 2"]):
        file = tmp_path / "page.html"
        gd("explore", "(x-2)**2 + 3*(y-1)**2", "--start", "x=0,y=0", *more, "--output", str(file))
        shots.append(opened(file, hash="#lr=0.1").locator("#plane canvas").screenshot())
    assert shots[0] != shots[1]
    gd("explore", "x**4 - 3*x**2 + x", "--start", "x=2", "--output", str(file))
    page = opened(file)
    assert "second derivative" in page.locator("#facts").inner_text()
    forward = page.locator("#quotient").inner_text()
    set_value(page, "h", -14)
    assert page.locator("#quotient").inner_text() != forward


def test_keys_play_and_step(opened: Open, rosenbrock: Path) -> None:
    page = opened(rosenbrock, hash="#steps=50&k=10")
    page.locator("h1").click()
    page.keyboard.press(".")
    assert page.locator("#at").input_value() == "11"
    page.keyboard.press(",")
    page.keyboard.press(",")
    assert page.locator("#at").input_value() == "9"
    page.keyboard.press(" ")
    assert page.locator("#play").inner_text() == "pause"
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-pressed") == "false"


def test_hostile_texts_stay_texts(opened: Open, tmp_path: Path) -> None:
    hostile, file = tmp_path / "<img src=x onerror=alert(1)>\" onload=alert(2) '.csv", tmp_path / "page.html"
    hostile.write_text("x,y\n1,2\n2,3\n3,5\n")
    gd("explore", "y ~ a*x + b", str(hostile), "--output", str(file))
    link = '#kept=[{"method":"</script><script>alert(1)</script>"}]&method=<img src=x onerror=alert(1)>&start=NaN,1e999'
    page = opened(file, hash=link)
    assert "iteration" in page.locator("#facts").inner_text()
    assert page.locator("img").count() == 0
    assert hostile.name[:9] in page.locator("#command").inner_text()
