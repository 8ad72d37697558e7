"""What computes on this machine: the kernels, which decide over the last bits.

The same program adds up in another order, or rounds a sine otherwise, on another processor: the C library, numpy and
its matrix library each choose the fastest kernels that the processor has. Digits that are shown do not depend on them;
bits may. A receipt names them, so that `gd rerun` knows whether it can ask for the same bits.
"""

from __future__ import annotations

import math
from binascii import crc32
from collections.abc import Callable
from functools import cache
from typing import Any

# Kernels of the C library have no names: they are told apart by the bits of what they compute. They are good to half a
# unit and a little, so that two differ in one of some thousand numbers.
_FUNCTIONS: tuple[Callable[[float], float], ...] = (
    math.sin,
    math.cos,
    math.tan,
    math.log,
    math.tanh,
    math.atan,
)
_PROBES = [0.1 + 0.37 * k for k in range(2000)]
# What numpy's wheels, and OpenBLAS elsewhere, call the function that names its kernels.
_NAMES = ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename")


def kernels(with_numpy: bool) -> dict[str, str]:
    """Return the kernels by what they belong to: ``math``, and with numpy ``numpy`` and ``blas``, if it tells."""
    found = {"math": _of_math()}
    if with_numpy:
        found["numpy"] = _of_numpy()
        blas = _of_blas()
        if blas:
            found["blas"] = blas
    return found


@cache
def _of_math() -> str:
    """A number for the kernels of the C library: equal numbers, equal bits at all the probes."""
    from array import array

    numbers = array("d", [x for f in _FUNCTIONS for x in map(f, _PROBES)])
    numbers.extend([math.exp(x / 20.0) for x in _PROBES])
    numbers.extend([x**1.3 for x in _PROBES])
    return f"{crc32(numbers.tobytes()):08x}"


def _of_numpy() -> str:
    """The instruction sets that numpy has kernels for and uses."""
    import numpy

    sets: dict[str, list[str]] = numpy.show_config(mode="dicts").get("SIMD Extensions", {})  # type: ignore[assignment]
    return " ".join([*sets.get("baseline", []), *sets.get("found", [])])


@cache
def _of_blas() -> str:
    """The processor that OpenBLAS has chosen its kernels for; "" where numpy has another library."""
    import ctypes

    for path in _libraries():
        try:
            library: Any = ctypes.CDLL(path)
        except OSError:
            continue
        for name in _NAMES:
            told = getattr(library, name, None)
            if told is not None:
                told.restype = ctypes.c_char_p
                return (told() or b"").decode("ascii", "replace")
    return ""


def _libraries() -> list[str]:
    """The matrix libraries that come with numpy (its wheels have them beside the package), or that it has loaded."""
    from pathlib import Path

    import numpy

    package = Path(numpy.__file__).parent
    folders = (package.with_name("numpy.libs"), package / ".dylibs")
    found = [str(file) for folder in folders if folder.is_dir() for file in sorted(folder.glob("*openblas*"))]
    maps = Path("/proc/self/maps")
    if not found and maps.exists():
        lines = (line.split(maxsplit=5) for line in maps.read_text(errors="replace").splitlines())
        found = sorted({line[5] for line in lines if len(line) == 6 and "blas" in line[5]})
    return found
