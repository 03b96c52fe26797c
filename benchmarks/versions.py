"""Does another version of this package give the same bytes, and is it as fast?

    python benchmarks/versions.py --other ../older/src [--rounds 5]

Runs of given steps on texts and images, an own checkpoint and a BERT gone on from, a ViT-MAE: weights, scores, fills, draws,
vectors are compared as hashes. For speed both versions stand ready in a process each, and are asked in turn, on the same
threads; the ratio is the median over the pairs. Only what both versions offer in public is called.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from corpora import report

ROOT = Path(__file__).parents[1]
SMALL = ("net.width=48", "net.layers=2", "net.heads=2", "net.ff=64", "train.look_tokens=3000", "calibration.slots=400")
LARGER = ("net.width=128", "net.layers=3", "train.look_tokens=3000", "calibration.slots=200")
QUERIES = ["My {mask} was declined at the {mask}.", "How long does {mask*} take?", "I lost my {mask} and {mask} in {mask*}"]


def texts() -> list[str]:
    with open(ROOT / "docs" / "tickets" / "tickets.csv", newline="") as file:
        found = [" ".join(row["text"].split()) for row in csv.DictReader(file)]
    return sorted(found, key=lambda text: hashlib.blake2b(text.encode()).digest())


def waves(count: int, side: int = 64) -> list[np.ndarray[Any, Any]]:
    rng, out = np.random.default_rng(0), []
    for _ in range(count):
        y, x = np.mgrid[:side, :side]
        shades = np.stack([np.sin(x / rng.uniform(3, 12) + y / rng.uniform(3, 12) + c) for c in range(3)], axis=2)
        out.append((127 + 90 * shades + rng.normal(0, 3, shades.shape)).clip(0, 255).astype(np.uint8))
    return out


def digest(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value, default=lambda x: x.tolist()).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def weights(folder: Path) -> str:
    from safetensors.numpy import load_file

    tensors = load_file(folder / "model.safetensors")
    return digest(b"".join(name.encode() + tensors[name].tobytes() for name in sorted(tensors)))


def content(value: Any) -> Any:
    """A value that is spelled the same whenever it is the same."""
    return value.pixels.tobytes() if hasattr(value, "pixels") else value


def filled(fillings: list[Any]) -> str:
    said = [
        (content(f.value), f.log_prob, [vars(s) for s in f.slots], [(content(c.value), c.log_prob) for c in f.completions])
        for f in fillings
    ]
    return digest(repr(said).encode())


def scored(model: Any, data: list[Any]) -> str:
    return digest([[s.total, s.per_token, s.tokens, s.offsets] for s in model.score(data)])


def hashes(work: Path) -> dict[str, str]:
    """Of all that must stay as it is."""
    import maskwright as mw

    corpus, out = texts(), {}
    data, some = work / "corpus.txt", [*corpus[3000:3200], "".join(corpus[:60])]
    data.write_text("\n".join(corpus[:3000]))
    text = (*SMALL, "net.length=32", "train.batch_tokens=1024", "tokenizer.size=768")
    model = mw.train(str(data), out=str(work / "text"), steps=150, settings=text)
    out |= {"text weights": weights(work / "text"), "text fills": filled(model.fill(QUERIES, n=3))}
    out |= {"text draws": filled(model.fill(QUERIES, draws=3, seed=2)), "text scores": scored(model, some)}
    out |= {"text sets": filled(model.fill(QUERIES[:1], coverage=0.8)), "text vectors": digest(model.embed(some).tobytes())}
    again = mw.train(str(data), out=str(work / "init"), steps=40, init=str(work / "text"), extend_vocab=64,
                     settings=("train.batch_tokens=1024", "train.look_tokens=3000", "calibration.slots=400"))  # fmt: skip
    out |= {"init weights": weights(work / "init"), "init fills": filled(again.fill(QUERIES))}
    images = waves(160)
    hole = np.zeros((64, 64), dtype=bool)
    hole[6:20, 8:22] = True
    shapes = {"image": ("net.length=64",), "vit_mae": ("image.family=vit_mae", "image.side=32")}
    for name, more in shapes.items():
        own = (*(s for s in SMALL if name == "image" or "ff" not in s), *more, "train.batch_tokens=512")
        model = mw.train(images[:150], out=str(work / name), steps=60, settings=own)
        out |= {f"{name} weights": weights(work / name), f"{name} fills": filled([model.fill(images[150], mask=hole)])}
        out |= {
            f"{name} scores": scored(model, images[150:]),
            f"{name} vectors": digest(model.embed(images[150:]).tobytes()),
        }
        out |= {f"{name} draws": filled([model.fill(images[150], mask=hole, draws=2)])}
    return out


def calls(work: Path) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    import maskwright as mw

    corpus, images, count = texts(), waves(200), itertools.count()
    data = work / "all.txt"
    data.write_text("\n".join(corpus))
    steps = (*LARGER, "train.batch_tokens=1024", "train.look_every=1000")

    def train(what: Any, steps_: int) -> Any:
        return mw.train(what, out=str(work / str(next(count))), steps=steps_, settings=steps)

    text, image = train(str(data), 60), train(images, 60)
    hole = np.zeros((64, 64), dtype=bool)
    hole[20:40, 20:40] = True
    queries = [f"{words[0]} {{mask}} {' '.join(words[2:])}" for words in (t.split() for t in corpus[:400]) if len(words) > 3]
    return {
        "train texts": lambda: train(str(data), 150),
        "train images": lambda: train(images, 60),
        "embed texts": lambda: text.embed(corpus[:2000]),
        "fill texts": lambda: text.fill(queries),
        "score texts": lambda: text.score(corpus[:200]),
        "embed images": lambda: image.embed(images),
        "fill images": lambda: image.fill(images[:40], mask=hole),
    }


def serve(work: Path) -> None:
    """Times what is asked for on standard input, and says how long it took; training as its own clock of steps has it."""
    known = calls(work)
    print(json.dumps(list(known)), flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        known[line.strip()]()
        took = time.perf_counter() - begun
        if line.startswith("train"):
            newest = max(work.glob("*/metrics.jsonl"), key=lambda path: int(path.parent.name))
            took = json.loads(newest.read_text().splitlines()[-1])["t"]
        print(took, flush=True)


def side(source: Path, what: str, **pipes: Any) -> subprocess.Popen[str]:
    """One version, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--side", what]
    environment = os.environ | {"PYTHONPATH": str(source)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, **pipes)


