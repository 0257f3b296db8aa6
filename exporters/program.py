"""A torch module as a program that another environment with the same torch can load."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


def save_program(
    module: "nn.Module | None", sample: "NDArray[Any]", batch: int, path: Path
) -> None:
    """Capture a module by ``torch.export`` with a fixed batch, and write it to a ``.pt2`` file.

    Args:
        module: in eval mode or not, it is captured in eval mode.
        sample: one sample [1, ...] as the module takes it.
        batch: samples a query.
        path: the file to write.

    Raises:
        ModelError: there is no module, or torch cannot capture it.
    """
    import numpy as np
    import torch

    if module is None:
        raise ModelError("no torch module", where=path.stem)
    module.eval()
    example = torch.from_numpy(np.repeat(np.asarray(sample), batch, axis=0))
    try:
        torch.export.save(torch.export.export(module, (example,)), path)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ModelError(
            f"cannot be captured by torch.export ({reason(error)})", where=path.stem
        ) from error
