"""Machine code that reads rows of delimited text: bytes in, columns of numbers out.

It reads what is plain: rows that end with a line feed (or carriage return and line feed) and have one number of cells,
none of them in quotes. A wanted cell with a decimal of up to 19 digits becomes the nearest double, as float() makes it.
A row with any other wanted cell is *doubtful*: its number is told, and what it means is for others to say. At the first
sign that a text is not plain, the machine code gives up.

Digits are gathered in an integer w, so that the cell is w * 10**q. Where w and the power of ten are exact as doubles,
one multiplication or division rounds once and is right (W. D. Clinger, How to read floating point numbers accurately,
PLDI 1990). Otherwise w, shifted up, is multiplied by the first 64 and if need be 128 bits of the power of five, which
is enough to round (D. Lemire, Number parsing at a gigabyte per second, Software: Practice and Experience 51, 2021;
N. Mushtak and D. Lemire, Fast number parsing without fallback, ibid. 53, 2023). What is not a normal number below
2**1023 is left as doubtful. Up to eight digits after the point are taken at once, from a word of eight bytes (Lemire).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gdcli.compile import machine_code
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, np

# The exponents of ten for which the bits of the power of five are there: outside, 19 digits are 0 or inf.
_LOWEST, _HIGHEST = -342, 308
_MOST_DIGITS = 19
# Fewer bytes for each thread are not worth starting it.
_LEAST = 1 << 17


def _repeated(byte: int) -> int:
    return int.from_bytes(bytes([byte]) * 8, "little", signed=True)


# Eight bytes, less the digit 0 each: b + 0x76 reaches the highest bit of its byte where b is more than 9, b itself
# where the byte was less than a digit. (What is carried into the next byte only spoils bytes behind the first one that
# is no digit.) Then the digits are moved up, so that zeros stand in front, and two, four and eight are added up.
_DIGITS = f"""
def _digits_ahead(v: "int") -> "int":
    return trailing_zeros(((v + {_repeated(0x76)}) | v) & {_repeated(0x80)}) >> 3

def _number_of(v: "int", n: "int") -> "int":
    d = (v << (8 * (7 - n))) << 8 if n < 8 else v
    d = d * 10 + ((d >> 8) & {(1 << 56) - 1})
    pairs = {0xFF | 0xFF << 32}
    d = (d & pairs) * {100 + (1000000 << 32)} + ((d >> 16) & pairs) * {1 + (10000 << 32)}
    return (d >> 32) & {(1 << 32) - 1}
"""
# The nearest double to w * 10**q, nan where that is left open. All integers are taken as unsigned: a comparison of
# those is one of signed ones with the highest bit turned. The halfway case can only occur for small powers of five.
_NEAREST = f"""
def _nearest(w: "int", q: "int", powers: "float*", fives: "int*"):
    if w >> 53 == 0 and q >= -22 and q <= 22:
        return float(w) / powers[-q] if q < 0 else float(w) * powers[q]
    if w == 0:
        return 0.0
    if q < {_LOWEST} or q > {_HIGHEST}:
        return nan
    return _rounded(w, q, fives[2 * (q - {_LOWEST})], fives[2 * (q - {_LOWEST}) + 1])

def _rounded(w: "int", q: "int", five: "int", rest: "int"):
    zeros = leading_zeros(w)
    w = w << zeros
    upper = high(w, five)
    lower = w * five
    if upper & 511 == 511:
        more = high(w, rest)
        lower = lower + more
        if (more ^ (1 << 63)) > (lower ^ (1 << 63)):
            upper = upper + 1
    top = 1 if upper < 0 else 0
    shift = top + 9
    mantissa = (upper >> shift) & ((1 << (64 - shift)) - 1)
    exponent = ((217706 * q) >> 16) + 1086 + top - zeros
    if lower == -1 or exponent <= 0 or exponent >= 2046:
        return nan
    if (lower == 0 or lower == 1) and q >= -4 and q <= 23 and mantissa & 3 == 1 and mantissa << shift == upper:
        mantissa = mantissa - 1
    return from_bits(((mantissa + 1) >> 1) + ((exponent - 1) << 52))
