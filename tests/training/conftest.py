"""A few texts cut into tokens, as training reads them."""

from __future__ import annotations

import pytest

from maskwright.modalities.text.modality import TextModality
from maskwright.nets.encoder import NetConfig
from maskwright.records.shards import Shards, Writer
from tests.conftest import text_records

LITTLE = NetConfig(width=16, layers=2, heads=2, ff=24, length=32)


@pytest.fixture(scope="session")
def cut_texts(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[TextModality, Shards]:
    """Three hundred short ones and a long one."""
    records = text_records([*texts[:300], " ".join(texts[300:500])])
    modality = TextModality()
    modality.fit(records, 20_000)
    writer = Writer(tmp_path_factory.mktemp("shards"), modality.columns)
    for record, cut_ in zip(records, modality.tokenise(records), strict=True):
        writer.add(cut_.columns, cut_.shape, key=record.key, fold=record.key, group=record.key, size=modality.size(record))
    writer.close()
    return modality, Shards(writer.folder)
