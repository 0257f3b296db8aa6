"""Sound: a folder of .wav, .flac and .ogg files, or an ``.npz`` of int16 clips.

    audio:FOLDER    as ``folders`` describes it: FOLDER/CLASS/clip.wav, or metadata.csv
    audio:FILE.npz  audio int16 [all samples], one clip behind the other;
                    offsets [n + 1], clip i is audio[offsets[i]:offsets[i + 1]];
                    label or y [n], or what ``data.target`` names; sample_rate;
                    optionally classes or labels, and what ``data.group`` and ``data.id`` name;
                    or ready splits: audio_train, offsets_train, label_train, audio_test, …

Each clip is made mono, resampled where the recipe says at which rate, cut or padded with silence to
``data.audio.seconds``, and laid down as features (float32 [n, frames, bins]) or, for the front end
``wave``, as it is (int16 [n, samples, 1]). Only the part that is kept is ever decoded.
"""

import math
import wave
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from .. import tasks
from ..progress import Progress
from ..recipe.data import AudioForm, Data
from ..records import SPLITS
from . import checks, folders, frontend, npz
from .archive import unpacked
from .arrays import create

SUFFIXES = frozenset({".wav", ".flac", ".ogg"})
RATES = (1000, 192_000)
"""Hz that are taken for sample rates."""
_TAPS = 11
"""Samples that resampling needs behind the last one kept, at the lower of the two rates.

scipy's ``resample_poly`` filters with 10 on either side; one more for rounding.
"""
_FIX = (
    "name a folder of sound files, or write numpy.savez(file, audio=…, offsets=…, label=…, "
    "sample_rate=…)"
)
_LOUDEST = 16.0
"""What a sample may be at most: float files go beyond 1 at times; whole numbers are unscaled."""
_FULL_SCALE = {1: 128.0, 2: 32768.0, 3: 8388608.0, 4: 2147483648.0}
"""What samples of so many bytes are divided by."""


class Sound(NamedTuple):
    """The beginning of one clip.

    Attributes:
        samples: float32, mono, in -1 … 1; a few more than are kept, where there are more.
        rate: Hz.
        channels: before they were averaged.
        where: the file, or the clip of an archive.
    """

    samples: NDArray[np.float32]
    rate: int
    channels: int
    where: str


Most = Callable[[int], int]
"""How many samples of a clip are needed, given its rate."""


def fingerprint(told: str) -> str:
    """The hash of a folder's names and contents, or of an archive.

    Raises:
        DataError: there is no such file or folder.
    """
    if Path(told).is_dir():
        return folders.fingerprint(Path(told), SUFFIXES)
    return npz.fingerprint(told)


