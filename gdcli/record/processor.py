"""What computes on this machine: the kernels, which decide over the last bits.

The same program adds up in another order, or rounds a sine otherwise, on another processor: the C library, numpy and
its matrix library each choose the fastest kernels that the processor has. Digits that are shown do not depend on them;
bits may. A receipt names them, so that `gd rerun` knows whether it can ask for the same bits.
"""

from __future__ import annotations

import math
import os
import sys
from binascii import crc32
from functools import cache
from typing import Any

from gdcli.kernel.vectors import np

# Kernels of the C library have no names: they are told apart by the bits of what they compute. They are good to half a
# unit and a little, so that two differ in one of some thousand numbers; but every other time at these, whose values lie
# within a thousandth of a unit of the middle between two numbers. Each is to be divided by 1024.
HARD: dict[str, tuple[int, ...]] = {
    "sin": (1768, 4765, 4987, 4995, 5811, 7011, 9326, 9763, 10565, 11295, 11648, 12077, 13936, 15902, 16672, 17054),
    "cos": (250, 258, 1284, 3489, 3900, 5950, 6800, 10281, 11964, 13469, 15512, 16036, 16852, 17589, 17783, 17997),
    "tan": (725, 5239, 6518, 9182, 9392, 9651, 11928, 13979, 14410, 15808, 15950, 16361, 16951, 17117, 19092, 19168),
    "log": (3027, 4166, 6604, 6622, 8803, 13056, 13729, 14199, 15060, 16106, 16586, 16604, 18231, 18985, 19246, 19671),
    "tanh": (2133, 3564, 3567, 3688, 3752, 6397, 8214, 9098, 10491, 11810, 13049, 13267, 14829, 17295, 18695, 19519),
    "atan": (438, 781, 1419, 3402, 4292, 4463, 6296, 8109, 8631, 9026, 9193, 10073, 11948, 12904, 15878, 19625),
    "exp": (667, 1199, 2289, 3037, 3412, 3712, 4189, 5814, 5976, 6789, 7069, 8687, 9806, 13652, 15098, 18416),
    "pow": (1497, 2654, 2682, 2705, 3801, 5256, 7278, 7786, 8098, 8942, 9002, 9097, 11315, 12514, 18380, 18721),
}  # fmt: skip
POWER = 1.3
PYTHON = ".".join(map(str, sys.version_info[:3]))
MACHINE = os.uname().machine if hasattr(os, "uname") else sys.platform
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


def _of_math() -> str:
    """A number for the kernels of the C library: equal numbers, equal bits."""
    from array import array

    numbers = array("d")
    for name, places in HARD.items():
        function = POWER.__rpow__ if name == "pow" else getattr(math, name)
        numbers.extend([function(place / 1024.0) for place in places])
    return f"{crc32(numbers.tobytes()):08x}"


def _of_numpy() -> str:
    """The instruction sets that numpy has kernels for and uses."""
    sets: dict[str, list[str]] = np.show_config(mode="dicts").get("SIMD Extensions", {})  # type: ignore[assignment]
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

    package = Path(np.__file__).parent
    folders = (package.with_name("numpy.libs"), package / ".dylibs")
    found = [str(file) for folder in folders if folder.is_dir() for file in sorted(folder.glob("*openblas*"))]
    maps = Path("/proc/self/maps")
    if not found and maps.exists():
        lines = (line.split(maxsplit=5) for line in maps.read_text(errors="replace").splitlines())
        found = sorted({line[5] for line in lines if len(line) == 6 and "blas" in line[5]})
    return found
