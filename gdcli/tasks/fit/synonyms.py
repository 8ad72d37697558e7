"""What losses are called elsewhere. Only an error needs it."""

from __future__ import annotations

_ELSEWHERE = (
    (
        "squared",
        "l2 mse rmse sse rss square squares least-squares leastsquares ols quadratic gaussian normal linear",
    ),
    ("absolute", "l1 mae lad abs absolute-error least-absolute laplace median"),
    ("huber", "robust smooth-l1 soft-l1 arctan pseudo-huber"),
    ("tukey", "bisquare biweight"),
    ("cauchy", "lorentzian lorentz"),
    ("student-t", "t student studentt"),
    ("quantile", "pinball check"),
    ("logistic", "logit log-loss logloss bce cross-entropy crossentropy binary bernoulli"),
    ("poisson", "count counts"),
    ("negative-binomial", "negbin nb nbinom negativebinomial"),
)


def loss_here(name: str) -> str:
    """Return in words what a loss with a name of elsewhere is here; nothing for other names."""
    plain = name.lower().replace("_", "-")
    found = next((loss for loss, names in _ELSEWHERE if plain == loss or plain in names.split()), "")
    return f"{name} is {found} here" if found else ""
