"""The house in numbers: size, how far a command goes through it, circles, long functions, words that stand twice.

    python benchmarks/house.py [tests]

With ``tests`` pytest is asked how many there are. Functions inside functions count, lambdas and comprehensions
do not. The cyclomatic complexity of a function is 1 and 1 for each if, elif, for, while, except, case,
conditional expression, condition of a comprehension, and each further operand of `and` and `or` (McCabe, IEEE Trans.
Software Eng. 2, 1976); functions inside count for themselves. A circle is a set of files each of which reaches the
others by imports (for type checkers not counted).
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from measure import table

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gdcli"
SMALL = ["minimize", "(x-3)**2", "--start", "x=0"]
FIT = ["fit", "y ~ a*exp(-b*t) + c", str(ROOT / "docs" / "decay.csv"), "--start", "a=1,b=1,c=0"]
# Runs a command and prints the files of the package in which a function was entered.
ENTERED = """
import sys
seen = set()
def note(frame, event, argument):
    code = frame.f_code
    if event == "call" and (code.co_name[:1] != "<"):
        seen.add(code.co_filename)
sys.setprofile(note)
from gdcli.cli.app import run
run(sys.argv[1:])
sys.setprofile(None)
print("\\nFILES", *sorted(name for name in seen if "gdcli" in name), sep="\\n")
"""
_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef
_BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.match_case)


@cache
def trees() -> Mapping[str, ast.Module]:
    """Return the files of the package, parsed, by their names as modules."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Return all that the files consist of, each with the name of its module."""
    return [(module, node) for module, tree in trees().items() for node in ast.walk(tree)]


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each function with the name of its module."""
    yield from ((module, node) for module, node in nodes() if isinstance(node, _DEFINED))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function, its docstring and decorators among them."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def complexity(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the cyclomatic complexity of a function; see the text of the module."""
    found, pending = 1, list(node.body)
    while pending:
        part: ast.AST = pending.pop()
        if isinstance(part, _DEFINED | ast.Lambda):
            continue
        found += isinstance(part, _BRANCHES)
        found += len(part.values) - 1 if isinstance(part, ast.BoolOp) else 0
        found += len(part.ifs) if isinstance(part, ast.comprehension) else 0
        pending.extend(ast.iter_child_nodes(part))  # type: ignore[arg-type]
    return found


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of parameters of a function, but for self."""
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def annotated_any() -> int:
    """Return how many parameters and variables are said to be Any and nothing else."""
    kinds = [getattr(node, "annotation", None) for _, node in nodes()]
    return sum(isinstance(kind, ast.Name) and kind.id == "Any" for kind in kinds)


def short_docstrings(words: int = 12) -> int:
    """Return how many functions and classes have a docstring of at most so many words."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    texts = [ast.get_docstring(node) or "" for _, node in nodes() if isinstance(node, kinds)]
    return sum(0 < len(text.split()) <= words for text in texts)


def imports(node: ast.AST) -> Iterator[str]:
    """Yield the modules of the package that are imported below a node when it runs, inside functions too."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.If) and isinstance(part.test, ast.Name) and part.test.id == "TYPE_CHECKING":
            continue
        if isinstance(part, ast.Import):
            yield from (one.name for one in part.names if one.name in trees())
        elif isinstance(part, ast.ImportFrom):
            for one in part.names:
                whole = f"{part.module}.{one.name}"
                yield whole if whole in trees() else part.module or ""
        yield from imports(part)


def circles() -> list[list[str]]:
    """Return the sets of files that import each other, directly or through others."""
    below = {module: set(imports(tree)) & set(trees()) for module, tree in trees().items()}
    for _ in below:  # what is reached grows until it is all there is
        grown = {m: found.union(*(below[other] for other in found)) for m, found in below.items()}
        if grown == below:
            break
        below = grown
    found = {tuple(sorted(o for o in below[m] if m in below[o])) for m in below if m in below[m]}
    return [list(names) for names in sorted(found)]


def twice() -> dict[str, int]:
    """Return the names of files that stand in more than one folder."""
    names = Counter(path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return {name: count for name, count in names.items() if count > 1}


def entered(words: list[str]) -> list[str]:
    """Return the files in which functions run when a command line does."""
    done = subprocess.run([sys.executable, "-c", ENTERED, *words], capture_output=True, text=True, check=True)
    return done.stdout.partition("\nFILES\n")[2].splitlines()


def lines() -> int:
    """Return the number of lines of the package."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py"))


def is_epsilon(node: ast.AST) -> bool:
    """Tell whether this is the spacing of doubles near 1 or half of it: a power, a number near it, or a name."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("finfo", "float_info")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return re.sub(r"\.0|[() ]", "", ast.unparse(node)) in ("2**-52", "2**-53")
    number = node.value if isinstance(node, ast.Constant) else None
    return isinstance(number, float) and any(abs(number * 2.0**k - 1.0) < 0.02 for k in (52, 53))


def epsilons() -> list[str]:
    """Return where machine epsilon is written as a number."""
    return [
        f"{module}:{node.lineno}"  # type: ignore[attr-defined]
        for module, node in nodes()
        if is_epsilon(node)
    ]


def measured() -> dict[str, int]:
    """Return everything that is counted, by what it is."""
    own = list(functions())
    return {
        "lines in gdcli/": lines(),
        "files in gdcli/": len(trees()),
        "files entered by a small minimize": len(entered(SMALL)),
        "files entered by a plain fit": len(entered(FIT)),
        "circles of imports": len(circles()),
        "file names that stand twice": len(twice()),
        "functions over 50 lines": sum(length(node) > 50 for _, node in own),
        "functions of complexity over 12": sum(complexity(node) > 12 for _, node in own),
        "functions of more than 7 parameters": sum(parameters(node) > 7 for _, node in own),
        "parameters and variables that are Any": annotated_any(),
        "places that write machine epsilon": len(epsilons()),
        "docstrings of at most twelve words": short_docstrings(),
    }


def tests() -> int:
    """Return the number of tests that pytest finds."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    return sum(int(line.rpartition(":")[2]) for line in done.stdout.splitlines() if ".py: " in line)


def main() -> None:
    """Print the table, and the circles by name."""
    found = measured()
    if "tests" in sys.argv[1:]:
        found["tests"] = tests()
    print(table(["what", "how many"], [[what, str(number)] for what, number in found.items()]))
    for names in circles():
        print(f"\nA circle: {', '.join(name.removeprefix('gdcli.') for name in names)}")


if __name__ == "__main__":
    main()
