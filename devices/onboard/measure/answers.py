"""What one model answers, for a comparison with the same model elsewhere.

answer(AnswersJob("model.onnx", "outputs.npz", Feed("inputs.npz")))
"""

import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..runtimes import label, runtime_of, tracing_runtime_of
from ..runtimes.contract import LoadedModel
from .answer import AnswersAnswer
from .feeds import batches_of
from .job import AnswersJob


def answer(job: AnswersJob) -> AnswersAnswer:
    """Run the model on every batch and write its outputs; what ran.

    Raises:
        ModelError, DataError: the model or its inputs will not do.
    """
    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    model: LoadedModel
    if job.optimized is None:
        model = runtime.load(path, job.session)
    else:
        tracing = tracing_runtime_of(path, job.session)
        model = tracing.load_traced(path, job.session, Path(job.optimized))
    answered = [model.answer(feed) for feed in batches_of(job.feed, model.inputs)]
    outputs: dict[str, Any] = {
        f"output_{index}": np.concatenate(parts)
        for index, parts in enumerate(zip(*answered, strict=True))
    }
    np.savez(job.outputs, allow_pickle=False, **outputs)
    return AnswersAnswer(runtime=label(runtime), machine=platform.machine())
