"""The numbers of a loss, and penalties on parameters: their squares, and what is known of them before.

``--l2 k`` adds ``k*sum(p**2)`` to the sum of the losses, of all parameters that are not added alone (Hoerl and Kennard,
Technometrics 12, 1970). A prior ``normal(m, d)`` adds what its negative log-density is in the unit of the loss:
``(p - m)**2/(2 d**2)`` to a negative log-likelihood, twice that to a sum of squares in units of known deviations.
The answer is then where the posterior density is largest, and its curvature there gives the errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.calculus.autodiff import Derivatives
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.kernel.vectors import Vector, np
from gdcli.language.losses import LOSSES, TUNED, Numbers
from gdcli.objective.row_model import RowModel, Rows, with_penalty
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.request import AUTO, FitProblem, FitRequest, Prior


def penalised(
    problem: FitProblem, row: RowModel, rows: int, variance: float | None = None
) -> tuple[FitProblem, RowModel]:
    """Return a fit with its penalties in the losses of its ``rows``.

    ``variance`` is that of a row of weight 1, where a prior needs it and it is not known: without it the first
    estimate is to be made. Raises UsageError where a prior has no meaning.
    """
    _check(problem)
    node = row.graph.number(0.0)
    if problem.l2 is not None:
        for i in shrunk(row):
            p = row.parameters[i]
            square = row.graph.node("mul", p, p)
            node = row.graph.node("add", node, row.graph.node("mul", row.graph.number(problem.l2), square))
    unit = unit_of(problem, variance)
    for prior in problem.priors:
        p = row.graph.scalar(prior.name)
        off = row.graph.node("sub", p, row.graph.number(prior.mean))
        factor = row.graph.number(unit / prior.deviation**2)
        node = row.graph.node("add", node, row.graph.node("mul", factor, row.graph.node("mul", off, off)))
    estimated = problem.estimated or ("variance" if needs_variance(problem) and variance is None else "")
    return replace(problem, estimated=estimated), with_penalty(row, node, rows)


def shrunk(row: RowModel) -> list[int]:
    """The parameters, by number, that a penalty of squares is on: not those that the model adds alone."""
    slopes = Derivatives(row.graph, frozenset(row.columns)).gradient(row.predictor)
    alone = {i for i, p in enumerate(row.parameters) if p in slopes and row.graph.value_of(slopes[p])}
    return [i for i in range(row.space.size) if i not in alone]


def needs_variance(problem: FitProblem) -> bool:
    """Whether what a prior weighs depends on the variance of a row, which is not known."""
    return bool(problem.priors) and problem.loss == "squared" and (not problem.sigma or problem.scale_sigma)


def unit_of(problem: FitProblem, variance: float | None) -> float:
    """What half a squared deviation from a prior counts in the unit of the loss, times two."""
    if problem.loss == "squared":
        return 1.0 if variance is None or not needs_variance(problem) else variance
    return 0.5


def curvatures(problem: FitProblem, row: RowModel) -> list[float]:
    """Return half the second derivatives of the penalty of a sum of squares, (p,)."""
    found = [0.0] * row.space.size
    for i in shrunk(row) if problem.l2 is not None else ():
        found[i] += problem.l2 or 0.0
    variance = problem.numbers.scale**2 if problem.found is not None else None
    for prior in problem.priors:
        found[row.space.offsets[prior.name]] += unit_of(problem, variance) / prior.deviation**2
    return found


def variance_left(problem: FitProblem, plain: RowModel, data: Rows, x: Vector) -> float:
    """Return the sum of the squares of what is left over the rows less the effective number of parameters."""
    objective = RowObjective(plain, data)
    whole, (_, weights) = objective.all_rows("jacobian", x), objective.all_rows("weighing", x)
    J, r = whole[:-1].T, whole[-1]
    known = J.T @ J
    pull = np.diag(curvatures(problem, plain)) if problem.found is not None else 0.0
    effective = float(np.trace(np.linalg.pinv(known + pull) @ known))
    left = np.count_nonzero(weights) - effective
    return float(r @ r) / left if left > 0.0 else 0.0


def _check(problem: FitProblem) -> None:
    if problem.sigma_x:
        raise UsageError("--sigma-x does not go with --l2 and --prior", "leave out one of them")
    if not problem.priors:
        return
    typed = not problem.loss and problem.sense == "maximize"
    if not typed and problem.loss != "squared" and not (problem.loss and LOSSES[problem.loss].likelihood):
        what = f"--loss {problem.loss}" if problem.loss else "a typed loss"
        raise UsageError(f"--prior needs a likelihood, and {what} is none", "--l2 is a penalty of any loss")
    if problem.loss == "gamma":
        raise UsageError("--prior does not go with --loss gamma, whose variance is not known", "use --l2")


def numbers_of(request: FitRequest) -> tuple[Numbers, str]:
    """Return the numbers of the loss of a request, and the name of the one to be estimated ("": none is)."""
    loss = LOSSES[request.loss or "squared"]
    given = {name: getattr(request, name) for name in ("quantile", "scale", "dof", "theta")}
    estimated = loss.estimates if loss.estimates and given[loss.estimates] is None else ""
    for name, value in given.items():
        if value == AUTO:
            estimated = name
    usual = Numbers()
    quantile, scale, dof, theta = (
        getattr(usual, name) if value is None or value == AUTO else float(value)
        for name, value in given.items()
    )
    numbers = Numbers(usual.delta, scale, quantile, dof, theta)
    if loss.name in TUNED:
        has_scale = loss.name == "tukey" or request.scale is not None
        delta = TUNED[loss.name] * numbers.scale if has_scale else request.huber_delta or 1.0
        numbers = numbers._replace(delta=delta)
    return numbers, estimated


def with_number(loss: str, numbers: Numbers, name: str, value: float) -> Numbers:
    if name == "theta":
        return numbers._replace(theta=value)
    delta = TUNED[loss] * value if loss in TUNED else numbers.delta
    return numbers._replace(scale=value, delta=delta)


def read_priors(
    texts: Sequence[str], names: Sequence[str], lengths: Mapping[str, int | None]
) -> tuple[Prior, ...]:
    """Return the priors typed as ``b ~ normal(1, 0.2)``.

    Raises UsageError, with the place in the text, for what is no such thing, and for names of no parameter.
    """
    found: list[Prior] = []
    for text in texts:
        name, _, rest = (part.strip() for part in text.partition("~"))
        span = Span(text, 0, len(text), "--prior")
        mean, deviation = _normal(rest, span)
        if name not in names:
            at = text.index(name) if name else 0
            hint = did_you_mean(name, names, f"a prior is on a parameter: {', '.join(names[:8])}")
            told = f"--prior has {name or 'no name'}, which is no parameter of the model"
            raise UsageError(told, hint, Span(text, at, at + max(1, len(name)), "--prior"))
        if lengths[name] is not None:
            raise UsageError(
                f"--prior is on single numbers, and {name} is a vector", "--l2 is for vectors", span
            )
        if any(prior.name == name for prior in found):
            raise UsageError(f"--prior has {name} twice", "one prior for a parameter", span)
        found.append(Prior(name, mean, deviation))
    return tuple(found)


_PRIOR = "--prior 'b ~ normal(1, 0.2)'"


def _normal(text: str, span: Span) -> tuple[float, float]:
    inside = text.removeprefix("normal").strip()
    if inside == text or not (inside.startswith("(") and inside.endswith(")")):
        raise UsageError("--prior takes NAME ~ normal(MEAN, DEVIATION)", _PRIOR, span)
    try:
        mean, deviation = (float(part) for part in inside[1:-1].split(","))
    except ValueError:
        raise UsageError(
            "--prior: normal takes two numbers, its mean and its deviation", _PRIOR, span
        ) from None
    if not 0.0 < deviation < float("inf") or not abs(mean) < float("inf"):
        raise UsageError("--prior: the deviation of normal is a positive number", _PRIOR, span)
    return mean, deviation
