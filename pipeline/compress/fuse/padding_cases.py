"""Inputs on which a wrongly fused transformer fails: padding in every place and amount.

One random batch does not show parity: with default options, onnxruntime's fusion assumes that all
padding is at the end. Its outputs are right for full texts and off by 0.5 for left-padded ones.

    >>> for feed in feeds(Path("fp32.onnx"), samples, pad=0): ...     # doctest: +SKIP
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....devices.onboard.runtimes import load
from ..parity import Feed
from ..parity import cut as samples_cut

TEXTS = 5
"""Texts in a batch."""
MASK = "mask"
"""Part of the name of an attention mask, in which 1 is a token and 0 padding."""


def feeds(
    source: Path, samples: Mapping[str, NDArray[Any]], *, pad: int | None, seed: int = 0
) -> Iterator[Feed]:
    """The samples, then texts padded at the start, at the end, up to one token, and at random.

    For a model that derives its mask from the ids, a text of only padding follows.

    Args:
        source: the model.
        samples: by input name, samples along the first axis; integers with two axes are texts,
            except those with ``mask`` in their name.
        pad: the id of padding, if the model derives its mask from the ids; None: it does not.
        seed: seed of the random texts.

    Yields:
        Batches of one and of several texts, of the samples' length and, if the model accepts other
        lengths, of a shorter one.
    """
    cut = samples_cut(samples)
    yield next(cut.batches(TEXTS))
    yield next(cut.batches(1))
    if not cut.plain:
        return
    texts = [name for name, array in samples.items() if _is_text(name, array)]
    if not texts:
        return
    random = np.random.default_rng(seed)
    full = samples[texts[0]].shape[1]
    for length in sorted({full, *_other_lengths(source, texts, full)}, reverse=True):
        padding = [np.zeros((1, length), np.bool_)] if pad is not None else []
        for mask in (*_masks(length, random), *padding):
            # Inputs that are not texts, such as images beside a text, stay samples.
            drawn = _rows(samples, len(mask), random)
            for name in texts:
                drawn[name] = _text(samples[name], mask, pad, random)
            for name, array in samples.items():
                if MASK in name and array.ndim == 2:
                    drawn[name] = mask.astype(array.dtype)
            yield drawn


def _is_text(name: str, array: NDArray[Any]) -> bool:
    return array.ndim == 2 and np.issubdtype(array.dtype, np.integer) and MASK not in name


def _other_lengths(source: Path, texts: list[str], full: int) -> tuple[int, ...]:
    """A shorter length, if the model accepts texts of any length."""
    shapes = {value.name: value.shape[1] for value in load(source).inputs if value.name in texts}
    fixed = any(isinstance(extent, int) for extent in shapes.values())
    return () if fixed or full < 3 else (full // 2 + 1,)


def _masks(length: int, random: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Masks [texts, length], True for a token."""
    place = np.arange(length)
    lengths = np.sort(random.integers(1, length + 1, TEXTS))[:, None]
    full = np.ones((TEXTS, length), np.bool_)
    mixed = np.concatenate(
        [full[:1], place[None] >= length // 2, place[None] < 1, place[None] >= length - 1]
    )
    gaps = random.random((TEXTS, length)) < 0.5
    gaps[:, 0] = True
    yield full
    yield place < lengths  # padded at the end
    yield place >= length - lengths  # padded at the start
    yield mixed
    yield gaps
    for row in mixed:
        yield row[None]


def _text(
    samples: NDArray[Any], mask: NDArray[np.bool_], pad: int | None, random: np.random.Generator
) -> NDArray[Any]:
    """Ids from the samples for tokens, the id of padding elsewhere."""
    occurring = np.unique(samples)
    tokens = occurring[occurring != pad] if pad is not None else occurring
    ids = random.choice(tokens if tokens.size else occurring, mask.shape)
    # Any id may stand where the mask is 0; a model that reads it is fused wrongly.
    return (np.where(mask, ids, pad) if pad is not None else ids).astype(samples.dtype)


def _rows(samples: Mapping[str, NDArray[Any]], count: int, random: np.random.Generator) -> Feed:
    rows = random.integers(0, len(next(iter(samples.values()))), count)
    return {name: array[rows] for name, array in samples.items()}
