"""Weights in the names of other libraries: which parameter of ours is which of theirs, and a modality's part in it."""

from maskwright.nets.checkpoints.contract import Checkpoints

__all__ = ["Checkpoints"]
