"""ViT-MAE and ViT, beside transformers' own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.errors import ModelError
from maskwright.modalities import detect
from maskwright.modalities.base import Modality
from maskwright.modalities.image.pixels import Image
from maskwright.model import folder
from maskwright.model.about import About
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.vit import VIT_FAMILIES
from maskwright.nets.masked import MaskedNet
from maskwright.records.record import Origin, Record
from maskwright.tokens import Batch, collate
from maskwright.tokens.masking import at_random

transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL")
SIDE, PATCH = 32, 8
SHAPE: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "image_size": SIDE,
    "patch_size": PATCH,
}  # fmt: skip
DECODER: dict[str, Any] = {
    "decoder_hidden_size": 16, "decoder_num_hidden_layers": 2, "decoder_num_attention_heads": 1,
    "decoder_intermediate_size": 32,
}  # fmt: skip


def theirs(name: str, norm_pix: bool = False) -> Any:
    """A random model, its biases and norms too."""
    torch.manual_seed(1)
    if name == "vit_mae":
        model = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**SHAPE, **DECODER, norm_pix_loss=norm_pix))
    else:
        model = transformers.ViTModel(transformers.ViTConfig(**SHAPE))
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.05
    return model.eval()


def pictures(count: int = 3) -> list[Record]:
    rng = np.random.default_rng(0)
    return [Record(Image(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)), Origin(f"{n}")) for n in range(count)]


def batch(modality: Modality, records: list[Record]) -> Batch:
    return modality.frame(collate(modality.encode(records), range(len(records))))


def as_theirs(records: list[Record], mean: float = 0.5, deviation: float = 0.5) -> torch.Tensor:
    values = torch.from_numpy(np.stack([r.value.pixels for r in records])).float() / 255
    return (values.permute(0, 3, 1, 2) - mean) / deviation


def opened(path: Path) -> tuple[MaskedNet, Modality]:
    modality = detect.of_checkpoint(path)
    modality.load(path)
    net = folder.build(modality, modality.checkpoints.net_config(path))
    modality.checkpoints.adopt(net, path)
    return net.eval(), modality


def noise(b: Batch, hidden: np.ndarray[Any, Any], count: int) -> torch.Tensor:
    """Theirs keeps what has the lowest."""
    return torch.from_numpy(hidden.reshape(count, -1)[:, 1:].astype(np.float32))


@pytest.mark.parametrize(("mean", "norm_pix"), [(0.5, False), (0.45, False), (0.45, True)])
def test_a_vit_mae_reconstructs_as_theirs_does(mean: float, norm_pix: bool, tmp_path: Path) -> None:
    model = theirs("vit_mae", norm_pix)
    model.save_pretrained(tmp_path)
    if mean != 0.5:
        said = {"image_mean": [mean] * 3, "image_std": [0.22] * 3}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    net, modality = opened(tmp_path)
    records = pictures()
    b = batch(modality, records)
    mask = at_random(b, 0.75, 0)
    assert len(mask.target) == 36
    with torch.no_grad():
        pixels = as_theirs(records, mean, 0.5 if mean == 0.5 else 0.22)
        out = model(pixels, noise=noise(b, mask.hidden, 3))
        ours = net(b, mask.hidden, mask.target)
    want = out.logits[out.mask.bool()]
    assert (ours.predicted - want).abs().max() < 1e-4
    truth = {name: array[mask.target] for name, array in b.values.items()}
    assert float(ours.loss(truth)[0].mean()) == pytest.approx(float(out.loss), abs=1e-4)


@pytest.mark.parametrize("name", ["vit", "vit_mae"])
def test_the_encoder_has_their_states(name: str, tmp_path: Path) -> None:
    model = theirs(name)
    model.save_pretrained(tmp_path)
    net, modality = opened(tmp_path)
    records = pictures()
    b = batch(modality, records)
    with torch.no_grad():
        ours = net.states(b, np.zeros(len(b), dtype=bool)).view(3, 17, -1)
        if name == "vit":
            want = model(as_theirs(records)).last_hidden_state
        else:
            model.config.mask_ratio = 0.0
            want = model.vit(as_theirs(records), noise=torch.arange(16.0).expand(3, -1)).last_hidden_state
    assert (ours - want).abs().max() < 1e-4


@pytest.mark.parametrize("norm_pix", [False, True])
def test_what_goes_out_comes_back_and_opens_elsewhere(norm_pix: bool, tmp_path: Path) -> None:
    theirs("vit_mae", norm_pix).save_pretrained(tmp_path / "in")
    net, modality = opened(tmp_path / "in")
    about = About(modality="image", net=asdict(net.config))
    assert modality.checkpoints.files(net.config) is not None
    folder.write(tmp_path / "out", net.config, net.state_dict(), modality, about, "a card")
    again, about = folder.read(tmp_path / "out")[::2]
    assert about.modality == "image"
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    records = pictures()
    b = batch(modality, records)
    everything = np.zeros(len(b), dtype=bool)
    for opener in (transformers.ViTMAEForPreTraining, transformers.ViTModel):
        other, said = opener.from_pretrained(tmp_path / "out", output_loading_info=True)
        assert getattr(other.config, "norm_pix_loss", norm_pix) == norm_pix
        assert [n for n in said["missing_keys"] if "pooler" not in n] == []
        with torch.no_grad():
            ours = net.states(b, everything).view(3, 17, -1)
            if opener is transformers.ViTModel:
                assert (ours - other.eval()(as_theirs(records)).last_hidden_state).abs().max() < 1e-4
            else:
                mask = at_random(b, 0.75, 0)
                want = other.eval()(as_theirs(records), noise=noise(b, mask.hidden, 3))
                found = net(b, mask.hidden, mask.target).predicted
                assert (found - want.logits[want.mask.bool()]).abs().max() < 1e-4
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "out")
    seen = processor([r.value.pixels for r in records], return_tensors="pt")["pixel_values"]
    assert (seen - as_theirs(records)).abs().max() < 1e-5


def test_normalised_patches_stand_in_the_light_of_what_is_beside_them(tmp_path: Path) -> None:
    """Predicting nothing, such a head fills a dark and a bright half each with its own brightness, and as contrasted."""
    theirs("vit_mae", True).save_pretrained(tmp_path)
    net, modality = opened(tmp_path)
    with torch.no_grad():
        net.head.begin(torch.zeros(PATCH * PATCH * 3), torch.zeros(PATCH * PATCH * 3))
        net.head.out.weight.zero_()
    dark, bright = np.full((SIDE, SIDE, 3), 40, dtype=np.uint8), np.full((SIDE, SIDE, 3), 200, dtype=np.uint8)
    halves = np.where(np.arange(SIDE)[:, None, None] < SIDE // 2, dark, bright)
    halves[::2, 16:] += np.uint8(30)
    b = batch(modality, [Record(Image(halves), Origin("halves")), Record(Image(bright), Origin("bright"))])
    hidden = np.zeros(len(b), dtype=bool)
    at = np.array([1, 4, 13, 16, 17 + 6])  # the corners of one, and of the other a patch in the middle
    hidden[at] = True
    with torch.no_grad():
        found = net(b, hidden, at)
    levels = (found.mean.mean(1) + 1) * 127.5
    assert (levels[[0, 1]] < 80).all()
    assert (levels[[2, 3]] > 180).all()
    assert levels[4] == pytest.approx(200, abs=0.5)
    assert (found.log_scale[:4] > found.log_scale[4] + 1).all()  # between two brightnesses there is more doubt
    with torch.no_grad():
        net.head.out.bias.fill_(1.0)
        risen = (net(b, hidden, at).mean - found.mean).mean(1) * 127.5
        net.head.out.bias.zero_()
    assert risen[1] > 2 * risen[0] > 0  # beside stripes there is more contrast
    assert risen[4] < 1
    with torch.no_grad():
        alone = net(b, np.ones(len(b), dtype=bool), np.array([20]))
    assert alone.mean.abs().max() < 1e-6  # nothing is shown: the middle of all levels


def test_what_is_no_vit_is_refused(tmp_path: Path) -> None:
    said = transformers.ViTConfig(**SHAPE).to_dict()
    with pytest.raises(ModelError, match="hidden_act"):
        convert.from_config(said | {"hidden_act": "relu"}, VIT_FAMILIES)
    with pytest.raises(ModelError, match="whole number of patches"):
        convert.from_config(said | {"patch_size": 7}, VIT_FAMILIES)
