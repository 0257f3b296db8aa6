"""Losses: each a pure function with its paper, equation and shapes; two tables name them.

    total = (1 - alpha) · hard(z, y) + alpha · Σ weight · soft(z, t, y) + Σ weight · layer(s, t)

The defaults (``losses = { kd = 1.0 }``) are Hinton's loss. Every loss is zero where student and
teacher agree. Features have their channels on axis 1: [n, c], [n, c, t] or [n, c, h, w].
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...errors import RecipeError
from .. import tasks
from ..recipe.distill import LayerLoss, SoftLosses

ANGLE_SAMPLES = 64
"""Samples of a batch whose angles ``rkd`` compares, for their number grows with the third power.

64 make 125 000 angles; a batch is in random order, so that its first ones are any ones.
"""


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
    told = torch.sigmoid(t) * (F.logsigmoid(t) - F.logsigmoid(z))
    untold = torch.sigmoid(-t) * (F.logsigmoid(-t) - F.logsigmoid(-z))
    return temperature**2 * (told + untold).mean()


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


def cosine(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """One less the cosine between student and teacher (Sanh et al. 2019, DistilBERT, §3).

    Args:
        student: z, float [n, d], or with more axes behind: tokens [n, d, t].
        teacher: t, of as many channels; where other axes differ, the longer is pooled.

    Returns:
        A scalar, 1 - cos(z, t), the mean over samples and places.
    """
    student, teacher = _pooled(student, teacher)
    return (1.0 - F.cosine_similarity(student, teacher, dim=1)).mean()


def hint(regressed: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """FitNets' hint (Romero et al. 2015, eq. 3): half the mean squared error.

    ½ · (r - t)², the mean over all values where the paper has the sum, so that a weight means the
    same at every layer.

    Args:
        regressed: r, what a regressor (``layers.Bridge``) makes of the student's feature:
            float [n, c], [n, c, t] or [n, c, h, w].
        teacher: t, of as many channels; where other axes differ, the longer is pooled.

    Returns:
        A scalar.
    """
    return 0.5 * F.mse_loss(*_pooled(regressed, teacher))


def attention(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Attention transfer (Zagoruyko & Komodakis 2017, eq. 2, of activations, p = 2).

    ‖q(s) / ‖q(s)‖₂ - q(t) / ‖q(t)‖₂‖₂, the mean over the batch; q is the sum of squares over the
    channels, at each place. The paper's β / 2 is the weight. Where the places differ in number,
    the larger map is pooled.

    Args:
        student: s, float [n, c, t] or [n, c, h, w].
        teacher: t, with as many axes and any number of channels.

    Returns:
        A scalar, at most √2.
    """
    maps = _pooled(*(x.pow(2).sum(dim=1, keepdim=True) for x in (student, teacher)))
    seen, wanted = (F.normalize(x.flatten(1), dim=1) for x in maps)
    distances: torch.Tensor = torch.linalg.vector_norm(seen - wanted, dim=1)
    return distances.mean()


