"""What a record's value can be: a text or a picture; how each is found in files and in the cells of tables.

In: a source. Out: the form of its records, and why; for each form its values, one at a time. This is of files alone: which
modality makes what of a value is not known here.
"""

from __future__ import annotations

import itertools
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskwright.errors import DataError, MaskwrightWarning, QueryError
from maskwright.records import field_path, pictures, strips, tables, utf8, walk
from maskwright.records.pictures import Image, Note
from maskwright.records.utf8 import Report

PEEKED = 100_000
"""files of a folder by whose names its form is told"""
LOOKED_AT = 64
"""rows of a table, by which its form is told"""


class Form(Protocol):
    name: str
    """of several, as a person says it"""
    column: str
    """a table's column of this name holds them, whatever else it has"""
    literal: bool
    """what is said on a command line and is no file stands for itself"""
    endings: tuple[str, ...]
    """of files that one value is written to by itself, the usual one first; none where a line will do"""
    encoded: int
    """bytes of memory that decoding one may take; 0 where they need not be decoded, which takes far longer than to read"""

    def takes(self, path: Path) -> bool:
        """Whether a file that is found in a folder is one of these, or a table of them."""

    def pieces(
        self, name: str, stream: Any, grain: str | None, whole: bool, bad: Report, note: Note
    ) -> Iterator[tuple[Any, str]]:
        """(value, place) of what a file that is no table holds; `whole`: a text is one value, unless told by `grain`."""

    def holds(self, cell: Any) -> bool:
        """Whether a cell of a table is likely one of these."""

    def value(self, cell: Any, where: str, field: str, note: Note) -> Any:
        """What a cell holds; None where it is blank. Raises DataError."""

    def facts(self, values: Iterable[Any]) -> list[str]:
        """What a person wants to know of a data set, a line each."""

    def stretches(self, value: Any, size: int) -> Iterator[tuple[Any, str]]:
        """Parts of some `size` bytes, and their places, of a value that is too large to be one of many; or all of it."""

    def excerpt(self, value: Any, size: int) -> Any:
        """A part of some `size` bytes that stands for a larger value in a sample; or all of it."""

    def alone(self, value: Any) -> bool:
        """Whether what Python gives is one record, not many."""

    def of_python(self, value: Any, name: str, note: Note | None = None) -> Any:
        """A value from what Python gives for one; notes are warnings where nobody hears them. Raises DataError."""

    def mask(self, given: Any) -> Any:
        """What Python gives for a mask, read once. Raises DataError, and QueryError where there is no such thing."""

    def masked(self, value: Any, mask: Any, name: str) -> Any:
        """A value without what a mask hides. Raises DataError."""

    def strip(self, value: Any, cells: Sequence[Any]) -> bytes:
        """To look at: what was, what was hidden, what was filled in, as cells."""

    def heat(self, value: Any, places: Sequence[tuple[int, ...]], nats: Sequence[float]) -> bytes:
        """To look at: how strange each place of it is."""

    def cell(self, value: Any) -> Any:
        """A value as a table's cell holds it."""

    def ending(self, cell: Any) -> str:
        """Of a file that holds this cell; "" where there are no such files."""

    def shown(self, cell: Any) -> str:
        """A cell on a terminal."""

    def brief(self, value: Any) -> str:
        """A value on a terminal, beside what was found of it."""

    def size(self, value: Any) -> int:
        """About how much memory it takes, in bytes."""


