"""Machine code: a text of the restricted language compiled for this processor, kept on disk, and called.

`load` gives the functions of a text. llvmlite (the extra `fast`) is imported here and nowhere else, when machine code
is first asked for; where it is missing, `is_available` says so and everything runs without it. Calls go through ctypes,
which releases the interpreter's lock, so that two threads can work on two halves of the data.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache as once
from hashlib import sha256
from typing import Any

from gdcli.compile.cache import Cache, default_directory
from gdcli.compile.native_calls import LIBM, SYMBOL
from gdcli.compile.native_compiler import is_entry, to_llvm
from gdcli.compile.native_values import Flags
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


@once
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
    import ast

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


@once
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
