"""`gd run`: the problems of a file, solved one after the other and held against what they expect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli.cli.app import internal
from gdcli.cli.minimize import on_sigterm, tell_warnings
from gdcli.cli.options import PROBLEM, SOLVER, only
from gdcli.cli.options import settings as settings_of
from gdcli.errors import GdError
from gdcli.report.verdicts import Checked, Pages, Records, exit_code

if TYPE_CHECKING:
    from gdcli.problems import Entry

# What a problem may set besides its own keys: the options of the solver, and the seed of a random start.
OPTIONS = {option.name: option for option in (*SOLVER, *only(PROBLEM, "--seed"))}


def run(values: dict[str, Any]) -> int:
    """Solve the problems asked for; return the code of the first that is not as expected."""
    from gdcli import problems
    from gdcli.cli.destination import Destination
    from gdcli.report.tables import is_terminal

    entries = problems.read(values["file"], OPTIONS)
    entries = problems.select(entries, values["names"] or (), values["file"])
    form = values["format"] or "table"
    with Destination(values["output"]) as stream:
        timing = values["timing"] or is_terminal(stream)
        if form in ("table", "plain"):
            report: Pages | Records = Pages(stream, timing, plain=form == "plain")
        else:
            report = Records(stream, timing, form)
        done: list[Checked] = []
        on_sigterm()
        code = _solve_all(entries, report, done)
        report.finish(done, values["file"])
    return code or exit_code(done)


def _solve_all(entries: Sequence[Entry], report: Pages | Records, done: list[Checked]) -> int:
    """Solve and report all; return the code of an interrupt, else 0. ``done`` takes what is finished."""
    from gdcli.errors import Terminated
    from gdcli.solvers.types import Status

    try:
        for entry in entries:
            checked = check(entry)
            done.append(checked)
            report(checked)
            if checked.outcome is not None:
                named = tuple(f"{entry.name}: {warning}" for warning in checked.outcome.warnings)
                tell_warnings(named, seen=False)
                if checked.outcome.status in (Status.INTERRUPTED, Status.TERMINATED):
                    return checked.outcome.status.exit_code
    except KeyboardInterrupt:
        return Status.INTERRUPTED.exit_code
    except Terminated:
        return Status.TERMINATED.exit_code
    return 0


def check(entry: Entry) -> Checked:
    """Solve one problem and compare it with its expectation; an error of the user's is part of the answer."""
    from gdcli import api

    try:
        values = _options(entry)
        outcome = api.solve(entry.problem(values.pop("seed", 0)), api.Settings(**settings_of(values)))
    except GdError as error:
        return Checked(entry.name, entry.expect, None, _located(entry, error), error.message)
    except Exception as fault:  # ours, and no reason to leave the other problems unsolved
        told = internal(fault)
        return Checked(entry.name, entry.expect, None, entry.located(told), told.message)
    if entry.expect is None:
        miss = f"status {outcome.status.value}" if outcome.status.exit_code else ""
    else:
        miss = entry.expect.misses(
            outcome.status.value, outcome.status.exit_code, outcome.value, outcome.point
        )
    return Checked(entry.name, entry.expect, outcome, None, miss)


def _options(entry: Entry) -> dict[str, Any]:
    """Return the values of the options that the problem sets, read as on the command line."""
    return {OPTIONS[name].field: OPTIONS[name].read(text, name) for name, text in entry.options.items()}


def _located(entry: Entry, error: GdError) -> GdError:
    return error if error.message.startswith(entry.file + ":") else entry.located(error)
