"""A torch module as a program that another environment with the same torch can load."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


_OF_THIS_MACHINE = (
    "stack_trace",
    "nn_module_stack",
    "source_fn_stack",
    "from_node",
    "torch_fn",
)
"""What the capture notes of each operator: which line of which file of ours it came from."""


def save_program(
    module: "nn.Module | None",
    sample: "NDArray[Any]",
    batch: int,
    path: Path,
    *,
    any_batch: bool = False,
) -> None:
    """Capture a module by ``torch.export``, and write it to a ``.pt2`` file.

    The file is the same wherever it is made, as long as its name is.

    Args:
        module: in eval mode or not, it is captured in eval mode.
        sample: one sample [1, ...] as the module takes it.
        batch: samples a query.
        path: the file to write.
        any_batch: whether it is to take other batches as well; ``batch`` is then 2 or more.

    Raises:
        ModelError: there is no module, or torch cannot capture it.
    """
    import numpy as np
    import torch

    if module is None:
        raise ModelError("no torch module", where=path.stem)
    with suppress(NotImplementedError):  # what was captured is in eval mode and stays so
        module.eval()
    example = torch.from_numpy(np.repeat(np.asarray(sample), batch, axis=0))
    try:
        dynamic = ({0: torch.export.Dim.DYNAMIC},) if any_batch else None
        program = torch.export.export(module, (example,), dynamic_shapes=dynamic)
        for node in program.graph.nodes:
            for key in _OF_THIS_MACHINE:
                node.meta.pop(key, None)
        for tensors in (program.state_dict, program.constants):
            for name, tensor in tensors.items():
                tensors[name] = _alone(tensor)
        torch.export.save(program, path)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ModelError(
            f"cannot be captured by torch.export ({reason(error)})", where=path.stem
        ) from error


def _alone(value: Any) -> Any:
    """The same tensor, contiguous in a storage of its own.

    ``torch.export.save`` writes storages. Of one that no contiguous tensor fills (weights with
    channels last, a part of a larger tensor) it warns, and writes more than the program needs.
    """
    import torch

    if not isinstance(value, torch.Tensor):  # a program also keeps objects
        return value
    if value.is_contiguous() and value.untyped_storage().nbytes() == value.nbytes:
        return value
    alone = value.detach().clone(memory_format=torch.contiguous_format)
    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(alone, requires_grad=value.requires_grad)
    return alone


def load_program(path: Path) -> "nn.Module":
    """A captured module, in eval mode as it was captured."""
    import torch

    module: nn.Module = torch.export.load(path).module()
    return module
