"""Losses, each a pure function with its paper and shapes."""

import torch
import torch.nn.functional as F


def hinton(
    logits: torch.Tensor,
    labels: torch.Tensor,
    teacher_logits: torch.Tensor,
    *,
    temperature: float,
    alpha: float,
) -> torch.Tensor:
    """Hard labels and soft targets (Hinton, Vinyals & Dean 2015, §2).

    (1 - alpha) · CE(z, y) + alpha · T² · KL(softmax(t / T) ‖ softmax(z / T)), the mean over the
    batch. T² keeps the soft gradient's size when T changes.

    Args:
        logits: z, float [n, classes].
        labels: y, int64 [n].
        teacher_logits: t, float [n, classes].
        temperature: T > 0.
        alpha: weight of the soft term, 0 to 1.

    Returns:
        A scalar; at z = t the soft term is zero.
    """
    soft = F.kl_div(
        F.log_softmax(logits / temperature, dim=1),
        F.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    hard = F.cross_entropy(logits, labels)
    return (1.0 - alpha) * hard + alpha * temperature**2 * soft
