"""Special functions, each written once and printed for every runner.

`math` has no `sigmoid`, `digamma` or `softplus` and raises where IEEE 754 says inf or nan; numpy has no `erf`
and no `gamma`. So this module holds each function as a *piecewise definition*: an ordered list of (condition,
body); the first true condition decides, the last one is None. The texts are plain arithmetic with one meaning
for a float and for a numpy array. From one definition `scalar_source` writes an if-chain (for CPython and
for a compiler that knows floats, `if`, arithmetic and calls) and `array_source` writes masks, each piece
evaluated on its own elements only. Both do the same operations in the same order; their results differ only
where the exp and log of numpy and of the C library differ in the last bit (at most 2 ulp of the result).

Rules for the texts:

- Names: the arguments; `MATH_NAMES`, which the caller binds (`floor` may return an int); functions that stand
  earlier in the table. A body is lines of assignments and, last, the value. `and` joins comparisons; in the
  scalar text the right one is evaluated only if the left one is true.
- A piece never leaves the domain of what it calls: no exp that overflows, no log at <= 0, no floor of inf or
  nan, no division by zero. CPython would raise there.
- Subtractions that reduce an argument (x - 2, y - floor(y + 0.5)) are exact, so results keep their relative
  accuracy at zeros and poles. A compiler must not reorder or contract the arithmetic.

Worst errors found against mpmath in several runs of 1500 to 15 000 random points in each part of the
range (glibc 2.36, numpy 2.4 with AVX-512), in units in the last place (ulp) of the result:

    erf 1.1   gamma, x > 0: 3.2   gamma, x < 0: 3.6   lgamma, x > 0: 2.6   digamma, x > 0: 2.7
    lgamma, -2 < x < 0: 3.9   trigamma, x > 0: 2.3   trigamma, x < 0: 3.6   hypot 1.1   cbrt 0.7
    sigmoid 1.9   softplus 1.4

At their negative zeros (lgamma: x < -2, digamma: x < 0) two terms cancel or log is taken of a number near 1.
There the error is small only against the terms: at most 2.2 ulp of max(1, |lgamma(x)|) and 3.4 ulp of
max(1, |digamma(1 - x)|, |pi*cot(pi*x)|) in 16 000 points. Relative to the result it is unbounded.

The definitions are in `special_definitions.py`, with their sources.
"""

import re
from typing import Final

from gdcli.language.special_definitions import DEFINITIONS

MATH_NAMES: Final = ("copysign", "exp", "fabs", "floor", "inf", "log", "log1p", "nan", "sqrt")


NAMES: Final = tuple(name for name in DEFINITIONS if not name.startswith("_"))


def dependencies(name: str) -> tuple[str, ...]:
    """The other functions of this module that the text of `name` calls, directly or not, callees first."""
    needed = {name}
    for other in reversed(DEFINITIONS):  # a text calls only functions that stand before it
        if other in needed:
            needed.update(_words(other) & DEFINITIONS.keys())
    return tuple(other for other in DEFINITIONS if other in needed and other != name)


def scalar_source(name: str) -> str:
    """The definition of `name` for floats: `if`, assignment, arithmetic, `return`, calls; it never raises."""
    definition = DEFINITIONS[name]
    lines = [f"def {name}({', '.join(definition.arguments)}):"]
    for condition, body in definition.pieces:
        indent = "    "
        for comparison in condition.split(" and ") if condition else ():
            lines.append(f"{indent}if {comparison}:")
            indent += "    "
        lines += [indent + line for line in _returning(body)]
    return "\n".join(lines) + "\n"


def array_source(name: str) -> str:
    """The definition of `name` for numpy arrays of any shape (arguments broadcast); the caller binds `np`.

    A scalar argument gives a numpy scalar. The caller silences warnings with `np.errstate(all="ignore")`: the
    conditions are evaluated on all elements.
    """
    definition = DEFINITIONS[name]
    arguments = ", ".join(definition.arguments)
    if definition.blend or len(definition.pieces) == 1:
        return _array_piece(name, arguments, definition.blend or definition.pieces[0][1])
    parts, main = [], [f"def {name}({arguments}):"]
    main += [f"    {each} = np.asarray({each}, dtype=np.float64)" for each in definition.arguments]
    if len(definition.arguments) > 1:
        main.append(f"    {arguments} = np.broadcast_arrays({arguments})")
    selected = ", ".join(f"{argument}[mask]" for argument in definition.arguments)
    first = definition.arguments[0]
    main += [f"    out = np.empty({first}.shape)", f"    rest = np.ones({first}.shape, dtype=np.bool_)"]
    for number, (condition, body) in enumerate(definition.pieces):
        piece = f"{name}_{number}" if name.startswith("_") else f"_{name}_{number}"
        parts.append(_array_piece(piece, arguments, body))
        if condition is None:
            main += ["    mask = rest", f"    out[mask] = {piece}({selected})", "    return out[()]"]
            break
        masks = " & ".join(f"({_numpy(comparison)})" for comparison in condition.split(" and "))
        main += [
            f"    mask = rest & {masks}",
            "    count = np.count_nonzero(mask)",
            "    if count == out.size:",  # the usual case for a large array: one piece, nothing copied
            f"        out[...] = {piece}({arguments})",
            "        return out[()]",
            "    if count:",
            f"        out[mask] = {piece}({selected})",
            "        rest &= ~mask",
        ]
    return "".join(parts) + "\n".join(main) + "\n"


def _words(name: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", " ".join(f"{c} {body}" for c, body in DEFINITIONS[name].pieces)))


def _returning(body: str) -> list[str]:
    *assignments, value = body.split("\n")
    return [*assignments, f"return {value}"]


def _numpy(text: str) -> str:
    return re.sub(rf"\b({'|'.join(MATH_NAMES)})\b", r"np.\1", text)


def _array_piece(name: str, arguments: str, body: str) -> str:
    return "\n    ".join([f"def {name}({arguments}):", *map(_numpy, _returning(body))]) + "\n"
