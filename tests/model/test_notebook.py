"""Models and answers show themselves in a notebook, and no text of a user becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

import maskwright as mw
from maskwright.model.notebook import MOST_TOKENS
from maskwright.model.results import Filled, Filling, Score, Slot


class Read(HTMLParser):
    """Tags that were opened, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_model_says_what_it_is(model: mw.Model) -> None:
    assert "tickets.txt: 3,000 records" in repr(model)
    assert "held-out bits a byte" in repr(model)
    assert "width 48, 2 layers" in Read(model._repr_html_()).text


words = st.text(st.sampled_from("ab<>&\"'/ é"), min_size=1, max_size=8)


@given(words, words)
def test_texts_are_shown_and_never_run(text: str, other: str) -> None:
    several = Filling(text, -0.5, [], [Filled(text, -0.5), Filled(other, -2.0)])
    slots = Filling(text, -0.5, [Slot([other], [0.5], 3)])
    score = Score(3.0, [1.0, 2.0], [text, other], [(0, 1), (1, 2)])
    for page in (several._repr_html_(), slots._repr_html_(), score._repr_html_()):
        read = Read(page)
        assert read.tags <= {"p", "small", "table", "tr", "th", "td", "span"}
        assert text in read.text
    assert other in Read(several._repr_html_()).text


def test_a_long_score_is_cut() -> None:
    count = MOST_TOKENS + 5
    page = Score(1.0, [0.1] * count, ["x"] * count, [(0, 1)] * count)._repr_html_()
    assert "and 5 more" in page
