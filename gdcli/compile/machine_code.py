"""Machine code: a text of the restricted language compiled for this processor, kept on disk, and called.

`load` gives the functions of a text. llvmlite (the extra `fast`) is imported here and nowhere else, when machine code
is first asked for; where it is missing, `is_available` says so and everything runs without it. Calls go through ctypes,
which releases the interpreter's lock, so that two threads can work on two halves of the data.

Compiling takes a tenth of a second, so its result is worth keeping. A file begins with the full key of what it was made
from and a checksum of what follows: a broken object could crash the loader, so it is read only when both agree. An
entry that is broken, or was made for something else, is as good as none and is written anew. Whatever goes wrong with
the disk (no room, no permission) means no cache, not an error.
"""

from __future__ import annotations

import ast
import ctypes
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from gdcli.compile.native_calls import LIBM, SYMBOL, Flags
from gdcli.compile.native_compiler import is_entry, to_llvm
from gdcli.kernel.errors import UsageError

# Code of another version of the compiler is other code.
VERSION = 1

_KINDS: Mapping[str, Any] = {
    "float": ctypes.c_double,
    "int": ctypes.c_int64,
    "float*": ctypes.c_void_p,
    "int*": ctypes.c_void_p,
    "byte*": ctypes.c_void_p,
}


class NoMachineCodeError(UsageError):
    """Machine code was asked for by name, and cannot be had here."""


def is_installed() -> bool:
    """Tell whether llvmlite can be found; it is not imported for that."""
    from importlib.util import find_spec

    return find_spec("llvmlite") is not None


@cache
def is_available() -> bool:
    """Tell whether machine code can be made here: llvmlite is installed, and knows this processor."""
    try:
        _target()
    except Exception:  # missing, or broken in whatever way: then there is no machine code
        return False
    return True


# How many processors a call may use, where others are at work beside it; 0: all.
most_processors: ContextVar[int] = ContextVar("most_processors", default=0)


def processors() -> int:
    if most_processors.get():
        return most_processors.get()
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def at_once(part: Callable[[int], None], threads: int, stopped: threading.Event | None = None) -> None:
    """Call with 0, 1, ..., each in a thread of its own, the first in this one; ``stopped`` is set where that raises."""
    others = [threading.Thread(target=part, args=(k,)) for k in range(1, threads)]
    for thread in others:
        thread.start()
    try:
        part(0)
    except BaseException:
        if stopped is not None:
            stopped.set()
        raise
    finally:
        for thread in others:
            thread.join()


def required() -> None:
    """Raise NoMachineCodeError, with the command that helps, where machine code cannot be had."""
    if is_available():
        return
    if not is_installed():
        from gdcli.kernel import installing

        hint = f"install it: {installing.command('fast')}"
        raise NoMachineCodeError("machine code needs llvmlite, which is not installed", hint)
    raise NoMachineCodeError(
        "llvmlite cannot make machine code on this platform", "leave out --engine native"
    )


def source_digest(text: str, flags: Flags | None = None) -> str:
    """Return the digest of a text with its flags, by which its code is found on disk."""
    return sha256(repr((VERSION, text, sorted((flags or {}).items()))).encode()).hexdigest()


def is_likely_kept(text: str, flags: Flags | None = None, use_cache: bool = True) -> bool:
    """Tell whether the code of a text is probably on disk; nothing is imported for it."""
    kept = _cache(use_cache)
    return kept is not None and kept.likely(source_digest(text, flags))


def load(text: str, flags: Flags | None = None, use_cache: bool = True) -> Library:
    """Return the functions of a text as machine code, from disk or compiled now.

    Raises NoMachineCodeError without llvmlite, NotRestrictedError for a text that is not in the restricted language.
    """
    required()
    target = _target()
    kept = _cache(use_cache)
    source = source_digest(text, flags)
    key = sha256(f"{source} {target.identity}".encode()).digest()
    code = kept.get(source, key) if kept is not None else None
    if code is None:
        code = target.compile(to_llvm(text, flags))
        if kept is not None:
            kept.put(source, key, code)
    return Library(target, code, text)


def _cache(use_cache: bool) -> Cache | None:
    directory = default_directory() if use_cache else None
    return None if directory is None else Cache(directory)


class Library:
    """Loaded machine code; ``library["name"]`` is a function taking numbers, and addresses for pointers."""

    def __init__(self, target: _Target, code: bytes, text: str) -> None:
        self._engine = target.load(code)
        self._signatures = _signatures(text)
        self._functions: dict[str, Callable[..., Any]] = {}

    def __getitem__(self, name: str) -> Callable[..., Any]:
        found = self._functions.get(name)
        if found is None:
            result, parameters = self._signatures[name]
            found = ctypes.CFUNCTYPE(result, *parameters)(self.address(name))
            found.library = self  # type: ignore[attr-defined]  # its code stands in memory as long as this lives
            self._functions[name] = found
        return found

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def _signatures(text: str) -> dict[str, tuple[Any, Sequence[Any]]]:
    found: dict[str, tuple[Any, Sequence[Any]]] = {}
    for node in ast.parse(_heads(text)).body:
        if not isinstance(node, ast.FunctionDef) or not is_entry(node):
            continue
        words = [None if a.annotation is None else ast.literal_eval(a.annotation) for a in node.args.args]
        result: Any = ctypes.c_double
        if node.returns is not None:
            word = ast.literal_eval(node.returns)
            result = None if word is None else _KINDS[word]
        found[node.name] = result, [_KINDS[word or "float"] for word in words]
    return found


