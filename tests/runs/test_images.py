"""Pictures from end to end, as a user has them: a folder to a model that fills, scores and embeds."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import maskwright as mw
from maskwright.errors import DataError, MaskwrightWarning, ModelError, QueryError, RecipeError
from maskwright.modalities import detect
from maskwright.modalities.image import files
from maskwright.modalities.image.pixels import Image as Picture
from maskwright.modalities.image.value import IMAGE
from maskwright.model.calibrate import _slot_temperature, together
from maskwright.model.results import strength
from maskwright.records.read import Source
from maskwright.records.record import Origin, Record
from maskwright.records.split import split
from maskwright.system.progress import unwatched
from maskwright.training.prepare import prepare
from maskwright.training.validation import validation_batches

pytestmark = pytest.mark.filterwarnings("ignore:pictures are read as squares")  # here a ViT-MAE's are tiny
TINY = ("net.width=32", "net.layers=2", "net.heads=2", "net.ff=48", "train.batch_tokens=512", "train.look_tokens=1000",
        "calibration.slots=400", "train.held_out=0.2")  # fmt: skip


def wave(seed: int) -> np.ndarray[Any, Any]:
    """A picture that its neighbourhood foretells: slow waves in one of three colours."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(30, 70, 2)
    y, x = np.mgrid[:rows, :columns]
    one = 120 + 80 * np.sin(x / rng.uniform(8, 20) + y / rng.uniform(8, 20))
    shades = np.array([[1.0, 0.3, 0.3], [0.3, 1.0, 0.3], [0.3, 0.3, 1.0]])[seed % 3]
    return np.asarray((one[..., None] * shades).clip(0, 255).astype(np.uint8))


