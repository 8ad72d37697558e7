"""Makes the pictures of the documentation again: ``python docs/make_pictures.py [FOLDER]``.

Each is drawn by the command that is shown beside it, so that a reader can make the same for an own function.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from gdcli.cli.app import run

FOLDER = Path(__file__).parent
COMMANDS = {
    "fit.png": f"gd fit 'y ~ a*exp(-b*t) + c' '{FOLDER / 'decay.csv'}' --start a=1,b=1,c=0 --plot fit.png",
    "dose.png": "gd fit 'response ~ low + (high - low)/(1 + (exp(log_ec50)/dose)^slope)' "
    f"'{FOLDER / 'data' / 'dose.csv'}' --start low=0,high=100,log_ec50=0,slope=1 --log x --dpi 80 --plot dose.png",
    "spectrum.png": "gd fit 'counts ~ a1*exp(-((channel - m1)/w)^2/2) + a2*exp(-((channel - m2)/w)^2/2) "
    f"+ b + c*channel' '{FOLDER / 'data' / 'spectrum.csv'}' --sigma 'sqrt(counts)' "
    "--start a1=300,m1=40,a2=100,m2=57,w=3,b=100,c=0 --title 'Two peaks on a background' --dpi 80 --plot spectrum.png",
    "growth.png": f"gd compare-models '{FOLDER / 'data' / 'yeast.csv'}' "
    "--model 'amount ~ K/(1 + exp(-r*(hour - mid)))' --model 'amount ~ K*exp(-exp(-r*(hour - mid)))' "
    "--model 'amount ~ a + b*hour' --start K=600,r=0.5,mid=8 "
    "--dpi 80 --plot growth.png",
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


def make(folder: Path) -> None:
    """Draw all pictures into ``folder``."""
    for name, command in COMMANDS.items():
        words = shlex.split(command)[1:]
        with redirect_stdout(StringIO()):
            code = run([*words[:-1], str(folder / name)])
        if code:
            sys.exit(f"{command}: exit code {code}")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
