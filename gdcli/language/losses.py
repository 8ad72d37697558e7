"""The losses of a row: how far what a model says of a row is from what was measured there.

Each is written as nodes of the expression graph, so that derivatives, every runner and every method have it at once.
With y what was measured, f what the model says and r = y - f:

    squared            r**2, without a half
    absolute           |r|
    quantile           q*r above, (q - 1)*r below (Koenker and Bassett, Econometrica 46, 1978)
    huber              r**2 up to |r| = delta, from there on 2*delta*|r| - delta**2
                       (Huber, Annals of Mathematical Statistics 35, 1964, times two as the squared loss)
    tukey              delta**2/3*(1 - (1 - (r/delta)**2)**3) up to delta, from there on delta**2/3: near 0 r**2
                       (Beaton and Tukey, Technometrics 16, 1974)
    cauchy             log(1 + (r/scale)**2)
    student-t          (dof + 1)/2*log(1 + (r/scale)**2/dof)
    logistic           -log of the probability of the label; f is the logit, labels are 0 and 1 or -1 and 1
    binomial           n*softplus(f) - y*f for y successes out of n; f is the logit
    poisson            f - y*log(f), the negative log-likelihood without log(y!); f is the mean
    negative-binomial  (y + theta)*log(f + theta) - y*log(f); f is the mean, the variance is f + f**2/theta
    gamma              y/f + log(f), the negative log-likelihood by the shape; f is the mean, the variance is in f**2
"""

from __future__ import annotations

from collections.abc import Callable

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import Graph


class Numbers(NamedTuple):
    """What losses take beside y and f: numbers, and the node of how many ``trials`` there were (None: one)."""

    delta: float = 1.0
    scale: float = 1.0
    quantile: float = 0.5
    dof: float = 4.0
    theta: float = 1.0
    trials: int | None = None


class Loss(NamedTuple):
    """One loss: its name, its help in a line, what it makes of nodes, and what makes labels fit.

    ``node(graph, y, f, numbers)`` is the loss; ``likelihood`` tells that it is a negative log-likelihood up to what no
    parameter changes. ``estimates`` names the number that is found from the data unless it is given, ``reads`` those
    that can be. ``positive`` tells that f must be, ``by_variance`` that errors follow from what the variance is for f.
    """

    name: str
    help: str
    node: Callable[[Graph, int, int, Numbers], int]
    likelihood: bool = False
    reads: tuple[str, ...] = ()
    estimates: str = ""
    positive: bool = False
    by_variance: bool = False


