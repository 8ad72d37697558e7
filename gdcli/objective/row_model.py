"""What a fit computes for one row, as a graph: the loss, what is left over, what the model says.

Rows are an axis like any other. The graph here is that of a single row: parameters and columns are scalar leaves.
:func:`along_rows` turns it into the sum over many rows, in which each column is one leaf however long it is.

The graph tells in which parameters the model is linear: in those that no slope depends on.

Rows may lie in partitions, here or on other machines: each is asked where it lies, and the answers are `merged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gdcli.calculus.autodiff import Derivatives, can_smooth
from gdcli.compile.scalar_text import leaves_of
from gdcli.kernel.dataclass import NamedTuple, dataclass, field, fields, replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Space
from gdcli.language import form
from gdcli.language.graph import Graph, Key
from gdcli.language.losses import LOGITS, LOSSES, Numbers
from gdcli.language.model_text import Model, Names
from gdcli.language.syntax import Tree
from gdcli.objective.linear_predictor import copied_node


@dataclass(frozen=True, slots=True)
class Weighting:
    """How rows are weighted: ``column`` is a weight (``kind`` weights) or a standard deviation (``kind`` sigma)."""

    column: str
    kind: str


class CorrectedColumns(Protocol):
    """Columns with errors of their own; see `errors_in_columns.ErrorsInColumns`."""

    @property
    def plain(self) -> RowModel: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def sigmas(self) -> tuple[int, ...]: ...
    def nodes(self, row: RowModel, name: str) -> list[int] | None: ...


@dataclass(frozen=True, slots=True)
class RowModel:
    """The graph of one row.

    ``loss`` is the node of the row's (weighted) loss, to be minimised. ``residual`` is the node whose square it is,
    ``deviation`` the node whose absolute value it is, plus ``tilt`` times itself, None for other losses. ``predictor``
    is the typed formula, ``fitted`` what it says of the row on the scale of ``response``, what was measured; these two
    are None for a typed loss. ``weight`` is what the row counts (the inverse of a given variance too), None for 1.
    ``columns`` are read from the data, in order. ``engine`` is what computes sums over rows: numpy, native, or auto,
    which takes plain Python for few rows and machine code for very many; ``use_cache`` keeps that on disk. ``programs``
    has what was written for nodes of the graph, which stays the same: all objectives of this row share it. ``errors``
    tells which columns have errors, None where none has.
    """

    model: Model
    names: Names
    graph: Graph
    space: Space
    loss: int
    residual: int | None
    deviation: int | None
    predictor: int
    fitted: int | None
    response: int | None
    weight: int | None
    columns: tuple[str, ...]
    constants: Mapping[str, Any]
    tilt: float = 0.0
    engine: str = "numpy"
    use_cache: bool = True
    errors: CorrectedColumns | None = None
    programs: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return RowModel, tuple(getattr(self, f.name) for f in fields(self) if f.name != "programs")

    @property
    def parameter_leaves(self) -> dict[Key, str]:
        """The leaf of each parameter in flat order, with its name in program text: x0, x1, ..."""
        return leaves_of(self.space)

    @property
    def parameters(self) -> list[int]:
        return [self.graph.leaf(key) for key in self.parameter_leaves]

    @property
    def column_leaves(self) -> dict[Key, str]:
        """The leaf of each column in the order of ``columns``, with its name in program text: c0, c1, ..."""
        return {("scalar", name): f"c{i}" for i, name in enumerate(self.columns)}

    @property
    def plain(self) -> RowModel:
        """The row as if no column had errors."""
        return self if self.errors is None else self.errors.plain

    def read_by(self, node: int) -> list[str]:
        """Return the columns that a node of the graph reads."""
        reached = {self.graph.keys[i] for i in self.graph.reach([node])}
        return [name for name in self.columns if ("scalar", name) in reached]

    def depends(self, root: int) -> bool:
        return any(
            key in self.parameter_leaves for key in map(self.graph.keys.__getitem__, self.graph.reach([root]))
        )


def build_row_model(
    model: Model,
    names: Names,
    constants: Mapping[str, Any],
    loss: str = "squared",
    weighting: Weighting | None = None,
    asked: AskedLoss | None = None,
    sign: int = 1,
) -> RowModel:
    """Return the graph of a row. ``sign`` is -1 where the typed loss is to be maximised; ``asked`` is more of a loss.

    Raises UsageError for what does not fit together, with the place in the model's text.
    """
    if loss not in LOSSES:
        raise UsageError(f"unknown loss {loss}", did_you_mean(loss, LOSSES, f"one of {', '.join(LOSSES)}"))
    graph, asked = Graph(), asked or AskedLoss()
    right = _node(graph, model.right, names, constants)
    left = None if model.left is None else _node(graph, model.left, names, constants)
    if left is None:
        fitted, misfit = None, _Misfit(right if sign > 0 else graph.node("neg", right))
    else:
        trials = graph.scalar(asked.trials) if asked.trials else None
        misfit = _misfit(graph, left, right, loss, weighting, asked.numbers._replace(trials=trials))
        fitted = _said(graph, right, loss, trials)
    if weighting is not None and weighting.kind == "weights":
        misfit = _weighted(graph, misfit, graph.scalar(weighting.column))
    more = (weighting.column if weighting else None, asked.trials)
    columns = tuple(dict.fromkeys([*names.columns, *filter(None, more)]))
    space, (value, residual, deviation, weight, tilt) = Space(names.parameters), misfit
    nodes = (value, residual, deviation, right, fitted, left, weight)
    return RowModel(model, names, graph, space, *nodes, columns, constants, tilt=tilt)


def _node(graph: Graph, tree: Tree, names: Names, constants: Mapping[str, Any]) -> int:
    """The node in ``graph`` of a side of a model."""
    lengths: dict[str, int | None] = {**names.parameters, **dict.fromkeys(names.columns)}
    known = {name: value for name, value in constants.items() if name in tree.names}
    return form.build_row(tree, graph, lengths, known, names.matrices)


def residual_in(graph: Graph, row: RowModel, weighting: Weighting | None) -> int:
    """Return the node of a row's residual, whose square is its loss, in another graph; the loss must be a square."""
    assert row.model.left is not None
    sides = (_node(graph, tree, row.names, row.constants) for tree in (row.model.left, row.model.right))
    found = graph.node("sub", *sides)
    if weighting is None:
        return found
    column = graph.scalar(weighting.column)
    if weighting.kind == "sigma":
        return graph.node("div", found, column)
    return graph.node("mul", graph.node("sqrt", column), found)


