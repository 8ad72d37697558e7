"""The commands of `gd`: what each takes, a class whose bases are its groups of options, and all of them in one table.

A command is one `Command` row, and in the module ``NAME_command`` a function ``run(options, env) -> exit code``, or
another that the row names. The module is imported when its command is asked for, so a new one costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gdcli.cli import option_types as read
from gdcli.cli import options as groups
from gdcli.cli.environment import Environment
from gdcli.cli.option_types import (
    Argument,
    Option,
    Options,
    argument,
    arguments,
    arguments_of,
    flag,
    option,
    optional_argument,
    options_of,
)
from gdcli.cli.options import OutputOptions, PictureOptions
from gdcli.render.formats import Shape

# fmt: off
_DRAW = "Draw a picture into this file (.png, .svg, .pdf), or - in the terminal"
_STORED = "A stored answer; '-' reads it from standard input."


class MinimizeOptions(groups.ConstrainedOptions, groups.StartsOptions, groups.MethodOptions, groups.StoppingOptions,
        groups.EngineOptions, groups.ClusterOptions, groups.CheckpointOptions, OutputOptions, groups.SensitivityOptions,
        groups.TraceOptions, groups.WatchOptions, groups.PlanePictureOptions):
    cluster = groups.ClusterOptions.cluster.but("Spread --multi-start or --global over a Dask cluster: an address as "
        "of gd fit, or local:4, four worker processes here. See 'gd man cluster'.")
    plot = PictureOptions.plot.but(
        "Draw the path into this file (.png, .svg, .pdf), or - in the terminal: on the curve of one "
        "variable, on contours of two, else value and gradient against the iteration.")


class MaximizeOptions(MinimizeOptions):
    expression = argument("EXPR", groups.EXPRESSION.format("maximize"))


class CompareRatesOptions(groups.SenseOptions, groups.RatesOptions, groups.CapsOptions, groups.EngineOptions,
        groups.ComparisonOutputOptions, PictureOptions, without="timing"):
    plot = PictureOptions.plot.but(f"{_DRAW}: each rate in its own colour.")


class CompareMethodsOptions(groups.ProblemOptions, groups.SenseOptions, groups.MethodsOptions, groups.StoppingOptions,
        groups.ComparisonOutputOptions, PictureOptions):
    plot = PictureOptions.plot.but(f"{_DRAW}: the value above the best against the iteration.")


class CompareBatchesOptions(groups.DataOptions, groups.BatchesOptions, groups.BatchEngineOptions, groups.CapsOptions,
        groups.ComparisonOutputOptions, PictureOptions):
    expression = argument("MODEL", "y ~ formula, or the loss of a row; see 'gd fit --help'.")
    files = arguments("DATA", "Files or patterns, as for gd fit; '-' or none is standard input.")
    plot = PictureOptions.plot.but(f"{_DRAW}: the loss against the rows visited.")


class CompareModelsOptions(groups.ModelsOptions, groups.ClusterOptions, groups.CapsOptions,
        groups.ComparisonOutputOptions, PictureOptions, without="timing"):
    cluster = groups.ClusterOptions.cluster.but("Fit the folds of --folds on a Dask cluster: an address as of "
        "gd fit, or local:4, four worker processes here. See 'gd man cluster'.")
    plot = PictureOptions.plot.but(f"{_DRAW}: the rows and the curves of all models.")


class GradientOptions(groups.PointOptions, groups.ExaminedOptions, groups.GradientOutputOptions, groups.CapsOptions,
        PictureOptions):
    group = "Picture"
    plot = PictureOptions.plot.but(
        "With --errors: draw the errors against h into this file, or - in the terminal.")
    plot_estimate = option("FILE", read.picture, "none",
        "Draw the derivative and its forward quotient (step --h, here 1) over --range instead.").behind("plot")
    range = option("LOW:HIGH", read.interval, "-10:10", "The range of --plot-estimate.").behind("plot_estimate")

    @property
    def drawn(self) -> str | None:
        return self.plot or self.plot_estimate


class SolveOptions(groups.SystemOptions, groups.StoppingOptions, OutputOptions,
        without="gradient_tol step_tol value_tol max_iter target print emit every show_gradient"):
    expression = argument("EQUATION", "'f == g', or f for f == 0; '-' reads equations from standard input, @FILE "
        "from a file, one a line.")
    others = arguments("EQUATION", "The other equations of the system.")
    tol = groups.StoppingOptions.tol.but("Boxes that cannot be decided are cut until their sides are as short, "
        "relative to |x|, at least to the largest |x| that the equations allow within the bounds, or to 1 if that is "
        "less.", default="1e-8")
    max_evaluations = groups.StoppingOptions.max_evaluations.but("Cap on the boxes that are examined.",
        default="1000000")
    format = groups.format_in(*groups.shaped(Shape.PAGE, Shape.OBJECT, Shape.ROWS))


class FitOptions(groups.FitDataOptions, groups.GroupsOptions, groups.FitProofOptions, groups.IntervalsOptions,
        groups.FitMethodOptions, groups.StoppingOptions, groups.EpochsOptions, groups.FitEngineOptions,
        groups.PartitionsOptions, groups.CheckpointOptions, groups.FitOutputOptions, PictureOptions):
    plot = PictureOptions.plot.but("Draw rows, curve and residuals into this file (.png, .svg, .pdf), or - in the "
        "terminal.")


class ExploreOptions(groups.ConstrainedOptions, groups.SenseOptions):
    expression = argument("EXPR", "What to descend on, or a model of data: 'y ~ a*x + b'. '-' reads it from standard "
        "input, @FILE from a file.")
    files = arguments("DATA", "Of a model its data: files or patterns, as for gd fit.")
    loss = groups.DataOptions.loss
    columns = groups.DataOptions.columns
    lr = option("NUMBER", read.positive, "from the curvature", "The learning rate at first.").behind("seed")
    output = option("FILE", read.page_file, "explore.html", "Write the page into this file.").behind("lr")
    no_open = flag("Do not open it in the browser.", "opened from a terminal").behind("output")


class RunOptions(groups.JobsOptions, groups.ClusterOptions, groups.ComparisonOutputOptions):
    file = argument("FILE", "A problem file; '-' reads it from standard input.")
    names = arguments("NAME", "The problems to solve; without a name, all.")
    format = OutputOptions.format.but(default="table; of a stream jsonl")


class ResumeOptions(groups.StoppingOptions, groups.EpochsOptions, groups.ClusterOptions, groups.CheckpointOptions,
        OutputOptions, groups.TraceOptions,
        without="tol gradient_tol step_tol value_tol batch_size schedule shuffle validate polish checkpoint emit "
        "show_gradient"):
    file = argument("FILE", "A checkpoint, written by --checkpoint.")
    max_iter = groups.StoppingOptions.max_iter.but(default="as before")
    max_evaluations = groups.StoppingOptions.max_evaluations.but(default="as before")
    max_time = groups.StoppingOptions.max_time.but(default="as before")
    max_memory = groups.StoppingOptions.max_memory.but(default="as before")
    target = groups.StoppingOptions.target.but(default="as before")
    epochs = groups.EpochsOptions.epochs.but(default="as before")
    cluster = groups.ClusterOptions.cluster.but(default="as before")


class ShowOptions(OutputOptions, groups.PlanePictureOptions, without="print emit show_gradient"):
    file = argument("FILE", _STORED)
    format = groups.format_in(*groups.shaped(Shape.PAGE))
    plot = PictureOptions.plot.but(
        "Draw the picture of the run into this file (.png, .svg, .pdf), or - in the terminal; of a "
        "result without its path start and answer.")


class PredictOptions(groups.BandOptions, OutputOptions,
        without="print emit every show_gradient timing report"):
    file = argument("FIT", "An answer of gd fit that was stored with --format json or jsonl; '-' is standard input.")
    files = arguments("DATA", "Files of new rows, as of gd fit; '-' or none is standard input.")
    columns = groups.DataOptions.columns.but("What the columns are called: x,y,sigma.").within("Data")
    no_header, decimal = groups.DataOptions.no_header, groups.DataOptions.decimal
    sheet, rows = groups.DataOptions.sheet, groups.DataOptions.rows
    missing, no_cache = groups.DataOptions.missing, groups.EngineOptions.no_cache
    format = groups.format_in("table", "json", "jsonl", "csv", "plain")


class FileOptions(Options):
    file = argument("FILE", _STORED)
    output = OutputOptions.output


class PairOptions(FileOptions):
    other = argument("OTHER", "The one to compare it with.")


class MethodListOptions(Options):
    group = "Output"
    names = arguments("NAME", "Only these methods.")
    format = groups.format_in("table", "json")


class FunctionListOptions(Options):
    group = "Output"
    names = arguments("NAME", "Only these functions.")
    format = groups.format_in("table", "json", "plain")


class HelpOptions(Options):
    command_name = optional_argument("COMMAND", "One command; without it, gd itself.")


class ManOptions(Options):
    command_name = optional_argument("COMMAND", "One command, or json, lessons or cookbook; without it, all.")


class CompletionOptions(Options):
    shell = argument("SHELL", "bash, zsh or fish.")
    words = arguments("WORD", "For the scripts themselves.")
# fmt: on


# -- the table -------------------------------------------------------------------------------------------------------


class Command:
    """One command: ``takes`` is the class of its options, ``code`` its ``module:function`` where that is not usual."""

    def __init__(
        self, name: str, takes: type[Options], summary: str, text: str, *examples: str, code: str = ""
    ) -> None:
        self.name, self.takes, self.summary, self.examples = name, takes, summary, examples
        self.text, self._code = text or summary, code or f"{name.replace('-', '_')}_command:run"

    @property
    def options(self) -> tuple[Option[Any], ...]:
        return options_of(self.takes)

    @property
    def arguments(self) -> tuple[Argument[Any], ...]:
        return arguments_of(self.takes)

    @property
    def usage(self) -> str:
        words = [
            (a.metavar if a.required else f"[{a.metavar}]") + ("..." if a.many else "")
            for a in self.arguments
        ]
        return " ".join(["gd", self.name, *words, "[OPTIONS]"])

    def load(self) -> Callable[[Any, Environment], int]:
        from importlib import import_module

        module, _, name = self._code.partition(":")
        run: Callable[[Any, Environment], int] = getattr(import_module(f"gdcli.cli.{module}"), name)
        return run


def _extremum(name: str, options: type[Options], example: str) -> Command:
    what = f"Find a {name.removesuffix('imize')}imum of an expression"
    vector = f"gd {name} 'sum(a*v**2)' --set a={'' if name == 'minimize' else '-'}2 --start 'v=[10,20,4,5]'"
    text = f"{what} and show the evidence for it."
    return Command(name, options, f"{what}.", text, example, vector, code="minimize_command:run")


_RATE_RULES = """Run plain gradient descent once per learning rate, and give each a verdict with its reason.

