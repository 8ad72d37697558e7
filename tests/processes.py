"""Commands run as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


MAIN = "from gdcli.cli.app import main; main()"


def command(*arguments: str, code: str = MAIN) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def environment(**changes: str) -> dict[str, str]:
    kept_names = ("PATH", "HOME", "LANG", "SYSTEMROOT")
    return {k: v for k, v in os.environ.items() if k in kept_names} | {"PYTHONPATH": str(ROOT)} | changes


def gd(*arguments: str, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        env=environment(**changes),
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def loaded(*arguments: str) -> set[str]:
    """Return the modules that are loaded when this command line is done."""
    code = "import sys\nfrom gdcli.cli.app import run\nrun(sys.argv[1:])\nprint('\\nMODULES', *sys.modules)"
    done = subprocess.run(command(*arguments, code=code), capture_output=True, env=environment(), check=True)
    return set(done.stdout.decode().rpartition("MODULES ")[2].split())


HEAVY = {"sympy", "numpy", "rich", "matplotlib", "llvmlite", "polars", "scipy", "mpmath"}
