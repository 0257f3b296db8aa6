"""Sound from a numpy archive of int16 clips; ``audio`` lists its keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..progress import Progress
from ..recipe.data import AudioForm, Data
from ..records import SPLITS
from . import frontend
from .archive import unpacked
from .array_names import LABELS, meanings
from .audio_features import Decoder, samples_to_decode
from .sound_files import Sound, require_rate

_FIX = (
    "name a folder of sound files, or write numpy.savez(file, audio=…, offsets=…, label=…, "
    "sample_rate=…)"
)


def from_archive(
    path: Path,
    scratch: Path,
    data: Data,
    progress: Progress,
    decoder_kind: type[Decoder] = Decoder,
) -> dict[str, Any]:
    """The arrays of an archive, its clips as features; see ``audio.read``.

    Raises:
        DataError: a key is missing, unknown or unfit, or a clip is; names it.
    """
    members = _unpacked(path, scratch, data)
    rate = _rate_of(members, data.audio, path)
    decoder = decoder_kind(data.audio, data.audio.sample_rate or rate, scratch, progress)
    splits = [split for split in SPLITS if f"audio_{split}" in members]
    if splits and "audio" in members:
        raise DataError("both audio and ready splits", where=str(path), fix="keep one of them")
    result: dict[str, Any] = {}
    for ending in [f"_{split}" for split in splits] or [""]:
        result |= _arrays(members, ending, rate, decoder, data, path)
    if "labels" in members:
        result["labels"] = tuple(str(name) for name in np.atleast_1d(members["labels"]))
    elif len(data.target) > 1:
        result["labels"] = data.target
    return result | decoder.summary()


def _arrays(
    members: Mapping[str, NDArray[Any]],
    ending: str,
    rate: int,
    decoder: Decoder,
    data: Data,
    path: Path,
) -> dict[str, Any]:
    """x, y, group and id of one split, or of all samples if the ending is empty."""
    audio, offsets = _clips(members, ending, path)
    clips = len(offsets) - 1
    needed = samples_to_decode(data.audio)(rate)

    def sound(clip: int) -> Sound:
        start, stop = int(offsets[clip]), int(offsets[clip + 1])
        samples = audio[start : min(stop, start + needed)].astype(np.float32)
        samples /= frontend.FULL_SCALE
        return Sound(samples, rate, 1, f"{path}, clip {clip} of audio{ending}")

    columns = {}
    y = _targets(members, ending, data, path)
    if y is not None:
        columns["y"] = y
    for key in ("group", "id"):
        name = f"{getattr(data, key)}{ending}"
        if name in members:
            columns[key] = np.asarray(members[name])
        elif getattr(data, key) not in ("", Data.model_fields[key].default):
            raise _lacks(members, name, path, f"name the right key in data.{key}")
    for key, column in columns.items():
        if column.ndim < 1 or len(column) != clips:
            raise DataError(
                found=f"{key} of shape {list(column.shape)} for {clips} clips of audio{ending}",
                expected="one value per clip",
                where=str(path),
            )
    x = decoder.write(f"x{ending}", clips, sound)
    return {f"x{ending}": x} | {f"{key}{ending}": column for key, column in columns.items()}


def _clips(
    members: Mapping[str, NDArray[Any]], ending: str, path: Path
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """The samples of all clips, and the offset of each."""
    for key in (f"audio{ending}", f"offsets{ending}"):
        if key not in members:
            raise _lacks(members, key, path, "see the documentation of audio: for its keys")
    audio, offsets = members[f"audio{ending}"], members[f"offsets{ending}"]
    if audio.dtype != np.int16 or audio.ndim != 1:
        raise DataError(
            found=f"audio{ending} of {audio.dtype} {list(audio.shape)}",
            expected="int16 of one axis, the clips one after the other",
            where=str(path),
            fix="write float samples as (32767 * samples).astype(numpy.int16)",
        )
    if offsets.dtype.kind not in "iu" or offsets.ndim != 1 or len(offsets) < 2:
        raise DataError(
            found=f"offsets{ending} of {offsets.dtype} {list(offsets.shape)}",
            expected="whole numbers, one more than the number of clips",
            where=str(path),
        )
    starts = offsets.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(audio) or (np.diff(starts) < 0).any():
        raise DataError(
            found=f"offsets{ending} from {starts[0]} to {starts[-1]}"
            + (" that fall" if (np.diff(starts) < 0).any() else ""),
            expected=f"rising from 0 to {len(audio)}, the samples of audio{ending}",
            where=str(path),
        )
    return audio, starts


def _targets(
    members: Mapping[str, NDArray[Any]], ending: str, data: Data, path: Path
) -> NDArray[Any] | None:
    """y: the array of one key, or the arrays of several keys as columns."""
    rules = tasks.of(data.task).labels
    if rules is None:
        return None
    keys = [f"{key}{ending}" for key in data.target]
    if not keys:
        keys = [f"y{ending}" if f"y{ending}" in members else f"label{ending}"]
    for key in keys:
        if key not in members:
            raise _lacks(members, key, path, "name the right key in data.target")
    if len(keys) == 1:
        return np.asarray(members[keys[0]])
    if rules.one_column or any(members[key].ndim != 1 for key in keys):
        raise DataError(
            found=f"{len(keys)} keys in data.target",
            expected="one key of classes; for another task, several keys of one axis",
            where=str(path),
        )
    try:
        return np.column_stack([members[key] for key in keys])
    except ValueError as error:
        raise DataError(
            f"keys of data.target of unequal length ({error})", where=str(path)
        ) from None


def _rate_of(members: Mapping[str, NDArray[Any]], form: AudioForm, path: Path) -> int:
    """The sample rate of an archive's clips."""
    if "sample_rate" in members:
        rate = members["sample_rate"]
        if rate.size != 1 or rate.dtype.kind not in "iuf" or not float(rate.item()).is_integer():
            raise DataError(
                found=f"sample_rate of {rate.dtype} {list(rate.shape)}",
                expected="one whole number, in Hz",
                where=str(path),
            )
        require_rate(int(rate.item()), str(path))
        return int(rate.item())
    if form.sample_rate is None:
        raise DataError(
            found="no sample_rate",
            expected="the rate of all clips, in Hz",
            where=str(path),
            fix="set sample_rate in [data.audio], or write it to the file",
        )
    return form.sample_rate


def _unpacked(path: Path, scratch: Path, data: Data) -> dict[str, NDArray[Any]]:
    """The members by role and split, each unpacked to a file and memory-mapped."""

    def wanted(names: list[str]) -> dict[str, str]:
        words = {**LABELS, "audio": ("audio",), "offsets": ("offsets", "offset")}
        return meanings(names, words, str(path), data=data, keep=True, single=("sample_rate",))

    return unpacked(path, scratch, wanted, _FIX)


def _lacks(members: Mapping[str, NDArray[Any]], key: str, path: Path, fix: str) -> DataError:
    return DataError(
        found=f"keys {sorted(members)[:8]}", expected=f"{key!r} too", where=str(path), fix=fix
    )
