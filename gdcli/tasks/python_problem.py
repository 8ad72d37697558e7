"""What is asked from Python: text, a sympy expression, which is text once it is written, or a function of an array.

Values at hand are checked as typed ones are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.dataclass import dataclass, replace
from gdcli.kernel.errors import Span, UsageError
from gdcli.kernel.vectors import Space, lengths_of
from gdcli.language.values import TypedValue
from gdcli.solve.scaling import start_sizes
from gdcli.tasks.option_names import keyword
from gdcli.tasks.pipeline import bounds_of
from gdcli.tasks.problem import Number, Problem, TypedTexts, parsed, problem_with, sign_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gdcli.objective.function_objective import ArrayFunction, Function, FunctionObjective, ValueFunction

    Start = Mapping[Any, Number] | ArrayLike
    Ends = tuple[float | None, float | None]
    Bounds = Mapping[Any, Ends] | Sequence[str] | Sequence[Ends]


class Frame(Protocol):
    """A data frame of any library: the names of its columns, and each by its name."""

    @property
    def columns(self) -> Any: ...
    def __getitem__(self, name: Any, /) -> Any: ...


class Formula(Protocol):
    """A sympy expression, or an equation where that is a model, as far as it is looked at from outside."""

    @property
    def free_symbols(self) -> Any: ...


if TYPE_CHECKING:
    Path = str | PathLike[str]
    Table = Mapping[Any, Any] | Frame | Path | Sequence[Path]

# What the variables are called where the start has no name for them.
UNNAMED = "x"


def text_of(expression: str | Formula) -> str:
    """Return the text of an expression that may be one of sympy. Raises UsageError for what has none."""
    if isinstance(expression, str):
        return expression
    if not hasattr(expression, "free_symbols"):
        raise UsageError(f"an expression is text or one of sympy, not {type(expression).__name__}")
    from gdcli.calculus.symbolic import text

    return text(expression)


def named(values: Mapping[Any, Any] | Any) -> Any:
    """Return values by name where they are by name or symbol; anything else as it is."""
    return {str(name): value for name, value in values.items()} if isinstance(values, Mapping) else values


def checked_options(
    options: Mapping[str, Any], known: Sequence[str], others: Sequence[str] = ()
) -> dict[str, Any]:
    """Return keywords that are all among the ``known`` ones, the name of a method in small letters; one that is None is
    not given.

    ``others`` are keywords that were taken out before. Raises UsageError for one that there is not.
    """
    for name in options:
        if name not in known:
            raise UsageError(f"unknown option {name}", keyword(name, [*others, *known]))
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(method := given.get("method"), str):
        given["method"] = method.lower()
    return given


def columns_at_hand(data: Any) -> Any:
    """Return the columns of a table by name, of a mapping or a data frame; names of files as they are.

    Raises UsageError for anything else.
    """
    if isinstance(data, Mapping):
        return named(data)
    if hasattr(data, "columns"):
        return {str(name): data[name] for name in data.columns}
    files = [data] if isinstance(data, (str, PathLike)) else data
    if not isinstance(files, Sequence) or not all(isinstance(file, (str, PathLike)) for file in files):
        raise UsageError(
            f"data are columns by name, or files, and not of the type {type(data).__name__}",
            'for example {"x": [1, 2, 3], "y": [2, 4, 6]}, or "data.csv"',
        )
    return [fspath(file) for file in files]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionProblem(Problem):
    """A problem whose ``function`` gets all variables as one array, in the order of the start.

    ``expression`` says what it is called, as a call. Variables with equal bounds stay among those of the function.
    """

    function: Function

    @property
    def tree(self) -> None:
        return

    def objective(self, sign: int, engine: str = "auto", use_cache: bool = True) -> FunctionObjective:
        from gdcli.objective.difference_objective import MAX_SIZE
        from gdcli.objective.function_objective import FunctionObjective

        if engine != "auto":
            raise UsageError("a function is called as it is, by no engine", "leave out the engine")
        space = Space(self.lengths)
        if self.function.gradient is None and space.size > MAX_SIZE:
            raise UsageError(
                f"a gradient of {space.size} variables by differences takes {2 * space.size} evaluations",
                "give the gradient too: api.minimize(f, start, gradient=g)",
            )
        made = FunctionObjective(self.function, space, sign)
        box = bounds_of(self, made)
        made.within(start_sizes(space.flatten(self.start), box), box.lower, box.upper)
        return made


def function_problem(
    function: ValueFunction,
    sense: str,
    start: object,
    gradient: ArrayFunction | None = None,
    hessian: ArrayFunction | None = None,
    seed: int = 0,
    bounds: object = (),
) -> FunctionProblem:
    """Return the problem of a function, from a start that is a list, an array, or values by name.

    ``bounds`` are as in `make_problem`, or one (lower, upper) for each element of a start without names. Raises
    UsageError.
    """
    from gdcli.objective.function_objective import Function

    sign_of(sense)
    if start is None:
        raise UsageError(
            "a function needs a start: it does not tell how many variables it has",
            "for example start=[1.0, 2.0]",
        )
    given = start if isinstance(start, Mapping) else {UNNAMED: start}
    values = {str(name): _one_axis(str(name), value) for name, value in given.items()}
    if not values:
        raise UsageError("the start has no variable", "for example start=[1.0, 2.0]")
    name = _name(function)
    return FunctionProblem(
        expression=f"{name}({', '.join(values)})",
        sense=sense,
        start=values,
        seed=seed,
        bounds=_bounds(bounds, values),
        function=Function(function, name, gradient, hessian),
    )


def _one_axis(name: str, value: Any) -> Number:
    if getattr(value, "ndim", 1) > 1:
        raise UsageError(
            f"{name} has {value.ndim} axes", "a start has one: flatten it, and shape it in the function"
        )
    checked: Number = checked_value(name, value)
    return checked


def _bounds(bounds: Any, start: Mapping[str, Number]) -> Mapping[str, tuple[Number, Number]]:
    if not bounds:
        return {}
    from gdcli.language.limits import boxes, read_limits

    pairs: Any = bounds
    if not isinstance(bounds, Mapping) and not all(isinstance(text, str) for text in bounds):
        if list(start) != [UNNAMED] or len(bounds) != len(_list(start[UNNAMED])):
            raise UsageError(
                f"{len(bounds)} pairs of bounds do not fit the start",
                "give one (lower, upper) for each of its elements, or those of some by name",
            )
        pairs = {
            f"{UNNAMED}[{i}]": pair
            for i, pair in enumerate(bounds)
            if any(end is not None and math.isfinite(end) for end in pair)
        }
    return boxes(read_limits(typed_bounds(pairs), "bounds"), lengths_of(start))


def _list(value: Any) -> Sequence[float]:
    return value if hasattr(value, "__len__") else [value]


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "function"


def make_problem(
    expression: str,
    sense: str = "minimize",
    start: Mapping[str, Number] | None = None,
    constants: Mapping[str, Number] | None = None,
    seed: int = 0,
    source: str = "",
    typed: TypedTexts | None = None,
) -> Problem:
    """Return a problem from values at hand, checked as a typed one; without ``start`` a random one is drawn.

    Raises UsageError and DomainError as :func:`read_problem`.
    """
    sign_of(sense)
    parsed(expression, source)  # what is wrong with it comes first
    known = {name: checked_value(name, value) for name, value in (constants or {}).items()}
    entries = [
        TypedValue(name, checked_value(name, v), Span(name, 0, len(name), "start"))
        for name, v in (start or {}).items()
    ]
    asked = Problem(expression, sense, constants=known, seed=seed, drawn=not entries, source=source)
    return problem_with(asked, entries, (typed or TypedTexts())._replace(option="bounds"))


def constrained(problem: Problem, subject_to: Sequence[str]) -> Problem:
    """Return a problem whose variables are known with constraints on them, texts as after --subject-to."""
    if not subject_to:
        return problem
    from gdcli.language.constraints import merged
    from gdcli.tasks.starts_and_limits import as_typed

    found = replace(problem, subject_to=as_typed(subject_to))
    found.constraints()  # what is wrong with them is told before anything is begun
    return replace(found, bounds=merged(problem.bounds, found.rows()[1], problem.lengths))


def typed_bounds(bounds: Mapping[str, tuple[float | None, float | None]] | Sequence[str]) -> Sequence[str]:
    """Return bounds at hand as texts as after --bounds; texts stay what they are. Raises UsageError for others."""
    if isinstance(bounds, Mapping):
        return [_typed(*item) for item in bounds.items()]
    if not all(isinstance(text, str) for text in bounds):
        raise UsageError("bounds are pairs by name", 'for example {"x": (0, 5)}, with None for no bound')
    return bounds


def _typed(name: str, ends: tuple[float | None, float | None]) -> str:
    """A pair of bounds as typed; an infinite end is none. Raises UsageError for what is no pair of numbers."""
    try:
        lower, upper = ("" if end is None or math.isinf(end) else repr(float(end)) for end in ends)
    except (TypeError, ValueError):
        raise UsageError(
            f"the bounds of {name} are no pair of numbers: {ends!r}",
            f'for example {{"{name}": (0, 5)}}, with None for no bound',
        ) from None
    return f"{name}={lower}:{upper}"


def checked_value(name: str, value: Any) -> Any:
    """A start or constant as floats, checked to be finite; a long vector stays an array."""
    try:
        if hasattr(value, "__len__") and not isinstance(value, str):
            if len(value) and hasattr(value[0], "__len__") and not isinstance(value[0], str):
                return checked_matrix(name, value)
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


def checked_matrix(name: str, value: Any) -> Any:
    """Return the rows of a matrix as floats, checked to be finite and of one length; a large one becomes an array."""
    from gdcli.language.value_file import compact

    try:
        rows = [[float(v) for v in row] for row in value]
        bad = not rows[0] or any(len(row) != len(rows[0]) for row in rows)
        bad = bad or not all(math.isfinite(v) for row in rows for v in row)
    except (TypeError, ValueError):
        bad = True
    if bad:
        raise UsageError(f"{name} must be a finite number, a list of them, or rows of one length")
    return compact(rows)
