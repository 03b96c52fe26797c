"""The nets: a ragged encoder, its attention and positions, heads and their distributions, the names of other families."""
