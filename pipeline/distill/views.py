"""Views of samples: augmentation as a pure function of the row, the view and the seed.

What the teacher answered about view v of a sample is true only for the student that sees exactly
that view (Beyer et al. 2022, "consistent teaching"). So nothing depends on a batch, an order, a
thread or the state of a random generator: every draw is a hash of what it belongs to.

    >>> x = np.zeros((8, 32, 32, 3), np.uint8)
    >>> views = Views(x, Augment(crop=4, flip=True), layout="hwc", seed=0)
    >>> views(np.array([5, 2, 5]), view=3).x.shape
    (3, 32, 32, 3)
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...errors import RecipeError, raise_all
from ..data.checks import chunks
from ..recipe.augment import Augment
from ..records import Layout

_SUITS: dict[str, frozenset[Layout]] = {
    "crop": frozenset({"hw", "hwc", "chw"}),
    "flip": frozenset({"hw", "hwc", "chw"}),
    "mixup": frozenset({"hw", "hwc", "chw", "tc", "table"}),
    "shift": frozenset({"hw", "tc"}),
    "time_mask": frozenset({"hw", "tc"}),
    "frequency_mask": frozenset({"hw"}),
    "noise": frozenset({"tc", "table"}),
    "token_dropout": frozenset({"tokens"}),
}
"""Layouts that each key of [augment] has a meaning for.

A key's place here numbers its random numbers, so that one setting does not change another's draws.
"""
_STREAMS = {key: stream for stream, key in enumerate(_SUITS)}
_FORM: dict[Layout, tuple[int, int, int, int]] = {
    "hwc": (3, 0, 1, 2),
    "chw": (0, 1, 2, 3),
    "hw": (2, 0, 1, 2),
    "tc": (2, 0, 2, 1),
    "table": (1, 1, 1, 0),
    "tokens": (1, 0, 1, 1),
}
"""Where (*sample_shape, 1) has planes, down (or time), across (or frequency) and channels.

Laid out so, every sample is [planes, down, across, channels], and nothing below asks for a layout.
"""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio, by which splitmix64 counts."""


class View(NamedTuple):
    """One view of some samples.

    Attributes:
        x: [n, *sample_shape], of the samples' own dtype.
        partners: with mixup, the rows that were blended in, int64 [n].
        share: with mixup, the share of the own sample, float32 [n], from 1 - mixup to 1.
    """

    x: NDArray[Any]
    partners: NDArray[np.int64] | None = None
    share: NDArray[np.float32] | None = None


class Mixed(NamedTuple):
    """What mixup blends into some samples.

    Attributes:
        partners: the rows that are blended in, int64 [n].
        share: the share of the own sample, float32 [n], from 1 - mixup to 1.
    """

    partners: NDArray[np.int64]
    share: NDArray[np.float32]


def check(augment: Augment, layout: Layout, sample_shape: tuple[int, ...]) -> None:
    """Refuse what such samples do not have, or have too little of.

    Raises:
        RecipeError: names the key.
    """
    values = {key: value for key, value in augment.model_dump().items() if value}
    suited_keys = [name for name, suited in _SUITS.items() if layout in suited]
    problems = [
        RecipeError(
            found=f"{key} = {str(value).lower()} for samples of layout {layout!r}",
            expected=f"nothing but {', '.join(suited_keys)}",
            where=f"augment.{key}",
            fix=f"leave augment.{key} out",
        )
        for key, value in values.items()
        if layout not in _SUITS[key]
    ]
    _, down, across, _ = _form(layout, sample_shape)
    most = {
        "crop": min(down, across) - 1,
        "shift": down - 1,
        "time_mask": down,
        "frequency_mask": across,
    }
    problems += [
        RecipeError(
            found=f"{key} = {values[key]} for samples of shape {list(sample_shape)}",
            expected=f"at most {limit}",
            where=f"augment.{key}",
            fix=f"lower augment.{key} or leave it out",
        )
        for key, limit in most.items()
        if key in suited_keys and values.get(key, 0) > limit
    ]
    raise_all(problems)


def draws(
    seed: int, view: int, rows: NDArray[np.int64], stream: int, count: int
) -> NDArray[np.uint64]:
    """Random bits that belong to each row, in this view, for this purpose.

    Splitmix64 (Steele, Lea & Flood 2014) as a hash: seed, view, stream and row each pick one number
    of the generator that those before them started, and its numbers 1, 2, … are the draws.

    Args:
        seed: from 0.
        view: from 0.
        rows: from 0, [n].
        stream: which purpose, from 0.
        count: how many a row.

    Returns:
        [n, count], each of 64 bits.
    """
    key = np.zeros(1, np.uint64)
    for word in (seed, view, stream):
        key = nth(key, np.array([word], np.uint64))
    return nth(nth(key, rows.astype(np.uint64))[:, None], np.arange(count, dtype=np.uint64))