class Texts:
    name, column, literal = "text", "text", True
    endings: tuple[str, ...] = ()
    encoded = 0

    def takes(self, path: Path) -> bool:
        return True

    def pieces(
        self, name: str, stream: Any, grain: str | None, whole: bool, bad: Report, note: Note
    ) -> Iterator[tuple[Any, str]]:
        for text, line in utf8.pieces(name, stream, grain or ("file" if whole else "line"), bad):
            yield text, name if line is None else f"{name}:{line}"

    def holds(self, cell: Any) -> bool:
        return isinstance(cell, str) and not _is_number(cell)

    def value(self, cell: Any, where: str, field: str, note: Note) -> str | None:
        if not isinstance(cell, str):
            what = "is missing" if cell is None else f"holds {type(cell).__name__}, not text"
            raise DataError(f"{where}: field {field!r} {what}; mend it, name another with --field")
        try:
            cell.encode()
        except UnicodeEncodeError:
            raise DataError(f"{where}: holds half a surrogate pair, which is no character; mend it") from None
        return cell if cell.strip() else None

    def facts(self, values: Iterable[Any]) -> list[str]:
        sizes: list[int] = []
        first = ""
        for value in values:
            first = first or value
            sizes.append(len(value.encode()))
        sizes.sort()
        return [
            f"{sum(sizes) / 1e6:.2f} MB; bytes a record: median {sizes[len(sizes) // 2]:,},"
            f" 90% up to {sizes[int(0.9 * (len(sizes) - 1))]:,}, largest {sizes[-1]:,}",
            f"first: {json.dumps(first if len(first) <= 80 else first[:77] + '...', ensure_ascii=False)}",
        ]

    def stretches(self, value: Any, size: int) -> Iterator[tuple[Any, str]]:
        begin = 0
        while begin < len(value):
            end = value.find("\n", begin + size) + 1 or len(value)
            if end - begin > 3 * size:
                end = begin + size
            yield value[begin:end], f"{begin}:{end}"
            begin = end

    def excerpt(self, value: Any, size: int) -> str:
        return next((part for part, _ in self.stretches(value, size)), "")

    def alone(self, value: Any) -> bool:
        return isinstance(value, str)

    def of_python(self, value: Any, name: str, note: Note | None = None) -> str:
        if not isinstance(value, str):
            raise DataError(f"{name}: expected text, got {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise DataError(f"{name}: holds half a surrogate pair, which is no character") from None
        return value

    def mask(self, given: Any) -> Any:
        raise QueryError("a mask is for pictures; in a text write {mask} where something is to be filled in")

    def masked(self, value: Any, mask: Any, name: str) -> Any:
        return self.mask(mask)

    def strip(self, value: Any, cells: Sequence[Any]) -> bytes:
        raise QueryError("--show is for pictures; texts are printed, or written with --out")

    def heat(self, value: Any, places: Sequence[tuple[int, ...]], nats: Sequence[float]) -> bytes:
        return self.strip(value, ())

    def cell(self, value: Any) -> str:
        return str(value)

    def ending(self, cell: Any) -> str:
        return ""

    def shown(self, cell: Any) -> str:
        return str(cell)

    def brief(self, value: Any) -> str:
        return str(value)

    def size(self, value: Any) -> int:
        return len(value)


class Pictures:
    name, column, literal = "pictures", "image", False
    endings: tuple[str, ...] = (".png", ".npy")
    encoded = pictures.MOST_BYTES

    def takes(self, path: Path) -> bool:
        return path.suffix.lower() in pictures.ENDINGS or tables.kind_of(path) in ("parquet", "arrow")

    def pieces(
        self, name: str, stream: Any, grain: str | None, whole: bool, bad: Report, note: Note
    ) -> Iterator[tuple[Any, str]]:
        if grain:
            raise DataError(f"{name}: --record {grain} is for text; of pictures, every file is a record")
        _needs_pillow(name)
        try:
            yield pictures.decoded(stream.read(), name, note), name
        except DataError as error:
            bad(str(error))

    def holds(self, cell: Any) -> bool:
        return isinstance(cell := _encoded(cell), bytes) and pictures.begins_like_one(cell)

    def value(self, cell: Any, where: str, field: str, note: Note) -> Image:
        _needs_pillow(where)
        found = _encoded(cell)
        if not isinstance(found, bytes):
            what = "is missing" if found is None else f"holds {type(found).__name__}, not the bytes of a picture"
            if found is None and isinstance(cell, dict) and cell.get("path"):
                what = f"holds a path alone ({cell['path']!r}), not the bytes of a picture"
            raise DataError(f"{where}: field {field!r} {what}; mend it, name another with --field")
        return pictures.decoded(found, where, note)

    def facts(self, values: Iterable[Any]) -> list[str]:
        pixels: list[tuple[int, int, int]] = []
        kinds: dict[str, int] = {}
        bare = size = 0
        for value in values:
            rows, columns, channels = value.pixels.shape
            kind = f"{channels} x {8 * value.pixels.dtype.itemsize} bits"
            kinds[kind] = kinds.get(kind, 0) + 1
            pixels.append((rows * columns, columns, rows))
            bare, size = bare + (value.known is not None), size + value.pixels.nbytes
        pixels.sort()
        small, middle, large = (f"{c}x{r}" for _, c, r in (pixels[0], pixels[len(pixels) // 2], pixels[-1]))
        listed = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1]))
        return [
            f"{size / 1e6:.2f} MB of pixels; columns x rows: smallest {small}, median {middle}, largest {large}",
            f"channels: {listed}",
            *([f"{bare:,} are transparent in part"] if bare else []),
        ]

    def stretches(self, value: Any, size: int) -> Iterator[tuple[Any, str]]:
        yield value, ""

    def excerpt(self, value: Any, size: int) -> Image:
        return pictures.excerpt(value, size)

    def alone(self, value: Any) -> bool:
        if isinstance(value, np.ndarray):
            return value.ndim < 4
        return isinstance(value, (Image, str, os.PathLike, *pictures.BYTES)) or pictures.is_image(value)

    def of_python(self, value: Any, name: str, note: Note | None = None) -> Image:
        _needs_pillow(name)
        return pictures.of_python(value, name, note or _warn)

    def mask(self, given: Any) -> Any:
        _needs_pillow("the mask")
        return pictures.mask_of(given, _warn)

    def masked(self, value: Any, mask: Any, name: str) -> Image:
        return pictures.masked(value, mask, name)

    def strip(self, value: Any, cells: Sequence[Any]) -> bytes:
        filled = [pictures.decoded(cell, "filled", lambda words: None) for cell in cells]
        return pictures.encoded(strips.side_by_side([Image(value.pixels), value, *filled]))

    def heat(self, value: Any, places: Sequence[tuple[int, ...]], nats: Sequence[float]) -> bytes:
        return pictures.encoded(strips.heat(value, places, nats))

    def cell(self, value: Any) -> bytes:
        return pictures.encoded(value)

    def ending(self, cell: Any) -> str:
        return ".png" if cell[:4] == b"\x89PNG" else ".npy"

    def shown(self, cell: Any) -> str:
        return f"a picture (write it with --out filled{self.ending(cell)})"

    def brief(self, value: Any) -> str:
        rows, columns, channels = value.pixels.shape
        return f"{columns}x{rows}, {channels} channels"

    def size(self, value: Any) -> int:
        return int(value.pixels.nbytes)


TEXTS, PICTURES = Texts(), Pictures()
FORMS: tuple[Form, ...] = (TEXTS, PICTURES)


def told(given: Sequence[str], field: str | None, values: Sequence[Any] = ()) -> tuple[Form, str]:
    """The form of the records at the `given` paths, or of these values, and by what it is told; texts, where nothing says
    otherwise. Raises DataError where there is nothing at all."""
    if values and PICTURES.alone(values[0]):
        return PICTURES, f"data[0] is a picture ({type(values[0]).__name__})"
    empty = 0
    for path in map(Path, given):
        if path.is_dir() and not tables.is_saved_dataset(path):
            files = list(itertools.islice(walk.files(path), PEEKED))
            empty += not files
            own = {p.stem for p in files if p.suffix.lower() in pictures.ENDINGS}
            count = sum(p.suffix.lower() in pictures.ENDINGS for p in files)
            # A caption has its picture's name, and each picture a few of them.
            if own and count >= max(sum(p.stem not in own for p in files), len(files) / 4):
                return PICTURES, f"{count:,} of {len(files):,} files in {path} are pictures by their endings"
            path = next((p for p in files if tables.kind_of(p) in ("parquet", "arrow")), path)
        if path.suffix.lower() in pictures.ENDINGS:
            return PICTURES, f"{path} is a picture by its ending"
        column = _column_of_pictures(path, field)
        if column:
            return PICTURES, f"column {column!r} of {path} holds encoded pictures"
    if given and empty == len(given):
        raise DataError(f"{given[0]}: no files in it; give a file or folder that has some")
    return TEXTS, "its records are strings"


def _column_of_pictures(path: Path, field: str | None) -> str:
    readers = {"parquet": tables.parquet, "arrow": tables.arrow}
    saved = path.is_dir() and tables.is_saved_dataset(path)
    reader = tables.saved_dataset if saved else readers.get(tables.kind_of(path))
    if reader is None or not path.exists():
        return ""
    rows = [row for row, _ in itertools.islice(reader(path, lambda message: None), LOOKED_AT)]
    own = list(rows[0]) if rows else []
    columns = [field] if field else [] if any("text" in row for row in rows) else own
    return next((column for column in columns if any(PICTURES.holds(cell) for cell in _cells(rows, column, own))), "")


def _cells(rows: Sequence[dict[str, Any]], column: str, own: Sequence[str]) -> Iterator[Any]:
    """What stands in a column, or where its name reaches."""
    path = field_path.parse(column, own)
    for row in rows:
        try:
            yield from field_path.reach(row, path, "")
        except DataError:  # whoever reads it will say so
            continue


def _encoded(cell: Any) -> Any:
    """The bytes of a cell, or of the struct that `datasets` writes."""
    return cell.get("bytes") if isinstance(cell, dict) else cell


def _warn(words: str) -> None:
    """Python is told as it tells its users anything that is no error."""
    warnings.warn(words, MaskwrightWarning, stacklevel=2)


def _needs_pillow(name: str) -> None:
    if find_spec("PIL") is None:
        raise DataError(f"{name}: pictures need Pillow: pip install 'maskwright[image]'")


def _is_number(value: str) -> bool:
    """Cells of a csv are all strings; those that spell numbers, or nothing, are no text."""
    try:
        float(value or "0")
    except ValueError:
        return False
    return True
