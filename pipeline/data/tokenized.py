"""Texts of every split as token ids, by the recipe's tokenizer or one trained on train."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..printable import how_many
from ..progress import Progress
from ..recipe.data import Data
from ..records import Split
from . import tokens
from .arrays import create
from .split_samples import SplitSamples
from .tokenizer import FILE, describe, load, mask_id, pad_id, vocabulary
from .tokenizer_training import train


class Tokenized(NamedTuple):
    """Token ids of every split, and what a model has to know about them.

    Attributes:
        by_split: samples whose x is int32 [n, max_length].
        vocabulary: number of ids.
        pad: the id after the end of a text.
        mask: the id of a hidden token.
        front_end: how text becomes ids, as JSON.
        notes: sentences for the report.
    """

    by_split: dict[Split, SplitSamples]
    vocabulary: int
    pad: int
    mask: int
    front_end: dict[str, object]
    notes: tuple[str, ...]


def tokenized(
    out: Path, scratch: Path, by_split: Mapping[Split, SplitSamples], data: Data, progress: Progress
) -> Tokenized:
    """Tokenize all splits, and copy or train the tokenizer to ``out / FILE``.

    A tokenizer is trained on train alone, so that it knows nothing of the other splits.

    Raises:
        DataError: the tokenizer does not suit, or gives no token for a text.
        HostError: the library tokenizers is not installed.
    """
    path = out / FILE
    if data.text.tokenizer is None:
        train(by_split["train"].x, by_split["train"].rows, data.text, path)
        tokenizer = load(path)
    else:
        tokenizer = load(data.text.tokenizer)
        shutil.copyfile(data.text.tokenizer, path)
    front_end = describe(tokenizer, data.text)
    pad = pad_id(tokenizer)
    max_length = data.text.max_length
    result: dict[Split, SplitSamples] = {}
    cut = 0
    blocks = sum(tokens.blocks(len(part.rows)) for part in by_split.values())
    with progress.steps("tokens", blocks) as steps:
        for split, part in by_split.items():
            ids = create(scratch / f"ids_{split}.npy", np.int32, (len(part.rows), max_length))
            lengths = tokens.encode(
                tokenizer, part.x, part.rows, max_length, pad, ids, steps.advance
            )
            cut += lengths.cut
            result[split] = part._replace(x=ids, x_rows=np.arange(len(ids)))
    total = sum(len(part.rows) for part in by_split.values())
    note = f"longer than {max_length} tokens and cut: {cut} of {how_many(total, 'text')}"
    return Tokenized(
        result,
        vocabulary(tokenizer),
        pad,
        mask_id(tokenizer),
        front_end,
        (note,) if cut else (),
    )