def said(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def asked(process: subprocess.Popen[str], name: str) -> float:
    assert process.stdin is not None
    process.stdin.write(name + "\n")
    process.stdin.flush()
    return float(said(process))


def ratios(other: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of the other version over this one's, call by call in turn: above 1 this one is faster."""
    new, old = (side(source, "speeds", stdin=subprocess.PIPE) for source in (ROOT / "src", other))
    names, same = said(new), said(old)
    assert names == same
    out = {}
    for name in names:
        for process in (new, old):
            asked(process, name)
        found = []
        for number in range(rounds if name.startswith("train") else 4 * rounds):
            took = {process: asked(process, name) for process in ((new, old) if number % 2 else (old, new))}
            found.append(took[old] / took[new])
        low, middle, high = (float(np.quantile(found, q)) for q in (0.25, 0.5, 0.75))
        out[name] = {"ratio": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)], "pairs": len(found)}
    for process in (new, old):
        process.kill()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, help="the other version's src")
    parser.add_argument(
        "--rounds", type=int, default=5, help="pairs of training runs; of each other call four times as many"
    )
    parser.add_argument("--side", choices=["hashes", "speeds"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        with tempfile.TemporaryDirectory() as work:
            if options.side == "speeds":
                serve(Path(work))
            else:
                print(json.dumps(hashes(Path(work))))
        return
    other = options.other.resolve()
    ours, theirs = (said(side(source, "hashes")) for source in (ROOT / "src", other))
    rows = [{"identical": {name: ours[name] == theirs[name] for name in theirs}}, ratios(other, options.rounds)]
    report("the same bytes as another version, and as fast: this version's speed over the other's", rows)


if __name__ == "__main__":
    main()
