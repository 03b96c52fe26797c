"""The training loop: batch, mask, loss, step; looks at held-out data; checkpoints; nothing else.

In: a net, an `Order` of batches, held-out batches with their floors, a `TrainConfig`, and three callbacks. Out: the net
as it was at its best look, on disk by way of `keep`. Knows no file formats, no command line, no modality.

Only the clock's hint (`Pace`) depends on time; with the steps given, a run is a pure function of its recipe and data, and a
run resumed from any checkpoint ends in the same bytes. On several processes a step is that step, cut in parts (as far as
`distributed.py` has it); there, and on a GPU, whose sums have no fixed order, all of this holds within float noise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright.errors import Interrupted, RunError, option
from maskwright.model.about import HeldOutFigures
from maskwright.nets.masked import MaskedNet
from maskwright.tokens import Array, Batch, Mask
from maskwright.training import checkpoint
from maskwright.training.batches import Ahead, Order
from maskwright.training.distributed import ProcessGroup, whole
from maskwright.training.optimiser import Optimiser
from maskwright.training.schedule import TrainConfig, rate
from maskwright.training.validation import Validation

SAVE_SHARE, LINE_EVERY = 0.02, 5.0
CLIMB = 2.5
"""Least climb of the loss above its best, in nats, that is called diverging."""
WAVER = 3.0
"""Least climb of a mean of 20 losses that is called diverging, in standard deviations of single losses."""
LOOKS, FIRST_STEPS = 12, 8
"""Number of looks at held-out data in a run with a clock, and number of first steps by whose speed the distance between
looks is set."""


@dataclass
class Pace:
    """The clock of a run with a budget: when should the learning rate begin to fall, and how many steps are left?"""

    begun: float
    """Start of the command by time.monotonic(), set back by the time that earlier tries took."""
    seconds: float
    """Seconds from `begun` until training must be over."""
    decay_share: float

    def settle(self, config: TrainConfig, step: int, seconds_a_step: float) -> TrainConfig | None:
        """The final steps, once it is time to decide them; None before."""
        left = self.begun + self.seconds - time.monotonic()
        if left > self.decay_share * self.seconds:
            return None
        return replace(config, decay_from=step, steps=step + max(1, int(left / seconds_a_step)))

    def looks(self, step: int, seconds_a_step: float) -> int:
        """Steps between looks, of which a run has LOOKS, by the speed of its first steps."""
        left = max(self.begun + self.seconds - time.monotonic(), 0.0)
        return max(int(step + left / seconds_a_step) // LOOKS, 1)


@dataclass
class State:
    """Where a run is: what a checkpoint holds in addition to tensors."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Seconds spent in training steps."""
    elapsed: float = 0.0
    """Seconds since the command began, earlier tries included."""
    best: float = math.inf
    best_step: int = -1
    last: HeldOutFigures | None = None
    """Figures of the last look at held-out data; None before the first."""
    settled: bool = False
    lines: int = 0
    """Size of metrics.jsonl in bytes when the state was saved."""


@dataclass(frozen=True)
class StepDecision:
    """What is decided between two steps."""

    stop: bool
    look: bool
    """Whether the net is to be evaluated on held-out data."""
    due: bool
    """Whether a checkpoint is due."""
    config: dict[str, Any] | None
    """Fields of a new `TrainConfig`, if the clock has just decided how far apart looks at held-out data are, or how many
    steps there are; otherwise None."""
    settled: bool
    """Whether the clock has just decided how many steps there are."""


@dataclass
class Hooks:
    """What the loop tells others; each may do nothing."""

    line: Callable[[dict[str, Any]], int]
    """Called with a metrics line; returns the size of the file after it."""
    keep: Callable[[HeldOutFigures, int], None]
    """Called with held-out figures and the step when the net is at its best so far: saves the net."""
    settled: Callable[[TrainConfig], None]
    """Called with the new configuration when the clock has decided how far apart looks at held-out data are, or how many
    steps there are."""
    stopped: Callable[[], bool]
    """Returns whether the user wants to stop."""


