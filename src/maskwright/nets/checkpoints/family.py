"""One architecture of Hugging Face's: what its config says of a shape, and what its parameters are called.

Knows none of them: `bert.py` and `vit.py` list them, `convert.py` reads and writes their checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from maskwright.errors import ModelError
from maskwright.nets.encoder import NetConfig

Json = dict[str, Any]


@dataclass(frozen=True)
class Family:
    name: str
    """The model_type in the family's config.json."""
    architecture: str
    prefix: str
    """What the names of the encoder's parameters begin with in a model with a prediction head; absent in one without."""
    names: tuple[tuple[str, str], ...]
    """(ours, theirs) beginnings of parameter names, where {n} stands for a layer's number; the first that fits is taken."""
    shape: Callable[[Json], Json]
    """Turns the family's config.json into values of a `NetConfig`; KeyError for what it lacks."""
    fits: Callable[[NetConfig], bool]
    """Tells whether the family's config.json can describe a net of such a shape."""
    task: str
    """The task under which a model hub files the family's models."""
    separate: bool = False
    """Whether queries, keys and values are three linear maps in the family's models; in ours they are one."""
    ignored: tuple[str, ...] = ()
    """Beginnings of the family's parameter names that a masked net has no use for."""
    spellings: tuple[tuple[str, str], ...] = ()
    """(pattern, replacement) for names that other versions of the family's library give its parameters."""


def of_shape(config: NetConfig, known: Iterable[Family]) -> Family:
    """The family whose config can say this shape."""
    family = next((family for family in known if family.fits(config)), None)
    if family is None:
        raise ModelError(
            "no family has this shape",
            fix="leave alone what is set of net.norm, mlp, bias, positions, kinds, first_norm, grid, global_every,"
            " decoder_layers",
        )
    return family


def demand(theirs: Json, **known: Any) -> None:
    """Raises ModelError where a config wants what our encoder can't do."""
    for name, value in known.items():
        if theirs.get(name, value) != value:
            raise ModelError(f"its {name} is {theirs[name]!r}", fix=f"only {value!r} is known")
