"""Checkpoints: the states of runs as JSON values and arrays, and back, bit for bit; and the files of them.

Numbers, texts, lists and dicts of texts stand for themselves. Everything else is an object with one key that names its
kind: ``{"Vec": [1.0, 2.0]}``, ``{"array": 3}`` (the fourth of the arrays), ``{"Pair": {...}}``. Only the kinds of the
tables below and the classes that are marked by `gdcli.kernel.dataclass.stored` are written, and only they are read.

A file is a zip archive of one JSON document and arrays in numpy's format. The document is ``checkpoint.json``, the
arrays of its part ``runs/0`` are ``runs/0/0.npy``, ``runs/0/1.npy`` ...; so ``unzip -p FILE checkpoint.json`` shows all
but the long vectors. Nothing in an archive is compressed, so that it cannot be larger than it looks; every member has a
checksum. A file is replaced as a whole: written under a passing name beside it, forced to the disk, renamed.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from errno import EINVAL
from math import isfinite
from typing import Any, BinaryIO, Protocol

from gdcli.kernel.dataclass import CLASSES, MISSING, RENAMED, TAGS, NamedTuple, fields, is_dataclass
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.vectors import Vec, np
from gdcli.solve.iteration import RunResult

_NOT_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


class Encoder:
    """Turns values into JSON values; ``arrays`` are those that these refer to. ``objective`` is what a run is on."""

    def __init__(self, objective: object = None, arrays: list[Any] | None = None) -> None:
        self.objective = objective
        self.arrays: list[Any] = [] if arrays is None else arrays
        self._places = {id(array): place for place, array in enumerate(self.arrays)}

    def __call__(self, value: object) -> Any:
        """Return ``value`` as a JSON value. Raises TypeError for a class that is not stored."""
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            number = float(value)
            return number if isfinite(number) else {"number": repr(number)}
        plain = _WRITTEN_AS.get(type(value))
        if plain is not None:
            return plain(self, value)
        if hasattr(value, "dtype"):
            return self._array(value)
        return self._object(value)

    def _array(self, value: Any) -> Any:
        if not value.shape:
            return self(value.item())
        base = value.base
        if value.ndim == 1 and getattr(base, "ndim", 0) == 2 and value.shape == base.shape[1:]:
            # A row of a matrix is one again when it is read: what is written to the one is seen in the other.
            offset = value.ctypes.data - base.ctypes.data
            return {"row": [self._array(base)["array"], offset // base.strides[0]]}
        # The same array in two places is written once, and is one array again when it is read.
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self.arrays)
            self.arrays.append(value)
        return {"array": place}

    def _object(self, value: Any) -> Any:
        kind = type(value)
        name = TAGS.get(kind)
        if name is None:
            raise TypeError(f"a {kind.__name__} cannot be kept")
        if hasattr(kind, "to_store"):
            return {name: value.to_store(self)}
        if isinstance(value, Enum):
            return {name: value.value}
        return {
            name: {field: self(getattr(value, field)) for field in _fields_of(kind) if hasattr(value, field)}
        }


class Decoder:
    """Turns what an `Encoder` made into values again. Raises DataError for what no encoder makes."""

    def __init__(self, arrays: Sequence[Any], objective: object = None) -> None:
        self.arrays = arrays
        self.objective = objective

    def on(self, objective: object) -> Decoder:
        return Decoder(self.arrays, objective)

    def __call__(self, value: object) -> Any:
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise DataError("a value of the checkpoint has no kind")
        ((kind, content),) = value.items()
        made = _MAKE.get(kind)
        try:
            if made is not None:
                return made(self, content)
            return self._object(kind, content)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as fault:
            raise DataError(f"the checkpoint has a {kind[:40]} that is none: {fault}") from None

    def entries(self, value: Any, names: Container[str]) -> Iterator[tuple[str, Any]]:
        """Yield those entries of a dict that have one of ``names``; of the others nobody here may know the kind."""
        try:
            found = [(name, item) for name, item in value["dict"] if name in names]
        except (TypeError, ValueError, KeyError) as fault:
            raise DataError(f"the checkpoint has a dict that is none: {fault}") from None
        yield from ((name, self(item)) for name, item in found)

    def _object(self, kind: str, content: Any) -> Any:
        of: Any = CLASSES.get(kind)
        if of is None:
            raise DataError(f"the checkpoint has a value of an unknown kind, {kind[:40]}")
        if hasattr(of, "from_store"):
            return of.from_store(content, self)
        if issubclass(of, Enum):
            return of(content)
        renamed = RENAMED[of]
        content = {now: part for name, part in content.items() if (now := renamed.get(name, name))}
        strange = set(content) - set(_fields_of(of))
        if strange:
            raise DataError(f"the checkpoint has a {kind} with {sorted(strange)[0]}")
        parts = {name: self(part) for name, part in content.items()}
        if issubclass(of, tuple):
            return of(**parts)
        made = of.__new__(of)
        if is_dataclass(of):  # fields that came later are at their default
            missing = (field for field in fields(of) if field.name not in parts)
            parts |= {field.name: field.default for field in missing if field.default is not MISSING}
        for name, part in parts.items():
            object.__setattr__(made, name, part)  # some are frozen
        return made


def _fields_of(kind: type) -> list[str]:
    """Return the names of all that an object of a class is made of."""
    if issubclass(kind, tuple):
        return list(kind._fields)  # type: ignore[attr-defined]
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    return [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]


_WRITTEN_AS: dict[type, Callable[[Encoder, Any], Any]] = {
    list: lambda to, v: [to(item) for item in v],
    Vec: lambda to, v: {"Vec": [to(item) for item in v]},
    tuple: lambda to, v: {"tuple": [to(item) for item in v]},
    deque: lambda to, v: {"deque": [v.maxlen, [to(item) for item in v]]},
    dict: lambda to, v: {"dict": [[to(key), to(item)] for key, item in v.items()]},
}
_MAKE: dict[str, Callable[[Decoder, Any], Any]] = {
    "number": lambda of, v: _NOT_FINITE[v],
    "Vec": lambda of, v: Vec([of(item) for item in v]),
    "tuple": lambda of, v: tuple([of(item) for item in v]),
    "deque": lambda of, v: deque([of(item) for item in v[1]], maxlen=v[0]),
    "dict": lambda of, v: {of(key): of(item) for key, item in v},
    "array": lambda of, v: of.arrays[v],
    "row": lambda of, v: of.arrays[v[0]][v[1]],
}

# -- files ------------------------------------------------------------------------------------------------------------


FORMAT, VERSION = "gd checkpoint", 1
DOCUMENT = "checkpoint.json"
_ARRAY = "/{}.npy"


class StoredValue(NamedTuple):
    """A value as the codec makes it, and the arrays that it refers to."""

    value: object
    arrays: Sequence[Any] = ()


class Content(NamedTuple):
    """What a file holds: ``head`` tells what it is about, ``parts`` are its states by name."""

    head: Mapping[str, Any]
    parts: Mapping[str, StoredValue]


def write(path: str, content: Content) -> None:
    """Write a checkpoint in the place of what is there. Raises OSError; then what was there is still there."""
    path = os.path.realpath(path)
    passing = _passing(path)
    try:
        with open(passing, "wb") as file:
            _write(file, content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(passing)
        raise
    _sync_folder(os.path.dirname(path))


def _passing(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:100]}.{os.getpid()}.tmp")


def _sync_folder(folder: str) -> None:
    """Force the new name to the disk too; not every system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clean(path: str) -> None:
    """Remove what processes left beside a checkpoint that were killed while they wrote it."""
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    begin, end = f".{name[:100]}.", ".tmp"
    with suppress(OSError):
        for found in os.listdir(folder):
            writer = found[len(begin) : -len(end)]
            if (
                found.startswith(begin)
                and found.endswith(end)
                and writer.isdigit()
                and not _runs(int(writer))
            ):
                with suppress(OSError):
                    os.unlink(os.path.join(folder, found))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _write(file: BinaryIO, content: Content) -> None:
    document = {"format": FORMAT, "version": VERSION, **content.head}
    document["parts"] = {name: part.value for name, part in content.parts.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(DOCUMENT), _text(document))
        for name, part in content.parts.items():
            for place, array in enumerate(part.arrays):
                info = zipfile.ZipInfo(name + _ARRAY.format(place))
                with archive.open(info, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _text(document: Mapping[str, Any]) -> str:
    """JSON with a line for each key, so that people find their way."""
    parts = document["parts"]
    lines = [
        f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in document.items() if k != "parts"
    ]
    inner = [f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in parts.items()]
    lines.append('"parts": {\n' + ",\n".join(inner) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: str) -> Content:
    """Return what a checkpoint holds.

    Raises UsageError for a file that cannot be read, DataError for one that is torn, or no checkpoint of `gd`.
    """
    try:
        with open(path, "rb") as file:
            return _read(file, path)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}") from None