def holed(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    alpha = np.full(picture.shape[:2], 255, dtype=np.uint8)
    alpha[9:21, 10:25] = 0
    return np.dstack([picture, alpha])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(150):
        (folder / f"{seed % 4}").mkdir(exist_ok=True)
        Image.fromarray(wave(seed)).save(folder / f"{seed % 4}" / f"{seed}.png")
    (folder / "readme.txt").write_text("Waves of three colours.\n")
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "waves"
    mw.train(photos, out=out, steps=400, settings=TINY)
    return out


@pytest.fixture(scope="module")
def model(trained: Path) -> mw.Model:
    return mw.load(trained)


def test_it_beats_both_floors_and_says_what_it_is(trained: Path, model: mw.Model) -> None:
    held = model.about.held_out
    assert held is not None
    assert held.floor_neighbours is not None
    assert held.floor_frequency is not None
    assert held.bits_per_byte < held.floor_neighbours < held.floor_frequency
    assert model.about.modality == "image"
    card = (trained / "README.md").read_text()
    assert "Modality: image" in card
    assert "transformers" not in card


def test_a_hole_is_filled_and_nothing_else_changes(model: mw.Model) -> None:
    whole = wave(1000)
    filling = model.fill(Image.fromarray(holed(whole)))
    found = filling.value
    known = holed(whole)[..., 3] > 0
    assert found.known is None
    assert np.array_equal(found.pixels[known], whole[known])
    wrong = np.abs(found.pixels.astype(int) - whole)[~known].mean()
    assert wrong < np.abs(whole[known].mean(0) - whole.astype(float))[~known].mean()  # than the mean colour


def test_draws_differ_and_come_again(model: mw.Model) -> None:
    query = Image.fromarray(holed(wave(1001)))
    first, again, other = (model.fill([query], draws=2, seed=seed)[0] for seed in (0, 0, 1))
    pictures = [c.value.pixels for c in first.completions]
    assert not np.array_equal(*pictures)
    assert all(np.array_equal(a, b.value.pixels) for a, b in zip(pictures, again.completions, strict=True))
    assert not np.array_equal(pictures[0], other.completions[0].value.pixels)


def test_what_was_disturbed_is_stranger(model: mw.Model) -> None:
    whole = wave(1002)
    odd = whole.copy()
    odd[16:24, 16:24] = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    plain, disturbed = model.score([whole, odd])
    assert disturbed.total > plain.total
    strangest = int(np.argmax(np.array(disturbed.per_token) - plain.per_token))
    assert disturbed.offsets[strangest] == (16, 16, 24, 24)
    assert len(plain.per_token) == -(-whole.shape[0] // 8) * -(-whole.shape[1] // 8)


def test_vectors_tell_colours_apart(model: mw.Model) -> None:
    vectors = model.embed([wave(seed) for seed in range(2000, 2030)])
    likeness = vectors @ vectors.T - 2 * np.eye(30)
    assert (likeness.argmax(1) % 3 == np.arange(30) % 3).mean() > 0.8


def test_company_and_windows_change_nothing(model: mw.Model) -> None:
    large = np.tile(wave(7), (4, 4, 1))  # more patches than the net reads at once
    alone = model.score(large)
    together = model.score([wave(3), large])[1]
    assert len(alone.per_token) > model.net.config.length
    np.testing.assert_allclose(alone.per_token, together.per_token, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(model.embed(large), model.embed([wave(3), large])[1], atol=1e-5)


def test_a_run_that_was_killed_ends_in_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    settings = [*TINY, "train.save_every=0"]
    mw.train(photos, out=tmp_path / "whole", steps=60, settings=settings)
    command = [sys.executable, "-m", "maskwright", "train", photos, "--out", tmp_path / "killed", "--steps", "60"]
    command += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list((tmp_path / "killed" / "checkpoints").glob("step-*.safetensors")):
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL  # in the middle of its steps
    assert mw.train(out=tmp_path / "killed", resume=True).about.finished
    ended, whole = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("killed", "whole"))
    assert ended == whole


def test_the_same_in_a_shell(
    photos: Path, trained: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    damaged = tmp_path / "damaged.png"
    Image.fromarray(holed(wave(1003))).save(damaged)
    done = run("fill", trained, damaged, "--out", tmp_path / "mended.png")
    assert done.returncode == 0, done.stderr
    mended = np.asarray(Image.open(tmp_path / "mended.png"))
    assert mended.shape == wave(1003).shape
    done = run("fill", trained, tmp_path / "damaged.png", "--out", tmp_path / "mended.parquet")
    (row,) = pq.read_table(tmp_path / "mended.parquet").to_pylist()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["image"]))), mended)
    done = run("score", trained, photos / "0", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(list((photos / "0").iterdir()))
    assert all(len(row["per_token"]) == len(row["offsets"]) for row in rows)
    done = run("score", trained, photos / "0")
    assert "3 channels" in done.stdout
    done = run("embed", trained, photos / "1", "--out", tmp_path / "v.npy")
    assert np.load(tmp_path / "v.npy").shape == (len(list((photos / "1").iterdir())), 8 * 32)
    done = run("plan", photos, "--budget", "20s", "--set", "net.width=32")
    assert done.returncode == 0, done.stderr
    assert "taken for pictures" in done.stderr


def test_what_makes_no_sense_is_said(
    photos: Path, trained: Path, model: mw.Model, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with pytest.raises(QueryError, match="nothing to fill: no pixel is more than half transparent"):
        model.fill(wave(0))
    with pytest.raises(QueryError, match="targets: of pictures there are too many to list"):
        model.fill(holed(wave(0)).astype(np.uint8)[..., :3], targets=["a"])
    with pytest.raises(QueryError, match="coverage: of pictures there are too many"):
        model.fill(Image.fromarray(holed(wave(0))), coverage=0.9)
    with pytest.raises(DataError, match=r"input\[1\]: 7 channels, where the model has 3"):
        model.embed([wave(0), np.zeros((16, 16, 7), dtype=np.uint8)])
    with pytest.raises(RecipeError, match=r"tokenizer\.size is not for pictures"):
        mw.train(photos, out=tmp_path / "m", steps=1, settings=["tokenizer.size=300"])
    with pytest.raises(RecipeError, match=r"image\.mean is for image\.family vit_mae"):
        mw.train(photos, out=tmp_path / "m", steps=1, settings=["image.mean=[0.5,0.5,0.5]"])
    with pytest.raises(RecipeError, match=r"image\.patch"):
        mw.train(photos, out=tmp_path / "m", steps=1, settings=["image.patch=0"])
    done = run("fill", trained, "no-such.png")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "maskwright: no-such.png: no such file or folder (this model takes pictures)",
    )
    done = run("fill", trained, photos / "0" / "0.png", "--out", tmp_path / "x.jsonl")
    assert done.returncode == 2
    (tmp_path / "empty").mkdir()
    done = run("train", tmp_path / "empty", "--modality", "image", "--out", tmp_path / "m")
    assert done.returncode == 2
    assert "no pictures there that can be read" in done.stderr
    done = run("train", tmp_path / "empty", "--out", tmp_path / "m")
    assert done.stderr == f"maskwright: {tmp_path}/empty: no files in it; give a file or folder that has some\n"
    whole = photos / "0" / "0.png"
    done = run("fill", trained, whole, "--out", tmp_path / "x.png")
    assert done.stderr.splitlines()[0].startswith(f"maskwright: {whole}: nothing to fill")
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / "text.jpg").write_text("this is text")
    done = run("score", trained, tmp_path / "text.jpg")
    assert done.stderr == f"maskwright: {tmp_path}/text.jpg: not a picture (it begins with 'this is '); leave it out\n"
    assert not (tmp_path / "m").exists()


