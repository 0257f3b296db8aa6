"""The samples on which a variant differs from its teacher, as pictures.

    pictures = read(run / "records" / "changed.npz", report, "int8-static")
    pictures[17]   # 'data:image/png;base64,…' of row 17 of test

Images are drawn in their own values where these fill a byte, else each from its least to its
largest; a spectrogram with time to the right and its lowest band below.
"""

import base64
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ..records import DataRecord, Layout

FILE = "changed.npz"
"""Of a run's records: ``<variant>/x`` [k, *sample shape] and ``<variant>/rows`` [k], of test."""
_LONGEST_SIDE = 160
_DARK = 127
_CHANNELS: Mapping[Layout, int | None] = {"hw": None, "hwc": 3, "chw": 1}
"""The axis of channels of [k, *sample shape], for the layouts that are images."""


def read(path: Path, data: DataRecord, variant: str) -> dict[int, str] | str:
    """A variant's changed samples as PNG data URIs by row of test, or why there are none.

    Empty where samples are no images.

    Args:
        path: of ``changed.npz``.
        data: the layout of a sample.
        variant: whose answers.
    """
    if data.layout not in _CHANNELS:
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            x, rows = arrays[f"{variant}/x"], arrays[f"{variant}/rows"]
    except OSError as error:
        reason = error.strerror or str(error)
        return f"the changed samples cannot be read: {reason.lower()}"
    except KeyError:
        return f"no changed samples of {variant} were kept"
    except (ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        return f"the changed samples cannot be read: {error or type(error).__name__}"
    if x.dtype.kind not in "biuf" or x.shape != (*rows.shape, *data.sample_shape) or rows.ndim != 1:
        return f"the changed samples have shape {list(x.shape)}, which fits no {data.layout}"
    # Bytes may hold less than a byte: the bundled digits go from 0 to 16.
    if x.dtype == np.uint8 and x.max(initial=0) <= _DARK:
        x = x.astype(np.float32)
    return {int(row): uri(image(sample, data)) for row, sample in zip(rows, x, strict=True)}


def image(sample: NDArray[Any], data: DataRecord) -> NDArray[np.uint8]:
    """One sample as uint8 [height, width] or [height, width, 3], its sides at most 160 long."""
    axis = _CHANNELS[data.layout]
    pixels = sample if axis is None else np.moveaxis(sample, axis - 1, -1)
    if (data.front_end or {}).get("front_end") in ("log-mel", "mfcc"):
        pixels = pixels.T[::-1]
    step = -(-max(pixels.shape[:2]) // _LONGEST_SIDE)
    pixels = _bytes(pixels[::step, ::step])
    if axis is None or pixels.shape[2] == 3:
        return pixels
    # Neither grey nor colour: no channel says more than another.
    return np.asarray(pixels.mean(2), np.uint8)


def uri(pixels: NDArray[np.uint8]) -> str:
    """Pixels as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as a PNG file (W3C, Portable Network Graphics, third edition, 2025): 8 bits a channel.

    Args:
        pixels: uint8 [height, width] for grey or [height, width, 3] for RGB.
    """
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    lines = pixels.reshape(height, -1)
    # Every line begins with the number of its filter: none.
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    spread = high - low or 1.0
    return np.asarray(np.round(255.0 * ((values - low) / spread)), np.uint8)