def _read(file: BinaryIO, path: str) -> Content:
    if file.read(4) != b"PK\x03\x04":
        raise DataError(f"{path} is no checkpoint of gd", "--checkpoint FILE writes one")
    try:
        with zipfile.ZipFile(file) as archive:
            document = _document(archive, path)
            arrays = {info.filename: info for info in archive.infolist() if info.filename.endswith(".npy")}
            parts = {}
            for name, value in document.pop("parts").items():
                names = [name + _ARRAY.format(place) for place in range(len(arrays))]
                found = [_read_array(archive, arrays[one], path) for one in names if one in arrays]
                parts[name] = StoredValue(value, found)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as fault:
        raise _torn(path, fault) from None
    except OSError as fault:
        if fault.errno != EINVAL:
            raise
        raise _torn(path, "it tells of a place before its beginning") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise DataError(f"{path} is no checkpoint of gd: {fault}") from None
    return Content(document, parts)


def _torn(path: str, why: object) -> DataError:
    return DataError(f"{path} is torn: {why}", "it is not whole, or was changed")


def _document(archive: zipfile.ZipFile, path: str) -> dict[str, Any]:
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED:
            raise DataError(f"{path} is no checkpoint of gd: {info.filename[:40]} is compressed")
    if DOCUMENT not in archive.namelist():
        raise DataError(f"{path} is no checkpoint of gd: it is another archive")
    document = json.loads(archive.read(DOCUMENT))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{path} is no checkpoint of gd: its {DOCUMENT} is that of something else")
    if document.get("version") != VERSION:
        raise DataError(
            f"{path} has version {document.get('version')} of the format, and this gd reads version {VERSION}",
            f"it was written by gd {document.get('gd')}",
        )
    return document


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Any:
    from tokenize import TokenError

    with archive.open(info) as member:
        try:
            array = np.lib.format.read_array(member, allow_pickle=False)
        except (SyntaxError, TokenError):  # its header is read as Python, before the sum can be checked
            told = f"{path} is torn: {info.filename[:40]} has no header that can be read"
            raise DataError(told, "it is not whole, or was changed") from None
        if member.read(1):  # reading on to the end checks the sum
            raise DataError(f"{path} is no checkpoint of gd: {info.filename[:40]} is too long")
    return array


