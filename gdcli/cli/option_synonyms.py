"""What options and commands are called elsewhere, looked at before the nearest name is.

A row of `OPTIONS` has what to write, and the names that mean it; what is written begins with an option that the command
must have. `NOTES` are for what has no option.
"""

from __future__ import annotations

from gdcli.cli.commands import COMMANDS, Command

OPTIONS: tuple[tuple[str, str], ...] = (
    ("--start", "x0 p0 init initial initial-guess initial-value initial-values guess starting-point start-at begin "
                "from theta0 params parameters point at"),
    ("--at", "x0 init initial start point where x values from guess p0"),
    ("--set", "const constant constants args define param params let var value data-start with"),
    ("--bounds", "bound limits limit box lower upper lb ub min max domain constraint-bounds"),
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
    ("--by", "group groupby group-by groups"),
    ("--columns", "column cols features x-columns"),
    ("--missing skip", "skip-missing dropna drop-na ignore-missing skipna"),
    ("--loss", "cost objective criterion robust"),
    ("--residuals", "resid residual"),
    ("--predict", "fitted predictions prediction"),
    ("--checkpoint", "save-state snapshot resume-file"),
    ("--maximize", "maximise max ascend climb"),
)  # fmt: skip
_ARGUMENT = "it is an argument: {usage}"
_CONSTRAINT = (
    "there are bounds, --bounds x=0:5; a term 1e6*max(0, g)**2 in the expression keeps g <= 0 nearly"
)
NOTES: dict[str, str] = {
    **dict.fromkeys(("data", "dataset", "csv-file", "input", "file", "i", "infile"), _ARGUMENT),
    **dict.fromkeys(
        ("expr", "expression", "function", "fun", "func", "objective", "model", "formula", "e"), _ARGUMENT
    ),
    **dict.fromkeys(
        ("constraint", "constraints", "subject-to", "st", "s.t.", "such-that", "eq", "ineq", "equality"),
        _CONSTRAINT,
    ),
    **dict.fromkeys(("maximize", "maximise"), "the command for it is gd maximize"),
    **dict.fromkeys(("minimize", "minimise"), "without --maximize it is a minimum that is sought"),
}
_COMMANDS: tuple[tuple[str, str], ...] = (
    ("minimize", "min minimise minimum argmin optimize optimise opt optim solve solver descent gd sgd fmin least find "
                 "root roots search"),
    ("maximize", "max maximise maximum argmax"),
    ("fit", "curve-fit curvefit regress regression linear-regression lm ols least-squares leastsq lstsq train model "
            "estimate learn"),
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


def option(name: str, command: Command) -> str:
    """Return what to write in place of an option that a command has not, or which commands have it; else nothing."""
    plain = name.lstrip("-").lower().replace("_", "-")
    names = {o.name for o in command.options}
    for instead, known in OPTIONS:
        if plain in known.split() and instead.partition(" ")[0] in names:
            return f"{name} is {instead} here"
    note = NOTES.get(plain, "").format(usage=command.usage)
    others = [other.name for other in COMMANDS.values() if name in {o.name for o in other.options}]
    if note or not others:
        return note
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"it is one of gd {', gd '.join(others[:3])}{more}; 'gd {command.name} --help' lists those of this command"


def command(word: str) -> str:
    """Return the command that a word means elsewhere; nothing where none is known."""
    plain = word.lower().replace("_", "-")
    found = next((name for name, known in _COMMANDS if plain in known.split() or word.lower() == name), "")
    return found if found in COMMANDS else ""
