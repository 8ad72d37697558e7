"""Proof that a minimum lies near a point where the curvature vanishes, or the function has a kink.

The variables are those with a curvature, y, and the others, t. X is a box around the point c. Where Krawczyk's test for
y holds for every t in X at once (as in :mod:`gdcli.judge.proof`), f(., t) has exactly one minimum over y in X for each
t, within X. Let phi(t) be its value. If phi exceeds f(c) on all faces of X in t, the minimum of f on X lies inside of
X, and is a local minimum of f. With Y the inverse Hessian in y, and k < 1 such that |I - Y H(X)| r <= k r,

    phi(t) >= f(p, t) - g' Y g / (2 (1 - k)),      g the slopes in y at (p, t)

for any p: H(X) is then not below (1 - k) inv(Y). Near a kink all variables are t: a value on each face decides.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gdcli.compile.affine_coordinates import Matrix, affine_rows, inverted
from gdcli.compile.interval_program import IntervalProgram
from gdcli.judge.proof import (
    AT_BOUND,
    KINK,
    SINGULAR,
    BoxProgram,
    Ends,
    LocalProof,
    LowerBound,
    Unproved,
    distances,
    is_finite,
    is_positive_definite,
    middle_and_radius,
    part_of,
    preconditioned,
    product_bound,
)
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import inverse
from gdcli.kernel.numerics import EPS, SMALLEST

# Half widths in t that are tried: parts of the sizes of variables, multiples of the least over which the value rises.
_PARTS, _WIDER = tuple(0.1 * 0.1**k for k in range(8)), (4.0, 64.0, 512.0)
# That is looked for between so small a part of the sizes of the variables and them, in steps of this factor.
_LEAST, _FINER = 40, 4.0
# Each of them may use this part of the boxes that are left.
_SHARE = 0.25
# The boxes in which a value is bounded from below reach so far, in the same sizes.
_REACHES = (math.inf, 1.0, 0.1)
# A variable has a curvature where elimination leaves this part of the largest one, each in its size.
_CURVED = 1e-3
# The half widths in y are made what Krawczyk's test needs so often.
_ROUNDS = 5
# Steps down to the floor of the valley on a face.
_STEPS = 8


class _Work:
    """How many more boxes may be looked at."""

    def __init__(self, program: BoxProgram, left: int) -> None:
        self.program = program
        self.left = left

    @contextmanager
    def part(self, share: float) -> Iterator[None]:
        later = self.left - int(share * self.left)
        self.left -= later
        yield
        self.left += later

    @property
    def one_box(self) -> Callable[[Sequence[Ends], int], Any]:
        self.left -= 1
        return self.program.one_box


class _Curved(NamedTuple):
    """What holds of the variables y that have a curvature, everywhere in a box: ``Y`` about the inverse of their
    Hessian, positive definite, ``rate`` the k of the text above, ``needed`` how far minima may be from the centre.
    """

    places: Sequence[int]
    Y: Sequence[Sequence[float]]
    rate: float
    needed: Sequence[float]

    def below(self, slopes: Sequence[Ends]) -> float:
        """Return how far below a point with these slopes in y the minimum over y may be."""
        g = [max(-a, b) for a, b in slopes]
        raised = product_bound([[abs(a) for a in row] for row in self.Y], g)
        grown = (1.0 + 4.0 * (len(g) + 2) * EPS) / (2.0 * (1.0 - self.rate))
        return sum(a * b for a, b in zip(g, raised, strict=True)) * grown + SMALLEST * len(g)


_NONE = _Curved((), (), 0.0, ())


class Near(NamedTuple):
    """Where a minimum is looked for: near the answer ``x``, around a ``centre`` that may be nearer to the minimum, and
    within the bounds ``low`` and ``high``; ``sizes`` are lengths by which the variables may be measured.
    """

    x: Sequence[float]
    centre: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    sizes: Sequence[float]

    def along(self, rows: Matrix) -> Near:
        """Return the same for the affine functions with these ``rows``, less what they are at x; without bounds."""
        away = [b - c for b, c in zip(self.centre, self.x, strict=True)]
        moved = [sum(a * b for a, b in zip(row, away, strict=True)) for row in rows]
        sizes = [sum(abs(a) * s for a, s in zip(row, self.sizes, strict=True)) for row in rows]
        return Near([0.0] * len(rows), moved, *_endless(len(rows)), sizes)


def prove_near(
    program: IntervalProgram, near: Near, most: int, is_kinked: bool = False
) -> LocalProof | Unproved:
    """Return the proof that a minimum lies near an answer, or why there is none.

    ``most`` is the number of boxes that may be looked at; ``is_kinked``: no variable has a curvature. The proof is
    looked for along affine parts of the expression first, then along the variables.
    """
    rows = affine_rows(program.graph, program.root, program.keys, near.sizes)
    axes = None if rows is None else inverted(rows)
    if rows is not None and axes is not None:
        found = _prove_near(program.along(near.x, axes), near.along(rows), most, is_kinked)
        found = _along_axes(found, near.x, axes, near.low, near.high)
        if isinstance(found, LocalProof):
            return found
    return _prove_near(program, near, most, is_kinked)


def _prove_near(program: BoxProgram, near: Near, most: int, is_kinked: bool) -> LocalProof | Unproved:
    work = _Work(program, most)
    free = [i for i in range(len(near.x)) if near.low[i] < near.high[i]]
    curved = _NONE if is_kinked else _curved_variables(work, near)
    found: LocalProof | Unproved = Unproved(KINK)
    for y in (curved, _NONE) if curved.places else (_NONE,):
        with work.part(0.5 if y.places else 1.0):
            found = _prove_with(work, near, [i for i in free if i not in y.places], y)
        if isinstance(found, LocalProof):
            break
    return found


def _prove_with(work: _Work, near: Near, flat: Sequence[int], y: _Curved) -> LocalProof | Unproved:
    x, centre, low, high, sizes = near
    found: LocalProof | Unproved = Unproved(KINK)
    for widths in _widths(work, near, flat, y):
        r = [widths[i] if i in flat else EPS * size for i, size in enumerate(sizes)]
        with work.part(_SHARE):
            for _ in range(_ROUNDS):
                found, needed = _checked(work, x, _box(centre, r, low, high), low, high, flat)
                if not needed:
                    break
                for j, k in zip(y.places, needed, strict=True):
                    r[j] = 2.0 * k + EPS * sizes[j]
        if isinstance(found, LocalProof):
            break
    return found


def _widths(work: _Work, near: Near, flat: Sequence[int], y: _Curved) -> Iterator[dict[int, float]]:
    """Yield half widths in t that may do: first multiples of how far along each, to either side, the value down in the
    others, ``y``, is higher for certain than at the centre.
    """
    _, centre, low, high, sizes = near
    than = work.one_box([(v, v) for v in centre], 0).value[1]

    def is_higher(i: int, length: float) -> bool:
        for end in (centre[i] - length, centre[i] + length):
            face = [(low[j], high[j]) if j in y.places else (v, v) for j, v in enumerate(centre)]
            face[i] = end, end
            at = _floor_point(work, centre, face, y)
            if low[i] < end < high[i] and not work.one_box([(v, v) for v in at], 0).value[0] > than:
                return False
        return True

    found: dict[int, float] = {}
    for i in flat:
        least, most = -_LEAST, 1
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if is_higher(i, sizes[i] * _FINER**middle) else (middle, most)
        found[i] = sizes[i] * _FINER**most
    for wider in _WIDER:
        if all(wider * r <= _PARTS[0] * sizes[i] for i, r in found.items()):
            yield {i: wider * r for i, r in found.items()}
    for part in _PARTS:
        yield {i: part * sizes[i] for i in flat}


def check_near(
    program: BoxProgram,
    x: Sequence[float],
    box: Sequence[Ends],
    low: Sequence[float],
    high: Sequence[float],
    flat: Sequence[int],
    most: int,
) -> LocalProof | Unproved:
    """Return the proof that a minimum lies in ``box``, around ``x``, where ``flat`` variables need have no curvature,
    or why there is none.
    """
    return _checked(_Work(program, most), x, box, low, high, flat)[0]


def lower_bound(
    program: BoxProgram,
    x: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    sizes: Sequence[float],
    nothing: float,
) -> LowerBound | None:
    """Return the widest box around ``x`` that was tried in which no value is lower than there but for rounding, or for
    ``nothing``; None where there is none.
    """
    here = program.one_box([(v, v) for v in x], 0).value
    for part in _REACHES:
        box = _box(x, [part * size for size in sizes], low, high)
        lowest = program.one_box(box, 0).value[0]
        if here[0] <= lowest > -math.inf or here[1] - lowest <= nothing:
            return LowerBound(lowest, tuple(box))
    return None


def check_along(
    program: IntervalProgram,
    found: LocalProof,
    x: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    most: int,
) -> LocalProof | Unproved:
    """Return the proof that was ``found`` of a minimum at x + axes u, u within ``sides``, made anew."""
    n = len(x)
    again = check_near(program.along(x, found.axes), [0.0] * n, found.sides, *_endless(n), found.flat, most)
    return _along_axes(again, x, found.axes, low, high)


def _endless(n: int) -> tuple[Sequence[float], Sequence[float]]:
    return [-math.inf] * n, [math.inf] * n


def _along_axes(
    found: LocalProof | Unproved,
    x: Sequence[float],
    axes: Matrix,
    low: Sequence[float],
    high: Sequence[float],
) -> LocalProof | Unproved:
    """Return the proof of what was ``found`` of u, the variables being x + axes u, for these and their bounds."""
    if isinstance(found, Unproved):
        return found
    reach = product_bound([[abs(a) for a in row] for row in axes], [max(-a, b) for a, b in found.box])
    reach = [r * (1.0 + EPS) + EPS * abs(v) for r, v in zip(reach, x, strict=True)]
    box = tuple((v - r, v + r) for r, v in zip(reach, x, strict=True))
    if not all(a < p and q < b for a, (p, q), b in zip(low, box, high, strict=True)):
        return Unproved(AT_BOUND)
    radius = math.hypot(*reach) * (1.0 + 4.0 * EPS)
    return found._replace(radius=radius, box=box, axes=tuple(map(tuple, axes)), sides=found.box)


def _others(flat: Sequence[int], low: Sequence[float], high: Sequence[float]) -> list[int]:
    return [i for i in range(len(low)) if i not in flat and low[i] < high[i]]


def _box(x: Sequence[float], r: Sequence[float], low: Sequence[float], high: Sequence[float]) -> list[Ends]:
    return [(max(v - a, b), min(v + a, c)) for v, a, b, c in zip(x, r, low, high, strict=True)]


def _curved_variables(work: _Work, near: Near) -> _Curved:
    """Return the variables within their bounds that elimination with diagonal pivots leaves a curvature: not all."""
    _, x, low, high, sizes = near
    at = work.one_box([(v, v) for v in x], 2)
    n = len(x)
    if not at.defined or not all(math.isfinite(end) for ends in at.hessian for end in ends):
        return _NONE
    full = [[middle_and_radius(ends)[0] for ends in row] for row in part_of(at.hessian, range(n))]
    H = [[a * sizes[i] * sizes[j] for j, a in enumerate(row)] for i, row in enumerate(full)]
    left = [i for i in range(n) if low[i] < x[i] < high[i]]
    found: list[int] = []
    most = max([abs(H[i][i]) for i in left], default=0.0)
    while len(left) > 1:
        k = max(left, key=lambda i: H[i][i])
        if not H[k][k] > _CURVED * most:
            break
        left.remove(k)
        found.append(k)
        for i in left:
            factor = H[i][k] / H[k][k]
            H[i] = [a - factor * b for a, b in zip(H[i], H[k], strict=True)]
    places = sorted(found)
    Y = inverse([[full[i][j] for j in places] for i in places])
    return _NONE if Y is None else _Curved(places, Y, 0.0, ())


def _checked(
    work: _Work,
    x: Sequence[float],
    box: Sequence[Ends],
    low: Sequence[float],
    high: Sequence[float],
    flat: Sequence[int],
) -> tuple[LocalProof | Unproved, Sequence[float]]:
    """Return the proof that a minimum lies in ``box``; where Krawczyk's test fails, half widths in y that it needs."""
    places = _others(flat, low, high)
    around = work.one_box(box, 2 if places else 1)
    if not around.defined:
        return Unproved(KINK), []
    centre = [0.5 * a + 0.5 * b for a, b in box]
    is_inside = all(a <= v <= b for v, (a, b) in zip(x, box, strict=True))
    points = (x, centre) if is_inside else (centre,)
    highest = min(work.one_box([(v, v) for v in point], 0).value[1] for point in points)
    lowest = around.value[0]
    y = _NONE
    if places:
        across = work.one_box([(v, v) if i in places else box[i] for i, v in enumerate(centre)], 1)
        slopes = [across.gradient[j] for j in places]
        curved, needed = _krawczyk(work, around.hessian, places, flat, centre, box)
        if curved is None:
            return Unproved(SINGULAR), needed
        y, lowest = curved, max(lowest, across.value[0] - curved.below(slopes))
    for i in flat:
        for end, bound in zip(box[i], (low[i], high[i]), strict=True):
            face = [*box[:i], (end, end), *box[i + 1 :]]
            if end != bound and not _is_higher(work, centre, face, flat, y, highest):
                return Unproved(SINGULAR if places else KINK), []
    sides = [max(v - a, b - v) for v, (a, b) in zip(x, box, strict=True)]
    radius = math.hypot(*sides) * (1.0 + 4.0 * EPS)
    return LocalProof(radius, (lowest, highest), tuple(box), False, tuple(flat)), []