N is the number of steps until one moves less than 1e-7: measured, or predicted (marked ~) from the contraction of
the last steps where --steps ends before. N* is the same for the best fixed rate by the curvature, or for a faster one
tried beside it (1/L, and the faster of both doubled and halved); the other rates of the table play no part.

diverges: the value grows without end, or leaves the domain, or falls without end. oscillates: the step changes sign
each time and shrinks by less than 10 % a step. good pace: N is at most max(100, 3 N*). converges: N is at most
max(300, 10 N*). too slow: more. The first that holds is the verdict.

L and m are the largest and the smallest curvature (eigenvalue of the Hessian) along the way of the best rate; with
--maximize, of the negative of the expression. Above 2/L steps overshoot; the best fixed rate is 2/(L+m)."""


_RUN_TEXT = """Solve the problems of a TOML file, all or those named, or of a stream, and check what each expects.

In TOML a problem is a table with its name: [p] expression='x**2' start={x=1} expect={value=0}; in a stream of JSON it
is a line: {"expression": "(x-a)**2", "start": {"x": 1}, "set": {"a": 3}}; a .json file may also be one
object, or an array of them. Its other keys are command (minimize, maximize or fit, which has data), bounds, and the
long names of the options of that command.

A stream is read while answers are written, a JSON line each, in the order of the input; a bad line has an error as its
answer. Problems that differ in start and constants alone are compiled once.

