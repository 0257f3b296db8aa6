"""What an image family needs to know of a sample: channels, height and width."""

from typing import NamedTuple

from .signature import Signature, unfit


class Image(NamedTuple):
    """The size of one image."""

    channels: int
    height: int
    width: int


def image(model: str, of: Signature) -> Image:
    """The image that a sample is.

    Raises:
        RecipeError: it is a row of a table, a window or a text.
    """
    if of.layout not in ("hw", "hwc", "chw"):
        raise unfit(model, of, "images", reshape="[n, height, width]")
    return Image(*of.backbone_shape)
