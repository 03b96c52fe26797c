"""Muon for the encoder's matrices, AdamW for the rest.

Muon (Jordan et al., 2024): the momentum of a matrix is replaced by the nearest orthogonal one, by five steps of the
polynomials that come closest to it (Amsel et al., 2025, "The Polar Express", section 3); its size is matched to AdamW's as
0.2 sqrt(max(rows, columns)) (Liu et al., 2025, "Muon is scalable", section 2.2), so that one learning rate serves both.
States are fp32, named, and go in and out of checkpoints as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from maskwright.training.distributed import gathered, own, own_part, whole

MOMENTUM, BETAS, EPS = 0.9, (0.9, 0.98), 1e-8
INSIDE = 1.01
LONG = 2
"""Ratio of a matrix's longer side to its shorter one from which the detour by its Gram matrix is worthwhile
(LOG.md#muon-gram)."""
POLYNOMIALS = (
    # a x + b x^3 + c x^5: the best in turn for singular values from .001 to 1, taken a little inside where they are
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845749493, 0.4188073119525673),
)


class Optimiser:
    def __init__(self, net: nn.Module, weight_decay: float, dtype: torch.dtype) -> None:
        self.weight_decay, self.dtype, self.steps = weight_decay, dtype, 0
        self.matrices: dict[str, nn.Parameter] = {}
        self.others: dict[str, nn.Parameter] = {}
        for name, parameter in net.named_parameters():
            hidden = parameter.dim() == 2 and not name.startswith(("inputs.", "head."))
            (self.matrices if hidden else self.others)[name] = parameter
        self.state = {f"{n}.momentum": torch.zeros_like(p) for n, p in self.matrices.items()}
        for kind in ("mean", "square"):
            self.state |= {f"{n}.{kind}": torch.zeros_like(p) for n, p in self.others.items()}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Moves every parameter by its gradient, which is then cleared."""
        self.steps += 1
        self._muon(lr)
        self._adam(lr)
        for parameter in (*self.matrices.values(), *self.others.values()):
            parameter.grad = None

    def _muon(self, lr: float) -> None:
        alike: dict[torch.Size, list[str]] = {}
        for name, p in self.matrices.items():
            alike.setdefault(p.shape, []).append(name)
        for shape, names in alike.items():
            updates = []
            for name in names:
                p, momentum = self.matrices[name], own(self.state[f"{name}.momentum"])
                assert p.grad is not None
                gradient = own(p.grad)
                momentum.lerp_(gradient, 1 - MOMENTUM)
                updates.append(gathered(gradient.lerp(momentum, MOMENTUM), p).to(self.dtype))
            for name, update in zip(names, orthogonal(torch.stack(updates)), strict=True):
                p = self.matrices[name]
                change = own_part(update, p).float()
                own(p).mul_(1 - lr * self.weight_decay).add_(change, alpha=-lr * 0.2 * max(shape) ** 0.5)

    def _adam(self, lr: float) -> None:
        gradients = [own(p.grad) for p in self.others.values() if p.grad is not None]
        means, squares = ([own(self.state[f"{name}.{kind}"]) for name in self.others] for kind in ("mean", "square"))
        before = [torch.tensor(float(self.steps - 1), device=p.device) for p in self.others.values()]
        adamw(
            [own(p) for p in self.others.values()], gradients, means, squares, [], before, fused=True, amsgrad=False,
            beta1=BETAS[0], beta2=BETAS[1], lr=lr, weight_decay=0.0, eps=EPS, maximize=False,
        )  # fmt: skip

    def clip(self, most: float) -> float:
        """Scales all gradients so that their joint norm is at most `most`; returns the norm before."""
        parameters = [*self.matrices.values(), *self.others.values()]
        norm = whole(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None], foreach=True))
        nn.utils.clip_grads_with_norm_(parameters, most, norm, foreach=True)
        return float(norm)


def orthogonal(x: Tensor) -> Tensor:
    """(n, rows, columns) -> the nearest semi-orthogonal matrices, roughly."""
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).to(x.dtype) * 1.02 + 1e-6)
    if x.dtype == torch.float32 and x.shape[2] >= LONG * x.shape[1]:
        x = _squares(x) @ x
    else:
        for a, b, c in _polynomials():
            gram = x @ x.transpose(1, 2)
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.transpose(1, 2) if tall else x


def _polynomials() -> list[tuple[float, float, float]]:
    """Rounding must not carry a value over 1 into the next one: there it explodes."""
    return [(a / INSIDE, b / INSIDE**3, c / INSIDE**5) for a, b, c in POLYNOMIALS[:-1]] + [POLYNOMIALS[-1]]


def _squares(x: Tensor) -> Tensor:
    """What x is multiplied by in all, from squares of its shorter side alone: the Gram matrix goes through the same
    polynomials. Half of the work for a long matrix; it needs fp32, since the Gram matrix has the singular values squared."""
    gram = x @ x.transpose(1, 2)
    done: Tensor | None = None
    for number, (a, b, c) in enumerate(_polynomials()):
        step = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal(dim1=1, dim2=2).add_(a)
        done = step if done is None else step @ done
        if number < len(POLYNOMIALS) - 1:
            gram = step @ gram @ step
    assert done is not None
    return done
