"""What a model file answers in the runtime that ships: logits of a whole split."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.inputs import trimmed
from ...devices.onboard.runtimes import load
from ...devices.onboard.settings import Session
from ...errors import ModelError
from ...exporters.interface import INPUT, OUTPUT, PROBABILITIES
from . import other_runtimes

Logits = NDArray[np.float32]
REFERENCE = "reference.npz"
"""Samples (``x``) and what the torch model that a tuned file was made of answers (``logits``)."""
GOLDEN = "golden.npz"
"""A few samples and what every file answered, in a run's records."""


def logits(
    path: Path,
    x: NDArray[Any],
    *,
    batch: int,
    workers: int = 1,
    optimization: str = "all",
    precise: bool = False,
    pad: int | None = None,
) -> Logits:
    """Run a file over samples in order, each run on one thread.

    What it gives are probabilities where it ends in a softmax or a sigmoid.

    Args:
        path: a file of ours, in any format; one of another runtime is run by it, in a process of
            its own, and takes none of the options below ``batch``.
        x: samples [n, …] as the model takes them.
        batch: samples a run; the last run may hold fewer.
        workers: threads that share the samples out; the answers do not depend on them.
        optimization: graph optimization level, ``none`` or ``all``.
        precise: whether int8 is computed without saturation, even if this host saturates.
        pad: the token id behind the end of a text: each run is as long as its longest text, where
            the file takes any length. None: samples are no texts, or stay as they are.

    Returns:
        float32 [n, classes].

    Raises:
        ModelError: the file cannot be run, or gives NaN or infinity.
    """
    if other_runtimes.runs_elsewhere(path):
        return _finite(other_runtimes.outputs(path, x, batch=batch), path)
    model = load(path, Session(optimization=optimization, precise=precise))
    names = [port.name for port in model.outputs]
    output = names.index(PROBABILITIES if PROBABILITIES in names else OUTPUT)

    takes_any_length = pad is not None and not isinstance(model.inputs[0].shape[1], int)

    def fed(start: int) -> NDArray[Any]:
        rows = x[start : start + batch]
        if pad is not None and takes_any_length:
            return trimmed(rows, pad)
        return np.ascontiguousarray(rows)

    def answered(starts: range) -> list[Logits]:
        return [model.answer({INPUT: fed(start)})[output] for start in starts]

    starts = range(0, len(x), batch)  # The same runs, however they are shared out.
    share = -(-len(starts) // workers)
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(answered, [starts[i : i + share] for i in range(0, len(starts), share)])
        outputs = np.concatenate([block for part in parts for block in part])
    return _finite(outputs, path)


def _finite(outputs: NDArray[Any], path: Path) -> Logits:
    if not np.isfinite(outputs).all():
        row = int(np.argwhere(~np.isfinite(outputs))[0][0])
        raise ModelError(
            found=f"NaN or infinity for sample {row}", expected="finite logits", where=path.name
        )
    return outputs.astype(np.float32)