def test_a_picture_of_other_channels_is_named_or_skipped(photos: Path, tmp_path: Path) -> None:
    rows = [{"image": path.read_bytes()} for path in sorted((photos / "0").iterdir())]
    odd = Image.fromarray(np.zeros((16, 16), dtype=np.uint8)).convert("L")  # grey is brought to the model's three
    rows.append({"image": files.encoded(files.of_image(odd, "odd", print))})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "photos.parquet")
    tiny = (*TINY, "image.channels=4")
    with pytest.raises(DataError, match=r"photos.parquet:row 1: 3 channels, where the model has 4"):
        mw.train(tmp_path / "photos.parquet", out=tmp_path / "a", steps=2, settings=tiny)
    with pytest.raises(DataError, match="too small to train on"):
        mw.train(tmp_path / "photos.parquet", out=tmp_path / "a", steps=2, settings=tiny, on_bad="skip")


def test_a_mask_hides_what_is_white_in_it(model: mw.Model, tmp_path: Path) -> None:
    picture = wave(2)
    hole = np.zeros(picture.shape[:2], dtype=bool)
    hole[9:21, 10:25] = True
    one = model.fill(picture, mask=hole).value
    assert np.array_equal(one.pixels[~hole], picture[~hole])
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    assert np.array_equal(model.fill(picture, mask=tmp_path / "mask.png").value.pixels, one.pixels)
    assert np.array_equal(model.fill(Image.fromarray(holed(picture))).value.pixels, one.pixels)
    hidden = np.ma.MaskedArray(picture, np.repeat(hole[..., None], 3, axis=2))
    assert np.array_equal(model.fill(hidden).value.pixels, one.pixels)
    with pytest.raises(DataError, match=r"the mask 5x4; make them one size"):
        model.fill(picture, mask=np.ones((4, 5), dtype=bool))
    with pytest.raises(DataError, match="the mask: is 1 of 255 at its brightest; what is filled is white in it, or True"):
        model.fill(picture, mask=hole.astype(np.uint8))
    with pytest.raises(DataError, match="the mask: has 4 channels; give it as bools"):
        model.fill(picture, mask=np.full((*hole.shape, 4), 255, dtype=np.uint8))
    with pytest.raises(QueryError, match="nothing to fill"):
        model.fill(picture, mask=~np.ones(picture.shape[:2], dtype=bool))


def test_scattered_holes_are_filled_from_what_is_around_them(model: mw.Model) -> None:
    picture = wave(5)
    hole = np.random.default_rng(0).random(picture.shape[:2]) < 0.1  # no patch is without one
    made = model.fill(picture, mask=hole).value.pixels
    assert np.array_equal(made[~hole], picture[~hole])
    wrong = np.abs(made.astype(float) - picture)[hole].mean()
    assert wrong < 0.5 * np.abs(picture[~hole].mean(0) - picture.astype(float))[hole].mean()


@pytest.mark.filterwarnings("ignore:pictures of 16 bits")
def test_what_was_known_keeps_its_form(model: mw.Model) -> None:
    """A grey picture of 16 bits stays one, though the model knows colours of 8."""
    grey = wave(1)[..., 0].astype(np.uint16) * 100
    hole = np.zeros(grey.shape, dtype=bool)
    hole[8:20, 8:20] = True
    made = model.fill(grey, mask=hole).value.pixels
    assert (made.dtype, made.shape) == (np.uint16, (*grey.shape, 1))
    assert np.array_equal(made[~hole, 0], grey[~hole])
    assert 2_000 < made[hole].mean() < 30_000


def test_a_large_hole_is_filled_from_its_edges_in(model: mw.Model) -> None:
    rows, columns = 280, 330
    y, x = np.mgrid[:rows, :columns]
    picture = (120 + 80 * np.sin(x / 15 + y / 19))[..., None].astype(np.uint8).repeat(3, axis=2)
    hole = np.zeros((rows, columns), dtype=bool)
    hole[40:240, 40:290] = True
    made = model.fill(picture, mask=hole).value.pixels
    assert np.array_equal(made[~hole], picture[~hole])
    drawn = model.fill(picture, mask=hole, draws=2, seed=3).completions
    assert not np.array_equal(drawn[0].value.pixels, drawn[1].value.pixels)
    again = model.fill([picture, picture], mask=hole, draws=2, seed=3)[1].completions
    assert all(np.array_equal(a.value.pixels, b.value.pixels) for a, b in zip(drawn, again, strict=True))


