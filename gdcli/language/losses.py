"""The losses of a row: how far what a model says of a row is from what was measured there.

Each is written as nodes of the expression graph, so that derivatives, every runner and every method have it at once.
With y what was measured and f what the model says:

    squared    (y - f)**2, without a half
    absolute   |y - f|
    huber      (y - f)**2 up to |y - f| = delta, from there on 2*delta*|y - f| - delta**2
               (Huber, Annals of Mathematical Statistics 35, 1964, times two as the squared loss)
    logistic   -log of the probability of the label; f is the logit, labels are 0 and 1 or -1 and 1
    poisson    f - y*log(f), the negative log-likelihood without log(y!); f is the mean
"""

from __future__ import annotations

from collections.abc import Callable

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import Graph


class Loss(NamedTuple):
    """One loss: its name, its help in a line, what it makes of nodes, and what makes labels fit.

    ``node(graph, y, f, delta)`` is the loss; ``likelihood`` tells that it is a negative log-likelihood up to what no
    parameter changes.
    """

    name: str
    help: str
    node: Callable[[Graph, int, int, float], int]
    likelihood: bool = False


def _squared(graph: Graph, y: int, f: int, delta: float) -> int:
    r = graph.node("sub", y, f)
    return graph.node("mul", r, r)


def _absolute(graph: Graph, y: int, f: int, delta: float) -> int:
    return graph.node("abs", graph.node("sub", y, f))


def _huber(graph: Graph, y: int, f: int, delta: float) -> int:
    r = graph.node("sub", y, f)
    size, limit = graph.node("abs", r), graph.number(delta)
    outside = graph.node("mul", graph.number(2.0 * delta), size)
    beyond = graph.node("sub", outside, graph.number(delta * delta))
    return graph.node("where", "<=", size, limit, graph.node("mul", r, r), beyond)


def _logistic(graph: Graph, y: int, f: int, delta: float) -> int:
    """``softplus(s*f)`` with s = 1 - 2*max(y, 0), 1 or -1, from the label: 0 and -1 are the same label."""
    label = graph.node("max", y, graph.number(0.0))
    side = graph.node("sub", graph.number(1.0), graph.node("mul", graph.number(2.0), label))
    return graph.node("softplus", graph.node("mul", side, f))


def _poisson(graph: Graph, y: int, f: int, delta: float) -> int:
    some = graph.node("sub", f, graph.node("mul", y, graph.node("log", f)))
    return graph.node("where", "==", y, graph.number(0.0), f, some)


_ROWS = (
    Loss("squared", "the square of what is left over", _squared),
    Loss("absolute", "its absolute value: outliers count less", _absolute),
    Loss("huber", "squared near, absolute far from the model", _huber),
    Loss("logistic", "labels 0/1 or -1/1, the model is the logit", _logistic, likelihood=True),
    Loss("poisson", "counts, the model is their mean", _poisson, likelihood=True),
)
LOSSES = {row.name: row for row in _ROWS}