class Loop:
    def __init__(
        self, net: MaskedNet, order: Order, held: Validation, config: TrainConfig, hooks: Hooks, folder: Path,
        pace: Pace | None, processes: ProcessGroup,
    ) -> None:  # fmt: skip
        self.net, self.order, self.held, self.config, self.hooks = net, order, held, config, hooks
        self.processes, self.objective = processes, processes.objective(net)
        self.folder, self.pace, self.state = folder, pace, State()
        self.optimiser = Optimiser(net, config.weight_decay, net.dtype)
        self.recent: list[float] = []
        self.begun = time.monotonic()
        """of this process: what went before is in `state.elapsed`"""
        self._saved = self._logged = self.begun
        self._saving = 0.0
        self._first = 0

    def run(self) -> State:
        ahead = Ahead(self.order)
        self._first, self._started = self.state.step, time.monotonic()
        try:
            while self.state.step < self.config.steps:
                self._step(ahead)
                decision = StepDecision(**self.processes.agree(vars(self._decide())))
                if decision.look:
                    self._look()
                self._apply(decision)
        finally:
            ahead.close()
        return self.state

    def _step(self, ahead: Ahead) -> None:
        started, step = time.perf_counter(), self.state.step
        batch, mask, pieces = ahead(step, self.config)
        out = self.objective(batch, mask, self.processes.total(float(mask.weight.sum())))
        out["loss"].backward()
        norm = self.optimiser.clip(self.config.clip)
        loss = self.processes.total(float(out["nats"]))
        if not (math.isfinite(loss) and math.isfinite(norm)) or self._diverges(loss):
            self._raise_diverged(step, loss, out["each"].float().cpu().numpy(), batch, mask, pieces.record)
        self.optimiser.step(rate(self.config, step))
        state = self.state
        state.step, state.tokens = step + 1, state.tokens + int(self.processes.total(len(batch) if mask.weight.any() else 0))
        state.seconds += time.perf_counter() - started
        if time.monotonic() - self._logged >= LINE_EVERY / 2 or state.step == 1:
            self._log(loss)

    def _log(self, loss: float, **more: Any) -> None:
        state, now = self.state, time.monotonic()
        self._logged = now
        line = {
            "step": state.step,
            "t": round(state.seconds, 3),
            "elapsed": round(state.elapsed + now - self.begun, 3),
            "tokens": state.tokens,
            "tokens_per_s": round(state.tokens / max(state.seconds, 1e-9), 1),
            "loss": loss,
            "lr": rate(self.config, state.step - 1),
        }
        state.lines = self.hooks.line(line | more)

    def _look(self) -> None:
        state = self.state
        seen = HeldOutFigures(**self.processes.agree(asdict(self.held.look(self.net))))
        state.last = seen
        self._log(self.recent[-1], held_out={name: value for name, value in asdict(seen).items() if value is not None})
        if seen.nats < state.best:
            state.best, state.best_step = seen.nats, state.step
            self.hooks.keep(seen, state.step)

    def _decide(self) -> StepDecision:
        """What the clock and the user say, which one process answers for."""
        now, done = time.monotonic(), self.state.step - self._first
        every = self.config.look_every
        look = every > 0 and self.state.step % every == 0
        last = self.state.step == self.config.steps
        due = now - self._saved >= max(self.config.save_every, self._saving / SAVE_SHARE)
        config = None
        if self.pace and not self.state.settled and done >= 3:
            a_step = (now - self._started) / done  # looks and saves included
            config = self.pace.settle(self.config, self.state.step, a_step)
        settled = config is not None
        if self.pace and not every and (settled or done >= FIRST_STEPS):
            config = replace(config or self.config, look_every=self.pace.looks(self.state.step, a_step))
        return StepDecision(self.hooks.stopped(), look or last, due or last, vars(config) if config else None, settled)

    def _apply(self, decision: StepDecision) -> None:
        if decision.config:
            self.config = TrainConfig(**decision.config)
            self.state.settled |= decision.settled
            self.hooks.settled(self.config)
        if decision.stop or decision.due or decision.config:
            self.save()
        if decision.stop and self.state.step < self.config.steps:
            of = "" if self.pace and not self.state.settled else f" of {self.config.steps}"
            fix = f"go on with the same command and {option('resume', True)}"
            raise Interrupted(f"stopped at step {self.state.step}{of}, and saved", fix=fix)

    def _diverges(self, loss: float) -> bool:
        """A loss that climbs far above the best that its mean of 20 has been will not come back by itself: by CLIMB nats, by
        a quarter of itself (a patch of pixels has a thousand nats, and batches differ), by half as far as it had come down,
        by WAVER times as much as single ones differ (where masks hide little or much, they differ by their own size).
        """
        self.recent.append(loss)
        parts = np.array(self.recent[: len(self.recent) // 20 * 20]).reshape(-1, 20)
        self.recent = self.recent[-400:]
        if len(parts) < 2:
            return False
        means = parts.mean(axis=1)
        best, waver = float(means.min()), WAVER * float(np.median(parts.std(axis=1)))
        return bool(means[-1] > best + max(CLIMB, abs(best) / 4, float(means[0] - best) / 2, waver))

    def _raise_diverged(self, step: int, loss: float, nll: Array, batch: Batch, mask: Mask, records: Array) -> None:
        """Names the records whose targets were worst, and stops."""
        worst = np.where(np.isfinite(nll), nll, np.inf)
        of = batch.record[mask.target]
        order = np.unique(of[np.argsort(-worst, kind="stable")[:50]], return_index=True)
        ids = [f"{self.order.shards.keys[records[r]]:016x}" for r in order[0][np.argsort(order[1])][:5]]
        what = "is not a number" if not math.isfinite(loss) else "diverges"
        kept = f"the weights of step {self.state.best_step} are kept" if self.state.best_step >= 0 else "none were kept yet"
        raise RunError(
            f"the loss {what} at step {step} ({loss:.3g}); {kept}. Worst records of that step: {', '.join(ids)}."
            f" Look at them, or try a lower {option('train.lr')}"
        )

    def share(self) -> float:
        """How much of the run is over, in [0, 1]: by the clock until the steps are settled."""
        if self.pace and not self.state.settled:
            return min((time.monotonic() - self.pace.begun) / self.pace.seconds, 1.0)
        return self.state.step / self.config.steps

    # Checkpoints

    def weights(self) -> dict[str, torch.Tensor]:
        """All of the net's; every process must ask."""
        return {name: whole(t) for name, t in self.net.state_dict().items()}

    def save(self) -> None:
        started = time.monotonic()
        tensors = {f"net.{n}": t for n, t in self.weights().items()}
        tensors |= {f"optimiser.{n}": whole(t) for n, t in self.optimiser.state.items()}
        state = replace(self.state, elapsed=self.state.elapsed + started - self.begun)
        facts = {"state": asdict(state), "recent": self.recent, "train": vars(self.config), "net": vars(self.net.config)}
        if self.processes.first:
            checkpoint.write(self.folder, self.state.step, tensors, facts)
        self._saved = time.monotonic()
        self._saving = self._saved - started

    def load(self, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Goes on from a checkpoint as if nothing had happened."""
        for key, value in vars(self.net.config).items():
            if facts["net"][key] != value:
                there = f"net.{key} is {facts['net'][key]}, the recipe makes it {value}"
                what = f"the checkpoint is of another architecture: {there}"
                raise RunError(what, where=self.folder, fix=checkpoint.resume_or_begin())
        for prefix, own in (("net.", dict(self.net.state_dict())), ("optimiser.", self.optimiser.state)):
            saved = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            checkpoint.load_into(own, saved, str(self.folder))
        last = facts["state"]["last"]
        self.state = State(**facts["state"] | {"last": HeldOutFigures(**last) if last else None})
        self.optimiser.steps = self.state.step
        self.recent = facts["recent"]
        self.config = TrainConfig(**facts["train"])
