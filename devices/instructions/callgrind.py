"""How many instructions one inference takes: a count that repeats, where a time does not.

    >>> count(Path("model.onnx")).instructions                      # doctest: +SKIP
    401199

Valgrind's callgrind counts the instructions of a program it interprets. Here it counts a worker
with numpy and the runtime in it and nothing else, and only the marked inferences in it. The same
code and the same kernels give the same number on any machine, however busy. How long that takes is
not said: caches, branch prediction and instructions of several cycles are not in a count, so it
ranks builds of one model on one kind of core, and does not compare cores.

Valgrind shows its program a core with AVX2 and FMA at the most. Where the machine has VNNI or
AVX-512, other kernels run outside it; those counted are named in ``kernels``.
"""

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ...errors import HostError, MeasureError
from ..onboard.machine import host
from ..onboard.measure.job import CountJob
from ..onboard.process.run_job import run
from ..onboard.settings import DEFAULT_FEED, Feed
from ..onboard.stats.estimate import Estimate

REPEATS_TO = 1e-4
"""Counts of one model in fresh processes are apart by no more than this share, or it is said."""
PROCESSES = 2
"""One process gives the count; a second shows that it repeats."""
_FIX = "install it, as by: apt-get install valgrind"
# Not seen from inside valgrind, whatever the machine has.
_HIDDEN = ("avx512", "avx_vnni", "amx")


@dataclass(frozen=True, slots=True)
class Instructions:
    """Instructions of one inference. A count, not a time.

    Attributes:
        counts: one a fresh process: the median over its pairs of regions.
        batch: samples an inference.
        counter: what counted: ``callgrind`` or ``qemu``.
        core: the core that ran it: ``x86_64``, or qemu's name of one, such as ``cortex-a72``.
        kernels: the family of matrix kernels that the runtime picks there.
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
        """Of one inference: the median over processes."""
        return round(median(self.counts))

    @property
    def repeats(self) -> bool:
        """Whether the processes agree within ``REPEATS_TO``; one alone shows nothing."""
        spread = max(self.counts) - min(self.counts)
        return len(self.counts) > 1 and spread <= REPEATS_TO * self.instructions

    @property
    def estimate(self) -> Estimate:
        """As a figure for a report; its interval is all that was counted."""
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
    """Why instructions cannot be counted on this machine; None where they can."""
    if host.describe().arch != "x86_64":
        # Its request is a sequence of machine code, which is written for x86-64 only.
        return HostError(host.describe().arch, expected="x86_64", where="counting by callgrind")
    if shutil.which("valgrind") is None:
        return HostError("no valgrind", where="counting instructions", fix=_FIX)
    return None


def shown_kernels() -> str:
    """The family of matrix kernels that a runtime picks inside valgrind on this machine."""
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

    Each process takes some seconds, and an inference about fifty times as long as outside.

    Args:
        path: a `.onnx` or `.ort` file.
        feed: what it is queried with; of real inputs, the first batch.
        processes: fresh processes, at least 1.
        timeout_s: seconds until a process is given up.

    Raises:
        HostError: valgrind is missing, or counts x86-64 only and this is another machine.
        ModelError, DataError, UsageError: the model, its inputs or a shape will not do.
        MeasureError: a process died, ran out of time or counted nothing.
    """
    if (refusal := missing()) is not None:
        raise refusal
    job = CountJob(str(path), "callgrind", feed=feed)
    counts, runtime = repeated(job, processes, timeout_s, _callgrind, _totals)
    return Instructions(counts, feed.batch, "callgrind", "x86_64", shown_kernels(), runtime)


def repeated(
    job: CountJob,
    processes: int,
    timeout_s: float,
    command: Callable[[Path], Sequence[str]],
    regions: Callable[[Path], Sequence[int]],
) -> tuple[tuple[int, ...], str]:
    """Run a counted job in fresh processes; the count of each, and the runtime.

    Args:
        job: what to count.
        processes: how many.
        timeout_s: seconds until a process is given up.
        command: the worker's command line under the counter, which writes to that folder.
        regions: the counts of all marked regions, in order, that it wrote to that folder.

    Raises:
        MeasureError: a region was not counted, or as ``devices.onboard.process.run_job.run``.
    """
    counts, runtimes = [], set()
    for _ in range(processes):
        with TemporaryDirectory(prefix="edgestill-") as folder:
            answer = run(job, timeout_s=timeout_s, command=command(Path(folder)))
            regions_of_process = regions(Path(folder))
        counts.append(per_inference(regions_of_process, job.pairs, job.model))
        runtimes.add(str(answer["runtime"]))
    return tuple(counts), " and ".join(sorted(runtimes))


def per_inference(regions: Sequence[int], pairs: int, where: str) -> int:
    """Instructions of one inference, out of regions of one and of two that took turns.

    The median over pairs: what happens once in a while, such as a free list that grows, is in one.

    Raises:
        MeasureError: too few regions, or those of two inferences no longer than those of one.
    """
    if len(regions) != 2 * pairs:
        raise MeasureError(f"{len(regions)} counts", expected=f"{2 * pairs}", where=where)
    counted = round(
        median(twice - once for once, twice in zip(regions[::2], regions[1::2], strict=True))
    )
    if counted <= 0:
        raise MeasureError(f"{counted} instructions", expected="above 0", where=where)
    return counted


def _callgrind(folder: Path) -> tuple[str, ...]:
    return (
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        "--separate-threads=yes",
        f"--callgrind-out-file={folder / 'counts'}",
        *(sys.executable, "-P", "-m", "edgestill.devices.onboard.measure.worker"),
    )


def _totals(folder: Path) -> list[int]:
    """Of the first thread, of each dump: `counts.<dump>-01`."""
    dumps = {
        int(found[1]): file
        for file in folder.iterdir()
        if (found := re.fullmatch(r"counts\.(\d+)-01", file.name))
    }
    return [_total(dumps[number]) for number in sorted(dumps)]


def _total(file: Path) -> int:
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon and key == "totals":
            return int(value)
    raise MeasureError("a count without a total", where=file.name)
