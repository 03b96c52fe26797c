"""How the learning rate goes: up, level, and down as 1 - sqrt (Hägele et al., 2024, "Scaling Laws and
Compute-Optimal Training Beyond Fixed Training Durations", section 3).

In: a step. Out: a factor in [0, 1]. The level part makes a run that is given more time the same run up to where it
decays, so that how many steps are left may be decided late, from the speed that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long a run is, and how it learns."""

    steps: int = 1000
    """Number of training steps in the whole run."""
    decay_from: int = 500
    """Step at which the learning rate begins to fall."""
    warmup: int = 30
    """Number of steps in which the learning rate rises to its peak."""
    batch_tokens: int = 8192
    """Tokens in the batch of one step, framing included, on average."""
    lr: float = 4e-3
    """Peak learning rate."""
    weight_decay: float = 0.02
    """Weight decay: the share of a weight that a step at a learning rate of one would take away."""
    clip: float = 1.0
    """Largest norm that the gradient of a step may have; a larger one is scaled down to it."""
    seed: int = 0
    """Seed of everything that is drawn at random."""
    threads: int = 0
    """Threads that a process computes on; 0: as many as the machine has cores when the run begins."""
    device: str = "auto"
    """Device to train on: cpu, cuda, or auto, which is cuda where there is one."""
    dtype: str = "auto"
    """Precision of activations: float32, bfloat16, or auto, which is what this chip multiplies faster. Weights are always
    fp32."""
    kernels: str = "auto"
    """Code that computes what lies between matrix products: native (the kernels of `nets/native`), torch, or auto, which is
    native where the kernels can be built."""
    look_every: int = 100
    """Steps between two looks at held-out data; 0 leaves it to the clock, in a run with a budget."""
    look_tokens: int = 60_000
    """Tokens that a look at held-out data reads, at most."""
    held_out: float = 0.05
    """Share of the data's tokens that is held out."""
    save_every: float = 30.0
    """Seconds between two checkpoints; more where saving would take over 2% of the time."""
    keep_checkpoints: bool = False
    """Whether checkpoints are left in the folder when the run is done."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_tokens, self.look_tokens) < 1 or self.lr <= 0 or self.look_every < 0:
            raise RecipeError("train.steps, batch_tokens, look_tokens and lr must be above 0, train.look_every at least 0")
        if self.dtype not in ("auto", "float32", "bfloat16"):
            what = f"train.dtype = {self.dtype!r}: choose auto, float32 or bfloat16"
            raise RecipeError(what, option="train.dtype")
        if self.kernels not in ("auto", "native", "torch"):
            what = f"train.kernels = {self.kernels!r}: choose auto, native or torch"
            raise RecipeError(what, option="train.kernels")
        if not 0 < self.held_out < 0.9:
            raise RecipeError("train.held_out must lie between 0 and 0.9", option="train.held_out")
        if min(self.seed, self.threads, self.warmup, self.save_every) < 0 or self.clip <= 0:
            raise RecipeError("train.seed, threads, warmup and save_every must be at least 0, and clip above it")


def decay(config: TrainConfig, step: int) -> float:
    """1 until `decay_from`, then 1 - sqrt of the share of the decay that is over."""
    if step <= config.decay_from:
        return 1.0
    return 1.0 - ((step - config.decay_from) / max(config.steps - config.decay_from, 1)) ** 0.5


def rate(config: TrainConfig, step: int) -> float:
    """The learning rate of step 0, 1, …"""
    return config.lr * min(1.0, (step + 1) / max(config.warmup, 1)) * decay(config, step)
