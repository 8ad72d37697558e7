"""A box cut into others again and again until each of them can be judged by itself: the tree of the cuts, as a text.

Every box is either a leaf, or cut in two along one axis: in its middle, or at a face of a box that is named. One
number a box tells which, level by level from the whole; what is stored is these numbers, compressed. So a text of a
few kilobytes holds thousands of boxes that leave no point of the whole out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import TINY
from gdcli.kernel.vectors import np

# An array of numpy; ends of boxes are (n, m), n variables in m boxes.
Array = Any
Face = tuple[Array, Array]
# A box that is told as proved is made wider up to so many times until that is seen.
WIDENINGS = 4
# A tree has at most so many boxes, leaves and others; and so many levels for each variable.
MOST_BOXES, _MOST_LEVELS = 1 << 15, 60
# Boxes that are judged at once; of fewer the halves are cut once more before they are judged, which costs less.
_AT_ONCE, _FEW = 2048, 64


class Settled(NamedTuple):
    """Which boxes are judged (m,); how to cut the others: numbers as in the tree, (m,), now and ``then`` their
    halves.
    """

    settled: Array
    cut: Array
    then: Array


Judge = Callable[[Array, Array], Settled]


def bisections(sizes: Array) -> Array:
    """Return the numbers (2, m) of cuts in the middle along the axis where ``sizes`` (n, m) are largest, and those of
    the halves after them.
    """
    left, first = sizes.copy(), np.argmax(sizes, axis=0)
    left[first, np.arange(sizes.shape[1])] *= 0.5
    return 1 + np.stack([first, np.argmax(left, axis=0)])


def face_cut(size: int, face: Array, axis: Array, upper: Array) -> Array:
    """Return the number of a cut at the lower or upper end of an axis of the box ``face``, of ``size`` variables."""
    return 1 + size + (face * size + axis) * 2 + upper


def lie_in_told(low: Array, high: Array, faces: Sequence[Face], proved: Array) -> tuple[Array, Array]:
    """Return which boxes (n, m) lie in one that is told, and how to cut those that meet one at its faces, 0 where none
    is met; those that are ``proved`` (k,) are left whole.
    """
    n, m = low.shape
    found, cut = np.zeros(m, bool), np.zeros(m, int)
    for k, (a, b) in enumerate(faces):
        a, b = a[:, None], b[:, None]
        inside = ((low >= a) & (high <= b)).all(axis=0)
        found |= inside
        if proved[k]:
            continue
        ends = np.stack([(low < a) & (a < high), (low < b) & (b < high)], axis=1).reshape(2 * n, -1)
        touching = ~inside & ((low < b) & (high > a)).all(axis=0) & ends.any(axis=0)
        place = np.argmax(ends, axis=0)[touching]
        cut[touching] = face_cut(n, np.full(len(place), k), place // 2, place % 2)
    return found, cut


def hulls_with_nearest(low: Array, high: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return which boxes (n, m) are no farther than their size from the nearest of the boxes ``a`` to ``b`` (n, k), and
    the least boxes around each of these and that.
    """
    apart = np.maximum(a[:, None] - high[:, :, None], low[:, :, None] - b[:, None])
    distance = (apart / np.maximum(high - low, TINY)[:, :, None]).max(axis=0)
    nearest = np.argmin(distance, axis=1)
    near = distance[np.arange(low.shape[1]), nearest] <= 1.0
    low = np.minimum(low[:, near], a[:, nearest[near]])
    return near, low, np.maximum(high[:, near], b[:, nearest[near]])


def grown(low: Array, high: Array, faces: Sequence[Face], judge: Judge, most: int = MOST_BOXES) -> str | None:
    """Return the tree of the box ``low`` to ``high`` (n,) whose leaves ``judge`` settles; None where that takes more
    than ``most`` boxes.
    """
    boxes = low[:, None].copy(), high[:, None].copy()
    levels: list[Array] = []
    count = 0
    while boxes[0].shape[1]:
        count += boxes[0].shape[1]
        if count > most or len(levels) > _MOST_LEVELS * (len(low) + 1):
            return None
        found = judged(judge, *boxes)
        kinds = [np.where(found.settled, 0, found.cut)]
        if boxes[0].shape[1] <= _FEW:
            again = found.then[~found.settled]
            kinds.append(np.concatenate([again, again]))
        for numbers in kinds:
            cuts = _points(numbers, *boxes, faces)
            if cuts is None:
                return None
            levels.append(numbers)
            boxes = _halves(numbers, *boxes, *cuts)
    return _text(np.concatenate(levels))


