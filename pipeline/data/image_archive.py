"""Images from a numpy archive: encoded images in one stream of bytes; ``images`` lists its keys."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..progress import Progress
from ..recipe.data import Data
from ..records import SPLITS, Split
from .archive import unpacked
from .array_names import LABELS, meanings, require_named
from .image_pixels import Decode, Encoded, decode

PREFIXES = ("jpeg", "png", "image", "bytes")
"""How the key of a stream may begin."""
_FIX = "write it with numpy.savez(file, jpeg=…, offset=…, y=…) from numeric arrays"


def is_archive(source: str) -> bool:
    """Whether a source is an archive and not a folder."""
    return source.lower().endswith(".npz") and not Path(source).is_dir()


def from_archive(
    source: str, scratch: Path, data: Data, progress: Progress, decode: Decode = decode
) -> tuple[dict[str, Any], Counter[str]]:
    """The arrays of an archive, its images decoded; see ``images.read``.

    Returns:
        The arrays, and the counts of ``image_pixels.decode``.

    Raises:
        DataError: a key is missing or unfit, or an image is; names it.
    """
    members = unpacked(Path(source), scratch, lambda names: _wanted(names, source, data), _FIX)
    prefix, endings = _keys(members, source)
    streams = [_stream(members, prefix, ending, source, data) for ending in endings]
    x, changes = decode(_joined(streams), scratch / "x.npy", data.image, progress)
    result: dict[str, Any] = {}
    start = 0
    for (ending, split), images in zip(endings.items(), streams, strict=True):
        suffix = f"_{split}" if split else ""
        result[f"x{suffix}"] = x[start : start + images.total]
        start += images.total
        targets = ("y",) if tasks.of(data.task).labels else ()
        for key in (*targets, "id", "group"):
            if f"{key}{ending}" in members:
                result[f"{key}{suffix}"] = members[f"{key}{ending}"]
    if "labels" in members:
        result["labels"] = tuple(str(name) for name in np.atleast_1d(members["labels"]))
    return result, changes


def _wanted(names: Sequence[str], source: str, data: Data) -> dict[str, str]:
    """The member for each role and split."""
    words = {
        **LABELS,
        **{prefix: (prefix,) for prefix in PREFIXES},
        "offset": ("offset", "offsets"),
    }
    result = meanings(names, words, source, data=data)
    require_named(result, data, source, names)
    return result


def _keys(members: Mapping[str, Any], source: str) -> tuple[str, dict[str, Split | None]]:
    """The prefix of the streams' keys, and the split of each of their endings."""
    splits_of: dict[str, Split | None] = {"": None} | {f"_{split}": split for split in SPLITS}
    streams: dict[str, dict[str, Split | None]] = {}
    for prefix in PREFIXES:
        endings = {end: split for end, split in splits_of.items() if prefix + end in members}
        if endings:
            streams[prefix] = endings
    if len(streams) == 1:
        prefix, endings = streams.popitem()
        splits = list(endings.values())
        if splits == [None] or ({"train", "test"} <= set(splits) and None not in splits):
            return prefix, endings
    raise DataError(
        found=f"keys {sorted(members)[:8]}",
        expected="one stream: jpeg, offset and y; or jpeg_train, offset_train, y_train and the "
        "same with _test",
        where=source,
    )


def _stream(
    members: Mapping[str, NDArray[Any]], prefix: str, ending: str, source: str, data: Data
) -> Encoded:
    """The images of one stream."""
    key, offset_key, y_key = prefix + ending, f"offset{ending}", f"y{ending}"
    needed = (offset_key, y_key) if tasks.of(data.task).labels else (offset_key,)
    if missing := [name for name in needed if name not in members]:
        raise DataError(
            found=f"keys {sorted(members)[:8]}", expected=f"{missing[0]!r} too", where=source
        )
    stream, offset = members[key], members[offset_key]
    if stream.dtype != np.uint8 or stream.ndim != 1:
        raise DataError(
            found=f"{key!r} of {stream.dtype} {list(stream.shape)}",
            expected="uint8 of one axis, the images one after the other",
            where=source,
        )
    if offset.dtype.kind not in "iu" or offset.ndim != 1 or not len(offset):
        raise DataError(
            found=f"{offset_key!r} of {offset.dtype} {list(offset.shape)}",
            expected="whole numbers: where each image begins in the stream",
            where=source,
        )
    names = [f"{name}{ending}" for name in ("y", "id", "group") if f"{name}{ending}" in members]
    counts = {name: len(np.atleast_1d(members[name])) for name in names}
    offsets = np.asarray(offset, np.int64)
    has_end = len(offsets) - 1 in counts.values() or (not counts and offsets[-1] == len(stream))
    if not has_end:
        offsets = np.append(offsets, len(stream))
    if wrong := [name for name, count in counts.items() if count != len(offsets) - 1]:
        raise DataError(
            found=f"{counts[wrong[0]]} values in {wrong[0]!r} and {len(offset)} in {offset_key!r}",
            expected="one value per image, and at most one more in the offsets",
            where=source,
        )
    _require_rising(offsets, len(stream), key, offset_key, source)
    return Encoded(
        len(offsets) - 1,
        lambda i: stream[offsets[i] : offsets[i + 1]].tobytes(),
        lambda i: f"{source}, image {i} of {key!r}",
    )


def _require_rising(
    offsets: NDArray[np.int64], length: int, key: str, offset_key: str, source: str
) -> None:
    bad = (np.diff(offsets) <= 0) | (offsets[:-1] < 0) | (offsets[1:] > length)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            found=f"image {row} from {offsets[row]} to {offsets[row + 1]} in {offset_key!r}",
            expected=f"offsets that rise from 0 to {length}, the length of {key!r}",
            where=source,
        )


def _joined(streams: Sequence[Encoded]) -> Encoded:
    """Several streams as one, so that all their images must have one size."""
    starts = list(accumulate((images.total for images in streams), initial=0))

    def find(i: int) -> tuple[Encoded, int]:
        index = bisect_right(starts, i) - 1
        return streams[index], i - starts[index]

    def content(i: int) -> bytes:
        images, row = find(i)
        return images.content(row)

    def name(i: int) -> str:
        images, row = find(i)
        return images.name(row)

    return Encoded(starts[-1], content, name)
