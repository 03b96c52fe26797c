"""Kinds of data: the contract (`base.py`), which ones are installed (`detect.py`), and ours, each in a folder of its own."""