# -- the runs of one command -----------------------------------------------------------------------------------------


class Keepable(Protocol):
    """An observer whose memory of a run goes on with the run."""

    def keep(self) -> Any: ...

    def restore(self, kept: object) -> None: ...


def part_of(value: object, objective: object = None) -> StoredValue:
    """Return a value as a file has it; ``objective`` is what a run is on."""
    encoder = Encoder(objective)
    return StoredValue(encoder(value), encoder.arrays)


class Checkpoint:
    """A checkpoint in the file ``path``; fulfils `solve.checkpointing.Store`.

    ``content`` is what is in it so far: its part ``job`` says what is to be solved. ``observers`` are kept together
    with the runs. A write that fails is told by ``warn``, and tried again when the next one is due.
    """

    def __init__(self, path: str, content: Content, warn: Callable[[str], None]) -> None:
        self.path = path
        self._head, self._parts = dict(content.head), dict(content.parts)
        self._warn = warn
        self._observers: dict[str, Keepable] = {}
        self._memories: StoredValue | None = None  # of observers, not restored yet
        self._told = ""

    def watch(self, observers: Sequence[Any]) -> None:
        """Keep these observers too, those that can be; what was kept of their like is restored with the first run."""
        self._observers = {
            type(o).__name__: o for o in observers if hasattr(o, "keep") and hasattr(o, "restore")
        }
        self._memories = self._parts.get("observers")

    def mark(self, key: str, text: str) -> str:
        """Write ``text`` under ``key`` from now on; return what was there before, or ``text``."""
        return str(self._head.setdefault(key, text))

    def load(self, number: int, objective: object) -> Any:
        """Return what was kept of a run, None where it has not begun."""
        kept, self._memories = self._memories, None
        if kept is not None:
            for name, memory in Decoder(kept.arrays).entries(kept.value, self._observers):
                self._observers[name].restore(memory)
        part = self._parts.get(f"runs/{number}")
        return None if part is None else Decoder(part.arrays, objective)(part.value)

    def put(self, number: int, kept: object, objective: object) -> None:
        """Keep a run, and write that with whatever is written next."""
        self._parts[f"runs/{number}"] = part_of(kept, objective)
        if self._observers:  # as they are at this step: the file may be written after another one
            memories = {name: observer.keep() for name, observer in self._observers.items()}
            self._parts["observers"] = part_of(memories)
        self._head["progress"] = _progress(number, kept)

    def save(self, number: int, kept: object, objective: object) -> None:
        self.put(number, kept, objective)
        self.write()

    def finish(self) -> None:
        self._head["finished"] = True
        self.write()

    def give_up(self) -> None:
        """Remove the file of a command that nothing was kept of."""
        if "progress" not in self._head:
            with suppress(OSError):
                os.unlink(self.path)

    def write(self) -> None:
        try:
            write(self.path, Content(self._head, self._parts))
            self._told = ""
        except OSError as fault:
            why = f"the checkpoint could not be written: {(fault.strerror or str(fault)).lower()}"
            if why != self._told:
                self._told = why
                self._warn(f"{why}; the one before is still there")


def _progress(number: int, kept: Any) -> dict[str, Any]:
    """How far a run has come, for people who look into the file."""
    if hasattr(kept, "told"):
        told = kept.told()
        return {"run": number} | {
            key: v if isinstance(v, str | int) else _number(v) for key, v in told.items()
        }
    epochs = None if isinstance(kept, RunResult) else getattr(kept.state, "epochs", None)
    if isinstance(kept, RunResult):
        at, iteration, state, best = kept.last.at, kept.iterations, kept.reason.value, kept.best.at.value
    else:
        at, iteration, state = kept.at, kept.iteration, "running"
        best = epochs[kept.state.best].at.value if epochs else kept.lowest
    return {
        "run": number,
        "state": state,
        "iteration": iteration,
        "minimised": _number(at.value),
        "best": _number(best),
        "seconds": kept.seconds,
    } | ({"epochs": True} if epochs else {})


def _number(value: float) -> float | str:
    """A number as JSON has it; a text where it has none."""
    number = float(value)
    return number if number - number == 0.0 else repr(number)
