"""What a model answers on an emulated ARM core, compared with its answers on this machine.

    >>> parity(Path("model.onnx"), Path("x.npz"), load("raspberry-pi-5")).changed   # doctest: +SKIP
    0

qemu executes the runtime's own ARM kernels with bit-exact results, so the outputs are those of the
board.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasureError
from ..onboard.machine.child import PYTHON
from ..onboard.measure.job import AnswersJob
from ..onboard.process.run_job import run
from ..onboard.settings import Feed, Session
from ..profiles.profile import Profile
from .emulated_core import core_of
from .emulator import find

_OUTPUTS = "outputs.npz"


@dataclass(frozen=True, slots=True)
class Parity:
    """A model's answers on an emulated core against the host's.

    Attributes:
        core: qemu's name of the core.
        samples: number of samples.
        max_abs_difference: the largest over all outputs.
        changed: samples for which the largest entry of the first output has another index; None if
            the first output is not a matrix of at least two columns.
        host_runtime: the runtime of the host and its version.
        core_runtime: the runtime on the emulated core, which may have another version.
    """

    core: str
    samples: int
    max_abs_difference: float
    changed: int | None
    host_runtime: str
    core_runtime: str


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's outputs.

    Attributes:
        outputs: one array an output, samples along the first axis.
        runtime: the runtime and its version.
    """

    outputs: tuple[NDArray[np.generic], ...]
    runtime: str


def answers(
    path: Path,
    inputs: Path,
    profile: Profile | None,
    *,
    optimization: str = "all",
    batch: int = 1,
    optimized: Path | None = None,
    timeout_s: float = 1200.0,
) -> Answers:
    """A model's outputs on a device's core, or in a child process of this machine.

    On this machine the runtime computes in its saturation-free mode where int8 kernels saturate.

    Args:
        path: a `.onnx` or `.ort` file.
        inputs: an `.npz` with one array an input, samples along the first axis; the first 64
            batches are answered.
        profile: the device; None: this machine.
        optimization: the runtime's graph optimization level.
        batch: samples an inference.
        optimized: a folder for ``optimized.onnx``, the graph that runs there.
        timeout_s: seconds after which the process is killed.

    Raises:
        UsageError, HostError, ModelError, DataError, MeasureError: as ``count``.
    """
    with TemporaryDirectory(prefix="edgestill-") as name:
        job = AnswersJob(
            model=str(path.absolute()),
            outputs=str(Path(name) / _OUTPUTS),
            feed=Feed(str(inputs.absolute()), batch),
            # ARM kernels do not saturate sums of int8 products, so this machine must not either.
            session=Session(optimization=optimization, precise=True),
            optimized=str(optimized.absolute()) if optimized is not None else None,
        )
        worker = (
            (*PYTHON, "edgestill.devices.onboard.measure.worker")
            if profile is None
            else find().worker(core_of(profile))
        )
        answer = run(job, timeout_s=timeout_s, command=worker)
        with np.load(job.outputs, allow_pickle=False) as archive:
            outputs = tuple(archive[f"output_{index}"] for index in range(len(archive.files)))
    return Answers(outputs, answer.runtime)


def parity(
    path: Path,
    inputs: Path,
    profile: Profile,
    *,
    optimization: str = "all",
    timeout_s: float = 1200.0,
) -> Parity:
    """Compare a model's answers on a device's core with those on this machine.

    Args:
        path: a `.onnx` or `.ort` file.
        inputs: an `.npz` with one array an input, samples along the first axis; the first 64 are
            answered.
        profile: the device.
        optimization: the runtime's graph optimization level, on both.
        timeout_s: seconds after which a process is killed.

    Raises:
        UsageError, HostError, ModelError, DataError, MeasureError: as ``count``; MeasureError also
            if the two give outputs of different shapes.
    """
    outputs_on = partial(answers, path, inputs, optimization=optimization, timeout_s=timeout_s)
    there, here = outputs_on(profile), outputs_on(None)
    return compare(there, here, core_of(profile), str(path))


def compare(there: Answers, here: Answers, core: str, where: str) -> Parity:
    """The largest difference between two runtimes' outputs, and how many answers differ.

    Args:
        there: outputs on the emulated core.
        here: outputs on this machine.
        core: qemu's name of the core.
        where: the model, for a message.

    Raises:
        MeasureError: the shapes differ, or a value is not finite.
    """
    ours, theirs = ([output.shape for output in answered.outputs] for answered in (here, there))
    if ours != theirs or not ours:
        raise MeasureError(f"outputs of shapes {theirs}", expected=f"{ours}", where=where)
    differences = [
        np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0)
        for a, b in zip(there.outputs, here.outputs, strict=True)
    ]
    largest = float(max(differences))
    if not np.isfinite(largest):
        raise MeasureError("outputs that are not finite", where=where)
    first = here.outputs[0]
    changed = None
    if first.ndim == 2 and first.shape[1] > 1:
        a, b = (np.argmax(answered.outputs[0], axis=1) for answered in (there, here))
        changed = int(np.count_nonzero(a != b))
    return Parity(core, len(first), largest, changed, here.runtime, there.runtime)
