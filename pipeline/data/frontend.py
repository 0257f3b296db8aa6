"""The audio front end: log-mel energies or MFCC of clips, in numpy alone.

    features(clips, 16_000, AudioForm())     # float32 [n, 49, 40]

A device must compute the same features before it runs the model, so ``description`` lists each step
and parameter; the model's metadata has it. All arithmetic is float64, rounded once at the end, and
the features of a clip do not depend on other clips.

The mel scale is HTK's, mel = 2595 log10(1 + hz / 700) (Young et al., The HTK Book, 3.4, equation
5.13); the triangles are linear in Hz with peak 1, as torchaudio's ``melscale_fbanks`` with
``mel_scale="htk"`` and ``norm=None`` has them. MFCC are the orthonormal DCT-II of the log energies
(Davis and Mermelstein 1980).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.data import AudioForm

FLOOR = 1e-6
"""Smallest energy of a band before the logarithm, of samples in -1 … 1.

It is above the noise that rounding speech at 8 or 16 kHz to 16 bits leaves in a band. So a silent
recording equals padding with zeros, and int8 need not represent values below it.
"""
FULL_SCALE = 32768
"""Divisor of int16 samples."""
_BLOCK = 1 << 19
"""Numbers that are transformed at a time: 4 MiB as float64."""

Floats = NDArray[np.float64]


class Frames(NamedTuple):
    """How a clip is divided into frames; all but ``number`` in samples."""

    window: int
    hop: int
    fft: int
    number: int


def clip_samples(sample_rate: int, form: AudioForm) -> int:
    """The number of samples of a clip of ``form.seconds``.

    Raises:
        DataError: it is 0.
    """
    samples = round(form.seconds * sample_rate)
    if samples < 1:
        raise DataError(
            found=f"clips of {form.seconds:g} s, which have no sample at {sample_rate} Hz",
            where="data.audio.seconds",
            fix="raise seconds",
        )
    return samples


def frames(samples: int, sample_rate: int, form: AudioForm) -> Frames:
    """How a clip of ``samples`` samples is divided; samples after the last frame are not used.

    Raises:
        DataError: a window of less than two samples or longer than the clip, or no hop.
    """
    window = round(form.window_ms * sample_rate / 1000)
    hop = round(form.hop_ms * sample_rate / 1000)
    if window < 2:
        raise DataError(
            found=f"a window of {form.window_ms:g} ms, which has {window} samples",
            expected=f"at least 2 at {sample_rate} Hz",
            where="data.audio.window_ms",
            fix="raise window_ms",
        )
    if hop < 1:
        raise DataError(
            found=f"a hop of {form.hop_ms:g} ms, which has no sample at {sample_rate} Hz",
            where="data.audio.hop_ms",
            fix="raise hop_ms",
        )
    if window > samples:
        raise DataError(
            found=f"a window of {form.window_ms:g} ms in clips of {samples / sample_rate:g} s",
            expected="windows no longer than a clip",
            where="data.audio.window_ms",
            fix="lower window_ms or raise data.audio.seconds",
        )
    return Frames(window, hop, 1 << (window - 1).bit_length(), 1 + (samples - window) // hop)


def hann(window: int) -> Floats:
    """The periodic Hann window, [window]: 0.5 - 0.5 cos(2 pi i / window)."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)


def power(clips: NDArray[np.float32], cut: Frames) -> Floats:
    """The power spectrum ``|X[k]|²`` of each windowed frame, not normalised.

    Args:
        clips: [n, samples].
        cut: for clips of that length.

    Returns:
        [n, frames, fft / 2 + 1]; bin k is at k * sample_rate / fft Hz.
    """
    windows = np.lib.stride_tricks.sliding_window_view(clips, cut.window, axis=1)
    spectrum = np.fft.rfft(windows[:, :: cut.hop] * hann(cut.window), cut.fft)
    squared: Floats = spectrum.real**2 + spectrum.imag**2
    return squared


def mel(hz: Any) -> Floats:
    """Hz on HTK's mel scale."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))


def mel_to_hz(mels: Any) -> Floats:
    """The inverse of ``mel``."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mels) / 2595.0) - 1.0))


def edges(sample_rate: int, form: AudioForm) -> Floats:
    """Edges of the bands in Hz, [mels + 2]: band b begins at b, peaks at b + 1, ends at b + 2.

    Raises:
        DataError: an edge above half the sample rate.
    """
    half = sample_rate / 2
    high = half if form.high_hz is None else form.high_hz
    for key, hz, is_fit in (
        ("high_hz", high, high <= half),
        ("low_hz", form.low_hz, form.low_hz < high),
    ):
        if not is_fit:
            raise DataError(
                found=f"{hz:g} Hz of sound with {sample_rate} samples a second",
                expected=f"at most {half:g} Hz" if key == "high_hz" else f"below {high:g} Hz",
                where=f"data.audio.{key}",
                fix=f"lower {key}",
            )
    return mel_to_hz(np.linspace(mel(form.low_hz), mel(high), form.mels + 2))


