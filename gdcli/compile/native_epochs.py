"""Epochs of descent as machine code: steps after single rows, or after batches of rows, over columns in memory.


`epoch_text` writes ``epoch(marks, starts, ends, runs, most, size, rate, x, state, c0, c1, ...)``. The order of the rows
is given as *runs* of neighbours: run k has the rows starts[k] to ends[k] - 1, and nothing is copied. A call does about
``most`` rows, whole batches of ``size``, from where ``marks`` (the run, the row) stands, and moves the marks on.

A step after each row has the operations of :mod:`gdcli.compile.per_sample` in the same order, so it has the same bits.
Batches are summed in lanes (:mod:`gdcli.compile.simd`), their values differ in the last digits.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence

from gdcli.compile import machine_code
from gdcli.compile.per_sample import DescentWriter, ParameterBox, RowGradient
from gdcli.compile.scalar_text import functions_of
from gdcli.compile.simd import WIDTH, flags, helpers, row_writer, scalar_statements
from gdcli.compile.update_rules import UpdateRule
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, Vector, np

# Operations in the first call, about a millisecond; later ones take some 10 ms, so that an interrupt is heard.
FIRST = 1 << 20
_SHORT, _LONG = 0.004, 0.016

# Numbers in a line of the cache.
LINE = 8

# How far away the next run is: its rows are fetched while those of this one are worked on.
_AHEAD = "ahead = starts[min(k + 1, runs - 1)] - starts[k]"
_NEXT_RUN = (
    "if last == ends[k]:",
    "    k = k + 1",
    "    if k < runs:",
    "        here = starts[k]",
)


class Runs(NamedTuple):
    """Rows in the order of an epoch: whole columns in memory, and the runs of neighbours, int64 arrays."""

    columns: Sequence[Array]
    starts: Sequence[int] | Array
    ends: Sequence[int] | Array


def epoch_text(gradient: RowGradient, rule: UpdateRule, box: ParameterBox | None, batches: bool) -> str:
    """Return the text of ``epoch`` with the helpers it calls; see the module's text."""
    descent = DescentWriter(gradient, rule, box)
    ints = [f'{name}: "int*"' for name in ("marks", "starts", "ends")]
    ints += [f'{name}: "int"' for name in ("runs", "most", "size")]
    columns = [f'c{i}: "float*"' for i in range(len(gradient.columns))]
    buffers = ["rate", 'x: "float*"', 'state: "float*"']
    kept = descent.kept()
    operations = gradient.graph.operations(gradient.roots)
    lines = [
        f"def epoch({', '.join([*ints, *buffers, *columns])}) -> None:",
        *(f"    {name} = {place}" for name, place in kept),
        *([] if batches else descent.before()),
        "    k = marks[0]",
        "    here = marks[1]",
        "    left = most",
        "    while k < runs and left > 0:",
        *(_batch(gradient, descent) if batches else _rows(descent)),
        "    marks[0] = k",
        "    marks[1] = here",
        *(f"    {place} = {name}" for name, place in kept),
    ]
    return (helpers if batches else functions_of)(operations) + "\n".join(lines) + "\n"


def _prefetched(gradient: RowGradient, first: str, rows: int) -> list[str]:
    """Have the rows fetched that stand in the next run where ``rows`` from ``first`` on stand in this one."""
    columns = range(len(gradient.columns))
    return [f"prefetch(c{k}, {first} + ahead + {line})" for k in columns for line in range(0, rows, LINE)]


def _rows(descent: DescentWriter) -> list[str]:
    """A run, or what of it may still be done: a step after each row."""
    return [
        "        last = min(ends[k], here + left)",
        "        " + _AHEAD,
        f"        for first in range(here, last, {LINE}):",
        *("            " + line for line in _prefetched(descent.gradient, "first", LINE)),
        f"            for i in range(first, min(first + {LINE}, last)):",
        *descent.row(4),
        *descent.step(4, bool(descent.rule.scaled)),
        "        left = left - (last - here)",
        "        here = last",
        *("        " + line for line in _NEXT_RUN),
    ]