def judged(judge: Judge, low: Array, high: Array) -> Settled:
    """Return what ``judge`` says of many boxes, which it is asked for in parts."""
    parts = [
        judge(low[:, k : k + _AT_ONCE], high[:, k : k + _AT_ONCE]) for k in range(0, low.shape[1], _AT_ONCE)
    ]
    return Settled(*(np.concatenate([part[place] for part in parts]) for place in range(3)))


def leaves(text: str, low: Array, high: Array, faces: Sequence[Face]) -> tuple[Array, Array]:
    """Return the leaves (n, m) of a stored tree. Raises ValueError for a text that is none of the box."""
    numbers = _numbers(text)
    boxes = low[:, None].copy(), high[:, None].copy()
    found: list[tuple[Array, Array]] = []
    begin = 0
    while boxes[0].shape[1]:
        end = begin + boxes[0].shape[1]
        level = numbers[begin:end]
        if len(level) < boxes[0].shape[1]:
            raise ValueError("the cover ends too early")
        cuts = _points(level, *boxes, faces)
        if cuts is None:
            raise ValueError("the cover has a cut that is none")
        found.append((boxes[0][:, level == 0], boxes[1][:, level == 0]))
        boxes, begin = _halves(level, *boxes, *cuts), end
    if begin != len(numbers):
        raise ValueError("the cover does not end")
    ends = [np.concatenate([pair[k] for pair in found], axis=1) for k in (0, 1)]
    return ends[0], ends[1]


def _points(numbers: Array, low: Array, high: Array, faces: Sequence[Face]) -> tuple[Array, Array] | None:
    """Return the axes and the places (m,) of the cuts, whatever of leaves; None where one does not make two boxes."""
    n, m = low.shape
    each = np.arange(m)
    at_face = np.maximum(numbers - 1 - n, 0)
    if (at_face // (2 * n) >= max(1, len(faces))).any() or (numbers < 0).any():
        return None
    axis = np.where(numbers > n, (at_face // 2) % n, np.maximum(numbers - 1, 0))
    a, b = low[axis, each], high[axis, each]
    with np.errstate(over="ignore"):
        place = 0.5 * a + 0.5 * b
    if (numbers > n).any():
        ends = np.array([[face[k] for k in (0, 1)] for face in faces])  # (boxes, 2, n)
        place = np.where(numbers > n, ends[at_face // (2 * n), at_face % 2, axis], place)
    return None if ((numbers > 0) & ~((a < place) & (place < b))).any() else (axis, place)


def _halves(numbers: Array, low: Array, high: Array, axis: Array, place: Array) -> tuple[Array, Array]:
    cut = numbers > 0
    low, high, axis, place = low[:, cut], high[:, cut], axis[cut], place[cut]
    each = np.arange(low.shape[1])
    upper_low, lower_high = low.copy(), high.copy()
    upper_low[axis, each] = lower_high[axis, each] = place
    return np.concatenate([low, upper_low], axis=1), np.concatenate([lower_high, high], axis=1)


def _text(numbers: Array) -> str:
    import zlib
    from base64 import b64encode

    return b64encode(zlib.compress(numbers.astype("<u2").tobytes(), 9)).decode("ascii")


def _numbers(text: str) -> Array:
    import zlib
    from base64 import b64decode

    try:
        unpacked = zlib.decompressobj()
        raw = unpacked.decompress(b64decode(text, validate=True), 2 * MOST_BOXES)
    except (ValueError, zlib.error):
        raise ValueError("the cover is no text of one") from None
    if not unpacked.eof or len(raw) % 2:
        raise ValueError("the cover is torn, or too long")
    return np.frombuffer(raw, "<u2").astype(np.int64)
