"""Pictures as values of records: how they are found in folders, tables and lists, and how a person sees them.

In: paths, cells, what Python holds. Out: `Image`s, read by `files.py` with Pillow, which is imported when the first one is
decoded. Imports without torch; which net reads them is not known here.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError, option
from maskwright.modalities.base import Claim
from maskwright.modalities.image import files, strips
from maskwright.modalities.image.pixels import Image
from maskwright.records import field_path, tables, walk
from maskwright.records.columnar import SavedDataset, is_saved_dataset
from maskwright.records.notices import Listener, unheard, warn
from maskwright.records.record import Origin
from maskwright.records.table import AS_FOUND
from maskwright.records.text_stream import OnBad
from maskwright.records.value_type import Display, ValueType

PEEKED = 100_000
"""The most files of a folder whose names are looked at to tell what the folder holds."""
LOOKED_AT = 64
"""The most rows of a table that are looked at to tell what it holds."""
SURE = 0.9
"""How sure the claim on data that shows pictures is: above that of text, which claims whatever nothing else does."""


class ImageDisplay(Display):
    endings = (".png", ".npy")
    cell_type = "bytes"

    def cell(self, value: Image) -> bytes:
        return files.encoded(value)

    def ending(self, value: Image) -> str:
        return files.ending(value)

    def shown(self, value: Image) -> str:
        return f"a picture (write it with {option('out', 'filled' + self.ending(value))})"

    def brief(self, value: Image) -> str:
        rows, columns, channels = value.pixels.shape
        return f"{columns}x{rows}, {channels} channels"

    def facts(self, values: Iterable[Image]) -> list[str]:
        pixels: list[tuple[int, int, int]] = []
        kinds: dict[str, int] = {}
        transparent = size = 0
        for value in values:
            rows, columns, channels = value.pixels.shape
            kind = f"{channels} x {8 * value.pixels.dtype.itemsize} bits"
            kinds[kind] = kinds.get(kind, 0) + 1
            pixels.append((rows * columns, columns, rows))
            transparent, size = transparent + (value.known is not None), size + value.pixels.nbytes
        pixels.sort()
        small, middle, large = (f"{c}x{r}" for _, c, r in (pixels[0], pixels[len(pixels) // 2], pixels[-1]))
        listed = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1]))
        return [
            f"{size / 1e6:.2f} MB of pixels; columns x rows: smallest {small}, median {middle}, largest {large}",
            f"channels: {listed}",
            *([f"{transparent:,} are transparent in part"] if transparent else []),
        ]

    def strip(self, value: Image, filled: Sequence[Image]) -> bytes:
        return files.encoded(strips.side_by_side([Image(value.pixels), value, *filled]))

    def heat(self, value: Image, places: Sequence[tuple[int, ...]], nats: Sequence[float]) -> bytes:
        return files.encoded(strips.heat(value, places, nats))


class ImageType(ValueType):
    name, column = "pictures", "image"
    decoding_bytes = files.MOST_BYTES
    display = ImageDisplay()

    def of_python(self, given: Any, where: str, notice: Listener = unheard) -> Image:
        """A path, the bytes of a file, an array, one of Pillow's images, or an `Image`."""
        _need_pillow(where)
        return files.of_python(given, where, notice)

    def is_one(self, given: Any) -> bool:
        if isinstance(given, np.ndarray):
            return given.ndim < 4 and given.dtype.kind in "buif"
        return isinstance(given, (Image, str, os.PathLike, *files.BYTES)) or files.is_image(given)

    def of_cell(self, cell: Any, where: str, field: str, notice: Listener) -> Image:
        _need_pillow(where)
        found = _encoded(cell)
        if not isinstance(found, bytes):
            what = "is missing" if found is None else f"holds {type(found).__name__}, not the bytes of a picture"
            if found is None and isinstance(cell, dict) and cell.get("path"):
                what = f"holds a path alone ({cell['path']!r}), not the bytes of a picture"
            raise DataError(f"field {field!r} {what}", where=where, fix=f"mend it, name another with {option('field')}")
        return files.decoded(found, where, notice)

    def is_likely(self, cell: Any) -> bool:
        return isinstance(cell := _encoded(cell), bytes) and files.begins_like_one(cell)

    def takes(self, path: Path) -> bool:
        return path.suffix.lower() in files.ENDINGS or _may_hold(path)

    def of_stream(
        self, where: str, stream: Any, grain: str | None, whole: bool, on_bad: OnBad, notice: Listener,
        encoding: str | None = None,
    ) -> Iterator[tuple[Image, Origin]]:  # fmt: skip
        if grain:
            what = f"{option('record', grain)} is for text"
            raise DataError(what, where=where, fix="of pictures, every file is a record", option="record")
        _need_pillow(where)
        try:
            yield files.decoded(stream.read(), where, notice), Origin(where)
        except DataError as error:
            on_bad(error)

    def memory(self, value: Image) -> int:
        return int(value.pixels.nbytes)

    def excerpt(self, value: Image, size: int) -> Image:
        return files.excerpt(value, size)

    def mask(self, given: Any) -> Any:
        _need_pillow("the mask")
        return files.mask_of(given, warn)

    def masked(self, value: Image, mask: Any, where: str) -> Image:
        return files.masked(value, mask, where)


