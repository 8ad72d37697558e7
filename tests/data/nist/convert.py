"""Make nist.json and the CSV files from the .dat files of NIST's Statistical Reference Datasets (nonlinear regression).

The files are public domain: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml. Run as
``python convert.py FOLDER_OF_DAT_FILES``. The models are typed here as `gd fit` takes them; numbers are those of the
files, starts and certified values included (but for the degrees of freedom, which are rows less parameters: the
file Rat43.dat says 9 where its certified standard deviation has 15 - 4 = 11).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

_LANCZOS = "y ~ b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
_GAUSS = "y ~ b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)"
_CHWIRUT = "y ~ exp(-b1*x)/(b2+b3*x)"
_CUBIC = "y ~ (b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)"
_RISE = "y ~ b1*(1-exp(-b2*x))"
MODELS = {
    "Misra1a": _RISE,
    "Chwirut2": _CHWIRUT,
    "Chwirut1": _CHWIRUT,
    "Lanczos3": _LANCZOS,
    "Gauss1": _GAUSS,
    "Gauss2": _GAUSS,
    "DanWood": "y ~ b1*x**b2",
    "Misra1b": "y ~ b1*(1-(1+b2*x/2)**(-2))",
    "Kirby2": "y ~ (b1+b2*x+b3*x**2)/(1+b4*x+b5*x**2)",
    "Hahn1": _CUBIC,
    "Nelson": "log(y) ~ b1 - b2*x1*exp(-b3*x2)",
    "MGH17": "y ~ b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Lanczos1": _LANCZOS,
    "Lanczos2": _LANCZOS,
    "Gauss3": _GAUSS,
    "Misra1c": "y ~ b1*(1-(1+2*b2*x)**(-0.5))",
    "Misra1d": "y ~ b1*b2*x*(1+b2*x)**(-1)",
    "Roszman1": "y ~ b1 - b2*x - atan(b3/(x-b4))/pi",
    "ENSO": "y ~ b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4)"
    " + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)",
    "MGH09": "y ~ b1*(x**2+x*b2)/(x**2+x*b3+b4)",
    "Thurber": _CUBIC,
    "BoxBOD": _RISE,
    "Rat42": "y ~ b1/(1+exp(b2-b3*x))",
    "MGH10": "y ~ b1*exp(b2/(x+b3))",
    "Eckerle4": "y ~ (b1/b2)*exp(-0.5*((x-b3)/b2)**2)",
    "Rat43": "y ~ b1/((1+exp(b2-b3*x))**(1/b4))",
    "Bennett5": "y ~ b1*(b2+x)**(-1/b3)",
}


def problem(name: str, folder: Path) -> dict[str, Any]:
    """Return one problem as an entry of the JSON file, and write its data."""
    text = (folder / f"{name}.dat").read_text()
    rows = re.findall(r"^ +(b\d) += +(\S+) +(\S+) +(\S+) +(\S+)", text, re.MULTILINE)
    header, *data = text[text.rindex("Data:") + 5 :].strip().splitlines()
    lines = [",".join(header.split())] + [",".join(line.split()) for line in data if line.strip()]
    (HERE / f"{name}.csv").write_text("\n".join(lines) + "\n")
    level = re.search(r"(Lower|Average|Higher) Level", text)
    rss = re.search(r"Residual Sum of Squares: +(\S+)", text)
    sd = re.search(r"Residual Standard Deviation: +(\S+)", text)
    if not (rows and level and rss and sd):
        raise ValueError(f"{name}.dat is not as expected")
    column = {
        key: {row[0]: float(row[k]) for row in rows}
        for k, key in enumerate(("start1", "start2", "certified", "certified_se"), start=1)
    }
    return {
        "name": name,
        "model": MODELS[name],
        "data": f"{name}.csv",
        "difficulty": level[1].lower(),
        "certified_rss": float(rss[1]),
        "certified_sd": float(sd[1]),
        **column,
    }


def main(folder: Path) -> None:
    """Write all problems."""
    about = (
        "NIST Statistical Reference Datasets, nonlinear regression, with certified values; public domain;"
        " https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml"
    )
    entries = [json.dumps(problem(name, folder)) for name in MODELS]
    body = ",\n".join(entries)
    (HERE / "nist.json").write_text(f'{{"about": {json.dumps(about)}, "problems": [\n{body}\n]}}\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]))
