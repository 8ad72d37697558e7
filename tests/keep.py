"""Kept outputs: whole answers in tests/kept, compared with what the program prints now.

Numbers count as equal to ten digits, or within one unit of the last digit printed; all else must be the same.
``python tests/keep.py`` runs the tests that use them, prints how each differs from what was kept, and keeps
the new ones. Nothing else changes them.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path

KEPT = Path(__file__).with_name("kept")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")
_MACHINE = re.compile(r'"(python|numpy|machine|kernels)": (?:"[^"]*"|\{[^}]*\})')
_RULE = re.compile(r"[─-]{4,}")


def same(kept: str, now: str, floor: float = 0.0) -> bool:
    """Return whether two texts agree: words exactly, numbers to ten digits; below ``floor`` all are equal.

    What is left of a fit at its minimum is the rounding of sums, which are added up differently on other machines.
    """
    if kept == now:
        return True
    kept, now = _RULE.sub("----", kept), _RULE.sub("----", now)  # its length follows the numbers
    if " ".join(_NUMBER.sub("#", kept).split()) != " ".join(_NUMBER.sub("#", now).split()):
        return False
    pairs = zip(_NUMBER.findall(kept), _NUMBER.findall(now), strict=True)
    return all(_close(first, second, floor) for first, second in pairs)


def _close(first: str, second: str, floor: float) -> bool:
    a, b = float(first), float(second)
    return max(abs(a), abs(b)) < floor or abs(a - b) <= max(
        1e-10 * max(abs(a), abs(b)), 1.01 * _unit(first), 1.01 * _unit(second)
    )


def _unit(number: str) -> float:
    """Return one unit of the last digit printed; none for a whole number, which is a count."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if decimals or exponent else 0.0


def masked(text: str) -> str:
    """Return a text without what a receipt says of this machine."""
    return _MACHINE.sub(lambda found: f'"{found[1]}": "..."', text)


def kept(name: str, now: str, floor: float = 0.0) -> None:
    """Assert that ``now`` is what was kept as ``name``; with GDCLI_KEEP=1 keep it and print the changes."""
    now = masked(now)
    file = KEPT / name
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if os.environ.get("GDCLI_KEEP") == "1":
        if not same(before, now, floor):
            KEPT.mkdir(exist_ok=True)
            file.write_text(now, encoding="utf-8")
            changes = difflib.unified_diff(
                before.splitlines(), now.splitlines(), f"kept/{name}", "now", lineterm=""
            )
            print("\n" + "\n".join(changes))
        return
    assert before, f"nothing is kept under {name}; python tests/keep.py keeps it"
    assert same(before, now, floor), "\n".join(difflib.ndiff(before.splitlines(), now.splitlines()))


if __name__ == "__main__":
    import subprocess

    os.environ["GDCLI_KEEP"] = "1"
    files = [
        f for f in Path(__file__).parent.rglob("test_*.py") if "keep import" in f.read_text(encoding="utf-8")
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-s", *map(str, sorted(files))]
    sys.exit(subprocess.call(command, cwd=Path(__file__).parent.parent))
