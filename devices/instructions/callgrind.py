"""The number of instructions of one inference: a count that repeats, unlike a time.

    >>> count(Path("model.onnx")).instructions                      # doctest: +SKIP
    401199

Valgrind's callgrind counts the instructions of a program that it interprets: here a worker process
that imports only numpy and the runtime, and of it only the marked inferences. The same code and the
same kernels give the same number on any machine, however busy. A count is not a time: it leaves out
caches, branch prediction and instructions of several cycles. It ranks builds of one model on one
kind of core and does not compare cores.

The core that valgrind presents to its program has at most AVX2 and FMA. On a machine with VNNI or
AVX-512 other kernels run outside valgrind; ``kernels`` names those that were counted.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ...errors import HostError, MeasureError
from ..onboard.machine import host, system
from ..onboard.measure.job import CountJob
from ..onboard.process.run_job import run
from ..onboard.settings import DEFAULT_FEED, Feed
from ..onboard.stats.estimate import Estimate
from ..place.worker import worker_of

REPEATS_TO = 1e-4
"""The largest relative difference between fresh processes at which a count is said to repeat."""
PROCESSES = 2
"""The second process shows whether the count of the first repeats."""
_FIX = "install it: apt-get install valgrind"
# Features of the machine that valgrind hides from its program.
_HIDDEN = ("avx512", "avx_vnni", "amx")


@dataclass(frozen=True, slots=True)
class Instructions:
    """Instructions of one inference. A count, not a time.

    Attributes:
        counts: the count of each fresh process: the median over its pairs of regions.
        batch: samples an inference.
        counter: ``callgrind`` or ``qemu``.
        core: ``x86_64``, or qemu's name of the core, such as ``cortex-a72``.
        kernels: the family of matrix kernels that the runtime selects on that core.
        runtime: the runtime and its version.
    """

    counts: tuple[int, ...]
    batch: int
    counter: str
    core: str
    kernels: str
    runtime: str

    @property
    def instructions(self) -> int:
        """Instructions of one inference: the median over processes."""
        return round(median(self.counts))

    @property
    def repeats(self) -> bool:
        """Whether several processes agree within ``REPEATS_TO``; False for a single process."""
        spread = max(self.counts) - min(self.counts)
        return len(self.counts) > 1 and spread <= REPEATS_TO * self.instructions

    @property
    def estimate(self) -> Estimate:
        """The count as a figure for a report; its interval is the range of the counts."""
        method = (
            f"instructions counted by {self.counter} on {self.core} ({self.kernels} kernels): "
            "a count, not a time"
        )
        low, high = float(min(self.counts)), float(max(self.counts))
        return Estimate(
            float(self.instructions),
            low,
            high,
            method,
            len(self.counts),
            unit="instructions",
            kind="measured",
        )


def missing() -> HostError | None:
    """Why instructions cannot be counted on this machine; None if they can."""
    if (here := system.name()) != "Linux":
        return HostError(here, expected="Linux on x86-64", where="counting instructions")
    if host.describe().arch != "x86_64":
        # The worker's client request is machine code for x86-64.
        return HostError(host.describe().arch, expected="x86_64", where="counting by callgrind")
    if shutil.which("valgrind") is None:
        return HostError("no valgrind", where="counting instructions", fix=_FIX)
    return None


def shown_kernels() -> str:
    """The family of matrix kernels that the runtime selects inside valgrind on this machine."""
    features = host.describe().features
    return host.kernel_class(
        tuple(feature for feature in features if not feature.startswith(_HIDDEN))
    )


def count(
    path: Path,
    *,
    feed: Feed = DEFAULT_FEED,
    processes: int = PROCESSES,
    timeout_s: float = 1200.0,
) -> Instructions:
    """Count the instructions of one inference on one thread of this machine's kind of core.

    A process takes some seconds. An inference takes about 50× its usual latency.

    Args:
        path: a `.onnx` or `.ort` file.
        feed: what it is queried with; of real inputs, the first batch.
        processes: fresh processes, at least 1.
        timeout_s: seconds after which a process is killed.

    Raises:
        HostError: valgrind is missing, or this machine is no Linux on x86-64.
        ModelError, DataError, UsageError: the model, its inputs or a shape is invalid.
        MeasureError: a process died, ran out of time or counted nothing.
    """
    if (refusal := missing()) is not None:
        raise refusal
    job = CountJob(str(path), "callgrind", feed=feed)
    words = worker_of(job)

    def command(folder: Path) -> tuple[str, ...]:
        return (*_valgrind(folder), *words)

    counts, runtime = repeated(job, processes, timeout_s, command, _totals)
    return Instructions(counts, feed.batch, "callgrind", "x86_64", shown_kernels(), runtime)


def repeated(
    job: CountJob,
    processes: int,
    timeout_s: float,
    command: Callable[[Path], Sequence[str]],
    regions: Callable[[Path], Sequence[int]],
) -> tuple[tuple[int, ...], str]:
    """Run a counting job in fresh processes.

    Args:
        job: the model and its inputs.
        processes: how many processes.
        timeout_s: seconds after which a process is killed.
        command: gives the worker's command line under the counter, which writes to that folder.
        regions: reads the counts of all marked regions, in order, from that folder.

    Returns:
        The count of each process, and the runtimes with their versions.

    Raises:
        MeasureError: a region was not counted; and as ``devices.onboard.process.run_job.run``.
    """
    counts, runtimes = [], set()
    for _ in range(processes):
        with TemporaryDirectory(prefix="edgestill-") as folder:
            answer = run(job, timeout_s=timeout_s, command=command(Path(folder)))
            regions_of_process = regions(Path(folder))
        counts.append(per_inference(regions_of_process, job.pairs, job.model))
        runtimes.add(answer.runtime)
    return tuple(counts), " and ".join(sorted(runtimes))


def per_inference(regions: Sequence[int], pairs: int, where: str) -> int:
    """Instructions of one inference, from alternating regions of one and of two inferences.

    The median over pairs leaves out rare events, such as a free list that grows.

    Raises:
        MeasureError: the number of regions is wrong, or two inferences count no more than one.
    """
    if len(regions) != 2 * pairs:
        raise MeasureError(f"{len(regions)} counts", expected=f"{2 * pairs}", where=where)
    counted = round(
        median(twice - once for once, twice in zip(regions[::2], regions[1::2], strict=True))
    )
    if counted <= 0:
        raise MeasureError(f"{counted} instructions", expected="above 0", where=where)
    return counted


def _valgrind(folder: Path) -> tuple[str, ...]:
    return (
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        "--separate-threads=yes",
        f"--callgrind-out-file={folder / 'counts'}",
    )


def _totals(folder: Path) -> list[int]:
    """The total of the first thread in each dump, from the files `counts.<dump>-01`."""
    dumps = {
        int(number[1]): file
        for file in folder.iterdir()
        if (number := re.fullmatch(r"counts\.(\d+)-01", file.name))
    }
    return [_total(dumps[number]) for number in sorted(dumps)]


def _total(file: Path) -> int:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon and key == "totals":
            return int(value)
    raise MeasureError("a count without a total", where=file.name)
