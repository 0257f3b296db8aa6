"""scikit-learn's handwritten digits: 1,797 images of 8 by 8, values 0 to 16 (Alpaydin 1998)."""

from importlib import metadata
from typing import Any

import numpy as np

from ..engine.extras import missing


def fingerprint(_: str) -> str:
    """The version of scikit-learn, which contains the data set."""
    try:
        return f"digits of scikit-learn {metadata.version('scikit-learn')}"
    except metadata.PackageNotFoundError:
        raise missing("sklearn") from None


def read(*_: object) -> dict[str, Any]:
    """``x`` uint8 [1797, 8, 8] and ``y`` int64 [1797]."""
    from sklearn.datasets import load_digits  # takes half a second

    digits = load_digits()
    return {"x": digits.images.astype(np.uint8), "y": digits.target.astype(np.int64)}
