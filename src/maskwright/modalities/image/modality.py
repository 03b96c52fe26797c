"""Pictures: records are arrays of pixels of any size, tokens are square patches, a token's value is its pixels' levels.

In: pictures, and pictures with pixels that are not known (transparent ones), which are the blanks. Out: patches, and
pictures again, whose known pixels come back byte for byte. Channels and depth are those that most pictures have; others are
brought to them, or refused by name. Which net reads them is said in `picture_net.py`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from maskwright.errors import DataError, ModelError, QueryError, RecipeError
from maskwright.modalities.base import Floor, Pooling, Query, TokenColumns
from maskwright.modalities.image import augment
from maskwright.modalities.image.blend import blended
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.edge_baseline import MOST_PATCHES, EdgeBaseline
from maskwright.modalities.image.net import PREPROCESSOR, Architecture, architecture, left_open, of_others
from maskwright.modalities.image.pixel_format import WHOLE, Once, PixelFormat
from maskwright.nets.checkpoints import convert
from maskwright.nets.checkpoints.vit import VIT_FAMILIES
from maskwright.nets.encoder import NetConfig
from maskwright.nets.heads.pixels import Levels, placed
from maskwright.records.forms import PICTURES, Form, told
from maskwright.records.pictures import Image
from maskwright.records.read import Record, Source
from maskwright.tokens import Array, Batch, Tokens, grid
from maskwright.tokens.masking import MaskConfig, at_random, uniform

FILE = "image.json"
VIEW = 1 << 44
"""counter from which a view draws its chance, far from those of masks"""
MOST_VALUES = 4096
"""in a patch: the head knows how each follows every other"""


@dataclass(frozen=True)
class _Template:
    """A picture with blanks, in the model's terms."""

    picture: Image
    known: Array
    """(N, p * p) which pixels of every patch"""


