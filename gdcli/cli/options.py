"""The options of the command line, in one table.

Every option is one row: its metavar, how its text becomes a value (:mod:`gdcli.cli.option_types`), what happens
without it, and what it means; its name is that of the attribute. All else is derived from these rows: the types of what
commands are given, the reader of the command line (:mod:`gdcli.cli.command_line`), the Typer commands with their help
(:mod:`gdcli.cli.typer_app`), manual and completion, the keys of a problem file (:mod:`gdcli.cli.run_command`).
"""

from __future__ import annotations

from collections.abc import Iterable

from gdcli.cli import option_types as read
from gdcli.cli.option_types import Option, Options, argument, arguments, flag, option, repeated
from gdcli.render.formats import FORMATS, Format, Shape


def listed(words: Iterable[str]) -> str:
    """Return words as a person lists them: ``a, b or c``."""
    *others, last = words
    return f"{', '.join(others)} or {last}"


def format_in(*words: str) -> Option[str | None]:
    return option("FORMAT", read.one_of(*words), "table", f"{listed(words)}.")


def shaped(*shapes: Shape) -> tuple[str, ...]:
    return tuple(format.name for format in FORMATS.values() if format.shape in shapes)


def _loss_here(name: str) -> str:
    from gdcli.tasks.option_names import loss_here

    return loss_here(name)


# fmt: off
GRADIENTS = ("autodiff", "symbolic", "forward", "central", "complex")
LOSSES = ("squared", "absolute", "quantile", "huber", "tukey", "cauchy", "student-t", "logistic", "binomial", "poisson",
    "negative-binomial", "gamma")
INTERVALS = ("wald", "profile", "bootstrap")
RESAMPLED = ("residual", "case", "parametric")
SCHEDULES = ("constant", "decay", "book")
SHUFFLES = ("blocks", "full", "none")
_OWN = "the method's own"
EXPRESSION = "What to {}: Python syntax, in quotes. '-' reads it from standard input, @FILE from a file."


# -- the problem -------------------------------------------------------------------------------------------------------


class AskedOptions(Options):
    group = "Problem"
    expression = argument("EXPR", EXPRESSION.format("minimize"))
    start = repeated("START", "random, from the seed",
        "Where to start: x=1,y=2, v=[1,2], v=zeros(9), plain 1,2 in order, @result.json, or @- (standard input).")
    set = repeated("NAME=VALUE", "none",
        "Constants in the expression: a=3, c=[1,2], A=[[1,2],[3,4]], C=@cov.csv, mu=@mu.json.")
    let = repeated("NAME=EXPR", "none",
        "A named part of the expression, of constraints and of the parts after it: 's=exp(a*x)'.")
    seed = option("N", read.count, "0", "Seed of everything random.")

    @property
    def sense(self) -> str:
        return self.command


class ProblemOptions(AskedOptions):
    bounds = repeated("NAME=LOW:HIGH", "none",
        "Bounds: x=0:5, y=:2 (only above), v=0:1 (each element), v[0]=0:1, all=-9:9; equal ends fix.").behind("set")


class SystemOptions(Options):
    group = "Problem"
    set = AskedOptions.set.but("Constants in the equations: a=3, c=[1,2], A=[[1,2],[3,4]].")
    bounds = ProblemOptions.bounds.but("Where roots are looked for: x=0:5, all=-9:9; every variable needs both ends.")


class ConstrainedOptions(ProblemOptions):
    subject_to = repeated("TEXT", "none",
        "What must hold: 'x + y <= 1', 'x*y == 2', '0 <= x - y <= 2', 'A @ x <= b'; @FILE has one a line."
    ).behind("bounds")


class SensitivityOptions(Options):
    group = "Output"
    sensitivity = flag("Show how value and point move with each constant of --set and each limit that holds.")


class SenseOptions(AskedOptions):
    """Of a command that does not say itself which extremum is looked for."""

    maximize = flag("Look for a maximum: climb instead of descend.")

    @property
    def sense(self) -> str:
        return "maximize" if self.maximize else "minimize"


