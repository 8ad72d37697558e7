"""The list of methods: one line each, and no method imported until it is asked for.

An entry names a method, says in one line what it is, what it needs and when to use it, which settings it reads and
where its class stands. A setting that a method does not read is an error: who writes ``--lr`` expects it to matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.status import CurvatureSource
from gdcli.objective.protocol import Objective
from gdcli.solve.algebra.quadratic_model import DIFFERENCE_LIMIT, EXACT_LIMIT, PRODUCT_LIMIT, hessian_source
from gdcli.solve.iteration import ROUNDINGS, FixedRate, Method
from gdcli.solve.scaling import OneUnit, OwnUnits
from gdcli.solve.settings import DEFAULT_TOL

if TYPE_CHECKING:
    from gdcli.solve.methods.elementwise import Rule

_HERE = "gdcli.solve."
PROJECTED = "projected L-BFGS"
KINKS = ", and kinks are smoothed where they jam it"
_OPTIONS = {"lr": "--lr", "step_rule": "--step-rule", "step_sizes": "--step-sizes"}


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """One method: its name, a line of help, what it ``needs``, when to use it, ``target`` = "module:factory".

    ``reads`` are the settings it takes beyond the stop rules. With ``own_rule`` it reads ``tol`` (and
    ``value_tol``) itself; ``default_tol`` is then its default. ``bounds`` and ``constraints`` tell that it can stay
    within them, ``free`` that it needs no constraints. ``strict`` holds its claims to the rule of `auto`.
    ``residuals``: it is for sums of squares over rows. ``polishes``: it is to find answers, not to learn, so that its
    end gets its last digits by Newton steps; `auto`, newton and lm take these themselves. ``lr`` is the usual rate of a
    rule that goes by epochs, too.
    """

    name: str
    help: str
    needs: str
    use: str
    target: str
    reads: frozenset[str] = frozenset()
    own_rule: bool = False
    default_tol: float = DEFAULT_TOL
    strict: bool = False
    bounds: bool = True
    constraints: bool = False
    free: bool = True
    residuals: bool = False
    polishes: bool = False
    lr: float | None = None

    @property
    def is_general(self) -> bool:
        """Whether it takes any function, neither sums of squares nor constraints alone."""
        return self.free and not self.residuals


class Chosen(NamedTuple):
    """A method ready to run, what it is called, and why it was chosen (`auto`) or which steps it takes.

    ``fixed`` is its step size, if that never changes and has a stable range. ``in_units``: it measures the variables
    in a unit of its own, and so does its stop rule.
    """

    method: Method
    name: str
    why: str
    entry: MethodEntry
    fixed: FixedRate | None = None
    in_units: bool = False


def _entry(
    name: str, help: str, needs: str, use: str, target: str, reads: str = "", **more: Any
) -> MethodEntry:
    return MethodEntry(name, help, needs, use, _HERE + target, frozenset(reads.split()), **more)


def _rule(name: str, help: str, lr: float, use: str, target: str) -> MethodEntry:
    """A `solve.methods.elementwise.Rule` with its usual rate, for all rows and for batches of them."""
    help = f"{help}, --lr {lr:g}"
    return MethodEntry(name, help, "gradient", use, _HERE + target, frozenset({"lr", "step_rule"}), lr=lr)


METHODS: Mapping[str, MethodEntry] = {
    entry.name: entry
    for entry in (
        _entry("auto", "trust-region Newton, or L-BFGS and Newton-CG for many variables", "gradient, Hessian",
               "always; it ends at a certified minimum or says why not", "registry:make_auto", own_rule=True,
               strict=True, constraints=True),
        _entry("newton", "Newton with a trust region", "Hessian", "few variables", "registry:make_newton",
               own_rule=True, strict=True),
        _entry("newton-cg", "Newton by conjugate gradients on Hessian-vector products", "products",
               "many variables, ill-conditioned", "registry:make_newton_cg", own_rule=True, strict=True,
               bounds=False, polishes=True),
        _entry("lm", "Levenberg-Marquardt with geodesic acceleration, Newton's method for the last digits",
               "residuals", "a sum of squares over rows of data", "methods.levenberg_marquardt:LevenbergMarquardt",
               own_rule=True, strict=True, residuals=True),
        _entry("lbfgs", "limited-memory BFGS with a strong Wolfe search", "gradient", "many variables",
               "registry:make_lbfgs", polishes=True),
        _entry("bfgs", "BFGS with a strong Wolfe search", "gradient", "few variables without a Hessian",
               "registry:make_bfgs", bounds=False, polishes=True),
        _entry("cg", "nonlinear conjugate gradients (Polak-Ribiere)", "gradient",
               "many variables and little memory", "methods.descent:make_cg", bounds=False, polishes=True),
        _entry("bb", "gradient descent with Barzilai-Borwein step sizes", "gradient",
               "many variables, cheap steps", "methods.descent:make_bb", polishes=True),
        _entry("gd", "gradient descent with a step rule", "gradient",
               "to learn, and to see what a step size does", "methods.descent:make_gd", "lr step_rule step_sizes"),
        _entry("penalty", "gradient descent on a quadratic penalty for what is broken, which is raised",
               "gradient, constraints", "to learn, and to see what multipliers are good for",
               "constrained.penalty:make_penalty", "lr step_rule step_sizes", own_rule=True, default_tol=1e-6,
               constraints=True, free=False),
        _entry("batch", "the book's minimize_batch: the best of a list of step sizes", "gradient",
               "to follow the book", "methods.descent:make_batch", "step_sizes", own_rule=True, default_tol=1e-6),
        _rule("momentum", "gradient descent with momentum 0.9", 0.001, "to learn; long valleys",
        "methods.directions:Momentum"),
        _rule("nesterov", "Nesterov's accelerated gradient, momentum 0.9", 0.001, "to learn; long valleys",
              "methods.directions:Nesterov"),
        _rule("adagrad", "a step size per variable from all past gradients", 0.5,
              "to learn; badly scaled variables", "methods.directions:AdaGrad"),
        _rule("rmsprop", "a step size per variable from recent gradients", 0.01,
              "to learn; with --step-rule decay", "methods.directions:RMSProp"),
        _rule("adam", "RMSProp with momentum", 0.01, "to learn; noisy gradients", "methods.directions:Adam"),
    )
}  # fmt: skip

# The methods of descent by rows or batches of them; sgd is plain descent.
BY_EPOCHS = ("sgd", *(entry.name for entry in METHODS.values() if entry.lr is not None))


def meant(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return the hint for a method that is none of ``names``: what it is called here, or the nearest name."""
    from gdcli.solve.method_synonyms import known_as  # only an error needs it

    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    found = known_as(plain)
    if found in METHODS:
        return f"{name[:40]} is {found} here" if found in names else otherwise
    return found or did_you_mean(plain, names, otherwise)


