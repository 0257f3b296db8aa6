"""Losses between features: what a layer of the student gives, against a layer of the teacher.

Each is a pure function with its paper, equation and shapes, and is zero where student and teacher
agree. Features have their channels on axis 1: [n, c], [n, c, t] or [n, c, h, w]. A new one is a
function and a line of ``LAYER_LOSSES`` here and a name in ``recipe/loss_names.py``.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

ANGLE_SAMPLES = 64
"""Samples of a batch whose angles ``rkd`` compares; their number grows with the third power.

64 samples make 125 000 angles. A batch is in random order, so its first samples are random ones.
"""
_TINY = 1e-7
"""Keeps a distance from being divided by zero."""


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
    of_student, of_teacher = (F.normalize(x.flatten(1), dim=1) for x in maps)
    distances: torch.Tensor = torch.linalg.vector_norm(of_student - of_teacher, dim=1)
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
    of_student, of_teacher = (F.normalize(x @ x.mT, dim=1) for x in rows)
    return (of_student - of_teacher).pow(2).sum() / len(student) ** 2


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


def _pooled(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both with the same places: along each axis behind the channels the longer is averaged."""
    if a.shape[2:] == b.shape[2:]:
        return a, b
    for axis in range(2, a.ndim):
        size = min(a.shape[axis], b.shape[axis])
        a, b = _averaged(a, axis, size), _averaged(b, axis, size)
    return a, b


def _averaged(x: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """Adaptive average pooling of one axis, whose own kernel has no repeatable gradient on CUDA."""
    length = x.shape[axis]
    if length % size == 0:
        return torch.unflatten(x, axis, (size, length // size)).mean(axis + 1)
    place, window = torch.arange(length), torch.arange(size)[:, None]
    inside = (place >= window * length // size) & (place < -(-(window + 1) * length // size))
    shares = (inside / inside.sum(1, keepdim=True)).to(x.device, x.dtype)
    return (x.movedim(axis, -1) @ shares.mT).movedim(-1, axis)


def _distances(x: torch.Tensor) -> torch.Tensor:
    """Of all pairs, over their mean, [n · (n - 1) / 2]."""
    distances = F.pdist(x)
    return distances / (distances.mean() + _TINY**2)


def _angles(x: torch.Tensor) -> torch.Tensor:
    """Cosines [n, n, n] at each sample between each two others, 0 where two are the same.

    Zeros on both sides cost nothing in a sum, and a triplet picked out costs as much as all.
    """
    towards = F.normalize(x[None] - x[:, None], dim=2)
    return towards @ towards.mT * (1.0 - torch.eye(len(x), dtype=x.dtype, device=x.device))


LayerLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``loss(student, teacher)``, of features with n samples each; a scalar."""

LAYER_LOSSES: dict[str, LayerLoss] = {
    "hint": hint,
    "attention": attention,
    "similarity": similarity,
    "rkd": rkd,
    "cosine": cosine,
}
"""Every built-in loss between layers."""
