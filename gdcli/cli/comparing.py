"""What the commands that compare share: run, show, write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdcli.cli.answer import Beside, with_receipt
from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.cli.commands import (
        CompareBatchesOptions,
        CompareMethodsOptions,
        CompareModelsOptions,
        CompareRatesOptions,
    )
    from gdcli.cli.environment import Environment
    from gdcli.record.compared import BatchesRecord, MethodsRecord, RatesRecord
    from gdcli.record.model_records import ModelsRecord
    from gdcli.render.comparison import Kind
    from gdcli.render.plot_data import Picture


class Comparison(NamedTuple):
    """What came of a comparison; ``timed`` tells whether its runs have times."""

    record: RatesRecord | MethodsRecord | BatchesRecord | ModelsRecord
    kind: Kind
    picture: Callable[[], Picture]
    warnings: tuple[str, ...]
    exit_code: int
    timed: bool = True


def compared(
    options: CompareRatesOptions | CompareMethodsOptions | CompareBatchesOptions | CompareModelsOptions,
    env: Environment,
    make: Callable[[], Comparison],
) -> int:
    """Write and draw the comparison that ``make`` makes; return its exit code. SIGTERM ends it with what there is."""
    from gdcli.cli.output_file import Destination
    from gdcli.render.comparison import write

    env.on_sigterm()
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream:
            made = make()
            timing = made.timed and env.timing(options, stream)
            found = with_receipt(made.record, options)
            write(stream, options.written_as, found, made.kind, timing)
        beside.write(lambda page, format: write(page, format, found, made.kind, made.timed and beside.timing))
        beside.finish(found, made.picture, made.kind.parts)
    env.tell_warnings(made.warnings, env.warned(options, stream))
    return made.exit_code
