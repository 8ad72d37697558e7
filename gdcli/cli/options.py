"""The options of the command line, in one table.

Every option is one `Option` row: its name, what it means, what happens without it, and how its text becomes a value.
All else is derived from these rows: the reader of the command line (:mod:`gdcli.cli.argv`), the typer commands with
their help (:mod:`gdcli.cli.help_command`), the keys of a problem file (:mod:`gdcli.cli.run_command`). The rows import
nothing heavy, so that a mistyped option is answered at once.

A value is read by a function of its text and the option's name, which raises a `UsageError` with a span into
that text. Nothing here knows what a solver does with the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError, did_you_mean

Read = Callable[[str, str], Any]


def text(value: str, name: str) -> str:
    """Return the text as it is."""
    return value


class Option(NamedTuple):
    """One option: ``--name METAVAR``; without a metavar it is a flag. ``many`` options can be repeated."""

    name: str
    help: str
    default: str = ""
    metavar: str = ""
    read: Read = text
    many: bool = False
    group: str = "Options"

    @property
    def field(self) -> str:
        """The option as a Python name: ``max_iter`` for ``--max-iter``."""
        return self.name[2:].replace("-", "_")


def wrong(value: str, name: str, expected: str, hint: str = "") -> UsageError:
    """Return the error for an option whose value is not what is expected."""
    shown = value if len(value) <= 40 else value[:37] + "..."
    if "number" in expected and value.count(",") == 1 and _float(value.replace(",", ".")) is not None:
        hint = f"numbers have a decimal point: {name} {value.replace(',', '.')}"
    return UsageError(f"{name} takes {expected}, not '{shown}'", hint, Span(value, 0, len(value), name))


def _float(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number - number == 0.0 else None  # nan and the infinities are no numbers here


def number(value: str, name: str) -> float:
    """Read any finite number."""
    read = _float(value)
    if read is None:
        raise wrong(value, name, "a number", "for example 0.5 or 1e-8")
    return read


def positive(value: str, name: str) -> float:
    """Read a number above 0."""
    read = _float(value)
    if read is None or read <= 0:
        raise wrong(value, name, "a number above 0", "for example 0.1 or 1e-5")
    return read


def tolerance(value: str, name: str) -> float:
    """Read a number of at least 0, where 0 switches the rule off."""
    read = _float(value)
    if read is None or read < 0:
        raise wrong(value, name, "a number of at least 0", "for example 1e-8; 0 switches this rule off")
    return read


def _whole(value: str, least: int) -> int | None:
    try:
        read = int(value)
    except ValueError:
        real = _float(value)  # 1e6 is a whole number too
        if real is None or real != int(real):
            return None
        read = int(real)
    return read if read >= least else None


def count(value: str, name: str) -> int:
    """Read a whole number of at least 0."""
    read = _whole(value, 0)
    if read is None:
        raise wrong(value, name, "a whole number of at least 0", "for example 1000")
    return read


def cap(value: str, name: str) -> int | None:
    """Read a cap that 0 takes away."""
    return count(value, name) or None


def stride(value: str, name: str) -> int:
    """Read a whole number of at least 1."""
    read = _whole(value, 1)
    if read is None:
        raise wrong(value, name, "a whole number of at least 1", "for example 10")
    return read


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration(value: str, name: str) -> float | None:
    """Read a time in seconds, or with a unit (``500ms``, ``30s``, ``2m``, ``1h``); 0 takes the cap away."""
    plain = value.strip()
    digits = plain.rstrip("abcdefghijklmnopqrstuvwxyz")
    seconds = _float(digits)
    factor = _UNITS.get(plain[len(digits) :] or "s")
    if seconds is None or seconds < 0 or factor is None:
        raise wrong(value, name, "a time", "for example 30s, 2m, 1h, or seconds alone: 0.5")
    return seconds * factor or None


def period(value: str, name: str) -> float:
    """Read a time above 0."""
    read = duration(value, name)
    if read is None:
        raise wrong(value, name, "a time above 0", "for example 30s or 5m")
    return read


_SIZES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


def memory(value: str, name: str) -> int | None:
    """Read an amount of memory, in bytes or with a unit (``500MB``, ``2GiB``; ``2G`` is 2GiB); 0 takes the cap away."""
    plain = value.strip()
    digits = plain.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    amount = _float(digits)
    factor = _SIZES.get(plain[len(digits) :].strip().lower())
    if amount is None or amount < 0 or factor is None or amount * factor > 2**62:
        raise wrong(value, name, "an amount of memory", "for example 500MB, 2GiB, or bytes alone: 1e9")
    return int(amount * factor) or None


def step_sizes(value: str, name: str) -> tuple[float, ...]:
    """Read a comma-separated list of positive numbers."""
    sizes = tuple(_float(part) for part in value.strip("[] ").split(","))
    if any(size is None or size <= 0 for size in sizes):
        raise wrong(value, name, "positive numbers with commas between them", "for example 100,10,1,0.1")
    return tuple(size for size in sizes if size is not None)


def names(value: str, name: str) -> tuple[str, ...]:
    """Read a comma-separated list of names."""
    parts = tuple(part.strip() for part in value.split(","))
    if not all(parts):
        raise wrong(value, name, "names with commas between them", "for example x,y,value")
    return parts


def _parts(value: str) -> list[tuple[str, int]]:
    """Return the pieces of a comma-separated list without spaces around them, each with its place."""
    parts, place = [], 0
    for piece in value.split(","):
        parts.append((piece.strip(), place + len(piece) - len(piece.lstrip())))
        place += len(piece) + 1
    return parts


def rates(value: str, name: str) -> tuple[float, ...]:
    """Read a comma-separated list of learning rates; the error points at the one that is none."""
    read = []
    for part, place in _parts(value):
        rate = _float(part)
        if rate is None or rate <= 0:
            shown = part if len(part) <= 40 else part[:37] + "..."
            raise UsageError(
                f"{name} takes learning rates above 0, not '{shown}'",
                "for example 10,1.1,1,0.1,0.01",
                Span(value, place, place + max(1, len(part)), name),
            )
        read.append(rate)
    return tuple(read)


def method(value: str, name: str) -> str:
    """Read the name of a method, in whatever case; whether there is one is asked when it is sought."""
    return value.strip().lower()


def method_by_epochs(value: str, name: str) -> str:
    """Read a method that goes by rows or batches of them."""
    from gdcli.solve.registry import BY_EPOCHS, meant

    if method(value, name) in BY_EPOCHS:
        return method(value, name)
    raise wrong(value, name, "one of " + ", ".join(BY_EPOCHS), meant(value, BY_EPOCHS, ""))


def methods(value: str, name: str) -> tuple[str, ...]:
    """Read a comma-separated list of methods; the error points at the one that there is not."""
    from gdcli.solve.registry import METHODS, meant

    parts = [(part.lower(), place) for part, place in _parts(value)]
    for part, place in parts:
        if part not in METHODS:
            shown = part if len(part) <= 40 else part[:37] + "..."
            hint = meant(part, METHODS, "'gd methods' lists the names")
            span = Span(value, place, place + max(1, len(part)), name)
            raise UsageError(f"{name} takes methods, and there is no '{shown}'", hint, span)
    return tuple(part for part, _ in parts)


def one_of(*words: str, elsewhere: Callable[[str], str] | None = None) -> Read:
    """Return the reader of one word out of several; ``elsewhere`` tells what a name that is none is here."""

    def read(value: str, name: str) -> str:
        if value in words:
            return value
        known = "" if elsewhere is None else elsewhere(value)
        raise wrong(value, name, "one of " + ", ".join(words), known or did_you_mean(value, words))

    read.__dict__["words"] = words  # for completion
    return read


PICTURES = ("png", "svg", "pdf")


def picture(value: str, name: str) -> str:
    """Read the name of a picture's file, which tells its kind; ``-`` is the terminal."""
    stem, dot, suffix = value.rpartition(".")
    if value == "-" or (suffix.lower() in PICTURES and stem):
        return value
    typed = suffix if dot and "/" not in suffix else ""
    close = did_you_mean(typed.lower(), PICTURES) if typed else ""
    hint = close or "for example path.png; - draws in the terminal"
    shown = value if len(value) <= 40 else "..." + value[-37:]
    at = len(value) - len(typed) if typed else 0
    raise UsageError(
        f"{name} takes a file that ends in .png, .svg or .pdf, not '{shown}'",
        hint,
        Span(value, at, len(value), name),
    )