class ImageModality:
    name = "image"
    section = "image"
    form: Form = PICTURES
    axes = 2
    pooling = Pooling(cells=2, deviation=True)
    exact = False

    def __init__(self) -> None:
        self.config = ImageConfig()
        self.channels = self.bits = self.depth = 0
        self._brightest, self._seen = 0, False
        """of 16-bit pictures, and whether anything is to be seen, before `fit`"""
        self._warn = Once()

    def configure(self, config: ImageConfig) -> None:
        self.config = config

    def brings(self, folder: Path) -> dict[str, Any]:
        self.load(folder)
        free = () if (folder / FILE).is_file() else left_open(folder)
        return {name: value for name, value in asdict(self.config).items() if name not in free}

    def describe(self) -> Any:
        return [self.name, *(list(v) if isinstance(v, tuple) else v for v in asdict(self.config).values())]

    @property
    def net(self) -> Architecture:
        return architecture(self.config, self.channels, self.levels)

    @property
    def mask(self) -> MaskConfig:
        return self.net.mask

    @property
    def finer(self) -> str:
        return f"set smaller patches (--set image.patch={max(self.config.patch // 4, 1)})"

    @property
    def caveats(self) -> dict[str, str]:
        return self.net.caveats

    @property
    def frame_size(self) -> int:
        return self.net.frame_size

    @property
    def terms(self) -> PixelFormat:
        return PixelFormat(self.channels, self.bits, self.depth, self.config.square, self.config.longest, self._warn)

    @property
    def levels(self) -> int:
        return self.terms.top + 1

    @property
    def values(self) -> int:
        """Of a patch."""
        return self.net.values

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        known = -(-(self.config.patch**2) // 8)
        return {"pixels": np.dtype((self._dtype, (self.values,))), "known": np.dtype((np.uint8, (known,)))}

    @property
    def _dtype(self) -> type[Any]:
        return np.uint8 if self.bits == 8 else np.uint16

    def claims(self, source: Source) -> tuple[float, str]:
        form, why = told(source.paths, source.field, source.values)
        return 0.9 * (form is PICTURES), why

    def notice(self, record: Record) -> None:
        picture = record.value
        self._seen = self._seen or picture.known is None or bool(picture.known.any())
        if picture.pixels.dtype == np.uint16:  # one that a sample lacks may be brighter than all that it has
            self._brightest = max(self._brightest, picture.brightest)

    def fit(self, sample: Iterable[Record], size: int) -> None:
        shapes: Counter[tuple[int, int]] = Counter()
        for record in sample:
            pixels = record.value.pixels
            shapes[pixels.shape[2], 8 * pixels.dtype.itemsize] += 1
            self.notice(record)
        brightest = self._brightest
        if not self._seen:
            raise DataError("all of these pictures are transparent everywhere; give some of which something is seen")
        channels, bits = shapes.most_common(1)[0][0]
        self.channels, self.bits = self.config.channels or channels, 8 if self.config.family else self.config.bits or bits
        self.depth = self.config.depth or (max(brightest.bit_length(), 9) if brightest else WHOLE if self.bits == 16 else 0)
        if self.values > MOST_VALUES:
            raise RecipeError(
                f"image.patch = {self.config.patch}: {self.values:,} values in a patch of {self.channels} channels, over the"
                f" limit of {MOST_VALUES:,}; set it lower"
            )
        if wrong := self.config.ill_normed(self.channels):
            raise RecipeError(f"image.mean and image.deviation: {wrong}")

    def save(self, folder: Path, length: int) -> None:
        about = asdict(replace(self.config, channels=self.channels, bits=self.bits, depth=self.depth))
        (folder / FILE).write_text(json.dumps(about, indent=2) + "\n")

    def load(self, folder: Path) -> None:
        own, named = (folder / FILE).is_file(), folder / FILE
        try:
            if own:
                said = json.loads(named.read_text())
                values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in said.items()}
                self.config = ImageConfig(**values)
            else:  # another library's
                self.config, named = of_others(folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            where = named if own else folder / PREPROCESSOR
            raise ModelError(f"{where}: missing or damaged; take the folder from its origin again") from None
        except RecipeError as error:
            raise ModelError(f"{named if own else folder}: {error}") from None
        self.channels, self.bits, self.depth = self.config.channels, self.config.bits, self.config.depth
        if wrong := self.config.ill_normed(self.channels):
            raise ModelError(f"{named}: {wrong}")

    # Cutting

    def tokenise(self, records: Sequence[Record]) -> list[TokenColumns]:
        return [self._cut(*self.terms.brought(record.value, record.source)) for record in records]

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

    def varied(self, columns: dict[str, Array], sizes: Array, keys: Array) -> dict[str, Array]:
        if not self.config.shift:
            return columns
        p = self.config.patch
        known = np.unpackbits(columns["known"], axis=1, count=p * p).reshape(-1, p, p).astype(bool)
        chance = uniform(keys[:, None], VIEW + np.arange(2)[None])
        pixels, known = augment.shifted(columns["pixels"].reshape(-1, p, p, self.channels), known, sizes, chance)
        return {"pixels": pixels.reshape(-1, self.values), "known": np.packbits(known.reshape(-1, p * p), axis=1)}

    def frame(self, batch: Batch) -> Batch:
        return self.net.frame(batch)

    def encode(self, records: Sequence[Record]) -> list[Tokens]:
        return [self._placed(self._tokens(cut), r.value) for cut, r in zip(self.tokenise(records), records, strict=True)]

    def _placed(self, tokens: Tokens, picture: Image) -> Tokens:
        """With their places in the picture itself, which may have been read smaller, and may end before its last patches."""
        own = picture.pixels.shape[:2]
        extents, here = np.array([*own[::-1]] * 2), np.array([*self.terms.shape(*own)[::-1]] * 2)
        where = tokens.where * extents / here
        return replace(tokens, where=np.minimum(where.round(), extents).astype(np.int64))

    def _tokens(self, cut: TokenColumns) -> Tokens:
        return self.unpack(cut.columns, np.array([cut.shape]), np.zeros(1, dtype=np.uint64)).take(slice(None))

    # Queries

    def blanks(self, record: Record, targets: Sequence[str] | None = None) -> list[Query]:
        if record.value.known is None or record.value.known.all():
            raise QueryError(
                f"{record.source}: nothing to fill: no pixel is more than half transparent, and no mask hides one"
            )
        pixels, known = self.terms.brought(record.value, record.source)
        cut = self._cut(pixels, np.ones_like(known))  # beyond the picture's edge nothing is known either way
        shown = np.unpackbits(self._cut(pixels, known).columns["known"], axis=1, count=self.config.patch**2).astype(bool)
        tokens = self._tokens(cut)
        whole = (shown == tokens.values["known"]).all(axis=1)  # touched by a blank, a patch is hidden whole
        template = _Template(record.value, shown)
        return [Query(replace(tokens, present=tokens.present & whole), template, informed=bool(known.any()))]

    def restrict(self, distribution: Any, asked: Sequence[tuple[Query, int]]) -> Levels:
        """What is known of a patch that a blank touches goes with what is drawn beside it; beyond edges nothing is drawn."""
        assert isinstance(distribution, Levels)
        rows, level, known, there = [], [], [], []
        for row, (query, at) in enumerate(asked):
            inside = query.tokens.values["known"][at]
            if query.template and (query.template.known[at].any() or not inside.all()):
                rows.append(row)
                level.append(query.tokens.values["pixels"][at])
                known.append(query.template.known[at])
                there.append(inside)
        return distribution.given(rows, np.stack(level), np.stack(known), np.stack(there)) if rows else distribution

    def decode(self, tokens: Tokens, asked: Query) -> Image:
        rows, columns = (int(n) for n in tokens.positions.max(0) + 1)
        p, picture = self.config.patch, asked.template.picture
        height, width = self.terms.shape(*picture.pixels.shape[:2])
        levels = augment.whole(tokens.values["pixels"].reshape(-1, p, p, self.channels), rows, columns)[:height, :width]
        known = augment.whole(asked.template.known.reshape(-1, p, p), rows, columns)[:height, :width]
        return self.terms.returned(picture, blended(levels.astype(self._dtype), ~known, p, self.terms.top))

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
        return self.terms.reduced(value)

    def size(self, record: Record) -> int:
        """Of what is known of it, in the model's terms, as far as those are known: what its tokens hold."""
        pixels, known = record.value.pixels, record.value.known
        rows, columns = self.terms.shape(*pixels.shape[:2])
        each = self.channels * self.bits // 8 if self.channels else pixels.shape[2] * pixels.dtype.itemsize
        return round(rows * columns * each * (1.0 if known is None else float(known.mean())))

    # The net

    def shaped(self, config: NetConfig, given: Mapping[str, Any]) -> NetConfig:
        return self.net.shaped(config, given)

    def input(self, config: NetConfig) -> nn.Module:
        return self.net.input(config)

    def head(self, config: NetConfig, inputs: nn.Module) -> nn.Module:
        return self.net.head(config)

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
            net.head.begin(level.mean(0).repeat(pixels), spread.repeat(pixels))

    def checkpoint(self, folder: Path) -> NetConfig:
        return convert.read_config(folder, VIT_FAMILIES)[0]

    def adopt(self, net: nn.Module, folder: Path) -> bool:
        return convert.adopted(net, convert.read(folder, VIT_FAMILIES)[2], folder)

    def floors(self, shards: Any, train: Array) -> dict[str, Floor]:
        sizes = grid.sides(shards.shapes[train], MOST_PATCHES // 20)  # of large pictures the middle
        every = max(1, -(-int(sizes.prod(axis=1).sum()) // MOST_PATCHES))
        chosen, sizes = train[::every], sizes[::every]
        corners = (shards.shapes[chosen] - sizes) // 2
        batch = self.unpack(shards.pieces(chosen, corners, sizes), sizes, shards.keys[chosen])
        counted = EdgeBaseline.of(batch, at_random(batch, 0.15, 1), self.config.patch, self.channels, self.levels)
        return {"frequency": counted.frequency_nats, "neighbours": counted.neighbour_nats}

    def hugging_face(self, config: Any) -> dict[str, Any] | None:
        return self.net.files(config)
