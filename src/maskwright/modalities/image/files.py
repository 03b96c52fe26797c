"""Encoded pictures, arrays and Pillow's images to pixels at their recorded depth; what can't be read is named.

In: the bytes of a file (jpg, png, webp, bmp, tiff, gif, npy, avif, heic), or what Python holds. Out: an `Image`, upright, of
one channel (grey), three (RGB), or as many as an array has. What is mostly transparent is not known. Knows nothing of
models.
"""

from __future__ import annotations

import io
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.modalities.image.pixels import Image
from maskwright.records.notices import Listener, Notice
from maskwright.tokens import Array

ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".npy", ".avif", ".heic", ".heif")
MOST_PIXELS = 1 << 26
"""The most pixels that a file may claim: one with more is refused before it is decoded, since it may be made to fill the
memory."""
MOST_BYTES = 12 * MOST_PIXELS
"""The most bytes of memory that decoding one picture takes, with its transparency and copies on the way."""
LEAST_SIDE = 8
"""The smallest height and width at which an array with 1, 3 or 4 entries along its first axis is taken to have its channels
first, as other libraries keep pictures, and is refused."""
_OPENING = threading.Lock()
"""Held while Pillow opens a file: it looks for a format's reader, and loads it, in ways that are not safe in threads."""
_HUSHED = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_ARRAY = b"\x93NUMPY"
_TIFF = (b"II*\0", b"MM\0*")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", *_TIFF, _ARRAY)
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
"""Pillow's names of the formats whose readers are asked: other readers start programs, or fetch what a file names."""
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of files of the HEIF family whose pictures are coded as HEVC."""
_GREY_AND_ALPHA = b"\x04"
"""The colour type, in the header of a PNG, of grey with an alpha channel."""
_FRAMES = "has {0} frames or pages; the first is read"
_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
_OWN_COLOURS = ("L", "LA", "P", "PA", "RGB", "RGBA")
"""Pillow's modes whose colour profile still holds once the picture is converted to grey or RGB."""
BYTES = (bytes, bytearray, memoryview)


def is_image(value: Any) -> bool:
    """One of Pillow's, told without loading Pillow."""
    return hasattr(value, "mode") and hasattr(value, "convert")


