"""Value and gradient over all rows of a data set, numpy alone, against functions that sympy writes for numpy.

python benchmarks/rows.py [ROWS]
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import sympy as sp
from measure import alternate, sizes, table

from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import build_row_model
from gdcli.objective.row_objective import RowObjective

MODELS = {
    "a*exp(-b*x)+c": ("y ~ a*exp(-b*x)+c", "(a*exp(-b*x)+c-y)**2", "squared"),
    "logistic, 5 features": (
        "t ~ w0+w1*x1+w2*x2+w3*x3+w4*x4+w5*x5",
        "log(1+exp(-t*(w0+w1*x1+w2*x2+w3*x3+w4*x4+w5*x5)))",
        "logistic",
    ),
}


class Columns:
    """Columns in memory."""

    lists = parts = None

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.names, self.arrays = tuple(columns), list(columns.values())
        self.rows = len(self.arrays[0])

    def chunks(self, size: int):
        """Yield pieces of rows."""
        for lo in range(0, self.rows, size):
            yield lo, [a[lo : lo + size] for a in self.arrays]


def main() -> None:
    """Measure and print the table."""
    (rows,) = sizes(10_000_000)
    random = np.random.default_rng(0)
    found = []
    for name, (model_text, loss_text, loss) in MODELS.items():
        model = parse_model(model_text)
        columns = [n for n in model.names if n in ("x", "y", "t") or n.startswith("x")]
        data = {n: random.normal(size=rows) for n in columns}
        if "t" in data:
            data["t"] = np.where(data["t"] > 0, 1.0, -1.0)
        names = sort_names(model, columns, {}, {}, {})
        objective = RowObjective(build_row_model(model, names, {}, loss), Columns(data))
        x = [0.5 + 0.1 * i for i in range(objective.size)]
        symbols = {n: sp.Symbol(n) for n in model.names}
        formula = sp.sympify(loss_text, locals=symbols)
        parameters = [symbols[n] for n in names.parameters]
        arguments = [symbols[n] for n in (*names.parameters, *columns)]
        parts = [formula, *(sp.diff(formula, p) for p in parameters)]
        naive = [sp.lambdify(arguments, part, "numpy") for part in parts]
        whole = [*x, *(data[n] for n in columns)]
        point = objective.vector(x)
        expected = [float(f(*whole).mean()) for f in naive]
        at = objective.evaluate(point, 1)
        assert np.allclose([at.value, *at.gradient], expected, rtol=1e-10), (at, expected)
        medians = alternate(
            {
                "naive": lambda naive=naive, whole=whole: [float(f(*whole).sum()) for f in naive],
                "gd": lambda o=objective, p=point: o.evaluate(p, 1),
            },
            3,
        )
        per_row = {k: f"{t / rows * 1e9:.2f}" for k, t in medians.items()}
        found.append([name, per_row["naive"], per_row["gd"], f"{medians['naive'] / medians['gd']:.1f}"])
    print(
        table([f"{rows:.0e} rows, value and gradient", "lambdify ns/row", "gd ns/row", "times faster"], found)
    )


if __name__ == "__main__":
    main()
