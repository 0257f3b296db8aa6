"""Which runtime loads here, and how many threads its import starts.

probe(ProbeJob()).runtime                # 'onnxruntime 1.32.0'
"""

from pathlib import Path

from ..machine.system import threads
from ..runtimes import label, runtime_of
from .answer import ProbeAnswer
from .job import ProbeJob


def probe(job: ProbeJob) -> ProbeAnswer:
    """Which runtime loads here, and whether it stays quiet."""
    runtime = runtime_of(Path(), job.session)
    return ProbeAnswer(
        runtime=label(runtime),
        providers=tuple(runtime.providers()),
        process_threads=threads(),
    )
