"""The tokeniser of text: byte-level BPE (Sennrich et al., 2016; bytes as in GPT-2), trained and run by `tokenizers`.

In: strings. Out: token ids, and what follows from an id alone: its bytes, whether it begins a word. Any string comes
back exactly, and special strings in data ("[MASK]") are ordinary text: only framing puts the special ids in. A checkpoint
of others may bring a WordPiece instead (BERT's), or normalise: what it drops (case, accents, spaces) doesn't come back.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Encoding, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from maskwright.errors import DataError, ModelError
from maskwright.modalities.text.extend_vocabulary import extended
from maskwright.modalities.text.utf8_states import fitting, reachable, transitions
from maskwright.system.interruptible import interruptible
from maskwright.tokens import Array

SPECIALS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
_ROLES = {
    "pad": ("[PAD]", "<pad>"),
    "cls": ("[CLS]", "<s>", "<cls>"),
    "sep": ("[SEP]", "</s>", "<sep>"),
    "mask": ("[MASK]", "<mask>"),
    "unk": ("[UNK]", "<unk>"),
}


LONGEST_WORD = 256
"""Characters without a space that a tokeniser learns from in one piece."""
LARGE = 1_000_000
"""Characters from which cutting takes so long that a signal must be able to end it."""
_LONG = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")
_ROWS = "vocabulary_rows"
_PROBES = (" a  B\n\tc", "Straße 漢字 🎈", "don't [MASK] ##x ▁y")
"""Texts that a byte-level tokeniser must give back exactly as they were."""


def suggested_size(corpus_bytes: int) -> int:
    """A vocabulary that grows as the root of the corpus, a multiple of 64 (the sweep behind it: LOG.md#vocabulary-size)."""
    size = 1.5 * corpus_bytes**0.5
    return int(min(max(round(size / 64), 8), 512)) * 64


def cut_words(text: str) -> Iterator[str]:
    """A text in which no stretch without a space is longer than `LONGEST_WORD`, in parts where need be.

    A tokeniser's training takes the square of a word's length, and what has no spaces (a genome, base64, minified code,
    Chinese) is one word to it.

    >>> [len(part) for part in cut_words("ACGT" * 200)]
    [256, 256, 256, 32]
    """
    done = 0
    for match in _LONG.finditer(text):
        for at in range(match.start() + LONGEST_WORD, match.end(), LONGEST_WORD):
            yield text[done:at]
            done = at
    yield text[done:]


class Vocabulary:
    """A tokenizer and the tables that follow from its ids."""

    def __init__(self, tokenizer: Tokenizer, rows: int = 0) -> None:
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        known = tokenizer.get_vocab(with_added_tokens=True)
        self.size = rows or -(-(max(known.values()) + 1) // 64) * 64
        """rows of the net's table: a checkpoint's own, or a multiple of 64; those beyond the tokeniser's are unused"""
        if max(known.values()) >= self.size:
            raise ModelError(f"the tokeniser has ids up to {max(known.values())}, the net's table {self.size} rows")
        model = json.loads(tokenizer.to_str())["model"]
        self.marker = (model.get("continuing_subword_prefix") or "") if model["type"] == "WordPiece" else ""
        """what a WordPiece puts before a piece that goes on with a word"""
        self.names: dict[str, str] = {}
        for role, spellings in _ROLES.items():
            name = next((s for s in spellings if s in known), None)
            if name is None:
                raise ModelError(f"the tokeniser has no {role} token (one of {', '.join(spellings)})", fix="add one")
            self.names[role] = name
        self.pad, self.cls, self.sep, self.mask, self.unk = (known[self.names[role]] for role in _ROLES)
        self.special = np.zeros(self.size, dtype=bool)
        self.special[[self.pad, self.cls, self.sep, self.mask, self.unk]] = True
        for token_id, added in tokenizer.get_added_tokens_decoder().items():
            self.special[token_id] |= added.special
        self.texts = self._bytes(known)
        self.begins, self.ends = self._edges()
        self.spaced = np.array([text.startswith(b" ") for text in self.texts])
        self.absent = np.ones(self.size, dtype=bool)
        self.absent[list(known.values())] = False
        self.real = ~self.special & ~self.absent
        """(size,) bool: the tokens that text is made of."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A tokenizer that is copied forgets how it was told to take special tokens in text."""
        return Vocabulary, (self.tokenizer, self.size)

    @cached_property
    def transitions(self) -> Array:
        """Of `utf8_states`, for every token."""
        return transitions(self.texts)

    @lru_cache(maxsize=256)  # noqa: B019 (a vocabulary lives as long as its model)
    def between(self, before: bytes, after: bytes, spaced: bool) -> Array:
        """(size,) bool: the tokens that lead from one of the states before to one of those after, (STATES,) bool each as
        bytes; `spaced`: of those that bring a space back."""
        states = (np.frombuffer(held, dtype=bool) for held in (before, after))
        found = self.real & fitting(self.transitions, *states)
        return found & self.spaced if spaced else found

    @lru_cache(maxsize=4096)  # noqa: B019 (a vocabulary lives as long as its model)
    def reach(self, spaced: bool, token: int | None) -> Array:
        """(STATES, STATES) bool: the states to which a slot leads from each state, where it holds this token; None: where it
        may hold any, or any that brings a space back."""
        allowed = self.real & self.spaced if spaced else self.real
        return reachable(self.transitions, allowed if token is None else np.arange(self.size) == token)

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[AddedToken(s, special=True, lstrip=s == "[MASK]", normalized=False) for s in SPECIALS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        words = itertools.chain.from_iterable(map(cut_words, texts))
        interruptible(lambda: tokenizer.train_from_iterator(words, trainer))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """From a tokenizer.json, or a folder that holds one."""
        folder = path if path.is_dir() else None
        path = path / "tokenizer.json" if folder else path
        if not path.is_file():
            raise ModelError("no tokeniser there", where=path, fix="a tokenizer.json is needed")
        try:
            made = cls(Tokenizer.from_file(str(path)), _rows(folder) if folder else 0)
            if not made.marker and any(made.text(made.ids([probe])[0]) != probe for probe in _PROBES):
                what = "not byte-level: text doesn't come back from it exactly"
                raise ModelError(what, fix="use a byte-level BPE, or none")
            return made
        except ModelError as error:
            raise ModelError(error.message, where=path) from None
        except Exception as error:  # tokenizers raises plain Exception
            raise ModelError(f"not a readable tokenizer.json: {str(error).splitlines()[0]}", where=path) from None

    def save(self, folder: Path, length: int) -> None:
        """tokenizer.json, and the tokenizer_config.json by which Hugging Face tools find the special tokens."""
        (folder / "tokenizer.json").write_text(self.tokenizer.to_str(pretty=True), encoding="utf-8")
        config: dict[str, Any] = {f"{role}_token": name for role, name in self.names.items()}
        config |= {
            "model_max_length": length,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            _ROWS: self.size,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in _cut(self.tokenizer.encode_batch_fast, texts)]

    def ids_and_offsets(self, texts: Sequence[str]) -> list[tuple[Array, Array]]:
        """(N,) ids and (N, 2) character offsets of each."""
        found = _cut(self.tokenizer.encode_batch, texts)
        return [(np.array(e.ids, dtype=np.int64), np.array(e.offsets, dtype=np.int64).reshape(-1, 2)) for e in found]

    def text(self, ids: Iterable[int]) -> str:
        """What the tokens stand for; of a WordPiece, with a space where its first piece begins a word."""
        ids = [int(i) for i in ids]
        text = self.tokenizer.decode(ids, skip_special_tokens=False)
        if self.marker and ids:
            return " " + text if self.spaced[ids[0]] else text.removeprefix(self.marker)
        return text

    def extended(self, texts: Iterable[str], count: int) -> Vocabulary:
        """With up to `count` new words of these texts behind the rows that there are."""
        made = extended(self.tokenizer, texts, count, self.size)
        return Vocabulary(made, max(self.size, max(made.get_vocab(with_added_tokens=True).values()) + 1))

    def pieces(self, token: str) -> list[int]:
        """The ids of a token of another vocabulary, as it is spelled there."""
        return [piece.id for piece in self.tokenizer.model.tokenize(token)]

    def _bytes(self, known: dict[str, int]) -> list[bytes]:
        """What each id stands for, as bytes, without the tokeniser's own spelling of spaces and bytes."""
        texts = [b""] * self.size
        for token, token_id in known.items():
            if self.marker:
                inner = token.startswith(self.marker)
                texts[token_id] = (token.removeprefix(self.marker) if inner else " " + token).encode()
                continue
            plain = all(c in _FROM_CHAR for c in token)  # an added token may be spelled in any characters
            texts[token_id] = bytes(_FROM_CHAR[c] for c in token) if plain else token.encode()
        return texts

    def _edges(self) -> tuple[Array, Array]:
        """Whether a token always begins a new word, and whether what follows it always does."""
        begins, ends = np.ones(self.size, dtype=bool), np.ones(self.size, dtype=bool)
        for token_id, text in enumerate(self.texts):
            if text and not self.special[token_id]:
                begins[token_id] = not _continues(text, 0)
                ends[token_id] = not _continues(text, -1)
        return begins, ends


def _cut(encode: Callable[..., list[Encoding]], texts: Sequence[str]) -> list[Encoding]:
    try:
        if sum(map(len, texts)) < LARGE:
            return encode(list(texts), add_special_tokens=False)
        return interruptible(lambda: encode(list(texts), add_special_tokens=False))
    except (TypeError, UnicodeEncodeError):
        raise DataError("a text holds half a surrogate pair, which is no character", fix="drop it") from None


def _rows(folder: Path) -> int:
    """Rows of the table that belongs to the tokeniser of this folder: as the net beside it has them, or as we noted them."""
    for name, key in (("config.json", "vocab_size"), ("tokenizer_config.json", _ROWS)):
        if (folder / name).is_file():
            found = json.loads((folder / name).read_text(encoding="utf-8")).get(key)
            if found:
                return int(found)
    return 0


def _continues(text: bytes, end: int) -> bool:
    """Whether the character at this end of a token may belong to the same word as the one beyond it.

    Letters, digits, marks and underscores do, but not those of scripts that set no spaces: there a character is a word.
    """
    try:
        char = text.decode()[end]
    except UnicodeDecodeError:  # a part of a character: it begins a word where its first byte is one of Han or kana
        return end == -1 or not 0xE3 <= text[0] <= 0xE9
    if any(low <= ord(char) <= high for low, high in _UNSPACED):
        return False
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")


_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF),  # Thai, Lao, Burmese, Khmer
    (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),  # kana, Han
)  # fmt: skip


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for every byte, inverted."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


_FROM_CHAR = _byte_alphabet()
