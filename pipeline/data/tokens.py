"""Texts as token ids.

>>> encode(tokenizer, texts, np.arange(100), max_length=64, pad=0, out=ids).cut
3
"""

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .text_store import BLOCK, Texts
from .tokenizer import all_cores, cut_to, vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Cut(NamedTuple):
    """How many texts were cut, and the lengths of all texts before they were cut.

    Attributes:
        texts: number of texts.
        cut: how many of them were longer than ``max_length``.
        median: number of tokens of a text, special tokens included: the median over all texts.
        p99: the 99th percentile.
        longest: the maximum.
    """

    texts: int
    cut: int
    median: float
    p99: float
    longest: int


def blocks(rows: int) -> int:
    """How often ``encode`` calls ``advance``."""
    return -(-rows // BLOCK)


def encode(
    tokenizer: "Tokenizer",
    texts: Texts,
    rows: NDArray[Any],
    max_length: int,
    pad: int,
    out: NDArray[np.int32],
    advance: Callable[[str], None] = lambda _: None,
) -> Cut:
    """Token ids of some texts, cut and padded at the end.

    Args:
        tokenizer: stays unchanged.
        texts: all texts.
        rows: int [n].
        max_length: tokens per text, special tokens included.
        pad: the id after the end of a text.
        out: int32 [n, max_length], filled.
        advance: called after each block, ``blocks(n)`` times.

    Raises:
        DataError: a text without tokens, an id outside the vocabulary, or a length that leaves no
            room beside the special tokens.
    """
    size = vocabulary(tokenizer)
    _check_settings(tokenizer, max_length, pad, size)
    lengths = np.zeros(len(rows), dtype=np.int64)
    start = 0
    with cut_to(tokenizer, max_length), all_cores():
        for block in texts.blocks(np.asarray(rows)):
            part = slice(start, start + len(block))
            ids, lengths[part] = _encode_block(tokenizer, block, max_length, pad)
            _check_ids(ids, lengths[part], size, np.asarray(rows)[part])
            out[part] = ids
            start = part.stop
            advance(f"{start} texts")
    if not len(lengths):
        return Cut(0, 0, 0.0, 0.0, 0)
    median, p99 = (float(value) for value in np.percentile(lengths, (50, 99)))
    return Cut(len(lengths), int((lengths > max_length).sum()), median, p99, int(lengths.max()))


def _check_settings(tokenizer: "Tokenizer", max_length: int, pad: int, size: int) -> None:
    special = tokenizer.num_special_tokens_to_add(False)
    if special >= max_length:
        raise DataError(
            found=f"max_length {max_length}, which {special} special tokens fill",
            where="data.text.max_length",
            fix=f"raise it above {special}",
        )
    if not 0 <= pad < max(size, 1):
        raise DataError(
            found=f"padding id {pad}",
            expected=f"0 to {size - 1}, as the vocabulary has {size} tokens",
            where="data.text.tokenizer",
        )


def _encode_block(
    tokenizer: "Tokenizer", texts: list[str], max_length: int, pad: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids int32 [n, max_length], and the number of tokens int64 [n] of each text before the cut."""
    try:
        encodings = tokenizer.encode_batch_fast(texts)
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise DataError(
            f"the tokenizer fails on these texts ({error})", where="data.text.tokenizer"
        ) from None
    kept = np.array([len(encoding) for encoding in encodings], dtype=np.int64)
    ids = np.full((len(texts), max_length), pad, dtype=np.int32)
    flat = chain.from_iterable(encoding.ids for encoding in encodings)
    ids[np.arange(max_length) < kept[:, None]] = np.fromiter(flat, np.int64, int(kept.sum()))
    overflow = [
        sum(len(rest) - sum(rest.special_tokens_mask) for rest in encoding.overflowing)
        for encoding in encodings
    ]
    return ids, kept + np.array(overflow, dtype=np.int64)


def _check_ids(
    ids: NDArray[np.int32], lengths: NDArray[np.int64], size: int, rows: NDArray[Any]
) -> None:
    if not lengths.all():
        raise DataError(
            found=f"a text without tokens in row {int(rows[int(np.argmin(lengths))])} (from 0)",
            expected="at least one token",
            where="data.text.tokenizer",
            fix="leave that row out, or use a tokenizer whose vocabulary has its characters",
        )
    if ids.min(initial=0) < 0 or ids.max(initial=0) >= size:
        raise DataError(
            found=f"token id {int(ids.max())}",
            expected=f"0 to {size - 1}, as the vocabulary has {size} tokens",
            where="data.text.tokenizer",
            fix="its post-processor uses an id that is no token: correct it and save it again",
        )
