"""How thorough the tests are; see `conftest`."""

import os

WHOLE = os.environ.get("GDCLI_TESTS") == "whole"
# By default random tests draw this part of their examples.
PART = 4


def examples(number: int) -> int:
    """Return how many of ``number`` examples a random test is to draw."""
    return number if WHOLE else max(1, number // PART)