class Views:
    """Views of the rows of an array.

    Args:
        x: memory-mapped samples [n, *sample_shape], uint8, int16, int32 (tokens) or float32.
        augment: what is varied; ``check`` has let it through.
        layout: what the axes of a sample mean.
        seed: of all views.
        fill: what stands where nothing is: a number, or one a channel.
        std: deviation of each channel or column, the unit of noise.
        pad: token behind the end of a text, never hidden.
        hide: token that stands for a hidden one.
    """

    def __init__(
        self,
        x: NDArray[Any],
        augment: Augment,
        *,
        layout: Layout,
        seed: int,
        fill: NDArray[Any] | float = 0,
        std: NDArray[Any] | float = 1.0,
        pad: int = 0,
        hide: int = 1,
    ) -> None:
        self._x = np.asarray(x)  # still mapped, without the cost of a memmap's own indexing
        self._augment, self._seed = augment, seed
        self._form = _form(layout, x.shape[1:])
        self._fill = _as(self._by_channel(fill), x.dtype)
        self._noise = (augment.noise * self._by_channel(std)).astype(np.float32)
        self._pad, self._hide = pad, hide

    def __call__(self, rows: NDArray[np.int64], view: int) -> View:
        """One view of some rows.

        Args:
            rows: of train, int64 [n], from 0, in any order and any number of times.
            view: which, from 0.
        """
        if not self._augment.varies:
            return View(self._x[rows])
        x = np.empty((len(rows), *self._x.shape[1:]), self._x.dtype)
        blocks = chunks(len(rows), self._x[0].size)
        if not self._augment.mixup:
            for block in blocks:
                x[block] = self._varied(rows[block], view)
            return View(x)
        mixed = self.mixed(rows, view)
        assert mixed is not None  # noqa: S101 - mixup is set
        for block in blocks:
            own, other = (self._varied(of[block], view) for of in (rows, mixed.partners))
            x[block] = _blended(own, other, mixed.share[block])
        return View(x, *mixed)

    def mixed(self, rows: NDArray[np.int64], view: int) -> Mixed | None:
        """With what one view of some rows is blended; None without mixup."""
        if not self._augment.mixup:
            return None
        drawn = _uniform(self._draws(rows, view, "mixup", 2))
        share = (1.0 - self._augment.mixup * drawn[:, 1]).astype(np.float32)
        return Mixed(_below(drawn[:, 0], len(self._x)), share)

    def _varied(self, rows: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Everything but mixup, which needs two of these, [n, *sample_shape].

        Noise comes first, so that what is blank afterwards is blank.
        """
        augment = self._augment
        samples = self._x[rows]
        x = samples.reshape(len(rows), *self._form)
        if augment.noise:
            x = self._noisy(x, rows, view)
        if augment.crop:
            x = self._moved(x, (augment.crop, augment.crop), self._draws(rows, view, "crop", 2))
        if augment.flip:
            mirrored = self._draws(rows, view, "flip", 1)[:, 0] >> np.uint64(63)
            _mirror(x, np.flatnonzero(mirrored))
        if augment.shift:
            x = self._moved(x, (augment.shift, 0), self._draws(rows, view, "shift", 2))
        if augment.time_mask:
            self._blank(x, 2, augment.time_mask, self._draws(rows, view, "time_mask", 2))
        if augment.frequency_mask:
            self._blank(x, 3, augment.frequency_mask, self._draws(rows, view, "frequency_mask", 2))
        if augment.token_dropout:
            self._hide_tokens(x, rows, view)
        return x.reshape(samples.shape)

    def _moved(
        self, x: NDArray[Any], most: tuple[int, int], bits: NDArray[np.uint64]
    ) -> NDArray[Any]:
        """Moved by up to ``most`` places each way, down and across, with ``fill`` behind.

        All windows are views of one padded copy, and picking one a sample copies whole lines.
        """
        count, planes, height, width, channels = x.shape
        high, wide = height + 2 * most[0], width + 2 * most[1]
        blank = np.broadcast_to(self._fill, (planes, high, wide, channels))
        padded = np.empty((count, *blank.shape), x.dtype)
        padded[:] = np.ascontiguousarray(blank)
        padded[:, :, most[0] : most[0] + height, most[1] : most[1] + width] = x
        windows = sliding_window_view(
            padded.reshape(count, planes, high, wide * channels), (height, width * channels), (2, 3)
        )[:, :, :, ::channels]
        down, across = (_below(_uniform(bits[:, [i]]), 2 * most[i] + 1) for i in (0, 1))
        moved: NDArray[Any] = windows[np.arange(count)[:, None], np.arange(planes), down, across]
        return moved.reshape(x.shape)

    def _blank(self, x: NDArray[Any], axis: int, most: int, bits: NDArray[np.uint64]) -> None:
        """Fill a run of up to ``most`` places of an axis, in place (Park et al. 2019, §2)."""
        size = x.shape[axis]
        drawn = _uniform(bits)
        length = _below(drawn[:, [0]], most + 1)
        start = _below(drawn[:, [1]], size - length + 1)
        place = np.arange(size)
        shape = [len(x), 1, 1, 1, 1]
        shape[axis] = size
        run = (place >= start) & (place < start + length)
        np.copyto(x, self._fill, where=run.reshape(shape))

    def _noisy(self, x: NDArray[Any], rows: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Gaussian noise on every number, by Box & Muller (1958): two normals of two draws."""
        size = x[0].size
        pairs = -(-size // 2)
        drawn = _uniform(self._draws(rows, view, "noise", 2 * pairs))
        # One less a draw is in (0, 1], whose logarithm is finite.
        radius = np.sqrt(-2.0 * np.log((1.0 - drawn[:, :pairs]).astype(np.float32)))
        angle = (2.0 * np.pi * drawn[:, pairs:]).astype(np.float32)
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return _as(x + normal[:, :size].reshape(x.shape) * self._noise, x.dtype)

    def _hide_tokens(self, x: NDArray[Any], rows: NDArray[np.int64], view: int) -> None:
        """Hide tokens in place, but for the first one, which stands for the whole text."""
        drawn = _uniform(self._draws(rows, view, "token_dropout", x[0].size)).reshape(x.shape)
        hidden = (drawn < self._augment.token_dropout) & (x != self._pad)
        hidden[:, :, 0] = False
        x[hidden] = self._hide

    def _draws(
        self, rows: NDArray[np.int64], view: int, key: str, count: int
    ) -> NDArray[np.uint64]:
        return draws(self._seed, view, rows, _STREAMS[key], count)

    def _by_channel(self, values: NDArray[Any] | float) -> NDArray[Any]:
        """One number, or one a channel, shaped to stand beside [n, planes, down, across, channels].

        A layout's channels are its planes or the last axis; the other one has length 1.
        """
        values = np.asarray(values)
        planes, _, _, channels = self._form
        return values.reshape((1, 1, 1, 1) if values.size == 1 else (planes, 1, 1, channels))


def _form(layout: Layout, sample_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Planes, down, across and channels of a sample."""
    sizes = (*sample_shape, 1)
    planes, down, across, channels = (sizes[place] for place in _FORM[layout])
    return planes, down, across, channels


def nth(state: NDArray[np.uint64], n: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Number n, from 0, of the generator splitmix64 with this state; all wraps around at 2⁶⁴.

    For one state it is a permutation of all 64-bit numbers n.

    Steele, Lea & Flood (2014), with Stafford's variant 13 as its finaliser.
    """
    z = state + (n + np.uint64(1)) * _GOLDEN
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) from the upper 53 bits, all that float64 holds."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _below(drawn: NDArray[np.float64], limit: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers from 0 to limit - 1, of numbers in [0, 1)."""
    return (drawn * limit).astype(np.int64)


def _mirror(x: NDArray[Any], which: NDArray[np.int64]) -> None:
    """Mirror some samples across, in place; x is [n, planes, down, across, channels]."""
    straight = x[which]
    mirrored = np.empty_like(straight)
    # By channel: numpy reverses long strided lines four times as fast as many runs of three.
    for channel in range(x.shape[-1]):
        mirrored[..., channel] = straight[:, :, :, ::-1, channel]
    x[which] = mirrored


def _blended(x: NDArray[Any], other: NDArray[Any], share: NDArray[np.float32]) -> NDArray[Any]:
    """The weighted mean of two samples each (mixup, Zhang et al. 2018, eq. 1)."""
    own = share.reshape(-1, *[1] * (x.ndim - 1))
    blend = x * own
    blend += other * (np.float32(1.0) - own)
    return _as(blend, x.dtype)


def _as(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers in the samples' own dtype, whole ones rounded and held inside it."""
    if dtype.kind == "f":
        return x.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    whole: NDArray[Any] = np.clip(np.rint(x), limits.min, limits.max).astype(dtype)
    return whole
