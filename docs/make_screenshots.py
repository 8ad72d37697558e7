"""Makes the pictures of pages in the README again: ``python docs/make_screenshots.py`` (Playwright and Chromium)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
KEPT = [
    {"method": method, "lr": lr, "keep": 0.9, "noise": 0, "seed": 0, "steps": 60, "start": [5, 1]}
    for method, lr in (("momentum", 0.01), ("adam", 0.4))
]
SHOTS = {
    "explore.png": ("valley.html", f"#lr=0.038&steps=60&k=60&kept={quote(json.dumps(KEPT))}"),
    "report.png": ("decay.html", ""),
}


def main() -> None:
    """Write both pictures beside this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (page_name, state) in SHOTS.items():
            page = browser.new_page(viewport={"width": 1100, "height": 760})
            page.goto((FOLDER / "gallery" / page_name).as_uri() + state)
            page.wait_for_timeout(600)
            page.screenshot(path=FOLDER / name)
        browser.close()


if __name__ == "__main__":
    main()
