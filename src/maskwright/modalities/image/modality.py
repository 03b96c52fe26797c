"""Pictures: records are arrays of pixels of any size, tokens are square patches, a token's value is its pixels' levels.

In: pictures, and pictures with pixels that are not known (transparent ones), which are the blanks. Out: patches, and
pictures again, whose known pixels come back byte for byte. Channels and depth are those that most pictures have; others are
brought to them, or refused by name. Which net reads them is said in `net.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from maskwright.errors import DataError, QueryError, RecipeError, option
from maskwright.modalities.base import Asked, Modality, Pooling, Query, TokenColumns
from maskwright.modalities.image import augment
from maskwright.modalities.image.baseline import ImageBaseline
from maskwright.modalities.image.blend import blended
from maskwright.modalities.image.checkpoints import ImageCheckpoints, read_config, write_config
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.net import Architecture, architecture
from maskwright.modalities.image.pixel_format import WHOLE, Once, PixelFormat
from maskwright.modalities.image.pixels import Image
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.pixels import Levels
from maskwright.records.record import Record
from maskwright.tokens import Array, Batch, Tokens, grid
from maskwright.tokens.masking import MaskConfig, uniform

VIEW = 1 << 44
"""The first counter from which an augmented view draws its random numbers, far from those of masks."""
MOST_VALUES = 4096
"""The most values (pixels times channels) in a patch: the head has a weight for each pair of them."""


@dataclass(frozen=True)
class _Template:
    """A picture with blanks, in the model's terms."""

    image: Image
    known: Array
    """(N, p * p) bool: which pixels of every patch are known."""