class StartsOptions(Options):
    group = "Problem"
    multi_start = option("N", read.stride, "1",
        "Also start at random: N starts in all, every distinct minimum in a table, the best as the answer.")
    global_ = flag("Enclose the global minimum within the bounds, proved by intervals; every variable needs bounds.")
    all = flag("With --global: all local minima within the bounds, each proved.")


class FitProofOptions(Options):
    group = "Problem"
    global_ = flag("Enclose the least sum of squares within the bounds, proved by intervals; every parameter "
        "needs bounds.")


class PointOptions(Options):
    group = "Problem"
    expression = argument("EXPR", EXPRESSION.format("differentiate"))
    at = repeated("POINT", "none; it is needed", "The point: x=1,y=2, v=[1,2], plain 1,2 in order, or @file.json.")
    set, let, seed = AskedOptions.set, AskedOptions.let, AskedOptions.seed


class DataOptions(Options):
    group = "Problem"
    expression = argument("MODEL", "y ~ formula, in quotes. '-' reads it from standard input, @FILE from a file.")
    files = arguments("DATA",
        "Files (csv, tsv, xlsx, jsonl, parquet; also .gz) or patterns; '-' or none is standard input.")
    start = AskedOptions.start.but("Where to start: a=1,b=2, w=zeros(9), @result.json (goes on); auto searches.",
        default="0 for a linear model")
    set, let = AskedOptions.set, AskedOptions.let
    bounds = repeated("NAME=LOW:HIGH", "none", "Bounds of parameters: a=0:5, b=:2 (only above), w=0:1 (each element).")
    loss = option("LOSS", read.one_of(*LOSSES, elsewhere=_loss_here), "squared", f"{listed(LOSSES)}.")
    huber_delta = option("NUMBER", read.positive, "1", "Where Huber's loss turns from squared to absolute.")
    scale = option("NUMBER|auto", read.or_auto(read.positive), "found; huber none",
        "The scale of the residuals for tukey, cauchy, student-t and huber; auto finds it.")
    quantile = option("PART", read.part_of_rows, "0.5", "The part of the rows that lies below, for --loss quantile.")
    dof = option("NUMBER", read.positive, "4", "The degrees of freedom of --loss student-t.")
    theta = option("NUMBER|auto", read.or_auto(read.positive), "found",
        "The size of --loss negative-binomial: the variance is f + f**2/theta.")
    trials = option("COLUMN|EXPR", read.text, "none; binomial needs it", "How many trials there were: a column, or 20.")
    l2 = option("NUMBER|auto", read.or_auto(read.penalty), "none",
        "Add so many times the squares of the parameters, constants aside; auto finds what says rows left out best.")
    prior = repeated("TEXT", "none", "What is known of a parameter before: 'b ~ normal(1, 0.2)'.")
    columns = repeated("NAMES|NAME=PATTERN", "those in the file",
        "What the columns are called: x,y,sigma. Or many under one name, for X @ w: X=x*, X=age|height|x*.")
    no_header = flag("The first line of the file is a row, and has no names.").within("Data")
    decimal = option(".|,", read.text, ".", "What stands before the decimals: --decimal , reads 1,5.").within("Data")
    sheet = option("NAME", read.text, "the first",
        "The sheet of a workbook (xlsx, ods), by name or number.").within("Data")
    dates = repeated("COLUMN=UNIT", "days, or seconds with a time",
        "How dates are read: t=days, 't=hours since 2024-01-01', 't=days as %d/%m/%Y'.").within("Data")
    rows = repeated("CONDITION", "all", "Only these rows: 'x > 2 and group == \"a\"', or 10:200.").within("Data")
    weights = option("COLUMN|EXPR", read.text, "1",
        "Weights of rows, of columns (w, '1/t'); the variance of a row is a common one over its weight.")
    sigma = option("COLUMN|EXPR", read.text, "unknown",
        "Known standard deviations: 0.1, a column, '0.05*y'; gives chi-square and its p-value.")
    scale_sigma = flag("Take --sigma for known up to a factor, and find that from the residuals.")
    maximize = flag("Maximize: the expression of a row is its log-likelihood, say.")
    missing = option("error|skip", read.one_of("error", "skip"), "error",
        "A missing or bad cell is an error, or its row is skipped.").within("Data")
    spool = option("FOLDER", read.text, "the system's",
        "The folder for temporary files of data that do not fit into memory.").within("Data")
    seed = AskedOptions.seed


