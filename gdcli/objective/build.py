"""From a checked expression to an objective: which representation, which gradient, and when machine code takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from gdcli.compile.scalar_text import functions_of, program_text
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Space
from gdcli.language import form
from gdcli.language.form import Form
from gdcli.language.syntax import Tree
from gdcli.objective.expression import EXPAND_SIZE, HESSIAN_SIZE, FormObjective, ScalarObjective

if TYPE_CHECKING:
    from gdcli.compile.update_rules import Update
    from gdcli.language.graph import Key
    from gdcli.objective.complex_objective import ComplexObjective
    from gdcli.objective.difference_objective import DifferenceObjective
    from gdcli.objective.function_objective import FunctionObjective
    from gdcli.objective.native_objective import Loop
    from gdcli.objective.vector_expression import VectorObjective

ENGINES = ("auto", "python", "numpy", "native")
GRADIENTS = ("autodiff", "symbolic", "forward", "central", "complex")

# A larger expanded program takes longer to write and compile than numpy to import.
EXPAND_NODES = 3000
# Machine code of a long vector saves about 2 ns an element and call, and takes 100 ms to load.
NATIVE_SIZE = 300_000
# A program that names more variables one by one (few elements of a long vector) is slower than an array.
SCALAR_SIZE = 2000

Exact: TypeAlias = "ScalarObjective | VectorObjective | FunctionObjective"
# What makes an objective: ``build_objective``, or what stands in for it.
Build = Callable[[Tree, Mapping[str, int | None], Mapping[str, Any], int], Exact]


def build_objective(
    tree: Tree,
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Any],
    sign: int,
    engine: str = "auto",
    use_cache: bool = True,
) -> Exact:
    """Return the objective with exact derivatives; long vectors stay vectors, short ones become scalars.

    ``sign`` is -1 to minimise the negative. ``engine`` is one of `ENGINES`; ``auto`` takes machine code for very long
    vectors. Raises UsageError for what does not fit together, NoMachineCodeError where machine code is asked for and
    cannot be had.
    """
    check_engine(engine)
    space = Space(lengths)
    compact = form.build(tree, lengths, constants)
    if engine == "numpy":
        if compact.is_scalar:
            raise UsageError(
                "the engine numpy is for vectors, and this expression has none", "leave out --engine"
            )
        return _vectors(compact, space, sign)
    if is_scalar(compact, space):
        return ScalarObjective(compact, space, sign)
    most = (HESSIAN_SIZE, 10 * EXPAND_NODES) if engine == "python" else (EXPAND_SIZE, EXPAND_NODES)
    if is_expanded(compact, space, *most):
        return ScalarObjective(form.build(tree, lengths, constants, expand=True), space, sign)
    if engine == "python":
        raise UsageError(
            f"the engine python is for up to {most[0]} variables and short vectors", "use --engine numpy"
        )
    long = _vectors(compact, space, sign, engine == "native" or space.size >= NATIVE_SIZE, use_cache)
    if engine == "native" and long.engine != "native":
        raise UsageError(
            "there is no machine code for products, extremes or every other element of long vectors",
            "use --engine numpy",
        )
    return long


def _vectors(
    compact: Form, space: Space, sign: int, native: bool = False, use_cache: bool = True
) -> VectorObjective:
    from gdcli.objective.vector_expression import VectorObjective

    return VectorObjective(compact, space, sign, native, use_cache)


def check_engine(engine: str) -> None:
    """Raise UsageError for an unknown engine, NoMachineCodeError for machine code that cannot be had."""
    if engine not in ENGINES:
        raise UsageError(
            f"unknown engine {engine}", did_you_mean(engine, ENGINES, f"one of {', '.join(ENGINES)}")
        )
    if engine == "native":
        from gdcli.compile import machine_code

        machine_code.required()


def tier_of(exact: Exact, engine: str, use_cache: bool, whole: bool = True) -> ScalarTier | None:
    """Return the machine code that stands by for long runs on ``exact``, None where there is to be none.

    ``whole`` tells that a run evaluates ``exact`` itself, not something around it.
    """
    if engine not in ("auto", "native") or not isinstance(exact, ScalarObjective):
        return None
    return ScalarTier(exact, whole=whole, at_once=engine == "native", use_cache=use_cache)


def is_scalar(compact: Form, space: Space) -> bool:
    """Tell whether the objective is a program of scalars as its Form stands."""
    return compact.is_scalar and space.size <= SCALAR_SIZE


def is_expanded(compact: Form, space: Space, size: int = EXPAND_SIZE, nodes: int = EXPAND_NODES) -> bool:
    """Tell whether its vectors become scalars, being short enough."""
    return space.size <= size and form.size_when_expanded(compact) <= nodes


def with_gradient(
    exact: Exact,
    gradient: str,
    h: float | None,
    constants: Mapping[str, Any],
    sign: int,
    sizes: Callable[[], Sequence[float]] | None = None,
) -> Exact | DifferenceObjective | ComplexObjective:
    """Return an objective with the gradient that was asked for; ``exact`` itself for ``autodiff``.

    ``sizes`` gives those of the variables, for the steps of difference quotients.
    Raises UsageError for an unknown gradient, and for ``h`` where no difference is taken.
    """
    if gradient not in GRADIENTS:
        raise UsageError(
            f"unknown gradient {gradient}",
            did_you_mean(gradient, GRADIENTS, f"one of {', '.join(GRADIENTS)}"),
        )
    if h is not None and gradient not in ("forward", "central"):
        raise UsageError(
            f"--h is the step of difference quotients, and --gradient {gradient} takes none",
            "use --gradient forward or central",
        )
    if h is not None and not 0 < h < float("inf"):
        raise UsageError(f"--h must be a positive number, not {h:g}")
    if gradient == "autodiff":
        return exact
    if gradient in ("forward", "central"):
        from gdcli.objective.difference_objective import DifferenceObjective

        return DifferenceObjective(exact, gradient, h, None if sizes is None else sizes())
    if not isinstance(exact, FormObjective):
        raise UsageError(
            f"a function has no formula, and so no {gradient} gradient",
            "give its gradient, or leave it out for difference quotients",
        )
    if gradient == "symbolic":
        return _symbolic(exact, constants, sign)
    from gdcli.objective.complex_objective import ComplexObjective

    return ComplexObjective(exact, constants, sign)


def _symbolic(
    exact: ScalarObjective | VectorObjective, constants: Mapping[str, Any], sign: int
) -> ScalarObjective:
    """An objective whose gradient is sympy's formulas, and whose Hessian their exact derivatives."""
    from gdcli.calculus.symbolic import SympyExpression, to_graph

    space, tree = exact.space, exact.form.tree
    formula = SympyExpression(tree, space.lengths, constants)
    scalar = exact.form if exact.form.is_scalar else form.build(tree, space.lengths, constants, expand=True)
    plain = ScalarObjective(scalar, space, sign)
    leaves = {str(symbol): node for symbol, node in zip(formula.symbols, plain.nodes, strict=True)}
    nodes = [to_graph(derivative, scalar.graph, leaves) for derivative in formula.gradient()]
    return ScalarObjective(scalar, space, sign, nodes)


