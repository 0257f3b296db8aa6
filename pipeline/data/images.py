"""Images: a folder of files, or an archive that holds their encoded bytes in one stream.

A folder is laid out as ``folders`` says. An archive (``.npz``) holds ``jpeg_train``,
``offset_train``, ``y_train`` and the same with ``_test`` (``_validation`` and ``_calibration`` are
optional, as is ``id_<split>``), or without ready splits ``jpeg``, ``offset``, ``y`` and optionally
``group`` and ``id``; ``classes`` may name the labels. For ``jpeg``, the key may say ``png``,
``image`` or ``bytes``. Image i is ``jpeg[offset[i]:offset[i + 1]]``.

Every image becomes uint8, once:

1. turned as its EXIF orientation says; of several frames, the first;
2. 8 bits a channel: of 16 the high byte;
3. what is transparent laid over black;
4. RGB, or grey by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B);
5. resized bilinearly, with antialiasing when it shrinks, to the size told; its aspect is not kept.
"""

import os
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from .. import tasks
from ..progress import Progress
from ..recipe.data import Data, ImageForm
from ..records import Split
from . import folders, npz
from .archive import unpacked
from .arrays import create

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif"})
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")
"""The only decoders tried, whatever a file is called: some of Pillow's others run programs."""
PREFIXES = ("jpeg", "png", "image", "bytes")
"""What a stream's key may begin with."""
_BLOCK = 64
"""Images a thread decodes in one go."""
_MOST_THREADS = 8
_FIX = "write it with numpy.savez(file, jpeg=…, offset=…, y=…) from numeric arrays"
_SAME_ASPECT = 0.02
"""Relative difference of aspect ratios that rounding to whole pixels may leave."""


class Encoded(NamedTuple):
    """Images as files hold them.

    Attributes:
        total: how many.
        content: the bytes of one.
        name: what a refusal calls one.
    """

    total: int
    content: Callable[[int], bytes]
    name: Callable[[int], str]


def fingerprint(told: str) -> str:
    """The hash of the folder's names and contents, or of the archive.

    Raises:
        DataError: there is neither.
    """
    if not _is_archive(told):
        return folders.fingerprint(Path(told), SUFFIXES)
    return npz.fingerprint(told)