class ModelsOptions(DataOptions, without="expression maximize"):
    files = arguments("DATA", "Files or patterns, as for gd fit; '-' or none is standard input.")
    model = repeated("MODEL", "none; two are needed",
        "A model, 'y ~ formula', once for each; @FILE reads it from a file.")
    start = DataOptions.start.but("Where to start, for the models that have the name: a=1,b=2.", default="searched for")
    folds = option("N|all", read.batch_size, "no refits",
        "Leave out N parts of the rows in turn, and compare what is said of them; all: each row alone."
    ).within("Comparison")
    nested = repeated("A:B", "found by what they can say",
        "Model number A is within model number B.").within("Comparison")


class FitDataOptions(DataOptions):
    start = DataOptions.start.but("Where to start: a=1,b=2, w=zeros(9), @result.json (goes on). What is left out is "
        "searched for, auto asks for that.", default="searched for; 0 for a linear model")
    folds = option("N", read.stride, "10", "Parts of the rows that --l2 auto leaves out in turn.").behind("l2")
    diagnostics = flag("Also tell p values, tests of the residuals, outliers, and the rows that move the answer most; "
        "--plot draws the residuals then.")
    subject_to = repeated("TEXT", "none",
        "What must hold for the parameters: 'a + b <= 1', 'a == 2*b'; @FILE has one a line.").behind("bounds")
    model = repeated("MODEL", "none",
        "A model of another response, 'y2 ~ formula', with parameters of the same names; repeatable. Each response is "
        "weighted by its own residual variance, or by --sigma y1=0.1,y2=s.").behind("files")
    sigma_x = repeated("NAME=SIZE", "exact",
        "Errors in a column, too (orthogonal distances): its standard deviation, x=0.1, x=s or x='0.05*x'."
    ).behind("sigma")


class GroupsOptions(Options):
    group = "Data"
    by = option("COLUMN[,COLUMN]", read.names, "one fit to all rows",
        "One fit for each group of rows with the same labels (texts or numbers) in these columns.")
    share = option("NAME[,NAME]", read.names, "none",
        "With --by one fit to all groups: parameters that they share, the others being each group's own.")


class BandOptions(Options):
    group = "Intervals"
    interval = option("KIND", read.one_of("confidence", "prediction"), "confidence",
        "The band around what is predicted: of the mean (confidence), or of one more row (prediction).")
    level = option("NUMBER", read.number, "0.95", "The level of confidence of the band.")


class IntervalsOptions(Options):
    group = "Intervals"
    intervals = option("KIND", read.one_of(*INTERVALS), "wald",
        "Of parameters: wald (by standard errors), profile (by the likelihood, the other parameters fitted anew), "
        "bootstrap (BCa).")
    level = option("NUMBER", read.number, "0.95", "The level of confidence of intervals.")
    samples = option("N", read.stride, "2000", "Samples of the bootstrap.")
    resample = option("KIND", read.one_of(*RESAMPLED), "residual",
        "What the bootstrap draws: residual, case (whole rows) or parametric (normal residuals).")
    derive = repeated("NAME=EXPR", "none",
        "A quantity that follows from the parameters, told with its error and interval: 'half_life=log(2)/b'.")
    contour = option("NAME,NAME", read.names, "none",
        "The joint region of two parameters, the others fitted anew: its extents, in JSON and --plot the curve.")


# -- how it is solved --------------------------------------------------------------------------------------------------


