"""Images: patches of pixels, what their edges reach, a net of our own or a ViT-MAE. `DESCRIPTOR` is the entry point."""

from maskwright.modalities.base import Descriptor, Modality
from maskwright.modalities.image.config import ImageConfig
from maskwright.modalities.image.value import IMAGE, claim


def _build() -> Modality:
    from maskwright.modalities.image.modality import ImageModality

    return ImageModality()


DESCRIPTOR = Descriptor(name="image", value_type=IMAGE, build=_build, claim=claim, config=ImageConfig)
