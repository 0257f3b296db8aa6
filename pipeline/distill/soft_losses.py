"""Soft losses: the student's outputs against the teacher's outputs.

Each is a pure function with its paper, equation and shapes, and is zero where student and teacher
agree. A new one is a function and a line of ``SOFT_LOSSES`` here, a name in
``recipe/loss_names.py`` and a line in ``Task.soft_losses`` of each task that it suits.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..recipe.distill import SoftLosses
from .feature_losses import cosine

_TINY = 1e-7
"""Keeps a row of equal logits from dividing by zero."""


def kd(logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Soft targets (Hinton, Vinyals & Dean 2015, §2).

    T² · KL(softmax(t / T) ‖ softmax(z / T)), the mean over the batch. T² keeps the gradient's size
    when T changes.

    Args:
        logits: z, float [n, classes].
        teacher_logits: t, float [n, classes].
        temperature: T > 0.

    Returns:
        A scalar.
    """
    log_q = F.log_softmax(logits / temperature, dim=1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def binary_kd(
    logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Soft targets of a multi-label task: each label is a two-class ``kd`` of its own.

    T² · KL(Bernoulli(sigmoid(t / T)) ‖ Bernoulli(sigmoid(z / T))), the mean over samples and
    labels, as the hard loss beside it is: a data set of more labels weighs no more.

    Args:
        logits: z, float [n, labels].
        teacher_logits: t, float [n, labels].
        temperature: T > 0.

    Returns:
        A scalar.
    """
    z, t = logits / temperature, teacher_logits / temperature
    # log(1 - sigmoid(x)) is logsigmoid(-x), which stays finite where 1 - sigmoid(x) rounds to 0.
    positive = torch.sigmoid(t) * (F.logsigmoid(t) - F.logsigmoid(z))
    negative = torch.sigmoid(-t) * (F.logsigmoid(-t) - F.logsigmoid(-z))
    return temperature**2 * (positive + negative).mean()


def mse(logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the outputs (Ba & Caruana 2014, eq. 1; Kim et al. 2021).

    Args:
        logits: z, float [n, outputs].
        teacher_logits: t, float [n, outputs].

    Returns:
        A scalar, the mean over samples and outputs.
    """
    return F.mse_loss(logits, teacher_logits)


def dkd(
    logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    temperature: float,
    alpha: float,
    beta: float,
) -> torch.Tensor:
    """Decoupled knowledge distillation (Zhao et al. 2022, eq. 7).

    T² · (alpha · KL(b_t ‖ b_z) + beta · KL(p̂_t ‖ p̂_z)), the mean over the batch: b is the target
    class against all others, p̂ the softmax over the others alone. With alpha = 1 and beta = the
    teacher's probability of the others it is ``kd`` (eq. 6); a fixed beta keeps what the teacher
    says of the others from fading where it is sure.

    Args:
        logits: z, float [n, classes].
        teacher_logits: t, float [n, classes].
        labels: y, int64 [n].
        temperature: T > 0.
        alpha: weight of the target class's part.
        beta: weight of the others' part.

    Returns:
        A scalar.
    """
    target = F.one_hot(labels, logits.shape[1]).bool()
    parts = [_decoupled(x / temperature, target) for x in (logits, teacher_logits)]
    (binary_z, others_z), (binary_t, others_t) = parts
    tckd = F.kl_div(binary_z, binary_t, reduction="batchmean", log_target=True)
    nckd = F.kl_div(others_z, others_t, reduction="batchmean", log_target=True)
    return temperature**2 * (alpha * tckd + beta * nckd)


def dist(logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """DIST: relations instead of values (Huang et al. 2022, eq. 8 to 10).

    T² · (inter + intra): one less Pearson's correlation of the probabilities, along the classes of
    each sample (inter) and along the samples of each class (intra), each averaged.

    Args:
        logits: z, float [n, classes], n of at least 2.
        teacher_logits: t, float [n, classes].
        temperature: T > 0.

    Returns:
        A scalar, 0 where all correlations are 1.
    """
    q = F.softmax(logits / temperature, dim=1)
    p = F.softmax(teacher_logits / temperature, dim=1)
    inter = 1.0 - _pearson(q, p, dim=1).mean()
    intra = 1.0 - _pearson(q, p, dim=0).mean()
    return temperature**2 * (inter + intra)


def standardize(logits: torch.Tensor) -> torch.Tensor:
    """Each sample's logits with mean 0 and deviation 1 (Sun et al. 2024, eq. 10).

    Student and teacher then need to agree in the shape of their logits, not in their scale.

    Args:
        logits: float [n, classes].

    Returns:
        float [n, classes].
    """
    centred = logits - logits.mean(dim=1, keepdim=True)
    deviation = centred.pow(2).mean(dim=1, keepdim=True).sqrt()
    return centred / (deviation + _TINY)


def _decoupled(x: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities [n, 2] of target against others, and [n, classes - 1] among the others."""
    log_p = F.log_softmax(x, dim=1)
    rows, classes = x.shape
    own = log_p[target]
    others = log_p[~target].reshape(rows, classes - 1)
    rest = torch.logsumexp(others, dim=1)
    return torch.stack([own, rest], dim=1), others - rest[:, None]


def _pearson(a: torch.Tensor, b: torch.Tensor, dim: int) -> torch.Tensor:
    a = a - a.mean(dim=dim, keepdim=True)
    b = b - b.mean(dim=dim, keepdim=True)
    return F.cosine_similarity(a, b, dim=dim, eps=_TINY**2)


def _needed(labels: torch.Tensor | None) -> torch.Tensor:
    if labels is None:
        raise ValueError("dkd needs labels")
    return labels


SoftLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None, SoftLosses], torch.Tensor]
"""``loss(student, teacher, labels, settings)``, a scalar.

Outputs are float [n, outputs]; labels are int64 [n] where each sample has one class, else None;
settings are the recipe's part, with the temperature.
"""

SOFT_LOSSES: dict[str, SoftLoss] = {
    "kd": lambda z, t, _, s: kd(z, t, s.temperature),
    "binary_kd": lambda z, t, _, s: binary_kd(z, t, s.temperature),
    "mse": lambda z, t, _, __: mse(z, t),
    "dkd": lambda z, t, y, s: dkd(z, t, _needed(y), s.temperature, s.dkd_alpha, s.dkd_beta),
    "dist": lambda z, t, _, s: dist(z, t, s.temperature),
    "cosine": lambda z, t, _, __: cosine(z, t),
}
"""Every built-in soft loss; ``Task.soft_losses`` says which of them a name in a recipe means."""
