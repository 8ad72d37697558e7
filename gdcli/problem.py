"""What is asked: from typed text, or from values at hand, to a checked `Problem`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gdcli.errors import DomainError, UsageError, did_you_mean

if TYPE_CHECKING:
    from gdcli.language.syntax import Tree
    from gdcli.language.values import Entry

SENSES = ("minimize", "maximize")
# A random start is redrawn until the value there is finite, at most so often.
MAX_DRAWS = 1000

Number = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked: an expression, its sense, where to start, and the constants.

    ``start`` has every variable, in order of first appearance: a number, or a sequence for a vector. ``drawn`` tells
    that no start was given and a random one was drawn with ``seed``. ``source`` is where the expression stands.
    """

    expression: str
    sense: str = "minimize"
    start: Mapping[str, Number] = field(default_factory=dict)
    constants: Mapping[str, Number] = field(default_factory=dict)
    seed: int = 0
    drawn: bool = False
    source: str = ""


@lru_cache(maxsize=64)
def parsed(expression: str, source: str) -> Tree:
    """Return the checked tree of an expression; the last ones are remembered. Raises UsageError."""
    from gdcli.language import syntax

    return syntax.parse(expression, source)


def read_problem(
    expression: str,
    sense: str,
    start: Sequence[str] = (),
    constants: Sequence[str] = (),
    seed: int = 0,
    source: str = "",
) -> Problem:
    """Return the problem that a user typed: ``start`` and ``constants`` as after ``--start`` and ``--set``.

    Raises UsageError with a span into the text at fault, DomainError where no finite random start is found.
    """
    from gdcli.language.values import read_values

    tree = parsed(expression, source)
    given = read_values(start, "--start", seed)
    fixed = read_values(constants, "--set", seed)
    for entry in fixed:
        if not entry.name:
            raise UsageError("--set needs a name for each value", "for example --set a=3", entry.span)
    known = {entry.name: entry.value for entry in fixed}
    names = _variables(tree, known, given)
    if not start:
        return _drawn(Problem(expression, sense, {}, known, seed, True, source), tree, names)
    values = _named(tree, names, given)
    return Problem(expression, sense, values, known, seed, False, source)


def _variables(tree: Tree, constants: Mapping[str, Any], given: Sequence[Entry]) -> list[str]:
    """The variables of an expression; an error when there are none."""
    from gdcli.language import form

    names = form.variables(tree, constants, [entry.name for entry in given if entry.name])
    if not names:
        form.build(tree, {}, constants)  # what else is wrong with it comes first
        raise tree.error(
            tree.root, "the expression has no variable", "name what is to be found, for example (x-3)**2"
        )
    return names


def _named(tree: Tree, names: Sequence[str], given: Sequence[Entry]) -> dict[str, Any]:
    """The start values by name, in order of first appearance; all of them."""
    from gdcli.language import form

    if not any(entry.name for entry in given):
        if len(given) != len(names):
            counted = f"{len(given)} value{'s' * (len(given) != 1)}"
            raise UsageError(
                f"--start has {counted} for {len(names)} variable{'s' * (len(names) != 1)}: {listed(names)}",
                f"give each a value: --start {_example(names, form.subscripted(tree))}",
                given[-1].span,
            )
        return {name: entry.value for name, entry in zip(names, given, strict=True)}
    values: dict[str, Any] = {}
    for entry in given:
        if not entry.name:
            raise UsageError(
                "some values of --start have names and this one has none",
                "for example --start x=1,y=2",
                entry.span,
            )
        if entry.name not in names:
            raise UsageError(
                f"--start gives {entry.name}, which is not a variable of the expression",
                did_you_mean(entry.name, names, f"its variables are {listed(names)}"),
                entry.span,
            )
        values[entry.name] = entry.value
    missing = [name for name in names if name not in values]
    if missing:
        hint = f"add {_example(missing, form.subscripted(tree))} to --start, or give constants with --set"
        node = next(n for n in form.all_nodes(tree.root) if form.name_of(n) == missing[0])
        raise tree.error(node, f"--start leaves out {listed(missing)}", hint)
    return {name: values[name] for name in names}


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many of them."""
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")


def _example(names: Sequence[str], vectors: set[str]) -> str:
    shown = ",".join(f"{name}=[1,2,3]" if name in vectors else f"{name}=1" for name in names[:4])
    return shown + (",..." if len(names) > 4 else "")


def _drawn(problem: Problem, tree: Tree, names: Sequence[str]) -> Problem:
    """The problem with a standard normal start for every name, redrawn until the value is finite."""
    from dataclasses import replace

    from gdcli.language import form
    from gdcli.language.values import normals
    from gdcli.objective.build import build_objective

    vectors = [name for name in names if name in form.subscripted(tree)]
    if vectors:
        hint = f"give it a start: --start {_example(names, form.subscripted(tree))}"
        raise UsageError(f"{vectors[0]} is a vector, and its length is not known", hint)
    exact = build_objective(tree, dict.fromkeys(names), problem.constants, 1)
    numbers = normals(problem.seed, MAX_DRAWS * len(names))
    for _ in range(MAX_DRAWS):
        x = [round(next(numbers), 4) for _ in names]  # short enough to be typed again
        if abs(exact.evaluate(exact.vector(x)).value) < float("inf"):
            return replace(problem, start=dict(zip(names, x, strict=True)))
    hint = f"give a start inside the domain: --start {_example(names, set())}"
    raise DomainError(f"no random start of {MAX_DRAWS} has a finite value", hint)


def make_problem(
    expression: str,
    sense: str = "minimize",
    start: Mapping[str, Number] | None = None,
    constants: Mapping[str, Number] | None = None,
    seed: int = 0,
    source: str = "",
) -> Problem:
    """Return a problem from values at hand, checked as a typed one; without ``start`` a random one is drawn.

    Raises UsageError and DomainError as :func:`read_problem`.
    """
    from gdcli.errors import Span
    from gdcli.language.values import Entry

    sign_of(sense)
    tree = parsed(expression, source)
    known = {name: _checked(name, value) for name, value in (constants or {}).items()}
    entries = [
        Entry(name, _checked(name, v), Span(name, 0, len(name), "start")) for name, v in (start or {}).items()
    ]
    names = _variables(tree, known, entries)
    if not entries:
        return _drawn(Problem(expression, sense, {}, known, seed, True, source), tree, names)
    return Problem(expression, sense, _named(tree, names, entries), known, seed, False, source)


def _checked(name: str, value: Any) -> Any:
    """A start or constant as floats, checked to be finite; a long vector stays an array."""
    import math

    try:
        if hasattr(value, "__len__") and not isinstance(value, str):
            numbers = value if hasattr(value, "dtype") else [float(v) for v in value]
            bad = len(numbers) == 0 or not all(map(math.isfinite, numbers))
        else:
            numbers = float(value)
            bad = not math.isfinite(numbers)
    except (TypeError, ValueError):
        bad = True
    if bad:
        raise UsageError(f"{name} must be a finite number or a list of them")
    return numbers


def sign_of(sense: str) -> int:
    """Return 1 for minimize and -1 for maximize. Raises UsageError for anything else."""
    if sense not in SENSES:
        raise UsageError(f"unknown sense {sense}", did_you_mean(sense, SENSES, "one of minimize, maximize"))
    return 1 if sense == "minimize" else -1