"""
# A cell: where the reading of the number stops is returned, and the number is stored, nan where it is none.
_NUMBER = f"""
def _number(
    text: "byte*", at: "int", end: "int", tens: "int*", powers: "float*", fives: "int*", out: "float*", place: "int"
) -> "int":
    negative = 1 if text[at] == {ord("-")} else 0
    at = at + (1 if negative or text[at] == {ord("+")} else 0)
    first = at
    w = 0
    while text[at] >= {ord("0")} and text[at] <= {ord("9")}:
        w = w * 10 + (text[at] - {ord("0")})
        at = at + 1
    digits = at - first
    q = 0
    if text[at] == {ord(".")}:
        at = at + 1
        point = at
        if at + 8 <= end:
            ahead = word(text, at) - {_repeated(ord("0"))}
            n = _digits_ahead(ahead)
            w = w * tens[n] + _number_of(ahead, n)
            at = at + n
        while text[at] >= {ord("0")} and text[at] <= {ord("9")}:
            w = w * 10 + (text[at] - {ord("0")})
            at = at + 1
        q = point - at
        digits = digits - q
    sound = 1 if digits > 0 else 0
    if digits > {_MOST_DIGITS}:
        while text[first] == {ord("0")} or text[first] == {ord(".")}:
            digits = digits - (1 if text[first] == {ord("0")} else 0)
            first = first + 1
        sound = 1 if digits <= {_MOST_DIGITS} else 0
    if text[at] == {ord("e")} or text[at] == {ord("E")}:
        at = at + 1
        small = 1 if text[at] == {ord("-")} else 0
        at = at + (1 if small or text[at] == {ord("+")} else 0)
        power = 0
        first = at
        while text[at] >= {ord("0")} and text[at] <= {ord("9")}:
            power = min(power * 10 + (text[at] - {ord("0")}), 9999)
            at = at + 1
        sound = sound if at > first else 0
        q = q - power if small else q + power
    value = nan
    if sound:
        value = _nearest(w, q, powers, fives)
    out[place] = from_bits(bits(value) | (negative << 63))
    return at
"""
# Rows: wanted[k] is the column of the output for cell k, or -1. With the mark " " cells stand apart by spaces and tabs.
# Returned is how many rows there were, or -1; marks has the doubtful ones, and in front how many they are.
_ROWS = """
def _after_text(text: "byte*", at: "int", mark: "int", other: "int") -> "int":
    c = text[at]
    while c != mark and (c > 34 or c < 34 and c > 0 and c != 10 and c != 13 and c != other):
        at = at + 1
        c = text[at]
    return at

def _after_blanks(text: "byte*", at: "int", blank: "int") -> "int":
    while text[at] <= 32 and (text[at] == 32 or text[at] == blank):
        at = at + 1
    return at

def rows(
    text: "byte*", at: "int", end: "int", mark: "int", cells: "int", wanted: "int*", longest: "int",
    tens: "int*", powers: "float*", fives: "int*", out: "float*", stride: "int", row: "int", marks: "int*"
) -> "int":
    spaced = 1 if mark == 32 else 0
    other = 9 if spaced else mark
    blank = 9 if spaced else 32
    before = row
    doubts = 0
    while at < end:
        begin = at
        doubtful = 0
        for k in range(cells):
            at = _after_blanks(text, at, blank)
            plain = 0
            if wanted[k] >= 0:
                place = wanted[k] * stride + row
                at = _number(text, at, end, tens, powers, fives, out, place)
                c = text[at]
                if c == mark or c == 10 or c == other:
                    plain = 1
                else:
                    at = _after_blanks(text, at, blank)
                    c = text[at]
                    plain = 1 if c == mark or c == 10 or c == 13 else 0
                if plain == 0 or out[place] != out[place]:
                    doubtful = 1
            if plain == 0:
                at = _after_text(text, at, mark, other)
            if spaced:
                at = _after_blanks(text, at, blank)
            if k < cells - 1:
                c = text[at]
                if c == 10 or c == 13 or spaced == 0 and c != mark:
                    return -1
                at = at + (1 - spaced)
        at = at + (1 if text[at] == 13 else 0)
        if text[at] != 10 or at - begin > longest or doubtful and cells == 1 and text[begin] <= 32:
            return -1
        if doubtful:
            doubts = doubts + 1
            marks[doubts] = row
        at = at + 1
        row = row + 1
    marks[0] = doubts
    return row - before

