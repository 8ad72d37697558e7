"""What is asked: from typed text, or from values at hand, to a checked `Problem`."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, dataclass, field, replace, stored
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.kernel.vectors import lengths_of

if TYPE_CHECKING:
    from gdcli.language.constraints import BoundRow, Constraint, ConstraintRow
    from gdcli.language.relation import Relation
    from gdcli.language.syntax import Tree
    from gdcli.language.values import TypedValue
    from gdcli.objective.build import Exact

SENSES = ("minimize", "maximize")

Number = float | Sequence[float]
Bounds = Mapping[str, tuple[Number, Number]]


class TypedTexts(NamedTuple):
    """What may be typed beside an expression, its start and its constants: texts as after these options.

    ``option`` is what the bounds are called where they are given.
    """

    bounds: Sequence[str] = ()
    subject_to: Sequence[str] = ()
    let: Sequence[str] = ()
    option: str = "--bounds"


@stored()
@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked: an expression, its sense, where to start, and the constants.

    ``start`` has every variable, in order of first appearance: a number, or a sequence for a vector. ``drawn`` tells
    that no start was given and a random one was drawn with ``seed``. ``source`` is where the expression stands.
    ``bounds`` has (lower, upper) of the bounded variables by name, lists for a vector; those with equal ends are
    constants, and ``fixed`` has their names. ``subject_to`` has each constraint as typed with where it stands; those
    that are lines in one variable are among the bounds too. ``let`` has the named parts as typed.
    """

    expression: str
    sense: str = "minimize"
    start: Mapping[str, Number] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    drawn: bool = False
    source: str = ""
    bounds: Bounds = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    subject_to: tuple[tuple[str, str], ...] = ()
    let: tuple[str, ...] = ()

    @property
    def lengths(self) -> dict[str, int | None]:
        """The length of each variable, None for a number."""
        return lengths_of(self.start)

    @property
    def sign(self) -> int:
        """What a value is multiplied by to be minimised: -1 where it is to be as large as possible."""
        return sign_of(self.sense)

    @property
    def tree(self) -> Tree | None:
        """The checked tree of the expression, None where there is no text of it. Raises UsageError."""
        tree = parsed(self.expression, self.source)
        if not self.let:
            return tree
        from gdcli.language.relation import read_parts, with_parts

        return with_parts(tree, read_parts(self.let))

    def constraints(self) -> list[Constraint]:
        """Return the constraints that are no bounds. Raises as `gdcli.language.constraints.build`."""
        from gdcli.language import constraints

        return constraints.build(self.rows()[0], self.lengths, self.constants)

    def rows(self) -> tuple[list[ConstraintRow], list[BoundRow]]:
        """Return the rows of the constraints, and those that are bounds of one variable."""
        from gdcli.tasks.starts_and_limits import relations_of, split_rows

        relations = relations_of(self.subject_to, self.let)
        return split_rows(relations, self.lengths, self.constants, self.bounds)

    def idle_constraints(self) -> list[str]:
        """Return the texts of constraints without a variable; they hold, since one that does not is an error when the
        problem is read.
        """
        from gdcli.tasks.starts_and_limits import relations_of

        varied = {*self.lengths, *self.fixed}
        return [
            each.piece() for each in relations_of(self.subject_to, self.let) if varied.isdisjoint(each.names)
        ]

    def objective(self, sign: int, engine: str = "auto", use_cache: bool = True) -> Exact:
        """Return the function to be minimised, its values multiplied by ``sign``; raises as `build_objective`."""
        from gdcli.objective.build import build_objective

        tree = self.tree
        assert tree is not None
        return build_objective(tree, self.lengths, self.constants, sign, engine, use_cache)


@lru_cache(maxsize=64)
def parsed(expression: str, source: str) -> Tree:
    """Return the checked tree of an expression; the last ones are remembered. Raises UsageError."""
    from gdcli.language import syntax

    try:
        return syntax.parse(expression, source)
    except UsageError as error:
        from gdcli.language.notation import told

        raise told(error) from None


