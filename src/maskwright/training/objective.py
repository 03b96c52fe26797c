"""The objective of every masked model: the mean of -log p(hidden | visible) over what was hidden.

Devlin et al., 2019, section 3.1, Task #1, with every target replaced by the mask.

In: a net, a batch, a mask. Out: {"loss": a scalar that can be differentiated: the nats and whatever else the head learns by;
"nats": they alone; "each": those of every target}. Of a batch that is one part of a larger one, the first two are its part
of the mean, given the weight of `total` of them all; where nothing at all was hidden they are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nets.masked import MaskedNet
from maskwright.tokens import Batch, Mask


def masked_loss(net: MaskedNet, batch: Batch, mask: Mask, total: float) -> dict[str, Tensor]:
    truth = {name: array[mask.target] for name, array in batch.values.items()}
    predicted = net(batch, mask.hidden, mask.target)
    nats, auxiliary = predicted.loss(truth)
    weight, each = torch.from_numpy(mask.weight).to(nats.device), nats.detach()
    share = weight / (total or 1.0)
    return {"loss": ((nats + auxiliary) * share).sum(), "nats": (each * share).sum(), "each": each}