The exit code is 0 if every problem succeeded, else that of the first that did not."""

_FIT_TEXT = """Fit a model to data: find the parameters with which it says best what was measured.

MODEL is 'measured ~ formula', as in 'y ~ a*x + b'. Names that are columns of the data are read from each row, the
others are parameters. Without --start a start is searched for. The loss of a row is the square of what is left over,
unless --loss says otherwise; an expression without ~ is itself the loss of a row.

All rows are looked at in each step, a sum of squares by Levenberg-Marquardt. With --batch-size or --epochs the rows
are visited epoch by epoch, with a step after each batch.

The answer has the parameters with their standard errors, t (value over error) and 95 % intervals, and how good the
fit is; 'gd man fit' tells what each number means. The exit code is 6 where the data do not tell all parameters."""

_BATCH_TEXT = """Descend on the same data once for each batch size, and compare what it cost and how far it came.

An epoch visits every row once, so row visits are the common measure of work. Each step uses the mean gradient of its
batch. Without --lr each batch size has a rate of its own, 1/L with L the largest curvature of its batches.

gap is how far the mean loss ended above its minimum, by a Newton step; noise is how far runs with other seeds end
above it, on average."""

_MODELS_TEXT = """Fit several models to the same rows, and tell which describes them best.

AICc is Akaike's criterion, corrected for few rows; weight is how likely each model is among these, by AICc; BIC is the
Bayesian criterion. left out is by how much rows that were not fitted are missed (root mean square; of other losses the
mean loss): of a squared loss each row in turn, by its leverage, or with --folds parts of the rows, by fitting again.

