"""A model's signature: the samples it takes and the number of outputs it gives.

>>> Signature((32, 32, 3), "hwc", outputs=10).described
'images of 32 by 32 with 3 channels'
"""

from typing import NamedTuple

import torch

from ...errors import RecipeError
from .. import tasks
from ..recipe.model_names import SUITED
from ..records import DataRecord, Layout


class Signature(NamedTuple):
    """The input of a model and its number of outputs.

    Attributes:
        sample_shape: of one sample of the data set.
        layout: what its axes mean.
        outputs: classes, or numbers of a regression, or the length of an embedding; 0 if the
            model decides, as a teacher may.
        vocabulary: number of token ids; 0 if samples are no text.
        pad: the id after the end of a text.
    """

    sample_shape: tuple[int, ...]
    layout: Layout
    outputs: int
    vocabulary: int = 0
    pad: int = 0

    @property
    def backbone_shape(self) -> tuple[int, ...]:
        """The shape of one sample in the backbone of ``Deployed``."""
        shape = self.sample_shape
        if self.layout == "hw":
            return (1, *shape)
        return (shape[-1], *shape[:-1]) if self.layout in ("hwc", "tc") else shape

    @property
    def described(self) -> str:
        """The samples, for a message."""
        if self.layout == "table":
            return f"rows of {self.sample_shape[0]} columns"
        if self.layout == "tokens":
            return f"texts of {self.sample_shape[0]} tokens"
        if self.layout == "tc":
            return f"windows of {self.sample_shape[0]} steps with {self.sample_shape[1]} channels"
        channels, height, width = self.backbone_shape
        return f"images of {height} by {width} with {channels} channel{'s'[: channels > 1]}"


def signature(data: DataRecord, outputs: int | None = None) -> Signature:
    """The signature of a model for a data set.

    Args:
        data: the data set.
        outputs: numbers the model gives; None: as many as the task has.
    """
    return Signature(
        data.sample_shape,
        data.layout,
        (tasks.of(data.task).outputs(data) or 0) if outputs is None else outputs,
        data.vocabulary,
        data.pad,
    )


def tokens(shape: tuple[int, ...], pad: int) -> torch.Tensor:
    """Artificial texts, int32 of a shape [n, length]: the second half of each text is padding."""
    ids = torch.full(shape, pad, dtype=torch.int32)
    ids[:, : -(-shape[1] // 2)] = 0 if pad else 1
    return ids


def unfit(model: str, of: Signature, takes: str, reshape: str = "") -> RecipeError:
    """The error for samples that a family does not take.

    Args:
        model: name of the model.
        of: the signature of the data set.
        takes: what the family takes, in words.
        reshape: the shape that rows of a table could get, ``"[n, height, width]"``.
    """
    suited = SUITED.get(of.layout, "resnet20")
    fix = f"use a model such as {suited!r}"
    if reshape and of.layout == "table":
        fix = f"reshape x to {reshape} or {fix}"
    return RecipeError(
        found=f"model {model!r} for {of.described}",
        expected=f"{takes}, or the family {suited.rstrip('0123456789')}",
        fix=fix,
    )
