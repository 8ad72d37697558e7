"""A fit made ready: the data opened and read, names told apart, the start known, everything checked.

What can be wrong is found out here, in the order in which it is cheapest to find: the model's text, the options, the
header of the data, then the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.kernel.vectors import lengths_of, one_thread
from gdcli.language.functions import CONSTANTS
from gdcli.language.losses import POSITIVE
from gdcli.language.model_text import Model, Names, columns_told, parse_model, sort_names
from gdcli.language.syntax import Tree
from gdcli.language.tree_names import check_calls, place_of_name, with_parts
from gdcli.language.values import TypedValue, read_values
from gdcli.objective.row_model import AskedLoss, RowModel, Weighting, build_row_model, linear_parameters
from gdcli.table.blocks import Columns, Layout, columns_of
from gdcli.table.source import open_table, table_at_hand
from gdcli.tasks.fit.data_checks import check_count, check_rows, check_start
from gdcli.tasks.fit.fit_outcome import RowCount
from gdcli.tasks.fit.request import (
    AUTO,
    FOLDS,
    RESAMPLED,
    SAMPLES,
    FitProblem,
    FitRequest,
    FitSettings,
    Prior,
    read_matrices,
)
from gdcli.tasks.fit.start_values import has_search, is_linear, search_start, start_values
from gdcli.tasks.problem import check_used, read_constants, with_names

if TYPE_CHECKING:
    from gdcli.language.row_condition import Levels
    from gdcli.table.derived_columns import Derived
    from gdcli.table.row_groups import Groups
    from gdcli.table.shuffle import Visited
    from gdcli.table.source import DataTable
    from gdcli.table.text_columns import Contrasts, DateForm


@dataclass(frozen=True, slots=True)
class Prepared:
    """A fit that can be solved, as long as its data are there.

    ``plain`` is the row without the penalties it has, ``place`` tells where a row stands.
    """

    problem: FitProblem
    row: RowModel
    data: Columns
    count: RowCount
    plain: RowModel | None = None
    derived: Derived | None = None
    layout: Layout | None = None
    place: Callable[[int], str] = str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fit is before its rows are looked at: its ``problem`` and ``row`` model.

    ``given`` is what was typed of the start; ``searched`` tells that it is to be searched for in the data, but for the
    rows that the ``settings`` hold back from all that learns. ``derived`` is what is made of the table that is read,
    ``layout`` what is told of its files.
    """

    problem: FitProblem
    row: RowModel
    given: Sequence[TypedValue]
    searched: bool
    settings: FitSettings
    derived: Derived | None = None
    layout: Layout | None = None


