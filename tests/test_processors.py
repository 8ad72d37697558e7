"""The same answers on every processor: whole pages under several sets of kernels."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nist
import pytest
from kernels import kernel_sets

ROOT = Path(__file__).parent.parent
CHAIN = "sum(100*(v[1:]-v[:-1]**2)**2 + (1-v[:-1])**2)"
EVEN = "sum(exp(v)-v*sin(3*v)) + (sum(v)-3)**2"  # from equal numbers down a saddle of many equal curvatures


def fitted(name: str, start: str) -> list[str]:
    problem = next(p for p in nist.PROBLEMS if p["name"] == name)
    begun = ",".join(f"{key}={value}" for key, value in problem[start].items())
    return ["fit", problem["model"], str(nist.NIST / problem["data"]), "--start", begun]


# The residuals of Lanczos1 are rounding themselves: of their sum of squares six digits are known.
COMMANDS = [
    *(fitted(name, "start2") for name in ("Lanczos2", "Lanczos3", "Bennett5", "Hahn1", "MGH10")),
    ["fit", "y ~ a*exp(-b*t) + c", str(ROOT / "docs" / "decay.csv"), "--start", "auto"],
    ["minimize", CHAIN, "--start", "v=zeros(60)"],
    ["minimize", CHAIN, "--start", "v=zeros(60)", "--bounds", "v=-1:0.5"],
    ["minimize", EVEN, "--start", "v=ones(40)"],
    ["minimize", EVEN, "--start", "v=ones(12)"],
]
# What is left of zero, and the way there.
NOISE = re.compile(
    r"^(\|gradient\||left to gain|work|iter |─|not shown|first \d| +\d+ ).*\n(?: {14}.*\n)*", re.M
)


@pytest.mark.every(2)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words)[:50])
def test_pages_are_the_same_whatever_the_kernels(command: list[str]) -> None:
    pages = set()
    for environment in kernel_sets().values():
        done = subprocess.run(
            [sys.executable, "-c", "from gdcli.cli.app import main; main()", *command],
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        pages.add((done.returncode, NOISE.sub("", done.stdout), done.stderr))
    assert len(pages) == 1, "\n".join(page for _, page, _ in pages)
