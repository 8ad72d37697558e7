"""Run every benchmark, or those named, and keep what they print in benchmarks/README.md.

    python benchmarks/run_all.py [speed_small.py ...]

Each script can also be run alone. Times are medians of runs that take turns, so ratios hold on a noisy machine where
milliseconds do not.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "README.md"
SCRIPTS = {
    "whole_command.py": "A whole command: bars 0.65 (pipe), 1.1 (terminal) of octave; fit 1.3, gradient 3 of minimize",
    "derivatives.py": "Derivative programs: bars 500 ms for any problem, 2 ms for the median",
    "vectors.py": "A million variables with numpy: bars 4 times faster than scipy's Rosenbrock, and 2 s each",
    "native.py": "Machine code against C and CPython (extra `fast`, and gcc)",
    "solvers.py": "Methods on the 52 problems: bars for auto all solved, none false, medians 18 and 28, at most 700",
    "nist.py": "Models to data: bars 9 digits, 6 in the errors, on all 54 runs of the NIST problems",
    "rows.py": "All rows of a data set with numpy alone: bar 7 times faster than sympy's lambdify",
    "weights.py": "From CSV to weights: bars 1.5 (Vowpal Wabbit), 3 (pandas, scikit-learn), 2.2 and 8 (an epoch)",
    "stochastic.py": "An epoch of descent against C: bars 1.4 (single rows) and 0.6 (batches, logistic)",
    "speed_small.py": "In process against scipy's BFGS: bars 5 times faster at n = 2, 3 times up to n = 5",
    "reading.py": "Reading data, imports included: bars 5 times faster epochs, twice the rows within 20 MB",
    "pipes.py": "Streams of problems: bars 1500 a second and core, 20 times a shell loop, --jobs 2 at 1.7 times one",
    "checkpoints.py": "A checkpoint every second: bar 2 % of a run",
    "groups.py": "Many small fits, `gd fit --by` against a loop over scipy's curve_fit: bar 10 times faster",
    "intervals.py": "Intervals of a fit, against lmfit, iminuit and R: bars 5 times the fit (profile), 1 s (bootstrap)",
    "errors_in_columns.py": "Errors in columns, against ODRPACK95: bars no larger sums, its time from 10 000 rows on",
    "cluster.py": "A fit on worker processes: bars 1.05 times one process, 5 ms a step (256 partitions 20)",
    "constrained.py": "Problems with constraints: bars all solved by gd, none false, 22 evaluations, 11 Hessians",
    "portfolio.py": "Quadratic programs as whole commands: bar 3 times a dedicated solver on the portfolio of 500",
    "global_search.py": "Global minima over boxes: bars 95 % of those with n <= 6 enclosed, none missed, median 0.3 s",
    "systems.py": "All roots of classical systems, by `gd solve`: bar each number of roots as known",
    "starts.py": "Fits without a start, by --start auto: bars the best known optimum of all, 3 s at most",
    "pages.py": "Pages in a browser: bars 300 ms to use, 16 ms a step",
    "auto_constants.py": "The constants of auto, each varied by 2 either way",
}


def sections() -> dict[str, list[str]]:
    """Return the sections of the page as it is: title -> lines, the title's own among them."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title = part.split("\n", 1)[0]
        found[title] = f"## {part}".rstrip().split("\n")
    return found


def main() -> None:
    """Run the scripts and write the page; what a script prints on standard error goes to the terminal."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = f"Python {platform.python_version()}"
    parts = [
        "# Benchmarks",
        "",
        "Written by `python benchmarks/run_all.py`; needs the extras `dev` and `peers`, and for the first table"
        " `octave-cli`.",
        f"Last run: {python}, {os.cpu_count()} cores, {platform.machine()}. Each table is from one run, side by side.",
    ]
    wanted = sys.argv[1:] or list(SCRIPTS)
    unknown = [name for name in wanted if name not in SCRIPTS]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; known are {', '.join(SCRIPTS)}")
    kept = sections() if sys.argv[1:] else {}
    for script, title in SCRIPTS.items():
        if not (HERE / script).exists():
            continue
        if script not in wanted:
            parts += ["", *kept[title]] if title in kept else []
            continue
        print(f"== {script}", file=sys.stderr)
        ran = subprocess.run(
            [sys.executable, HERE / script], stdout=subprocess.PIPE, encoding="utf-8", check=True
        )
        parts += ["", f"## {title}", "", f"`python benchmarks/{script}`", "", ran.stdout.rstrip()]
    notes = HERE / "notes.md"
    if notes.exists():
        parts += ["", notes.read_text(encoding="utf-8").rstrip()]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