class ImageModality(Modality):
    axes = 2
    pooling = Pooling(cells=2, deviation=True)

    def __init__(self) -> None:
        self.config = ImageConfig()
        self.channels = self.bits = self.depth = 0
        self._brightest, self._seen = 0, False
        """of 16-bit pictures, and whether anything is to be seen, before `fit`"""
        self._warn = Once()

    def describe(self) -> Any:
        return [self.name, *(list(v) if isinstance(v, tuple) else v for v in asdict(self.config).values())]

    @property
    def architecture(self) -> Architecture:
        return architecture(self.config, self.channels, self.levels)

    @property
    def mask(self) -> MaskConfig:
        return self.architecture.mask

    @property
    def finer(self) -> str:
        return f"set smaller patches ({option('image.patch', max(self.config.patch // 4, 1))})"

    @property
    def caveats(self) -> dict[str, str]:
        return self.architecture.caveats

    @property
    def frame_size(self) -> int:
        return self.architecture.frame_size

    @property
    def pixel_format(self) -> PixelFormat:
        return PixelFormat(self.channels, self.bits, self.depth, self.config.square, self.config.longest, self._warn)

    @property
    def levels(self) -> int:
        return self.pixel_format.top + 1

    @property
    def values(self) -> int:
        """Of a patch."""
        return self.architecture.values

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        known = -(-(self.config.patch**2) // 8)
        return {"pixels": np.dtype((self._dtype, (self.values,))), "known": np.dtype((np.uint8, (known,)))}

    @property
    def _dtype(self) -> type[Any]:
        return np.uint8 if self.bits == 8 else np.uint16

    def observe(self, record: Record) -> None:
        image = record.value
        self._seen = self._seen or image.known is None or bool(image.known.any())
        if image.pixels.dtype == np.uint16:  # one that a sample lacks may be brighter than all that it has
            self._brightest = max(self._brightest, image.brightest)

    def fit(self, sample: Iterable[Record], size: int) -> None:
        shapes: Counter[tuple[int, int]] = Counter()
        for record in sample:
            pixels = record.value.pixels
            shapes[pixels.shape[2], 8 * pixels.dtype.itemsize] += 1
            self.observe(record)
        brightest = self._brightest
        if not self._seen:
            raise DataError("all of these pictures are transparent everywhere", fix="give some of which something is seen")
        channels, bits = shapes.most_common(1)[0][0]
        self.channels, self.bits = self.config.channels or channels, 8 if self.config.family else self.config.bits or bits
        self.depth = self.config.depth or (max(brightest.bit_length(), 9) if brightest else WHOLE if self.bits == 16 else 0)
        if self.values > MOST_VALUES:
            what = f"{self.values:,} values in a patch of {self.channels} channels, over the limit of {MOST_VALUES:,}"
            raise RecipeError(what, where=f"image.patch = {self.config.patch}", fix="set it lower", option="image.patch")
        if wrong := self.config.ill_normed(self.channels):
            raise RecipeError(wrong, where="image.mean and image.deviation")

    def save(self, folder: Path, length: int) -> None:
        write_config(folder, replace(self.config, channels=self.channels, bits=self.bits, depth=self.depth))

    def load(self, folder: Path) -> None:
        self.config = read_config(folder)
        self.channels, self.bits, self.depth = self.config.channels, self.config.bits, self.config.depth

    # Cutting

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        return [self._cut(*self.pixel_format.brought(record.value, str(record.source))) for record in records]

    def _cut(self, pixels: Array, known: Array) -> TokenColumns:
        p = self.config.patch
        extents = tuple(-(-n // p) for n in known.shape)
        edge = [(0, e * p - n) for e, n in zip(extents, known.shape, strict=True)]
        patches, shown = augment.cut(np.pad(pixels, [*edge, (0, 0)]), p), augment.cut(np.pad(known, edge), p)
        columns = {
            "pixels": np.ascontiguousarray(patches.reshape(-1, self.values)),
            "known": np.packbits(shown.reshape(-1, p * p), axis=1),
        }
        return TokenColumns(columns, extents)

    def unpack(self, columns: dict[str, Array], sizes: Array, keys: Array) -> Batch:
        p, places = self.config.patch, grid.places(sizes)
        known = np.unpackbits(columns["known"], axis=1, count=p * p).astype(bool)
        t = len(known)
        corner = places[:, ::-1] * p
        return Batch(
            # torch counts badly in 16 bits without a sign
            values={"pixels": columns["pixels"].astype(np.uint8 if self.bits == 8 else np.int32), "known": known},
            positions=places,
            kind=np.zeros(t, dtype=np.int64),
            present=np.asarray(known.any(axis=1)),
            maskable=np.ones(t, dtype=bool),
            unit=np.arange(t),
            where=np.concatenate([corner, corner + p], axis=1),
            cu_seqlens=np.concatenate([[0], np.cumsum(sizes.prod(axis=1))]).astype(np.int64),
            keys=keys,
        )

    def augmented(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        if not self.config.shift:
            return columns
        p = self.config.patch
        known = np.unpackbits(columns["known"], axis=1, count=p * p).reshape(-1, p, p).astype(bool)
        chance = uniform(keys[:, None], VIEW + np.arange(2)[None])
        pixels, known = augment.shifted(columns["pixels"].reshape(-1, p, p, self.channels), known, sizes, chance)
        return {"pixels": pixels.reshape(-1, self.values), "known": np.packbits(known.reshape(-1, p * p), axis=1)}

    def frame(self, batch: Batch) -> Batch:
        return self.architecture.frame(batch)

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        return [self._placed(self.of_columns(cut), r.value) for cut, r in zip(self.tokenise(records), records, strict=True)]

    def _placed(self, tokens: Tokens, image: Image) -> Tokens:
        """With their places in the picture itself, which may have been read smaller, and may end before its last patches."""
        own = image.pixels.shape[:2]
        extents, here = np.array([*own[::-1]] * 2), np.array([*self.pixel_format.shape(*own)[::-1]] * 2)
        where = tokens.where * extents / here
        return replace(tokens, where=np.minimum(where.round(), extents).astype(np.int64))

    # Queries

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        if record.value.known is None or record.value.known.all():
            what = "nothing to fill: no pixel is more than half transparent, and no mask hides one"
            raise QueryError(what, where=record.source)
        pixels, known = self.pixel_format.brought(record.value, str(record.source))
        cut = self._cut(pixels, np.ones_like(known))  # beyond the picture's edge nothing is known either way
        shown = np.unpackbits(self._cut(pixels, known).columns["known"], axis=1, count=self.config.patch**2).astype(bool)
        tokens = self.of_columns(cut)
        whole = (shown == tokens.values["known"]).all(axis=1)  # touched by a blank, a patch is hidden whole
        template = _Template(record.value, shown)
        return [Query(replace(tokens, present=tokens.present & whole), template, informed=bool(known.any()))]

    def restrict(self, distribution: Any, asked: Sequence[Asked]) -> Levels:
        """What is known of a patch that a blank touches goes with what is drawn beside it; beyond edges nothing is drawn."""
        assert isinstance(distribution, Levels)
        rows, level, known, there = [], [], [], []
        for row, one in enumerate(asked):
            query, at = one.query, one.index
            inside = query.tokens.values["known"][at]
            if query.template and (query.template.known[at].any() or not inside.all()):
                rows.append(row)
                level.append(query.tokens.values["pixels"][at])
                known.append(query.template.known[at])
                there.append(inside)
        return distribution.given(rows, np.stack(level), np.stack(known), np.stack(there)) if rows else distribution

    def decode(self, tokens: Tokens, query: Query) -> Image:
        rows, columns = (int(n) for n in tokens.positions.max(0) + 1)
        p, image = self.config.patch, query.template.image
        height, width = self.pixel_format.shape(*image.pixels.shape[:2])
        levels = augment.whole(tokens.values["pixels"].reshape(-1, p, p, self.channels), rows, columns)[:height, :width]
        known = augment.whole(query.template.known.reshape(-1, p, p), rows, columns)[:height, :width]
        return self.pixel_format.returned(image, blended(levels.astype(self._dtype), ~known, p, self.pixel_format.top))

    def label(self, values: dict[str, Array]) -> list[str]:
        """The mean colour of what is known, as it is written in web pages; of other channels their means."""
        pixels = values["pixels"].reshape(len(values["pixels"]), -1, self.channels)
        known = values.get("known", np.ones(pixels.shape[:2], dtype=bool))[..., None]
        mean = (pixels * known).sum(axis=1) / known.sum(axis=1).clip(1) * 255 / (self.levels - 1)
        shown = np.repeat(mean, 3, axis=1) if self.channels == 1 else mean
        return ["#" + "".join(f"{round(c):02x}" for c in row) for row in shown.tolist()]

    def shares(self, tokens: Tokens) -> Array:
        return np.asarray(tokens.values["known"].mean(axis=1))

    def reduced(self, value: Image) -> Image:
        return self.pixel_format.reduced(value)

    def size(self, record: Record) -> int:
        """Of what is known of it, in the model's terms, as far as those are known: what its tokens hold."""
        pixels, known = record.value.pixels, record.value.known
        rows, columns = self.pixel_format.shape(*pixels.shape[:2])
        each = self.channels * self.bits // 8 if self.channels else pixels.shape[2] * pixels.dtype.itemsize
        return round(rows * columns * each * (1.0 if known is None else float(known.mean())))

    # The net

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        return self.architecture.shaped(config, given)

    def input(self, config: NetConfig) -> nn.Module:
        return self.architecture.input(config)

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        return self.architecture.head(config)

    @property
    def baseline(self) -> ImageBaseline:
        return ImageBaseline(self.config.patch, self.channels, self.levels, self.unpack)

    @property
    def checkpoints(self) -> ImageCheckpoints:
        return ImageCheckpoints(self.architecture)
