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
    steps: int = 1000
    decay_from: int = 500
    """the step at which the learning rate begins to fall"""
    warmup: int = 30
    batch_tokens: int = 8192
    """tokens of a step, framing included, on average"""
    lr: float = 4e-3
    weight_decay: float = 0.02
    clip: float = 1.0
    """the gradient's norm, at the most"""
    seed: int = 0
    threads: int = 0
    """0: as many as the machine has cores when the run begins"""
    device: str = "auto"
    """cpu or cuda; auto: cuda where there is one"""
    dtype: str = "auto"
    """float32 or bfloat16 activations (weights are always fp32); auto: whichever this chip multiplies faster"""
    kernels: str = "auto"
    """native: the kernels of `nets/native`; torch: its own operations; auto: native where they can be built"""
    look_every: int = 100
    """steps between held-out looks; 0: as the clock has it, in a run with a budget"""
    look_tokens: int = 60_000
    held_out: float = 0.05
    """share of the tokens that is held out"""
    save_every: float = 30.0
    """seconds between checkpoints, or more where saving would take over 2% of the time"""
    keep_checkpoints: bool = False
    """leave them in the folder when the run is done"""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_tokens, self.look_tokens) < 1 or self.lr <= 0 or self.look_every < 0:
            raise RecipeError("train.steps, batch_tokens, look_tokens and lr must be above 0, train.look_every at least 0")
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise RecipeError(f"train.dtype = {self.dtype!r}: choose auto, float32 or bfloat16")
        if self.kernels not in ("auto", "native", "torch"):
            raise RecipeError(f"train.kernels = {self.kernels!r}: choose auto, native or torch")
        if not 0 < self.held_out < 0.9:
            raise RecipeError("train.held_out must lie between 0 and 0.9")
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
