"""Numbers of any kind are numbers, and what is none is one clear error."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from maskwright.errors import QueryError
from maskwright.model.numbers import share, whole


@pytest.mark.parametrize("given", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_whole_numbers_of_any_kind(given: Any) -> None:
    found = whole(given, "n", 1)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize("given", [None, 2.0, "3", True, [3], np.float32(3)])
def test_what_is_no_whole_number(given: Any) -> None:
    with pytest.raises(QueryError, match="n must be a whole number") as caught:
        whole(given, "n", 1)
    assert caught.value.option == "n"


@pytest.mark.parametrize("given", [0.25, np.float32(0.25), Fraction(1, 4), "0.25"])
def test_shares_of_any_kind(given: Any) -> None:
    assert share(given, "coverage") == 0.25


@pytest.mark.parametrize("given", [0, 1, -0.5, 2, float("nan"), None, "much", [0.5]])
def test_what_is_no_share(given: Any) -> None:
    with pytest.raises(QueryError, match="coverage must"):
        share(given, "coverage")
