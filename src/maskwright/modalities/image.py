"""Pictures: records are arrays of pixels of any size, tokens are square patches, a token's value is its pixels' levels.

In: pictures, and pictures with pixels that are not known (transparent ones), which are the blanks. Out: patches, and
pictures again, whose known pixels come back byte for byte. Channels and depth are those that most pictures have; others are
brought to them, or refused by name.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from maskwright import boxes
from maskwright.errors import DataError, ModelError, QueryError, RecipeError
from maskwright.masking import MaskConfig, at_random
from maskwright.modalities.base import Asked, Cut, Floor
from maskwright.modalities.edges import MOST_PATCHES, Edges
from maskwright.nets.encoder import NetConfig
from maskwright.nets.pixels import Levels, PixelHead, PixelInput, placed
from maskwright.records.forms import PICTURES, Form, told
from maskwright.records.pictures import Picture
from maskwright.records.read import Record, Source
from maskwright.tokens import Array, Batch, Tokens

FILE = "image.json"
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""of red, green and blue (ITU-R BT.601)"""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    patch: int = 8
    """pixels a side"""
    channels: int = 0
    """1 (grey), 3 (RGB), or what arrays have; 0: what most pictures have"""
    bits: int = 0
    """8 or 16 a channel; 0: what most pictures have"""

    def __post_init__(self) -> None:
        if not 1 <= self.patch <= 32 or self.channels < 0 or self.bits not in (0, 8, 16):
            raise RecipeError("image.patch must lie between 1 and 32, image.channels be at least 0, image.bits 0, 8 or 16")


