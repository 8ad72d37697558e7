"""How intervals go through every operation of the language.

An interval (low, high) holds every value that an operation takes where it has one: real numbers, and what IEEE 754
makes of an infinite number on the way. Each rule is written once, for numbers, with the few operations of
:mod:`gdcli.language.ieee`; :func:`rules_with` gives the same rules on other ones, for arrays of intervals.

Sums, products, quotients and square roots are rounded to the nearest number (IEEE 754), so that one unit in the last
place more on each side holds the real value. The other functions are those of the C library and of numpy, for which no
proof exists. Known errors, in such units: at most 2 for x86_64 and aarch64 in the GNU C library, whose manual lists
them ("Known Maximum Errors in Math Functions"), 4 in numpy's vector loops (its ``test_umath_accuracy``), 4 in
:mod:`gdcli.language.special`. The bounds here, a column of the table of functions, are at least twice that.

Sources: Hickey, Ju and van Emden, Interval arithmetic: from principles to implementation, J. ACM 48 (2001) 1038, for
division and infinite ends; Neumaier, Interval Methods for Systems of Equations (1990), chapter 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import EPS, SMALLEST
from gdcli.language.functions import FUNCTIONS
from gdcli.language.ieee import (
    above,
    below,
    ceil,
    computed,
    down,
    fabs,
    floor,
    least,
    most,
    pick,
    product_ends,
    quotient,
    sqrt,
    up,
)

# The ends are numbers here, arrays of them in what `rules_with` makes.
Interval = tuple[float, float]

INF = math.inf
ENTIRE: Interval = (-INF, INF)
ONE: Interval = (1.0, 1.0)
# The double next to pi is below it, the double next to pi/2 too (1.2e-16 and 6e-17 are missing).
PI: Interval = (math.pi, math.pi * (1.0 + EPS))
LOG_PI: Interval = (1.1447298858494, 1.1447298858495)
TURN = 0.5 / math.pi
# Beyond this many turns sine and cosine are only known to be within -1 and 1.
MOST_TURNS = 1e12
# The minimum of gamma and lgamma for x > 0 (OEIS A030169 to A030171): where it is, and less than both values.
BOTTOM = (1.461632144968, 1.461632144969)
LEAST_GAMMA, LEAST_LGAMMA = 0.885603194410888, -0.12148629053585
POWER_ULPS = 8.0


# -- arithmetic -----------------------------------------------------------------------------------------------------


def add(a: Interval, b: Interval) -> Interval:
    return down(a[0] + b[0]), up(a[1] + b[1])


def sub(a: Interval, b: Interval) -> Interval:
    return down(a[0] - b[1]), up(a[1] - b[0])


def neg(a: Interval) -> Interval:
    return -a[1], -a[0]


def mul(a: Interval, b: Interval) -> Interval:
    low, high = product_ends(a[0], a[1], b[0], b[1])
    return down(low), up(high)


def size(a: Interval) -> Interval:
    """The least and the largest absolute value."""
    return most(most(a[0], -a[1]), 0.0), most(-a[0], a[1])


def square(a: Interval) -> Interval:
    low, high = size(a)
    return most(below(low * low, 1.0), 0.0), above(high * high, 1.0)


def inverse(b: Interval) -> Interval:
    """1/b; everything where 0 is within b."""
    low = pick(b[1] > 0.0, quotient(1.0, b[1]), pick(b[1] < 0.0, -quotient(1.0, -b[1]), -INF))
    high = pick(b[0] < 0.0, -quotient(1.0, -b[0]), pick(b[0] > 0.0, quotient(1.0, b[0]), INF))
    across = (b[0] < 0.0) & (b[1] > 0.0)
    low, high = pick(across, -INF, below(low, 1.0)), pick(across, INF, above(high, 1.0))
    return pick(b[1] > 0.0, _at_least(b, low), low), pick(b[0] < 0.0, _at_most(b, high), high)


def div(a: Interval, b: Interval) -> Interval:
    return mul(a, inverse(b))


def whole_power(a: Interval, n: int) -> Interval:
    if n < 0:
        return inverse(whole_power(a, -n))
    if n == 2:
        return square(a)
    if n == 0:
        return ONE
    low, high = size(a) if n % 2 == 0 else a
    low = below(computed("power", low, float(n)), POWER_ULPS)
    high = above(computed("power", high, float(n)), POWER_ULPS)
    return (most(low, 0.0), high) if n % 2 == 0 else _signed(a, low, high)


def _signed(a: Interval, low: float, high: float) -> Interval:
    return _at_least(a, low), _at_most(a, high)


def _at_least(a: Interval, low: float) -> float:
    return pick(a[0] >= 0.0, most(low, 0.0), low)


def _at_most(a: Interval, high: float) -> float:
    return pick(a[1] <= 0.0, least(high, 0.0), high)


def power(a: Interval, b: Interval) -> Interval:
    """a**b = exp(b*log(a)) for a >= 0, with extremes at corners; of either sign where a may be negative and b whole."""
    x = most(a[0], 0.0), most(a[1], 0.0)
    below_zero = a[0] < 0.0
    high_x = pick(below_zero, most(x[1], -a[0]), x[1])
    p, q = computed("power", x[0], b[0]), computed("power", x[0], b[1])
    r, s = computed("power", high_x, b[0]), computed("power", high_x, b[1])
    low = most(below(least(least(p, q), least(r, s)), POWER_ULPS), 0.0)
    high = above(most(most(p, q), most(r, s)), POWER_ULPS)
    whole = floor(b[1]) >= ceil(b[0])
    return pick(below_zero & whole, -high, low), high


# log_b(t)*t**k, k > 0, is least at t = exp(-1/k), where it is minus this through k.
LOGARITHMS = {
    name: math.exp(-1.0) / math.log(b) for name, b in (("log", math.e), ("log2", 2.0), ("log10", 10.0))
}


def power_log(name: str, a: Interval, b: Interval) -> Interval:
    """a**b times a logarithm of a, for a > 0: it rises with b, and for b > 0 falls from 0 to one minimum and rises."""
    x = most(a[0], 0.0), most(a[1], 0.0)
    product = mul(power(x, b), rising(name, x))
    ends = [_power_log_at(name, end, b) for end in x]
    bottom = below(-quotient(LOGARITHMS[name], b[0]), 8.0)
    turn = rising("exp", neg(inverse((b[0], b[0]))))
    low = most(least(ends[0][0], ends[1][0]), bottom)
    low = pick((x[0] <= turn[1]) & (x[1] >= turn[0]), bottom, low)
    vanishes = b[0] > 0.0
    return pick(vanishes, low, product[0]), pick(vanishes, most(ends[0][1], ends[1][1]), product[1])


def _power_log_at(name: str, x: float, b: Interval) -> Interval:
    """Return a lower bound for the least exponent and an upper bound for the largest; at 0 the limit, 0."""
    log = rising(name, (x, x))
    low = mul(power((x, x), (b[0], b[0])), log)[0]
    high = mul(power((x, x), (b[1], b[1])), log)[1]
    return pick(x > 0.0, low, 0.0), pick(x > 0.0, high, 0.0)


def power_by_log(a: Interval, b: Interval, log: Interval) -> Interval:
    """a**b, whose logarithm is known to lie in ``log`` for a > 0; 0**0 is its limit."""
    low, high = power(a, b)
    by_log = rising("exp", log)
    positive = a[0] >= 0.0
    return pick(positive, most(low, by_log[0]), low), pick(positive, least(high, by_log[1]), high)


def no_power_log(a: Interval, b: Interval) -> bool:
    """Whether a**b times a logarithm of a is a number nowhere: at a = 0 it is 0*inf."""
    return (a[1] <= 0.0) & (b[0] > 0.0)


# -- functions ------------------------------------------------------------------------------------------------------

_DOMAIN = re.compile(r"(\|?)x\|? (<|<=|>|>=) (-?\d+)")


@cache
def domain_of(name: str) -> tuple[float, float, bool]:
    """Return between which numbers a function has values, and whether these ends belong to it; poles are apart."""
    found = _DOMAIN.fullmatch(FUNCTIONS[name].domain)
    if found is None:
        return -INF, INF, False
    end = float(found[3])
    return (-end if found[1] else end), (end if found[1] else INF), "=" in found[2]


def within(name: str, a: Interval) -> Interval:
    """Return the part of an interval in the domain of a function; an end of the domain where there is none."""
    low, high, _ = domain_of(name)
    return least(most(a[0], low), high), least(most(a[1], low), high)


def between(name: str, low: float, high: float) -> Interval:
    """Return computed values, the less first, rounded outward within the values that a function has."""
    row = FUNCTIONS[name]
    bottom, top = row.limits
    bottom = 0.0 if row.nonnegative and bottom < 0.0 else bottom
    return most(below(low, row.ulps), bottom), least(above(high, row.ulps), top)


def rising(name: str, a: Interval) -> Interval:
    a = within(name, a)
    return between(name, computed(name, a[0]), computed(name, a[1]))


def falling(name: str, a: Interval) -> Interval:
    a = within(name, a)
    return between(name, computed(name, a[1]), computed(name, a[0]))


def signed(name: str, a: Interval) -> Interval:
    """A rising function that has the sign of its argument."""
    return _signed(a, *rising(name, a))


def even(name: str, a: Interval) -> Interval:
    """A function with f(-x) = f(x) that rises with |x|."""
    return rising(name, size(a))


def root(name: str, a: Interval) -> Interval:
    low, high = within(name, a)
    return down(sqrt(low)), up(sqrt(high))


def exact(name: str, a: Interval) -> Interval:
    return computed(name, a[0]), computed(name, a[1])


def absolute(name: str, a: Interval) -> Interval:
    return size(a)


def pair(name: str, a: Interval, b: Interval) -> Interval:
    join = most if name == "max" else least
    return join(a[0], b[0]), join(a[1], b[1])


def hypotenuse(name: str, a: Interval, b: Interval) -> Interval:
    (al, ah), (bl, bh) = size(a), size(b)
    return between(name, computed(name, al, bl), computed(name, ah, bh))


def _no_turn(a: Interval, phase: float) -> bool:
    """Whether no whole number of turns after ``phase``, itself in turns, is within an interval."""
    low, high = a[0] * TURN - phase, a[1] * TURN - phase
    slack = (fabs(low) + fabs(high) + 1.0) * (8.0 * EPS)
    return floor(high + slack) < ceil(low - slack)


def wave(name: str, a: Interval) -> Interval:
    """sin or cos: between its values at the ends, unless a top or a bottom is within."""
    top = 0.25 if name == "sin" else 0.0
    near = _few_turns(a)
    a = pick(near, a[0], 0.0), pick(near, a[1], 0.0)
    p, q = computed(name, a[0]), computed(name, a[1])
    low, high = between(name, least(p, q), most(p, q))
    low = pick(near & _no_turn(a, top + 0.5), low, -1.0)
    return low, pick(near & _no_turn(a, top), high, 1.0)


def _few_turns(a: Interval) -> bool:
    return (a[0] > -MOST_TURNS) & (a[1] < MOST_TURNS)


def tangent(name: str, a: Interval) -> Interval:
    free = no_pole(name, a)
    a = pick(free, a[0], 0.0), pick(free, a[1], 0.0)
    low, high = between(name, computed(name, a[0]), computed(name, a[1]))
    return pick(free, low, -INF), pick(free, high, INF)


def angle(name: str, y: Interval, x: Interval) -> Interval:
    """atan2: extremes at corners, unless the half line to the left of the origin is met."""
    p, q = computed(name, y[0], x[0]), computed(name, y[0], x[1])
    r, s = computed(name, y[1], x[0]), computed(name, y[1], x[1])
    low, high = between(name, least(least(p, q), least(r, s)), most(most(p, q), most(r, s)))
    free = off_cut(name, y, x)
    return pick(free, low, -PI[1]), pick(free, high, PI[1])


# -- gamma and its relatives ----------------------------------------------------------------------------------------


def _valley(name: str, a: Interval, bottom: float) -> Interval:
    """gamma or lgamma for x > 0: falls to its minimum, and rises after it."""
    p, q = computed(name, a[0]), computed(name, a[1])
    low = pick((a[1] < BOTTOM[0]) | (a[0] > BOTTOM[1]), least(p, q), bottom)
    return _near(low, most(p, q), 0.0)


def _near(low: float, high: float, scale: float) -> Interval:
    """Return values rounded outward by the units of a number of at least 1, since they are differences of such."""
    return below(low, 16.0) - (1.0 + scale) * (16.0 * EPS), above(high, 16.0) + (1.0 + scale) * (16.0 * EPS)


def factorial(name: str, a: Interval) -> Interval:
    """gamma or lgamma; below 0 by reflection (DLMF 5.5.3)."""
    low, high = most(a[0], SMALLEST), most(a[1], SMALLEST)
    is_gamma = name == "gamma"
    right = _valley(name, (low, high), LEAST_GAMMA if is_gamma else LEAST_LGAMMA)
    left = _mirrored(name, a)
    sine = wave("sin", mul(PI, left))
    other = _valley(name, sub(ONE, left), LEAST_GAMMA if is_gamma else LEAST_LGAMMA)
    if is_gamma:
        mirrored = div(PI, mul(sine, other))
    else:
        mirrored = sub(sub(LOG_PI, rising("log", size(sine))), other)
    return _by_side(name, a, right, mirrored)


def _mirrored(name: str, a: Interval) -> Interval:
    """Return an interval between poles below 0 as it is, any other as one that does no harm."""
    fits = no_pole(name, a) & (a[1] < 0.0)
    return pick(fits, a[0], -0.5), pick(fits, a[1], -0.5)


def _by_side(name: str, a: Interval, right: Interval, left: Interval) -> Interval:
    """Return what holds for x > 0, what holds between two poles, or everything."""
    free, positive = no_pole(name, a), a[0] > 0.0
    low, high = pick(free, left[0], -INF), pick(free, left[1], INF)
    return pick(positive, right[0], low), pick(positive, right[1], high)


def psi(name: str, a: Interval) -> Interval:
    """digamma: rises from pole to pole; below 0 it is the difference of two terms (DLMF 5.5.4)."""
    free = no_pole(name, a)
    low, high = pick(free, a[0], 1.0), pick(free, a[1], 1.0)
    scale = computed("log1p", size((low, high))[1])
    low, high = _near(computed(name, low), computed(name, high), scale)
    return pick(free, low, -INF), pick(free, high, INF)


def psi_one(name: str, a: Interval) -> Interval:
    """trigamma: falls for x > 0; below 0 by reflection (DLMF 5.15.6)."""
    low, high = most(a[0], SMALLEST), most(a[1], SMALLEST)
    left = _mirrored(name, a)
    sine = wave("sin", mul(PI, left))
    mirrored = sub(square(div(PI, sine)), falling(name, sub(ONE, left)))
    return _by_side(name, a, falling(name, (low, high)), mirrored)


# -- where an operation has a value, is continuous, has a derivative -------------------------------------------------


def inside(name: str, a: Interval) -> bool:
    """Whether a function has a value on a whole interval."""
    low, high, closed = domain_of(name)
    if closed:
        return (a[0] >= low) & (a[1] <= high)
    return (a[0] > low) & (a[1] < high) if high < INF else a[0] > low


def outside(name: str, a: Interval) -> bool:
    """Whether a function has a value nowhere on an interval; at a pole it is infinite, which counts as one."""
    low, high, _ = domain_of(name)
    return (a[1] < low) | (a[0] > high)


def no_pole(name: str, a: Interval) -> bool:
    """Whether tan, or gamma and its relatives, have no pole in an interval."""
    if name == "tan":
        return _few_turns(a) & _no_turn(a, 0.25) & _no_turn(a, 0.75)
    return (a[0] > 0.0) | ((floor(a[0]) == floor(a[1])) & (floor(a[0]) < a[0]))


def off_cut(name: str, y: Interval, x: Interval) -> bool:
    """Whether atan2 does not jump, which it does at the half line to the left of the origin."""
    return (x[0] > 0.0) | (y[0] > 0.0) | (y[1] < 0.0)


def nonzero(name: str, *args: Interval) -> bool:
    """Whether no interval, or not every one of them, has 0 within."""
    found = False
    for a in args:
        found = found | (a[0] > 0.0) | (a[1] < 0.0)
    return found


def one_sided(name: str, a: Interval) -> bool:
    return (a[0] >= 0.0) | (a[1] <= 0.0)


def apart(name: str, a: Interval, b: Interval) -> bool:
    return (a[0] >= b[1]) | (a[1] <= b[0])


def no_step(name: str, a: Interval) -> bool:
    """Whether sign, floor or ceil is the same on a whole interval."""
    return computed(name, a[0]) == computed(name, a[1])


def has_power(a: Interval, b: Interval) -> bool:
    """Whether a**b, which is no whole power, is a number everywhere."""
    return (a[0] > 0.0) | ((a[0] >= 0.0) & (b[0] > 0.0))


def no_power(a: Interval, b: Interval) -> bool:
    return (a[1] < 0.0) & (floor(b[1]) < ceil(b[0]))


# -- choices --------------------------------------------------------------------------------------------------------


def holds(relation: str, a: Interval, b: Interval) -> tuple[bool, bool]:
    """Return whether a comparison holds for all values of two intervals, and whether it does for none."""
    if relation == "<":
        return a[1] < b[0], a[0] >= b[1]
    if relation == "<=":
        return a[1] <= b[0], a[0] > b[1]
    if relation in (">", ">="):
        return holds("<" if relation == ">" else "<=", b, a)
    equal = (a[0] == a[1]) & (b[0] == b[1]) & (a[0] == b[0])
    different = (a[1] < b[0]) | (a[0] > b[1])
    return (equal, different) if relation == "==" else (different, equal)


def choose(yes_only: bool, no_only: bool, yes: Interval, no: Interval) -> Interval:
    """Return one of two intervals, or what holds both where it is open which is taken."""
    low = pick(yes_only, yes[0], pick(no_only, no[0], least(yes[0], no[0])))
    return low, pick(yes_only, yes[1], pick(no_only, no[1], most(yes[1], no[1])))


class Condition(NamedTuple):
    """What must hold on a box for the derivatives up to ``order`` to be what their rules give; see `condition_of`.

    ``misses`` tells where the operation has a value nowhere.
    """

    order: int
    holds: Callable[..., Any]
    misses: Callable[..., Any] | None = None


_CONDITIONS = {
    "abs": Condition(2, one_sided),
    "hypot": Condition(2, nonzero),
    "max": Condition(2, apart),
    "min": Condition(2, apart),
    "atan2": Condition(1, off_cut),
    "sign": Condition(1, no_step),
    "floor": Condition(1, no_step),
    "ceil": Condition(1, no_step),
}


@cache
def condition_of(name: str) -> Condition | None:
    """Return under which condition a function has a value (order 0), is continuous (1), has no kink (2)."""
    row = FUNCTIONS[name]
    if _DOMAIN.fullmatch(row.domain):
        return Condition(0, inside, outside)
    return Condition(0, no_pole) if row.domain or row.divisor else _CONDITIONS.get(name)


# The rules of functions by their name in the table; each takes the function's name and its arguments.
OF_FUNCTIONS: Mapping[str, Callable[..., Interval]] = {
    rule.__name__: rule
    for rule in (
        *(rising, falling, signed, even, root, exact, absolute, pair, hypotenuse, wave, tangent, angle),
        *(factorial, psi, psi_one),
    )
}


def known_value(name: str, args: Sequence[float]) -> float | None:
    """Return the value of a function of one argument at 0 or 1 where it is 0 or 1 there, exactly; else None.

    No function of the table comes that near to them at these arguments without having them.
    """
    if len(args) != 1 or args[0] not in (0.0, 1.0):
        return None
    found = computed(name, args[0])
    return found if found in (0.0, 1.0) else None


def hull(a: Interval, b: Interval) -> Interval:
    return least(a[0], b[0]), most(a[1], b[1])


def either(known: bool, a: Interval, holds: bool, b: Interval) -> Interval:
    """Return what is in ``a``, and where it ``holds`` in ``b``; where ``a`` is not ``known``, in ``b`` alone."""
    usable = holds & (b[0] <= b[1])
    low = pick(usable, pick(known, most(a[0], b[0]), b[0]), a[0])
    return low, pick(usable, pick(known, least(a[1], b[1]), b[1]), a[1])


def power_of(a: Interval, b: Interval) -> Interval:
    """a**b, exactly so where the exponent is one whole number."""
    n = whole(b)
    return power(a, b) if n is None else whole_power(a, n)


def whole(b: tuple[float, float]) -> int | None:
    return int(b[0]) if b[0] == b[1] and b[0].is_integer() else None


ARITHMETIC: Mapping[str, Callable[..., Interval]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "neg": neg,
    "pow": power_of,
}


def of_operation(op: str, *args: Interval) -> Interval:
    """Return what an operation of the graph, or a function, makes of intervals."""
    rule = ARITHMETIC.get(op)
    return OF_FUNCTIONS[FUNCTIONS[op].interval](op, *args) if rule is None else rule(*args)


def rules_with(operations: Mapping[str, Any]) -> dict[str, Any]:
    """Return every function of this module on other ``operations`` than those on numbers, by name."""
    space = {name: value for name, value in globals().items() if not name.startswith("__")} | dict(operations)
    for name, value in globals().items():
        if isinstance(value, FunctionType) and name not in operations:
            space[name] = FunctionType(value.__code__, space, name, value.__defaults__)
    for table in ("OF_FUNCTIONS", "ARITHMETIC"):
        space[table] = {name: space[rule.__name__] for name, rule in space[table].items()}
    return space
