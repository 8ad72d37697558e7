"""The options of the command line, in one table.

Every option is one `Option` row: its name, its metavar, how its text becomes a value
(:mod:`gdcli.cli.option_values`), what happens without it, the group of the help that it stands in, and what it means.
All else is derived from these rows: the reader of the command line (:mod:`gdcli.cli.argv`), the Typer commands with
their help (:mod:`gdcli.cli.typer_app`), manual and completion, the keys of a problem file
(:mod:`gdcli.cli.run_command`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gdcli.cli.option_values import (
    Read,
    batch_size,
    batch_sizes,
    cap,
    count,
    dpi,
    duration,
    each,
    interval,
    memory,
    method,
    method_by_epochs,
    methods,
    names,
    number,
    one_of,
    part,
    period,
    picture,
    plane,
    plot_size,
    positive,
    rates,
    step_sizes,
    stride,
    text,
    tolerance,
)
from gdcli.kernel.dataclass import NamedTuple
from gdcli.render.formats import FORMATS, Shape, format_of


class Option(NamedTuple):
    """One option: ``--name METAVAR``; without a metavar it is a flag."""

    name: str
    metavar: str
    read: Read
    default: str
    group: str
    help: str

    @property
    def field(self) -> str:
        """The option as a Python name: ``max_iter`` for ``--max-iter``."""
        return self.name[2:].replace("-", "_")

    @property
    def many(self) -> bool:
        return self.read is each


def only(options: Iterable[Option], *wanted: str) -> tuple[Option, ...]:
    return tuple(o for o in options if o.name in wanted)


def format_in(*words: str) -> Option:
    return Option("--format", "FORMAT", one_of(*words), "table", "Output", f"{listed(words)}.")


def shaped(*shapes: Shape) -> tuple[str, ...]:
    return tuple(format.name for format in FORMATS.values() if format.shape in shapes)


def listed(words: Sequence[str]) -> str:
    """Return words as a person lists them: ``a, b or c``."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _plot(help: str, *more: Option) -> tuple[Option, ...]:
    return (Option("--plot", "FILE", picture, "none", "Picture", help), *more, *LOOK)


def _loss_here(name: str) -> str:
    from gdcli.tasks.fit.synonyms import loss_here

    return loss_here(name)


# fmt: off
GRADIENTS = ("autodiff", "symbolic", "forward", "central", "complex")
_OWN = "the method's own"

PROBLEM = (
    Option("--start", "START", each, "random, from the seed", "Problem",
        "Where to start: x=1,y=2, v=[1,2], v=zeros(9), plain 1,2 in order, @result.json, or @- (standard input)."),
    Option("--set", "NAME=VALUE", each, "none", "Problem", "Constants in the expression: a=3 or c=[1,2]."),
    Option("--bounds", "NAME=LOW:HIGH", each, "none", "Problem",
        "Bounds: x=0:5, y=:2 (only above), v=0:1 (each element), v[0]=0:1; equal ends fix."),
    Option("--seed", "N", count, "0", "Problem", "Seed of everything random."),
)
MULTI_START = Option("--multi-start", "N", stride, "1", "Problem",
    "Also start at random: N starts in all, every distinct minimum in a table, the best as the answer.")
