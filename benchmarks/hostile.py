"""Hostile input: how long each case of tests/hostile takes from start to end, its processor time, and its memory.

    python benchmarks/hostile.py [WORD]

The promise is less than a second for each. What is judged is the processor time, the start of Python included, which
is the time from start to end where the processors are free. WORD chooses the cases whose names have it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hostile.cases import CASES, run

PROMISED = 1.0


def main() -> int:
    """Measure and print a table; 1 where a case takes longer than promised."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    late = []
    for case in (case for case in CASES if wanted in case.name):
        with tempfile.TemporaryDirectory() as folder:
            done = run(case, Path(folder), 60.0)
        message = next((line for line in done.err.splitlines() if line), "")
        spent = f"{done.seconds:6.2f} s {done.work:6.2f} s {done.memory / 1e6:5.0f} MB"
        print(f"{spent}  exit {done.code}  {case.name:40} {message[:70]}", flush=True)
        if done.work > PROMISED:
            late.append(case.name)
    print(
        f"{len(late)} longer than {PROMISED:g} s: {', '.join(late)}" if late else f"all within {PROMISED:g} s"
    )
    return bool(late)


if __name__ == "__main__":
    sys.exit(main())
