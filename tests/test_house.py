"""The house: imports go down only, and heavy libraries are imported only where they are needed."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gdcli"

# The rooms from the ground up; `api` is one file. A file may import from its own room, and from those named here.
ROOMS: dict[str, set[str]] = {
    # What all stand on: errors, statuses, the budget, vectors, tolerances.
    "kernel": set(),
    "language": {"kernel"},
    "calculus": {"kernel", "language"},
    "compile": {"kernel", "language", "calculus"},
    # Plain text is read by machine code.
    "table": {"kernel", "language", "compile"},
    "objective": {"kernel", "language", "calculus", "compile"},
    # Of objectives only what they are (`protocol`), and the bounds and constraints that they may have.
    "solve": {"kernel", "compile", "objective"},
    "judge": {"compile", "kernel", "objective", "solve"},
    "tasks": {"kernel", "language", "calculus", "compile", "table", "objective", "solve", "judge"},
    "record": {"kernel", "calculus", "compile", "solve", "judge", "tasks"},
    "render": {"kernel", "language", "solve", "tasks", "record"},
    "api": {"kernel", "objective", "solve", "tasks"},
    "cli": {"kernel", "language", "table", "solve", "tasks", "record", "render", "api"},
}
# Where only certain files of a room may be used, when the program runs.
ONLY = {
    # Update rules are texts.
    ("solve", "compile"): {"compile.update_rules"},
    ("solve", "objective"): {
        "objective.protocol",
        "objective.box",
        "objective.bounded",
        "objective.constrained",
        "objective.penalised",
    },
    ("calculus", "kernel"): {
        "kernel.errors",
        "kernel.dataclass",
        "kernel.numerics",
        "kernel.sums",
        "kernel.vectors",
    },
    ("table", "compile"): {"compile.delimited_rows", "compile.machine_code", "compile.runners"},
    # Titles are set as mathematics.
    ("render", "language"): {"language.latex"},
    # Pages are made from records; the objects that they are made from as well are named for type checkers.
    ("render", "solve"): set(),
    ("render", "tasks"): set(),
    # What a caller says of how it is to be solved.
    ("api", "solve"): {"solve.settings"},
    # The command line asks the api and the tasks. Of the rooms below: lists of what there is, and the digests of files.
    ("cli", "language"): {"language.listing", "language.values"},
    ("cli", "table"): {"table.file_digest", "table.source"},
    ("cli", "solve"): {"solve.registry", "solve.first_order", "solve.checkpointing", "solve.run"},
}
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")
)
# A text that is the name of a module, as lazy imports give it: "gdcli.a.b", "gdcli.a.b:function".
_NAME = re.compile(r"gdcli((?:\.\w+)+)(?::\w+)?\.?")


def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(
    tree: ast.Module, running: bool = True, inside_functions: bool = True, texts: bool = False
) -> Iterator[str]:
    """The full names of what a module imports: when run, or also for type checkers; in functions or not.

    ``texts`` adds the names of modules that stand in texts: these are imported by name.
    """
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
        elif texts and isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = _NAME.fullmatch(node.value)
            if named is not None:
                yield "gdcli" + named[1]
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


def test_every_file_has_a_room() -> None:
    assert {room_of(module) for module in MODULES} == {*ROOMS, "__init__"}
    loose = {module for module in MODULES if "." not in module}
    assert loose == {"__init__", "api"}


def test_rooms_stand_on_those_below() -> None:
    order = list(ROOMS)
    for room, below in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in below), room


def test_every_arrow_between_rooms_is_used() -> None:
    for room, below in ROOMS.items():
        its = [module for module in MODULES if room_of(module) == room]
        reached = {room_of(t) for m in its for t in own(imports(tree_of(m), running=False, texts=True))}
        assert below == reached - {room, "__init__"}, room


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    """Also those in functions, those for type checkers, and those by name."""
    tree, room = tree_of(module), room_of(module)
    if room == "__init__":
        assert set(own(imports(tree, False, texts=True))) == set()
        return
    for target in own(imports(tree, running=False, texts=True)):
        # __init__ has the version, and imports nothing.
        assert room_of(target) in {*ROOMS[room], room, "__init__"}, f"{module} imports {target}"
    for target in own(imports(tree, texts=True)):
        only = ONLY.get((room, room_of(target)))
        assert only is None or target in only, f"{module} imports {target}"


def test_no_two_files_import_each_other() -> None:
    """Directly or through others, in functions or outside, when run or for type checkers."""
    below = {m: set(own(imports(tree_of(m), running=False))) - {m} for m in MODULES}
    left = dict(below)
    while left:
        free = [module for module, needs in left.items() if not needs & set(left)]
        assert free, f"in circles: {sorted(left)}"
        for module in free:
            del left[module]


def test_every_file_has_a_name_of_its_own() -> None:
    names = Counter(module.rpartition(".")[2] for module in MODULES)
    del names["__init__"]
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    tree = tree_of(module)
    room = room_of(module)
    used = libraries(imports(tree, running=False))
    loaded = libraries(imports(tree, inside_functions=False))
    if module not in ("calculus.symbolic", "calculus.sympy_text"):
        assert "sympy" not in used
    if room not in ("render", "cli"):
        assert "rich" not in used
    if room != "cli":
        assert not {"typer", "click"} & used
    assert "click" not in used
    assert not {"matplotlib", "plotext", "llvmlite", "polars", "numpy"} & loaded
    assert "importlib.metadata" not in set(imports(tree, inside_functions=False))  # 18 ms at every start


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) in ("solve", "judge")])
def test_objectives_are_asked_not_examined(module: str) -> None:
    """What solvers and the judge use of an objective stands in its protocol, with an answer where it has none."""
    asked = ("objective", "base", "smooth")
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            first = ast.unparse(node.args[0]).rpartition(".")[2]
            assert not (node.func.id in ("isinstance", "getattr", "hasattr") and first in asked), ast.unparse(
                node
            )


@pytest.mark.parametrize("module", MODULES)
def test_dataclasses_and_named_tuples_are_those_that_cost_little(module: str) -> None:
    if module != "kernel.dataclass":
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
    if module not in ("kernel.dataclass", "compile.runners", "language.ieee", "language.special"):
        assert "exec" not in called
