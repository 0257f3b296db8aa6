"""Random logits of a student and a teacher, and their softmax."""

import numpy as np
import torch


def drawn(samples=6, classes=5, scale=3.0):
    """Logits of a student and a teacher, and labels."""
    generator = torch.Generator().manual_seed(0)
    z, t = (
        scale * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    return z, torch.randint(0, classes, (samples,), generator=generator), t


def softmax(logits):
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)
