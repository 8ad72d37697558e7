"""What is proved by intervals: ``--global`` and `gd solve`; `gd verify`, which checks a stored proof anew.

And ``--multi-start``, for what is not: runs from many starts, here, or in the workers of a cluster (``--cluster``).
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli import record_file
from gdcli.cli.answer import Beside, expression_text
from gdcli.cli.options import StoppingOptions
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Stored, bounds_as_given, problem_of, receipt_of
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError, harmless
from gdcli.kernel.number_format import amount, short, thousands
from gdcli.record.runs import RunRecord, evidence_of
from gdcli.render.formats import write_answer
from gdcli.render.page import LABEL
from gdcli.tasks.pipeline import flat_bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.commands import FileOptions, FitOptions, MinimizeOptions, SolveOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.analyses import RootsRecord
    from gdcli.render.formats import Format
    from gdcli.render.progress import Progress
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitSettings
    from gdcli.tasks.global_minimum import Teller
    from gdcli.tasks.problem import Bounds
    from gdcli.tasks.root_finding import Teller as RootTeller
    from gdcli.tasks.verified_record import ToldMinimum, ToldProof


# What a search of boxes does not read.
_UNREAD = (
    "multi_start method gradient h lr step_rule step_sizes gradient_tol step_tol value_tol max_iter "
    "target engine trace watch plane every"
)


def check(options: MinimizeOptions) -> None:
    if not options.global_:
        told = "--all belongs to --global: it proves that there are no other minima"
        raise UsageError(told, "add --global, and bounds on every variable")
    check_unread(options, _UNREAD)


def check_plot(options: MinimizeOptions, size: int) -> None:
    """Raise UsageError for a picture of other than two variables: boxes of more cannot be drawn."""
    if options.global_ and options.plot and size != 2:
        are = "is" if size == 1 else "are"
        told = f"--plot of --global draws boxes of two variables, and there {are} {size}"
        raise UsageError(told, "leave out --plot")


def check_fit(options: FitOptions) -> None:
    if options.by:
        raise UsageError(
            "--global is for one fit, and --by makes many", "fit one group, or leave out --global"
        )
    check_unread(options, f"{_UNREAD} partitions share model contour")


def check_unread(options: MinimizeOptions | FitOptions, names: str) -> None:
    for name in names.split():
        given = getattr(options, name, None)
        if given not in (None, False, [], ()):
            option = "--" + name.replace("_", "-")
            hint = "it ends by --tol, or at a cap: --max-time, --max-evaluations (of boxes), --max-memory"
            raise UsageError(
                f"--global does not read {option}: it searches boxes, and goes along no path", hint
            )


def solve_by_boxes(
    problem: Problem,
    settings: Settings,
    waiting: Progress | None,
    options: MinimizeOptions,
    keep: bool,
    checkpointer: Checkpointer | None = None,
) -> Outcome:
    """Search; with ``keep`` the answer has what shows its proof."""
    from gdcli.tasks.global_minimum import examining, solve_globally

    teller = None if waiting is None else teller_of(waiting, problem.sense, problem.sign)
    with examining(options.cluster, problem, settings):
        return solve_globally(
            problem, settings, options.show_gradient, teller, options.all, keep, checkpointer
        )


def solve_fit_by_boxes(
    ready: Prepared,
    settings: FitSettings,
    waiting: Progress | None,
    keep: bool,
    checkpointer: Checkpointer | None = None,
    cluster: str | None = None,
) -> FitOutcome:
    from gdcli.tasks.fit.global_fit import solve_globally

    teller = None if waiting is None else teller_of(waiting, "minimize", 1)
    return solve_globally(ready, settings, teller, keep, checkpointer, cluster)


def teller_of(waiting: Progress, sense: str, sign: int) -> Teller:
    """Return what tells on a terminal how far a search has come: boxes, and the bounds of the value."""

    def tell(examined: int, left: int, lower: float, best: float) -> None:
        ends: Sequence[float] = sorted((sign * lower, sign * best))
        note = f"{thousands(left)} left, the {sense[:-3]}um in [{short(ends[0], 6)}, {short(ends[1], 6)}]"
        waiting.begin("box", examined, None, note)

    return tell


# -- many starts -----------------------------------------------------------------------------------------------------


def check_cluster(options: MinimizeOptions) -> None:
    """Raise UsageError where there is nothing that could be spread, or what is kept of runs here."""
    if options.multi_start is None:
        raise UsageError(
            "--cluster spreads many starts, and there is one", "add --multi-start 20, or --global"
        )
    if options.checkpoint:
        raise UsageError(
            "--checkpoint is for runs here, and those of --cluster are not", "leave out one of them"
        )


def solve_many(
    options: MinimizeOptions,
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer | None = None,
    waiting: Progress | None = None,
) -> Outcome:
    from gdcli.tasks.multi_start import solve_from_many, solve_from_many_on

    starts, formulas = options.multi_start or 1, options.show_gradient
    if options.cluster is None:
        return solve_from_many(problem, settings, starts, observers, formulas, checkpointer, waiting)
    return solve_from_many_on(options.cluster, problem, settings, starts, observers, formulas, waiting)


# -- gd solve ---------------------------------------------------------------------------------------------------------


def solve(options: SolveOptions, env: Environment) -> int:
    from gdcli import api
    from gdcli.record.analyses import roots_record
    from gdcli.tasks.root_finding import read_system, solve_system

    texts = [expression_text(text, env)[0] for text in (options.expression, *options.others)]
    equations = [line for text in texts for line in text.splitlines() if line.strip()]
    settings = api.Settings(**options.given(StoppingOptions))
    system = read_system(equations, options.bounds, options.set)
    with Beside(options, env, env.stdout) as beside, Destination(options.output, env.stdout) as stream:
        env.on_sigterm()
        timing = env.timing(options, stream)
        with env.progress(options) as waiting:
            keep = options.written_as.is_record or bool(options.report)
            found = roots_record(solve_system(system, settings, _teller(waiting), keep))
        if keep:
            found = replace(found, receipt=receipt_of(options, found.space.size))
        write_roots(found, options.written_as, stream, timing)
        beside.write(lambda page, format: write_roots(found, format, page, beside.timing))
        beside.finish(found, None)
    return found.exit_code


def _teller(waiting: Progress) -> RootTeller:
    def tell(examined: int, left: int, roots: int) -> None:
        waiting.begin("box", examined, None, f"{thousands(left)} left, {amount(roots, 'root')}")

    return tell


def write_roots(found: RootsRecord, format: Format, stream: TextIO, timing: bool) -> None:
    from gdcli.record.analyses import roots_table
    from gdcli.render.analysis_pages import roots_page

    write_answer(stream, format, found, partial(roots_page, found, timing=timing), roots_table, timing)


# -- gd verify --------------------------------------------------------------------------------------------------------


DOES_NOT_HOLD = 9


def verify(options: FileOptions, env: Environment) -> int:
    """Run ``gd verify``: 0 if the proof holds, 9 if it does not or if there is none."""
    stored = record_file.read(options.file, env, roots=True)
    told = _verified(stored)
    with Destination(options.output, env.stdout) as stream:
        for label, text in told:
            stream.write(f"{label:<{LABEL}}{harmless(text)}\n")
    return 0 if told[0][0] == "verified" else DOES_NOT_HOLD


def _verified(stored: Stored) -> list[tuple[str, str]]:
    name, result = stored.name, stored.result
    try:
        if result.get("type") == "roots":
            faults, told = _of_roots(name, result)
        elif result.get("global") is not None:
            of_kind = _of_global_fit if "standard_errors" in result else _of_global
            faults, told = of_kind(stored)
        else:
            faults, told = _of_run(name, result)
    except UsageError as error:
        faults = [f"the problem cannot be read: {error}"]
    if faults:
        return [("not verified", faults[0]), *(("", fault) for fault in faults[1:])]
    return [("verified", told[0]), *(("", line) for line in told[1:])]


_Found = tuple[list[str], list[str]]  # what does not follow; what was verified


def _of_run(name: str, result: dict[str, Any]) -> _Found:
    from gdcli.render.summary import proof_of
    from gdcli.tasks.verified_record import faults_of

    certificate = result.get("certificate")
    if not isinstance(certificate, dict) or certificate.get("proof") is None:
        why = certificate.get("not_proved") if isinstance(certificate, dict) else ""
        return [f"the answer has no proof{f': {why}' if why else ''}"], []
    with record_file.whole(name):
        found = RunRecord.from_json(result)
        problem = problem_of(found.problem, found.seed)
        told, domain = told_proof(found), told_domain(found)
    faults = faults_of(problem, told, domain)
    return faults, [] if faults else [proof_of(found)[1]]


def _of_global(stored: Stored) -> _Found:
    from gdcli.render.answer_tables import statements
    from gdcli.render.summary import proof_of
    from gdcli.tasks.verified_record import faults_of, faults_of_minimum

    with record_file.whole(stored.name):
        found = RunRecord.from_json(stored.result)
        problem, told = problem_of(found.problem, found.seed), told_minimum(found)
        local = None if found.certificate.proof is None else told_proof(found)
    faults = faults_of_minimum(problem, told)
    faults += [] if local is None else faults_of(problem, local)
    if faults:
        return faults, []
    lines = statements(found)
    if local is not None:
        lines.append(f"the point: {proof_of(found)[1]}")
    return faults, lines


def _of_global_fit(stored: Stored) -> _Found:
    from gdcli.cli.diff_command import changed_data
    from gdcli.record.fits import FitRecord, request_of
    from gdcli.render.answer_tables import statements
    from gdcli.tasks.fit.global_fit import bounded_fit
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.verified_record import faults_within

    with record_file.whole(stored.name):
        found = FitRecord.from_json(stored.result)
        told, places = told_minimum(found), {name: place for name, (place, _) in stored.data.items()}
        request = request_of(found.problem, [places.get(name, name) for name in found.problem.files])
    changed = [text for _, text in changed_data(stored)]
    if changed:
        return changed, []
    with prepared(request) as ready:
        if ready.count.learned != found.rows.learned:
            return [f"there are {ready.count.learned} rows, and not {found.rows.learned}"], []
        faults = faults_within(bounded_fit(ready), told, 1)
    return faults, statements(found)


def _of_roots(name: str, result: dict[str, Any]) -> _Found:
    from gdcli.record.analyses import RootsRecord, roots_of
    from gdcli.tasks.verified_record import faults_of_roots

    with record_file.whole(name):
        found = RootsRecord.from_json(result)
        told = roots_of(found)
        points = [list(found.space.flatten(root.point)) for root in found.roots]
    centers = [box.center for box in told.boxes]
    faults = [] if points == centers else ["the point of a root is not in the middle of its box"]
    return faults + faults_of_roots(told), [found.message]


def told_minimum(found: RunRecord) -> ToldMinimum:
    """Return what a record tells of a global minimum. Raises ValueError, KeyError or TypeError where it is none."""
    from gdcli.tasks.verified_record import ToldMinimum

    flat = found.problem.space.flatten
    bounds = bounds_as_given(found.problem.bounds)
    whole = {name: bounds.get(name, (-inf, inf)) for name in found.problem.start}
    low, high = (list(flat({name: ends[k] for name, ends in whole.items()})) for k in (0, 1))
    return ToldMinimum(found.status, found.message, found.x, found.value, evidence_of(found), low, high)


def told_domain(found: RunRecord) -> Bounds:
    """Return the ends of the domain that a record tells. Raises ValueError or TypeError where they are none."""
    domain, space = bounds_as_given(found.domain), found.problem.space
    if {*domain} - {*space.names} or any(len(side) != space.size for side in flat_bounds(domain, space)):
        raise ValueError("the ends of the domain are not those of the variables")
    return domain


def told_proof(found: RunRecord) -> ToldProof:
    """Return the proof that a record tells. Raises ValueError, KeyError or TypeError where it is none."""
    from gdcli.tasks.verified_record import ToldProof

    proof = found.certificate.proof
    assert proof is not None
    flat = found.problem.space.flatten
    sides = [list(flat({name: ends[k] for name, ends in proof.box.items()})) for k in (0, 1)]
    box = tuple(zip(*sides, strict=True))
    told = (proof.kind, found.status, found.value, found.x, proof.radius, proof.value, box)
    return ToldProof(*told, tuple(proof.places(found.problem.space)), proof.axes, proof.sides)