def read(told: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """All images decoded, as read-only memory maps below ``scratch``; memory use stays flat.

    Args:
        told: a folder, or an ``.npz`` file.
        scratch: an empty folder.
        data: the recipe's part; ``data.image`` says the size and the channels.
        progress: told how far it is.

    Returns:
        Samples uint8 [n, height, width, 3], or [n, height, width] of grey, and what belongs to
        them; see ``data/__init__.py``.

    Raises:
        DataError: a listing that cannot be followed, an image that is broken, too large, or of
            another size than the first where no size is told.
        HostError: Pillow is missing.
    """
    _has_pillow()
    if _is_archive(told):
        found, facts = _from_archive(told, scratch, data, progress)
    else:
        items = folders.listing(Path(told), SUFFIXES, data)
        files = Encoded(
            len(items), lambda i: items[i].path.read_bytes(), lambda i: str(items[i].path)
        )
        x, facts = decode(files, scratch / "x.npy", data.image, progress)
        found = folders.arrays(items, x, data)
    x = next(value for key, value in found.items() if key in ("x", "x_train"))
    height, width = x.shape[1:3]
    return found | {
        "layout": "hw" if data.image.channels == 1 else "hwc",
        "front_end": {
            "kind": "image",
            "height": height,
            "width": width,
            "channels": "L" if data.image.channels == 1 else "RGB",
            "resize": "bilinear" if data.image.size else None,
            "values": "uint8 0..255",
        },
        "notes": _notes(facts, height, width),
    }


# --- decoding ----------------------------------------------------------------------------------


def decode(
    images: Encoded, target: Path, form: ImageForm, progress: Progress
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Decode all images into one file, in as many threads as there are cores, up to eight.

    Args:
        images: to decode.
        target: the ``.npy`` file to make.
        form: size and channels.
        progress: told of each block.

    Returns:
        uint8 [n, height, width, 3] or [n, height, width], a read-only memory map, and how many
        images were put over black ("transparent"), cut to 8 bits ("deep") or squeezed ("aspect").

    Raises:
        DataError: names the first image that is broken, too large or of another size.
    """
    from PIL.Image import DecompressionBombWarning

    facts: Counter[str] = Counter()
    with warnings.catch_warnings():
        # What Pillow warns of is either harmless (EXIF it cannot read) or a bomb.
        warnings.filterwarnings("ignore", module=r"PIL\b")
        warnings.simplefilter("error", DecompressionBombWarning)
        first = _pixels(images, 0, form, Counter())
        out = create(target, np.uint8, (images.total, *first.shape))

        def fill(start: int) -> Counter[str]:
            seen: Counter[str] = Counter()
            for row in range(start, min(start + _BLOCK, images.total)):
                pixels = _pixels(images, row, form, seen)
                if pixels.shape != first.shape:
                    raise DataError(
                        found=f"height by width {_shown(pixels)}",
                        expected=f"{_shown(first)} as of {images.name(0)}",
                        where=images.name(row),
                        fix="say size = [height, width] in [data.image] to resize them",
                    )
                out[row] = pixels
            return seen

        starts = range(0, images.total, _BLOCK)
        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        with (
            ThreadPoolExecutor(threads) as pool,
            progress.steps("decoding images", len(starts)) as steps,
        ):
            # In order, so that of several faults it is the first that is named.
            for start, seen in zip(starts, pool.map(fill, starts), strict=True):
                facts += seen
                steps.advance(f"{min(start + _BLOCK, images.total)} of {images.total} images")
    return np.load(target, mmap_mode="r"), facts


def _pixels(images: Encoded, row: int, form: ImageForm, seen: Counter[str]) -> NDArray[np.uint8]:
    """One image as uint8 [height, width, 3] or [height, width]."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(BytesIO(images.content(row)), formats=FORMATS) as image:
            ImageOps.exif_transpose(image, in_place=True)
            flat = _flat(image, form.channels, seen)
            if form.size is not None:
                height, width = form.size
                # Whole numbers: aspect ratios differ where the crosswise products do.
                off = abs(flat.width * height - flat.height * width)
                seen["aspect"] += off > _SAME_ASPECT * flat.height * width
                if flat.size != (width, height):
                    flat = flat.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(flat)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "not an image (JPEG, PNG, BMP, WebP or GIF)"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"more than {Image.MAX_IMAGE_PIXELS} pixels, which may be an attack"
    except Exception as error:  # noqa: BLE001  Pillow raises whatever the bytes lead it to.
        reason = f"cannot be decoded ({error})"
    raise DataError(reason, where=images.name(row), fix="repair it or take it out")


def _flat(image: "Image.Image", channels: int, seen: Counter[str]) -> "Image.Image":
    """The image with 8 bits a channel, nothing transparent, as RGB or grey."""
    from PIL import Image

    if image.mode.startswith("I"):
        seen["deep"] += 1
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        seen["transparent"] += alpha.getextrema() != (255, 255)
        black = Image.new("RGB", image.size)
        black.paste(image, mask=alpha)
        image = black
    return image.convert("L" if channels == 1 else "RGB")


def _notes(facts: Counter[str], height: int, width: int) -> tuple[str, ...]:
    texts = {
        "transparent": "partly transparent and laid over black",
        "deep": "grey with 16 bits, of which the high 8 were taken",
        "aspect": f"of another aspect ratio than height {height} by width {width} and squeezed or "
        "stretched to it",
    }
    return tuple(
        f"{facts[key]} {'image was' if facts[key] == 1 else 'images were'} {text}."
        for key, text in texts.items()
        if facts[key]
    )


def _shown(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[0]} by {pixels.shape[1]}"


# --- archives ----------------------------------------------------------------------------------


def _is_archive(told: str) -> bool:
    return told.lower().endswith(".npz") and not Path(told).is_dir()


def _from_archive(
    told: str, scratch: Path, data: Data, progress: Progress
) -> tuple[dict[str, Any], Counter[str]]:
    try:
        members = unpacked(
            Path(told), scratch, lambda names: dict(zip(names, names, strict=True)), _FIX
        )
    except FileNotFoundError:
        raise DataError(
            "no such file", where=told, fix="correct data.source in the recipe"
        ) from None
    prefix, endings = _keys(members, told)
    streams = [_stream(members, prefix, ending, told, data) for ending in endings]
    x, facts = decode(_joined(streams), scratch / "x.npy", data.image, progress)
    found: dict[str, Any] = {}
    start = 0
    for (ending, split), images in zip(endings.items(), streams, strict=True):
        suffix = f"_{split}" if split else ""
        found[f"x{suffix}"] = x[start : start + images.total]
        start += images.total
        answers = ("y",) if tasks.of(data.task).labels else ()
        for key in (*answers, "id", "group"):
            if f"{key}{ending}" in members:
                found[f"{key}{suffix}"] = members[f"{key}{ending}"]
    names = members.get("classes", members.get("labels"))
    if names is not None:
        found["labels"] = tuple(str(name) for name in np.atleast_1d(names))
    return found, facts


def _keys(members: Mapping[str, Any], told: str) -> tuple[str, dict[str, Split | None]]:
    """What the keys of the streams begin with, and their endings with the split each stands for."""
    streams: dict[str, dict[str, Split | None]] = {}
    for prefix in PREFIXES:
        names = {f"_{name}": split for name, split in folders.NAMES.items()}
        there = {e: split for e, split in ({"": None} | names).items() if prefix + e in members}
        if there:
            streams[prefix] = there
    if len(streams) == 1:
        prefix, endings = streams.popitem()
        splits = list(endings.values())
        # Two names of one split (val, valid) may not both stand there.
        ready = {"train", "test"} <= set(splits) and len(set(splits)) == len(splits)
        if splits == [None] or (ready and None not in splits):
            return prefix, endings
    raise DataError(
        found=f"keys {sorted(members)[:8]}",
        expected="one stream: jpeg, offset and y; or jpeg_train, offset_train, y_train and the "
        "same with _test",
        where=told,
    )


def _stream(
    members: Mapping[str, NDArray[Any]], prefix: str, ending: str, told: str, data: Data
) -> Encoded:
    """The images of one stream, its offsets checked."""
    key, offset_key, y_key = prefix + ending, f"offset{ending}", f"y{ending}"
    needed = (offset_key, y_key) if tasks.of(data.task).labels else (offset_key,)
    if missing := [name for name in needed if name not in members]:
        raise DataError(
            found=f"keys {sorted(members)[:8]}", expected=f"{missing[0]!r} too", where=told
        )
    stream, offset = members[key], members[offset_key]
    if stream.dtype != np.uint8 or stream.ndim != 1:
        raise DataError(
            found=f"{key!r} of {stream.dtype} {list(stream.shape)}",
            expected="uint8, one image behind the other",
            where=told,
        )
    if offset.dtype.kind not in "iu" or offset.ndim != 1 or not len(offset):
        raise DataError(
            found=f"{offset_key!r} of {offset.dtype} {list(offset.shape)}",
            expected="whole numbers: where each image begins in the stream",
            where=told,
        )
    begins = np.asarray(offset, np.int64)
    columns = [f"{name}{ending}" for name in ("y", "id", "group") if f"{name}{ending}" in members]
    counts = {name: len(np.atleast_1d(members[name])) for name in columns}
    ends_told = len(begins) - 1 in counts.values() or (not counts and begins[-1] == len(stream))
    if not ends_told:
        begins = np.append(begins, len(stream))
    images = len(begins) - 1
    if wrong := [name for name, count in counts.items() if count != images]:
        raise DataError(
            found=f"{counts[wrong[0]]} values in {wrong[0]!r} and {len(offset)} in {offset_key!r}",
            expected="one value an image, and in the offsets one more at the most",
            where=told,
        )
    bad = (np.diff(begins) <= 0) | (begins[:-1] < 0) | (begins[1:] > len(stream))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            found=f"image {row} from {begins[row]} to {begins[row + 1]} in {offset_key!r}",
            expected=f"offsets that rise from 0 to {len(stream)}, the length of {key!r}",
            where=told,
        )
    return Encoded(
        images,
        lambda i: stream[begins[i] : begins[i + 1]].tobytes(),
        lambda i: f"{told}, image {i} of {key!r}",
    )


def _joined(streams: Sequence[Encoded]) -> Encoded:
    """Several streams as one, so that all their images have to be of one size."""
    starts = list(accumulate((images.total for images in streams), initial=0))

    def of(i: int) -> tuple[Encoded, int]:
        place = bisect_right(starts, i) - 1
        return streams[place], i - starts[place]

    def content(i: int) -> bytes:
        images, row = of(i)
        return images.content(row)

    def name(i: int) -> str:
        images, row = of(i)
        return images.name(row)

    return Encoded(starts[-1], content, name)


def _has_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise HostError(
            "reading images needs Pillow, which is not installed",
            where="data.source",
            fix="pip install 'edgestill[vision]'",
        ) from None
