"""The numbers of a loss as they are asked for, and what is known of parameters before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.language.losses import LOSSES, TUNED, Numbers
from gdcli.tasks.fit.request import AUTO, FitRequest, Prior


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


def _normal(text: str, span: Span) -> tuple[float, float]:
    inside = text.removeprefix("normal").strip()
    if inside == text or not (inside.startswith("(") and inside.endswith(")")):
        raise UsageError("--prior takes NAME ~ normal(MEAN, DEVIATION)", "--prior 'b ~ normal(1, 0.2)'", span)
    try:
        mean, deviation = (float(part) for part in inside[1:-1].split(","))
    except ValueError:
        raise UsageError("--prior: normal takes two numbers, its mean and its deviation", "", span) from None
    if not 0.0 < deviation < float("inf") or not abs(mean) < float("inf"):
        raise UsageError("--prior: the deviation of normal is a positive number", "", span)
    return mean, deviation
