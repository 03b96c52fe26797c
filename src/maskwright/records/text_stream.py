"""Bytes to text: which encoding they are in, where their lines end, and the place of whatever isn't text.

In: a binary stream, and the encoding where a user has said it. Out: (text, line number or None) pieces by line, paragraph
or whole file. UTF-8 is taken for granted; UTF-16 and UTF-32 are known by their byte order mark, or by where their zero
bytes stand; any other encoding must be declared. Lines end with LF, CR LF or CR, in any mixture. What can't be decoded is
never guessed at: it is named, with its line.
"""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pyarrow as pa

from maskwright.errors import DataError, option

OnBad = Callable[[DataError], None]
"""Callback for data that can't be read; it raises where that ends the reading."""


def stop(error: DataError) -> None:
    """An `OnBad` that ends the reading."""
    raise error


def ignore(error: DataError) -> None:
    """An `OnBad` for a look at some rows: whoever reads all of them will say what is wrong."""


GRAINS = ("line", "paragraph", "file")
BLOCK = 1 << 20
"""Bytes that are requested from a stream at a time."""
HEAD = 4096
"""Bytes at the beginning of a stream by which its encoding is recognised."""
LEAST = 8
"""Bytes that a stream must have for its encoding to be told by its zero bytes."""
UTF8 = "UTF-8"
_KINDS = (
    (b"%PDF", "a PDF document", "take its text out first, such as with pdftotext"),
    (b"PK\x03\x04", "a zip archive, or a document of an office program", "unpack it, or save it as text, csv or xlsx"),
    (b"\xd0\xcf\x11\xe0", "a document of an old office program", "save it as text, csv or xlsx"),
    (b"\x1f\x8b", "compressed with gzip", "end its name in .gz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "end its name in .zst"),
    (b"PAR1", "a Parquet file", "end its name in .parquet"),
    (b"ARROW1", "an Arrow file", "end its name in .arrow"),
    (b"SQLite format 3", "a SQLite data base", "export the table as csv"),
    (b"\x7fELF", "a program", "leave it out"),
    (b"MZ", "a program", "leave it out"),
    (b"\x89PNG", "a picture", "leave it out, or train a model of pictures"),
    (b"\xff\xd8\xff", "a picture", "leave it out, or train a model of pictures"),
    (b"ID3", "sound", "leave it out"),
    (b"RIFF", "sound, video or a picture", "leave it out"),
)  # fmt: skip
"""How files begin that people have among their texts, what they are, and what to do with them."""
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32-LE"), (codecs.BOM_UTF32_BE, "UTF-32-BE"),  # before those of UTF-16, which begin alike
    (codecs.BOM_UTF16_LE, "UTF-16-LE"), (codecs.BOM_UTF16_BE, "UTF-16-BE"),
)  # fmt: skip
_WRONG = "maskwright.wrong"
"""Name of the codec error handler that replaces what can't be decoded by a byte that UTF-8 never contains."""
codecs.register_error(_WRONG, lambda error: ("\udc80", error.end))  # type: ignore[attr-defined] # of any UnicodeError


def known_encoding(name: str) -> str:
    """The name of an encoding as it is spelled in messages. Raises DataError for one that Python doesn't know."""
    try:
        codec = codecs.lookup(name)
        if not codec._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        fix = "give one that Python knows, such as utf-8, utf-16, cp1252 or latin-1"
        raise DataError("no such encoding", where=option("encoding", name), fix=fix, option="encoding") from None
    return UTF8 if codec.name == "utf-8" else codec.name.upper() if codec.name.startswith("utf") else codec.name


