"""A model that a user's own function makes: ``module:function``.

It is a backbone like any other: it takes normalised float32 [n, c, h, w], [n, c, t] or [n, columns]
or int32 ids [n, length], and gives float32 [n, outputs].
"""

import torch
from torch import nn

from ...errors import ModelError
from ..recipe import user_function as reference
from ..recipe.architecture import Architecture
from .signature import Signature, tokens


def build(architecture: Architecture, of: Signature) -> nn.Module:
    """Call the function and see that what it made answers.

    Args:
        architecture: ``model`` is the reference; ``arguments`` are the function's.
        of: what the model has to take and to give.

    Raises:
        ModelError: the function cannot be found or fails, returns something else, or what it
            returns does not take these samples or gives other numbers.
    """
    where = f"model {architecture.model}"
    function = reference.load(architecture.model, where, ModelError)
    try:
        module = function(**architecture.arguments)
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"failed with {reference.quoted(error)}",
            where=where,
            fix="see that the recipe's arguments are the function's",
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(
            found=f"a {type(module).__name__}",
            expected="a torch.nn.Module",
            where=where,
            fix="return the model from the function",
        )
    _answers(module, of, where)
    return module


def _answers(module: nn.Module, of: Signature, where: str) -> None:
    """Refuse a module that does not give finite float32 [2, outputs] for two samples."""
    shape = (2, *of.backbone_shape)
    samples = tokens(shape, of.pad) if of.layout == "tokens" else torch.zeros(shape)
    told = f"for {str(samples.dtype).removeprefix('torch.')} {list(shape)}"
    training = module.training
    try:
        with torch.no_grad():
            found = module.eval()(samples)
    except Exception as error:
        raise ModelError(
            f"failed with {reference.quoted(error)} {told}",
            where=where,
            fix=f"it must take {of.described}",
        ) from error
    finally:
        module.train(training)
    if not isinstance(found, torch.Tensor):
        kind = f"a {type(found).__name__}"
    elif found.dtype != torch.float32 or not _fits(tuple(found.shape), of.outputs):
        kind = f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)}"
    elif not torch.isfinite(found).all():
        raise ModelError(f"NaN or infinity in its output {told}", where=where)
    else:
        return
    raise ModelError(
        found=f"{kind} {told}",
        expected=f"float32 [2, {of.outputs or 'any number'}]",
        where=where,
        fix="one number a class (or an output) in the last layer",
    )


def _fits(shape: tuple[int, ...], outputs: int) -> bool:
    """Two samples' outputs; a teacher of vectors gives as many numbers as it likes."""
    return shape == (2, outputs) if outputs else len(shape) == 2 and shape[0] == 2 and shape[1] > 0
