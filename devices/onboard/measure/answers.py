"""What one model answers, for a comparison with the same model elsewhere.

answer(AnswersJob("model.onnx", "outputs.npz", Feed("inputs.npz")))
"""

import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..runtimes import onnxruntime as runtime
from .feeds import batches_of
from .job import AnswersJob


def answer(job: AnswersJob) -> dict[str, Any]:
    """Run the model on every batch and write its outputs; what ran, as JSON-ready values.

    Raises:
        ModelError, DataError: the model or its inputs will not do.
    """
    path = Path(job.model)
    traces = Path(job.optimized) if job.optimized else None
    session = runtime.open_session(path, job.session, traces=traces)
    feeds = batches_of(job.feed, runtime.inputs_of(session))
    answered = [runtime.run_once(session, feed, path) for feed in feeds]
    outputs: dict[str, Any] = {
        f"output_{index}": np.concatenate(parts)
        for index, parts in enumerate(zip(*answered, strict=True))
    }
    np.savez(job.outputs, allow_pickle=False, **outputs)
    return {"runtime": f"onnxruntime {runtime.version()}", "machine": platform.machine()}
