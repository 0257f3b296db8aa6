"""Files of weights: safetensors; a ``.pt`` of the user is read weights-only, never unpickled."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ...errors import ModelError, no_file
from ..records.models import WEIGHTS as WEIGHTS


def save(module: nn.Module, path: Path) -> None:
    """Write a module's state as safetensors, in a fixed order and memory format."""
    # Cloned, for tied weights share their memory, which the format refuses.
    state = {
        key: value.detach().clone(memory_format=torch.contiguous_format)
        for key, value in sorted(module.state_dict().items())
    }
    save_file(state, path)


def restore(module: nn.Module, path: Path) -> None:
    """Load a state that ``save`` wrote."""
    module.load_state_dict(load_file(path))


def load_foreign(
    backbone: nn.Module,
    path: Path,
    model: str,
    *,
    key_of_path: str = "teacher.weights",
    fresh: str | None = None,
) -> None:
    """Load a checkpoint from elsewhere into a backbone.

    Common wrappings (``state_dict``, ``model``, a ``module.`` prefix, the normalization that
    ``save`` writes around a backbone) are removed; counters of batch norm may be missing.

    Args:
        backbone: changed in place.
        path: of the checkpoint.
        model: its name, for a message.
        key_of_path: of the recipe, which names the path.
        fresh: name of a layer that keeps its own weights, whatever the checkpoint has for it.

    Raises:
        ModelError: unreadable; or a tensor is missing, unknown, not finite or of another shape.
    """
    state = _bare(_read(path, key_of_path))
    wanted = backbone.state_dict()
    if fresh is not None:
        own = {key: tensor for key, tensor in wanted.items() if key.startswith(f"{fresh}.")}
        state = {key: tensor for key, tensor in state.items() if not key.startswith(f"{fresh}.")}
        state |= own
    where = f"{path.name} for {model}"
    for key, tensor in wanted.items():
        if key not in state:
            if key.endswith("num_batches_tracked"):
                state[key] = tensor
                continue
            raise ModelError(
                found=f"no tensor {key!r}",
                expected=f"the {len(wanted)} tensors of {model}",
                where=where,
                fix="is it another model, depth or width?",
            )
        if state[key].shape != tensor.shape:
            raise ModelError(
                found=f"{key!r} of shape {list(state[key].shape)}",
                expected=f"{list(tensor.shape)}",
                where=where,
                fix="is it another width, channel count or number of classes?",
            )
        if not torch.isfinite(state[key].float()).all():
            raise ModelError(found=f"NaN or infinity in {key!r}", where=where)
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise ModelError(
            found=f"{len(extra)} tensors too many, such as {extra[0]!r}",
            expected=f"the {len(wanted)} tensors of {model}",
            where=where,
        )
    backbone.load_state_dict(state)


def _read(path: Path, key: str) -> Mapping[str, object]:
    if not path.is_file():
        raise no_file(path, ModelError, f"correct {key}")
    try:
        content: object
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise _unreadable(path, str(error).partition("\n")[0][:120]) from None
    except Exception as error:
        # A broken file can make the unpickler raise any error: KeyError, IndexError, …
        raise _unreadable(path, type(error).__name__) from error
    if not isinstance(content, Mapping):
        raise _unreadable(path, f"a {type(content).__name__} where tensors by name are expected")
    return content


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        found=f"not readable as weights ({why})",
        where=str(path),
        fix="save the state_dict with safetensors.torch.save_file",
    )


def _bare(content: Mapping[str, object]) -> dict[str, torch.Tensor]:
    for wrapper in ("state_dict", "model_state_dict", "model"):
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors and all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    inside = {key: value for key, value in tensors.items() if key.startswith("backbone.")}
    if inside and set(tensors) - set(inside) == {"scale", "offset"}:
        tensors = {key.removeprefix("backbone."): value for key, value in inside.items()}
    return tensors
