"""``--emit``: a program in the place of the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

from gdcli.kernel.errors import UsageError


class Emitted:
    """A writer that ends with a program: ``make(outcome)`` writes it."""

    def __init__(self, stream: TextIO, make: Callable[[Any], str]) -> None:
        self._stream, self._make = stream, make

    def __call__(self, iterate: object) -> None:
        """The program has the answer alone."""

    def finish(self, outcome: Any) -> None:
        """Write the program."""
        self._stream.write(self._make(outcome))


def check(values: dict[str, Any], is_fit: bool) -> None:
    """Raise UsageError where ``--emit`` cannot be answered, before anything is solved."""
    language = values["emit"]
    if not language:
        return
    for other in ("print", "format"):
        if values[other]:
            raise UsageError(f"--emit and --{other} exclude each other", "a program is the whole answer")
    from gdcli.tasks import export

    export.check(language, is_fit)