def _heads(text: str) -> str:
    lines: list[str] = []
    inside = True
    for line in text.splitlines():
        if line.startswith("def ") or not inside:
            inside = line.rstrip().endswith(":")
            lines.append(f"{line} pass" if inside else line)
    return "\n".join(lines)


class _Target:
    def __init__(self) -> None:
        import llvmlite
        from llvmlite import binding

        self.binding = binding
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.cpu, self.features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
        llvm = ".".join(map(str, binding.llvm_version_info))
        versions = f"{llvmlite.__version__} {llvm}"
        self.identity = f"{self.machine().triple} {self.cpu} {self.features} {versions}"
        for name in LIBM:
            binding.add_symbol(SYMBOL + name, _libm_address("pow" if name == "power" else name))

    def machine(self) -> Any:
        """Return LLVM's target machine; each engine takes one for itself."""
        target = self.binding.Target.from_default_triple()
        return target.create_target_machine(cpu=self.cpu, features=self.features, opt=2, jit=True)

    def compile(self, ir: str) -> bytes:
        """Return the object code of LLVM IR, optimised; no fast-math but what the text's own flags allow."""
        machine = self.machine()
        module = self.binding.parse_assembly(ir)
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        module.verify()
        options = self.binding.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = True
        # Two numbers packed into one register wait for each other in the next step of a strict loop.
        options.slp_vectorization = False
        builder = self.binding.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        code: bytes = machine.emit_object(module)
        return code

    def load(self, code: bytes) -> Any:
        engine = self.binding.create_mcjit_compiler(self.binding.parse_assembly(""), self.machine())
        engine.add_object_file(self.binding.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine


@cache
def _target() -> _Target:
    return _Target()


def _libm_address(name: str) -> int:
    """Where a function of the C library stands: the same one that CPython's `math` calls."""
    for path in (None, getattr(math, "__file__", None)):  # loaded with the interpreter, or with the module
        try:
            function = getattr(ctypes.CDLL(path), name)
        except (OSError, AttributeError, TypeError):
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    raise OSError(f"the C library has no {name}")


LIMIT = 64 * 1024 * 1024  # bytes of all entries together; the ones not used for the longest time go first
_MAGIC = b"gdcli object 1\n"
_DIGEST = 32
_SUFFIX = ".gdo"


def default_directory() -> Path | None:
    """Return ``GDCLI_CACHE_DIR``, or ``gdcli`` in the user's cache directory; None where it is set but empty."""
    named = os.environ.get("GDCLI_CACHE_DIR")
    if named is not None:
        return Path(named) if named else None
    try:
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "gdcli"
        variable, fallback = (
            ("LOCALAPPDATA", "AppData/Local") if os.name == "nt" else ("XDG_CACHE_HOME", ".cache")
        )
        base = os.environ.get(variable, "")
        return (Path(base) if os.path.isabs(base) else Path.home() / fallback) / "gdcli"
    except RuntimeError:  # no home directory
        return None


class Cache:
    """Entries in one directory. ``source`` is a text's digest, ``key`` that of everything the code depends on."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self.directory = directory
        self.limit = limit

    def _path(self, source: str, key: bytes) -> Path:
        return self.directory / f"{source[:32]}-{key.hex()[:32]}{_SUFFIX}"

    def likely(self, source: str) -> bool:
        """Tell whether there is code from a text, for whichever machine: a guess that costs no import."""
        try:
            return any(name.startswith(source[:32]) for name in os.listdir(self.directory))
        except OSError:
            return False

    def get(self, source: str, key: bytes) -> bytes | None:
        """Return the object code, None when there is none that can be trusted."""
        path = self._path(source, key)
        try:
            if not _is_private(self.directory):
                return None
            content = path.read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + 2 * _DIGEST
        code = content[head:]
        if content[:head] != _MAGIC + key + sha256(code).digest():
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return code

    def put(self, source: str, key: bytes, code: bytes) -> None:
        """Keep object code; it appears whole, under its name, or not at all."""
        path = self._path(source, key)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_private(self.directory):
                return
            try:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(_MAGIC + key + sha256(code).digest() + code)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            self._evict(path)
        except OSError:
            return

    def _evict(self, newest: Path) -> None:
        """Remove the entries not used for the longest time until the rest is within the limit."""
        entries = []
        for path in self.directory.iterdir():
            if path.name.endswith((_SUFFIX, ".tmp")):
                with suppress(OSError):
                    status = path.stat()
                    entries.append((path != newest, -status.st_mtime, status.st_size, path))
        room = self.limit
        for _, _, size, path in sorted(entries):
            room -= size
            if room < 0 and path != newest:
                with suppress(OSError):
                    path.unlink()


def _is_private(directory: Path) -> bool:
    """Tell whether a directory is the user's own and nobody else can write there."""
    if os.name == "nt":
        return directory.is_dir()
    status = os.stat(directory)
    return status.st_uid == os.getuid() and not status.st_mode & 0o022
