"""Makes the pictures of the documentation again: ``python docs/make_pictures.py [FOLDER]``.

Each is drawn by the command that is shown beside it, so that a reader can make the same for an own function.
"""

from __future__ import annotations

import re
import shlex
import sys
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

from gdcli.cli.app import run

FOLDER = Path(__file__).parent
COMMANDS = {
    "fit.png": f"gd fit 'y ~ a*exp(-b*t) + c' '{FOLDER / 'decay.csv'}' --start a=1,b=1,c=0 --plot fit.png",
    "path.png": "gd minimize '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1 --plot path.png",
    "multiplier.png": "gd minimize '(x-2)**2 + (y-1)**2' --start x=0.5,y=-0.5 --subject-to 'x**2 + y**2 <= 1' "
    "--plot multiplier.png",
    "penalty.png": "gd minimize '(x-2)**2 + (y-1)**2' --start x=0.5,y=-0.5 --subject-to 'x**2 + y**2 <= 1' "
    "--method penalty --plot penalty.png",
    "barrier.png": "gd minimize '(x-2)**2 + (y-1)**2 - m*log(1-x**2-y**2)' --set m=0.1 --start x=0.5,y=-0.5 "
    "--plot barrier.png",
    "rates.png": "gd compare-lr 'x**2 + 10*y**2' --start x=-9,y=1.5 --lr 0.102,0.09,0.03,0.002 --plot rates.png",
    "boxes.png": "gd minimize '(x**2+y-11)**2 + (x+y**2-7)**2 + 4*x' --global --bounds all=-5:5 --plot boxes.png",
    "errors.png": "gd gradient 'exp(x)*sin(x)' --at x=0.5 --errors --plot errors.png",
}
# Of each recipe of the cookbook the name of the picture, which of its commands draws it (the first: 0), and what is
# added to that. A prediction has no picture: it is that of the fit that it is made by.
RECIPES = {
    "decay": (0, ""),
    "culture": (0, ""),
    "dose": (0, "--log x"),
    "enzyme": (0, ""),
    "spectrum": (0, "--title 'Two peaks on a background'"),
    "calibration": (0, ""),
    "survival": (0, "--contour m,d"),
    "rings": (0, ""),
    "lethal": (0, ""),
    "doubling": (0, ""),
    "robust": (2, ""),
    "shared": (0, ""),
    "quantile": (0, ""),
    "next": (0, "gd fit 'dist ~ a + b*speed' docs/data/cars.csv"),
    "growth": (0, ""),
    "known": (1, ""),
    "treatment": (0, ""),
    "lake": (0, ""),
    "reaction": (0, ""),
    "influence": (0, ""),
}


def recipes() -> dict[str, list[str]]:
    """Return the command that draws the picture of each recipe, as words, by its name; files are as from the root."""
    parts = re.split(r"^## \d+\. ", (FOLDER / "cookbook.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[
        1:
    ]
    found = {}
    for part, (name, (number, more)) in zip(parts, RECIPES.items(), strict=True):
        typed = re.findall(r"^\$ gd (.*)$", part, re.MULTILINE)[number]
        words = shlex.split(more[3:] if more.startswith("gd ") else f"{typed} {more}")
        if "--print" in words:
            at = words.index("--print")
            words = words[:at] + words[at + 2 :]
        found[name] = [*words, "--dpi", "60", "--plot"]
    return found


def make(folder: Path) -> None:
    """Draw all pictures into ``folder``."""
    commands = {name: shlex.split(command)[1:-1] for name, command in COMMANDS.items()}
    commands |= {f"cookbook/{name}.png": words for name, words in recipes().items()}
    (folder / "cookbook").mkdir(exist_ok=True)
    for name, words in commands.items():
        with redirect_stdout(StringIO()), chdir(FOLDER.parent):
            code = run([*words, str((folder / name).absolute())])
        if code:
            sys.exit(f"{shlex.join(words)}: exit code {code}")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
