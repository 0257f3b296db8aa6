"""Clips of a data set as features of one shape: resampled, cut or padded, then the front end."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import AudioForm
from . import checks, frontend
from .arrays import create
from .sound_files import SamplesToDecode, Sound

_TAPS = 11
"""Samples after the last one used that resampling needs, at the lower of the two rates.

scipy's ``resample_poly`` filters with 10 on either side; one more for rounding.
"""
_LOUDEST = 16.0
"""Largest magnitude of a sample. Float files can exceed 1; larger values are unscaled integers."""


class Decoder:
    """Writes clips of one rate as features, and counts how it changed them.

    Attributes:
        form: the recipe's ``[data.audio]``.
        rate: of all clips, Hz.
        samples: of a clip.
        front_end: ``frontend.description``.
    """

    def __init__(self, form: AudioForm, rate: int, scratch: Path, progress: Progress) -> None:
        self.form = form
        self.rate = rate
        self.samples = frontend.clip_samples(rate, form)
        self.front_end = frontend.description(form, rate)
        self._scratch = scratch
        self._progress = progress
        self._cut = self._padded = self._averaged = self._clipped = 0
        self._resampled: Counter[int] = Counter()

    def write(self, name: str, clips: int, sound: Callable[[int], Sound]) -> NDArray[Any]:
        """The features of clips as an array, memory-mapped.

        Args:
            name: of the file, without its suffix.
            clips: number of clips.
            sound: decodes the clip of an index.

        Raises:
            DataError: names the clip that is empty, not finite, too loud or of another rate.
        """
        parts = list(checks.chunks(clips, self.samples))
        dtype = np.int16 if self.form.front_end == "wave" else np.float32
        shape = (clips, *frontend.shape(self.form, self.rate))
        x = create(self._scratch / f"{name}.npy", dtype, shape)
        with self._progress.steps("decoding sound", len(parts)) as steps:
            for part in parts:
                block = np.zeros((part.stop - part.start, self.samples), np.float32)
                for row in range(part.start, part.stop):
                    samples = self._fitted(sound(row))
                    block[row - part.start, : len(samples)] = samples
                x[part] = self._features(block)
                steps.advance(f"{part.stop} of {clips} clips")
        return x

    def summary(self) -> dict[str, Any]:
        """The layout, the front end and notes about how clips were changed."""
        return {
            "layout": "tc" if self.form.front_end == "wave" else "hw",
            "front_end": self.front_end,
            "notes": self._notes(),
        }

    def _fitted(self, sound: Sound) -> NDArray[np.float32]:
        """The samples at this decoder's rate, no longer than a clip."""
        samples = sound.samples
        if not len(samples):
            raise DataError("no samples", where=sound.where, fix="remove it from the data set")
        is_fit = np.abs(samples) <= _LOUDEST
        if not is_fit.all():
            first = int(np.argmin(is_fit))
            raise DataError(
                found=f"{samples[first]} at sample {first}",
                expected="finite samples in -1 to 1",
                where=sound.where,
                fix="scale it, repair it or remove it from the data set",
            )
        if sound.rate != self.rate:
            if self.form.sample_rate is None:
                raise DataError(
                    found=f"{sound.rate} Hz",
                    expected=f"{self.rate} Hz, as the first clip has",
                    where=sound.where,
                    fix=f"set sample_rate = {self.rate} in [data.audio] to resample all clips",
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
        # Full scale itself is one step above the range of int16; that loss is not worth a note.
        self._clipped += int((np.abs(whole) > frontend.FULL_SCALE).any(axis=1).sum())
        return np.clip(whole, -32768, 32767).astype(np.int16)[:, :, None]

    def _notes(self) -> tuple[str, ...]:
        seconds = f"{self.form.seconds:g} s"
        changes = [
            (self._cut, f"longer than {seconds} cut at the end"),
            (self._padded, f"shorter than {seconds} padded with silence"),
            (self._averaged, "of several channels averaged to mono"),
            (self._clipped, "louder than full scale clipped to int16"),
        ]
        changes += [
            (count, f"resampled from {rate} to {self.rate} Hz")
            for rate, count in sorted(self._resampled.items())
        ]
        return tuple(f"{n} clip{'s' * (n > 1)} {change}" for n, change in changes if n)


class FirstClip(Decoder):
    """Decodes the first clip alone, which then stands for all."""

    def write(self, name: str, clips: int, sound: Callable[[int], Sound]) -> NDArray[Any]:
        """The features of the first clip, as often as there are clips and without their memory."""
        first = super().write(name, 1, sound)
        return np.broadcast_to(first[0], (clips, *first.shape[1:]))


def samples_to_decode(form: AudioForm) -> SamplesToDecode:
    """How many samples of a clip to decode: as many as its features depend on."""

    def needed(rate: int) -> int:
        lower = min(rate, form.sample_rate or rate)
        return math.ceil((form.seconds + _TAPS / lower) * rate) + 1

    return needed


def _resampled(samples: NDArray[np.float32], old: int, new: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    divisor = math.gcd(old, new)
    resampled = resample_poly(samples.astype(np.float64), new // divisor, old // divisor)
    return np.asarray(resampled, np.float32)
