"""Sound files, decoded: .wav with Python's own reader, other kinds with soundfile.

>>> sound_of(Path("yes.wav"), lambda rate: rate).samples.dtype
dtype('float32')
"""

import wave
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError

RATES = (1000, 192_000)
"""Lowest and highest sample rate, Hz."""
_FULL_SCALE = {1: 128.0, 2: 32768.0, 3: 8388608.0, 4: 2147483648.0}
"""Divisor of whole-number samples, by their size in bytes."""


class Sound(NamedTuple):
    """The beginning of one clip.

    Attributes:
        samples: float32, mono, in -1 … 1; may be a few more than a clip uses.
        rate: Hz.
        channels: of the file, before they were averaged.
        where: the file, or the clip of an archive.
    """

    samples: NDArray[np.float32]
    rate: int
    channels: int
    where: str


SamplesToDecode = Callable[[int], int]
"""The number of samples that are needed of a clip with a given rate."""


def sound_of(path: Path, needed: SamplesToDecode) -> Sound:
    """The beginning of one file, decoded.

    Args:
        path: of a .wav, .flac or .ogg file.
        needed: the number of samples to decode.

    Raises:
        DataError: it is broken, cut short or of an unknown kind.
        HostError: it needs soundfile, which is not installed.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(path)) from None
    if path.suffix.lower() != ".wav":
        return _with_soundfile(path, needed, load_soundfile(str(path)))
    try:
        return _with_wave(path, needed)
    # RuntimeError and ValueError: a header with impossible values.
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:
        try:
            soundfile = load_soundfile(str(path))
        except HostError:
            raise DataError(
                found=f"not a WAV file of PCM samples ({error or 'it ends too early'})",
                where=str(path),
                fix="write it as 16-bit PCM, or pip install 'edgestill[audio]' to read other kinds",
            ) from None
        return _with_soundfile(path, needed, soundfile)


def _with_wave(path: Path, needed: SamplesToDecode) -> Sound:
    with wave.open(str(path), "rb") as stream:
        rate, width, channels = stream.getframerate(), stream.getsampwidth(), stream.getnchannels()
        if width not in _FULL_SCALE:
            raise wave.Error(f"samples of {8 * width} bits")
        require_rate(rate, str(path))
        wanted = min(needed(rate), stream.getnframes())
        raw = stream.readframes(wanted)
        length = stream.getnframes()
    _require_complete(len(raw) // (width * channels), wanted, length, str(path))
    samples = _pcm(raw, width) / _FULL_SCALE[width]
    return Sound(_mono(samples.reshape(-1, channels)), rate, channels, str(path))


def _pcm(raw: bytes, width: int) -> NDArray[np.float64]:
    """Little-endian samples of ``width`` bytes: unsigned if one byte, else signed."""
    if width == 1:
        return np.frombuffer(raw, np.uint8).astype(np.float64) - 128.0
    if width == 3:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") >> 8).astype(np.float64)
    return np.frombuffer(raw, f"<i{width}").astype(np.float64)


def _with_soundfile(path: Path, needed: SamplesToDecode, soundfile: Any) -> Sound:
    try:
        with soundfile.SoundFile(path) as stream:
            rate, channels, length = stream.samplerate, stream.channels, stream.frames
            require_rate(rate, str(path))
            wanted = min(needed(rate), length)
            samples = stream.read(wanted, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(
            found=f"not a sound file that can be read ({error})",
            where=str(path),
            fix="repair it or remove it from the data set",
        ) from None
    _require_complete(len(samples), wanted, length, str(path))
    return Sound(_mono(samples), rate, channels, str(path))


def _mono(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # infinity is an error later, which names the clip
        mono: NDArray[np.float32] = samples.mean(axis=1).astype(np.float32)
    return mono


def _require_complete(decoded: int, wanted: int, length: int, where: str) -> None:
    if decoded < wanted:
        raise DataError(
            found=f"{decoded} samples",
            expected=f"{length}, as its header says",
            where=where,
            fix="it was cut short: copy it again or remove it from the data set",
        )


def require_rate(rate: int, where: str) -> None:
    """Refuse a number that is no sample rate.

    Raises:
        DataError: it lies outside ``RATES``.
    """
    low, high = RATES
    if not low <= rate <= high:
        raise DataError(found=f"{rate} Hz", expected=f"{low} to {high} Hz", where=where)


def load_soundfile(where: str) -> Any:
    """The library soundfile, which reads the kinds that Python's own reader does not.

    Raises:
        HostError: it is not installed, or its C library is missing.
    """
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: it finds no libsndfile
        raise HostError(
            f"soundfile, which reads .flac and .ogg files, cannot be loaded ({error})",
            where=where,
            fix="pip install 'edgestill[audio]'",
        ) from None
