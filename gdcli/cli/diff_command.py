"""`gd diff` and `gd rerun`: a stored answer held against another, or against itself repeated now.

Side by side stand what was asked differently, where the paths part, and how they ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO, TypeGuard

from gdcli import __version__
from gdcli.cli import record_file
from gdcli.cli.app import run as run_gd
from gdcli.cli.commands import FileOptions
from gdcli.cli.environment import Environment
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import MODELS, Stored, arguments
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, columns_of, harmless
from gdcli.kernel.number_format import short
from gdcli.record.schema import Json
from gdcli.render.formats import glyphs_of, show, width_of
from gdcli.render.page import LABEL, Column, cut, fact, laid_out

if TYPE_CHECKING:
    from gdcli.cli.commands import PairOptions
    from gdcli.render.page import Line


DIFFERENT = 9
MOST_ELEMENTS = 8  # of a vector that are told one by one
_ENDS = ("status", "reason", "value", "iterations", "evaluations")
_PLACE = ("value", "gradient_norm", "step", "point")
_NARROWEST = 8  # columns of a cell


class Difference(NamedTuple):
    """Something by its name, as it is in one answer and in the other."""

    name: str
    left: object
    right: object


def run(options: PairOptions, env: Environment) -> int:
    """Run ``gd diff``; 9 if anything differs."""
    first, second = (record_file.read(name, env) for name in (options.file, options.other))
    names = _names(first.name, second.name)
    asked, (told, parted) = _asked(first, second), _parting(first, second)
    ends = ends_of(first.result, second.result)
    with Destination(options.output, env.stdout) as stream:
        parts = [side_by_side("asked", names, asked, stream)]
        if told:
            where = fact("paths part" if parted else "paths", told, _width(stream))
            parts.append(where + side_by_side(told.removeprefix("at "), names, parted, stream))
        parts.append(side_by_side("answer", names, ends, stream))
        if not ends:
            same = "the answer is the same" if asked or told else "the same question, the same answer"
            parts.append(fact("same", same, _width(stream)))
        write(parts, stream)
    return DIFFERENT if asked or told or ends else 0


def write(parts: Sequence[list[Line]], stream: TextIO) -> None:
    from gdcli.render.summary import apart

    show(apart(*parts), stream)


def _names(one: str, other: str) -> tuple[str, str]:
    """What the two files are called: without their folders where that tells them apart."""
    short = os.path.basename(one), os.path.basename(other)
    return (one, other) if short[0] == short[1] else short


def _width(stream: TextIO) -> int:
    return width_of(stream)


# -- what differs ----------------------------------------------------------------------------------------------------


def _asked(first: Stored, second: Stored) -> list[Difference]:
    a, b = _question(first), _question(second)
    return [d for key in dict.fromkeys((*a, *b)) for d in _apart(key, a.get(key), b.get(key), 0.0)]


def _question(one: Stored) -> Json:
    result = one.result
    asked = dict(result["problem"]) | {"method": result.get("method"), "gradient": result.get("gradient")}
    receipt = result.get("receipt") or {}
    options = receipt.get("options", {})
    asked |= {f"--{name}": text for name, text in options.items() if name.replace("-", "_") not in asked}
    asked |= {"seed": result.get("seed"), "version": result.get("version")}
    deciding = ("python", "numpy", "machine", "kernels", "data")
    return asked | {key: receipt[key] for key in deciding if key in receipt}


def _parting(first: Stored, second: Stored) -> tuple[str, list[Difference]]:
    """Where two traces part, and what is different there; nothing where one is not there."""
    if not first.path or not second.path:
        return "", []
    theirs = {it.get("iteration"): it for it in second.path}
    for one in first.path:
        other = theirs.get(one.get("iteration"))
        if other is None or not (found := _differences(one, other, _PLACE, 0.0)):
            continue
        return f"at iteration {one['iteration']}", found
    ends = [int(path[-1].get("iteration", 0)) for path in (first.path, second.path)]
    if ends[0] == ends[1]:
        return "", []
    return f"are the same up to iteration {min(ends)}; one ends at {ends[0]}, one at {ends[1]}", []


def ends_of(first: Json, second: Json, tolerance: float = 0.0) -> list[Difference]:
    """Return what differs at the ends. With a ``tolerance`` the ways there may differ, and numbers by so much."""
    return _differences(first, second, (*(("status", "value") if tolerance else _ENDS), "point"), tolerance)


def _differences(first: Json, second: Json, keys: Sequence[str], tolerance: float) -> list[Difference]:
    return [
        found
        for key in keys
        for found in _apart("" if key == "point" else key, first.get(key), second.get(key), tolerance)
    ]


def _apart(name: str, a: object, b: object, tolerance: float) -> Iterator[Difference]:
    """What differs between two values, entry by entry; of a vector the first elements and how many more."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*a, *b)):
            yield from _apart(f"{name} {key}".strip(), a.get(key), b.get(key), tolerance)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b) and all(map(_is_number, [*a, *b])):
        pairs = enumerate(zip(a, b, strict=True))
        found = [Difference(f"{name}[{i}]", x, y) for i, (x, y) in pairs if not _agree(x, y, tolerance)]
        yield from found[:MOST_ELEMENTS]
        if len(found) > MOST_ELEMENTS:
            yield Difference(f"{name}, and {len(found) - MOST_ELEMENTS} more", "", "")
    elif not _agree(a, b, tolerance):
        yield Difference(name, a, b)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _agree(a: object, b: object, tolerance: float) -> bool:
    if tolerance and _is_number(a) and _is_number(b):
        return bool(abs(a - b) <= tolerance * max(1.0, abs(a), abs(b)))
    return bool(a == b)