METHOD = (
    Option("--method", "NAME", method, "auto", "Method", "How to search; 'gd methods' lists the names."),
    Option("--gradient", "KIND", one_of(*GRADIENTS), "autodiff", "Method",
        "autodiff (exact), symbolic (by formula), forward or central (difference quotients), complex (step)."),
    Option("--h", "NUMBER", positive, "1e-5", "Method", "Step of the difference quotients."),
    Option("--lr", "NUMBER", positive, _OWN, "Method",
        "Learning rate: alone, plain gradient descent with this fixed step."),
    Option("--step-rule", "RULE", text, _OWN, "Method", "fixed, decay, best, armijo, wolfe, exact or bb."),
    Option("--step-sizes", "LIST", step_sizes, "100,10,...,0.00001", "Method",
        "The steps tried by 'batch' and by --step-rule best."),
)
STOPPING = (
    Option("--tol", "NUMBER", tolerance, "1e-8; batch 1e-6", "Stopping",
        "Accuracy asked for; 0 switches it off, as it does each of the rules below."),
    Option("--gradient-tol", "NUMBER", tolerance, _OWN, "Stopping", "Stop when the gradient norm is below this."),
    Option("--step-tol", "NUMBER", tolerance, _OWN, "Stopping", "Stop when a step is shorter than this."),
    Option("--value-tol", "NUMBER", tolerance, _OWN, "Stopping", "Stop when the value changes by less than this."),
    Option("--max-iter", "N", count, "10000", "Stopping", "Cap on iterations; 0 only certifies the start."),
    Option("--max-evaluations", "N", cap, "no cap", "Stopping",
        "Cap on evaluations of the search, each value, gradient, Hessian and product; the certificate takes some "
        "more."),
    Option("--max-time", "TIME", duration, "no cap", "Stopping",
        "Cap on the time: 30s, 2m, 1h. The certificate may take a tenth more, at least half a second."),
    Option("--max-memory", "SIZE", memory, "no cap", "Stopping",
        "Cap on the memory in use (the resident set of the process, gd itself included): 500MB, 2GiB."),
    Option("--target", "NUMBER", number, "none", "Stopping", "Stop at this value."),
)
# The caps of a command that compares or examines.
CAPS = (
    Option("--max-time", "TIME", duration, "no cap", "Stopping", "Cap on the time of the whole command: 30s, 2m."),
    *only(STOPPING, "--max-memory"),
)
OUTPUT = (
    format_in(*FORMATS),
    Option("--print", "NAMES", names, "everything", "Output", "Print only these, tab separated: x,y,value."),
    Option("--emit", "LANGUAGE", one_of("python", "c", "latex", "sql", "awk"), "none", "Output",
        "Print a program instead: the objective with its gradient in python or c, its formula in latex."),
    Option("--every", "N", stride, "about 20 rows", "Output", "Show every Nth iteration."),
    Option("--show-gradient", "", text, "off", "Output", "Show the formulas of the gradient."),
    Option("--timing", "", text, "only on a terminal", "Output", "Show times and engine."),
    Option("--output", "FILE", text, "standard output", "Output",
        "Write the answer to this file, whole or not at all."),
)
TRACE = Option("--trace", "FILE", text, "none", "Output",
    "Write the path into this file beside the answer: CSV, or JSON lines where it ends in .jsonl.")
CHECKPOINT = (
    Option("--checkpoint", "FILE", text, "none", "Checkpoint",
        "Keep the run in this file; 'gd resume FILE' goes on with it, whatever ended it."),
    Option("--checkpoint-every", "TIME", period, "30s", "Checkpoint",
        "How often: 30s, 5m; less often where writing takes long, so that it costs at most 2 % of the time."),
)
# What belongs to one command line alone: where its answer goes, and what it leaves behind.
OWN_GROUPS = ("Output", "Picture", "Checkpoint")
JOBS = (
    Option("--jobs", "N", stride, "1", "Work", "Worker processes."),
    Option("--unordered", "", text, "off", "Work", "Write answers as they come, not in the order of the input."),
)
RUN_OUTPUT = (
    OUTPUT[0]._replace(default="table; of a stream jsonl"),
    *only(OUTPUT, "--timing", "--output"),
)
LOOK = (
    Option("--plot-size", "WxH", plot_size, "6.4 wide", "Picture",
        "Width and height in inches, or with a unit: 6.4x4.8, 16x12cm, 85x60mm."),
    Option("--dpi", "N", dpi, "120", "Picture", "Dots an inch of a .png."),
    Option("--title", "TEXT", text, "the formula", "Picture", "The title; between two $ it is mathematics."),
    Option("--xlabel", "TEXT", text, "its name", "Picture", "The label of the horizontal axis."),
    Option("--ylabel", "TEXT", text, "its name", "Picture", "The label of the vertical axis."),
    Option("--log", "AXES", one_of("x", "y", "xy", "none"), "where numbers span decades", "Picture",
        "The axes that are logarithmic: x, y, xy or none."),
)

_DRAW = "Draw a picture into this file (.png, .svg, .pdf), or - in the terminal"
PLANE = Option("--plane", "NAME,NAME", plane, "none", "Picture",
    "Of more variables draw the plane of these two, the others held at the answer.")