def read(told: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """All clips as the recipe's front end gives them, memory-mapped below ``scratch``.

    Returns:
        x float32 [n, frames, bins] or int16 [n, samples, 1], or x of ready splits; with y, group,
        id and labels where the data set has them, layout, front_end and notes.

    Raises:
        DataError: a clip, a label or the recipe's part is unfit; names the file or clip.
        HostError: a .flac or .ogg file, and soundfile is not installed.
    """
    from_either = _from_archive if Path(told).is_file() else _from_folder
    return from_either(Path(told), scratch, data, progress)


# --- laying down --------------------------------------------------------------------------------


class _Decoder:
    """Lays clips down at one rate, and counts what it did to them."""

    def __init__(self, form: AudioForm, rate: int, scratch: Path, progress: Progress) -> None:
        self.form = form
        self.rate = rate
        self.samples = frontend.clip_samples(rate, form)
        self.front_end = frontend.description(form, rate)
        self._scratch = scratch
        self._progress = progress
        self._cut = self._padded = self._averaged = self._clipped = 0
        self._resampled: Counter[int] = Counter()

    def lay_down(self, name: str, clips: int, sound: Callable[[int], Sound]) -> NDArray[Any]:
        """The array x of so many clips, in a file of that name."""
        rows = list(checks.chunks(clips, self.samples))
        dtype = np.int16 if self.form.front_end == "wave" else np.float32
        shape = (clips, *frontend.shape(self.form, self.rate))
        x = create(self._scratch / f"{name}.npy", dtype, shape)
        with self._progress.steps("decoding sound", len(rows)) as steps:
            for part in rows:
                block = np.zeros((part.stop - part.start, self.samples), np.float32)
                for row in range(part.start, part.stop):
                    samples = self._fitted(sound(row))
                    block[row - part.start, : len(samples)] = samples
                x[part] = self._features(block)
                steps.advance(f"{part.stop} of {clips} clips")
        return x

    def outcome(self) -> dict[str, Any]:
        """What ``read`` says beside the arrays."""
        return {
            "layout": "tc" if self.form.front_end == "wave" else "hw",
            "front_end": self.front_end,
            "notes": self._notes(),
        }

    def _fitted(self, sound: Sound) -> NDArray[np.float32]:
        """At the rate asked for, and no longer than a clip."""
        samples = sound.samples
        if not len(samples):
            raise DataError("no samples", where=sound.where, fix="take it out of the data set")
        is_fit = np.abs(samples) <= _LOUDEST
        if not is_fit.all():
            first = int(np.argmin(is_fit))
            raise DataError(
                found=f"{samples[first]} at sample {first}",
                expected="finite samples in -1 to 1",
                where=sound.where,
                fix="scale it, repair it or take it out of the data set",
            )
        if sound.rate != self.rate:
            if self.form.sample_rate is None:
                raise DataError(
                    found=f"{sound.rate} Hz",
                    expected=f"{self.rate} Hz, as the first clip has",
                    where=sound.where,
                    fix=f"say sample_rate = {self.rate} in [data.audio] to have all resampled",
                )
            samples = _resampled(samples, sound.rate, self.rate)
            self._resampled[sound.rate] += 1
        self._cut += len(samples) > self.samples
        self._padded += len(samples) < self.samples
        self._averaged += sound.channels > 1
        return samples[: self.samples]

    def _features(self, block: NDArray[np.float32]) -> NDArray[Any]:
        if self.form.front_end != "wave":
            return frontend.features(block, self.rate, self.form)
        whole = np.rint(block * frontend.FULL_SCALE)
        # Full scale itself, one step above what int16 holds, is no loss worth a word.
        self._clipped += int((np.abs(whole) > frontend.FULL_SCALE).any(axis=1).sum())
        return np.clip(whole, -32768, 32767).astype(np.int16)[:, :, None]

    def _notes(self) -> tuple[str, ...]:
        seconds = f"{self.form.seconds:g} s"
        told = [
            (self._cut, f"longer than {seconds} cut at the end"),
            (self._padded, f"shorter than {seconds} padded with silence"),
            (self._averaged, "of several channels averaged to mono"),
            (self._clipped, "louder than full scale clipped to int16"),
        ]
        told += [
            (count, f"resampled from {rate} to {self.rate} Hz")
            for rate, count in sorted(self._resampled.items())
        ]
        return tuple(f"{n} clip{'s' * (n > 1)} {what}" for n, what in told if n)


def _most(form: AudioForm) -> Most:
    """How many samples to decode, so that the kept ones are as if all had been."""

    def most(rate: int) -> int:
        lower = min(rate, form.sample_rate or rate)
        return math.ceil((form.seconds + _TAPS / lower) * rate) + 1

    return most


def _resampled(samples: NDArray[np.float32], old: int, new: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    shared = math.gcd(old, new)
    found = resample_poly(samples.astype(np.float64), new // shared, old // shared)
    return np.asarray(found, np.float32)


# --- a folder of files --------------------------------------------------------------------------


def _from_folder(root: Path, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    items = folders.listing(root, SUFFIXES, data)
    if any(item.path.suffix.lower() != ".wav" for item in items):
        _soundfile(str(root))
    most = _most(data.audio)
    rate = data.audio.sample_rate or sound_of(items[0].path, most).rate
    decoder = _Decoder(data.audio, rate, scratch, progress)
    x = decoder.lay_down("x", len(items), lambda row: sound_of(items[row].path, most))
    return folders.arrays(items, x, data) | decoder.outcome()


def sound_of(path: Path, most: Most) -> Sound:
    """The beginning of one file, decoded.

    Args:
        path: of a .wav, .flac or .ogg file.
        most: how many samples of it are needed.

    Raises:
        DataError: it is broken or cut short, or of a kind that nothing here reads.
        HostError: it needs soundfile, which is not installed.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(path)) from None
    if path.suffix.lower() != ".wav":
        return _with_soundfile(path, most, _soundfile(str(path)))
    try:
        return _with_wave(path, most)
    # RuntimeError and ValueError: a header of nonsense.
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:
        try:
            soundfile = _soundfile(str(path))
        except HostError:
            raise DataError(
                found=f"not a WAV file of PCM samples ({error or 'it ends too early'})",
                where=str(path),
                fix="write it as 16-bit PCM, or pip install 'edgestill[audio]' to read other kinds",
            ) from None
        return _with_soundfile(path, most, soundfile)


def _with_wave(path: Path, most: Most) -> Sound:
    with wave.open(str(path), "rb") as stream:
        rate, width, channels = stream.getframerate(), stream.getsampwidth(), stream.getnchannels()
        if width not in _FULL_SCALE:
            raise wave.Error(f"samples of {8 * width} bits")
        _is_a_rate(rate, str(path))
        wanted = min(most(rate), stream.getnframes())
        raw = stream.readframes(wanted)
        length = stream.getnframes()
    _is_whole(len(raw) // (width * channels), wanted, length, str(path))
    samples = _pcm(raw, width) / _FULL_SCALE[width]
    return Sound(_mono(samples.reshape(-1, channels)), rate, channels, str(path))


def _pcm(raw: bytes, width: int) -> NDArray[np.float64]:
    """Little-endian samples of so many bytes: unsigned if one, else signed."""
    if width == 1:
        return np.frombuffer(raw, np.uint8).astype(np.float64) - 128.0
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") >> 8).astype(np.float64)
    return np.frombuffer(raw, f"<i{width}").astype(np.float64)


def _with_soundfile(path: Path, most: Most, soundfile: Any) -> Sound:
    try:
        with soundfile.SoundFile(path) as stream:
            rate, channels, length = stream.samplerate, stream.channels, stream.frames
            _is_a_rate(rate, str(path))
            wanted = min(most(rate), length)
            samples = stream.read(wanted, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(
            found=f"not a sound file that can be read ({error})",
            where=str(path),
            fix="repair it or take it out of the data set",
        ) from None
    _is_whole(len(samples), wanted, length, str(path))
    return Sound(_mono(samples), rate, channels, str(path))


def _mono(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # infinite is refused with the clip's name
        mono: NDArray[np.float32] = samples.mean(axis=1).astype(np.float32)
    return mono


def _is_whole(found: int, wanted: int, length: int, where: str) -> None:
    if found < wanted:
        raise DataError(
            found=f"{found} samples",
            expected=f"the {length} that its header promises",
            where=where,
            fix="it was cut short: copy it again or take it out of the data set",
        )


def _is_a_rate(rate: int, where: str) -> None:
    low, high = RATES
    if not low <= rate <= high:
        raise DataError(found=f"{rate} Hz", expected=f"{low} to {high} Hz", where=where)


def _soundfile(where: str) -> Any:
    """The library that reads what Python itself does not."""
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: it finds no libsndfile
        raise HostError(
            found=f"soundfile cannot be loaded ({error})",
            expected="it, to read .flac and .ogg files",
            where=where,
            fix="pip install 'edgestill[audio]'",
        ) from None


# --- an archive ---------------------------------------------------------------------------------


def _from_archive(path: Path, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    members = _unpacked(path, scratch, data)
    rate = _archive_rate(members, data.audio, path)
    decoder = _Decoder(data.audio, data.audio.sample_rate or rate, scratch, progress)
    splits = [split for split in SPLITS if f"audio_{split}" in members]
    if splits and "audio" in members:
        raise DataError("both audio and ready splits", where=str(path), fix="keep one of them")
    found: dict[str, Any] = {}
    for ending in [f"_{split}" for split in splits] or [""]:
        found |= _part(members, ending, rate, decoder, data, path)
    names = members.get("classes", members.get("labels"))
    if names is not None:
        found["labels"] = tuple(str(name) for name in np.atleast_1d(names))
    elif len(data.target) > 1:
        found["labels"] = data.target
    return found | decoder.outcome()


def _part(
    members: Mapping[str, NDArray[Any]],
    ending: str,
    rate: int,
    decoder: _Decoder,
    data: Data,
    path: Path,
) -> dict[str, Any]:
    """x, y, group and id of one split, or of all where the ending is empty."""
    audio, offsets = _clips(members, ending, path)
    clips = len(offsets) - 1
    most = _most(data.audio)(rate)

    def sound(clip: int) -> Sound:
        start, stop = int(offsets[clip]), int(offsets[clip + 1])
        kept = audio[start : min(stop, start + most)].astype(np.float32)
        kept /= frontend.FULL_SCALE
        return Sound(kept, rate, 1, f"{path}, clip {clip} of audio{ending}")

    columns = {}
    y = _answers(members, ending, data, path)
    if y is not None:
        columns["y"] = y
    for key in ("group", "id"):
        name = f"{getattr(data, key)}{ending}"
        if name in members:
            columns[key] = np.asarray(members[name])
        elif getattr(data, key) != Data.model_fields[key].default:
            raise _lacks(members, name, path, f"name the right key in data.{key}")
    for key, column in columns.items():
        if column.ndim < 1 or len(column) != clips:
            raise DataError(
                found=f"{key} of shape {list(column.shape)} for {clips} clips of audio{ending}",
                expected="one value a clip",
                where=str(path),
            )
    x = decoder.lay_down(f"x{ending}", clips, sound)
    return {f"x{ending}": x} | {f"{key}{ending}": column for key, column in columns.items()}


def _clips(
    members: Mapping[str, NDArray[Any]], ending: str, path: Path
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """The samples of all clips and where each begins."""
    for key in (f"audio{ending}", f"offsets{ending}"):
        if key not in members:
            raise _lacks(members, key, path, "see the documentation of audio: for its keys")
    audio, offsets = members[f"audio{ending}"], members[f"offsets{ending}"]
    if audio.dtype != np.int16 or audio.ndim != 1:
        raise DataError(
            found=f"audio{ending} of {audio.dtype} {list(audio.shape)}",
            expected="int16 of one axis, the clips one behind the other",
            where=str(path),
            fix="write float samples as (32767 * samples).astype(numpy.int16)",
        )
    if offsets.dtype.kind not in "iu" or offsets.ndim != 1 or len(offsets) < 2:
        raise DataError(
            found=f"offsets{ending} of {offsets.dtype} {list(offsets.shape)}",
            expected="whole numbers, one more than there are clips",
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


def _answers(
    members: Mapping[str, NDArray[Any]], ending: str, data: Data, path: Path
) -> NDArray[Any] | None:
    """y: one key as it is, several keys as columns beside each other."""
    rules = tasks.of(data.task).labels
    if rules is None:
        return None
    keys = [f"{key}{ending}" for key in data.target]
    if not keys:
        either = [key for key in (f"label{ending}", f"y{ending}") if key in members]
        keys = either[:1] or [f"label{ending}"]
    for key in keys:
        if key not in members:
            raise _lacks(members, key, path, "name the right key in data.target")
    if len(keys) == 1:
        return np.asarray(members[keys[0]])
    if rules.one_column or any(members[key].ndim != 1 for key in keys):
        raise DataError(
            found=f"{len(keys)} keys in data.target",
            expected="one of classes, or several of one axis for another task",
            where=str(path),
        )
    try:
        return np.column_stack([members[key] for key in keys])
    except ValueError as error:
        raise DataError(
            f"keys of data.target of unequal length ({error})", where=str(path)
        ) from None


def _archive_rate(members: Mapping[str, NDArray[Any]], form: AudioForm, path: Path) -> int:
    """The rate of an archive's clips."""
    if "sample_rate" in members:
        told = members["sample_rate"]
        if told.size != 1 or told.dtype.kind not in "iuf" or not float(told.item()).is_integer():
            raise DataError(
                found=f"sample_rate of {told.dtype} {list(told.shape)}",
                expected="one whole number, in Hz",
                where=str(path),
            )
        _is_a_rate(int(told.item()), str(path))
        return int(told.item())
    if form.sample_rate is None:
        raise DataError(
            found="no sample_rate",
            expected="it, in Hz",
            where=str(path),
            fix="say sample_rate in [data.audio], or write it into the file",
        )
    return form.sample_rate


def _unpacked(path: Path, scratch: Path, data: Data) -> dict[str, NDArray[Any]]:
    """The members that count, each unpacked to a file and memory-mapped."""
    each = ("audio", "offsets", "label", "y", data.group, data.id, *data.target)
    wanted = {f"{key}{ending}" for key in each for ending in ("", *(f"_{s}" for s in SPLITS))}
    wanted |= {"sample_rate", "classes", "labels"}

    def taken(names: list[str]) -> dict[str, str]:
        return {name: name for name in names if name in wanted}

    return unpacked(path, scratch, taken, _FIX)


def _lacks(members: Mapping[str, NDArray[Any]], key: str, path: Path, fix: str) -> DataError:
    return DataError(
        found=f"keys {sorted(members)[:8]}", expected=f"{key!r} too", where=str(path), fix=fix
    )
