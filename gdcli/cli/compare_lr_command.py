"""`gd compare-lr`: the book's experiment with learning rates, on any function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import typed_problem
from gdcli.cli.comparing import Comparison, compared

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareRatesOptions
    from gdcli.cli.environment import Environment
    from gdcli.render.plot_data import Picture
    from gdcli.tasks.compare import RateComparison
    from gdcli.tasks.problem import Problem


def run(options: CompareRatesOptions, env: Environment) -> int:
    return compared(options, env, partial(_compared, options, typed_problem(options, env)))


def _compared(options: CompareRatesOptions, problem: Problem) -> Comparison:
    from gdcli import api
    from gdcli.record.compared import rates_record
    from gdcli.render import rate_page

    engine, caps = options.engine or "auto", (options.max_time, options.max_memory)
    found = api.compare_learning_rates(
        problem, options.lr or (), options.steps or 100, engine, options.no_cache, *caps
    )
    ended = found.found.ended and found.found.ended.status
    picture = partial(_picture, problem, found, options.log_axes)
    code = 0 if ended is None else ended.exit_code
    return Comparison(rates_record(found), rate_page.KIND, picture, found.warnings, code, timed=False)


def _picture(problem: Problem, found: RateComparison, log: str | None) -> Picture:
    from gdcli.cli.plot_option import rates_picture
    from gdcli.render.comparison_figures import RatePath

    paths = [RatePath(rate.lr, rate.verdict, found.values(rate)) for rate in found.found.rates]
    return rates_picture(problem, paths, log)
