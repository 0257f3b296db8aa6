"""What a job queries with: its real inputs, or made-up ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model.inputs import check_batch, load_batches
from ..model.modelfile import Input
from ..runtimes import onnxruntime as runtime
from .job import ScenarioJob


def feeds_of(job: ScenarioJob, schema: Sequence[Input]) -> list[dict[str, Any]]:
    """At least one feed that fits the model.

    Raises:
        DataError: real inputs that do not fit.
        UsageError: a shape that is missing or does not fit.
    """
    if job.inputs is None:
        return [runtime.make_inputs(schema, job.batch, job.shapes, job.seed)]
    feeds = load_batches(Path(job.inputs), job.batch)
    check_batch(feeds[0], schema, [runtime.dtype_of(one) for one in schema], job.inputs)
    return feeds
