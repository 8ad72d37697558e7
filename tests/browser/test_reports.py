"""Pages of answers in a browser: they open offline without a complaint, tables sort, texts stay texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Open, gd

WORDS = {
    "minimize": ["minimize", "100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"],
    "constraints": ["minimize", "(x-2)**2 + y**2", "--start", "0,0", "--subject-to", "x + y <= 1"],
    "curve": ["minimize", "x**4 - 3*x**2 + x", "--start", "x=2"],
    "many": ["minimize", "sum(v**2)", "--start", "v=[1,2,3]"],
    "fit": ["fit", "y ~ a*exp(-b*t) + c", "docs/decay.csv", "--start", "a=1,b=1,c=0"],
    "groups": ["fit", "y ~ a + b*t", "docs/sites.csv", "--by", "site"],
    "compare-lr": ["compare-lr", "x**2 + 10*y**2", "--start=-9,1.5"],
    "compare-methods": ["compare-methods", "x**2 + 10*y**2", "--start=-9,1.5", "--method", "bfgs,newton"],
    "compare-batch": ["compare-batch", "y ~ a*x + b", "docs/line.csv", "--batch-size", "32,all"],
    "gradient": ["gradient", "exp(2*x)/(1+sin(x**2))", "--at", "x=0.5", "--errors"],
    "solve": ["solve", "x**2 == 2", "--bounds", "x=-9:9"],
    "run": ["run", "examples.toml"],
}
EXPLORED = {
    "plane": ["100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"],
    "line": ["x**4 - 3*x**2 + x", "--start", "x=2"],
    "space": ["sum(v**2) + v[0]*v[1]", "--start", "v=[1,2,3]"],
    "limits": ["(x-2)**2 + y**2", "--start", "0,0", "--subject-to", "x + y <= 1"],
    "rows": ["y ~ a*x + b", "docs/line.csv"],
}
LOOKS = {
    "wide light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "narrow dark": {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark"},
}


def made(kind: str, folder: Path) -> Path:
    file = folder / "page.html"
    if kind in EXPLORED:
        gd("explore", *EXPLORED[kind], "--output", str(file))
    else:
        gd(*WORDS[kind], "--report", str(file))
    return file


@pytest.mark.parametrize("kind", [*WORDS, *EXPLORED])
def test_every_page_is_open_to_everybody(opened: Open, tmp_path: Path, kind: str) -> None:
    """axe-core finds no violation of WCAG, levels A and AA, and nothing is wider than a small screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    file = made(kind, tmp_path)
    for look in LOOKS.values():
        page = opened(file, **look)
        page.wait_for_timeout(150)
        wanted = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
        found = axe.run(page, options=wanted)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def column(page: Any, heading: str, which: int) -> list[str]:
    cells = page.locator(f"section:has(h2:text-is('{heading}')) tbody tr:visible td:nth-child({which})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_tables_sort_by_number(opened: Open, tmp_path: Path) -> None:
    page = opened(made("compare-lr", tmp_path))
    head = page.locator("section:has(h2:text-is('Learning rates')) thead button").first
    head.click()
    rates = [float(text) for text in column(page, "Learning rates", 1)]
    assert rates == sorted(rates)
    head.click()
    assert column(page, "Learning rates", 1) == [f"{rate:g}" for rate in reversed(rates)]


def test_pictures_are_zoomed_and_tell_values(opened: Open, tmp_path: Path) -> None:
    page = opened(made("fit", tmp_path))
    pane = page.locator(".pane svg").first
    before = pane.inner_html()
    page.locator("[data-zoom='2']").click()
    page.wait_for_timeout(400)
    assert pane.inner_html() != before
    page.locator("[data-zoom='0']").click()
    box = pane.bounding_box()
    for k in range(10, 60):
        pane.hover(position={"x": box["width"] * k / 60, "y": box["height"] / 2})
        if page.locator(".tip:visible").count():
            break
    assert "t = " in page.locator(".tip:visible").inner_text()
    said = ""
    for k in range(300):
        pane.hover(position={"x": box["width"] * (70 + k) / 400, "y": box["height"] * (0.1 + k / 400)})
        said = page.locator(".tip").first.inner_text()
        if said.startswith("row "):
            break
    assert ".csv:" in said  # file and line of the row


def test_a_thousand_groups_are_filtered(opened: Open, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    lines = (
        f"{place} {k},{t},{t * k + t % 3}"
        for k in range(500)
        for place in ("north", "south")
        for t in range(4)
    )
    data.write_text("place,t,y\n" + "\n".join(lines) + "\n")
    file = tmp_path / "page.html"
    gd("fit", "y ~ a + b*t", str(data), "--by", "place", "--report", str(file))
    page = opened(file)
    assert len(column(page, "Groups", 1)) == 1000
    page.locator(".filter input").fill("north 499")
    assert column(page, "Groups", 1) == ["north 499"]
    assert page.locator(".filter output").inner_text() == "1 of 1000 rows"


def test_hostile_cells_run_nothing(opened: Open, tmp_path: Path) -> None:
    cells = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '" onload="alert(1)',
        "<!--<script>",
    ]
    data, file = tmp_path / "data.csv", tmp_path / "page.html"
    rows = [
        '"' + cell.replace('"', '""') + f'",{t},{t + k}' for k, cell in enumerate(cells) for t in range(4)
    ]
    data.write_text("place,t,y\n" + "\n".join(rows) + "\n")
    gd("fit", "y ~ a + b*t", str(data), "--by", "place", "--report", str(file))
    page = opened(file)
    assert [text[:9] for text in column(page, "Groups", 1)] == [cell[:9] for cell in cells]
    assert page.locator("img").count() == 0
