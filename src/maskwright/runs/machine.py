"""What this machine decides of a run where the user did not: device, precision, threads, kernels.

In: a `TrainConfig` with "auto" in it. Out: one without. Knows no data.
"""

from __future__ import annotations

from dataclasses import replace

from maskwright.nets import native
from maskwright.system import resources
from maskwright.system.device import fast_dtype, torch_device
from maskwright.training.schedule import TrainConfig


def on_this_machine(config: TrainConfig, here: int = 1) -> tuple[TrainConfig, str]:
    """The configuration with what the machine decides, `here` processes sharing it; and a word, where it lacks something."""
    place, words = torch_device(config.device), ""
    kernels = config.kernels
    if kernels == "auto":
        found, said = native.found(place)
        kernels = "native" if found else "torch"
        if not found:
            words = f"{said}: training does without them, and takes half as long again"
    dtype = str(fast_dtype(place)).removeprefix("torch.") if config.dtype == "auto" else config.dtype
    threads = config.threads or max(resources.cores() // here, 1)
    return replace(config, device=place.type, dtype=dtype, threads=threads, kernels=kernels), words
