"""Makes the pages of docs/gallery again: ``python docs/make_gallery.py [FOLDER]``.

Each is made by the command that stands beside it in docs/gallery/README.md.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from gdcli.cli.app import run

FOLDER = Path(__file__).parent / "gallery"
COMMANDS = {
    "derivative": "gd explore 'x**2' --start x=3 --output derivative.html",
    "bowl": "gd explore 'x**2+y**2' --start x=4,y=-7 --output bowl.html",
    "valley": "gd explore 'x**2+25*y**2' --start x=5,y=1 --output valley.html",
    "rosenbrock": "gd explore '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1 --output rosenbrock.html",
    "rows": "gd explore 'y ~ a*x + b' docs/line.csv --output rows.html",
    "circle": "gd explore '(x-2)**2 + (y-1)**2' --start x=0.5,y=-0.5 --subject-to 'x**2 + y**2 <= 1' "
    "--output circle.html",
    "decay": "gd fit 'y ~ a*exp(-b*t) + c' docs/decay.csv --start a=1,b=1,c=0 --report decay.html",
    "rates": "gd compare-lr 'x**2 + 10*y**2' --start x=-9,y=1.5 --report rates.html",
}


def make(folder: Path) -> None:
    """Write all pages into ``folder``; the data are those of this repository."""
    for name, command in COMMANDS.items():
        words = shlex.split(command)[1:]
        with redirect_stdout(StringIO()):
            code = run([*words[:-1], str(folder / f"{name}.html")])
        if code:
            sys.exit(f"{command}: exit code {code}")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
