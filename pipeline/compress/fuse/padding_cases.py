"""Inputs that a wrongly fused transformer answers wrongly: padding in every place and amount.

One random batch proves no parity: onnxruntime's fusion with its default options takes all padding
to be behind the text, and answers full texts as before while left-padded ones are 0.5 off.

    >>> for feed in feeds(Path("fp32.onnx"), samples, pad=0): ...     # doctest: +SKIP
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....devices.onboard.runtimes.onnxruntime import inputs_of, open_session
from ..parity import Feed

TEXTS = 5
"""Texts in a batch of several."""
MASK = "mask"
"""What the name of an attention mask holds; 1 is a token, 0 padding."""


def feeds(
    source: Path, samples: Mapping[str, NDArray[Any]], *, pad: int | None, seed: int = 0
) -> Iterator[Feed]:
    """Samples as they are, then texts padded before, behind, all but one token, and at random.

    A model that finds its mask itself is given a text of padding alone, too.

    Args:
        source: the model.
        samples: by input name, samples along the first axis; whole numbers of two axes are texts,
            but for those whose name has ``mask`` in it.
        pad: the id of padding, where the model finds its mask itself; None: there is none.
        seed: of the random texts.

    Yields:
        Batches of one and of several, of the samples' length and, where the model is open to it,
        of another.
    """
    several = {name: array[:TEXTS] for name, array in samples.items()}
    yield several
    yield {name: array[:1] for name, array in samples.items()}
    texts = [name for name, array in samples.items() if _is_text(name, array)]
    if not texts:
        return
    random = np.random.default_rng(seed)
    full = samples[texts[0]].shape[1]
    for length in sorted({full, *_other_lengths(source, texts, full)}, reverse=True):
        padding = [np.zeros((1, length), np.bool_)] if pad is not None else []
        for told in (*_told(length, random), *padding):
            # Some inputs, such as pictures beside a text, have no length: they stay samples.
            drawn = _rows(samples, len(told), random)
            for name in texts:
                drawn[name] = _text(samples[name], told, pad, random)
            for name, array in samples.items():
                if MASK in name and array.ndim == 2:
                    drawn[name] = told.astype(array.dtype)
            yield drawn


def _is_text(name: str, array: NDArray[Any]) -> bool:
    return array.ndim == 2 and np.issubdtype(array.dtype, np.integer) and MASK not in name


def _other_lengths(source: Path, texts: list[str], full: int) -> tuple[int, ...]:
    """A shorter length, where the model leaves its texts' open."""
    opened = {
        one.name: one.shape[1] for one in inputs_of(open_session(source)) if one.name in texts
    }
    fixed = any(isinstance(extent, int) for extent in opened.values())
    return () if fixed or full < 3 else (full // 2 + 1,)


def _told(length: int, random: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Where tokens stand: [texts, length]."""
    place = np.arange(length)
    lengths = np.sort(random.integers(1, length + 1, TEXTS))[:, None]
    full = np.ones((TEXTS, length), np.bool_)
    mixed = np.concatenate(
        [full[:1], place[None] >= length // 2, place[None] < 1, place[None] >= length - 1]
    )
    gaps = random.random((TEXTS, length)) < 0.5
    gaps[:, 0] = True
    yield full
    yield place < lengths  # padded behind
    yield place >= length - lengths  # padded before
    yield mixed
    yield gaps
    for row in mixed:
        yield row[None]


def _text(
    samples: NDArray[Any], told: NDArray[np.bool_], pad: int | None, random: np.random.Generator
) -> NDArray[Any]:
    """Ids that occur in samples where there are tokens, padding where there are none."""
    known = np.unique(samples)
    tokens = known[known != pad] if pad is not None else known
    ids = random.choice(tokens if tokens.size else known, told.shape)
    # Behind a mask any id may stand; a model that looks at it nevertheless is not fused rightly.
    return (np.where(told, ids, pad) if pad is not None else ids).astype(samples.dtype)


def _rows(samples: Mapping[str, NDArray[Any]], count: int, random: np.random.Generator) -> Feed:
    rows = random.integers(0, len(next(iter(samples.values()))), count)
    return {name: array[rows] for name, array in samples.items()}
