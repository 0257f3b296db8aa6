"""The instructions of one inference on an emulated ARM core.

    >>> count(Path("model.onnx"), load("raspberry-pi-4")).core       # doctest: +SKIP
    'cortex-a72'

qemu executes the runtime's own ARM kernels with bit-exact results. It does not model time or
memory, so there is no latency and no memory figure.

qemu emulates an instruction set. The runtime also distinguishes a few cores by name (it has
narrower loads for Cortex-A53 and A55), but an emulated program reads the host's name there, so the
kernels that run are those of any core with that instruction set.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import UsageError
from ..onboard.measure.job import CountJob
from ..onboard.settings import DEFAULT_FEED, Feed
from ..profiles.profile import Profile, load
from .callgrind import PROCESSES, Instructions, repeated
from .emulator import find

_COUNTS = "counts"


def core_of(profile: Profile) -> str:
    """The name that qemu has for a device's core.

    Raises:
        UsageError: the device is not an ARM device, or qemu does not know its core.
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
        timeout_s: seconds after which a process is killed.

    Raises:
        UsageError: qemu does not know the device's core, or a shape is invalid.
        HostError: the emulator is not set up.
        ModelError, DataError: the model or its inputs are invalid.
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


def try_out() -> Instructions:
    """Count a model of one operator, which checks that all parts of the emulator work together.

    Raises:
        HostError, MeasureError: they do not.
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