def encoding_of(head: bytes) -> str:
    """The encoding of a stream that begins with these bytes: UTF-8, or one of the four that have zero bytes in them.

    >>> encoding_of("id,text".encode("utf-16"))
    'UTF-16-LE'
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if 0 in head:
        for name, width in (("UTF-32-LE", 4), ("UTF-32-BE", 4), ("UTF-16-LE", 2), ("UTF-16-BE", 2)):
            whole = head[: len(head) // width * width]
            if len(whole) >= LEAST and _reads(whole, name):
                return name
    return UTF8


def _reads(head: bytes, encoding: str) -> bool:
    """Whether it is text in this encoding: of printed characters, and of those that Latin has for the most part."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return False
    common = sum(c < "\u0250" for c in text)
    return bool(text) and common > len(text) / 2 and all(c.isprintable() or c in "\t\n\r\f" for c in text)


def kind_of_binary(head: bytes) -> tuple[str, str] | None:
    """What a file is that isn't text, and what to do with it; None where its beginning doesn't tell.

    >>> kind_of_binary(b"%PDF-1.7")
    ('a PDF document', 'take its text out first, such as with pdftotext')
    """
    if head[4:8] == b"ftyp":
        photo = head[8:12] in (b"heic", b"heix", b"mif1", b"avif")
        return ("a photograph (HEIC or AVIF)", "train a model of pictures") if photo else ("a video", "leave it out")
    found = next(((kind, fix) for begin, kind, fix in _KINDS if head.startswith(begin)), None)
    return found if found and (head.startswith(b"%PDF") or 0 in head or not _is_utf8(head)) else None


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


@dataclass
class TextStream:
    """A binary stream as text, decoded as it is read."""

    name: str
    stream: Any
    """Binary stream in UTF-8, perhaps with a byte order mark; other encodings have been recoded."""
    on_bad: OnBad
    encoding: str
    """Encoding of the original bytes, before any recoding."""

    @classmethod
    def of(cls, name: str, stream: Any, on_bad: OnBad, declared: str | None = None) -> TextStream:
        """`declared` is the encoding where the user has said it; a byte order mark knows better. Of a file of another kind
        `on_bad` hears once, and it is empty. Raises DataError for an encoding that is not known."""
        stream = stream if hasattr(stream, "peek") else io.BufferedReader(stream, BLOCK)
        head = stream.peek(HEAD)[:HEAD]
        kind = kind_of_binary(head)
        if kind and not declared:
            on_bad(DataError(f"{kind[0]}, not text", where=name, fix=kind[1]))
            return cls(name, io.BytesIO(), on_bad, UTF8)
        found = encoding_of(head)
        if declared and found == UTF8 and not head.startswith(codecs.BOM_UTF8):
            found = known_encoding(declared)
            if found in ("UTF-16", "UTF-32"):  # without a mark: as Windows writes them
                found += "-LE"
        if found != UTF8:
            stream = io.BufferedReader(_Recoded(stream, found), BLOCK)
        return cls(name, stream, on_bad, found)

    def lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Number from 1, offset and bytes of every line, its end included."""
        offset = 0
        for number, raw in enumerate(split_lines(self.stream), 1):
            yield number, offset, raw
            offset += len(raw)

    def texts(self) -> Iterator[tuple[int, str | None]]:
        """Number and text of every line, its end included; None for one of which `on_bad` has heard."""
        for number, offset, raw in self.lines():
            yield number, self.decoded(raw, f"{self.name}:{number}", offset)

    def whole(self) -> str | None:
        """All that there is, or None after `on_bad` was told why it isn't text."""
        return self.decoded(self.stream.read(), self.name)

    def decoded(self, raw: bytes, name: str, offset: int = 0) -> str | None:
        """The text of `raw`, which `name` names; or None after `on_bad` was told why it isn't text."""
        if not offset and raw.startswith(codecs.BOM_UTF8):
            raw, offset = raw[3:], 3
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self.on_bad(self._wrong(raw, error, name, offset))
            return None
        if "\0" in text:
            at = f", the first at offset {offset + raw.index(0)}" if self.encoding == UTF8 else ""
            what = f"binary, not text: {raw.count(0)} NUL bytes{at}"
            self.on_bad(DataError(what, where=name, fix=f"leave it out, or say what it is with {option('encoding')}"))
            return None
        return text

    def _wrong(self, raw: bytes, error: UnicodeDecodeError, name: str, offset: int) -> DataError:
        places = _wrong_places(raw)
        what = f"invalid {self.encoding} in {places} place{'s' if places > 1 else ''}"
        if self.encoding == UTF8:
            what += f", the first at offset {offset + error.start} (byte 0x{raw[error.start]:02x})"
        return DataError(what, where=name, fix=f"convert it, or say what it is, such as {option('encoding', 'cp1252')}")


