"""The automaton takes what Python decodes, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskwright.modalities.text.utf8_states import NONE, STATES, WHOLE, fitting, reachable, step, transitions

some_bytes = st.one_of(st.binary(max_size=6), st.text(max_size=3).filter(str.isprintable).map(str.encode))


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(some_bytes)
def test_bytes_are_whole_where_python_decodes_them(data: bytes) -> None:
    state = WHOLE
    for byte in data:
        state = step(state, byte)
    assert (state == WHOLE) == is_text(data)


@given(st.lists(some_bytes, min_size=1, max_size=4))
def test_tokens_go_together_where_their_bytes_do(tokens: list[bytes]) -> None:
    table = transitions(tokens)
    state = WHOLE
    for row in table:
        state = int(row[state]) if state != NONE else NONE
    assert (state == WHOLE) == is_text(b"".join(tokens))


@given(st.lists(some_bytes.filter(bool), min_size=1, max_size=6))
def test_a_token_fits_where_one_beside_it_makes_it_whole(tokens: list[bytes]) -> None:
    table = transitions(tokens)
    whole = np.arange(STATES) == WHOLE
    reach = reachable(table, np.ones(len(tokens), dtype=bool))
    found = fitting(table, whole, reach @ whole)
    assert found.tolist() == [any(is_text(one + other) for other in tokens) for one in tokens]
