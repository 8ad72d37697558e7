"""The machine formats of fits to groups: a line, a row or chosen values per group, written as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from gdcli.record import groups
from gdcli.record.groups import Group, GroupRecorder, cells
from gdcli.record.schema import SCHEMA
from gdcli.record.selection import Words
from gdcli.record.serialization import RowText, json_text


class GroupLines:
    def __init__(self, stream: TextIO, recorder: GroupRecorder) -> None:
        self._stream, self._recorder = stream, recorder

    def __call__(self, fits: Sequence[Group]) -> None:
        self._stream.write("".join(f"{line}\n" for line in groups.lines(fits, self._recorder)))
        self._stream.flush()

    def finish(self, tally: Counter[str]) -> None:
        """All is written."""


class GroupWhole(GroupLines):
    """One JSON object with the results of all groups, written as they come."""

    def __init__(self, stream: TextIO, recorder: GroupRecorder, by: Sequence[str]) -> None:
        super().__init__(stream, recorder)
        head = {"schema": SCHEMA, "type": "groups", "by": list(by)}
        self._before = json_text(head)[:-1] + ', "results": [\n'

    def __call__(self, fits: Sequence[Group]) -> None:
        for line in groups.lines(fits, self._recorder):
            self._stream.write(self._before + line)
            self._before = ",\n"

    def finish(self, tally: Counter[str]) -> None:
        self._stream.write("\n]}\n" if self._before == ",\n" else self._before + "]}\n")


class GroupRows:
    """A header, then a row per group: labels, rows, parameters with their errors, how good the fit is, the status."""

    def __init__(
        self,
        stream: TextIO,
        recorder: GroupRecorder,
        by: Sequence[str],
        names: Sequence[str],
        words: Words,
        timing: bool,
        text: RowText,
    ) -> None:
        self._stream, self._recorder, self._words, self._text = stream, recorder, words, text
        tail = ("value", "residual_sd", "r_squared", "iterations", "status", "message")
        self._names = ["rows", "skipped", *names, *tail, *(["seconds"] if timing else [])]
        stream.write(text.head([*by, *self._names]))

    def __call__(self, fits: Sequence[Group]) -> None:
        found = cells(fits, self._names, self._recorder, self._words)
        rows = zip(fits, found, strict=True)
        self._stream.write("".join(self._text.row([*fit.labels.values(), *row]) for fit, row in rows))
        self._stream.flush()

    def finish(self, tally: Counter[str]) -> None:
        """All is written."""


class GroupSelected:
    """Per group one line of its labels and the values asked for, tab separated; what is not known is empty."""

    def __init__(self, stream: TextIO, recorder: GroupRecorder, names: Sequence[str], words: Words) -> None:
        self._stream, self._recorder, self._names, self._words = stream, recorder, list(names), words

    def __call__(self, fits: Sequence[Group]) -> None:
        found = cells(fits, self._names, self._recorder, self._words)
        for fit, row in zip(fits, found, strict=True):
            texts = ["" if v is None else repr(v) if isinstance(v, float) else str(v) for v in row]
            labels_of = [str(v).replace("\t", " ") for v in fit.labels.values()]
            self._stream.write("\t".join([*labels_of, *texts]) + "\n")
        self._stream.flush()

    def finish(self, tally: Counter[str]) -> None:
        """All is written."""
