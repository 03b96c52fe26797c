"""New words for a tokeniser that is there: its own rule goes on learning, on another corpus.

In: a BPE or WordPiece tokeniser, texts, how many. Out: the same with that many entries more, behind those it has; text that
holds none of them is cut as before. BPE goes on merging the commonest pairs (Sennrich et al., 2016, algorithm 1) behind its
old merges; WordPiece, which takes the longest entry that fits, is given the words that would save the most pieces.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tokenizers import Tokenizer

from maskwright.errors import RecipeError, option

Pair = tuple[str, str]
LEAST = 3
"""The fewest times that a word or pair must occur to be added."""
MOST_WORDS = 200_000
"""The most different words that are looked at, the commonest ones."""


def extended(tokenizer: Tokenizer, texts: Iterable[str], count: int, first: int) -> Tokenizer:
    """With up to `count` new entries, numbered from `first` on."""
    spec = json.loads(tokenizer.to_str())
    kind = spec["model"]["type"]
    learn = {"BPE": _merges, "WordPiece": _words}.get(kind)
    if learn is None:
        fix = "only BPE and WordPiece can be extended"
        raise RecipeError(f"the tokeniser is a {kind}", where=option("extend_vocab"), fix=fix, option="extend_vocab")
    counts = _counted(tokenizer, texts)
    pieces = {word: [t.value for t in tokenizer.model.tokenize(word)] for word, _ in counts.most_common(MOST_WORDS)}
    # A token that was added behind the vocabulary is numbered anew on loading, by the vocabulary's size: name it there.
    for added in spec["added_tokens"]:
        spec["model"]["vocab"].setdefault(added["content"], added["id"])
    learn(spec["model"], pieces, counts, count, first)
    made = Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))
    now = made.get_vocab(with_added_tokens=True)
    moved = [token for token, i in tokenizer.get_vocab(with_added_tokens=True).items() if now.get(token) != i]
    if moved:
        what = f"the tokeniser can't be extended: {moved[0]!r} would change its number"
        raise RecipeError(what, where=option("extend_vocab"), option="extend_vocab")
    return made


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
    pairs: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[str]] = defaultdict(set)

    def tally(word: str, sign: int) -> set[Pair]:
        for pair in pairwise(pieces[word]):
            pairs[pair] += sign * counts[word]
            where[pair].add(word)
        return set(pairwise(pieces[word]))

    for word in pieces:
        tally(word, 1)
    queue = [(-times, pair) for pair, times in pairs.items()]
    heapq.heapify(queue)
    made = 0
    while made < count and queue:
        times, pair = heapq.heappop(queue)
        if -times != pairs[pair]:  # counted anew since it was put there
            continue
        if -times < LEAST:
            break
        left, right = pair
        model["merges"].append(f"{left} {right}" if joined else [left, right])
        if left + right not in model["vocab"]:
            model["vocab"][left + right] = first + made
            made += 1
        changed: set[Pair] = set()
        for word in sorted(where.pop(pair)):
            changed |= tally(word, -1)
            pieces[word] = _merged(pieces[word], left, right)
            changed |= tally(word, 1)
        for other in changed:
            if pairs[other] >= LEAST:
                heapq.heappush(queue, (-pairs[other], other))


def _merged(parts: list[str], left: str, right: str) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(parts):
        pair = parts[at : at + 2] == [left, right]
        out.append(left + right if pair else parts[at])
        at += 2 if pair else 1
    return out
