"""Texts of a model as tokens, and queries made of them."""

from __future__ import annotations

import numpy as np

import maskwright as mw
from maskwright.modalities.base import Query
from maskwright.model import calibrate
from maskwright.tokens import Tokens
from tests.conftest import text_records


def encoded(model: mw.Model, texts: list[str]) -> list[Tokens]:
    return model.modality.encode(text_records(texts))


def asked(model: mw.Model, texts: list[str], length: int, count: int = 40) -> list[Query]:
    return calibrate.stretches(encoded(model, texts), count, length, np.random.default_rng(0))