def triangles(fft: int, sample_rate: int, form: AudioForm) -> Floats:
    """The weight of each bin in each band, [fft / 2 + 1, mels].

    Raises:
        DataError: an edge above half the sample rate, or a band too narrow to hold a bin.
    """
    low, peak, high = (edges(sample_rate, form)[i : i + form.mels] for i in range(3))
    hz = np.arange(fft // 2 + 1)[:, None] * (sample_rate / fft)
    weights: Floats = np.maximum(
        0.0, np.minimum((hz - low) / (peak - low), (high - hz) / (high - peak))
    )
    # Not compared with 0: rounding leaves a bin on an edge a tiny weight.
    empty = np.flatnonzero(weights.max(axis=0) < 1e-9)
    if len(empty):
        band = int(empty[0])
        raise DataError(
            found=f"{len(empty)} of {form.mels} mel bands without any FFT bin (the first: band "
            f"{band}, {low[band]:.1f} to {high[band]:.1f} Hz)",
            expected=f"a bin in each band; bins are {sample_rate / fft:.1f} Hz apart",
            where="data.audio.mels",
            fix="lower mels or raise window_ms",
        )
    return weights


def dct(mels: int, coefficients: int) -> Floats:
    """The first columns of the orthonormal DCT-II, [mels, coefficients]."""
    angle = np.pi * (np.arange(mels)[:, None] + 0.5) * np.arange(coefficients) / mels
    basis: Floats = np.cos(angle) * np.sqrt(2.0 / mels)
    basis[:, 0] = np.sqrt(1.0 / mels)
    return basis


def features(clips: NDArray[np.float32], sample_rate: int, form: AudioForm) -> NDArray[np.float32]:
    """Log-mel energies, or MFCC, of clips.

    Args:
        clips: float32 [n, samples], in -1 … 1.
        sample_rate: Hz.
        form: the recipe's part; its front end is not ``wave``.

    Returns:
        float32 [n, frames, mels or coefficients].

    Raises:
        DataError: windows or bands that do not fit; names the key.
    """
    cut = frames(clips.shape[1], sample_rate, form)
    weights = triangles(cut.fft, sample_rate, form)
    basis = dct(form.mels, form.coefficients) if form.front_end == "mfcc" else None
    bins = form.mels if basis is None else form.coefficients
    result = np.empty((len(clips), cut.number, bins), np.float32)
    step = max(1, _BLOCK // (cut.number * cut.fft))
    for start in range(0, len(clips), step):
        rows = slice(start, start + step)
        # One product per clip: a product of the whole block could sum in another order.
        energies = np.matmul(power(clips[rows], cut), weights)
        logs = np.log(np.maximum(energies, FLOOR))
        result[rows] = logs if basis is None else np.matmul(logs, basis)
    return result


def shape(form: AudioForm, sample_rate: int) -> tuple[int, int]:
    """The shape of one sample: frames and bins, or samples and one channel.

    Raises:
        DataError: as ``features``.
    """
    samples = clip_samples(sample_rate, form)
    if form.front_end == "wave":
        return samples, 1
    bins = form.coefficients if form.front_end == "mfcc" else form.mels
    return frames(samples, sample_rate, form).number, bins


def description(form: AudioForm, sample_rate: int) -> dict[str, Any]:
    """Everything that is needed to compute the model's input from sound, as JSON.

    Raises:
        DataError: as ``features``.
    """
    samples = clip_samples(sample_rate, form)
    steps: dict[str, Any] = {
        "front_end": form.front_end,
        "sample_rate_hz": sample_rate,
        "channels": "mono: the mean of all channels",
        "clip_samples": samples,
        "fit": "longer clips are cut at their end, shorter ones padded with zeros at their end",
    }
    output = list(shape(form, sample_rate))
    if form.front_end == "wave":
        return steps | {"output": f"int16 {output}"}
    cut = frames(samples, sample_rate, form)
    triangles(cut.fft, sample_rate, form)  # raises if bands do not fit
    bounds = [float(hz) for hz in edges(sample_rate, form)]
    steps |= {
        "scale": f"int16 / {FULL_SCALE}, in -1 to 1",
        "window": "Hann, periodic: w[i] = 0.5 - 0.5 cos(2 pi i / window_samples)",
        "window_samples": cut.window,
        "hop_samples": cut.hop,
        "frames": cut.number,
        "frame": "frame t is samples t * hop_samples to t * hop_samples + window_samples - 1; "
        "no padding before or after",
        "fft_size": cut.fft,
        "spectrum": "power: re^2 + im^2 of the FFT of the windowed frame, zero-padded at its end, "
        "bins 0 to fft_size / 2, not normalised",
        "mel_formula": "HTK: mel = 2595 log10(1 + hz / 700)",
        "mels": form.mels,
        "low_hz": form.low_hz,
        "high_hz": sample_rate / 2 if form.high_hz is None else form.high_hz,
        "mel_edges_hz": bounds,
        "filters": "band b rises from 0 at mel_edges_hz[b] to 1 at [b + 1] and falls to 0 at "
        "[b + 2], linear in Hz; energy: sum of weight * power",
        "log": "natural: ln(max(energy, log_floor))",
        "log_floor": FLOOR,
    }
    if form.front_end == "mfcc":
        steps |= {
            "coefficients": form.coefficients,
            "dct": "type II, orthonormal, the first coefficients: c[k] = s[k] * sum over b of "
            "log[b] * cos(pi k (b + 0.5) / mels), s[0] = sqrt(1 / mels), else sqrt(2 / mels)",
        }
    return steps | {"output": f"float32 {output}"}
