"""What can't be said of a tokeniser is refused."""

from __future__ import annotations

import pytest

from maskwright.errors import RecipeError
from maskwright.modalities.text.config import TokenizerConfig


def test_sizes_are_numbers_of_words() -> None:
    for given in ({"size": -1}, {"path": "a", "extend": -1}):
        with pytest.raises(RecipeError, match=r"tokenizer\.size and tokenizer\.extend must be at least 0"):
            TokenizerConfig(**given)  # type: ignore[arg-type]


def test_only_a_tokeniser_that_is_there_can_be_extended() -> None:
    with pytest.raises(RecipeError, match="there is nothing to extend; it goes with") as error:
        TokenizerConfig(extend=5)
    assert error.value.option == "extend_vocab"
    assert TokenizerConfig(extend=5, path="a").files == ("a",)
    assert TokenizerConfig(size=512).files == ()