def lines(text: "byte*", at: "int", end: "int") -> "int":
    found = 0
    seen = 0
    for i in range(at, end):
        found = found + (1 if text[i] == 10 else 0)
        seen = seen | text[i]
    return found if seen < 128 else -1 - found
"""
TEXT = _DIGITS + _NEAREST + _NUMBER + _ROWS


class Read(NamedTuple):
    """What was read: float64 of shape (columns, rows), and the numbers of the doubtful rows (int64, sorted)."""

    columns: Array
    doubtful: Array


class RowsReader:
    """The machine code, loaded. Raises NoMachineCodeError where there is none."""

    def __init__(self, use_cache: bool = True) -> None:
        if sys.byteorder != "little":
            raise machine_code.NoMachineCodeError(
                "text is read by machine code only where low bytes come first"
            )
        library = machine_code.load(TEXT, None, use_cache)
        self._rows, self._lines = library["rows"], library["lines"]
        self._tens = np.array([10**k for k in range(9)], dtype=np.int64)
        self._powers = np.array([float(10**k) for k in range(23)])
        self._fives = np.array(_powers_of_five(), dtype=np.uint64)

    def read(
        self,
        data: bytes | memoryview,
        delimiter: str,
        cells: int,
        wanted: Sequence[int],
        *,
        longest: int = 1 << 21,
        threads: int = 1,
    ) -> Read | None:
        """Return the numbers of the ``wanted`` cells of rows of so many ``cells``, None where they are not plain.

        ``data`` ends with a line feed; ``delimiter`` " " stands for any number of spaces and tabs. What is not UTF-8
        and lines longer than ``longest`` are not plain.
        """
        bytes_of = np.frombuffer(data, dtype=np.uint8)
        text = bytes_of.ctypes.data
        threads = max(1, min(threads, len(data) // _LEAST))
        ends = [0, *(_line_end(data, len(data) * k // threads) for k in range(1, threads)), len(data)]
        counts = [self._lines(text, *ends[k : k + 2]) for k in range(threads)]
        if min(counts) < 0:
            if not _is_utf8(data):
                return None
            counts = [count if count >= 0 else -1 - count for count in counts]
        out = np.empty((len(wanted), sum(counts)))
        where = np.full(cells, -1, dtype=np.int64)
        where[list(wanted)] = np.arange(len(wanted))
        marks = [np.empty(1 + count, dtype=np.int64) for count in counts]
        how = (ord(delimiter), cells, where.ctypes.data, longest)
        tables = [a.ctypes.data for a in (self._tens, self._powers, self._fives, out)]
        found = [0] * threads

        def part(k: int) -> None:
            place = out.strides[0] // 8, sum(counts[:k]), marks[k].ctypes.data
            found[k] = self._rows(text, *ends[k : k + 2], *how, *tables, *place)

        machine_code.at_once(part, threads)
        return Read(out, np.concatenate([m[1 : 1 + m[0]] for m in marks])) if found == counts else None


def _line_end(data: bytes | memoryview, before: int) -> int:
    """Return the place after the last line feed of the first bytes, 0 where they have none."""
    window = 1 << 12
    while True:
        begin = max(0, before - window)
        found = bytes(data[begin:before]).rfind(b"\n")
        if found >= 0 or not begin:
            return begin + found + 1
        window *= 16


def _is_utf8(data: bytes | memoryview) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _powers_of_five() -> list[int]:
    """The first 128 bits of 5**q, two words each, from the lowest q on: cut off, of negative q the next one above."""
    words = []
    for q in range(_LOWEST, _HIGHEST + 1):
        power = 5 ** abs(q)
        length = power.bit_length()
        if q >= 0:
            bits = power << (128 - length) if length <= 128 else power >> (length - 128)
        else:
            bits = (1 << (length + 127)) // power + 1
        words += [bits >> 64, bits & ((1 << 64) - 1)]
    return words