_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}
_SIDES = (2.0, 50.0)  # inches: below that no words fit beside the axes


def plot_size(value: str, name: str) -> tuple[float, float]:
    """Read a width and a height, ``6.4x4.8`` in inches or ``16x12cm``; in inches."""
    plain = value.strip().lower().replace("\N{MULTIPLICATION SIGN}", "x")
    digits = plain.rstrip("incm")
    width, _, height = digits.partition("x")
    factor = _INCHES.get(plain[len(digits) :])
    sides = _float(width), _float(height)
    example = "for example 6.4x4.8 in inches, 16x12cm or 85x60mm"
    if factor is None or sides[0] is None or sides[1] is None:
        raise wrong(value, name, "a width and a height", example)
    size = sides[0] * factor, sides[1] * factor
    if not all(_SIDES[0] <= side <= _SIDES[1] for side in size):
        raise wrong(value, name, "sides from {:g} to {:g} inches (5 to 127 cm)".format(*_SIDES), example)
    return size


def dpi(value: str, name: str) -> int:
    """Read how many dots an inch has."""
    read = _whole(value, 20)
    if read is None or read > 2400:
        raise wrong(value, name, "a whole number from 20 to 2400", "for example 300 for print")
    return read


def plane(value: str, name: str) -> tuple[str, ...]:
    """Read two names."""
    parts = names(value, name)
    if len(parts) != 2:
        raise wrong(value, name, "two variables", "for example x,y or v[0],v[3]")
    return parts


