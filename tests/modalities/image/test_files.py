"""Pictures are read as they look, whatever holds them, or refused in one line that names them."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from maskwright.errors import DataError
from maskwright.modalities.image import files
from maskwright.modalities.image.pixels import Image as Picture
from tests.modalities.image.pictures import COLOURS, encoded, hear, silent


@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 9)))
    )
)
@settings(max_examples=40, deadline=None)
def test_grey_of_8_and_16_bits_comes_back_exactly(array: np.ndarray[Any, Any]) -> None:
    found = files.decoded(encoded(Image.fromarray(array)), "a", silent)
    assert found.pixels.dtype == array.dtype
    assert np.array_equal(found.pixels[..., 0], array)
    assert found.known is None


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.05])
def test_a_saved_array_is_read_whole_or_named(kept: float) -> None:
    out = io.BytesIO()
    np.save(out, np.dstack([COLOURS, COLOURS]))
    data = out.getvalue()[: int(kept * len(out.getvalue()))]
    if kept == 1:
        assert np.array_equal(files.decoded(data, "a.npy", silent).pixels[..., 3:], COLOURS)
    else:
        with pytest.raises(DataError, match=r"a\.npy: a damaged array: .*; leave it out"):
            files.decoded(data, "a.npy", silent)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_colours_come_back_exactly_from_formats_without_loss(kind: str) -> None:
    data = encoded(Image.fromarray(COLOURS), kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(files.decoded(data, "a", silent).pixels, COLOURS)
    assert files.begins_like_one(data)


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.fromarray(COLOURS).convert("1"), 1),
        (Image.fromarray(COLOURS).convert("P"), 3),
        (Image.fromarray(COLOURS).convert("L"), 1),
    ],
)
def test_palettes_and_bits_become_channels(image: Any, channels: int) -> None:
    assert files.decoded(encoded(image), "a", silent).pixels.shape == (12, 20, channels)


def test_cmyk_is_read_as_it_looks() -> None:
    plain = np.full((16, 16, 3), (200, 30, 30), dtype=np.uint8)
    found = files.decoded(encoded(Image.fromarray(plain).convert("CMYK"), "JPEG", quality=95), "a", silent)
    assert np.abs(found.pixels.astype(int) - plain).max() < 12


def test_what_is_mostly_transparent_is_not_known() -> None:
    alpha = np.zeros((12, 20), dtype=np.uint8)
    alpha[:, 10:] = 255
    alpha[0, 0] = 200
    image = Image.fromarray(np.dstack([COLOURS, alpha]))
    found = files.decoded(encoded(image), "a", silent)
    assert found.known is not None
    assert np.array_equal(found.known, alpha >= 128)
    assert np.array_equal(found.pixels[found.known], COLOURS[found.known])
    grey = files.decoded(encoded(image.convert("LA")), "a", silent)
    assert grey.pixels.shape == (12, 20, 1)
    assert np.array_equal(grey.known, alpha >= 128)
    palette = Image.fromarray(COLOURS).quantize(16)
    hole = int(np.asarray(palette)[3, 3])
    clear = files.decoded(encoded(palette, transparency=hole), "a", silent)
    assert np.array_equal(clear.known, np.asarray(palette) != hole)


def test_a_camera_that_was_turned_is_turned_back() -> None:
    image = Image.fromarray(COLOURS)
    exif = image.getexif()
    exif[0x0112] = 6
    found = files.decoded(encoded(image, "PNG", exif=exif), "a", silent)
    assert np.array_equal(found.pixels, np.rot90(COLOURS, -1))


def test_an_animation_is_its_first_frame_and_says_so() -> None:
    frames = [Image.fromarray(np.full((8, 8), shade, dtype=np.uint8)) for shade in (10, 200, 90)]
    said: list[str] = []
    found = files.decoded(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "walk.gif", hear(said))
    assert set(found.pixels.ravel()) == {10}
    assert said == ["walk.gif: has 3 frames or pages; the first is read"]


def tiff(channels: int, extra: int | None) -> bytes:
    """2 x 2 pixels of so many channels of 8 bits; of those beyond three, what they are, where it is said."""
    pixels = np.arange(4 * channels, dtype=np.uint8).tobytes()
    tags = [(256, 4, 2), (257, 4, 2), (259, 3, 1), (262, 3, 2), (277, 3, channels), (278, 4, 2), (279, 4, len(pixels))]
    beyond = channels - 3
    longer = {258: [8] * channels} | ({} if extra is None or not beyond else {338: [extra] * beyond})
    data, at = b"", 8 + 2 + 12 * (len(tags) + len(longer) + 1) + 4
    for number, values in longer.items():
        packed = struct.pack(f"<{len(values)}H", *values)
        tags.append((number, len(values), at + len(data) if len(packed) > 4 else int.from_bytes(packed, "little")))
        data += packed if len(packed) > 4 else b""
    tags.append((273, 4, at + len(data)))
    entries = b"".join(
        struct.pack("<HHII", number, 3 if number in longer else kind, len(longer.get(number, [0])), value)
        for number, kind, value in sorted(tags)
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data + pixels


@pytest.mark.parametrize(
    ("channels", "extra", "words"),
    [
        (4, 0, "a TIFF of 4 channels, of which three can be told"),
        (4, None, "a TIFF of 4 channels"),
        (5, 0, "a TIFF of 5 channels"),
        (9, 0, "a TIFF of a kind that can't be read here; save it as .npy"),
        (3, None, ""),
        (4, 2, ""),
    ],
)
def test_no_channel_of_a_tiff_is_lost_or_taken_for_transparency(channels: int, extra: int | None, words: str) -> None:
    with pytest.raises(DataError, match=words) if words else contextlib.nullcontext():
        assert files.decoded(tiff(channels, extra), "field.tif", silent).pixels[0, 0].tolist()[:1] == [0]


def test_where_its_camera_was_held_is_unreadable_a_picture_is_taken_as_it_lies() -> None:
    said: list[str] = []
    data = encoded(Image.fromarray(COLOURS), "PNG", exif=b"no such header")
    assert np.array_equal(files.decoded(data, "a.png", hear(said)).pixels, COLOURS)
    assert said == ["a.png: how its camera was held can't be read (EXIF); taken as it lies"]


def test_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    """Files that are cut, or whose bytes were changed, never raise anything else."""
    good = [encoded(Image.fromarray(COLOURS), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")]
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(good[rng.integers(len(good))])
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(256)
        with contextlib.suppress(DataError):
            assert files.decoded(bytes(data[: rng.integers(1, len(data) + 1)]), "a", lambda words: None).pixels.size


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 224, 224)])
def test_channels_that_stand_first_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"channels stand last: np\.moveaxis\(array, 0, -1\)"):
        files.of_array(np.zeros(shape, dtype=np.uint8), "data[0]")


@pytest.mark.parametrize(
    "value",
    [COLOURS, Image.fromarray(COLOURS), encoded(Image.fromarray(COLOURS)), "path"],
    ids=["array", "image", "bytes", "path"],
)
def test_python_holds_pictures_in_many_ways(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(COLOURS)))
    found = files.of_python(path if isinstance(value, str) else value, "input[0]", silent)
    assert np.array_equal(found.pixels, COLOURS)


NONSENSE: dict[str, tuple[Callable[[], Any], str]] = {
    "floats": (lambda: np.zeros((4, 4)), "an array of float64"),
    "row": (lambda: np.zeros(4, dtype=np.uint8), r"an array of the shape \(4,\)"),
    "empty": (lambda: np.zeros((0, 4), dtype=np.uint8), "shape"),
    "number": (lambda: 3, "expected a picture"),
    "missing": (lambda: "no-such.png", "no-such.png: No such file"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_what_python_holds_that_is_no_picture(what: str) -> None:
    make, words = NONSENSE[what]
    with pytest.raises(DataError, match=words):
        files.of_python(make(), "input[0]", silent)


def test_arrays_of_other_byte_orders_and_masks_of_numbers_are_what_they_say() -> None:
    big = np.arange(12, dtype=">u2").reshape(3, 4) * 300
    assert np.array_equal(files.of_array(big, "a").pixels[..., 0], big)
    known = np.array([[0, 1], [1, 1]], dtype=np.uint8)
    found = files.of_python(Picture(np.zeros((2, 2, 3), dtype=np.uint8), known), "a", silent)
    assert repr(found) == "Image(2x2, 3 channels of 8 bits, 1 pixels not known)"


def test_of_an_image_that_stands_at_a_later_frame_the_first_is_read_and_it_says_so() -> None:
    frames = [Image.fromarray(np.full((9, 8, 3), level, dtype=np.uint8)) for level in (10, 120, 240)]
    movie = Image.open(io.BytesIO(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])))
    movie.seek(1)
    heard: list[str] = []
    found = files.of_python(movie, "movie", hear(heard))
    assert (found.pixels == 10).all()
    assert heard == ["movie: has 3 frames or pages; the first is read"]
    assert movie.tell() == 1


def test_what_colours_mean_goes_with_them_into_a_file() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = files.decoded(encoded(Image.fromarray(COLOURS), icc_profile=profile), "a", silent)
    again = Image.open(io.BytesIO(files.encoded(found)))
    assert again.info["icc_profile"] == profile
    assert np.array_equal(np.asarray(again), COLOURS)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_excerpt_is_a_part_of_its_size(kind: type[Any]) -> None:
    pixels = np.zeros((300, 200, 3), dtype=kind)
    known = np.ones((300, 200), dtype=bool)
    part = files.excerpt(Picture(pixels, known), pixels.nbytes // 25)
    assert part.pixels.shape == (60, 40, 3)
    assert part.known is not None
    assert part.known.shape == (60, 40)
    assert files.excerpt(part, 1 << 30) is part


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_an_excerpt_of_a_thin_picture_has_something_of_it(rows: int, columns: int, size: int) -> None:
    part = files.excerpt(Picture(np.zeros((rows, columns, 1), dtype=np.uint8)), size)
    assert 1 <= part.pixels.shape[0] <= rows
    assert 1 <= part.pixels.shape[1] <= columns
    assert part.pixels.nbytes <= max(2 * size, 3000)


channelled = st.tuples(st.sampled_from([np.uint8, np.uint16]), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))


@given(channelled, st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_picture_that_is_written_is_read_as_it_was(kind: tuple[type[Any], int, int, int], holed: bool, seed: int) -> None:
    dtype, *shape = kind
    rng = np.random.default_rng(seed)
    pixels, known = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype), rng.random(shape[:2]) < 0.5
    picture = Picture(pixels, known if holed and not known.all() else None)
    if picture.known is not None and files.ending(picture) == ".npy":
        with pytest.raises(DataError, match="no file holds"):
            files.encoded(picture)
        return
    found = files.decoded(files.encoded(picture), "a", silent)
    assert (files.encoded(picture)[:4] == b"\x89PNG") == (files.ending(picture) == ".png")
    if picture.known is None:
        assert found.known is None
        assert np.array_equal(found.pixels, pixels)
    else:  # a PNG with transparency has colours
        assert np.array_equal(found.known, known)
        assert (found.pixels[known] == pixels[known]).all()


def test_a_mask_is_what_is_white_in_it_whatever_holds_it() -> None:
    hidden = np.random.default_rng(0).random((12, 20)) < 0.5
    grey = hidden.astype(np.uint8) * 255
    for given_ in (
        hidden,
        grey,
        np.dstack([grey] * 3),
        encoded(Image.fromarray(grey)),
        Image.fromarray(hidden),
        Picture(grey[..., None]),
    ):
        assert np.array_equal(files.mask_of(given_, silent), hidden)
    picture = files.masked(Picture(COLOURS, np.arange(20)[None].repeat(12, 0) > 3), hidden, "a")
    assert np.array_equal(picture.known, ~hidden & (np.arange(20) > 3))
    with pytest.raises(DataError, match="is 1 of 255 at its brightest; what is filled is white in it"):
        files.mask_of(hidden.astype(np.uint8), silent)
    with pytest.raises(DataError, match="a: is 20x12 pixels, the mask 12x20; make them one size") as error:
        files.masked(Picture(COLOURS), hidden.T, "a")
    assert error.value.option == "mask"


def test_avif_is_read_and_heic_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), (200, 30, 40), dtype=np.uint8)).save(out, "AVIF")
    read = files.decoded(out.getvalue(), "a.avif", silent)
    assert read.pixels.shape == (20, 30, 3)
    assert np.abs(read.pixels.astype(int) - (200, 30, 40)).max() < 12
    heic = b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(300)
    assert files.begins_like_one(heic)
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"a.heic: a HEIC photograph, which needs another package; pip install"):
        files.decoded(heic, "a.heic", silent)


def test_a_damaged_heic_is_named() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(DataError, match=r"a.heic"):
        files.decoded(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(300), "a.heic", silent)
