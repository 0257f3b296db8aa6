"""What the first answer costs in a process that has just begun.

Nothing but the standard library is imported before the clock runs: numpy and the runtime are part
of what a cold start pays for.
"""

import time
from pathlib import Path
from typing import Any

from .job import ScenarioJob


def start(job: ScenarioJob) -> dict[str, Any]:
    """Import the runtime, load the model, answer one query; each timed, in milliseconds.

    The file is as a rule in the page cache: a start after boot reads it from the disk as well.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    clock = time.perf_counter_ns
    begun = clock()
    from ..runtimes import onnxruntime as runtime

    imported = clock()
    session = runtime.open_session(Path(job.model), job.session)
    loaded = clock()
    feed = _feed(job, session)
    first = clock()
    runtime.run_once(session, feed, Path(job.model))
    answered = clock()
    return {
        "import_ms": (imported - begun) / 1e6,
        "load_ms": (loaded - imported) / 1e6,
        "first_inference_ms": (answered - first) / 1e6,
        "runtime": f"onnxruntime {runtime.version()}",
    }


def _feed(job: ScenarioJob, session: Any) -> dict[str, Any]:
    from ..runtimes import onnxruntime as runtime
    from .feeds import batches_of

    return batches_of(job.feed, runtime.inputs_of(session))[0]
