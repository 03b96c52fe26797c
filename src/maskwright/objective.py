"""The objective of every masked model: the mean of -log p(hidden | visible) over what was hidden.

Devlin et al., 2019, section 3.1, Task #1, with every target replaced by the mask.

In: a net, a batch, a mask. Out: {"loss": a scalar that can be differentiated, in nats, ...whatever is worth logging}. Of a
batch that is one part of a larger one, the loss is its part of the mean, given the weight of `total` of them all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nets.masked import MaskedNet
from maskwright.tokens import Batch, Mask


def masked_loss(net: MaskedNet, batch: Batch, mask: Mask, total: float) -> dict[str, Tensor]:
    truth = {name: array[mask.target] for name, array in batch.values.items()}
    predicted = net(batch, mask.hidden, mask.target)
    loss = predicted.loss(truth)
    weight = torch.from_numpy(mask.weight).to(loss.device)
    return {"loss": (loss * weight).sum() / total, "each": loss.detach()}
