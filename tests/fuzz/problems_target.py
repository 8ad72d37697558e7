"""Problem files (TOML, lines of JSON) as bytes: entries that can be read on as far as the run, or a `GdError`."""

from __future__ import annotations

from fuzz.inputs import check_error

from gdcli.cli.run_problems import OPTIONS, options_for
from gdcli.kernel.errors import GdError
from gdcli.tasks import problem_file
from gdcli.tasks.problem_file import FileProblem


def problem_files(content: bytes) -> None:
    """Read bytes as a TOML file and as lines of JSON, and every entry as far as the run of it."""
    entries: list[FileProblem] = []
    try:
        entries += problem_file.read_tables(content, "p.toml", OPTIONS)
    except GdError as error:
        check_error(error)
    for number, line in enumerate(content.split(b"\n")[:20], 1):
        try:
            entries.append(problem_file.read_line(line, "p.jsonl", number, OPTIONS))
        except GdError as error:
            check_error(error)
    for entry in entries[:20]:
        try:
            options_for(entry)
            if entry.command != "fit" and not any("@" in text for text in entry.start + entry.constants):
                entry.problem()
        except GdError as error:
            check_error(error)
