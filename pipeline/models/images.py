"""Channels, height and width of a sample, for the families that take images."""

from typing import NamedTuple

from .signature import Signature, unfit


class Image(NamedTuple):
    """The size of one image."""

    channels: int
    height: int
    width: int


def image(model: str, of: Signature) -> Image:
    """The size of a sample that is an image.

    Raises:
        RecipeError: the sample is a row of a table, a window or a text.
    """
    if of.layout not in ("hw", "hwc", "chw"):
        raise unfit(model, of, "images", reshape="[n, height, width]")
    return Image(*of.backbone_shape)