def _wrong_places(raw: bytes) -> int:
    """How often something stands there that is no UTF-8."""
    mark = "\udc80".encode("utf-8", "surrogatepass")
    recoded = raw.count(mark)
    rest = raw.replace(mark, b"")
    return recoded + rest.decode(errors="replace").count("\ufffd") - rest.count("\ufffd".encode())


def split_lines(stream: Any) -> Iterator[bytes]:
    """Lines of a binary stream with their ends: LF, CR LF or CR. Time is linear in a line's length, whatever it is."""
    held: list[bytes] = []
    read = getattr(stream, "read1", stream.read)  # what a pipe has now, rather than a whole block of it
    while block := read(BLOCK):
        if held and held[-1].endswith(b"\r"):
            if block.startswith(b"\n"):
                held.append(b"\n")
                block = block[1:]
            yield b"".join(held)
            held = []
        parts = block.splitlines(keepends=True)
        if not parts:
            continue
        if len(parts) > 1:
            yield b"".join([*held, parts[0]])
            yield from parts[1:-1]
            held = [parts[-1]]
        else:
            held.append(parts[0])
        if held[-1].endswith(b"\n"):
            yield b"".join(held)
            held = []
    if held:
        yield b"".join(held)


class _Recoded(io.RawIOBase):
    """A binary stream in one encoding, as one in UTF-8."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder(encoding)(errors=_WRONG)
        self.held = b""
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.held and not self.ended:
            block = self.stream.read1(BLOCK)
            self.ended = not block
            self.held = self.decoder.decode(block, final=self.ended).encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self.held))
        buffer[:count] = self.held[:count]
        self.held = self.held[count:]
        return count


def pieces(
    name: str, stream: Any, grain: str, on_bad: OnBad, encoding: str | None = None
) -> Iterator[tuple[str, int | None]]:
    """The texts of a binary stream, and the line on which each begins: None for one that is all of the file. A paragraph of
    which a line can't be read is left out whole."""
    if grain not in GRAINS:
        raise DataError(f"choose one of {', '.join(GRAINS)}", where=option("record", grain), option="record")
    source = TextStream.of(name, stream, on_bad, encoding)
    if grain == "file":
        text = source.whole()
        if text is not None and text.strip():
            yield text, None
        return
    paragraph: list[str | None] = []
    begun = 0
    for number, line in source.texts():
        if grain == "line":
            if line is not None and line.strip():
                yield line.rstrip("\r\n"), number
        elif line is None or line.strip():
            begun = begun if paragraph else number
            paragraph.append(line)
        elif paragraph:
            yield from _joined(paragraph, begun)
            paragraph = []
    yield from _joined(paragraph, begun)


def _joined(paragraph: list[str | None], begun: int) -> Iterator[tuple[str, int]]:
    lines = [line for line in paragraph if line is not None]
    if lines and len(lines) == len(paragraph):
        yield "".join(lines).rstrip("\r\n"), begun


class Guard:
    """A context in which whatever a damaged file raises while it is read becomes one error that names it."""

    def __init__(self, name: str, on_bad: OnBad, words: str = "can't be read") -> None:
        self.name, self.on_bad, self.words = name, on_bad, words

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, (pa.ArrowException, OSError, EOFError, zlib.error)) and not isinstance(error, BrokenPipeError):
            self.on_bad(DataError(f"{self.words}: {said(error)}", where=self.name))
            return True
        return False


def said(error: BaseException) -> str:
    """What a library's error says, in a line."""
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
