"""Pictures are found in folders, tables and lists, and what is none is named."""

from __future__ import annotations

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
from PIL import Image

from maskwright.errors import DataError
from maskwright.modalities import detect
from maskwright.modalities.image.value import IMAGE
from maskwright.modalities.text.value import TEXT
from maskwright.records.read import Source, read, stamp
from maskwright.records.value_type import ValueType
from maskwright.system.atomic_files import LOCK
from tests.modalities.image.pictures import COLOURS, encoded, hear


def claimed(paths: list[str], field: str | None) -> tuple[ValueType, str]:
    found, why = detect.claimed(paths, field=field)
    return found.value_type, why


def array_header(shape: str) -> bytes:
    """An .npy of nothing but its header."""
    said = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape
    return b"\x93NUMPY\1\0" + struct.pack("<H", 118) + said.ljust(117).encode() + b"\n"


def bomb() -> bytes:
    """A PNG whose header claims what no memory holds."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


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
    source = Source(paths=(str(tmp_path),), value_type=IMAGE)
    with pytest.raises(DataError, match=words) as error:
        list(read(source))
    assert "two.jpg" in str(error.value)
    assert "\n" not in str(error.value)
    said: list[str] = []
    kept = list(read(Source(paths=(str(tmp_path),), value_type=IMAGE, on_bad="skip", on_skipped=hear(said))))
    assert [Path(str(record.source)).name for record in kept] == ["one.png"]
    assert len(said) == 1


def test_folders_and_tables_hold_the_same_pictures(tmp_path: Path) -> None:
    named = {f"{name}.png": encoded(Image.fromarray(COLOURS[:, : name + 3])) for name in range(5)}
    folder = tmp_path / "shop"
    for number, (name, data) in enumerate(named.items()):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 2) / name).write_bytes(data)
    (folder / "labels.csv").write_text("name,label\n0.png,apple\n")
    rows = [{"image": data, "name": name} for name, data in named.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bytes.parquet")
    structs = [{"image": {"bytes": data, "path": name}} for name, data in named.items()]
    pq.write_table(pa.Table.from_pylist(structs), tmp_path / "structs.parquet")
    found = []
    for where in ("shop", "bytes.parquet", "structs.parquet"):
        form, why = claimed([str(tmp_path / where)], None)
        assert form is IMAGE
        assert "picture" in why
        found.append({record.id for record in read(Source(paths=(str(tmp_path / where),), value_type=form))})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 5


def test_a_table_beside_pictures_that_holds_none_is_left_out_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    for name, rows in (("labels", {"file": "a.png", "label": "red"}), ("named", {"image": "a.png"})):
        pq.write_table(pa.Table.from_pylist([rows]), tmp_path / f"{name}.parquet")
    said: list[str] = []
    source = Source(paths=(str(tmp_path),), value_type=IMAGE, on_notice=hear(said))
    assert len(list(read(source))) == 1
    assert [line.split(": ", 1)[1] for line in said] == [
        "no column holds pictures; left out", "column 'image' holds no pictures; left out",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"labels\.parquet: no column holds pictures; name one with `field`"):
        list(read(replace(source, paths=(str(tmp_path / "labels.parquet"),))))


def test_no_file_of_a_folder_is_passed_over_without_a_word(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOURS))
    shop, disk = tmp_path / "shop", tmp_path / "disk"
    for path in (shop / "a.png", shop / "note.txt", shop / "b.psd", shop / ".hidden.txt", disk / "c.jfif"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (shop / "2024").symlink_to(disk)
    (disk / "up").symlink_to(shop)  # a circle
    (shop / "gone.png").symlink_to(tmp_path / "nowhere.png")
    said: list[str] = []
    source = Source(paths=(str(shop),), value_type=IMAGE, on_bad="skip", on_skipped=hear(said), on_notice=hear(said))
    assert [Path(str(record.source)).name for record in read(source)] == ["a.png", "c.jfif"]
    assert said[0].startswith(f"{shop}/gone.png: ")
    assert said[1:] == [f"{shop}: 2 other files are left out (.psd, .txt)"]
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
    form, why = claimed([str(tmp_path / "d.parquet")], field)
    assert form is IMAGE
    assert why.startswith(f"column {field!r}")


def test_a_bad_picture_leaves_the_others_of_its_row(tmp_path: Path) -> None:
    good = encoded(Image.fromarray(COLOURS))
    rows = [{"images": [{"bytes": good, "path": "a"}, {"bytes": good[:40], "path": "b"}, {"bytes": None, "path": "c.jpg"}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    said: list[str] = []
    source = Source(paths=(str(tmp_path / "d.parquet"),), value_type=IMAGE, field="images[]")
    found = list(read(replace(source, on_bad="skip", on_skipped=hear(said))))
    assert [Path(str(record.source)).name for record in found] == ["d.parquet:row 1[0]"]
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in said] == ["row 1[1]", "row 1[2]"]
    assert "holds a path alone ('c.jpg'), not the bytes of a picture" in said[1]
    with pytest.raises(DataError, match=r"row 1\[1\]"):
        list(read(source))


def test_models_and_runs_that_lie_among_the_data_are_none(tmp_path: Path) -> None:
    for folder, mark in ((".", "a.txt"), ("model", "maskwright.json"), ("run", LOCK), ("more", "b.txt")):
        (tmp_path / folder / "checkpoints").mkdir(parents=True)
        (tmp_path / folder / mark).write_text("{}")
        for name in ("1.png", "checkpoints/2.png"):
            (tmp_path / folder / name).write_bytes(encoded(Image.fromarray(COLOURS)))
    source = Source(paths=(str(tmp_path),), value_type=IMAGE)
    names = [Path(str(record.source)).relative_to(tmp_path).as_posix() for record in read(source)]
    assert names == ["1.png", "checkpoints/2.png", "more/1.png", "more/checkpoints/2.png"]
    before = stamp(source)
    (tmp_path / "caption.txt").write_text("new")
    assert stamp(source) == before


@pytest.mark.parametrize("option", ["field", "group"])
def test_a_folder_without_tables_has_no_columns(option: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    with pytest.raises(DataError, match=f'{option}="signer" names a column, but here is no table; give one'):
        list(read(Source(paths=(str(tmp_path),), value_type=IMAGE, **{option: "signer"})))


def test_what_was_thrown_away_or_made_by_others_is_not_read(tmp_path: Path) -> None:
    for folder in (".", ".Trash-1000/files", ".thumbnails", "node_modules"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    assert len(list(read(Source(paths=(str(tmp_path),), value_type=IMAGE)))) == 1


def test_pictures_beside_which_lies_more_than_one_file_are_pictures(tmp_path: Path) -> None:
    for name, data in (("boxes", b"<xml/>"), ("words", b"a hand"), ("photos", encoded(Image.fromarray(COLOURS)))):
        (tmp_path / ".venv" / "set" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / ".venv" / "set" / name / f"{number}.{'png' if name == 'photos' else 'xml'}").write_bytes(data)
    assert claimed([str(tmp_path / ".venv" / "set")], None)[0] is IMAGE


def test_a_few_pictures_of_the_names_of_many_texts_are_figures(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "index.md").write_text("words")
    (tmp_path / "0" / "index.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    assert claimed([str(tmp_path)], None)[0] is TEXT


def test_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.png").write_bytes(encoded(Image.fromarray(COLOURS)))
    (tmp_path / "c.txt").write_text("three\n")
    assert claimed([str(tmp_path)], None)[0] is TEXT
    table = pa.table({"text": ["one"], "image": [encoded(Image.fromarray(COLOURS))]})
    pq.write_table(table, tmp_path / "both.parquet")
    assert claimed([str(tmp_path / "both.parquet")], None)[0] is TEXT
    assert claimed([str(tmp_path / "both.parquet")], "image")[0] is IMAGE


@pytest.mark.parametrize("how", ["folder", "table", "list"])
def test_decoded_by_several_at_once_records_and_what_is_said_of_them_keep_their_order(how: str, tmp_path: Path) -> None:
    movie = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1])]
    named = {
        f"{number:02}.png": encoded(movie[0], "WEBP", save_all=True, append_images=movie[1:], lossless=True)
        if number % 7 == 3
        else b"text"
        if number % 5 == 2
        else encoded(Image.fromarray(COLOURS + np.uint8(number)))
        for number in range(40)
    }
    if how == "table":
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"image": list(named.values())}), path)
    else:
        path = tmp_path
        for name, data in named.items():
            (path / name).write_bytes(data)
    heard: list[str] = []
    others = lambda: [one for one in warnings.filters if "PIL" not in str(one[3])]  # noqa: E731
    filters = others()
    paths = (str(path),) if how != "list" else tuple(str(path / name) for name in named)
    source = Source(paths=paths, value_type=IMAGE, on_bad="skip", on_skipped=hear(heard), on_notice=hear(heard))
    read_ = []
    for record in read(source):
        heard.append(str(record.source))
        read_.append(record)
    assert others() == filters
    whole = [n for n in range(40) if n % 7 == 3 or n % 5 != 2]
    at = [f"{path}:row {n + 1}" if how == "table" else f"{path}/{n:02}.png" for n in range(40)]
    assert [str(record.source) for record in read_] == [at[n] for n in whole]
    assert all((r.value.pixels == COLOURS + np.uint8(n * (n % 7 != 3))).all() for r, n in zip(read_, whole, strict=True))
    said = [words.split(": ")[0] for words in heard]
    assert said == [at[n] for n in range(40) for _ in range(2 if n % 7 == 3 else 1)]
    with pytest.raises(DataError, match=rf"{at[2]}: not a picture .*leave it out, or on_bad=\"skip\""):
        list(read(replace(source, on_bad="stop")))


def test_values_may_be_one_image_many_times_and_say_what_should_be_known_of_them() -> None:
    png = Image.open(io.BytesIO(encoded(Image.fromarray(COLOURS))))
    movie = Image.open(io.BytesIO(encoded(png, "WEBP", save_all=True, append_images=[Image.fromarray(COLOURS[::-1])])))
    heard: list[str] = []
    given = Source(paths=("<values>",), values=[png, png, movie, 3, png], value_type=IMAGE, on_bad="skip",
                   on_skipped=hear(heard), on_notice=hear(heard))  # fmt: skip
    assert [str(record.source) for record in read(given)] == ["data[0]", "data[1]", "data[2]", "data[4]"]
    assert heard == [
        "data[2]: has 2 frames or pages; the first is read",
        "data[3]: expected a picture (a path, bytes, an array, an image), got int",
    ]
