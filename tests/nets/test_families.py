"""Our weights in transformers' ModernBERT give the same logits, and come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maskwright.nets import families
from tests.nets.small import batch, net, record

transformers = pytest.importorskip("transformers")


@torch.no_grad()
def test_logits_agree_with_transformers_on_a_batch_of_mixed_length() -> None:
    made = net()
    config = families.modernbert_config(made.config, 96, {"pad": 0, "cls": 1, "sep": 2, "mask": 3, "unk": 4})
    theirs = transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(**{k: v for k, v in config.items() if k not in ("model_type", "torch_dtype")})
    ).eval()
    missing, unexpected = theirs.load_state_dict(families.to_modernbert(made.state_dict()), strict=False)
    assert [name for name in missing if "decoder.weight" not in name] == []
    assert unexpected == []
    theirs.tie_weights()
    records = [record(n, n) for n in (3, 17, 40, 100, 128)]
    whole = batch(*records)
    hidden = np.zeros(len(whole), dtype=bool)
    ours = made(whole, hidden, np.arange(len(whole))).logits()
    ids = torch.zeros(5, 128, dtype=torch.long)
    attention = torch.zeros(5, 128, dtype=torch.long)
    for row, one in enumerate(records):
        ids[row, : len(one)] = torch.from_numpy(one.values["id"])
        attention[row, : len(one)] = 1
    found = theirs(input_ids=ids, attention_mask=attention).logits[attention.bool()]
    assert (found - ours).abs().max() < 1e-4


def test_names_come_back() -> None:
    state = net().state_dict()
    assert families.from_modernbert(families.to_modernbert(state)).keys() == state.keys()
