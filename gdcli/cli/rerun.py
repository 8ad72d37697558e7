"""`gd rerun` and `gd diff`: an answer repeated, and two answers side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any, TextIO

from gdcli import __version__
from gdcli.cli import stored
from gdcli.cli.commands import COMMANDS
from gdcli.cli.options import OWN_GROUPS
from gdcli.cli.stored import Record, Stored
from gdcli.errors import DataError
from gdcli.report.page import LABEL

DIFFERENT = 9
# Where versions or machines differ: relative, and for what is near 0 absolute.
TOLERANCE = 1e-6


def run(values: dict[str, Any]) -> int:
    """Run ``gd rerun``: solve again what a receipt says; 0 if the answer is the same, 9 if not."""
    from gdcli.cli.destination import Destination

    first = stored.read(values["file"])
    told = _changed_data(first)
    with Destination(values["output"]) as stream:
        second = Stored("now", (), _repeated(first))
        same_bits = _same_ground(first, second)
        differences = [*told, *_differences(first.result, second.result, 0.0 if same_bits else TOLERANCE)]
        how = "same bits" if same_bits else f"within {TOLERANCE:g}, for {_ground(first, second)}"
        if not differences:
            _say(stream, "same", f"the answer is the same ({how})")
            return 0
        _say(stream, "different", f"the answer is not the same ({how})")
        for label, text in differences:
            _say(stream, label, text)
    return DIFFERENT


def _changed_data(first: Stored) -> list[tuple[str, str]]:
    """What is known to have changed in the data. Raises DataError where they came through a pipe."""
    from gdcli.data.digest import digest

    found = []
    for path, before in (first.receipt.get("data") or {}).items():
        if before is None:
            raise DataError(
                f"{path} was read from a pipe and cannot be read again", "give the data as a file"
            )
        now = digest(path)
        if now is None:
            raise DataError(f"the data {path} are not there any more")
        if now != before:
            found.append(("data", f"{path} has changed"))
    return found


def arguments(first: Stored) -> list[str]:
    """Return the command line that repeats an answer."""
    receipt, problem = first.receipt, first.result["problem"]
    words = [str(receipt.get("command"))]
    options = dict(receipt["options"])
    known = {o.name[2:] for o in COMMANDS[words[0]].options if o.group not in OWN_GROUPS}
    for name in options:
        if name not in known:
            raise DataError(f"{first.name}: a receipt has no option {name}")
    if problem["expression"].startswith("@") or problem["expression"] == "-":
        raise DataError(f"{first.name}: '{problem['expression'][:40]}' is no expression")
    if "start" not in options:
        words.append(f"--start={_assignments(problem['start'])}")
    if problem.get("constants"):
        words.append(f"--set={_assignments(problem['constants'])}")
    for name, text in options.items():
        texts = text if isinstance(text, list) else [text]
        words += [
            f"--{name}" if one in (True, "true") else f"--{name}={one}" for one in texts if one != "false"
        ]
    form = "jsonl" if "by" in options else "json"
    return [*words, f"--format={form}", "--", problem["expression"], *(receipt.get("data") or {})]


def _assignments(values: Mapping[str, Any]) -> str:
    return ",".join(
        f"{name}=[{','.join(map(repr, v))}]" if isinstance(v, list) else f"{name}={v!r}"
        for name, v in values.items()
    )


def _repeated(first: Stored) -> Record:
    """Return the result of the same command line now. Raises DataError where that is an error."""
    import json

    from gdcli.cli.app import run as run_gd

    command = first.receipt.get("command")
    if command not in ("minimize", "maximize", "fit"):
        raise DataError(f"{first.name}: a receipt of '{command}' cannot be repeated")
    with _captured() as out:
        run_gd(arguments(first))
    found: list[Record] = [{}]
    if "group" in first.result:  # all groups are fitted again, one of them was meant
        lines = map(json.loads, out.getvalue().splitlines())
        found = [record for record in lines if record.get("group", None) in (first.result["group"], None)]
        if not found:
            raise DataError(f"{first.name} cannot be repeated: the data have no such group any more")
    elif out.getvalue():
        found = [json.loads(out.getvalue())]
    result = found[-1]
    if result.get("type") != "result":
        raise DataError(f"{first.name} cannot be repeated: {result.get('message', 'no answer')}")
    return result


@contextmanager
def _captured() -> Iterator[StringIO]:
    """Standard output and standard error, kept from the terminal."""
    before, out = (sys.stdout, sys.stderr), StringIO()
    sys.stdout, sys.stderr = out, StringIO()
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = before


def _ground(first: Stored, second: Stored) -> str:
    """What decides over bits and differs, in words."""
    parts = []
    for what in ("python", "numpy", "machine"):
        a, b = first.receipt.get(what), second.receipt.get(what)
        if a != b:
            parts.append(f"{what} {a} then, {b} now")
    if first.result.get("version") != __version__:
        parts.append(f"gd {first.result.get('version')} then, {__version__} now")
    return ", ".join(parts)


def _same_ground(first: Stored, second: Stored) -> bool:
    return not _ground(first, second)


def _say(stream: TextIO, label: str, text: str) -> None:
    from gdcli.report.faults import harmless

    stream.write(f"{label:<{LABEL}}{harmless(text)}\n")


# -- two answers -----------------------------------------------------------------------------------------------------


def diff(values: dict[str, Any]) -> int:
    """Run ``gd diff``: what was asked differently, where the runs part, how they ended; 9 if anything differs."""
    from gdcli.cli.destination import Destination

    first, second = stored.read(values["file"]), stored.read(values["other"])
    with Destination(values["output"]) as stream:
        parts = [*_asked(first, second), *_parting(first, second)]
        ends = _differences(first.result, second.result, 0.0)
        for label, text in [*parts, *ends]:
            _say(stream, label, text)
        if not parts and not ends:
            _say(stream, "same", "the same question, the same answer")
            return 0
        if not ends:
            _say(stream, "same", "the answer is the same")
    return DIFFERENT


def _asked(first: Stored, second: Stored) -> list[tuple[str, str]]:
    """The options that differ, and all else that was asked."""
    found = []
    a, b = _question(first), _question(second)
    for key in dict.fromkeys((*a, *b)):
        if a.get(key) != b.get(key):
            found.append((key, f"{_shown(a.get(key))} | {_shown(b.get(key))}"))
    return found


def _question(one: Stored) -> Record:
    result = one.result
    asked = dict(result["problem"]) | {"method": result.get("method"), "gradient": result.get("gradient")}
    receipt = result.get("receipt") or {}
    asked |= {f"--{name}": text for name, text in receipt.get("options", {}).items() if name not in asked}
    asked |= {"seed": result.get("seed"), "version": result.get("version")}
    return asked | {key: receipt.get(key) for key in ("python", "numpy", "machine", "data") if key in receipt}


def _shown(value: Any) -> str:
    from gdcli.report.faults import shorten

    if value is None:
        return "-"
    return shorten(value if isinstance(value, str) else repr(value), 60)


def _parting(first: Stored, second: Stored) -> list[tuple[str, str]]:
    """The first iteration at which two traces part; nothing where one is not there."""
    if not first.path or not second.path:
        return []
    theirs = {it.get("iteration"): it for it in second.path}
    common = [(it, theirs[it.get("iteration")]) for it in first.path if it.get("iteration") in theirs]
    for a, b in common:
        for key in ("point", "value", "step"):
            if a.get(key) != b.get(key):
                where = f"at iteration {a['iteration']}: {key} {_shown(a.get(key))} | {_shown(b.get(key))}"
                return [("paths part", where)]
    one, other = (int(path[-1].get("iteration", 0)) for path in (first.path, second.path))
    if one != other:
        return [
            ("paths", f"are the same up to iteration {min(one, other)}; one ends at {one}, one at {other}")
        ]
    return []


_ENDS = ("status", "reason", "value", "iterations", "evaluations")


def _differences(first: Record, second: Record, tolerance: float) -> list[tuple[str, str]]:
    """What differs at the ends. With a ``tolerance`` the ways there may differ, and numbers by so much."""
    found = []
    keys = ("status", "value") if tolerance else _ENDS
    pairs = [(key, first.get(key), second.get(key)) for key in keys]
    names = dict.fromkeys((*first["point"], *second["point"]))
    pairs += [(name, first["point"].get(name), second["point"].get(name)) for name in names]
    for name, a, b in pairs:
        if not _agree(a, b, tolerance):
            off = f" (off by {abs(a - b):.2g})" if isinstance(a, float) and isinstance(b, float) else ""
            found.append((name, f"{_shown(a)} | {_shown(b)}{off}"))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _agree(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_agree(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if tolerance and _is_number(a) and _is_number(b):
        return bool(abs(a - b) <= tolerance * max(1.0, abs(a), abs(b)))
    return bool(a == b)
