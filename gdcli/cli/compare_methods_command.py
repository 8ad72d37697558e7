"""`gd compare-methods`: one problem, several methods, one table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import typed_problem
from gdcli.cli.comparing import Comparison, compared
from gdcli.cli.options import SOLVER

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareMethodsOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.problem import Problem


def run(options: CompareMethodsOptions, env: Environment) -> int:
    """Solve by each method; 0 when all had their turn, whatever came of it."""
    return compared(options, env, partial(_compared, options, typed_problem(options, env)))


def _compared(options: CompareMethodsOptions, problem: Problem) -> Comparison:
    from gdcli import api
    from gdcli.record.compared import methods_record
    from gdcli.render import method_page

    settings = api.Settings(**options.given(*SOLVER) | {"method": "auto"})
    runs = api.compare_methods(problem, options.method or (), settings)
    found, last = methods_record(problem, runs), runs[-1].outcome
    code = last.status.exit_code if last is not None and last.status.by_signal else 0
    return Comparison(found, method_page.KIND, partial(method_page.picture, found), found.warnings, code)