def _said(graph: Graph, right: int, loss: str, trials: int | None) -> int:
    """What a model says of a row on the scale of what was measured."""
    if loss not in LOGITS:
        return right
    chance = graph.node("sigmoid", right)
    return chance if trials is None else graph.node("mul", trials, chance)


class AskedLoss(NamedTuple):
    """What is asked of a loss beside its name: its numbers, and the column of how many trials there were."""

    numbers: Numbers = Numbers()
    trials: str | None = None


class _Misfit(NamedTuple):
    """Nodes: the loss of a row, and of what it is made; see `RowModel`."""

    value: int
    residual: int | None = None
    deviation: int | None = None
    weight: int | None = None
    tilt: float = 0.0


def _misfit(
    graph: Graph, left: int, right: int, loss: str, weighting: Weighting | None, numbers: Numbers
) -> _Misfit:
    measured, said, weight = left, right, None
    if weighting is not None and weighting.kind == "sigma":  # in units of each row's standard deviation
        sigma = graph.scalar(weighting.column)
        weight = graph.node("div", graph.number(1.0), graph.node("mul", sigma, sigma))
        measured, said = (graph.node("div", side, sigma) for side in (left, right))
    value = LOSSES[loss].node(graph, measured, said, numbers)
    difference = graph.node("sub", measured, said) if loss in ("squared", "absolute", "quantile") else None
    if loss == "quantile" and difference is not None:
        half = graph.node("mul", graph.number(0.5), difference)
        return _Misfit(value, None, half, weight, 2.0 * numbers.quantile - 1.0)
    return _Misfit(
        value,
        difference if loss == "squared" else None,
        difference if loss == "absolute" else None,
        weight,
    )


def _weighted(graph: Graph, misfit: _Misfit, weight: int) -> _Misfit:
    value, residual, deviation, _, tilt = misfit
    value = graph.node("mul", weight, value)
    if residual is not None:
        residual = graph.node("mul", graph.node("sqrt", weight), residual)
    if deviation is not None:
        deviation = graph.node("mul", weight, deviation)
    return _Misfit(value, residual, deviation, weight, tilt)


