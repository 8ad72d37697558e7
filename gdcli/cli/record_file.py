"""Stored answers: results and traces as `gd` wrote them, read back, and the receipts in them.

A file is one JSON object (``--format json``), or many: lines (``jsonl``: the points of the path, then the result), or
answers put one after the other. What is no result of `gd` is refused with the reason.

A receipt is what is needed to repeat an answer. The problem, the method and the version of `gd` stand in every result;
the receipt adds the options as they were typed and what else decides over bits: Python, numpy, the machine and its
kernels, the digests of the data.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from gdcli.cli.commands import COMMANDS
from gdcli.cli.option_types import Options, options_of
from gdcli.cli.options import OWN_GROUPS, DataOptions, OutputOptions
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import DataError, UsageError, did_you_mean_file
from gdcli.record.runs import Receipt
from gdcli.record.schema import SCHEMA, Json, assignments
from gdcli.tasks.problem import Problem

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.record.runs import ProblemRecord
    from gdcli.record.schema import Record
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture


_ARCHIVE = b"PK\x03\x04"


class Stored(NamedTuple):
    """A stored answer: where it came from, the points of the path (empty without a trace), the result."""

    name: str
    path: tuple[Json, ...]
    result: Json

    @property
    def receipt(self) -> Json:
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


def all_of(path: str, env: Environment) -> tuple[str, list[Json]]:
    """Return what a file is called and all its records. Raises as `read`."""
    name = "standard input" if path == "-" else path
    return name, _records(_text(path, name, env), name)


def one_result(name: str, records: Sequence[Json]) -> Stored:
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


def no_result(name: str, records: Sequence[Json]) -> DataError:
    kinds = sorted({str(record["type"]) for record in records if "type" in record})
    if kinds == ["iterate"]:
        hint = "its run was ended before it could write one, or --trace wrote it: --format jsonl has both"
        return DataError(f"{name} holds a path without its result", hint)
    what = f" ({', '.join(kinds)})" if kinds else " of gd" if records else ", it is empty"
    hint = _WRITTEN
    if any(record.get("schema") == SCHEMA and "type" in record for record in records):
        hint = "gd show shows it; this command reads one answer of minimize, maximize or fit"
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


def _is_whole(result: Json) -> bool:
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


def _records(text: str, name: str) -> list[Json]:
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


# -- what was asked --------------------------------------------------------------------------------------------------


def problem_of(asked: ProblemRecord, seed: int) -> Problem:
    return Problem(
        asked.expression,
        asked.sense,
        asked.start,
        asked.constants,
        seed,
        asked.drawn,
        bounds=bounds_as_given(asked.bounds),
        fixed=asked.fixed,
        subject_to=tuple((text, "") for text in asked.subject_to),
        let=asked.let,
    )


def bounds_as_given(told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the bounds of a record as a problem has them: infinite where there is none."""
    return {
        name: (_ends(low, -math.inf), _ends(high, math.inf)) for name, (low, high) in (told or {}).items()
    }


def _ends(end: Any, none: float) -> Any:
    if isinstance(end, list | tuple):
        return [none if v is None else float(v) for v in end]
    return none if end is None else float(end)


# -- the command line that gives a stored answer again ----------------------------------------------------

# The one comparison that can be repeated.
MODELS = "compare-models"


def arguments(first: Stored) -> list[str]:
    receipt = first.receipt
    words = [str(receipt.get("command"))]
    options = dict(receipt["options"])
    data = first.data
    places = [data[path][0] for path in receipt.get("files", data)]
    known = {o.name[2:] for o in COMMANDS[words[0]].options if o.group not in OWN_GROUPS}
    for name in options:
        if name not in known:
            raise DataError(f"{first.name}: a receipt has no option {name}")
    if words[0] == MODELS:
        options["model"] = [one["problem"]["expression"] for one in first.result["models"]]
        words += option_words(options)
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


def option_words(options: Mapping[str, Any]) -> list[str]:
    return [word for name, text in options.items() for word in _words(name, text)]


def _words(name: str, text: str | bool | list[str]) -> list[str]:
    texts = text if isinstance(text, list) else [text]
    return [f"--{name}" if one in (True, "true") else f"--{name}={one}" for one in texts if one != "false"]


# -- receipts ---------------------------------------------------------------------------------------------------------


Answer = TypeVar("Answer", bound="Record")

# Up to this many variables plain floats are enough; above it numpy has its part in the bits.
_PLAIN = 32
# In the record of the problem as numbers; what was typed may have named a file.
_IN_PROBLEM = ("start", "set")


def asked_of(options: Options, searched: bool = False) -> dict[str, Any]:
    """Return the options of the problem and its solution as they were typed, by long name.

    Of a start that was ``searched`` for also what was typed of it, and that it is to be searched for.
    """
    found: dict[str, Any] = {}
    for option in options_of(type(options)):
        text = options.typed[option.field]
        if text and option.group not in OWN_GROUPS and option.field not in _IN_PROBLEM:
            found[option.name[2:]] = text
    if searched:
        found["start"] = [*(text for text in options.typed["start"] or () if text != "auto"), "auto"]
    if options.command == "compare-models":  # each model has some of them
        found |= {name: options.typed[name] for name in _IN_PROBLEM if options.typed[name]}
    return found


def stamped(found: Answer, options: OutputOptions) -> Answer:
    whole: Any = found
    engine = getattr(found, "engine", None)  # a comparison has one for each of its runs
    searched = getattr(whole.problem, "search", None) is not None
    made: Answer = replace(whole, receipt=receipt_of(options, whole.problem.space.size, engine, searched))
    return made


def receipt_of(
    options: OutputOptions, size: int, engine: str | None = None, searched: bool = False
) -> Receipt | None:
    """Return the receipt of an answer with ``size`` variables by an ``engine``, None in formats that are not stored."""
    if not (options.written_as.is_record or options.report) or not options.typed:
        return None
    files = options.files if isinstance(options, DataOptions) else None
    return receipt(options.command, asked_of(options, searched), size, named_files(files), engine)


def receipt(
    command: str,
    options: Mapping[str, str | Sequence[str] | bool],
    size: int,
    files: Sequence[str],
    engine: str | None = None,
) -> Receipt:
    """Return the receipt of an answer of ``command`` with ``size`` variables from ``files`` of data.

    Over rows of data numpy has taken part, but for those that the ``engine`` python was enough for.
    """
    from gdcli.record.processor import MACHINE, PYTHON, kernels

    data = _digests(files) if files else {}
    with_numpy, version = (bool(data) and engine != "python") or size > _PLAIN, None
    if with_numpy:
        import numpy

        version = numpy.__version__
    return Receipt(
        command=command,
        options={k: v for k, v in options.items() if v},
        python=PYTHON,
        numpy=version,
        machine=MACHINE,
        kernels=kernels(with_numpy),
        data=data or None,
        files=tuple(files) if len(files) > len(data) else (),
    )


def _digests(files: Sequence[str]) -> dict[str, str | None]:
    from gdcli.table.source import digest

    return {path: digest(path) for path in dict.fromkeys(files)}


def named_files(files: Sequence[str] | None) -> list[str]:
    """Return the files of a fit, as named or found by a pattern; none of what is no fit."""
    if files is None:
        return []
    from gdcli.table.source import expand

    return expand(list(files) or ["-"])