# -- machine code ------------------------------------------------------------------------------------------------------

INF = float("inf")

# Seconds that loading takes: when the code is on disk, and when it has to be compiled, at least or by its size.
KEPT, COMPILED, A_NODE = 0.06, 0.15, 4e-4
# Larger programs are not compiled: for a second nobody would hear an interrupt.
MOST_NODES = 2500
# A smaller program gains nothing: a call of machine code costs as much as thirty operations of CPython.
LEAST_NODES = 40


class ScalarTier:
    """The machine code of a `ScalarObjective`.

    ``whole`` tells that the run evaluates this very objective, so that whole steps can be taken; with ``at_once`` the
    code is loaded as soon as the run begins. ``engine`` names what ran: python, or native after `load`.
    """

    def __init__(
        self, objective: ScalarObjective, *, whole: bool = True, at_once: bool = False, use_cache: bool = True
    ) -> None:
        self.objective = objective
        self.whole = whole
        self.at_once = at_once
        self.use_cache = use_cache
        self.engine = "python"
        self.first_look = 0.0 if at_once else KEPT
        self._text, self._nodes = "", 0
        self._programs: dict[str, _Program] = {}

    def worth_after(self, update: Update | None, watched: bool = False) -> float:
        """Return the seconds after which a run is worth the loading; inf when there is nothing to load.

        ``watched`` tells that a stop rule looks at the change of the value.
        """
        from gdcli.compile import machine_code

        if not self._write(update, watched) or not machine_code.is_installed():
            return INF
        if self.at_once:
            return 0.0
        kept = machine_code.is_likely_kept(self._text, use_cache=self.use_cache)
        return KEPT if kept else max(COMPILED, A_NODE * self._nodes)

    def load(self, update: Update | None) -> Loop | None:
        """Load what `worth_after` has looked at; the result takes steps of ``update``."""
        from gdcli.compile import machine_code
        from gdcli.objective.native_objective import Loop, NativeProgram

        if not machine_code.is_available():
            return None
        try:
            library = machine_code.load(self._text, use_cache=self.use_cache)
        except (
            Exception
        ):  # whatever is wrong with it, a run that goes well without machine code goes on without it
            if self.at_once:
                raise
            return None
        self.engine = "native"
        if update is not None and self.whole:
            return Loop(library, self.objective, update)
        self.objective.replace_programs(
            {
                name: NativeProgram(library, name, len(made.nodes), len(made.leaves))
                for name, made in self._programs.items()
            }
        )
        return None

    def _write(self, update: Update | None, watched: bool) -> str:
        """Write the text: a loop, or the programs in use that are long enough to gain by it."""
        from gdcli.compile.descent_loops import loop_text

        objective = self.objective
        graph, leaves = objective.form.graph, objective.leaves
        roots = [objective.root, *objective.gradient_nodes]
        if update is not None and self.whole:
            self._nodes = len(graph.reach(tuple(roots)))
            if self._nodes <= MOST_NODES:
                self._text = loop_text(
                    graph, objective.root, objective.gradient_nodes, leaves, update, watched
                )
            return self._text
        least = 0 if self.at_once else LEAST_NODES
        for name, function in objective.programs_in_use().items():
            nodes = len(graph.reach(tuple(function.roots)))
            if least <= nodes and self._nodes + nodes <= MOST_NODES:
                self._nodes += nodes
                self._programs[name] = _Program(function.roots, function.leaves)
        if self._programs:
            operations: set[str] = set()
            for program in self._programs.values():
                operations |= graph.operations(program.nodes)
            texts = (program_text(name, graph, p.nodes, p.leaves) for name, p in self._programs.items())
            self._text = functions_of(operations) + "".join(texts)
        return self._text


class _Program(NamedTuple):
    nodes: Sequence[int]
    leaves: Mapping[Key, str]