def _krawczyk(
    work: _Work,
    hessian: Sequence[Ends],
    places: Sequence[int],
    flat: Sequence[int],
    x: Sequence[float],
    box: Sequence[Ends],
) -> tuple[_Curved | None, Sequence[float]]:
    """Return what holds of the variables at ``places`` for every value of the others in the box, None where Krawczyk's
    test fails; and half widths that it needs, none where nothing helps.

    By the mean value theorem the slopes in y at (x, t) are within those at x and H_yt (t - x).
    """
    H, mixed = part_of(hessian, places), part_of(hessian, places, flat)
    at = work.one_box([(v, v) for v in x], 1)
    slopes = [at.gradient[j] for j in places]
    if not all(map(is_finite, (*H, *mixed, slopes))):
        return None, []
    Y = inverse([[middle_and_radius(ends)[0] for ends in row] for row in H])
    if Y is None:
        return None, []
    Y = [[0.5 * (a + Y[j][i]) for j, a in enumerate(row)] for i, row in enumerate(Y)]
    if not is_positive_definite(Y):
        return None, []
    inner = [min(x[j] - box[j][0], box[j][1] - x[j]) * (1.0 - EPS) for j in places]
    outer = [max(x[j] - box[j][0], box[j][1] - x[j]) * (1.0 + EPS) for j in places]
    spread = product_bound(preconditioned(Y, H), outer)
    sides = [max(x[i] - box[i][0], box[i][1] - x[i]) * (1.0 + EPS) for i in flat]
    columns = [distances(Y, column) for column in zip(*mixed, strict=True)]
    moved = product_bound(list(zip(*columns, strict=True)), sides) if flat else [0.0] * len(places)
    needed = [
        (a + b + c) * (1.0 + 2.0 * EPS) for a, b, c in zip(distances(Y, slopes), spread, moved, strict=True)
    ]
    if not all(k < r for k, r in zip(needed, inner, strict=True)):
        return None, needed if all(map(math.isfinite, needed)) else []
    rate = max(a / b for a, b in zip(spread, outer, strict=True)) * (1.0 + EPS)
    return (_Curved(places, Y, rate, needed), []) if rate < 1.0 else (None, [])


