"""The calibration samples that a request comes with.

>>> queries_of(folder, batch=1)                                     # doctest: +SKIP
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def queries_of(folder: Path, batch: int) -> list[NDArray[Any]]:
    """The samples in order, in queries of the model's batch; what does not fill one is left out.

    Where there are fewer than one query takes, the first is repeated.
    """
    with np.load(folder / "calibration.npz", allow_pickle=False) as stored:
        samples: NDArray[Any] = stored["x"]
    if len(samples) < batch:
        return [np.repeat(samples[:1], batch, axis=0)]
    return [samples[i : i + batch] for i in range(0, len(samples) - batch + 1, batch)]