def interval(value: str, name: str) -> tuple[float, float]:
    """Read two numbers, the lower one first: ``-10:10``."""
    low, colon, high = value.partition(":")
    ends = _float(low), _float(high)
    if not colon or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
        raise wrong(value, name, "two numbers, the lower one first", "for example -10:10")
    return ends[0], ends[1]


def part(value: str, name: str) -> float:
    """Read a part of a whole, above 0 and below 1."""
    read = _float(value)
    if read is None or not 0.0 < read < 1.0:
        raise wrong(value, name, "a part above 0 and below 1", "for example 0.2: every fifth row")
    return read


ALL_ROWS = 0


def batch_size(value: str, name: str) -> int:
    """Read how many rows make a step; 0 stands for all of them."""
    if value.strip() == "all":
        return ALL_ROWS
    read = _whole(value, 1)
    if read is None:
        raise wrong(value, name, "a whole number of rows or all", "for example 1, 32 or all")
    return read


def batch_sizes(value: str, name: str) -> tuple[int, ...]:
    """Read a comma-separated list of batch sizes; 0 stands for all rows."""
    return tuple(batch_size(part, name) for part, _ in _parts(value))


FORMATS = ("table", "json", "jsonl", "csv", "plain")
GRADIENTS = ("autodiff", "symbolic", "forward", "central", "complex")
_OWN = "the method's own"

