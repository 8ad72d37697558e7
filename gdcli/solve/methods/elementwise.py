"""Updates that treat every variable alike: their rule as program text.

Gradient descent, momentum, Adam and their relatives do the same few operations on each component of the gradient.
Written as text in these operations (the restricted Python of :mod:`gdcli.compile.native_compiler`), a whole run of such
a method can become one loop of machine code. The text says once more what the method's class says in vector notation; a
test holds the two together, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import zeros_like
from gdcli.objective.protocol import Evaluation, Vector
from gdcli.solve.iteration import Method


class Update(NamedTuple):
    """An update as text.

    ``component`` is done for each variable: it reads the gradient's component ``g``, changes the states named in
    ``vectors`` (a number per variable) and sets ``d``, the component of the direction. ``shared`` is done once before,
    on the states named in ``scalars``, and may set more names for ``component``. ``constants`` name parameters.
    Lines are assignments; ``d`` is set last. The step is ``x + size * d``. ``value_rule`` tells that a stop rule looks
    at the change of the value. The states are zero before the first step, or the scalars what ``first`` says.
    """

    component: str
    shared: str = ""
    vectors: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    value_rule: bool = False
    first: tuple[float, ...] = ()

    def joined(self, rule: Update) -> Update:
        """Return this direction's update with the step rule's: what sets ``size``."""
        return Update(
            self.component,
            "\n".join(filter(None, (self.shared, rule.shared))),
            self.vectors,
            self.scalars + rule.scalars,
            self.constants + rule.constants,
        )


class States(NamedTuple):
    """The states of an update in the order of its text."""

    scalars: Sequence[float]
    vectors: Sequence[Vector]


class Response(NamedTuple):
    """How a rule answers a gradient g: v <- keep v - gain g, then x <- x + lr (ahead v - direct g)."""

    keep: float = 0.0
    gain: float = 0.0
    ahead: float = 0.0
    direct: float = 1.0


class Rule:
    """A direction that treats every variable alike: its text, and what is known of its steps.

    A subclass has at least ``update`` and ``direction``; its state, unless it says otherwise, is the one vector of its
    text. What else it may say is what is chosen and told of descent by batches of rows.
    """

    __slots__ = ()
    update: ClassVar[Update]
    # The usual rate for steps by batches of a rule that finds the scale of its steps by itself, else None.
    batch_rate: ClassVar[float | None] = None
    # Whether that scale is the root of the sum of all squares (of the gradient's components), not of their mean.
    sums_squares: ClassVar[bool] = False

    @property
    def stable(self) -> float | None:
        """The factor of the stable range ``stable / L`` of a fixed step, None where there is no such range."""
        return None

    @property
    def response(self) -> Response:
        """How the rule answers a gradient, for the theory of its noise."""
        return Response()

    @property
    def by_epochs(self) -> Update:
        """The text for steps after rows or batches of them, of which there are many: no powers."""
        return self.update

    def start(self, at: Evaluation) -> Any:
        return zeros_like(at.x)

    def direction(self, at: Evaluation, state: Any) -> tuple[Vector, Any]:
        """Return the direction at ``at`` (evaluated to order 1) and the new state."""
        raise NotImplementedError

    def to_states(self, state: Any) -> States:
        return States((), (state,))

    def from_states(self, states: States) -> Any:
        return states.vectors[0]


class Elementwise(NamedTuple):
    """A method as an update: its text, the values of its constants, and its state taken apart and put together."""

    update: Update
    constants: tuple[float, ...]
    method: Any

    def states(self, state: Any) -> States:
        of_direction = self.method.towards.to_states(state[0])
        return States([*of_direction.scalars, *self.method.rule.to_scalars(state[1])], of_direction.vectors)

    def state(self, states: States) -> Any:
        rule = self.method.rule
        count = len(rule.update.scalars)
        cut = len(states.scalars) - count
        of_rule = rule.from_scalars(states.scalars[cut:])
        return self.method.towards.from_states(States(states.scalars[:cut], states.vectors)), of_rule


def elementwise(method: Method) -> Elementwise | None:
    """Return a method as an elementwise update, None where it is none."""
    towards, rule = getattr(method, "towards", None), getattr(method, "rule", None)
    update, size = getattr(towards, "update", None), getattr(rule, "update", None)
    if not isinstance(update, Update) or not isinstance(size, Update):
        return None
    values = [getattr(towards, name) for name in update.constants]
    values += [getattr(rule, name) for name in size.constants]
    return Elementwise(update.joined(size), tuple(values), method)
