"""What is asked of a fit: the model, the data, and how rows count; texts as they are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, Reader, dataclass, field, fields, stored
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.language.losses import LOSSES, Numbers
from gdcli.language.model_text import columns_told
from gdcli.solve.settings import PATIENCE, EpochSettings
from gdcli.tasks.option_names import loss_here
from gdcli.tasks.problem import Problem

if TYPE_CHECKING:
    from gdcli.language.row_condition import Levels
    from gdcli.table.text_columns import DateForm

MISSING = ("error", "skip")
# The losses whose errors are sums over rows, wherever these are.
_OF_PARTS = (None, "squared", "absolute", "huber", "logistic", "poisson")
# The start that is searched for.
AUTO = "auto"
# So many folds find the strength of a penalty where nothing is said.
FOLDS = 10
# The intervals of parameters: by their standard errors, by the profile of the likelihood.
WALD, PROFILE, BOOTSTRAP = "wald", "profile", "bootstrap"
INTERVALS = (WALD, PROFILE, BOOTSTRAP)
# What the bootstrap draws: the first where nothing is said.
RESAMPLED = ("residual", "case", "parametric")
SAMPLES, FEWEST_SAMPLES = 2000, 20
# Options that exclude others, each with what to do.
_PARTS, _ONE = "--cluster and --partitions", "leave out one of them"
_SIGMA = "a weight w is a standard deviation of 1/sqrt(w) in unknown units, a sigma is one in known units"
_EXCLUDED = (
    ("--l2 auto", ("--prior", "--by", _PARTS), "give it a number"),
    *((option, ("--sigma-x", "--share", "--model"), _ONE) for option in ("--l2", "--prior")),
    ("--sigma-x", (_PARTS,), _ONE),
    ("--by", (_PARTS,), _ONE),
    ("--share", ("--cluster",), _ONE),
    ("--derive", ("--share",), _ONE),
    ("--subject-to", ("--by",), "fit one group, or leave out one of them"),
    ("--contour", ("--by", _PARTS, "--subject-to"), _ONE),
    ("--diagnostics", ("--by", "--model", _PARTS), _ONE),
    ("--weights", ("--sigma",), _SIGMA),
    ("--sigma", ("--scale",), "a known sigma is the scale"),
    ("--huber-delta", ("--scale",), "delta is 1.345 times the scale"),
)


@stored()
@dataclass(frozen=True, slots=True)
class FitRequest:
    """A fit as asked for; the texts are those after the options of the same names.

    ``files`` are paths, globs, or ``-`` for standard input; ``data`` has columns at hand instead, arrays by name.
    ``by`` are the columns whose labels make groups, each with a fit of its own, but for parameters that they ``share``.
    ``cluster`` is the address of what computes it, ``partitions`` the number of those that the rows are read in.
    """

    model: str
    files: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    let: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    subject_to: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    no_header: bool = False
    decimal: str = "."
    sheet: str | None = None
    dates: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    loss: str | None = None
    huber_delta: float | None = None
    quantile: float | None = None
    scale: str | float | None = None
    dof: float | None = None
    theta: str | float | None = None
    trials: str | None = None
    l2: str | float | None = None
    folds: int | None = None
    prior: tuple[str, ...] = ()
    diagnostics: bool = False
    weights: str | None = None
    sigma: str | None = None
    sigma_x: tuple[str, ...] = ()
    scale_sigma: bool = False
    maximize: bool = False
    missing: str = "error"
    spool: str | None = None
    seed: int = 0
    source: str = ""
    data: Mapping[str, Any] | None = None
    by: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    intervals: str = WALD
    level: float | None = None
    samples: int | None = None
    resample: str | None = None
    derive: tuple[str, ...] = ()
    contour: tuple[str, ...] = ()
    cluster: str | None = None
    partitions: int | None = None

    @property
    def is_partitioned(self) -> bool:
        return self.partitions is not None or (self.cluster is not None and not self.by)

    @classmethod
    def from_store(cls, content: Mapping[str, Any], read: Reader) -> FitRequest:
        """Return what was kept, once with a field that is one of the settings."""
        return cls(**{name: read(part) for name, part in content.items() if name != "no_cache"})

    @property
    def sign(self) -> int:
        """1 where the sum over the rows is minimized, -1 where it is maximized."""
        return -1 if self.maximize else 1

    def check(self) -> None:
        """Raise UsageError for options that exclude each other or make no sense together."""
        self._check_loss()
        self._check_weighting()
        if self.missing not in MISSING:
            raise UsageError(f"--missing is one of {', '.join(MISSING)}, not {self.missing}")
        if self.share and not self.by:
            raise UsageError("--share is for groups", "add --by COLUMN; without it all parameters are shared")
        self._check_strength()
        self._check_together()
        if self.files.count("-") > 1:
            raise UsageError("standard input is given twice", "one - is enough")
        self._check_intervals()

    def _check_strength(self) -> None:
        is_searched = self.l2 == AUTO
        if self.l2 is not None and not is_searched and not 0.0 <= float(self.l2) < float("inf"):
            raise UsageError(f"--l2 must be a number of 0 or more, or auto, not {float(self.l2):g}")
        if self.folds is not None and not is_searched:
            raise UsageError("--folds find the strength of --l2", "add --l2 auto")
        if self.folds is not None and self.folds < 2:
            raise UsageError("--folds takes 2 or more", "--folds 10")

    def _check_together(self) -> None:
        """Raise UsageError for options that exclude each other."""
        asked: dict[str, object] = {
            f"--{name.replace('_', '-')}": getattr(self, name)
            for name in (
                *("by", "cluster", "contour", "derive", "diagnostics", "huber_delta", "l2", "prior"),
                *("scale", "share", "sigma", "sigma_x", "subject_to", "weights"),
            )
        }
        intervals = f"--intervals {self.intervals}"
        asked |= {_PARTS: self.is_partitioned, "--model": self.models, "--l2 auto": self.l2 == AUTO}
        asked[intervals] = self.intervals != WALD
        for option, others, hint in (*_EXCLUDED, (intervals, ("--share", "--subject-to"), _ONE)):
            for other in others if asked[option] else ():
                if asked[other]:
                    raise UsageError(f"{option} does not go with {other}", hint)

    def _check_loss(self) -> None:
        if self.loss is not None and self.loss not in LOSSES:
            hint = loss_here(self.loss) or did_you_mean(self.loss, LOSSES, f"one of {', '.join(LOSSES)}")
            raise UsageError(f"unknown loss {self.loss}", hint)
        if self.huber_delta is not None and self.loss != "huber":
            raise UsageError("--huber-delta is for --loss huber", "add --loss huber, or leave it out")
        if self.huber_delta is not None and not 0.0 < self.huber_delta < float("inf"):
            raise UsageError(f"--huber-delta must be a positive number, not {self.huber_delta:g}")
        for name in ("quantile", "scale", "dof", "theta", "trials"):
            self._check_number(name, getattr(self, name))
        self._check_numbers()

    def _check_number(self, name: str, value: object) -> None:
        """Raise UsageError for a number of a loss that does not read it, or that is none of its."""
        if value is None:
            return
        if name not in LOSSES[self.loss or "squared"].reads:
            readers = [other.name for other in LOSSES.values() if name in other.reads]
            raise UsageError(f"--{name} is for --loss {' or '.join(readers)}", "add it, or leave it out")
        if isinstance(value, float) and not 0.0 < value < float("inf"):
            raise UsageError(f"--{name} must be a positive number, not {value:g}")

    def _check_numbers(self) -> None:
        if self.quantile is not None and not self.quantile < 1.0:
            raise UsageError(
                f"--quantile must lie between 0 and 1, not {self.quantile:g}", "--quantile 0.9 has 90 % below"
            )
        if self.loss == "binomial" and not self.trials:
            raise UsageError(
                "--loss binomial needs the number of trials of each row",
                "--trials COLUMN; labels of single trials are for --loss logistic",
            )
        apart = self.scale is None and self.l2 is None and not self.prior
        if self.is_partitioned and not (apart and self.loss in _OF_PARTS):
            what = f"--loss {self.loss}" if self.loss not in _OF_PARTS else "--scale, --l2 or --prior"
            raise UsageError(f"{what} does not go with --cluster and --partitions", "leave out one of them")

    def _check_intervals(self) -> None:
        if self.level is not None:
            check_level(self.level)
        if self.intervals not in INTERVALS:
            hint = did_you_mean(self.intervals, INTERVALS)
            raise UsageError(f"--intervals is one of {', '.join(INTERVALS)}, not {self.intervals}", hint)
        self._check_bootstrap()
        self._check_contour()

    def _check_contour(self) -> None:
        hint, names = "name two parameters, for example --contour a,b", self.contour
        if names and len(names) != 2:
            raise UsageError(f"--contour is of two parameters, not {len(names)}", hint)
        if names and names[0] == names[1]:
            raise UsageError(f"--contour has {names[0]} twice", hint)

    def _check_bootstrap(self) -> None:
        for option, value in (("--samples", self.samples), ("--resample", self.resample)):
            if value is not None and self.intervals != BOOTSTRAP:
                raise UsageError(f"{option} is for --intervals bootstrap", "add it, or leave it out")
        if self.resample is not None and self.resample not in RESAMPLED:
            hint = did_you_mean(self.resample, RESAMPLED)
            raise UsageError(f"--resample is one of {', '.join(RESAMPLED)}, not {self.resample}", hint)
        if self.samples is not None and self.samples < FEWEST_SAMPLES:
            told = f"{self.samples} samples tell no interval"
            raise UsageError(told, f"--samples {SAMPLES} is usual, {FEWEST_SAMPLES} the least")

    def _check_weighting(self) -> None:
        if self.scale_sigma and not self.sigma:
            raise UsageError("--scale-sigma is for --sigma", "add --sigma 0.1, or a column, or leave it out")
        if self.sigma_x and self.loss not in (None, "squared"):
            raise UsageError(
                f"--sigma-x does not go with --loss {self.loss}", "errors in columns are for sums of squares"
            )
        if self.sigma and self.loss not in (None, "squared", "absolute", "huber", "quantile"):
            raise UsageError(f"--sigma has no meaning for --loss {self.loss}", "use --weights")


def check_level(level: float) -> None:
    """Raise UsageError for a level of confidence that is none."""
    if not 0.0 < level < 1.0:
        hint = f"for {level:g} % write {level / 100.0:g}" if 1.0 < level < 100.0 else "for example 0.95"
        raise UsageError(f"--level is a probability between 0 and 1, not {level:g}", hint)


@dataclass(frozen=True, slots=True)
class FitSettings(EpochSettings):
    """How a fit is to be solved: by epochs where something is told of these, else by a batch solve, on all rows.

    ``validate`` is the part of the rows held back, ``polish`` ends a run by epochs with a batch solve.
    """

    shuffle: str | None = None
    validate: float | None = None
    polish: bool = False

    @property
    def is_stochastic(self) -> bool:
        """Whether the rows are visited epoch by epoch."""
        given = (self.batch_size, self.epochs, self.schedule, self.shuffle, self.validate)
        patient = self.patience != PATIENCE
        return self.method == "sgd" or self.polish or patient or any(value is not None for value in given)

    def check(self) -> None:
        """Raise UsageError for other gradients, an engine that there is not, or one that does not do what is asked."""
        if self.gradient != "autodiff" or self.h is not None:
            raise UsageError("gd fit has exact gradients only", "leave out --gradient and --h")
        if self.engine == "auto":
            return
        from gdcli.objective.build import check_engine

        check_engine(self.engine)
        if self.engine == "python" and (not self.is_stochastic or self.batch_size == 0):
            raise UsageError(
                "the engine python is for steps by some of the rows",
                "leave out --engine, or add --batch-size 1",
            )


class Prior(NamedTuple):
    """What is known of a parameter before: it is normal, of a mean and a standard deviation."""

    name: str
    mean: float
    deviation: float


class Searched(NamedTuple):
    """How a start was found: points ``tried`` for how many ``starts``, and how many of these ended at the best end.

    ``next_best`` is the sum of squares of the next best end over that of the best, None where there is no other.
    """

    tried: int
    starts: int
    agreeing: int
    next_best: float | None = None


@stored()
@dataclass(frozen=True, slots=True)
class FitProblem(Problem):
    """A fit made ready: the expression is the model, the start has every parameter.

    ``loss`` is empty for a typed loss, ``numbers`` are its own; one of them is ``estimated`` ("": none is), and
    ``found`` already where it is not None; ``scaled`` tells that a scale is given or estimated. ``linear`` tells that
    the model is linear in its parameters, ``searched`` how the start was found (None: it was given). With
    shared parameters the start has these, ``own_start`` those that each group, ``by`` columns, has for its own.
    """

    files: tuple[str, ...] = ()
    loss: str = "squared"
    weights: str | None = None
    sigma: str | None = None
    sigma_x: Mapping[str, str] = field(default_factory=dict)
    scale_sigma: bool = False
    huber_delta: float | None = None
    numbers: Numbers = Numbers()
    estimated: str = ""
    found: float | None = None
    trials: str | None = None
    l2: float | None = None
    folds: int | None = None
    strengths: tuple[tuple[float, float], ...] = ()
    priors: tuple[Prior, ...] = ()
    scaled: bool = False
    diagnostics: bool = False
    kept_rows: tuple[str, ...] = ()
    categories: Mapping[str, Levels] = field(default_factory=dict)
    dates: Mapping[str, DateForm] = field(default_factory=dict)
    matrices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    linear: bool = False
    searched: Searched | None = None
    by: tuple[str, ...] = ()
    own_start: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    intervals: str = WALD
    level: float | None = None
    samples: int = SAMPLES
    resample: str = RESAMPLED[0]
    derive: tuple[str, ...] = ()
    contour: tuple[str, ...] = ()

    @property
    def told_level(self) -> float:
        from gdcli.judge.statistics import LEVEL

        return LEVEL if self.level is None else self.level

    def _number(self, name: str) -> float | None:
        """A number of the loss, None of one that it does not read."""
        read = bool(self.loss) and name in LOSSES[self.loss].reads
        return float(getattr(self.numbers, name)) if read else None

    @property
    def quantile(self) -> float | None:
        return self._number("quantile")

    @property
    def scale(self) -> float | None:
        return self._number("scale") if self.scaled else None

    @property
    def dof(self) -> float | None:
        return self._number("dof")

    @property
    def theta(self) -> float | None:
        return self._number("theta")


def read_matrices(texts: Sequence[str], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each data matrix: ``X=x*`` or ``X=x1|x2|z*``, patterns of column names.

    Raises UsageError, with the place in the text, for what is no such thing, and for patterns without a column.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, patterns = text.partition("=")
        name, span = name.strip(), Span(text, 0, len(text), "--columns")
        if not name.isidentifier() or not patterns.strip():
            hint = 'for example --columns "X=x*"; names of columns have commas between them: --columns x,y'
            raise UsageError("--columns takes NAME=PATTERN", hint, span)
        if name in names:
            raise UsageError(f"{name} is a column of the data already", "give the matrix another name", span)
        if name in found:
            raise UsageError(f"--columns gives {name} twice", 'join the patterns: "X=x*|z*"', span)
        from fnmatch import fnmatchcase

        wanted = [pattern.strip() for pattern in patterns.split("|")]
        chosen = [n for n in names if n and any(fnmatchcase(n, pattern) for pattern in wanted)]
        empty = next((p for p in wanted if not any(n and fnmatchcase(n, p) for n in names)), None)
        if empty is not None:
            raise UsageError(f"no column is called {empty}", _columns_meant(name, empty, names), span)
        found[name] = tuple(chosen)
    return found


def _columns_meant(matrix: str, pattern: str, names: Sequence[str]) -> str:
    """The hint for a pattern that fits no column: what separates patterns, or the nearest name."""
    joined = "|".join(pattern.replace(",", " ").split())
    hint = f'join the patterns: "{matrix}={joined}"' if "|" in joined else columns_told(names)
    return did_you_mean(pattern, names, hint)


def request_from(
    model: str, data: Any, start: Any, options: Mapping[str, Any]
) -> tuple[FitRequest, FitSettings]:
    """Return what is asked for, from values at hand; see `gdcli.api.fit`. Raises UsageError for an unknown option."""
    from gdcli.tasks.python_problem import checked_options, columns_at_hand

    asked = {f.name for f in fields(FitRequest)} - {"model", "files", "data", "start"}
    known = {f.name for f in fields(FitSettings)}
    options = checked_options(options, sorted(asked | known), ["start"])
    texts: dict[str, Any] = {k: v for k, v in options.items() if k in asked}
    several = ("let", "subject_to", "by", "share", "models", "prior", "derive", "rows", "dates")
    for name in {"constants", "bounds", "columns", "sigma_x", *several} & set(texts):
        texts[name] = _texts(texts[name])
    if isinstance(texts.get("contour"), str):
        texts["contour"] = texts["contour"].split(",")
    texts["contour"] = tuple(str(name).strip() for name in texts.get("contour", ()))
    if start is not None:
        texts["start"] = _texts(start)
    for name in {"weights", "sigma"} & set(texts):
        texts[name] = repr(float(texts[name])) if isinstance(texts[name], (int, float)) else texts[name]
        if not isinstance(texts.get(name, ""), str):
            raise UsageError(
                f"{name} is a number, the name of a column, or an expression of columns",
                f'make the numbers a column of the data, and give its name: {name}="{name[0]}"',
            )
    data = columns_at_hand(data)
    texts["data" if isinstance(data, Mapping) else "files"] = (
        data if isinstance(data, Mapping) else tuple(data)
    )
    return FitRequest(model, **texts), FitSettings(**{k: v for k, v in options.items() if k in known})


def _texts(given: Any) -> tuple[str, ...]:
    """Values by name as they are typed; texts stay what they are."""
    if not isinstance(given, Mapping):
        return (given,) if isinstance(given, str) else tuple(given)
    return tuple(f"{name}={_typed(value)}" for name, value in given.items())


def _typed(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):  # a pair of bounds
        return ":".join("" if end is None or abs(end) == float("inf") else repr(float(end)) for end in value)
    if hasattr(value, "__len__"):
        return f"[{','.join(repr(float(v)) for v in value)}]"
    return repr(float(value))
