"""What options and commands are called elsewhere, looked at before the nearest name is.

`gdcli.tasks.option_names` has what options are called elsewhere; `NOTES` are for what has no option.
"""

from __future__ import annotations

from gdcli.cli.commands import COMMANDS, Command
from gdcli.tasks.option_names import OPTIONS

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


def option(name: str, command: Command) -> str:
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
            c.name for c in COMMANDS.values() if wanted.partition(" ")[0] in {o.name for o in c.options}
        ]
        if others:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            told = f"{'it' if wanted == name else wanted} is one of gd {', gd '.join(others[:3])}{more}"
            return f"{told}; 'gd {command.name} --help' lists those of this command"
    return ""


def command(word: str) -> str:
    """Return the command that a word means elsewhere; nothing where none is known."""
    plain = word.lower().replace("_", "-")
    found = next((name for name, known in _COMMANDS if plain in known.split() or word.lower() == name), "")
    return found if found.partition(" ")[0] in COMMANDS else ""