PROBLEM = (
    Option(
        "--start",
        "Where to start: x=1,y=2, v=[1,2], v=zeros(9), plain 1,2 in order, @result.json, or @- (standard input).",
        "random, from the seed",
        "START",
        many=True,
        group="Problem",
    ),
    Option(
        "--set",
        "Constants in the expression: a=3 or c=[1,2].",
        "none",
        "NAME=VALUE",
        many=True,
        group="Problem",
    ),
    Option(
        "--bounds",
        "Bounds: x=0:5, y=:2 (only above), v=0:1 (each element), v[0]=0:1; equal ends fix.",
        "none",
        "NAME=LOW:HIGH",
        many=True,
        group="Problem",
    ),
    Option("--seed", "Seed of everything random.", "0", "N", count, group="Problem"),
)
MULTI_START = Option(
    "--multi-start",
    "Also start at random: N starts in all, every distinct minimum in a table, the best as the answer.",
    "1",
    "N",
    stride,
    group="Problem",
)
METHOD = (
    Option(
        "--method", "How to search; 'gd methods' lists the names.", "auto", "NAME", method, group="Method"
    ),
    Option(
        "--gradient",
        "autodiff (exact), symbolic (by formula), forward or central (difference quotients), complex (step).",
        "autodiff",
        "KIND",
        one_of(*GRADIENTS),
        group="Method",
    ),
    Option("--h", "Step of the difference quotients.", "1e-5", "NUMBER", positive, group="Method"),
    Option(
        "--lr",
        "Learning rate: alone, plain gradient descent with this fixed step.",
        _OWN,
        "NUMBER",
        positive,
        group="Method",
    ),
    Option("--step-rule", "fixed, decay, best, armijo, wolfe, exact or bb.", _OWN, "RULE", group="Method"),
    Option(
        "--step-sizes",
        "The steps tried by 'batch' and by --step-rule best.",
        "100,10,...,0.00001",
        "LIST",
        step_sizes,
        group="Method",
    ),
)
STOPPING = (
    Option(
        "--tol",
        "Accuracy asked for; 0 switches it off, as it does each of the rules below.",
        "1e-8; batch 1e-6",
        "NUMBER",
        tolerance,
        group="Stopping",
    ),
    Option(
        "--gradient-tol",
        "Stop when the gradient norm is below this.",
        _OWN,
        "NUMBER",
        tolerance,
        group="Stopping",
    ),
    Option(
        "--step-tol", "Stop when a step is shorter than this.", _OWN, "NUMBER", tolerance, group="Stopping"
    ),
    Option(
        "--value-tol",
        "Stop when the value changes by less than this.",
        _OWN,
        "NUMBER",
        tolerance,
        group="Stopping",
    ),
    Option(
        "--max-iter", "Cap on iterations; 0 only certifies the start.", "10000", "N", count, group="Stopping"
    ),
    Option(
        "--max-evaluations",
        "Cap on evaluations of the search, each value, gradient, Hessian and product; the certificate takes some more.",
        "no cap",
        "N",
        cap,
        group="Stopping",
    ),
    Option(
        "--max-time",
        "Cap on the time: 30s, 2m, 1h. The certificate may take a tenth more, at least half a second.",
        "no cap",
        "TIME",
        duration,
        group="Stopping",
    ),
    Option(
        "--max-memory",
        "Cap on the memory in use (the resident set of the process, gd itself included): 500MB, 2GiB.",
        "no cap",
        "SIZE",
        memory,
        group="Stopping",
    ),
    Option("--target", "Stop at this value.", "none", "NUMBER", number, group="Stopping"),
)
# The caps of a command that compares or examines.
CAPS = (
    Option(
        "--max-time",
        "Cap on the time of the whole command: 30s, 2m.",
        "no cap",
        "TIME",
        duration,
        group="Stopping",
    ),
    *(option for option in STOPPING if option.name == "--max-memory"),
)
OUTPUT = (
    Option(
        "--format", "table, json, jsonl, csv or plain.", "table", "FORMAT", one_of(*FORMATS), group="Output"
    ),
    Option(
        "--print", "Print only these, tab separated: x,y,value.", "everything", "NAMES", names, group="Output"
    ),
    Option(
        "--emit",
        "Print a program instead: the objective with its gradient in python or c, its formula in latex.",
        "none",
        "LANGUAGE",
        one_of("python", "c", "latex", "sql", "awk"),
        group="Output",
    ),
    Option("--every", "Show every Nth iteration.", "about 20 rows", "N", stride, group="Output"),
    Option("--show-gradient", "Show the formulas of the gradient.", "off", group="Output"),
    Option("--timing", "Show times and engine.", "only on a terminal", group="Output"),
    Option(
        "--output",
        "Write the answer to this file, whole or not at all.",
        "standard output",
        "FILE",
        group="Output",
    ),
)
TRACE = Option(
    "--trace",
    "Write the path into this file beside the answer: CSV, or JSON lines where it ends in .jsonl.",
    "none",
    "FILE",
    group="Output",
)
CHECKPOINT = (
    Option(
        "--checkpoint",
        "Keep the run in this file; 'gd resume FILE' goes on with it, whatever ended it.",
        "none",
        "FILE",
        group="Checkpoint",
    ),
    Option(
        "--checkpoint-every",
        "How often: 30s, 5m; less often where writing takes long, so that it costs at most 2 % of the time.",
        "30s",
        "TIME",
        period,
        group="Checkpoint",
    ),
)
# What belongs to one command line alone: where its answer goes, and what it leaves behind.
OWN_GROUPS = ("Output", "Picture", "Checkpoint")
JOBS = (
    Option("--jobs", "Worker processes.", "1", "N", stride, group="Work"),
    Option("--unordered", "Write answers as they come, not in the order of the input.", "off", group="Work"),
)
RUN_OUTPUT = (
    OUTPUT[0]._replace(default="table; of a stream jsonl"),
    *(option for option in OUTPUT if option.name in ("--timing", "--output")),
)
LOOK = (
    Option(
        "--plot-size",
        "Width and height in inches, or with a unit: 6.4x4.8, 16x12cm, 85x60mm.",
        "6.4 wide",
        "WxH",
        plot_size,
        group="Picture",
    ),
    Option("--dpi", "Dots an inch of a .png.", "120", "N", dpi, group="Picture"),
    Option("--title", "The title; between two $ it is mathematics.", "the formula", "TEXT", group="Picture"),
    Option("--xlabel", "The label of the horizontal axis.", "its name", "TEXT", group="Picture"),
    Option("--ylabel", "The label of the vertical axis.", "its name", "TEXT", group="Picture"),
    Option(
        "--log",
        "The axes that are logarithmic: x, y, xy or none.",
        "where numbers span decades",
        "AXES",
        one_of("x", "y", "xy", "none"),
        group="Picture",
    ),
)


