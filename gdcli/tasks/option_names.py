"""What options and losses are called elsewhere: a row has what to write here, and the names that mean it.

From Python they are keywords, ``max_iter`` for ``--max-iter``. Only an error needs this.
"""

from __future__ import annotations

from collections.abc import Collection

from gdcli.kernel.errors import did_you_mean

OPTIONS: tuple[tuple[str, str], ...] = (
    ("--start", "x0 p0 init initial initial-guess initial-value initial-values guess starting-point start-at begin "
                "from theta0 params parameters point at"),
    ("--at", "x0 init initial start point where x values from guess p0"),
    ("--set", "const constant constants args define param params var value data-start with "
              "fix fixed hold freeze"),
    ("--bounds", "bound limits limit box lower upper lb ub min max domain constraint-bounds"),
    ("--subject-to", "constraint constraints st s.t. such-that eq ineq equality inequality constrain subject"),
    ("--range", "xlim xrange domain"),
    ("--method", "solver optimizer optimiser algorithm algo alg methods m"),
    ("--gradient", "grad jac jacobian derivative derivatives diff"),
    ("--hessian", "hess second-derivatives"),
    ("--lr", "learning-rate learning-rates rate rates alpha eta step-size stepsize step gamma lrs"),
    ("--step-rule", "line-search linesearch stepping"),
    ("--tol", "tolerance eps epsilon precision accuracy rtol atol"),
    ("--gradient-tol", "gtol grad-tol gradtol"),
    ("--step-tol", "xtol x-tol"),
    ("--value-tol", "ftol f-tol"),
    ("--max-iter", "maxiter iterations iters iter niter n-iter num-iter max-iterations maxit nit n steps max-steps"),
    ("--epochs", "iterations iters epoch passes n-epochs max-iter"),
    ("--max-iter", "epochs epoch passes n-epochs"),
    ("--steps", "maxiter iterations iters iter max-iter n-iter n max-steps epochs"),
    ("--max-evaluations", "maxfev maxfun nfev max-evals max-eval evaluations"),
    ("--max-time", "timeout time time-limit max-seconds"),
    ("--max-memory", "memory mem memory-limit"),
    ("--multi-start", "restarts n-restarts starts nstarts n-starts multistart global tries"),
    ("--seed", "random-seed random-state rng random"),
    ("--format json", "json as-json"),
    ("--format jsonl", "jsonl ndjson"),
    ("--format csv", "csv"),
    ("--format plain", "plain text no-color no-colour simple"),
    ("--format", "output-format fmt f style"),
    ("--output", "out o file save write outfile output-file to"),
    ("--print value", "quiet silent q"),
    ("--print", "show-only fields only values-only raw"),
    ("--every 1", "verbose v trace path history disp log show-path debug"),
    ("--intervals profile", "profile profile-likelihood"),
    ("--intervals bootstrap", "bootstrap boot resampling"),
    ("--interval", "band kind"),
    ("--level", "confidence conf conf-level confidence-level ci significance"),
    ("--covariance", "cov covar covariance-matrix pcov"),
    ("--l2", "ridge regularization regularisation penalty weight-decay"),
    ("--log", "log-x log-y logx logy loglog logscale"),
    ("--plot-size", "size figsize width height"),
    ("--timing", "time benchmark times stats profile"),
    ("--plot", "graph figure fig draw picture chart plot-file p"),
    ("--watch", "progress live animate"),
    ("--emit", "code export codegen generate"),
    ("--show-gradient", "formulas formula symbolic"),
    ("--engine", "backend device"),
    ("--jobs", "threads workers processes parallel j n-jobs cores"),
    ("--batch-size", "batch batchsize minibatch mini-batch bs"),
    ("--validate", "validation test-size holdout hold-out"),
    ("--weights", "weight w sample-weight"),
    ("--sigma", "errors error yerr sd std stderr y-err uncertainty uncertainties"),
    ("--sigma-x", "xerr x-err sx sigmax x-error x-errors odr orthogonal sigma-input wd"),
    ("--share", "shared shared-parameters common global-parameters tie link"),
    ("--by", "group groupby group-by groups"),
    ("--rows", "skip skiprows skip-rows where filter query subset select"),
    ("--columns", "column cols features x-columns"),
    ("--missing skip", "skip-missing dropna drop-na ignore-missing skipna"),
    ("--loss huber", "robust"),
    ("--loss", "cost objective criterion"),
    ("--residuals", "resid residual"),
    ("--predict", "fitted predictions prediction"),
    ("--checkpoint", "save-state snapshot resume-file"),
    ("--maximize", "maximise max ascend climb"),
)  # fmt: skip
# What a keyword is called that has another name than the option.
_KEYWORDS = {"set": "constants"}


def keyword(name: str, known: Collection[str], otherwise: str = "") -> str:
    """Return which of the ``known`` keywords is meant by another one, as a hint; ``otherwise`` where none is."""
    plain = name.lower().replace("_", "-")
    for option, names in OPTIONS:
        word = option.lstrip("-").replace("-", "_")
        instead = word if word in known else _KEYWORDS.get(word, word)
        if instead in known and (plain in names.split() or name == word):
            return f"{name} is {instead} here"
    return did_you_mean(name, known, otherwise)


_LOSSES = (
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
    found = next((loss for loss, names in _LOSSES if plain == loss or plain in names.split()), "")
    return f"{name} is {found} here" if found else ""