def test_strips_heat_and_a_folder_of_filled_pictures(
    photos: Path, trained: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "torn").mkdir()
    for seed in (1, 2):
        Image.fromarray(holed(wave(seed))).save(tmp_path / "torn" / f"{seed}.png")
    done = run("fill", trained, tmp_path / "torn", "--out", tmp_path / "mended", "--show", tmp_path / "strips")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "mended").iterdir()) == ["1.png", "2.png", "sources.jsonl"]
    rows, columns = wave(1).shape[:2]
    with Image.open(tmp_path / "strips" / "1.png") as strip:
        assert strip.size == (3 * columns + 2 * 4, rows)
    (tmp_path / "torn" / "more").mkdir()
    (tmp_path / "torn" / "more" / "more").mkdir()
    for folder in ("more", "more/more"):
        Image.fromarray(holed(wave(3))).save(tmp_path / "torn" / folder / "1.png")
    assert run("fill", trained, tmp_path / "torn", "--out", tmp_path / "all").returncode == 0
    listed = [json.loads(line) for line in (tmp_path / "all" / "sources.jsonl").read_text().splitlines()]
    assert {row["file"]: Path(row["source"]).relative_to(tmp_path / "torn").as_posix() for row in listed} == {
        "1.png": "1.png", "2.png": "2.png", "more-1.png": "more/1.png", "1~2.png": "more/more/1.png",
    }  # fmt: skip
    assert {p.name for p in (tmp_path / "all").iterdir()} == {"sources.jsonl", *(row["file"] for row in listed)}
    done = run("fill", trained, tmp_path / "torn" / "1.png", "--draws", 2, "--out", tmp_path / "drawn")
    assert sorted(p.name for p in (tmp_path / "drawn").iterdir()) == ["1-1.png", "1-2.png", "sources.jsonl"]
    whole, torn = ({"image": files.encoded(files.of_array(wave(4), "a"))}, (tmp_path / "torn" / "1.png").read_bytes())
    pq.write_table(pa.Table.from_pylist([{"image": torn}, whole, {"image": torn}]), tmp_path / "torn.parquet")
    done = run("fill", trained, tmp_path / "torn.parquet", "--out", tmp_path / "rows")
    assert sorted(p.name for p in (tmp_path / "rows").iterdir()) == ["sources.jsonl", "torn-1.png", "torn-3.png"]
    assert done.stderr.splitlines()[-1] == "skipped 1 of 3 records"
    both = run("fill", trained, tmp_path / "torn", "--out", tmp_path / "same", "--show", tmp_path / "same")
    assert (both.returncode, both.stderr) == (2, f"maskwright: --show {tmp_path / 'same'}: is --out too; name another\n")
    for more in (["--draws", 2], []):
        refused = run("fill", trained, tmp_path / "torn", "--out", tmp_path / "one.png", *more)
        assert refused.returncode == 2
        assert "don't go into one .png file; name a folder" in refused.stderr
        assert not (tmp_path / "one.png").exists()
    for option in ("--out", "--show"):  # before any is filled
        refused = run("fill", trained, tmp_path / "torn", option, tmp_path / "strip.npz")
        assert refused.returncode == 2
        assert f"{option} {tmp_path / 'strip.npz'}: end it in .parquet or .png" in refused.stderr
    refused = run("score", trained, photos / "0", "--out", tmp_path / "s.npy")
    assert f"--out {tmp_path / 's.npy'}: end it in .parquet or .jsonl" in refused.stderr
    refused = run("fill", trained, tmp_path / "torn", "--show", tmp_path / "s.npy")
    assert f"--show {tmp_path / 's.npy'}: end it in .parquet or .png, or name a folder" in refused.stderr
    done = run("score", trained, photos / "0" / "0.png", "--show", tmp_path / "heat.PNG", "--json")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "heat.PNG") as heat:
        seen = np.asarray(heat)
    assert seen.shape == (wave(0).shape[0], 2 * wave(0).shape[1] + 4, 3)
    assert (seen == 255).all(axis=2).any()


