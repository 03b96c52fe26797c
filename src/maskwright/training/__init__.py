"""The loop, its optimiser and schedule, the order of the data, checkpoints. Takes ready parts; knows no recipe."""
