"""The command line: it says, and never computes."""
