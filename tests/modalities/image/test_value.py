"""Pictures of any kind are read as they look, or refused in one line that names them."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from maskwright.errors import DataError
from maskwright.records import forms, pictures
from maskwright.records.read import Source, read, stamp
from maskwright.system.atomic_files import LOCK

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def silent(words: str) -> None:
    raise AssertionError(words)


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def array_header(shape: str) -> bytes:
    """An .npy of nothing but its header."""
    said = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape
    return b"\x93NUMPY\1\0" + struct.pack("<H", 118) + said.ljust(117).encode() + b"\n"


def bomb() -> bytes:
    """A PNG whose header claims what no memory holds."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 9)))
    )
)
@settings(max_examples=40, deadline=None)
def test_grey_of_8_and_16_bits_comes_back_exactly(array: np.ndarray[Any, Any]) -> None:
    found = pictures.decoded(encoded(Image.fromarray(array)), "a", silent)
    assert found.pixels.dtype == array.dtype
    assert np.array_equal(found.pixels[..., 0], array)
    assert found.known is None


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.05])
def test_a_saved_array_is_read_whole_or_named(kept: float) -> None:
    out = io.BytesIO()
    np.save(out, np.dstack([COLOURS, COLOURS]))
    data = out.getvalue()[: int(kept * len(out.getvalue()))]
    if kept == 1:
        assert np.array_equal(pictures.decoded(data, "a.npy", silent).pixels[..., 3:], COLOURS)
    else:
        with pytest.raises(DataError, match=r"a\.npy: a damaged array: .*; leave it out"):
            pictures.decoded(data, "a.npy", silent)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_colours_come_back_exactly_from_formats_without_loss(kind: str) -> None:
    data = encoded(Image.fromarray(COLOURS), kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(pictures.decoded(data, "a", silent).pixels, COLOURS)
    assert pictures.begins_like_one(data)


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.fromarray(COLOURS).convert("1"), 1),
        (Image.fromarray(COLOURS).convert("P"), 3),
        (Image.fromarray(COLOURS).convert("L"), 1),
    ],
)
def test_palettes_and_bits_become_channels(image: Any, channels: int) -> None:
    assert pictures.decoded(encoded(image), "a", silent).pixels.shape == (12, 20, channels)


def test_cmyk_is_read_as_it_looks() -> None:
    plain = np.full((16, 16, 3), (200, 30, 30), dtype=np.uint8)
    found = pictures.decoded(encoded(Image.fromarray(plain).convert("CMYK"), "JPEG", quality=95), "a", silent)
    assert np.abs(found.pixels.astype(int) - plain).max() < 12


def test_what_is_mostly_transparent_is_not_known() -> None:
    alpha = np.zeros((12, 20), dtype=np.uint8)
    alpha[:, 10:] = 255
    alpha[0, 0] = 200
    image = Image.fromarray(np.dstack([COLOURS, alpha]))
    found = pictures.decoded(encoded(image), "a", silent)
    assert found.known is not None
    assert np.array_equal(found.known, alpha >= 128)
    assert np.array_equal(found.pixels[found.known], COLOURS[found.known])
    grey = pictures.decoded(encoded(image.convert("LA")), "a", silent)
    assert grey.pixels.shape == (12, 20, 1)
    assert np.array_equal(grey.known, alpha >= 128)
    palette = Image.fromarray(COLOURS).quantize(16)
    hole = int(np.asarray(palette)[3, 3])
    clear = pictures.decoded(encoded(palette, transparency=hole), "a", silent)
    assert np.array_equal(clear.known, np.asarray(palette) != hole)


def test_a_camera_that_was_turned_is_turned_back() -> None:
    image = Image.fromarray(COLOURS)
    exif = image.getexif()
    exif[0x0112] = 6
    found = pictures.decoded(encoded(image, "PNG", exif=exif), "a", silent)
    assert np.array_equal(found.pixels, np.rot90(COLOURS, -1))