def renumbered(row: RowModel, loss: str, numbers: Numbers, trials: str | None = None) -> RowModel:
    """Return the same model with a loss of other numbers; it must be known by its name, and without known sigmas."""
    assert row.response is not None
    node = row.graph.scalar(trials) if trials else None
    value = LOSSES[loss].node(row.graph, row.response, row.predictor, numbers._replace(trials=node))
    if row.weight is not None:
        value = row.graph.node("mul", row.weight, value)
    return replace(row, loss=value, residual=None, deviation=None)


_NUMBER = "the number of all rows"  # no name that can be typed


def constant_row(row: RowModel, loss: str, numbers: Numbers, trials: str | None = None) -> RowModel:
    """Return the model of a number that is the same for all rows, with a loss as of `renumbered`."""
    graph = row.graph
    number, node = graph.scalar(_NUMBER), graph.scalar(trials) if trials else None
    fitted = _said(graph, number, loss, node)
    alone = replace(row, space=Space({_NUMBER: None}), predictor=number, fitted=fitted, programs={})
    return renumbered(alone, loss, numbers, trials)


def with_penalty(row: RowModel, penalty: int, rows: int) -> RowModel:
    """Return the same model with a penalty, a node of the parameters alone, of which each of the ``rows`` bears a part.

    The loss is no square then, whatever it was.
    """
    part = row.graph.node("div", penalty, row.graph.number(float(rows)))
    return replace(row, loss=row.graph.node("add", row.loss, part), residual=None, deviation=None)


def by_squares(row: RowModel) -> RowModel:
    """Return the same model with the squared loss, where it has another; what is measured and said must be known."""
    if row.residual is not None or row.response is None:
        return row
    assert row.fitted is not None
    residual = row.graph.node("sub", row.response, row.fitted)
    return replace(row, loss=row.graph.node("mul", residual, residual), residual=residual)


def along_rows(row: RowModel, roots: Sequence[int], length: int) -> tuple[Graph, list[int]]:
    """Return a new graph with the sums of ``roots`` over ``length`` rows: a column is a slice of that many elements.

    A root that depends on no column counts once for each row.
    """
    graph = Graph()
    columns = set(row.columns)
    new: dict[int, int] = {}
    for name, size in row.space.lengths.items():  # parameters first, as in every other program
        if size is None:
            graph.scalar(name)
    for i in row.graph.reach(tuple(roots)):
        key = row.graph.keys[i]
        if key[0] == "scalar" and key[1] in columns:
            new[i] = graph.slice(key[1], 0, 1, length)
        elif key[0] in _UNFOLDED:
            new[i] = _UNFOLDED[key[0]](graph, new[key[1]])
        else:
            new[i] = copied_node(graph, row.graph, i, new)
    return graph, [graph.total(new[root], length) for root in roots]


def _decay(graph: Graph, u: int) -> int:
    """``exp(-|u|)``, shared by both functions below and by those of -u."""
    inner = graph.keys[u]
    size = graph.node("abs", inner[1] if inner[0] == "neg" else u)
    return graph.node("exp", graph.node("neg", size))


def _softplus(graph: Graph, u: int) -> int:
    positive = graph.node("max", u, graph.number(0.0))
    return graph.node("add", positive, graph.node("log1p", _decay(graph, u)))


def _sigmoid(graph: Graph, u: int) -> int:
    above = graph.node("exp", graph.node("min", u, graph.number(0.0)))
    return graph.node("div", above, graph.node("add", graph.number(1.0), _decay(graph, u)))


# Written out with the same bits, so that their common part is computed once and each step has a buffer.
_UNFOLDED = {"softplus": _softplus, "sigmoid": _sigmoid}


# What is asked of the rows of a partition: a function of an objective over them, and of more that can be sent.
Ask = Callable[..., Any]
Merge = Callable[[Any, Any], Any]


class Parts(Protocol):
    """Rows that lie in partitions; see `merged`."""

    def over(self, row: RowModel, ask: Ask, merge: Merge, args: tuple[object, ...]) -> Any:
        """Return ``ask(objective, *args)`` of all partitions, merged; ``objective`` is that of ``row`` over one.

        ``ask`` and ``merge`` are functions of modules, which can be named elsewhere; no answer is None.
        """

    def each(self, function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]:
        """Yield ``function(item, *args)``, a function of a module, for each of the items, computed anywhere."""
        ...


