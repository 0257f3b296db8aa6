"""Which runtime loads here, and how many threads its import starts.

probe(ProbeJob()).runtime                # 'onnxruntime 1.32.0'
"""

from pathlib import Path

from ..runtimes import label, runtime_of
from .answer import ProbeAnswer
from .job import ProbeJob


def probe(job: ProbeJob) -> ProbeAnswer:
    """Which runtime loads here, and whether it stays quiet."""
    runtime = runtime_of(Path(), job.session)
    return ProbeAnswer(
        runtime=label(runtime),
        providers=tuple(runtime.providers()),
        process_threads=threads_of_this_process(),
    )


def threads_of_this_process() -> int | None:
    """Threads of this process; None where the kernel does not tell."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return None
