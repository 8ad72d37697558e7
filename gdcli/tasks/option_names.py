"""What options, commands and losses are called elsewhere: a row has what to write here, and the names that mean it.

From Python options are keywords, ``max_iter`` for ``--max-iter``. `NOTES` are for what has no option. Only an error
needs this, and looks here before it looks for the nearest name.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Protocol

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


# -- on the command line ----------------------------------------------------------------------------------------------


class Named(Protocol):
    @property
    def name(self) -> str: ...


class KnownCommand(Protocol):
    """A command of the command line, as far as it is looked at from here."""

    @property
    def name(self) -> str: ...
    @property
    def usage(self) -> str: ...
    @property
    def options(self) -> Iterable[Named]: ...


_NOTES: tuple[tuple[str, str], ...] = (
    ("it is an argument: {usage}",
     "data dataset csv-file input file i infile expr expression function fun func objective model formula e"),
    ("the delimiter and the encoding are found out from the file", "delimiter delim sep separator encoding"),
    ("the model is written out, its constant too: 'y ~ a + b*x + c*x**2'",
     "poly degree deg order intercept no-intercept fit-intercept"),
    ("the penalty that there is has squares: --l2 of gd fit", "lasso l1 elastic-net"),
    ("the command for it is gd maximize", "maximize maximise"),
    ("there are no whole numbers: variables are real", "integer integers int binary"),
    ("the coefficients of a method are fixed: 'gd methods' tells them; its step is --lr",
     "momentum beta beta1 beta2 betas"),
    ("without --maximize it is a minimum that is sought", "minimize minimise"),
)  # fmt: skip
NOTES = {word: note for note, words in _NOTES for word in words.split()}
_COMMANDS: tuple[tuple[str, str], ...] = (
    ("minimize", "min minimise minimum argmin optimize optimise opt optim solve solver descent gd sgd fmin least find "
                 "root roots search"),
    ("maximize", "max maximise maximum argmax"),
    ("minimize EXPR --sensitivity", "sensitivity sensitivities shadow-prices"),
    ("fit", "curve-fit curvefit regress regression linear-regression lm ols least-squares leastsq lstsq train model "
            "estimate learn"),
    ("predict", "forecast extrapolate apply score predictions confidence-band prediction-interval"),
    ("gradient", "grad derivative derive differentiate jacobian hessian check diff-check autodiff d"),
    ("compare-lr", "learning-rate learning-rates lr compare-rates rates"),
    ("compare-methods", "compare methods-compare bench benchmark compare-solvers"),
    ("compare-batch", "batch compare-batches batches"),
    ("run", "batch-run problems examples suite"),
    ("methods", "solvers algorithms list-methods optimizers"),
    ("functions", "language syntax list-functions operators constants function"),
    ("resume", "continue restart go-on"),
    ("show", "view print display cat"),
    ("rerun", "repeat replay reproduce"),
    ("man", "manual doc docs documentation"),
    ("help", "usage commands ?"),
    ("completion", "complete completions autocomplete"),
)  # fmt: skip


def instead_of_option(name: str, command: KnownCommand, commands: Mapping[str, KnownCommand]) -> str:
    """Return what to write in place of an option that a command has not, or which commands have it; else nothing."""
    plain = name.lstrip("-").lower().replace("_", "-")
    names = {o.name for o in command.options}
    meant = [instead for instead, known in OPTIONS if plain in known.split()]
    here = next((instead for instead in meant if instead.partition(" ")[0] in names), "")
    if here:
        return f"{name} is {here} here"
    if note := NOTES.get(plain, ""):
        return note.format(usage=command.usage)
    for wanted in (name, *(meant if len(plain) > 1 else ())):  # a letter may be a variable
        others = [
            c.name for c in commands.values() if wanted.partition(" ")[0] in {o.name for o in c.options}
        ]
        if others:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            told = f"{'it' if wanted == name else wanted} is one of gd {', gd '.join(others[:3])}{more}"
            return f"{told}; 'gd {command.name} --help' lists those of this command"
    return ""


def instead_of_command(word: str, commands: Container[str]) -> str:
    """Return the command that a word means elsewhere; nothing where none is known."""
    plain = word.lower().replace("_", "-")
    found = next((name for name, known in _COMMANDS if plain in known.split() or word.lower() == name), "")
    return found if found.partition(" ")[0] in commands else ""