def _plot(help: str, *more: Option) -> tuple[Option, ...]:
    """The options of a picture, with what it shows."""
    return (Option("--plot", help, "none", "FILE", picture, group="Picture"), *more, *LOOK)


_DRAW = "Draw a picture into this file (.png, .svg, .pdf), or - in the terminal"
PLANE = Option(
    "--plane",
    "Of more variables draw the plane of these two, the others held at the answer.",
    "none",
    "NAME,NAME",
    plane,
    group="Picture",
)
PLOT = _plot(
    "Draw the path into this file (.png, .svg, .pdf), or - in the terminal: on the curve of one "
    "variable, on contours of two, else value and gradient against the iteration.",
    PLANE,
)
WATCH = Option("--watch", "Show the run while it goes on; only on a terminal.", "off", group="Output")
PLOT_SHOWN = _plot(
    "Draw the picture of the run into this file (.png, .svg, .pdf), or - in the terminal; of a "
    "result without its path start and answer.",
    PLANE,
)
PLOT_RATES = _plot(f"{_DRAW}: each rate in its own colour.")
PLOT_METHODS = _plot(f"{_DRAW}: the value above the best against the iteration.")
PLOT_GRADIENT = _plot(
    "With --errors: draw the errors against h into this file, or - in the terminal.",
    Option(
        "--plot-estimate",
        "Draw the derivative and its forward quotient (step --h, here 1) over --range instead.",
        "none",
        "FILE",
        picture,
        group="Picture",
    ),
    Option("--range", "The range of --plot-estimate.", "-10:10", "LOW:HIGH", interval, group="Picture"),
)
ENGINE = (
    Option(
        "--engine",
        "What computes: python, numpy (vectors), native (machine code).",
        "auto",
        "NAME",
        one_of("auto", "python", "numpy", "native"),
        group="Computing",
    ),
    Option("--no-cache", "Keep no machine code on disk, and use none from there.", "off", group="Computing"),
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
    Option(
        "--at",
        "The point: x=1,y=2, v=[1,2], plain 1,2 in order, or @file.json.",
        "none; it is needed",
        "POINT",
        many=True,
        group="Problem",
    ),
    *(option for option in PROBLEM if option.name in ("--set", "--seed")),
    Option(
        "--h",
        "Step of the difference quotients.",
        "1e-5 forward, 6e-6 max(1,|x|) central",
        "NUMBER",
        positive,
        group="Gradient",
    ),
    Option("--hessian", "Show the Hessian and its eigenvalues.", "off", group="Gradient"),
    Option("--errors", "Show the error of each quotient for h from 1 to 1e-15.", "off", group="Gradient"),
    Option("--latex", "Show the formulas in LaTeX.", "off", group="Gradient"),
    Option("--trace", "Show automatic differentiation step by step instead.", "off", group="Gradient"),
    Option(
        "--format",
        "table, json, csv or plain.",
        "table",
        "FORMAT",
        one_of("table", "json", "csv", "plain"),
        group="Output",
    ),
    *(option for option in OUTPUT if option.name == "--output"),
)
MAXIMIZE = Option("--maximize", "Look for a maximum: climb instead of descend.", "off", group="Problem")
RATES = (
    Option(
        "--lr",
        "The learning rates, with commas: 10,1.1,1,0.1,0.01.",
        "some around the stable limit 2/L",
        "LIST",
        rates,
        group="Method",
    ),
    Option("--steps", "Steps at each rate, at most.", "100", "N", stride, group="Method"),
)
METHODS = Option(
    "--method",
    "The methods, with commas: auto,bfgs,gd; 'gd methods' lists them.",
    "what suits the number of variables",
    "LIST",
    methods,
    group="Method",
)