def find(name: str) -> MethodEntry:
    """Return the entry of a method. Raises UsageError for an unknown name."""
    entry = METHODS.get(name)
    if entry is None:
        raise UsageError(f"there is no method {name!r}", meant(name, METHODS, "'gd methods' lists them"))
    return entry


def choose(
    name: str,
    objective: Objective,
    *,
    lr: float | None = None,
    step_rule: str | None = None,
    step_sizes: tuple[float, ...] | None = None,
    tol: float | None = None,
    value_tol: float | None = None,
) -> Chosen:
    """Return the method ``name`` made from the settings (None: not given).

    ``auto`` with ``lr`` or ``step_rule`` alone means plain gradient descent. Raises UsageError for an unknown
    name, for a setting that the method does not read, and for a number that makes no sense.
    """
    if name == "auto" and (lr is not None or step_rule is not None):
        name = "gd"
    entry = find(name)
    settings: dict[str, Any] = {"lr": lr, "step_rule": step_rule, "step_sizes": step_sizes}
    settings = {k: v for k, v in settings.items() if v is not None}
    _check_reads(entry, settings)
    _check_solves(entry, objective)
    _check_numbers(lr, step_sizes)
    if entry.own_rule:
        own = value_tol if value_tol is not None and entry.name == "batch" else tol
        settings["tol"] = entry.default_tol if own is None else own
    make = _maker(entry.target)
    if make is make_auto:
        method, what, why = make(objective, **settings)
        if what == PROJECTED:  # it is held to the claims of lbfgs
            entry = replace(METHODS["lbfgs"], own_rule=True)
        return Chosen(method, what, why, entry)
    if make is make_lbfgs:
        return Chosen(make(objective), name, "", entry, in_units=True)
    if entry.lr is None:
        method = make(**settings)
    else:
        from gdcli.solve.methods.descent import at_a_rate

        method = at_a_rate(name, direction(name), entry.lr if lr is None else lr, step_rule)
    if entry.needs == "gradient":
        return _described(method, name, entry)
    return Chosen(method, name, getattr(method, "words", ""), entry, in_units=isinstance(method, OneUnit))


def _described(method: Method, name: str, entry: MethodEntry) -> Chosen:
    """Return the method with the words for its steps and, where that never changes, their size."""
    from gdcli.solve.methods.descent import Batch, Descent
    from gdcli.solve.methods.elementwise import Fixed

    inner = method.method if isinstance(method, OneUnit) else method
    words = inner.rule.words if isinstance(inner, Batch | Descent) else ""
    rate = None
    if isinstance(method, Descent) and isinstance(method.rule, Fixed) and method.towards.stable is not None:
        rate = FixedRate(method.rule.lr, method.towards.stable)
    return Chosen(method, name, words, entry, rate, in_units=inner is not method)


def _check_numbers(lr: float | None, step_sizes: tuple[float, ...] | None) -> None:
    if lr is not None and not (lr > 0.0 and isfinite(lr)):
        raise UsageError(f"--lr must be a positive number, not {lr}")
    if step_sizes is not None and not (step_sizes and all(s > 0.0 and isfinite(s) for s in step_sizes)):
        raise UsageError(
            "--step-sizes must be a list of positive numbers", "for example --step-sizes 1,0.1,0.01"
        )


