"""Whether a model answers a text at its own length as it does with padding behind it.

takes_any_length(model, data)   # True of a transformer that masks padding
"""

import numpy as np
import torch
from torch import nn

from ..records import DataRecord

_TOLERANCE = 1e-3
"""Largest difference in outputs, of their magnitude; sums over other lengths round otherwise."""
_TEXTS = 4


def takes_any_length(model: nn.Module, data: DataRecord) -> bool:
    """Whether padding at the end may be cut off.

    A model that flattens its tokens, or counts padding in a mean, answers otherwise without it; its
    file then keeps the length that it was trained with.

    Args:
        model: takes token ids; is in eval mode afterwards.
        data: the data set; False unless it holds texts.
    """
    if data.layout != "tokens":
        return False
    longest = data.sample_shape[0]
    random = np.random.default_rng(0)
    model.eval()
    with torch.no_grad():
        for length in sorted({1, longest // 4 + 1, longest // 2 + 1, longest - 1}):
            ids = random.integers(0, max(data.vocabulary, 2), (_TEXTS, longest)).astype(np.int32)
            ids[ids == data.pad] = (data.pad + 1) % max(data.vocabulary, 2)
            ids[:, length:] = data.pad
            padded = model(torch.from_numpy(ids))
            try:
                cut = model(torch.from_numpy(ids[:, :length].copy()))
            except (RuntimeError, ValueError, IndexError, TypeError):
                return False
            if cut.shape != padded.shape:
                return False
            bound = _TOLERANCE * max(1.0, float(padded.abs().max()))
            if not float((cut - padded).abs().max()) <= bound:
                return False
    return True
