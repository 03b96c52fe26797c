"""What a checkpoint of pictures says goes with its weights, and what it leaves open a recipe may say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.modality import ImageModality
from maskwright.modalities.image.pixels import Image
from maskwright.model import folder
from maskwright.model.about import About
from maskwright.nets.encoder import NetConfig
from maskwright.records.record import Origin, Record

SMALL = NetConfig(width=16, layers=2, heads=2, ff=32, length=64)


def fitted(**options: object) -> ImageModality:
    modality = ImageModality()
    modality.configure(ImageConfig(patch=4, **options))  # type: ignore[arg-type]
    modality.fit([Record(Image(np.zeros((16, 16, 3), dtype=np.uint8)), Origin("a"))], 1)
    return modality


@pytest.mark.parametrize("family", ["", "vit_mae"])
def test_a_folder_of_ours_gives_back_its_pictures_and_its_weights(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = fitted(family=family, side=16)
    config = made.shaped(SMALL, {})
    net = folder.build(made, config)
    folder.write(tmp_path, config, net.state_dict(), made, About(modality="image", net=asdict(config)), "a card")
    fresh = ImageModality()
    said = fresh.checkpoints.checkpoint_config(tmp_path)
    assert said == asdict(made.config) | {"channels": 3, "bits": 8}
    assert fresh.checkpoints.net_config(tmp_path) == config
    fresh.load(tmp_path)
    again = folder.build(fresh, config)
    assert fresh.checkpoints.adopt(again, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))


def test_only_a_net_of_another_family_has_files_for_its_library() -> None:
    ours, theirs = fitted(), fitted(family="vit_mae", side=16)
    assert ours.checkpoints.files(ours.shaped(SMALL, {})) is None
    files = theirs.checkpoints.files(theirs.shaped(SMALL, {}))
    assert files is not None
    assert list(files) == ["config.json", "preprocessor_config.json"]
    assert files["config.json"]["model_type"] == "vit_mae"


def test_a_vit_says_nothing_of_what_only_a_head_knows(tmp_path: Path) -> None:
    vit = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    (tmp_path / "config.json").write_text(json.dumps(vit | {"image_size": 32, "patch_size": 8}))
    said = ImageModality().checkpoints.checkpoint_config(tmp_path)
    assert "norm_pix" not in said
    assert (said["family"], said["patch"], said["side"]) == ("vit_mae", 8, 32)