Models within another one are found by what they can say of the rows, and tested: by F, by chi-square with --sigma, by
the likelihood ratio for other losses. Evidence is none for a difference of AICc below 2, weak below 4, moderate below
7, strong below 10, and very strong above. 'gd man fit' tells what each number means."""

_RESUME_TEXT = """Go on with a run of minimize, maximize or fit that was started with --checkpoint FILE.

It goes on from its last checkpoint, bit for bit as if it had never stopped, with the options that it was started with;
those given here take their place. Caps count from the beginning of the run. FILE is kept up to date. The data of a fit
must be there as they were; what came through a pipe is piped in again.

A run that had its end already shows its answer again. Of the points of the path jsonl, csv and --trace write those
after the checkpoint."""

# fmt: off
_ROWS = (
    _extremum("minimize", MinimizeOptions,
        "gd minimize '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1"),
    _extremum("maximize", MaximizeOptions, "gd maximize '-x**2 + 3*x' --start x=0 --print x,value"),
    Command("solve", SolveOptions, "Find all roots of equations, each proved.",
        "Find all roots of a system of equations within bounds, by intervals: each is enclosed, and proved to be one; "
        "that there are no others, or none at all, is proved too. What cannot be decided is listed. The exit code "
        "is 5 where something is left undecided, 3 at a cap.",
        "gd solve 'x**2 + y == 11' 'x + y**2 == 7' --bounds all=-5:5",
        "gd solve 'sin(x) == x/10' --bounds x=-20:20", code="proof_commands:solve"),
    Command("compare-lr", CompareRatesOptions, "Compare learning rates of gradient descent.", _RATE_RULES,
        "gd compare-lr 'x**2 + y**2' --start=-1,1 --lr 10,1.1,1,0.1,0.01", code="experiment_commands:compare"),
    Command("compare-methods", CompareMethodsOptions, "Compare methods on one problem.",
        "Solve one problem by several methods, and compare how far each came and what it cost. A method that fails is "
        "a row that says so; --lr goes to the methods that read one. Caps are on each.",
        "gd compare-methods '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1", code="experiment_commands:compare"),
    Command("explore", ExploreOptions, "Play with descent in the browser.",
        "Write a page for a browser and open it: contours (of one variable the curve) with the path of a method, step "
        "by step. Drag the start, move the learning rate, compare methods side by side, add noise; with data see the "
        "rows of each step. The page is one file that needs no network; it shows the command for the same steps here.",
        "gd explore '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1",
        "gd explore 'y ~ a*x + b' data.csv", code="experiment_commands:explore"),
    Command("gradient", GradientOptions, "Compute a gradient in every way and compare them.",
        "Compute the gradient at a point by formula, automatic differentiation, forward and central differences "
        "and complex steps, with the error of each. The exit code is 9 where they differ by more than rounding "
        "and truncation explain.",
        "gd gradient 'x**2 + y' --at x=2,y=2",
        "gd gradient 'exp(2*x)/(1+sin(x**2))' --at x=0.5 --trace", code="experiment_commands:gradient"),
    Command("fit", FitOptions, "Fit a model to data.", _FIT_TEXT,
        "gd fit 'y ~ a*exp(-b*x)+c' decay.csv --start a=1,b=1,c=0",
        "gd fit 'y ~ X @ w + b' 'runs/*.csv' --columns 'X=x*' --print w,w.se",
        "gd fit 't ~ a*x + b' clicks.csv --loss logistic --batch-size 32 --epochs 5",
        "zcat big.csv.gz | gd fit 'y ~ a*x + b' --predict - > fitted.csv",
        "gd fit 'y ~ a + b*t' sites.csv --by site,year"),
    Command("predict", PredictOptions, "Predict new rows by a stored fit, with a band.",
        "Say of new rows what a stored fit says of them: the value, its standard error, and the band of confidence (of "
        "the mean) or of prediction (of one more row); rows beyond those fitted are marked. The answer of the fit is "
        "all that is needed, its data are not. csv and jsonl have the rows as they came with the columns fitted, "
        "standard_error, low, high and extrapolated more, written as they are read.",
        "gd fit 'y ~ a*exp(-b*t)+c' decay.csv --start a=1,b=1,c=0 --format json --output fit.json",
        "gd predict fit.json new.csv --interval prediction --format csv"),
    Command("compare-batch", CompareBatchesOptions,
        "Compare batch, mini-batch and stochastic descent on data.", _BATCH_TEXT,
        "gd compare-batch 'y ~ a*x + b' data.csv --batch-size 1,32,all", code="experiment_commands:compare"),
    Command("compare-models", CompareModelsOptions, "Compare models of the same data.", _MODELS_TEXT,
        "gd compare-models decay.csv --model 'y ~ a + b*t' --model 'y ~ a*exp(-b*t)'",
        "gd compare-models data.csv --model 'y ~ a*x' --model 'y ~ a*x + b' --folds 10",
        code="experiment_commands:compare"),
    Command("run", RunOptions, "Solve many problems of a file or stream, and check them.", _RUN_TEXT,
        "gd run examples.toml", "gd run examples.toml rosenbrock --format json",
        "gd run problems.jsonl --jobs 2 > answers.jsonl"),
    Command("resume", ResumeOptions, "Go on with a run that was stopped.", _RESUME_TEXT,
        "gd minimize 'sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)' --start 'v=zeros(50)' --max-iter 5 "
        "--checkpoint run.ckpt",
        "gd resume run.ckpt --max-iter 10000"),
    Command("show", ShowOptions, "Show a stored answer as its own run would have.",
        "Show what any command has stored (--format json or jsonl) as the table that its run showed, with the path "
        "where there are lines of it; of the answers of gd run their table. --plot draws the picture of the run, "
        "for which functions are evaluated and the data of a fit are read again.",
        "gd minimize 'x**2 + y**4' --start x=1,y=2 --format jsonl --output trace.jsonl", "gd show trace.jsonl"),
    Command("rerun", FileOptions, "Repeat a stored answer, and tell if it is the same.",
        "Solve again what the receipt of a stored result (--format json or jsonl) says, and compare the answers: "
        "bit for bit where gd, Python, numpy and the machine are the same, else to 1e-6. The exit code is 0 if the "
        "answer is the same, 9 if not.",
        "gd minimize 'x**2 + y**4' --start x=1,y=2 --format json --output answer.json", "gd rerun answer.json",
        code="diff_command:rerun"),
    Command("verify", FileOptions, "Check the proof of a stored answer anew.",
        "Check what a stored answer (--format json or jsonl) says was proved, from its expression and its numbers "
        "alone, without solving again: that exactly one minimum lies in the box that it names, its distance and its "
        "value; of --global and of gd solve that there is nothing else within the bounds, by the cover of boxes that "
        "the answer keeps. The exit code is 0 if the proof holds, 9 if not.",
        "gd minimize 'x**2 + exp(y) - y' --start x=1,y=2 --format json --output answer.json",
        "gd verify answer.json", code="proof_commands:verify"),
    Command("diff", PairOptions, "Compare two stored answers, or traces.",
        "Compare two stored results (--format json), or traces (jsonl): what was asked differently, the first "
        "iteration at which the paths part, and how they ended. The exit code is 0 if all is the same, 9 if not.",
        "gd minimize 'x**2 + y**4' --start x=1,y=2 --lr 0.02 --format jsonl --output a.jsonl --max-iter 50",
        "gd minimize 'x**2 + y**4' --start x=1,y=2 --lr 0.03 --format jsonl --output b.jsonl --max-iter 50",
        "gd diff a.jsonl b.jsonl"),
    Command("methods", MethodListOptions, "List the methods: what they need and when to use them.", "",
        "gd methods", "gd methods adam bfgs", code="reference_commands:listing"),
    Command("functions", FunctionListOptions, "List the functions: meaning, domain, derivative.",
        "List what an expression can have: every function with its meaning, where it is defined (everywhere, where "
        "nothing is said) and its derivative; constants and operators. plain has a line for each function, tab "
        "separated.",
        "gd functions", "gd functions gamma lgamma", "gd functions --format plain", code="reference_commands:listing"),
    Command("help", HelpOptions, "Show the help of a command.",
        "Show the help of gd, or of one command, as 'gd COMMAND --help' does.", "gd help", "gd help minimize",
        code="reference_commands:help_command"),
    Command("completion", CompletionOptions, "Print the completion script of a shell.",
        "Print the script that completes commands, options, their values, problems of a file and columns of a "
        "table: source <(gd completion bash), source <(gd completion zsh), or gd completion fish | source.",
        "gd completion bash"),
    Command("man", ManOptions, "Print the manual page.",
        "Print the manual page of gd, or of one command, for man: gd man | man -l -. That of fit tells what each "
        "number of its answer means. 'gd man json' is about the machine formats, 'gd man lessons' teaches gradient "
        "descent by example, 'gd man cookbook' has twenty fits.",
        "gd man", "gd man minimize", "gd man json", code="reference_commands:man"),
)
# fmt: on
COMMANDS = {command.name: command for command in _ROWS}

# What most people want, by example.
FIRST = (
    "gd minimize '(x-3)**2 + (y-2)**2' --start x=0,y=0",
    "gd fit 'y ~ a*exp(-b*t) + c' decay.csv --start a=1,b=1,c=0",
    "gd gradient 'exp(2*x)/(1+sin(x**2))' --at x=0.5",
    "gd compare-lr 'x**2 + 10*y**2' --start x=-9,y=1.5",
    "gd run examples.toml",
)
