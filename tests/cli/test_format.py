"""Answers as a person reads them, and as columns that any of them fits into."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.cli import format
from maskwright.modalities.text.value import TEXT
from maskwright.model.about import About, HeldOutFigures, TrainingFacts
from maskwright.model.results import Filled, Filling, Score, Slot
from maskwright.records.record import Origin, Record

words = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
nats = st.floats(0, 60)
slots = st.builds(
    lambda offered, offset, region: Slot([t for t, _ in offered], [p for _, p in offered], offset, region),
    st.lists(st.tuples(words, st.floats(0, 1)), max_size=4), st.integers(0, 99), st.none() | st.lists(words, max_size=30),
)  # fmt: skip
fillings = st.builds(
    Filling, words, st.floats(-5000, 0), st.lists(slots, max_size=3),
    st.lists(st.builds(Filled, words, st.floats(-5000, 0)), max_size=3),
)  # fmt: skip


@given(fillings, st.booleans())
@settings(deadline=None)
def test_any_filling_fits_into_the_columns_of_fill(filling: Filling, regions: bool) -> None:
    row = format.fill_columns(TEXT, filling, regions)
    schema = format.arrow_schema(format.fill_schema(TEXT))
    (back,) = pa.Table.from_pylist([{"id": "1", "source": "a.txt"} | row], schema=schema).to_pylist()
    assert (back["text"], back["prob"], back["log_prob"]) == (filling.value, filling.prob, filling.log_prob)
    assert [(s["tokens"], s["probs"], s["offset"]) for s in back["slots"]] == [
        (s.tokens, s.probs, s.offset) for s in filling.slots
    ]
    assert [s["region"] for s in back["slots"]] == [s.region if regions else None for s in filling.slots]
    assert [c["text"] for c in back["completions"] or []] == [c.value for c in filling.completions]


def test_a_filling_alone_says_what_else_may_stand_there_and_one_of_many_is_a_line() -> None:
    region = [f"word{number}" for number in range(format.LISTED + 3)]
    filling = Filling("my card", -0.5, [Slot([" card", " \n"], [0.6, 0.25], 3, region)], [Filled("my pin", -2000.0)])
    first, offered, listed, other = format.filled(TEXT, filling, alone=True)
    assert first == "my card    p = 0.607"
    assert offered == '  at 3: " card" 0.600  " \\n" 0.250'
    assert listed.startswith(f'    set of {len(region)}: "word0" ')
    assert listed.endswith(f'"word{format.LISTED - 1}" and 3 more')
    assert other == "  log p = -2000  my pin"  # so small that no float has it
    several = format.filled(TEXT, filling, alone=False)
    assert several[0] == "log p = -2000\tmy pin"
    assert several[1].startswith(f'\tset of {len(region)}: "word0" ')
    assert format.filled(TEXT, Filling("my card", -0.5), alone=False) == ["my card"]
    given = Filling("my card", -9.0, [], [Filled("card", -9.0), Filled("pin", -11.0)])
    assert format.with_shares(TEXT, given, alone=False) == [
        "   88.1%  0.0001            card", "   11.9%  log p = -11       pin",
    ]  # fmt: skip
    assert format.filled(TEXT, Filling("my card", -0.5), alone=False) == ["my card"]


@given(st.lists(nats, min_size=1, max_size=6), st.none() | st.floats(0.1, 30))
@settings(deadline=None)
def test_what_is_odd_is_so_in_words_and_in_columns(per_token: list[float], threshold: float | None) -> None:
    tokens = ["a\n"] * len(per_token)
    score = Score(sum(per_token), per_token, tokens, [(i, i + 1) for i in range(len(tokens))])
    record = Record("a\n" * len(tokens), Origin("a.txt", "", "7"))
    columns = format.score_columns(score, threshold)
    (line,) = format.scored(TEXT, record, score, threshold, alone=False)
    alone = format.scored(TEXT, record, score, threshold, alone=True)
    assert len(alone) == 1 + len(tokens)
    assert "a.txt:7" in line
    assert "\n" not in "".join([line, *alone])
    odd = threshold is not None and score.mean > threshold
    assert (columns.get("odd", False), line.startswith("odd\t"), ": odd (" in alone[0]) == (odd, odd, odd)
    assert ("odd" in columns) == (": ordinary (" in alone[0] or odd) == (threshold is not None)


@given(st.lists(st.tuples(words, st.integers(-(10**9), 10**9), st.floats(-9, 9)), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_table_has_a_line_for_each_row_and_all_are_as_long(rows: list[tuple[str, int, float]]) -> None:
    made = format.table([{"name": name, "count": count, "share": share} for name, count, share in rows])
    assert len(made) == 1 + len(rows)
    assert len({len(line) for line in made}) == 1


@pytest.mark.parametrize(
    ("bits", "neighbours", "words"),
    [
        (1.5, 2.0, "25% below counting"),
        (2.5, 2.0, "no better than counting: train longer"),
        (1.5, None, "1.500 bits a byte"),
    ],
)
def test_the_last_words_of_a_run_compare_it_with_counting(bits: float, neighbours: float | None, words: str) -> None:
    held = HeldOutFigures(nats=1.0, bits_per_byte=bits, top1=0.1, top5=0.2, floor_neighbours=neighbours)
    done = TrainingFacts(step=5, steps=5, seconds=9.6, tokens=10, budget="", epochs=1.0)
    (line,) = format.trained("m", About(modality="text", net={}, held_out=held, trained=done))
    assert line.startswith("m: ready after 10 s; held-out ")
    assert words in line
    assert format.trained("m", About(modality="text", net={})) == ["m: ready"]
