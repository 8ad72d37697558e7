"""What each command takes: a class whose bases are its groups of options, with what is its own."""

from __future__ import annotations

from gdcli.cli import option_values as read
from gdcli.cli import options as groups
from gdcli.cli.option_rows import Options, argument, arguments, option, optional_argument
from gdcli.cli.options import OutputOptions, PictureOptions
from gdcli.render.formats import Shape

# fmt: off
_DRAW = "Draw a picture into this file (.png, .svg, .pdf), or - in the terminal"
_STORED = "A stored answer; '-' reads it from standard input."


class MinimizeOptions(groups.ConstrainedOptions, groups.StartsOptions, groups.MethodOptions, groups.StoppingOptions,
        groups.EngineOptions, groups.CheckpointOptions, OutputOptions, groups.SensitivityOptions,
        groups.TraceOptions, groups.WatchOptions, groups.PlanePictureOptions):
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


class GradientOptions(groups.GradientOptions, groups.ExaminedOptions, groups.GradientOutputOptions, groups.CapsOptions,
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


class FitOptions(groups.FitDataOptions, groups.GroupsOptions, groups.FitMethodOptions,
        groups.StoppingOptions, groups.EpochsOptions, groups.FitEngineOptions, groups.CheckpointOptions,
        groups.FitOutputOptions, PictureOptions):
    plot = PictureOptions.plot.but("Draw rows, curve and residuals into this file (.png, .svg, .pdf), or - in the "
        "terminal.")


class RunOptions(groups.JobsOptions, groups.ComparisonOutputOptions):
    file = argument("FILE", "A problem file; '-' reads it from standard input.")
    names = arguments("NAME", "The problems to solve; without a name, all.")
    format = OutputOptions.format.but(default="table; of a stream jsonl")


class ResumeOptions(groups.StoppingOptions, groups.EpochsOptions, groups.CheckpointOptions, OutputOptions,
        groups.TraceOptions,
        without="tol gradient_tol step_tol value_tol batch_size schedule shuffle validate polish checkpoint emit "
        "show_gradient"):
    file = argument("FILE", "A checkpoint, written by --checkpoint.")
    max_iter = groups.StoppingOptions.max_iter.but(default="as before")
    max_evaluations = groups.StoppingOptions.max_evaluations.but(default="as before")
    max_time = groups.StoppingOptions.max_time.but(default="as before")
    max_memory = groups.StoppingOptions.max_memory.but(default="as before")
    target = groups.StoppingOptions.target.but(default="as before")
    epochs = groups.EpochsOptions.epochs.but(default="as before")


class ShowOptions(OutputOptions, groups.PlanePictureOptions, without="print emit show_gradient"):
    file = argument("FILE", _STORED)
    format = groups.format_in(*groups.shaped(Shape.PAGE))
    plot = PictureOptions.plot.but(
        "Draw the picture of the run into this file (.png, .svg, .pdf), or - in the terminal; of a "
        "result without its path start and answer.")


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
    command_name = optional_argument("COMMAND", "One command, or json or lessons; without it, all.")


class CompletionOptions(Options):
    shell = argument("SHELL", "bash, zsh or fish.")
    words = arguments("WORD", "For the scripts themselves.")
