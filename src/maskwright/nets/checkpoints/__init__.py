"""Weights in the names of other libraries: which parameter of ours is which of theirs."""