# -- as a table ------------------------------------------------------------------------------------------------------


def side_by_side(title: str, names: Sequence[str], found: Sequence[Difference], stream: TextIO) -> list[Line]:
    """Return the table of differences, ``names`` above the two sides; nothing where there are none."""
    if not found:
        return []
    width = _width(stream)
    labels = [harmless(one.name) for one in found]
    both = [(d.left, d.right) if _is_number(d.left) and _is_number(d.right) else None for d in found]
    numbers = [
        Column("difference", ["" if p is None else short(p[1] - p[0], 3) for p in both], spare=1),
        Column("ratio", ["" if p is None or not p[0] else short(p[1] / p[0], 4) for p in both], spare=2),
    ]
    numbers = numbers if any(both) else []
    first = min(max(map(columns_of, [title, *labels])), width // 3)
    room = (width - first - 4 - sum(c.width + 2 for c in numbers)) // 2
    room = max(_NARROWEST, room)
    cells = [_texts(d.left, d.right, room) for d in found]
    sides = [
        Column(cut(name, room, from_end=True), [pair[k] for pair in cells], left=not all(both))
        for k, name in enumerate(names)
    ]
    columns = [Column(title, [cut(label, first) for label in labels], left=True), *sides, *numbers]
    return laid_out(columns, width, glyphs_of(stream), all_in="a wider page")


def _texts(a: object, b: object, room: int) -> tuple[str, str]:
    """Two values in so many columns, of long texts what is around the first difference."""
    left, right = (harmless(_shown(value)) for value in (a, b))
    if left == right:  # numbers that differ in late digits
        left, right = repr(a), repr(b)
    if max(len(left), len(right)) > room:
        same = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), 0)
        begin = max(0, same - room // 3)
        left, right = (f"...{t[begin:]}" if begin else t for t in (left, right))
    return cut(left, room), cut(right, room)


def _shown(value: object) -> str:
    """A value as people write it; a list with commas between its parts."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return short(value, 10)
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())
    return str(value)


# -- gd rerun ---------------------------------------------------------------------------------------------------------


# Where versions, machines or kernels differ: relative, and for what is near 0 absolute.
TOLERANCE = 1e-6


def rerun(options: FileOptions, env: Environment) -> int:
    """Run ``gd rerun``: solve again what a receipt says; 0 if the answer is the same, 9 if not."""
    first = _stored_answer(options.file, env)
    told = changed_data(first)
    with Destination(options.output, env.stdout) as stream:
        second = Stored("now", (), _repeated(first, env))
        ground = _ground(first, second)
        same_bits, tolerance = not ground, TOLERANCE if ground else 0.0
        found = ends_of(_rerun_ends(first.result), _rerun_ends(second.result), tolerance)
        within = f"within {TOLERANCE:g}; not known to give the same bits: {ground}"
        if not found and not told:
            _say(stream, "same", f"the answer is the same ({'same bits' if same_bits else within})")
            return 0
        what = "answer is" if found else "data are"
        how = "bit by bit" if same_bits else within
        _say(stream, "different", f"the {what} not the same (compared {how})")
        for label, text in told:
            _say(stream, label, text)
        if found:
            stream.write("\n")
            write([side_by_side("answer", ("then", "now"), found, stream)], stream)
    return DIFFERENT


def _stored_answer(path: str, env: Environment) -> Stored:
    name, records = record_file.all_of(path, env)
    compared = [record for record in records if record.get("type") == MODELS]
    return Stored(name, (), compared[0]) if len(compared) == 1 else record_file.one_result(name, records)


def _rerun_ends(result: Json) -> Json:
    """What is held against what was stored: of models compared the point of each, and which is best."""
    if result["type"] != MODELS:
        return result
    models = list(enumerate(result["models"], 1))
    points = {f"{name} of model {k}": v for k, one in models for name, v in (one["point"] or {}).items()}
    return {
        "status": ", ".join(one["status"] for _, one in models),
        "value": result["best"],
        "point": points,
    }


def changed_data(first: Stored) -> list[tuple[str, str]]:
    """Return what is known to have changed in the data. Raises DataError where they came through a pipe."""
    from gdcli.table.source import digest

    found = []
    for path, (place, before) in first.data.items():
        if before is None:
            raise DataError(
                f"{path} was read from a pipe and cannot be read again", "give the data as a file"
            )
        now = digest(place)
        if now is None:
            raise DataError(f"the data {path} are not there any more, nor in {first.folder or 'this folder'}")
        if now != before:
            found.append(("data", f"{path} has changed"))
    return found


def _repeated(first: Stored, env: Environment) -> Json:
    """Return the result of the same command line now. Raises DataError where that is an error."""
    command = first.receipt.get("command")
    if command not in ("minimize", "maximize", "fit", MODELS):
        raise DataError(f"{first.name}: a receipt of '{command}' cannot be repeated")
    out = StringIO()
    run_gd(arguments(first), env.captured(out))
    found: list[Json] = [{}]
    if "group" in first.result:  # all groups are fitted again, one of them was meant
        lines = map(json.loads, out.getvalue().splitlines())
        found = [record for record in lines if record.get("group", None) in (first.result["group"], None)]
        if not found:
            raise DataError(f"{first.name} cannot be repeated: the data have no such group any more")
    elif out.getvalue():
        found = [json.loads(out.getvalue())]
    result = found[-1]
    if result.get("type") not in ("result", MODELS):
        raise DataError(f"{first.name} cannot be repeated: {result.get('message', 'no answer')}")
    return result


def _ground(first: Stored, second: Stored) -> str:
    """What decides over bits and differs, in words."""
    parts = []
    then, now = _deciding(first), _deciding(second)
    for what in dict.fromkeys((*then, *now)):
        a, b = then.get(what), now.get(what)
        if a != b:
            parts.append(f"{what} {a} then, {b} now")
    if first.result.get("version") != __version__:
        parts.append(f"gd {first.result.get('version')} then, {__version__} now")
    return ", ".join(parts)


def _deciding(one: Stored) -> Json:
    found = {what: one.receipt.get(what) for what in ("python", "numpy", "machine")}
    kernels = one.receipt.get("kernels")
    return found | {f"kernels of {k}": v for k, v in (kernels if isinstance(kernels, dict) else {}).items()}


def _say(stream: TextIO, label: str, text: str) -> None:
    stream.write(f"{label:<{LABEL}}{harmless(text)}\n")
