"""What an image family needs to know of a sample: channels, height and width."""

from typing import NamedTuple

from ...errors import RecipeError


class Image(NamedTuple):
    """The size of one image."""

    channels: int
    height: int
    width: int


def image(model: str, sample_shape: tuple[int, ...], layout: str) -> Image:
    """The image that a sample of this shape and layout is.

    Raises:
        RecipeError: it is a row of a table.
    """
    if layout == "hw":
        return Image(1, *sample_shape)
    if layout == "hwc":
        height, width, channels = sample_shape
        return Image(channels, height, width)
    if layout == "chw":
        return Image(*sample_shape)
    raise RecipeError(
        found=f"model {model!r} for rows of {sample_shape[0]} columns",
        expected="images, or the family mlp",
        fix="reshape x to [n, height, width] or use a model such as 'mlp2'",
    )
