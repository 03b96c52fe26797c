"""A text model's weights in the names of ModernBERT, BERT and RoBERTa, its tokeniser's rows among them.

In: a folder, or a net's shape. Out: shapes, weights, and the files by which other tools open the model. Which names these
families use is said in `nets/checkpoints/bert.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from maskwright.modalities.text.bpe import Vocabulary
from maskwright.nets.checkpoints import Checkpoints, convert
from maskwright.nets.checkpoints.bert import BERT_FAMILIES, sentence_transformer, to_config
from maskwright.nets.encoder import NetConfig


class TextCheckpoints(Checkpoints):
    """`vocabulary` is None until a tokeniser is there: then a folder's shape may be read, and no weights."""

    families = BERT_FAMILIES

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self.vocabulary = vocabulary

    def checkpoint_config(self, folder: Path) -> dict[str, Any]:
        return {"path": str(folder), "size": 0}

    def adopt(self, net: Any, folder: Path) -> bool:
        """New words begin as the mean of their old pieces."""
        assert self.vocabulary is not None
        _, theirs, weights = convert.read(folder, self.families)
        rows = theirs["vocab_size"]
        size = self.vocabulary.size
        if size > rows:
            old = Vocabulary.load(folder)
            spelled = {i: token for token, i in self.vocabulary.tokenizer.get_vocab(with_added_tokens=True).items()}
            pieces = [old.pieces(spelled[i]) if i in spelled else [] for i in range(rows, size)]
            for name in ("inputs.tok_embeddings.weight", "head.bias"):
                if name in weights:
                    table = weights[name]
                    more = [table[own].mean(0) if own else table.mean(0) for own in pieces]
                    weights[name] = torch.cat((table, torch.stack(more)))
        return convert.adopted(net, weights, folder)

    def files(self, config: NetConfig) -> dict[str, Any]:
        assert self.vocabulary is not None
        v = self.vocabulary
        ids = {"pad": v.pad, "cls": v.cls, "sep": v.sep, "mask": v.mask, "unk": v.unk}
        return {"config.json": to_config(config, v.size, ids)} | sentence_transformer(config)
