"""An image classifier of the timm library, by its name there.

    >>> teacher = load("resnet18", Path("resnet18.safetensors"), outputs=10)     # doctest: +SKIP

Weights come from the user's own file; nothing is downloaded.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import HostError, ModelError, did_you_mean, reason
from ..models.weights import load_foreign


def load(
    name: str,
    weights: Path | None,
    outputs: int,
    *,
    channels: int = 3,
    size: tuple[int, int] | None = None,
) -> nn.Module:
    """A model of timm with a classifier for the data set's classes.

    Args:
        name: one of ``timm.list_models()``.
        weights: a checkpoint of exactly this model; None: it stays untrained.
        outputs: logits per image; 0 removes the classifier, for the features before it.
        channels: of the images.
        size: height and width, with which the model is run once; None: it is not run.

    Returns:
        A module of float32 [n, channels, h, w].

    Raises:
        ModelError: no such model, or weights or images that do not fit it.
        HostError: the library is not installed or does not load.
    """
    timm = _library()
    where = f"teacher.model = 'timm:{name}'"
    # timm treats a name with a colon or slash as an address, which it may download from.
    if not name.replace(".", "").replace("_", "").isalnum() or not timm.is_model(name):
        raise ModelError(
            f"no model {name!r} in timm {timm.__version__}",
            where=where,
            fix=did_you_mean(name, timm.list_models()) or "see timm.list_models()",
        )
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=outputs, in_chans=channels
        )
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"a model that timm does not make ({reason})", where=where) from error
    if weights is not None:
        load_foreign(model, weights, f"timm's {name}")
    if size is not None:
        _check_runs(model, (1, channels, *size), outputs, where)
    return model


def _library() -> Any:
    fix = "pip install 'edgestill[vision]' timm"
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        missing = error.name if error.name not in (None, "timm") else "timm"
        raise HostError(f"no library {missing}", where="teacher.model", fix=fix) from None
    except RuntimeError as error:  # torchvision built for another torch
        raise HostError(
            f"a library timm that does not load ({reason(error)})",
            where="teacher.model",
            fix="install the torchvision that belongs to this torch",
        ) from error
    return timm


def _check_runs(model: nn.Module, shape: tuple[int, ...], outputs: int, where: str) -> None:
    was_training = model.training
    try:
        with torch.inference_mode():
            answer = model.eval()(torch.zeros(shape))
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"a model that does not take images of {list(shape[1:])} ({reason})",
            where=where,
            fix="set data.image.size to the size it was trained with",
        ) from None
    finally:
        model.train(was_training)
    wanted = (1, outputs or answer.shape[-1])
    if tuple(answer.shape) != wanted:
        raise ModelError(
            f"answers of shape {list(answer.shape)}", expected=f"{list(wanted)}", where=where
        )