def _is_higher(
    work: _Work, x: Sequence[float], face: list[Ends], flat: Sequence[int], y: _Curved, than: float
) -> bool:
    """Tell whether phi is proved to be higher ``than`` this everywhere on a ``face`` in t, by halving it."""
    pieces = deque([face])
    while pieces:
        piece = pieces.popleft()
        middle = _floor_point(work, x, piece, y)
        here = work.one_box([(v, v) for v in middle], 0).value[0]
        around = work.one_box([piece[i] if i in flat else (v, v) for i, v in enumerate(middle)], 1)
        below = y.below([around.gradient[j] for j in y.places])
        sides = {i: (b - a) * max(-around.gradient[i][0], around.gradient[i][1])
                 for i in flat for a, b in [piece[i]] if a < b}  # fmt: skip
        by_slopes = here - sum(sides.values()) * (0.5 + len(x) * EPS)
        if max(around.value[0], by_slopes) - below > than:
            continue
        if work.left <= 0 or not here > than or not sides:
            return False
        widest = max(sides, key=lambda i: sides[i] if sides[i] < math.inf else piece[i][1] - piece[i][0])
        (a, b), centre = piece[widest], middle[widest]
        for half in ((a, centre), (centre, b)):
            pieces.append([*piece[:widest], half, *piece[widest + 1 :]])
    return True


def _floor_point(work: _Work, x: Sequence[float], piece: Sequence[Ends], y: _Curved) -> list[float]:
    """Return the middle of a piece in t, with y where the value is about as low as it gets there."""
    found = [x[i] if i in y.places else 0.5 * a + 0.5 * b for i, (a, b) in enumerate(piece)]
    last = math.inf
    for _ in range(_STEPS if y.places else 0):
        at = work.one_box([(v, v) for v in found], 1)
        slopes = [middle_and_radius(at.gradient[j])[0] for j in y.places]
        steps = [sum(m * g for m, g in zip(row, slopes, strict=True)) for row in y.Y]
        length = max(map(abs, steps))
        if not length < last:
            break
        last = length
        for j, step in zip(y.places, steps, strict=True):
            found[j] = min(max(found[j] - step, piece[j][0]), piece[j][1])
    return found
