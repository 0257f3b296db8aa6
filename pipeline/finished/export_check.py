"""Whether an exported file answers as the ``.onnx`` file that it was made of.

>>> check(onnx, tflite, reduced=False, least=1.0).holds        # doctest: +SKIP
True
"""

from dataclasses import dataclass

from ..judge.across_runtimes import Answered, compared
from ..judge.parity import OTHER_RUNTIME
from ..records import OutputLoss

REDUCED = 0.05
"""Of the span of an output: kernels of few bits round otherwise by a step or two."""
LEAST_AGREEMENT = 0.98
"""Share of answers of a model with fewer bits that have to be the same."""


@dataclass(frozen=True, slots=True)
class CheckedOutput:
    """One output.

    Attributes:
        loss: how far it is from the ``.onnx`` file's.
        tolerance: the largest difference for the same answer; None of what has no size.
        agreement: share of rows with the same class or value; None of numbers.
        holds: whether it is the same answer.
    """

    loss: OutputLoss
    tolerance: float | None
    agreement: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """One file.

    Attributes:
        queries: how many.
        runtime: what ran it, and its version.
        reduced: whether the model has fewer bits than float32.
        least: of such a model, the least share of answers that have to be the same.
        outputs: each output of the ``.onnx`` file; none where they cannot be compared.
        missing: why they cannot be compared, or None.
    """

    queries: int
    runtime: str
    reduced: bool
    least: float
    outputs: tuple[CheckedOutput, ...]
    missing: str | None = None

    @property
    def holds(self) -> bool:
        """Whether every output is the same answer."""
        return self.missing is None and all(output.holds for output in self.outputs)


def check(original: Answered, answered: Answered, *, reduced: bool, least: float) -> Checked:
    """Compare the answers of two files.

    A float model has to give the same numbers, but for the order of sums. Of one with fewer bits
    either the numbers are near or, of classes, the answers agree.

    Args:
        original: of the ``.onnx`` file.
        answered: of the exported file.
        reduced: whether the model has fewer bits than float32.
        least: the format's own least agreement; that of its runtime where it is lower.
    """
    least = min(least, LEAST_AGREEMENT)
    apart = compared(original, answered)
    share = REDUCED if reduced else OTHER_RUNTIME
    outputs = tuple(
        _output(loss, share * max(apart.spans[loss.name], 0.0 if reduced else 1.0), reduced, least)
        for loss in apart.losses
    )
    return Checked(len(original.samples), answered.runtime, reduced, least, outputs, apart.missing)


def _output(loss: OutputLoss, tolerance: float, reduced: bool, least: float) -> CheckedOutput:
    agreement = None
    if loss.changed is not None and loss.rows:
        agreement = 1.0 - loss.changed / loss.rows
    if loss.missing is not None:
        return CheckedOutput(loss, None, None, loss.destroyed is None)
    if loss.max_abs_difference is None:
        return CheckedOutput(loss, None, agreement, agreement is None or agreement >= least)
    near = loss.max_abs_difference <= tolerance and loss.destroyed is None
    agrees = reduced and agreement is not None and agreement >= least and loss.destroyed is None
    return CheckedOutput(loss, tolerance, agreement, near or agrees)