def similarity(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Similarity-preserving distillation (Tung & Mori 2019, eq. 4).

    ‖G(s) - G(t)‖² / n², where G(x) = x xᵀ with rows of norm 1: which samples of a batch are alike.

    Args:
        student: s, float [n, ...], flattened to [n, ·].
        teacher: t, float [n, ...]; nothing but n needs to agree.

    Returns:
        A scalar.
    """
    rows = [x.flatten(1) for x in (student, teacher)]
    seen, wanted = (F.normalize(x @ x.mT, dim=1) for x in rows)
    return (seen - wanted).pow(2).sum() / len(student) ** 2


def rkd(
    student: torch.Tensor, teacher: torch.Tensor, distance: float = 1.0, angle: float = 2.0
) -> torch.Tensor:
    """Relational knowledge distillation (Park et al. 2019, §3.2.1 and §3.2.2).

    distance · Huber over pairs of samples, of their distances in units of the mean distance, and
    angle · Huber over triplets, of the cosine of the angle at the middle one. Both with δ = 1, and
    the mean where the paper has the sum; 1 and 2 are its weights.

    Args:
        student: s, float [n, c], or with more axes behind, which are averaged; n of at least 2.
        teacher: t, float [n, ...]; nothing but n needs to agree.
        distance: weight of the distances.
        angle: weight of the angles, which are those of the first ``ANGLE_SAMPLES`` samples.

    Returns:
        A scalar.
    """
    s, t = (x.flatten(2).mean(2) if x.ndim > 2 else x for x in (student, teacher))
    loss = distance * F.huber_loss(_distances(s), _distances(t))
    if len(s) < 3:  # no triplet
        return loss
    s, t = s[:ANGLE_SAMPLES], t[:ANGLE_SAMPLES]
    triplets = len(s) * (len(s) - 1) * (len(s) - 2)
    return loss + angle * F.huber_loss(_angles(s), _angles(t), reduction="sum") / triplets


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


OnOutputs = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None, SoftLosses], torch.Tensor]
"""``loss(logits, teacher_logits, labels, soft)``."""
OnLayers = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``loss(student, teacher)``, of features."""

SOFT_LOSSES: dict[str, OnOutputs] = {
    "kd": lambda z, t, _, s: kd(z, t, s.temperature),
    "binary_kd": lambda z, t, _, s: binary_kd(z, t, s.temperature),
    "mse": lambda z, t, _, __: mse(z, t),
    "dkd": lambda z, t, y, s: dkd(z, t, _told(y), s.temperature, s.dkd_alpha, s.dkd_beta),
    "dist": lambda z, t, _, s: dist(z, t, s.temperature),
    "cosine": lambda z, t, _, __: cosine(z, t),
}
"""Every soft loss; ``Task.soft_losses`` says which of them a name in a recipe means."""

LAYER_LOSSES: dict[LayerLoss, OnLayers] = {
    "hint": hint,
    "attention": attention,
    "similarity": similarity,
    "rkd": rkd,
    "cosine": cosine,
}


def soft_loss(name: str, task: tasks.Task) -> OnOutputs:
    """The soft loss that a name in a recipe means for a task."""
    return SOFT_LOSSES[task.soft_losses[name]]


def check(soft: SoftLosses, task: tasks.Task) -> None:
    """Refuse soft losses that a task does not have.

    Raises:
        RecipeError: one of the losses, or the standardization, says nothing for this task.
    """
    known = task.soft_losses
    for name in soft.losses:
        if name not in known:
            raise RecipeError(
                found=repr(name),
                expected=f"{' or '.join(map(repr, known))} for the task {task.name!r}",
                where="distill.losses",
                fix=f"write losses = {{ {next(iter(known))} = 1.0 }} under [distill]",
            )
    if soft.standardize and not task.exclusive:
        raise RecipeError(
            found="true",
            expected=f"false for the task {task.name!r}, whose outputs have a meaning each",
            where="distill.standardize",
            fix="leave distill.standardize out",
        )


def distillation(
    logits: torch.Tensor,
    hard: torch.Tensor,
    labels: torch.Tensor | None,
    teacher_logits: torch.Tensor,
    soft: SoftLosses,
    task: tasks.Task,
) -> torch.Tensor:
    """Hard labels and a weighted sum of soft losses.

    Args:
        logits: z, float [n, outputs].
        hard: the loss from the labels, a scalar.
        labels: y, int64 [n], the class with the larger share where samples are mixed; None for
            a task whose classes do not exclude each other.
        teacher_logits: t, float [n, outputs].
        soft: the recipe's part: alpha, the weight of each soft loss, and what they are told; one
            that ``check`` lets through.
        task: its ``soft_losses`` say what the name of a soft loss means.

    Returns:
        A scalar.
    """
    z, t = logits, teacher_logits
    if soft.standardize:
        z, t = standardize(z), standardize(t)
    taught = logits.new_zeros(())
    for name, weight in soft.losses.items():
        taught = taught + weight * soft_loss(name, task)(z, t, labels, soft)
    return (1.0 - soft.alpha) * hard + soft.alpha * taught


_TINY = 1e-7
"""Keeps a row of equal logits from dividing by zero."""


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


def _told(labels: torch.Tensor | None) -> torch.Tensor:
    if labels is None:
        raise ValueError("dkd needs labels")
    return labels


_POOLS: dict[int, Callable[[torch.Tensor, Any], torch.Tensor]] = {
    3: F.adaptive_avg_pool1d,
    4: F.adaptive_avg_pool2d,
}


def _pooled(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both with the same places: along each axis behind the channels the longer is averaged."""
    if a.shape[2:] == b.shape[2:]:
        return a, b
    size = [min(pair) for pair in zip(a.shape[2:], b.shape[2:], strict=True)]
    one, other = (_POOLS[x.ndim](x, size) for x in (a, b))
    return one, other


def _distances(x: torch.Tensor) -> torch.Tensor:
    """Of all pairs, over their mean, [n · (n - 1) / 2]."""
    found = F.pdist(x)
    return found / (found.mean() + _TINY**2)


def _angles(x: torch.Tensor) -> torch.Tensor:
    """Cosines [n, n, n] at each sample between each two others, 0 where two of the three are one.

    Zeros on both sides cost nothing in a sum, and a triplet picked out costs as much as all.
    """
    towards = F.normalize(x[None] - x[:, None], dim=2)
    return towards @ towards.mT * (1.0 - torch.eye(len(x), dtype=x.dtype, device=x.device))
