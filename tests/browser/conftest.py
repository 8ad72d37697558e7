"""Pages in a real browser: Playwright's Python package with Chromium, of the system or of its own.

They run with GDCLI_TESTS=browser, and are skipped where either is missing. Pages are opened from disk, offline.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import BROWSER

from gdcli.cli.app import run
from gdcli.cli.environment import Environment

Open = Callable[..., Any]


class Written(io.StringIO):
    encoding = "utf-8"


def gd(*words: str, codes: tuple[int, ...] = (0,)) -> str:
    out, err = Written(), Written()
    code = run(words, Environment(out, err, Written()))
    assert code in codes, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not BROWSER:
        pytest.skip("pages are tried in a browser with GDCLI_TESTS=browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with playwright.sync_playwright() as running:
        try:
            browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as why:
            pytest.skip(f"no browser starts: {str(why).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Open]:
    """Return what opens a file, offline; at the end no page may have complained or asked for anything else."""
    contexts, faults = [], list[str]()

    def open_page(file: Path, hash: str = "", **look: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "offline": True} | look)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}") or dialog.dismiss())
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((file.resolve().as_uri(), "blob:", "data:"))
                else faults.append(request.url)
            ),
        )
        page.goto(file.resolve().as_uri() + hash)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