def _batch(gradient: RowGradient, descent: DescentWriter) -> list[str]:
    """A batch, from as many runs as it takes, and the step after it."""
    graph, roots = gradient.graph, gradient.roots
    numbers = range(len(gradient.nodes))
    names = {key: f"x{i}" for i, key in enumerate(gradient.parameters)}
    columns = {key: f"c{i}" for i, key in enumerate(gradient.columns)}
    leaves = {i for i in graph.reach(tuple(roots)) if graph.keys[i] in columns}
    varying = graph.depending(roots, leaves)
    before, scalars = scalar_statements(graph, roots, varying, names)

    def rows(width: int) -> list[str]:
        writer = row_writer(graph, varying, scalars, columns, width)
        writer.write(roots)
        s = "s" if width > 1 else "r"
        by = "" if gradient.factor is None else f" * {writer.name(gradient.factor)}"
        sums = [f"{s}{k} = {s}{k} + {writer.name(n)}{by}" for k, n in enumerate(gradient.nodes)]
        return ["                " + line for line in (*writer.lines, *sums)]

    return [
        "        done = 0",
        *("    " + line for line in before),
        *(f"        s{k} = lanes(0.0, {WIDTH})" for k in numbers),
        *(f"        r{k} = 0.0" for k in numbers),
        "        while k < runs and done < size:",
        "            last = min(ends[k], here + (size - done))",
        f"            whole = here + (last - here) // {WIDTH} * {WIDTH}",
        "            " + _AHEAD,
        f"            for i in range(here, whole, {WIDTH}):",
        *("                " + line for line in _prefetched(gradient, "i", WIDTH)),
        *rows(WIDTH),
        "            for i in range(whole, last):",
        *rows(1),
        "            done = done + (last - here)",
        "            here = last",
        *("            " + line for line in _NEXT_RUN),
        "        rows = float(done)",
        *(f"        g{k} = (total(s{k}) + r{k}) / rows" for k in numbers),
        *descent.step(2, False),
        "        left = left - done",
    ]


def is_likely_kept(
    gradient: RowGradient, rule: UpdateRule, box: ParameterBox | None, use_cache: bool = True
) -> bool:
    """Tell whether the code of steps after single rows is probably on disk; llvmlite is not imported for it."""
    return machine_code.is_likely_kept(epoch_text(gradient, rule, box, False), None, use_cache)


class EpochKernel:
    """Epochs in machine code. Raises NoMachineCodeError without llvmlite."""

    def __init__(
        self,
        gradient: RowGradient,
        rule: UpdateRule,
        box: ParameterBox | None,
        size: int,
        use_cache: bool = True,
    ) -> None:
        self.size = size
        text = epoch_text(gradient, rule, box, size > 1)
        self._epoch = machine_code.load(text, flags("epoch") if size > 1 else None, use_cache)["epoch"]
        nodes = len(gradient.graph.reach(tuple(gradient.roots)))
        self._most = self._batches(FIRST // nodes)

    def _batches(self, rows: int) -> int:
        return max(1, rows // self.size) * self.size

    def __call__(
        self, runs: Runs, x: Vector, state: object, rate: float, told: Callable[[int], None], skip: int = 0
    ) -> None:
        """Go through the runs in calls of some 10 ms; ``x`` and ``state`` are float64 arrays, changed in place by each.

        ``told`` hears after each call how many rows are done. The first ``skip`` rows are passed over.
        """
        columns = [np.ascontiguousarray(column, dtype=float) for column in runs.columns]
        starts, ends = (np.ascontiguousarray(a, dtype=np.int64) for a in (runs.starts, runs.ends))
        if not len(starts):
            return
        marks = (ctypes.c_int64 * 2)(*self._place(starts, ends, skip))
        pointers = [a.ctypes.data for a in (starts, ends)]
        rest = [a.ctypes.data for a in (x, state, *columns)]
        total, done = int((ends - starts).sum()), skip
        while marks[0] < len(starts):
            began, most = time.perf_counter(), self._most
            self._epoch(marks, *pointers, len(starts), most, self.size, rate, *rest)
            done = min(done + most, total)
            spent = time.perf_counter() - began
            if spent > _LONG:
                self._most = self._batches(most // 2)
            elif spent < _SHORT and marks[0] < len(starts):
                self._most = 2 * most
            told(done)

    def _place(self, starts: Array, ends: Array, skip: int) -> tuple[int, int]:
        """Return (run, row): where the rows begin that come after the first ``skip``."""
        if not skip:
            return 0, int(starts[0])
        reached = np.cumsum(ends - starts)
        run = int(np.searchsorted(reached, skip, side="right"))
        if run == len(starts):
            return run, 0
        return run, int(ends[run] - (reached[run] - skip))