PLOT = _plot(
    "Draw the path into this file (.png, .svg, .pdf), or - in the terminal: on the curve of one "
    "variable, on contours of two, else value and gradient against the iteration.",
    PLANE,
)
WATCH = Option("--watch", "", text, "off", "Output", "Show the run while it goes on; only on a terminal.")
PLOT_SHOWN = _plot(
    "Draw the picture of the run into this file (.png, .svg, .pdf), or - in the terminal; of a "
    "result without its path start and answer.",
    PLANE,
)
PLOT_RATES = _plot(f"{_DRAW}: each rate in its own colour.")
PLOT_METHODS = _plot(f"{_DRAW}: the value above the best against the iteration.")
PLOT_GRADIENT = _plot(
    "With --errors: draw the errors against h into this file, or - in the terminal.",
    Option("--plot-estimate", "FILE", picture, "none", "Picture",
        "Draw the derivative and its forward quotient (step --h, here 1) over --range instead."),
    Option("--range", "LOW:HIGH", interval, "-10:10", "Picture", "The range of --plot-estimate."),
)
ENGINE = (
    Option("--engine", "NAME", one_of("auto", "python", "numpy", "native"), "auto", "Computing",
        "What computes: python, numpy (vectors), native (machine code)."),
    Option("--no-cache", "", text, "off", "Computing", "Keep no machine code on disk, and use none from there."),
)
FIT_ENGINE = (
    ENGINE[0]._replace(help="What computes a fit by epochs: python, numpy, native (machine code)."),
    ENGINE[1],
)
BATCH_ENGINE = (
    ENGINE[0]._replace(
        help="What computes: python (not for all rows at once), numpy, native (machine code)."
    ),
    ENGINE[1],
)
SOLVER = METHOD + STOPPING + ENGINE
GRADIENT = (
    Option("--at", "POINT", each, "none; it is needed", "Problem",
        "The point: x=1,y=2, v=[1,2], plain 1,2 in order, or @file.json."),
    *only(PROBLEM, "--set", "--seed"),
    Option("--h", "NUMBER", positive, "1e-5 forward, 6e-6 max(1,|x|) central", "Gradient",
        "Step of the difference quotients."),
    Option("--hessian", "", text, "off", "Gradient", "Show the Hessian and its eigenvalues."),
    Option("--errors", "", text, "off", "Gradient", "Show the error of each quotient for h from 1 to 1e-15."),
    Option("--latex", "", text, "off", "Gradient", "Show the formulas in LaTeX."),
    Option("--trace", "", text, "off", "Gradient", "Show automatic differentiation step by step instead."),
    format_in(*shaped(Shape.PAGE, Shape.OBJECT, Shape.ROWS)),
    *only(OUTPUT, "--output"),
)
MAXIMIZE = Option("--maximize", "", text, "off", "Problem", "Look for a maximum: climb instead of descend.")
RATES = (
    Option("--lr", "LIST", rates, "some around the stable limit 2/L", "Method",
        "The learning rates, with commas: 10,1.1,1,0.1,0.01."),
    Option("--steps", "N", stride, "100", "Method", "Steps at each rate, at most."),
)
METHODS = Option("--method", "LIST", methods, "what suits the number of variables", "Method",
    "The methods, with commas: auto,bfgs,gd; 'gd methods' lists them.")

LOSSES = ("squared", "absolute", "huber", "logistic", "poisson")
SCHEDULES = ("constant", "decay", "book")
SHUFFLES = ("blocks", "full", "none")
DATA = (
    Option("--start", "START", each, "0 for a linear model", "Problem",
        "Where to start: a=1,b=2, w=zeros(9), @result.json (goes on); auto searches."),
    *only(PROBLEM, "--set"),
    PROBLEM[2]._replace(help="Bounds of parameters: a=0:5, b=:2 (only above), w=0:1 (each element)."),
    Option("--loss", "LOSS", one_of(*LOSSES, elsewhere=_loss_here), "squared", "Problem",
        f"{listed(LOSSES)}."),
    Option("--huber-delta", "NUMBER", positive, "1", "Problem", "Where Huber's loss turns from squared to absolute."),
    Option("--columns", "NAME=PATTERN", each, "none", "Problem",
        "Many columns under one name, for X @ w: X=x* or X=age|height|x*."),
    Option("--weights", "COLUMN", text, "1", "Problem",
        "A column of weights of rows; the variance of a row is a common one over its weight."),
    Option("--sigma", "COLUMN", text, "unknown", "Problem",
        "A column of known standard deviations; gives chi-square and its p-value."),
    Option("--scale-sigma", "", text, "off", "Problem",
        "Take --sigma for known up to a factor, and find that from the residuals."),
    MAXIMIZE._replace(help="Maximize: the expression of a row is its log-likelihood, say."),
    Option("--missing", "error|skip", one_of("error", "skip"), "error", "Data",
        "A missing or bad cell is an error, or its row is skipped."),
    Option("--spool", "FOLDER", text, "the system's", "Data",
        "The folder for temporary files of data that do not fit into memory."),
    PROBLEM[3],
)
BY = Option("--by", "COLUMN[,COLUMN]", names, "one fit to all rows", "Data",
    "One fit for each group of rows with the same labels (texts or numbers) in these columns.")
