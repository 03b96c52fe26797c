"""A longer run, a larger corpus, a larger net: none of them is expected to learn less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maskwright.modalities.scaling_law import ScalingLaw, _worth

laws = st.builds(
    ScalingLaw, least=st.floats(0, 0.9), size=st.floats(0.01, 1), size_power=st.floats(0.1, 1), time=st.floats(0.01, 1),
    time_power=st.floats(0.1, 1), repeats=st.floats(1, 100), spare=st.floats(1, 100),
)  # fmt: skip
amounts = st.integers(1000, 10**11)
A_BIT = 1 + 1e-9


@given(laws, amounts, amounts, amounts, st.floats(1, 100))
def test_no_more_is_lost_with_more_of_anything(law: ScalingLaw, matrices: int, tokens: int, own: int, times: float) -> None:
    here = law.loss(matrices, tokens, own)
    assert here > law.least
    for larger in (
        law.loss(int(matrices * times), tokens, own), law.loss(matrices, tokens * times, own),
        law.loss(matrices, tokens, int(own * times)),
    ):  # fmt: skip
        assert law.least < larger <= here * A_BIT


@given(amounts, amounts, st.floats(1, 100), st.floats(1, 100))
def test_what_is_seen_again_is_worth_less_than_fresh_data(amount: int, own: int, fading: float, times: float) -> None:
    worth = _worth(amount, own, fading)
    assert worth <= amount * A_BIT
    assert worth <= own * (1 + fading) * A_BIT
    assert amount > own or worth == amount
    assert worth <= _worth(amount * times, own, fading) * A_BIT


@given(st.floats(1, 1e12), st.floats(1, 100), st.sampled_from([(2048, 65_536), (256, 256), (512, 4096)]))
def test_a_longer_run_takes_no_smaller_steps_and_all_within_bounds(
    tokens: float, times: float, batches: tuple[int, int]
) -> None:
    law = ScalingLaw(batches=batches)
    assert batches[0] <= law.batch(tokens) <= law.batch(tokens * times) <= batches[1]
    assert law.batch(tokens) % 256 == 0


def test_the_table_is_what_the_rule_says() -> None:
    """The shares in brackets beside the measured ones, of the German law at two minutes."""
    law = ScalingLaw()
    for matrices, tokens, share in ((100_000, 4.7e6, 0.87), (420_000, 3.1e6, 0.79), (1_250_000, 1.5e6, 0.84)):
        assert abs(law.loss(matrices, tokens, 3_000_000) - share) < 0.02
