"""One run on several processes, as torchrun starts them: which of them this is, what it works on, what they agree on.

In: torchrun's environment; a net. Out: the net's objective, shared between the processes: each holds all of it (DDP), or a
part of every parameter (FSDP2, Zhao et al., 2023). A step takes the same batch as one process would, cut in parts, and its
loss is the same within float noise; so is its gradient, but for what a head balances within its part
(`nets/heads/gradient_balance.py`). With one process all of this does nothing.
"""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from maskwright.errors import RecipeError, option
from maskwright.nets.masked import MaskedNet
from maskwright.system.device import torch_device
from maskwright.tokens import Array, Batch, Mask
from maskwright.training.objective import masked_loss

LONGEST_WAIT = datetime.timedelta(hours=24)
"""Longest time that the first process may tokenise, or calibrate, while the others wait."""


@dataclass(frozen=True)
class ProcessGroup:
    rank: int = 0
    count: int = 1
    here: int = 1
    """Number of the processes that share this machine."""
    sharded: bool = False

    @property
    def first(self) -> bool:
        """The one that reads, writes and speaks."""
        return self.rank == 0

    @classmethod
    def joined(cls, shard: bool, device: str) -> ProcessGroup:
        """This process among those that torchrun started, or alone."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1 and shard:
            raise RecipeError(
                "there is one process only",
                where=option("shard"),
                fix="start several with torchrun --nproc-per-node 2 -m maskwright …",
                option="shard",
            )
        if count == 1:
            return cls()
        if not dist.is_initialized():
            place = torch_device(device)
            if place.type == "cuda":
                torch.cuda.set_device(place)
            backend = "gloo" if place.type == "cpu" else "cpu:gloo,cuda:nccl"
            dist.init_process_group(backend, timeout=LONGEST_WAIT)
        return cls(dist.get_rank(), count, int(os.environ.get("LOCAL_WORLD_SIZE", count)), shard)

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()

    def agree(self, value: Any) -> Any:
        """What the first process says, as JSON can carry it."""
        if self.count == 1:
            return value
        said = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        size = torch.tensor([len(said)])
        dist.broadcast(size, 0)
        said = said if self.first else torch.zeros(int(size), dtype=torch.uint8)
        dist.broadcast(said, 0)
        return json.loads(bytes(said.tolist()))

    def total(self, value: float) -> float:
        """The sum over all processes."""
        if self.count == 1:
            return value
        out = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(out)
        return float(out)

    def part(self, lengths: Array) -> slice:
        """The consecutive items of a batch that are this process's: none, where there are too few."""
        ends = np.cumsum(lengths)
        marks = np.searchsorted(ends, ends[-1] * np.arange(1, self.count) / self.count, side="left")
        bounds = [0, *marks.tolist(), len(lengths)]
        return slice(bounds[self.rank], bounds[self.rank + 1])

    def objective(self, net: MaskedNet) -> nn.Module:
        """What the loop calls with (batch, mask, total weight of all parts)."""
        if self.sharded:
            for tensor in net.state_dict().values():  # as DDP does: what each made by itself may differ by rounding
                dist.broadcast(tensor, 0)
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.fsdp import fully_shard

            mesh = init_device_mesh(net.device.type, (self.count,))
            for layer in net.encoder.layers:
                fully_shard(layer, mesh=mesh)
            fully_shard(net, mesh=mesh)
        whole = _Objective(net, self.count)
        return DistributedDataParallel(whole) if self.count > 1 and not self.sharded else whole


class _Objective(nn.Module):
    """DDP and FSDP take the mean of the processes' gradients, where their sum is wanted."""

    def __init__(self, net: MaskedNet, count: int) -> None:
        super().__init__()
        self.net, self.count = net, count

    def forward(self, batch: Batch, mask: Mask, total: float) -> dict[str, Tensor]:
        out = masked_loss(self.net, batch, mask, total)
        return out | {"loss": out["loss"] * self.count}


def _shared_out(tensor: Tensor) -> Any:
    """The tensor as torch's DTensor, where it is one. Its type is not asked for: to load it takes half a second, which
    only those wait for who train in several processes."""
    return tensor if hasattr(tensor, "device_mesh") else None


def own(tensor: Tensor) -> Tensor:
    """This process's part of a tensor."""
    shared = _shared_out(tensor)
    return tensor if shared is None else shared.to_local()


def whole(tensor: Tensor) -> Tensor:
    """All of it; every process must ask."""
    shared = _shared_out(tensor)
    return tensor if shared is None else shared.full_tensor()


def gathered(part: Tensor, like: Tensor) -> Tensor:
    """All of a tensor that is shared out as `like` is; every process must ask."""
    shared = _shared_out(like)
    if shared is None:
        return part
    from torch.distributed.tensor import DTensor

    same = DTensor.from_local(part, shared.device_mesh, shared.placements, shape=like.shape, stride=like.stride())
    return same.full_tensor()


def own_part(full: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that everyone has, shared out as `like` is: by rows."""
    shared = _shared_out(like)
    if shared is None:
        return full
    parts = full.chunk(shared.device_mesh.size())
    rank = shared.device_mesh.get_local_rank()
    return parts[rank] if rank < len(parts) else full[:0]