@lru_cache(maxsize=64)
def _names(
    expression: str, source: str, constants: tuple[str, ...], started: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the variables of an expression; remembered, for a stream has thousands of problems with one."""
    from gdcli.language import tree_names

    return tuple(tree_names.variables(parsed(expression, source), dict.fromkeys(constants, 0.0), started))


@lru_cache(maxsize=64)
def _vectors(expression: str, source: str) -> frozenset[str]:
    from gdcli.language import tree_names

    return frozenset(tree_names.subscripted(parsed(expression, source)))


def read_problem(
    expression: str,
    sense: str,
    start: Sequence[str] = (),
    constants: Sequence[str] = (),
    seed: int = 0,
    source: str = "",
    typed: TypedTexts | None = None,
) -> Problem:
    """Return the problem that a user typed: texts as after ``--start`` and ``--set``, and what ``typed`` has.

    Raises UsageError with a span into the text at fault, DomainError where no finite random start is found.
    """
    from gdcli.language.values import read_values

    parsed(expression, source)  # what is wrong with it comes first
    given, known = read_values(start, "--start", seed), read_constants(constants, seed)
    asked = Problem(expression, sense, constants=known, seed=seed, drawn=not given, source=source)
    return problem_with(asked, given, typed or TypedTexts())


def read_constants(texts: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the constants typed after ``--set``. Raises UsageError for a value without a name."""
    from gdcli.language.values import read_values

    entries = read_values(texts, "--set", seed)
    for entry in entries:
        if not entry.name:
            raise UsageError("--set needs a name for each value", "for example --set a=3", entry.span)
    return {entry.name: entry.value for entry in entries}


def problem_with(asked: Problem, given: Sequence[TypedValue], typed: TypedTexts) -> Problem:
    """Return the problem ``asked`` with the start that is ``given``, without one drawn, and with what is ``typed``."""
    relations: list[Relation] = []
    if typed.let:
        asked = replace(asked, let=tuple(typed.let))
    if typed.subject_to:
        from gdcli.tasks.starts_and_limits import as_typed, relations_of

        asked = replace(asked, subject_to=as_typed(typed.subject_to))
        relations = relations_of(asked.subject_to, asked.let)
    tree, known = asked.tree, asked.constants
    assert tree is not None
    trees = (tree, *(each.whole for each in relations))
    names = _variables(trees, known, given)
    if asked.let:
        check_used(asked.let, trees, given)
    ends: dict[str, Any] = {}
    fixed: dict[str, Any] = {}
    if typed.bounds or relations:
        from gdcli.tasks.starts_and_limits import ends_of

        given = with_names(given, names)
        lengths = dict.fromkeys(names) | {
            e.name: len(e.value) for e in given if hasattr(e.value, "__len__") and e.name in names
        }
        fixed, ends = ends_of(typed.bounds, typed.option, relations, lengths, known)
        known = {**known, **fixed}
        names = [name for name in names if name not in fixed]
        given = [entry for entry in given if entry.name not in fixed]
    values = _named(trees, names, given) if given else _undeclared(trees, names)
    problem = replace(asked, start=values, constants=known, bounds=ends, fixed=tuple(fixed))
    if not asked.drawn:
        return problem
    from gdcli.tasks.starts_and_limits import random_start

    indexed = _vectors_of(trees)
    vectors = [name for name in names if name in indexed]
    if vectors:
        hint = f"give it a start: --start {example(names, indexed)}"
        raise UsageError(f"{vectors[0]} is a vector, and its length is not known", hint)
    hint = f"give a start inside the domain: --start {example(names, set())}"
    return replace(problem, start=random_start(tree, names, known, ends, asked.seed, hint))


def check_used(
    let: Sequence[str], trees: Sequence[Tree], given: Sequence[TypedValue], columns: Collection[str] = ()
) -> None:
    """Raise UsageError for a named part that nothing uses, that is a column too, or that has a start ``given``."""
    if not let:
        return
    from gdcli.language.relation import read_parts
    from gdcli.language.tree_names import all_nodes, name_of, with_parts

    used = {name_of(node) for tree in with_parts(trees) for node in all_nodes(tree.root)}
    starts = {entry.name: entry.span for entry in given}
    for text, name in zip(let, read_parts(tuple(let)), strict=True):
        if name in starts:
            raise UsageError(f"--start gives {name}, which --let computes", "leave it out", starts[name])
        if name in columns or name not in used:
            what = "which is a column of the data" if name in columns else "which nothing uses"
            hint = "rename one of them" if name in columns else "leave it out"
            raise UsageError(f"--let gives {name}, {what}", hint, Span(text, 0, text.index("="), "--let"))


def with_names(given: Sequence[TypedValue], names: Sequence[str]) -> Sequence[TypedValue]:
    """Return a start with the names of its values, where all values came without one and there are as many."""
    if len(given) != len(names) or any(entry.name for entry in given):
        return given
    return [entry._replace(name=name) for entry, name in zip(given, names, strict=True)]


def _variables(
    trees: Sequence[Tree], constants: Mapping[str, Any], given: Sequence[TypedValue]
) -> Sequence[str]:
    """The variables of an expression and its constraints; an error when there are none."""
    from gdcli.language import form, tree_names

    tree = trees[0]
    started = tuple(entry.name for entry in given if entry.name)
    if len(trees) == 1 and not tree.parts:
        names: Sequence[str] = _names(tree.text, tree.source, tuple(constants), started)
    else:
        names = tree_names.variables(tree, constants, started, trees[1:])
    if not names:
        form.build(tree, {}, constants)  # what else is wrong with it comes first
        raise tree.error(
            tree.root, "the expression has no variable", "name what is to be found, for example (x-3)**2"
        )
    return names


def _vectors_of(trees: Sequence[Tree]) -> frozenset[str]:
    """The names of an expression and its constraints that must be vectors."""
    from gdcli.language import tree_names

    if len(trees) == 1 and not trees[0].parts:
        return _vectors(trees[0].text, trees[0].source)
    return frozenset(name for tree in trees for name in tree_names.subscripted(tree))


def _named(trees: Sequence[Tree], names: Sequence[str], given: Sequence[TypedValue]) -> dict[str, Any]:
    """The start values by name, in order of first appearance; all of them."""
    vectors = _vectors_of(trees)
    values = named_values(names, given, vectors, "variable", "the expression")
    missing = [name for name in names if name not in values]
    if missing:
        hint = f"add {example(missing, vectors)} to --start, or give constants with --set"
        hint = _one_name(missing, values) or _of_matrices(trees, missing) or hint
        if len(trees) > 1 and missing[0] not in trees[0].names:  # a name of constraints alone may be a slip
            hint = did_you_mean(missing[0], values, hint)
        raise UsageError(f"--start leaves out {listed(missing)}", hint, _place(trees, missing[0]))
    return {name: values[name] for name in names}


def _place(trees: Sequence[Tree], name: str) -> Span | None:
    """Where a name first stands in an expression, its parts and its constraints."""
    from gdcli.language import tree_names

    return tree_names.place_of_name(tree_names.with_parts(trees), name)


def _undeclared(trees: Sequence[Tree], names: Sequence[str]) -> dict[str, Any]:
    """The start where none is given: nothing yet. Raises UsageError for a name that is meant for a product, a call, or
    a matrix.
    """
    if any("@" in tree.text for tree in trees) and (hint := _of_matrices(trees, names)):
        raise UsageError("@ multiplies matrices and vectors, and these are not given", hint)
    if all(len(name) == 1 for name in names):
        return {}
    from gdcli.language.notation import as_meant

    for name in names:
        meant = as_meant(name, [other for other in names if other != name]) if len(name) > 1 else ""
        if meant:
            hint = f"write {meant}, or give {name} a start: --start {name}=1"
            raise UsageError(f"{name} is one name", hint, _place(trees, name))
    return {}


def _of_matrices(trees: Sequence[Tree], names: Sequence[str]) -> str:
    """Say how those of ``names`` that stand beside an ``@`` are given; "" where none does."""
    from gdcli.language import tree_names

    beside = {name for tree in trees for name in tree_names.multiplied(tree)}
    name = next((name for name in names if name in beside), "")
    return (
        name
        and f"a vector has a start, --start '{name}=[1,2]', a matrix is given: --set '{name}=[[1,2],[3,4]]'"
    )


def _one_name(names: Sequence[str], known: Collection[str]) -> str:
    """Say which of some names is meant for a product, or for a call, of ``known`` ones; "" where none is."""
    from gdcli.language.notation import as_product  # only an error needs it

    meant = {name: as_product(name, known) for name in names}
    return next((f"{name} is one name: write {product}" for name, product in meant.items() if product), "")


def named_values(
    names: Sequence[str], given: Sequence[TypedValue], vectors: Container[str], what: str, of: str
) -> dict[str, Any]:
    """Return what ``--start`` gives, by name; values alone go to ``names`` in their order, all of them.

    ``vectors`` are the names that examples show as such; a name is a ``what`` (variable) ``of`` (the expression).
    Raises UsageError for names that are none of ``names``, and where some have names and some have none.
    """
    _refuse_matrices(given, what)
    if given and not any(entry.name for entry in given):
        if len(given) != len(names):
            counted = f"{len(given)} value{'s' * (len(given) != 1)}"
            meant = example(names, vectors)
            listing = given[0].value
            if (
                len(given) == 1 and isinstance(listing, list) and len(listing) == len(names)
            ):  # [1,2] for x and y
                meant = ",".join(
                    f"{name}={value!r}".removesuffix(".0") for name, value in zip(names, listing, strict=True)
                )
            raise UsageError(
                f"--start has {counted} for {len(names)} {what}{'s' * (len(names) != 1)}: {listed(names)}",
                f"give each a value: --start {meant}",
                given[-1].span,
            )
        return {name: entry.value for name, entry in zip(names, given, strict=True)}
    values: dict[str, Any] = {}
    started = [entry.name for entry in given if entry.name]
    for entry in given:
        if not entry.name:
            raise UsageError(
                "some values of --start have names and this one has none",
                "for example --start x=1,y=2",
                entry.span,
            )
        if entry.name not in names:
            raise UsageError(
                f"--start gives {entry.name}, which is not a {what} of {of}",
                _one_name([n for n in names if n not in started], started)
                or did_you_mean(entry.name, names, f"its {what}s are {listed(names)}"),
                entry.span,
            )
        values[entry.name] = entry.value
    return values


def _refuse_matrices(given: Sequence[TypedValue], what: str) -> None:
    for entry in given:
        if hasattr(entry.value, "__len__") and hasattr(entry.value[0], "__len__"):
            told = f"a {what} is a number or a vector, and {entry.name or 'this'} is a matrix"
            raise UsageError(told, "constants are given with --set", entry.span)


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many of them."""
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")


def example(names: Sequence[str], vectors: Container[str]) -> str:
    shown = ",".join(f"{name}=[1,2,3]" if name in vectors else f"{name}=1" for name in names[:4])
    return shown + (",..." if len(names) > 4 else "")


def sign_of(sense: str) -> int:
    """Return 1 for minimize and -1 for maximize. Raises UsageError for anything else."""
    if sense not in SENSES:
        raise UsageError(f"unknown sense {sense}", did_you_mean(sense, SENSES, "one of minimize, maximize"))
    return 1 if sense == "minimize" else -1