class MethodOptions(Options):
    group = "Method"
    method = option("NAME", read.method, "auto", "How to search; 'gd methods' lists the names.")
    gradient = option("KIND", read.one_of(*GRADIENTS), "autodiff",
        "autodiff (exact), symbolic (by formula), forward or central (difference quotients), complex (step).")
    h = option("NUMBER", read.positive, "1e-5", "Step of the difference quotients.")
    lr = option("NUMBER", read.positive, _OWN, "Learning rate: alone, plain gradient descent with this fixed step.")
    step_rule = option("RULE", read.text, _OWN, "fixed, decay, best, armijo, wolfe, exact or bb.")
    step_sizes = option("LIST", read.step_sizes, "100,10,...,0.00001",
        "The steps tried by 'batch' and by --step-rule best.")


class FitMethodOptions(MethodOptions, without="gradient h"):
    method = MethodOptions.method.but(
        "How to search; 'gd methods' tells which methods go by epochs, besides sgd.")
    lr = MethodOptions.lr.but("Learning rate, the factor of the mean gradient of a row in each step.")


class RatesOptions(Options):
    group = "Method"
    lr = option("LIST", read.rates, "some around the stable limit 2/L",
        "The learning rates, with commas: 10,1.1,1,0.1,0.01.")
    steps = option("N", read.stride, "100", "Steps at each rate, at most.")


class MethodsOptions(Options):
    group = "Method"
    method = option("LIST", read.methods, "what suits the number of variables",
        "The methods, with commas: auto,bfgs,gd; 'gd methods' lists them.")
    gradient, h, lr = MethodOptions.gradient, MethodOptions.h, MethodOptions.lr


class StoppingOptions(Options):
    group = "Stopping"
    tol = option("NUMBER", read.tolerance, "1e-8; batch 1e-6",
        "Accuracy asked for; 0 switches it off, as it does each of the rules below.")
    gradient_tol = option("NUMBER", read.tolerance, _OWN, "Stop when the gradient norm is below this.")
    step_tol = option("NUMBER", read.tolerance, _OWN, "Stop when a step is shorter than this.")
    value_tol = option("NUMBER", read.tolerance, _OWN, "Stop when the value changes by less than this.")
    max_iter = option("N", read.count, "10000", "Cap on iterations; 0 only certifies the start.")
    max_evaluations = option("N", read.cap, "no cap; of --global 1000000",
        "Cap on evaluations of the search, each value, gradient, Hessian and product; the certificate takes some "
        "more. Of --global it is the cap on the boxes that are examined.")
    max_time = option("TIME", read.duration, "no cap",
        "Cap on the time: 30s, 2m, 1h. The certificate may take a tenth more, at least half a second.")
    max_memory = option("SIZE", read.memory, "no cap",
        "Cap on the memory in use (the resident set of the process, gd itself included): 500MB, 2GiB.")
    target = option("NUMBER", read.number, "none", "Stop at this value.")


class CapsOptions(Options):
    """Of a command that compares or examines."""

    group = "Stopping"
    max_time = option("TIME", read.duration, "no cap", "Cap on the time of the whole command: 30s, 2m.")
    max_memory = StoppingOptions.max_memory


class EpochsOptions(Options):
    group = "Stochastic"
    batch_size = option("N|all", read.batch_size, "a batch solve",
        "Rows a step: 1 (stochastic), 32 (mini-batch), all.")
    epochs = option("N", read.stride, "20; book's own stop", "Passes over the data.")
    schedule = option("NAME", read.one_of(*SCHEDULES), "constant",
        "constant, decay (lr/(1+k) in epoch k, from 0), book (0.9 times after each epoch without improvement).")
    shuffle = option("ORDER", read.one_of(*SHUFFLES), "blocks",
        "The order of rows: blocks of 256 at random, full (each row), none.")
    validate = option("PART", read.part, "none",
        "Hold back this part of the rows, and stop when their loss rises.")
    polish = flag("End with a batch solve.")


