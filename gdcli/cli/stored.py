"""Stored answers: results and traces as `gd` wrote them, read back.

A file is one JSON object (``--format json``) or lines (``jsonl``: the points of the path, then the result). What is no
result of `gd` is refused with the reason.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

from gdcli.errors import DataError, UsageError

Record = dict[str, Any]


class Stored(NamedTuple):
    """A stored answer: where it came from, the points of the path (empty without a trace), the result."""

    name: str
    path: tuple[Record, ...]
    result: Record

    @property
    def receipt(self) -> Record:
        """Its receipt. Raises DataError where there is none."""
        found = self.result.get("receipt")
        if not isinstance(found, dict) or not isinstance(found.get("options"), dict):
            raise DataError(f"{self.name} has no receipt", "results of an earlier version cannot be repeated")
        return found


def read(path: str) -> Stored:
    """Return the answer stored in a file, ``-`` for standard input.

    Raises UsageError for a file that cannot be read, DataError for one that holds no result of `gd`.
    """
    name = "standard input" if path == "-" else path
    records = _records(_text(path, name), name)
    results = [record for record in records if record.get("type") == "result"]
    if not results:
        kinds = sorted({str(record.get("type")) for record in records})
        told = f"{name} holds no result" + (f" ({', '.join(kinds)})" if records else ", it is empty")
        raise DataError(told, "it must be what gd --format json or jsonl wrote")
    if len(results) > 1:
        raise DataError(f"{name} holds {len(results)} results", "one at a time: head -n 1 takes the first")
    result = results[0]
    if result.get("schema") != "gd.result/1" or not _is_whole(result):
        raise DataError(f"{name} holds no result of gd", "it must be what gd --format json or jsonl wrote")
    return Stored(name, tuple(r for r in records if r.get("type") == "iterate"), result)


def _is_whole(result: Record) -> bool:
    kinds: dict[str, type] = {"problem": dict, "point": dict, "certificate": dict, "evaluations": dict}
    kinds |= {"status": str, "reason": str, "message": str, "iterations": int, "warnings": list}
    problem = result.get("problem")
    return (
        all(isinstance(result.get(key), kind) for key, kind in kinds.items())
        and isinstance(problem, dict)
        and isinstance(problem.get("expression"), str)
        and isinstance(problem.get("start"), dict)
    )


def _text(path: str, name: str) -> str:
    if path == "-" and sys.stdin is None:
        raise UsageError("standard input is closed")
    try:
        if path == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError:
        raise DataError(f"{name} is not text") from None
    except (OSError, ValueError) as fault:
        raise UsageError(f"cannot read {name}: {getattr(fault, 'strerror', None) or fault}") from None


def _records(text: str, name: str) -> list[Record]:
    try:
        found = [json.loads(text)]
    except (ValueError, RecursionError):
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found += [json.loads(line)] if line.strip() else []
            except (ValueError, RecursionError) as fault:
                raise DataError(f"{name}:{number}: not JSON: {fault}") from None
    for record in found:
        if not isinstance(record, dict):
            raise DataError(
                f"{name} holds no result of gd", "it must be what gd --format json or jsonl wrote"
            )
    return found
