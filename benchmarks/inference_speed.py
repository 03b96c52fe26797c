"""How fast are `fill` and `embed` on a file of texts, beside transformers with the same weights?

    python benchmarks/inference_speed.py --data DIR --work DIR [--corpora peps_en] [--texts 2000] [--rounds 3]

2,000 stretches of mixed length (10 to 250 words); for `fill` one word of each is a blank. The opponent opens the same folder
by AutoModelForMaskedLM in fp32 with eager attention, takes 32 texts at a time as they come, padded to the longest, and
returns five candidates a blank, or the mean of the last states. Ours in fp32, which is its default, and in bf16. Real tokens
a second, medians of interleaved rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import maskwright as mw
from corpora import corpora, model, parser, report


def texts_of(documents: list[list[str]], count: int) -> list[str]:
    rng = np.random.default_rng(0)
    words = [text.split() for document in documents for text in document]
    words = [w for w in words if len(w) > 300]
    out = []
    for _ in range(count):
        own = words[rng.integers(len(words))]
        size = int(rng.integers(10, 250))
        first = int(rng.integers(len(own) - size))
        out.append(" ".join(own[first : first + size]))
    return out


def with_blank(text: str) -> tuple[str, str]:
    """The same text with {mask} and with [MASK] in place of its middle word."""
    words = text.split()
    middle = len(words) // 2
    return tuple(" ".join([*words[:middle], blank, *words[middle + 1 :]]) for blank in ("{mask}", "[MASK]"))  # type: ignore[return-value]


class Theirs:
    def __init__(self, folder: str) -> None:
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        self.net = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def _batches(self, texts: list[str]) -> Any:
        for i in range(0, len(texts), 32):
            yield self.tokenizer(
                texts[i : i + 32], padding=True, truncation=True, return_tensors="pt", return_token_type_ids=False
            )

    @torch.no_grad()
    def fill(self, texts: list[str]) -> list[Any]:
        out = []
        for batch in self._batches(texts):
            logits = self.net(**batch).logits[batch["input_ids"] == self.tokenizer.mask_token_id]
            out += logits.softmax(-1).topk(5).indices.tolist()
        return out

    @torch.no_grad()
    def embed(self, texts: list[str]) -> Any:
        out = []
        for batch in self._batches(texts):
            states = self.net.base_model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            out.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1))
        return torch.cat(out).numpy()


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def measured(ours: mw.Model, other: Theirs, texts: list[str], rounds: int) -> tuple[dict[str, float], float]:
    """Median seconds of each side and verb; and the least cosine between both sides' vectors."""
    blanks, masks = zip(*map(with_blank, texts), strict=True)
    works: dict[str, Callable[[], Any]] = {
        "fill": lambda: ours.fill(list(blanks)),
        "fill, transformers": lambda: other.fill(list(masks)),
        "embed": lambda: ours.embed(texts),
        "embed, transformers": lambda: other.embed(texts),
    }
    took: dict[str, list[float]] = {name: [] for name in works}
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for name, work in works.items():
            spent, found[name] = seconds(work)
            took[name].append(spent)
    cosine = (found["embed"] * found["embed, transformers"]).sum(1).min()
    return {name: statistics.median(values) for name, values in took.items()}, float(cosine)


def main() -> None:
    asked = parser(__doc__ or "", ["peps_en"])
    asked.add_argument("--texts", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--precisions", default="float32,bfloat16", help="of our side")
    options = asked.parse_args()
    rows = []
    for corpus in corpora(options):
        model(corpus)
        other, net = Theirs(str(corpus.model)), mw.load(corpus.model).net.config
        # Nothing may be cut off on their side, or the work would not be the same.
        sizes = {text: len(other.tokenizer(text)["input_ids"]) for text in texts_of(corpus.documents(), 4 * options.texts)}
        texts = [text for text, size in sizes.items() if size <= net.length][: options.texts]
        tokens = sum(sizes[text] for text in texts)
        for precision in options.precisions.split(","):
            took, cosine = measured(mw.load(corpus.model, precision), other, texts, options.rounds)
            rows.append({
                "corpus": corpus.name, "ours_in": precision, "theirs_in": "float32", "texts": len(texts), "tokens": tokens,
                "net": [net.width, net.layers],
                "tokens_per_s": {name: round(tokens / value) for name, value in took.items()},
                "ratio": {verb: round(took[f"{verb}, transformers"] / took[verb], 2) for verb in ("fill", "embed")},
                "least_cosine_of_embeddings": round(cosine, 5),
            })  # fmt: skip
    report("fill and embed beside transformers with the same weights", rows)


if __name__ == "__main__":
    main()
