"""Which net reads pictures follows from the recipe, and what follows from it can't be said otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.errors import RecipeError
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.net import PREPROCESSOR, architecture, left_open, of_others
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.vit import VIT_FAMILIES
from maskwright.nets.encoder import NetConfig
from maskwright.tokens import Batch
from maskwright.tokens.grid import places

SMALL = NetConfig(width=32, layers=6, heads=2, ff=48, length=64)
OURS = architecture(ImageConfig(patch=4), 3, 256)
THEIRS = architecture(ImageConfig(patch=4, family="vit_mae", side=16, norm_pix=True), 3, 256)


def pieces(count: int) -> Batch:
    n, at = 16 * count, places(np.array([[4, 4]] * count))
    return Batch(
        values={"pixels": np.arange(n * 48).reshape(n, 48) % 256, "known": np.ones((n, 16), dtype=bool)}, positions=at,
        kind=np.zeros(n, dtype=np.int64), present=np.ones(n, dtype=bool), maskable=np.ones(n, dtype=bool), unit=np.arange(n),
        where=np.tile(at, 2), cu_seqlens=np.arange(count + 1) * 16, keys=np.arange(count, dtype=np.uint64),
    )  # fmt: skip


def test_a_vit_maes_frame_stands_before_every_piece_and_is_never_asked_for() -> None:
    given = pieces(3)
    framed = THEIRS.frame(given)
    first = framed.cu_seqlens[:-1]
    assert framed.lengths.tolist() == [17] * 3
    assert np.array_equal(np.flatnonzero(framed.kind), first)
    assert np.array_equal(np.flatnonzero(~framed.maskable), first)
    assert framed.present.all()
    own = framed.take(framed.kind == 0)
    assert np.array_equal(own.values["pixels"], given.values["pixels"])
    assert np.array_equal(own.positions, given.positions)
    assert OURS.frame(given) is given
    assert (OURS.frame_size, THEIRS.frame_size) == (0, 1)


def test_shapes_are_those_of_the_family_but_for_what_was_given() -> None:
    own, other = OURS.shaped(SMALL, {}), THEIRS.shaped(SMALL, {})
    assert (own.decoder_layers, own.global_every) == (2, 1)
    assert OURS.shaped(SMALL, {"decoder_layers": 1}).decoder_layers == 1
    assert (other.grid, other.length, other.mlp, other.bias) == (4, 17, "gelu", True)
    assert THEIRS.shaped(SMALL, {"decoder_layers": 1}).decoder_layers == 1
    for made, name in ((OURS, "grid"), (THEIRS, "grid"), (THEIRS, "length")):
        with pytest.raises(RecipeError, match=f"net.{name} follows from image.family, side and patch") as error:
            made.shaped(SMALL, {name: 4})
        assert error.value.option == f"net.{name}"


def test_a_folder_says_of_its_pictures_what_was_written_of_them(tmp_path: Path) -> None:
    config = THEIRS.shaped(SMALL, {})
    files = THEIRS.files(config)
    assert OURS.files(OURS.shaped(SMALL, {})) is None
    assert files is not None
    for name, said in files.items():
        (tmp_path / name).write_text(json.dumps(said))
    assert convert.read_config(tmp_path, VIT_FAMILIES)[0] == config
    found, where = of_others(tmp_path)
    assert where == tmp_path / PREPROCESSOR
    assert (found.family, found.patch, found.square, found.norm_pix) == ("vit_mae", 4, 16, True)
    assert (found.channels, found.bits, found.mean, found.deviation) == (3, 8, (0.5,) * 3, (0.5,) * 3)
    assert left_open(tmp_path) == ()


@pytest.mark.parametrize(
    ("said", "mean"),
    [(None, ()), ({"do_normalize": False}, (0.0,) * 3), ({"image_mean": [0.4] * 3, "image_std": [0.2] * 3}, (0.4,) * 3)],
)
def test_levels_are_normalised_as_their_processor_says(
    said: dict[str, Any] | None, mean: tuple[float, ...], tmp_path: Path
) -> None:
    vit = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    (tmp_path / "config.json").write_text(json.dumps(vit | {"image_size": 32, "patch_size": 8}))
    if said is not None:
        (tmp_path / PREPROCESSOR).write_text(json.dumps(said))
    found, _ = of_others(tmp_path)
    assert (found.mean, found.patch, found.square, found.channels) == (mean, 8, 32, 3)
    assert left_open(tmp_path) == ("norm_pix",)  # a ViT has no head that could say
