"""Bytes as lines: a file, a pipe or a compressed one of either, cut into blocks that end at a line end.

Compression is recognised by the first bytes, not by the name. A read that fails says why in one sentence. The
first block is as short as what has arrived allows, so that a bad first line of an endless pipe is told at once;
the blocks grow from there.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable
from typing import BinaryIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, did_you_mean_file

LONGEST_LINE = 1 << 22  # bytes; a text file with longer lines is none
_READ = 1 << 20  # bytes asked for at a time
_PATIENCE = 0.25  # seconds that a block waits to be filled by a slow pipe
_MARK = 8  # bytes that tell what kind of file it is
_BOM = b"\xef\xbb\xbf"
_BLANKS = 1 << 18  # bytes of blank lines after which the kind of text is no longer looked for
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "lzma",
}
_AGAIN = "copy or download it again"
_EXPORT = "export it as CSV: in the program that made it, Save as, CSV"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # the mark of a beginning, as spreadsheets write "Unicode text"
_FOREIGN = {
    b"PK\x03\x04": (
        "a zip archive or a spreadsheet",
        "give a workbook by its name (.xlsx, .ods), or unpack it: unzip -p {0} | gd fit ... -",
    ),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet or a document of an old kind", _EXPORT),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "zstd -dc {0} | gd fit ... -"),
}
COLUMNAR = (b"PAR1", b"ARROW1", b"FEA1")
STDIN = "standard input"


class Cut(NamedTuple):
    """A part of a file: what begins from ``start`` on and before ``end``, in bytes, row groups or record batches.

    Where lines are ``numbered`` they have the numbers of the whole file, else they count from the first of the part.
    """

    start: int
    end: int
    numbered: bool = False


class ForeignError(DataError):
    """A file is no text, but of another known kind."""


def is_url(path: str) -> bool:
    return "://" in path


def opened(path: str) -> BinaryIO:
    """Return the bytes of a file, or at a URL. Raises OSError for a file, DataError for a URL that cannot be read."""
    if is_url(path):
        from gdcli.table.urls import UrlFile

        return UrlFile(path)  # type: ignore[return-value]  # it reads, and no more is asked
    return open(path, "rb", buffering=0)


def size_of(file: BinaryIO) -> int:
    """Return how many bytes a file has, 0 where nobody knows, -1 of what can be read but once."""
    if hasattr(file, "size"):
        return file.size or 0
    found = os.fstat(file.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


class Stream:
    """The bytes of a file or a pipe from their beginning; close it when done.

    ``name`` is what messages call it, ``again`` whether it can be opened once more (a regular file), ``start``
    its first bytes, those of what is ``packed`` when unpacked, ``size`` how many bytes a file has, as they are. What
    ``is_whole`` cannot be read from a place within it on. Text whose first character beyond ASCII is none in
    UTF-8 ``is_windows_1252``, as spreadsheets write "CSV" on Windows, and comes as UTF-8.
    """

    def __init__(self, path: str, stdin: BinaryIO | None = None) -> None:
        self.name = STDIN if path == "-" else path
        self.start = b""
        self.again = self.packed = self.is_whole = self.is_windows_1252 = False
        self.size = 0
        self._file = self._opened(path, stdin)
        self._read: Callable[[int], bytes] = self._piece
        self._recoded = False
        self._is_ascii = True  # what was read so far
        self._begun = False  # the first bytes are no longer put back
        self._left = -1  # bytes up to where a part ends; -1: it has no end of its own
        self._owned: list[BinaryIO] = [] if path == "-" else [self._file]
        try:
            self._recognise()
        except BaseException:
            self.close()
            raise

    def _opened(self, path: str, stdin: BinaryIO | None) -> BinaryIO:
        if path == "-":
            if stdin is None:
                raise DataError("standard input is closed")
            return stdin
        try:
            file = opened(path)
        except (OSError, ValueError) as fault:  # ValueError: a path that none can be
            hint = ""
            if isinstance(fault, IsADirectoryError):
                hint = f"name its files: '{path.rstrip('/')}/*.csv'"
            elif isinstance(fault, FileNotFoundError):
                hint = did_you_mean_file(path)
            raise DataError(f"cannot read {path}: {_why(fault)}", hint) from None
        size = size_of(file)
        self.again, self.size, self.is_whole = size >= 0, max(0, size), size <= 0
        return file

    @property
    def progress(self) -> tuple[int, int]:
        """How many bytes of a regular file are read and how many it has, packed as they are; else zeros."""
        return (self._file.tell(), self.size) if self.again else (0, 0)

    def _recognise(self) -> None:
        """Look at the first bytes: unpack what is compressed, refuse what is no text."""
        self.start = self._first()
        for magic, module in _COMPRESSED.items():
            if self.start.startswith(magic):
                self._unpack(module)
                self.packed = self.is_whole = True
                self.start = self._first()
                break
        if self.start.startswith(_UTF16):
            self._recode("utf-16", "strict")
            self.is_whole = True
            self.start = self._first()
        for magic, (what, remedy) in _FOREIGN.items():
            if self.start.startswith(magic):
                raise ForeignError(
                    f"{self.name} is {what}, not UTF-8 text",
                    remedy.format("FILE" if self.name == STDIN else self.name),
                )

    def _first(self) -> bytes:
        """Return as many of the first bytes as tell what this is, and put them back; no more, they may come slowly."""
        found = b""
        while _may_be_more(found) or (not found.removeprefix(_BOM).strip() and len(found) < _BLANKS):
            more = self.read(_MARK - len(found) if len(found) < _MARK else 1 << 12)
            if not more:
                break
            found += more
        self._put_back(found)
        return found

    def _put_back(self, found: bytes) -> None:
        rest = self._read

        def first_then_rest(asked: int) -> bytes:
            nonlocal found
            if not found:
                return rest(asked)
            piece, found = found[:asked], found[asked:]
            return piece

        self._read = first_then_rest

    def _piece(self, asked: int) -> bytes:
        """Read from the file itself, no further than a part of it goes."""
        read = getattr(self._file, "read1", self._file.read)
        piece: bytes = read(asked if self._left < 0 else min(asked, self._left))
        self._left -= len(piece) if self._left >= 0 else 0
        return piece

    def _recode(self, encoding: str, unknown: str) -> None:
        """Have what follows as UTF-8; ``unknown`` is the way to put bytes that the encoding has not (see `codecs`)."""
        import codecs

        rest, decoder = self._read, codecs.getincrementaldecoder(encoding)(unknown)

        def recoded(asked: int) -> bytes:
            try:
                while piece := rest(max(2, asked // 3)):  # a byte may become three
                    if text := decoder.decode(piece):
                        return text.encode(
                            "utf-8", "surrogateescape" if unknown != "strict" else "surrogatepass"
                        )
                decoder.decode(b"", final=True)
            except UnicodeError:
                raise DataError(
                    f"{self.name} is cut off, or is no {encoding.upper()} text", "save it as UTF-8"
                ) from None
            return b""

        self._read, self._recoded = recoded, True

    def _unpack(self, module: str) -> None:
        import importlib

        library = importlib.import_module(module)
        packed = io.BufferedReader(_Raw(self._read), 1 << 18)
        file: BinaryIO = library.open(packed, "rb")
        self._owned.append(file)
        self._read = file.read1  # type: ignore[attr-defined]

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, as many as one read gives; none at the end."""
        try:
            return self._read(size)
        except EOFError:
            raise DataError(f"{self.name} is cut off: its compressed data has no end", _AGAIN) from None
        except OSError as fault:
            raise DataError(f"cannot read {self.name}: {_why(fault)}") from None
        except Exception as fault:
            if type(fault).__module__ in ("zlib", "_lzma"):  # their own errors
                raise DataError(
                    f"cannot read {self.name}: its compressed data is broken ({fault})", _AGAIN
                ) from None
            raise

    def fill(self, buffer: memoryview) -> int:
        """Put bytes into a buffer, as many as one read gives, and return how many; 0 at the end."""
        got = self._filled(buffer)
        if self._is_ascii and not (piece := bytes(buffer[:got])).isascii():
            self._is_ascii = False
            if not self._is_utf8(piece):
                return self.fill(buffer)
        return got

    def _filled(self, buffer: memoryview) -> int:
        if (
            self._begun and self.again and not self._recoded and self._owned == [self._file]
        ):  # a file as it is
            if self._left >= 0:
                buffer = buffer[: self._left]
            try:
                got = int(self._file.readinto(buffer))  # type: ignore[attr-defined]
            except OSError as fault:
                raise DataError(f"cannot read {self.name}: {_why(fault)}") from None
            self._left -= got if self._left >= 0 else 0
            return got
        self._begun = len(buffer) > _MARK
        piece = self.read(min(_READ, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)

    def _is_utf8(self, piece: bytes) -> bool:
        """Tell it by the first character that is not ASCII; otherwise, or after reading on, ``piece`` is put back."""
        at, length = next(i for i, byte in enumerate(piece) if byte > 127), len(piece)
        while _is_begun(piece[at : at + 4]) and (more := self.read(4)):
            piece += more
        try:
            piece[at:].decode("utf-8")
        except UnicodeDecodeError as fault:
            self.is_windows_1252 = fault.start == 0
        if not self.is_windows_1252 and len(piece) == length:
            return True
        self._put_back(piece)
        self._recoded = True
        if self.is_windows_1252:
            self._recode("cp1252", "surrogateescape")
        return False

    def lines_of(self, cut: Cut, behind: int) -> LineStream:
        """Return the lines of a part of a regular file, but for the first ``behind`` of the file."""
        begin = max(self._end_of_lines(0, behind), self._line_from(cut.start))
        self._left = max(0, self._line_from(cut.end) - begin)
        before = self._count_lines(begin) if cut.numbered else 0
        self._file.seek(begin)
        self._read, self._begun, self._recoded, self._is_ascii = self._piece, True, False, True
        return LineStream(self, 1 + before, is_cut=True)

    def _line_from(self, at: int) -> int:
        """Return where the first line begins that does not begin before a place."""
        return self._end_of_lines(at - 1, 1) if at else 0

    def _end_of_lines(self, start: int, lines: int) -> int:
        """Return where so many lines, counted from the place ``start`` on, come to their end."""
        self._file.seek(start)
        while lines and (block := self._file.read(_READ)):
            at = -1
            while lines and (found := block.find(b"\n", at + 1)) >= 0:
                at, lines = found, lines - 1
            start += len(block) if lines else at + 1
        return start

    def _count_lines(self, end: int) -> int:
        self._file.seek(0)
        found = 0
        while end and (block := self._file.read(min(end, _READ))):
            found, end = found + block.count(b"\n"), end - len(block)
        return found

    def idle(self, seconds: float) -> bool:
        """Tell whether nothing comes for so long; a stream that cannot be asked is taken to be busy."""
        import select

        if self.again:
            return False
        try:
            ready, _, _ = select.select([self._file.fileno()], [], [], seconds)
        except (OSError, ValueError, AttributeError):
            return False
        return not ready

    def close(self) -> None:
        for file in reversed(self._owned):
            file.close()


def _may_be_more(found: bytes) -> bool:
    """Tell whether the next bytes may make a mark of these."""
    marks = (*_COMPRESSED, *_UTF16, *_FOREIGN, *COLUMNAR, _BOM)
    return any(len(found) < len(mark) and mark.startswith(found) for mark in marks)


def _is_begun(found: bytes) -> bool:
    """Tell whether these bytes may be the beginning of a character in UTF-8, and no more than that."""
    import codecs

    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(found)
    except UnicodeDecodeError:
        return False


class _Raw(io.RawIOBase):
    """A function that reads, as the raw file that the decompressors want."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._source(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _why(fault: OSError | ValueError) -> str:
    told = fault.strerror if isinstance(fault, OSError) else ""
    return (told or str(fault) or type(fault).__name__).lower()


def too_long(name: str, line: int) -> DataError:
    return DataError(
        f"{name}:{line}: a line of more than {LONGEST_LINE >> 20} MiB", "is this a file of text with rows?"
    )


class LineStream:
    """The lines of a stream, taken in blocks that end with a line end.

    ``first`` is the number, from 1, of the first line of the block taken last, ``line`` that of the line after it,
    which is counted when it is asked for, unless it is told before (`counted`).
    """

    def __init__(self, stream: Stream, line: int = 1, is_cut: bool = False) -> None:
        self.stream = stream
        self.name = stream.name
        self.first = self._line = line
        self.is_cut = is_cut  # what follows may be another part of a file
        self._uncounted = memoryview(b"")  # the block taken last, as long as its lines are not counted
        self._buffer = bytearray()
        self._rest = b""  # read, not yet given out
        self._ended = False
        self._held = 0  # bytes at the beginning of the rest that are not enough by themselves

    def take(self, size: int) -> bytes:
        """Return a block of whole lines of about ``size`` bytes; nothing at the end.

        A block is shorter where the stream is slow: after a moment it goes as it is, and what has been read
        already is not kept waiting. The last line gets a line end where it has none.
        """
        return bytes(self.view(size))

    def view(self, size: int) -> memoryview:
        """Return what `take` does in memory that the next block is put into."""
        self.first = self.line
        length, whole = len(self._rest), self._rest.find(b"\n", self._held) >= 0
        self._reserve(0, max(size, length))
        self._buffer[:length] = self._rest
        self._held, waited = 0, False
        deadline = time.monotonic() + _PATIENCE
        while not self._ended and (length < size or not whole):
            if whole and waited:
                left = deadline - time.monotonic()
                if left <= 0 or self.stream.idle(left):
                    break
            got = self._more(length, max(size - length, 1 << 16))
            waited = True
            whole = whole or self._buffer.find(b"\n", length, length + got) >= 0
            length += got
            if not whole and length > LONGEST_LINE:
                raise too_long(self.name, self.line)
        self._uncounted = self._whole_lines(length)
        return self._uncounted

    def _reserve(self, used: int, more: int) -> None:
        """Have room for so many bytes more in the buffer, and for a line end. A block given out keeps the old one."""
        if len(self._buffer) <= used + more:
            before = self._buffer
            self._buffer = bytearray(used + more + 1)
            self._buffer[:used] = before[:used]

    def _more(self, used: int, asked: int) -> int:
        self._reserve(used, asked)
        space = memoryview(self._buffer)[used : used + asked]
        got = self.stream.fill(space)
        self._ended = not got
        return got

    def _whole_lines(self, length: int) -> memoryview:
        """Return the whole lines of the buffer, and keep the rest of its bytes for the next block."""
        cut = length
        if not self._ended:
            cut = self._buffer.rfind(b"\n", 0, length) + 1
        elif length and self._buffer[length - 1] != 10:
            self._buffer[length] = 10
            cut += 1
        self._rest = bytes(self._buffer[cut:length])
        return memoryview(self._buffer)[:cut]

    @property
    def line(self) -> int:
        """The number, from 1, of the line that comes next."""
        self.counted(bytes(self._uncounted).count(b"\n"))
        return self._line

    def counted(self, lines: int) -> None:
        """Be told how many lines the block has that was taken last."""
        if self._uncounted:
            self._line += lines
            self._uncounted = memoryview(b"")

    @property
    def ended(self) -> bool:
        """Whether nothing follows the block that was taken last."""
        return self._ended and not self._rest

    def give_back(self, lines: bytes, more: bool) -> None:
        """Put whole lines, the last of those taken, back in front of what follows.

        With ``more`` the next block has at least one line beyond them.
        """
        self._rest = lines + self._rest
        self._held = len(lines) if more else 0
        self._line = self.line - lines.count(b"\n")


class Supply:
    """The lines of one file or pipe, from their beginning: of a regular file as often as wanted, of a pipe once."""

    def __init__(self, path: str, stdin: BinaryIO | None = None, cut: Cut | None = None) -> None:
        self._path, self._cut = path, cut
        stream = Stream(path, stdin)
        self.name, self.again, self.packed = stream.name, stream.again, stream.packed
        self.start, self._stream = stream.start, stream
        self._lines: LineStream | None = LineStream(stream)

    @property
    def notes(self) -> tuple[str, ...]:
        return ("not UTF-8: read as Windows-1252",) if self._stream.is_windows_1252 else ()

    def lines(self) -> tuple[LineStream, bool]:
        """Return the lines and whether they begin anew; not, where the header has been taken from them."""
        if self._lines is not None:
            return self._lines, False
        if not self.again:
            raise DataError(f"{self.name} can be read only once")
        self._stream = self.opened()
        self._lines = LineStream(self._stream)
        return self._lines, True

    def opened(self) -> Stream:
        return Stream(self._path)

    def rows(self, lines: LineStream) -> LineStream:
        """Return what is to be read of ``lines``, from which the header has been taken: all, or a part."""
        if self._cut is not None:
            self._lines = lines.stream.lines_of(self._cut, lines.line - 1)
            return self._lines
        return lines

    def rest(self) -> None:
        """Close for now what can be opened again, a pipe stays open: there may be many files."""
        if self.again:
            self.close()

    def close(self) -> None:
        if self._lines is not None:
            self._lines.stream.close()
            self._lines = None
