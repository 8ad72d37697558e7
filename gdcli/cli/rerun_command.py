"""`gd rerun`: a stored answer repeated, and held against what was stored."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, TextIO

from gdcli import __version__
from gdcli.cli import diff_command, record_file
from gdcli.cli.app import run as run_gd
from gdcli.cli.commands import COMMANDS, FileOptions
from gdcli.cli.environment import Environment
from gdcli.cli.options import OWN_GROUPS
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Record, Stored
from gdcli.kernel.errors import DataError, harmless
from gdcli.render.page import LABEL

# Where versions, machines or kernels differ: relative, and for what is near 0 absolute.
TOLERANCE = 1e-6
# The one comparison that can be repeated.
_MODELS = "compare-models"


def run(options: FileOptions, env: Environment) -> int:
    """Run ``gd rerun``: solve again what a receipt says; 0 if the answer is the same, 9 if not."""
    first = _stored(options.file, env)
    told = changed_data(first)
    with Destination(options.output, env.stdout) as stream:
        second = Stored("now", (), _repeated(first, env))
        same_bits = _same_ground(first, second)
        tolerance = 0.0 if same_bits else TOLERANCE
        found = diff_command.ends_of(_ends(first.result), _ends(second.result), tolerance)
        within = f"within {TOLERANCE:g}; not known to give the same bits: {_ground(first, second)}"
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
            diff_command.write([diff_command.side_by_side("answer", ("then", "now"), found, stream)], stream)
    return diff_command.DIFFERENT


def _stored(path: str, env: Environment) -> Stored:
    name, records = record_file.all_of(path, env)
    compared = [record for record in records if record.get("type") == _MODELS]
    return Stored(name, (), compared[0]) if len(compared) == 1 else record_file.one_result(name, records)


def _ends(result: Record) -> Record:
    """What is held against what was stored: of models compared the point of each, and which is best."""
    if result["type"] != _MODELS:
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


def arguments(first: Stored) -> list[str]:
    receipt = first.receipt
    words = [str(receipt.get("command"))]
    options = dict(receipt["options"])
    places = [place for place, _ in first.data.values()]
    known = {o.name[2:] for o in COMMANDS[words[0]].options if o.group not in OWN_GROUPS}
    for name in options:
        if name not in known:
            raise DataError(f"{first.name}: a receipt has no option {name}")
    if words[0] == _MODELS:
        options["model"] = [one["problem"]["expression"] for one in first.result["models"]]
        words += options_of(options)
        return [*words, "--format=json", "--", *places]
    problem = first.result["problem"]
    if problem["expression"].startswith("@") or problem["expression"] == "-":
        raise DataError(f"{first.name}: '{problem['expression'][:40]}' is no expression")
    if "start" not in options:
        words.append(f"--start={assignments(problem['start'] | problem.get('own_start', {}))}")
    if problem.get("constants"):
        words.append(f"--set={assignments(problem['constants'])}")
    words += [word for name, text in options.items() for word in _words(name, text)]
    form = "jsonl" if "by" in options and "share" not in options else "json"
    return [*words, f"--format={form}", "--", problem["expression"], *places]


def options_of(options: Mapping[str, Any]) -> list[str]:
    return [word for name, text in options.items() for word in _words(name, text)]


def _words(name: str, text: str | bool | list[str]) -> list[str]:
    texts = text if isinstance(text, list) else [text]
    return [f"--{name}" if one in (True, "true") else f"--{name}={one}" for one in texts if one != "false"]


def assignments(values: Mapping[str, Any]) -> str:
    return ",".join(
        f"{name}=[{','.join(map(repr, v))}]" if isinstance(v, list) else f"{name}={v!r}"
        for name, v in values.items()
    )


def _repeated(first: Stored, env: Environment) -> Record:
    """Return the result of the same command line now. Raises DataError where that is an error."""
    import json

    command = first.receipt.get("command")
    if command not in ("minimize", "maximize", "fit", _MODELS):
        raise DataError(f"{first.name}: a receipt of '{command}' cannot be repeated")
    out = StringIO()
    run_gd(arguments(first), env.captured(out))
    found: list[Record] = [{}]
    if "group" in first.result:  # all groups are fitted again, one of them was meant
        lines = map(json.loads, out.getvalue().splitlines())
        found = [record for record in lines if record.get("group", None) in (first.result["group"], None)]
        if not found:
            raise DataError(f"{first.name} cannot be repeated: the data have no such group any more")
    elif out.getvalue():
        found = [json.loads(out.getvalue())]
    result = found[-1]
    if result.get("type") not in ("result", _MODELS):
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


def _deciding(one: Stored) -> Record:
    found = {what: one.receipt.get(what) for what in ("python", "numpy", "machine")}
    kernels = one.receipt.get("kernels")
    return found | {f"kernels of {k}": v for k, v in (kernels if isinstance(kernels, dict) else {}).items()}


def _same_ground(first: Stored, second: Stored) -> bool:
    return not _ground(first, second)


def _say(stream: TextIO, label: str, text: str) -> None:
    stream.write(f"{label:<{LABEL}}{harmless(text)}\n")
