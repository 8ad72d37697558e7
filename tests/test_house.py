"""The house: imports go down only, and heavy libraries are imported only where they are needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gdcli"

# What every floor stands on.
GROUND = {"errors", "budget", "dataclass", "installing", "numerics", "stored", "sums", "__init__"}
# What each floor may import from when it runs, besides.
ALLOWED = {
    "errors": set(),
    "installing": set(),
    "dataclass": set(),
    "budget": set(),
    "sums": set(),
    "numerics": set(),
    "stored": set(),
    "language": set(),
    "solvers": set(),
    # Plain text is read by machine code.
    "data": {"codegen.delimited", "codegen.machine"},
    # Difference quotients give a gradient, and a gradient is one of the solvers' vectors.
    "calculus": {"language", "solvers.vectors"},
    "codegen": {"language", "calculus"},
    # It fulfils the Protocol that the solvers state: their words (types), vectors and small matrices, none of their
    # methods.
    "objective": {
        "language",
        "calculus",
        "codegen",
        "data",
        "solvers.types",
        "solvers.vectors",
        "solvers.factors",
    },
    "analysis": {"solvers"},
    # What is told of an answer: names of variables, words of a verdict, and the levels of errors and ties.
    "record": {"objective.space", "solvers.types", "analysis.statistics"},
    # Titles are set as mathematics.
    "report": {"record", "solvers.types", "language.latex"},
    # The states of runs on disk.
    "checkpoints": {"solvers", "codegen.runners"},
    # A gradient at a point, in every way there is.
    "examination": {"calculus", "objective", "solvers"},
    # What the public functions, the reports and the command line share.
    "outcome": set(),
    "evidence": {"outcome", "problem", "analysis", "solvers"},
    # A model and data: read, checked, solved, judged.
    "fitting": {
        "stochastic",
        "batch_sizes",
        "evidence",
        "outcome",
        "problem",
        "language",
        "calculus",
        "codegen",
        "objective",
        "data",
        "solvers",
        "analysis",
    },
    "api": {
        "comparisons",
        "evidence",
        "fitting",
        "outcome",
        "examination",
        "problem",
        "language",
        "calculus",
        "codegen",
        "objective",
        "data",
        "solvers",
        "analysis",
    },
    # Learning rates and methods side by side; what is asked is checked, what is found gets the user's signs.
    "comparisons": {"problem", "language", "objective", "analysis", "solvers"},
    # Descent on rows: the loop, the passes over data it runs on, and what the data say about rates.
    "stochastic": {"objective", "codegen", "solvers", "analysis"},
    # The same descent with several batch sizes.
    "batch_sizes": {"stochastic", "objective", "codegen", "solvers", "analysis"},
    # What is asked: read from the texts of a command, before anything is solved.
    "problem": {"language", "objective.space", "objective.build"},
    # Programs of other languages from what was solved.
    "emission": {"problem", "language", "calculus", "codegen", "objective.compiled"},
    # Runs of the api from many starts.
    "multi_start": {
        "api",
        "evidence",
        "problem",
        "objective.build",
        "objective.batch",
        "solvers.types",
        "solvers.units",
    },
    "problems": {"language", "api", "problem", "solvers.types"},
    # Besides the floors right below it the names of variables (space), and the words of an outcome.
    "cli": {
        "data.digest",
        "data.source",
        "api",
        "checkpoints",
        "solvers.keeping",
        "record",
        "report",
        "problems",
        "multi_start",
        "emission",
        "examination",
        "fitting",
        "objective.space",
        "solvers.types",
        "solvers.registry",
        "solvers.run",
        "language.listing",
        "language.values",
    },
    "__init__": {"api"},
}
# What only type checkers read: results are written out by shape, and named here for people.
NAMED = {
    "report": {
        "api",
        "batch_sizes",
        "fitting",
        "outcome",
        "problem",
        "examination",
        "calculus",
        "problems",
        "comparisons",
        "analysis",
        "objective.space",
        "solvers.types",
    },
    "problems": {"api"},
    "record": {
        "api",
        "batch_sizes",
        "comparisons",
        "outcome",
        "problem",
        "fitting",
        "analysis",
        "calculus",
        "examination",
    },
    "examination": {"problem"},
    "cli": {"comparisons", "problem"},
    "problem": {"objective"},
    "outcome": {"objective.space", "problem", "solvers.types"},
    "evidence": {"objective.space"},
    "multi_start": {"solvers.keeping", "solvers.types"},
    "emission": {"fitting", "objective.space", "outcome"},
}
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")
)


def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))


def imports(tree: ast.Module, running: bool = True, inside_functions: bool = True) -> Iterator[str]:
    """The full names of what a module imports: when run, or also for type checkers; in functions or not."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not inside_functions:
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and running:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        pending.extend(ast.iter_child_nodes(node))


def libraries(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def own(names: Iterator[str]) -> Iterator[str]:
    """The modules of the package among the names: gdcli.language.graph.Graph -> language.graph."""
    known = set(MODULES)
    for name in names:
        parts = name.split(".")
        if parts[0] != "gdcli":
            continue
        found = ".".join(parts[1:])
        while found and found not in known and f"{found}.__init__" not in known:
            found = found.rpartition(".")[0]
        yield found or "__init__"


def test_every_floor_is_known() -> None:
    assert {module.partition(".")[0] for module in MODULES} <= set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    floor = module.partition(".")[0]
    for running, allowed in ((True, ALLOWED[floor]), (False, ALLOWED[floor] | NAMED.get(floor, set()))):
        for target in own(imports(tree_of(module), running)):
            below = target.partition(".")[0]
            assert {below, target} & {*allowed, floor, *GROUND}, f"{module} imports {target}"


def test_the_allowed_edges_make_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(ALLOWED):
        ready = {
            f for f, below in ALLOWED.items() if {b.partition(".")[0] for b in below} - {f} <= done
        } - done
        assert ready, sorted(set(ALLOWED) - done)
        done |= ready


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    tree = tree_of(module)
    floor = module.partition(".")[0]
    used = libraries(imports(tree, running=False))
    loaded = libraries(imports(tree, inside_functions=False))
    if module != "calculus.symbolic":
        assert "sympy" not in used
    if floor not in ("report", "cli"):
        assert "rich" not in used
    if floor != "cli":
        assert not {"typer", "click"} & used
    assert "click" not in used
    assert not {"matplotlib", "plotext", "llvmlite", "polars"} & loaded
    if floor in (
        "solvers",
        "analysis",
        "objective",
        "language",
        "calculus",
        "codegen",
        "record",
        "report",
        "cli",
        "api",
        "problems",
        "fitting",
        "data",
    ):
        assert "numpy" not in loaded
    assert "importlib.metadata" not in set(imports(tree, inside_functions=False))  # 18 ms at every start


@pytest.mark.parametrize("module", MODULES)
def test_dataclasses_and_named_tuples_are_those_that_cost_little(module: str) -> None:
    if module != "dataclass":
        assert "dataclasses" not in libraries(imports(tree_of(module)))
        named = {
            (node.module, alias.name)
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert ("typing", "NamedTuple") not in named


@pytest.mark.parametrize("module", MODULES)
def test_nothing_typed_is_ever_executed(module: str) -> None:
    """eval, sympify and parse_expr are nowhere; exec runs only texts that the program itself has written."""
    called = {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }
    assert not {"eval", "sympify", "parse_expr", "vectorize", "lambdify"} & called
    if module not in ("dataclass", "codegen.runners", "language.ieee", "language.special"):
        assert "exec" not in called