IMAGE = ImageType()


def claim(paths: Sequence[str], values: Sequence[Any], field: str | None) -> Claim:
    """Folders of which pictures are the better part, tables with a column of encoded ones, arrays and Pillow's images."""
    first = next((value for value in values if _is_picture(value)), None)
    if first is not None:
        return Claim(SURE, f"it holds pictures ({type(first).__name__})")
    if len(values):
        return Claim(0.0, "no pictures in it")
    for path in map(Path, paths):
        if path.is_dir() and not is_saved_dataset(path):
            found = list(itertools.islice(walk.files(path), PEEKED))
            own = {p.stem for p in found if p.suffix.lower() in files.ENDINGS}
            count = sum(p.suffix.lower() in files.ENDINGS for p in found)
            # A caption has its picture's name, and each picture a few of them.
            if own and count >= max(sum(p.stem not in own for p in found), len(found) / 4):
                return Claim(SURE, f"{count:,} of {len(found):,} files in {path} are pictures by their endings")
            path = next(filter(_may_hold, found), path)
        if path.suffix.lower() in files.ENDINGS:
            return Claim(SURE, f"{path} is a picture by its ending")
        column = _column_of_images(path, field)
        if column:
            return Claim(SURE, f"column {column!r} of {path} holds encoded pictures")
    return Claim(0.0, "no pictures in it")


def _is_picture(value: Any) -> bool:
    """Whether something that Python holds is a picture itself, not text, and not the path of one."""
    value = getattr(value, "value", value)
    return not isinstance(value, (str, os.PathLike)) and (
        IMAGE.is_likely(value) or (value is not None and IMAGE.is_one(value))
    )


def _column_of_images(path: Path, field: str | None) -> str:
    if not path.exists():
        return ""
    try:
        table = (
            SavedDataset(path) if is_saved_dataset(path) else tables.table_of(path, AS_FOUND) if _may_hold(path) else None
        )
        rows = table.head()[:LOOKED_AT] if table else []
    except DataError:  # whoever reads it will say so
        return ""
    own = list(rows[0]) if rows else []
    columns = [field] if field else [] if any("text" in row for row in rows) else own
    return next((column for column in columns if any(IMAGE.is_likely(cell) for cell in _cells(rows, column, own))), "")


def _may_hold(path: Path) -> bool:
    """Whether it is a table of a format whose cells can be bytes."""
    return tables.kind_of(path) in ("parquet", "arrow")


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


def _need_pillow(where: str) -> None:
    if find_spec("PIL") is None:
        raise DataError("pictures need Pillow", where=where, fix="pip install 'maskwright[image]'")
