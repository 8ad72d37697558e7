"""Stored answers: results and traces as `gd` wrote them, read back.

A file is one JSON object (``--format json``), or many: lines (``jsonl``: the points of the path, then the result), or
answers put one after the other. What is no result of `gd` is refused with the reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, UsageError, did_you_mean_file

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture

Record = dict[str, Any]
SCHEMA = "gd.result/1"
_ARCHIVE = b"PK\x03\x04"


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

    @property
    def folder(self) -> str:
        """The folder that it came from; empty for the present one, and for standard input."""
        return os.path.dirname(self.name)

    @property
    def data(self) -> dict[str, tuple[str, str | None]]:
        """Each file of data as it was named, with its place now and its digest then (None: it was no file).

        A file that is not found from the present folder is looked for from that of the answer.
        """
        named: Mapping[str, str | None] = self.receipt.get("data") or {}
        return {path: (self._place(path), digest) for path, digest in named.items()}

    def _place(self, path: str) -> str:
        beside = os.path.join(self.folder, path)
        return beside if not os.path.exists(path) and os.path.exists(beside) else path


_WRITTEN = "it must be what gd --format json or jsonl wrote"


def read(path: str, env: Environment, roots: bool = False) -> Stored:
    """Return the answer stored in a file, ``-`` for standard input; with ``roots`` also that of `gd solve`.

    Raises UsageError for a file that cannot be read, DataError for one that holds no result of `gd`.
    """
    name, records = all_of(path, env)
    if (
        roots
        and len(records) == 1
        and (records[0].get("type"), records[0].get("schema")) == ("roots", SCHEMA)
    ):
        return Stored(name, (), records[0])
    return one_result(name, records)


def all_of(path: str, env: Environment) -> tuple[str, list[Record]]:
    """Return what a file is called and all its records. Raises as `read`."""
    name = "standard input" if path == "-" else path
    return name, _records(_text(path, name, env), name)


def one_result(name: str, records: Sequence[Record]) -> Stored:
    """Return the one result among records, with the points of its path. Raises DataError where there is not one."""
    results = [record for record in records if record.get("type") == "result"]
    if not results:
        raise no_result(name, records)
    if len(results) > 1:
        raise DataError(f"{name} holds {len(results)} results", "one at a time: head -n 1 takes the first")
    result = results[0]
    schema = result.get("schema")
    if schema != SCHEMA and isinstance(schema, str):
        told = f"{name} holds no result of gd that this version reads: its schema is {schema}, not {SCHEMA}"
        raise DataError(told, "make it anew with this version")
    if schema != SCHEMA or not _is_whole(result):
        raise DataError(f"{name} holds no result of gd", _WRITTEN)
    return Stored(name, tuple(r for r in records if r.get("type") == "iterate"), result)


def no_result(name: str, records: Sequence[Record]) -> DataError:
    kinds = sorted({str(record["type"]) for record in records if "type" in record})
    if kinds == ["iterate"]:
        hint = "its run was ended before it could write one, or --trace wrote it: --format jsonl has both"
        return DataError(f"{name} holds a path without its result", hint)
    what = f" ({', '.join(kinds)})" if kinds else " of gd" if records else ", it is empty"
    hint = _WRITTEN
    if any(record.get("schema") == SCHEMA and "type" in record for record in records):
        hint = "gd show shows it; gd rerun and gd diff are for answers of minimize, maximize and fit"
    return DataError(f"{name} holds no result{what}", hint)


@contextmanager
def whole(name: str) -> Iterator[None]:
    """Within it, what is missing in a record or of the wrong kind is a DataError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, UsageError) as fault:
        told = fault.message if isinstance(fault, UsageError) else repr(fault)
        hint = "another version of gd may have written it"
        raise DataError(f"{name} holds no whole result: {told}", hint) from None


def is_kept_run(path: str) -> bool:
    """Tell a checkpoint, which is an archive, from the texts that answers are."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_ARCHIVE)) == _ARCHIVE
    except (OSError, ValueError):
        return False


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


def _text(path: str, name: str, env: Environment) -> str:
    stdin = env.stdin if path == "-" else None
    if path == "-" and stdin is None:
        raise UsageError("standard input is closed")
    if is_kept_run(path):
        raise DataError(f"{name} is a run that is kept, and no answer", f"gd show {path} says how to go on")
    try:
        if stdin is not None:
            return _in_page(stdin.read().decode("utf-8-sig"))
        with open(path, encoding="utf-8-sig") as file:
            return _in_page(file.read())
    except UnicodeDecodeError:
        raise DataError(f"{name} is not text") from None
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or fault
        raise UsageError(f"cannot read {name}: {why}", did_you_mean_file(path)) from None


def _in_page(text: str) -> str:
    """Return the records of a text; of a page that --report wrote those within it."""
    if not text.startswith("<!doctype html>"):
        return text
    _, _, after = text.partition('<script type="application/json" id="record">')
    return after.partition("</script>")[0]


def _records(text: str, name: str) -> list[Record]:
    """The objects of a text, one after the other, each on a line or on many."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            record, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as fault:
            raise DataError(f"{name}:{fault.lineno}: not JSON: {fault.msg}", _WRITTEN) from None
        except (ValueError, RecursionError):
            line = text.count("\n", 0, at) + 1
            told = "nested too deeply, or a number with too many digits"
            raise DataError(f"{name}:{line}: not JSON: {told}", _WRITTEN) from None
        if not isinstance(record, dict):
            raise DataError(f"{name} holds no result of gd", _WRITTEN)
        found.append(record)
    return found


class StoredPage(NamedTuple):
    """What is shown of a stored answer: ``write`` writes the page in a format of pages.

    ``picture`` makes the picture, None where there is none because of what is ``missing``. ``path`` tells that there
    are points which --every can thin, ``planes`` that --plane is read, ``timed`` that the times of the run were stored.
    """

    write: Callable[[TextIO, Format], None]
    picture: Callable[[], Picture] | None = None
    missing: str = ""
    path: bool = False
    planes: bool = False
    timed: bool = False