def _squared(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    r = graph.node("sub", y, f)
    return graph.node("mul", r, r)


def _absolute(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    return graph.node("abs", graph.node("sub", y, f))


def _quantile(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    """|r|/2 + (q - 1/2)*r: its kink is that of |r|."""
    r = graph.node("sub", y, f)
    half = graph.node("mul", graph.number(0.5), graph.node("abs", r))
    return graph.node("add", half, graph.node("mul", graph.number(numbers.quantile - 0.5), r))


def _huber(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    delta = numbers.delta
    r = graph.node("sub", y, f)
    size, limit = graph.node("abs", r), graph.number(delta)
    outside = graph.node("mul", graph.number(2.0 * delta), size)
    beyond = graph.node("sub", outside, graph.number(delta * delta))
    return graph.node("where", "<=", size, limit, graph.node("mul", r, r), beyond)


def _tukey(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    delta = numbers.delta
    r = graph.node("sub", y, f)
    part = graph.node("div", r, graph.number(delta))
    left = graph.node("sub", graph.number(1.0), graph.node("mul", part, part))
    cube = graph.node("mul", left, graph.node("mul", left, left))
    most = graph.number(delta * delta / 3.0)
    near = graph.node("mul", most, graph.node("sub", graph.number(1.0), cube))
    return graph.node("where", "<=", graph.node("abs", r), graph.number(delta), near, most)


def _square_in_units(graph: Graph, y: int, f: int, unit: float) -> int:
    part = graph.node("div", graph.node("sub", y, f), graph.number(unit))
    return graph.node("mul", part, part)


def _cauchy(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    return graph.node("log1p", _square_in_units(graph, y, f, numbers.scale))


def _student_t(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    square = _square_in_units(graph, y, f, numbers.scale)
    inner = graph.node("log1p", graph.node("div", square, graph.number(numbers.dof)))
    return graph.node("mul", graph.number(0.5 * (numbers.dof + 1.0)), inner)


def _logistic(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    """``softplus(s*f)`` with s = 1 - 2*max(y, 0), 1 or -1, from the label: 0 and -1 are the same label."""
    label = graph.node("max", y, graph.number(0.0))
    side = graph.node("sub", graph.number(1.0), graph.node("mul", graph.number(2.0), label))
    return graph.node("softplus", graph.node("mul", side, f))


def _binomial(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    whole = graph.node("softplus", f)
    if numbers.trials is not None:
        whole = graph.node("mul", numbers.trials, whole)
    return graph.node("sub", whole, graph.node("mul", y, f))


def _poisson(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    some = graph.node("sub", f, graph.node("mul", y, graph.node("log", f)))
    return graph.node("where", "==", y, graph.number(0.0), _none_seen(graph, f, f), some)


def _none_seen(graph: Graph, f: int, loss: int) -> int:
    """The loss of a row where nothing was counted, which has no value for a mean below 0.

    At a mean that rounds to 0 the logarithm is that of 1e-75, whose first four derivatives are numbers.
    """
    bound = graph.node("log", graph.node("add", f, graph.number(1e-75)))
    return graph.node("add", loss, graph.node("mul", graph.number(0.0), bound))


def _negative_binomial(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    theta = graph.number(numbers.theta)
    spread = graph.node("log", graph.node("add", f, theta))
    none = graph.node("mul", theta, spread)
    whole = graph.node("mul", graph.node("add", y, theta), spread)
    some = graph.node("sub", whole, graph.node("mul", y, graph.node("log", f)))
    return graph.node("where", "==", y, graph.number(0.0), _none_seen(graph, f, none), some)


def _gamma(graph: Graph, y: int, f: int, numbers: Numbers) -> int:
    return graph.node("add", graph.node("div", y, f), graph.node("log", f))


# fmt: off
_ROWS = (
    Loss("squared", "the square of what is left over", _squared),
    Loss("absolute", "its absolute value: outliers count less", _absolute),
    Loss("quantile", "the line below which a part of the rows lies", _quantile, reads=("quantile",)),
    Loss("huber", "squared near, absolute far from the model", _huber, reads=("scale",)),
    Loss("tukey", "squared near, constant far from the model", _tukey, reads=("scale",), estimates="scale"),
    Loss("cauchy", "Cauchy's distribution: outliers count little", _cauchy, likelihood=True, reads=("scale",),
        estimates="scale"),
    Loss("student-t", "Student's t distribution", _student_t, likelihood=True, reads=("scale", "dof"),
        estimates="scale"),
    Loss("logistic", "labels 0/1 or -1/1, the model is the logit", _logistic, likelihood=True),
    Loss("binomial", "successes out of --trials, the model is the logit", _binomial, likelihood=True,
        reads=("trials",)),
    Loss("poisson", "counts, the model is their mean", _poisson, likelihood=True, positive=True),
    Loss("negative-binomial", "counts of more variance, the model is their mean", _negative_binomial, likelihood=True,
        reads=("theta",), estimates="theta", positive=True, by_variance=True),
    Loss("gamma", "positive, of a constant relative error, the model is the mean", _gamma, likelihood=True,
        positive=True, by_variance=True),
)
# fmt: on
LOSSES = {row.name: row for row in _ROWS}
# Losses whose f must be positive, and whose f is a logit.
POSITIVE = tuple(row.name for row in _ROWS if row.positive)
LOGITS = ("logistic", "binomial")
# Of Huber's and Tukey's delta by the scale: 95 % of the efficiency of least squares where errors are normal (Huber,
# Robust Statistics, 1981; Holland and Welsch, Communications in Statistics A 6, 1977).
TUNED = {"huber": 1.345, "tukey": 4.685}