def test_an_animation_is_its_first_frame_and_says_so() -> None:
    frames = [Image.fromarray(np.full((8, 8), shade, dtype=np.uint8)) for shade in (10, 200, 90)]
    said: list[str] = []
    found = pictures.decoded(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "walk.gif", said.append)
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
        assert pictures.decoded(tiff(channels, extra), "field.tif", silent).pixels[0, 0].tolist()[:1] == [0]


def test_where_its_camera_was_held_is_unreadable_a_picture_is_taken_as_it_lies() -> None:
    said: list[str] = []
    data = encoded(Image.fromarray(COLOURS), "PNG", exif=b"no such header")
    assert np.array_equal(pictures.decoded(data, "a.png", said.append).pixels, COLOURS)
    assert said == ["a.png: how its camera was held can't be read (EXIF); taken as it lies"]


whole = encoded(Image.fromarray(np.tile(COLOURS, (8, 8, 1))))
BROKEN = {
    "truncated": (whole[: len(whole) // 2], "a damaged picture"),
    "empty": (b"", "an empty file, 0 bytes"),
    "text": (b"this is not a picture", "not a picture"),
    "bomb": (bomb(), "claims 100000x100000 pixels|claims more pixels"),
    "array bomb": (
        array_header("(9999999, 9999999)}"),
        "a damaged array: claims 99,999,980,000,001 bytes, the file has 128",
    ),
    "array header": (array_header("("), "a damaged array"),
    "program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "not a picture"),
    "floats": (encoded(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), "TIFF"), "floating-point"),
    "wide": (encoded(Image.fromarray(np.full((4, 4), 70_000, dtype=np.int32)), "TIFF"), "32 bits"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_picture_is_named_in_a_line(what: str, tmp_path: Path) -> None:
    data, words = BROKEN[what]
    (tmp_path / "one.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    (tmp_path / "two.jpg").write_bytes(data)
    source = Source(paths=(str(tmp_path),), form=forms.PICTURES)
    with pytest.raises(DataError, match=words) as error:
        list(read(source))
    assert "two.jpg" in str(error.value)
    assert "\n" not in str(error.value)
    said: list[str] = []
    kept = list(read(Source(paths=(str(tmp_path),), form=forms.PICTURES, on_bad="skip", report=said.append)))
    assert [Path(record.source).name for record in kept] == ["one.png"]
    assert len(said) == 1


def test_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    """Files that are cut, or whose bytes were changed, never raise anything else."""
    good = [encoded(Image.fromarray(COLOURS), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")]
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(good[rng.integers(len(good))])
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(256)
        with contextlib.suppress(DataError):
            assert pictures.decoded(bytes(data[: rng.integers(1, len(data) + 1)]), "a", lambda words: None).pixels.size


def test_folders_and_tables_hold_the_same_pictures(tmp_path: Path) -> None:
    files = {f"{name}.png": encoded(Image.fromarray(COLOURS[:, : name + 3])) for name in range(5)}
    folder = tmp_path / "shop"
    for number, (name, data) in enumerate(files.items()):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 2) / name).write_bytes(data)
    (folder / "labels.csv").write_text("name,label\n0.png,apple\n")
    rows = [{"image": data, "name": name} for name, data in files.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bytes.parquet")
    structs = [{"image": {"bytes": data, "path": name}} for name, data in files.items()]
    pq.write_table(pa.Table.from_pylist(structs), tmp_path / "structs.parquet")
    found = []
    for where in ("shop", "bytes.parquet", "structs.parquet"):
        form, why = forms.told([str(tmp_path / where)], None)
        assert form is forms.PICTURES
        assert "picture" in why
        found.append({record.id for record in read(Source(paths=(str(tmp_path / where),), form=form))})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 5


def test_a_table_beside_pictures_that_holds_none_is_left_out_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    for name, rows in (("labels", {"file": "a.png", "label": "red"}), ("named", {"image": "a.png"})):
        pq.write_table(pa.Table.from_pylist([rows]), tmp_path / f"{name}.parquet")
    said: list[str] = []
    source = Source(paths=(str(tmp_path),), form=forms.PICTURES, note=said.append)
    assert len(list(read(source))) == 1
    assert [line.split(": ", 1)[1] for line in said] == [
        "no column holds pictures; left out", "column 'image' holds no pictures; left out",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"labels\.parquet: no column holds pictures; name one with --field"):
        list(read(replace(source, paths=(str(tmp_path / "labels.parquet"),))))


def test_no_file_of_a_folder_is_passed_over_without_a_word(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOURS))
    shop, disk = tmp_path / "shop", tmp_path / "disk"
    for path in (shop / "a.png", shop / "note.txt", shop / "b.heic", shop / ".hidden.txt", disk / "c.jfif"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (shop / "2024").symlink_to(disk)
    (disk / "up").symlink_to(shop)  # a circle
    (shop / "gone.png").symlink_to(tmp_path / "nowhere.png")
    said: list[str] = []
    source = Source(paths=(str(shop),), form=forms.PICTURES, on_bad="skip", report=said.append, note=said.append)
    assert [Path(record.source).name for record in read(source)] == ["a.png", "c.jfif"]
    assert said[0].startswith(f"{shop}/gone.png: ")
    assert said[1:] == [f"{shop}: 2 other files are left out (.heic, .txt)"]
    assert len(stamp(source)) == 3


NESTED: dict[str, Callable[[bytes], Any]] = {
    "image": lambda data: data,
    "page.scan": lambda data: {"scan": data},
    "images[]": lambda data: [data, data],
    "image.bytes": lambda data: {"bytes": data},
}


@pytest.mark.parametrize("field", NESTED)
def test_a_field_that_reaches_into_a_row_tells_pictures(field: str, tmp_path: Path) -> None:
    name = field.split(".")[0].removesuffix("[]")
    rows = [{name: None}] * 20 + [{name: NESTED[field](encoded(Image.fromarray(COLOURS)))}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    form, why = forms.told([str(tmp_path / "d.parquet")], field)
    assert form is forms.PICTURES
    assert why.startswith(f"column {field!r}")


def test_a_bad_picture_leaves_the_others_of_its_row(tmp_path: Path) -> None:
    good = encoded(Image.fromarray(COLOURS))
    rows = [{"images": [{"bytes": good, "path": "a"}, {"bytes": good[:40], "path": "b"}, {"bytes": None, "path": "c.jpg"}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    said: list[str] = []
    source = Source(paths=(str(tmp_path / "d.parquet"),), form=forms.PICTURES, field="images[]")
    found = list(read(replace(source, on_bad="skip", report=said.append)))
    assert [Path(record.source).name for record in found] == ["d.parquet:row 1[0]"]
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in said] == ["row 1[1]", "row 1[2]"]
    assert "holds a path alone ('c.jpg'), not the bytes of a picture" in said[1]
    with pytest.raises(DataError, match=r"row 1\[1\]"):
        list(read(source))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 224, 224)])
def test_channels_that_stand_first_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"channels stand last: np\.moveaxis\(array, 0, -1\)"):
        pictures.of_array(np.zeros(shape, dtype=np.uint8), "data[0]")


def test_models_and_runs_that_lie_among_the_data_are_none(tmp_path: Path) -> None:
    for folder, mark in ((".", "a.txt"), ("model", "maskwright.json"), ("run", LOCK), ("more", "b.txt")):
        (tmp_path / folder / "checkpoints").mkdir(parents=True)
        (tmp_path / folder / mark).write_text("{}")
        for name in ("1.png", "checkpoints/2.png"):
            (tmp_path / folder / name).write_bytes(encoded(Image.fromarray(COLOURS)))
    source = Source(paths=(str(tmp_path),), form=forms.PICTURES)
    names = [Path(record.source).relative_to(tmp_path).as_posix() for record in read(source)]
    assert names == ["1.png", "checkpoints/2.png", "more/1.png", "more/checkpoints/2.png"]
    before = stamp(source)
    (tmp_path / "caption.txt").write_text("new")
    assert stamp(source) == before


@pytest.mark.parametrize("option", ["field", "group"])
def test_a_folder_without_tables_has_no_columns(option: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    with pytest.raises(DataError, match=f"--{option} signer names a column, but here is no table; give one"):
        list(read(Source(paths=(str(tmp_path),), form=forms.PICTURES, **{option: "signer"})))


def test_what_was_thrown_away_or_made_by_others_is_not_read(tmp_path: Path) -> None:
    for folder in (".", ".Trash-1000/files", ".thumbnails", "node_modules"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    assert len(list(read(Source(paths=(str(tmp_path),), form=forms.PICTURES)))) == 1


def test_pictures_beside_which_lies_more_than_one_file_are_pictures(tmp_path: Path) -> None:
    for name, data in (("boxes", b"<xml/>"), ("words", b"a hand"), ("photos", encoded(Image.fromarray(COLOURS)))):
        (tmp_path / ".venv" / "set" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / ".venv" / "set" / name / f"{number}.{'png' if name == 'photos' else 'xml'}").write_bytes(data)
    assert forms.told([str(tmp_path / ".venv" / "set")], None)[0] is forms.PICTURES


def test_a_few_pictures_of_the_names_of_many_texts_are_figures(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "index.md").write_text("words")
    (tmp_path / "0" / "index.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    assert forms.told([str(tmp_path)], None)[0] is forms.TEXTS


def test_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    (tmp_path / "c.txt").write_text("three\n")
    assert forms.told([str(tmp_path)], None)[0] is forms.TEXTS
    table = pa.table({"text": ["one"], "image": [encoded(Image.fromarray(COLOURS))]})
    pq.write_table(table, tmp_path / "both.parquet")
    assert forms.told([str(tmp_path / "both.parquet")], None)[0] is forms.TEXTS
    assert forms.told([str(tmp_path / "both.parquet")], "image")[0] is forms.PICTURES


@pytest.mark.parametrize(
    "value",
    [COLOURS, Image.fromarray(COLOURS), encoded(Image.fromarray(COLOURS)), "path"],
    ids=["array", "image", "bytes", "path"],
)
def test_python_holds_pictures_in_many_ways(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(COLOURS)))
    found = pictures.of_python(path if isinstance(value, str) else value, "input[0]", silent)
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
        pictures.of_python(make(), "input[0]", silent)


def test_arrays_of_other_byte_orders_and_masks_of_numbers_are_what_they_say() -> None:
    big = np.arange(12, dtype=">u2").reshape(3, 4) * 300
    assert np.array_equal(pictures.of_array(big, "a").pixels[..., 0], big)
    known = np.array([[0, 1], [1, 1]], dtype=np.uint8)
    found = pictures.of_python(pictures.Image(np.zeros((2, 2, 3), dtype=np.uint8), known), "a", silent)
    assert repr(found) == "Picture(2x2, 3 channels of 8 bits, 1 pixels not known)"


def test_what_nobody_sees_tells_no_two_pictures_apart() -> None:
    hole = np.full((12, 20), 255, dtype=np.uint8)
    hole[3:6, 4:9] = 0
    other = COLOURS.copy()
    other[3:6, 4:9] = 7
    one, two = (pictures.of_python(Image.fromarray(np.dstack([c, hole])), "a", silent) for c in (COLOURS, other))
    assert bytes(one) == bytes(two)
    assert bytes(one) != bytes(pictures.of_python(Image.fromarray(COLOURS), "a", silent))


def test_of_an_image_that_stands_at_a_later_frame_the_first_is_read_and_it_says_so() -> None:
    frames = [Image.fromarray(np.full((9, 8, 3), level, dtype=np.uint8)) for level in (10, 120, 240)]
    movie = Image.open(io.BytesIO(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])))
    movie.seek(1)
    heard: list[str] = []
    found = pictures.of_python(movie, "movie", heard.append)
    assert (found.pixels == 10).all()
    assert heard == ["movie: has 3 frames or pages; the first is read"]
    assert movie.tell() == 1


def test_what_colours_mean_goes_with_them_into_a_file() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = pictures.decoded(encoded(Image.fromarray(COLOURS), icc_profile=profile), "a", silent)
    again = Image.open(io.BytesIO(pictures.encoded(found)))
    assert again.info["icc_profile"] == profile
    assert np.array_equal(np.asarray(again), COLOURS)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_excerpt_is_a_part_of_its_size(kind: type[Any]) -> None:
    pixels = np.zeros((300, 200, 3), dtype=kind)
    known = np.ones((300, 200), dtype=bool)
    part = pictures.excerpt(pictures.Image(pixels, known), pixels.nbytes // 25)
    assert part.pixels.shape == (60, 40, 3)
    assert part.known is not None
    assert part.known.shape == (60, 40)
    assert pictures.excerpt(part, 1 << 30) is part


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 5000))
@settings(max_examples=40, deadline=None)
def test_an_excerpt_of_a_thin_picture_has_something_of_it(rows: int, columns: int, size: int) -> None:
    part = pictures.excerpt(pictures.Image(np.zeros((rows, columns, 1), dtype=np.uint8)), size)
    assert 1 <= part.pixels.shape[0] <= rows
    assert 1 <= part.pixels.shape[1] <= columns
    assert part.pixels.nbytes <= max(2 * size, 3000)


@pytest.mark.parametrize("how", ["folder", "table", "list"])
def test_decoded_by_several_at_once_records_and_what_is_said_of_them_keep_their_order(how: str, tmp_path: Path) -> None:
    movie = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1])]
    files = {
        f"{number:02}.png": encoded(movie[0], "WEBP", save_all=True, append_images=movie[1:], lossless=True)
        if number % 7 == 3
        else b"text"
        if number % 5 == 2
        else encoded(Image.fromarray(COLOURS + np.uint8(number)))
        for number in range(40)
    }
    if how == "table":
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"image": list(files.values())}), path)
    else:
        path = tmp_path
        for name, data in files.items():
            (path / name).write_bytes(data)
    heard: list[str] = []
    others = lambda: [one for one in warnings.filters if "PIL" not in str(one[3])]  # noqa: E731
    filters = others()
    paths = (str(path),) if how != "list" else tuple(str(path / name) for name in files)
    source = Source(paths=paths, form=forms.PICTURES, on_bad="skip", report=heard.append, note=heard.append)
    read_ = []
    for record in read(source):
        heard.append(record.source)
        read_.append(record)
    assert others() == filters
    whole = [n for n in range(40) if n % 7 == 3 or n % 5 != 2]
    at = [f"{path}:row {n + 1}" if how == "table" else f"{path}/{n:02}.png" for n in range(40)]
    assert [record.source for record in read_] == [at[n] for n in whole]
    assert all((r.value.pixels == COLOURS + np.uint8(n * (n % 7 != 3))).all() for r, n in zip(read_, whole, strict=True))
    said = [words.split(": ")[0] for words in heard]
    assert said == [at[n] for n in range(40) for _ in range(2 if n % 7 == 3 else 1)]
    with pytest.raises(DataError, match=rf"{at[2]}: not a picture .*leave it out, or --on-bad skip"):
        list(read(replace(source, on_bad="stop")))


def test_values_may_be_one_image_many_times_and_say_what_should_be_known_of_them() -> None:
    png = Image.open(io.BytesIO(encoded(Image.fromarray(COLOURS))))
    movie = Image.open(io.BytesIO(encoded(png, "WEBP", save_all=True, append_images=[Image.fromarray(COLOURS[::-1])])))
    heard: list[str] = []
    given = Source(paths=("<values>",), values=[png, png, movie, 3, png], form=forms.PICTURES, on_bad="skip",
                   report=heard.append, note=heard.append)  # fmt: skip
    assert [record.source for record in read(given)] == ["data[0]", "data[1]", "data[2]", "data[4]"]
    assert heard == [
        "data[2]: has 2 frames or pages; the first is read",
        "data[3]: expected a picture (a path, bytes, an array, an image), got int",
    ]