def test_alarms_are_as_rare_as_promised(trained: Path, photos: Path, model: mw.Model, tmp_path: Path) -> None:
    fresh = [wave(seed) for seed in range(1000, 1200)]
    line = model.threshold(0.2)
    false = np.mean([score.mean > line for score in model.score(fresh)])
    assert 0.08 < false < 0.36  # the level itself was taken from some fifteen held-out pictures
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert model.score(noise).mean > line
    with pytest.raises(
        QueryError, match=r"needs 999; train longer \(or settings=\[.calibration\.slots=[4-9]\d{3}.\], time for so"
    ):
        model.threshold(0.001)
    with pytest.raises(QueryError, match="between 0 and 1"):
        model.threshold(1.0)
    with pytest.raises(QueryError, match="16 passes"):
        model.threshold(0.2, passes="all")


def test_a_vit_mae_is_trained_goes_on_and_opens_elsewhere(photos: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    small = ("net.width=32", "net.layers=2", "net.heads=2", "train.batch_tokens=512", "train.look_tokens=1000",
             "calibration.slots=400", "train.held_out=0.2")  # fmt: skip
    first = mw.train(
        photos, out=tmp_path / "a", steps=20, settings=[*small, "image.family=vit_mae", "image.side=32", "net.ff=64"]
    )
    theirs = transformers.ViTMAEForPreTraining.from_pretrained(tmp_path / "a")
    assert (theirs.config.image_size, theirs.config.patch_size) == (32, 8)
    filled = first.fill(Image.fromarray(holed(wave(5)))).value
    assert filled.pixels.shape == wave(5).shape  # squares inside, the picture's own size outside
    on = mw.train(photos, out=tmp_path / "b", init=tmp_path / "a", steps=4, settings=["calibration.slots=40"])
    assert on.net.config == first.net.config
    assert "not calibrated" in (tmp_path / "b" / "README.md").read_text()
    with pytest.raises(RecipeError, match=r"its own image; leave image\.patch out"):
        mw.train(photos, out=tmp_path / "c", init=tmp_path / "a", steps=4, settings=["image.patch=8"])


def test_another_librarys_colours_go_on(photos: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTMAEConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8,
        decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=1, decoder_intermediate_size=32,
    )  # fmt: skip
    transformers.ViTMAEForPreTraining(config).save_pretrained(tmp_path / "theirs")
    normal = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]}
    (tmp_path / "theirs" / "preprocessor_config.json").write_text(json.dumps(normal))
    mw.train(photos, out=tmp_path / "ours", init=tmp_path / "theirs", steps=2, settings=["calibration.slots=40"])
    said = json.loads((tmp_path / "ours" / "preprocessor_config.json").read_text())
    assert {name: said[name] for name in normal} == normal
    with pytest.raises(RecipeError, match=r"net\.length: the checkpoint reads squares of 17 tokens"):
        mw.train(photos, out=tmp_path / "short", init=tmp_path / "theirs", steps=2, settings=["net.length=8"])
    scores = mw.load(tmp_path / "ours").score(wave(3))
    assert max(place[2] for place in scores.offsets) == wave(3).shape[1]  # places are those of the picture, not the square

    normal["image_mean"] = [0.5]
    (tmp_path / "theirs" / "preprocessor_config.json").write_text(json.dumps(normal))
    with pytest.raises(ModelError, match=r"preprocessor_config\.json: 1 values where pictures have 3 channels"):
        mw.train(photos, out=tmp_path / "odd", init=tmp_path / "theirs", steps=2)


def test_a_vit_is_given_a_head_of_either_kind(photos: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "theirs")
    quick = ["calibration.slots=40", "train.look_tokens=1000"]
    for number, norm_pix in enumerate(("true", "false")):
        out = tmp_path / f"{number}"
        mw.train(photos, out=out, init=tmp_path / "theirs", steps=2, settings=[*quick, f"image.norm_pix={norm_pix}"])
        assert json.loads((out / "config.json").read_text())["norm_pix_loss"] is (norm_pix == "true")
    with pytest.raises(RecipeError, match=r"its own image; leave image\.norm_pix out"):
        mw.train(photos, out=tmp_path / "n", init=tmp_path / "0", steps=2, settings=["image.norm_pix=false"])


