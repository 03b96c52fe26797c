"""Texts: byte-level BPE, what n-grams reach, a net that ModernBERT's tools open."""
