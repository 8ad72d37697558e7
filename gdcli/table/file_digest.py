"""Digests of data files, by which a later run can tell that they are the same."""

from __future__ import annotations

import hashlib
import os

_BLOCK = 1 << 20


def digest(path: str) -> str | None:
    """Return the SHA-256 of a file in hexadecimal digits, None for standard input, a pipe, or no file."""
    if path == "-" or not os.path.isfile(path):
        return None
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
    except OSError:
        return None
    return f"sha256:{found.hexdigest()}"
