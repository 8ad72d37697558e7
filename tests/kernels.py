"""The sets of kernels that one processor can be made to compute with, and a command run under each of them.

numpy and its matrix library choose the fastest kernels of the processor, and each set rounds otherwise: what passes on
one developer's machine may fail on another. The environment chooses older ones. ``python tests/kernels.py COMMAND ...``
runs a command under each set, and ends with the first exit code that is not 0.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy

# OpenBLAS takes the name of a processor. Named are an older one and one between; the rest is the machine's own.
_PROCESSORS = {"x86_64": ("Sandybridge", "Haswell"), "aarch64": ("ARMV8", "NEOVERSEN1")}

# What came after Haswell.
_NEWEST = ("AVX512", "X86_V4", "SVE")


def dispatched() -> Sequence[str]:
    """Return the instruction sets that numpy has kernels for and this machine has, the oldest first."""
    return numpy.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[index, call-overload]


def kernel_sets() -> Mapping[str, Mapping[str, str]]:
    """Return what the environment says of each set, by its name.

    Numpy is to compute as on the processor that the matrix library is told of. Only sets that this numpy has and the
    machine can do are named: numpy warns of the rest.
    """
    older, newer = _PROCESSORS.get(platform.machine(), ("", ""))
    sets = dispatched()
    return {
        "the machine's own": {},
        newer or "newer": _environment(newer, [s for s in sets if s.startswith(_NEWEST)]),
        older or "older": _environment(older, sets),
    }


def _environment(processor: str, without: Sequence[str]) -> Mapping[str, str]:
    named = {"OPENBLAS_CORETYPE": processor, "NPY_DISABLE_CPU_FEATURES": " ".join(without)}
    return {key: value for key, value in named.items() if value}


def main(command: Sequence[str]) -> int:
    """Run the command under each set."""
    worst = 0
    for name, environment in kernel_sets().items():
        print(f"== kernels: {name} {' '.join(f'{k}={v}' for k, v in environment.items())}", flush=True)
        worst = worst or subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
