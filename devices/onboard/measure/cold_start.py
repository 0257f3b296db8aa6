"""What the first answer costs in a process that has just begun.

Nothing but the standard library is imported before the clock runs: numpy and the runtime are part
of what a cold start pays for.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .job import ScenarioJob

if TYPE_CHECKING:
    from ..runtimes.contract import LoadedModel
    from .answer import ColdStartAnswer


def start(job: ScenarioJob) -> "ColdStartAnswer":
    """Import the runtime, load the model, answer one query; each timed, in milliseconds.

    The file is as a rule in the page cache: a start after boot reads it from the disk as well.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    clock = time.perf_counter_ns
    begun = clock()
    from ..runtimes import label, runtime_of

    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    imported = clock()
    model = runtime.load(path, job.session)
    loaded = clock()
    feed = _first_batch(job, model)
    first = clock()
    model.answer(feed)
    answered = clock()
    from .answer import ColdStartAnswer

    return ColdStartAnswer(
        import_ms=(imported - begun) / 1e6,
        load_ms=(loaded - imported) / 1e6,
        first_inference_ms=(answered - first) / 1e6,
        runtime=label(runtime),
    )


def _first_batch(job: ScenarioJob, model: "LoadedModel") -> dict[str, Any]:
    from .feeds import batches_of

    return batches_of(job.feed, model.inputs)[0]