class BatchesOptions(Options):
    group = "Stochastic"
    batch_size = option("LIST", read.batch_sizes, "1,32,all", "The batch sizes, with commas: 1,32,all.")
    method = option("NAME", read.method_by_epochs, "sgd", "sgd, or a method that goes by epochs; see 'gd methods'.")
    lr = option("NUMBER", read.positive, "for each from the data", "One learning rate for all batch sizes.")
    epochs, schedule = EpochsOptions.epochs, EpochsOptions.schedule
    shuffle, validate = EpochsOptions.shuffle, EpochsOptions.validate


class EngineOptions(Options):
    group = "Computing"
    engine = option("NAME", read.one_of("auto", "python", "numpy", "native"), "auto",
        "What computes: python, numpy (vectors), native (machine code).")
    no_cache = flag("Keep no machine code on disk, and use none from there.")


class FitEngineOptions(EngineOptions):
    engine = EngineOptions.engine.but("What computes a fit by epochs: python, numpy, native (machine code).")


class BatchEngineOptions(EngineOptions):
    engine = EngineOptions.engine.but(
        "What computes: python (not for all rows at once), numpy, native (machine code).")


class ExaminedOptions(Options):
    group = "Gradient"
    h = option("NUMBER", read.positive, "1e-5 forward, 6e-6 max(1,|x|) central", "Step of the difference quotients.")
    hessian = flag("Show the Hessian and its eigenvalues.")
    errors = flag("Show the error of each quotient for h from 1 to 1e-15.")
    latex = flag("Show the formulas in LaTeX.")
    trace = flag("Show automatic differentiation step by step instead.")


class JobsOptions(Options):
    group = "Work"
    jobs = option("N", read.stride, "1", "Worker processes.")
    unordered = flag("Write answers as they come, not in the order of the input.")


class ClusterOptions(Options):
    group = "Cluster"
    cluster = option("ADDRESS", read.text, "here",
        "Compute on a Dask cluster: tcp://host:8786, a scheduler file, env (DASK_SCHEDULER_ADDRESS), or local:4, four "
        "worker processes here. See 'gd man cluster'.")


class PartitionsOptions(ClusterOptions):
    partitions = option("N", read.stride, "by size",
        "Read the rows in N partitions, whose sums are merged in a fixed order: the same bits here and on any cluster.")


# -- where the answer goes ---------------------------------------------------------------------------------------------


class CheckpointOptions(Options):
    group = "Checkpoint"
    checkpoint = option("FILE", read.text, "none",
        "Keep the run in this file; 'gd resume FILE' goes on with it, whatever ended it.")
    checkpoint_every = option("TIME", read.period, "30s",
        "How often: 30s, 5m; less often where writing takes long, so that it costs at most 2 % of the time.")


class OutputOptions(Options):
    group = "Output"
    format = format_in(*FORMATS)
    print = option("NAMES", read.names, "everything", "Print only these, tab separated: x,y,value.")
    emit = option("LANGUAGE", read.one_of("python", "c", "javascript", "latex", "sql", "awk"), "none",
        "Print a program instead: the objective with its gradient in python, c or javascript, its formula in latex.")
    every = option("N", read.stride, "about 20 rows", "Show every Nth iteration.")
    show_gradient = flag("Show the formulas of the gradient.")
    timing = flag("Show times and engine.", "only on a terminal")
    output = option("FILE", read.text, "standard output",
        "Write the answer to this file, whole or not at all; a .json, .jsonl or .csv in this format.")
    report = option("FILE", read.page_file, "none",
        "Write the answer also as a page for a browser (.html): pictures, tables, the record in it.")

    @property
    def written_as(self) -> Format:
        return self.written_else("table")

    def written_else(self, usual: str) -> Format:
        """Return the format asked for: by its name, or by that of the file; else the ``usual`` one."""
        _, dot, suffix = (self.output or "").rpartition(".")
        named = dot and suffix in type(self).format.read.__dict__["words"] and not (self.print or self.emit)
        return FORMATS[self.format or (suffix if named else usual)]

    @property
    def is_page(self) -> bool:
        """Whether the answer is a page for a person, with warnings and advice, and not for a program."""
        return not (self.print or self.emit) and self.written_as.is_page

    @property
    def tells_status(self) -> bool:
        """Whether the answer itself says how the run ended."""
        if self.print or self.emit:
            return "status" in (self.print or ())
        return self.is_page or self.written_as.is_record


