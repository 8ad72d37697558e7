"""What the commands that compare share: run, show, write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdcli.cli.answer import picture_of, report_of, with_receipt
from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareBatchesOptions, CompareMethodsOptions, CompareRatesOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.compared import BatchesRecord, MethodsRecord, RatesRecord
    from gdcli.render.comparison import Kind
    from gdcli.render.plot_data import Picture


class Comparison(NamedTuple):
    """What came of a comparison; ``timed`` tells whether its runs have times."""

    record: RatesRecord | MethodsRecord | BatchesRecord
    kind: Kind
    picture: Callable[[], Picture]
    warnings: tuple[str, ...]
    exit_code: int
    timed: bool = True


def compared(
    options: CompareRatesOptions | CompareMethodsOptions | CompareBatchesOptions,
    env: Environment,
    make: Callable[[], Comparison],
) -> int:
    """Write and draw the comparison that ``make`` makes; return its exit code. SIGTERM ends it with what there is."""
    from gdcli.cli.output_file import Destination
    from gdcli.render.comparison import write

    env.on_sigterm()
    with picture_of(options, env, env.text_stream(options)) as canvas, report_of(options, env) as report:
        with Destination(options.output, env.stdout) as stream:
            made = make()
            timing = made.timed and env.timing(options, stream)
            found = with_receipt(made.record, options)
            write(stream, options.written_as, found, made.kind, timing)
        if canvas is not None:
            canvas.draw(made.picture)
        if report is not None:
            from gdcli.render.html_report import REPORT

            write(report.page, REPORT, found, made.kind, made.timed)
            report.finish([found.to_json()], made.picture)
    env.tell_warnings(made.warnings, env.warned(options, stream))
    return made.exit_code
