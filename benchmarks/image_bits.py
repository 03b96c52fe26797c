"""How many bits does a hidden byte of a new picture cost?

    python benchmarks/image_bits.py --images DIR --work DIR [--sets grocery,sign_digits] [--minutes 10]

What the run itself measured on pictures that it held out, beside both floors on the same patches; and, for scale, what PNG
and WebP need for a byte of whole pictures of the set, which see all that came before.
"""

from __future__ import annotations

import io

import numpy as np

from corpora import report
from images import opened, parser, pretrained, table


def lossless(pictures: list[bytes], kind: str, **how: object) -> float:
    """Bits a byte of pixels."""
    size = whole = 0
    for picture in pictures:
        image, out = opened(picture), io.BytesIO()
        image.save(out, kind, **how)
        size, whole = size + len(out.getvalue()), whole + np.asarray(image).nbytes
    return round(8 * size / whole, 4)


def main() -> None:
    asked = parser(__doc__ or "")
    asked.add_argument("--sets", default="grocery,sign_digits")
    asked.add_argument("--minutes", type=float, default=10)
    options = asked.parse_args()
    out = []
    for name in options.sets.split(","):
        pictures = table(options, name)["image"]
        held = pretrained(options, f"{name}-bits", pictures, options.minutes).about.held_out
        out.append({
            "pictures": name, "minutes": options.minutes, "bits_per_byte": round(held.bits_per_byte, 4),
            "edges": round(held.floor_neighbours, 4), "frequency": round(held.floor_frequency, 4),
            "png": lossless(pictures[:200], "PNG", optimize=True),
            "webp": lossless(pictures[:200], "WEBP", lossless=True, quality=100),
        })  # fmt: skip
    report("bits a byte of hidden patches of held-out pictures", out)


if __name__ == "__main__":
    main()
