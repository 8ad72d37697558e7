"""The house: imports go down only, and heavy libraries are imported only where they are needed."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "gdcli"

# The rooms from the ground up; `api` and `__main__` are files. A file may import from its room, and those named here.
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
    "record": {"kernel", "calculus", "solve", "judge", "tasks"},
    "render": {"kernel", "language", "solve", "tasks", "record"},
    "api": {"kernel", "objective", "solve", "tasks"},
    "cli": {"kernel", "language", "table", "solve", "tasks", "record", "render", "api"},
    # `python -m gdcli` is the command line.
    "__main__": {"cli"},
}
# Where only certain files of a room may be used, when the program runs.
ONLY = {
    # Update rules are texts; a search over boxes asks functions for bounds in the forms of intervals.
    ("solve", "compile"): {"compile.update_rules", "compile.interval_forms"},
    ("solve", "objective"): {
        "objective.protocol",
        "objective.box",
        "objective.bounded",
        "objective.constrained",
    },
    ("calculus", "kernel"): {
        "kernel.errors",
        "kernel.dataclass",
        "kernel.numerics",
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
    ("cli", "table"): {"table.source"},
    ("cli", "solve"): {"solve.registry", "solve.methods.descent", "solve.checkpointing", "solve.run"},
}
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")
)
_KNOWN = set(MODULES)
# A text that is the name of a module, as lazy imports give it: "gdcli.a.b", "gdcli.a.b:function".
_NAME = re.compile(r"gdcli((?:\.\w+)+)(?::\w+)?\.?")


class Imported(NamedTuple):
    """A name that is imported: ``later`` in a function, ``for_types`` only, or ``by_name``, which stands in a text."""

    name: str
    later: bool
    for_types: bool
    by_name: bool = False


class Facts(NamedTuple):
    imported: list[Imported]
    calls: list[ast.Call]


@cache
def facts_of(module: str) -> Facts:
    tree = ast.parse((PACKAGE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    found = Facts([], [])
    pending: list[tuple[ast.AST, bool, bool]] = [(node, False, False) for node in tree.body]
    while pending:
        node, later, for_types = pending.pop()
        found.imported.extend(_imported(node, later, for_types))
        if isinstance(node, ast.Call):
            found.calls.append(node)
        later = later or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        test = node.test if isinstance(node, ast.If) else None
        for_types = for_types or (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING")
        pending.extend((child, later, for_types) for child in ast.iter_child_nodes(node))
    return found


def _imported(node: ast.AST, later: bool, for_types: bool) -> Iterator[Imported]:
    if isinstance(node, ast.Import):
        yield from (Imported(one.name, later, for_types) for one in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (Imported(f"{node.module}.{one.name}", later, for_types) for one in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        named = _NAME.fullmatch(node.value)
        if named is not None:
            yield Imported("gdcli" + named[1], later, for_types, by_name=True)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(
    module: str, running: bool = True, inside_functions: bool = True, texts: bool = False
) -> list[str]:
    """The full names of what a module imports: when run, or also for type checkers; in functions or not.

    ``texts`` adds the names of modules that stand in texts: these are imported by name.
    """
    return [
        one.name
        for one in facts_of(module).imported
        if not (one.for_types and running)
        and (inside_functions or not one.later)
        and (texts or not one.by_name)
    ]


def libraries(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def own(names: Iterable[str]) -> Iterator[str]:
    """The modules of the package among the names: gdcli.language.graph.Graph -> language.graph."""
    for name in names:
        parts = name.split(".")
        if parts[0] != "gdcli":
            continue
        found = ".".join(parts[1:])
        while found and found not in _KNOWN and f"{found}.__init__" not in _KNOWN:
            found = found.rpartition(".")[0]
        yield found or "__init__"


def test_every_file_has_a_room() -> None:
    assert {room_of(module) for module in MODULES} == {*ROOMS, "__init__"}
    loose = {module for module in MODULES if "." not in module}
    assert loose == {"__init__", "__main__", "api"}


def test_rooms_stand_on_those_below() -> None:
    order = list(ROOMS)
    for room, below in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in below), room


def test_every_arrow_between_rooms_is_used() -> None:
    for room, below in ROOMS.items():
        its = [module for module in MODULES if room_of(module) == room]
        reached = {room_of(t) for m in its for t in own(imports(m, running=False, texts=True))}
        assert below == reached - {room, "__init__"}, room


def test_imports_go_down_only() -> None:
    """Also those in functions, those for type checkers, and those by name."""
    for module in MODULES:
        room = room_of(module)
        # __init__ has the version, and imports nothing.
        allowed = {*ROOMS.get(room, ()), room, "__init__"}
        every, run = (own(imports(module, running, texts=True)) for running in (False, True))
        upward = {target for target in every if room_of(target) not in allowed}
        only = {target: ONLY.get((room, room_of(target))) for target in run}
        elsewhere = {target for target, files in only.items() if files is not None and target not in files}
        assert not upward | elsewhere, f"{module} imports {upward | elsewhere}"
    assert not list(own(imports("__init__", running=False, texts=True)))


def test_no_two_files_import_each_other() -> None:
    """Directly or through others, in functions or outside, when run or for type checkers."""
    below = {m: set(own(imports(m, running=False))) - {m} for m in MODULES}
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


def test_files_that_tests_benchmarks_and_documents_import_are_there() -> None:
    root, missing = PACKAGE.parent, []
    for folder in ("tests", "benchmarks", "docs"):
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [f"{node.module}.{one.name}" for one in node.names]
                    # A folder of the package has nothing but files.
                    missing += [(path.name, name) for name in names if any(map(_is_folder, own([name])))]
    assert missing == []


def _is_folder(module: str) -> bool:
    return f"{module}.__init__" in _KNOWN


def test_heavy_libraries_stay_in_their_rooms() -> None:
    for module in MODULES:
        room = room_of(module)
        used = libraries(imports(module, running=False))
        loaded = imports(module, inside_functions=False)
        away = {"click"}
        away |= set() if module == "calculus.symbolic" else {"sympy"}
        away |= set() if room in ("render", "cli") else {"rich"}
        away |= set() if room == "cli" else {"typer"}
        assert not away & used, module
        assert not {"matplotlib", "plotext", "llvmlite", "polars", "numpy"} & libraries(loaded), module
        assert "importlib.metadata" not in loaded, module  # 18 ms at every start


def test_objectives_are_asked_not_examined() -> None:
    """What solvers and the judge use of an objective stands in its protocol, with an answer where it has none."""
    asked = ("objective", "base", "smooth")
    for module in (m for m in MODULES if room_of(m) in ("solve", "judge")):
        for node in facts_of(module).calls:
            if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "getattr", "hasattr"):
                examined = ast.unparse(node.args[0]).rpartition(".")[2]
                assert examined not in asked, f"{module}: {ast.unparse(node)}"


def test_dataclasses_and_named_tuples_are_those_that_cost_little() -> None:
    for module in MODULES:
        if module != "kernel.dataclass":
            assert "dataclasses" not in libraries(imports(module)), module
            assert "typing.NamedTuple" not in imports(module), module


def test_nothing_typed_is_ever_executed() -> None:
    """eval, sympify and parse_expr are nowhere; exec runs only texts that the program itself has written."""
    for module in MODULES:
        called = {getattr(node.func, "id", getattr(node.func, "attr", "")) for node in facts_of(module).calls}
        assert not {"eval", "sympify", "parse_expr", "vectorize", "lambdify"} & called, module
        if module not in (
            "kernel.dataclass",
            "compile.runners",
            "compile.scalar_text",
            "language.ieee",
            "language.special",
        ):
            assert "exec" not in called, module
