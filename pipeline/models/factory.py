"""A model that a function of the user returns: ``module:function``.

It is a backbone like any other: it takes normalised float32 [n, c, h, w], [n, c, t] or [n, columns]
or int32 ids [n, length], and gives float32 [n, outputs].
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from ...errors import EdgestillError, ModelError, reason
from ..recipe import user_function as reference
from ..recipe.architecture import Architecture
from ..recipe.model_names import is_factory
from .signature import Signature, tokens

_FIXES = {
    "inplace operation": "write y = y + 1 in place of y += 1 on what a layer returned",
    "CUDA": "leave .cuda() out: training runs on the CPU",
    "deterministic": "use another operator: training repeats bit for bit",
    "requires grad": "stay with torch operators in forward",
}
"""What to do about a failure, by words in it."""


def build(architecture: Architecture, of: Signature) -> nn.Module:
    """Call the function, and check that its model takes such samples.

    Args:
        architecture: ``model`` is the reference; ``arguments`` are the function's.
        of: the input and outputs that the model must have.

    Raises:
        ModelError: the function cannot be found, fails or returns no module; or the module does
            not take these samples or gives other outputs.
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


@contextmanager
def blamed(where: str, doing: str) -> Iterator[None]:
    """Whatever a module of the user raises is said in one line, as the user's to mend.

    Args:
        where: the recipe's key and the function.
        doing: what it cannot do, as a verb.

    Raises:
        ModelError: anything failed but memory and disk.
    """
    try:
        yield
    except (EdgestillError, MemoryError, OSError):
        raise
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {reason(error)}"
        fix = next((fix for words, fix in _FIXES.items() if words in text), None)
        raise ModelError(f"cannot {doing} ({text})", where=where, fix=fix) from error


def blamed_if_users(model: str, key: str) -> AbstractContextManager[None]:
    """The same around a training, where its model is a function of the user.

    Args:
        model: as the recipe names it.
        key: of the recipe.
    """
    return blamed(f"{key} {model}", "be trained") if is_factory(model) else nullcontext()


def _answers(module: nn.Module, of: Signature, where: str) -> None:
    """Refuse a module that does not give finite float32 [2, outputs] for two samples."""
    shape = (2, *of.backbone_shape)
    samples = tokens(shape, of.pad) if of.layout == "tokens" else torch.zeros(shape)
    samples_text = f"for {str(samples.dtype).removeprefix('torch.')} {list(shape)}"
    training = module.training
    try:
        with torch.no_grad():
            outputs = module.eval()(samples)
    except Exception as error:
        raise ModelError(
            f"failed with {reference.quoted(error)} {samples_text}",
            where=where,
            fix=f"it must take {of.described}",
        ) from error
    finally:
        module.train(training)
    fix = "one number a class (or an output) in the last layer"
    if not isinstance(outputs, torch.Tensor):
        kind = f"a {type(outputs).__name__}"
        fix = (
            "return one tensor from forward: the targets, the budgets and the file have one output"
        )
    elif outputs.dtype != torch.float32 or not _fits(tuple(outputs.shape), of.outputs):
        kind = f"{str(outputs.dtype).removeprefix('torch.')} {list(outputs.shape)}"
    elif not torch.isfinite(outputs).all():
        raise ModelError(f"NaN or infinity in its output {samples_text}", where=where)
    else:
        return
    raise ModelError(
        found=f"{kind} {samples_text}",
        expected=f"float32 [2, {of.outputs or 'any number'}]",
        where=where,
        fix=fix,
    )


def _fits(shape: tuple[int, ...], outputs: int) -> bool:
    """Two samples' outputs; a teacher of vectors gives as many numbers as it likes."""
    return shape == (2, outputs) if outputs else len(shape) == 2 and shape[0] == 2 and shape[1] > 0
