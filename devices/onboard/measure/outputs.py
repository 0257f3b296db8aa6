"""Whether what a model answers is worth timing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import ModelError
from ..model.modelfile import printable


def check_finite(outputs: Sequence[Any], names: Sequence[str], model: str) -> None:
    """Refuse outputs that are not finite: slow or fast, they are no answer.

    Raises:
        ModelError: one of them holds NaN or an infinity.
    """
    for name, output in zip(names, outputs, strict=True):
        array = np.asarray(output) if isinstance(output, np.ndarray | np.generic) else None
        if array is None or not np.issubdtype(array.dtype, np.floating):
            continue
        wrong = int(np.count_nonzero(~np.isfinite(array)))
        if wrong:
            raise ModelError(
                f"{wrong} of {array.size} values in output {printable(name)} not finite",
                expected="finite outputs",
                where=model,
                fix="check the weights, and that the inputs are of the kind it was trained on",
            )
