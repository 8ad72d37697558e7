"""What was solved, as a program of another language that runs on its own.

Of a minimum (maximum) the objective with its gradient, in Python, C or JavaScript, or as a formula in LaTeX; of a fit
the formula with its numbers, in Python, C, JavaScript, SQL, awk or LaTeX.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from json import dumps
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.elements import components
from gdcli.calculus.formula_text import formula, latex, latex_of
from gdcli.compile import export_text
from gdcli.compile.scalar_text import leaves_of
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.language import form
from gdcli.language.form import Form
from gdcli.language.graph import Graph, Key
from gdcli.language.losses import LOGITS
from gdcli.tasks.pipeline import Outcome

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared

LANGUAGES = ("python", "c", "javascript", "latex", "sql", "awk")
OF_OBJECTIVES = ("python", "c", "javascript", "latex")
# Vectors are written out, element by element.
MOST = 200


def check(language: str, is_fit: bool) -> None:
    """Raise UsageError where a language cannot say what is asked of it; before anything is solved."""
    if not is_fit and language not in OF_OBJECTIVES:
        raise UsageError(
            f"--emit {language} is for the formula of a fit", f"one of {', '.join(OF_OBJECTIVES)}"
        )


def objective(outcome: Outcome, language: str) -> str:
    """Return the objective with its gradient. Raises UsageError for more than `MOST` variables."""
    problem, space = outcome.problem, outcome.space
    tree = problem.tree
    assert tree is not None
    _check_size(space.size)
    about = _about(outcome)
    if language == "latex":
        names = ", ".join(map(latex_of, components(problem.lengths)))
        value = latex(formula(tree, problem.lengths, problem.constants))
        return export_text.comment(about, "%") + f"f({names}) = {value}\n"
    built = form.build(tree, problem.lengths, problem.constants, expand=True)
    leaves = leaves_of(space)
    gradient = Derivatives(built.graph).slopes(built.root, list(map(built.graph.leaf, leaves)))
    x = [float(v) for v in outcome.run.best.at.x]
    write = {"python": _python, "c": _c, "javascript": _javascript}[language]
    return write(_Written(built, leaves, gradient, about, space.labels, x))


class _Written(NamedTuple):
    """What is written: an objective whose variables stand for ``leaves``, the nodes of its ``gradient``, comments, what
    its variables are called, and the point.
    """

    built: Form
    leaves: Mapping[Key, str]
    gradient: Sequence[int]
    about: list[str]
    labels: list[str]
    x: list[float]


def _check_size(size: int) -> None:
    if size > MOST:
        raise UsageError(
            f"--emit writes out up to {MOST} numbers, and this has {size}", "--format json has all"
        )


def _about(outcome: Outcome) -> list[str]:
    problem = outcome.problem
    found = ", ".join(f"{name} = {value!r}" for name, value in outcome.point.items())
    what = "fit" if hasattr(outcome, "statistics") else problem.sense
    lines = [f"{what}: {' '.join(problem.expression.split())}"]
    if problem.constants:
        lines.append("with " + ", ".join(f"{n} = {_plain(v)!r}" for n, v in problem.constants.items()))
    lines += [f"let {' '.join(text.split())}" for text in problem.let]
    lines += [f"subject to {' '.join(text.split())}" for text, _ in problem.subject_to[:MOST]]
    return [*lines, f"{outcome.status.value}: {found}", f"written by gd {__version__}"]


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if hasattr(value, "__len__") else float(value)


def _python(of: _Written) -> str:
    built, leaves, gradient, about, names, x = of
    graph = built.graph
    value = export_text.function("objective", graph, [built.root], leaves, "p", safe=True)
    slope = export_text.function("gradient", graph, gradient, leaves, "p", safe=True)
    if len(gradient) == 1:  # a tuple also of one number
        above, _, result = slope.rstrip("\n").rpartition("return ")
        slope = f"{above}return ({result},)\n"
    parts = [
        "import math\nfrom math import copysign, inf, isnan, nan\n",
        export_text.python_functions(graph, [built.root, *gradient]),
        f"NAMES = {tuple(names)!r}\nPOINT = {tuple(x)!r}\n",
        value,
        slope,
        'if __name__ == "__main__":\n    print(repr(objective(POINT)), *map(repr, gradient(POINT)))\n',
    ]
    return export_text.comment(about, "#") + "\n\n".join(part for part in parts if part)


def _c(of: _Written) -> str:
    built, leaves, gradient, about, names, x = of
    graph, n = built.graph, len(x)
    value = export_text.function("objective", graph, [built.root], leaves, "p", safe=False)
    slope = export_text.function("gradient", graph, gradient, leaves, "p, g", safe=False, outputs="g")
    numbers = ", ".join(map(repr, x))
    return (
        export_text.comment([*about, f"p and g: {', '.join(names)}", "cc -O2 FILE -lm"], "//")
        + "#include <math.h>\n#include <stdio.h>\n\n"
        + export_text.c_functions(graph, [built.root, *gradient])
        + export_text.in_c(value)
        + export_text.in_c(slope)
        + f"int main(void)\n{{\n    const double p[{n}] = {{{numbers}}};\n    double g[{n}];\n    gradient(p, g);\n"
        + '    printf("%.17g", objective(p));\n'
        + f'    for (int i = 0; i < {n}; i++)\n        printf(" %.17g", g[i]);\n    printf("\\n");\n'
        + "    return 0;\n}\n"
    )


def _javascript(of: _Written) -> str:
    built, leaves, gradient, about, names, x = of
    graph = built.graph
    value = export_text.function("objective", graph, [built.root], leaves, "p", safe=False)
    slope = export_text.function("slopes", graph, gradient, leaves, "p, g", safe=False, outputs="g")
    return (
        export_text.comment([*about, f"p: {', '.join(names)}", "node FILE"], "//")
        + '"use strict";\n\n'
        + f"const NAMES = {dumps(names)};\nconst POINT = {dumps(x)};\n\n"
        + export_text.javascript_functions(graph, [built.root, *gradient])
        + export_text.in_javascript(value)
        + export_text.in_javascript(slope)
        + f"function gradient(p) {{\n    const g = new Array({len(x)});\n    slopes(p, g);\n    return g;\n}}\n\n"
        + 'if (typeof module !== "undefined") {\n'
        + "    module.exports = { NAMES, POINT, objective, gradient };\n"
        + "    if (require.main === module) console.log(objective(POINT), ...gradient(POINT));\n}\n"
    )


# -- fits ------------------------------------------------------------------------------------------------------------


def fitted(prepared: Prepared, outcome: FitOutcome, language: str) -> str:
    """Return the fitted formula with its numbers, a function of the columns."""
    row, problem = prepared.row, outcome.problem
    names = row.names
    values = {**problem.constants, **outcome.point}
    right = row.model.right
    gathered = {column for columns in names.matrices.values() for column in columns}
    used = [name for name in names.columns if name in right.names or name in gathered]
    _check_size(len(used))
    constants = {name: value for name, value in values.items() if name in right.names}
    about = _about(outcome)
    left = "value" if row.model.left is None else " ".join(row.model.text.split("~")[0].split())
    if language == "latex":
        left = f"logit {left}" if problem.loss in LOGITS else left
        if any(name in right.names for name in names.matrices):
            raise UsageError("--emit latex has no data matrices", "--emit python or c")
        left = f"\\mathrm{{{left}}}".replace("_", r"\_").replace("^", r"\hat{}")
        value = latex(formula(right, dict.fromkeys(used), constants))
        return export_text.comment(about, "%") + f"\\widehat{{{left}}} = {value}\n"
    graph = Graph()
    root = form.build_row(right, graph, dict.fromkeys(used), constants, names.matrices)
    if problem.loss in LOGITS:  # the formula is the logit, what is measured the probability
        root = graph.node("sigmoid", root)
    if language == "sql":
        return _sql(graph, root, used, problem.files, about)
    leaves: dict[Key, str] = {("scalar", name): f"x{i}" for i, name in enumerate(used)}
    head = ", ".join(leaves.values())
    text = export_text.function("fitted", graph, [root], leaves, head, safe=language == "python")
    about.append("the columns: " + (", ".join(f"x{i} = {name}" for i, name in enumerate(used)) or "none"))
    write = {"python": _python_fit, "c": _c_fit, "javascript": _javascript_fit, "awk": _awk_fit}[language]
    return write(graph, root, text, used, about)


def _sql(graph: Graph, root: int, used: Sequence[str], files: Sequence[str], about: list[str]) -> str:
    leaves: dict[Key, str] = {("scalar", name): f"CAST({_quoted(name)} AS REAL)" for name in used}
    name = os.path.basename(files[0]) if files and files[0] != "-" else "data"
    text = export_text.sql(graph, root, leaves)
    table = _quoted(name.split(".")[0] or "data")
    return export_text.comment(about, "--") + f"SELECT *, {text} AS fitted FROM {table};\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _python_fit(graph: Graph, root: int, text: str, used: Sequence[str], about: list[str]) -> str:
    parts = [
        "import csv\nimport math\nimport sys\nfrom math import copysign, inf, isnan, nan\n",
        export_text.python_functions(graph, [root]),
        f"COLUMNS = {tuple(used)!r}\n",
        text,
        'if __name__ == "__main__":  # rows of CSV in, the same with a column more out\n'
        "    rows = csv.DictReader(sys.stdin)\n"
        '    out = csv.DictWriter(sys.stdout, [*(rows.fieldnames or []), "fitted"])\n'
        "    out.writeheader()\n"
        "    for row in rows:\n"
        '        out.writerow(row | {"fitted": repr(fitted(*(float(row[name]) for name in COLUMNS)))})\n',
    ]
    return export_text.comment(about, "#") + "\n\n".join(part for part in parts if part)


def _c_fit(graph: Graph, root: int, text: str, used: Sequence[str], about: list[str]) -> str:
    n = len(used)
    names = [f"x{i}" for i in range(n)]
    reading = '"' + "%lf" * n + '", ' + ", ".join(f"&{name}" for name in names)
    function = export_text.in_c(text) if n else export_text.in_c(text).replace("fitted()", "fitted(void)")
    main = (
        f"    double {', '.join(names)};\n    while (scanf({reading}) == {n})\n"
        f'        printf("%.17g\\n", fitted({", ".join(names)}));\n'
        if n
        else '    printf("%.17g\\n", fitted());\n'
    )
    return (
        export_text.comment([*about, "numbers in, in this order, a number a row out; cc -O2 FILE -lm"], "//")
        + "#include <math.h>\n#include <stdio.h>\n\n"
        + export_text.c_functions(graph, [root])
        + function
        + f"int main(void)\n{{\n{main}    return 0;\n}}\n"
    )


def _javascript_fit(graph: Graph, root: int, text: str, used: Sequence[str], about: list[str]) -> str:
    reading = (
        'if (typeof module !== "undefined") {\n'
        "    module.exports = { COLUMNS, fitted };\n"
        "    if (require.main === module) {\n"
        '        const lines = require("fs").readFileSync(0, "utf8").split(/\\r?\\n/).filter((line) => line !== "");\n'
        '        const at = COLUMNS.map((name) => lines[0].split(",").indexOf(name));\n'
        "        lines.slice(1).forEach((line, i) => {\n"
        '            const cells = line.split(",");\n'
        '            lines[i + 1] += "," + fitted(...at.map((k) => Number(cells[k])));\n'
        "        });\n"
        '        lines[0] += ",fitted";\n'
        '        console.log(lines.join("\\n"));\n'
        "    }\n}\n"
    )
    return (
        export_text.comment(
            [*about, "CSV without quotes in, the same with a column more out: node FILE < data.csv"], "//"
        )
        + f'"use strict";\n\nconst COLUMNS = {dumps(used)};\n\n'
        + export_text.javascript_functions(graph, [root])
        + export_text.in_javascript(text)
        + reading
    )


def _awk_fit(graph: Graph, root: int, text: str, used: Sequence[str], about: list[str]) -> str:
    function = export_text.in_awk(text)
    cells = ", ".join(f'$(at["{name}"]) + 0' for name in used)
    return (
        export_text.comment(
            [*about, "CSV without quotes in, the same with a column more out: awk -f FILE data.csv"], "#"
        )
        + export_text.awk_functions(text, graph, [root])
        + function
        + 'BEGIN { FS = ","; inf = -log(0) }\n'
        + '{ sub(/\\r$/, "") }\n'
        + 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; print $0 ",fitted"; next }\n'
        + f'{{ printf "%s,%.17g\\n", $0, fitted({cells}) }}\n'
    )
