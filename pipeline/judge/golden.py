"""Whether a file still gives the outputs that were recorded of it.

>>> rule = rule_of(np.array([[0.1, 2.0]]), None)
>>> rule.compare, rule.at_most
('difference', 0.0002)
"""

from typing import Literal

import numpy as np

from .. import tasks
from ..records.record import Record
from .answers import Logits

TOLERANCE = 1e-4
"""Of the largest logit: other versions of the runtime and other CPUs sum in another order."""
QUANTIZED_TOLERANCE = 0.05
"""Of the span of the recorded numbers: integer kernels differ between CPUs by a step or two."""


class Rule(Record):
    """How outputs are compared with recorded ones.

    Attributes:
        compare: ``class``: the largest output of each sample is the same one; ``difference``: no
            number differs by more than ``at_most``.
        at_most: 0 for ``class``.
    """

    compare: Literal["class", "difference"]
    at_most: float = 0.0


def rule_of(expected: Logits, quantized: tasks.Task | None) -> Rule:
    """How outputs are compared; of a quantized classifier only the class is.

    Args:
        expected: the recorded outputs, float32 [n, k].
        quantized: the task of a quantized file; None for any other file.
    """
    if quantized is not None and quantized.exclusive:
        return Rule(compare="class")
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if quantized is not None:
        tolerance = max(tolerance, QUANTIZED_TOLERANCE * float(np.ptp(expected)))
    return Rule(compare="difference", at_most=tolerance)


def fault(outputs: Logits, expected: Logits, rule: Rule) -> str | None:
    """What is no longer as recorded; None where all is.

    Args:
        outputs: of today, of the shape of the recorded ones.
        expected: the recorded ones, float32 [n, k].
        rule: how they are compared.
    """
    if rule.compare == "class":
        different = int((outputs.argmax(1) != expected.argmax(1)).sum())
        return f"{different} of {len(outputs)} answers changed" if different else None
    distance = float(np.abs(outputs - expected).max())
    # Written so that NaN is a fault, too.
    if distance <= rule.at_most:
        return None
    return f"outputs differ by {distance:.3g} from those recorded"