def test_a_ragged_edge_is_as_strange_as_what_is_known_of_it(model: mw.Model) -> None:
    """Of the last row of patches a pixel's breadth is there."""
    y, x = np.mgrid[:65, :64]
    picture = (120 + 80 * np.sin(x / 9 + y / 14)[..., None] * np.array([1.0, 0.3, 0.3])).clip(0, 255).astype(np.uint8)
    even, ragged = model.score([picture[:64], picture])
    assert not even.shares
    assert ragged.shares == [1.0] * 64 + [0.125] * 8
    assert ragged.mean == pytest.approx(ragged.total / 65)
    assert even.mean == pytest.approx(even.total / 64)
    lit = strength(ragged.per_token, ragged.shares)
    assert lit[:64] == ragged.per_token[:64]
    assert lit[64:] == pytest.approx([4 * nats for nats in ragged.per_token[64:]])
    for verb in (model.score, model.embed):
        with pytest.raises(QueryError, match=r"input\[0\]: nothing of it is known; leave it out"):
            verb(Picture(picture, np.zeros((65, 64), dtype=bool)))


@pytest.mark.filterwarnings("ignore:pictures of 16 bits")
def test_a_cameras_twelve_bits_are_its_own_levels(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    for seed in range(120):
        Image.fromarray(wave(seed)[..., 0].astype(np.uint16) * 16).save(folder / f"{seed}.png")
    model = mw.train(folder, out=tmp_path / "m", steps=20, settings=TINY)
    assert json.loads((tmp_path / "m" / "image.json").read_text())["depth"] == 12
    dark = wave(200)[..., 0].astype(np.uint16) * 16
    eight = wave(200)[..., :1]  # the same picture, in 8 bits
    a, b = model.embed([dark, eight])
    assert a @ b > 0.999
    bright = dark.copy()
    bright[3, 3] = 65_535  # a pixel that is broken changes nothing elsewhere
    hole = np.zeros(dark.shape, dtype=bool)
    hole[20:28, 20:28] = True
    with pytest.warns(MaskwrightWarning, match="levels over 12 bits, the depth of the model's pictures, are read as the br"):
        made = model.fill(bright, mask=hole).value.pixels[..., 0]
    assert made[3, 3] == 65_535
    assert made[hole].max() < 4096
    square = mw.train(folder, out=tmp_path / "v", steps=2, settings=[*TINY[:3], "image.family=vit_mae", "image.side=48"])
    assert square.about.modality == "image"


def test_photographs_are_read_smaller_and_answered_in_their_own_size(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for seed in range(90):
        Image.fromarray(wave(seed)).resize((300, 200)).save(folder / f"{seed}.png")
    with pytest.warns(MaskwrightWarning, match="more than 64 pixels a side are read made smaller") as told:
        model = mw.train(folder, out=tmp_path / "m", steps=2, settings=[*TINY, "image.longest=64"])
    assert len(told) == 1
    assert model.about.data.bytes == 90 * 64 * 43 * 3
    photo = np.array(Image.fromarray(wave(200)).resize((300, 200)))
    spoilt = photo.copy()
    spoilt[100:140, 220:260] = np.random.default_rng(0).integers(0, 2, (40, 40, 3)) * 255
    with pytest.warns(MaskwrightWarning, match="more than 64 pixels"):
        score = model.score(spoilt)
    assert len(score.per_token) == 8 * 6
    assert np.array_equal(np.max(score.offsets, axis=0)[2:], (300, 200))
    left, top, right, bottom = score.offsets[int(np.argmax(score.per_token))]
    assert 200 < (left + right) / 2 < 280
    assert 80 < (top + bottom) / 2 < 160
    hole = np.zeros((200, 300), dtype=bool)
    hole[50:150, 30:90] = True
    filled = model.fill(photo, mask=hole).value.pixels
    assert np.array_equal(filled[~hole], photo[~hole])
    assert not np.array_equal(filled[hole], photo[hole])
    dust = np.random.default_rng(0).random((200, 300)) < 0.2  # no patch is without, nor many a pixel that is read
    mended = model.fill(photo, mask=dust).value.pixels
    assert np.array_equal(mended[~dust], photo[~dust])
    wrong = np.abs(mended.astype(float) - photo)[dust].mean()
    assert wrong < 0.3 * np.abs(photo[~dust].mean(0) - photo.astype(float))[dust].mean()


def test_pictures_that_are_transparent_almost_everywhere_are_trained_on(tmp_path: Path) -> None:
    folder = tmp_path / "cutouts"
    folder.mkdir()
    for seed in range(60):
        picture, (rows, columns) = np.zeros((160, 160, 4), dtype=np.uint8), wave(seed).shape[:2]
        picture[20 : 20 + rows, 20 : 20 + columns] = np.dstack([wave(seed), np.full((rows, columns), 255)])
        Image.fromarray(picture).save(folder / f"{seed}.png")
    few = [*TINY, "net.length=8", "train.batch_tokens=32"]  # most batches show nothing at all
    model = mw.train(folder, out=tmp_path / "m", steps=60, settings=few)
    assert np.isfinite(model.about.held_out.nats)
    for path in folder.iterdir():
        Image.fromarray(np.zeros((160, 160, 4), dtype=np.uint8) + np.uint8([int(path.stem), 0, 0, 0])).save(path)
    for verb in (lambda: mw.plan(folder, budget="10s"), lambda: mw.train(folder, out=tmp_path / "n", steps=2)):
        with pytest.raises(DataError, match="all of these pictures are transparent everywhere"):
            verb()


def test_corners_and_frames_that_show_nothing_are_passed_over(model: mw.Model, tmp_path: Path) -> None:
    """Of cut-outs the last patches are transparent, of frames the middle; an empty one among them trains nothing."""
    rows = []
    for seed in range(240):
        picture = np.dstack([wave(seed)[:24, :24], np.full((24, 24), 255, dtype=np.uint8)])
        picture[8:, 8:, 3] = 0 if seed else 255
        picture[..., 3] *= seed != 1
        rows.append(files.encoded(files.of_image(Image.fromarray(picture), "x", print)))
    pq.write_table(pa.table({"image": rows}), tmp_path / "cutouts.parquet")
    source, made = Source(paths=(str(tmp_path / "cutouts.parquet"),), value_type=IMAGE), detect.modality("image")
    shards = prepare(source, None, made, tmp_path / "shards", unwatched).shards
    batches, _ = validation_batches(made, shards, np.arange(240), 4, 10**6, seed=0, batch_tokens=4)
    assert len(batches) > 240  # pieces of 2 x 2 patches and less; the last of a picture shows nothing
    assert all(len(mask.target) for _, mask in batches)
    parts = split(shards, 0.3)
    assert 1 not in np.concatenate([parts.train, parts.held_out])
    made = detect.modality("image")
    made.observe(Record(files.of_array(wave(0), "x"), Origin("x")))
    middle = replace(files.of_array(wave(0), "x"), known=np.zeros(wave(0).shape[:2], dtype=bool))
    made.fit([Record(middle, Origin("its middle"))], 0)
    asked = together(model.modality.encode([Record(middle, Origin("its middle"))]), 5, 1, np.random.default_rng(0))
    assert len(asked) == 5
    assert _slot_temperature(model.predictor, asked) == 1.0


def test_pictures_of_a_single_patch_are_told(tmp_path: Path) -> None:
    digits = [wave(seed)[:8, :8] for seed in range(2100)]
    told: list[str] = []
    model = mw.train(digits, out=tmp_path / "m", steps=2, settings=TINY, watch=lambda news: told.append(news.words))
    few = 'most records have 1 token, too few to tell one from the others: set smaller patches (settings=["image.patch=2"])'
    assert few in told
    assert np.isfinite(model.about.held_out.nats)
    with pytest.raises(DataError, match=r"a useful model takes some 100 kB; most records have 1 token.*image\.patch=2"):
        mw.train(digits[:1000], out=tmp_path / "n", steps=2, settings=TINY)


def test_held_out_files_go_with_a_table_that_needs_its_field(photos: Path, tmp_path: Path) -> None:
    rows = [{"photo": path.read_bytes(), "scan": b"none"} for path in sorted((photos / "0").iterdir())]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "photos.parquet")
    table, settings = tmp_path / "photos.parquet", [*TINY, "image.patch=4"]
    model = mw.train(table, field="photo", held_out=photos / "1", out=tmp_path / "m", steps=2, settings=settings)
    assert model.about.data.held_out_records == len(list((photos / "1").iterdir()))
    (tmp_path / "others").mkdir()
    np.save(tmp_path / "others" / "7.npy", np.zeros((16, 16, 7), dtype=np.uint8))
    with pytest.raises(DataError, match="others: none of what is to be held out could be read"):
        mw.train(
            table, field="photo", held_out=tmp_path / "others", out=tmp_path / "n", steps=2, settings=settings, on_bad="skip"
        )


def test_of_many_files_a_model_keeps_no_names(photos: Path, tmp_path: Path) -> None:
    paths = sorted((photos / "0").iterdir())
    model = mw.train(paths, out=tmp_path / "m", steps=2, settings=[*TINY, "image.patch=4"])
    assert model.about.data.paths == [f"{len(paths)} paths"]
    assert paths[0].name not in (tmp_path / "m" / "README.md").read_text()


def test_going_on_from_pictures_keeps_what_was_learned(photos: Path, trained: Path, model: mw.Model, tmp_path: Path) -> None:
    settings = ["train.held_out=0.2", "train.look_tokens=1000", "calibration.slots=40", "train.lr=1e-8"]
    on = mw.train(photos, out=tmp_path / "on", init=trained, steps=2, settings=settings)
    assert on.about.held_out.nats == pytest.approx(model.about.held_out.nats, rel=0.05)


def test_everything_hidden_can_be_filled(model: mw.Model) -> None:
    nothing = np.zeros((24, 24, 4), dtype=np.uint8)
    with pytest.raises(QueryError, match="nothing of it is known; leave a part"):
        model.fill(Image.fromarray(nothing))
    assert model.fill(Image.fromarray(nothing), draws=1).value.pixels.shape == (24, 24, 3)


def test_arrays_of_many_channels_are_trained_on_and_another_count_among_them_is_named(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    rng, folder = np.random.default_rng(0), tmp_path / "bands"
    folder.mkdir()
    for number in range(130):
        np.save(folder / f"{number}.npy", rng.integers(0, 256, (40, 40, 5), dtype=np.uint8))
    np.save(folder / "7.npy", wave(0))
    with pytest.raises(DataError, match=r"7\.npy: 3 channels, where the model has 5"):
        mw.train(folder, out=tmp_path / "m", steps=2, settings=TINY)
    model = mw.train(folder, out=tmp_path / "m", steps=2, settings=TINY, on_bad="skip")
    assert model.about.data.records == 129
    assert len(model.score(np.load(folder / "8.npy")).per_token) == 25
    hole = np.zeros((40, 40), dtype=bool)
    hole[10:20, 10:20] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    asked = ("fill", tmp_path / "m", folder / "8.npy", "--mask", tmp_path / "mask.png")
    done = run(*asked, "--out", tmp_path / "mended.npy")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "mended.npy")[~hole], np.load(folder / "8.npy")[~hole])
    refused = run(*asked, "--out", tmp_path / "mended.png")
    assert "mended.png: what was made doesn't go into such a file; end it in .npy" in refused.stderr
    assert not (tmp_path / "mended.png").exists()


