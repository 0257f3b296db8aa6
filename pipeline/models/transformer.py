"""A transformer encoder over token ids (Vaswani et al. 2017), pre-norm (Xiong et al. 2020).

``transformer4`` at width 128 has four layers of four heads. Tokens are pooled by their mean and not
by the first token: without pretraining a first token does not summarize the text, and the tokenizer
need not have one. Attention and mean ignore padding, so a batch that is cut to its longest text has
the same outputs as the padded one.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import ModelError
from .deployed import Deployed
from .signature import Signature, unfit

FEED_FORWARD = 4
"""Ratio of the units in the feed-forward part to those of a token (§3.3 of the paper)."""
DROPOUT = 0.1
"""Of the embeddings and of the output of each part, in training (§5.4)."""
INITIAL = 0.02
"""Standard deviation of the initial embeddings (Devlin et al. 2019)."""
MASKED = -1e4
"""Added to the score of padding, whose softmax is then exactly 0. With minus infinity a text of
padding alone would give NaN."""


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, §3.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # One multiplication for the three is faster than three small ones.
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[n, t, width] to the same; ``mask`` [n, 1, 1, t] is added to the scores."""
        length, width = x.shape[1:]
        query, key, value = (
            part.view(-1, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.query_key_value(x).chunk(3, dim=2)
        )
        # Plain products: torch's own attention becomes, from opset 23 on, an operator whose mask
        # onnxruntime does not spread over the texts; on a CPU it trains no faster.
        scores = (query * (width // self.heads) ** -0.5) @ key.transpose(2, 3)
        mixed = (scores + mask).softmax(3) @ value
        y: torch.Tensor = self.output(mixed.transpose(1, 2).reshape(-1, length, width))
        return y


class Layer(nn.Module):
    """Attention, then a feed-forward part; each normalises its input and is added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, FEED_FORWARD * width)
        self.linear2 = nn.Linear(FEED_FORWARD * width, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[n, t, width] to the same."""
        x = x + self.dropout(self.attention(self.norm1(x), mask))
        update: torch.Tensor = self.dropout(self.linear2(F.gelu(self.linear1(self.norm2(x)))))
        return x + update


class Transformer(nn.Module):
    """Embeddings of tokens and positions, the layers, mean over tokens, norm, one linear."""

    def __init__(self, depth: int, width: int, of: Signature) -> None:
        super().__init__()
        self.pad = of.pad
        self.embedding = nn.Embedding(of.vocabulary, width)
        self.position = nn.Parameter(torch.empty(of.sample_shape[0], width))
        for table in (self.embedding.weight, self.position):
            nn.init.normal_(table, std=INITIAL)
        self.dropout = nn.Dropout(DROPOUT)
        self.layers = nn.ModuleList(Layer(width, heads(width)) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, of.outputs)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Outputs [n, outputs] of token ids int32 [n, t]; t may be shorter than the full length."""
        is_token = ids != self.pad
        x = self.dropout(self.embedding(ids) + self.position[: ids.shape[1]])
        mask = (~is_token).to(x.dtype)[:, None, None, :] * MASKED
        for layer in self.layers:
            x = layer(x, mask)
        weights = is_token.to(x.dtype).unsqueeze(2)
        pooled = (x * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        outputs: torch.Tensor = self.linear(self.norm(pooled))
        return outputs


def heads(width: int) -> int:
    """Number of heads: 32 units per head, 64 from width 512 on, or more so that heads divide it."""
    wanted = max(1, width // (64 if width >= 512 else 32))
    return next(number for number in range(wanted, 0, -1) if width % number == 0)


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A transformer encoder for texts.

    Args:
        depth: layers.
        width: units of a token.
        of: the model's input (token ids) and outputs.

    Raises:
        RecipeError: samples that are no texts.
    """
    if of.layout != "tokens":
        raise unfit(f"transformer{depth}", of, "texts")
    return Transformer(depth, width, of)


def initialize(student: nn.Module, teacher: nn.Module) -> int:
    """Start a student from its teacher (Sanh et al. 2019, DistilBERT, §3).

    Embeddings and evenly spaced layers are copied: of a teacher of twice the depth, layers 0, 2, 4.

    Args:
        student: a transformer, or a ``Deployed`` one; changed in place.
        teacher: one of the same width, vocabulary and length, and at least as many layers.

    Returns:
        The number of copied layers, which is the student's depth.

    Raises:
        ModelError: the two are not such transformers.
    """
    target, source = _transformer(student, "student"), _transformer(teacher, "teacher")
    if _sizes(target) != _sizes(source):
        raise ModelError(
            found=f"a student of {_described(target)} and a teacher of {_described(source)}",
            expected="equal sizes",
            where="distill.initialize",
            fix="give student and teacher one width, or leave distill.initialize out",
        )
    depth, teacher_depth = len(target.layers), len(source.layers)
    if depth > teacher_depth:
        raise ModelError(
            found=f"a student of {depth} layers and a teacher of {teacher_depth}",
            expected="no more than the teacher has",
            where="distill.initialize",
            fix="make the student shallower, or leave distill.initialize out",
        )
    with torch.no_grad():
        target.embedding.load_state_dict(source.embedding.state_dict())
        target.position.copy_(source.position)
    for index, layer in enumerate(target.layers):
        layer.load_state_dict(source.layers[index * teacher_depth // depth].state_dict())
    return depth


def _transformer(model: nn.Module, role: str) -> Transformer:
    backbone = model.backbone if isinstance(model, Deployed) else model
    if not isinstance(backbone, Transformer):
        raise ModelError(
            found=f"a {role} of {type(backbone).__name__}",
            expected="a model of the family transformer",
            where="distill.initialize",
            fix="leave distill.initialize out",
        )
    return backbone


def _sizes(model: Transformer) -> tuple[int, int, int, int]:
    """Vocabulary, width, longest text, heads."""
    vocabulary, width = model.embedding.weight.shape
    return vocabulary, width, model.position.shape[0], heads(width)


def _described(model: Transformer) -> str:
    vocabulary, width, length, number = _sizes(model)
    return f"{vocabulary} tokens, width {width}, length {length} and {number} heads"