def _is_text(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return True
    return False


NO_LEVELS: Mapping[str, Levels] = {}


class ParsedFit(NamedTuple):
    """What is asked of a fit, read from its texts.

    ``derived`` is what it asks of a table (`of`), ``levels`` those of the categories of the model (`leveled`).
    """

    request: FitRequest
    model: Model
    given: Sequence[TypedValue]
    constants: Mapping[str, Any]
    settings: FitSettings
    sigmas: Mapping[str, Tree]
    derived: Derived | None = None
    levels: Mapping[str, Levels] = NO_LEVELS

    def derives(self, columns: Collection[str]) -> bool:
        request = self.request
        columns_asked = (request.weights, request.sigma, request.trials)
        asked = (column for column in columns_asked if column is not None)
        return bool(request.rows or request.dates or self.model.categories) or not all(
            c and c in columns for c in asked
        )

    def _has_dates(self, table: DataTable) -> bool:
        """Tell whether a column of the model may begin with a date; the first digits of a number have no such marks."""
        cells = [table.first(name) for name in table.names if name and name in self.model.names]
        return any(mark in cell[1:] for cell in cells for mark in "-/:.") and any(map(_is_text, cells))

    def of(self, table: DataTable) -> ParsedFit:
        """Return the same fit with what it asks of a table beyond its columns, which the table is told.

        Raises UsageError for columns that there are not, with the place in the text of an expression.
        """
        request = self.request
        if table.is_unnamed or len(set(table.titles)) < len(table.titles):
            from gdcli.tasks.fit.asked_columns import check_titles

            check_titles(self.model, table)
        if not self.derives(table.names) and not self._has_dates(table):
            return self
        from gdcli.tasks.fit.asked_columns import asked_of

        asked = asked_of(table, self.constants, request.rows, request.dates)
        asked.categories(self.model.categories)
        weights = None if request.weights is None else asked.column(request.weights, "--weights")
        sigma = None if request.sigma is None else asked.column(request.sigma, "--sigma")
        trials = None if request.trials is None else asked.column(request.trials, "--trials")
        known = replace(request, weights=weights, sigma=sigma, trials=trials)
        return self._replace(request=known, derived=table.derived)

    def plan(self, columns: Sequence[str]) -> Plan:
        """Return the plan of a fit to data with these columns. Raises UsageError for what does not fit together."""
        made = () if self.derived is None else self.derived.recipes
        return _plan(self, (*columns, *made))

    def wanted(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that must be read, of those that there are."""
        made = () if self.derived is None else self.derived.recipes
        return _names(self, (*columns, *made))[1]


def read_request(request: FitRequest, settings: FitSettings | None = None) -> ParsedFit:
    """Return what a request asks for.

    Raises UsageError for the model and the options.
    """
    request.check()
    model = parse_model(request.model, request.source)
    if request.let:
        from gdcli.language.relation import read_parts

        model = model.using(read_parts(tuple(request.let)))
    _check_sense(request, model)
    given = read_values([text for text in request.start if text != AUTO], "--start", request.seed)
    sigmas: Mapping[str, Tree] = {}
    if request.sigma_x:
        from gdcli.tasks.fit.input_errors import read_sigmas

        sigmas = read_sigmas(request.sigma_x)
    constants = read_constants(request.constants, request.seed)
    asked = ParsedFit(request, model, given, constants, settings or FitSettings(), sigmas)
    if request.data is None and not request.files:
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    return asked


@contextmanager
def prepared(
    request: FitRequest,
    settings: FitSettings | None = None,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    searching: Callable[[float], None] = lambda part: None,
) -> Iterator[Prepared]:
    """Make a fit ready, and remove what it left in temporary files at the end.

    ``watch`` is called with the table after each block of it that was read, ``searching`` with the part of a search for
    a start that is done. It looks at no row that is held back.
    Raises UsageError for the model and the options, DataError for the data, DomainError where the start has no
    finite loss.
    """
    if request.by:
        raise UsageError(
            "--by has an answer for each group, and here there is one answer", "use gd fit, or leave out --by"
        )
    asked = read_request(request, settings)
    with gathered([asked], stdin, watch) as rows:
        (asked,) = rows.fits
        yield ready(asked.plan(rows.names), rows.data, rows.counted, rows.place, searching)


class Gathered(NamedTuple):
    """Rows that were read: the ``names`` of all columns there are, those wanted, how many, and where each stands.

    ``fits`` are those to these rows, with what is known now that they are read.
    """

    fits: Sequence[ParsedFit]
    names: Sequence[str]
    data: Columns
    counted: RowCount
    place: Callable[[int], str]


class AsksForRows(Protocol):
    """What is fitted to rows: it says which columns must be read, of those that there are."""

    @property
    def request(self) -> FitRequest: ...
    @property
    def settings(self) -> FitSettings: ...
    def wanted(self, columns: Sequence[str]) -> tuple[str, ...]: ...
    def derives(self, columns: Collection[str]) -> bool: ...
    def of(self, table: DataTable) -> Self: ...


@contextmanager
def gathered(
    fits: Sequence[AsksForRows],
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    by: Groups | None = None,
) -> Iterator[Gathered]:
    """Read the rows of fits to the same data, once, with the columns that any of them wants; as `prepared`.

    ``by`` adds a column, with no name, of the numbers of groups. It raises as `Groups` for what belongs to none.
    """
    request, use_cache = fits[0].request, not fits[0].settings.no_cache
    if request.is_partitioned:
        with _in_partitions(fits, watch) as found:
            yield found
        return
    if request.data is not None and not any(one.derives(request.data) for one in fits):
        names = tuple(request.data)
        groups = {} if by is None else {"": by.of_columns(request.data)}
        used = (_wanted(fits, names) if names else ()) or names
        given = {name: column for name, column in request.data.items() if name in used}
        with columns_of(given | groups) as data:
            yield Gathered(_parsed(fits), names, data, RowCount(data.rows), number_of)
        return
    from gdcli.table.spool import gather

    with opened(request, use_cache, stdin) as table:
        if by is not None:
            by.check_columns(table.names, table.titles)
        fits = [one.of(table) for one in fits]
        one_thread()  # before the readers import numpy
        data = gather(table, _wanted(fits, table.names), spool=request.spool, watch=watch, by=by)
        known, data = leveled(_parsed(fits), data)
        with data:
            yield Gathered(known, table.names, data, counted(table), lambda row: str(table.place(row)))


def _wanted(fits: Sequence[AsksForRows], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in fits for name in one.wanted(names)))


@contextmanager
def _in_partitions(
    fits: Sequence[AsksForRows], watch: Callable[[DataTable], None] | None
) -> Iterator[Gathered]:
    from gdcli.table.partitions import Asked
    from gdcli.tasks.cluster.partitioned_rows import partitioned

    request, use_cache = fits[0].request, not fits[0].settings.no_cache
    layout, names = layout_of(request), tuple[str, ...]()

    def ask(table: DataTable, find_levels: Callable[[Asked], None]) -> Asked:
        nonlocal fits, names
        fits, names = [one.of(table) for one in fits], table.names
        if table.derived is not None and table.derived.ranges:
            raise UsageError(
                "--rows FROM:TO counts rows, and no partition knows how many come before it",
                "say with a condition which are meant: --rows 'x > 2'; or leave out --cluster and --partitions",
            )
        asked = Asked(_wanted(fits, names), request.missing, request.spool, use_cache, table.derived, layout)
        if any(one.model.categories for one in _parsed(fits)):
            find_levels(asked)
            fits, _ = _with_levels(_parsed(fits), asked.columns)
            asked = asked._replace(columns=_wanted(fits, names), derived=_parsed(fits)[0].derived)
        return asked

    one_thread()
    with partitioned(request, layout, ask, watch) as rows:
        places = tuple(rows.skipped_lines)
        count = RowCount(rows.rows, rows.skipped, places, dropped=rows.dropped, notes=rows.notes)
        yield Gathered(_parsed(fits), names, rows, count, rows.place)  # type: ignore[arg-type]  # asked as columns are


def _parsed(fits: Sequence[AsksForRows]) -> list[ParsedFit]:
    return [one for one in fits if isinstance(one, ParsedFit)]


def leveled(fits: Sequence[ParsedFit], data: Columns) -> tuple[Sequence[ParsedFit], Columns]:
    """Return fits now that the levels of their categories are known, and the data with the indicators of these."""
    if not any(one.model.categories for one in fits):
        return fits, data
    from gdcli.tasks.fit.asked_columns import with_indicators

    known, contrasts = _with_levels(fits, data.names)
    return known, with_indicators(data, contrasts, fits[0].request.spool)


def _with_levels(
    fits: Sequence[ParsedFit], names: Sequence[str]
) -> tuple[Sequence[ParsedFit], Mapping[str, Contrasts]]:
    """Return fits to rows whose categories have been read, of columns of these names, and the contrasts by text."""
    from gdcli.tasks.fit.asked_columns import with_levels

    derived = next(one.derived for one in reversed(fits) if one.derived is not None)
    models, taken = [one.model for one in fits], (*names, *fits[0].constants)
    derived, contrasts = with_levels(derived, models, taken)
    levels = {text: made.levels for text, made in contrasts.items()}

    def known(one: ParsedFit) -> ParsedFit:
        own = {call.text: levels[call.text] for call in one.model.categories}
        return one._replace(model=one.model.with_levels(own), derived=derived, levels=own)

    return [known(one) for one in fits], contrasts


def opened(request: FitRequest, use_cache: bool, stdin: BinaryIO | None = None) -> DataTable:
    """Return the open table of a fit: its files, or the columns at hand. Raises DataError for what is none."""
    if request.data is not None:
        return table_at_hand(request.data, request.missing)
    layout = layout_of(request)
    return open_table(request.files, missing=request.missing, stdin=stdin, use_cache=use_cache, layout=layout)


def layout_of(request: FitRequest) -> Layout:
    """Return what is told of how the files are laid out. Raises UsageError."""
    named = [text for text in request.columns if "=" not in text]
    names = tuple(name.strip() for text in named for name in text.split(","))
    return Layout(names, False if request.no_header else None, request.decimal, request.sheet)


def counted(table: DataTable) -> RowCount:
    lines = tuple(map(str, table.skipped_lines))
    dates = () if table.derived is None else table.derived.dates.values()
    notes = (*table.notes, *(date.told for date in dates if date.texts[0] in table.used_dates))
    return RowCount(table.rows, table.skipped, lines, dropped=table.dropped, notes=notes)


def number_of(row: int) -> str:
    """Return in words which row it is; rows count from 0."""
    return f"row {row + 1}"


def _check_sense(request: FitRequest, model: Model) -> None:
    if model.left is not None and request.maximize:
        raise UsageError(
            "--maximize is for a log-likelihood typed as the expression of a row",
            "a model with ~ is fitted by making its loss small",
        )
    if model.left is None and request.loss is not None:
        raise UsageError(
            f"--loss {request.loss} is for a model with ~", f"write y ~ {' '.join(model.text.split())[:40]}"
        )
    if model.left is None and (request.sigma or request.sigma_x):
        raise UsageError(
            f"{'--sigma' if request.sigma else '--sigma-x'} is for a model with ~", "use --weights"
        )


def _names(asked: ParsedFit, columns: Sequence[str]) -> tuple[Names, tuple[str, ...]]:
    """What the model's names are, and the columns that must be read."""
    request, model, given, constants, _, sigmas, _, levels = asked
    matrices = read_matrices([text for text in request.columns if "=" in text], columns)
    differences = {name: None for found in levels.values() for name in found.parameters}
    lengths = differences | lengths_of({e.name: e.value for e in given if e.name})
    counted = (request.weights, request.sigma, request.trials)
    names = sort_names(model, columns, matrices, constants, lengths)
    wanted = [*names.columns, *filter(None, counted)]
    if sigmas:
        from gdcli.tasks.fit.input_errors import columns_wanted

        wanted += columns_wanted(sigmas, model, names.columns, columns)
    if not wanted:
        written = "" if model.left is not None else "a model is written measured ~ formula, y ~ a*x + b; "
        raise UsageError("the model has no column of the data", written + columns_told(columns))
    return names, tuple(dict.fromkeys(wanted))


def _plan(asked: ParsedFit, columns: Sequence[str]) -> Plan:
    request, model, given, constants, settings, sigmas, derived, levels = asked
    names, wanted = _names(asked, columns)
    given = with_names(given, list(names.parameters))
    constraints, fixed, bounds = _limits(asked, names, columns)
    if fixed:
        constants = {**constants, **fixed}
        given = [entry for entry in given if entry.name not in fixed]
        names, wanted = _names(asked._replace(given=given, constants=constants), columns)
    row = replace(_row_model(request, model, names, constants), use_cache=not settings.no_cache)
    loss = "" if model.left is None else request.loss or "squared"
    linear = is_linear(row) and loss not in POSITIVE
    of_loss, estimated = _asked_loss(request)
    known = [*given, *_no_difference(levels, given)]
    searched, start = _started(
        asked._replace(given=known), names._replace(columns=wanted), row, linear, columns
    )
    given = given if searched else known
    problem = FitProblem(
        expression=model.text,
        sense="maximize" if request.maximize else "minimize",
        start=start,
        constants=constants,
        bounds=bounds,
        fixed=tuple(fixed),
        loss=loss,
        sigma_x={name: tree.text.partition("=")[2].strip() for name, tree in sigmas.items()},
        numbers=of_loss.numbers,
        estimated=estimated,
        scaled=request.scale is not None or estimated == "scale",
        priors=_priors(request, names),
        kept_rows=request.rows,
        categories=levels,
        dates=_dates_used(derived, names.columns),
        matrices=names.matrices,
        linear=linear and not sigmas,
        subject_to=constraints,
        l2=None if request.l2 is None or request.l2 == AUTO else float(request.l2),
        folds=(request.folds or FOLDS) if request.l2 == AUTO else None,
        samples=request.samples or SAMPLES,
        resample=request.resample or RESAMPLED[0],
        **_as_asked(request),
    )
    if sigmas:
        from gdcli.tasks.fit.input_errors import row_with_errors

        row = row_with_errors(row, sigmas, columns)
    return Plan(problem, row, given, searched, settings, derived, layout_of(request))


def _started(
    asked: ParsedFit, used: Names, row: RowModel, linear: bool, columns: Sequence[str]
) -> tuple[bool, dict[str, Any]]:
    """Tell whether a start is to be searched for, and return that of every parameter until then; as `start_values`."""
    request, model, given, settings = asked.request, asked.model, asked.given, asked.settings
    needed = not (linear or _are_own_linear(row, request.share, given))
    searched = AUTO in request.start and not linear
    # A run by epochs is asked for to see where a start leads.
    if needed and not searched and not settings.is_stochastic:
        searched = has_search(model, used, given, columns)
    return searched, start_values(model, used, given, needed and not searched, columns)


def _as_asked(request: FitRequest) -> dict[str, Any]:
    names = "seed source files let weights sigma scale_sigma huber_delta trials intervals level derive"
    asked = {name: getattr(request, name) for name in (*names.split(), "contour", "diagnostics")}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in asked.items()}


def _dates_used(derived: Derived | None, columns: Sequence[str]) -> dict[str, DateForm]:
    if derived is None or not derived.dates:
        return {}
    from gdcli.table.text_columns import DateForm

    return {name: DateForm.of(derived.dates[name]) for name in columns if name in derived.dates}


def _no_difference(levels: Mapping[str, Levels], given: Sequence[TypedValue]) -> Iterator[TypedValue]:
    """Yield a start of 0 for the difference of each level to the base that has none."""
    known = {entry.name for entry in given}
    for found in levels.values():
        for name in found.parameters:
            if name not in known:
                yield TypedValue(name, 0.0, Span(name, 0, len(name)))


def _are_own_linear(row: RowModel, share: Sequence[str], given: Sequence[TypedValue]) -> bool:
    """Tell whether the shared parameters have a start, and the model is linear in all others without one."""
    known = {entry.name for entry in given}
    if not share or not known.issuperset(share):
        return False
    linear = {row.space.label(i) for i in linear_parameters(row)}
    return set(row.space.labels) - known <= linear


def _asked_loss(request: FitRequest) -> tuple[AskedLoss, str]:
    """What is asked of the loss beside its name, and which of its numbers is to be found."""
    if request.loss in (None, "squared", "absolute", "poisson", "logistic"):
        return AskedLoss(), ""
    from gdcli.tasks.fit.penalties import numbers_of

    numbers, estimated = numbers_of(request)
    return AskedLoss(numbers, request.trials), estimated


def _priors(request: FitRequest, names: Names) -> tuple[Prior, ...]:
    if not request.prior:
        return ()
    from gdcli.tasks.fit.penalties import read_priors

    return read_priors(request.prior, list(names.parameters), names.parameters)


def _row_model(request: FitRequest, model: Model, names: Names, constants: Mapping[str, Any]) -> RowModel:
    column, kind = (request.weights, "weights") if request.weights else (request.sigma, "sigma")
    return build_row_model(
        model,
        names,
        constants,
        request.loss or "squared",
        Weighting(column, kind) if column else None,
        _asked_loss(request)[0],
        request.sign,
    )


def ready(
    plan: Plan,
    data: Columns,
    count: RowCount,
    place: Callable[[int], str],
    searching: Callable[[float], None] = lambda part: None,
) -> Prepared:
    """Return the fit of a plan to these rows, all checked.

    Raises DataError for rows that make no sense, DomainError where the start has no finite loss.
    """
    problem, row = plan.problem, plan.row
    check_count(row, data)
    check_rows(problem, row.plain, data, place)
    if plan.searched:
        known = {entry.name: entry.value for entry in plan.given}
        found = search_start(
            problem, row.plain, learned(data, plan.settings.validate, problem.seed), known, searching
        )
        problem = replace(problem, start=dict(found.start), searched=found.searched)
    plain = None
    if problem.l2 is not None or problem.priors:
        from gdcli.tasks.fit.penalties import penalised

        plain = row
        problem, row = penalised(problem, row, data.rows)
    check_start(problem, row.plain, data, row.space.flatten(problem.start), place)
    if row.errors is not None:
        from gdcli.tasks.fit.input_errors import checked_and_corrected

        data = checked_and_corrected(row, data, place)
    return Prepared(problem, row, data, count, plain, plan.derived, plan.layout, place)


def learned(data: Columns, validate: float | None, seed: int) -> Columns | Visited:
    """Return the rows to learn from: all but the part ``validate``."""
    if validate is None:
        return data
    from gdcli.table.shuffle import visited

    return visited(data, validate, "none", seed)[0]


def _limits(
    asked: ParsedFit, names: Names, columns: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], dict[str, Any], dict[str, Any]]:
    """Return the constraints as typed, the parameters that equal bounds fix, and the bounds of the others.

    Raises UsageError for constraints with names that are neither parameters nor constants, for a derived quantity of
    others, and as `check_used` for named parts.
    """
    request, model, given, constants, *_ = asked
    derived: Mapping[str, Tree] = {}
    if request.derive:
        from gdcli.tasks.fit.derived import read_derived

        derived = read_derived(
            tuple(request.derive), tuple(request.let), names.parameters, constants, columns
        )
    if not (request.bounds or request.subject_to or request.let):
        return (), {}, {}
    from gdcli.tasks.starts_and_limits import as_typed, ends_of, relations_of

    typed = as_typed(request.subject_to)
    known, relations = (*names.parameters, *constants), relations_of(typed, tuple(request.let))
    for relation in relations:
        check_calls(relation.whole, (*known, *relation.parts))
        for name in relation.names:
            if name not in known and name not in CONSTANTS:
                what = "a column of the data" if name in columns else "not a parameter of the model"
                hint = did_you_mean(name, known, f"constraints are on the parameters, {', '.join(known[:8])}")
                place = place_of_name(with_parts([relation.whole]), name)
                raise UsageError(f"--subject-to has {name}, which is {what}", hint, place)
    check_used(request.let, (*model.trees, *derived.values(), *(r.whole for r in relations)), given, columns)
    what = "parameter of the model"
    return typed, *ends_of(request.bounds, "--bounds", relations, names.parameters, constants, what)
