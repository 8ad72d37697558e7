"""Which parameters of a fit cannot be told apart, in words.

Where the columns of the Jacobian depend on each other, the parameters can be moved together without any change of the
fit. A singular value that is zero finds that; what the words need is the *combination* that does matter. In ``a*c*x``
it is ``a*c``: a step changes nothing where the relative changes of a and c cancel. In ``(a+c)*x`` it is ``a+c``, where
the changes themselves do. Near one point the two can look the same (at a = c), so a guess is tried out: the parameters
are moved far, the combination kept, and the value must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import exp, isfinite

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.factors import combined
from gdcli.kernel.vectors import Vector
from gdcli.solve.algebra.residual_model import JacobianSpectrum, effective

# A component of a null vector below this part of its length is rounding.
_PART = 1e-5
# Coefficients of a combination are recognised as whole numbers up to this size, to this accuracy.
_LARGEST, _ACCURACY = 6, 1e-4
# The value is the same when it agrees to this part.
_SAME = 1e-9
# Rounding of the residuals relative to the largest effect of a parameter, with something to spare.
_ROUNDING = 1e-12
_SHIFT = 0.4

Value = Callable[[Sequence[float]], float]


class Redundancy(NamedTuple):
    """What is redundant: the ``message``, the numbers of the parameters that it is about, how many of them to fix."""

    message: str
    parameters: tuple[int, ...]
    surplus: int


class _Trial(NamedTuple):
    """Tries a guess out on the sum of squares, which is blurred by ``blur``."""

    value: Value
    x: Sequence[float]
    blur: float

    def holds(self, move: Vector, group: Sequence[int]) -> bool:
        """Tell whether the value stays when each two of the parameters move a long way that keeps the combination."""
        before = self.value(self.x)
        for i, j in combinations(range(len(group)), 2):
            moved = [float(a) for a in self.x]
            moved[group[i]], moved[group[j]] = move(i, j, _SHIFT)
            if not abs(self.value(moved) - before) <= _SAME * abs(before) + self.blur:
                return False
        return True


def redundancies(
    spectrum: JacobianSpectrum, x: Sequence[float], names: Sequence[str], value: Value | None = None
) -> list[Redundancy]:
    """Return what is redundant among the parameters at ``x``; ``value`` gives the sum of squares, to try guesses."""
    without = [i for i, has in enumerate(effective(spectrum.columns, x)) if not has]
    found = [
        Redundancy(f"{names[i]} has no effect on the fit here: fix it with --set", (i,), 1) for i in without
    ]
    null = [v for v, kept in zip(spectrum.V, spectrum.kept, strict=True) if not kept]
    if not null:
        return found
    # The projection on the directions without effect.
    P = [combined(part, null, len(x)) for part in zip(*null, strict=True)]
    sizes = [length * abs(float(a)) for length, a in zip(spectrum.columns, x, strict=True)]
    rounding = _ROUNDING * max(sizes)
    for group in _groups([[abs(a) > _PART for a in row] for row in P]):
        surplus = round(sum(P[i][i] for i in group))
        if surplus and not set(group) <= set(without):
            effect = [[((i == j) - P[i][j]) * spectrum.columns[j] for j in group] for i in group]
            message = _in_words(
                group, surplus, effect, x, names, value and _Trial(value, x, rounding * rounding)
            )
            found.append(Redundancy(message, tuple(group), surplus))
    return found


def _groups(linked: Sequence[Sequence[bool]]) -> list[list[int]]:
    """Return the groups of indices that are linked to each other, each of two or more."""
    left = {i for i in range(len(linked)) if any(linked[i])}
    groups = []
    while left:
        group, new = set(), {min(left)}
        while new:
            group |= new
            new = {j for i in new for j in left if linked[i][j]} - group
        left -= group
        groups.append(sorted(group))
    return groups


def _in_words(
    group: Sequence[int],
    surplus: int,
    effect: Sequence[Sequence[float]],
    x: Sequence[float],
    names: Sequence[str],
    trial: _Trial | None,
) -> str:
    """Name the one combination that matters, where there is one and it can be recognised."""
    own = [names[i] for i in group]
    if len(group) - surplus == 1:
        # All rows of the effect are multiples of one: the derivative of the combination by the parameters.
        slope = max(effect, key=lambda row: sum(map(abs, row)))
        at = [float(x[i]) for i in group]
        guesses = [guess for guess in (_product(slope, at, own), _sum(slope, at, own)) if guess is not None]
        for guess in sorted(guesses, key=lambda guess: guess.size):
            if trial is None or trial.holds(guess.move, group):
                return f"only {guess.text} matters: fix {_numeral(surplus)}"
    listed = f"{', '.join(own[:-1])} and {own[-1]}"
    return f"{listed} cannot be told apart here: fix {_numeral(surplus)} of them"


class _Guess(NamedTuple):
    """A combination of parameters: its text, the sum of its whole numbers, and how two of them move that keep it."""

    text: str
    size: int
    move: Callable[[int, int, float], tuple[float, float]]


def _product(slope: Sequence[float], at: Sequence[float], names: Sequence[str]) -> _Guess | None:
    """The combination as a product of powers; None where it is none."""
    powers = _whole([float(s) * a for s, a in zip(slope, at, strict=True)])
    if powers is None:
        return None
    above = [_power(n, k) for n, k in zip(names, powers, strict=True) if k > 0]
    below = [_power(n, -k) for n, k in zip(names, powers, strict=True) if k < 0]
    under = below[0] if len(below) == 1 else f"({'*'.join(below)})"
    text = "*".join(above) + (f"/{under}" if below else "")

    def move(i: int, j: int, amount: float) -> tuple[float, float]:
        return at[i] * exp(amount / powers[i]), at[j] * exp(-amount / powers[j])

    return _Guess(text, sum(map(abs, powers)), move)


def _sum(slope: Sequence[float], at: Sequence[float], names: Sequence[str]) -> _Guess | None:
    """The combination as a sum of multiples; None where it is none."""
    factors = _whole([float(s) for s in slope])
    if factors is None:
        return None
    text = ""
    for name, k in zip(names, factors, strict=True):
        term = name if abs(k) == 1 else f"{abs(k)}*{name}"
        text += (" - " if k < 0 else " + " if text else "") + term

    def move(i: int, j: int, amount: float) -> tuple[float, float]:
        step = amount * (max(map(abs, at)) or 1.0)
        return at[i] + step / factors[i], at[j] - step / factors[j]

    return _Guess(text, sum(map(abs, factors)), move)


def _power(name: str, k: int) -> str:
    return name if k == 1 else f"{name}**{k}"


def _whole(numbers: Sequence[float]) -> list[int] | None:
    """Return the smallest whole numbers in the same proportion, the first one positive; None where there are none."""
    least = min(map(abs, numbers))
    if not (least > 0.0 and isfinite(max(map(abs, numbers)))):
        return None
    for times in range(1, _LARGEST + 1):
        scaled = [times * v / least for v in numbers]
        whole = [round(v) for v in scaled]
        close = all(abs(v - k) <= _ACCURACY * abs(k) for v, k in zip(scaled, whole, strict=True))
        if close and max(map(abs, whole)) <= _LARGEST:
            return whole if whole[0] > 0 else [-k for k in whole]
    return None


def _numeral(count: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(count, str(count))