class Image:
    name = "image"
    section = "image"
    form: Form = PICTURES
    axes = 2
    frame_size = 0
    mask = MaskConfig(schedule="uniform", rate=0.95, rate_end=0.05)
    """`score` and `fill` hide little or much"""
    exact = False

    def __init__(self) -> None:
        self.config = ImageConfig()
        self.channels, self.bits = 0, 0

    def configure(self, config: ImageConfig) -> None:
        self.config = config

    def describe(self) -> Any:
        return [self.name, self.config.patch, self.config.channels, self.config.bits]

    @property
    def levels(self) -> int:
        return 1 << self.bits

    @property
    def values(self) -> int:
        """Of a patch."""
        return self.config.patch**2 * self.channels

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        depth = np.uint8 if self.bits == 8 else np.uint16
        known = -(-(self.config.patch**2) // 8)
        return {"pixels": np.dtype((depth, (self.values,))), "known": np.dtype((np.uint8, (known,)))}

    def claims(self, source: Source) -> tuple[float, str]:
        form, why = told(source.paths, source.field)
        return 0.9 * (form is PICTURES), why

    def fit(self, sample: Iterable[Record], size: int) -> None:
        shapes = Counter((r.value.pixels.shape[2], 8 * r.value.pixels.dtype.itemsize) for r in sample)
        channels, bits = shapes.most_common(1)[0][0]
        self.channels, self.bits = self.config.channels or channels, self.config.bits or bits

    def save(self, folder: Path, length: int) -> None:
        about = {"patch": self.config.patch, "channels": self.channels, "bits": self.bits}
        (folder / FILE).write_text(json.dumps(about, indent=2) + "\n")

    def load(self, folder: Path) -> None:
        try:
            about = json.loads((folder / FILE).read_text())
            self.config = ImageConfig(patch=about["patch"], channels=about["channels"], bits=about["bits"])
        except (OSError, ValueError, KeyError, TypeError, RecipeError):
            raise ModelError(f"{folder / FILE}: missing or damaged; take the folder from its origin again") from None
        self.channels, self.bits = self.config.channels, self.config.bits

    # Cutting

    def tokenise(self, records: Sequence[Record]) -> list[Cut]:
        return [self._cut(*self._brought(record)) for record in records]

    def _brought(self, record: Record) -> tuple[Array, Array]:
        """(rows, columns, C) levels in the model's channels and depth; (rows, columns) which are known."""
        pixels, own = record.value.pixels, record.value.pixels.shape[2]
        if self.bits == 8 and pixels.dtype == np.uint16:  # a camera's 12 bits would look black in the upper byte of 16
            depth = max(8, int(pixels.max(initial=0)).bit_length())
            pixels = (pixels >> (depth - 8 if depth <= 12 else 8)).astype(np.uint8)
        elif self.bits == 16 and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.uint16) * 257
        if own == 1 and self.channels == 3:
            pixels = np.repeat(pixels, 3, axis=2)
        elif own == 3 and self.channels == 1:
            pixels = (pixels @ LUMINANCE).round().astype(pixels.dtype)[..., None]
        elif own != self.channels:
            raise DataError(
                f"{record.source}: {own} channels, where the model has {self.channels}; leave it out, or convert it"
            )
        known = record.value.known
        return pixels, np.ones(pixels.shape[:2], dtype=bool) if known is None else known

    def _cut(self, pixels: Array, known: Array) -> Cut:
        p = self.config.patch
        extents = tuple(-(-n // p) for n in known.shape)
        edge = [(0, e * p - n) for e, n in zip(extents, known.shape, strict=True)]
        patches = np.pad(pixels, [*edge, (0, 0)]).reshape(extents[0], p, extents[1], p, self.channels).swapaxes(1, 2)
        shown = np.pad(known, edge).reshape(extents[0], p, extents[1], p).swapaxes(1, 2)
        columns = {
            "pixels": np.ascontiguousarray(patches.reshape(-1, self.values)),
            "known": np.packbits(shown.reshape(-1, p * p), axis=1),
        }
        return Cut(columns, extents)

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        p, places = self.config.patch, boxes.places(sizes)
        known = np.unpackbits(columns["known"], axis=1, count=p * p).astype(bool)
        t = len(known)
        corner = places[:, ::-1] * p
        return Batch(
            values={"pixels": columns["pixels"].astype(np.int32), "known": known},
            positions=places,
            kind=np.zeros(t, dtype=np.int64),
            present=np.asarray(known.any(axis=1)),
            maskable=np.ones(t, dtype=bool),
            unit=np.arange(t),
            where=np.concatenate([corner, corner + p], axis=1),
            cu_seqlens=np.concatenate([[0], np.cumsum(sizes.prod(axis=1))]).astype(np.int64),
            keys=keys,
        )

    def frame(self, batch: Batch) -> Batch:
        return batch

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        return [self._tokens(cut) for cut in self.tokenise(records)]

    def _tokens(self, cut: Cut) -> Tokens:
        return self.unpack(cut.columns, np.array([cut.shape]), np.zeros(1, dtype=np.uint64)).take(slice(None))

    # Queries

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Asked]:
        if targets is not None:
            raise QueryError(f"{record.source}: targets are for text; a picture's blanks are filled, or drawn")
        pixels, known = self._brought(record)
        if known.all():
            raise QueryError(
                f"{record.source}: nothing to fill: no pixel is transparent; make those so that shall be filled"
            )
        cut = self._cut(pixels, np.ones_like(known))
        asked = self._cut(pixels, ~known).columns["known"].any(axis=1)  # a blank that touches a patch hides it whole
        tokens = self._tokens(cut)
        present = tokens.present & ~asked
        return [Asked(Tokens(**{**vars(tokens), "present": present}), (pixels, known))]

    def restrict(self, distribution: Any, asked: Sequence[tuple[Asked, int]]) -> Levels:
        assert isinstance(distribution, Levels)
        return distribution

    def decode(self, tokens: Tokens, asked: Asked) -> Picture:
        pixels, known = asked.template
        rows, columns = (int(n) for n in tokens.positions.max(0) + 1)
        p = self.config.patch
        patches = tokens.values["pixels"].reshape(rows, columns, p, p, self.channels).swapaxes(1, 2)
        whole = patches.reshape(rows * p, columns * p, self.channels)[: known.shape[0], : known.shape[1]]
        return Picture(np.where(known[..., None], pixels, whole.astype(pixels.dtype)))

    def label(self, values: dict[str, Array]) -> list[str]:
        """The mean colour, as it is written in web pages; of other channels their means."""
        mean = values["pixels"].reshape(len(values["pixels"]), -1, self.channels).mean(axis=1) * 255 / (self.levels - 1)
        shown = np.repeat(mean, 3, axis=1) if self.channels == 1 else mean
        return ["#" + "".join(f"{round(c):02x}" for c in row) for row in shown.tolist()]

    def size(self, record: Record) -> int:
        return int(record.value.pixels.nbytes)

    # The net

    def input(self, config: NetConfig) -> PixelInput:
        return PixelInput(self.values, self.channels, self.levels, config)

    def head(self, config: NetConfig, inputs: nn.Module) -> PixelHead:
        return PixelHead(self.values, self.channels, self.levels, config)

    def start(self, net: Any, shards: Any, train: Array) -> None:
        """Every value begins at its channel's mean, as wide as its channel spreads."""
        flat, _ = shards.column("pixels", train, MOST_PATCHES)
        bits, _ = shards.column("known", train, MOST_PATCHES)
        known = np.unpackbits(bits, axis=1, count=self.config.patch**2).astype(bool)[:MOST_PATCHES].ravel()
        pixels_ = flat[:MOST_PATCHES].reshape(-1, self.channels)[known].astype(np.int32)
        level = placed(torch.from_numpy(pixels_), self.levels)
        if len(level) < 2:
            return
        spread = (level.std(0) * math.sqrt(3) / math.pi).clamp(min=0.02).log()
        with torch.no_grad():
            pixels = self.config.patch**2
            net.head.out.bias.copy_(torch.cat((level.mean(0).repeat(pixels), spread.repeat(2 * pixels))))

    def checkpoint(self, folder: Path) -> NetConfig:
        raise ModelError(f"{folder}: going on from a checkpoint of pictures is not possible yet; leave --init out")

    def adopt(self, net: nn.Module, folder: Path) -> bool:
        return False

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        chosen = train[:: max(1, -(-int(shards.lengths[train].sum()) // MOST_PATCHES))]
        shapes = shards.shapes[chosen]
        batch = self.unpack(shards.pieces(chosen, np.zeros_like(shapes), shapes), shapes, shards.keys[chosen])
        counted = Edges.of(batch, at_random(batch, 0.15, 1), self.config.patch, self.channels, self.levels)
        return {"frequency": counted.frequency_nats, "neighbours": counted.neighbour_nats}

    def hugging_face(self, config: Any) -> None:
        return None
