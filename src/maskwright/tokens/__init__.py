"""The types that all share: a record's tokens, a ragged batch of them, masks, and distributions. No tokeniser lives here."""

from maskwright.tokens.batch import Array, Batch, Mask, Tokens, join, split
from maskwright.tokens.distribution import Chance, Distribution, Scene

__all__ = ["Array", "Batch", "Chance", "Distribution", "Mask", "Scene", "Tokens", "join", "split"]
