"""A modality whose nets no other library has still keeps its weights in folders."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from maskwright.errors import ModelError
from maskwright.nets.checkpoints import Checkpoints
from maskwright.nets.checkpoints.convert import OWN
from tests.nets.small import SMALL, net


def test_a_net_of_our_own_goes_on_from_a_folder_in_our_names(tmp_path: Path) -> None:
    parts, trained = Checkpoints(), net()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": OWN, "net": asdict(SMALL)}))
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    fresh = net(config=parts.net_config(tmp_path))
    assert parts.adopt(fresh, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), trained.state_dict().values(), strict=True))


def test_no_other_library_opens_it_and_it_opens_none_of_theirs(tmp_path: Path) -> None:
    parts = Checkpoints()
    assert parts.files(SMALL) is None
    assert parts.checkpoint_config(tmp_path) == {}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="model_type 'bert' is none of maskwright") as error:
        parts.net_config(tmp_path)
    assert error.value.where == str(tmp_path)