def test_pictures_that_python_holds_are_trained_on(photos: Path, tmp_path: Path) -> None:
    held = [wave(seed) if seed % 2 else Image.fromarray(wave(seed)) for seed in range(150)]
    heard: list[str] = []
    model = mw.train(held, out=tmp_path / "a", steps=4, settings=TINY, watch=lambda news: heard.append(news.words))
    assert "taken for pictures: it holds pictures (Image)" in heard
    same = mw.train(photos, out=tmp_path / "b", steps=4, settings=TINY).about.data
    assert model.about.data is not None
    assert same is not None
    assert replace(model.about.data, paths=[]) == replace(same, paths=[])
    assert "A masked model of values given in Python" in (tmp_path / "a" / "README.md").read_text()
    stack = np.stack([wave(seed)[:30, :30] for seed in range(150)])
    assert mw.train((image for image in stack), out=tmp_path / "c", steps=2, settings=TINY).about.data.records == 150
    assert mw.plan(stack, budget="10s", settings=TINY[:4])[1]["width"] == 32

    def killed(news: Any) -> None:
        if news.line:
            raise KeyError("killed")

    with pytest.raises(KeyError):
        mw.train(held, out=tmp_path / "e", steps=4, settings=TINY, watch=killed)
    assert mw.train(out=tmp_path / "e", resume=True).about.data == model.about.data
    for wrong, words in (
        ([*held[:3], photos], r"data\[3\]: expected what data\[0\] is \(Image\), got"),
        (stack[..., 0], r"of the shape \(150, 30, 30\) alone would be one record of pictures; give a list of several"),
    ):
        with pytest.raises(RecipeError, match=words):
            mw.train(wrong, out=tmp_path / "d", steps=2)
    with pytest.raises(DataError, match=r"data\[3\]: expected a picture \(a path, bytes, an array, an image\), got int"):
        mw.train([*held[:3], 7], out=tmp_path / "d", steps=2)
    with pytest.raises(DataError, match=r"data\[150\]: an array of float64"):
        mw.train([*held, np.zeros((9, 9))], out=tmp_path / "d", steps=2, settings=TINY)
    with pytest.raises(DataError, match='values given in Python: field="a" names a column'):
        mw.train(held, out=tmp_path / "d", steps=2, settings=TINY, field="a")
    assert not (tmp_path / "d").exists()
