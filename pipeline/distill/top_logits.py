"""The largest logits of each answer, kept in place of all of them, and back again."""

import math

import torch


def top(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The k largest logits of each sample, and what the others weigh together.

    Args:
        logits: float [n, classes].
        k: how many are kept, from 1; all where there are no more.

    Returns:
        Their classes int64 [n, k], from the largest logit down; the logits [n, k]; and the
        logarithm of the others' summed exponentials [n], minus infinity where there are none.
    """
    kept, indices = logits.topk(min(k, logits.shape[1]), dim=1)
    rest = logits.scatter(1, indices, -math.inf).logsumexp(dim=1)
    return indices, kept, rest


def expand(
    indices: torch.Tensor, top_logits: torch.Tensor, rest: torch.Tensor, classes: int
) -> torch.Tensor:
    """Logits of all classes from what ``top`` kept, so that every soft loss works on them.

    Each class that was not kept gets an even share of the others' mass. At temperature 1 the kept
    probabilities are those of the whole; above it the others weigh a little more than they would.

    Args:
        indices: the classes kept, integers [n, k].
        top_logits: float [n, k].
        rest: logarithm of the others' summed exponentials, float [n].
        classes: how many there are.

    Returns:
        float [n, classes].
    """
    others = max(1, classes - indices.shape[1])
    even = (rest - math.log(others)).to(top_logits.dtype)
    return even[:, None].repeat(1, classes).scatter(1, indices.long(), top_logits)
