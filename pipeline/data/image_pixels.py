"""Image files as pixels.

Every image becomes uint8, in these steps:

1. rotated as its EXIF orientation says; of several frames, the first;
2. 8 bits per channel: of 16 bits the high byte;
3. transparent parts drawn over black;
4. RGB, or greyscale by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B);
5. resized bilinearly, with antialiasing when it shrinks, to the recipe's size, which may change its
   aspect ratio.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import ImageForm
from .arrays import create

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")
"""The only decoders in use, whatever the suffix of a file: some others of Pillow run programs."""
_BLOCK = 64
"""Images that a thread decodes at a time."""
_MAX_THREADS = 8
_SAME_ASPECT = 0.02
"""Relative difference of aspect ratios that rounding to whole pixels can cause."""


class Encoded(NamedTuple):
    """Encoded images.

    Attributes:
        total: number of images.
        content: the bytes of the image with an index.
        name: the name of the image with an index, for a message.
    """

    total: int
    content: Callable[[int], bytes]
    name: Callable[[int], str]


Decode = Callable[[Encoded, Path, ImageForm, Progress], tuple[NDArray[np.uint8], Counter[str]]]
"""``decode`` or ``decode_first``."""


def decode(
    images: Encoded, target: Path, form: ImageForm, progress: Progress
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Decode all images into one file, in up to eight threads.

    Args:
        images: to decode.
        target: the ``.npy`` file to write.
        form: size and channels.
        progress: advances with each block of images.

    Returns:
        uint8 [n, height, width, 3] or [n, height, width], a read-only memory map, and how many
        images were drawn over black ("transparent"), cut to 8 bits ("deep") or squeezed ("aspect").

    Raises:
        DataError: names the first image that is broken, too large or of another size.
    """
    from PIL.Image import DecompressionBombWarning

    changes: Counter[str] = Counter()
    with warnings.catch_warnings():
        # Pillow's other warnings are harmless, such as EXIF data that it cannot read.
        warnings.filterwarnings("ignore", module=r"PIL\b")
        warnings.simplefilter("error", DecompressionBombWarning)
        shape = _pixels(images, 0, form, Counter()).shape
        out = create(target, np.uint8, (images.total, *shape))
        starts = range(0, images.total, _BLOCK)
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        with (
            ThreadPoolExecutor(threads) as pool,
            progress.steps("decoding images", len(starts)) as steps,
        ):
            blocks = pool.map(lambda start: _decode_block(images, start, form, out), starts)
            # In order, so that the first of several broken images is the one in the message.
            for start, changed in zip(starts, blocks, strict=True):
                changes += changed
                steps.advance(f"{min(start + _BLOCK, images.total)} of {images.total} images")
    return np.load(target, mmap_mode="r"), changes


def decode_first(
    images: Encoded, target: Path, form: ImageForm, progress: Progress
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """The first image, as often as there are images and without their memory; as ``decode``."""
    first, changes = decode(images._replace(total=1), target, form, progress)
    return np.broadcast_to(first[0], (images.total, *first.shape[1:])), changes


def _decode_block(
    images: Encoded, start: int, form: ImageForm, out: NDArray[np.uint8]
) -> Counter[str]:
    """Decode the images from ``start`` on into ``out``, and count how they were changed."""
    changes: Counter[str] = Counter()
    for row in range(start, min(start + _BLOCK, images.total)):
        pixels = _pixels(images, row, form, changes)
        if pixels.shape != out.shape[1:]:
            raise DataError(
                found=f"height by width {_size(pixels.shape)}",
                expected=f"{_size(out.shape[1:])} as of {images.name(0)}",
                where=images.name(row),
                fix="set size = [height, width] in [data.image] to resize all images",
            )
        out[row] = pixels
    return changes


def _pixels(images: Encoded, row: int, form: ImageForm, changes: Counter[str]) -> NDArray[np.uint8]:
    """One image as uint8 [height, width, 3] or [height, width]."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(BytesIO(images.content(row)), formats=FORMATS) as image:
            ImageOps.exif_transpose(image, in_place=True)
            flat = _flat(image, form.channels, changes)
            if form.size is not None:
                height, width = form.size
                # In whole numbers: aspect ratios differ if their cross products do.
                difference = abs(flat.width * height - flat.height * width)
                changes["aspect"] += difference > _SAME_ASPECT * flat.height * width
                if flat.size != (width, height):
                    flat = flat.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(flat)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "not an image (JPEG, PNG, BMP, WebP or GIF)"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"more than {Image.MAX_IMAGE_PIXELS} pixels, which may be an attack"
    except Exception as error:  # noqa: BLE001  A broken file makes Pillow raise any error.
        reason = f"cannot be decoded ({error})"
    raise DataError(reason, where=images.name(row), fix="repair it or remove it from the data set")


def _flat(image: "Image.Image", channels: int, changes: Counter[str]) -> "Image.Image":
    """The image as RGB or greyscale, with 8 bits per channel and nothing transparent."""
    from PIL import Image

    if image.mode.startswith("I"):
        changes["deep"] += 1
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        changes["transparent"] += alpha.getextrema() != (255, 255)
        black = Image.new("RGB", image.size)
        black.paste(image, mask=alpha)
        image = black
    return image.convert("L" if channels == 1 else "RGB")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} by {shape[1]}"
