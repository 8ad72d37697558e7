"""A whole command, from the shell's view: `gd minimize` of two variables against Octave's fminunc on the same.

And what a learner types first, against `gd minimize`: a fit of 40 rows, a gradient in five ways, formulas.

    python benchmarks/whole_command.py [rounds]

Needs `octave-cli` (package octave) and, for the terminal, `script` (util-linux).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from measure import GD, alternate, command, sizes, table

EXPRESSION = "100*(y-x**2)**2 + (1-x)**2"
OCTAVE = (
    "f = @(p) 100*(p(2)-p(1)^2)^2 + (1-p(1))^2; o = optimset('TolX', 1e-8, 'TolFun', 1e-8);"
    "[x, v, info] = fminunc(f, [-1.2; 1], o); printf('%.10g %.10g %.10g %d\\n', x(1), x(2), v, info)"
)


def main() -> None:
    """Measure and print the table."""
    (rounds,) = sizes(15)
    # Without compiled modules every start would compile all imports anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    typed = [*GD, "minimize", EXPRESSION, "--start", "x=-1.2,y=1"]
    data = str(Path(__file__).resolve().parent.parent / "docs" / "decay.csv")
    quoted = shlex.join(typed)
    variants = {
        "octave-cli fminunc": command(["octave-cli", "-q", "--eval", OCTAVE]),
        "gd, table to a pipe": command(typed),
        "gd, json to a pipe": command([*typed, "--format", "json"]),
        "gd, rich table on a terminal": command(["script", "-qec", quoted, "/dev/null"]),
        "python -c pass": command([sys.executable, "-c", "pass"]),
        "gd fit docs/decay.csv": command([*GD, "fit", "y ~ a*exp(-b*t) + c", data, "--start", "a=1,b=1,c=0"]),
        "gd gradient": command([*GD, "gradient", "x**2*sin(y)", "--at", "x=1,y=2"]),
        "gd minimize --show-gradient": command([*typed, "--show-gradient"]),
        "gd minimize --emit latex": command([*typed, "--emit", "latex"]),
    }
    if not shutil.which("octave-cli"):
        sys.exit("octave-cli is not installed")
    medians = alternate(variants, rounds)
    octave, plain = medians["octave-cli fminunc"], medians["gd, table to a pipe"]
    rows = [
        [name, f"{seconds * 1e3:.0f}", f"{seconds / octave:.2f}", f"{seconds / plain:.2f}"]
        for name, seconds in medians.items()
    ]
    print(table(["whole process", "ms", "x octave", "x gd minimize"], rows))


if __name__ == "__main__":
    main()