class ComparisonOutputOptions(OutputOptions, without="print emit every show_gradient"):
    """Of a command whose answer is one table."""


class GradientOutputOptions(OutputOptions, without="print emit every show_gradient timing"):
    format = format_in(*shaped(Shape.PAGE, Shape.OBJECT, Shape.ROWS))


class TraceOptions(Options):
    group = "Output"
    trace = option("FILE", read.text, "none",
        "Write the path into this file beside the answer: CSV, or JSON lines where it ends in .jsonl.")


class WatchOptions(Options):
    group = "Output"
    watch = flag("Show the run while it goes on; only on a terminal.")


_IN_A_FIT = {Shape.LINES: "{} (with the path)", Shape.ROWS: "{} (the parameters)"}


class FitOutputOptions(OutputOptions, without="show_gradient"):
    covariance = option("FILE", read.text, "none",
        "Write the covariance matrix of the parameters into this file, as CSV with their names.")
    format = OutputOptions.format.but(
        f"{listed(_IN_A_FIT.get(one.shape, '{}').format(one.name) for one in FORMATS.values())}.")
    print = OutputOptions.print.but(
        "Print only these, tab separated: a,b,value; a.se, a.t, a.low, a.high are a's error, t and interval.")
    emit = OutputOptions.emit.but(
        "Print the fitted formula with its numbers as a program instead: python, c, javascript, latex, sql or awk.")
    trace = TraceOptions.trace
    predict = option("FILE", read.copy_of_rows, "none",
        "Write the rows as they came with columns more: 'fitted', what the model says of the left side, its error and "
        "band of confidence, as gd predict has them. With - they go to standard output, in place of the answer.")
    residuals = option("FILE", read.copy_of_rows, "none",
        "The same with the columns 'fitted' and 'residual', the left side less what is fitted.")

    @property
    def is_page(self) -> bool:
        return "-" not in (self.predict, self.residuals) and super().is_page


class PictureOptions(Options):
    group = "Picture"
    plot = option("FILE", read.picture, "none",
        "Draw a picture into this file (.png, .svg, .pdf), or - in the terminal.")
    plot_size = option("WxH", read.plot_size, "6.4 wide",
        "Width and height in inches, or with a unit: 6.4x4.8, 16x12cm, 85x60mm.")
    dpi = option("N", read.dpi, "120", "Dots an inch of a .png.")
    title = option("TEXT", read.text, "the formula", "The title; between two $ it is mathematics.")
    xlabel = option("TEXT", read.text, "its name", "The label of the horizontal axis.")
    ylabel = option("TEXT", read.text, "its name", "The label of the vertical axis.")
    log = option("AXES", read.one_of("x", "y", "xy", "none"), "where numbers span decades",
        "The axes that are logarithmic: x, y, xy or none.")

    @property
    def log_axes(self) -> str | None:
        """The letters of the axes that are to be logarithmic; None: it was not said."""
        return "" if self.log == "none" else self.log

    @property
    def drawn(self) -> str | None:
        return self.plot


class PlanePictureOptions(PictureOptions):
    plane = option("NAME,NAME", read.plane, "none",
        "Of more variables draw the plane of these two, the others held at the answer.").behind("plot")


# What belongs to one command line alone: where its answer goes, and what it leaves behind.
OWN_GROUPS = ("Output", "Picture", "Checkpoint")
# What `gdcli.api.Settings` has, under the same names.
SOLVER = (MethodOptions, StoppingOptions, EngineOptions)
