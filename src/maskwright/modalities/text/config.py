"""What a recipe says of the tokeniser of texts.

In: values of `[tokenizer]`. Out: a checked configuration. Knows no tokeniser.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.errors import RecipeError, option
from maskwright.modalities.base import ModalityConfig


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig(ModalityConfig):
    """The tokeniser of texts."""

    size: int = 0
    """Entries of the vocabulary; 0 lets the corpus decide."""
    path: str = ""
    """A tokenizer.json, or a folder with one, that is used as it is."""
    extend: int = 0
    """How many new words of the corpus are added to the tokeniser at `path`."""

    def __post_init__(self) -> None:
        if min(self.size, self.extend) < 0:
            raise RecipeError("tokenizer.size and tokenizer.extend must be at least 0")
        if self.extend and not self.path:
            fix = f"it goes with {option('init')} or {option('tokenizer')}"
            where = option("extend_vocab")
            raise RecipeError("there is nothing to extend", where=where, fix=fix, option="extend_vocab")

    @property
    def files(self) -> tuple[str, ...]:
        return (self.path,) if self.path else ()
