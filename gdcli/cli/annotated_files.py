"""``--predict`` and ``--residuals``: copies of the data with what the fit says of each row.

What can be wrong with the files is found out before the data are read: a file that cannot be written, one that is an
input too, two answers in one file.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared

OUTPUTS = ("output", "predict", "residuals", "plot")
STANDARD = "-"


class Files:
    """``with Files(values, env, model) as files:`` prepare with ``files.stdin``, fit, ``files.write(ready, outcome)``.

    The files appear at the end, whole, unless an exception came.
    """

    def __init__(self, values: dict[str, Any], env: Environment, model: str) -> None:
        self._values, self._env = values, env
        self._asked = [name for name in ("predict", "residuals") if values[name]]
        _check_outputs(values)
        if self._asked:
            from gdcli.tasks.fit.annotated_output import check_model

            check_model(model)
        self._paths = list(values["files"]) or [STANDARD]
        self.stdin: Any = env.stdin if STANDARD in self._paths else None
        self._streams: dict[str, TextIO] = {}
        self._stack = ExitStack()

    @property
    def takes_stdout(self) -> bool:
        """Whether standard output has the rows, and no answer."""
        return any(self._values[name] == STANDARD for name in self._asked)

    def __enter__(self) -> Files:
        with ExitStack() as stack:
            for name in self._asked:
                destination = Destination(self._values[name], self._env.stdout)
                destination.option = f"--{name}"
                self._streams[name] = stack.enter_context(destination)
            if self._asked and STANDARD in self._paths and self.stdin is not None:
                from gdcli.tasks.fit.annotated_output import kept

                self.stdin, path = stack.enter_context(kept(self.stdin, self._values["spool"]))
                self._paths[self._paths.index(STANDARD)] = path
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *ended: Any) -> None:
        self._stack.__exit__(*ended)

    def write(self, ready: Prepared, outcome: FitOutcome) -> None:
        if not self._asked:
            return
        from gdcli.tasks.fit.annotated_output import FITTED, RESIDUAL, annotated

        missing, use_cache = self._values["missing"] or "error", not self._values["no_cache"]
        for name, stream in self._streams.items():
            wanted = (FITTED,) if name == "predict" else (FITTED, RESIDUAL)
            for text in annotated(ready, outcome.run.best.at.x, wanted, self._paths, missing, use_cache):
                stream.write(text)


def _check_outputs(values: dict[str, Any]) -> None:
    """Raise UsageError where two outputs meet on standard output."""
    named = [(f"--{name}", values[name]) for name in OUTPUTS if values[name]]
    standard = [
        option for option, path in named if path == STANDARD and option in ("--predict", "--residuals")
    ]
    if len(standard) > 1:
        raise UsageError(
            "--predict and --residuals both go to standard output", "--residuals has both columns"
        )
    if standard and not values["output"] and (values["format"] or values["print"]):
        raise UsageError(
            f"{standard[0]} - takes standard output, and so does the answer",
            "give one of them a file: --output FILE",
        )