class Rows(Protocol):
    """Columns of numbers: ``rows`` in all, seen in order in pieces of at most ``size`` rows.

    A piece is the number of its first row and the columns' arrays, float64, in the order of ``names``. ``lists`` has
    the columns of data that came as lists of floats, ``parts`` the partitions of data that lie in some.
    """

    @property
    def rows(self) -> int: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def lists(self) -> Sequence[list[float]] | None: ...
    @property
    def parts(self) -> Parts | None: ...
    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]: ...


def linear_parameters(row: RowModel, root: int | None = None) -> list[int]:
    """Return the numbers of parameters, in flat order, that the residual is jointly linear in; the more the better.

    The residual is linear in a set of parameters when its derivatives by them depend on none of them: for
    ``a*exp(-b*x) + c`` the set is a and c, for ``a*b*x`` it is one of the two. A parameter that a jump depends on is
    not linear, whatever the derivative says. Parameters that go with the most others
    are taken first. ``root`` is another node of the row to ask about; without it the answer is empty where the loss is
    not a square.
    """
    root = row.residual if root is None else root
    if root is None:
        return []
    graph, parameters = row.graph, row.parameters
    adjoints = Derivatives(graph, frozenset(row.columns)).gradient(root)
    behind_jumps = graph.reach(tuple(_jumping(graph, root)))
    needs = [set(graph.reach((adjoints[i],))) if i in adjoints else set() for i in parameters]
    able = [k for k, i in enumerate(parameters) if i in adjoints and i not in set(behind_jumps)]
    bent = {k: {j for j in able if parameters[j] in needs[k] or parameters[k] in needs[j]} for k in able}
    chosen: list[int] = []
    for k in sorted(able, key=lambda k: len(bent[k])):
        if not bent[k] & {k, *chosen}:
            chosen.append(k)
    return sorted(chosen)


def has_constant(row: RowModel) -> bool:
    """Tell whether the model adds a parameter alone, so that it can be any constant, whatever the data are."""
    slopes = Derivatives(row.graph, frozenset(row.columns)).gradient(row.predictor)
    return any(row.graph.value_of(slopes[i]) for i in row.parameters if i in slopes)


def is_smooth(row: RowModel) -> bool:
    """Tell whether the loss has no kink and no jump, as far as can be seen, that is met when the parameters change."""
    graph, columns = row.graph, {row.graph.leaf(key) for key in row.column_leaves}
    if can_smooth(graph, row.loss, columns):
        return False
    return not any(row.depends(i) for i in _jumping(graph, row.loss))


def _jumping(graph: Graph, root: int) -> list[int]:
    """The nodes on whose value a jump depends: there a slope tells nothing of how the value changes."""
    found: list[int] = []
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] == "where":
            found += key[2:4]
        elif key[0] in ("floor", "ceil", "sign"):
            found.append(key[1])
    return found


# -- rows that lie in partitions ---------------------------------------------------------------------------------------

# A place in the tree of answers: how often was merged, and which of the nodes there.
Node = tuple[int, int]


def merged(found: Mapping[Node, Any], count: int, merge: Merge) -> dict[Node, Any]:
    """Return the nodes that are left when all neighbours among the ``found`` are merged, of ``count`` partitions.

    The tree follows from their number alone: 0 is merged with 1, 2 with 3, then these, and so on. So the bits are the
    same whoever holds which partition and whoever answers first, and one who holds several neighbours may merge their
    answers before sending them. Of all partitions that is one node, the root. None is the answer of no rows.
    """
    left, level, width = dict(found), 0, count
    while width > 1:
        for node in sorted(node for node in left if node[0] == level):
            _, k = node
            alone = k % 2 == 0 and k + 1 == width
            if alone:
                left[level + 1, k // 2] = left.pop(node)
            elif k % 2 == 0 and (level, k + 1) in left:
                one, other = left.pop(node), left.pop((level, k + 1))
                both = other if one is None else one if other is None else merge(one, other)
                left[level + 1, k // 2] = both
        level, width = level + 1, -(-width // 2)
    return left


def each_here(function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]:
    return (function(item, *args) for item in items)
