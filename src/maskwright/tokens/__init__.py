"""The types that all share: a record's tokens, a ragged batch of them, masks, and distributions. No tokeniser lives here."""

from maskwright.tokens.batch import Array, Batch, Mask, Tokens, collate, uncollate
from maskwright.tokens.distribution import Distribution, HeadContext, RandomSource

__all__ = ["Array", "Batch", "RandomSource", "Distribution", "Mask", "HeadContext", "Tokens", "collate", "uncollate"]