def _loss_here(name: str) -> str:
    from gdcli.tasks.fit.synonyms import loss_here

    return loss_here(name)


LOSSES = ("squared", "absolute", "huber", "logistic", "poisson")
SCHEDULES = ("constant", "decay", "book")
SHUFFLES = ("blocks", "full", "none")
DATA = (
    Option(
        "--start",
        "Where to start: a=1,b=2, w=zeros(9), @result.json (goes on); auto searches.",
        "0 for a linear model",
        "START",
        many=True,
        group="Problem",
    ),
    *(option for option in PROBLEM if option.name == "--set"),
    PROBLEM[2]._replace(help="Bounds of parameters: a=0:5, b=:2 (only above), w=0:1 (each element)."),
    Option(
        "--loss",
        "squared, absolute, huber, logistic or poisson.",
        "squared",
        "LOSS",
        one_of(*LOSSES, elsewhere=_loss_here),
        group="Problem",
    ),
    Option(
        "--huber-delta",
        "Where Huber's loss turns from squared to absolute.",
        "1",
        "NUMBER",
        positive,
        group="Problem",
    ),
    Option(
        "--columns",
        "Many columns under one name, for X @ w: X=x* or X=age|height|x*.",
        "none",
        "NAME=PATTERN",
        many=True,
        group="Problem",
    ),
    Option(
        "--weights",
        "A column of weights of rows; the variance of a row is a common one over its weight.",
        "1",
        "COLUMN",
        group="Problem",
    ),
    Option(
        "--sigma",
        "A column of known standard deviations; gives chi-square and its p-value.",
        "unknown",
        "COLUMN",
        group="Problem",
    ),
    Option(
        "--scale-sigma",
        "Take --sigma for known up to a factor, and find that from the residuals.",
        "off",
        group="Problem",
    ),
    MAXIMIZE._replace(help="Maximize: the expression of a row is its log-likelihood, say."),
    Option(
        "--missing",
        "A missing or bad cell is an error, or its row is skipped.",
        "error",
        "error|skip",
        one_of("error", "skip"),
        group="Data",
    ),
    Option(
        "--spool",
        "The folder for temporary files of data that do not fit into memory.",
        "the system's",
        "FOLDER",
        group="Data",
    ),
    PROBLEM[3],
)
BY = Option(
    "--by",
    "One fit for each group of rows with the same labels (texts or numbers) in these columns.",
    "one fit to all rows",
    "COLUMN[,COLUMN]",
    names,
    group="Data",
)
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
    Option(
        "--batch-size",
        "Rows a step: 1 (stochastic), 32 (mini-batch), all.",
        "a batch solve",
        "N|all",
        batch_size,
        group="Stochastic",
    ),
    Option("--epochs", "Passes over the data.", "20; book's own stop", "N", stride, group="Stochastic"),
    Option(
        "--schedule",
        "constant, decay (lr/(1+k) in epoch k, from 0), book (0.9 times after each epoch without improvement).",
        "constant",
        "NAME",
        one_of(*SCHEDULES),
        group="Stochastic",
    ),
    Option(
        "--shuffle",
        "The order of rows: blocks of 256 at random, full (each row), none.",
        "blocks",
        "ORDER",
        one_of(*SHUFFLES),
        group="Stochastic",
    ),
    Option(
        "--validate",
        "Hold back this part of the rows, and stop when their loss rises.",
        "none",
        "PART",
        part,
        group="Stochastic",
    ),
    Option("--polish", "End with a batch solve.", "off", group="Stochastic"),
)
BATCHES = (
    Option(
        "--batch-size",
        "The batch sizes, with commas: 1,32,all.",
        "1,32,all",
        "LIST",
        batch_sizes,
        group="Stochastic",
    ),
    Option(
        "--method",
        "sgd, or a method that goes by epochs; see 'gd methods'.",
        "sgd",
        "NAME",
        method_by_epochs,
        group="Stochastic",
    ),
    Option(
        "--lr",
        "One learning rate for all batch sizes.",
        "for each from the data",
        "NUMBER",
        positive,
        group="Stochastic",
    ),
    *(option for option in EPOCHS if option.name not in ("--batch-size", "--polish")),
)
PLOT_BATCHES = _plot(f"{_DRAW}: the loss against the rows visited.")
FIT_OUTPUT = (
    OUTPUT[0]._replace(help="table, json, jsonl (with the path), csv (the parameters) or plain."),
    OUTPUT[1]._replace(
        help="Print only these, tab separated: a,b,value; a.se, a.t, a.low, a.high are a's error, t and interval."
    ),
    OUTPUT[2]._replace(
        help="Print the fitted formula with its numbers as a program instead: python, c, latex, sql or awk."
    ),
    *(option for option in OUTPUT if option.name in ("--every", "--timing", "--output")),
    TRACE,
    Option(
        "--predict",
        "Write the rows as they came with one more column, 'fitted': what the model says of the left side. "
        "With - they go to standard output, in place of the answer.",
        "none",
        "FILE",
        group="Output",
    ),
    Option(
        "--residuals",
        "The same with the columns 'fitted' and 'residual', the left side less what is fitted.",
        "none",
        "FILE",
        group="Output",
    ),
    *_plot("Draw rows, curve and residuals into this file (.png, .svg, .pdf), or - in the terminal."),
)


def settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` which are fields of `gdcli.api.Settings` and were given."""
    return {o.field: values[o.field] for o in SOLVER if values.get(o.field) is not None}


def is_page(values: Mapping[str, Any]) -> bool:
    """Tell whether the answer is a page for a person, with warnings and advice, and not for a program."""
    rows = "-" in (values.get("predict"), values.get("residuals"))
    return not (values["print"] or values.get("emit") or rows) and values["format"] in (
        None,
        "table",
        "plain",
    )


def only(options: Iterable[Option], *wanted: str) -> tuple[Option, ...]:
    """Return the options of these names."""
    return tuple(o for o in options if o.name in wanted)
