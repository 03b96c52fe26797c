"""What is said of a table's layout is checked before anything is read."""

from __future__ import annotations

import pytest

from maskwright.errors import DataError
from maskwright.records.table import Layout


def test_a_separator_is_one_character_or_the_word_tab() -> None:
    assert [Layout(separator).checked().character for separator in (None, ";", "tab", "\t")] == ["", ";", "\t", "\t"]
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(DataError, match="no separator; give one character, or the word tab"):
            Layout(wrong).checked()


@pytest.mark.parametrize("said", [{"quote": "'"}, {"encoding": "nothing"}, {"encoding": "base64"}])
def test_what_no_table_can_have_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(DataError) as caught:
        Layout(**said).checked()  # type: ignore[arg-type]
    assert caught.value.option == next(iter(said))
