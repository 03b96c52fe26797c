"""Texts: byte-level BPE, what n-grams reach, a net that ModernBERT's tools open. `DESCRIPTOR` is the entry point."""

from maskwright.modalities.base import Descriptor, Modality
from maskwright.modalities.text.config import TokenizerConfig
from maskwright.modalities.text.value import TEXT, claim


def _build() -> Modality:
    from maskwright.modalities.text.modality import TextModality

    return TextModality()


DESCRIPTOR = Descriptor(name="text", value_type=TEXT, build=_build, claim=claim, config=TokenizerConfig, section="tokenizer")
