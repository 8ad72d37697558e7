"""Pages in a browser: how soon one can be used after it is opened from disk, and what a step costs.

    python benchmarks/pages.py [rounds]

Needs Playwright's Python package and Chromium. A step moves the path on contours of 300 x 300 heights, with the charts,
the table and the numbers beside them; what it costs is the processor time of the page while it takes them, one a frame.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from measure import sizes, table

from gdcli.cli.app import run

METHODS = ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "newton", "batch")
VALLEY = ["100*(y-x**2)**2 + (1-x)**2", "--start", "x=-1.2,y=1"]
REPORTS = {
    "report of a minimum": ["minimize", *VALLEY],
    "report of a fit": ["fit", "y ~ a*exp(-b*t) + c", "docs/decay.csv", "--start", "a=1,b=1,c=0"],
    "report of rates": ["compare-lr", "x**2 + 10*y**2", "--start", "x=-9,y=1.5"],
}
STEP = """(count) => new Promise((done) => {
  const once = (left) => {
    document.getElementById("step").click();
    if (left > 1) requestAnimationFrame(() => once(left - 1));
    else done();
  };
  once(count);
})"""


def write(folder: Path, words: list[str]) -> Path:
    """Return the page that a command writes."""
    file = folder / "page.html"
    with redirect_stdout(StringIO()):
        run([*words, "--output" if words[0] == "explore" else "--report", str(file)])
    return file


def opened(browser: Any, file: Path, state: str = "") -> tuple[Any, Callable[[], float], float, float]:
    """Open a file; return the page, what tells its milliseconds of processor time so far, and those until it could be
    used: by the clock, and of the processor.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    session = page.context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")

    def spent() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return 1e3 * next(float(m["value"]) for m in found if m["name"] == "TaskDuration")

    page.goto(file.as_uri() + state)
    ready = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    return page, spent, float(page.evaluate(ready)), spent()


def main() -> None:
    """Measure and print the tables."""
    (rounds,) = sizes(15)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("Playwright is not installed")
    with sync_playwright() as playwright, TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        rows = []
        for what, words in {"explore": ["explore", *VALLEY], **REPORTS}.items():
            file = write(Path(name), words)
            clock, busy = [], []
            for _ in range(rounds):
                page, _, by_clock, by_processor = opened(browser, file)
                clock.append(by_clock)
                busy.append(by_processor)
                page.close()
            size = file.stat().st_size / 1000
            rows.append(
                [what, f"{size:.0f}", f"{median(clock):.0f}", f"{min(clock):.0f}", f"{median(busy):.0f}"]
            )
        print(table(["page", "kB", "ms to use, median", "least", "of the processor"], rows), end="\n\n")
        file, rows = write(Path(name), ["explore", *VALLEY]), []
        for method in METHODS:
            page, spent, _, _ = opened(browser, file, f"#method={method}&lr=0.0005&steps=300&k=0")
            page.wait_for_timeout(500)
            before, count = spent(), max(3, 10 * rounds)
            page.evaluate(STEP, count)
            rows.append([method, f"{(spent() - before) / count:.1f}"])
            page.close()
        print(table(["a step of", "ms of the processor"], rows))
        browser.close()


if __name__ == "__main__":
    main()
