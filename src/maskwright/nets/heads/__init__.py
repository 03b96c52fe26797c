"""Input layers and heads, and the distributions that heads give."""