def begins_like_one(data: bytes) -> bool:
    return data.startswith(_BEGINNINGS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or is_heif(data)


def is_heif(data: bytes) -> bool:
    """Whether it is a container that phones put photographs into: HEIC, or AVIF."""
    return data[4:8] == b"ftyp" and data[8:12] in (*_HEIC, b"avif", b"avis")


def _formats(data: bytes, name: str) -> tuple[str, ...]:
    """Pillow's names of the formats to try; that of HEIC needs a package of its own. Raises DataError without it."""
    if not (data[4:8] == b"ftyp" and data[8:12] in _HEIC):
        return _FORMATS
    if find_spec("pi_heif") is None:
        fix = "pip install 'maskwright[heic]', or save it as JPEG"
        raise DataError("a HEIC photograph, which needs another package", where=name, fix=fix)
    pi_heif: Any = import_module("pi_heif")
    pi_heif.register_heif_opener()
    return (*_FORMATS, "HEIF")


def decoded(data: bytes, name: str, notice: Listener) -> Image:
    """The picture in an encoded file. Raises DataError, a line that names it."""
    from PIL import Image as Pillow

    if not data:
        raise DataError("an empty file, 0 bytes", where=name, fix="leave it out")
    if data.startswith(_ARRAY):
        return of_array(_array(data, name), name)
    with _named(name, data[:12]):
        with _OPENING:
            image = Pillow.open(io.BytesIO(data), formats=_formats(data, name))
        if image.width * image.height > MOST_PIXELS:
            raise _too_large(name, f"{image.width}x{image.height}, ")
        _all_bands(image, name)
        picture, frames = _first(image, name, notice)
    if frames > 1:
        notice(Notice(_FRAMES.format(frames), name))
    if picture.pixels.dtype == np.uint8 and _sixteen_a_channel(data, image):
        kept = "; a grey one without transparency, and with a mask instead, keeps all"
        says = "it has 16 bits a channel; the upper 8 are read"
        notice(Notice(says + (kept if data[25:26] == _GREY_AND_ALPHA else ""), name))
    return picture


def _hushed() -> None:
    """Pillow warns of large pictures, and of metadata that nobody needs. The filter stays: filters are the whole process's,
    and threads that change them for a while put back what others have changed since."""
    if _HUSHED not in warnings.filters:
        warnings.filterwarnings("ignore", module=_HUSHED[3].pattern)


@contextmanager
def _named(name: str, begins: bytes = b"") -> Iterator[None]:
    """Whatever Pillow runs into comes out as a line that names the picture."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        _hushed()
        yield
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError:
        what = f"not a picture (it begins with {begins[:8].decode('latin-1')!r})"
        if is_heif(begins):
            what = "a damaged HEIC or AVIF picture"
        if begins.startswith(_TIFF):
            what = "a TIFF of a kind that can't be read here; save it as .npy or .png"
        raise DataError(what, where=name, fix="leave it out") from None
    except Pillow.DecompressionBombError:
        raise _too_large(name) from None
    except Exception as error:  # of broken files it raises whatever its decoders run into
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"a damaged picture: {said}", where=name, fix="leave it out") from None


def _array(data: bytes, name: str) -> Array:
    """Of an .npy; memory is taken for what is there alone, whatever it claims. Raises DataError."""
    file = io.BytesIO(data)
    try:
        early = np.lib.format.read_magic(file) == (1, 0)
        shape, _, kind = (np.lib.format.read_array_header_1_0 if early else np.lib.format.read_array_header_2_0)(file)
        if (claimed := math.prod(shape) * kind.itemsize) > len(data):
            raise ValueError(f"claims {claimed:,} bytes, the file has {len(data):,}")
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # its header is read as Python, and raises whatever that does
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"a damaged array: {said}", where=name, fix="leave it out") from None


def _all_bands(image: Any, name: str) -> None:
    """Pillow drops channels of a TIFF that it has no name for, and takes any fourth for transparency. Raises DataError."""
    tags = getattr(image, "tag_v2", {})
    held, read = tags.get(277, 1), len(image.getbands())  # SamplesPerPixel
    if tags and (held > read or (image.mode == "RGBA" and 338 not in tags)):  # ExtraSamples
        what = f"a TIFF of {held} channels, of which three can be told"
        raise DataError(what, where=name, fix="save it as .npy, or as RGB")


def _first(image: Any, name: str, notice: Listener) -> tuple[Image, int]:
    """The first frame, wherever the image stands, and how many there are."""
    frames = getattr(image, "n_frames", 1)
    at = image.tell() if frames > 1 else 0
    if at:
        image.seek(0)
    try:
        image.load()
        return of_image(image, name, notice), frames
    finally:
        if at:
            image.seek(at)


def _sixteen_a_channel(data: bytes, image: Any) -> bool:
    """Whether a PNG or TIFF holds colours of 16 bits, which Pillow reads as 8."""
    depth = getattr(image, "tag_v2", {}).get(258, (8,))  # BitsPerSample
    return (data.startswith(_BEGINNINGS[1]) and data[24:25] == b"\x10") or max(depth, default=8) == 16


def _too_large(name: str, size: str = "") -> DataError:
    what = f"claims {size}more pixels than the limit of {MOST_PIXELS / 1e6:.0f} million"
    return DataError(what, where=name, fix="leave it out")


def resized(values: Array, rows: int, columns: int, smooth: bool = True) -> Array:
    """(rows, columns, channels) of 8 or 16 bits or float32 to another size, bicubic, or by area; made smaller, every value
    counts."""
    from PIL import Image as Pillow

    if values.dtype == np.uint16:
        made = resized(values.astype(np.float32), rows, columns, smooth)
        return np.asarray(made.round().clip(0, 0xFFFF).astype(np.uint16))
    whole = values.dtype == np.uint8 and values.shape[2] == 3
    parts = [values] if whole else np.moveaxis(values, 2, 0)
    how = Pillow.Resampling.BICUBIC if smooth else Pillow.Resampling.BOX
    out = [np.asarray(Pillow.fromarray(p).resize((columns, rows), how)) for p in parts]
    return out[0] if whole else np.stack(out, axis=2)


def ending(picture: Image) -> str:
    """Of the file that `encoded` makes: .png, or .npy for what a PNG can't hold."""
    channels, deep = picture.pixels.shape[2], picture.pixels.dtype == np.uint16
    return ".npy" if channels not in (1, 3) or (deep and (channels != 1 or picture.known is not None)) else ".png"


def encoded(picture: Image) -> bytes:
    """A PNG, which loses nothing, what is not known transparent; where a PNG can't hold it, an .npy. Raises DataError for
    what neither can."""
    from PIL import Image as Pillow

    pixels = picture.pixels
    channels, known = pixels.shape[2], picture.known
    out = io.BytesIO()
    if ending(picture) == ".npy":
        if known is not None:
            what = f"no file holds {channels} channels of {pixels.dtype} unknown in part"
            raise DataError(what, fix="take it from Python")
        np.save(out, pixels)
        return out.getvalue()
    if known is not None:
        pixels = np.dstack([np.repeat(pixels, 3 // channels, axis=2), known.astype(np.uint8) * 255])
    image = Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(out, "PNG", icc_profile=picture.profile or None)
    return out.getvalue()


def of_image(image: Any, name: str, notice: Listener) -> Image:
    """One of Pillow's images, turned as its camera was held."""
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # of a broken one Pillow raises whatever it runs into
        notice(Notice("how its camera was held can't be read (EXIF); taken as it lies", name))
    seen_through = "transparency" in image.info or image.mode in ("PA", "LA", "La", "RGBA", "RGBa")
    if image.mode in _SIXTEEN or image.mode == "I":
        pixels = np.asarray(image).astype(np.int64)
        if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 0xFFFF:
            raise DataError("holds numbers of 32 bits", where=name, fix="save it with 8 or 16 bits a channel")
        clear = image.info.get("transparency")
        known = np.asarray(pixels != clear) if isinstance(clear, int) else None
        profile = image.info.get("icc_profile", b"")
        return Image(pixels.astype(np.uint16)[..., None], None if known is None or known.all() else known, profile)
    if image.mode == "F":
        raise DataError("holds floating-point numbers", where=name, fix="save it with 8 or 16 bits a channel")
    colours = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    profile = image.info.get("icc_profile", b"") if image.mode in _OWN_COLOURS else b""
    if not seen_through:
        return replace(of_array(np.asarray(image.convert(colours)), name), profile=profile)
    if image.mode == "La":  # Pillow knows one way out of it alone
        image = image.convert("LA")
    pixels = np.asarray(image.convert("RGBA"))
    known = pixels[..., 3] >= 128
    own = (pixels[..., :1] if colours == "L" else pixels[..., :3]) * known[..., None]  # what nobody sees is nothing
    return Image(np.ascontiguousarray(own), None if known.all() else known, profile)


def mask_of(given: Any, notice: Listener) -> Array:
    """(rows, columns) what is to be filled: where a mask is white (128 and more of 255). Raises DataError."""
    mask = of_python(given, "the mask", notice)
    top = int(np.iinfo(mask.pixels.dtype).max)
    if mask.pixels.shape[2] not in (1, 3):
        many = mask.pixels.shape[2]
        fix = "give it as bools, in grey or in colours without alpha"
        raise DataError(f"has {many} channels", where="the mask", fix=fix, option="mask")
    brightest = int(mask.pixels.max(initial=0))
    if 0 < brightest <= top // 2:
        what = f"is {brightest} of {top} at its brightest"
        raise DataError(what, where="the mask", fix="what is filled is white in it, or True", option="mask")
    hidden = (mask.pixels > top // 2).any(axis=2)
    return np.asarray(hidden if mask.known is None else hidden & mask.known)  # it may be drawn on a transparent sheet


def excerpt(picture: Image, size: int) -> Image:
    """A part of some `size` bytes, of its proportions, from the middle."""
    pixels, known = picture.pixels, picture.known
    share = (size / max(pixels.nbytes, 1)) ** 0.5
    if share >= 1:
        return picture
    wanted = [max(int(n * share), 1) for n in pixels.shape[:2]]
    first = [(n - w) // 2 for w, n in zip(wanted, pixels.shape[:2], strict=True)]
    part = tuple(slice(f, f + w) for f, w in zip(first, wanted, strict=True))
    return replace(picture, pixels=pixels[part].copy(), known=None if known is None else known[part].copy())


def masked(picture: Image, hidden: Array, name: str) -> Image:
    """The picture without what `mask_of` hides. Raises DataError for a mask of another size."""
    rows, columns = picture.pixels.shape[:2]
    if hidden.shape != (rows, columns):
        what = f"is {columns}x{rows} pixels, the mask {hidden.shape[1]}x{hidden.shape[0]}"
        raise DataError(what, where=name, fix="make them one size", option="mask")
    return replace(picture, known=~hidden if picture.known is None else picture.known & ~hidden)


def of_array(array: Array, name: str) -> Image:
    """(rows, columns) or (rows, columns, channels) of 8 or 16 bits; what a masked array hides is not known."""
    if isinstance(array, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(array)
        whole = of_array(np.asarray(array.data), name)
        return Image(whole.pixels, np.asarray(~hidden.reshape(*whole.pixels.shape[:2], -1).any(axis=2)))
    if array.ndim not in (2, 3) or not array.size:
        fix = "a picture is (rows, columns) or (rows, columns, channels)"
        raise DataError(f"an array of the shape {array.shape}", where=name, fix=fix)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and min(array.shape[1:]) >= LEAST_SIDE:
        what = f"an array of the shape {array.shape} would be {array.shape[0]} rows of {array.shape[2]} channels"
        raise DataError(what, where=name, fix="channels stand last: np.moveaxis(array, 0, -1)")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    native = array.dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16):
        raise DataError(f"an array of {array.dtype}", where=name, fix="a picture is uint8, or uint16")
    return Image(np.ascontiguousarray(array if array.ndim == 3 else array[..., None], dtype=native))


def of_python(value: Any, name: str, notice: Listener) -> Image:
    """A path, the bytes of a file, an array, one of Pillow's images, or an `Image`."""
    if isinstance(value, Image):
        whole = of_array(value.pixels, name)
        if value.known is not None and np.shape(value.known) != whole.pixels.shape[:2]:
            what = f"`known` is {np.shape(value.known)}, the pixels {whole.pixels.shape[:2]}"
            raise DataError(what, where=name, fix="make them one shape")
        return replace(
            value, pixels=whole.pixels, known=None if value.known is None else np.asarray(value.known, dtype=bool)
        )
    if isinstance(value, (str, os.PathLike)):
        try:
            with open(value, "rb") as file:
                return decoded(file.read(), os.fspath(value), notice)
        except (OSError, ValueError) as error:
            raise DataError(str(getattr(error, "strerror", None) or error), where=os.fspath(value)) from None
    if isinstance(value, BYTES):
        return decoded(bytes(value), name, notice)
    if isinstance(value, np.ndarray):
        return of_array(value, name)
    if is_image(value):
        with _named(name):  # it may be decoded only now
            picture, frames = _first(value, name, notice)
        if frames > 1:
            notice(Notice(_FRAMES.format(frames), name))
        return picture
    what = f"expected a picture (a path, bytes, an array, an image), got {type(value).__name__}"
    raise DataError(what, where=name)
