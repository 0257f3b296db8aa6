"""A model on an emulated ARM core: what it answers there, and in how many instructions.

    >>> count(Path("model.onnx"), load("raspberry-pi-4")).instructions       # doctest: +SKIP
    >>> parity(Path("model.onnx"), Path("x.npz"), load("raspberry-pi-5")).changed   # doctest: +SKIP
    0

qemu translates a program's instructions one by one and keeps its results bit for bit, so the
runtime's own ARM kernels run, and give what they give on the board. An emulated second is nobody's
second: there is no latency here, and no memory figure.

A core is known by its instruction set. The runtime also tells a few cores apart by name (it has
narrower loads for Cortex-A53 and A55), which it reads where an emulated program sees the host, so
the kernels run are those of any core with that instruction set.
"""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasureError, UsageError
from ..onboard.measure.job import AnswersJob, CountJob
from ..onboard.process.run_job import run
from ..onboard.settings import DEFAULT_FEED, Feed, Session
from ..profiles.profile import Profile, load
from .callgrind import PROCESSES, Instructions, repeated
from .setup_emulator import find

_COUNTS = "counts"
_OUTPUTS = "outputs.npz"


@dataclass(frozen=True, slots=True)
class Parity:
    """A model's answers on an emulated core against the host's.

    Attributes:
        core: qemu's name of it.
        samples: how many were answered.
        max_abs_difference: over all outputs.
        changed: samples whose largest entry of the first output is another; None where that has
            no classes, that is, is not of two or more columns.
        host_runtime: the runtime of the host and its version.
        core_runtime: the runtime on the emulated core, which may be another version.
    """

    core: str
    samples: int
    max_abs_difference: float
    changed: int | None
    host_runtime: str
    core_runtime: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answered.

    Attributes:
        outputs: one array an output, samples along the first axis.
        runtime: the runtime and its version.
    """

    outputs: tuple[NDArray[np.generic], ...]
    runtime: str


def core_of(profile: Profile) -> str:
    """What qemu calls the core of a device.

    Raises:
        UsageError: the device is no ARM one, or qemu does not know its core.
    """
    if profile.arch != "aarch64" or profile.qemu_cpu is None:
        raise UsageError(
            f"{profile.name}, {profile.arch}, without a core that qemu knows",
            expected="a device such as cortex-a53, raspberry-pi-4 or raspberry-pi-5",
            where="an emulated core",
            fix='name the core in a profile of your own: qemu_cpu = "cortex-a76"',
        )
    return profile.qemu_cpu


def count(
    path: Path,
    profile: Profile,
    *,
    feed: Feed = DEFAULT_FEED,
    processes: int = PROCESSES,
    timeout_s: float = 1200.0,
) -> Instructions:
    """Count the instructions of one inference on one thread of a device's core.

    Args:
        path: a `.onnx` or `.ort` file.
        profile: the device.
        feed: what it is queried with; of real inputs, the first batch.
        processes: fresh processes, at least 1; each takes some seconds.
        timeout_s: seconds until a process is given up.

    Raises:
        UsageError: a device whose core qemu does not know, or a shape that will not do.
        HostError: the emulator is not set up.
        ModelError, DataError: the model or its inputs will not do.
        MeasureError: a process died, ran out of time or counted nothing.
    """
    core, parts = core_of(profile), find()
    # The emulator starts the worker elsewhere.
    inputs = None if feed.inputs is None else str(Path(feed.inputs).absolute())
    job = CountJob(str(path.absolute()), "qemu", feed=replace(feed, inputs=inputs))

    def command(folder: Path) -> tuple[str, ...]:
        return parts.worker(core, counts=folder / _COUNTS)

    counts, runtime = repeated(job, processes, timeout_s, command, _regions)
    return Instructions(counts, feed.batch, "qemu", core, profile.kernels, runtime)


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
    """What a model answers on a device's core, or in a child process of this machine.

    Where this machine's int8 kernels saturate, the runtime's saturation-free mode answers here.

    Args:
        path: a `.onnx` or `.ort` file.
        inputs: an `.npz` with one array an input, samples along the first axis; the first 64
            batches are answered.
        profile: the device; None: this machine.
        optimization: the runtime's graph optimization level.
        batch: samples an inference.
        optimized: a folder for ``optimized.onnx``, the graph that runs there.
        timeout_s: seconds until the process is given up.

    Raises:
        UsageError, HostError, ModelError, DataError, MeasureError: as ``count``.
    """
    with TemporaryDirectory(prefix="edgestill-") as name:
        job = AnswersJob(
            model=str(path.absolute()),
            outputs=str(Path(name) / _OUTPUTS),
            feed=Feed(str(inputs.absolute()), batch),
            # An ARM core cuts no sums of int8 products off, so this machine shall not either.
            session=Session(optimization=optimization, precise=True),
            optimized=str(optimized.absolute()) if optimized is not None else None,
        )
        worker = (
            (sys.executable, "-P", "-m", "edgestill.devices.onboard.measure.worker")
            if profile is None
            else find().worker(core_of(profile))
        )
        answer = run(job, timeout_s=timeout_s, command=worker)
        with np.load(job.outputs, allow_pickle=False) as archive:
            outputs = tuple(archive[f"output_{index}"] for index in range(len(archive.files)))
    return Answers(outputs, str(answer["runtime"]))


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
        timeout_s: seconds until a process is given up.

    Raises:
        UsageError, HostError, ModelError, DataError, MeasureError: as ``count``; MeasureError also
            where the two do not answer in the same shapes.
    """
    ask = partial(answers, path, inputs, optimization=optimization, timeout_s=timeout_s)
    there, here = ask(profile), ask(None)
    return compare(there, here, core_of(profile), str(path))


def compare(there: Answers, here: Answers, core: str, where: str) -> Parity:
    """The largest difference of two runtimes' answers, and how many answers differ.

    Raises:
        MeasureError: they are not of the same shapes, or not all finite.
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


def try_out() -> Instructions:
    """Count a model of one operator, to see that all parts of the emulator work together.

    Raises:
        HostError, MeasureError: one does not.
    """
    from onnx import TensorProto, helper

    ends = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy")
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", [next(ends)], [next(ends)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with TemporaryDirectory(prefix="edgestill-") as name:
        path = Path(name) / "relu.onnx"
        path.write_bytes(model.SerializeToString())
        return count(path, load("cortex-a53"), processes=1)


def _regions(folder: Path) -> list[int]:
    try:
        return [int(line) for line in (folder / _COUNTS).read_text(encoding="ascii").split()]
    except OSError:
        return []
