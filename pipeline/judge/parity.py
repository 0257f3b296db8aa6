"""How far a file's answers are from those of the torch model that it was made of.

>>> all(parity.holds for parity in with_module(path, model, test))        # doctest: +SKIP
True
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import Arrays, draw
from ..engine.stage import Made
from ..records import Parity, TunedRecord
from ..tasks.probabilities import Probabilities
from .answers import REFERENCE, Logits, logits

if TYPE_CHECKING:
    from torch import nn

SAMPLES = 64
BATCHES = (1, 7, 64)
"""One, an odd few, many: a kernel may differ by its tail."""
RELATIVE_TOLERANCE = 1e-4
"""Of the largest logit (at least 1): about ten times what another order of summing changes."""
OTHER_RUNTIME = 1e-3
"""Of the range of the outputs (at least 1)."""
LEVELS = 255
"""Steps from the least to the greatest value of uint8."""
STEEPEST = 0.5
"""How far a softmax moves at most where no logit moves by more than 1; a sigmoid half as far."""


def with_module(path: Path, model: "nn.Module", test: Arrays) -> tuple[Parity, ...]:
    """Largest difference from PyTorch at each batch size, optimizer off and on.

    A file that is right without the optimizer can be wrong with it (onnxruntime issue 24711).

    Args:
        path: the ``.onnx`` file.
        model: in eval mode.
        test: the test split, of which a few samples are drawn.
    """
    samples = draw(test, SAMPLES).x
    expected = _answers_of(model, samples)
    return _parities(path, samples, expected, _tolerance(expected))


def in_other_runtime(
    path: Path, model: "nn.Module", test: Arrays, batch: int
) -> tuple[Parity, ...]:
    """The same of a file that another runtime runs, at the batch that the file has.

    Its kernels may take other ways to a convolution, so the tolerance is a share of the range of
    the outputs, as the makers of runtimes state it.

    Args:
        path: the file.
        model: in eval mode.
        test: the test split, of which a few samples are drawn.
        batch: samples a query.
    """
    samples = draw(test, SAMPLES).x
    expected = _answers_of(model, samples)
    return _elsewhere(path, samples, expected, batch)


def with_tuned_elsewhere(
    path: Path, tuned: Made[TunedRecord], batch: int, *, gives: Probabilities | None = None
) -> tuple[Parity, ...]:
    """The same of a student that a method trained on, in float; ``gives`` as of ``with_tuned``."""
    with np.load(tuned.path / REFERENCE, allow_pickle=False) as stored:
        return _elsewhere(path, stored["x"], _given(stored["logits"], gives), batch)


def _elsewhere(
    path: Path, samples: NDArray[Any], expected: Logits, batch: int
) -> tuple[Parity, ...]:
    return (
        Parity(
            batch=batch,
            optimization="all",
            samples=len(samples),
            max_abs_difference=distance(logits(path, samples, batch=batch), expected),
            tolerance=OTHER_RUNTIME * max(1.0, float(np.ptp(expected))),
        ),
    )


def with_tuned(
    path: Path,
    tuned: Made[TunedRecord],
    *,
    precise: bool,
    gives: Probabilities | None = None,
) -> tuple[Parity, ...]:
    """The same of a student that a method trained on; in int8 it may differ by one output step.

    A value that lies between two levels is rounded up in one place and down in the other, after
    another order of summing. A step is what one level of 256 spans over the outputs; that is the
    tolerance of a convolutional network. In a transformer one such value changes a softmax and the
    deviation that a token is divided by, hence other values after it, and the torch model itself
    may change by more than a step when its arithmetic changes in the last digits. That change was
    measured (``TunedRecord.moves``), and the larger of the two is the tolerance.

    Args:
        path: the ``.onnx`` file.
        tuned: the method's output, with the answers of its torch model.
        precise: whether int8 is computed without saturation whatever this host does.
        gives: the probabilities that the file gives in place of logits; None: logits.
    """
    with np.load(tuned.path / REFERENCE, allow_pickle=False) as stored:
        samples, expected = stored["x"], stored["logits"]
    tolerance = _tolerance(expected)
    if tuned.record.rounds:
        tolerance = max(float(np.ptp(expected)) / LEVELS, tuned.record.moves)
    if gives is not None:
        tolerance *= STEEPEST
    return _parities(path, samples, _given(expected, gives), tolerance, precise=precise)


def _answers_of(model: "nn.Module", samples: NDArray[Any]) -> Logits:
    # Imported here: files are compared with each other where there is no torch.
    import torch

    with torch.no_grad():
        answers: Logits = model(torch.from_numpy(samples)).numpy()
    return answers


def _given(expected: Logits, gives: Probabilities | None) -> Logits:
    """What a file with a softmax or a sigmoid behind it has to give."""
    return expected if gives is None else gives.of(expected).astype(np.float32)


def distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The largest absolute difference of two arrays of one shape."""
    return float(np.abs(a - b).max())


def _tolerance(expected: Logits) -> float:
    return RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected).max()))


def _parities(
    path: Path,
    samples: NDArray[Any],
    expected: Logits,
    tolerance: float,
    *,
    precise: bool = False,
) -> tuple[Parity, ...]:
    return tuple(
        Parity(
            batch=batch,
            optimization=level,
            samples=len(samples),
            max_abs_difference=distance(
                logits(path, samples, batch=batch, optimization=level, precise=precise), expected
            ),
            tolerance=tolerance,
        )
        for batch in BATCHES
        for level in ("none", "all")
    )