FIT_METHOD = tuple(
    option._replace(
        help={
            "--method": "How to search; 'gd methods' tells which methods go by epochs, besides sgd.",
            "--lr": "Learning rate, the factor of the mean gradient of a row in each step.",
        }.get(option.name, option.help)
    )
    for option in METHOD
    if option.name in ("--method", "--lr", "--step-rule", "--step-sizes")
)
EPOCHS = (
    Option("--batch-size", "N|all", batch_size, "a batch solve", "Stochastic",
        "Rows a step: 1 (stochastic), 32 (mini-batch), all."),
    Option("--epochs", "N", stride, "20; book's own stop", "Stochastic", "Passes over the data."),
    Option("--schedule", "NAME", one_of(*SCHEDULES), "constant", "Stochastic",
        "constant, decay (lr/(1+k) in epoch k, from 0), book (0.9 times after each epoch without improvement)."),
    Option("--shuffle", "ORDER", one_of(*SHUFFLES), "blocks", "Stochastic",
        "The order of rows: blocks of 256 at random, full (each row), none."),
    Option("--validate", "PART", part, "none", "Stochastic",
        "Hold back this part of the rows, and stop when their loss rises."),
    Option("--polish", "", text, "off", "Stochastic", "End with a batch solve."),
)
BATCHES = (
    Option("--batch-size", "LIST", batch_sizes, "1,32,all", "Stochastic", "The batch sizes, with commas: 1,32,all."),
    Option("--method", "NAME", method_by_epochs, "sgd", "Stochastic",
        "sgd, or a method that goes by epochs; see 'gd methods'."),
    Option("--lr", "NUMBER", positive, "for each from the data", "Stochastic",
        "One learning rate for all batch sizes."),
    *(option for option in EPOCHS if option.name not in ("--batch-size", "--polish")),
)
PLOT_BATCHES = _plot(f"{_DRAW}: the loss against the rows visited.")
_IN_A_FIT = {Shape.LINES: "{} (with the path)", Shape.ROWS: "{} (the parameters)"}
FIT_OUTPUT = (
    OUTPUT[0]._replace(help=f"{listed([_IN_A_FIT.get(f.shape, '{}').format(f.name) for f in FORMATS.values()])}."),
    OUTPUT[1]._replace(
        help="Print only these, tab separated: a,b,value; a.se, a.t, a.low, a.high are a's error, t and interval."
    ),
    OUTPUT[2]._replace(
        help="Print the fitted formula with its numbers as a program instead: python, c, latex, sql or awk."
    ),
    *only(OUTPUT, "--every", "--timing", "--output"),
    TRACE,
    Option("--predict", "FILE", text, "none", "Output",
        "Write the rows as they came with one more column, 'fitted': what the model says of the left side. With - "
        "they go to standard output, in place of the answer."),
    Option("--residuals", "FILE", text, "none", "Output",
        "The same with the columns 'fitted' and 'residual', the left side less what is fitted."),
    *_plot("Draw rows, curve and residuals into this file (.png, .svg, .pdf), or - in the terminal."),
)
# fmt: on


def settings(values: dict[str, Any]) -> dict[str, Any]:
    return {o.field: values[o.field] for o in SOLVER if values.get(o.field) is not None}


def is_page(values: Mapping[str, Any]) -> bool:
    """Tell whether the answer is a page for a person, with warnings and advice, and not for a program."""
    rows = "-" in (values.get("predict"), values.get("residuals"))
    return not (values.get("print") or values.get("emit") or rows) and format_of(values).is_page