def _check_reads(entry: MethodEntry, settings: Iterable[str]) -> None:
    for setting in settings:
        if setting not in entry.reads:
            readers = ", ".join(m for m, e in METHODS.items() if setting in e.reads)
            raise UsageError(
                f"the method {entry.name} does not read {_OPTIONS[setting]}",
                f"it is for the methods {readers}",
            )


def _those(suits: Callable[[MethodEntry], bool]) -> str:
    return ", ".join(name for name, entry in METHODS.items() if suits(entry))


def _check_solves(entry: MethodEntry, objective: Objective) -> None:
    if objective.is_constrained and not entry.constraints:
        able = _those(lambda one: one.constraints)
        raise UsageError(f"the method {entry.name} does not know constraints", f"these do: {able}")
    if not objective.is_constrained and not entry.free:
        hint = "gd does the same without; bounds, and what is a bound, need no penalty"
        raise UsageError(f"the method {entry.name} is for constraints, and there are none", hint)
    if objective.box is not None and not entry.bounds:
        able = _those(lambda one: one.bounds)
        raise UsageError(f"the method {entry.name} does not know bounds", f"these do: {able}")
    if entry.name == "newton" and hessian_source(objective) is CurvatureSource.NONE:
        raise UsageError(
            f"the method newton needs a Hessian matrix, too large for {objective.size} variables",
            "use newton-cg or auto",
        )
    if entry.residuals and not objective.has_residuals:
        raise UsageError(f"the method {entry.name} is for sums of squares over rows of data", "use auto")


@cache
def _maker(target: str) -> Callable[..., Any]:
    """Return what makes a method; its module is imported when it is first asked for."""
    module, name = target.split(":")
    made: Callable[..., Any] = getattr(import_module(module), name)
    return made


def make_lbfgs(objective: Objective) -> Method:
    if objective.box is not None:
        from gdcli.solve.methods.quasi_newton import ProjectedLBFGS

        return OneUnit(ProjectedLBFGS(), 0)
    from gdcli.solve.methods.quasi_newton import LBFGS

    return OneUnit(LBFGS(), 0)


def make_bfgs() -> Method:
    from gdcli.solve.methods.quasi_newton import BFGS

    return OneUnit(BFGS(), 0)


def make_newton_cg(tol: float) -> Method:
    from gdcli.solve.methods.newton_cg import NewtonCG

    return OneUnit(NewtonCG(tol), 1)


def make_newton(tol: float) -> Method:
    from gdcli.solve.methods.newton import TrustRegionNewton

    return OwnUnits(TrustRegionNewton(tol))


_WHY = {
    CurvatureSource.EXACT: "the exact Hessian is cheap for {n} variable{s}",
    CurvatureSource.PRODUCTS: "{n} Hessian-vector products make an exact Hessian",
    CurvatureSource.DIFFERENCES: "differences make a Hessian of {n} variable{s}",
}


def make_auto(objective: Objective, tol: float) -> tuple[Method, str, str]:
    """Return the method that suits the objective, its name, and the reason in words."""
    if objective.is_constrained:
        from gdcli.solve.constrained.stabilised_sqp import StabilisedSQP

        return StabilisedSQP(), "stabilised SQP", "there are constraints"
    n, source = objective.size, hessian_source(objective)
    kinks = objective.smoothed(ROUNDINGS[0]) is not None
    many, bounded = source is CurvatureSource.NONE, objective.box is not None
    if many:
        what, why = _of_many(objective, bounded)
    else:
        what, why = "trust-region Newton", _WHY[source].format(n=n, s="" if n == 1 else "s")
    method: Method
    if kinks:
        from gdcli.solve.methods.smoothing_homotopy import Smoothing

        method, why = Smoothing(tol, many, many and bounded), why + KINKS
    elif many:
        from gdcli.solve.methods.hybrid_large import large_method

        method = large_method(tol, bounded)
    else:
        from gdcli.solve.methods.newton import TrustRegionNewton

        method = TrustRegionNewton(tol)
    return OwnUnits(method), what, why


def _of_many(objective: Objective, bounded: bool) -> tuple[str, str]:
    """Return the name of the method for many variables, and the reason in words."""
    n = objective.size
    if bounded:
        return PROJECTED, f"{n} variables within bounds are too many for a Hessian matrix"
    limit = (
        EXACT_LIMIT if objective.has_hessian else PRODUCT_LIMIT if objective.has_product else DIFFERENCE_LIMIT
    )
    products = "exact Hessian-vector products" if objective.has_product else "differences of gradients"
    why = f"{n} variables are more than the {limit} of a Hessian matrix; the end is polished with {products}"
    return "L-BFGS, then Newton-CG", why


def direction(name: str) -> Rule:
    from gdcli.solve.methods.descent import Steepest

    found: Rule = Steepest() if name == "sgd" else _maker(METHODS[name].target)()
    return found
