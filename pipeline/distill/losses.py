"""The loss of a distilled student: that of the labels and the weighted sum of its soft losses.

    total = (1 - alpha) · hard(z, y) + alpha · Σ weight · soft(z, t, y) + Σ weight · layer(s, t)

The default, ``losses = { kd = 1.0 }``, is Hinton's loss. A name with a colon is a function of the
user's, ``module:function``, which is called as the built-in losses are:

    def my_soft_loss(student, teacher, labels, settings): ...   # outputs float [n, outputs]
    def my_layer_loss(student, teacher): ...                    # features float [n, channels, ...]
"""

from collections.abc import Callable
from functools import partial

import torch

from ...errors import RecipeError, check_all
from .. import tasks
from ..recipe import user_function
from ..recipe.distill import SoftLosses
from ..recipe.model_names import is_factory
from .feature_losses import LAYER_LOSSES, LayerLoss
from .soft_losses import SOFT_LOSSES, SoftLoss, standardize

SOFT, LAYERS = "distill.losses", "distill.layers"
_ARGUMENTS = {SOFT: "student, teacher, labels, settings", LAYERS: "student, teacher"}
_SAMPLES = 8
"""Of the batch that a user's function is tried with."""
_LENGTH = 8
"""Of the vectors it is tried with, where only the teacher knows how long they are."""

Total = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor],
    torch.Tensor,
]
"""``total(logits, hard, labels, teacher_logits)``, a scalar."""


def soft_loss(name: str, task: tasks.Task) -> SoftLoss:
    """The soft loss that a name in a recipe means for a task.

    Raises:
        RecipeError: it is a user's function that cannot be loaded.
    """
    if is_factory(name):
        return _user_loss(name, SOFT)
    return SOFT_LOSSES[task.soft_losses[name]]


def layer_loss(name: str) -> LayerLoss:
    """The loss between layers that a name in a recipe means.

    Raises:
        RecipeError: it is a user's function that cannot be loaded.
    """
    return _user_loss(name, LAYERS) if is_factory(name) else LAYER_LOSSES[name]


def check(soft: SoftLosses, task: tasks.Task, outputs: int | None = None) -> None:
    """Refuse soft losses that the task does not have, and users' functions that are no losses.

    Args:
        soft: the recipe's part.
        task: of the data set.
        outputs: of the student, with which a user's function is tried; None where only the teacher
            knows how many.

    Raises:
        RecipeError: a built-in loss or the standardization says nothing for this task. Or a user's
            function cannot be loaded, fails, or returns something else than a finite scalar that
            depends on the student's outputs.
    """
    check_all(
        *(partial(_check_soft_loss, name, soft, task, outputs) for name in soft.losses),
        partial(_check_scale, soft, task),
    )


def _check_soft_loss(name: str, soft: SoftLosses, task: tasks.Task, outputs: int | None) -> None:
    names = task.soft_losses
    if is_factory(name):
        _try_soft_loss(name, soft, task, outputs or _LENGTH)
    elif name not in names:
        raise RecipeError(
            found=repr(name),
            expected=f"{' or '.join(map(repr, names))} for the task {task.name!r}",
            where=SOFT,
            fix=f"write losses = {{ {next(iter(names))} = 1.0 }} under [distill]",
        )


def _check_scale(soft: SoftLosses, task: tasks.Task) -> None:
    if soft.standardize and not task.exclusive:
        raise RecipeError(
            found="true",
            expected=f"false for the task {task.name!r}, whose outputs have a meaning each",
            where="distill.standardize",
            fix="leave distill.standardize out",
        )


def distillation(soft: SoftLosses, task: tasks.Task) -> Total:
    """The loss of outputs: that of the labels and the weighted sum of the soft losses.

    Args:
        soft: the recipe's part: alpha, the weight of each soft loss, and their settings. ``check``
            has accepted it.
        task: its ``soft_losses`` say what the name of a soft loss means.

    Returns:
        ``total(logits, hard, labels, teacher_logits)``, a scalar, of

        - logits: z, float [n, outputs];
        - hard: the loss from the labels, a scalar;
        - labels: y, int64 [n], the class with the larger share where samples are mixed, and the
          teacher's likeliest class of a sample without a label; None for a task whose classes do
          not exclude each other;
        - teacher_logits: t, float [n, outputs].
    """
    weighted = [(weight, soft_loss(name, task)) for name, weight in soft.losses.items()]

    def total(
        logits: torch.Tensor,
        hard: torch.Tensor,
        labels: torch.Tensor | None,
        teacher_logits: torch.Tensor,
    ) -> torch.Tensor:
        z, t = logits, teacher_logits
        if soft.standardize:
            z, t = standardize(z), standardize(t)
        softs = logits.new_zeros(())
        for weight, loss in weighted:
            softs = softs + weight * loss(z, t, labels, soft)
        return (1.0 - soft.alpha) * hard + soft.alpha * softs

    return total


def require_gradient(value: torch.Tensor, name: str, where: str) -> None:
    """Refuse the value of a user's function from which a student cannot learn.

    Raises:
        RecipeError: it is not finite, or does not depend on the student.
    """
    if value.requires_grad and torch.isfinite(value):
        return
    fault = "without a gradient" if torch.isfinite(value) else "that is not finite"
    raise RecipeError(
        found=f"a value of {float(value.detach()):g} {fault} from {name!r}",
        expected="a finite scalar that depends on the student",
        where=where,
        fix="compute it from the first argument with torch operations, without detach or item",
    )


def _try_soft_loss(name: str, soft: SoftLosses, task: tasks.Task, outputs: int) -> None:
    """Call a user's function once with random outputs."""
    random = torch.Generator().manual_seed(0)
    shape = (_SAMPLES, outputs)
    student, teacher = (torch.randn(shape, generator=random) for _ in range(2))
    labels = torch.arange(_SAMPLES) % outputs if task.exclusive else None
    with torch.enable_grad():
        value = _user_loss(name, SOFT)(student.requires_grad_(), teacher, labels, soft)
    require_gradient(value, name, SOFT)


def _user_loss(name: str, where: str) -> Callable[..., torch.Tensor]:
    """A user's function that raises a ``RecipeError`` where it fails or returns no scalar."""
    function = user_function.load(name, where, RecipeError)

    def loss(*arguments: object) -> torch.Tensor:
        try:
            value = function(*arguments)
        except (Exception, SystemExit) as error:
            raise RecipeError(
                f"{name!r} failed with {user_function.quoted(error)}",
                where=where,
                fix=f"it is called as {name.partition(':')[2]}({_ARGUMENTS[where]})",
            ) from error
        if isinstance(value, torch.Tensor) and not value.ndim and value.is_floating_point():
            return value
        kind = f"a {type(value).__name__}"
        if isinstance(value, torch.Tensor):
            kind = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        raise RecipeError(
            found=f"{kind} from {name!r}",
            expected="a float tensor without axes",
            where=where,
            fix="return the mean over the samples, such as (student - teacher).square().mean()",
        )

    return loss
