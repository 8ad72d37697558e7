"""The public Python functions: typed mathematics in, the optimum and its evidence out. No printing, no exit.

>>> from gdcli import api
>>> outcome = api.minimize("(x-3)**2 + (y-2)**2", start={"x": 0, "y": 0})
>>> outcome.point
{'x': 3.0, 'y': 2.0}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gdcli.errors import DomainError, UsageError, did_you_mean

if TYPE_CHECKING:
    from gdcli.language.syntax import Tree
    from gdcli.language.values import Entry
    from gdcli.objective.build import Exact
    from gdcli.objective.space import Space
    from gdcli.solvers.types import Certificate, Observer, RunResult, Status

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


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is to be solved. None means the method's own default; an option a method does not read is an error.

    ``h`` is the difference step of the numerical gradients. ``lr`` is the fixed step size (learning rate),
    ``step_sizes`` the list tried by the method ``batch`` or the step rule ``best``.
    """

    method: str = "auto"
    gradient: str = "autodiff"
    h: float | None = None
    lr: float | None = None
    step_rule: str | None = None
    step_sizes: tuple[float, ...] | None = None
    tol: float | None = None
    gradient_tol: float | None = None
    step_tol: float | None = None
    value_tol: float | None = None
    max_iter: int = 10_000
    max_evaluations: int | None = None
    max_time: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its evidence.

    ``run`` and ``certificate`` speak of the minimised function; ``value`` and ``sign`` (+1, or -1 for a
    maximisation) turn it back into the user's. ``method`` names what was used and ``why`` says why it was
    chosen (``auto`` only). ``message`` is one sentence on how it ended, ``advice`` what to try next (empty when
    converged). ``formulas`` has the gradient as text per variable when it was asked for.
    """

    problem: Problem
    settings: Settings
    space: Space
    run: RunResult
    certificate: Certificate
    status: Status
    message: str
    advice: str
    method: str
    why: str
    sign: int
    engine: str
    warnings: tuple[str, ...] = ()
    formulas: Mapping[str, str] | None = None

    @property
    def point(self) -> dict[str, float | list[float]]:
        """The answer by name."""
        return self.space.unflatten(self.run.best.at.x)

    @property
    def value(self) -> float:
        """The value of the typed expression at the answer."""
        return self.sign * self.run.best.at.value


@lru_cache(maxsize=64)
def _parse(expression: str, source: str) -> Tree:
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

    tree = _parse(expression, source)
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
        raise tree.error(tree.root, "the expression has no variable", "name what is to be found, for example (x-3)**2")
    return names


def _named(tree: Tree, names: Sequence[str], given: Sequence[Entry]) -> dict[str, Any]:
    """The start values by name, in order of first appearance; all of them."""
    from gdcli.language import form

    if not any(entry.name for entry in given):
        if len(given) != len(names):
            counted = f"{len(given)} value{'s' * (len(given) != 1)}"
            raise UsageError(
                f"--start has {counted} for {len(names)} variable{'s' * (len(names) != 1)}: {_listed(names)}",
                f"give each a value: --start {_example(names, form.subscripted(tree))}",
                given[-1].span,
            )
        return {name: entry.value for name, entry in zip(names, given, strict=True)}
    values: dict[str, Any] = {}
    for entry in given:
        if not entry.name:
            raise UsageError("some values of --start have names and this one has none", "for example --start x=1,y=2", entry.span)
        if entry.name not in names:
            raise UsageError(
                f"--start gives {entry.name}, which is not a variable of the expression",
                did_you_mean(entry.name, names, f"its variables are {_listed(names)}"),
                entry.span,
            )
        values[entry.name] = entry.value
    missing = [name for name in names if name not in values]
    if missing:
        hint = f"add {_example(missing, form.subscripted(tree))} to --start, or give constants with --set"
        node = next(n for n in form.all_nodes(tree.root) if form.name_of(n) == missing[0])
        raise tree.error(node, f"--start leaves out {_listed(missing)}", hint)
    return {name: values[name] for name in names}


def _listed(names: Sequence[str]) -> str:
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


def solve(
    problem: Problem, settings: Settings | None = None, observers: Sequence[Observer] = (), formulas: bool = False
) -> Outcome:
    """Solve ``problem`` and return the answer with its certificate.

    ``observers`` see every iterate; ``formulas`` asks for the gradient as text. Raises UsageError for a
    contradictory or unknown setting and DomainError when the start has no finite value.
    """
    from gdcli.analysis.certificate import certify
    from gdcli.analysis.verdict import judge
    from gdcli.objective.build import build_objective, with_gradient
    from gdcli.solvers.registry import choose
    from gdcli.solvers.run import run

    settings = settings or Settings()
    sign = _sign(problem.sense)
    tree = _parse(problem.expression, problem.source)
    lengths = {name: len(value) if hasattr(value, "__len__") else None for name, value in problem.start.items()}
    exact = build_objective(tree, lengths, problem.constants, sign)
    objective = with_gradient(exact, settings.gradient, settings.h, problem.constants, sign)
    x0 = exact.vector(exact.space.flatten(problem.start))
    _check_start(problem, tree, exact, x0)
    choice = choose(settings, objective, sign)
    result = run(objective, choice.method, x0, choice.rules, observers)
    certificate = certify(exact, result.best.at, result.start.at, choice.tol)
    constant = not exact.form.variables_in_use()
    verdict = judge(
        result, certificate, strict=choice.strict, tol=choice.tol, sign=sign, constant=constant, step_sizes=choice.step_sizes
    )
    return Outcome(
        problem=problem,
        settings=settings,
        space=exact.space,
        run=result,
        certificate=certificate,
        status=verdict.status,
        message=verdict.message,
        advice=verdict.advice,
        method=choice.name,
        why=choice.why,
        sign=sign,
        engine=exact.engine,
        warnings=(*choice.warnings, *_warnings(exact, result, constant), *certificate.notes),
        formulas=_formulas(tree, lengths, problem.constants) if formulas else None,
    )


def _sign(sense: str) -> int:
    if sense not in SENSES:
        raise UsageError(f"unknown sense {sense}", did_you_mean(sense, SENSES, "one of minimize, maximize"))
    return 1 if sense == "minimize" else -1


def _check_start(problem: Problem, tree: Tree, exact: Exact, x0: Any) -> None:
    """Raise DomainError, naming the sub-expression at fault, when the start has no finite value."""
    value = exact.evaluate(x0).value
    exact.counts.value -= 1  # a look before the run, which counts its own evaluations
    if abs(value) < float("inf"):
        return
    from gdcli.language.walk import find_culprit

    culprit = find_culprit(tree, {**problem.start, **problem.constants}, problem.constants)
    where = "the objective"
    if culprit is not None:
        parts = ", ".join(f"{text} = {number:.6g}" for text, number in culprit.parts)
        element = "" if culprit.index is None else f" at element {culprit.index}"
        where = f"{tree.piece(culprit.node)}{element}: {parts}" if parts else f"{tree.piece(culprit.node)}{element}"
    what = "is too large to be a number" if value == -float("inf") or (culprit and culprit.value == float("inf")) else "has no finite value"
    raise DomainError(
        f"the expression {what} at the start ({where})",
        "start inside the domain, for example with another --start",
        tree.span(culprit.node) if culprit else None,
    )


def _warnings(exact: Exact, result: RunResult, constant: bool) -> list[str]:
    """What a user should know beside the answer."""
    found = []
    unused = [name for name in exact.space.names if name not in exact.form.variables_in_use()]
    if constant:
        found.append(f"the expression does not depend on {_listed(exact.space.names)}")
    elif unused:
        found.append(f"the value does not depend on {_listed(unused)}")
    if result.best.at.note:
        found.append(f"at the answer {result.best.at.note}")
    return found


def _formulas(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> dict[str, str]:
    from gdcli.calculus.symbolic import Formula

    return Formula(tree, lengths, constants).texts()


def minimize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Minimise ``expression`` from ``start``; ``options`` are the fields of :class:`Settings`, ``constants``, ``seed``.

    Raises UsageError for an unknown option, and as :func:`read_problem` and :func:`solve` do.
    """
    return _extremum(expression, "minimize", start, options)


def maximize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Maximise ``expression``; as :func:`minimize`."""
    return _extremum(expression, "maximize", start, options)


def _extremum(expression: str, sense: str, start: Mapping[str, Number] | None, options: dict[str, Any]) -> Outcome:
    constants = dict(options.pop("constants", {}))
    seed = options.pop("seed", 0)
    known = [f.name for f in fields(Settings)]
    for name in options:
        if name not in known:
            raise UsageError(f"unknown option {name}", did_you_mean(name, [*known, "constants", "seed"]))
    return solve(make_problem(expression, sense, start, constants, seed), Settings(**options))


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

    _sign(sense)
    tree = _parse(expression, source)
    known = {name: _checked(name, value) for name, value in (constants or {}).items()}
    entries = [Entry(name, _checked(name, v), Span(name, 0, len(name), "start")) for name, v in (start or {}).items()]
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
