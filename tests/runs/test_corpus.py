"""The data of a run is read once, split once, and what a user should know of it is said once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.runs.corpus import Corpus, held_out_pieces, read_corpus, whole_records
from maskwright.runs.recipe import DataConfig, Recipe
from maskwright.system.progress import Progress, unwatched


def test_what_was_skipped_is_said_once_though_files_are_read_twice(recipe: Recipe, texts: list[str], tmp_path: Path) -> None:
    rows = [json.dumps({"text": text}) for text in texts[:300]]
    (tmp_path / "in.jsonl").write_text("\n".join([*rows[:150], "broken", *rows[150:], "{}"]))
    bad = replace(recipe, data=DataConfig(paths=(str(tmp_path / "in.jsonl"),), field="text", on_bad="skip"))
    said: list[str] = []

    def watch(news: Progress) -> None:
        said.extend(filter(None, [news.words]))

    corpus = read_corpus(bad, (), tmp_path / "data", watch, begun=False)
    assert corpus.prepared.records == 300
    assert [words.partition(": not JSON")[0] for words in said if "not JSON" in words] == [
        f"skipped: {tmp_path / 'in.jsonl'}:151"
    ]
    assert len(said) == len(set(said)) == 2


def test_a_run_goes_on_with_what_it_read_and_a_fresh_one_reads_again(recipe: Recipe, few: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text(few.read_text())
    mine, said = replace(recipe, data=DataConfig(paths=(str(data),))), []

    def keys(begun: bool) -> list[int]:
        said.clear()
        corpus = read_corpus(mine, (), tmp_path / "data", lambda news: said.append(news.words), begun)
        return list(corpus.shards.keys)

    first = keys(begun=False)
    assert keys(begun=True) == first
    assert not any(said)
    data.write_text(few.read_text() + "\nand one line more\n")
    assert keys(begun=True) == first
    assert "the data has changed since this run began; it goes on with what it read then" in said
    assert len(keys(begun=False)) == len(first) + 1


def test_own_held_out_data_needs_no_column_of_that_name(recipe: Recipe, few: Path, texts: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps({"said": text, "by": text}) for text in texts[400:700]))
    own = DataConfig(paths=(str(tmp_path / "in.jsonl"),), field="said", held_out=str(few))
    corpus = read_corpus(replace(recipe, data=own), (), tmp_path / "data", unwatched, begun=False)
    assert corpus.parts.own_held_out
    held = corpus.parts.held_out
    assert len(held) == len(np.unique(corpus.shards.folds[held])) <= 300
    assert not set(corpus.parts.train) & set(held)


@given(st.integers(4, 64), st.sampled_from(["look", "fit", "level"]), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_pieces_that_calibration_sees_are_held_out_and_short_enough(
    read_in: Corpus, most: int, part: str, seed: int
) -> None:
    made = held_out_pieces(read_in, part, most, seed)
    shards = read_in.shards
    assert max(len(piece) for piece in made) <= most
    assert sum(len(piece) for piece in made) == shards.lengths[read_in.parts.held[part]].sum()


def test_whole_records_are_those_that_chose_no_weights_each_once(read_in: Corpus) -> None:
    made = list(whole_records(read_in, seed=0))
    shards, held = read_in.shards, read_in.parts.held
    records = np.concatenate([held["fit"], held["level"]])
    assert sorted(key for _, key in made) == sorted(shards.keys[records].tolist())
    length = dict(zip(shards.keys.tolist(), shards.lengths.tolist(), strict=True))
    assert all(len(tokens) == length[key] for tokens, key in made)
    assert [key for _, key in made] != [key for _, key in whole_records(read_in, seed=1)]
