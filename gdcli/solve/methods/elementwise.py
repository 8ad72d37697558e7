"""Updates that treat every variable alike: their rule is a text (:mod:`gdcli.compile.update_rules`), written once.

In CPython the text is a function of lists or of arrays, and the loop of a long run becomes machine code. A test holds
them together, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gdcli.compile.update_rules import Update, program
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, same, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.step_rules import Choice


class States(NamedTuple):
    """The states of an update in the order of its text."""

    scalars: Sequence[float]
    vectors: Sequence[Vector]


class Written:
    """What a text says once: an update, or a step size. Its constants are fields of the subclass.

    Of no states of the text the state is None, of one it is that, of more it is of the class ``kept``, which has them
    in order.
    """

    __slots__ = ()
    update: ClassVar[Update]
    kept: ClassVar[type]

    def on_lists(self, g: Vector, state: object) -> tuple[Any, Any]:
        """Return what the text makes of a gradient, a `Vec`, and the state; and the new state."""
        return self._made("on_lists", program(self.update, arrays=False))(self, g, state)

    def on_arrays(self, g: Vector, state: object) -> tuple[Any, Any]:
        return self._made("on_arrays", program(self.update, arrays=True))(self, g, state)

    @classmethod
    def _made(cls, name: str, made: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
        """Put what was made of the text in the place of the method that has made it."""
        setattr(cls, name, made)
        return made

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(getattr(self, name) for name in self.update.constants)

    def to_states(self, state: Any) -> States:
        count, scalars = len(self.update.states), len(self.update.scalars)
        every = () if not count else (state,) if count == 1 else state
        return States(every[:scalars], every[scalars:])

    def from_states(self, states: States) -> Any:
        every = (*states.scalars, *states.vectors)
        return None if not every else every[0] if len(every) == 1 else self.kept(*every)


class Response(NamedTuple):
    """How a rule answers a gradient g: v <- keep v - weight g, then x <- x + lr (ahead v - direct g)."""

    keep: float = 0.0
    weight: float = 0.0
    ahead: float = 0.0
    direct: float = 1.0


class Rule(Written):
    """A direction that treats every variable alike: its text, and what is known of its steps.

    A subclass has at least ``update``. What else it may say is what is chosen and told of descent by batches of rows.
    """

    __slots__ = ()
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
        return Response()

    def start(self, at: Evaluation) -> Any:
        return self.from_states(States(self.update.start, [zeros_like(at.x) for _ in self.update.vectors]))

    def direction(self, at: Evaluation, state: object) -> tuple[Vector, Any]:
        """Return the direction at ``at`` (evaluated to order 1) and the new state."""
        g = at.gradient
        return self.on_lists(g, state) if isinstance(g, list) else self.on_arrays(g, state)


class FixedStep(Written):
    __slots__ = ()

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: object
    ) -> Choice:
        """Return the point one step away; none when the step is lost in the rounding of x."""
        size, state = self.on_lists(None, state)
        x = along(at.x, size, direction)
        if same(x, at.x):
            return Choice(None, size, state, StopReason.FLOOR)
        return Choice(objective.evaluate(x, order), size, state)


@dataclass(frozen=True, slots=True)
class Fixed(FixedStep):
    """The same step size (learning rate) always: ``x + lr * direction``."""

    lr: float
    update: ClassVar = Update("", "size = lr", constants=("lr",))

    @property
    def words(self) -> str:
        return f"fixed step {self.lr:g}"

    def start(self) -> None:
        """Return the state, which is none."""


@dataclass(frozen=True, slots=True)
class DecayRule(FixedStep):
    """A step size that shrinks with the number k of steps taken: ``lr / (1 + k / horizon)``.

    Inverse-time decay fulfils the conditions of Robbins and Monro (Annals of Mathematical Statistics 22,
    1951): the sizes sum to infinity, so that any distance can be covered, and their squares do not, so that
    noise dies out.
    """

    lr: float
    horizon: float = 100.0
    update: ClassVar = Update(
        "",
        "size = lr / (1.0 + taken_sizes / horizon)\ntaken_sizes = taken_sizes + 1.0",
        scalars=("taken_sizes",),
        constants=("lr", "horizon"),
    )

    @property
    def words(self) -> str:
        return f"decay lr/(1+k/{self.horizon:g}) from {self.lr:g}"

    def start(self) -> float:
        return 0.0


class Elementwise(NamedTuple):
    """A method as an update: its text, the values of its constants, and its state taken apart and put together."""

    update: Update
    constants: tuple[float, ...]
    towards: Rule
    sizes: FixedStep

    def states(self, state: Any) -> States:
        of_direction, of_size = self.towards.to_states(state[0]), self.sizes.to_states(state[1])
        return States([*of_direction.scalars, *of_size.scalars], of_direction.vectors)

    def state(self, states: States) -> Any:
        cut = len(self.towards.update.scalars)
        of_size = self.sizes.from_states(States(states.scalars[cut:], ()))
        return self.towards.from_states(States(states.scalars[:cut], states.vectors)), of_size
