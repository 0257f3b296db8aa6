"""Images: a folder of files, or an archive that holds their encoded bytes in one stream.

``folders`` describes a folder. An archive (``.npz``) holds ``jpeg_train``, ``offset_train``,
``y_train`` and the same with ``_test`` (``_validation`` and ``_calibration`` are optional, as is
``id_<split>``), or without ready splits ``jpeg``, ``offset``, ``y`` and optionally ``group`` and
``id``; ``classes`` may name the labels. Instead of ``jpeg``, the key may begin with ``png``,
``image`` or ``bytes``. Image i is ``jpeg[offset[i]:offset[i + 1]]``.

``image_pixels`` says how an image becomes uint8.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from ...errors import HostError
from ..progress import Progress
from ..recipe.data import Data
from . import folders, npz
from .image_archive import from_archive, is_archive
from .image_pixels import Decode, Encoded, decode, decode_first

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif"})


def fingerprint(source: str) -> str:
    """The hash of the folder's names and contents, or of the archive.

    Raises:
        DataError: there is neither.
    """
    if not is_archive(source):
        return folders.fingerprint(Path(source), SUFFIXES)
    return npz.fingerprint(source)


def read(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """All images decoded, as read-only memory maps below ``scratch``, in constant memory.

    Args:
        source: a folder, or an ``.npz`` file.
        scratch: an empty folder.
        data: the recipe's section; ``data.image`` has the size and the channels.
        progress: advances with each block of images.

    Returns:
        Samples uint8 [n, height, width, 3], or [n, height, width] if greyscale, and the other
        arrays of a source; see ``data/__init__.py``.

    Raises:
        DataError: a wrong listing, or an image that is broken, too large, or of another size than
            the first if the recipe sets no size.
        HostError: Pillow is missing.
    """
    return _read(source, scratch, data, progress, decode)


def outline(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """The arrays of ``read``, where the first image stands for all; arguments as there."""
    return _read(source, scratch, data, progress, decode_first)


def _read(
    source: str, scratch: Path, data: Data, progress: Progress, decode: Decode
) -> dict[str, Any]:
    _require_pillow()
    if is_archive(source):
        arrays, changes = from_archive(source, scratch, data, progress, decode)
    else:
        items = folders.listing(Path(source), SUFFIXES, data)
        files = Encoded(
            len(items), lambda i: items[i].path.read_bytes(), lambda i: str(items[i].path)
        )
        x, changes = decode(files, scratch / "x.npy", data.image, progress)
        arrays = folders.arrays(items, x, data)
    x = next(value for key, value in arrays.items() if key in ("x", "x_train"))
    height, width = x.shape[1:3]
    return arrays | {
        "layout": "hw" if data.image.channels == 1 else "hwc",
        "front_end": {
            "kind": "image",
            "height": height,
            "width": width,
            "channels": "L" if data.image.channels == 1 else "RGB",
            "resize": "bilinear" if data.image.size else None,
            "values": "uint8 0..255",
        },
        "notes": _notes(changes, height, width),
    }


def _notes(changes: Counter[str], height: int, width: int) -> tuple[str, ...]:
    texts = {
        "transparent": "partly transparent and drawn over black",
        "deep": "greyscale with 16 bits, of which the high 8 were used",
        "aspect": f"of another aspect ratio than height {height} by width {width} and squeezed or "
        "stretched to it",
    }
    return tuple(
        f"{changes[key]} {'image was' if changes[key] == 1 else 'images were'} {text}."
        for key, text in texts.items()
        if changes[key]
    )


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise HostError(
            "reading images needs Pillow, which is not installed",
            where="data.source",
            fix="pip install 'edgestill[vision]'",
        ) from None
