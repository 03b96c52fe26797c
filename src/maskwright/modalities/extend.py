"""New words for a tokeniser that is there: its own rule goes on learning, on another corpus.

In: a BPE or WordPiece tokeniser, texts, how many. Out: the same with that many entries more, behind those it has; text that
holds none of them is cut as before. BPE goes on merging the commonest pairs (Sennrich et al., 2016, algorithm 1) behind its
old merges; WordPiece, which takes the longest entry that fits, is given the words that would save the most pieces.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tokenizers import Tokenizer

from maskwright.errors import RecipeError

LEAST = 3
"""times that a word or pair must occur"""
MOST_WORDS = 200_000
"""different words that are looked at, the commonest"""


def extended(tokenizer: Tokenizer, texts: Iterable[str], count: int, first: int) -> Tokenizer:
    """With up to `count` new entries, numbered from `first` on."""
    spec = json.loads(tokenizer.to_str())
    kind = spec["model"]["type"]
    learn = {"BPE": _merges, "WordPiece": _words}.get(kind)
    if learn is None:
        raise RecipeError(f"--extend-vocab: the tokeniser is a {kind}; only BPE and WordPiece can be extended")
    counts = _counted(tokenizer, texts)
    pieces = {word: [t.value for t in tokenizer.model.tokenize(word)] for word, _ in counts.most_common(MOST_WORDS)}
    learn(spec["model"], pieces, counts, count, first)
    return Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))


def _counted(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        plain = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        cut = tokenizer.pre_tokenizer.pre_tokenize_str(plain) if tokenizer.pre_tokenizer else [(plain, None)]
        counts.update(word for word, _ in cut)
    return counts


def _words(model: dict[str, Any], pieces: dict[str, list[str]], counts: Counter[str], count: int, first: int) -> None:
    unknown = model["unk_token"]
    saved = {
        word: counts[word] * ((len(word) if parts == [unknown] else len(parts)) - 1)
        for word, parts in pieces.items()
        if counts[word] >= LEAST and word not in model["vocab"]
    }
    best = sorted((word for word in saved if saved[word]), key=lambda word: (-saved[word], word))
    for token_id, word in enumerate(best[:count], first):
        model["vocab"][word] = token_id


def _merges(model: dict[str, Any], pieces: dict[str, list[str]], counts: Counter[str], count: int, first: int) -> None:
    joined = bool(model["merges"]) and isinstance(model["merges"][0], str)
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def tally(word: str, sign: int) -> None:
        for pair in pairwise(pieces[word]):
            pairs[pair] += sign * counts[word]
            where[pair].add(word)

    for word in pieces:
        tally(word, 1)
    made = 0
    while made < count and pairs:
        (left, right), times = max(pairs.items(), key=lambda item: (item[1], item[0]))
        if times < LEAST:
            break
        model["merges"].append(f"{left} {right}" if joined else [left, right])
        if left + right not in model["vocab"]:
            model["vocab"][left + right] = first + made
            made += 1
        for word in where.pop((left, right)):
            tally(word, -1)
            pieces[word] = _merged(pieces[word], left, right)
            tally(word, 1)
        del pairs[left, right]


def _merged(parts: list[str], left: str, right: str) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(parts):
        pair = parts[at : at + 2] == [left, right]
        out.append(left + right if pair else parts[at])
        at += 2 if pair else 1
    return out
