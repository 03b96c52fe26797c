"""The steps that are timed are real ones, and their speed is one that can be planned with."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from maskwright.modalities.text.modality import TextModality
from maskwright.records.shards import Shards
from maskwright.training.cost_model import Work
from maskwright.training.step_timing import measure_speed
from tests.training.conftest import LITTLE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_machine_has_a_speed_that_says_what_a_step_costs(
    cut_texts: tuple[TextModality, Shards], dtype: torch.dtype
) -> None:
    modality, shards = cut_texts
    work = Work.of(modality, LITTLE, 400, shards.lengths)
    speed = measure_speed(work, modality, shards, np.arange(len(shards)), torch.device("cpu"), dtype)
    assert 0 < speed.matrix_rate < math.inf
    assert 0 <= speed.pass_ < math.inf
    assert 0 < speed.seconds(work) < math.inf
