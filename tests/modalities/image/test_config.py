"""What can't be said of pictures together is refused, and the option named."""

from __future__ import annotations

from typing import Any

import pytest

from maskwright.errors import RecipeError
from maskwright.modalities.image.config import DEFAULT_SIDE, ImageConfig

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"patch": 0}, "image.patch must lie between 1 and 32", ""),
    ({"bits": 12}, "image.bits be 0, 8 or 16", ""),
    ({"longest": -1}, "must be at least 0", ""),
    ({"depth": 8}, "image.depth must lie between 9 and 16", "image.depth"),
    ({"family": "vit"}, "image.family 'vit': vit_mae is the only one; leave it out for ours", "image.family"),
    ({"family": "vit_mae", "bits": 16}, "image.bits 16 is not for image.family vit_mae", "image.bits"),
    ({"norm_pix": True}, "image.norm_pix is for image.family vit_mae; leave it out", "image.norm_pix"),
    ({"mean": (0.5,)}, "image.mean is for image.family vit_mae", "image.mean"),
    ({"family": "vit_mae", "deviation": (0.2, 0.0, 0.2)}, "above 0 for every channel", "image.deviation"),
    ({"side": 64, "shift": True}, "image.shift is not for squares", ""),
    ({"family": "vit_mae", "side": 60}, "image.side 60 must be a whole number of patches", ""),
]


@pytest.mark.parametrize(("given", "words", "option"), REFUSED)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], words: str, option: str) -> None:
    with pytest.raises(RecipeError, match=words) as error:
        ImageConfig(**given)
    assert error.value.option == option


def test_a_vit_mae_reads_squares_and_ours_what_it_is_asked_to() -> None:
    assert ImageConfig().square == 0
    assert ImageConfig(side=40).square == 40
    assert ImageConfig(family="vit_mae").square == DEFAULT_SIDE
    assert ImageConfig(family="vit_mae", side=64).square == 64


def test_means_and_deviations_are_one_for_every_channel() -> None:
    config = ImageConfig(family="vit_mae", mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.2))
    assert config.ill_normed(3) == "2 values where pictures have 3 channels; give one for each"
    assert config.ill_normed(2).startswith("3 values")
    assert ImageConfig().ill_normed(4) == ""
