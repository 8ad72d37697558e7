"""How thorough the tests are; see `conftest`."""

import os
from collections.abc import Sequence
from typing import Any

WHOLE = os.environ.get("GDCLI_TESTS") == "whole"
# Pages are tried in a real browser, which takes minutes.
BROWSER = os.environ.get("GDCLI_TESTS") == "browser"
# By default random tests draw this part of their examples.
PART = 4
# A problem whose text is longer takes as long as all others together.
LONG = 2000


def examples(number: int) -> int:
    """Return how many of ``number`` examples a random test is to draw."""
    return number if WHOLE else max(1, number // PART)


def short(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the problems that a test of all of them is to take, by their text, ``expr``."""
    return [p for p in problems if WHOLE or len(p["expr"]) <= LONG]
