"""What a model takes of a microcontroller's memory, measured without the microcontroller.

measure(ArenaJob("model.tflite")).arena.total_bytes
"""

from pathlib import Path

from ....errors import UsageError
from ..runtimes import label, runtime_of
from ..runtimes.contract import ArenaModel
from .answer import ArenaAnswer
from .feeds import batches_of
from .job import ArenaJob


def measure(job: ArenaJob) -> ArenaAnswer:
    """Run the model once, for some operators take memory only then.

    Raises:
        UsageError: the runtime has no arena.
        ModelError: the runtime cannot load or run the model.
        MeasureError: the runtime does not say.
    """
    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    model = runtime.load(path, job.session)
    if not isinstance(model, ArenaModel):
        raise UsageError(f"{runtime.NAME}, which has no arena", expected="tflite-micro")
    model.answer(batches_of(job.feed, model.inputs)[0])
    return ArenaAnswer(
        runtime=label(runtime), arena=model.arena(), takes=model.takes, gives=model.gives
    )
