"""Digits that are moved and noisy, most of them without a label: what the bundled demo learns.

scikit-learn's 1,797 handwritten digits of 8 by 8 (Alpaydin 1998), each twice on a canvas of 12 by
12: at a random place, with a random contrast and with noise. The two samples of a digit are one
group, so intervals do not take them for independent. 150 digits of train have a label.
"""

from importlib import metadata
from typing import Any

import numpy as np

_COPIES, _SIDE, _NOISE = 2, 12, 2.0
_LABELLED, _VALIDATION, _CALIBRATION, _TEST = 150, 100, 50, 597
"""Digits of each part; those that are left are train's without a label."""


def fingerprint(_: str) -> str:
    """The version of scikit-learn, which contains the digits, and how they are changed."""
    how = (_COPIES, _SIDE, _NOISE, _LABELLED, _VALIDATION, _CALIBRATION, _TEST)
    return f"moved digits {how} of scikit-learn {metadata.version('scikit-learn')}"


def read(*_: object) -> dict[str, Any]:
    """Ready splits: ``x`` uint8 [n, 12, 12] from 0 to 255, ``y`` int64 [n], -1 without a label."""
    from sklearn.datasets import load_digits  # takes half a second

    digits, random = load_digits(), np.random.default_rng(0)
    count, side = len(digits.images), digits.images.shape[1]
    shape = (_COPIES * count, _SIDE, _SIDE)
    contrast = random.uniform(0.5, 1.0, len(digits.images) * _COPIES)
    corners = random.integers(0, _SIDE - side + 1, (_COPIES * count, 2))
    x = random.normal(0.0, _NOISE, shape)
    for row, (down, across) in enumerate(corners):
        x[row, down : down + side, across : across + side] += (
            contrast[row] * digits.images[row % count]
        )
    x = np.rint(x.clip(0.0, digits.images.max()) * (255.0 / digits.images.max())).astype(np.uint8)
    order = random.permutation(count)
    ends = np.cumsum([_LABELLED, _VALIDATION, _CALIBRATION, _TEST])
    labelled, validation, calibration, test, unlabelled = np.split(order, ends)
    y = digits.target.astype(np.int64)
    y[unlabelled] = -1
    parts = {
        "train": np.concatenate([labelled, unlabelled]),
        "validation": validation,
        "calibration": calibration,
        "test": test,
    }
    arrays: dict[str, Any] = {}
    for split, of in parts.items():
        rows = np.concatenate([of + count * copy for copy in range(_COPIES)])
        arrays |= {
            f"x_{split}": x[rows],
            f"y_{split}": y[rows % count],
            f"group_{split}": rows % count,
        }
    return arrays
